"""Zarr stores of others, OME-Zarr metadata, and writing that goes on where it stopped."""

import sys

import numpy as np
import pytest

from napari_motionmag import Movie
from napari_motionmag.io import open_movie, save_movie

zarr = pytest.importorskip("zarr")


def noise(shape, dtype="u2"):
    return np.random.default_rng(0).integers(0, 200, shape).astype(dtype)


def test_a_bare_array_with_named_axes(tmp_path):
    data = noise((4, 2, 5, 6))
    names = ["channel", "time", "y", "x"]
    array = zarr.create_array(
        tmp_path / "film.zarr", shape=data.shape, dtype=data.dtype, dimension_names=names
    )
    array[:] = data
    movie = open_movie(tmp_path / "film.zarr")
    assert movie.axes == "CTYX"
    assert isinstance(movie.data.array, zarr.Array)
    np.testing.assert_array_equal(movie.read(1, {"C": 3}), data[3, 1])


def test_units_without_a_scale_make_no_lengths(tmp_path):
    save_movie(tmp_path / "film.zarr", noise((4, 5, 6)), fps=5, units=("s", "um", "um"))
    movie = open_movie(tmp_path / "film.zarr")
    assert movie.fps == 5
    assert movie.units[1:] == ("pixel", "pixel")


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_bare_array_without_names(tmp_path, zarr_format):
    path = tmp_path / "film.zarr"
    for shape in ((4, 5, 6), (4, 2, 5, 6)):
        zarr.save_array(path, noise(shape), zarr_format=zarr_format, mode="w")
        if len(shape) == 3:
            assert open_movie(path).axes == "TYX"
        else:
            with pytest.raises(ValueError, match="axes cannot be guessed"):
                open_movie(path)
            assert open_movie(path, axes="TCYX").n_frames == 4


def ome_04(path, data, **multiscale):
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.create_array("fine", shape=data.shape, dtype=data.dtype, chunks=data.shape)[:] = data
    group.attrs["multiscales"] = [{"version": "0.4"} | multiscale]
    return group


def test_ome_zarr_04_with_scales_of_level_and_image(tmp_path):
    data = noise((4, 3, 5, 6))
    ome_04(
        tmp_path / "film.zarr",
        data,
        axes=[
            {"name": "t", "type": "time", "unit": "millisecond"},
            {"name": "z", "type": "space", "unit": "micrometer"},
            {"name": "y", "type": "space", "unit": "micrometer"},
            {"name": "x", "type": "space", "unit": "micrometer"},
        ],
        datasets=[
            {
                "path": "fine",
                "coordinateTransformations": [{"type": "scale", "scale": [1, 2, 0.5, 0.25]}],
            },
            {"path": "coarse"},
        ],
        coordinateTransformations=[{"type": "scale", "scale": [20, 1, 1, 1]}],
    )
    movie = open_movie(tmp_path / "film.zarr")
    assert (movie.axes, movie.fps) == ("TZYX", pytest.approx(50))
    assert movie.scale == pytest.approx((0.02, 2, 0.5, 0.25))
    np.testing.assert_array_equal(movie.read(3, {"Z": 2}), data[3, 2])
    inner = open_movie(tmp_path / "film.zarr" / "fine", axes="TZYX")
    assert inner.shape == data.shape


@pytest.mark.parametrize(
    ("transformation", "said"),
    [
        ({"type": "scale", "path": "scale.bin"}, "calibration cannot be read"),
        ({"type": "scale", "scale": [0.0, 1, 1]}, "scale of T=0.0"),
        ({"type": "scale", "scale": [1, 1]}, "calibration cannot be read"),
        ({"type": "scale", "scale": ["a", 1, 1]}, "calibration cannot be read"),
        ({}, "calibration cannot be read"),
    ],
)
def test_a_scale_that_is_none_costs_no_pixels(tmp_path, transformation, said):
    data = noise((4, 5, 6))
    ome_04(
        tmp_path / "film.zarr",
        data,
        axes=[
            {"name": name, "unit": unit}
            for name, unit in zip("tyx", ("second", "", ""), strict=True)
        ],
        datasets=[{"path": "fine", "coordinateTransformations": [transformation]}],
    )
    with pytest.warns(UserWarning, match=f"film.zarr: .*{said}.* left out"):
        movie = open_movie(tmp_path / "film.zarr")
    assert (movie.axes, movie.fps) == ("TYX", None)
    np.testing.assert_array_equal(movie.as_dask().compute(), data)


def test_the_first_ome_zarr_had_five_axes_without_names(tmp_path):
    data = noise((4, 1, 2, 5, 6))
    ome_04(tmp_path / "film.zarr", data, datasets=[{"path": "fine"}])
    assert open_movie(tmp_path / "film.zarr").axes == "TCZYX"


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("order", ["txy", "yxt"])
def test_what_xarray_writes_keeps_names_and_coordinates(tmp_path, zarr_format, order):
    xarray = pytest.importorskip("xarray")
    data = xarray.DataArray(
        noise((4, 5, 6)),
        dims=("time", "y", "x"),
        coords={"time": ("time", np.arange(4) * 20, {"units": "ms"})},
        name="cells",
    )
    data = data.transpose(*({"t": "time"}.get(letter, letter) for letter in order))
    data.to_dataset().to_zarr(tmp_path / "film.zarr", zarr_format=zarr_format)
    movie = open_movie(tmp_path / "film.zarr")
    assert (movie.axes, movie.fps) == (order.upper(), pytest.approx(50))
    np.testing.assert_array_equal(movie.read(2), noise((4, 5, 6))[2])


def test_uneven_times_are_read_and_written(tmp_path):
    xarray = pytest.importorskip("xarray")
    since = np.array([0, 20, 40, 60, 120, 140])
    clock = np.datetime64("2024-05-05T10:00:00") + since.astype("timedelta64[ms]")
    data = xarray.DataArray(noise((6, 5, 6)), dims=("time", "y", "x"), coords={"time": clock})
    data.to_dataset(name="cells").to_zarr(tmp_path / "film.zarr")
    with pytest.warns(UserWarning, match=r"film\.zarr/time: frames come unevenly"):
        movie = open_movie(tmp_path / "film.zarr")
    save_movie(tmp_path / "again.zarr", movie)
    with pytest.warns(UserWarning, match=r"again\.zarr: frames come unevenly"):
        again = open_movie(tmp_path / "again.zarr")
    for found in (movie, again):
        assert found.fps == pytest.approx(50)
        np.testing.assert_allclose(found.times, since / 1000)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_a_missing_chunk_is_said(tmp_path, zarr_format):
    data = noise((4, 5, 6)) + 1
    array = zarr.create_array(
        tmp_path / "film.zarr",
        shape=data.shape,
        dtype=data.dtype,
        chunks=(1, 5, 3),
        zarr_format=zarr_format,
    )
    array[:] = data
    movie = open_movie(tmp_path / "film.zarr")
    np.testing.assert_array_equal(movie.as_dask().compute(), data)
    (tmp_path / "film.zarr" / ("c/2/0/1" if zarr_format == 3 else "2.0.1")).unlink()
    np.testing.assert_array_equal(movie.read(1), data[1])
    with pytest.warns(UserWarning, match=r"film\.zarr: chunk .*2.0.1 is not in the file"):
        assert (movie.read(2)[:, 3:] == 0).all()


def test_a_damaged_chunk_is_said(tmp_path):
    save_movie(tmp_path / "film.zarr", noise((4, 5, 6)))
    (tmp_path / "film.zarr" / "0" / "c" / "2" / "0" / "0").write_bytes(b"rubbish")
    movie = open_movie(tmp_path / "film.zarr")
    with pytest.raises(ValueError, match=r"film\.zarr: \[2, :, :\] cannot be read; .* damaged"):
        movie.read(2)


def test_black_frames_are_written_as_others(tmp_path):
    save_movie(tmp_path / "film.zarr", np.zeros((4, 5, 6), "u2"))
    assert (open_movie(tmp_path / "film.zarr").read(2) == 0).all()  # and nothing is missing


def test_ome_zarr_without_time_asks(tmp_path):
    ome_04(
        tmp_path / "film.zarr",
        noise((4, 5, 6)),
        axes=[{"name": name, "type": "space"} for name in "zyx"],
        datasets=[{"path": "fine"}],
    )
    with pytest.raises(ValueError, match="'ZYX'"):
        open_movie(tmp_path / "film.zarr")
    assert open_movie(tmp_path / "film.zarr", axes="TYX").n_frames == 4


def test_a_group_that_is_no_image_tells_what_is_inside(tmp_path):
    group = zarr.open_group(tmp_path / "plate.zarr", mode="w")
    group.create_group("0")
    group.create_group("OME")
    with pytest.raises(ValueError, match=r"no OME-Zarr image.*plate\.zarr/0"):
        open_movie(tmp_path / "plate.zarr")


def test_an_empty_folder_is_no_store(tmp_path):
    (tmp_path / "film.zarr").mkdir()
    with pytest.raises(ValueError, match="not a readable zarr store"):
        open_movie(tmp_path / "film.zarr")


def test_what_is_written_keeps_to_the_specification(tmp_path):
    models = pytest.importorskip("ome_zarr_models.v05")
    path = tmp_path / "film.zarr"
    movie = Movie(
        noise((3, 2, 4, 5, 6)),
        "TZCYX",
        fps=50,
        scale=(1, 2, 1, 0.5, 0.25),
        units=("pixel", "um", "pixel", "um", "um"),
    )
    save_movie(path, movie, recipe={"factor": 10})
    group = zarr.open_group(path, mode="r")
    image = models.Image.from_zarr(group)
    multiscale = image.ome_attributes.multiscales[0]
    assert [axis.name for axis in multiscale.axes] == list("tczyx")
    assert [axis.unit for axis in multiscale.axes] == ["second", None, *["micrometer"] * 3]
    scale = multiscale.datasets[0].coordinateTransformations[0].scale
    assert scale == pytest.approx([0.02, 1, 2, 0.5, 0.25])
    assert group["0"].metadata.dimension_names == ("t", "c", "z", "y", "x")
    assert group["0"].chunks == (1, 1, 1, 5, 6)
    assert group.attrs["napari_motionmag"]["recipe"] == {"factor": 10}


def test_colours_are_a_channel_axis_to_others(tmp_path):
    path, data = tmp_path / "film.zarr", noise((3, 2, 8, 9, 3), "u1")
    save_movie(path, data, "TZYXS")
    assert zarr.open_group(path)["0"].shape == (3, 3, 2, 8, 9)
    movie = open_movie(path)
    assert movie.axes == "TZYXS"
    np.testing.assert_array_equal(movie.as_dask().compute(), data)


def test_colours_and_channels_do_not_go_together(tmp_path):
    with pytest.raises(ValueError, match="one channel axis"):
        save_movie(tmp_path / "film.zarr", noise((3, 2, 8, 9, 3)), "TCYXS")
    assert list(tmp_path.iterdir()) == []


class Stop(Exception):
    pass


def stop_after(n):
    def progress(done, total):
        if done == n:
            raise Stop

    return progress


def test_interrupted_writing_goes_on(tmp_path, counting_source, monkeypatch):
    monkeypatch.setattr("napari_motionmag.io.frame_stream.os.cpu_count", lambda: 1)
    path, data = tmp_path / "film.zarr", noise((9, 5, 6))
    movie, computed = counting_source(data)
    recipe = {"factor": 3, "band": (1.0, 2.0)}
    with pytest.raises(Stop):
        save_movie(path, movie, recipe=recipe, resume=True, progress=stop_after(4))
    assert not path.exists()
    hidden = {item.name for item in tmp_path.iterdir()}
    assert hidden == {".film.zarr.partial", ".film.zarr.partial.journal"}
    computed.clear()
    seen = []
    save_movie(
        path, movie, recipe=recipe, resume=True, progress=lambda done, total: seen.append(done)
    )
    assert computed == [4, 5, 6, 7, 8]
    assert seen == [5, 6, 7, 8, 9]
    np.testing.assert_array_equal(open_movie(path).as_dask().compute(), data)
    assert [item.name for item in tmp_path.iterdir()] == ["film.zarr"]
    assert not list(path.glob(".unfinished*"))


def test_writing_does_not_go_on_with_something_else(tmp_path):
    path, data = tmp_path / "film.zarr", noise((9, 5, 6))
    with pytest.raises(Stop):
        save_movie(path, data, recipe={"factor": 3}, resume=True, progress=stop_after(4))
    recipe = {"recipe": {"factor": 3}}
    for changed, said in (
        ({"recipe": {"factor": 4}}, r"other settings \(factor: 3, now 4\)"),
        (recipe | {"axes": "YTX"}, "other settings .*YTX"),
        (recipe | {"fps": 3}, "other settings"),
        (recipe | {"source": {"bytes": 5}}, "the source changed"),
    ):
        with pytest.raises(ValueError, match=said) as error:
            save_movie(path, data, resume=True, **changed)
        assert "\n" not in str(error.value)
    save_movie(path, data, recipe={"factor": 4})  # from the beginning, beside the unfinished one
    assert path.exists()


def test_only_zarr_resumes(tmp_path):
    with pytest.raises(ValueError, match=r"resume is for \.zarr"):
        save_movie(tmp_path / "film.tif", noise((3, 4, 5)), resume=True)


def test_without_the_package_the_extra_is_named(tmp_path, monkeypatch):
    zarr.save_array(tmp_path / "film.zarr", noise((4, 5, 6)))
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ImportError, match=r"napari-motionmag\[zarr\]"):
        open_movie(tmp_path / "film.zarr")
    with pytest.raises(ImportError, match=r"napari-motionmag\[zarr\]"):
        save_movie(tmp_path / "other.zarr", noise((4, 5, 6)))
