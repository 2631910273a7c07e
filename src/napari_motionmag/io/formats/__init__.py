"""The file formats: every module of this folder that declares a `FORMAT`.

To add a format, add a module here (and its patterns to napari.yaml where napari is to offer it).
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from functools import cache
from pathlib import Path

from napari_motionmag.io.formats.base import FileMovie, Format, WriteOptions, axes_of

__all__ = [
    "FileMovie",
    "Format",
    "WriteOptions",
    "all_formats",
    "axes_of",
    "dialog_filter",
    "format_of",
    "readable",
    "writable",
]


@cache
def all_formats() -> tuple[Format, ...]:
    """Return the file formats in the order in which lists show them."""
    modules = (
        importlib.import_module(f"{__name__}.{entry.name}")
        for entry in pkgutil.iter_modules(__path__)
    )
    found = [module.FORMAT for module in modules if hasattr(module, "FORMAT")]
    return tuple(sorted(found, key=lambda entry: entry.rank))


def readable() -> tuple[str, ...]:
    """Return the endings of the files that are read."""
    return tuple(ending for entry in all_formats() for ending in entry.extensions)


def writable() -> tuple[str, ...]:
    """Return the endings of the files that are written."""
    return tuple(ending for entry in all_formats() for ending in entry.writes)


def dialog_filter() -> str:
    """Return the formats that are written as a file dialog of Qt wants them."""
    return ";;".join(
        f"{entry.label} ({' '.join(f'*{ending}' for ending in entry.writes)})"
        for entry in all_formats()
        if entry.writes
    )


def format_of(path: str | os.PathLike) -> Format:
    """Return the format that a path names.

    Raises
    ------
    ValueError
        When the extension is unknown.
    """
    path = Path(path)
    name = path.name.lower()
    found = next((entry for entry in all_formats() if name.endswith(entry.extensions)), None)
    is_pattern = any(sign in name for sign in "*?[") and not path.exists()
    if found is None or is_pattern:
        found = next((entry for entry in all_formats() if entry.recognizes(path)), found)
    if found is None:
        endings = ", ".join(readable())
        raise ValueError(f"{path}: unknown extension {path.suffix!r}; can be {endings}")
    return found
