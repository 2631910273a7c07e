"""Slice views: a line through the frame, drawn over time."""

from __future__ import annotations

import numpy as np

from napari_motionmag.movie.movie import Movie
from napari_motionmag.views.estimators.interpolation import ORDERS, sampling_matrix
from napari_motionmag.views.estimators.series import Series, as_movie, pixel_size

OUTSIDE = ("raise", "nan", "nearest")


class Line:
    """Points at equal distances along a path, and beside it.

    Parameters
    ----------
    line : array_like, shape (N, 2)
        Ends, or all corners, of the path: (y, x) in px; the centre of the first pixel is (0, 0).
    width : float
        Samples are averaged over this width across the path, px; 1 is the path alone.
    step : float
        Distance between samples, px.

    Attributes
    ----------
    points : ndarray, shape (L, 2)
        Samples on the path.
    distance : ndarray, shape (L,)
        From the start along the path, px.
    """

    def __init__(self, line, width: float = 1, step: float = 1.0):
        corners = _checked_corners(line)
        self.width = _positive("width", width)
        self.step = _positive("step", step)
        if self.width < 1:
            raise ValueError(f"width must be at least 1 px; got {width!r}")
        parts = np.diff(corners, axis=0)
        lengths = np.hypot(*parts.T)
        corners = corners[np.concatenate([[True], lengths > 0])]
        parts, lengths = parts[lengths > 0], lengths[lengths > 0]
        if not len(lengths):
            raise ValueError(f"line must have a length above 0; got {np.asarray(line).tolist()}")
        ends = np.concatenate([[0.0], np.cumsum(lengths)])
        # the slack keeps the last pixel of a line between pixel centres
        count = int(np.floor(ends[-1] / self.step + 1e-9)) + 1
        self.distance = np.minimum(np.arange(count) * self.step, ends[-1])
        which = np.clip(np.searchsorted(ends, self.distance, side="right") - 1, 0, len(parts) - 1)
        along = (self.distance - ends[which]) / lengths[which]
        self.points = corners[which] + along[:, np.newaxis] * parts[which]
        direction = parts[which] / lengths[which, np.newaxis]
        self._across = np.stack([-direction[:, 1], direction[:, 0]], axis=1)

    def __len__(self) -> int:
        return len(self.points)

    def spread(self) -> np.ndarray:
        """Samples across the width, shape (W, L, 2); W = 1 for a width below 2."""
        count = int(np.ceil(self.width))
        offsets = np.linspace(-0.5, 0.5, count) * (self.width - 1) if count > 1 else np.zeros(1)
        return self.points + offsets[:, np.newaxis, np.newaxis] * self._across


class LineSampler:
    """Samples frames along a line; the weights are worked out once.

    Parameters
    ----------
    line : Line
    shape : (int, int)
        Of the frame.
    order : int
        Of the interpolating spline: 0 nearest, 1 linear, 3 cubic, up to 5.
    outside : {"raise", "nan", "nearest"}
        What to do with a line that leaves the frame: refuse it, NaN there, or the pixels at the
        border. A wide line that is only partly outside is averaged over what is inside.
    """

    def __init__(self, line: Line, shape: tuple[int, int], order: int, outside: str = "raise"):
        if isinstance(order, bool) or order not in ORDERS:
            raise ValueError(f"order must be a whole number from 0 to 5; got {order!r}")
        if outside not in OUTSIDE:
            raise ValueError(f"outside must be one of {', '.join(OUTSIDE)}; got {outside!r}")
        points = line.spread()
        limits = np.array(shape) - 1
        # the frame ends half a pixel beyond the centres of its outer pixels
        inside = ((points >= -0.5 - 1e-6) & (points <= limits + 0.5 + 1e-6)).all(axis=2)
        path = ((line.points >= -0.5 - 1e-6) & (line.points <= limits + 0.5 + 1e-6)).all(axis=1)
        if outside == "raise" and not path.all():
            far = line.points[np.argmin(path)]
            raise ValueError(
                f"line leaves the frame of {shape[0]} x {shape[1]} px (Y x X) at "
                f"({far[0]:.1f}, {far[1]:.1f}); outside='nan' or 'nearest' allows that"
            )
        kept = inside if outside != "nearest" else np.ones_like(inside)
        count = kept.sum(axis=0)
        self.missing = count == 0
        if self.missing.all():
            far = line.points[0]
            raise ValueError(
                f"line lies outside the frame of {shape[0]} x {shape[1]} px (Y x X); it begins at "
                f"({far[0]:.1f}, {far[1]:.1f})"
            )
        _, row = np.nonzero(kept)
        chosen = np.clip(points[kept], 0, limits)
        share = 1 / count[row]
        first = np.maximum(np.floor(chosen.min(axis=0)).astype(int) - 1, 0)
        self.length = len(line)
        if order > 1:
            first = np.maximum(first - 32, 0)
        last = np.ceil(chosen.max(axis=0)).astype(int) + 2 + (32 if order > 1 else 0)
        last = np.minimum(last, shape)
        self.window = (slice(int(first[0]), int(last[0])), slice(int(first[1]), int(last[1])))
        cut = tuple(int(b - a) for a, b in zip(first, last, strict=True))
        matrix = sampling_matrix(chosen - first, cut, order, share, row)
        used = np.unique(matrix.indices)
        self.rows = matrix.shape[0]
        self._pixels = np.unravel_index(used, cut)  # of the window, those that are needed
        self._matrix = matrix.tocsc()[:, used].tocsr()

    def __call__(self, frames: np.ndarray, dtype=None) -> np.ndarray:
        """Sample frames cut to :attr:`window`.

        Parameters
        ----------
        frames : ndarray, shape (T, Y, X) or (T, Y, X, S)
        dtype : dtype, optional
            Of the result; float32 where that holds every value of the data, else float64.

        Returns
        -------
        ndarray, shape (T, L) or (T, L, 3)
        """
        dtype = dtype or sample_dtype(frames.dtype)
        colours = 3 if frames.ndim == 4 else 1
        out = np.full((len(frames), self.length, colours), np.nan, dtype)
        for frame, row in zip(frames, out, strict=True):
            pixels = frame[self._pixels]
            pixels = pixels[:, :3] if colours == 3 else pixels[:, np.newaxis]
            row[: self.rows] = self._matrix @ pixels.astype(np.float64)
        out[:, self.missing] = np.nan
        return out if frames.ndim == 4 else out[..., 0]


def sample_dtype(dtype: np.dtype) -> np.dtype:
    """The float type of samples: float32 for data of up to 16 bit and float32, else float64."""
    small = dtype.itemsize <= 2 or dtype == np.float32
    return np.dtype(np.float32 if small else np.float64)


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
        Ends of the line, or corners of a path: (y, x) in px. The centre of the first pixel is
        (0, 0).
    axes : str, optional
        Meaning of the movie's axes, such as "TYX".
    width : float
        Average over so many px across the line.
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
        lazy dask array, in whose blocks along time only what the line needs is computed.

    Raises
    ------
    ValueError, TypeError
        If an argument does not fit; also when the line leaves the frame, unless `outside` allows.

    References
    ----------
    Oh et al., ECCV 2018, Fig. 1, 7 and A.4.

    Examples
    --------
    >>> from napari_motionmag import samples, views
    >>> movie, about = samples.load("strings")
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
    colours = (3,) if frames.ndim == 4 else ()
    return frames.map_blocks(
        sampler,
        dtype,
        drop_axis=list(range(2, frames.ndim)) if not colours else [2],
        chunks=(frames.chunks[0], (sampler.length,), *((c,) for c in colours)),
        dtype=dtype,
        meta=np.empty((0,) * (2 + len(colours)), dtype),
    )


def xt(movie, y: float, axes: str | None = None, **options):
    """Draw row `y` over time: (T, X), or (T, X, 3) for RGB.

    Parameters
    ----------
    movie : array, napari Image layer or Movie
    y : float
        Row, px; between rows it is interpolated.
    axes : str, optional
    **options
        As for :func:`slice_view`.
    """
    movie = as_movie(movie, axes)
    return slice_view(movie, [(y, 0), (y, movie.frame_shape[1] - 1)], **options)


def yt(movie, x: float, axes: str | None = None, **options):
    """Draw column `x` over time: (T, Y), or (T, Y, 3) for RGB.

    Parameters
    ----------
    movie : array, napari Image layer or Movie
    x : float
        Column, px; between columns it is interpolated.
    axes : str, optional
    **options
        As for :func:`slice_view`.
    """
    movie = as_movie(movie, axes)
    return slice_view(movie, [(0, x), (movie.frame_shape[0] - 1, x)], **options)


def slice_calibration(movie, line, axes: str | None = None, step: float = 1.0) -> dict:
    """What a row and a column of a slice view are.

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
        ``interval`` and ``time_unit`` between rows ("s", or "frame" where the frame rate is not
        known); ``positions`` of the columns along the line, shape (L,), and their ``length_unit``
        ("um", or "px" where the movie is not calibrated).
    """
    movie: Movie = as_movie(movie, axes)
    path = Line(line, step=step)
    size = pixel_size(movie)
    positions, unit = path.distance, "px"
    if size is not None:
        # pixels need not be square: each step has its own length
        steps = np.hypot(*(np.diff(path.points, axis=0) * size[:2]).T)
        positions, unit = np.concatenate([[0.0], np.cumsum(steps)]), size[2]
    return {
        "interval": 1.0 if movie.fps is None else 1 / movie.fps,
        "time_unit": "frame" if movie.fps is None else "s",
        "positions": positions,
        "length_unit": unit,
    }


def compare_slices(movies, line, axes: str | None = None, **options):
    """Slice views of several movies along the same line, to be looked at side by side.

    Parameters
    ----------
    movies : mapping of name to movie, or sequence of movies
        As for :func:`slice_view`; the same frames by different methods, for example.
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
        If there are none, or if the views differ in shape.
    """
    if hasattr(movies, "items"):
        named = list(movies.items())
    else:
        named = [(f"movies[{k}]", movie) for k, movie in enumerate(movies)]
    if not named:
        raise ValueError("movies is empty; give one movie at least")
    views = [slice_view(movie, line, axes, **options) for _, movie in named]
    for (name, _), view in zip(named, views, strict=True):
        if view.shape != views[0].shape:
            raise ValueError(
                f"movies must give views of one shape; {named[0][0]} gives {views[0].shape}, "
                f"{name} gives {view.shape}"
            )
    if any(hasattr(view, "dask") for view in views):
        import dask.array as da

        return da.stack(views)
    return np.stack(views)


def _checked_corners(line) -> np.ndarray:
    try:
        corners = np.asarray(line, dtype=float)
    except (TypeError, ValueError):
        corners = np.empty(0)
    if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 2:
        raise ValueError(
            f"line must be two or more points (y, x) in px, an array of shape (N, 2); got {line!r}"
        )
    if not np.isfinite(corners).all():
        raise ValueError(f"line must be finite; got {corners.tolist()}")
    return corners


def _positive(name: str, value) -> float:
    number = float(value)
    if not (np.isfinite(number) and number > 0):
        raise ValueError(f"{name} must be a finite number above 0 px; got {value!r}")
    return number
