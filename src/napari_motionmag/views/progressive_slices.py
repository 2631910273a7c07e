"""Slice views from coarse to fine: a few frames first, then those between."""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Iterator

import numpy as np

from napari_motionmag.views.estimators.magnified_frames import TOGETHER
from napari_motionmag.views.estimators.series import BLOCK_BYTES, Series, as_movie
from napari_motionmag.views.slices import Line, LineSampler, sample_dtype

FIRST = 24  # rows of the first, coarse view
BATCH_SECONDS = 0.2  # so long may it take until something new is seen


def slice_passes(
    movie,
    line,
    axes: str | None = None,
    width: float = 1,
    order: int = 1,
    *,
    step: float = 1.0,
    at=None,
    outside: str = "raise",
    first: int = FIRST,
) -> Iterator[tuple[int, np.ndarray]]:
    """Draw a line over time from coarse to fine, for movies whose frames take long to compute.

    Parameters
    ----------
    movie, line, axes, width, order, step, at, outside
        As for :func:`napari_motionmag.views.slice_view`.
    first : int
        About so many frames, evenly spaced, make the first view.

    Yields
    ------
    done : int
        How many frames are there, up to all of the movie.
    view : ndarray, shape (T, L) or (T, L, 3)
        The same array each time. Rows of frames that are not there yet repeat the one before, or
        are NaN; after the last step it is what ``slice_view`` gives.

    Raises
    ------
    ValueError, TypeError
        As :func:`napari_motionmag.views.slice_view`, at once.
    """
    movie = as_movie(movie, axes)
    sampler = LineSampler(Line(line, width, step), movie.frame_shape[:2], order, outside)
    series = Series(movie, at, sampler.window)
    if not isinstance(first, int) or first < 1:
        raise ValueError(f"first must be a whole number above 0; got {first!r}")
    return _passes(series, sampler, first)


def _passes(series: Series, sampler: LineSampler, first: int):
    n = series.n_frames
    dtype = sample_dtype(series.movie.dtype)
    colours = (3,) if series.movie.is_rgb else ()
    view = np.full((n, sampler.length, *colours), np.nan, dtype)
    edges = _units(series)
    done = 0
    for chosen, reach in _coarse_to_fine(len(edges) - 1, first):
        for batch in _batches(chosen, edges, series):
            for start, rows in _read(batch, edges, series, sampler, dtype):
                stop = start + len(rows)
                view[start:stop] = rows
                unit = int(np.searchsorted(edges, start, side="right")) - 1
                view[stop : edges[min(unit + reach, len(edges) - 1)]] = rows[-1]
                done += len(rows)
            yield done, view


def _units(series: Series) -> np.ndarray:
    """Borders between runs of frames that are read together, as the data's chunks are."""
    starts = series.chunk_starts()
    n = series.n_frames
    if not len(starts):
        return np.arange(n + 1)
    per_frame = np.prod(series.movie.frame_shape) * series.movie.dtype.itemsize
    most = max(1, int(BLOCK_BYTES // per_frame))
    edges = sorted({0, n, *(int(c) for c in starts if 0 < c < n)})
    cut = [range(a, b, most) for a, b in itertools.pairwise(edges)]
    return np.array([*itertools.chain.from_iterable(cut), n])


def _coarse_to_fine(count: int, first: int) -> Iterator[tuple[range, int]]:
    """Yield units of each pass, and how many units each of them stands for meanwhile."""
    stride = 1 << max(0, math.ceil(math.log2(count / first)))
    yield range(0, count, stride), stride
    while stride > 1:
        stride //= 2
        yield range(stride, count, 2 * stride), stride


def _batches(chosen: range, edges: np.ndarray, series: Series) -> Iterator[range]:
    """Cut the units of a pass into batches that take about BATCH_SECONDS."""
    single = len(edges) - 1 == series.n_frames  # others are read one at a time
    per_frame = int(np.prod(series.shape)) * series.movie.dtype.itemsize * 3
    most = max(1, BLOCK_BYTES // per_frame) if single else 1
    least = 1 if series.magnified is None else TOGETHER
    at, size = 0, least
    while at < len(chosen):
        begun = time.perf_counter()
        batch = chosen[at : at + size]
        yield batch
        at += len(batch)
        each = (time.perf_counter() - begun) / len(batch)
        size = max(least, int(min(BATCH_SECONDS / max(each, 1e-6), most, 4 * size)))


def _read(batch: range, edges, series: Series, sampler: LineSampler, dtype):
    """Yield (first frame, rows) for each unit of a batch; single frames are read together."""
    if len(batch) == 1:
        start, stop = int(edges[batch[0]]), int(edges[batch[0] + 1])
        yield start, sampler(series.read(start, stop), dtype)
        return
    rows = sampler(series.read(batch.start, batch.stop, batch.step), dtype)
    yield from ((t, rows[k : k + 1]) for k, t in enumerate(batch))
