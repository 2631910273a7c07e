"""Zarr arrays, OME-Zarr images (0.1 to 0.5) and arrays that xarray wrote, read lazily."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from napari_motionmag.io.array_like import ArrayLike, Reordered, whole_index
from napari_motionmag.io.formats.base import FileMovie, Format, axes_of
from napari_motionmag.io.metadata import calibration_of, naming_damage, positive_number
from napari_motionmag.io.zarr_writer import (
    KEY,
    check_zarr,
    holds,
    import_zarr,
    is_zarr_store,
    write_zarr,
)
from napari_motionmag.movie.axes import letter_of
from napari_motionmag.movie.frame_times import usual_rate
from napari_motionmag.movie.labelled import step_of
from napari_motionmag.movie.units import meters, seconds, short_name


class ZarrFrames(ArrayLike):
    """A zarr array that says which of its chunks are not there."""

    def __init__(self, path: Path, array):
        self.path = path
        self.array = array
        self.shape = tuple(array.shape)
        self.dtype = np.dtype(array.dtype)
        self.chunks = tuple(array.chunks)
        self._warned = False

    def __getitem__(self, index) -> np.ndarray:
        index = whole_index(index, self.ndim)
        place = ", ".join(_text(where) for where in index)
        with naming_damage(self.path, f"[{place}] cannot be read; the file is damaged"):
            block = np.asarray(self.array[index])
        if not self._warned:
            self._warn_of_missing_chunks(index)
        return block

    def _warn_of_missing_chunks(self, index: tuple) -> None:
        folder = getattr(self.array.store, "root", None)
        if folder is None:
            return
        metadata = self.array.metadata
        grid = getattr(metadata, "chunk_grid", None)
        sizes = metadata.chunks if grid is None else grid.chunk_shape
        places = []
        for where, size, length in zip(index, sizes, self.shape, strict=True):
            numbers = np.atleast_1d(np.arange(length)[where])
            places.append(sorted({int(number) // size for number in numbers}))
        for place in itertools.product(*places):
            key = metadata.encode_chunk_key(place)
            if not Path(folder, self.array.path, key).exists():
                self._warned = True
                warnings.warn(
                    f"{self.path}: chunk {key} is not in the file; it reads as "
                    f"{metadata.fill_value}, as do others that are missing",
                    stacklevel=4,
                )
                return


def _text(where) -> str:
    return ":" if where == slice(None) else str(where)


def read_zarr(path: Path) -> FileMovie:
    """Open a zarr array, the finest level of an OME-Zarr image, or the array of an xarray group."""
    zarr = import_zarr()
    try:
        node = zarr.open(path, mode="r")
    except (FileNotFoundError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path}: not a readable zarr store: {error}") from error
    if isinstance(node, zarr.Array):
        return _read_array(path, node, {})
    attributes = dict(node.attrs)
    ome = attributes.get("ome", attributes)  # 0.5 has a key of its own, older versions have none
    if ome.get("multiscales"):
        return _read_image(path, node, ome["multiscales"][0], attributes.get(KEY, {}))
    arrays = dict(node.arrays())
    movies = [name for name, array in arrays.items() if array.ndim >= 3]
    if len(movies) == 1 and _names(arrays[movies[0]]):
        return _read_array(path, arrays[movies[0]], arrays)
    inside = ", ".join(sorted(f"{path / name}" for name in node)[:6]) or "nothing"
    raise ValueError(f"{path}: is no OME-Zarr image; open one of what is inside: {inside}")


def _names(array) -> list[str]:
    """Return the names of the axes of an array, as zarr 3 or xarray keep them, or nothing."""
    names = getattr(array.metadata, "dimension_names", None)
    names = names or array.attrs.get("_ARRAY_DIMENSIONS") or ()
    return [str(name) for name in names] if None not in names else []


def _read_array(path: Path, array, beside: Mapping) -> FileMovie:
    """Return an array, calibrated by the coordinates `beside` it."""
    names, frames = _names(array), ZarrFrames(path, array)
    if len(names) != array.ndim:
        return FileMovie(frames)
    letters = "".join(map(letter_of, names))
    axes, hint = axes_of(letters, path, array.shape)
    steps, fps = {}, None
    for letter, name in zip(axes or letters, names, strict=True):
        if name not in beside or beside[name].ndim != 1:
            continue
        unit = beside[name].attrs.get("units")
        step, unit, times = step_of(np.asarray(beside[name]), unit, f"{path / name}")
        if letter == "T":
            fps = None if step is None or seconds(unit) is None else 1 / (step * seconds(unit))
            frames.times, frames.fps = times, fps
        elif step is not None and meters(unit) is not None:
            steps[letter] = (step, unit)
    return FileMovie(frames, axes, fps, steps, hint)


def _read_image(path: Path, group, multiscale: Mapping, own: Mapping) -> FileMovie:
    level = multiscale["datasets"][0]
    array = group[level["path"]]
    entries = multiscale.get("axes") or (list("tczyx") if array.ndim == 5 else [])
    names = [entry["name"] if isinstance(entry, Mapping) else entry for entry in entries]
    letters = "".join(map(letter_of, names))
    calibration = calibration_of(
        path, lambda: _calibration(path, letters, entries, level, multiscale, own)
    )
    times = calibration.pop("times", None)
    data = ZarrFrames(path, array)
    if own.get("samples") and "C" in letters:
        # colors are a channel axis in OME-Zarr; give them back where they were
        order = [axis for axis, letter in enumerate(letters) if letter != "C"]
        data = Reordered(data, [*order, letters.index("C")])
        letters = letters.replace("C", "") + "S"
    if times is not None:
        data.times, data.fps = times, calibration["fps"]
    if len(letters) != data.ndim:
        return FileMovie(data, **calibration)
    axes, hint = axes_of(letters, path, data.shape)
    return FileMovie(data, axes, hint=hint, **calibration)


def _calibration(
    path: Path, letters: str, entries: list, level: Mapping, multiscale: Mapping, own: Mapping
) -> dict:
    """Return fps, steps and times of an OME-Zarr image, `own` what was kept when it was written.

    What is no number is left out with a warning.
    """
    factors = np.ones(len(letters))
    for part in (level, multiscale):
        for transformation in part.get("coordinateTransformations", []):
            if transformation["type"] == "scale":
                if "scale" not in transformation:
                    raise ValueError("the scale is kept in a file of its own")
                factors = factors * np.asarray(transformation["scale"], np.float64)
    steps, fps = {}, None
    for letter, entry, factor in zip(letters, entries, factors, strict=True):
        unit = short_name(entry.get("unit", "pixel")) if isinstance(entry, Mapping) else "pixel"
        wide = unit == "pixel" and own and factor != 1  # of a video, as it was written here
        if seconds(unit) is None and meters(unit) is None and not wide:
            continue
        step = positive_number(path, f"scale of {letter}", float(factor))
        if step is None:
            continue
        if letter == "T" and seconds(unit) is not None:
            fps = 1 / (step * seconds(unit))
        elif meters(unit) is not None or (wide and letter in "ZYX"):
            steps[letter] = (step, unit)
    times = None
    if "times" in own:
        times = np.asarray(own["times"], np.float64)
        fps = usual_rate(path, times)
    return {"fps": fps, "steps": steps, "times": times}


FORMAT = Format(
    name="zarr",
    label="OME-Zarr",
    extensions=(".ome.zarr", ".zarr"),
    read=read_zarr,
    writes=(".ome.zarr", ".zarr"),
    check=check_zarr,
    write=write_zarr,
    in_napari=(".zarr",),
    is_folder=True,
    holds=holds,
    recognizes=is_zarr_store,  # an image inside of a store
    rank=1,
)
