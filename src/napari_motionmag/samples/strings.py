"""Micro-strings over trenches in a plate, each with its own note."""

from __future__ import annotations

import numpy as np

from .camera import Camera
from .motion import Motion, Sine
from .sample import Sample, Scene
from .scene import Points, Spots, Waves, bump, inside, ramp

FREQUENCIES = (80.0, 110.0, 147.0, 196.0)  # Hz
# px, in frames of 144 rows or more; less in proportion in smaller ones
HALF_WIDTHS = (4.2, 3.6, 3.1, 2.6)  # of the strings, thick ones lower in pitch
EVEN = 5.0  # so far from its walls the floor of a trench is even
CORNER = 8.0  # radius of its corners; the strings are pinned so far from its ends


class Plate:
    """A brushed plate in reflected light, with strings over trenches.

    The trenches' floors are dark and even around the strings, so that only the strings are seen
    to move although the displacement fades out over the floor.
    """

    def __init__(self, shape: tuple[int, int], rng):
        height, width = shape
        n = len(FREQUENCIES)
        self.rows = height * (np.arange(n) + 0.5) / n + rng.uniform(-1.0, 1.0, n)  # of the strings
        self.left, self.right = 0.09 * width, 0.91 * width  # ends of the trenches
        self.trench = 0.39 * height / n  # half-width, px
        small = min(1.0, height / 144)
        self.halves = np.array(HALF_WIDTHS) * small
        self.even, self.corner = EVEN * small, CORNER * small
        count = int(np.prod(shape) / 700)
        self.dirt = Spots.make(
            rng.uniform(0, height, count),
            rng.uniform(0, width, count),
            rng.uniform(1.1, 2.2, count),
            rng.choice([-1.0, 1.0], count, p=[0.75, 0.25]) * rng.uniform(0.04, 0.22, count),
            elongation=rng.uniform(1, 1.8, count),
            angle=rng.uniform(0, np.pi, count),
        )
        count = 7 * n
        string = rng.integers(0, n, count)
        self.beads = Spots.make(
            self.rows[string] + rng.uniform(-1, 1, count),
            rng.uniform(self.left, self.right, count),
            rng.uniform(1.15, 1.5, count),
            rng.uniform(-0.25, -0.08, count),
        )
        self.brushed = Waves.random(rng, 70, (4, 30), 0.15, np.pi / 2 - 0.35, 0.16)
        self.uneven = Waves.random(rng, 10, (50, 300), 0.7)
        self.wound = Waves.random(rng, 12, (5, 30), 0.3, 0.0, 0.4)

    def paint(self, points: Points) -> np.ndarray:
        """Return the intensity at the coordinates of the points."""
        to_end = np.minimum(points.x - self.left, self.right - points.x)
        depth = np.full(len(points), -np.inf)
        for row in self.rows:
            # distance into the trench, whose corners are rounded
            aside = np.maximum(np.abs(points.y - row) - self.trench + self.corner, 0)
            beyond = np.maximum(self.corner - to_end, 0)
            depth = np.maximum(depth, self.corner - np.hypot(beyond, aside))
        value = np.full(len(points), 0.10)
        edge = np.flatnonzero(depth < self.even)
        value[edge] = self._plate_and_walls(points, edge, depth[edge])

        # past the trench the string lies on the plate
        over = np.flatnonzero(to_end > -18)
        beads = self.beads(points)
        for row, half in zip(self.rows, self.halves, strict=True):
            on = over[np.abs(points.y[over] - row) < half + 8]
            off = points.y[on] - row
            wound = self.wound.at(points.y[on], points.x[on])
            gloss = 0.34 + 0.46 * bump(off + 0.25 * half, 0.45 * half) + 0.03 * wound + beads[on]
            string = inside(half - np.abs(off), 1.0) * inside(to_end[on] + 12, 1.5)
            value[on] += string * (gloss - value[on])
        return value

    def _plate_and_walls(self, points: Points, some: np.ndarray, depth: np.ndarray):
        """Return the intensity of the plate and the walls of trenches at `some` of the points."""
        y, x = points.y[some], points.x[some]
        plate = 0.62 + 0.06 * self.brushed.at(y, x) + 0.03 * self.uneven.at(y, x)
        plate += self.dirt(points)[some] - 0.12 * bump(depth + 1.5, 1.5)
        nearest = self.rows[np.argmin(np.abs(y - self.rows[:, None]), axis=0)]
        lit = (nearest - y) / self.trench  # the far wall catches the light
        wall = (0.10 + 0.16 * lit) * bump(depth - 1.2, 1.1) + 0.09 * (1 - ramp(depth / self.even))
        return plate + inside(depth, 1.0) * (0.10 + wall - plate)

    def shape(self, string: int, shape: tuple[int, int]) -> np.ndarray:
        """Return the first mode of a string, (dy, dx) of 1 px in its middle, (2, Y, X)."""
        y, x = np.indices(shape, dtype=float)
        start, stop = self.left + self.corner, self.right - self.corner
        along = np.clip((x - start) / (stop - start), 0, 1)
        fixed = self.trench - self.even
        off = np.abs(y - self.rows[string])
        grip = 1 - ramp((off - 0.7 * fixed) / (0.3 * fixed))
        return np.stack([np.sin(np.pi * along) * grip, 0 * along])


def build(shape, fps, rng, amplitude) -> Scene:
    """Build the plate; strings move by `amplitude` px in their middle."""
    plate = Plate(shape, rng)
    patterns = np.stack([a * plate.shape(i, shape) for i, a in enumerate(amplitude)])
    phases = rng.uniform(0, 1, len(FREQUENCIES))
    courses = tuple(Sine(f, float(p)) for f, p in zip(FREQUENCIES, phases, strict=True))
    details = {"rows": tuple(float(r) for r in plate.rows)}
    return Scene(plate.paint, Motion(patterns, courses, fps), details)


SAMPLE = Sample(
    title="Vibrating micro-strings",
    description=(
        "Four strings over trenches in a brushed plate, reflected light, 600 frames/s. From the "
        "top they vibrate at 80, 110, 147 and 196 Hz, each by a fifth of a pixel in its middle: "
        "a band of frequencies selects the string that moves in the result."
    ),
    rest="The straight strings.",
    n_frames=200,
    size=(160, 240),
    fps=600.0,
    pixel=0.5,
    frequencies=FREQUENCIES,
    camera=Camera(photons=12000, white=255, offset=0, read_noise=4.0, dtype="uint8"),
    suggestion={"factor": 12.0, "mode": "temporal", "band": (100.0, 120.0)},
    options={"amplitude": (0.2, 0.2, 0.2, 0.2)},
    build=build,
)
