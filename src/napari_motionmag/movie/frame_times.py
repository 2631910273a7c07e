"""The frame rate by the times of frames, which cameras and clocks leave uneven."""

from __future__ import annotations

import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np

from napari_motionmag.compute.validate import told_apart

_LATE = 0.5  # frames: less is the jitter of a clock
SAME = 0.1  # intervals between frames that differ by less, relatively, are the same interval


def usual_rate(
    source: Path | str, times: np.ndarray, tick: float = 0.0, average: Fraction | None = None
) -> float:
    """Return the rate of most intervals between frames, and warn when others differ.

    `source` is what the warning names. Rounding may shift each of `times` (s) by `tick`; `average`
    is the rate that the file names, returned where the times allow it. ValueError when they do not
    ascend.
    """
    intervals = np.diff(times)
    ordered = np.sort(intervals)
    # the interval that has the most others near it; a container rounds times to its ticks
    slack = SAME * ordered + tick * 1.01
    near = np.searchsorted(ordered, ordered + slack, "right") - np.searchsorted(
        ordered, ordered - slack, "left"
    )
    most = ordered[near == near.max()]
    usual = most[len(most) // 2]
    if usual <= 0:
        raise ValueError("the times of its frames do not ascend")
    regular = np.abs(intervals - usual) <= SAME * usual + tick * 1.01
    interval = float(intervals[regular].mean())
    rate = 1 / interval
    if regular.all():
        # within what rounding to ticks leaves open, the rate that the file names
        if average is None and tick:
            return _named_rate(rate, tick, len(intervals), interval)
        open_ = (tick + 1e-3 * interval) / times[-1]
        return float(average) if average and abs(float(average) / rate - 1) <= open_ else rate
    at = np.flatnonzero(~regular)
    odd = intervals[at]
    spread = f"{odd.min():.4g} s"
    if odd.max() > odd.min() * (1 + SAME):
        spread += f" to {odd.max():.4g} s"
    first = ", ".join(str(int(t) + 1) for t in at[:3]) + (" ..." if len(at) > 3 else "")
    named = _named_rate(rate, tick, int(regular.sum()), interval)
    warnings.warn(
        f"{source}: frames come unevenly: {regular.mean():.0%} of the intervals are "
        f"{interval:.4g} s, a rate of {named:g} frames per second; the others are {spread} "
        f"(before frame {first}). Frequencies hold where frames come evenly",
        stacklevel=4,
    )
    return named


def unevenness(times: np.ndarray, fps: float) -> str:
    """Say how far times of frames (s) are from even ones; nothing where they are even."""
    late = times - np.arange(len(times)) / fps
    worst = int(np.argmax(np.abs(late)))
    if abs(late[worst]) * fps < _LATE:
        return ""
    intervals = np.diff(times)
    least, most = told_apart(intervals.min(), intervals.max(), 4)
    return (
        f"frames come unevenly, every {least} to {most} s: frame "
        f"{worst} is {abs(late[worst]):.3g} s {'later' if late[worst] > 0 else 'earlier'} than at "
        f"an even {fps:.6g} frames per second"
    )


def _named_rate(rate: float, tick: float, count: int, interval: float) -> float:
    """Return the round rate that is meant, within what rounding to ticks leaves open."""
    for named in (round(rate), round(rate * 1.001) / 1.001):
        if named and abs(named / rate - 1) <= tick / (interval * count) + 1e-4 / count:
            return float(named)
    return rate
