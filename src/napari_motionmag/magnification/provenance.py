"""Where the movie of a napari layer came from: a file or a sample that can be opened again.

Layers are known by their attributes: nothing here imports napari.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from napari_motionmag.movie.movie import Movie

_ERRORS = (ValueError, TypeError, OSError, ImportError, IndexError)


@dataclass(frozen=True)
class Provenance:
    """Where a movie came from: `path` or `sample`, or neither."""

    path: str = ""  # absolute
    movie: Movie | None = None  # what `napari_motionmag.io.open_movie` makes of the file
    sample: str = ""  # name, and
    overrides: Mapping = field(default_factory=dict)  # arguments of `samples.load`
    expression: str = ""  # otherwise the array, as Python in napari's console, and
    reason: str = ""  # an explanation


def provenance_record(layer) -> dict:
    """Return the file or sample that a layer names, as plain values."""
    source, metadata = getattr(layer, "source", None), layer.metadata
    record = {"layer": layer.name, "multiscale": bool(layer.multiscale)}
    path = getattr(source, "path", None) or metadata.get("path")
    if isinstance(path, str | os.PathLike):
        reader = getattr(source, "reader_plugin", None) or ""
        record |= {"path": os.path.abspath(path), "reader": reader}
    name, overrides = metadata.get("name"), metadata.get("overrides")
    if isinstance(name, str) and isinstance(overrides, Mapping):
        sample = {"sample": name, "overrides": dict(overrides)}
        record |= {**sample, "n_frames": metadata.get("n_frames")}
    return record


def provenance_of(layer, movie: Movie) -> Provenance:
    """Find the file or sample of the movie of a layer; a few frames are compared."""
    return provenance_of_record(provenance_record(layer), movie)


def provenance_of_record(record: Mapping, movie: Movie, *, frames: bool = True) -> Provenance:
    """Find what a record names, and check it by shape, type and, with `frames`, a few frames."""
    if "sample" in record and _is_sample(record, movie, frames):
        return Provenance(sample=record["sample"], overrides=dict(record["overrides"]))
    why = "has no file"
    if record.get("path"):
        try:
            original = _open_same(record["path"], movie, frames)
            return Provenance(path=record["path"], movie=original)
        except _ERRORS as error:
            by = f" by {record['reader']}" if record["reader"] else ""
            why = f"was opened{by} from\n{record['path']}\nwhich gives something else: {error}"
    level = "[0]" if record.get("multiscale") else ""
    return Provenance(
        expression=f"viewer.layers[{record['layer']!r}].data{level}",
        reason=f"Layer {record['layer']!r} {why}.\n"
        "Run this in napari's console, where viewer is, or put your own array in its place.",
    )


def _open_same(path: str, movie: Movie, frames: bool) -> Movie:
    """Open a file; ValueError unless it is the movie."""
    from napari_motionmag.io import open_movie

    try:
        original = open_movie(path)
    except ValueError:  # files without axes
        original = open_movie(path, axes=movie.axes)
    if (original.shape, original.dtype) != (movie.shape, movie.dtype):
        raise ValueError(
            f"{original.shape} {original.dtype} instead of {movie.shape} {movie.dtype}"
        )
    if frames:
        same_axes = original
        if original.axes != movie.axes:
            same_axes = original.replace(axes=movie.axes, scale=None, units=None)
        last = tuple(movie.shape[movie.axes.index(letter)] - 1 for letter in movie.other_axes)
        first = (0,) * len(last)
        for t, other in ((0, first), (movie.n_frames - 1, last)):
            pair = (np.asarray(m.lazy_frame(t, other)) for m in (same_axes, movie))
            if not np.array_equal(*pair):
                raise ValueError("other frames")
    return original


def _is_sample(record: Mapping, movie: Movie, frames: bool) -> bool:
    """Whether a movie is the sample that its layer says it is."""
    from napari_motionmag import samples

    # the first frames are those of a shorter movie, which is quickly rendered
    try:
        few, info = samples.load(record["sample"], **{**record["overrides"], "n_frames": 2})
    except (ValueError, TypeError):  # no such sample, or no such arguments
        return False
    time = info["axes"].index("T")
    shape = few.shape[:time] + (record["n_frames"],) + few.shape[time + 1 :]
    if (movie.shape, movie.dtype) != (shape, few.dtype):
        return False
    first = movie.data[(slice(None),) * time + (slice(0, 2),)]
    return not frames or np.array_equal(few, np.asarray(first))
