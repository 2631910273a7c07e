"""Slice views from coarse to fine: a few frames first, then those between."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import numpy as np

from napari_motionmag.compute.validate import whole_number
from napari_motionmag.views.estimators.lines import Line, LineSampler, sample_dtype
from napari_motionmag.views.estimators.series import BATCH, Series, as_movie

FIRST = 24  # rows of the first, coarse view
BATCH_SECONDS = 0.2  # between views that show something new


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
        About how many frames, evenly spaced, make the first view.

    Yields
    ------
    done : int
        Number of frames drawn, in the end all of the movie.
    view : ndarray, shape (T, L) or (T, L, 3)
        The same array each time. Rows of frames yet to come repeat the one before, or are NaN;
        after the last step it equals ``slice_view(...)``.

    Raises
    ------
    ValueError, TypeError
        As :func:`napari_motionmag.views.slice_view`, at once.

    Examples
    --------
    >>> from napari_motionmag import samples, views
    >>> movie, info = samples.load("strings", n_frames=60)
    >>> for done, view in views.slice_passes(movie, [(10, 40), (60, 40)]):
    ...     pass
    >>> done, view.shape
    (60, (60, 51))
    """
    movie = as_movie(movie, axes)
    sampler = LineSampler(Line(line, width, step), movie.frame_shape[:2], order, outside)
    series = Series(movie, at, sampler.window)
    return _passes(series, sampler, whole_number("first", first, 1))


def _passes(series: Series, sampler: LineSampler, first: int):
    n = series.n_frames
    dtype = sample_dtype(series.movie.dtype)
    channels = (3,) if series.movie.is_rgb else ()
    view = np.full((n, sampler.length, *channels), np.nan, dtype)
    edges = np.array(series.edges())
    done = 0
    for chosen, reach in _coarse_to_fine(len(edges) - 1, first):
        for batch in _batches(chosen, single=len(edges) - 1 == n, series=series):
            for start, rows in _read(batch, edges, series, sampler, dtype):
                stop = start + len(rows)
                view[start:stop] = rows
                unit = int(np.searchsorted(edges, start, side="right")) - 1
                view[stop : edges[min(unit + reach, len(edges) - 1)]] = rows[-1]
                done += len(rows)
            yield done, view


def _coarse_to_fine(count: int, first: int) -> Iterator[tuple[range, int]]:
    """Yield the units of each pass, and how many units each of them stands for meanwhile."""
    stride = 1 << max(0, math.ceil(math.log2(count / first)))
    yield range(0, count, stride), stride
    while stride > 1:
        stride //= 2
        yield range(stride, count, 2 * stride), stride


def _batches(chosen: range, single: bool, series: Series) -> Iterator[range]:
    """Cut the units of a pass into batches that take about BATCH_SECONDS."""
    most = series.most if single else 1  # units of several frames are read one by one
    least = 1 if series.magnification is None else BATCH
    at, size = 0, least
    while at < len(chosen):
        started = time.perf_counter()
        batch = chosen[at : at + size]
        yield batch
        at += len(batch)
        each = (time.perf_counter() - started) / len(batch)
        size = max(least, int(min(BATCH_SECONDS / max(each, 1e-6), most, 4 * size)))


def _read(batch: range, edges, series: Series, sampler: LineSampler, dtype):
    """Yield (first frame, rows) for each unit of a batch; single frames are read together."""
    if len(batch) == 1:
        start, stop = int(edges[batch[0]]), int(edges[batch[0] + 1])
        yield start, sampler(series.read(start, stop), dtype)
        return
    rows = sampler(series.read(batch.start, batch.stop, batch.step), dtype)
    yield from ((t, rows[k : k + 1]) for k, t in enumerate(batch))
