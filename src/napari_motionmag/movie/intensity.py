"""The intensities that stand for black and white, and frames on the scale between them.

Methods work on a scale where black is 0 and white is 1. The map is linear and is undone exactly,
so the range changes no intensity; it only sets where the data lie on the scale that the networks
were trained on.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from reprlib import repr as shortened

import numpy as np

LOWEST, HIGHEST = 0.1, 99.9  # percentiles
MARGIN = 0.05  # of the estimated range, added on either side
MAX_PIXELS = 1 << 18  # a frame is thinned to about this many pixels before percentiles are taken
FARTHEST = 1e9  # from black, in units of the range: far beyond it float32 overflows
EXACT_SPAN = 2.0**23  # float32 holds integers of a wider range only approximately


def estimate_range(frames: Iterable[np.ndarray], dtype: np.dtype) -> tuple[float, float]:
    """Estimate (black, white) from sample frames.

    Parameters
    ----------
    frames : iterable of ndarray, shape (Y, X) or (Y, X, S)
        Samples of the movie, all pixels finite.
    dtype : numpy.dtype
        Type of the movie; decides the limits and what a constant movie gets.

    Returns
    -------
    black, white : float
        Finite, ``white > black``.

    Notes
    -----
    The range reaches from the 0.1 to the 99.9 percentile, further where a structure at least two
    pixels wide and high is darker or brighter (a few bright beads on a dark field fill less than
    0.1 % of it, and are what the movie is about; single hot pixels and lines are not followed),
    and 5 % more on either side. Integer ranges are whole numbers within the limits of the dtype.
    Floats that lie within 0..1 and use at least a tenth of it have the range (0, 1).
    A constant movie gets the whole range of an 8- or 16-bit dtype, and otherwise (0, 1) when its
    value lies there, or else a range of at least 1 (floats) or 128 (integers) around its value.
    """
    low, high = np.inf, -np.inf
    least, most = np.inf, -np.inf
    for frame in frames:
        bottom, top = _frame_range(frame)
        low, high = min(low, bottom), max(high, top)
        least, most = min(least, float(frame.min())), max(most, float(frame.max()))
    if dtype.kind == "f":
        # a span at the rounding of the dtype is rounding, not contrast
        rounding = 8 * float(np.finfo(dtype).eps) * max(abs(low), abs(high))
        constant = high - low <= rounding
        return _float_range(low, high, inside=least >= 0 and most <= 1, constant=constant)
    return _integer_range(low, high, np.iinfo(dtype))


def _frame_range(frame: np.ndarray) -> tuple[float, float]:
    """Return the robust lowest and highest intensity of one frame."""
    step = max(1, int(np.sqrt(frame.shape[0] * frame.shape[1] / MAX_PIXELS)))
    thinned = frame[::step, ::step].astype(np.float64)
    low, high = np.percentile(thinned, (LOWEST, HIGHEST))
    if frame.shape[0] > 1 and frame.shape[1] > 1:
        # a structure is as bright as the darkest pixel of its brightest 2 x 2 square
        corners = (frame[:-1, :-1], frame[1:, :-1], frame[:-1, 1:], frame[1:, 1:])
        darkest = np.minimum(np.minimum(*corners[:2]), np.minimum(*corners[2:]))
        brightest = np.maximum(np.maximum(*corners[:2]), np.maximum(*corners[2:]))
        low, high = min(low, float(brightest.min())), max(high, float(darkest.max()))
    return float(low), float(high)


def _float_range(low: float, high: float, inside: bool, constant: bool) -> tuple[float, float]:
    span = high - low
    if inside and (span >= 0.1 or constant):
        return 0.0, 1.0
    margin = max(0.5, abs(low) * 1e-3) if constant else MARGIN * span
    return low - margin, high + margin


def _integer_range(low: float, high: float, limits: np.iinfo) -> tuple[float, float]:
    if high <= low:
        if limits.bits <= 16:
            return float(limits.min), float(limits.max)
        margin = max(128.0, 1e-3 * abs(low))
    else:
        margin = max(1.0, MARGIN * (high - low))
    black = max(np.floor(low - margin), float(limits.min))
    white = min(np.ceil(high + margin), float(limits.max))
    return float(black), float(white)


def to_unit(frame: np.ndarray, range_: tuple[float, float], dtype: np.dtype) -> np.ndarray:
    """Map black to 0 and white to 1, without clipping: a new float32 array.

    Raises ValueError where pixels are so far outside that nothing can be computed with them, as
    numbers that stand for no data.
    """
    black, white = range_
    unit = frame.astype(working_dtype(dtype))
    unit -= black
    unit /= white - black
    if dtype.itemsize > 2 and unit.size and max(-unit.min(), unit.max()) > FARTHEST:
        worst = frame.flat[int(np.abs(unit).argmax())]
        raise ValueError(
            f"a pixel is {worst:.4g}, where the movie lies within {black:.4g} to {white:.4g}: up "
            f"to {FARTHEST:g} times that can be computed with; put another number in its place "
            "first, or give intensity_range"
        )
    return unit.astype(np.float32, copy=False)


def from_unit(frame: np.ndarray, range_: tuple[float, float], dtype: np.dtype) -> np.ndarray:
    """Map 0 to black and 1 to white, in `dtype`; integers are rounded and clipped."""
    black, white = range_
    values = frame.astype(working_dtype(dtype))
    values *= white - black
    values += black
    return rounded(values, dtype)


def rounded(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return floats in another type, integers rounded and clipped; may change `values`."""
    if dtype.kind in "iu":
        np.rint(values, out=values)
        limits = np.iinfo(dtype)
        low, high = (values.dtype.type(limit) for limit in (limits.min, limits.max))
        if int(high) > limits.max:  # 2**63 - 1 is no float64; the next one would overflow
            high = np.nextafter(high, low)
        np.clip(values, low, high, out=values)
    return values.astype(dtype, copy=False)


def working_dtype(dtype: np.dtype) -> type:
    """Return the type in which gray levels are added and subtracted without loss."""
    # single precision holds 8- and 16-bit integers with room to spare
    return np.float32 if dtype.itemsize <= 2 else np.float64


def checked_range(intensity_range, name: str = "intensity_range") -> tuple[float, float]:
    """Return (black, white) as two floats, or raise ValueError."""
    try:
        black, white = (float(value) for value in intensity_range)
    except (TypeError, ValueError, OverflowError):
        black = white = math.nan
    # frames on the unit scale are float32: the range must not take them to infinity
    if not (1e-30 <= white - black <= 1e38):
        raise ValueError(
            f"{name} must be two finite numbers (black, white) with white > black, "
            f"1e-30 to 1e38 apart; got {shortened(intensity_range)}"
        )
    return black, white


def refuse_non_finite(frame: np.ndarray, what: str) -> None:
    """Raise ValueError when pixels are NaN or infinite."""
    if frame.dtype.kind == "f":
        count = frame.size - int(np.count_nonzero(np.isfinite(frame)))
        if count:
            raise ValueError(
                f"{what} has {count} {'pixel that is' if count == 1 else 'pixels that are'} NaN or "
                "infinite; put numbers in their place first, as with numpy.nan_to_num"
            )


def warn_if_inexact(dtype: np.dtype, range_: tuple[float, float]) -> None:
    """Warn when integers of this range are not exact in single precision."""
    span = range_[1] - range_[0]
    if dtype.kind in "iu" and dtype.itemsize > 2 and span > EXACT_SPAN:
        warnings.warn(
            f"intensities of this {dtype} movie span {span:g}; computed in single precision, "
            f"they come back to within {math.ceil(span / EXACT_SPAN)}",
            stacklevel=3,
        )
