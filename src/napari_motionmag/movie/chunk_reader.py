"""Read one frame of an array in chunks, dask and zarr among them, without the cost of all chunks.

``array[t].compute()`` of dask visits every chunk: 20 ms for ten thousand of a derived array, and a
temporal filter reads dozens of frames. Here only the tasks of the frame's own chunks are looked
up, and a chunk that holds several frames is kept for the next of them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from napari_motionmag.compute.cache import Cache
from napari_motionmag.movie.lazy import is_dask, source_behind

MOST_KEPT_BYTES = 512 * 2**20  # twice the chunks that a frame lies in; larger ones are not kept


def read_part(data, index: Sequence[int | slice], cache: Cache) -> np.ndarray:
    """Return ``numpy.asarray(data[index])``, fast for one frame after another.

    `index`: an int or a slice of step 1 for each axis. Chunks are kept in `cache`, that of `data`.
    """
    index = tuple(index)
    if isinstance(data, np.ndarray):
        return data[index]
    if is_dask(data):
        behind = source_behind(data)
        if behind is not None:
            return read_part(behind, index, cache)
        return _read_dask(data, index, cache)
    chunks = getattr(data, "chunks", None)
    if isinstance(chunks, tuple) and all(isinstance(size, int) for size in chunks):
        return _read_chunks(data, index, chunks, cache)
    return np.asarray(data[index])


# ---- files with chunks ----


def _read_chunks(data, index: tuple, chunks: tuple[int, ...], cache: Cache) -> np.ndarray:
    wide, inside = [], []
    for where, size, length in zip(index, chunks, data.shape, strict=True):
        if isinstance(where, slice):
            wide.append(where)
            inside.append(slice(None))
        else:
            first = where // size * size
            wide.append(slice(first, min(first + size, length)))
            inside.append(where - first)
    together = [w.indices(n) for w, n in zip(wide, data.shape, strict=True)]
    size = int(np.prod([stop - start for start, stop, _ in together])) * data.dtype.itemsize
    several = any(
        isinstance(where, int) and last - first > 1
        for where, (first, last, _) in zip(index, together, strict=True)
    )
    if not several or 2 * size > MOST_KEPT_BYTES:
        return np.asarray(data[index])
    key = ("chunk", tuple(together))
    return cache.get(key, lambda: np.asarray(data[tuple(wide)]))[tuple(inside)]


# ---- dask ----


def _read_dask(data, index: tuple, cache: Cache) -> np.ndarray:
    ranges, inside, several = [], [], False
    for axis, (where, sizes) in enumerate(zip(index, data.chunks, strict=True)):
        ends = cache.get(("chunk ends", axis), lambda sizes=sizes: np.cumsum(sizes))
        if isinstance(where, slice):
            start, stop, _ = where.indices(int(ends[-1]))
        else:
            start, stop = where, where + 1
        first, last = (int(np.searchsorted(ends, at, side="right")) for at in (start, stop - 1))
        begins = int(ends[first]) - sizes[first]
        ranges.append(range(first, last + 1))
        if isinstance(where, slice):
            inside.append(slice(start - begins, stop - begins))
        else:
            inside.append(where - begins)
            several |= sizes[first] > 1
    keys = [(data.name, *place) for place in itertools.product(*ranges)]
    blocks = _blocks(data, keys, cache, several)
    if blocks is None:
        return np.asarray(data[index].compute(scheduler="synchronous"))
    if len(blocks) == 1:
        return blocks[keys[0]][tuple(inside)]

    def nested(place: tuple[int, ...]):
        if len(place) == len(ranges):
            return blocks[data.name, *place]
        return [nested((*place, number)) for number in ranges[len(place)]]

    return np.block(nested(()))[tuple(inside)]


def _blocks(data, keys: list[tuple], cache: Cache, several: bool) -> dict | None:
    """Compute blocks in this thread; None where only dask itself can."""
    blocks = {key: cache.peek(("chunk", key)) for key in keys} if several else {}
    missing = [key for key in keys if blocks.get(key) is None]
    if not missing:
        return blocks
    graph = _tasks(data, missing)
    if graph is None:
        return None
    from dask.local import get_sync

    for key, block in zip(missing, get_sync(graph, missing), strict=True):
        blocks[key] = np.asarray(block)
        if several and 2 * len(keys) * blocks[key].nbytes <= MOST_KEPT_BYTES:
            cache.put(("chunk", key), blocks[key])
    return blocks


def _tasks(data, keys: list[tuple]) -> dict | None:
    """Return the tasks that keys need; None for graphs without layers."""
    from dask.blockwise import Blockwise
    from dask.core import keys_in_tasks

    layers = getattr(data.dask, "layers", None)
    if layers is None:
        return None
    graph: dict = {}
    needed = set(keys)
    while needed:
        by_layer: dict[str, set] = {}
        for key in needed:
            name = _layer_of(key, layers)
            if name is None:
                return None
            by_layer.setdefault(name, set()).add(key)
        needed = set()
        for name, own in by_layer.items():
            layer = layers[name]
            if isinstance(layer, Blockwise):
                culled, dependencies = layer.cull(own, set())
                part = {key: culled[key] for key in own}
                needed.update(*dependencies.values())
            else:
                part = {key: layer[key] for key in own}
            near = _Keys(layers, {name, *data.dask.dependencies.get(name, ())})
            needed |= keys_in_tasks(near, part.values())
            graph |= part
        needed -= graph.keys()
    return graph


def _layer_of(key, layers, near=None) -> str | None:
    """Return the name of the layer that holds a key."""
    name = key[0] if isinstance(key, tuple) and key else key
    if isinstance(name, str) and name in layers and (near is None or name in near):
        return name
    names = layers if near is None else near
    return next((name for name in names if key in layers[name]), None)


class _Keys:
    """The keys of some layers, without a list of them."""

    def __init__(self, layers, names: set[str]):
        self._layers, self._names = layers, names

    def __contains__(self, key) -> bool:
        is_key = isinstance(key, (str, tuple))  # numbers would be looked up in vain
        return is_key and _layer_of(key, self._layers, self._names) is not None
