"""Many movies: what fails does not stop the rest, and what was stopped goes on."""

import csv
import json
import signal
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_motionmag import Movie, export, magnify
from napari_motionmag.cli.main import main
from napari_motionmag.export import batch as module
from napari_motionmag.export.batch_items import output_names
from napari_motionmag.io import open_movie, save_movie

SETTINGS = {"factor": 4, "method": "linear", "mode": "temporal", "band": (6, 9), "device": "cpu"}
PLAIN = export.Outputs(measure=False)


@cache
def vibrating(amplitude=0.3, frequency=7.5, n=64, fps=30, side=96, seed=0):
    """A texture that moves along x, which all tests share."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side].astype(float)
    waves = [(rng.uniform(0.1, 0.5), rng.uniform(0, 7), rng.uniform(0, 7)) for _ in range(30)]
    frames = []
    for t in range(n):
        moved = x - amplitude * np.sin(2 * np.pi * frequency * t / fps)
        scene = sum(np.cos(k * (moved * np.cos(a) + y * np.sin(a)) + p) for k, a, p in waves)
        frames.append(1000 + 60 * scene + rng.normal(0, 3, scene.shape))
    movie = np.rint(frames).astype("u2")
    movie.flags.writeable = False
    return movie


@pytest.fixture
def movies(tmp_path):
    """Three movies, one of them broken."""
    folder = tmp_path / "movies"
    folder.mkdir()
    units = ("s", "um", "um")
    for k, name in enumerate(("a.ome.tif", "c.npy")):
        save_movie(folder / name, vibrating(n=20, seed=k), fps=30, scale=(1, 0.5, 0.5), units=units)
    (folder / "b.tif").write_bytes((folder / "a.ome.tif").read_bytes()[:3000])
    (folder / "notes.md").write_text("no movie")
    return folder


def table(folder):
    with open(folder / "batch.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_broken_movie_does_not_stop_the_others(movies, tmp_path):
    out = tmp_path / "out"
    steps = []
    rows = export.run_batch(
        [movies], out, {**SETTINGS, "fps": 30}, PLAIN, progress=lambda *s: steps.append(s)
    )
    assert [row["status"] for row in rows] == ["done", "failed", "done"]
    found = table(out)
    assert [row["movie"] for row in found] == [
        str(movies / n) for n in ("a.ome.tif", "b.tif", "c.npy")
    ]
    assert [row["status"] for row in found] == ["done", "failed", "done"]
    assert found[1]["error"] == "a page promises 18432 bytes of pixels, the file has 3000"
    assert "\n" not in found[1]["error"]
    assert (found[0]["factor"], found[0]["method"], found[0]["fps"]) == ("4", "linear", "30")
    assert found[0]["output"] == "a.ome.tif"
    wanted = magnify(vibrating(n=20), fps=30, **SETTINGS).compute()
    assert (np.asarray(open_movie(out / "a.ome.tif").data) == wanted).all()
    names = {item.name for item in out.iterdir()}
    assert names == {"a.ome.tif", "c.ome.tif", "batch.csv", "batch.json"}
    assert steps[-1] == (3000, 3000)
    assert steps == sorted(steps)


def test_motion_and_gain_are_measured(tmp_path):
    path = tmp_path / "film.ome.tif"
    movie = Movie(vibrating(), fps=30, scale=(1, 0.5, 0.5), units=("s", "um", "um"))
    save_movie(path, movie)
    settings = {**SETTINGS, "method": "riesz", "factor": 5}
    export.run_batch([path], tmp_path / "out", settings, export.Outputs(film=".gif"))
    (row,) = table(tmp_path / "out")
    assert row["error"] == row.get("note", "") == ""
    values = {key: float(value) for key, value in row.items() if "(" in key or "gain" in key}
    assert abs(values["frequency (Hz)"] - 7.5) < 4 * float(row["frequency error"])
    assert values["amplitude (px)"] == pytest.approx(0.3, abs=0.01)
    assert values["amplitude (um)"] == pytest.approx(values["amplitude (px)"] / 2, rel=1e-4)
    assert np.sin(np.radians(values["direction (degrees)"])) == pytest.approx(0, abs=0.03)
    assert values["measured gain"] == pytest.approx(5, abs=0.5)  # less near the ends
    assert 0 < values["gain error"] < 0.5
    assert float(row["largest honest factor"]) > 20
    assert row["film"] == "film film.gif"
    assert (tmp_path / "out" / "film film.gif").read_bytes()[:3] == b"GIF"


def test_a_run_that_was_stopped_goes_on(movies, tmp_path):
    out = tmp_path / "out"
    settings = {**SETTINGS, "fps": 30}

    def stop(done, total):
        if done > 2300:  # within the third movie
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export.run_batch([movies], out, settings, PLAIN, progress=stop)
    assert [row["status"] for row in table(out)] == ["done", "failed", "waiting"]
    assert {item.name for item in out.iterdir()} == {"a.ome.tif", "batch.csv", "batch.json"}
    with pytest.raises(FileExistsError, match="holds a batch already; go on with it by resume"):
        export.run_batch([movies], out, settings, PLAIN)
    with pytest.raises(ValueError, match=r"begun with other settings \(.*factor: 4.0, now 5.0"):
        export.run_batch([movies], out, {**settings, "factor": 5}, PLAIN, resume=True)
    before = (out / "a.ome.tif").stat().st_mtime_ns
    (movies / "b.tif").write_bytes((movies / "a.ome.tif").read_bytes())  # mended
    changed = []
    rows = export.run_batch(
        [movies], out, settings, PLAIN, resume=True,
        on_change=lambda row: changed.append((row["movie"][-5:], row["status"])),
    )  # fmt: skip
    assert [row["status"] for row in rows] == ["done"] * 3
    assert (out / "a.ome.tif").stat().st_mtime_ns == before
    assert changed[-1] == ("c.npy", "done")
    assert [row["error"] for row in table(out)] == [""] * 3


def test_a_movie_that_changed_is_done_again(movies, tmp_path):
    out = tmp_path / "out"
    settings = {**SETTINGS, "fps": 30}
    export.run_batch([movies / "a.ome.tif"], out, settings, PLAIN)
    save_movie(movies / "a.ome.tif", vibrating(n=20, seed=9), fps=30, overwrite=True)
    export.run_batch([movies / "a.ome.tif"], out, settings, PLAIN, resume=True)
    wanted = magnify(vibrating(n=20, seed=9), fps=30, **SETTINGS).compute()
    assert (np.asarray(open_movie(out / "a.ome.tif").data) == wanted).all()


def test_files_of_others_stay(movies, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.ome.tif").write_bytes(b"mine")
    settings = {**SETTINGS, "fps": 30}
    rows = export.run_batch([movies / "a.ome.tif"], out, settings, PLAIN)
    assert rows[0]["status"] == "failed"
    assert "exists already, and not by this batch" in rows[0]["error"]
    assert (out / "a.ome.tif").read_bytes() == b"mine"
    rows = export.run_batch([movies / "a.ome.tif"], out, settings, PLAIN, resume=True)
    assert rows[0]["status"] == "failed"
    assert (out / "a.ome.tif").read_bytes() == b"mine"
    rows = export.run_batch([movies / "a.ome.tif"], out, settings, PLAIN, overwrite=True)
    assert rows[0]["status"] == "done"


def test_movies_are_never_replaced_by_their_results(movies):
    before = (movies / "a.ome.tif").read_bytes()
    with pytest.raises(ValueError, match=r"a\.ome\.tif: the movie is read from .* be replaced"):
        export.run_batch([movies], movies, {**SETTINGS, "fps": 30}, PLAIN, overwrite=True)
    assert (movies / "a.ome.tif").read_bytes() == before
    assert sorted(path.name for path in movies.iterdir()) == [
        "a.ome.tif", "b.tif", "c.npy", "notes.md",
    ]  # fmt: skip


@pytest.mark.parametrize("again", ["resume", "overwrite"])
def test_results_beside_the_movies_are_no_movies(movies, again):
    for name in ("a.ome.tif", "b.tif"):
        (movies / name).unlink()
    export.run_batch([movies], movies, {**SETTINGS, "fps": 30}, PLAIN)
    rows = export.run_batch([movies], movies, {**SETTINGS, "fps": 30}, PLAIN, **{again: True})
    assert [row["movie"] for row in rows] == [str(movies / "c.npy")]
    names = {item.name for item in movies.iterdir()}
    assert names == {"c.npy", "c.ome.tif", "notes.md", "batch.csv", "batch.json"}
    (movies / "c.npy").unlink()
    state = (movies / "batch.json").read_bytes()
    with pytest.raises(ValueError, match="no movie but results of an earlier batch"):
        export.run_batch([movies], movies, {**SETTINGS, "fps": 30}, PLAIN, **{again: True})
    assert (movies / "batch.json").read_bytes() == state


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (export.Outputs(".foo"), "cannot write '.foo'"),
        (export.Outputs(film="mp4"), r"film must be one of \.mp4, .*got 'mp4'"),
    ],
)
def test_what_cannot_be_written_is_refused_without_a_trace(movies, tmp_path, outputs, message):
    with pytest.raises(ValueError, match=message):
        export.run_batch([movies], tmp_path / "out", SETTINGS, outputs)
    assert not (tmp_path / "out").exists()
    with pytest.raises(NotADirectoryError, match=r"notes\.md is a file; choose a folder"):
        export.run_batch([movies], movies / "notes.md", SETTINGS, PLAIN)


@pytest.mark.parametrize("outputs", [export.Outputs(".gif"), export.Outputs(film=".tif")])
def test_nothing_is_made_before_the_outputs_are_checked(movies, tmp_path, monkeypatch, outputs):
    def mkdir(path, *arguments, **options):
        raise AssertionError(f"{path} is made")

    monkeypatch.setattr(Path, "mkdir", mkdir)
    with pytest.raises(ValueError, match=r"cannot write|film must be"):
        export.run_batch([movies], tmp_path / "out", SETTINGS, outputs)


def test_a_full_disk_ends_the_run(movies, tmp_path, monkeypatch):
    import errno

    def full(*arguments, **options):
        raise OSError("out/a.ome.tif cannot be written to its end") from OSError(errno.ENOSPC, "x")

    monkeypatch.setattr(module, "save_movie", full)
    with pytest.raises(OSError, match="cannot be written to its end"):
        export.run_batch([movies], tmp_path / "out", {**SETTINGS, "fps": 30}, PLAIN)
    statuses = [row["status"] for row in table(tmp_path / "out")]
    assert statuses == ["failed", "waiting", "waiting"]


def test_lists_have_rates(tmp_path, movies):
    (tmp_path / "list.csv").write_text("movie,fps,axes\nmovies/a.ome.tif,90,\nmovies/c.npy,,TYX\n")
    items = export.find_items([tmp_path / "list.csv"])
    assert [(item.path.name, item.fps, item.axes) for item in items] == [
        ("a.ome.tif", 90.0, None),
        ("c.npy", None, "TYX"),
    ]
    (tmp_path / "list.txt").write_text("# films\nmovies/a.ome.tif\n\n")
    assert [item.path.name for item in export.find_items([tmp_path / "list.txt"])] == ["a.ome.tif"]
    both = export.find_items([movies, movies / "a.ome.tif"])
    assert [item.path.name for item in both] == ["a.ome.tif", "b.tif", "c.npy"]
    rows = export.run_batch(
        [tmp_path / "list.csv"], tmp_path / "out", {**SETTINGS, "band": (6, 40)}, PLAIN
    )
    assert [row["status"] for row in rows] == ["done", "failed"]
    assert "fps" in rows[1]["error"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("list.csv", "film,fps\na,3\n", "line 2: a column 'movie'"),
        ("list.csv", "movie,fps\na.tif,fast\n", "line 2: fps must be a finite number"),
        ("list.csv", "movie,fps\n\na.tif,1\n\nb.tif,fast\n", "line 5: fps must be a finite"),
        ("list.txt", "\n", "there is no movie in"),
    ],
)
def test_bad_lists_are_one_line(tmp_path, name, content, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        export.find_items([tmp_path / name])
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        export.find_items([tmp_path / "none"])


def test_inputs_without_a_movie_are_named(tmp_path, movies):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"there is no movie in .*empty"):
        export.find_items([movies, tmp_path / "empty"])
    with pytest.raises(TypeError, match="inputs must be a list of paths, got 'movies'"):
        export.find_items("movies")


def test_pictures_are_chosen_by_a_pattern(tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        for number, frame in enumerate(vibrating(n=20).astype(np.uint8)):
            Image.fromarray(frame).save(tmp_path / folder / f"cell{number}.png")
    items = export.find_items([tmp_path / "x" / "*.png", tmp_path / "y" / "cell*.png"])
    assert output_names(items, ".tif") == ["x.tif", "cell.tif"]
    settings = {"factor": 2, "method": "linear", "mode": "dynamic"}
    (row,) = export.run_batch(items[1:], tmp_path / "out", settings, PLAIN)
    assert row["status"] == "done"
    assert open_movie(tmp_path / "out" / "cell.ome.tif").n_frames == 20


def test_movies_of_one_name_are_kept_apart(tmp_path):
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        for kind in ("a.npy", "a.tif"):
            (tmp_path / folder / kind).touch()
    items = export.find_items([tmp_path / "x", tmp_path / "y"])
    names = output_names(items, ".zarr")
    assert names == ["x a npy.zarr", "x a tif.zarr", "y a npy.zarr", "y a tif.zarr"]
    assert output_names(items[:2], ".zarr") == ["a npy.zarr", "a tif.zarr"]
    (tmp_path / "x" / "a.ome.tif").touch()
    items = export.find_items([tmp_path / "x"])
    assert set(output_names(items, ".tif")) == {"a npy.tif", "a tif.tif", "a ome tif.tif"}
    with pytest.raises(ValueError, match=r"x.a\.npy and .*x.a\.npy would be written as "):
        output_names([items[0], items[0]], ".tif")


RUN = r"""
import signal, sys, threading
from pathlib import Path
from napari_motionmag.cli.main import main
from napari_motionmag.methods.classical.linear import LinearMagnifier

draw, journal, go_on, drawn = LinearMagnifier._magnify, Path(sys.argv[-1]), threading.Event(), []

def interrupt(*_):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    go_on.set()
    raise KeyboardInterrupt

def held(self, frames, operator, times, factor):
    drawn.extend(times if journal.is_file() else ())
    if len(drawn) > 6 and not go_on.is_set():
        print("held\n", end="", flush=True)
        go_on.wait()
    return draw(self, frames, operator, times, factor)

signal.signal(signal.SIGINT, interrupt)
LinearMagnifier._magnify = held
sys.exit(main(sys.argv[1:-1]))
"""


def start(arguments, journal):
    """Run the command; it waits after some frames of the movie that has the journal."""
    argv = [sys.executable, "-c", RUN, *arguments, str(journal)]
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert "held\n" in process.stdout, process.communicate()
    return process


def test_killed_and_interrupted_runs_go_on(movies, tmp_path, capsys):
    pytest.importorskip("zarr")
    options = "--factor 4 --method linear --fps 30 --device cpu --no-measure --format .zarr"
    out, whole = tmp_path / "out", tmp_path / "whole"
    arguments = ["batch", str(movies), str(out), *options.split(), "--resume"]
    process = start(arguments, out / ".a.zarr.partial.journal")
    process.kill()
    process.wait(60)
    (row, *_) = json.loads((out / "batch.json").read_text())["movies"]
    assert row["status"] == "running"
    process = start(arguments, out / ".c.zarr.partial.journal")  # goes on within the first movie
    while process.poll() is None:  # a signal just before a thread goes to sleep does not wake it
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(1)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "the same command with --resume goes on" in err
    assert [row["status"] for row in table(out)] == ["done", "failed", "waiting"]
    capsys.readouterr()
    assert main(arguments) == 1  # for the broken one
    assert "2 done, 1 failed" in capsys.readouterr().err
    main(["batch", str(movies), str(whole), *options.split()])
    for name in ("a.zarr", "c.zarr"):
        files = [file for file in (whole / name).rglob("*") if file.is_file()]
        assert files
        for file in files:
            assert (out / file.relative_to(whole)).read_bytes() == file.read_bytes()
    assert not list(out.glob(".*"))
