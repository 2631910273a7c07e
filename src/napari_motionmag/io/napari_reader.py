"""The reader for napari: calibrated movies that napari itself would open without their axes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from napari_motionmag.io.formats import all_formats, format_of
from napari_motionmag.io.reader import open_movie
from napari_motionmag.movie.movie import Movie

_NAPARI_READS = ("tiff", "zarr")  # though without the axes


def get_reader(path: str | os.PathLike | Sequence) -> Callable | None:
    """Return what reads a movie file as layer data tuples for napari, or None for anything else.

    A list of files that are to be one stack is not for this reader, nor are TIFF, OME and
    microscope files that are no movies: other readers may know them.
    """
    if not isinstance(path, str | os.PathLike):
        return None
    name = Path(path).name.lower()
    found = [entry for entry in all_formats() if name.endswith(entry.in_napari)]
    if not found:
        return None
    if found[0].name == "video":  # nobody else reads them well: an error is better than none
        return read_layers
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            movie = open_movie(path)
    except ImportError:
        return None if found[0].name in _NAPARI_READS else read_layers
    except Exception:  # whatever is wrong with the file, napari has other readers to try
        return None
    return partial(read_layers, opened=(movie, caught))


def read_layers(path: str | os.PathLike, opened: tuple | None = None) -> list[tuple]:
    """Return the layer data tuple of a movie, which may be `opened` already, with its warnings."""
    movie, caught = opened or (open_movie(path), ())
    for warning in caught:
        warnings.warn(str(warning.message), warning.category, stacklevel=2)
    note = getattr(movie.data, "rate_note", "")
    note = {"fps_note": note} if note else {}
    arguments = {
        "name": movie.name,
        "rgb": movie.is_rgb,
        "axis_labels": tuple(movie.axes.replace("S", "").lower()),
        "metadata": {"fps": movie.fps, "path": str(path), **note},
        # given, so that napari does not read many frames to find them
        "contrast_limits": _contrast_limits(movie, is_video=format_of(path).name == "video"),
    }
    if movie.scale is not None:
        arguments |= {"scale": movie.scale, "units": movie.units}
    return [(movie.as_dask(), arguments, "image")]


def _contrast_limits(movie: Movie, is_video: bool) -> tuple[float, float]:
    if is_video:  # seeking is slow, and what cameras write fills the range
        return 0, int(np.iinfo(movie.dtype).max)
    low, high = movie.intensity_range
    if movie.dtype.kind in "iu":
        limits = np.iinfo(movie.dtype)
        low, high = max(low, limits.min), min(high, limits.max)
    return low, high
