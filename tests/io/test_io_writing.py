"""Nothing lost, nothing left behind, no success that is none."""

import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from napari_motionmag import interpolated_movie, magnify
from napari_motionmag.io import check_output, formats, open_movie, save_movie
from napari_motionmag.io.formats import all_formats, dialog_filter, format_of, readable, writable
from napari_motionmag.io.journal import Journal

FRAMES = np.random.default_rng(0).integers(0, 200, (6, 8, 9)).astype("u2")


def test_every_format_is_in_every_list():
    assert [entry.name for entry in all_formats()] == [
        *("tiff", "zarr", "npy", "video", "pictures", "czi", "nd2"),
    ]
    assert set(writable()) <= set(readable())
    for ending in readable():
        assert format_of(f"film{ending}").extensions.count(ending) == 1
    assert dialog_filter().startswith("OME-TIFF (*.ome.tif *.tif *.tiff);;OME-Zarr (")


@pytest.mark.parametrize("name", ["cell [1].ome.tif", "what?.npy", "a*.zarr"])
def test_brackets_in_the_name_of_an_output_are_no_pattern(tmp_path, name):
    np.testing.assert_array_equal(open_movie(save_movie(tmp_path / name, FRAMES)).data, FRAMES)
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        open_movie(tmp_path / f"another {name}")


RAW = """
from pathlib import Path
import numpy as np
from napari_motionmag.io.formats.base import FileMovie, Format

def read(path: Path) -> FileMovie:
    return FileMovie(np.memmap(path, "u1", "r").reshape(-1, 16, 16), "TYX", fps=100)

def write(path, stream, options):
    with open(path, "xb") as file:
        for _, frame in stream.frames("T"):
            file.write(frame.tobytes())

FORMAT = Format("raw16", "Raw frames", (".raw16",), read, writes=(".raw16",), write=write)
"""


def test_a_format_is_one_module(tmp_path, monkeypatch):
    (tmp_path / "raw16.py").write_text(RAW)
    monkeypatch.setattr(formats, "__path__", [*formats.__path__, str(tmp_path)])
    all_formats.cache_clear()
    try:
        frames = np.arange(4 * 256, dtype="u4").reshape(4, 16, 16).astype("u1")
        save_movie(tmp_path / "film.raw16", frames)
        movie = open_movie(tmp_path / "film.raw16")
        assert movie.fps == 100
        np.testing.assert_array_equal(movie.read(2), frames[2])
        assert "Raw frames (*.raw16)" in dialog_filter()
        (tmp_path / "film.raw16").write_bytes(b"1")
        with pytest.raises(ValueError, match=r"film\.raw16: not a readable raw16 file"):
            open_movie(tmp_path / "film.raw16")
    finally:
        all_formats.cache_clear()
        sys.modules.pop("napari_motionmag.io.formats.raw16", None)


@pytest.mark.parametrize("name", ["raw.zarr", "raw.zarr/0", "raw.tif", "raw.npy"])
def test_a_movie_is_not_written_over_its_own_file(tmp_path, name):
    top = tmp_path / name.partition("/")[0]
    save_movie(top, FRAMES)
    movie = open_movie(tmp_path / name, axes="TYX")
    with pytest.raises(ValueError, match=r"raw\.\w+: the movie is read from .*raw"):
        save_movie(top, movie, overwrite=True)
    with pytest.raises(ValueError, match="the movie is read from"):
        check_output(top, overwrite=True, source=tmp_path / name)
    with pytest.raises(ValueError, match="the movie is read from"):
        save_movie(top, movie.replace(data=movie.as_dask()), overwrite=True)
    slow = interpolated_movie(movie, 2, method="linear")
    drawn = magnify(movie, 2, method="linear", device="cpu")
    for result in (drawn, drawn[:4], magnify(drawn, 2, method="linear"), slow, slow.as_dask()):
        with pytest.raises(ValueError, match="the movie is read from"):
            save_movie(top, result, axes="TYX", overwrite=True)
    np.testing.assert_array_equal(open_movie(top, axes="TYX").read(3), FRAMES[3])
    save_movie(tmp_path / "other.tif", movie)


def test_axes_that_are_no_text_are_named(tmp_path):
    save_movie(tmp_path / "film.npy", FRAMES)
    with pytest.raises(ValueError, match=r"film\.npy: axes must be a string .* got 3"):
        open_movie(tmp_path / "film.npy", axes=3)


def test_a_folder_that_goes_while_it_is_written_is_an_error(tmp_path):
    def remove(done, total):
        if done == 3:
            shutil.rmtree(next(tmp_path.glob(".film.zarr.*")))

    with pytest.raises(OSError, match="3 of 6 frames are there; the folder was removed"):
        save_movie(tmp_path / "film.zarr", FRAMES, progress=remove)
    assert list(tmp_path.iterdir()) == []


HOLDER = """
import sys, time, numpy as np
from napari_motionmag.io import save_movie
def wait(done, total):
    print("writing", flush=True)
    time.sleep(60)
save_movie(sys.argv[1], np.zeros((6, 8, 9), "u2"), resume=True, progress=wait)
"""


def test_two_processes_do_not_resume_one_output(tmp_path):
    path = tmp_path / "film.zarr"
    argv = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as other:
        assert other.stdout.readline() == b"writing\n"
        with pytest.raises(OSError, match=r"film\.zarr: another process is writing it"):
            save_movie(path, np.zeros((6, 8, 9), "u2"), resume=True)
        other.kill()
    save_movie(path, np.zeros((6, 8, 9), "u2"), resume=True)  # the lock went with the process
    assert [item.name for item in tmp_path.iterdir()] == ["film.zarr"]


@pytest.mark.parametrize(
    "content",
    ["{}\n0\n", "[]\n", "\0\0\0\n1\n", '{"settings": {}, "source": null}\nx y\n', '"a"\n'],
)
def test_a_damaged_journal_is_one_clear_line(tmp_path, content):
    path = tmp_path / "film.zarr.journal"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"film\.zarr\.journal: is damaged .*; remove it") as error:
        Journal(path).read({})
    assert "\n" not in str(error.value)


FULL = """
import resource, signal, sys, numpy as np
from napari_motionmag.io import save_movie
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
frames = np.random.default_rng(0).integers(0, 255, (30, 64, 64)).astype("u2")
try:
    save_movie(sys.argv[1], frames, fps=25, intensity_range=(0, 255))
except OSError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
@pytest.mark.parametrize("ending", [".ome.tif", ".zarr", ".npy", ".mp4", ".avi"])
def test_an_output_that_does_not_fit_is_one_line_and_leaves_nothing(tmp_path, ending):
    path = tmp_path / f"film{ending}"
    limit = "2000" if ending == ".zarr" else "30000"  # bytes of a file; frames are files there
    argv = [sys.executable, "-W", "ignore", "-c", FULL, str(path), limit]
    told = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    line = rf"{path} cannot be written to its end: (File too large|No space.*); nothing is left"
    assert re.match(line, told.stdout), told
    assert list(tmp_path.iterdir()) == []
