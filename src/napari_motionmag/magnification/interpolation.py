"""interpolate(): frames between the frames of a movie, or views between views, lazily."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from napari_motionmag.compute.validate import whole_number
from napari_motionmag.magnification.settings import NAMES, OF_THE_MOVIE, MagnifySettings
from napari_motionmag.methods.base import Method, WarnOnce, check_size, make_method
from napari_motionmag.movie.frame_array import FrameArray
from napari_motionmag.movie.frame_source import FrameSource
from napari_motionmag.movie.movie import Movie

if TYPE_CHECKING:
    import dask.array as da

MOST_TIMES = 1000
HOW = ("method", "model", "device", "precision", "tile")  # arguments that `magnify` has too


@dataclass(frozen=True)
class Interpolated(FrameArray):
    """A movie with frames drawn between its own, as an array like the movie's own."""

    movie: Movie  # the source
    n: int  # frames from a frame of the source to the next, which is frame k * n
    method: Method  # draws the others
    recipe: dict = field(default_factory=dict)  # arguments of `interpolate`, as plain values
    warned: WarnOnce = field(default_factory=WarnOnce, repr=False, compare=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape, with the axes of the source."""
        frames = (self.movie.n_frames - 1) * self.n + 1
        whole = zip(self.movie.axes, self.movie.shape, strict=True)
        return tuple(frames if letter == "T" else size for letter, size in whole)

    @property
    def fps(self) -> float | None:
        """Frames per second; None where the source has no rate."""
        return None if self.movie.fps is None else self.movie.fps * self.n

    @property
    def times(self) -> np.ndarray | None:
        """Seconds from the first frame to each: between those of the source."""
        times = self.movie.times
        if times is None:
            return None
        frames = np.arange(len(times))
        return np.interp(np.arange(frames[-1] * self.n + 1) / self.n, frames, times)

    def read(self, t: int, other) -> np.ndarray:
        """Read or draw a frame in the movie's dtype."""
        before, steps = divmod(t, self.n)
        if steps == 0:  # to the last bit
            return self.movie.read(before, other)
        series = tuple(other.values()) if isinstance(other, dict) else tuple(other)
        frames = FrameSource(self.movie, series, warned=self.warned)
        share = steps / self.n
        drawn = self.method.between(frames, before, share)
        nearest = None
        if self.movie.has_alpha:
            nearest = self.movie.read(before if share <= 0.5 else before + 1, other)
        return self.movie.from_unit(drawn, nearest)


def interpolate(
    movie,
    n: int,
    *,
    method: str = "learned",
    axes: str | None = None,
    fps: float | None = None,
    model: str = "default",
    device: str | None = None,
    precision: str | None = None,
    tile: int | None = None,
    intensity_range: tuple[float, float] | None = None,
    **options,
) -> da.Array:
    """Draw frames between the frames of a movie: n-fold slow motion, or views between views.

    Both neighbors are moved towards each other, by magnification of the motion between them with
    factors from 0 to 1, and blended by nearness; with the default network also by how far each is
    to be trusted: what comes to light is taken from the neighbor that shows it.

    Parameters
    ----------
    movie : array, napari Image layer or Movie
        As for :func:`magnify`. Views of a light field, in order, are a movie too: their axis is T.
    n : int
        Frames for each frame of the movie, 2 or more; ``n - 1`` are drawn between neighbors.
    method : {"learned", "phase", "riesz", "linear", "lagrangian"}
        How they are drawn.
    axes, fps, model, device, precision, tile, intensity_range
        As for :func:`magnify`.
    **options
        Options of the method.

    Returns
    -------
    dask.array.Array
        ``(frames - 1) * n + 1`` frames in the dtype of the movie, one a block; nothing is computed
        yet. Each n-th frame is one of the movie, unchanged.

    Raises
    ------
    TypeError, ValueError
        As for :func:`magnify`; or if `n` is not a whole number from 2 to 1000.

    See Also
    --------
    napari_motionmag.interpolated_movie : The same as a `Movie`, with its frame rate.

    References
    ----------
    Oh et al., "Learning-based Video Motion Magnification", ECCV 2018, A.2.6.

    Examples
    --------
    >>> from napari_motionmag import interpolate, samples
    >>> movie, _ = samples.load("cilia", n_frames=3, size=64)
    >>> slow = interpolate(movie, 4, axes="TYX")
    >>> slow.shape
    (9, 64, 64)
    >>> frame = slow[2].compute()  # half-way between the first two
    """
    arguments = dict(locals())
    return interpolated_movie(**arguments.pop("options"), **arguments).as_dask()


def interpolated_movie(movie, n: int, **arguments) -> Movie:
    """Draw frames between the frames of a movie; the result is a movie with its frame rate.

    Parameters
    ----------
    movie, n, **arguments
        As for :func:`interpolate`.

    Returns
    -------
    Movie
        Lazy: a frame is drawn when it is read. Frame rate and step in time are those of the source,
        times `n` and divided by `n`.

    Raises
    ------
    TypeError, ValueError
        As for :func:`interpolate`.

    Examples
    --------
    >>> from napari_motionmag import interpolated_movie, samples
    >>> movie, info = samples.load("cilia", n_frames=3, size=64)
    >>> interpolated_movie(movie, 4, fps=info["fps"], axes="TYX").fps / info["fps"]
    4.0
    """
    n = whole_number("n", n, 2, MOST_TIMES)
    if wrong := [x for x in arguments if x in NAMES and x not in (*HOW, *OF_THE_MOVIE)]:
        raise TypeError(f"interpolate() takes no {wrong[0]!r}")
    settings = MagnifySettings.from_arguments(1.0, **arguments)
    movie = Movie.from_any(movie, **{name: getattr(settings, name) for name in OF_THE_MOVIE})
    how = [getattr(settings, name) for name in HOW]
    method = make_method(*how, dict(settings.options))
    who = f"method {settings.method!r}"
    check_size("movie: frames", movie.frame_shape, method.smallest_frame, who)
    scale = movie.scale
    if scale is not None:
        calibrated = zip(movie.axes.replace("S", ""), scale, strict=True)
        scale = tuple(step / n if letter == "T" else step for letter, step in calibrated)
    recipe = {"interpolate": n, **{name: getattr(settings, name) for name in HOW}}
    recipe |= {"model": str(settings.model), "options": dict(settings.options)}
    data = Interpolated(movie, n, method, recipe)
    return movie.replace(data=data, fps=data.fps, scale=scale)
