"""The data of a lazy layer, of which napari draws no frames that are about to be hidden."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dask.array as da
import numpy as np

_slicing = threading.local()


class LayerFrames(da.Array):
    """A dask array that is blank to napari while its layer is about to be hidden.

    napari slices a layer before anybody can hide it. With time across the picture that would draw
    all frames while the window stands still. Whoever else computes the array, at the same time
    even, gets all of its frames.
    """

    @classmethod
    def of(cls, array: da.Array, unwanted: Callable[[], bool]) -> LayerFrames:
        """Make one of an array; `unwanted` says whether the layer is about to be hidden."""
        frames = cls(array.dask, array.name, array.chunks, meta=array._meta)
        frames.unwanted = unwanted
        return frames

    def __getitem__(self, index):
        part = super().__getitem__(index)
        if getattr(_slicing, "active", False) and self.unwanted():
            return np.broadcast_to(np.zeros((), self.dtype), part.shape)
        return part


def mark_slicing(layer) -> None:
    """Mark what napari reads of a layer's data while it slices that layer."""
    slicer = getattr(layer, "_slicing_state", layer)  # the layer itself in older napari
    slicing = slicer.dask_optimized_slicing

    @contextmanager
    def marked(*arguments) -> Iterator:
        with slicing(*arguments) as context:
            before, _slicing.active = getattr(_slicing, "active", False), True
            try:
                yield context
            finally:
                _slicing.active = before

    slicer.dask_optimized_slicing = marked
