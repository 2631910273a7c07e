"""Errors name the option or the file, and say in words what is wrong."""

import numpy as np
import pytest
import tifffile

from napari_motionmag.cli import main as cli
from napari_motionmag.io import save_movie

MAGNIFY = "magnify film.tif o.tif --factor 2 --method linear"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("messages")
    frames = np.random.default_rng(0).integers(0, 200, (18, 40, 40)).astype("u2")
    save_movie(folder / "film.tif", frames, fps=50)
    for name in ("dir.tif", "dir.npy", "dir.mp4", "dir.txt"):
        (folder / name).mkdir()
    for name in ("text", "text.npy", "text.json"):
        (folder / name).write_text("{")
    tifffile.imwrite(folder / "gains.tif", np.ones((40, 40), "f4"))
    np.save(folder / "channels.npy", np.stack([frames, frames], 1))
    np.save(folder / "plain.npy", frames)
    return folder


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (f"{MAGNIFY} --factor-map none.tif", "factor_map: none.tif: there is no such file"),
        (f"{MAGNIFY} --factor-map dir.npy", "factor_map: dir.npy: is a folder, not a file"),
        (f"{MAGNIFY} --factor-map text.npy", "text.npy cannot be read: it is no NumPy file"),
        (f"{MAGNIFY} --factor-map gains.tif --map-factor 1=2", "'factors' is for labels"),
        (
            f"{MAGNIFY} --stabilise translation --stabilise-mask none.npy",
            "mask: none.npy: there is no such file",
        ),
        (f"{MAGNIFY} --recipe dir.tif", "dir.tif: is a folder, not a file"),
        ("magnify dir.tif o.tif --factor 2", "dir.tif: is a folder, not a file"),
        ("magnify text.npy o.tif --factor 2", "it is no NumPy file"),
        ("suggest dir.mp4", "dir.mp4: is a folder, not a file"),
        ("info dir.npy", "dir.npy: is a folder, not a file"),
        ("interpolate film.tif o.tif --times 0", "--times must be a whole number from 2 to 1000"),
        ("suggest film.tif --frames 0", "--frames must be a whole number from 1 up; got 0"),
        (
            "measure film.tif o.csv --region 14 26 14 26 --derivatives 4",
            "derivatives must be an odd number of frames from 5 to the 18 of the trace; got 4",
        ),
        ("export film.tif o.gif --contrast 5 5", "--contrast must be two finite numbers"),
        ("suggest channels.npy", "pass --axes with one letter per axis"),
        ("suggest channels.npy --axes TCYX", "look at, for example --at C=0"),
        ("suggest film.tif --at C=0", "error: --at must be empty for axes 'TYX'"),
        ("export channels.npy o.mp4 --fps 9 --axes TCYX", "look at, for example --at C=0"),
        ("export plain.npy o.mp4 --axes TYX", "is unknown: give --fps, or --playback-fps"),
        (
            "magnify plain.npy o.tif --factor 2 --mode temporal --band 1 2 --axes TYX",
            "error: --fps is missing: mode='temporal' needs the frames per second",
        ),
        (
            "magnify plain.npy o.mp4 --factor 2 --axes TYX",
            "error: --fps is needed to write a video: pass it, or --playback-fps",
        ),
        ("batch dir.txt o --factor 2", "dir.txt: is a folder, not a file"),
        ("batch none.txt o --factor 2", "none.txt: there is no such file"),
        ("evaluate --beside none.json", "--beside: none.json: there is no such file"),
        ("evaluate --beside text.json", "--beside: text.json holds no scores"),
        ("evaluate --only gain --out text", "text is a file; choose a folder for the results"),
        ("demo strings --out-dir text", "text is a file; choose a folder for the results"),
        ("demo strings --out-dir text/o", "text/o: not a directory"),
    ],
)
def test_a_wrong_file_or_number_is_named(folder, capsys, monkeypatch, argv, message):
    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    assert cli.main(argv.split()) == 2
    out, err = capsys.readouterr()
    err = [line for line in err.splitlines() if "warning" not in line and "Magnifying" not in line]
    assert (out, len(err)) == ("", 1)
    assert message in err[0]
    assert "Errno" not in err[0]
    assert sorted(folder.iterdir()) == before


def test_a_quiet_batch_says_what_failed(folder, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(folder)
    arguments = f"batch film.tif channels.npy {tmp_path / 'o'} --factor 2 --method linear --quiet"
    assert cli.main([*arguments.split(), "--no-measure"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("napari-motionmag: channels.npy: failed: ")


def test_a_warning_is_given_once(folder, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(folder)
    slow = "--factor 2 --method linear --mode temporal --band 1 20"
    assert cli.main([*f"batch film.tif {tmp_path / 'o'} {slow}".split(), "--quiet"]) == 0
    assert capsys.readouterr().err.count("less than a period of 1 Hz") == 1
