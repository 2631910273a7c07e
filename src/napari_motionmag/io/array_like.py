"""Arrays in files, read only where they are indexed."""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np


class ArrayLike:
    """What NumPy needs to take an object with `shape`, `dtype` and indexing for an array."""

    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype=None, copy=None) -> np.ndarray:
        return np.asarray(self[...], dtype)


class Planes(ArrayLike, ABC):
    """An array in a file that is read plane by plane.

    A subclass sets `path`, `shape`, `dtype` and how many axes lead those of a plane, and defines
    `read`.
    """

    path: Path
    leading: int = 1
    _live: ClassVar[tuple[str, ...]] = ()
    """Attributes that a pickle leaves out; `_reset` makes them anew."""

    @abstractmethod
    def read(self, *where: int) -> np.ndarray:
        """Read the plane at an index along the leading axes."""

    def __getitem__(self, index) -> np.ndarray:
        index = whole_index(index, self.ndim)
        counts, inner = self.shape[: self.leading], index[self.leading :]
        numbers = np.arange(math.prod(counts)).reshape(counts)[index[: self.leading]]
        wanted = zip(*np.unravel_index(numbers.ravel(), counts), strict=True)
        planes = [self.read(*map(int, where))[inner] for where in wanted]
        if numbers.ndim == 0:
            return planes[0]
        if not planes:
            empty = np.broadcast_to(np.empty((), self.dtype), self.shape[self.leading :])[inner]
            return np.empty(numbers.shape + empty.shape, self.dtype)
        return np.stack(planes).reshape(numbers.shape + planes[0].shape)

    def keep_frames(self, count: int, time: int = 0, because: str = "") -> None:
        """Keep the first frames, which are whole, with a warning; not where less than 2 are."""
        if not 2 <= count < self.shape[time]:
            return  # reading says what is missing
        warnings.warn(
            f"{self.path}: promises {self.shape[time]} frames and has {count} whole ones"
            f"{because}; these are read",
            stacklevel=6,
        )
        self.shape = (*self.shape[:time], count, *self.shape[time + 1 :])

    def _reset(self) -> None:
        """Set the attributes that are not pickled, as they are before the first reading."""

    def __getstate__(self):
        return {key: value for key, value in self.__dict__.items() if key not in self._live}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._reset()

    def __dask_tokenize__(self):
        status = self.path.stat()
        return (str(self.path.resolve()), status.st_size, status.st_mtime_ns)


class Reordered(ArrayLike):
    """An array-like with its axes in another order: for each axis, which of `array` it is."""

    def __init__(self, array, order: Sequence[int]):
        self.array = array
        self.order = tuple(order)
        self.shape = tuple(array.shape[axis] for axis in order)
        self.dtype = np.dtype(array.dtype)

    @property
    def chunks(self) -> tuple:
        """Chunks of the array; AttributeError where it has none."""
        return tuple(self.array.chunks[axis] for axis in self.order)

    def __getitem__(self, index) -> np.ndarray:
        index = whole_index(index, self.ndim)
        inner: list = [None] * self.ndim
        for axis, where in zip(self.order, index, strict=True):
            inner[axis] = where
        kept = [
            axis for axis, where in zip(self.order, index, strict=True) if isinstance(where, slice)
        ]
        block = np.asarray(self.array[tuple(inner)])
        return block.transpose([sorted(kept).index(axis) for axis in kept])


def whole_index(index, ndim: int) -> tuple:
    """Return an index with one entry for each axis: ``...`` and what is left out are filled in."""
    index = index if isinstance(index, tuple) else (index,)
    if Ellipsis in index:
        at = index.index(Ellipsis)
        index = index[:at] + (slice(None),) * (ndim - len(index) + 1) + index[at + 1 :]
    return index + (slice(None),) * (ndim - len(index))
