"""A movie without its motion, but with its noise: the honest control."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

import numpy as np

from napari_motionmag.compute.cache import Cache
from napari_motionmag.movie.movie import Movie
from napari_motionmag.views.estimators.noise_model import (
    NoiseModel,
    fit_pairs,
    freedom_of,
    pair_starts,
    rounding,
)
from napari_motionmag.views.estimators.series import Series, as_movie

KINDS = ("redrawn", "shuffled")
_PAIRS = 32


@dataclass(frozen=True)
class _Redrawn:
    """The mean frame with noise drawn anew, frame by frame."""

    movie: Movie
    seed: int
    noise: NoiseModel | None
    cache: Cache = field(default_factory=Cache, repr=False, compare=False)

    def frame(self, t: int, other: tuple[int, ...]) -> np.ndarray:
        movie = self.movie
        mean, sigma = self.cache.get(other, lambda: self._statistics(other))
        random = np.random.default_rng([self.seed, t, *other])
        frame = mean + random.standard_normal(mean.shape) * sigma
        if movie.dtype.kind in "iu":
            limits = np.iinfo(movie.dtype)
            frame = np.clip(np.rint(frame), limits.min, limits.max)
        frame = frame.astype(movie.dtype)
        if movie.has_alpha:
            alpha = movie.read(t, other)[..., 3:]
            frame = np.concatenate([frame, alpha], axis=-1)
        return frame

    def _statistics(self, other: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Mean frame and standard deviation of the noise to be drawn, (Y, X) or (Y, X, 3)."""
        movie = self.movie
        series = Series(movie, other)
        whole = movie.dtype.kind in "iu"
        starts = pair_starts(movie.n_frames, _PAIRS)
        pairs = [
            series.read(t, t + 2)[..., :3].astype(float) if movie.is_rgb else series.to_luma(
                series.read(t, t + 2)
            )
            for t in starts
        ]  # fmt: skip
        mean = np.mean([pair.mean(axis=0) for pair in pairs], axis=0)
        mask = np.ones(mean.shape[:2], bool)
        planes = [(..., c) for c in range(3)] if movie.is_rgb else [...]
        variance = np.empty_like(mean)
        floor, freedom = rounding(movie.dtype, pairs), freedom_of(starts)
        for plane in planes:
            noise = self.noise
            if noise is None:
                noise = fit_pairs([pair[plane] for pair in pairs], mask, floor, freedom)
            variance[plane] = noise.variance(mean[plane])
        if whole:
            variance = np.maximum(variance - 1 / 12, 0)  # rounding adds that again
        return mean, np.sqrt(variance)


@dataclass(frozen=True)
class _Shuffled:
    """The same frames in another order."""

    movie: Movie
    order: tuple[int, ...]

    def frame(self, t: int, other: tuple[int, ...]) -> np.ndarray:
        return self.movie.read(self.order[t], other)


def motionless_surrogate(
    movie,
    kind: str = "redrawn",
    *,
    seed: int = 0,
    axes: str | None = None,
    fps: float | None = None,
    noise: NoiseModel | None = None,
) -> Movie:
    """Make a movie with the motion taken out and the noise left in.

    Magnify it with the same operator and factor: what still moves there is noise.

    Parameters
    ----------
    movie : array, napari Image layer or Movie
    kind : {"redrawn", "shuffled"}
        "redrawn": the mean frame in every frame, with noise drawn anew from a model fitted to the
        movie: nothing moves. "shuffled": the same frames in random order, which keeps noise of any
        kind, but spreads motion evenly over all frequencies instead of taking it out: a control
        for narrow bands.
    seed : int
        0 or more. The same seed gives the same movie, whichever frames are computed first.
    axes : str, optional
    fps : float, optional
    noise : NoiseModel, optional
        For "redrawn": of the pixels, in grey levels. Estimated from differences between
        consecutive frames when None, for each colour together.

    Returns
    -------
    Movie
        On a lazy dask array of the same shape, dtype, axes and calibration. At most 64 frames of a
        series are read for the mean, when its first frame is computed.

    Raises
    ------
    ValueError
        If `kind` or `seed` is none of those allowed.
    """
    movie = as_movie(movie, axes, fps)
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}; got {kind!r}")
    if isinstance(seed, bool) or int(seed) != seed or seed < 0:
        raise ValueError(f"seed must be a whole number, 0 or more; got {seed!r}")
    if kind == "redrawn":
        source = _Redrawn(movie, int(seed), noise)
    else:
        order = np.random.default_rng(int(seed)).permutation(movie.n_frames)
        source = _Shuffled(movie, tuple(order.tolist()))
    name = f"{movie.name or 'movie'} without motion ({kind})"
    return movie.replace(data=_lazy(source), intensity_range=movie.intensity_range, name=name)


def _lazy(source):
    import dask.array as da

    movie = source.movie
    chunks = tuple(
        (size,) if axis in "YXS" else (1,) * size
        for axis, size in zip(movie.axes, movie.shape, strict=True)
    )
    return da.map_blocks(
        _block,
        chunks=chunks,
        dtype=movie.dtype,
        meta=np.empty((0,) * movie.ndim, movie.dtype),
        name=f"motionless-{uuid.uuid4().hex}",
        source=source,
    )


def _block(source, block_id=None) -> np.ndarray:
    movie = source.movie
    at = dict(zip(movie.axes, block_id, strict=True))
    other = tuple(at[axis] for axis in movie.other_axes)
    return movie.expand(source.frame(at["T"], other))
