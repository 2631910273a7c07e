"""Blending of a magnified movie into the original where its motion may be noise."""

from __future__ import annotations

import numpy as np

from napari_motionmag.movie.intensity import rounded
from napari_motionmag.views.estimators.series import as_movie


def blend(original: np.ndarray, magnified: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Mix two frames, ``original + weights (magnified - original)``, in their own dtype."""
    mixed = original + weights * (magnified.astype(np.float64) - original)
    return rounded(mixed, original.dtype)


def fade(movie, magnified, weights, *, axes: str | None = None):
    """Fade a magnified movie into the original, lazily.

    Parameters
    ----------
    movie : array, napari Image layer or Movie
        The original.
    magnified : array
        Of the same shape and dtype, as :func:`napari_motionmag.magnify` makes it.
    weights : array_like, shape (Y, X), or with the movie's axes other than T and S, in order
        Share of the magnified movie, 0 to 1; for example ``noise_floor(...).weights``.
    axes : str, optional
        Of the movie.

    Returns
    -------
    dask.array.Array
        Shape and dtype of the movie, one frame a block.

    Raises
    ------
    ValueError
        If shapes or dtypes do not fit, or weights are outside 0..1.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_motionmag import views
    >>> movie = np.zeros((3, 4, 4), np.uint8)
    >>> int(views.fade(movie, movie + 10, np.full((4, 4), 0.5))[0].compute().max())
    5
    """
    import dask.array as da

    movie = as_movie(movie, axes)
    magnified = da.asarray(magnified)
    if magnified.shape != movie.shape or magnified.dtype != movie.dtype:
        raise ValueError(
            f"magnified must have the shape {movie.shape} and dtype {movie.dtype} of the movie; "
            f"got {magnified.shape} and {magnified.dtype}"
        )
    source = movie.as_dask()
    magnified = magnified.rechunk(source.chunks)
    weights = spread_weights(movie, weights)
    chunks = tuple(-1 if letter in "YXS" else 1 for letter in movie.axes)
    weights = da.from_array(weights, chunks)
    meta = np.empty((0,) * movie.ndim, movie.dtype)
    return da.map_blocks(blend, source, magnified, weights, dtype=movie.dtype, meta=meta)


def spread_weights(movie, weights) -> np.ndarray:
    """Return weights with as many axes as the movie, of length 1 along time and samples."""
    weights = np.asarray(weights, np.float32)
    sizes = dict(zip(movie.axes, movie.shape, strict=True))
    own = {letter: size for letter, size in sizes.items() if letter not in "TS"}
    frame = {letter: size for letter, size in own.items() if letter in "YX"}
    if weights.shape == tuple(frame.values()):
        own = frame
    elif weights.shape != tuple(own.values()):
        raise ValueError(
            f"weights must have the shape {tuple(own.values())} of the axes {''.join(own)}; "
            f"got {weights.shape}"
        )
    if not (weights.min(initial=0) >= 0 and weights.max(initial=1) <= 1):  # NaN fails, too
        raise ValueError(f"weights must be within 0..1; got {weights.min():g} to {weights.max():g}")
    return weights.reshape([own.get(letter, 1) for letter in movie.axes])
