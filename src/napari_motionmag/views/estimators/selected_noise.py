"""Noise of the motion that a temporal operator selects."""

from __future__ import annotations

import numpy as np
from scipy import signal

from napari_motionmag.temporal import TemporalOperator
from napari_motionmag.views.estimators.background import smooth_background

_FEWEST_OUTSIDE = 16  # frequencies outside the band, below which they do not determine the noise
_EXACT = 512  # frames up to which noise is followed through the operator exactly
_TRIALS = 512


def sigmas(covariance: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Standard errors along the best and the worst seen direction; inf where none is."""
    values = np.linalg.eigvalsh(covariance)
    best = np.where(directions == 2, values[..., 0], values[..., 1])
    worst = np.where(directions == 2, values[..., 1], np.inf)
    best = np.where(directions == 0, np.inf, best)
    return np.sqrt(np.maximum(best, 0)), np.sqrt(worst)


def operator_noise(operator: TemporalOperator, n: int) -> tuple[float, float, float]:
    """What an operator makes of white noise over n frames: gain, freedom, skewness.

    gain: mean factor on its variance, the sum of squared weights. freedom and skewness: those of
    the mean square of the output; n degrees of freedom where that is white, fewer for a narrow band
    or a reference of one frame, whose noise is in all frames.
    """
    if n <= _EXACT:
        rows = operator.apply(np.eye(n), axis=0)
        values = np.linalg.eigvalsh(rows @ rows.T)
        first, second, third = ((values**k).sum() for k in (1, 2, 3))
        if not first > 0:
            return 0.0, float(n), 0.0
        return first / n, first**2 / second, third * (2 / second) ** 1.5
    # long movies: by trial, with white noise
    trials = operator.apply(np.random.default_rng(0).standard_normal((n, _TRIALS)), axis=0)
    power = (trials**2).mean(axis=0)
    gain = float(power.mean())
    if not gain > 0:
        return 0.0, float(n), 0.0
    rest = (power - gain) / power.std()
    return gain, 2 * gain**2 / float(power.var()), float((rest**3).mean())


def seen_noise(
    course: np.ndarray, covariance: np.ndarray, operator: TemporalOperator
) -> tuple[np.ndarray, np.ndarray]:
    """The covariance, enlarged where windows move more outside the band than it explains.

    Also the relative standard error (gy, gx) of what was enlarged, 0 elsewhere.
    """
    n = len(course)
    enlarged = np.zeros(course.shape[1:3], bool)
    bound = operator.bind(1.0) if operator.fps is None and not operator.in_hz else operator
    bins = np.arange(n // 2 + 1)
    gain = np.abs(bound.response(bins / n * bound.fps)) ** 2
    outside = (gain < 0.01 * gain.max()) & (bins > 1)
    if outside.sum() < _FEWEST_OUTSIDE:
        return covariance, np.zeros(enlarged.shape)
    doubt = np.sqrt(4 / outside.sum())  # two numbers are fitted to exponential variables
    taper = np.hanning(n + 2)[1:-1, np.newaxis]
    values, vectors = np.linalg.eigh(covariance)
    values[values < 1e-6 * values[..., 1:]] = 0  # directions that are not determined
    for i, k in np.ndindex(course.shape[1], 2):
        seen = np.flatnonzero(values[i, :, k] > 0)
        if not len(seen):
            continue
        along = np.einsum("txj,xj->tx", course[:, i, seen], vectors[i, seen, :, k])
        spectrum = np.fft.rfft(signal.detrend(along, axis=0) * taper, axis=0)
        power = np.abs(spectrum) ** 2 / (taper**2).sum()
        level = gain @ smooth_background(power, 1, outside) / gain.sum()
        more = level > (1 + 3 * doubt) * values[i, seen, k]
        values[i, seen[more], k] = level[more]
        enlarged[i, seen[more]] = True
    covariance = np.einsum("yxik,yxk,yxjk->yxij", vectors, values, vectors)
    return covariance, np.where(enlarged, doubt, 0.0)
