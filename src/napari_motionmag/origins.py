"""Where the movie of a napari layer came from: a file or a sample that can be opened again.

By the layer's traits: nothing here imports napari.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from napari_motionmag.movie import Movie

_ERRORS = (ValueError, TypeError, OSError, ImportError, IndexError)


@dataclass(frozen=True)
class Origin:
    """Where a movie came from: `path` or `sample`, or neither.

    Attributes
    ----------
    path : str
        The file, absolute.
    movie : Movie, optional
        What `napari_motionmag.io.open_movie` makes of the file by itself.
    sample : str
        Name of the sample.
    overrides : mapping
        Arguments of `napari_motionmag.samples.load`.
    why : str
        Where there is neither: why, for people.
    """

    path: str = ""
    movie: Movie | None = None
    sample: str = ""
    overrides: Mapping = field(default_factory=dict)
    why: str = ""


def origin_of(layer, movie: Movie) -> Origin:
    """Find out where the movie of a layer came from.

    What is found is opened, and a few of its frames are compared with those of the movie, so
    that what was changed since is not taken for the original.

    Parameters
    ----------
    layer : napari.layers.Image
    movie : Movie
        The movie of the layer.

    Returns
    -------
    Origin
    """
    sample = _sample_of(layer, movie)
    if sample is not None:
        return sample
    path, reader = _path_of(layer)
    if not path:
        said = "has no file"
    else:
        try:
            return Origin(path=path, movie=_opened(path, movie))
        except _ERRORS as error:
            by = f" by {reader}" if reader else ""
            said = f"was opened{by} from\n{path}\nwhich gives something else here: {error}"
    why = (
        f"Layer {layer.name!r} {said}.\n"
        "Run this in napari's console, where viewer is, or put your own array in its place."
    )
    return Origin(why=why)


def _path_of(layer) -> tuple[str, str]:
    """Return the file of a layer and the reader that opened it, or nothing."""
    told = getattr(layer, "source", None)
    path = getattr(told, "path", None) or layer.metadata.get("path")
    if not isinstance(path, str | os.PathLike):
        return "", ""
    return os.path.abspath(path), getattr(told, "reader_plugin", None) or ""


def _opened(path: str, movie: Movie) -> Movie:
    from napari_motionmag.io import open_movie

    try:
        told = open_movie(path)
    except ValueError:  # files that do not tell their axes
        told = open_movie(path, axes=movie.axes)
    found = told
    if told.axes != movie.axes:
        found = told.replace(axes=movie.axes, scale=None, units=None)
    if (found.shape, found.dtype) != (movie.shape, movie.dtype):
        raise ValueError(f"{found.shape} {found.dtype} instead of {movie.shape} {movie.dtype}")
    last = movie.n_frames - 1
    if not (_agree(found, movie, 0, 0) and _agree(found, movie, last, -1)):
        raise ValueError("other frames")
    return told


def _agree(a: Movie, b: Movie, t: int, series: int) -> bool:
    where = tuple(0 if series == 0 else a.shape[a.axes.index(x)] - 1 for x in a.other_axes)
    return np.array_equal(np.asarray(a.lazy_frame(t, where)), np.asarray(b.lazy_frame(t, where)))


def _sample_of(layer, movie: Movie) -> Origin | None:
    """Return the sample that a layer shows, if it does."""
    from napari_motionmag import samples

    about = layer.metadata
    name, overrides = about.get("name"), about.get("overrides")
    if name not in samples.NAMES or not isinstance(overrides, Mapping):
        return None
    # the first frames are those of a shorter movie, which is quickly rendered
    few, told = samples.load(name, **{**overrides, "n_frames": 2})
    time = told["axes"].index("T")
    if movie.ndim != few.ndim or movie.shape[time] != about.get("n_frames"):
        return None
    first = movie.data[(slice(None),) * time + (slice(0, 2),)]
    if movie.dtype != few.dtype or not np.array_equal(few, np.asarray(first)):
        return None
    return Origin(sample=name, overrides=dict(overrides))
