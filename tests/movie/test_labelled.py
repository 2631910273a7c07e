"""xarray and tensorstore arrays as movies, with the axes and the calibration that they know."""

from itertools import product

import numpy as np
import pytest
from napari.layers import Image

from napari_motionmag import Movie, magnify

xarray = pytest.importorskip("xarray")
tensorstore = pytest.importorskip("tensorstore")

FRAMES = np.random.default_rng(0).integers(0, 4000, (6, 20, 24)).astype("u2")


def labelled(data=FRAMES, dims=("time", "y", "x"), **coords):
    return xarray.DataArray(data, dims=dims, coords=coords, name="cells")


def test_dimensions_and_coordinates_are_axes_and_calibration():
    array = labelled(
        time=("time", np.arange(6) * 40.0, {"units": "ms"}),
        y=("y", np.arange(20) * 0.5, {"units": "um"}),
        x=("x", np.arange(24) ** 2.0, {"units": "um"}),  # not regular
    )
    movie = Movie(array)
    assert (movie.axes, movie.fps, movie.name) == ("TYX", pytest.approx(25), "cells")
    assert movie.scale == (40, 0.5, 1)
    assert movie.units == ("ms", "um", "pixel")
    np.testing.assert_array_equal(movie.read(4), FRAMES[4])


def test_calibration_that_is_given_counts_as_an_array_too():
    array = labelled(time=("time", np.arange(6) * 40.0, {"units": "ms"}))
    movie = Movie(array, scale=np.array([20, 0.3, 0.3]), units=np.array(["ms", "um", "um"]))
    assert (movie.fps, movie.scale) == (50, (20, 0.3, 0.3))
    with pytest.raises(TypeError, match="axes must be a string"):
        Movie(array, axes=3)


def test_dimensions_in_any_order_and_of_any_chunks():
    array = labelled().transpose("y", "x", "time").chunk({"time": 2})
    movie = Movie.from_any(array)
    assert movie.axes == "YXT"
    np.testing.assert_array_equal(movie.read(3), FRAMES[3])
    assert movie.as_dask().shape == (20, 24, 6)


def test_times_of_a_clock_make_a_rate():
    times = np.datetime64("2024-05-05T10:00:00") + np.arange(6) * np.timedelta64(20, "ms")
    assert Movie(labelled(time=("time", times))).fps == pytest.approx(50)


def test_an_array_on_disk_is_read_by_frames(tmp_path):
    labelled().to_dataset().to_zarr(tmp_path / "cells.zarr")
    array = xarray.open_zarr(tmp_path / "cells.zarr", chunks=None)["cells"]
    movie = Movie(array)
    np.testing.assert_array_equal(movie.read(5), FRAMES[5])
    assert not isinstance(array.variable._data, np.ndarray)  # not loaded as a whole


def test_unknown_dimensions_are_said_by_the_user():
    array = labelled(dims=("a", "b", "c"))
    assert Movie(array, axes="TYX").axes == "TYX"
    assert Movie(labelled(dims=("when", "y", "x"))).axes == "TYX"


def store(**arguments):
    array = tensorstore.open(
        {"driver": "zarr3", "kvstore": "memory://"},
        dtype=tensorstore.uint16,
        shape=FRAMES.shape,
        create=True,
        **arguments,
    ).result()
    array[...] = FRAMES
    return array


def test_tensorstore_labels_and_units():
    array = store(dimension_units=["40 ms", "0.2 um", "0.1 um"])
    movie = Movie(array[tensorstore.d[:].label["t", "y", "x"]])
    assert (movie.axes, movie.fps) == ("TYX", pytest.approx(25))
    assert movie.scale == (40, 0.2, 0.1)
    np.testing.assert_array_equal(movie.read(2), FRAMES[2])
    moved = Movie(array[2:6].translate_by[5] if hasattr(array, "translate_by") else array[2:6])
    assert moved.n_frames == 4
    np.testing.assert_array_equal(moved.read(0), FRAMES[2])  # its own indices begin at 2


@pytest.mark.parametrize("make", [labelled, store])
def test_they_are_magnified_as_numpy_arrays_are(make):
    arguments = {"method": "linear", "mode": "static"}
    expected = magnify(FRAMES, 3, **arguments)[4].compute()
    np.testing.assert_array_equal(magnify(make(), 3, **arguments)[4].compute(), expected)


@pytest.mark.parametrize("make", [labelled, store])
def test_layers_hold_them(make):
    movie = Movie.from_any(Image(make(), contrast_limits=(0, 4000)))
    assert movie.axes == "TYX"
    np.testing.assert_array_equal(movie.read(1), FRAMES[1])


@pytest.mark.parametrize(("fps", "n"), [*product((7.5, 24, 30, 60), (6, 100)), (600, 100)])
def test_times_of_a_clock_may_be_rounded(fps, n):
    since = np.round(np.arange(n) * 1000 / fps)
    clock = np.datetime64("2024-05-05T10:00:00") + since.astype("timedelta64[ms]")
    for times in (clock, clock - clock[0], since, since / 1000):
        units = {} if times.dtype.kind in "mM" else {"units": "ms" if times is since else "s"}
        array = labelled(np.zeros((n, 9, 9), "u2"), time=("time", times, units))
        assert Movie(array).fps == pytest.approx(fps, rel=1e-3)


def test_frames_that_a_clock_dropped_are_said():
    since = np.delete(np.round(np.arange(62) * 1000 / 30), [10, 11])
    clock = np.datetime64("2024-05-05T10:00:00") + since.astype("timedelta64[ms]")
    array = labelled(np.zeros((60, 9, 9), "u2"), time=("time", clock))
    with pytest.warns(UserWarning, match=r"'time': frames come unevenly.* 0\.1 s \(before frame"):
        assert Movie(array).fps == 30


@pytest.mark.parametrize("step", [0.1, 1, 300])
def test_frames_that_an_exact_clock_dropped_are_said(step):
    times = step * np.delete(np.arange(40.0), [10, 11, 20])
    array = labelled(np.zeros((37, 9, 9), "u2"), time=("time", times, {"units": "s"}))
    with pytest.warns(UserWarning, match="94% of the intervals"):
        assert Movie(array).fps == pytest.approx(1 / step)


@pytest.mark.filterwarnings("ignore:.*frames come unevenly")
def test_times_that_are_uneven_are_kept(tmp_path):
    since = np.array([0.0, 20, 40, 60, 120, 140])
    array = labelled(time=("time", since, {"units": "ms"}))
    array.to_dataset().to_zarr(tmp_path / "cells.zarr")
    on_disk = xarray.open_zarr(tmp_path / "cells.zarr", chunks=None)["cells"]
    layer = Image(array, scale=(20, 1, 1), units=("ms", "pixel", "pixel"))
    turned = array.transpose("y", "time", "x")
    for data in (array, array.chunk({"time": 4}), turned, on_disk, layer):
        movie = Movie.from_any(data)
        assert movie.fps == pytest.approx(50)
        np.testing.assert_allclose(movie.times, since / 1000)
        np.testing.assert_allclose(movie.replace(fps=25).times, since / 500)
        np.testing.assert_array_equal(movie.read(4), FRAMES[4])
        whole = movie.as_dask().compute()
        np.testing.assert_array_equal(np.moveaxis(whole, movie.axes.index("T"), 0), FRAMES)


def test_times_that_do_not_ascend_make_no_rate():
    array = labelled(time=("time", np.array([0.0, 2, 1, 3, 4, 9]), {"units": "s"}))
    assert Movie(array).fps is None
