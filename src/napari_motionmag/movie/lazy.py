"""Arrays that are read piece by piece, as dask arrays with one frame a block."""

from __future__ import annotations

import weakref

import numpy as np

_SOURCES: weakref.WeakValueDictionary[str, _Source] = weakref.WeakValueDictionary()


def is_dask(data) -> bool:
    """Whether an array is a dask array; other libraries have ``__dask_graph__``, too."""
    return hasattr(data, "__dask_graph__") and hasattr(data, "rechunk")


def source_behind(data):
    """Return the array that `frames_as_dask` made a dask array of, or None.

    Reading from it needs no graph.
    """
    hidden = _SOURCES.get(getattr(data, "name", None))
    return None if hidden is None else hidden.array


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
        Anything with ``shape`` that slices give NumPy arrays of.
    axes : str
        A letter for each axis; blocks are whole along Y, X and S and of length 1 along the rest.
    dtype : numpy.dtype
        Type of the elements.
    name : str
        Name of the array in graphs: the same for the same data only.

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
    hidden = _SOURCES[name] = _Source(source)
    return da.map_blocks(
        _read,
        chunks=chunks,
        dtype=dtype,
        meta=np.empty((0,) * len(axes), dtype),
        name=name,
        # a key of its own: on a cluster it goes once to each worker, not with each task
        hidden=delayed(hidden, name=f"source-{name}", traverse=False),
        axes=axes,
    )


def _read(hidden: _Source, axes: str, block_id: tuple[int, ...] | None = None) -> np.ndarray:
    index = tuple(
        slice(None) if letter in "YXS" else slice(place, place + 1)
        for letter, place in zip(axes, block_id, strict=True)
    )
    return np.asarray(hidden.array[index])
