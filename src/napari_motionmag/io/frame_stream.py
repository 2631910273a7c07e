"""Iterate over the frames of a movie with a few in memory at a time."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np

from napari_motionmag.compute.cluster import slots
from napari_motionmag.movie.movie import Movie

BATCH_BYTES = 1 << 28  # frames computed together take no more memory than this

Progress = Callable[[int, int], object]


def positions(movie: Movie, order: str) -> list[tuple[int, ...]]:
    """List the indices of all frames; the last letter of `order` runs fastest."""
    sizes = (movie.shape[movie.axes.index(letter)] for letter in order)
    return list(itertools.product(*(range(size) for size in sizes)))


def batch_size(movie: Movie, client=None) -> int:
    """Return how many frames to compute at once, bounded by `BATCH_BYTES` of results.

    One per core here; on a cluster two per task slot, so that few wait for the slowest.
    """
    frame = int(np.prod(movie.frame_shape)) * movie.dtype.itemsize
    most = min(os.cpu_count() or 1, 8) if client is None else 2 * slots(client)
    return max(1, min(most, BATCH_BYTES // frame))


class FrameStream:
    """The frames of a movie in the order in which a file stores them.

    ``progress(done, total)`` is called after each frame, and may stop writing by an exception. The
    cluster of a client computes the frames.
    """

    def __init__(self, movie: Movie, progress: Progress | None = None, client=None):
        self.movie = movie
        self.progress = progress
        self.client = client
        self.total = len(positions(movie, "T" + movie.other_axes))

    def frames(
        self, order: str, written: Collection[tuple[int, ...]] = ()
    ) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
        """Yield the index along the axes `order`, the last running fastest, and the frame there.

        `written` are indices to leave out. Frames are (Y, X) or (Y, X, S).
        """
        wanted = [index for index in positions(self.movie, order) if index not in written]
        size = batch_size(self.movie, self.client)
        done = self.total - len(wanted)
        for first in range(0, len(wanted), size):
            batch = wanted[first : first + size]
            for index, frame in zip(batch, self._computed(order, batch), strict=True):
                yield index, frame
                # the caller has written the frame by now
                done += 1
                self.report(done)

    def report(self, done: int) -> None:
        """Report how many frames are written."""
        if self.progress is not None:
            self.progress(done, self.total)

    def _computed(self, order: str, batch: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
        """Compute several frames together, so that shared work is done once."""
        lazy = []
        for index in batch:
            where = dict(zip(order, index, strict=True))
            t = where.pop("T")
            lazy.append(self.movie.lazy_frame(t, where))
        if hasattr(lazy[0], "compute"):
            import dask

            lazy = dask.compute(*lazy, scheduler=self.client)
        return [np.asarray(frame) for frame in lazy]
