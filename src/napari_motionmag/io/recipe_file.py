"""Recipes in files: how a magnified movie was made."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from napari_motionmag.compute.validate import existing_file
from napari_motionmag.io.zarr_writer import KEY, import_zarr

_TIFF = (".tif", ".tiff")


def read_recipe(path: str | os.PathLike) -> dict:
    """Read the recipe in a ``.tif`` or ``.zarr`` that `save_movie` wrote, or in a JSON file.

    FileNotFoundError or ValueError if there is no such file, or no recipe in it.
    """
    kind = Path(path).suffix.lower()
    path = Path(path) if kind == ".zarr" and Path(path).is_dir() else existing_file("", path)
    read = _of_tiff if kind in _TIFF else _of_zarr if kind == ".zarr" else _of_json
    try:
        recipe = read(path)
    except (ImportError, MemoryError):
        raise
    except Exception as error:  # libraries raise whatever damaged bytes lead them to
        raise ValueError(
            f"{path}: holds no recipe ({type(error).__name__}: {error}); a .tif or .zarr file that "
            "was magnified here does, or a JSON file"
        ) from error
    if not isinstance(recipe, Mapping) or "factor" not in recipe:
        raise ValueError(f"{path}: holds no recipe: a factor is missing")
    return dict(recipe)


def _of_json(path: Path):
    found = json.loads(path.read_text(encoding="utf-8"))
    return found.get("recipe", found) if isinstance(found, dict) else found


def _of_tiff(path: Path):
    import tifffile

    with tifffile.TiffFile(path) as file:
        if file.ome_metadata is None:
            raise ValueError("not an OME-TIFF")
        text = ElementTree.fromstring(file.ome_metadata).findtext(".//{*}Description")
    if text is None:
        raise ValueError("no description")
    return json.loads(text)


def _of_zarr(path: Path):
    return dict(import_zarr().open_group(path, mode="r").attrs)[KEY]["recipe"]
