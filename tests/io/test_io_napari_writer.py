"""What napari's File > Save writes is what our own saving writes, and opens again."""

import numpy as np
import pytest

from napari_motionmag.io import open_movie
from napari_motionmag.io.napari_writer import write_movie

layers = pytest.importorskip("napari.layers")

FRAMES = np.random.default_rng(0).integers(0, 200, (7, 24, 30)).astype("u1")


def movie_layer(**arguments):
    arguments = {
        "name": "cells",
        "scale": (0.04, 0.65, 0.65),
        "units": ("s", "um", "um"),
        "axis_labels": ("t", "y", "x"),
        "contrast_limits": (0, 255),
    } | arguments
    return layers.Image(FRAMES, **arguments)


@pytest.mark.parametrize("ending", [".ome.tif", ".tif", ".ome.zarr", ".zarr", ".mp4", ".avi"])
def test_a_saved_layer_opens_with_its_axes_scale_and_rate(tmp_path, ending):
    path = tmp_path / f"film{ending}"
    data, meta, _ = movie_layer().as_layer_data_tuple()
    assert write_movie(str(path), data, meta) == [str(path)]
    movie = open_movie(path)
    assert (movie.axes, movie.fps) == ("TYX", pytest.approx(25))
    assert movie.scale[1:] == pytest.approx((0.65, 0.65))
    assert movie.units == ("s", "um", "um")
    tolerance = 12 if ending == ".mp4" else 0
    assert np.abs(movie.read(3).astype(int) - FRAMES[3]).mean() <= tolerance
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
    write_movie(str(path), data, meta)  # napari asks before it replaces


def test_a_magnified_layer_keeps_its_recipe(tmp_path):
    import json

    import tifffile

    from napari_motionmag import magnify_layer

    layer = magnify_layer(movie_layer(), 3, method="linear")
    data, meta, _ = layer.as_layer_data_tuple()
    write_movie(str(tmp_path / "out.ome.tif"), data, meta)
    with tifffile.TiffFile(tmp_path / "out.ome.tif") as file:
        assert file.series[0].axes == "TYX"
        text = file.ome_metadata.split("<Description>")[1].split("</Description>")[0]
    assert json.loads(text.replace("&quot;", '"'))["factor"] == 3


def test_the_rate_of_a_layer_without_scale_is_kept(tmp_path):
    layer = layers.Image(FRAMES, axis_labels=("t", "y", "x"), metadata={"fps": 600})
    data, meta, _ = layer.as_layer_data_tuple()
    write_movie(str(tmp_path / "film.ome.tif"), data, meta)
    assert open_movie(tmp_path / "film.ome.tif").fps == pytest.approx(600)


def test_napari_says_why_a_movie_cannot_be_saved(tmp_path):
    """Of a ValueError it only says that there is no valid writer."""
    data, meta, _ = layers.Image(FRAMES, axis_labels=("t", "y", "x")).as_layer_data_tuple()
    with pytest.raises(RuntimeError, match="fps is needed to write a video"):
        write_movie(str(tmp_path / "film.mp4"), data, meta)
    assert not list(tmp_path.iterdir())


def test_pictures_are_left_to_napari(tmp_path):
    import tifffile

    data, meta, _ = layers.Image(FRAMES[0]).as_layer_data_tuple()
    assert write_movie(str(tmp_path / "picture.tif"), data, meta)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "picture.tif"), FRAMES[0])


def test_napari_finds_the_writer_beside_its_own(tmp_path):
    import npe2

    manager = npe2.PluginManager()
    for name in ("napari", "napari-motionmag"):  # in the order in which napari has them
        manager.register(npe2.PluginManifest.from_distribution(name))
    for name in ("film.ome.tif", "film.ome.TIF", "film.zarr", "film.mp4", "film.npy"):
        writer, path = manager.get_writer(str(tmp_path / name), ["image"])
        assert writer.command == "napari-motionmag.write_movie", name
        assert path == str(tmp_path / name)
    for name in ("film.tif", "film.tiff"):  # napari's own, unless the type is chosen
        writer, _ = manager.get_writer(str(tmp_path / name), ["image"])
        assert writer.command != "napari-motionmag.write_movie", name
        writer, _ = manager.get_writer(str(tmp_path / name), ["image"], "napari-motionmag")
        assert writer.command == "napari-motionmag.write_movie", name
