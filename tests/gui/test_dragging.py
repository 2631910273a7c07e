"""The picture follows the hand: frames are drawn while the factor is dragged."""

import threading
import time
from functools import partial

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QSlider, QStyle, QStyleOptionSlider

from napari_motionmag.compute.device import device_lock
from napari_motionmag.magnification.magnification import magnification_behind
from napari_motionmag.widgets.frames.frame_cache import CoarseMagnification, enlarged
from napari_motionmag.widgets.frames.live_drawing import AIM, QUICK, SMALLEST, Pace
from napari_motionmag.widgets.magnify.dock import MagnifyWidget

SIZE = 120, 144


@pytest.fixture
def frames():
    rng = np.random.default_rng(1)
    still = rng.integers(500, 3000, SIZE)
    return (still + rng.integers(0, 60, (12, *SIZE))).astype(np.uint16)


class Drag:
    """A real mouse on the slider of the factor."""

    def __init__(self, widget):
        widget._fields.factor_row.native.window().activateWindow()
        self.slider = widget._fields.factor_row.slider.native.findChild(QSlider)
        option = QStyleOptionSlider()
        self.slider.initStyleOption(option)
        style, part = self.slider.style(), QStyle.SubControl.SC_SliderHandle
        control = QStyle.ComplexControl.CC_Slider
        self.start = style.subControlRect(control, option, part, self.slider).center()
        QTest.mousePress(self.slider, Qt.MouseButton.LeftButton, pos=self.start)

    def to(self, dx: int) -> None:
        QTest.mouseMove(self.slider, self.start + QPoint(dx, 0))
        QApplication.processEvents()

    def end(self) -> None:
        QTest.mouseRelease(self.slider, Qt.MouseButton.LeftButton)


def _factor(layer):
    return layer.metadata["napari_motionmag"]["recipe"]["factor"]


def test_frames_are_drawn_while_the_mouse_is_down(widget, method, magnified, qtbot, settled):
    layer = magnified()
    seen, drag = [], Drag(widget)
    for dx in range(2, 42, 2):  # a new position every 20 ms: never a pause as long as the dock's
        drag.to(dx)
        qtbot.wait(20)
        seen.append(_factor(layer))
    drag.end()
    assert len(set(seen)) > 4, "the picture stood still until the slider rested"
    settled(widget)
    assert _factor(layer) == widget.factor.value
    expected = magnification_behind(layer.data).plain().draw([5])[0]
    assert np.array_equal(layer._data_view, expected)


def test_slow_frames_are_coarse_while_dragging_and_fine_at_rest(
    widget, method, magnified, qtbot, settled, monkeypatch
):
    def sleep_by_size(frames, operator, t, factor, draw=method._one):
        height, width = frames[t].shape
        time.sleep(0.4 * height * width / np.prod(SIZE))
        method.sizes.append((t, frames[t].shape))
        return draw(frames, operator, t, factor)

    method.sizes = []
    monkeypatch.setattr(method, "_one", sleep_by_size)
    layer = magnified()
    settled(widget)
    method.sizes.clear()
    drag = Drag(widget)
    for dx in range(2, 62, 2):
        drag.to(dx)
        qtbot.wait(20)
    assert widget._results.of(widget.layer.value).coarse is not None
    assert "1/2 of the resolution" in widget.status.value
    coarse = layer._data_view.copy()
    assert {size for t, size in method.sizes if t == 5} == {(60, 72)}
    drag.end()
    settled(widget)
    assert method.sizes[-1] == (5, SIZE)
    assert layer._data_view.shape == coarse.shape == SIZE
    assert layer.data.shape == (12, *SIZE)
    assert not np.array_equal(layer._data_view, coarse)
    assert np.allclose(layer.scale, (0.1, 0.5, 0.5))
    assert "resolution" not in widget.status.value


def test_what_is_saved_while_dragging_is_fine(widget, method, magnified, settled, tmp_path, qtbot):
    magnified()
    settled(widget)
    source = widget.layer.value
    result = widget._results.of(source)
    smaller = widget.plan(widget._chosen.movie(), reduction=2)
    widget.show_result(
        source, result.magnification, CoarseMagnification.like(result.magnification, smaller)
    )
    widget.save_to(tmp_path / "saved.npy")
    settled(widget)
    expected = np.concatenate(result.magnification.plain().draw(range(12))).reshape(12, *SIZE)
    assert np.array_equal(np.load(tmp_path / "saved.npy"), expected)


@pytest.mark.parametrize("which", ["result", "movie", "both"])
def test_layers_that_are_deleted_while_dragging(
    viewer, movie, widget, method, magnified, qtbot, settled, notifications, which
):
    layer = magnified()
    method.seconds = 0.05
    drag = Drag(widget)
    for k in range(20):
        drag.to(2 * k)
        qtbot.wait(15)
        if k == 8:
            for gone in {"result": [layer], "movie": [movie], "both": [layer, movie]}[which]:
                viewer.layers.remove(gone)
    drag.end()
    settled(widget)
    assert layer not in viewer.layers or which == "movie"
    assert not [text for severity, text in notifications() if severity == "error"]


def test_dragging_before_anything_is_drawn(widget, method, result, qtbot, click, settled):
    """As while a network is loaded: the frame that comes is that of the last position."""
    method.gate.clear()
    click(widget, "magnify")
    drag = Drag(widget)
    for dx in range(2, 42, 4):
        drag.to(dx)
        qtbot.wait(10)
    drag.end()
    assert result() is None
    method.gate.set()
    settled(widget)
    qtbot.waitUntil(lambda: _factor(result()) == widget.factor.value, timeout=10_000)


def test_the_window_is_closed_while_a_frame_is_drawn(make_napari_viewer, method, frames, qtbot):
    viewer = make_napari_viewer(show=True)
    viewer.add_image(frames, name="cell")
    widget = MagnifyWidget(viewer)
    viewer.window.add_dock_widget(widget)
    widget()
    method.gate.clear()
    drag = Drag(widget)
    drag.to(20)
    qtbot.waitUntil(lambda: widget._drawing.live._runner.working, timeout=10_000)
    drag.to(30)
    viewer.close()
    method.gate.set()
    qtbot.wait(200)  # the job ends, and finds nobody to tell
    assert widget._closed


def test_sides_are_reduced_as_far_as_needed_and_no_further():
    pace = Pace()
    assert pace.reduction("a", 512) == 1, "nothing is known yet"
    pace.note("a", 1, 0.9 * QUICK)
    assert pace.reduction("a", 512) == 1
    pace.note("a", 1, 4 * AIM)
    assert pace.reduction("a", 512) == 2
    assert pace.reduction("b", 512) == 1
    pace.note("a", 2, 1.5 * QUICK)  # not in proportion to the number of pixels
    assert pace.reduction("a", 512) == 3
    assert pace.reduction("a", 2 * SMALLEST) == 2
    pace.note("a", 1, 1000)
    assert pace.reduction("a", 10_000) <= 16


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_frames_are_enlarged_to_where_they_were(dtype):
    y, x = np.mgrid[:40, :60]
    ramp = (y + 2 * x).astype(dtype)
    means = ramp.reshape(20, 2, 30, 2).mean((1, 3)).astype(np.float32)
    inside = np.s_[1:-1, 1:-1]
    assert np.abs(enlarged(means, ramp.shape)[inside] - ramp[inside]).max() < 1e-3
    color = np.dstack([ramp[::2, ::2]] * 3)
    large = enlarged(color, ramp.shape)
    assert (large.shape, large.dtype) == ((40, 60, 3), ramp.dtype)


def test_a_fine_frame_gives_way_to_those_that_are_dragged(widget, method, magnified, monkeypatch):
    """A frame that is refined is begun anew when somebody else wants the device."""
    import torch

    magnified()
    lock = device_lock(torch.device("cpu"))

    def draw_on_device(frames, operator, t, factor, draw=method._one):
        with lock:
            return draw(frames, operator, t, factor)

    monkeypatch.setattr(method, "_one", draw_on_device)
    shown = widget._results.of(widget.layer.value).magnification
    calls, seconds = [], []
    with lock:
        refine = partial(shown.refine_frame, (9, ()), lambda *step: calls.append(step))
        thread = threading.Thread(target=lambda: seconds.append(refine()))
        thread.start()
        deadline = time.monotonic() + 10
        while len(calls) < 3 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert 9 not in method.drawn
    thread.join(10)
    assert len(seconds) == 1
    assert 9 in method.drawn
