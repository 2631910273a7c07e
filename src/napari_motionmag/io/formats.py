"""Which file format a path names, and what a file tells of the movie in it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_EXTENSIONS = {
    ".tif": "tiff",
    ".tiff": "tiff",
    ".npy": "npy",
    ".zarr": "zarr",
    ".mp4": "video",
    ".m4v": "video",
    ".mov": "video",
    ".avi": "video",
    ".mkv": "video",
    ".webm": "video",
}
WRITABLE = (".tif", ".tiff", ".npy", ".zarr", ".mp4", ".mov", ".avi")
VIDEO = tuple(extension for extension, kind in _EXTENSIONS.items() if kind == "video")
_ZARR_FILES = ("zarr.json", ".zarray", ".zgroup")


@dataclass(frozen=True)
class Found:
    """What a file tells of its movie."""

    data: Any
    """Array, not read yet."""
    axes: str | None = None
    """Letters in the order of `data`; None when the file does not say."""
    fps: float | None = None
    steps: dict[str, tuple[float, str]] = field(default_factory=dict)
    """Distance between neighbours and its unit, by the letter of the axis."""
    hint: str = ""
    """What to say when the file names axes of which none can be time; `axes` is None then."""


def format_of(path: str | os.PathLike) -> str:
    """Return the format that a path names: tiff, npy, zarr or video.

    Raises
    ------
    ValueError
        When the extension is not known.
    """
    path = Path(path)
    kind = _EXTENSIONS.get(path.suffix.lower())
    if kind is None and is_zarr_store(path):  # an image inside of a store
        kind = "zarr"
    if kind is None:
        raise ValueError(
            f"{path}: unknown extension {path.suffix!r}; can be {', '.join(_EXTENSIONS)}"
        )
    return kind


def is_zarr_store(path: Path) -> bool:
    """Whether `path` is a directory with a zarr array or group in it."""
    return any((path / name).is_file() for name in _ZARR_FILES)
