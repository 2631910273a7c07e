"""Arrays in files, read only where they are indexed."""

from __future__ import annotations

from collections.abc import Sequence

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


class Reordered(ArrayLike):
    """An array-like with its axes in another order.

    Parameters
    ----------
    array : array
        Anything with ``shape``, ``dtype`` and indexing by integers and slices.
    order : sequence of int
        For each axis of the result, the axis of `array`.
    """

    def __init__(self, array, order: Sequence[int]):
        self.array = array
        self.order = tuple(order)
        self.shape = tuple(array.shape[axis] for axis in order)
        self.dtype = np.dtype(array.dtype)

    def __getattr__(self, name):
        if name != "chunks":
            raise AttributeError(name)
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
