"""The demonstration: files without a display, a window with one."""

import subprocess
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_motionmag import samples
from napari_motionmag.cli import demo, demo_sheet
from napari_motionmag.magnification.magnification import plan
from napari_motionmag.movie.movie import Movie

# small samples are not what the suggested factors are for
pytestmark = pytest.mark.filterwarnings("ignore:.*past that bound:UserWarning")


@pytest.fixture
def small(monkeypatch):
    """Samples of few and small frames."""
    load = samples.load

    def load_small(name, **overrides):
        data, about = load(name, **{"size": 64, "n_frames": 8} | overrides)
        about["suggestion"] = {**about["suggestion"], "method": "phase"}
        return data, about

    monkeypatch.setattr(samples, "load", load_small)
    return load_small


@pytest.mark.parametrize("name", samples.NAMES)
def test_files(small, tmp_path, capsys, name):
    demo.run(name, tmp_path / "new", gui=False)
    data, about = small(name)
    factor = about["suggestion"]["factor"]
    tiff, png = (
        tmp_path / "new" / f"{name}_x{factor:g}{ending}" for ending in (".ome.tif", ".png")
    )
    assert capsys.readouterr().out.splitlines() == [str(tiff), str(png)]
    magnified = tifffile.imread(tiff)
    assert (magnified.shape, magnified.dtype) == (data.shape, data.dtype)
    if name != "still":
        assert not np.array_equal(magnified, data)
    with Image.open(png) as picture:
        assert picture.width > 2 * data.shape[2]


def test_without_a_display(small, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    demo.run("strings", tmp_path)
    said = capsys.readouterr().out
    assert "neither DISPLAY nor WAYLAND_DISPLAY" in said
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(RuntimeError, match="DISPLAY"):
        demo.run("strings", tmp_path, gui=True)


def test_with_a_display_that_does_not_answer(monkeypatch):
    monkeypatch.setenv("DISPLAY", ":4242")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert demo.no_window_because()


def test_without_qt(tmp_path):
    hidden = "import sys; sys.modules['qtpy'] = None\n"
    code = hidden + "from napari_motionmag.cli import demo; print(demo.no_window_because())"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Qt cannot be loaded" in said.stdout


def test_no_such_sample(tmp_path):
    with pytest.raises(ValueError, match="nothing"):
        demo.run("nothing", tmp_path, gui=False)
    assert not list(tmp_path.iterdir())


def test_line_crosses_the_string_that_is_selected():
    data, about = samples.load("strings", n_frames=60)
    suggested = dict(about["suggestion"])
    magnification = plan(data, suggested.pop("factor"), **suggested)
    line, t = demo_sheet.where_it_moves(
        Movie(data, about["axes"], about["fps"]), magnification.operator, about["displacement"]
    )
    (top, x), (bottom, same) = line
    assert (top, bottom) == (0, data.shape[1] - 1), "strings move along y"
    assert x == same
    assert 0.3 < x / data.shape[2] < 0.7, "the middle of a string moves most"
    assert 0 <= t < 60


def test_window(small, make_napari_viewer, monkeypatch, qtbot):
    import napari

    monkeypatch.setattr(napari, "Viewer", lambda title, show: make_napari_viewer(title=title))
    viewer, widget = demo.open_window("vesicles")
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=20_000)
    about = small("vesicles")[1]
    assert viewer.layers[0].name == about["title"]
    assert viewer.layers[1].metadata["napari_motionmag"]["source"] == about["title"]
    assert viewer.layers[1].colormap.name == "green"
    assert "Magnify motion" in viewer.window.dock_widgets
    assert widget.factor.value == about["suggestion"]["factor"]
    assert viewer.canvas.grid.enabled
