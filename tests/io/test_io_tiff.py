"""TIFF files of other programs, and what others find in ours."""

import pickle
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import tifffile

from napari_motionmag import Movie, magnify
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


def test_uneven_times_of_planes_are_said(tmp_path):
    path = tmp_path / "film.ome.tif"
    ome(path, noise((6, 8, 9)), "TYX", Plane={"DeltaT": [5, 5.1, 5.2, 5.3, 6.3, 6.4]})
    with pytest.warns(UserWarning, match=r"film\.ome\.tif: frames come unevenly: 80% .* 10 frames"):
        movie = open_movie(path)
    assert movie.fps == 10
    assert movie.times == pytest.approx([0, 0.1, 0.2, 0.3, 1.3, 1.4])


@pytest.mark.filterwarnings("ignore:.*unevenly")
@pytest.mark.parametrize(("axes", "shape"), [("TYX", (6, 16, 9)), ("TCYX", (6, 2, 16, 9))])
def test_uneven_times_are_written(tmp_path, axes, shape):
    path, again = tmp_path / "film.ome.tif", tmp_path / "again.ome.tif"
    times = [5, 5.1, 5.2, 5.3, 6.3, 6.4]
    deltas = np.repeat(times, shape[1] if "C" in axes else 1).tolist()
    ome(path, noise(shape), axes, Plane={"DeltaT": deltas})
    movie = open_movie(path)
    save_movie(again, movie)
    assert open_movie(again).times == pytest.approx(movie.times)
    magnified = movie.replace(data=magnify(movie, 2, method="linear"))
    save_movie(again, magnified, overwrite=True)
    assert open_movie(again).fps == 10
    assert open_movie(again).times == pytest.approx(np.subtract(times, 5))


@pytest.mark.filterwarnings("error::UserWarning")
@pytest.mark.parametrize("fps", [300, 4000])
def test_times_of_planes_in_whole_milliseconds(tmp_path, fps):
    path, count = tmp_path / "film.ome.tif", 81
    times = [round(1000 * t / fps) for t in range(count)]
    plane = {"DeltaT": times, "DeltaTUnit": ["ms"] * count}
    ome(path, noise((count, 8, 9)), "TYX", Plane=plane, PhysicalSizeX=0.1, PhysicalSizeY=0.1)
    movie = open_movie(path)
    assert movie.fps == pytest.approx(fps, rel=0.01)
    assert movie.scale[1:] == (0.1, 0.1)


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
        lazy = open_movie(path).as_dask()
        for index in (np.s_[3], np.s_[1:5:2, 1, 2:4], np.s_[-1, :, ::-1], np.s_[..., 3]):
            np.testing.assert_array_equal(lazy[index].compute(), data[index])


# what is missing or wrong in the files of others


def patched(path, old, new):
    """Replace text of the OME-XML by text of the same length."""
    content = path.read_bytes()
    old, new = old.encode(), new.encode()
    assert content.count(old) == 1
    assert len(old) == len(new)
    path.write_bytes(content.replace(old, new))


def claiming(path, data, **sizes):
    """Write an OME-TIFF whose metadata claim other sizes than it has."""
    ome(path, data, "TYX", **SIZES)
    with tifffile.TiffFile(path) as file:
        xml = file.ome_metadata
    for name, size in sizes.items():
        before, after = xml.split(f' {name}="')
        xml = f'{before} {name}="{size}"{after[after.index(chr(34)) + 1 :]}'
    tifffile.imwrite(path, data, description=xml.encode(), metadata=None, photometric="minisblack")


SIZES = {"PhysicalSizeX": 0.125, "PhysicalSizeY": 0.125, "TimeIncrement": 0.05}


def test_a_recording_that_stopped_has_the_frames_that_are_there(tmp_path, caplog):
    path, data = tmp_path / "film.ome.tif", noise((8, 9, 10))
    claiming(path, data, SizeT=20, PlaneCount=20)
    with pytest.warns(UserWarning, match=r"film\.ome\.tif: promises 20 frames and has 8 whole"):
        movie = open_movie(path)
    assert movie.fps == 20
    same(movie, data)
    assert pickle.loads(pickle.dumps(movie)).shape == (8, 9, 10)
    assert caplog.records == []  # tifffile logs the same in other words


def test_frames_that_are_not_whole_are_left_out(tmp_path):
    path, data = tmp_path / "film.ome.tif", noise((9, 8, 9))
    ome(path, data, "TYX")
    patched(path, 'SizeC="1"', 'SizeC="2"')
    patched(path, 'SizeT="9"', 'SizeT="5"')
    with pytest.warns(UserWarning, match="promises 5 frames and has 4 whole ones"):
        movie = open_movie(path)
    assert movie.axes == "TCYX"
    same(movie, data[:8].reshape(4, 2, 8, 9))


def ome_set(folder, data):
    """Write a set of OME-TIFF files, two frames each, the first with the metadata of all."""
    parts = [data[k : k + 2] for k in range(0, len(data), 2)]
    pieces = "".join(
        f'<TiffData IFD="0" PlaneCount="2" FirstT="{2 * k}">'
        f'<UUID FileName="part{k}.ome.tif">urn:uuid:{k}</UUID></TiffData>'
        for k in range(len(parts))
    )
    t, y, x = data.shape
    for k, part in enumerate(parts):
        xml = (
            f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:{k}">'
            f'<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" '
            f'SizeX="{x}" SizeY="{y}" SizeC="1" SizeZ="1" SizeT="{t}" TimeIncrement="0.5">'
            f'<Channel ID="Channel:0:0"/>{pieces}</Pixels></Image></OME>'
        )
        tifffile.imwrite(
            folder / f"part{k}.ome.tif",
            part,
            description=xml,
            metadata=None,
            photometric="minisblack",
        )
    return folder / "part0.ome.tif"


def test_a_set_of_files_is_one_movie_and_the_missing_one_is_named(tmp_path):
    data = noise((8, 9, 10))
    path = ome_set(tmp_path, data)
    movie = open_movie(path)
    assert movie.fps == 2
    same(movie, data)
    (tmp_path / "part2.ome.tif").unlink()
    with pytest.warns(UserWarning, match=r"8 frames and has 4 whole ones: part2\.ome\.tif is not"):
        movie = open_movie(path)
    same(movie, data[:4])
    (tmp_path / "part1.ome.tif").unlink()
    with pytest.warns(UserWarning, match=r"part1\.ome\.tif, part2\.ome\.tif"):
        same(open_movie(path), data[:2])


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("</OME>", "<OME>", "cannot be read"),
        ("<TiffData ", "<TiffDataX", "cannot be read"),
        ('SizeX="10"', 'SizeX="1_"', "cannot be read"),
        ('SizeX="10"', 'SizeX="99"', "claim frames of 9 x 99"),
    ],
)
def test_metadata_that_are_wrong_cost_no_pixels(tmp_path, old, new, problem):
    path, data = tmp_path / "film.ome.tif", noise((8, 9, 10))
    ome(path, data, "TYX", Description="." * 40, **SIZES)
    patched(path, old.ljust(len(new)), new.ljust(len(old)))
    with pytest.warns(UserWarning, match=rf"film\.ome\.tif: its OME metadata {problem}"):
        movie = open_movie(path)
    assert (movie.fps, movie.scale) == (None, None)
    same(movie, data)


@pytest.mark.parametrize(
    ("text", "step"), [("0,125", 0.125), ("INF  ", 1), ("0.000", 1), ("nan  ", 1), ("-1.25", 1)]
)
def test_numbers_are_read_as_they_are_meant_or_left_out(tmp_path, text, step):
    path, data = tmp_path / "film.ome.tif", noise((8, 9, 10))
    ome(path, data, "TYX", **SIZES)
    patched(path, 'PhysicalSizeX="0.125"', f'PhysicalSizeX="{text}"')
    if step == 1:
        with pytest.warns(UserWarning, match=r"film\.ome\.tif: PhysicalSizeX=.* is left out"):
            movie = open_movie(path)
    else:
        movie = open_movie(path)
    assert movie.scale == pytest.approx((0.05, 0.125, step))
    patched(path, 'TimeIncrement="0.05"', 'TimeIncrement="0,05"')
    patched(path, f'PhysicalSizeX="{text}"', 'PhysicalSizeX="0.125"')
    assert open_movie(path).fps == 20
    same(movie, data)


@pytest.mark.parametrize(("old", "new"), [("SizeT", 10**7), ("SizeX", 10**9), ("SizeZ", 10**9)])
def test_claims_are_checked_before_memory_is_taken(tmp_path, old, new):
    import tracemalloc

    path, data = tmp_path / "film.ome.tif", noise((8, 9, 10))
    claiming(path, data, **{old: new, "PlaneCount": new})
    tracemalloc.start()
    with pytest.warns(UserWarning, match="its OME metadata claim"):
        same(open_movie(path), data)
    assert tracemalloc.get_traced_memory()[1] < 20 * 2**20
    tracemalloc.stop()


def test_pages_that_promise_more_than_the_file_holds_are_refused(tmp_path):
    path = tmp_path / "film.tif"
    for compression in (None, "zlib"):
        tifffile.imwrite(
            path,
            noise((3, 8, 9)),
            compression=compression,
            metadata=None,
            photometric="minisblack",
        )
        with tifffile.TiffFile(path, mode="r+b") as file:
            for page in file.pages:
                page.tags["ImageWidth"].overwrite(2**30)
        with pytest.raises(ValueError, match=r"film\.tif: a page .*promises \d+ bytes"):
            open_movie(path)


@pytest.mark.parametrize("kind", ["mapped", "page by page", "compressed"])
def test_a_file_cut_off_has_the_frames_before_the_cut(tmp_path, kind):
    path, data = tmp_path / "film.tif", noise((6, 40, 40))
    with tifffile.TiffWriter(path) as file:
        if kind == "page by page":
            for frame in data:
                file.write(frame, metadata=None, contiguous=False)
        else:
            compression = "zlib" if kind == "compressed" else None
            file.write(data, compression=compression, metadata={"axes": "TYX"})
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 4])
    with pytest.warns(UserWarning, match=r"film\.tif: (promises|its metadata do not fit)"):
        movie = open_movie(path)
    assert movie.n_frames >= 4
    same(movie, data[: movie.n_frames])


@pytest.mark.skipif(not hasattr(__import__("os"), "mkfifo"), reason="has no named pipes")
def test_a_pipe_is_refused(tmp_path):
    import os

    os.mkfifo(tmp_path / "film.tif")
    with pytest.raises(ValueError, match=r"film\.tif: is neither a file nor a folder"):
        open_movie(tmp_path / "film.tif")


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
    monkeypatch.setattr("napari_motionmag.io.formats.ome_tiff.BIG", 1000)
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
