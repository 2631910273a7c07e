"""The reader for napari: calibrated movies that napari itself would open without their axes."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from napari_motionmag.io.formats import all_formats
from napari_motionmag.io.reader import open_movie
from napari_motionmag.movie.movie import Movie


def get_reader(path: str | os.PathLike | Sequence) -> Callable | None:
    """Return the napari reader for a video, an OME-TIFF or an OME-Zarr movie.

    Parameters
    ----------
    path : path or list of path
        What the user opens. A list of files that are to be one stack is not for this reader.

    Returns
    -------
    callable or None
        Takes the path and returns layer data tuples for napari. None for anything else, also
        for OME files that are no movies: other readers may know them.
    """
    if not isinstance(path, str | os.PathLike):
        return None
    name = Path(path).name.lower()
    if not any(name.endswith(entry.in_napari) for entry in all_formats() if entry.in_napari):
        return None
    if _is_video(name):  # nobody else reads them: an error is better than none
        return read_layers
    try:
        with warnings.catch_warnings():  # reading repeats them
            warnings.simplefilter("ignore")
            open_movie(path)
    except (ValueError, OSError, ImportError, MemoryError):
        return None
    return read_layers


def _is_video(name: str) -> bool:
    return any(entry.name == "video" and name.endswith(entry.extensions) for entry in all_formats())


def read_layers(path: str | os.PathLike) -> list[tuple]:
    """Return the layer data tuple of a movie file, its frames not read yet."""
    movie = open_movie(path)
    arguments = {
        "name": movie.name,
        "rgb": movie.is_rgb,
        "axis_labels": tuple(movie.axes.replace("S", "").lower()),
        "metadata": {"fps": movie.fps, "path": str(path)},
        # given, so that napari does not read many frames to find them
        "contrast_limits": _contrast_limits(movie, _is_video(Path(path).name.lower())),
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
