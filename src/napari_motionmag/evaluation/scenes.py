"""Held-out scenes: ellipses of one photograph over another, moved by exact Fourier shifts.

The photographs are those inside scikit-image's wheel; nothing was ever trained on them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from napari_motionmag.compute.optional import optional
from napari_motionmag.training.scenes import Scene, spectrum

PHOTOGRAPHS = ("astronaut", "coffee", "chelsea", "rocket", "camera")
SIZE = 192
_MARGIN = 40
_SPRITE = 112
_OBJECTS = 5
_DISC = 70.0  # px, radius of the disc that turns


@cache
def photographs() -> dict[str, np.ndarray]:
    """Load the pictures, by name, float64 (H, W, 3) in [0, 1]."""
    data = optional("skimage.data", "registration", "evaluations")
    pictures = {}
    for name in PHOTOGRAPHS:
        picture = getattr(data, name)() / 255.0
        pictures[name] = picture if picture.ndim == 3 else np.stack([picture] * 3, -1)
    return pictures


@dataclass
class Pair:
    """A background and objects, each with a direction of its own."""

    scene: Scene  # of 192 x 192 px
    background_direction: torch.Tensor  # unit vector (1, 2)
    object_directions: torch.Tensor  # unit vectors (5, 2)

    @classmethod
    def make(cls, seed: int, gray: bool = False) -> "Pair":
        """Make the scene of a seed."""
        rng = np.random.default_rng(seed)
        pictures = list(photographs().values())
        order = rng.permutation(len(pictures))
        side = SIZE + 2 * _MARGIN
        canvas = _crop(pictures[order[0]], side, rng)
        background = spectrum(canvas[None], torch.tensor([0.7]))
        y, x = np.mgrid[:_SPRITE, :_SPRITE] - (_SPRITE - 1) / 2
        sprites = []
        for k in range(_OBJECTS):
            a, b = rng.uniform(14, 42, 2)
            turn = rng.uniform(0, np.pi)
            u, v = x * np.cos(turn) + y * np.sin(turn), -x * np.sin(turn) + y * np.cos(turn)
            distance = (np.hypot(u / a, v / b) - 1) * min(a, b)
            alpha = torch.from_numpy(np.clip(0.5 - distance, 0, 1)).float()[None]
            fill = _crop(pictures[order[1 + k % (len(order) - 1)]], _SPRITE, rng)
            sprites.append(torch.cat([fill * alpha, alpha]))
        objects = spectrum(torch.stack(sprites), torch.full((_OBJECTS,), 0.7), fade=4)
        position = torch.from_numpy(rng.integers(30, SIZE - 30, (_OBJECTS, 2))).float()
        scene = Scene(background, objects, [0] * _OBJECTS, position, torch.tensor([gray]), SIZE)
        angle = torch.from_numpy(rng.uniform(0, 2 * np.pi, _OBJECTS + 1)).float()
        directions = torch.stack([angle.sin(), angle.cos()], 1)
        return cls(scene, directions[:1], directions[1:])

    def at(self, objects: float, background: float = 0.0, drift=(0.0, 0.0)) -> np.ndarray:
        """Render the frame with all displaced, px, along their directions, and by a common drift.

        Returns float32 (192, 192, 3), noise-free.
        """
        drift = torch.tensor(drift, dtype=torch.float32)
        frame = self.scene.render(
            background * self.background_direction + drift,
            objects * self.object_directions + drift,
        )
        return frame[0].permute(1, 2, 0).numpy().copy()


def camera_pan(seed: int, step: int) -> list[np.ndarray]:
    """Cut three views of a photograph, each `step` whole pixels further, with all its own noise."""
    rng = np.random.default_rng(seed)
    pictures = list(photographs().values())
    picture = pictures[rng.integers(len(pictures))]
    y, x = (int(rng.integers(2 * step, n - SIZE - 2 * step)) for n in picture.shape[:2])
    dy, dx = [(step, 0), (-step, 0), (0, step), (0, -step)][rng.integers(4)]
    return [
        picture[y - k * dy : y - k * dy + SIZE, x - k * dx : x - k * dx + SIZE].astype(np.float32)
        for k in range(3)
    ]


def turned(seed: int, degrees: Sequence[float]) -> list[np.ndarray]:
    """Render a disc of a photograph, turned about its center, on another photograph."""
    from scipy.ndimage import affine_transform, gaussian_filter

    rng = np.random.default_rng(seed)
    pictures = list(photographs().values())
    ground, disc = (
        gaussian_filter(_crop(pictures[k], SIZE, rng).numpy(), (0, 1, 1))  # splines are exact then
        for k in rng.permutation(len(pictures))[:2]
    )
    middle = np.full(2, (SIZE - 1) / 2)
    y, x = np.mgrid[:SIZE, :SIZE] - middle[0]
    alpha = np.clip(0.5 + _DISC - np.hypot(y, x), 0, 1)
    frames = []
    for angle in np.deg2rad(degrees):
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        about = middle - turn @ middle
        planes = [affine_transform(plane, turn, about, order=5, mode="mirror") for plane in disc]
        frame = ground + alpha * (np.stack(planes) - ground)
        frames.append(frame.transpose(1, 2, 0).astype(np.float32))
    return frames


def _crop(picture: np.ndarray, side: int, rng: np.random.Generator) -> torch.Tensor:
    pad = [(0, max(0, side - n)) for n in picture.shape[:2]] + [(0, 0)]
    picture = np.pad(picture, pad, mode="symmetric")
    y, x = (int(rng.integers(n - side + 1)) for n in picture.shape[:2])
    return torch.from_numpy(picture[y : y + side, x : x + side].transpose(2, 0, 1).copy()).float()


def add_noise(frame: np.ndarray, factor: float, rng: np.random.Generator) -> np.ndarray:
    """Add the photon-like noise of the paper: variance proportional to intensity.

    The standard deviation is factor x sqrt(I) / 255 with I in [0, 1] (paper, Section 4.1).
    """
    sigma = factor * np.sqrt(np.clip(frame, 0, 1)) / 255
    noise = rng.standard_normal(frame.shape).astype(np.float32)
    return (frame + sigma * noise).astype(np.float32)
