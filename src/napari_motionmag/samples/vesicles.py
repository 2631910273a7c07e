"""Fluorescent vesicles in a cell through which a wave of displacement travels."""

from __future__ import annotations

import numpy as np

from .camera import Camera
from .motion import Motion, Sine
from .sample import Sample, Scene
from .scene import Points, Spots, Waves, bump, ellipse, inside

FREQUENCY = 2.0  # Hz
WAVELENGTH = 96.0  # px: 10.4 um
DIRECTION = np.deg2rad(-25.0)  # the wave runs to the right and slightly up


class Field:
    """A cell full of labeled vesicles in wide-field fluorescence."""

    def __init__(self, shape: tuple[int, int], rng):
        self.size = size = float(min(shape))
        self.y, self.x = y, x = np.array(shape) * (0.5 + rng.uniform(-0.03, 0.03, 2))
        self.angle = angle = rng.uniform(-0.6, 0.6)
        self.nucleus = nucleus = (y + 0.05 * size, x - 0.07 * size)
        order = np.array([2.0, 3.0, 4.0, 5.0])
        weight = np.array([0.07, 0.06, 0.04, 0.03])
        self.outline = Waves(order, 0 * order, rng.uniform(0, 1, 4), weight)

        def place(n, spread):
            """Draw positions in the cell but outside the nucleus, denser near it."""
            turn = rng.uniform(0, 2 * np.pi, n)
            radius = 0.13 + (spread - 0.13) * rng.beta(1.2, 1.9, n)
            a, b = 1.18 * size * radius * np.cos(turn), 0.88 * size * radius * np.sin(turn)
            c, s = np.cos(angle), np.sin(angle)
            toward = np.clip((spread - radius) / spread, 0, 1)
            return (
                y + s * a + c * b + (nucleus[0] - y) * toward,
                x + c * a - s * b + (nucleus[1] - x) * toward,
            )

        n = int(330 * (np.prod(shape) / 256**2))
        vy, vx = place(n, 0.44)
        self.vesicles = Spots.make(
            vy,
            vx,
            rng.uniform(1.25, 1.8, n),
            0.16 * rng.lognormal(0.0, 0.75, n),
            elongation=1 + rng.exponential(0.18, n),
            angle=rng.uniform(0, np.pi, n),
        )
        n //= 6
        hy, hx = place(n, 0.42)
        self.haze = Spots.make(hy, hx, rng.uniform(3.0, 6.0, n), 0.06 * rng.lognormal(0.0, 0.5, n))
        self.reticulum = Waves.random(rng, 20, (7, 20), 0.3)
        self.glow = Waves.random(rng, 10, (30, 120), 0.8)

    def paint(self, points: Points) -> np.ndarray:
        """Return the intensity at the coordinates of the points."""
        long, short = 0.46 * self.size * 1.18, 0.46 * self.size * 0.88
        depth = ellipse(points, self.y, self.x, long, short, self.angle, self.outline)[3]
        axes = 0.135 * self.size, 0.105 * self.size
        in_nucleus = ellipse(points, *self.nucleus, *axes, self.angle)[3]
        body = inside(depth, 2.5)
        thick = 0.45 + 0.55 * bump(np.minimum(in_nucleus, 0), 0.2 * self.size)
        mesh = np.exp(-1.2 * self.reticulum(points) ** 2)
        cytoplasm = thick * (0.07 + 0.06 * mesh) * (1 + 0.2 * self.glow(points))
        cytoplasm *= 1 - 0.6 * inside(in_nucleus, 2.0)
        return 0.012 + body * cytoplasm + self.vesicles(points) + self.haze(points)


def build(shape, fps, rng, amplitude) -> Scene:
    """Build the field with a shear wave of `amplitude` px."""
    field = Field(shape, rng)
    y, x = np.indices(shape, dtype=float)
    c, s = np.cos(DIRECTION), np.sin(DIRECTION)
    turn = 2 * np.pi * (c * x + s * y) / WAVELENGTH
    across = amplitude * np.array([c, -s])[:, None, None]
    patterns = np.stack([across * np.cos(turn), -across * np.sin(turn)])
    courses = (Sine(FREQUENCY), Sine(FREQUENCY, 0.25))
    return Scene(field.paint, Motion(patterns, courses, fps))


SAMPLE = Sample(
    title="Vesicles in a travelling wave",
    description=(
        "Fluorescent vesicles in a cell, 25 frames/s, few photons. A shear wave of 2 Hz and "
        "10.4 um runs through the field to the right and slightly up; everything moves across "
        "that direction by a quarter of a pixel."
    ),
    rest="The field without the wave, in no frame by itself.",
    n_frames=100,
    size=(256, 256),
    fps=25.0,
    pixel=0.108,
    frequencies=(FREQUENCY,),
    camera=Camera(photons=900, white=2000, offset=100, read_noise=1.6, dtype="uint16"),
    colormap="green",
    suggestion={"factor": 12.0, "mode": "temporal", "band": (1.4, 2.6)},
    options={"amplitude": 0.25},
    build=build,
)
