"""Analytic building blocks of the sample scenes.

A scene is a function of continuous coordinates. To move it, it is evaluated at displaced
coordinates: no pixel is ever resampled, so that the stated displacement is the true one to
rounding. Every block is smooth on the scale of a pixel: its width includes the point-spread
function and the area of a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


class Points:
    """Centers of pixels, px, and the coordinates that they show, up to `reach` px away."""

    def __init__(self, y: np.ndarray, x: np.ndarray, reach: float):
        self.home = np.stack([y, x], axis=1)
        self.reach = float(reach)
        self.y, self.x = y, x
        self._tree = None
        self._pairs: dict[object, tuple[np.ndarray, np.ndarray]] = {}

    @classmethod
    def grid(cls, shape: tuple[int, int], reach: float) -> Points:
        """Return all pixels of a frame of `shape` (Y, X), row by row."""
        y, x = np.indices(shape, dtype=float).reshape(2, -1)
        return cls(y, x, reach)

    def __len__(self) -> int:
        return len(self.home)

    def show(self, displacement: np.ndarray) -> None:
        """Show what a displacement (2, N) moved here: its coordinates at rest."""
        self.y = self.home[:, 0] - displacement[0]
        self.x = self.home[:, 1] - displacement[1]

    def near(self, owner: object, y: np.ndarray, x: np.ndarray, radius: np.ndarray, item=None):
        """Return pairs (pixel, item) within `radius` of the places (y, x), displaced or not.

        `item` numbers what lies at each place (default: each place is its own item); pairs are
        not repeated. Each item touches few pixels, which do not change while the scene moves by
        at most `reach`, so they are listed once for each `owner`.
        """
        if owner not in self._pairs:
            if self._tree is None:
                from scipy.spatial import cKDTree  # half a second to import

                self._tree = cKDTree(self.home)
            centers = np.stack([y, x], axis=1)
            found = self._tree.query_ball_point(centers, np.asarray(radius) + self.reach)
            pixels = np.concatenate([np.asarray(f, dtype=np.int64) for f in found])
            items = np.repeat(np.arange(len(found)) if item is None else item, [*map(len, found)])
            if item is not None:
                pixels, items = np.divmod(np.unique(pixels * 2**24 + items), 2**24)
            self._pairs[owner] = pixels, items
        return self._pairs[owner]


@dataclass(frozen=True, eq=False)
class Spots:
    """A sum of elliptical Gaussian spots (N,), cut off where they are below 1e-6 of their peak."""

    y: np.ndarray  # center, px
    x: np.ndarray
    long: np.ndarray  # standard deviation along and across, px
    short: np.ndarray
    angle: np.ndarray  # of the long axis: 0 along x, pi/2 along y, rad
    weight: np.ndarray  # peak value

    @classmethod
    def make(cls, y, x, sigma, weight, elongation=1.0, angle=0.0) -> Spots:
        """Return spots from arrays or single numbers; `elongation` is long / short."""
        y, x, sigma, weight, elongation, angle = np.broadcast_arrays(
            *(np.asarray(v, dtype=float) for v in (y, x, sigma, weight, elongation, angle))
        )
        return cls(y, x, sigma * elongation, sigma, angle, weight)

    @classmethod
    def relief(cls, y, x, sigma, weight) -> Spots:
        """Return round spots as differential interference contrast shows them.

        Light from the upper left: the difference of two spots of standard deviation `sigma`, one
        `sigma` apart; with extremes of about +-`weight`.
        """
        step = sigma / np.sqrt(8)
        return cls.make(
            np.concatenate([y - step, y + step]),
            np.concatenate([x - step, x + step]),
            np.tile(sigma, 2),
            1.7 * np.concatenate([weight, -weight]),
        )

    def __call__(self, points: Points) -> np.ndarray:
        if not len(self.y):
            return np.zeros(len(points))
        pixel, item = points.near(self, self.y, self.x, 5.3 * np.maximum(self.long, self.short))
        dy, dx = points.y[pixel] - self.y[item], points.x[pixel] - self.x[item]
        c, s = np.cos(self.angle)[item], np.sin(self.angle)[item]
        r2 = ((c * dx + s * dy) / self.long[item]) ** 2
        r2 += ((c * dy - s * dx) / self.short[item]) ** 2
        value = self.weight[item] * np.exp(-0.5 * r2)
        return np.bincount(pixel, value, minlength=len(points))


@dataclass(frozen=True, eq=False)
class Waves:
    """A random texture: a sum of N cosines of y and x."""

    ky: np.ndarray  # spatial frequency, cycles per px
    kx: np.ndarray
    phase: np.ndarray  # cycles
    weight: np.ndarray  # amplitude

    @classmethod
    def random(cls, rng, n, wavelengths, beta=1.0, angle=0.0, spread=np.pi / 2) -> Waves:
        """Draw `n` waves of unit variance together, with log-uniform wavelengths, px.

        Amplitudes grow with wavelength to the power `beta`; directions of the wave vectors lie
        within `spread` of `angle` (0 along x), so that a small `spread` gives a grain across it.
        """
        low, high = wavelengths
        wavelength = np.exp(rng.uniform(np.log(low), np.log(high), n))
        direction = angle + rng.uniform(-spread, spread, n)
        weight = wavelength**beta
        weight *= np.sqrt(2 / np.sum(weight**2))
        ky, kx = np.sin(direction) / wavelength, np.cos(direction) / wavelength
        return cls(ky, kx, rng.uniform(0, 1, n), weight)

    def __call__(self, points: Points) -> np.ndarray:
        return self.at(points.y, points.x)

    def at(self, y: np.ndarray, x: np.ndarray | float = 0.0) -> np.ndarray:
        """Evaluate at any coordinates, px."""
        total = np.zeros(np.broadcast_shapes(np.shape(y), np.shape(x)))
        for ky, kx, phase, weight in zip(self.ky, self.kx, self.phase, self.weight, strict=True):
            total += weight * cosine(ky * y + kx * x + phase)
        return total


def cosine(turns: np.ndarray) -> np.ndarray:
    """Return cos(2 pi turns) to 3e-7: whole turns are removed in float64, the rest is float32."""
    part = np.subtract(turns, np.rint(turns))
    part *= 2 * np.pi
    return np.cos(part.astype(np.float32))


def inside(distance: np.ndarray, width: float) -> np.ndarray:
    """Return a smooth edge, 0 for distance << 0, 1 for distance >> 0; `width` about its sigma."""
    return 0.5 * (1 + np.tanh(distance / (1.25 * width)))


def bump(distance: np.ndarray, width: float) -> np.ndarray:
    """Return a Gaussian ridge of height 1 and standard deviation `width`, px."""
    return np.exp(-0.5 * (distance / width) ** 2)


def ramp(v: np.ndarray) -> np.ndarray:
    """Return 0 up to v = 0, 1 from v = 1, a quintic with two continuous derivatives between."""
    v = np.clip(v, 0, 1)
    return v**3 * (10 - 15 * v + 6 * v**2)


def ellipse(points: Points, y, x, long, short, angle, wobble: Waves | None = None, power=2.0):
    """Return coordinates of an ellipse-like outline: along, across, radius, distance.

    Along and across its axes, px; the radius is 0 in the center, 1 on the outline; the distance to
    the outline, px, is approximate and positive within. `wobble` modulates the radius, as waves
    over one turn; a `power` above 2 makes the outline squarer.
    """
    dy, dx = points.y - y, points.x - x
    c, s = np.cos(angle), np.sin(angle)
    along, across = c * dx + s * dy, c * dy - s * dx
    u, v = np.abs(along / long), np.abs(across / short)
    plain = (u**power + v**power) ** (1 / power) + 1e-9
    radius = plain
    if wobble is not None:
        turn = np.arctan2(across / short, along / long) / (2 * np.pi)
        radius = plain / (1 + wobble.at(turn))
    slope = np.hypot((u / plain) ** (power - 1) / long, (v / plain) ** (power - 1) / short) + 1e-9
    return along, across, radius, (1 - radius) / slope
