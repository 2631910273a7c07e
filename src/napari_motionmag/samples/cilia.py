"""Cilia on an epithelium, beating faintly in a metachronal wave."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .camera import Camera
from .motion import Motion, Sine
from .sample import Sample, Scene
from .scene import Points, Spots, Waves, bump, inside, ramp

FREQUENCY = 15.0  # Hz
WAVELENGTH = 80.0  # px of the metachronal wave: 8 um
LENGTH = 52.0  # px of a cilium: about 5 um


@dataclass(frozen=True, eq=False)
class Filaments:
    """Bent filaments on a surface, in relief: bright on one side, dark on the other; px, (N,)."""

    root: np.ndarray  # x of the roots
    lean: np.ndarray  # x = root + lean z + bend z^2 / LENGTH at height z
    bend: np.ndarray
    length: np.ndarray
    width: np.ndarray  # standard deviation
    weight: np.ndarray  # peak intensity

    def __call__(self, points: Points, surface) -> np.ndarray:
        """Return the relief at points; `surface` gives the y of the surface at x."""
        step = 6.0
        z = np.arange(-step, self.length.max() + 2 * step, step)
        x = self.root[:, None] + self.lean[:, None] * z + self.bend[:, None] * z**2 / LENGTH
        radius = 5.3 * self.width * np.hypot(1, self.lean + 2 * self.bend) + step
        pixel, item = points.near(
            self,
            (surface(x) - z).ravel(),
            x.ravel(),
            np.repeat(radius, len(z)),
            np.repeat(np.arange(len(x)), len(z)),
        )
        x = points.x[pixel]
        z = (surface(points.x) - points.y)[pixel]
        bend = self.bend[item] / LENGTH
        slope = self.lean[item] + 2 * bend * z
        off = x - (self.root[item] + self.lean[item] * z + bend * z**2)
        off /= self.width[item] * np.sqrt(1 + slope**2)
        side = -off * np.exp(0.5 - 0.5 * off**2)
        value = self.weight[item] * side * inside(z, 1.5) * inside(self.length[item] - z, 1.5)
        return np.bincount(pixel, value, minlength=len(points))


class Epithelium:
    """The edge of a ciliated epithelium in differential interference contrast, fluid above."""

    def __init__(self, shape: tuple[int, int], rng):
        height, width = shape
        self.floor = floor = 0.62 * height  # y of the apical surface

        def filaments(spacing, sharpness, weight):
            root = np.arange(-0.3 * LENGTH, width + 0.3 * LENGTH, spacing)
            root = root + rng.normal(0, 0.25 * spacing, len(root))
            n = len(root)
            # at rest they lean together within half a metachronal wavelength
            phase = 2 * np.pi * root / WAVELENGTH + rng.uniform(0, 2 * np.pi)
            return Filaments(
                root,
                0.10 + 0.16 * np.sin(phase) + rng.normal(0, 0.06, n),
                0.12 * np.cos(phase) + rng.normal(0, 0.05, n),
                LENGTH * rng.uniform(0.82, 1.08, n),
                sharpness * rng.uniform(0.9, 1.15, n),
                weight * rng.uniform(0.6, 1.25, n),
            )

        borders, x = [], rng.uniform(0, 30)
        while x < width:
            borders.append(x)
            x += rng.uniform(52, 76)
        n = len(borders)
        self.borders = np.array(borders)  # x of the lateral borders of the cells
        center = self.borders + rng.uniform(24, 40, n)
        nuclei = [floor + rng.uniform(44, 62, n), center]
        nuclei += [rng.uniform(13, 17, n), rng.uniform(19, 25, n)]
        self.nuclei = np.stack(nuclei, axis=1)  # y, x, long, short of each
        n = int(width * (height - floor) / 130)
        gy, gx = rng.uniform(floor + 6, height + 4, n), rng.uniform(-4, width + 4, n)
        # most granules lie under the surface
        gy = floor + 6 + (gy - floor - 6) * rng.uniform(0.1, 1.0, n)
        self.granules = Spots.relief(gy, gx, rng.uniform(1.1, 1.9, n), rng.uniform(0.03, 0.15, n))
        n = int(np.prod(shape) / 6000)
        self.particles = Spots.relief(
            rng.uniform(-5, max(floor - 1.3 * LENGTH, 0), n),
            rng.uniform(0, width, n),
            rng.uniform(1.6, 4.5, n),
            rng.uniform(0.02, 0.07, n),
        )
        self.undulation = Waves.random(rng, 5, (40, 200), 0.8)
        self.cilia = filaments(5.0, 1.35, 0.14)
        self.behind = filaments(6.5, 2.4, 0.05)  # out of focus
        self.border_shape = Waves.random(rng, 4, (30, 120), 0.8)
        self.cytoplasm = Waves.random(rng, 60, (5, 36), 0.4)
        self.fluid = Waves.random(rng, 24, (18, 160), 0.6)

    def surface(self, x: np.ndarray) -> np.ndarray:
        """Return the y of the apical surface at `x`, px."""
        return self.floor + 2.4 * self.undulation.at(0.0, x)

    def paint(self, points: Points) -> np.ndarray:
        """Return the intensity at the coordinates of the points."""
        depth = points.y - self.surface(points.x)
        value = 0.50 + 0.012 * self.fluid(points) + self.particles(points)
        relief = self.cilia(points, self.surface) + self.behind(points, self.surface)
        value += 0.46 * np.tanh(relief / 0.46)
        low = np.flatnonzero(depth > -12)  # higher up the tissue is below 1e-8
        y, x, deep = points.y[low], points.x[low], depth[low]
        inner = 0.46 + 0.024 * self.cytoplasm.at(y, x) + self.granules(points)[low]
        wobble = 2.5 * self.border_shape.at(y)
        for border in self.borders:
            off = (x - border - wobble) / 1.5
            inner -= 0.10 * off * np.exp(0.5 - 0.5 * off**2)
        for center_y, center_x, long, short in self.nuclei:
            dy, dx = (y - center_y) / short, (x - center_x) / long
            radius = np.hypot(dy, dx) + 1e-9
            inner -= 0.10 * bump((radius - 1) * short, 1.8) * (dy + dx) / radius / np.sqrt(2)
            inner -= 0.02 * inside((1 - radius) * short, 1.8)
        tissue = inside(deep, 1.3)
        value[low] += tissue * (inner - value[low])
        # the surface itself in relief, with the dense layer of basal bodies under it
        edge = 0.13 * bump(depth + 0.5, 1.3) - 0.12 * bump(depth - 4.5, 2.4)
        return value + edge

    def wave(self, points: Points, shape: tuple[int, int], amplitude: float) -> np.ndarray:
        """Return patterns of cos and sin of 2 pi FREQUENCY t for a wave running to the right.

        Strokes are flat ellipses, 0 up to 8 px above the surface and `amplitude` px at the tips;
        they fade out in the fluid above.
        """
        height = self.surface(points.x) - points.y
        grip = ramp((height - 8) / (0.9 * LENGTH - 8)) * (1 - ramp(height / (0.6 * LENGTH) - 1.7))
        grip *= amplitude / grip.max()
        turn = 2 * np.pi * points.x / WAVELENGTH
        c, s = grip * np.cos(turn), grip * np.sin(turn)
        return np.array([[-0.25 * s, c], [0.25 * c, s]]).reshape(2, 2, *shape)


def build(shape, fps, rng, amplitude) -> Scene:
    """Build the epithelium; the tips of the cilia move by `amplitude` px."""
    tissue = Epithelium(shape, rng)
    patterns = tissue.wave(Points.grid(shape, 0.0), shape, amplitude)
    courses = (Sine(FREQUENCY, 0.25), Sine(FREQUENCY))
    return Scene(tissue.paint, Motion(patterns, courses, fps))


SAMPLE = Sample(
    title="Cilia with a metachronal wave",
    description=(
        "The edge of a ciliated epithelium in differential interference contrast, "
        "200 frames/s. The cilia beat at 15 Hz by a third of a pixel at their tips, in a wave "
        "of 8 um that runs to the right; the cells below them are still."
    ),
    rest="The cilia in the middle of their strokes.",
    n_frames=160,
    size=(192, 256),
    fps=200.0,
    pixel=0.1,
    frequencies=(FREQUENCY,),
    camera=Camera(photons=5000, white=6000, offset=200, read_noise=2.0, dtype="uint16"),
    suggestion={"factor": 12.0, "mode": "temporal", "band": (12.0, 18.0)},
    options={"amplitude": 0.3},
    build=build,
)
