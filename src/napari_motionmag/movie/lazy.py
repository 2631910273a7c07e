"""Dask arrays of one frame per block over arrays that are read lazily."""

from __future__ import annotations

import os
import weakref

import numpy as np

_SOURCES: weakref.WeakValueDictionary[str, _Source] = weakref.WeakValueDictionary()


def is_dask(data) -> bool:
    """Whether `data` is a dask array; ``__dask_graph__`` alone does not make one (xarray)."""
    return hasattr(data, "__dask_graph__") and hasattr(data, "rechunk")


def source_behind(data):
    """Return the array that a dask array of `frames_as_dask` reads, or None."""
    hidden = _SOURCES.get(getattr(data, "name", None))
    return None if hidden is None else hidden.array


def paths_behind(data) -> list[str]:
    """Return the paths of the files that an array is read from, as far as they are known."""
    if is_dask(data):
        behind = source_behind(data)
        return [] if behind is None else paths_behind(behind)
    folder = getattr(getattr(data, "store", None), "root", None)
    if folder is not None:  # a zarr array
        return [str(folder)]
    path = getattr(data, "path", None) or getattr(data, "filename", None)
    if isinstance(data, np.ndarray) and path is None and isinstance(data.base, np.ndarray):
        return paths_behind(data.base)
    if path is None and hasattr(data, "array"):
        return paths_behind(data.array)
    return [str(path)] if isinstance(path, str | os.PathLike) and os.path.exists(path) else []


class _Source:
    """Opaque wrapper that keeps dask from inspecting the array."""

    def __init__(self, array):
        self.array = array


def frames_as_dask(source, axes: str, dtype: np.dtype, name: str):
    """Return a dask array whose blocks are the frames of `source`, read when computed.

    Unlike ``dask.array.from_array`` it takes a few milliseconds to compute one frame of a
    hundred thousand, not a hundred.

    Parameters
    ----------
    source : array
        Anything with ``shape`` and indexing by slices.
    axes : str
        One letter per axis; blocks are whole along Y, X and S and of length 1 along the rest.
    dtype : numpy.dtype
        Type of the elements.
    name : str
        Name of the array in graphs, unique to the data.

    Returns
    -------
    dask.array.Array
    """
    import dask.array as da
    from dask.delayed import delayed

    chunks = tuple(
        (size,) if letter in "YXS" else (1,) * size
        for letter, size in zip(axes, source.shape, strict=True)
    )
    hidden = _SOURCES.setdefault(name, _Source(source))
    return da.map_blocks(
        _read,
        chunks=chunks,
        dtype=dtype,
        meta=np.empty((0,) * len(axes), dtype),
        name=name,
        # as a task of its own: sent once to each worker of a cluster, not with every frame
        hidden=delayed(hidden, name=f"source-{name}", traverse=False),
        axes=axes,
    )


def _read(hidden: _Source, axes: str, block_id: tuple[int, ...] | None = None) -> np.ndarray:
    index = tuple(
        slice(None) if letter in "YXS" else slice(place, place + 1)
        for letter, place in zip(axes, block_id, strict=True)
    )
    return np.asarray(hidden.array[index])
