"""Lazy arrays: dask arrays of one frame a block, and the files and caches behind arrays."""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any

import numpy as np

from napari_motionmag.compute.cache import Cache
from napari_motionmag.movie.frame_array import FrameArray

_SOURCES: weakref.WeakValueDictionary[str, _Source] = weakref.WeakValueDictionary()
# name of a dask array -> what makes its blocks from a `movie`, as long as it lives
RESULTS: weakref.WeakValueDictionary[str, Any] = weakref.WeakValueDictionary()
_CACHES: dict[tuple[int, str], Cache] = {}
_CACHES_GUARD = threading.Lock()


def is_dask(data) -> bool:
    """Whether `data` is a dask array; ``__dask_graph__`` alone does not make one (xarray)."""
    return hasattr(data, "__dask_graph__") and hasattr(data, "rechunk")


def made_by(data):
    """Return what makes the blocks of a lazy result, and of other arrays those themselves."""
    return RESULTS.get(getattr(data, "name", None), data)


def source_behind(data):
    """Return the array that a dask array of `frames_as_dask` reads, or None."""
    hidden = _SOURCES.get(getattr(data, "name", None))
    return None if hidden is None else hidden.array


def paths_behind(data) -> list[str]:
    """Return the paths of the files that an array is read from, as far as they are known."""
    if is_dask(data):
        steps = getattr(data.dask, "layers", ())  # what it was made of, results among them
        sources = [_SOURCES[name] for name in steps if name in _SOURCES]
        sources += [RESULTS[name].movie.data for name in steps if name in RESULTS]
        return [path for source in sources for path in paths_behind(source)]
    if isinstance(data, FrameArray):
        return paths_behind(data.movie.data)
    folder = getattr(getattr(data, "store", None), "root", None)
    if folder is not None:  # a zarr array
        return [str(folder)]
    path = getattr(data, "path", None) or getattr(data, "filename", None)
    if isinstance(data, np.ndarray) and path is None and isinstance(data.base, np.ndarray):
        return paths_behind(data.base)
    if path is None and hasattr(data, "array"):
        return paths_behind(data.array)
    return [str(path)] if isinstance(path, str | os.PathLike) and os.path.exists(path) else []


def cache_of(data) -> Cache:
    """Return the one cache of a dask array, until items are assigned to it.

    Other arrays may be written to: each movie made of them has a cache of its own.
    """
    if not is_dask(data):
        return Cache()
    key = id(data), data.name
    with _CACHES_GUARD:
        if key not in _CACHES:
            _CACHES[key] = Cache()
            weakref.finalize(data, _CACHES.pop, key, None).atexit = False
        return _CACHES[key]


class _Source:
    """Opaque wrapper that keeps dask from inspecting the array."""

    def __init__(self, array):
        self.array = array


def frames_as_dask(source, axes: str, dtype: np.dtype, name: str):
    """Return a dask array whose blocks are the frames of `source`, read when computed.

    `source` has ``shape`` and indexing by slices; dask arrays are rechunked. `name` is unique to
    the data. Unlike ``dask.array.from_array`` it takes a few milliseconds to compute one frame of a
    hundred thousand, not a hundred.
    """
    import dask.array as da
    from dask.delayed import delayed

    if is_dask(source):
        return source.rechunk(tuple(-1 if letter in "YXS" else 1 for letter in axes))
    chunks = tuple(
        (size,) if letter in "YXS" else (1,) * size
        for letter, size in zip(axes, source.shape, strict=True)
    )
    hidden = _SOURCES.setdefault(name, _Source(source))
    return da.map_blocks(
        _read_block,
        chunks=chunks,
        dtype=dtype,
        meta=np.empty((0,) * len(axes), dtype),
        name=name,
        # as a task of its own: sent once to each worker of a cluster, not with every frame
        hidden=delayed(hidden, name=f"source-{name}", traverse=False),
        axes=axes,
    )


def _read_block(hidden: _Source, axes: str, block_id: tuple[int, ...] | None = None) -> np.ndarray:
    index = tuple(
        slice(None) if letter in "YXS" else slice(place, place + 1)
        for letter, place in zip(axes, block_id, strict=True)
    )
    return np.asarray(hidden.array[index])
