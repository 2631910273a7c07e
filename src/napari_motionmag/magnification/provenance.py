"""Where the movie of a napari layer came from: a file or a sample that can be opened again.

By the layer's traits: nothing here imports napari.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from napari_motionmag.movie.movie import Movie

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
    expression : str
        Where there is neither: the array, as Python, in napari's console.
    why : str
        In that case, why, for people.
    """

    path: str = ""
    movie: Movie | None = None
    sample: str = ""
    overrides: Mapping = field(default_factory=dict)
    expression: str = ""
    why: str = ""


def traits_of(layer) -> dict:
    """Return what a layer says of its origin, as plain values; see `recorded_origin`."""
    path, reader = _path_of(layer)
    traits = {"layer": layer.name, "multiscale": bool(layer.multiscale)}
    if path:
        traits |= {"path": path, "reader": reader}
    name, overrides = layer.metadata.get("name"), layer.metadata.get("overrides")
    if isinstance(name, str) and isinstance(overrides, Mapping):
        told = {"sample": name, "overrides": dict(overrides)}
        traits |= told | {"n_frames": layer.metadata.get("n_frames")}
    return traits


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
    return recorded_origin(traits_of(layer), movie)


def recorded_origin(traits: Mapping, movie: Movie, *, frames: bool = True) -> Origin:
    """Find out what `traits_of` a layer mean.

    Parameters
    ----------
    traits : mapping
    movie : Movie
        The movie of the layer.
    frames : bool
        Whether frames are compared, and not shape and type alone.

    Returns
    -------
    Origin
    """
    if "sample" in traits and _is_sample(traits, movie, frames):
        return Origin(sample=traits["sample"], overrides=dict(traits["overrides"]))
    said = "has no file"
    if traits.get("path"):
        try:
            return Origin(path=traits["path"], movie=_opened(traits["path"], movie, frames))
        except _ERRORS as error:
            by = f" by {traits['reader']}" if traits["reader"] else ""
            said = f"was opened{by} from\n{traits['path']}\nwhich gives something else: {error}"
    level = "[0]" if traits.get("multiscale") else ""
    return Origin(
        expression=f"viewer.layers[{traits['layer']!r}].data{level}",
        why=f"Layer {traits['layer']!r} {said}.\n"
        "Run this in napari's console, where viewer is, or put your own array in its place.",
    )


def _path_of(layer) -> tuple[str, str]:
    """Return the file of a layer and the reader that opened it, or nothing."""
    told = getattr(layer, "source", None)
    path = getattr(told, "path", None) or layer.metadata.get("path")
    if not isinstance(path, str | os.PathLike):
        return "", ""
    return os.path.abspath(path), getattr(told, "reader_plugin", None) or ""


def _opened(path: str, movie: Movie, frames: bool) -> Movie:
    from napari_motionmag.io import open_movie

    try:
        told = open_movie(path)
    except ValueError:  # files that do not tell their axes
        told = open_movie(path, axes=movie.axes)
    if (told.shape, told.dtype) != (movie.shape, movie.dtype):
        raise ValueError(f"{told.shape} {told.dtype} instead of {movie.shape} {movie.dtype}")
    if frames:
        found = told
        if told.axes != movie.axes:
            found = told.replace(axes=movie.axes, scale=None, units=None)
        last = movie.n_frames - 1
        if not (_agree(found, movie, 0, 0) and _agree(found, movie, last, -1)):
            raise ValueError("other frames")
    return told


def _agree(a: Movie, b: Movie, t: int, series: int) -> bool:
    where = tuple(0 if series == 0 else a.shape[a.axes.index(x)] - 1 for x in a.other_axes)
    return np.array_equal(np.asarray(a.lazy_frame(t, where)), np.asarray(b.lazy_frame(t, where)))


def _is_sample(traits: Mapping, movie: Movie, frames: bool) -> bool:
    """Whether a movie is the sample that its layer says it is."""
    from napari_motionmag import samples

    if traits["sample"] not in samples.NAMES:
        return False
    # the first frames are those of a shorter movie, which is quickly rendered
    few, told = samples.load(traits["sample"], **{**traits["overrides"], "n_frames": 2})
    time = told["axes"].index("T")
    shape = few.shape[:time] + (traits["n_frames"],) + few.shape[time + 1 :]
    if (movie.shape, movie.dtype) != (shape, few.dtype):
        return False
    first = movie.data[(slice(None),) * time + (slice(0, 2),)]
    return not frames or np.array_equal(few, np.asarray(first))
