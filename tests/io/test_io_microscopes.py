"""Files of microscopes, read through libraries: axes, scale, rate, and what is missing.

The CZI files are written by pylibCZIrw itself, the ND2 files by `nd2_file`, as Nikon has no writer.
"""

import pickle
import sys

import dask
import numpy as np
import pytest

from napari_motionmag.io import open_movie
from napari_motionmag.io.napari_reader import get_reader

pytest.importorskip("pylibCZIrw")
pytest.importorskip("nd2")
from czi_file import write_czi
from nd2_file import write_nd2

FRAMES = np.random.default_rng(0).integers(0, 60000, (6, 3, 2, 20, 24)).astype("u2")


def czi(path, frames=FRAMES, **how):
    write_czi(path, frames, **({"interval": 0.04} | how))


WRITERS = {"movie.czi": czi, "movie.nd2": lambda path: write_nd2(path, FRAMES)}


@pytest.mark.parametrize("name", WRITERS)
def test_axes_scale_and_rate_are_those_of_the_file(tmp_path, name):
    path = tmp_path / name
    WRITERS[name](path)
    movie = open_movie(path)
    assert (movie.axes, movie.shape, movie.dtype) == ("TZCYX", FRAMES.shape, np.uint16)
    assert movie.fps == pytest.approx(25)
    step = 1 if name.endswith("czi") else 0.5
    assert movie.scale == pytest.approx((0.04, step, 1, 0.1, 0.1))
    assert movie.units == ("s", "um", "pixel", "um", "um")
    for where in ((5, 2, 1), (0, 0, 0), (3, 1, 1)):
        np.testing.assert_array_equal(movie.read(where[0], where[1:]), FRAMES[where])
    again = pickle.loads(pickle.dumps(movie))
    np.testing.assert_array_equal(again.as_dask().compute(), FRAMES)
    np.testing.assert_array_equal(movie.data[2:4, 1, :, 5:9, ::-1], FRAMES[2:4, 1, :, 5:9, ::-1])
    tokens = {dask.base.tokenize(open_movie(path).data) for _ in range(2)}
    assert len(tokens) == 1


@pytest.mark.parametrize("name", WRITERS)
def test_napari_opens_them_with_their_axes(tmp_path, name):
    from napari.layers import Image

    path = tmp_path / name
    WRITERS[name](path)
    ((data, arguments, _),) = get_reader(str(path))(str(path))
    layer = Image(data, **arguments)
    assert layer.axis_labels == ("t", "z", "c", "y", "x")
    assert [str(unit) for unit in layer.units[:2]] == ["second", "micrometer"]
    np.testing.assert_array_equal(np.asarray(layer.data[1, 2, 0]), FRAMES[1, 2, 0])


@pytest.mark.parametrize("name", WRITERS)
def test_the_command_line_reads_them(tmp_path, name):
    from napari_motionmag.cli.main import main

    path, out = tmp_path / name, tmp_path / "out.ome.tif"
    WRITERS[name](path)
    arguments = ["--factor", "3", "--method", "linear", "--quiet", "--axes", "TZCYX"]
    assert main(["magnify", str(path), str(out), *arguments]) == 0
    assert open_movie(out).fps == pytest.approx(25)


def test_color_czi_are_rgb(tmp_path):
    colors = np.random.default_rng(0).integers(0, 255, (4, 12, 14, 3)).astype("u1")
    write_czi(tmp_path / "color.czi", colors, "T")
    movie = open_movie(tmp_path / "color.czi", fps=5)
    assert movie.axes == "TYXS"
    np.testing.assert_array_equal(movie.read(3), colors[3, ..., ::-1])


def test_stamps_of_frames_are_their_times(tmp_path):
    times = np.array([5, 5.1, 5.2, 5.3, 6.3, 6.4])
    czi(tmp_path / "uneven.czi", stamps=times)
    with pytest.warns(UserWarning, match=r"uneven\.czi: frames come unevenly: 80% .* 10 frames"):
        movie = open_movie(tmp_path / "uneven.czi")
    np.testing.assert_allclose(movie.times, times - 5)
    stamps = np.repeat(1000 * times, 3) + np.tile([0, 5, 10], 6)  # of each plane of the stack
    write_nd2(tmp_path / "uneven.nd2", FRAMES, times=stamps)
    with pytest.warns(UserWarning, match=r"uneven\.nd2: frames come unevenly: 80% .* 10 frames"):
        movie = open_movie(tmp_path / "uneven.nd2")
    np.testing.assert_allclose(movie.times, times - 5)


def test_missing_planes_are_named(tmp_path):
    czi(tmp_path / "a.czi", without=[(4, z, c) for z in range(3) for c in (0, 1)])
    czi(tmp_path / "b.czi", without=[(1, 2, 0)])
    write_nd2(tmp_path / "a.nd2", FRAMES, written=13)
    for name in ("a.czi", "a.nd2"):
        with pytest.warns(UserWarning, match=rf"{name}: promises 6 frames and has 4 whole ones"):
            movie = open_movie(tmp_path / name)
        np.testing.assert_array_equal(movie.as_dask().compute(), FRAMES[:4])
    movie = open_movie(tmp_path / "b.czi")
    with pytest.raises(ValueError, match=r"b\.czi: plane T=1, Z=2, C=0 is missing"):
        movie.read(1, (2, 0))


def test_without_a_library_the_extra_is_named(tmp_path, monkeypatch):
    for module in ("nd2", "pylibCZIrw", "pylibCZIrw.czi"):
        monkeypatch.setitem(sys.modules, module, None)
    for name in ("movie.nd2", "movie.czi"):
        (tmp_path / name).write_bytes(b"something")
        match = r"files need the package .*: pip install 'napari-motionmag\[formats\]'"
        with pytest.raises(ImportError, match=match):
            open_movie(tmp_path / name)
        with pytest.raises(ImportError, match=match):
            get_reader(str(tmp_path / name))(str(tmp_path / name))


def test_a_stack_without_time_is_no_movie(tmp_path):
    write_czi(tmp_path / "stack.czi", FRAMES[0], "ZC")
    assert get_reader(str(tmp_path / "stack.czi")) is None
    with pytest.raises(ValueError, match=r"stack\.czi: .*none of which is time; pass axes"):
        open_movie(tmp_path / "stack.czi")
    assert open_movie(tmp_path / "stack.czi", axes="TCYX").n_frames == 3
