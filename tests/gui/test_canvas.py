"""Figures in docks: in the theme's colours, saved black on white, and gone without a trace."""

import numpy as np
import pytest
from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg
from matplotlib.colors import to_hex
from napari.components import ViewerModel
from napari.utils.theme import get_theme
from PIL import Image as Picture
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QLabel, QTabWidget, QWidget

from napari_motionmag.widgets.common import ask_file
from napari_motionmag.widgets.common.canvas import Canvas


def draw(figure):
    axes = figure.subplots()
    axes.plot([0, 1, 2], [0, 1, 0])
    axes.set_xlabel("time (s)")


@pytest.fixture
def canvas(viewer):
    made = Canvas(viewer)
    viewer.window.add_dock_widget(made, name="figure")
    made.draw(draw)
    yield made
    made.close_down()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_follows_the_theme(viewer, canvas, theme):
    viewer.theme = "dark" if theme == "light" else "light"
    viewer.theme = theme
    colours = get_theme(theme)
    assert to_hex(canvas.figure.get_facecolor()) == to_hex(colours.background.as_hex())
    (axes,) = canvas.figure.axes
    assert to_hex(axes.xaxis.label.get_color()) == to_hex(colours.text.as_hex())
    canvas.figure.canvas.draw()
    tick = axes.xaxis.get_major_ticks()[0]
    assert to_hex(tick.label1.get_color()) == to_hex(colours.text.as_hex())


def test_icons_have_the_colour_of_the_text(viewer, canvas):
    for theme in ("dark", "light"):
        viewer.theme = theme
        action = next(a for a in canvas.toolbar.actions() if not a.icon().isNull())
        image = action.icon().pixmap(48, 48).toImage()
        solid = [
            image.pixelColor(x, y)
            for x in range(image.width())
            for y in range(image.height())
            if image.pixelColor(x, y).alpha() == 255
        ]
        assert solid
        assert {colour.name() for colour in solid} == {to_hex(get_theme(theme).text.as_hex())}


def test_saved_black_on_white_as_it_is_zoomed(viewer, canvas, tmp_path):
    viewer.theme = "dark"
    canvas.figure.axes[0].set_xlim(0.5, 1.0)
    path = tmp_path / "figure.png"
    canvas.save(path)
    pixels = np.asarray(Picture.open(path).convert("RGB"))
    assert (pixels[0, 0] == 255).all()
    assert (pixels == 0).all(axis=-1).any()
    assert canvas.figure.axes[0].get_xlim() == (0.5, 1.0)
    with pytest.raises(ValueError, match="docx"):
        canvas.save(tmp_path / "figure.docx")
    canvas.draw(None)
    with pytest.raises(ValueError, match="nothing"):
        canvas.save(path)


def test_the_disk_button_asks_for_a_file(canvas, tmp_path, monkeypatch):
    path = tmp_path / "figure"
    monkeypatch.setattr(
        ask_file.QFileDialog, "getSaveFileName", lambda *_: (str(path), "PDF (*.pdf)")
    )
    canvas.toolbar.save_figure()
    assert (tmp_path / "figure.pdf").read_bytes().startswith(b"%PDF")


def test_too_small_to_draw_is_no_error(canvas, qtbot):
    canvas._canvas.setMinimumSize(1, 1)
    canvas._canvas.resize(20, 10)
    canvas._canvas.draw()
    canvas._canvas.resize(300, 200)
    canvas._canvas.draw()


def test_without_matplotlib_it_says_how_to_get_it(viewer, monkeypatch):
    def missing(self, *_):
        raise ModuleNotFoundError("No module named 'matplotlib'", name="matplotlib")

    monkeypatch.setattr(Canvas, "_make", missing)
    made = Canvas(viewer)
    assert "napari-motionmag[plots]" in made.findChild(QLabel).text()
    made.draw(draw)
    made.close_down()
    with pytest.raises(ValueError, match="nothing"):
        made.save("figure.png")


def test_lets_go_of_the_viewer(viewer):
    before = len(viewer.events.theme.callbacks)
    made = Canvas(viewer)
    made.close_down()
    made.close_down()
    assert len(viewer.events.theme.callbacks) == before


def test_a_figure_opens_in_a_window_that_follows_it(viewer, canvas, qtbot):
    action = next(a for a in canvas.toolbar.actions() if a.text() == "Window")
    button = canvas.toolbar.widgetForAction(action)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    (window,) = canvas._windows
    assert window.isVisible()
    (copy,) = window.findChildren(Canvas)
    assert len(copy.figure.axes) == 1
    canvas.draw(lambda figure: figure.subplots(1, 2))
    assert len(copy.figure.axes) == 2
    assert copy._canvas.width() > canvas._canvas.width()
    window.close()
    canvas.draw(draw)
    assert len(canvas.figure.axes) == 1
    canvas.open_window()
    canvas.close_down()
    assert canvas._windows == {}


def test_a_figure_is_drawn_once_it_is_seen(qtbot, monkeypatch):
    tabs, canvas = QTabWidget(), Canvas(ViewerModel())
    drawn = []
    monkeypatch.setattr(FigureCanvasQTAgg, "draw", lambda _: drawn.append(1))
    for tab in (QWidget(), canvas):
        tabs.addTab(tab, "")
    qtbot.addWidget(tabs)
    tabs.show()
    for _ in range(3):
        canvas.draw(draw)
        qtbot.wait(20)
    assert not drawn
    tabs.setCurrentWidget(canvas)
    qtbot.waitUntil(lambda: len(drawn) > 0)
    before = len(drawn)
    canvas.draw(draw)
    canvas.draw(None)
    qtbot.waitUntil(lambda: len(drawn) > before)
    assert len(drawn) == before + 1
    canvas.close_down()
