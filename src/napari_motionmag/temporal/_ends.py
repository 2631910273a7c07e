"""Band-pass weights for the frames near an end of a movie, where a symmetric kernel does not fit.

Reflecting the movie turns slow drift around at its ends, and what turns around lies in the band.
Instead each output has its own weights over the existing frames: the constrained least squares fit
of the filter's response. What stands still or drifts at a constant rate gives exactly zero, the
gain at the center of the band is exactly 1 without delay, and drift below the band counts most in
the remaining error (Oppenheim and Schafer, Discrete-Time Signal Processing, least squares design).
"""

import numpy as np

# Weights of the squared error of the response: below the band, in the transitions beside it, in the
# band and above. Below the band they grow with the period of the drift.
_BELOW, _BESIDE, _IN_BAND, _ABOVE = 300.0, 0.03, 1.0, 1.0
_NOISE = 0.1
_SLOWEST = 0.05  # of the lower edge, where the weight of drift stops growing


def end_rows(
    low: float, high: float, fps: float, kernel: np.ndarray, n: int, noise: float = _NOISE
) -> np.ndarray:
    """Return weights (outputs, min(taps, n)) of the first outputs; mirrored, of the last ones.

    There are ``taps // 2`` such outputs, or all n where the movie is shorter than the kernel.
    Noise counts `noise` times the power that white noise has in the band.
    """
    taps = len(kernel)
    width = min(taps, n)
    size = 1 << int(8 * taps).bit_length()
    frequencies = np.fft.rfftfreq(size, 1 / fps)
    weight = _error_weights(frequencies, low, high)
    # Sums over frequencies of products of cosines depend on the distance of frames alone.
    products = np.fft.irfft(weight)[:width]
    products[0] += noise * 2 * (high - low) / fps
    centered = np.roll(np.pad(kernel, (0, size - taps)), -(taps // 2))
    targets = np.fft.irfft(weight * np.fft.rfft(centered).real)
    at, outputs = np.arange(width), np.arange(n if n <= taps else taps // 2)

    center = np.pi * (low + high) / fps  # radians per frame
    conditions = [np.ones(width), (at - at.mean()) / width]
    wanted = [np.zeros(len(outputs))] * 2
    if width * center >= 2 * np.pi and width >= 6:  # a period fits in
        # the sine at fps / 2 is zero, but for rounding
        waves = [np.cos, np.sin][: 2 if center < np.pi * (1 - 1e-9) else 1]
        conditions += [wave(center * at) for wave in waves]
        wanted += [wave(center * outputs) for wave in waves]
    conditions = np.stack(conditions[: width - 1], 1)
    wanted = np.stack(wanted[: width - 1])
    # scipy.linalg has a Cholesky factorization; to import it takes longer than to solve
    solved = np.linalg.solve(
        products[np.abs(at[:, None] - at)],
        np.concatenate([conditions, targets[np.abs(at[:, None] - outputs)]], axis=1),
    )
    solved, rows = np.split(solved, [conditions.shape[1]], axis=1)
    rows -= solved @ np.linalg.solve(conditions.T @ solved, conditions.T @ rows - wanted)
    rows[outputs % width, outputs] -= rows.sum(0)  # to the last bit
    return np.ascontiguousarray(rows.T)


def _error_weights(frequencies: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return what a squared error of the response counts at each frequency."""
    transition = min(high - low, low)
    below, above = low - transition / 2, high + transition / 2
    slow = np.maximum(frequencies, _SLOWEST * low) / below
    return np.select(
        [frequencies < below, (frequencies >= low) & (frequencies <= high), frequencies > above],
        [_BELOW / slow**2, _IN_BAND, _ABOVE],
        _BESIDE,
    )
