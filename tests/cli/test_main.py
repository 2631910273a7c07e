"""The command line: what it does, what it says, and with which exit code."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import create_autospec

import numpy as np
import pytest
import tifffile

from napari_motionmag import __version__, magnify, recipes
from napari_motionmag.cli import batch
from napari_motionmag.cli import main as cli
from napari_motionmag.cli.progress import ProgressLine, duration
from napari_motionmag.io import open_movie, save_movie
from napari_motionmag.magnification import magnification
from napari_motionmag.magnification.settings import MagnifySettings


def noise(shape, dtype="u2"):
    return np.random.default_rng(0).integers(0, 200, shape).astype(dtype)


@pytest.fixture
def film(tmp_path):
    """Write a small movie with a known rate."""
    path = tmp_path / "film.tif"
    save_movie(path, noise((6, 32, 40)), fps=50, scale=(1, 0.5, 0.5), units=("pixel", "um", "um"))
    return path


@pytest.fixture
def magnified(monkeypatch):
    """Stand in for the methods: brighten, and remember the settings."""
    calls = []

    def brighter(movie, settings):
        calls.append((movie, settings))
        return (movie.as_dask() + settings.factor).astype(movie.dtype)

    monkeypatch.setattr(magnification, "plan", planned(brighter))
    return calls


def planned(lazy):
    """Return a stand-in for `plan` whose result is ``lazy(movie, settings)``."""

    def plan(movie, settings):
        recipe = {"method": "linear", "factor": settings.factor}
        data = lazy(movie, settings)
        return SimpleNamespace(movie=movie, recipe=recipe, dask=lambda: data)

    return plan


def refusing(error):
    """Return a function whose code is this package's and that raises an error, as checks do."""
    file = Path(cli.__file__).with_name("check.py")
    names = {"error": error}
    exec(compile("def refuse(*arguments):\n    raise error", file, "exec"), names)
    return names["refuse"]


def run(capsys, *argv):
    """Return exit code, standard output and the lines of standard error."""
    try:
        code = cli.main([str(argument) for argument in argv])
    except SystemExit as leaving:
        code = leaving.code
    out, err = capsys.readouterr()
    return code, out, err.splitlines()


# help and usage


@pytest.mark.parametrize("argv", [["--help"], ["magnify", "--help"], ["info", "--help"]])
def test_help(capsys, argv):
    code, out, err = run(capsys, *argv)
    assert (code, err) == (0, [])
    assert "usage: napari-motionmag" in out


def test_version(capsys):
    assert run(capsys, "--version")[:2] == (0, f"napari-motionmag {__version__}\n")


def test_help_imports_nothing_heavy():
    heavy = ["torch", "numpy", "napari", "dask", "scipy", "qtpy"]
    code = (
        "import sys; from napari_motionmag.cli import main as cli\n"
        "try: cli.main(['magnify', '--help'])\n"
        f"except SystemExit: print('loaded', [m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("loaded []\n")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ([], "COMMAND"),
        (["enlarge"], "invalid choice: 'enlarge'"),
        (["magnify", "a.tif", "b.tif"], "--factor"),
        (["magnify", "a.tif", "b.tif", "--factor", "ten"], "invalid float"),
        (["magnify", "a.tif", "b.tif", "--factor", "2", "--band", "1"], "--band"),
        (["magnify", "a.tif", "b.tif", "--factor", "2", "--reference", "1:2:3"], "--reference"),
        (["magnify", "a.tif", "b.tif", "--factor", "2", "--reference", "x"], "--reference"),
        (["magnify", "a.tif", "b.tif", "--factor", "2", "--reference", ""], "--reference"),
        (["info", "--colour"], "--colour"),
    ],
)
def test_wrong_usage_is_one_line(capsys, argv, message):
    code, out, err = run(capsys, *argv)
    assert code == 2
    assert out == ""
    assert len(err) == 1
    assert message in err[0]


# magnify


def test_what_is_asked_for_is_passed_on(capsys, film, tmp_path, magnified):
    target = tmp_path / "out.tif"
    options = (
        "--mode temporal --band 2 9.5 --fps 100 --filter butterworth --method phase --device cpu "
        "--precision float32 --tile 64 --model oh2018 --intensity-range 3 190 --axes TYX"
    )
    code, out, _ = run(capsys, "magnify", film, target, "--factor", "-7", *options.split())
    assert (code, out) == (0, "")
    ((movie, settings),) = magnified
    assert (movie.fps, movie.axes, movie.intensity_range) == (100, "TYX", (3, 190))
    assert settings == MagnifySettings(
        -7,
        method="phase",
        mode="temporal",
        band=(2, 9.5),
        filter="butterworth",
        model="oh2018",
        device="cpu",
        precision="float32",
        tile=64,
        axes="TYX",
        fps=100,
        intensity_range=(3, 190),
    )


@pytest.mark.parametrize(
    ("text", "reference"),
    [("4", 4), ("-1", -1), ("1:4", slice(1, 4)), (":4", slice(None, 4)), ("2:", slice(2, None))],
)
def test_references(capsys, film, tmp_path, magnified, text, reference):
    code, _, _ = run(
        capsys, "magnify", film, tmp_path / "o.npy", "--factor", "2", f"--reference={text}"
    )
    assert code == 0
    assert magnified[0][1].reference == reference


@pytest.mark.parametrize("extension", [".tif", ".ome.tif", ".npy", ".zarr", ".avi"])
def test_the_output_is_the_magnified_movie(capsys, film, tmp_path, magnified, extension):
    target = tmp_path / f"out{extension}"
    code, _, err = run(capsys, "magnify", film, target, "--factor", "5")
    assert code == 0
    movie = open_movie(target)
    np.testing.assert_array_equal(np.asarray(movie.data), noise((6, 32, 40)) + 5)
    if extension != ".npy":
        assert movie.fps == pytest.approx(50)
        assert movie.scale == pytest.approx((0.02, 0.5, 0.5))
    # not a terminal: start and end only
    assert len(err) == 2
    assert "TYX (6, 32, 40) uint16, 50 fps ->" in err[0]
    assert "6 frames in" in err[1]


def test_a_video_of_deep_data_takes_the_range_of_the_source(capsys, tmp_path, magnified):
    source, target = tmp_path / "film.npy", tmp_path / "out.mp4"
    np.save(source, np.broadcast_to(np.arange(64, dtype="u2") * 100, (4, 32, 64)))
    code, _, err = run(
        capsys, "magnify", source, target, "--factor=0", "--fps=10", "--intensity-range", 0, 6300
    )
    assert code == 0
    assert any("warning: uint16 intensities 0..6300 are shown as 0..255" in line for line in err)
    found = open_movie(target).read(1)
    assert np.abs(found - np.arange(64) * 255 / 63).max() < 5


def test_quiet_says_nothing(capsys, film, tmp_path, magnified):
    code, out, err = run(capsys, "magnify", film, tmp_path / "o.tif", "--factor", "2", "--quiet")
    assert (code, out, err) == (0, "", [])


def test_how_it_was_made_is_kept(capsys, film, tmp_path):
    target = tmp_path / "out.ome.tif"
    run(capsys, "magnify", film, target, "--factor", "5", "--reference", "1:3")
    with tifffile.TiffFile(target) as file:
        text = file.ome_metadata.split("<Description>")[1].split("</Description>")[0]
    recipe = json.loads(text.replace("&quot;", '"'))
    assert recipe["factor"] == 5
    assert recipe["operator"]["reference"] == {"slice": [1, 3, None]}
    assert recipe["source"] == "film.tif"
    assert len(recipe["weights_sha256"]) == 64
    # it is a recipe as those of layers: what it made can be made again
    again = magnify(open_movie(film), **recipes.arguments(recipes.recipe_of(recipe)))
    np.testing.assert_array_equal(again[4].compute(), open_movie(target).read(4))


def test_a_file_is_done_again_on_a_layer(capsys, film, tmp_path):
    from napari.layers import Image

    target = tmp_path / "out.ome.tif"
    options = ["--method", "linear", "--mode", "temporal", "--band", 5, 15, "--option", "levels=2"]
    assert run(capsys, "magnify", film, target, "--factor", 3, "--quiet", *options)[0] == 0
    with tifffile.TiffFile(target) as file:
        text = file.ome_metadata.split("<Description>")[1].split("</Description>")[0]
    layer = Image(noise((6, 32, 40)), scale=(0.02, 1, 1), units=("s", "pixel", "pixel"))
    made = recipes.repeat(json.loads(text.replace("&quot;", '"')), on=layer)
    np.testing.assert_array_equal(made.data.compute(), np.asarray(open_movie(target).data))


def test_an_output_that_is_there_is_kept(capsys, film, tmp_path, magnified):
    target = tmp_path / "out.npy"
    target.write_text("mine")
    code, _, err = run(capsys, "magnify", film, target, "--factor", "2")
    assert code == 2
    assert len(err) == 1
    assert "--overwrite" in err[0]
    assert target.read_text() == "mine"
    assert magnified == []
    code, _, _ = run(capsys, "magnify", film, target, "--factor", "2", "--overwrite")
    assert code == 0
    assert open_movie(target).n_frames == 6


def test_the_source_is_never_overwritten(capsys, film, magnified):
    before = film.read_bytes()
    code, _, err = run(capsys, "magnify", film, film, "--factor", "2", "--overwrite")
    assert (code, len(err)) == (2, 1)
    assert "same as IN" in err[0]
    assert film.read_bytes() == before


@pytest.mark.parametrize(
    ("source", "target", "options", "message"),
    [
        ("none.tif", "o.tif", [], "none.tif: there is no such file"),
        ("film.tif", "o.gif", [], "cannot write '.gif'"),
        ("film.doc", "o.tif", [], "unknown extension '.doc'"),
        ("film.tif", "nowhere/o.tif", [], "no folder"),
        ("broken.tif", "o.tif", [], "not a readable TIFF"),
        ("stack.npy", "o.tif", [], "axes cannot be guessed"),
        ("film.tif", "o.tif", ["--axes", "TYXS"], "axes='TYXS' has 4 letters"),
        ("film.tif", "o.tif", ["--fps", "0"], "fps must be"),
        ("film.tif", "o.mp4", ["--playback-fps", "0"], "--playback-fps must be"),
        ("still.tif", "o.mp4", [], "fps is needed"),
        ("float.npy", "o.tif", ["--axes", "TYX"], "cannot hold float16"),
        ("film.tif", "o.tif", ["--intensity-range", "5", "5"], "intensity_range must be"),
        ("film.tif", "o.tif", ["--resume"], "resume is for .zarr"),
        ("film.tif", "o.tif", ["--factor", "nan"], "factor must be finite"),
        ("film.tif", "o.tif", ["--method", "magic"], "method must be one of"),
        ("film.tif", "o.tif", ["--mode", "magic"], "mode must be one of"),
        ("film.tif", "o.tif", ["--mode", "temporal"], "band"),
        ("film.tif", "o.tif", ["--mode", "temporal", "--band", "1", "99"], "Nyquist"),
        ("film.tif", "o.tif", ["--reference", "99"], "reference 99"),
        ("film.tif", "o.tif", ["--model", "magic"], "model must be one of"),
        ("film.tif", "o.tif", ["--device", "abacus"], "device"),
    ],
)
def test_bad_input_is_one_line(
    capsys, film, tmp_path, monkeypatch, source, target, options, message
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.tif").write_text("no")
    (tmp_path / "film.doc").write_text("no")
    np.save(tmp_path / "stack.npy", noise((4, 3, 8, 9)))
    np.save(tmp_path / "float.npy", noise((4, 8, 9), "f2"))
    save_movie(tmp_path / "still.tif", noise((4, 8, 9)))
    before = sorted(tmp_path.iterdir())
    code, out, err = run(capsys, "magnify", source, target, "--factor", "2", *options)
    assert code == 2
    assert out == ""
    assert len(err) == 1, err
    assert err[0].startswith("napari-motionmag: error: ")
    assert message in err[0]
    assert sorted(tmp_path.iterdir()) == before


def test_a_missing_extra_is_named(capsys, film, tmp_path, magnified, monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)
    code, _, err = run(capsys, "magnify", film, tmp_path / "o.zarr", "--factor", "2", "--quiet")
    assert (code, len(err)) == (2, 1)
    assert "napari-motionmag[zarr]" in err[0]


def failing(error):
    def lazy(movie, settings):
        meta = np.empty((0, 0, 0), "u2")
        return movie.as_dask().map_blocks(refusing(error), dtype=movie.dtype, meta=meta)

    return planned(lazy)


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (RuntimeError("out of\nluck"), 1, "error: RuntimeError: out of luck"),
        (OSError(28, "No space left on device"), 1, "No space left"),
        (ValueError("frame t=3 of the movie has 2 pixels that are NaN"), 2, "frame t=3"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_failures_leave_nothing_and_say_so(
    capsys, film, tmp_path, magnified, monkeypatch, error, code, message
):
    monkeypatch.setattr(magnification, "plan", failing(error))
    argv = ["magnify", film, tmp_path / "o.tif", "--factor", "2", "--quiet"]
    found, _, err = run(capsys, *argv)
    assert found == code
    assert len(err) == 1
    assert message in err[0]
    assert [item.name for item in tmp_path.iterdir()] == ["film.tif"]
    found, _, err = run(capsys, *argv, "--debug")
    assert found == code
    assert any("Traceback" in line for line in err)


def test_a_mistake_in_the_program_is_shown_with_its_traceback(
    capsys, film, tmp_path, magnified, monkeypatch
):
    def mistaken(movie, settings):
        return noise((2, 3)) + noise((4, 5))  # NumPy's ValueError: nobody's input is wrong

    def of_another(movie, settings):
        return np.stack([])  # raised by a check, but not one of ours

    def wrong_call(movie, settings):
        return open_movie()

    argv = ["magnify", film, tmp_path / "o.tif", "--factor", "2", "--quiet"]
    for lazy in (mistaken, of_another, wrong_call):
        monkeypatch.setattr(magnification, "plan", planned(lazy))
        code, _, err = run(capsys, *argv)
        assert code == 1
        assert any("Traceback" in line for line in err)
        assert err[-1].startswith("napari-motionmag: error: ")


def test_warnings_are_one_line(capsys, tmp_path, magnified):
    path = tmp_path / "ij.tif"
    tifffile.imwrite(path, noise((6, 8, 9)), imagej=True, metadata={"axes": "TYX", "fps": 7.0})
    code, _, err = run(capsys, "magnify", path, tmp_path / "o.tif", "--factor=2", "--quiet")
    assert code == 0
    assert len(err) == 1
    assert err[0].startswith("napari-motionmag: warning: the file has no frame interval")


def test_an_interrupted_zarr_is_resumed(capsys, film, tmp_path, magnified, monkeypatch):
    pytest.importorskip("zarr")
    monkeypatch.setattr("napari_motionmag.io.frame_stream.os.cpu_count", lambda: 1)
    target = tmp_path / "o.zarr"
    blocks = []

    def lazy(movie, settings):
        def block(x, block_id=None):
            blocks.append(block_id[0])
            if broken and block_id[0] == 4:
                raise KeyboardInterrupt
            return x

        return movie.as_dask().map_blocks(block, dtype="u2", meta=np.empty((0, 0, 0), "u2"))

    monkeypatch.setattr(magnification, "plan", planned(lazy))
    argv = ["magnify", film, target, "--factor", "2", "--resume", "--quiet"]
    broken = True
    assert run(capsys, *argv)[0] == 130
    assert not target.exists()
    broken = False
    blocks.clear()
    assert run(capsys, *argv)[0] == 0
    assert 0 not in blocks
    assert 5 in blocks
    np.testing.assert_array_equal(np.asarray(open_movie(target).data), noise((6, 32, 40)))
    changed = [*argv, "--overwrite"]
    changed[4] = "3"
    assert run(capsys, *changed)[0] == 0  # nothing unfinished is left: this is a new beginning


def test_an_output_that_is_whole_is_not_resumed(capsys, film, tmp_path, magnified):
    pytest.importorskip("zarr")
    target = tmp_path / "o.zarr"
    argv = ["magnify", film, target, "--factor", "2", "--resume"]
    assert run(capsys, *argv)[0] == 0
    before = {path: path.stat().st_mtime_ns for path in target.rglob("*")}
    code, _, err = run(capsys, *argv)
    assert code == 0
    assert err[-1] == f"napari-motionmag: {target} was whole already"
    assert {path: path.stat().st_mtime_ns for path in target.rglob("*")} == before
    argv[4] = "3"  # that is another output
    code, _, err = run(capsys, *argv)
    assert code == 2
    assert "made with other settings" in err[-1]
    assert {path: path.stat().st_mtime_ns for path in target.rglob("*")} == before


def test_a_region_at_half_the_resolution(capsys, film, tmp_path):
    target = tmp_path / "out.ome.tif"
    code, _, _ = run(
        capsys, "magnify", film, target, "--factor", "3", "--method", "linear",
        "--region", 2, 32, 4, 40, "--preview", 2,
    )  # fmt: skip
    assert code == 0
    found, asked = open_movie(target), {"region": (2, 32, 4, 40), "preview": 2}
    expected = magnify(open_movie(film), 3, method="linear", **asked)
    np.testing.assert_array_equal(np.asarray(found.data), expected.compute())
    assert found.shape == (6, 15, 18)
    assert found.scale == pytest.approx((0.02, 1.0, 1.0))  # of 0.5 um a pixel
    with tifffile.TiffFile(target) as file:
        assert "&quot;region&quot;: [2, 32, 4, 40]" in file.ome_metadata
    code, _, err = run(capsys, "magnify", film, tmp_path / "o.npy", "--factor", 3, "--region",
                       0, 99, 0, 8)  # fmt: skip
    assert (code, len(err)) == (2, 1)
    assert "region must be" in err[0]


@pytest.mark.parametrize(("name", "end"), [("SIGINT", "KeyboardInterrupt"), ("SIGTERM", "143")])
def test_signals_are_not_lost_in_callbacks(name, end):
    if os.name == "nt":
        pytest.skip("signals of POSIX")
    script = (
        "import os, signal, time, weakref\n"
        "from napari_motionmag.cli.main import _termination_as_exit\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "kept = set()\n"  # something to be called back about
        "def interrupt(_):\n"
        f"    os.kill(os.getpid(), signal.{name})\n"
        "    for k in range(1000): pass\n"
        "watch = weakref.ref(kept, interrupt)\n"
        "try:\n"
        "    with _termination_as_exit():\n"
        "        del kept\n"
        "        time.sleep(20)\n"
        "except KeyboardInterrupt: print('KeyboardInterrupt')\n"
        "except SystemExit as end: print(end.code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == end, done.stderr


@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_signals_remove_what_is_unfinished(film, tmp_path, name, code):
    if os.name == "nt":
        pytest.skip("signals of POSIX")
    target = tmp_path / "o.npy"
    script = (
        "import sys, time, signal, numpy as np\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"  # under nohup it is ignored
        "from napari_motionmag.magnification.magnification import Magnification\n"
        "def block(x): time.sleep(0.05); return x\n"
        "Magnification.dask = lambda self: (\n"
        "    self.movie.as_dask().map_blocks(block, dtype='u2', meta=np.empty((0, 0, 0), 'u2')))\n"
        "from napari_motionmag.cli import main as cli\n"
        f"sys.exit(cli.main(['magnify', {str(film)!r}, {str(target)!r}, '--factor', '2']))\n"
    )
    save_movie(film, noise((400, 8, 9)), overwrite=True)
    process = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".o.npy.*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert list(tmp_path.glob(".o.npy.*"))
    process.send_signal(getattr(signal, name))
    _, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    assert "Traceback" not in err
    assert [item.name for item in tmp_path.iterdir()] == ["film.tif"]


def test_learned_end_to_end(capsys, tmp_path):
    """A texture that moves by 0.4 px moves by three times as much in the output."""
    rng = np.random.default_rng(1)
    spectrum = np.fft.rfft2(rng.standard_normal((64, 64)))
    fy, fx = np.fft.fftfreq(64)[:, None], np.fft.rfftfreq(64)[None]
    spectrum *= np.exp(-((np.hypot(fy, fx) / 0.12) ** 2))
    moved = [
        np.fft.irfft2(spectrum * np.exp(-2j * np.pi * fx * shift), (64, 64))
        for shift in (0, 0.4, -0.4)
    ]
    low, high = np.min(moved), np.max(moved)
    frames = np.rint((np.stack(moved) - low) / (high - low) * 60000).astype("u2")
    save_movie(tmp_path / "film.tif", frames, fps=25)
    target = tmp_path / "out.tif"
    code, _, err = run(
        capsys, "magnify", tmp_path / "film.tif", target, "--factor", "3", "--device", "cpu"
    )
    assert code == 0, err
    movie = open_movie(target)
    assert movie.dtype == np.uint16
    assert movie.fps == pytest.approx(25)
    found = [movie.read(t).astype("f8") for t in range(3)]

    def shift(frame):
        # least squares: the frame as the first one and its slope
        inner = (slice(8, -8),) * 2
        slope = -np.gradient(found[0], axis=1)[inner]
        return float(((frame - found[0])[inner] * slope).sum() / (slope**2).sum())

    np.testing.assert_allclose(found[0], frames[0], atol=600)
    # the trained network reaches most of it; the slope underestimates what is beyond a pixel
    assert 0.6 < shift(found[1]) < 1.5
    assert -1.5 < shift(found[2]) < -0.6


# the other commands


def test_info_as_json(capsys):
    code, out, err = run(capsys, "info", "--json")
    assert (code, err) == (0, [])
    facts = json.loads(out)
    assert facts["version"] == __version__
    assert facts["packages"]["numpy"] == np.__version__
    assert facts["device"]["name"].split(":")[0] in ("cpu", "cuda", "mps")
    assert facts["device"]["precision"] in ("float32", "float16")
    for weights in facts["weights"]:
        assert len(weights["sha256"]) == 64
        assert weights["description"]
    assert facts["weights"]


def test_info_as_text(capsys, monkeypatch):
    monkeypatch.setattr("napari_motionmag.cli.info.PACKAGES", ("numpy", "no-such-package"))
    code, out, _ = run(capsys, "info")
    assert code == 0
    assert f"numpy          {np.__version__}" in out
    assert "no-such-package not installed" in out
    assert "sha256" in out
    assert "riesz          Phase (Riesz pyramid)" in out
    assert "acceleration   Acceleration (ignores drift)" in out


def test_info_of_a_movie(capsys, film):
    code, out, err = run(capsys, "info", film)
    assert (code, err) == (0, [])
    assert out.splitlines() == [
        str(film),
        "  Axes   TYX",
        "  Shape  6 x 32 x 40",
        "  Type   uint16",
        "  Rate   50 fps",
        "  Scale  T 0.02 s, Y 0.5 um, X 0.5 um",
    ]


def test_info_of_a_movie_as_json(capsys, film):
    code, out, err = run(capsys, "info", film, "--json")
    assert (code, err) == (0, [])
    assert json.loads(out) == {
        "path": str(film),
        "axes": "TYX",
        "shape": [6, 32, 40],
        "dtype": "uint16",
        "fps": 50,
        "fps_note": "",
        "scale": [0.02, 0.5, 0.5],
        "units": ["s", "um", "um"],
    }


def test_info_of_a_movie_that_says_nothing(capsys, tmp_path):
    np.save(tmp_path / "film.npy", noise((6, 32, 40, 3), "u1"))
    code, out, err = run(capsys, "info", tmp_path / "film.npy")
    assert (code, err) == (0, [])
    assert out.splitlines()[-2:] == ["  Rate   unknown", "  Scale  unknown"]
    facts = json.loads(run(capsys, "info", "--json", tmp_path / "film.npy")[1])
    assert (facts["axes"], facts["fps"], facts["scale"], facts["units"]) == ("TYXS", *[None] * 3)


def test_info_of_a_video_says_that_the_rate_may_be_that_of_playing(capsys, tmp_path):
    av = pytest.importorskip("av")
    with av.open(str(tmp_path / "film.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for frame in noise((5, 48, 64, 3), "u1"):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode(None))
    code, out, _ = run(capsys, "info", tmp_path / "film.mp4")
    assert code == 0
    assert "  Rate   25 fps (25 fps may be only the playback speed" in out


@pytest.mark.parametrize("name", ["missing.tif", "film.xyz", "broken.tif"])
def test_info_refuses_what_is_no_movie_in_one_line(capsys, tmp_path, name):
    for written in ("film.xyz", "broken.tif"):
        (tmp_path / written).write_bytes(b"no movie at all")
    code, out, err = run(capsys, "info", tmp_path / name)
    assert (code, out, len(err)) == (2, "", 1)
    assert name in err[0]


def test_info_needs_no_napari():
    code = (
        "import sys; from napari_motionmag.cli import main as cli; cli.main(['info'])\n"
        "assert not {'napari', 'dask.array', 'qtpy', 'zarr', 'scipy.signal'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)


@pytest.mark.parametrize(("command", "module"), [("train", "training.train")])
def test_commands_with_parsers_of_their_own(capsys, monkeypatch, command, module):
    seen = []
    monkeypatch.setattr(f"napari_motionmag.{module}.main", lambda argv, _: seen.append(argv) or 3)
    code, _, _ = run(capsys, command, "--steps", "5", "out", "--help")
    assert code == 3
    assert seen == [["--steps", "5", "out", "--help"]]

    wrong = refusing(ValueError("steps must be positive"))
    monkeypatch.setattr(f"napari_motionmag.{module}.main", wrong)
    code, _, err = run(capsys, command, "--steps", "-5")
    assert (code, err) == (2, ["napari-motionmag: error: steps must be positive"])


@pytest.mark.parametrize(
    ("argv", "asked"),
    [
        ([], ("beating_cell", None, None)),
        (["cilia", "--gui"], ("cilia", None, True)),
        (["cilia", "--no-gui", "--out-dir", "there"], ("cilia", Path("there"), False)),
        (["cilia", "--out-dir", "there"], ("cilia", Path("there"), False)),  # not for windows
    ],
)
def test_demo_runs_what_is_asked_for(capsys, monkeypatch, argv, asked):
    from napari_motionmag.cli import demo

    seen = []
    fake = create_autospec(
        demo.run, side_effect=lambda s, out_dir, gui: seen.append((s, out_dir, gui))
    )
    monkeypatch.setattr(demo, "run", fake)
    assert run(capsys, "demo", *argv)[0] == 0
    assert seen == [asked]


def test_demo_of_an_unknown_sample(capsys, tmp_path):
    code, _, err = run(capsys, "demo", "unicorn", "--no-gui", "--out-dir", tmp_path)
    assert (code, len(err)) == (2, 1)
    assert "unicorn" in err[0]
    assert "beating_cell" in err[0]


def test_demo_lists_the_samples(capsys):
    from napari_motionmag import samples

    code, out, _ = run(capsys, "demo", "--list")
    assert code == 0
    assert tuple(out.split()) == tuple(samples.NAMES)


# progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_sees_rate_and_time_left(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("napari_motionmag.cli.progress.time.monotonic", lambda: now[0])
    terminal = Terminal()
    line = ProgressLine("magnified", terminal)
    for done in range(1, 11):
        now[0] += 2
        line(done, 10)
    shown = terminal.getvalue().split("\r\x1b[K")
    assert "magnified 4/10 (40%), 0.5 frames/s, 12.0 s left" in shown
    assert shown[-1] == "magnified 10/10 (100%), 0.5 frames/s"
    line.clear()
    assert terminal.getvalue().endswith("\r\x1b[K")


def test_a_terminal_is_not_flooded(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("napari_motionmag.cli.progress.time.monotonic", lambda: now[0])
    terminal = Terminal()
    line = ProgressLine("magnified", terminal)
    for done in range(1, 1001):
        now[0] += 0.001
        line(done, 1000)
    assert terminal.getvalue().count("\r") <= 11


def test_resumed_frames_do_not_count_for_the_rate(monkeypatch):
    now = [100.0]
    monkeypatch.setattr("napari_motionmag.cli.progress.time.monotonic", lambda: now[0])
    line = ProgressLine("magnified", io.StringIO())
    now[0] += 10
    line(91, 100)
    assert line.rate == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("seconds", "text"), [(7.24, "7.2 s"), (185, "3:05"), (7800.4, "2:10:00"), (3599.9, "1:00:00")]
)
def test_durations(seconds, text):
    assert duration(seconds) == text


# ---- where to add what --------------------------------------------------------------------------


def test_a_file_of_the_folder_is_a_command(capsys, monkeypatch, tmp_path):
    (tmp_path / "greet.py").write_text(
        "def add_command(commands, common):\n"
        "    parser = commands.add_parser('greet', parents=[common], help='say hello')\n"
        "    parser.add_argument('name')\n"
        "    parser.set_defaults(run=lambda arguments: print('hello', arguments.name))\n"
    )
    monkeypatch.setattr(cli.cli, "__path__", [*cli.cli.__path__, str(tmp_path)])
    monkeypatch.setitem(sys.modules, "napari_motionmag.cli.greet", None)  # forgotten afterwards
    del sys.modules["napari_motionmag.cli.greet"]
    assert "greet" in run(capsys, "--help")[1]
    assert run(capsys, "greet", "you")[:2] == (0, "hello you\n")


def test_help_names_the_same_filters_before_operators_are_imported(capsys):
    code = (
        "import sys; from napari_motionmag.cli import options\n"
        "before = options.filter_names(); assert 'numpy' not in sys.modules\n"
        "import napari_motionmag.temporal; assert options.filter_names() == before\n"
        "print(*before)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "fir"
    assert {"butterworth", "iir", "acceleration"} < set(done.stdout.split())


def test_the_last_movie_of_a_batch_is_the_last_one_that_is_counted():
    line = batch._Line(2, quiet=True)
    line(2000, 2000)
    assert line.line().startswith("2/2 ")
