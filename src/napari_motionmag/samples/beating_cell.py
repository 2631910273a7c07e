"""A heart muscle cell that beats, and the same cell at rest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .camera import Camera
from .motion import Motion, Twitch
from .sample import Sample, Scene
from .scene import Points, Spots, Waves, bump, cosine, ellipse, inside, ramp

RATE = 1.2  # beats per second
SARCOMERE = 9.0  # px: 1.8 um


class Cell:
    """A spread cardiomyocyte on a soft, mottled substrate, in phase contrast.

    Its size is in proportion to the frame; details keep their size in px.
    """

    def __init__(self, shape: tuple[int, int], rng):
        size = min(shape)
        self.y, self.x = y, x = np.array(shape) * (0.5 + rng.uniform(-0.02, 0.02, 2))
        self.long, self.short = long, short = 0.40 * size, 0.165 * size
        self.angle = angle = np.deg2rad(28) + rng.uniform(-0.1, 0.1)
        order = np.array([2.0, 3.0, 4.0, 5.0, 7.0])
        self.outline = Waves(
            order, 0 * order, rng.uniform(0, 1, 5), np.array([0.05, 0.06, 0.035, 0.03, 0.015])
        )
        self.nucleus = nucleus = (-0.08 * long, 0.08 * short)  # center along, across, px
        c, s = np.cos(angle), np.sin(angle)

        def place(n, attract):
            """Draw positions within the cell; `attract` draws them towards the nucleus."""
            radius, turn = 0.85 * np.sqrt(rng.uniform(0, 1, n)), rng.uniform(0, 2 * np.pi, n)
            radius *= 1 - attract * rng.uniform(0, 1, n)
            a = nucleus[0] * attract + long * radius * np.cos(turn)
            b = nucleus[1] * attract + short * radius * np.sin(turn)
            return y + s * a + c * b, x + c * a - s * b

        def ringed(y, x, core, wider, inner, outer):
            """Return spots on top of wider ones of the opposite sign."""
            sigma, weight = np.concatenate([core, wider * core]), np.concatenate([inner, outer])
            return Spots.make(np.tile(y, 2), np.tile(x, 2), sigma, weight)

        area = long * short / 4000
        n = int(150 * area)
        oy, ox = place(n, 0.35)
        self.organelles = Spots.make(
            oy,
            ox,
            rng.uniform(1.0, 1.4, n),
            rng.normal(-0.05, 0.06, n),
            elongation=rng.uniform(1.0, 2.4, n),
            angle=angle + rng.normal(0, 0.25, n),
        )
        n = int(16 * area)
        dy, dx = place(n, 0.55)
        core, strength = rng.uniform(1.3, 2.0, n), rng.uniform(0.12, 0.32, n)
        self.droplets = ringed(dy, dx, core, 2.0, 2 * strength, -strength)
        na, nb = nucleus[0] + np.array([-5.0, 4.5]), nucleus[1] + np.array([1.5, -2.0])
        self.nucleoli = Spots.make(
            y + s * na + c * nb, x + c * na - s * nb, [2.2, 1.8], [-0.16, -0.13]
        )
        n = int(np.prod(shape) / 1500)
        gy, gx = rng.uniform(0, 1, (2, n)) * np.array(shape)[:, None]
        core, strength = rng.uniform(1.0, 1.9, n), rng.uniform(-0.05, 0.12, n)
        self.debris = ringed(gy, gx, core, 2.2, 1.6 * strength, -0.6 * strength)
        self.ruffles = Waves.random(rng, 12, (9, 40), 0.6)
        self.texture = Waves.random(rng, 24, (5, 26), 0.5, angle + np.pi / 2, 1.0)
        self.bundles = Waves.random(rng, 5, (5.5, 14), 0.0)
        self.register = Waves.random(rng, 6, (20, 80), 0.7)
        self.patches = Waves.random(rng, 8, (24, 70), 0.5)
        self.substrate = Waves.random(rng, 40, (5, 40), 0.45)
        self.mottle = Waves.random(rng, 8, (60, 300), 1.0)

    def frame(self, points: Points):
        """Return coordinates of the cell: along, across, radius, distance to the outline."""
        along, across, radius, depth = ellipse(
            points, self.y, self.x, self.long, self.short, self.angle, self.outline, power=2.8
        )
        return along, across, radius, depth + 1.1 * self.ruffles(points)

    def paint(self, points: Points) -> np.ndarray:
        """Return the intensity at the coordinates of the points."""
        along, across, _, depth = self.frame(points)
        body = inside(depth, 1.2)
        a, b = along - self.nucleus[0], across - self.nucleus[1]
        from_nucleus = 13 * (np.hypot(a / 16, b / 11) - 1)

        # Myofibrils run along the cell; their Z-discs are in register only nearby.
        bend = along + across**2 / (6 * self.long) + 2.6 * self.register.at(across, along / 8)
        turns = bend / SARCOMERE
        z_disc = 0.75 * cosine(turns) + 0.25 * cosine(2 * turns)
        fibril = self.bundles.at(across, along / 12)
        order = ramp((depth - 2) / 10) * ramp((from_nucleus + 1) / 8)
        patches = self.patches(points)
        stripes = order * (0.095 * z_disc * (1 + 0.4 * fibril) + 0.025 * fibril)
        stripes *= 0.68 + 0.32 * np.tanh(1.5 * patches)

        nucleus = inside(-from_nucleus, 1.3)
        envelope = bump(from_nucleus, 1.4)
        texture = 0.024 * self.texture(points) * (1 - 0.65 * nucleus)
        organelles = (self.organelles(points) + self.droplets(points)) * (1 - 0.85 * nucleus)
        thick = np.tanh(np.maximum(depth, 0) / 18)
        inner = 0.40 - 0.09 * thick + stripes + texture + organelles
        inner += nucleus * (0.035 + self.nucleoli(points)) - 0.05 * envelope

        substrate = 0.47 + 0.015 * self.mottle(points) + 0.02 * self.substrate(points)
        substrate += self.debris(points)
        uneven = 1 + 0.35 * patches
        halo = uneven * (0.13 * bump(depth + 2.6, 1.8) + 0.06 * bump(depth + 5, 5.0))
        rim = -0.08 * uneven * bump(depth - 1.6, 1.5)
        return body * (inner + rim) + (1 - body) * (substrate + halo)

    def contraction(self, points: Points, shape: tuple[int, int], amplitude: float) -> np.ndarray:
        """Return the displacement at the peak of a beat, up to `amplitude` px, (2, Y, X).

        The cell shortens towards a point off its center and thickens by a third of that; the
        substrate is dragged along and stands still half a cell radius away.
        """
        along, across, radius, _ = self.frame(points)
        grip = 1 - ramp((radius - 0.9) / 0.6)
        da = -(along / self.long + 0.12) * grip
        db = 0.33 * across / self.short * grip
        c, s = np.cos(self.angle), np.sin(self.angle)
        field = np.stack([s * da + c * db, c * da - s * db])
        field *= amplitude / np.hypot(*field).max()
        return field.reshape(2, *shape)


def build(shape, fps, rng, amplitude=0.0) -> Scene:
    """Build the cell, beating with `amplitude` px (0: at rest)."""
    cell = Cell(shape, rng)
    pattern = cell.contraction(Points.grid(shape, 0.0), shape, amplitude)
    beat = Twitch(RATE, duration=0.5, delay=0.2)
    return Scene(cell.paint, Motion(pattern[None], (beat,), fps))


SAMPLE = Sample(
    title="Beating heart muscle cell",
    description=(
        "A cardiomyocyte on a soft substrate, phase contrast, 30 frames/s. It beats 1.2 times "
        "a second: its ends move by less than half a pixel, inwards within 0.17 s, back within "
        "0.33 s, and rest. The substrate is dragged along near the cell and is still elsewhere."
    ),
    rest="The relaxed cell, as in the first 0.2 s of the movie.",
    n_frames=90,
    size=(256, 256),
    fps=30.0,
    pixel=0.2,
    frequencies=(RATE,),
    camera=Camera(photons=3000, white=3000, offset=100, read_noise=2.0, dtype="uint16"),
    suggestion={"factor": 12.0, "mode": "static", "reference": slice(0, 6)},
    options={"amplitude": 0.4},
    build=build,
)

STILL = replace(
    SAMPLE,
    title="Still heart muscle cell (control)",
    description=(
        "The cell of the beating sample with the same noise and no motion at all. Magnify it as "
        "you magnify your movie: whatever moves in the result is noise."
    ),
    rest="Every frame is at rest.",
    frequencies=(),
    options={},
)
