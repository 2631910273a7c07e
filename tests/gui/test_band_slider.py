"""The slider for the band in the dock "Magnify motion": it is dragged below the spectrum."""

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QLineEdit, QWidget


@pytest.fixture
def temporal(widget, qtbot):
    widget.mode.value = "temporal"  # of 10 frames per second
    widget.band_low.value, widget.band_high.value = 1.25, 3.2
    qtbot.wait(10)
    return widget


def drag(qtbot, slider, start, stop):
    """Drag a handle of a slider from one position to another, in its steps."""
    native = slider.native._slider
    x = [8 + (native.width() - 16) * p / slider.max for p in (start, stop)]
    y = native.height() // 2
    qtbot.mousePress(native, Qt.MouseButton.LeftButton, pos=QPoint(round(x[0]), y))
    qtbot.mouseMove(native, QPoint(round(sum(x) / 2), y))
    qtbot.mouseMove(native, QPoint(round(x[1]), y))
    qtbot.mouseRelease(native, Qt.MouseButton.LeftButton, pos=QPoint(round(x[1]), y))


def test_the_slider_shows_and_changes_the_band(temporal, qtbot):
    band = temporal._fields.band_slider
    assert band.visible
    labels = [label for label in band.native.findChildren(QLineEdit) if label.isVisible()]
    assert not labels, "they would show positions, which are no frequencies"
    assert band.slider.value == (250, 400), "frequencies grow with the square of the position"
    drag(qtbot, band.slider, 400, 470)
    low, high = temporal.band_low.value, temporal.band_high.value
    assert low == 1.25
    assert high == pytest.approx(5 * 0.94**2, rel=0.05)
    band.slider.value = (0, 500)
    assert 0 < temporal.band_low.value < 0.001
    assert temporal.band_high.value == 5
    band.slider.value = (250, 250)
    assert temporal.band_low.value < temporal.band_high.value, "a band is never empty"


def test_dragging_the_band_draws(temporal, magnified, qtbot):
    layer = magnified()
    before = layer.data
    drag(qtbot, temporal._fields.band_slider.slider, 400, 480)
    qtbot.waitUntil(lambda: layer.data is not before, timeout=10_000)


def test_only_where_a_band_applies(widget):
    band = widget._fields.band_slider
    assert not band.visible
    widget.mode.value = "temporal"
    assert band.visible
    widget.fps.value = 0
    widget.layer.value.units, widget.layer.value.scale = ("pixel",) * 3, (1, 1, 1)
    assert widget.fps.value == 0
    assert not band.visible, "half the frame rate is unknown"


def test_the_spectrum_lies_over_the_slider(temporal, viewer, movie, frames, qtbot):
    strip = temporal.native.findChild(QWidget, "band_spectrum")
    assert not strip.isVisible()
    frequencies = np.linspace(0, 0.5, 51)
    temporal.set_spectrum(movie, frequencies, np.where(frequencies == 0.32, 2.0, 0.0))
    qtbot.waitUntil(strip.isVisible, timeout=5000)
    points = strip.points()
    x, _ = min(points, key=lambda point: point[1])
    assert x == pytest.approx(8 + (strip.width() - 16) * 0.8)
    color = strip.grab().toImage().pixelColor(round(x) - 12, 10)
    other = strip.grab().toImage().pixelColor(round(x) + 30, 10)
    assert color != other, "the band, 1.25 to 3.2 Hz, is marked"
    temporal.layer.value = viewer.add_image(frames, name="other", scale=(0.1, 1, 1))
    assert not strip.isVisible()
    temporal.layer.value = movie
    assert strip.isVisible()
