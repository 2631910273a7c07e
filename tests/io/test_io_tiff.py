"""TIFF files of other programs, and what others find in ours."""

import pickle
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import tifffile

from napari_motionmag import Movie
from napari_motionmag.io import open_movie, save_movie


def noise(shape, dtype="u2"):
    return np.random.default_rng(0).integers(0, 200, shape).astype(dtype)


def same(movie, data):
    np.testing.assert_array_equal(movie.as_dask().compute(scheduler="synchronous"), data)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_imagej_hyperstacks(tmp_path, compression, byteorder):
    path, data = tmp_path / "ij.tif", noise((6, 2, 8, 9))
    tifffile.imwrite(
        path,
        data.astype(byteorder + "u2"),
        byteorder=byteorder,
        imagej=True,
        compression=compression,
        resolution=(4, 2),
        metadata={"axes": "TCYX", "finterval": 0.25, "unit": "\\u00B5m"},
    )
    movie = open_movie(path)
    assert (movie.axes, movie.fps) == ("TCYX", 4)
    assert movie.dtype == np.uint16
    assert movie.scale == (0.25, 1, 0.5, 0.25)
    assert movie.units == ("s", "pixel", "um", "um")
    same(movie, data)
    np.testing.assert_array_equal(movie.read(4, {"C": 1}), data[4, 1])


def test_imagej_stack_of_one_page_of_directory(tmp_path):
    # ImageJ writes stacks beyond 4 GB as one directory followed by all the pixels
    path, data = tmp_path / "ij.tif", noise((6, 8, 9))
    tifffile.imwrite(path, data, imagej=True, truncate=True, metadata={"axes": "TYX"})
    with tifffile.TiffFile(path) as file:
        assert len(file.pages) == 1
    same(open_movie(path), data)


def test_imagej_times_have_units(tmp_path):
    path = tmp_path / "ij.tif"
    metadata = {"axes": "TYX", "finterval": 20.0, "tunit": "msec"}
    tifffile.imwrite(path, noise((6, 8, 9)), imagej=True, metadata=metadata)
    assert open_movie(path).fps == pytest.approx(50)


def test_a_playback_rate_is_taken_with_a_warning(tmp_path):
    path = tmp_path / "ij.tif"
    tifffile.imwrite(path, noise((6, 8, 9)), imagej=True, metadata={"axes": "TYX", "fps": 7.0})
    with pytest.warns(UserWarning, match="playback rate of 7 fps"):
        movie = open_movie(path)
    assert movie.fps == 7


def test_resolutions_without_unit_are_no_calibration(tmp_path):
    path = tmp_path / "ij.tif"
    tifffile.imwrite(
        path, noise((6, 8, 9)), imagej=True, resolution=(72, 72), metadata={"axes": "TYX"}
    )
    assert open_movie(path).scale is None


def test_a_stack_whose_time_is_called_z(tmp_path):
    path, data = tmp_path / "ij.tif", noise((6, 8, 9))
    metadata = {"axes": "ZYX", "spacing": 3.0, "unit": "um"}
    tifffile.imwrite(path, data, imagej=True, resolution=(2, 2), metadata=metadata)
    with pytest.raises(ValueError, match=r"'ZYX'.*none of which is time.*'TYX'"):
        open_movie(path)
    movie = open_movie(path, axes="TYX", fps=10)
    assert movie.fps == 10  # and not 3 um
    assert movie.scale == pytest.approx((0.1, 0.5, 0.5))


def test_plain_pages_are_frames(tmp_path):
    path, data = tmp_path / "plain.tif", noise((6, 8, 9, 3), "u1")
    with tifffile.TiffWriter(path) as file:
        for frame in data:
            file.write(frame, metadata=None, photometric="rgb")
    movie = open_movie(path)
    assert (movie.axes, movie.fps, movie.scale) == ("TYXS", None, None)
    same(movie, data)


def test_axes_without_meaning_ask(tmp_path):
    path = tmp_path / "shaped.tif"
    tifffile.imwrite(path, noise((6, 2, 8, 9)))
    with pytest.raises(ValueError, match=r"'QQYX', shape \(6, 2, 8, 9\), which is time"):
        open_movie(path)
    assert open_movie(path, axes="TCYX").n_frames == 6


def test_rates_in_the_description_of_tifffile(tmp_path):
    path = tmp_path / "shaped.tif"
    tifffile.imwrite(path, noise((6, 8, 9)), metadata={"axes": "TYX", "fps": 25})
    assert open_movie(path).fps == 25


def test_samples_in_planes_are_put_last(tmp_path):
    path, data = tmp_path / "planar.tif", noise((5, 3, 8, 9), "u1")
    tifffile.imwrite(
        path, data, planarconfig="separate", photometric="rgb", metadata={"axes": "TSYX"}
    )
    movie = open_movie(path)
    assert movie.axes == "TYXS"
    same(movie, np.moveaxis(data, 1, -1))


def ome(path, data, axes, **metadata):
    tifffile.imwrite(path, data, ome=True, metadata={"axes": axes} | metadata)


def test_ome_units(tmp_path):
    path, data = tmp_path / "film.ome.tif", noise((3, 4, 8, 9))
    ome(
        path,
        data,
        "TZYX",
        TimeIncrement=250,
        TimeIncrementUnit="ms",
        PhysicalSizeX=0.1,
        PhysicalSizeXUnit="µm",
        PhysicalSizeY=100,
        PhysicalSizeYUnit="nm",
        PhysicalSizeZ=2,
    )
    movie = open_movie(path)
    assert (movie.axes, movie.fps, movie.name) == ("TZYX", 4, "film")
    assert movie.scale == (0.25, 2, 100, 0.1)
    assert movie.units == ("s", "um", "nm", "um")
    same(movie, data)


def test_ome_times_of_planes(tmp_path):
    path = tmp_path / "film.ome.tif"
    deltas = [0, 1, 40, 41, 80, 81]  # two channels, one after the other
    ome(path, noise((3, 2, 8, 9)), "TCYX", Plane={"DeltaT": deltas, "DeltaTUnit": ["ms"] * 6})
    assert open_movie(path).fps == pytest.approx(25)


def test_more_than_one_image_is_said(tmp_path):
    path = tmp_path / "film.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(noise((3, 8, 9)), metadata={"axes": "TYX"})
        file.write(noise((4, 8, 9)), metadata={"axes": "TYX"})
    with pytest.warns(UserWarning, match="holds 2 images"):
        assert open_movie(path).n_frames == 3


def test_one_picture_is_no_movie(tmp_path):
    path = tmp_path / "film.tif"
    tifffile.imwrite(path, noise((8, 9)))
    with pytest.raises(ValueError, match="'YX'"):
        open_movie(path)


def test_missing_codecs_are_named(tmp_path, monkeypatch):
    path = tmp_path / "film.tif"
    tifffile.imwrite(path, noise((3, 8, 9)), compression="zlib", photometric="minisblack")
    with tifffile.TiffFile(path, mode="r+b") as file:
        for page in file.pages:
            page.tags["Compression"].overwrite(5)  # LZW
    codecs = type("Codecs", (), {"__contains__": lambda self, key: False})()
    monkeypatch.setattr(tifffile.TIFF, "DECOMPRESSORS", codecs)
    with pytest.raises(ImportError, match=r"LZW.*imagecodecs"):
        open_movie(path)


def test_a_truncated_file_is_reported(tmp_path):
    path = tmp_path / "film.ome.tif"
    ome(path, noise((6, 40, 40)), "TYX")
    path.write_bytes(path.read_bytes()[:-5000])
    with pytest.raises((ValueError, OSError)):
        open_movie(path).read(5)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_frames_are_read_one_by_one_and_after_pickling(tmp_path, compression, monkeypatch):
    path, data = tmp_path / "film.tif", noise((6, 8, 9))
    tifffile.imwrite(path, data, compression=compression, metadata={"axes": "TYX"})
    read = []
    pages = tifffile.TiffPage.asarray
    monkeypatch.setattr(
        tifffile.TiffFrame, "asarray", lambda self, **k: read.append(self.index) or pages(self, **k)
    )
    movie = open_movie(path)
    assert read == []
    np.testing.assert_array_equal(movie.read(4), data[4])
    assert read == ([] if compression is None else [4])  # uncompressed files are mapped
    copy = pickle.loads(pickle.dumps(movie))
    np.testing.assert_array_equal(copy.read(2), data[2])
    assert len(pickle.dumps(movie)) < 20_000


def test_parts_of_frames_are_read_as_numpy_would(tmp_path):
    for compression in (None, "zlib"):
        path, data = tmp_path / f"{compression}.tif", noise((6, 2, 8, 9))
        tifffile.imwrite(path, data, compression=compression, metadata={"axes": "TCYX"})
        lazy = open_movie(path).data
        for index in (np.s_[3], np.s_[1:5:2, 1, 2:4], np.s_[-1, :, ::-1], np.s_[..., 3]):
            np.testing.assert_array_equal(lazy[index].compute(), data[index])


# what we write


def test_ome_xml_says_it_all(tmp_path):
    path = tmp_path / "film.tif"
    movie = Movie(
        noise((3, 2, 8, 9)),
        "TCYX",
        fps=50,
        scale=(1, 1, 0.2, 0.1),
        units=("pixel", "pixel", "um", "um"),
        name="cells <&> co",
    )
    save_movie(path, movie, recipe={"factor": 10, "method": "learned"})
    with tifffile.TiffFile(path) as file:
        xml = ElementTree.fromstring(file.ome_metadata)
        assert file.series[0].axes == "TCYX"
        assert not file.is_bigtiff
        page = file.pages.first
        assert page.tags["ResolutionUnit"].value == 3  # centimetres
        pixels, per = page.tags["XResolution"].value
        assert pixels / per == pytest.approx(1e5)
    image = xml.find("{*}Image")
    assert image.get("Name") == "cells <&> co"
    assert image.find("{*}Description").text == '{"factor": 10, "method": "learned"}'
    pixels = image.find("{*}Pixels")
    assert float(pixels.get("TimeIncrement")) == 0.02
    assert float(pixels.get("PhysicalSizeX")) == 0.1
    assert pixels.get("PhysicalSizeYUnit") == "µm"
    assert pixels.get("SizeT") == "3"


def test_large_files_are_bigtiff(tmp_path, monkeypatch):
    monkeypatch.setattr("napari_motionmag.io.tiff.BIG", 1000)
    path, data = tmp_path / "film.tif", noise((9, 8, 9))
    save_movie(path, data)
    with tifffile.TiffFile(path) as file:
        assert file.is_bigtiff
    same(open_movie(path), data)


@pytest.mark.parametrize("dtype", ["f2", "i8", "u8"])
def test_types_that_ome_has_not_are_refused(tmp_path, dtype):
    with pytest.raises(ValueError, match=r"TIFF cannot hold .*\.npy"):
        save_movie(tmp_path / "film.tif", noise((3, 4, 5), dtype))
    assert list(tmp_path.iterdir()) == []


def test_colours_are_colours_to_others(tmp_path):
    path, data = tmp_path / "film.tif", noise((3, 8, 9, 4), "u1")
    save_movie(path, data)
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        assert page.photometric == tifffile.PHOTOMETRIC.RGB
        assert page.extrasamples == (tifffile.EXTRASAMPLE.UNASSALPHA,)
    np.testing.assert_array_equal(tifffile.imread(path), data)
