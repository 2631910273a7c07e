"""Zarr: arrays and OME-Zarr images (0.4, 0.5) read lazily; OME-Zarr 0.5 written frame by frame."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import dask.array as da
import numpy as np

from napari_motionmag.io.formats import Found
from napari_motionmag.io.frames import FrameStream
from napari_motionmag.io.reader import axes_of
from napari_motionmag.movie import Movie
from napari_motionmag.units import long_name, metres, seconds, short_name

_KEY = "napari_motionmag"
_STATE = ".unfinished.json"
_TYPES = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}


def _zarr():
    try:
        import zarr
    except ImportError:
        raise ImportError(
            "zarr files need the package zarr: pip install 'napari-motionmag[zarr]'"
        ) from None
    return zarr


def read_zarr(path: Path) -> Found:
    """Open a zarr array, or the finest level of an OME-Zarr image.

    Parameters
    ----------
    path : Path
        Store, or an array or image within.

    Returns
    -------
    Found
    """
    zarr = _zarr()
    try:
        node = zarr.open(path, mode="r")
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not a readable zarr store: {error}") from error
    attributes = dict(node.attrs)
    if isinstance(node, zarr.Array):
        return _read_array(path, node)
    ome = attributes.get("ome", attributes)  # 0.5 has a key of its own, 0.4 had not
    if not ome.get("multiscales"):
        inside = ", ".join(sorted(f"{path / name}" for name in node)[:6]) or "nothing"
        raise ValueError(f"{path}: is no OME-Zarr image; open one of what is inside: {inside}")
    return _read_image(path, node, ome["multiscales"][0], attributes.get(_KEY, {}))


def _read_array(path: Path, array) -> Found:
    names = getattr(array.metadata, "dimension_names", None)
    if not names or None in names:
        return Found(array)
    axes, hint = axes_of("".join(map(_letter, names)), path, array.shape)
    return Found(array, axes, hint=hint)


def _letter(name: str) -> str:
    short = {"time": "T", "channel": "C"}.get(str(name).lower(), str(name).upper())
    return short if len(short) == 1 else "Q"


def _read_image(path: Path, group, multiscale: Mapping, own: Mapping) -> Found:
    level = multiscale["datasets"][0]
    array = group[level["path"]]
    entries = multiscale.get("axes") or []
    names = [entry["name"] if isinstance(entry, Mapping) else entry for entry in entries]
    letters = "".join(map(_letter, names))
    factors = np.ones(array.ndim)
    for part in (level, multiscale):
        for transformation in part.get("coordinateTransformations", []):
            if transformation["type"] == "scale":
                factors = factors * transformation["scale"]
    steps, fps = {}, None
    for letter, entry, factor in zip(letters, entries, factors, strict=False):
        unit = short_name(entry.get("unit", "pixel")) if isinstance(entry, Mapping) else "pixel"
        if letter == "T" and seconds(unit) is not None:
            fps = 1 / (float(factor) * seconds(unit))
        elif metres(unit) is not None:
            steps[letter] = (float(factor), unit)
    data = array
    if own.get("samples") and "C" in letters:
        # colours are a channel axis in OME-Zarr; give them back where they were
        data = da.moveaxis(da.from_zarr(array), letters.index("C"), -1)
        letters = letters.replace("C", "") + "S"
    if len(letters) != data.ndim:
        return Found(data, fps=fps, steps=steps)
    axes, hint = axes_of(letters, path, tuple(data.shape))
    return Found(data, axes, fps, steps, hint)


def check_zarr(movie: Movie | None) -> None:
    """Raise an error when a movie cannot be OME-Zarr, or zarr is not there."""
    _zarr()
    if movie is not None and movie.is_rgb and "C" in movie.axes:
        raise ValueError(
            f"OME-Zarr has one channel axis, the movie has axes {movie.axes!r}: write each "
            "channel or use .tif"
        )


def write_zarr(
    path: Path, stream: FrameStream, recipe: Mapping | None = None, resume: bool = False
) -> None:
    """Write an OME-Zarr 0.5 image, one frame a chunk.

    Parameters
    ----------
    path : Path
        Directory to make; with `resume`, one that an interrupted writing left is continued.
    stream : FrameStream
        Movie to write. The axes are put in the order T, C, Z, Y, X that OME-Zarr asks for.
    recipe : mapping, optional
        How the movie was made; kept with it. Must be the same to resume.
    resume : bool
        Keep a record of how far the writing got, and go on from there.

    Raises
    ------
    ValueError
        When the record is of another movie.
    """
    zarr = _zarr()
    movie = stream.movie
    sizes = dict(zip(movie.axes.replace("S", "C"), movie.shape, strict=True))
    axes = "".join(letter for letter in "TCZYX" if letter in sizes)
    order = "".join(letter for letter in "TCZ" if letter in movie.axes)
    stamp = {
        "shape": list(movie.shape),
        "axes": movie.axes,
        "dtype": movie.dtype.str,
        "recipe": recipe,
    }
    done = _resumed(path, stamp) if resume else 0
    if done:
        array = zarr.open_group(path, mode="r+")["0"]
    else:
        group = zarr.open_group(path, mode="w", zarr_format=3)
        group.attrs.update(_attributes(movie, axes, recipe))
        array = group.create_array(
            "0",
            shape=tuple(sizes[letter] for letter in axes),
            chunks=tuple(1 if letter in order else sizes[letter] for letter in axes),
            dtype=movie.dtype.newbyteorder("="),
            dimension_names=[letter.lower() for letter in axes],
        )
    state = path / _STATE
    for index, frame in stream.frames(order, done):
        if resume:
            _save(state, stamp | {"done": done})  # the frames before this one are written
        where = dict(zip(order, index, strict=True))
        region = tuple(where.get(letter, slice(None)) for letter in axes)
        array[region] = np.moveaxis(frame, -1, 0) if movie.is_rgb else frame
        done += 1
    state.unlink(missing_ok=True)


def _resumed(path: Path, stamp: Mapping) -> int:
    """Return how many frames of the same movie are written at `path`."""
    state = path / _STATE
    if not state.is_file():
        return 0
    found = json.loads(state.read_text())
    done = found.pop("done")
    if found != json.loads(json.dumps(stamp)):
        raise ValueError(
            f"the unfinished {path} is of another movie or other settings; remove it, or write "
            "without resuming"
        )
    return done


def _save(state: Path, content: Mapping) -> None:
    beside = state.with_suffix(".new")
    beside.write_text(json.dumps(content))
    os.replace(beside, state)


def _attributes(movie: Movie, axes: str, recipe: Mapping | None) -> dict:
    """Return the OME-Zarr metadata of a movie whose axes are put in the order `axes`."""
    calibrated = movie.axes.replace("S", "")
    scale = dict(zip(calibrated, movie.scale or [1.0] * len(calibrated), strict=True))
    units = dict(zip(calibrated, movie.units or ["pixel"] * len(calibrated), strict=True))
    if movie.fps is not None:
        scale["T"], units["T"] = 1 / movie.fps, "s"
    described = []
    for letter in axes:
        entry = {"name": letter.lower(), "type": _TYPES[letter]}
        unit = long_name(units.get(letter, "pixel"))
        if unit is not None:
            entry["unit"] = unit
        described.append(entry)
    level = {
        "path": "0",
        "coordinateTransformations": [
            {"type": "scale", "scale": [abs(scale.get(letter, 1.0)) for letter in axes]}
        ],
    }
    image = {"name": movie.name or "movie", "axes": described, "datasets": [level]}
    own = {"samples": movie.is_rgb} | ({} if recipe is None else {"recipe": recipe})
    return {"ome": {"version": "0.5", "multiscales": [image]}, _KEY: own}
