"""Slice views: a line through the frame, drawn over time; and points over time."""

from __future__ import annotations

import numpy as np

from napari_motionmag.views.estimators.lines import (
    Line,
    LineSampler,
    PointSampler,
    sample_dtype,
)
from napari_motionmag.views.estimators.series import (
    Series,
    as_movie,
    numbers,
    pixel_size,
    refuse_non_finite,
    warn_if_uneven,
)


def slice_view(
    movie,
    line,
    axes: str | None = None,
    width: float = 1,
    order: int = 1,
    *,
    step: float = 1.0,
    at=None,
    outside: str = "raise",
):
    """Draw the intensities along a line over time: an x-t, y-t or any slice of a movie.

    Parameters
    ----------
    movie : array, napari Image layer or Movie
    line : array_like, shape (2, 2) or (N, 2)
        Ends of the line, or corners of a path: (y, x) in px. The center of the first pixel is
        (0, 0).
    axes : str, optional
        Meaning of the movie's axes, such as "TYX".
    width : float
        Width across the line over which samples are averaged, px.
    order : int
        Of the spline that interpolates between pixels: 0 nearest, 1 linear, 3 cubic, up to 5.
    step : float
        Distance between samples along the line, px.
    at : mapping or sequence of int, optional
        Index along axes such as Z and C, for example ``{"C": 1}``.
    outside : {"raise", "nan", "nearest"}
        What to do where the line leaves the frame.

    Returns
    -------
    ndarray or dask array, shape (T, L) or (T, L, 3) for RGB
        Intensities of the movie as floats (an alpha sample is left out); the first row is the
        first frame. L is the length of the line in steps, plus 1. For a movie on a dask array a
        lazy dask array, each block of which computes only what the line needs.

    Raises
    ------
    ValueError, TypeError
        If an argument is invalid, or the line leaves the frame and `outside` is "raise".

    References
    ----------
    Oh et al., ECCV 2018, Fig. 1, 7 and A.4.

    Examples
    --------
    >>> from napari_motionmag import samples, views
    >>> movie, info = samples.load("strings")
    >>> views.slice_view(movie, [(10, 40), (60, 40)]).shape[1]
    51
    """
    movie = as_movie(movie, axes)
    sampler = LineSampler(Line(line, width, step), movie.frame_shape[:2], order, outside)
    series = Series(movie, at, sampler.window)
    if hasattr(movie.data, "dask"):
        return _lazy(series, sampler)
    dtype = sample_dtype(movie.dtype)
    return np.concatenate([sampler(block, dtype) for _, block in series.blocks()])


def _lazy(series: Series, sampler: LineSampler):
    frames = series.lazy(slice(0, series.n_frames))
    frames = frames.rechunk(dict.fromkeys(range(1, frames.ndim), -1))
    dtype = sample_dtype(frames.dtype)
    channels = (3,) if frames.ndim == 4 else ()
    return frames.map_blocks(
        _sampled,
        sampler,
        dtype,
        drop_axis=2,
        chunks=(frames.chunks[0], (sampler.length,), *((c,) for c in channels)),
        dtype=dtype,
        meta=np.empty((0,) * (2 + len(channels)), dtype),
    )


def _sampled(frames: np.ndarray, sampler: LineSampler, samples: np.dtype, block_info: dict):
    refuse_non_finite(frames, range(*block_info[0]["array-location"][0]))
    return sampler(frames, samples)


def xt(movie, y: float, axes: str | None = None, **options):
    """Draw row `y` (px; interpolated between rows) over time: (T, X), or (T, X, 3) for RGB.

    Movie, axes and options are those of :func:`slice_view`.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_motionmag import views
    >>> views.xt(np.zeros((5, 8, 9)), y=3).shape
    (5, 9)
    """
    movie = as_movie(movie, axes)
    return slice_view(movie, [(y, 0), (y, movie.frame_shape[1] - 1)], **options)


def yt(movie, x: float, axes: str | None = None, **options):
    """Draw column `x` (px; interpolated between columns) over time: (T, Y), or (T, Y, 3) for RGB.

    Movie, axes and options are those of :func:`slice_view`.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_motionmag import views
    >>> views.yt(np.zeros((5, 8, 9)), x=3).shape
    (5, 8)
    """
    movie = as_movie(movie, axes)
    return slice_view(movie, [(0, x), (movie.frame_shape[0] - 1, x)], **options)


def slice_calibration(movie, line, axes: str | None = None, step: float = 1.0) -> dict:
    """Return the time between rows and the position of columns of a slice view.

    Parameters
    ----------
    movie : array, napari Image layer or Movie
    line : array_like
        As for :func:`slice_view`.
    axes : str, optional
    step : float
        Distance between samples, px.

    Returns
    -------
    dict
        ``interval`` and ``time_unit`` between rows ("s", or "frame" where the frame rate is
        unknown); ``positions`` of the columns along the line, shape (L,), and their ``length_unit``
        ("um", or "px" where the movie is not calibrated).

    Examples
    --------
    >>> import numpy as np
    >>> from napari_motionmag import Movie, views
    >>> movie = Movie(np.zeros((5, 20, 30)), axes="TYX", fps=50)
    >>> views.slice_calibration(movie, [(4, 2), (4, 12)])["interval"]
    0.02
    """
    movie = as_movie(movie, axes)
    height, width, unit = pixel_size(movie) or (1.0, 1.0, "px")
    warn_if_uneven(movie.times, movie.fps, "rows of the slice are at the times of even frames")
    return {
        "interval": 1.0 if movie.fps is None else 1 / movie.fps,
        "time_unit": "frame" if movie.fps is None else "s",
        "positions": Line(line, step=step).position(height, width),
        "length_unit": unit,
    }


def compare_slices(movies, line, axes: str | None = None, **options):
    """Slice several movies along the same line, to compare them side by side.

    Parameters
    ----------
    movies : mapping of name to movie, or sequence of movies
        As for :func:`slice_view`, for example the same frames magnified by different methods.
    line : array_like
    axes : str, optional
        Of all movies.
    **options
        As for :func:`slice_view`.

    Returns
    -------
    ndarray or dask array, shape (N, T, L) or (N, T, L, 3)
        In the order of `movies`; lazy when one of the movies is.

    Raises
    ------
    ValueError
        If `movies` is empty, or the views differ in shape.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_motionmag import views
    >>> movie = np.zeros((5, 20, 30))
    >>> views.compare_slices({"before": movie, "after": movie + 1}, [(4, 2), (4, 12)]).shape
    (2, 5, 11)
    """
    if not hasattr(movies, "items"):
        movies = {f"movies[{k}]": movie for k, movie in enumerate(movies)}
    if not movies:
        raise ValueError("movies is empty; give at least one movie")
    views = [slice_view(movie, line, axes, **options) for movie in movies.values()]
    first = next(iter(movies))
    for name, view in zip(movies, views, strict=True):
        if view.shape != views[0].shape:
            raise ValueError(
                f"movies must give views of one shape; {first} gives {views[0].shape}, "
                f"{name} gives {view.shape}"
            )
    if any(hasattr(view, "dask") for view in views):
        import dask.array as da

        return da.stack(views)
    return np.stack(views)


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
    points = np.atleast_2d(numbers("points", points))
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
