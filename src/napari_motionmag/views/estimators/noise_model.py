"""Noise of a movie: variance as a function of intensity, estimated from the movie itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import gammainc

from napari_motionmag.compute.validate import above_zero, whole_number
from napari_motionmag.views.estimators.series import Counter, Series, as_movie, checked_region

_OUTLIER = 2.0  # standard deviations; motion only ever adds, so the limit is low
_ROUNDS = 8


@dataclass(frozen=True)
class NoiseModel:
    """Variance of a pixel at an intensity: ``max(a + b I, floor)``.

    For a camera: b is the gain in gray levels per electron, and ``a = gain^2 read_noise^2 - b
    offset`` (negative where the offset is large).

    Parameters
    ----------
    a : float
        Gray levels squared.
    b : float
        Gray levels.
    floor : float
        Smallest variance, gray levels squared.
    """

    a: float
    b: float = 0.0
    floor: float = 0.0

    def variance(self, intensity):
        """Return the variance in gray levels squared, shape of `intensity`."""
        return np.maximum(self.a + self.b * np.asarray(intensity, float), self.floor)

    def sigma(self, intensity):
        """Return the standard deviation in gray levels, shape of `intensity`."""
        return np.sqrt(self.variance(intensity))


def as_noise(noise) -> NoiseModel | None:
    """Return a model, that of a standard deviation in gray levels, or None."""
    if noise is None or isinstance(noise, NoiseModel):
        return noise
    return NoiseModel(above_zero("noise", noise, "gray levels") ** 2)


def fit_noise(
    movie,
    region=None,
    *,
    axes: str | None = None,
    at=None,
    max_pairs: int = 32,
    progress: Callable[[int, int], object] | None = None,
) -> NoiseModel:
    """Estimate the noise of a movie from differences between consecutive frames.

    Parameters
    ----------
    movie : array, napari Image layer or Movie
    region : (slice, slice), (y0, y1, x0, x1) or boolean mask (Y, X), optional
        Where to measure; the whole frame when None. A still background is best, but motion is
        allowed for.
    axes : str, optional
    at : mapping or sequence of int, optional
        Index along axes such as Z and C.
    max_pairs : int
        Pairs of frames to read at most, spread over the movie.
    progress : callable, optional
        Called as ``progress(done, total)`` after each pair; an exception from it ends the
        measurement.

    Returns
    -------
    NoiseModel
        Of the luma, for RGB.

    Notes
    -----
    Half the mean squared difference between consecutive frames is the variance of the noise, plus
    what motion adds: about ``(gradient . displacement)^2``. Variance is regressed on intensity and
    on the squares and product of the gradients, robustly, and only the first part is kept. A
    change in brightness of the whole frame is taken out first.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_motionmag import views
    >>> movie = np.random.default_rng(0).normal(100, 3, (20, 64, 64))
    >>> round(float(views.fit_noise(movie).sigma(100)), 1)
    3.0
    """
    movie = as_movie(movie, axes)
    window, mask = checked_region(movie, region)
    max_pairs = whole_number("max_pairs", max_pairs, 1)
    series = Series(movie, at, window)
    starts = pair_starts(movie.n_frames, max_pairs)
    count = Counter(progress, len(starts))
    pairs = []
    for t in starts:
        pairs.append(series.to_luma(series.read(t, t + 2)))
        count.step()
    return fit_pairs(pairs, mask, rounding(movie.dtype, pairs), freedom_of(starts))


def rounding(dtype: np.dtype, frames) -> float:
    """Return the variance from rounding to a dtype, which all pixels have, gray levels squared."""
    if dtype.kind in "iu":
        return 1 / 12
    largest = max(float(np.abs(frame).max()) for frame in frames)
    return (float(np.finfo(dtype).eps) * largest) ** 2 / 12


def pair_starts(n_frames: int, most: int) -> list[int]:
    """Return the first frames of up to `most` pairs of consecutive frames, spread over a movie."""
    count = min(most, n_frames - 1)
    return np.unique(np.linspace(0, n_frames - 2, count).round().astype(int)).tolist()


def freedom_of(starts) -> float:
    """Return degrees of freedom of the mean square of differences between frames t and t + 1.

    Differences that share a frame have squares with a correlation of 1/4.
    """
    shared = int((np.diff(starts) == 1).sum())
    return len(starts) / (1 + 0.5 * shared / len(starts))


def fit_pairs(
    pairs: list[np.ndarray], mask: np.ndarray, floor: float, freedom: float
) -> NoiseModel:
    """Estimate noise from pairs of consecutive frames (2, Y, X) within a mask (Y, X)."""
    mean = np.mean([pair.mean(axis=0) for pair in pairs], axis=0)
    variance = np.zeros(mean.shape)
    around = mean[mask] - mean[mask].mean()
    columns = np.stack([np.ones(len(around)), around / (around.std() or 1.0)], axis=1)
    for pair in pairs:
        difference = pair[1] - pair[0]
        share = np.linalg.lstsq(columns, difference[mask], rcond=None)[0]
        difference[mask] -= columns @ share
        variance += difference**2 / (2 * len(pairs))
    smooth = gaussian_filter(mean, 1.0)
    motion = np.zeros((0, *mean.shape))
    if min(mean.shape) > 1:
        gy, gx = np.gradient(smooth)
        motion = np.stack([gy**2, gx**2, gy * gx])
    # the mean itself, not smoothed: flattened peaks would look like noise that rises faster
    return fit_variance(mean[mask], variance[mask], freedom, motion[:, mask], floor)


def fit_variance(
    mean: np.ndarray,
    variance: np.ndarray,
    freedom: float,
    nuisance: np.ndarray | None = None,
    floor: float = 0.0,
) -> NoiseModel:
    """Fit ``a + b mean`` to variances (N,), whose relative error is ``sqrt(2 / freedom)``.

    `nuisance` (K, N): what else may add to the variance, each with a factor of its own. `floor`:
    the smallest possible variance.
    """
    level = float(np.median(variance)) or float(variance.mean())
    if level == 0:
        return NoiseModel(floor, 0.0, floor)
    center = float(mean.mean())
    spread = float(mean.std())
    # an intensity that hardly varies does not determine b
    use = spread > 1e-6 * max(abs(center), 1e-30)
    columns = [np.ones_like(mean)]
    if use:
        columns.append((mean - center) / spread)
    first = len(columns)
    for extra in nuisance if nuisance is not None else ():
        top = float(np.abs(extra).max())
        if top > 0:
            columns.append(extra / top)
    design = np.stack(columns, axis=1)
    # medians of chi-squared lie below the mean
    expected = np.full(len(mean), level / (1 - 2 / (9 * freedom)) ** 3)
    part = np.zeros(design.shape[1])
    for k in range(_ROUNDS):
        # large values are clipped, from a wide limit to a narrow one; the mean of the rest is
        # corrected for that
        limit = 1 + _OUTLIER * np.sqrt(2 / freedom) * max(1, 8 / 2**k)
        kept = variance < limit * expected
        if kept.sum() <= 2 * design.shape[1]:
            kept[:] = True
        weight = 1 / expected[kept]
        part = np.linalg.lstsq(
            design[kept] * weight[:, np.newaxis], variance[kept] * weight, rcond=None
        )[0]
        part[:first] /= _kept_share(limit, freedom)
        fitted = design @ part
        expected = np.maximum(fitted, max(0.05 * level, floor))
    slope = part[1] / spread if use else 0.0
    a, b = float(part[0] - slope * center), float(slope)
    if b < 0:  # noise that falls with brightness is no photon noise: clipping, or chance
        a, b = float(part[0]), 0.0
    floor = max(floor, 0.05 * level)
    return NoiseModel(max(a, floor) if b == 0 else a, b, floor)


def _kept_share(limit: float, freedom: float) -> float:
    """Return the mean of chi-squared / freedom below `limit`."""
    x, shape = limit * freedom / 2, freedom / 2
    return float(gammainc(shape + 1, x) / gammainc(shape, x))
