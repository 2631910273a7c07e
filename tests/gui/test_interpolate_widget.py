"""The dock "Interpolate frames"."""

import numpy as np
import pytest
from qtpy.QtWidgets import QApplication

from napari_motionmag import Movie, interpolate
from napari_motionmag.widgets.magnify.interpolate import InterpolateWidget


@pytest.fixture
def widget(viewer, movie):
    widget = InterpolateWidget(viewer)
    viewer.window.add_dock_widget(widget, area="right")
    widget.method.value, widget.times.value = "riesz", 3
    return widget


def test_the_button_adds_the_frames_of_the_function(viewer, movie, widget, frames, qtbot):
    assert "12 frames become 34, 30 fps" in widget.status.value
    widget.interpolate.native.click()
    qtbot.waitUntil(lambda: len(viewer.layers) == 2, timeout=60_000)
    slow = viewer.layers[-1]
    assert np.array_equal(slow.data, interpolate(movie, 3, method="riesz").compute())
    assert np.array_equal(slow.data[::3], frames)
    assert slow.scale == pytest.approx(np.divide(movie.scale, (3, 1, 1)))
    assert Movie.from_any(slow).fps == pytest.approx(30)
    assert widget.layer.value is movie


def test_the_script_draws_the_same(widget, frames):
    text = widget.script()
    assert "interpolate(movie, 3, method='riesz')" in text.replace('"', "'")
    compile(text, "script", "exec")


def test_it_can_be_cancelled(viewer, widget, qtbot):
    widget.times.value = 50
    widget.begin()
    assert widget.cancel.visible
    widget.cancel.native.click()
    qtbot.waitUntil(lambda: not widget.working, timeout=60_000)
    QApplication.processEvents()
    assert widget.status.value == "Cancelled"
    assert len(viewer.layers) == 1
