"""The dock that exports movies: the viewer's look, the pixels of a script, progress and cancel."""

import threading

import numpy as np
import pytest
from PIL import Image
from qtpy.QtWidgets import QFileDialog

from napari_motionmag import export, magnify_layer
from napari_motionmag.movie.movie import Movie
from napari_motionmag.widgets.export.dock import ExportWidget, _box


@pytest.fixture
def made(viewer, movie):
    movie.colormap, movie.gamma, movie.contrast_limits = "magma", 0.7, (500, 2500)
    return viewer.add_layer(magnify_layer(movie, 3, method="linear", device="cpu"))


@pytest.fixture
def dock(viewer, movie, made):
    widget = ExportWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Export movie")
    return widget


def pixels(folder):
    return np.stack([np.asarray(Image.open(file)) for file in sorted(folder.iterdir())])


def test_it_says_what_will_be_exported(dock, settled, movie, made):
    settled(dock)
    assert list(dock.layers.value) == [movie, made]
    assert dock.status.value.endswith("1.2 s at 10 frames per second, real time")
    dock.speed.value = "1/2"
    settled(dock)
    assert "2.4 s at 10 frames per second, 1/2 of real time" in dock.status.value
    dock.speed.value = "slow"
    settled(dock)
    assert dock.status.value == "Speed must be a number, as 1/20; got 'slow'"


def test_dock_script_and_functions_give_the_same_pixels(
    viewer, dock, settled, movie, made, tmp_path, monkeypatch
):
    line = viewer.add_shapes([[(1, 4), (8, 4)]], shape_type="line", name="line", units=("um",) * 2)
    settled(dock)
    dock.lines.value, dock.arrangement.value = line, "split"
    dock.first.value, dock.last.value = 2, 9
    dock.background.value, dock.bar_length.value = "white", 4
    settled(dock)
    dock.loops.value = 3  # of videos, not of frames
    dock.save_to(tmp_path / "dock.png")
    settled(dock)
    assert dock.status.value == f"Exported to {tmp_path / 'dock'}"
    dock.loops.value = 0
    corners = [(2, 8), (16, 8)]  # px of 0.5 um
    look = export.Look((500, 2500), "magma", 0.7)
    shown = [
        export.panel(Movie.from_any(layer), label, look=look, line=corners)
        for layer, label in ((movie, "cell"), (made, "motion ×3 (linear)"))
    ]
    composition = export.Composition(
        shown, layout="split", frames=slice(2, 10), background="white", scale_bar=4
    )
    export.export_movie(tmp_path / "function", composition)
    assert (pixels(tmp_path / "dock") == pixels(tmp_path / "function")).all()
    monkeypatch.chdir(tmp_path)
    code = dock.script().replace('"film.mp4"', '"script"')
    exec(compile(code, "script", "exec"), {"viewer": viewer})
    assert (pixels(tmp_path / "script") == pixels(tmp_path / "dock")).all()


def test_the_picture_is_what_the_viewer_shows(make_napari_viewer, frames):
    viewer = make_napari_viewer(show=True)
    look = {"colormap": "viridis", "gamma": 0.6, "contrast_limits": (600, 2900)}
    units = ("s", "um", "um")
    movie = viewer.add_image(frames, scale=(0.1, 0.5, 0.5), units=units, **look)
    viewer.dims.set_current_step(0, 4)
    movie.interpolation2d = "nearest"
    shown = viewer.export_figure(scale_factor=1, flash=False)[..., :3].astype(int)
    film = export.Film(export.compose(movie, zoom=1, labels=False, scale_bar=False))
    y, x, height, width = film._places[0].panel
    drawn = list(film.frames())[4][y : y + height, x : x + width].astype(int)
    assert shown.shape == drawn.shape
    assert np.abs(shown - drawn).max() <= 3


def test_layers_that_add_up_are_one_panel(viewer, movie, frames, settled, tmp_path, monkeypatch):
    movie.blending, movie.colormap = "additive", "red"
    look = {"scale": movie.scale, "units": movie.units, "axis_labels": movie.axis_labels}
    second = viewer.add_image(
        frames[::-1].copy(), name="b", blending="additive", colormap="green", **look
    )
    second.metadata["path"] = None
    dock = ExportWidget(viewer)
    viewer.window.add_dock_widget(dock, name="Export movie")
    settled(dock)
    (panel,) = dock.composition().panels
    assert (panel.label, panel.channels[0].movie.data is second.data) == ("cell + b", True)
    dock.zoom.value = 1
    dock.save_to(tmp_path / "dock.png")
    settled(dock)
    monkeypatch.chdir(tmp_path)
    exec(dock.script().replace('"film.mp4"', '"script"'), {"viewer": viewer})
    assert (pixels(tmp_path / "script") == pixels(tmp_path / "dock")).all()


def test_the_dialog_and_its_formats(dock, settled, click, tmp_path, monkeypatch):
    asked = []

    def answer(parent, title, suggested, kinds):
        asked.append(kinds)
        return str(tmp_path / "film"), "GIF (*.gif)"

    monkeypatch.setattr(QFileDialog, "getSaveFileName", answer)
    settled(dock)
    click(dock, "export")
    settled(dock)
    assert "MP4 video (PowerPoint, browsers) (*.mp4)" in asked[0]
    assert [item.name for item in tmp_path.iterdir()] == ["film.gif"]


def test_cancel_leaves_nothing(dock, settled, click, qtbot, tmp_path, monkeypatch):
    gate, begun = threading.Event(), threading.Event()
    frames = export.Film.frames

    def slow(self, progress=None):
        for k, frame in enumerate(frames(self, progress)):
            if k == 3:
                begun.set()
                gate.wait(20)
            yield frame

    monkeypatch.setattr(export.Film, "frames", slow)
    settled(dock)
    dock.save_to(tmp_path / "film.gif")
    qtbot.waitUntil(begun.is_set, timeout=20_000)
    for ask in (dock.save_to, dock.report_to):
        ask(tmp_path / "second.html")
        assert dock.status.value.startswith("Exporting film.gif is in progress")
    qtbot.waitUntil(lambda: dock.cancel.native.isVisible(), timeout=10_000)
    click(dock, "cancel")
    gate.set()
    settled(dock)
    assert dock.status.value == "Cancelled"
    assert list(tmp_path.iterdir()) == []
    assert dock.export.native.isEnabled()


def test_what_is_wrong_is_one_line(viewer, dock, settled, click, movie, notifications, tmp_path):
    dock.bar_length.value = 100
    settled(dock)
    click(dock, "export")
    message = "scale_bar of 100 is longer than the frame is wide, 12 um"
    assert dock.status.value == message
    assert notifications()[-1] == ("error", message)
    dock.bar_length.value = 0
    viewer.layers.clear()
    settled(dock)
    click(dock, "export")
    assert dock.status.value == "There is no movie: open one, as an Image layer with a time axis"


def test_an_unknown_rate_is_typed_in(viewer, settled, frames):
    layer = viewer.add_image(frames, name="film")
    dock = ExportWidget(viewer)
    viewer.window.add_dock_widget(dock, name="Export movie")
    settled(dock)
    assert dock.status.value == "the frame rate of 'film' is unknown: fill in “Rate”"
    dock.speed.value = "1/2"
    settled(dock)
    assert dock.status.value.endswith("the frame rate of 'film' is unknown: fill in “Rate”")
    dock.speed.value = ""
    dock.fps.value = 600
    settled(dock)
    assert "30 frames per second, 1/20 of real time" in dock.status.value
    assert layer.metadata["napari_motionmag_fps"] == 600
    dock.speed.value = "1/2"
    settled(dock)
    assert "60 frames per second, 1/2 of real time. The movie plays at 300" in dock.status.value


def test_the_rectangle_around_a_region():
    mask = np.zeros((9, 12), bool)
    mask[2:5, 3] = mask[4, 3:8] = True
    assert _box(mask) == (2, 5, 3, 8)
    assert _box((1, 2, 3, 4)) == (1, 2, 3, 4)


def test_a_report_of_a_movie_and_its_magnification(
    viewer, dock, settled, qtbot, movie, made, tmp_path
):
    dock.zoom.value = 1
    settled(dock)
    dock.report_to(tmp_path / "report.html")
    qtbot.waitUntil(lambda: not dock.working, timeout=120_000)
    settled(dock)
    assert dock.status.value.startswith(f"Report written to {tmp_path / 'report.html'}")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert text.count("data:video/mp4") == 1
    assert "magnify(" in text
    dock.layers.value = [movie]
    settled(dock)
    with pytest.raises(ValueError, match="needs a movie and its magnification: choose both"):
        dock.report_to(tmp_path / "other.html")
