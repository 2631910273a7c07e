"""Playing from frames that are drawn ahead, with a bar of those that are ready."""

import threading
import time
from itertools import pairwise

import numpy as np
import pytest
from qtpy.QtCore import QPoint, Qt

from napari_motionmag.compute.cache import budget, set_budget, used
from napari_motionmag.widgets.common.viewer import time_sliders
from napari_motionmag.widgets.frames.frame_buffer import FrameBuffer, upcoming
from napari_motionmag.widgets.frames.playback import PLAYING, STOPPED, WAITING, spans

DRAWS_CANVAS = True  # napari shows the next frame once the last one is drawn
ALL = set(range(12))


@pytest.fixture
def playback(widget):
    yield widget._playback
    widget._playback.stop()


@pytest.fixture
def steps(viewer):
    """Frames that the viewer went to since."""
    seen = []

    def note(event):
        t = viewer.dims.current_step[0]
        if not seen or seen[-1] != t:
            seen.append(t)

    viewer.dims.events.current_step.connect(note)
    yield seen
    viewer.dims.events.current_step.disconnect(note)


@pytest.mark.parametrize(
    ("t", "step", "mode", "order"),
    [
        (2, 1, "loop", [2, 3, 4, 0, 1]),
        (2, -1, "loop", [2, 1, 0, 4, 3]),
        (2, 1, "once", [2, 3, 4]),
        (2, -1, "once", [2, 1, 0]),
        (2, 1, "back_and_forth", [2, 3, 4, 1, 0]),
        (2, -1, "back_and_forth", [2, 1, 0, 3, 4]),
    ],
)
def test_order_of_play(t, step, mode, order):
    assert upcoming(t, 5, step, mode) == order


def test_spans():
    assert spans({5, 1, 2, 3, 7}) == [(1, 4), (5, 6), (7, 8)]
    assert spans([]) == []


def test_there_is_nothing_to_play_at_first(widget, magnified):
    assert not widget._fields.playback_row.native.isVisible()
    magnified()
    assert widget._fields.playback_row.native.isVisible()


def test_play_loops_and_every_frame_is_drawn_once(
    viewer, widget, method, magnified, click, qtbot, playback, steps
):
    magnified()
    widget._fields.playback_row.fps.value = 8
    click(widget, "play")
    qtbot.waitUntil(lambda: playback.state == PLAYING, timeout=10_000)
    qtbot.waitUntil(lambda: len(steps) > 14, timeout=20_000)
    click(widget, "play")
    assert playback.state == STOPPED
    assert not time_sliders(viewer)._animation_thread.isRunning()
    assert sorted(method.drawn) == sorted(ALL), "drawn once each, in any order"
    assert playback.frames == ALL
    rises = {(after - before) % 12 for before, after in pairwise(steps)}
    assert max(rises) <= 6, steps  # a busy window skips frames, and goes on forwards


def test_back_and_forth_uses_the_mode_of_napari(
    viewer, widget, magnified, click, qtbot, playback, steps
):
    magnified()
    viewer.dims.set_current_step(0, 6)
    widget._fields.playback_row.mode.value = "back_and_forth"
    widget._fields.playback_row.fps.value = 40
    steps.clear()
    click(widget, "play")
    qtbot.waitUntil(lambda: len(steps) > 20, timeout=20_000)
    playback.stop()
    slider = time_sliders(viewer).slider_widgets[0]
    assert str(slider.loop_mode) == "back_and_forth"
    differences = np.diff(steps)
    assert (differences > 0).any()
    assert (differences < 0).any()


def test_play_waits_for_frames_and_the_window_does_not(
    viewer, widget, method, magnified, click, qtbot, playback, steps
):
    magnified()
    method.gate.clear()
    steps.clear()
    click(widget, "play")
    assert playback.state == WAITING
    qtbot.wait(400)
    assert steps == [], "no frame is shown before it is drawn"
    assert "Drawing" in widget._fields.playback_row.play.text
    main = threading.get_ident()
    method.gate.set()
    qtbot.waitUntil(lambda: playback.state == PLAYING and len(steps) > 3, timeout=20_000)
    assert main not in method.threads


def test_napari_s_own_button_plays_from_the_cache_too(
    viewer, widget, method, magnified, qtbot, playback, steps
):
    magnified()
    button = time_sliders(viewer).slider_widgets[0].play_button
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: playback.state == PLAYING and playback.frames == ALL, timeout=20_000)
    qtbot.waitUntil(lambda: button.property("playing") == "True", timeout=5000)
    count = len(steps)  # napari waits forever for a thread that only begins when it is stopped
    qtbot.waitUntil(lambda: len(steps) > count + 1, timeout=5000)
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: playback.state == STOPPED, timeout=5000)


def test_a_change_of_the_factor_while_playing(
    viewer, widget, method, magnified, click, qtbot, playback, settled
):
    layer = magnified()
    click(widget, "play")
    qtbot.waitUntil(lambda: playback.state == PLAYING, timeout=10_000)
    for factor in range(20, 30):
        widget.factor.value = factor
        qtbot.wait(10)
    settled(widget)
    assert layer.name.startswith("x29 ")
    qtbot.waitUntil(lambda: playback.state == PLAYING and playback.frames == ALL, timeout=20_000)
    result = widget._results.of(widget.layer.value)
    assert {key[-1] for key in result.magnification.cache.kept_keys()} == ALL


@pytest.mark.parametrize("which", ["result", "movie"])
def test_a_layer_is_deleted_while_it_is_played(
    viewer, movie, widget, magnified, click, qtbot, playback, notifications, which
):
    layer = magnified()
    click(widget, "play")
    qtbot.waitUntil(lambda: playback.state == PLAYING, timeout=10_000)
    viewer.layers.remove(layer if which == "result" else movie)
    qtbot.waitUntil(lambda: playback.state == STOPPED, timeout=10_000)
    assert not time_sliders(viewer)._animation_thread.isRunning()
    assert not widget._fields.playback_row.native.isVisible()
    assert not [text for severity, text in notifications() if severity == "error"]


def test_the_dock_is_closed_while_it_plays(viewer, widget, method, magnified, click, qtbot):
    magnified()
    method.seconds = 0.05
    click(widget, "play")
    qtbot.wait(100)
    viewer.window.remove_dock_widget("all")
    assert widget._closed
    qtbot.waitUntil(lambda: not widget._playback._buffer.working, timeout=5000)
    assert not time_sliders(viewer)._animation_thread.isRunning()


def test_only_as_many_frames_are_drawn_ahead_as_there_is_room_for(
    viewer, widget, method, magnified, click, qtbot, playback, steps, frames, settled
):
    magnified()
    settled(widget)
    result = widget._results.of(widget.layer.value)
    try:
        set_budget(2 * 6 * frames[0].nbytes)
        method.drawn.clear()
        buffer = FrameBuffer(lambda error: None)
        buffer.fill([result.magnification], (), [7, 8, 9, 10, 11, 0, 1, 2])
        qtbot.waitUntil(lambda: not buffer.working, timeout=10_000)
        assert sorted(method.drawn) == [0, 7, 8, 9, 10, 11]
        widget._fields.playback_row.fps.value = 30
        click(widget, "play")
        qtbot.waitUntil(lambda: len(steps) > 30, timeout=30_000)
        assert used() <= budget()
        set_budget(frames[0].nbytes // 2)  # no frame can be kept: they are drawn as they come
        steps.clear()
        qtbot.waitUntil(lambda: len(steps) > 10, timeout=30_000)
    finally:
        set_budget(None)


def test_a_frame_that_cannot_be_drawn_ends_it(
    viewer, widget, method, magnified, click, qtbot, playback, notifications
):
    magnified()
    method.broken = {9}
    click(widget, "play")
    qtbot.waitUntil(lambda: any("frame 9" in text for _, text in notifications()), timeout=10_000)
    qtbot.wait(200)
    assert playback.state != PLAYING or 9 in playback.frames


def test_a_click_on_the_bar_goes_to_a_frame(viewer, widget, magnified, qtbot):
    magnified()
    bar = widget._fields.playback_row.bar
    assert bar.isVisible()
    place = QPoint(round(bar.width() * 8.5 / 12), bar.height() // 2)
    qtbot.mouseClick(bar, Qt.MouseButton.LeftButton, pos=place)
    assert viewer.dims.current_step[0] == 8
    assert "of 12" in bar.toolTip()


def test_a_buffer_that_is_closed_at_work(widget, method, magnified):
    magnified()
    result = widget._results.of(widget.layer.value)
    method.seconds = 0.05
    buffer = FrameBuffer(lambda error: None)
    buffer.fill([result.magnification], (), range(12))
    buffer.close()
    assert not buffer.working
    assert len(method.drawn) < 12


def test_the_first_round_is_played_as_fast_as_frames_come(
    viewer, widget, method, magnified, click, qtbot, playback, monkeypatch
):
    magnified()
    paces, start = [], playback._start
    monkeypatch.setattr(
        playback, "_start", lambda played, pace: (paces.append(pace), start(played, pace))
    )
    method.seconds = 0.1
    widget._fields.playback_row.fps.value = 50
    click(widget, "play")
    qtbot.waitUntil(lambda: bool(paces) and paces[-1] == 50, timeout=30_000)
    missing = len(ALL - playback.frames)
    assert missing <= playback._buffer.rate * len(playback.frames) / 50
    assert paces == sorted(paces)
    slider = time_sliders(viewer).slider_widgets[0]
    assert slider.fps == 50
    playback.stop()
    assert slider.fps == 50


def test_stopping_what_only_begins_to_play_stops_it(viewer, playback, magnified, monkeypatch):
    magnified()
    sliders = time_sliders(viewer)
    waiter = sliders._animation_thread._waiter
    clear, beginning = waiter.clear, threading.Event()

    def late():
        beginning.set()
        time.sleep(0.2)
        clear()

    monkeypatch.setattr(waiter, "clear", late)
    sliders.play(0)
    assert beginning.wait(10)
    playback.stop()
    assert not sliders._animation_thread.isRunning()
