"""All frames of a magnification at once: room for them, and drawing them in batches."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator

import numpy as np

from napari_motionmag.compute.validate import told_apart
from napari_motionmag.magnification.magnification import Magnification

MEMORY_SHARE = 0.5  # of the memory that is free; larger results go to disk
LONGEST_BATCH = 16  # frames drawn together; they share work
BATCH_SECONDS = 0.25  # a cancelled job goes on for this long, or for as long as one frame takes


def room_for(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """Return an array for a whole result: in memory or, when it is large, in a temporary file.

    The file goes when the array goes. Raises OSError if there is no room on the disk either.
    """
    import psutil

    size = int(np.prod(shape, dtype=object)) * dtype.itemsize
    if size <= MEMORY_SHARE * psutil.virtual_memory().available:
        return np.empty(shape, dtype)
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    if size > free:
        needed, left = told_apart(size / 2**30, free / 2**30, 4)
        raise OSError(
            f"the result needs {needed} GiB; there are {left} GiB left "
            f"in {folder}. Save it to a file on another disk instead"
        )
    with tempfile.TemporaryFile(prefix="napari-motionmag-") as file:
        return np.memmap(file, dtype, "w+", shape=shape)


def draw_all(magnification: Magnification, out: np.ndarray) -> Iterator[int]:
    """Draw all frames into an array of the movie's shape; yield how many are done, after each."""
    movie = magnification.movie
    done, batch = 0, 1
    for other in movie.series():
        where = dict(zip(movie.other_axes, other, strict=True))
        first = 0
        while first < movie.n_frames:
            times = range(first, min(first + batch, movie.n_frames))
            start = time.perf_counter()
            drawn = magnification.draw(times, other)
            each = (time.perf_counter() - start) / len(times)
            for t, frame in zip(times, drawn, strict=True):
                at = where | {"T": t}
                index = tuple(
                    slice(at[x], at[x] + 1) if x in at else slice(None) for x in movie.axes
                )
                out[index] = movie.expand(frame)
                done += 1
                yield done
            first = times.stop
            batch = int(np.clip(BATCH_SECONDS / max(each, 1e-9), 1, LONGEST_BATCH))


def total_frames(magnification: Magnification) -> int:
    """Return how many frames `draw_all` draws."""
    movie = magnification.movie
    return movie.n_frames * len(list(movie.series()))
