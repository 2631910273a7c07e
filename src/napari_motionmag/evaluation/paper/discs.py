"""Movies of a disc over a background, both with texture, where every position is exact."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import least_squares
from scipy.special import erf

from napari_motionmag.evaluation.scenes import add_noise
from napari_motionmag.temporal import TemporalOperator

SIZE = 128
RADIUS = 30.0
_EDGE = 0.7  # px, of the blur of the camera
_GRID = tuple(axis - (SIZE - 1) / 2 for axis in np.ogrid[:SIZE, :SIZE])
_NEAR, _FAR = 4.0, 20.0  # px from the edge: where it is, and where it rings


def waves(y: np.ndarray, x: np.ndarray, seed: int) -> np.ndarray:
    """Return a texture of mean 0 and deviation 1 at coordinates in px."""
    rng = np.random.default_rng(seed)
    total = np.zeros(np.broadcast_shapes(y.shape, x.shape))
    for angle, period, phase in zip(
        rng.uniform(0, np.pi, 12), rng.uniform(5, 30, 12), rng.uniform(0, 2 * np.pi, 12),
        strict=True,
    ):  # fmt: skip
        along = y * np.sin(angle) + x * np.cos(angle)
        total += np.cos(2 * np.pi * along / period + phase)
    return total / np.sqrt(6)


_GROUND = 0.3 + 0.03 * waves(*_GRID, 1)


@dataclass(frozen=True, eq=False)
class DiscMovie:
    """A gray movie."""

    positions: np.ndarray  # of the disc's center from the middle, (T, 2), y and x in px
    noise: float = 0.0  # see `add_noise`
    radius: float = RADIUS  # of the disc, px

    def render(self, position) -> np.ndarray:
        """Return the frame with the disc at a position, without noise."""
        return self._painted(position, *_GRID, _GROUND)

    def _painted(self, position, y: np.ndarray, x: np.ndarray, ground: np.ndarray) -> np.ndarray:
        y, x = y - position[0], x - position[1]
        inside = 0.5 + 0.5 * erf((self.radius - np.hypot(y, x)) / (_EDGE * np.sqrt(2)))
        return (ground + inside * (0.7 + 0.06 * waves(y, x, 2) - ground)).astype(np.float32)

    def depth(self, position) -> np.ndarray:
        """Return how far pixels are inside of the disc's edge, px."""
        y, x = _GRID
        return self.radius - np.hypot(y - position[0], x - position[1])

    @cached_property
    def frames(self) -> list[np.ndarray]:
        rng = np.random.default_rng(0)
        return [add_noise(self.render(p), self.noise, rng) for p in self.positions]

    def target(self, operator: TemporalOperator, t: int, factor: float) -> np.ndarray:
        """Return where a perfect method moves the disc in frame t."""
        indices, shares = operator.row(t, len(self.positions))
        selected = np.asarray(shares) @ self.positions[indices]
        return self.positions[t] + (factor - 1) * selected

    def located(self, frame: np.ndarray, *starts) -> np.ndarray:
        """Return where the disc is in a frame, by least squares from each of some positions."""
        near = np.nonzero(np.abs(self.depth(starts[0])) < 6)
        y, x = (axis - (SIZE - 1) / 2 for axis in near)

        def misfit(position):
            return self._painted(position, y, x, _GROUND[near]).astype(float) - frame[near]

        fits = [
            least_squares(misfit, start, diff_step=1e-3, x_scale=0.1, max_nfev=12)
            for start in starts
        ]
        return min(fits, key=lambda fit: fit.cost).x

    def errors(self, drawn: np.ndarray, target) -> dict[str, float]:
        """Return what is wrong with a magnified frame, in gray levels (1/255), rms.

        ``edge`` is within 4 px of where the disc's edge belongs, ``ringing`` from there to 20 px.
        """
        off = 255 * (drawn - self.render(target))
        away = np.abs(self.depth(target))
        parts = {"edge": away < _NEAR, "ringing": (away >= _NEAR) & (away < _FAR)}
        return {name: float(np.sqrt((off[part] ** 2).mean())) for name, part in parts.items()}


def sine(n: int, fps: float, frequency: float, amplitude, phase: float = 0.3) -> np.ndarray:
    """Return positions (n, 2) that oscillate; amplitude y and x in px."""
    course = np.sin(2 * np.pi * frequency * np.arange(n) / fps + phase)
    return course[:, None] * np.asarray(amplitude, float)
