"""Checks of what a method is asked for."""

from __future__ import annotations

import math
from collections.abc import Iterable
from numbers import Real

__all__ = ["checked_factor", "checked_times"]


def checked_times(times: Iterable[int], n_frames: int) -> list[int]:
    """Output frames as ints; ValueError unless there are some and all lie in the movie."""
    times = [int(t) for t in times]
    if not times:
        raise ValueError("times must name at least one frame, got none")
    if min(times) < 0 or max(times) >= n_frames:
        raise ValueError(
            f"times must be within 0 to {n_frames - 1}, got {min(times)} to {max(times)}"
        )
    return times


def checked_factor(factor: float) -> float:
    """The factor as a finite float."""
    if isinstance(factor, bool) or not isinstance(factor, Real):
        raise TypeError(f"factor must be a number, got {factor!r}")
    if not math.isfinite(factor):
        raise ValueError(f"factor must be a finite number, got {factor!r}")
    return float(factor)
