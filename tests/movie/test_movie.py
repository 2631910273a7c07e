"""Movie: axes, reading, calibration, and intensities there and back."""

import itertools
import pickle
import time
from types import SimpleNamespace

import dask
import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_motionmag import magnify
from napari_motionmag.movie.movie import Movie

INTEGERS = [np.uint8, np.int8, np.uint16, np.int16, ">u2"]


class Counting:
    """An array that remembers which frames were read."""

    def __init__(self, data):
        self.array = data
        self.shape, self.dtype = data.shape, data.dtype
        self.indices = []

    def __getitem__(self, index):
        self.indices.append(index)
        return self.array[index]


def layer(data, **traits):
    """Build what a napari Image layer shows of itself."""
    traits = {"rgb": False, "multiscale": False, "name": "cells"} | traits
    return SimpleNamespace(data=data, translate=(0,), blending="opaque", **traits)


def noise(shape, dtype="u2", seed=0):
    return np.random.default_rng(seed).integers(0, 200, shape).astype(dtype)


# axes


@pytest.mark.parametrize(
    ("shape", "dtype", "axes"),
    [
        ((2, 5, 6), "u1", "TYX"),
        ((9, 6, 4), "u1", "TYX"),  # too few rows for a picture in colour
        ((7, 30, 40, 3), "u1", "TYXS"),
        ((7, 30, 40, 4), "u2", "TYXS"),
        ((7, 30, 40, 3), "f4", "TYXS"),
    ],
)
def test_axes_are_guessed_when_the_shape_leaves_one_reading(shape, dtype, axes):
    assert Movie(np.zeros(shape, dtype)).axes == axes


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [
        ((30, 40, 3), "u1"),  # a single colour picture
        ((5, 3, 30, 40), "u1"),  # channels or planes
        ((5, 3, 4, 3), "u1"),
        ((5, 30, 40, 3), "i4"),
        ((5, 2, 30, 40, 3), "u1"),
    ],
)
def test_ambiguous_shapes_ask_for_axes(shape, dtype):
    with pytest.raises(ValueError, match="axes cannot be guessed") as error:
        Movie(np.zeros(shape, dtype))
    assert str(shape) in str(error.value)
    assert "'TCYX'" in str(error.value)


def test_a_picture_is_no_movie():
    with pytest.raises(ValueError, match=r"must be a movie, with axes T, Y and X.*\(30, 40\)"):
        Movie(np.zeros((30, 40)))


@pytest.mark.parametrize(
    ("axes", "shape", "message"),
    [
        ("TYQ", (3, 4, 5), "'Q'"),
        ("TYY", (3, 4, 5), "names Y more than once"),
        ("TYX", (3, 4, 5, 6), "3 letters, but the data have 4 axes"),
        ("ZYX", (3, 4, 5), "lacks T"),
        ("TZX", (3, 4, 5), "lacks Y"),
        ("TSYX", (3, 3, 5, 5), "S must be the last axis"),
        ("TYXS", (3, 8, 8, 2), "S must be the last axis"),
        ("TYX", (1, 4, 5), "at least 2 frames"),
        ("TYX", (3, 0, 5), "data are empty"),
        ("", (3, 4, 5), "0 letters"),
    ],
)
def test_wrong_axes_are_refused(axes, shape, message):
    with pytest.raises(ValueError, match=message):
        Movie(np.zeros(shape, "u1"), axes)


def test_axes_must_be_text():
    with pytest.raises(TypeError, match="axes must be a string"):
        Movie(np.zeros((3, 4, 5)), axes=("T", "Y", "X"))


@pytest.mark.parametrize("dtype", [bool, complex, object, "U3", "M8[s]", [("a", "u1")]])
def test_elements_that_are_no_intensities_are_refused(dtype):
    with pytest.raises(TypeError, match="integers or real floats"):
        Movie(np.zeros((3, 4, 5), dtype))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([[1, 2], [3, 4]], "got list"),
        ("film.tif", "open_movie"),
        (None, "got NoneType"),
        (np.ma.zeros((3, 4, 5)), "masked"),
    ],
)
def test_what_is_no_array_is_refused(data, message):
    with pytest.raises(TypeError, match=message):
        Movie.from_any(data)


def test_dask_of_unknown_length_is_refused():
    x = da.ones((9, 4, 5), chunks=3)
    with pytest.raises(ValueError, match="unknown shape"):
        Movie(x[x[:, 0, 0] > 0])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fps": 0}, "fps must be"),
        ({"fps": float("nan")}, "fps must be"),
        ({"fps": "fast"}, "fps must be"),
        ({"intensity_range": (5, 5)}, "intensity_range must be"),
        ({"intensity_range": 3}, "intensity_range must be"),
        ({"intensity_range": (0, float("inf"))}, "intensity_range must be"),
        ({"scale": (1, 1)}, "scale must be"),
        ({"scale": (1, 0, 1)}, "scale must be"),
        ({"scale": 0.5}, "scale must be one .* got 0.5"),
        ({"scale": "abc"}, "scale must be one .* got 'abc'"),
        ({"units": 1}, "units must be one .* got 1"),
        ({"units": ("s", "um")}, "units must be"),
    ],
)
def test_wrong_calibration_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Movie(np.zeros((3, 4, 5)), **arguments)


# reading


@st.composite
def movies(draw):
    """Draw an array of any legal axes, sizes and dtype, and its axes."""
    letters = draw(st.permutations("TYX" + "".join(draw(st.sets(st.sampled_from("ZC"))))))
    axes = "".join(letters)
    sizes = {letter: draw(st.integers(2 if letter == "T" else 1, 4)) for letter in axes}
    shape = tuple(sizes[letter] for letter in axes)
    if draw(st.booleans()):
        axes, shape = axes + "S", (*shape, draw(st.sampled_from([3, 4])))
    dtype = draw(st.sampled_from([*INTEGERS, np.uint32, np.float32, np.float64]))
    return noise(shape, dtype, draw(st.integers(0, 99))), axes


def frame_by_names(data, axes, t, where):
    """Pick a frame by moving axes one at a time: an oracle that knows no index tuples."""
    for letter, index in {"T": t, **where}.items():
        data = np.take(data, index, axis=axes.index(letter))
        axes = axes.replace(letter, "")
    target = "YXS" if "S" in axes else "YX"
    return np.einsum(f"{axes.lower()}->{target.lower()}", data)


@settings(deadline=None, max_examples=60)
@given(movies(), st.booleans())
def test_every_frame_of_every_series_is_read_as_it_is(case, lazy):
    data, axes = case
    movie = Movie(da.from_array(data, chunks=2) if lazy else data, axes)
    series = list(movie.series())
    assert len(series) * movie.n_frames * np.prod(movie.frame_shape) == data.size
    for t, where in itertools.product(range(movie.n_frames), series):
        named = dict(zip(movie.other_axes, where, strict=True))
        frame = movie.read(t, named)
        np.testing.assert_array_equal(frame, frame_by_names(data, axes, t, named))
        np.testing.assert_array_equal(frame, movie.read(t, where))
        assert frame.shape == movie.frame_shape
        assert frame.dtype == data.dtype
        block = movie.expand(frame)
        index = {"T": t, **named}
        picked = tuple(slice(index[x], index[x] + 1) if x in index else slice(None) for x in axes)
        np.testing.assert_array_equal(block, data[picked])


@settings(deadline=None, max_examples=30)
@given(movies(), st.booleans())
def test_the_dask_view_has_one_frame_a_block(case, lazy):
    data, axes = case
    movie = Movie(da.from_array(data, chunks=2) if lazy else data, axes)
    view = movie.as_dask()
    assert view.shape == data.shape
    assert view.dtype == data.dtype
    for letter, sizes in zip(axes, view.chunks, strict=True):
        assert len(sizes) == 1 if letter in "YXS" else set(sizes) == {1}
    np.testing.assert_array_equal(view.compute(scheduler="synchronous"), data)


def test_reading_a_frame_reads_that_frame_only():
    source = Counting(noise((50, 3, 8, 9)))
    movie = Movie(source, "TCYX")
    assert source.indices == []
    movie.read(7, {"C": 2})
    assert source.indices == [(7, 2, slice(None), slice(None))]


def test_a_dask_frame_computes_its_block_only():
    computed = []

    def block(block_id):
        computed.append(block_id[0])
        return np.full((1, 4, 5), block_id[0], "u2")

    data = da.map_blocks(block, chunks=((1,) * 30, (4,), (5,)), dtype="u2", meta=np.empty(0, "u2"))
    computed.clear()
    assert (Movie(data).read(12) == 12).all()
    assert computed == [12]


def test_a_frame_can_be_read_inside_a_dask_task():
    movie = Movie(da.from_array(noise((6, 4, 5)), chunks=(1, 4, 5)))
    tasks = [dask.delayed(movie.read)(t) for t in range(6)]
    frames = dask.compute(*tasks, scheduler="threads", num_workers=2)
    np.testing.assert_array_equal(frames, movie.data.compute())


def test_a_huge_movie_costs_nothing():
    data = da.zeros((100_000, 2048, 2048), chunks=(1, 2048, 2048), dtype="u2")
    best = np.inf
    for _ in range(3):
        start = time.perf_counter()
        Movie(data)
        best = min(best, time.perf_counter() - start)
    assert best < 0.01


def test_one_frame_of_very_many_is_read_at_once():
    data = np.broadcast_to(np.arange(100_000, dtype="u4")[:, None, None], (100_000, 3, 4))
    movie = Movie(Movie(data).as_dask())
    assert movie.read(99_999).max() == 99_999
    best = np.inf
    for t in range(5):
        start = time.perf_counter()
        movie.read(t)
        best = min(best, time.perf_counter() - start)
    assert best < 0.05


def test_the_dask_view_shares_the_memory_of_an_array():
    data = noise((4, 5, 6))
    block = Movie(data).as_dask().blocks[2]
    data[2, 3, 4] = 9999
    assert block.compute(scheduler="synchronous")[0, 3, 4] == 9999


def test_zarr_is_a_source():
    zarr = pytest.importorskip("zarr")
    data = noise((4, 5, 6))
    movie = Movie.from_any(zarr.array(data, chunks=(1, 5, 6)))
    np.testing.assert_array_equal(movie.read(3), data[3])
    np.testing.assert_array_equal(movie.as_dask().compute(), data)


@pytest.mark.parametrize(("t", "other"), [(-1, {"C": 0}), (4, {"C": 0}), (0, {"C": 2}), (0, [-1])])
def test_outside_the_movie_is_an_index_error(t, other):
    with pytest.raises(IndexError, match="must be within"):
        Movie(noise((4, 2, 5, 6)), "TCYX").read(t, other)


@pytest.mark.parametrize("other", [None, {"Z": 0}, {"C": 0, "Z": 0}, (0, 0)])
def test_other_axes_must_be_named_exactly(other):
    with pytest.raises(ValueError, match="other must"):
        Movie(noise((4, 2, 5, 6)), "TCYX").read(0, other)


def test_fractional_frames_are_refused():
    with pytest.raises(TypeError, match="t must be an integer"):
        Movie(noise((4, 5, 6))).read(1.5)


def test_frames_of_an_array_cannot_be_written_to():
    with pytest.raises(ValueError, match="read-only"):
        Movie(noise((4, 5, 6))).read(0)[:] = 0


def test_data_that_break_their_word_are_reported():
    wrong_dtype = da.zeros((4, 5, 6), chunks=(1, 5, 6), dtype="u2").map_blocks(
        lambda x: x.astype("f4"), dtype="u2", meta=np.empty((0, 0, 0), "u2")
    )
    with pytest.raises(ValueError, match="dtype float32 at t=1"):
        Movie(wrong_dtype).read(1)
    wrong_shape = da.zeros((4, 5, 6), chunks=(1, 5, 6), dtype="u2").map_blocks(
        lambda x: x[:, :2], dtype="u2", meta=np.empty((0, 0, 0), "u2")
    )
    with pytest.raises(ValueError, match="promises"):
        Movie(wrong_shape).read(1)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_non_finite_pixels_are_reported_with_frame_and_count(bad):
    data = np.zeros((4, 2, 5, 6), "f4")
    data[2, 1, 3, :2] = bad
    movie = Movie(data, "TCYX")
    movie.read(2, {"C": 0})
    with pytest.raises(ValueError, match=r"t=2, C=1 .* 2 pixels that are NaN or infinite"):
        movie.read(2, {"C": 1})
    with pytest.raises(ValueError, match="2 pixels"):
        movie.to_unit(data[2, 1])


@pytest.mark.parametrize("method", ["learned", "phase", "riesz", "linear", "lagrangian"])
def test_numbers_that_stand_for_no_data_are_refused(method):
    data = np.random.default_rng(0).random((6, 24, 24), np.float32)
    data[3, 5, 7] = np.finfo(np.float32).min
    out = magnify(data, 4, method=method)
    with pytest.raises(
        ValueError, match=r"a pixel is -3\.403e\+38, where the movie lies within 0 to 1"
    ):
        out[3].compute()


# intensities


@settings(deadline=None, max_examples=80)
@given(st.data())
def test_integers_come_back_exactly(draw):
    dtype = np.dtype(draw.draw(st.sampled_from(INTEGERS)))
    frame = draw.draw(hnp.arrays(dtype, (3, 4)))
    limits = np.iinfo(dtype)
    black = draw.draw(st.floats(limits.min, limits.max - 1))
    white = draw.draw(st.floats(black + 1, limits.max + 1))
    movie = Movie(np.zeros((2, 3, 4), dtype), intensity_range=(black, white))
    unit = movie.to_unit(frame)
    back = movie.from_unit(unit)
    assert unit.dtype == np.float32
    assert back.dtype == dtype
    np.testing.assert_array_equal(back, frame)


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16])
def test_every_integer_comes_back(dtype):
    limits = np.iinfo(dtype)
    values = np.arange(limits.min, limits.max + 1).astype(dtype).reshape(2, -1, 16)
    for chosen in (None, (limits.min + 3, limits.max / 3), (0, 1)):
        movie = Movie(values, "TYX", intensity_range=chosen)
        np.testing.assert_array_equal(movie.from_unit(movie.to_unit(values[1])), values[1])


@pytest.mark.parametrize("dtype", [np.uint32, np.int32, np.int64, np.uint64])
def test_wide_integers_come_back_within_the_span_of_single_precision(dtype):
    values = (np.arange(60).reshape(3, 4, 5) * 140_000 + 7).astype(dtype)
    movie = Movie(values, intensity_range=(0, 2**23))
    np.testing.assert_array_equal(movie.from_unit(movie.to_unit(values[2])), values[2])
    with pytest.warns(UserWarning, match="come back to within 4"):
        Movie(values, intensity_range=(0, 2**25))


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.uint32, np.int64, np.uint64])
def test_integers_are_rounded_and_clipped(dtype):
    limits = np.iinfo(dtype)
    movie = Movie(np.zeros((2, 1, 6), dtype), intensity_range=(0, 100))
    unit = np.array([[-1e30, 0.094, 0.096, 0.5, 1.0, 1e30]], "f4")
    values = movie.from_unit(unit)[0].tolist()
    assert values[0] == limits.min
    assert values[1:5] == [9, 10, 50, 100]
    # 64-bit limits are no floats: the largest float below is as far as it goes
    assert limits.max - 2048 < values[5] <= limits.max


def test_black_is_zero_and_white_is_one_without_clipping():
    movie = Movie(np.zeros((2, 1, 4), "u2"), intensity_range=(100, 300))
    frame = np.array([[0, 100, 300, 500]], "u2")
    np.testing.assert_allclose(movie.to_unit(frame), [[-0.5, 0, 1, 2]])


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_floats_keep_their_dtype(dtype):
    frame = np.linspace(0, 1, 12).reshape(3, 4).astype(dtype)
    movie = Movie(np.stack([frame] * 2))
    assert movie.to_unit(frame).dtype == np.float32
    back = movie.from_unit(movie.to_unit(frame))
    assert back.dtype == dtype
    np.testing.assert_allclose(back, frame, atol=1e-7)


def test_to_unit_gives_a_new_array():
    data = np.linspace(0, 1, 24, dtype="f4").reshape(2, 3, 4)
    movie = Movie(data, intensity_range=(0, 1))
    unit = movie.to_unit(movie.read(0))
    unit[:] = 7
    assert data.max() == 1


@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_a_result_that_is_not_finite_is_refused(dtype):
    movie = Movie(np.zeros((2, 2, 3), dtype))
    with pytest.raises(ValueError, match="magnified frame has 1 pixel"):
        movie.from_unit(np.array([[0, np.nan, 0], [0, 0, 0]], "f4"))


def test_alpha_is_dropped_and_put_back():
    data = noise((2, 8, 9, 4), "u1")
    movie = Movie(data)
    assert movie.has_alpha
    frame = movie.read(1)
    assert frame.shape == (8, 9, 4)
    unit = movie.to_unit(frame)
    assert unit.shape == (8, 9, 3)
    np.testing.assert_array_equal(movie.from_unit(1 - unit)[0, 0], 255 - frame[0, 0, :3])
    back = movie.from_unit(1 - unit, frame)
    np.testing.assert_array_equal(back[..., :3], 255 - frame[..., :3])
    np.testing.assert_array_equal(back[..., 3], frame[..., 3])
    assert not Movie(data[..., :3]).has_alpha


# the estimated range


def test_bytes_have_their_whole_range_without_a_look():
    source = Counting(noise((9, 4, 5), "u1"))
    assert Movie(source, "TYX").intensity_range == (0, 255)
    assert source.indices == []


@pytest.mark.parametrize(("n", "frames"), [(100, [0, 25, 50, 74, 99]), (3, [0, 1, 2]), (2, [0, 1])])
def test_at_most_five_frames_are_read_once(n, frames):
    source = Counting(noise((n, 4, 5)))
    movie = Movie(source, "TYX")
    first = movie.intensity_range
    assert movie.intensity_range is first
    assert [index[0] for index in source.indices] == frames


def test_samples_are_spread_over_the_series_too():
    data = np.zeros((100, 2, 8, 9), "u2")
    data[:, 0], data[:, 1] = 1000, 30000
    source = Counting(data)
    black, white = Movie(source, "TCYX").intensity_range
    assert len(source.indices) <= 5
    assert black < 1000 < 30000 < white


def test_the_range_follows_percentiles_and_not_hot_pixels():
    data = noise((10, 64, 64)) + 1000
    data[:, 5, 7] = 65535
    data[:, 20, :] = 0  # a dead row
    black, white = Movie(data).intensity_range
    assert white < 1300
    assert black == int(black)
    assert white == int(white)


def test_the_range_reaches_over_a_few_bright_beads():
    data = noise((10, 256, 256)) + 1000
    data[:, 100:103, 50:53] = 20000  # 0.014 % of the frame
    assert Movie(data).intensity_range[1] >= 20000


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([np.int8, np.uint16, np.int16, np.int32, np.uint64, np.float32, np.float64]),
    st.data(),
)
@pytest.mark.filterwarnings("ignore:intensities of this uint64")
def test_the_range_is_never_degenerate(dtype, draw):
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        value = draw.draw(st.floats(-1e6, 1e6, width=32))
    else:
        value = draw.draw(st.integers(np.iinfo(dtype).min, np.iinfo(dtype).max))
    movie = Movie(np.full((3, 4, 5), value, dtype))
    black, white = movie.intensity_range
    assert white - black >= (0.9 if dtype.kind == "f" else 2)
    frame = movie.read(0)
    back = movie.from_unit(movie.to_unit(frame))
    np.testing.assert_allclose(back, frame, rtol=1e-6, atol=1e-6)


def test_an_integer_range_stays_within_the_dtype():
    data = np.zeros((3, 40, 50), "u2")
    data[:, :, 25:] = 65535
    assert Movie(data).intensity_range == (0, 65535)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0, 1, (0, 1)), (0.3, 0.6, (0, 1)), (0.1, 0.12, (0.099, 0.121)), (-2, 2, (-2.2, 2.2))],
)
def test_float_ranges(low, high, expected):
    data = np.full((3, 40, 50), low, "f4")
    data[:, :, 25:] = high
    assert Movie(data).intensity_range == pytest.approx(expected, abs=1e-6)


def test_a_small_contrast_on_a_large_offset_is_seen():
    data = np.full((3, 40, 50), 1e6)
    data[:, :, 25:] += 0.5
    assert Movie(data).intensity_range == pytest.approx((1e6 - 0.025, 1e6 + 0.525))


def test_estimating_names_the_bad_frame():
    data = np.zeros((9, 4, 5), "f4")
    data[8, 0, 0] = np.nan
    movie = Movie(data)
    with pytest.raises(ValueError, match="frame t=8 of the movie has 1 pixel"):
        _ = movie.intensity_range


def test_a_given_range_is_taken():
    assert Movie(noise((3, 4, 5)), intensity_range=(10, 20)).intensity_range == (10, 20)


# the object


def test_a_movie_does_not_change():
    movie = Movie(noise((3, 4, 5)))
    with pytest.raises(AttributeError, match=r"replace\(fps"):
        movie.fps = 3
    with pytest.raises(AttributeError):
        del movie.axes


@pytest.mark.parametrize("lazy", [False, True])
def test_pickling(lazy):
    data = noise((3, 4, 5))
    movie = Movie(da.from_array(data, chunks=1) if lazy else data, "TYX", 30, scale=(1, 2, 3))
    copy = pickle.loads(pickle.dumps(movie))
    assert (copy.axes, copy.fps, copy.scale) == (movie.axes, 30, (1, 2, 3))
    assert copy.intensity_range == movie.intensity_range
    np.testing.assert_array_equal(copy.read(2), data[2])
    assert copy.as_dask().name == movie.as_dask().name


def test_replace_keeps_the_rest():
    source = Counting(noise((3, 4, 5)))
    movie = Movie(source, "TYX", 30, name="film")
    range_ = movie.intensity_range
    reads = len(source.indices)
    faster = movie.replace(fps=60)
    assert (faster.fps, faster.name, faster.intensity_range) == (60, "film", range_)
    assert len(source.indices) == reads
    assert movie.fps == 30


def test_an_estimated_range_is_not_given_by_replace():
    data = noise((3, 4, 5))
    movie = Movie(data)
    range_ = movie.intensity_range
    faster = movie.replace(fps=60)
    assert faster.given_range is None
    data += 5000
    faster.refresh()
    assert faster.intensity_range[0] > range_[0] + 4000
    assert movie.replace(intensity_range=(1, 9)).replace(fps=60).given_range == (1, 9)


def test_replacing_the_data_forgets_their_estimated_range():
    movie = Movie(noise((3, 40, 50)))
    black, _ = movie.intensity_range
    assert movie.replace(data=noise((3, 40, 50)) + 5000).intensity_range[0] > black + 4000


def test_the_text_of_a_movie_says_what_it_is():
    text = repr(Movie(noise((3, 4, 5)), fps=600, name="guitar"))
    assert "guitar" in text
    assert "TYX (3, 4, 5) uint16, 600 fps" in text


@pytest.mark.parametrize(
    ("scale", "units", "fps"),
    [
        ((0.5, 1, 1), ("s", "um", "um"), 2),
        ((2, 1, 1), ("millisecond", "micrometer", "micrometer"), 500),
        ((2, 1, 1), ("pixel", "um", "um"), None),
        ((2, 1, 1), None, None),
    ],
)
def test_fps_follows_from_the_scale_of_time(scale, units, fps):
    movie = Movie(noise((3, 4, 5)), scale=scale, units=units)
    assert movie.fps == (None if fps is None else pytest.approx(fps))
    assert Movie(noise((3, 4, 5)), fps=7, scale=scale, units=units).fps == 7


# where movies come from


def test_a_movie_without_changes_is_itself():
    movie = Movie(noise((3, 4, 5)), fps=3)
    assert Movie.from_any(movie) is movie
    assert Movie.from_any(movie, fps=None) is movie
    assert Movie.from_any(movie, fps=5).fps == 5


def test_a_layer_gives_axes_scale_and_fps():
    data = noise((3, 2, 4, 5))
    source = layer(
        data,
        axis_labels=("time", "c", "y", "x"),
        scale=np.array([4.0, 1, 0.1, 0.1]),
        units=("millisecond", "pixel", "micrometer", "micrometer"),
    )
    movie = Movie.from_any(source)
    assert movie.axes == "TCYX"
    assert movie.fps == pytest.approx(250)
    assert movie.units == ("ms", "pixel", "um", "um")
    assert movie.name == "cells"
    assert movie.data is data


def test_layers_of_other_shapes():
    rgb = layer(noise((3, 4, 5, 3)), rgb=True, axis_labels=("-3", "-2", "-1"), scale=(1, 1, 1))
    assert Movie.from_any(rgb).axes == "TYXS"
    pyramid = layer(
        [noise((3, 8, 8)), noise((3, 4, 4))], multiscale=True, axis_labels=(), scale=(1, 1, 1)
    )
    assert Movie.from_any(pyramid).shape == (3, 8, 8)
    said = layer(noise((3, 8, 9, 3)), axis_labels=("-4", "-3", "-2", "-1"), scale=(1, 2, 3, 4))
    assert Movie.from_any(said, axes="TYXS").scale == (1, 2, 3)


@pytest.mark.parametrize(
    ("shape", "labels"),
    [
        ((3, 4, 8, 9), ("-4", "-3", "-2", "-1")),
        ((3, 8, 9), ("z", "-2", "-1")),
        ((3, 8, 9), ("z", "y", "x")),
        ((3, 8, 9, 3), ("-4", "-3", "-2", "-1")),  # the layer says that it is not RGB
    ],
)
def test_layers_that_do_not_tell_their_axes(shape, labels):
    with pytest.raises(ValueError, match="axes"):
        Movie.from_any(layer(noise(shape), axis_labels=labels, scale=(1,) * len(shape)))


def test_layers_of_another_kind_are_refused():
    labels = SimpleNamespace(data=noise((3, 4, 5)), scale=(1,), translate=(0,), blending="opaque")
    with pytest.raises(TypeError, match="expected an Image layer"):
        Movie.from_any(labels)


def test_a_real_napari_layer():
    image = pytest.importorskip("napari.layers").Image
    source = image(
        noise((3, 4, 5)),
        axis_labels=("t", "y", "x"),
        scale=(2, 0.5, 0.5),
        units=("ms", "um", "um"),
    )
    movie = Movie.from_any(source)
    assert (movie.axes, movie.fps, movie.scale) == ("TYX", pytest.approx(500), (2, 0.5, 0.5))
    assert movie.units == ("ms", "um", "um")
    rgb = Movie.from_any(image(noise((3, 8, 9, 3), "u1"), rgb=True))
    assert (rgb.axes, rgb.fps) == ("TYXS", None)
