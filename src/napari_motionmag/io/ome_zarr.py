"""Zarr arrays and OME-Zarr images (0.4, 0.5), read lazily."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import dask.array as da
import numpy as np

from napari_motionmag.io.formats import Found
from napari_motionmag.io.reader import axes_of
from napari_motionmag.movie.units import metres, seconds, short_name

KEY = "napari_motionmag"


def import_zarr():
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
    zarr = import_zarr()
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
    return _read_image(path, node, ome["multiscales"][0], attributes.get(KEY, {}))


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
