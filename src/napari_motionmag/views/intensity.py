"""Intensity of single points over time."""

from __future__ import annotations

import numpy as np

from napari_motionmag.views.estimators.interpolation import ORDERS, sampling_matrix
from napari_motionmag.views.estimators.series import Series, as_movie


def intensity_trace(
    movie, points, axes: str | None = None, *, order: int = 1, at=None
) -> np.ndarray:
    """Read the intensity at points of the frame over time.

    Parameters
    ----------
    movie : array, napari Image layer or Movie
    points : array_like, shape (N, 2) or (2,)
        (y, x), px.
    axes : str, optional
    order : int
        Of the spline that interpolates between pixels, 0 to 5.
    at : mapping or sequence of int, optional
        Index along axes such as Z and C.

    Returns
    -------
    ndarray, shape (T, N)
        Grey levels; luma of RGB.

    Raises
    ------
    ValueError
        If a point lies outside the frame.

    References
    ----------
    Oh et al., ECCV 2018, Fig. 7 (left).
    """
    movie = as_movie(movie, axes)
    points = np.atleast_2d(np.asarray(points, float))
    shape = np.array(movie.frame_shape[:2])
    if points.ndim != 2 or points.shape[1] != 2 or not len(points):
        raise ValueError(f"points must be (y, x) pairs, shape (N, 2); got shape {points.shape}")
    if not ((points >= -0.5) & (points <= shape - 0.5)).all():
        raise ValueError(
            f"points must lie within the frame of {shape[0]} x {shape[1]} px (Y x X); "
            f"got {points.tolist()}"
        )
    if isinstance(order, bool) or order not in ORDERS:
        raise ValueError(f"order must be a whole number from 0 to 5; got {order!r}")
    points = np.clip(points, 0, shape - 1)
    margin = 1 if order < 2 else 33
    first = np.maximum(np.floor(points.min(axis=0)).astype(int) - margin, 0)
    last = np.minimum(np.floor(points.max(axis=0)).astype(int) + margin + 2, shape)
    window = (slice(int(first[0]), int(last[0])), slice(int(first[1]), int(last[1])))
    series = Series(movie, at, window)
    matrix = sampling_matrix(
        points - first, series.shape, order, np.ones(len(points)), np.arange(len(points))
    )
    return np.stack([matrix @ frame.ravel() for _, frame in series.frames()])
