"""Sample movies: their recipes, and how they are rendered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .camera import Camera
from .motion import Motion, combine
from .scene import Points


@dataclass(frozen=True)
class Scene:
    """The picture and its motion."""

    paint: Callable[[Points], np.ndarray]  # intensity of points, (N,) or (N, channels)
    motion: Motion
    details: Mapping[str, Any] = field(default_factory=dict)  # more for the user, by name


@dataclass(frozen=True)
class Sample:
    """Recipe of a sample movie; number of frames, size, frame rate and camera are defaults."""

    title: str
    description: str
    rest: str  # what displacement 0 is
    n_frames: int
    size: tuple[int, int]  # (Y, X), px
    fps: float
    pixel: float  # um
    frequencies: tuple[float, ...]  # of the motion, Hz
    camera: Camera
    suggestion: Mapping[str, Any]  # arguments of `magnify` that show the sample well
    options: Mapping[str, Any]  # overrides of this sample and their defaults, for `build`
    build: Callable[..., Scene] = field(repr=False)  # (shape, fps, rng, **options)
    axes: str = "TYX"
    colormap: str = "gray"


def frames(scene: Scene, n_frames: int):
    """Yield the noise-free intensity of each frame, (Y, X) or (Y, X, channels), 1 at white.

    Only pixels that ever move are evaluated again, and frames that repeat (the motions are
    periodic) are evaluated once.
    """
    motion = scene.motion
    shape = motion.patterns.shape[2:]
    courses = np.array([motion.course(t) for t in range(n_frames)])
    keys = [tuple(row) for row in courses.round(12) + 0.0]  # + 0.0 makes -0.0 equal to 0.0
    left = Counter(keys)
    reach = np.abs(courses).max(axis=0) @ np.hypot(*motion.patterns.swapaxes(0, 1)).max((1, 2))

    everywhere = Points.grid(shape, 0.0)
    rest = scene.paint(everywhere)
    moving = np.flatnonzero(np.any(motion.patterns != 0, axis=(0, 1)))
    points = Points(everywhere.y[moving], everywhere.x[moving], reach)
    patterns = motion.patterns.reshape(len(courses[0]), 2, -1)[:, :, moving]

    known: dict[tuple, np.ndarray] = {}
    for key, course in zip(keys, courses, strict=True):
        frame = known.get(key)
        if frame is None:
            frame = rest.copy()
            if np.any(course) and len(moving):
                points.show(combine(course, patterns))
                frame[moving] = scene.paint(points)
            frame = frame.reshape(*shape, *rest.shape[1:])
        left[key] -= 1
        if left[key]:
            known[key] = frame
        else:
            known.pop(key, None)
        yield frame


def render(scene: Scene, axes: str, n_frames: int, camera: Camera, rng) -> np.ndarray:
    """Render all frames as an array with `axes`; without noise when `rng` is None."""
    movie = None
    for t, intensity in enumerate(frames(scene, n_frames)):
        if axes[1] == "C":
            intensity = np.moveaxis(intensity, -1, 0)
        levels = camera.expose(intensity, rng)
        if movie is None:
            movie = np.empty((n_frames, *levels.shape), levels.dtype)
        movie[t] = levels
    return movie
