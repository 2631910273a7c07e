"""The button "Suggest" in a real window: it looks, offers, fills the fields and magnifies."""

import time

import numpy as np
import pytest
from napari.layers import Shapes
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QAbstractButton, QLabel, QWidget
from scipy.ndimage import gaussian_filter, shift

from napari_motionmag.magnification.recipe import recipe_of
from napari_motionmag.widgets.magnify.dock import MagnifyWidget
from napari_motionmag.widgets.magnify.suggestions import REGION


def moving(n=48, shape=(72, 72), seed=0):
    """A texture that moves along x by 0.2 px at 5 Hz of 40 fps, with noise."""
    random = np.random.default_rng(seed)
    picture = gaussian_filter(random.normal(size=shape), 1.5)
    picture = 2000 + 500 * picture / picture.std()
    course = 0.2 * np.sin(2 * np.pi * 5 * np.arange(n) / 40)
    frames = np.stack([shift(picture, (0, dx), mode="wrap") for dx in course])
    return (frames + random.normal(0, 5, frames.shape)).astype(np.uint16)


@pytest.fixture
def texture(viewer):
    return viewer.add_image(
        moving(), name="texture", scale=(1 / 40, 0.5, 0.5), units=("s", "um", "um")
    )


@pytest.fixture
def dock(viewer, texture, method):
    made = MagnifyWidget(viewer)
    viewer.window.add_dock_widget(made, name="Magnify motion")
    return made


@pytest.fixture
def suggested(dock, click, qtbot):
    """Press "Suggest" and wait for the cards."""

    def press():
        click(dock, "suggest")
        qtbot.waitUntil(lambda: not dock.working, timeout=60_000)

    return press


def use(dock, qtbot, number=0):
    press = dock.native.findChild(QAbstractButton, f"use_suggestion_{number}")
    assert press.isVisible()
    qtbot.mouseClick(press, Qt.MouseButton.LeftButton)


def test_a_suggestion_fills_the_fields_and_magnifies(
    viewer, texture, dock, suggested, qtbot, result
):
    dock.factor.value = 3
    dock._fields.large_motion.fill("dense")  # of a movie before, which drifted
    suggested()
    assert dock.status.value.startswith("2 suggestions")
    assert dock.factor.value == 3, "nothing is filled in before a suggestion is chosen"
    section = dock._fields.suggest_row.section
    assert section.opened
    words = " ".join(label.text() for label in section.native.findChildren(QLabel))
    assert "5 Hz" in words
    assert "5.0 times a second" in words
    pictures = [x for x in section.native.findChildren(QLabel) if not x.pixmap().isNull()]
    assert len(pictures) == 2
    use(dock, qtbot)
    qtbot.waitUntil(lambda: result() is not None and result().visible, timeout=60_000)
    assert dock.mode.value == "temporal"
    low, high = dock.band_low.value, dock.band_high.value
    assert low < 5 < high
    recipe = recipe_of(result())
    assert recipe["stabilise"] is None
    assert recipe["factor"] == dock.factor.value > 1
    assert recipe["operator"]["low"] == pytest.approx(low)
    assert not section.opened
    assert "5 Hz" in section.title.text
    strip = dock.native.findChild(QWidget, "band_spectrum")
    assert strip.isVisible()
    peak = min(strip.points(), key=lambda point: point[1])[0]
    assert peak == pytest.approx(8 + (strip.width() - 16) * (5 / 20) ** 0.5, abs=5)


def test_another_suggestion_changes_the_same_layer(viewer, dock, suggested, click, qtbot, result):
    suggested()
    use(dock, qtbot)
    qtbot.waitUntil(lambda: result() is not None and result().visible, timeout=60_000)
    click(dock, "suggestions_title")  # unfolds the cards
    qtbot.wait(50)
    use(dock, qtbot, 1)
    qtbot.waitUntil(lambda: "static" in result().name, timeout=60_000)
    assert dock.mode.value == "static"


def test_where_nothing_moves_the_reason_is_given(viewer, dock, texture, suggested):
    random = np.random.default_rng(1)
    still = moving()[0] + random.normal(0, 5, (48, 72, 72))
    other = viewer.add_image(still.astype(np.uint16), name="still", scale=(1 / 40, 1, 1))
    dock.layer.value = other
    suggested()
    assert "Nothing moves more than its noise explains" in dock.status.value
    assert not dock._fields.suggest_row.section.visible


def test_looking_can_be_cancelled(dock, click, qtbot, monkeypatch):
    def slow(movie, *, at, progress):
        for k in range(10_000):
            progress(k, 10_000)
            time.sleep(0.005)

    monkeypatch.setattr("napari_motionmag.views.suggestions.suggest", slow)
    click(dock, "suggest")
    qtbot.waitUntil(lambda: dock._fields.cancel.visible, timeout=5_000)
    click(dock, "cancel")
    qtbot.waitUntil(lambda: not dock.working, timeout=5_000)
    assert dock.status.value == "Cancelled"


def test_short_movies_are_refused_with_a_message(
    viewer, movie, method, click, qtbot, notifications
):
    dock = MagnifyWidget(viewer)
    viewer.window.add_dock_widget(dock, name="Magnify motion")
    click(dock, "suggest")
    qtbot.waitUntil(lambda: not dock.working, timeout=10_000)
    assert "at least 16 frames" in dock.status.value
    assert [severity for severity, _ in notifications()] == ["error"]


def test_a_suggested_region_is_a_layer_that_the_next_one_replaces(viewer, dock, texture, suggested):
    suggested()
    suggesting, movie = dock._suggesting, dock._chosen.movie()
    for region in ((8, 40, 16, 60), (0, 64, 0, 64)):
        shapes = suggesting._region_layer(region, texture, movie)
        dock.region.value = shapes
        assert [x for x in viewer.layers if isinstance(x, Shapes)] == [shapes]
        assert shapes.name == REGION
        assert dock.plan(movie).recipe["region"] in (region, list(region))


def test_another_movie_takes_the_suggestions_away(viewer, dock, texture, suggested):
    suggested()
    dock.layer.value = viewer.add_image(moving(seed=2), name="other")
    assert not dock._fields.suggest_row.section.visible


def test_a_reopened_dock_finds_the_state_of_the_newest_result(
    viewer, texture, dock, suggested, qtbot, result
):
    suggested()
    use(dock, qtbot)
    qtbot.waitUntil(lambda: result() is not None and result().visible, timeout=60_000)
    dock.factor.value = 7
    qtbot.waitUntil(lambda: result().name.startswith("x7"), timeout=60_000)
    settings = dock._fields.settings()
    viewer.window.remove_dock_widget(dock.native)
    assert viewer.layers.selection.active is result()
    again = MagnifyWidget(viewer)
    viewer.window.add_dock_widget(again, name="Magnify motion")
    assert again.layer.value is texture
    assert again._fields.settings() == settings


def test_a_reopened_dock_goes_on_with_the_layer_that_it_made(
    viewer, movie, method, widget, magnified, settled, click
):
    layer = magnified()
    for _ in range(2):
        viewer.window.remove_dock_widget(widget.native)
        widget = MagnifyWidget(viewer)
        viewer.window.add_dock_widget(widget, name="Magnify motion")
        click(widget, "magnify")
        settled(widget)
        assert viewer.layers[:] == [movie, layer]
        widget.factor.value += 1
        settled(widget)
        assert viewer.layers[:] == [movie, layer]
        assert layer.name == f"x{widget.factor.value:g} cell pixels static"
    method.broken = {8}
    widget.factor.value += 1
    settled(widget)
    with pytest.raises(RuntimeError):  # which napari shows
        viewer.dims.set_current_step(0, 8)
    settled(widget)
    assert not layer.visible
    assert "frame 8 is broken" in widget.status.value


@pytest.mark.parametrize("button", ["keep", "compute_all"])
def test_a_reopened_dock_leaves_layers_that_stay_and_can_save_them(
    viewer, movie, widget, magnified, settled, click, button, tmp_path
):
    layer = magnified()
    click(widget, button)
    settled(widget)
    data = layer.data
    viewer.window.remove_dock_widget(widget.native)
    widget = MagnifyWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Magnify motion")
    widget.save_to(tmp_path / "kept.npy")
    settled(widget)
    assert np.array_equal(np.load(tmp_path / "kept.npy"), np.asarray(data))
    click(widget, "magnify")
    settled(widget)
    assert len(viewer.layers) == 3
    assert np.array_equal(np.asarray(layer.data), np.asarray(data))


def test_a_layer_that_is_kept_stays_as_it_is(viewer, dock, click, qtbot, settled):
    def made():
        return [x for x in viewer.layers if "napari_motionmag" in x.metadata]

    click(dock, "magnify")
    qtbot.waitUntil(lambda: len(made()) == 1, timeout=60_000)
    click(dock, "keep")
    (kept,) = made()
    name, data = kept.name, kept.data
    assert "stays as it is" in dock.status.value
    assert dock._results.latest(dock.layer.value).layer is kept, "it can be saved"
    dock.mode.value = "dynamic"
    settled(dock)
    assert made() == [kept]
    click(dock, "magnify")
    qtbot.waitUntil(lambda: len(made()) == 2, timeout=60_000)
    assert (kept.name, kept.data) == (name, data)
    assert "dynamic" in made()[1].name


def test_a_drawn_region_is_taken_while_the_fields_for_one_are_open(viewer, dock, texture):
    shapes = viewer.add_shapes(name="cell")
    corners = np.array([(0, 5, 5), (0, 5, 20), (0, 20, 20), (0, 20, 5)]) * texture.scale
    shapes.add_rectangles(corners[:, 1:])
    assert dock.region.value is None
    click_title = dock._fields.large_frames.title.native
    click_title.click()
    shapes.add_rectangles(corners[:, 1:] * 2)
    assert dock.region.value is shapes
