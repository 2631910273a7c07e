"""A stained membrane that drifts far and trembles a little, in color."""

from __future__ import annotations

import numpy as np

from .camera import Camera
from .motion import Motion, Sine
from .sample import Sample, Scene
from .scene import Points, Spots, Waves, bump, cosine, inside, ramp

VIBRATION = 3.0  # Hz
DRIFT = 0.5  # Hz
# Optical densities in red, green and blue (the "H&E" vectors of ImageJ's color deconvolution; the
# method: Ruifrok & Johnston, Anal. Quant. Cytol. Histol. 23, 291-299, 2001).
HAEMATOXYLIN = np.array([0.644, 0.717, 0.267])
EOSIN = np.array([0.093, 0.954, 0.283])


class Membrane:
    """A strip of membrane between clear fluids: epithelium, collagen, flat lower layer."""

    def __init__(self, shape: tuple[int, int], rng):
        height, width = shape
        self.middle, self.half = middle, half = 0.5 * height, 0.335 * height  # half its thickness
        self.bend = bend = Waves.random(rng, 3, (0.9 * width, 2.2 * width), 0.8)
        self.upper = upper = Waves.random(rng, 6, (22, 110), 0.8)
        self.lower = lower = Waves.random(rng, 5, (40, 140), 0.8)

        def axis(x):
            return middle + 4.0 * bend.at(0.0, x)

        # columnar nuclei under the upper edge, spindles in the collagen, flat ones below
        x1 = np.arange(-4.0, width + 4, 8.2)
        x1 = x1 + rng.normal(0, 1.3, len(x1))
        y1 = axis(x1) - half + 2.2 * upper.at(0.0, x1) + 12 + rng.normal(0, 2.0, len(x1))
        n = int(width * half / 420)
        x2 = rng.uniform(-6, width + 6, n)
        y2 = axis(x2) + half * rng.uniform(-0.35, 0.78, n)
        x3 = np.arange(-6.0, width + 6, 27.0)
        x3 = x3 + rng.normal(0, 5.0, len(x3))
        y3 = axis(x3) + half + 1.5 * lower.at(0.0, x3) - 3.5
        sizes = [len(x1), len(x2), len(x3)]
        y, x = np.concatenate([y1, y2, y3]), np.concatenate([x1, x2, x3])
        total = sum(sizes)
        sigma = np.repeat([2.6, 1.7, 1.7], sizes) * rng.uniform(0.9, 1.15, total)
        elongation = np.repeat([1.45, 2.7, 3.0], sizes) * rng.uniform(0.8, 1.2, total)
        angle = np.repeat([np.pi / 2, 0.0, 0.0], sizes) + rng.normal(0, 0.16, total)
        self.nuclei = Spots.make(
            y, x, sigma, rng.uniform(0.8, 1.2, total), elongation=elongation, angle=angle
        )
        grains = rng.integers(0, total, 3 * total)
        self.chromatin = Spots.make(
            y[grains] + rng.normal(0, 1, len(grains)) * sigma[grains],
            x[grains] + rng.normal(0, 1, len(grains)) * sigma[grains],
            rng.uniform(1.2, 1.5, len(grains)),
            rng.uniform(-0.25, 0.5, len(grains)),
        )
        self.warp = Waves.random(rng, 6, (40, 120), 0.8, 0.0, 0.5)
        self.bundles = Waves.random(rng, 7, (9, 22), 0.2, np.pi / 2, 0.25)
        self.density = Waves.random(rng, 5, (30, 120), 0.6)
        self.grain = Waves.random(rng, 16, (5, 14), 0.2)

    def paint(self, points: Points) -> np.ndarray:
        """Return transmitted light, RGB, at the coordinates of the points, (N, 3)."""
        x = points.x
        across = points.y - self.middle - 4.0 * self.bend.at(0.0, x)
        above = across + self.half - 2.2 * self.upper.at(0.0, x)  # depth from the upper edge
        below = self.half + 1.5 * self.lower.at(0.0, x) - across
        body = inside(above, 1.2) * inside(below, 1.2)
        epithelium = inside(22 - above, 1.6)
        stroma = 1 - epithelium

        warp = self.warp(points)
        fibres = self.bundles.at(across + 3.0 * warp, x)
        curls = cosine((across + 4.0 * warp) / 10.5 + 0.15 * fibres)
        density = 1 + 0.18 * self.density(points)
        grain = self.grain(points)
        collagen = 0.36 + 0.13 * np.tanh(fibres) + 0.07 * curls + 0.02 * grain
        cleft = ramp((fibres * 0.6 + 0.5 * warp - 0.55) / 1.7)  # pale gaps between bundles
        eosin = stroma * collagen * (1 - 0.75 * cleft)
        eosin += epithelium * (0.30 + 0.04 * grain)
        eosin += 0.22 * bump(above - 22, 1.5) + 0.16 * bump(above - 1.5, 1.4)
        nuclei = self.nuclei(points) * (1 + 0.10 * grain) + self.chromatin(points)
        haematoxylin = epithelium * 0.13 + stroma * 0.03 + 0.72 * np.tanh(1.5 * nuclei)
        dye = np.stack([haematoxylin * density * body, eosin * density * body])
        light = np.array([0.93, 0.925, 0.91])
        clear = 1 + 0.006 * grain[:, None]
        return light * clear * np.exp(-1.55 * dye.T @ np.stack([HAEMATOXYLIN, EOSIN]))


def build(shape, fps, rng, amplitude, drift) -> Scene:
    """Build the membrane, trembling by `amplitude` px in its middle and drifting by +-`drift`."""
    membrane = Membrane(shape, rng)
    y, x = np.indices(shape, dtype=float)
    mode = np.sin(np.pi * (y + 0.5) / shape[0]) * np.sin(np.pi * (x + 0.5) / shape[1])
    mode /= mode.max()
    angle = np.deg2rad(35.0)
    away = drift * np.array([np.sin(angle), np.cos(angle)])
    patterns = np.stack(
        [
            np.stack([amplitude * mode, np.zeros(shape)]),
            np.broadcast_to(away[:, None, None], (2, *shape)),
        ]
    )
    courses = (Sine(VIBRATION), Sine(DRIFT))
    return Scene(membrane.paint, Motion(patterns, courses, fps))


SAMPLE = Sample(
    title="Drifting membrane",
    description=(
        "A stained membrane in section, in color, 30 frames/s. It trembles up and down 3 times "
        "a second by a twentieth of a pixel while all of it drifts to and fro by a whole pixel "
        "every two seconds: only a band of frequencies can separate the two."
    ),
    rest="The membrane as in frame 0, in the middle of its drift.",
    axes="TYXS",
    n_frames=120,
    size=(144, 208),
    fps=30.0,
    pixel=0.5,
    frequencies=(VIBRATION, DRIFT),
    camera=Camera(photons=16000, white=255, offset=0, read_noise=3.0, dtype="uint8"),
    suggestion={"factor": 25.0, "mode": "temporal", "band": (2.4, 3.6)},
    options={"amplitude": 0.05, "drift": 1.0},
    build=build,
)
