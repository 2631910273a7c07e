"""Pickling of memory maps by the path of their file, without content."""

from __future__ import annotations

import mmap
import os
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class MappedFile:
    """Position of an array's elements in a file."""

    path: str  # absolute
    size: int  # bytes of the file; a file of another size is refused
    offset: int  # byte of the first element
    shape: tuple[int, ...]
    dtype: np.dtype
    strides: tuple[int, ...]  # bytes

    @classmethod
    def of(cls, array: np.ndarray) -> MappedFile | None:
        """Find a memory map, or a view of one, in its file; None for arrays in memory.

        Copy-on-write maps and maps of files without a name count as in memory.
        """
        root = array
        while isinstance(root.base, np.ndarray):
            root = root.base
        mapped = isinstance(root, np.memmap) and isinstance(root.base, mmap.mmap)
        if not mapped or root.filename is None or root.mode == "c":
            return None
        if root.mode != "r":
            root.flush()
        first = array.__array_interface__["data"][0] - root.__array_interface__["data"][0]
        path = str(root.filename)
        offset = root.offset + first
        return cls(path, os.stat(path).st_size, offset, array.shape, array.dtype, array.strides)

    def open(self) -> np.ndarray:
        """Map the file again, for reading."""
        try:
            size = os.stat(self.path).st_size
        except FileNotFoundError:
            raise FileNotFoundError(
                f"{self.path}: not found; workers on other machines need the "
                "movie under the same path"
            ) from None
        if size != self.size:
            raise ValueError(f"{self.path}: changed from {self.size} to {size} bytes")
        content = np.memmap(self.path, np.uint8, "r")
        return np.ndarray(self.shape, self.dtype, content, self.offset, self.strides)


def by_path(data):
    """Return what stands for an array in pickles: a `MappedFile` of a memory map, else itself."""
    mapped = MappedFile.of(data) if isinstance(data, np.ndarray) else None
    return data if mapped is None else mapped


def reopen(data):
    """Undo `by_path`."""
    return data.open() if isinstance(data, MappedFile) else data
