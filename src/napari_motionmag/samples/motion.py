"""Displacement fields known at every pixel and every instant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sine:
    """sin(2 pi (frequency t + phase)); frequency in Hz, phase in cycles."""

    frequency: float
    phase: float = 0.0

    def __call__(self, seconds: float) -> float:
        return float(np.sin(2 * np.pi * (self.frequency * seconds + self.phase)))


@dataclass(frozen=True)
class Twitch:
    """A beat of a muscle: quick contraction, slower relaxation, then rest; 0 to 1.

    ``sin^2(pi (1 - (1 - z)^skew))`` with z from 0 to 1 during a twitch, exactly 0 in between.
    """

    rate: float  # beats per second
    duration: float  # of a twitch, s
    delay: float  # start of the first twitch, s
    skew: float = 1.7  # 1 is symmetric; larger contracts quicker than it relaxes

    def __call__(self, seconds: float) -> float:
        z = (((seconds - self.delay) * self.rate) % 1.0) / (self.rate * self.duration)
        # the remainder of a time just before a beat may round to a whole beat, where z > 1
        return float(np.sin(np.pi * (1 - (1 - z) ** self.skew)) ** 2) if 0 < z < 1 else 0.0


def combine(course: np.ndarray, patterns: np.ndarray) -> np.ndarray:
    """Return the sum of `patterns` (J, ...), each times its value in `course` (J,)."""
    total = np.zeros(patterns.shape[1:])
    for value, pattern in zip(course, patterns, strict=True):
        if value:
            total += value * pattern
    return total


@dataclass(frozen=True, repr=False)
class Motion:
    """The true displacement: fixed patterns, each times a function of time.

    ``motion(t)`` is the displacement of what frame t shows at each pixel, relative to rest:
    ``frame_t(p) = rest(p - motion(t)(p))``, exactly. Positive: the content moved towards larger
    y (downwards) or larger x (to the right).
    """

    patterns: np.ndarray  # (J, 2, Y, X): (dy, dx) in px where the course is 1
    courses: tuple[Callable[[float], float], ...]  # J functions of seconds
    fps: float

    def course(self, t: float) -> np.ndarray:
        """Return the values of the courses at frame `t`, shape (J,)."""
        return np.array([course(t / self.fps) for course in self.courses])

    def __call__(self, t: float) -> np.ndarray:
        """Return (dy, dx) at frame `t`, which may be a fraction, px, shape (2, Y, X)."""
        return combine(self.course(t), self.patterns)

    def __repr__(self) -> str:
        y, x = self.patterns.shape[2:]
        return f"<true displacement: t -> (2, {y}, {x}) px>"
