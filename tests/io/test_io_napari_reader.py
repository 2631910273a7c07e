import numpy as np
import pytest

from napari_motionmag import Movie
from napari_motionmag.io import save_movie
from napari_motionmag.io.napari_reader import get_reader

FRAMES = np.random.default_rng(0).integers(100, 4000, (7, 24, 30), dtype=np.uint16)


@pytest.mark.parametrize("name", ["m.ome.tif", "m.ome.tiff", "m.zarr"])
def test_a_saved_movie_opens_in_napari_with_its_axes(tmp_path, name):
    from napari.layers import Image

    path = tmp_path / name
    scale, units = (0.04, 0.65, 0.65), ("second", "micrometer", "micrometer")
    save_movie(path, FRAMES, axes="TYX", fps=25, scale=scale, units=units)
    ((data, arguments, kind),) = get_reader(str(path))(str(path))
    layer = Image(data, **arguments)
    assert kind == "image"
    assert layer.axis_labels == ("t", "y", "x")
    assert np.allclose(layer.scale, scale)
    assert [str(unit) for unit in layer.units] == list(units)
    assert np.array_equal(layer.data.compute(), FRAMES)
    low, high = layer.contrast_limits
    assert 0 <= low < high <= 65535
    assert Movie.from_any(layer).fps == pytest.approx(25)


def test_what_is_no_movie_is_left_to_others(tmp_path):
    import tifffile

    tifffile.imwrite(tmp_path / "picture.ome.tif", FRAMES[0])
    (tmp_path / "broken.ome.tif").write_bytes(b"II no tiff at all")
    for name in ("picture.ome.tif", "broken.ome.tif", "missing.ome.tif", "plain.tif"):
        assert get_reader(str(tmp_path / name)) is None
    assert get_reader([str(tmp_path / "a.mp4")]) is None


def test_napari_opens_it_through_the_plugin(tmp_path):
    import npe2

    path = tmp_path / "m.ome.tif"
    save_movie(path, FRAMES, axes="TYX", fps=25)
    manager = npe2.PluginManager()  # an own one: test runs hide the installed plugins
    manager.register(npe2.PluginManifest.from_distribution("napari-motionmag"))
    manager.activate("napari-motionmag")
    (reader,) = manager.iter_compatible_readers([str(path)])
    read = manager.commands.execute(reader.command, args=(str(path),))
    ((data, arguments, _),) = read(str(path))
    assert arguments["axis_labels"] == ("t", "y", "x")
    assert data.shape == FRAMES.shape


def test_a_plain_tiff_with_time_is_offered(tmp_path):
    import tifffile

    def imagej(name, axes):
        tifffile.imwrite(tmp_path / name, FRAMES, imagej=True, metadata={"axes": axes})

    imagej("time.tif", "TYX")
    tifffile.imwrite(tmp_path / "pages.TIFF", FRAMES, metadata=None, photometric="minisblack")
    for name in ("time.tif", "pages.TIFF"):
        ((data, arguments, _),) = get_reader(str(tmp_path / name))(str(tmp_path / name))
        assert arguments["axis_labels"] == ("t", "y", "x")
        assert data.shape == FRAMES.shape
    imagej("slices.tif", "ZYX")
    imagej("channels.tif", "CYX")
    tifffile.imwrite(tmp_path / "picture.tif", FRAMES[0])
    for name in ("slices.tif", "channels.tif", "picture.tif"):
        assert get_reader(str(tmp_path / name)) is None


def test_asking_for_a_reader_raises_and_warns_of_nothing(tmp_path, recwarn):
    (tmp_path / "folder.tif").mkdir()
    (tmp_path / "empty.czi").write_bytes(b"")
    names = ("folder.tif", "no\0thing.tif", "empty.czi", "x" * 400 + ".tif", "none/of.zarr")
    for name in names:
        assert get_reader(f"{tmp_path}/{name}") is None
    path = tmp_path / "two.tif"
    tifffile = pytest.importorskip("tifffile")
    with tifffile.TiffWriter(path) as file:
        file.write(FRAMES, metadata={"axes": "TYX"})
        file.write(FRAMES[:, :5], metadata={"axes": "TYX"})
    read = get_reader(str(path))
    assert not recwarn
    with pytest.warns(UserWarning, match=r"two\.tif holds 2 images; the first is read"):
        read(str(path))
