"""The demonstration: files without a display, a window with one."""

import subprocess
import sys
import threading

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


def test_frames_are_large_enough_to_see_motion_in_the_picture():
    data, about = samples.load("beating_cell", n_frames=2)
    assert data.shape[1:] == (256, 256)
    magnification = plan(data, 2, method="linear", fps=30)
    picture = demo_sheet.compose(magnification, magnification.movie, about)
    assert min(picture.size) > 1024


def test_the_picture_has_a_time_and_no_speed(monkeypatch):
    from napari_motionmag.export import film

    written, draw = [], film.draw_text
    monkeypatch.setattr(film, "draw_text", lambda *a: written.append(a[2]) or draw(*a))
    data, about = samples.load("strings", n_frames=8, size=64)
    movie = Movie(data, about["axes"], about["fps"])
    demo_sheet.compose(plan(movie, 2, method="linear"), movie, about)
    assert any(text.endswith(" ms") for text in written), written
    assert "real time" not in " ".join(written)


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


def spins(window) -> bool:
    """Whether napari shows that something is in progress."""
    from qtpy.QtWidgets import QLabel

    labels = window.findChildren(QLabel)
    return any(label.movie() is not None and not label.isHidden() for label in labels)


def test_window(small, make_napari_viewer, monkeypatch, qtbot):
    import napari

    monkeypatch.setattr(napari, "Viewer", lambda title, show: make_napari_viewer(title=title))
    viewer, shown = demo.open_window("vesicles")
    assert "Computing" in demo.text_over(viewer).text
    screen = viewer.window._qt_window.screen().availableGeometry()
    assert viewer.window._qt_window.width() >= min(demo.SIZE[0], screen.width())
    assert not viewer.layers, "the window is there before the sample is"
    assert not spins(viewer.window._qt_window), "that paints the window all the time"
    early = []
    viewer.layers.events.inserted.connect(lambda _: early.append(shown.widget is None))
    qtbot.waitUntil(lambda: len(viewer.layers) > 0, timeout=20_000)
    assert early[0], "the original is shown before the dock is loaded"
    seen = set()
    viewer.dims.events.current_step.connect(lambda event: seen.add(viewer.dims.current_step[0]))
    qtbot.waitUntil(lambda: len(seen) > 1, timeout=5000)
    assert "original" in demo.text_over(viewer).text
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=20_000)
    widget = shown.widget
    about = small("vesicles")[1]
    assert viewer.layers[0].name == about["title"]
    assert viewer.layers[1].metadata["napari_motionmag"]["source"] == about["title"]
    assert viewer.layers[1].colormap.name == "green"
    assert "Magnify motion" in viewer.window.dock_widgets
    assert widget.factor.value == about["suggestion"]["factor"]
    assert viewer.canvas.grid.enabled
    assert all(layer.name_overlay.visible for layer in viewer.layers)
    qtbot.waitUntil(lambda: "Drag the slider" in demo.text_over(viewer).text, timeout=5000)
    qtbot.waitUntil(lambda: widget._playback.state == "playing", timeout=30_000)
    widget.factor.value = 3
    assert not demo.text_over(viewer).visible
    qtbot.waitUntil(lambda: viewer.layers[1].name.startswith("x3 "), timeout=20_000)
    widget._playback.stop()


def test_the_window_is_closed_before_the_sample_is_there(
    small, make_napari_viewer, monkeypatch, qtbot
):
    import napari

    gate = threading.Event()
    load = samples.make_sample_data

    def wait(name):
        assert gate.wait(20)
        return load(name)

    monkeypatch.setattr(samples, "make_sample_data", wait)
    monkeypatch.setattr(napari, "Viewer", lambda title, show: make_napari_viewer(title=title))
    viewer, shown = demo.open_window("strings")
    viewer.close()
    gate.set()
    qtbot.waitUntil(lambda: shown.over, timeout=20_000)
    assert shown.widget is None


def test_names_of_samples_are_quick_to_load():
    code = "import sys; import napari_motionmag.samples; print('scipy' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"


def test_what_it_does_is_printed_before_anything_is_loaded(monkeypatch, capsys):
    import napari

    printed = []
    monkeypatch.setattr(demo, "no_window_because", lambda: printed.append(capsys.readouterr().out))
    monkeypatch.setattr(demo, "open_window", lambda sample: None)
    monkeypatch.setattr(napari, "run", lambda: None)
    demo.run("strings")
    assert "“Vibrating micro-strings”" in printed[0]
    assert "magnified 12 times" in printed[0]
    assert "Drag the slider" in capsys.readouterr().out
