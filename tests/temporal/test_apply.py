"""Temporal operators on whole arrays: numpy, dask in any chunks, dtypes, laziness, speed."""

import timeit
import weakref

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_motionmag.temporal import (
    FIR,
    Acceleration,
    Butterworth,
    DifferenceOfIIR,
    Dynamic,
    Static,
)
from napari_motionmag.temporal import (
    _apply as _engine,
)

FPS = 30.0
FINITE = [
    Static(1),
    Static(slice(0, 2)),
    Static([-1, 0, 0]),
    Dynamic(1),
    Dynamic(5),
    FIR(2, 6, FPS, taps=15),
    FIR(1, 3, FPS),
    Acceleration(2, FPS),
]
RECURSIVE = [
    Butterworth(1, 3, FPS),
    Butterworth(4, 9, FPS, order=3),
    Butterworth(4, 9, FPS, zero_phase=True),
    DifferenceOfIIR(1, 3, FPS),
]
ALL = FINITE + RECURSIVE


def ids(op):
    return op.describe()


def counted(shape, chunks, axis=0):
    """A dask array and the list of the time chunks that have been computed."""
    computed = []
    data = np.random.default_rng(0).normal(size=shape)

    def load(block, block_info=None):
        computed.append(block_info[0]["chunk-location"][axis])
        return block

    x = da.from_array(data, chunks=chunks).map_blocks(load, dtype=data.dtype, meta=data[:0])
    computed.clear()
    return x, data, computed


# ---- dask is numpy in pieces --------------------------------------------------------------------


@pytest.mark.parametrize("op", ALL, ids=ids)
@pytest.mark.parametrize("chunks", [(1, 3, 5), (7, 2, 5), (64, 3, 4), ((0, 60, 0, 4), 3, 5)])
def test_dask_in_chunks_equals_numpy(op, chunks):
    data = np.random.default_rng(0).uniform(-1, 1, size=(64, 3, 5))
    x = da.from_array(data, chunks=(64, 3, 5)).rechunk(chunks)
    out = op.apply(x)
    assert isinstance(out, da.Array)
    assert out.chunks == x.chunks
    assert out.dtype == np.float64
    np.testing.assert_allclose(out.compute(scheduler="sync"), op.apply(data), atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(draw=st.data())
def test_any_shape_axis_and_chunks(draw):
    op = draw.draw(st.sampled_from(ALL))
    shape = draw.draw(st.lists(st.integers(1, 4), max_size=3))
    axis = draw.draw(st.integers(0, len(shape)))
    shape.insert(axis, draw.draw(st.integers(2, 30)))
    chunks = tuple(
        tuple(draw.draw(st.sampled_from([(n,), (1,) * n, (n - n // 2, n // 2)]))) for n in shape
    )
    data = np.random.default_rng(0).uniform(-1, 1, size=shape)
    negative = draw.draw(st.booleans())
    at = axis - len(shape) if negative else axis
    whole = op.apply(data, axis=at)
    assert whole.shape == data.shape
    lazy = op.apply(da.from_array(data).rechunk(chunks), axis=at)
    assert lazy.shape == data.shape
    np.testing.assert_allclose(lazy.compute(scheduler="sync"), whole, atol=1e-5)
    n = shape[axis]
    time_first = np.moveaxis(data, axis, 0)
    for t in range(n):
        indices, weights = op.row(t, n)
        expected = np.tensordot(weights, time_first[indices], axes=1)
        np.testing.assert_allclose(np.take(whole, t, axis), expected, atol=1e-5)


@pytest.mark.parametrize("op", ALL, ids=ids)
def test_pixels_are_filtered_in_pieces_without_a_trace(op, monkeypatch):
    data = np.random.default_rng(0).normal(size=(40, 6, 7, 3))
    whole = op.apply(data)
    for piece in (1, 300, 2000):
        monkeypatch.setattr(_engine, "_PIECE", piece)
        np.testing.assert_allclose(op.apply(data), whole, atol=1e-12)
        sizes = [data[index].size for index in _engine._pieces(data.shape)]
        assert sum(sizes) == data.size
        assert max(sizes) <= max(piece, 40)


@pytest.mark.parametrize("op", [FIR(1, 3, FPS), Butterworth(1, 3, FPS)], ids=ids)
def test_the_same_call_has_the_same_name_and_others_have_not(op):
    x = da.zeros((40, 3), chunks=(7, 3))
    assert op.apply(x).name == op.apply(x).name
    names = {op.apply(x).name, op.apply(x + 1).name, op.bind(31).apply(x).name}
    assert len(names) == 3


@pytest.mark.parametrize("op", ALL, ids=ids)
def test_threads_do_not_change_the_result(op):
    data = np.random.default_rng(0).normal(size=(60, 8, 8))
    out = op.apply(da.from_array(data, chunks=(5, 4, 4)))
    np.testing.assert_array_equal(
        out.compute(scheduler="threads", num_workers=4), out.compute(scheduler="sync")
    )


# ---- laziness -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("op", "t", "chunks"),
    [
        (Static(7), 52, {0, 5}),
        (Static([95, 96]), 52, {5, 9}),
        (Dynamic(1), 52, {4, 5}),  # the whole chunk 50..59 is made, and frame 50 needs 49
        (Dynamic(25), 52, {2, 3, 4, 5}),
        (FIR(2, 6, FPS, taps=15), 52, {4, 5, 6}),
        (FIR(2, 6, FPS, taps=15), 0, {0, 1}),
        (FIR(2, 6, FPS, taps=15), 99, {8, 9}),
        (Acceleration(2, FPS), 52, {4, 5, 6}),
        (Butterworth(1, 3, FPS), 32, {0, 1, 2, 3}),
        (DifferenceOfIIR(1, 3, FPS), 32, {0, 1, 2, 3}),
        # reaches 31 frames to each side before it is negligible
        (Butterworth(5, 10, FPS, zero_phase=True), 52, {1, 2, 3, 4, 5, 6, 7, 8, 9}),
    ],
    ids=lambda value: value.describe() if hasattr(value, "describe") else None,
)
def test_a_frame_reads_the_chunks_that_it_needs(op, t, chunks):
    x, data, computed = counted((100, 2, 2), (10, 2, 2))
    out = op.apply(x)
    assert computed == []
    frame = out[t].compute(scheduler="sync")
    assert set(computed) == chunks
    assert len(computed) == len(chunks)
    np.testing.assert_allclose(frame, op.apply(data)[t], atol=1e-5)


@pytest.mark.parametrize("op", ALL, ids=ids)
def test_the_whole_result_reads_every_block_once(op):
    x, _, computed = counted((40, 4), (10, 2))
    op.apply(x).compute(scheduler="sync")
    assert sorted(computed) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_a_spatial_corner_reads_its_own_column_of_blocks():
    x, _, computed = counted((40, 4, 4), (10, 2, 2), axis=1)
    for op in (FIR(1, 3, FPS), Butterworth(1, 3, FPS), Static(0)):
        computed.clear()
        op.apply(x)[:, 0, 0].compute(scheduler="sync")
        assert computed == [0] * 4


@pytest.mark.parametrize(
    ("op", "blocks"),
    [(Dynamic(1), 8), (FIR(2, 6, FPS, taps=15), 24), (Butterworth(1, 3, FPS), 8)],
    ids=lambda value: value.describe() if hasattr(value, "describe") else None,
)
def test_a_long_movie_is_never_held_whole(op, blocks):
    alive, most = set(), []

    def load(block_info=None):
        frames = np.zeros((4, 8, 8), dtype=np.float32)
        alive.add(id(frames))
        weakref.finalize(frames, alive.discard, id(frames))
        most.append(len(alive))
        return frames

    x = da.map_blocks(load, chunks=((4,) * 100, (8,), (8,)), dtype="f4", meta=np.zeros((0, 0, 0)))
    sums = da.map_blocks(lambda block: block[:1, :1, :1], op.apply(x), chunks=(1, 1, 1))
    most.clear()
    sums.sum().compute(scheduler="sync")
    assert len(most) == 100
    assert max(most) <= blocks


# ---- dtypes and values --------------------------------------------------------------------------


@pytest.mark.parametrize("op", ALL, ids=ids)
@pytest.mark.parametrize(
    ("dtype", "result"),
    [("float32", "float32"), ("float64", "float64"), ("float16", "float32"), ("uint8", "float32"),
     ("uint16", "float32"), ("int16", "float32"), ("int32", "float64"), ("int64", "float64"),
     ("bool", "float32"), (">u2", "float32"), (">f8", "float64")],
)  # fmt: skip
def test_integers_become_floats_and_floats_stay(op, dtype, result):
    data = np.random.default_rng(0).integers(0, 100, size=(30, 3)).astype(dtype)
    expected = op.apply(data.astype(np.float64))
    for x in (data, da.from_array(data, chunks=(7, 3))):
        out = op.apply(x)
        assert out.dtype == np.dtype(result)
        # nothing truncated, nothing wrapped around below zero
        np.testing.assert_allclose(np.asarray(out), expected, atol=1e-4)
        assert np.asarray(out).dtype == np.dtype(result)


def test_unsigned_differences_are_negative_where_they_should_be():
    x = np.array([[20], [10], [30]], dtype=np.uint8)
    np.testing.assert_array_equal(Dynamic().apply(x)[:, 0], [0, -10, 20])
    np.testing.assert_array_equal(Static().apply(x)[:, 0], [0, -10, 10])


@pytest.mark.parametrize("op", [op for op in ALL if op.in_hz], ids=ids)
def test_small_motion_on_a_bright_background_survives_float32(op):
    ripple = np.random.default_rng(0).integers(-3, 4, size=(100, 4)).astype(np.float32)
    out = op.apply(ripple + np.float32(60000))
    assert out.dtype == np.float32
    np.testing.assert_allclose(out, op.apply(ripple.astype(np.float64)), atol=1e-5)


@pytest.mark.parametrize("op", ALL, ids=ids)
def test_input_is_left_alone(op):
    data = np.random.default_rng(0).normal(size=(30, 3))
    kept = data.copy()
    data.flags.writeable = False
    op.apply(data)
    op.apply(da.from_array(data, chunks=(7, 3))).compute(scheduler="sync")
    np.testing.assert_array_equal(data, kept)


@pytest.mark.parametrize("op", ALL, ids=ids)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_is_reported_and_stays_in_its_pixel(op, bad):
    data = np.random.default_rng(0).normal(size=(30, 3, 3))
    expected = op.apply(data)
    data[1, 1, 1] = bad
    elsewhere = np.ones((3, 3), dtype=bool)
    elsewhere[1, 1] = False
    with pytest.warns(UserWarning, match="NaN or infinity"):
        out = op.apply(data)
    np.testing.assert_allclose(out[:, elsewhere], expected[:, elsewhere], atol=1e-12)
    assert not np.isfinite(out[:, 1, 1]).all()
    lazy = op.apply(da.from_array(data, chunks=(7, 3, 3)))
    with pytest.warns(UserWarning, match="NaN or infinity"):
        out = lazy.compute(scheduler="sync")
    np.testing.assert_allclose(out[:, elsewhere], expected[:, elsewhere], atol=1e-5)


@pytest.mark.parametrize("op", ALL, ids=ids)
def test_arrays_without_pixels_and_lists_are_taken(op):
    assert op.apply(np.zeros((5, 0, 3))).shape == (5, 0, 3)
    np.testing.assert_allclose(op.apply([1, 2, 3, 5, 8]), op.apply(np.array([1.0, 2, 3, 5, 8])))


@pytest.mark.parametrize("op", ALL, ids=ids)
def test_operators_are_linear(op):
    a, b = np.random.default_rng(0).normal(size=(2, 50))
    np.testing.assert_allclose(
        op.apply(3 * a - 0.5 * b), 3 * op.apply(a) - 0.5 * op.apply(b), atol=1e-12
    )


# ---- speed --------------------------------------------------------------------------------------


@pytest.mark.parametrize("op", ALL, ids=ids)
@pytest.mark.parametrize("t", [2, 50_000, 99_997])
def test_a_row_takes_less_than_50_microseconds(op, t):
    op.row(t, 100_000)
    best = min(timeit.repeat(lambda: op.row(t, 100_000), number=100, repeat=5)) / 100
    assert best < 50e-6


@pytest.mark.parametrize("n", range(3, 12))
def test_short_movies_are_filtered_like_their_rows_up_to_half_the_rate(n):
    op = Acceleration(FPS / 2, fps=FPS)
    rows = np.zeros((n, n))
    for t in range(n):
        indices, weights = op.row(t, n)
        rows[t, indices] = weights
    np.testing.assert_allclose(op.apply(np.eye(n)), rows, atol=1e-9)
    np.testing.assert_allclose(rows[::-1, ::-1], rows, atol=1e-9)
