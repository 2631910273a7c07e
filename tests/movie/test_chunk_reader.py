"""Frames of chunked arrays read through their own tasks alone."""

import time

import dask
import dask.array as da
import numpy as np
import pytest

from napari_motionmag import Movie, magnify
from napari_motionmag.compute.cache import Cache
from napari_motionmag.movie.chunk_reader import read_part

RNG = np.random.default_rng(0)
FRAMES = RNG.integers(0, 60000, (9, 20, 31)).astype(np.uint16)


def _delayed_stack():
    parts = [da.from_delayed(dask.delayed(frame), frame.shape, frame.dtype) for frame in FRAMES]
    return da.stack(parts)


GRAPHS = {
    "one chunk": lambda: da.from_array(FRAMES, chunks=FRAMES.shape),
    "frames": lambda: da.from_array(FRAMES, chunks=(1, -1, -1)),
    "several frames and pieces": lambda: da.from_array(FRAMES, chunks=(4, 7, 13)),
    "arithmetic": lambda: (da.from_array(FRAMES, chunks=(2, -1, 16)) + 3) * 2 - 1,
    "delayed": _delayed_stack,
    "rechunked": lambda: da.from_array(FRAMES, chunks=(2, 6, -1)).rechunk((3, -1, 8)),
    "overlapping": lambda: da.from_array(FRAMES, chunks=(1, 10, -1)).map_overlap(
        lambda block: block + 1, depth={0: 0, 1: 2, 2: 0}, dtype=np.uint16
    ),
    "sliced": lambda: da.from_array(np.repeat(FRAMES, 2, 0), chunks=(3, -1, -1))[1::2, ::-1],
    "reduced": lambda: da.from_array(np.stack([FRAMES, FRAMES]), chunks=(1, 2, 9, 9)).max(axis=0),
    "persisted": lambda: (da.from_array(FRAMES, chunks=(2, 9, 9)) + 1).persist(),
    "magnified": lambda: magnify(FRAMES, 1),
    "assigned": lambda: _assigned(),
}


def _assigned():
    array = da.from_array(FRAMES, chunks=(2, 9, 9))
    array[3, :4] = 7
    return array


@pytest.mark.parametrize("kind", GRAPHS)
def test_reads_what_dask_computes(kind):
    array = GRAPHS[kind]()
    expected = array.compute(scheduler="synchronous")
    cache = Cache()
    for t in (8, 0, 3, 4, 3):
        index = (t, slice(None), slice(None))
        assert np.array_equal(read_part(array, index, cache), expected[index])
        index = (t, slice(5, 12), slice(11, 30))
        assert np.array_equal(read_part(array, index, cache), expected[index])
    assert np.array_equal(
        read_part(array, (slice(2, 7), 3, slice(0, 31)), cache), expected[2:7, 3, :31]
    )


def test_a_chunk_of_several_frames_is_computed_once():
    computed = []

    def block(part):
        computed.append(part.shape)
        return part

    array = da.from_array(FRAMES, chunks=(4, -1, -1)).map_blocks(block, meta=FRAMES[:0])
    movie = Movie(array, "TYX")
    for t in range(9):
        assert np.array_equal(movie.read(t), FRAMES[t])
    assert len(computed) == 3


@pytest.mark.parametrize("chunks", [(4, 20, 31), (1, 20, 31), (3, 8, 8)])
def test_chunks_of_files(tmp_path, chunks):
    import zarr

    stored = zarr.create_array(tmp_path / "m.zarr", data=FRAMES, chunks=chunks)
    movie = Movie(stored, "TYX")
    for t in (0, 5, 8, 5):
        assert np.array_equal(movie.read(t), FRAMES[t])
        window = slice(3, 9), slice(2, 30)
        assert np.array_equal(movie.read(t, window=window), FRAMES[t][window])


def test_a_file_that_was_written_to_is_seen_by_the_next_movie(tmp_path):
    import zarr

    stored = zarr.create_array(tmp_path / "m.zarr", data=FRAMES, chunks=(4, 20, 31))
    assert Movie(stored, "TYX").read(2)[0, 0] == FRAMES[2, 0, 0]
    stored[2, 0, 0] = 12345
    assert Movie(stored, "TYX").read(2)[0, 0] == 12345


def test_a_frame_of_a_hundred_thousand_chunks_takes_a_millisecond():
    array = da.from_array(np.zeros((100_000, 8, 8), np.uint8), chunks=(1, 8, 8))
    movie = Movie(array, "TYX")
    movie.read(7)
    spent = []
    for t in range(500, 520):
        started = time.perf_counter()
        movie.read(t)
        spent.append(time.perf_counter() - started)
    by_dask = []
    for t in range(3):
        started = time.perf_counter()
        array[t].compute(scheduler="synchronous")
        by_dask.append(time.perf_counter() - started)
    assert min(spent) < 0.05 * min(by_dask)
