"""Second-order sections as rows of weights: impulse responses, and the filter run both ways.

Every function takes a recursive operator: hashable, with the attribute `sos`.
"""

import math
from functools import lru_cache

import numpy as np

# Rows drop the past (and future) whose weights sum to less than this part of all weights.
_NEGLIGIBLE = 1e-6
# Longest impulse response that is computed for movies of any length, in frames.
_LONG = 2**17


def slowest_pole(op) -> float:
    """Return the largest magnitude of a pole: the decay of the slowest response per frame."""
    return max(np.abs(np.roots(section[3:])).max() for section in op.sos)


@lru_cache(maxsize=64)
def decay_length(op) -> int:
    """Return the number of frames after which the slowest pole has decayed to 1e-12."""
    return math.ceil(math.log(1e-12) / math.log(slowest_pole(op))) + 16


def _filtered_impulse(op, length: int) -> np.ndarray:
    from scipy import signal  # costs half a second: only where it is used

    impulse = np.zeros(length)
    impulse[0] = 1
    return signal.sosfilt(op.sos, impulse)


def impulse(op, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the impulse response for `n` frames, without its negligible end. Do not write to it.

    Returns h reversed, the newest frame last, and ``-sum(h[:k])``, the weight of all frames from k
    frames ago backwards.
    """
    # rounded up, so that movies of different lengths share it
    longest = max(_LONG, 1 << (n - 1).bit_length())
    return _impulse_of_length(op, min(decay_length(op), longest))


@lru_cache(maxsize=16)
def _impulse_of_length(op, length: int) -> tuple[np.ndarray, np.ndarray]:
    h = _filtered_impulse(op, length)
    if length == decay_length(op):
        h = h[: _length_above(h, _NEGLIGIBLE)]
    return h[::-1].copy(), -np.concatenate([[0.0], np.cumsum(h[:-1])])


def _length_above(h: np.ndarray, tolerance: float) -> int:
    """Return how many first weights hold all but `tolerance` of the sum of magnitudes."""
    after = np.cumsum(np.abs(h)[::-1])[::-1]
    return int(np.count_nonzero(after >= tolerance * after[0]))


@lru_cache(maxsize=64)
def start_weights(op, n: int) -> np.ndarray:
    """Return weights (2, frames) of the first frames for intercept and slope: a period.

    They are those of the line that fits best, on which the movie is taken to have come. The
    intercept is relative to the first frame, so that its weights sum to zero, too.
    """
    frames = min(n, max(4, math.ceil(op.fps / math.sqrt(op.low * op.high))))
    weights = np.linalg.pinv(np.stack([np.ones(frames), np.arange(frames)], 1))
    weights[0, 0] -= 1
    weights[[0, 1], 0] -= weights.sum(1)  # to the last bit
    return weights


@lru_cache(maxsize=64)
def ramp_state(op) -> np.ndarray:
    """Return delays (sections, 2) before frame 0 of a signal that is the frame number."""
    slope, level, delays = 1.0, 0.0, []
    for b0, b1, b2, _, a1, a2 in op.sos:
        settled = np.linalg.inv([[1 + a1, -1], [a2, 1]])
        gains = np.array([b1 - a1 * b0, b2 - a2 * b0])
        # delays are rising * t + here: what they are a frame later comes from what they are now
        rising = settled @ gains * slope
        here = settled @ (gains * level - rising)
        delays.append(here)
        slope, level = rising[0] + b0 * slope, here[0] + b0 * level
    return np.array(delays)


@lru_cache(maxsize=16)
def ramp_response(op, length: int) -> np.ndarray:
    """Return outputs of frames 0, 1, ... that `ramp_state` leads to when zeros follow."""
    from scipy import signal

    return signal.sosfilt(op.sos, np.zeros(length), zi=ramp_state(op))[0]


def start_state(op, frames, n: int):
    """Return the first frame on the line through the first frames, and the delays that it leaves.

    `frames` are those of `start_weights`, float64, of NumPy or torch.
    """
    first = frames[0]
    lines = [
        sum(float(weight) * (frame - first) for weight, frame in zip(row, frames, strict=True))
        for row in start_weights(op, n)
    ]
    delays = [[float(delay) * lines[1] for delay in pair] for pair in ramp_state(op)]
    return first + lines[0], delays


def pad_length(sos: np.ndarray, n: int) -> int:
    """Return the frames of odd extension at each end: `sosfiltfilt`'s, if there are as many."""
    taps = 2 * len(sos) + 1 - min((sos[:, 2] == 0).sum(), (sos[:, 5] == 0).sum())
    return min(3 * int(taps), n - 1)


@lru_cache(maxsize=64)
def both_ways_reach(op) -> int | None:
    """Return how far, in frames, the filter run both ways reaches before it is negligible."""
    from scipy import signal

    length = decay_length(op)
    if length > _LONG:
        return None
    # the response of the second pass to the first is the autocorrelation of h
    once = _filtered_impulse(op, length)
    g = np.abs(signal.sosfilt(op.sos, once[::-1])[::-1])
    after = 2 * np.cumsum(g[::-1])[::-1]
    return int(np.count_nonzero(after >= _NEGLIGIBLE * (after[0] - g[0])))


@lru_cache(maxsize=64)
def both_ways_row(op, t: int, n: int) -> np.ndarray:
    """Return row `t` of the matrix of `sosfiltfilt` on `n` frames. Do not write to it.

    The matrix is a product: odd extension, filter, reverse, filter, reverse, crop. Its row is
    what the transposed steps make, in opposite order, of a one at frame `t`.
    """
    from scipy import signal

    sos = op.sos
    pad = pad_length(sos, n)
    weights = np.zeros(n + 2 * pad)
    weights[pad + t] = 1
    for _ in range(2):
        # transpose of "reverse, then filter from the steady state of the first frame": the
        # filter run backwards, then (as a constant gives nothing) the sum taken off that frame
        weights = signal.sosfilt(sos, weights)
        weights[-1] -= weights.sum()
        weights = weights[::-1]
    row = weights[pad : pad + n].copy()
    # transpose of the odd extension 2 s(0) - s(k), and of that at the end
    left, right = weights[:pad], weights[pad + n :]
    row[0] += 2 * left.sum()
    row[1 : pad + 1] -= left[::-1]
    row[-1] += 2 * right.sum()
    row[n - 1 - pad : n - 1] -= right[::-1]
    return row


@lru_cache(maxsize=64)
def memory(op, tolerance: float) -> int | None:
    """Return how many latest frames hold all but `tolerance` of the weights; None if very many."""
    length = decay_length(op)
    if length > _LONG:
        return None
    return _length_above(_filtered_impulse(op, length), tolerance)
