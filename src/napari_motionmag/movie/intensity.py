"""The intensities that stand for black and white, estimated from a few frames of a movie.

Methods work on a scale where black is 0 and white is 1. The map is linear and is undone exactly,
so the range changes no intensity; it only sets where the data lie on the scale that the networks
were trained on.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

LOWEST, HIGHEST = 0.1, 99.9  # percentiles
MARGIN = 0.05  # of the range found, added on either side
MAX_PIXELS = 1 << 18  # a frame is thinned to about this many pixels before percentiles are taken


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
