"""A movie without its motion, but with its noise, as a control."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

import numpy as np

from napari_motionmag.compute.cache import Cache
from napari_motionmag.compute.validate import one_of, whole_number
from napari_motionmag.movie.frame_array import FrameArray
from napari_motionmag.movie.intensity import rounded
from napari_motionmag.movie.lazy import frames_as_dask
from napari_motionmag.movie.movie import Movie
from napari_motionmag.views.estimators.noise_model import (
    NoiseModel,
    as_noise,
    fit_pairs,
    freedom_of,
    pair_starts,
    rounding,
)
from napari_motionmag.views.estimators.series import Series, as_movie

KINDS = ("redrawn", "shuffled")
_PAIRS = 32


def motionless_surrogate(
    movie,
    kind: str = "redrawn",
    *,
    seed: int = 0,
    axes: str | None = None,
    fps: float | None = None,
    noise: NoiseModel | float | None = None,
) -> Movie:
    """Make a movie without the motion, but with the noise, of another.

    Magnified with the same operator and factor, all that moves in the result is noise.

    Parameters
    ----------
    movie : array, napari Image layer or Movie
    kind : {"redrawn", "shuffled"}
        "redrawn": the mean frame in every frame, with noise drawn from a model fitted to the movie:
        nothing moves. "shuffled": the same frames in random order, which keeps noise of any kind,
        but spreads motion evenly over all frequencies instead of removing it: a control for narrow
        bands.
    seed : int
        0 or more. The same seed gives the same movie, whichever frames are computed first.
    axes : str, optional
    fps : float, optional
    noise : NoiseModel or float, optional
        Noise of the pixels for "redrawn", or its standard deviation, gray levels. Estimated from
        differences between consecutive frames when None, for each color separately.

    Returns
    -------
    Movie
        On a lazy dask array of the same shape, dtype, axes and calibration. At most 64 frames of a
        series are read for the mean, when its first frame is computed.

    Raises
    ------
    ValueError
        If `kind` or `seed` is not allowed.

    Examples
    --------
    >>> from napari_motionmag import magnify, samples, views
    >>> movie, info = samples.load("strings", n_frames=10, size=64)
    >>> control = views.motionless_surrogate(movie, axes="TYX", fps=info["fps"])
    >>> magnified = magnify(control, 10)  # what moves here is noise
    """
    movie = as_movie(movie, axes, fps)
    one_of("kind", kind, KINDS)
    seed = whole_number("seed", seed, 0)
    if kind == "redrawn":
        source, order = _Redrawn(movie, seed, as_noise(noise)), slice(None)
    else:
        source, order = movie.data, np.random.default_rng(seed).permutation(movie.n_frames)
    frames = frames_as_dask(source, movie.axes, movie.dtype, f"{kind}-{uuid.uuid4().hex}")
    frames = frames[(slice(None),) * movie.axes.index("T") + (order,)]
    name = f"{movie.name or 'movie'} without motion ({kind})"
    return movie.replace(data=frames, intensity_range=movie.intensity_range, name=name)


@dataclass(frozen=True)
class _Redrawn(FrameArray):
    """The mean frame with noise redrawn, frame by frame."""

    movie: Movie
    seed: int
    noise: NoiseModel | None
    cache: Cache = field(default_factory=Cache, repr=False, compare=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the movie."""
        return self.movie.shape

    def read(self, t: int, other) -> np.ndarray:
        """Draw a frame."""
        movie, place = self.movie, tuple(other.values())
        mean, sigma = self.cache.get(place, lambda: self._statistics(place))
        random = np.random.default_rng([self.seed, t, *place])
        frame = rounded(mean + random.standard_normal(mean.shape) * sigma, movie.dtype)
        if movie.has_alpha:
            frame = np.concatenate([frame, movie.read(t, other)[..., 3:]], axis=-1)
        return frame

    def _statistics(self, other: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean frame and the standard deviation of its noise, (Y, X) or (Y, X, 3)."""
        movie = self.movie
        series = Series(movie, other)
        starts = pair_starts(movie.n_frames, _PAIRS)
        planes = slice(3) if movie.is_rgb else np.newaxis
        pairs = [series.read(t, t + 2)[..., planes].astype(float) for t in starts]
        mean = np.mean([pair.mean(axis=0) for pair in pairs], axis=0)
        mask = np.ones(mean.shape[:2], bool)
        variance = np.empty_like(mean)
        floor, freedom = rounding(movie.dtype, pairs), freedom_of(starts)
        for c in range(mean.shape[-1]):
            noise = self.noise
            if noise is None:
                noise = fit_pairs([pair[..., c] for pair in pairs], mask, floor, freedom)
            variance[..., c] = noise.variance(mean[..., c])
        if movie.dtype.kind in "iu":
            variance = np.maximum(variance - 1 / 12, 0)  # rounding adds that again
        sigma = np.sqrt(variance)
        return (mean, sigma) if movie.is_rgb else (mean[..., 0], sigma[..., 0])
