"""Run temporal operators over numpy and dask arrays, a bounded piece at a time."""

import warnings
from collections.abc import Iterator
from functools import partial
from itertools import product
from math import prod

import numpy as np

# Number of float64 elements filtered at once (8 MiB): small beside a movie, large beside the
# overhead of a call.
_PIECE = 2**20


def check_array(x, axis) -> int:
    """Return the non-negative time axis of `x`, or say why `x` cannot be filtered along it."""
    if x.dtype.kind not in "biuf":
        raise TypeError(f"x must hold real numbers; got dtype {x.dtype}")
    if isinstance(axis, bool) or not hasattr(axis, "__index__"):
        raise TypeError(f"axis must be an integer; got {axis!r}")
    axis = axis.__index__()
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"axis must be within -{x.ndim}..{x.ndim - 1}; got {axis} for {x.shape}")
    if np.isnan(x.shape[axis]):
        raise ValueError("x has unknown chunk sizes along time; call x.compute_chunk_sizes() first")
    if x.shape[axis] < 2:
        raise ValueError(f"x must have at least 2 frames along axis {axis}; got shape {x.shape}")
    return axis % x.ndim


def float_dtype(dtype: np.dtype) -> np.dtype:
    """Return the result's dtype: float32 where it holds all values of `dtype`, else float64."""
    return np.result_type(dtype, np.float32) if dtype.itemsize < 8 else np.dtype(np.float64)


def _pieces(shape: tuple[int, ...]) -> Iterator[tuple[slice, ...]]:
    """Yield indices that cut an array, time first, into pieces with all times and few pixels."""
    sizes = [max(size, 1) for size in shape[1:]]
    for i in range(len(sizes)):
        others = shape[0] * prod(sizes) // sizes[i]
        sizes[i] = max(1, min(sizes[i], _PIECE // others))
        if sizes[i] > 1:
            break
    steps = [range(0, size, step) for size, step in zip(shape[1:], sizes, strict=True)]
    for corner in product(*steps):
        pixels = (slice(at, at + step) for at, step in zip(corner, sizes, strict=True))
        yield (slice(None), *pixels)


def _warn_not_finite() -> None:
    warnings.warn(
        "x holds NaN or infinity: filtering in time loses the time courses of these pixels "
        "(other pixels are not affected)",
        stacklevel=5,
    )


def filter_array(op, x, axis: int, first: int, start: int, stop: int, n: int) -> np.ndarray:
    """Return outputs ``start..stop-1`` of a movie of `n` frames; `x`: those from `first` on."""
    shape = (*x.shape[:axis], stop - start, *x.shape[axis + 1 :])
    out = np.empty(shape, float_dtype(x.dtype))
    if not out.size:
        return out
    source, target = np.moveaxis(x, axis, 0), np.moveaxis(out, axis, 0)
    finite = True
    with np.errstate(invalid="ignore", over="ignore"):  # reported below
        for piece in _pieces(source.shape):
            frames = source[piece].astype(np.float64)
            finite = finite and bool(np.isfinite(frames).all())
            target[piece] = op._filter(frames, first, start, stop, n)
    if not finite:
        _warn_not_finite()
    return out


def scan_array(x, state, *, sos: np.ndarray, axis: int):
    """Filter frames with second-order sections, continuing from the `state` of earlier frames.

    The state is a frame that is subtracted from all, as the sections pass no constant, and the
    delays (sections, 2, ...), float64. Returns the output and the state.
    """
    from scipy import signal  # costs half a second: only where it is used

    out = np.empty(x.shape, float_dtype(x.dtype))
    source, target = np.moveaxis(x, axis, 0), np.moveaxis(out, axis, 0)
    if not len(source):  # an empty block changes nothing
        return out, state
    origin, delays = state[0], np.empty_like(state[1])
    finite = True
    with np.errstate(invalid="ignore", over="ignore"):  # reported below
        for piece in _pieces(source.shape):
            frames = source[piece].astype(np.float64)
            frames -= origin[piece[1:]]
            finite = finite and bool(np.isfinite(frames).all())
            before = state[1][(slice(None), *piece)]
            target[piece], delays[(slice(None), *piece)] = signal.sosfilt(
                sos, frames, axis=0, zi=before
            )
    if not finite:
        _warn_not_finite()
    return out, (origin, delays)


# ---- dask ---------------------------------------------------------------------------------------


def _task(key, function, *arguments):
    """Make a task of a dask graph; each argument is a key or a list of keys."""
    from dask.task_spec import List, Task, TaskRef

    refs = (List(*map(TaskRef, a)) if isinstance(a, list) else TaskRef(a) for a in arguments)
    return Task(key, function, *refs)


def _collection(name: str, graph: dict, x):
    """Make a dask array on `graph`, with the chunks of `x`."""
    import dask.array as da
    from dask.highlevelgraph import HighLevelGraph

    graph = HighLevelGraph.from_collections(name, graph, dependencies=[x])
    meta = np.empty((0,) * x.ndim, float_dtype(x.dtype))
    return da.Array(graph, name, x.chunks, meta=meta)


def _token(op, x, axis: int) -> str:
    from dask.base import tokenize

    return f"{op.name}-{tokenize(x.name, op.to_dict(), axis)}"


def _filter_blocks(blocks, *, op, axis, offset, first, last, start, stop, n) -> np.ndarray:
    """Filter neighboring blocks, the first of which begins at `offset`, to ``start..stop-1``."""
    x = np.concatenate(blocks, axis=axis) if len(blocks) > 1 else np.asarray(blocks[0])
    keep = (slice(None),) * axis + (slice(first - offset, last - offset),)
    return filter_array(op, x[keep], axis, first, start, stop, n)


def filter_dask(op, x, axis: int):
    """Apply an operator that reaches over a window of time to a dask array.

    Each block is one task on the blocks that its window touches: no rechunking, no copy of the
    movie, and a window may span many blocks.
    """
    bounds = np.concatenate([[0], np.cumsum(x.chunks[axis])]).astype(int)
    n = int(bounds[-1])
    name = _token(op, x, axis)
    graph = {}
    for i, (start, stop) in enumerate(zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)):
        # an empty block still needs a frame to know its shape
        first, last = op._window(start, stop, n) if stop > start else (0, 1)
        i0 = int(np.searchsorted(bounds, first, side="right")) - 1
        i1 = int(np.searchsorted(bounds, last, side="left"))
        function = partial(
            _filter_blocks, op=op, axis=axis, offset=int(bounds[i0]), first=first, last=last,
            start=start, stop=stop, n=n,
        )  # fmt: skip
        for before in product(*map(range, x.numblocks[:axis])):
            for after in product(*map(range, x.numblocks[axis + 1 :])):
                key = (name, *before, i, *after)
                sources = [(x.name, *before, j, *after) for j in range(i0, i1)]
                graph[key] = _task(key, function, sources)
    return _collection(name, graph, x)


def _scan_after(x, previous, *, sos, axis):
    return scan_array(x, previous[1], sos=sos, axis=axis)


def _output(scanned):
    return scanned[0]


def _start_of(blocks, *, op, axis, n):
    return None, op._start(np.concatenate(blocks, axis=axis), axis, n)


def scan_dask(op, x, axis: int, first: int):
    """Apply second-order sections to a dask array: blocks of time in turn, carrying the state.

    The state to start from is that of the `first` frames.
    """
    name = _token(op, x, axis)
    scan, start = f"scan-{name}", f"start-{name}"
    graph = {}
    begin = partial(_start_of, op=op, axis=axis, n=x.shape[axis])
    after = partial(_scan_after, sos=op.sos, axis=axis)
    early = int(np.searchsorted(np.cumsum(x.chunks[axis]), first)) + 1
    for index in product(*map(range, x.numblocks)):
        at, block = index[axis], (x.name, *index)

        def along(name, k, index=index):
            return (name, *index[:axis], k, *index[axis + 1 :])

        if at == 0:
            key = (start, *index)
            graph[key] = _task(key, begin, [along(x.name, k) for k in range(early)])
        before = along(scan, at - 1) if at else (start, *index)
        graph[(scan, *index)] = _task((scan, *index), after, block, before)
        graph[(name, *index)] = _task((name, *index), _output, (scan, *index))
    return _collection(name, graph, x)


def subtract_block(x, reference):
    """Subtract a reference of one frame from a block, in float64."""
    with np.errstate(invalid="ignore", over="ignore"):  # reported below
        out = np.subtract(x, reference, dtype=np.float64).astype(float_dtype(x.dtype))
    if not np.isfinite(out).all():
        _warn_not_finite()
    return out
