"""Noise in spectra, and in the motion that a temporal operator selects."""

from __future__ import annotations

import numpy as np

from napari_motionmag.temporal import TemporalOperator
from napari_motionmag.views.estimators.periodograms import without_trend

_FEWEST_OUTSIDE = 16  # frequencies outside the band, below which they do not determine the noise
_EXACT = 512  # frames up to which noise is followed through the operator exactly
_TRIALS = 512
_CLIP, _ROUNDS = 3.0, 40  # of the fit of a background


def sigmas(covariance: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return standard errors along the best and the worst seen direction; inf where none is."""
    values = np.linalg.eigvalsh(covariance)
    best = np.where(directions == 2, values[..., 0], values[..., 1])
    worst = np.where(directions == 2, values[..., 1], np.inf)
    best = np.where(directions == 0, np.inf, best)
    return np.sqrt(np.maximum(best, 0)), np.sqrt(worst)


def operator_noise(operator: TemporalOperator, n: int) -> tuple[float, float, float]:
    """Return gain, degrees of freedom and skewness of an operator for white noise in n frames.

    The gain is the mean factor on the variance, the sum of squared weights; the others are those
    of the mean square of the output: n degrees of freedom where it is white, fewer for a narrow
    band or a reference of one frame, whose noise is in all frames.
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
    """Return the covariance, enlarged where windows move more outside the band than it explains.

    Also its relative standard error (gy, gx) where it is enlarged, 0 elsewhere.
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
        spectrum = np.fft.rfft(without_trend(along) * taper, axis=0)
        power = np.abs(spectrum) ** 2 / (taper**2).sum()
        level = gain @ smooth_background(power, 1, outside) / gain.sum()
        more = level > (1 + 3 * doubt) * values[i, seen, k]
        values[i, seen[more], k] = level[more]
        enlarged[i, seen[more]] = True
    covariance = np.einsum("yxik,yxk,yxjk->yxij", vectors, values, vectors)
    return covariance, np.where(enlarged, doubt, 0.0)


def smooth_background(
    density: np.ndarray, degree: int, used: np.ndarray | None = None, from_top: int = 0
) -> np.ndarray:
    """Fit the smooth part of periodograms (F,) or (F, W), from which peaks must stand out.

    Polynomials in log-log, peaks clipped: one of `degree` in the frequency, one of `from_top` in
    the distance to the highest frequency, for noise that alternates from frame to frame. `used`
    are the bins to fit, all but the first two when None. Bins have exponential distributions, for
    which Fisher scoring of the mean is iterated least squares with equal weights.
    """
    spectra = density if density.ndim == 2 else density[:, np.newaxis]
    bins = np.arange(len(spectra))
    if used is None:
        used = bins >= min(2, len(bins) - 8)
    low, high = (_standardized(np.log(np.maximum(x, 1.5)), used) for x in (bins, bins[::-1]))
    powers = [low**k for k in range(degree + 1)] + [high**k for k in range(1, from_top + 1)]
    design = np.stack(powers, axis=1)
    inverse = np.linalg.pinv(design[used])
    floor = np.maximum(1e-12 * spectra.max(axis=0), 1e-300)
    parts = inverse @ (np.log(np.maximum(spectra[used], floor)) + np.euler_gamma)
    for _ in range(_ROUNDS):
        fitted = np.exp(np.clip(design[used] @ parts, -600, 600))
        ratio = np.minimum(spectra[used] / fitted, _CLIP) / -np.expm1(-_CLIP)
        step = np.clip(inverse @ (ratio - 1), -1, 1)
        parts += step
        if np.abs(step).max() < 1e-4:
            break
    smooth = np.maximum(np.exp(np.clip(design @ parts, -600, 600)), floor)
    return smooth if density.ndim == 2 else smooth[:, 0]


def _standardized(x: np.ndarray, used: np.ndarray) -> np.ndarray:
    return (x - x[used].mean()) / x[used].std()
