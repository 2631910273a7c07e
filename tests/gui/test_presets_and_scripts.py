"""Presets fill the fields; the button "Copy as Python" gives a script that makes the same."""

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

from napari_motionmag import presets, samples
from napari_motionmag.magnification.settings import NAMES
from napari_motionmag.widgets.magnify.dock import MagnifyWidget


def said(widget) -> dict:
    settings = widget._fields.settings()
    return {name: getattr(settings, name) for name in NAMES}


def note(widget) -> str:
    field = widget._fields.preset_rows.note
    return field.value if field.native.isVisibleTo(widget.native) else ""


# ---- presets ----


def test_a_preset_fills_the_fields_and_says_so(viewer, movie, widget):
    for name in presets.NAMES:
        preset = presets.get(name)
        widget.fps.value = preset.fps or 200
        before = said(widget)
        widget.preset.value = name
        now = said(widget)
        for key, value in preset.arguments.items():
            assert now[key] == pytest.approx(value) if key == "band" else now[key] == value
        assert now["method"] == before["method"]
        assert preset.summary in note(widget)
        assert preset.explanation in widget.preset.tooltip
        assert widget.preset.value == name


def test_the_preset_is_none_again_once_a_field_says_something_else(viewer, movie, widget):
    widget.fps.value = 200
    widget.preset.value = "cilia"
    widget.fps.value = 100
    assert widget.preset.value == "cilia", "the rate is not the preset's"
    widget.factor.value = 7
    assert widget.preset.value == ""
    assert note(widget) == ""
    assert said(widget)["band"] == (7, 40), "the rest stays"


def test_an_impossible_band_is_a_message_and_no_error(
    viewer, movie, widget, magnified, method, notifications, qtbot, settled
):
    magnified()
    method.drawn.clear()
    before = notifications()
    widget.preset.value = "drum"  # the movie has 10 fps
    assert "needs at least 156 fps" in note(widget)
    assert "this movie has 10 fps" in note(widget)
    settled(widget)
    assert method.drawn == []
    assert notifications() == before
    widget.fps.value = 1900
    assert presets.get("drum").summary in note(widget)
    qtbot.waitUntil(lambda: method.drawn != [], timeout=10_000)


def test_a_preset_is_drawn_live(viewer, movie, widget, magnified, qtbot):
    layer = magnified()
    widget.preset.value = "drone"
    qtbot.waitUntil(lambda: layer.name == "x10 cell pixels dynamic", timeout=10_000)


def test_another_movie_that_brings_settings_ends_the_preset(viewer, movie, widget):
    widget.preset.value = "gun"
    data, about = samples.load("beating_cell", n_frames=6, size=64)
    other = viewer.add_image(data, metadata=about)
    widget.layer.value = other
    assert widget.factor.value == about["suggestion"]["factor"]
    assert widget.preset.value == ""


# ---- scripts ----


@pytest.fixture
def sample(viewer):
    """A small sample as a layer, and the real methods."""
    data, about = samples.load("beating_cell", n_frames=6, size=64)
    return viewer.add_image(
        data,
        name="cell",
        scale=about["scale"],
        units=about["units"],
        axis_labels=("t", "y", "x"),
        metadata=about,
    )


def same(layer, text: str) -> bool:
    namespace: dict = {}
    exec(text, namespace)
    made = namespace["magnified"]
    return all(np.array_equal(made[t].compute(), layer.data[t].compute()) for t in (0, 4))


@pytest.mark.parametrize("mode", ["static", "dynamic", "temporal"])
def test_the_script_makes_the_layer(viewer, sample, mode, click):
    widget = MagnifyWidget(viewer)
    viewer.window.add_dock_widget(widget)
    widget.method.value = "riesz"
    widget.factor.value = 3
    widget.mode.value = mode
    widget.reference.value, widget.reference_frames.value = 1, 2
    widget.band_low.value, widget.band_high.value = 2, 7
    widget.filter.value = "butterworth"
    layer = widget()
    click(widget, "copy_script")
    text = QApplication.clipboard().text()
    assert text == widget.script()
    assert same(layer, text)


def test_what_the_user_said_is_in_script_and_recipe(viewer, sample):
    sample.scale, sample.units = (1, 1, 1), ("pixel",) * 3
    widget = MagnifyWidget(viewer)
    widget.method.value = "linear"
    widget.mode.value = "temporal"
    widget.fps.value = 40
    widget.band_low.value, widget.band_high.value = 2, 7
    widget.factor.value = 0
    layer = widget()
    assert layer.metadata["napari_motionmag"]["recipe"]["given"] == ["fps"]
    assert "fps=40.0" in widget.script()
    assert same(layer, widget.script())
    widget.fps.value = 0


def test_without_a_movie_the_button_says_so(viewer, click, notifications):
    widget = MagnifyWidget(viewer)
    viewer.window.add_dock_widget(widget)
    QApplication.clipboard().setText("as it was")
    click(widget, "copy_script")
    assert any("There is no movie" in text for _, text in notifications())
    assert QApplication.clipboard().text() == "as it was"
