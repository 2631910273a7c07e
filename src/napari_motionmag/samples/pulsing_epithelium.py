"""A sheet of epithelium in two colors that contracts in pulses."""

from __future__ import annotations

import numpy as np

from .camera import Camera
from .motion import Motion, Twitch
from .sample import Sample, Scene
from .scene import Points, Spots, Waves

RATE = 0.5  # pulses per second
CELL = 21.0  # px across a cell


class Sheet:
    """Cells seen from above: membranes in the first channel, nuclei in the second."""

    def __init__(self, shape: tuple[int, int], rng):
        margin = 2 * CELL
        y, x = np.meshgrid(
            np.arange(-margin, shape[0] + margin, CELL * np.sqrt(3) / 2),
            np.arange(-margin, shape[1] + margin, CELL),
            indexing="ij",
        )
        x = x + CELL / 2 * (np.arange(len(x)) % 2)[:, None]
        centers = np.stack([y.ravel(), x.ravel()], axis=1)
        centers += rng.normal(0, 0.16 * CELL, centers.shape)
        from scipy.spatial import cKDTree  # half a second to import

        self.centers = cKDTree(centers)
        n = len(centers)
        middle = centers + rng.normal(0, 1.2, (n, 2))
        sigma = rng.uniform(2.1, 2.7, n)
        elongation, angle = rng.uniform(1.0, 1.45, n), rng.uniform(0, np.pi, n)
        weight = rng.uniform(1.4, 2.6, n)
        self.nuclei = Spots.make(*middle.T, sigma, weight, elongation, angle)
        which = np.repeat(np.arange(n), 7)
        place = middle[which] + rng.normal(0, 0.85, (len(which), 2)) * sigma[which, None]
        self.chromatin = Spots.make(
            *place.T, rng.uniform(1.15, 1.45, len(which)), rng.uniform(-0.14, 0.24, len(which))
        )
        self.membrane = Waves.random(rng, 20, (6, 60), 0.3)
        self.cortex = Waves.random(rng, 24, (5, 20), 0.3)
        self.glow = Waves.random(rng, 8, (40, 160), 0.8)

    def paint(self, points: Points) -> np.ndarray:
        """Return membranes and nuclei at the coordinates of the points, (N, 2)."""
        warp = self.membrane(points)
        # Each point belongs to near centers by shares that sum to 1; where they are mixed is a
        # wall, of half-width `blur` or so.
        near = self.centers.query(np.stack([points.y, points.x], axis=1), k=6)[0]
        near -= near[:, :1]

        def mixed(blur):
            share = np.exp(-near / blur)
            return 2 - 2 * np.sum(share**2, axis=1) / np.sum(share, axis=1) ** 2

        wall, halo = mixed(2.0), mixed(4.5)
        light = 1 + 0.18 * self.glow(points)
        membrane = 0.04 + light * (
            (0.75 + 0.2 * warp) * wall + 0.045 * halo + 0.05 + 0.018 * self.cortex(points)
        )
        nuclei = 0.62 * np.tanh(self.nuclei(points)) + self.chromatin(points)
        nuclei = 0.03 + light * (nuclei + 0.01 * halo)
        return np.stack([membrane, np.maximum(nuclei, 0.0)], axis=1)


def build(shape, fps, rng, amplitude) -> Scene:
    """Build the sheet; cells move by up to `amplitude` px towards the middle."""
    sheet = Sheet(shape, rng)
    y, x = np.indices(shape, dtype=float)
    center = np.array(shape) * np.array([0.52, 0.47])
    away = np.stack([y - center[0], x - center[1]]) / (0.48 * min(shape))
    # inwards, strongest half-way out, exactly nothing beyond a circle
    pull = -away * np.maximum(1 - np.sum(away**2, axis=0), 0) ** 3
    pull *= amplitude / np.hypot(*pull).max()
    pulse = Twitch(RATE, duration=1.5, delay=0.28, skew=1.3)
    return Scene(sheet.paint, Motion(pull[None], (pulse,), fps))


SAMPLE = Sample(
    title="Pulsing epithelium (two channels)",
    description=(
        "A sheet of epithelium in fluorescence, membranes and nuclei, 10 frames/s. Every two "
        "seconds its cells are pulled towards one place by a third of a pixel and let go; the "
        "outermost cells are still."
    ),
    rest="The relaxed sheet, as in the first 0.2 s of the movie.",
    axes="TCYX",
    n_frames=60,
    size=(160, 192),
    fps=10.0,
    pixel=0.4,
    frequencies=(RATE,),
    camera=Camera(photons=600, white=1800, offset=100, read_noise=1.6, dtype="uint16"),
    suggestion={"factor": 10.0, "mode": "static", "reference": slice(0, 3)},
    options={"amplitude": 0.35},
    build=build,
)
