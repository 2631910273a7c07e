"""Intensity of single points over time."""

from __future__ import annotations

import numpy as np

from napari_motionmag.views.estimators.line_sampler import PointSampler
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
        Gray levels; luma of RGB.

    Raises
    ------
    ValueError
        If a point lies outside the frame.

    References
    ----------
    Oh et al., ECCV 2018, Fig. 7 (left).

    Examples
    --------
    >>> import numpy as np
    >>> from napari_motionmag import views
    >>> views.intensity_trace(np.ones((5, 8, 8)), [(2.5, 3), (4, 4)]).shape
    (5, 2)
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
    sampler = PointSampler(points, tuple(shape.tolist()), order)
    series = Series(movie, at, sampler.window)
    return np.stack([sampler(frame) for _, frame in series.frames()])
