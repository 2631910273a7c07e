"""Drawing and saving all frames: to the end, cancelled, failing, and closed meanwhile."""

import re

import dask.array as da
import numpy as np
import pytest
import tifffile
from napari.settings import get_settings
from napari.utils.progress import progress

from napari_motionmag.io import open_movie
from napari_motionmag.widgets.frames import async_slicing as slicing
from napari_motionmag.widgets.frames import whole_result as drawing


def wait_idle(qtbot, widget):
    qtbot.waitUntil(lambda: not widget.working, timeout=20_000)


def enabled(widget, name):
    return getattr(widget._fields, name).native.isEnabled()


def test_compute_all_equals_lazy(viewer, widget, method, magnified, click, qtbot):
    layer = magnified()
    lazy = layer.data
    click(widget, "compute_all")
    wait_idle(qtbot, widget)
    assert isinstance(layer.data, np.ndarray)
    assert np.array_equal(layer.data, lazy.compute())
    assert "12 frames" in widget.status.value
    method.drawn.clear()
    viewer.dims.set_current_step(0, 8)
    assert method.drawn == []


def test_compute_all_without_a_layer_makes_it_first(widget, method, click, qtbot, result):
    click(widget, "compute_all")
    qtbot.waitUntil(lambda: result() is not None and isinstance(result().data, np.ndarray))
    assert result().data.shape == (12, 20, 24)


def test_a_finished_layer_is_kept(viewer, widget, method, magnified, click, qtbot, settled):
    layer = magnified()
    click(widget, "compute_all")
    wait_idle(qtbot, widget)
    whole = layer.data
    widget.factor.value = 33
    settled(widget)
    assert layer.data is whole
    click(widget, "magnify")
    qtbot.waitUntil(lambda: len(viewer.layers) == 3, timeout=10_000)
    assert layer.data is whole
    assert viewer.layers[-1].name == "x33 cell pixels static"


def test_cancel_leaves_the_lazy_layer(widget, method, magnified, click, qtbot):
    layer = magnified()
    lazy = layer.data
    method.drawn.clear()
    method.seconds = 0.1
    click(widget, "compute_all")
    assert not enabled(widget, "factor")
    assert len(progress._all_instances) == 1
    qtbot.waitUntil(lambda: len(method.drawn) >= 2, timeout=10_000)
    click(widget, "cancel")
    wait_idle(qtbot, widget)
    assert len(method.drawn) < 12
    assert layer.data is lazy
    assert isinstance(lazy, da.Array)
    assert enabled(widget, "factor")
    assert not widget._fields.cancel.native.isVisible()
    assert widget.status.value == "Cancelled"
    assert len(progress._all_instances) == 0


def test_a_frame_that_fails_is_told_once(widget, method, magnified, click, qtbot, notifications):
    layer = magnified()
    lazy = layer.data
    method.broken = {9}
    click(widget, "compute_all")
    wait_idle(qtbot, widget)
    assert [text for _, text in notifications()] == ["frame 9 is broken"]
    assert layer.data is lazy
    assert layer.visible


def test_removing_the_layer_stops_the_work(viewer, widget, method, magnified, click, qtbot):
    layer = magnified()
    method.drawn.clear()
    method.seconds = 0.1
    click(widget, "compute_all")
    viewer.layers.remove(layer)
    wait_idle(qtbot, widget)
    assert len(method.drawn) < 12


def test_large_results_go_to_a_file(widget, method, magnified, click, qtbot, monkeypatch):
    monkeypatch.setattr(drawing, "MEMORY_SHARE", 0)
    layer = magnified()
    lazy = layer.data.compute()
    click(widget, "compute_all")
    wait_idle(qtbot, widget)
    assert isinstance(layer.data, np.memmap)
    assert np.array_equal(layer.data, lazy)


def test_no_room_at_all(widget, magnified, click, qtbot, monkeypatch, notifications):
    monkeypatch.setattr(drawing, "MEMORY_SHARE", 0)
    usage = type("Usage", (), {"free": 12 * 20 * 24 * 2 - 1})  # a byte too few
    monkeypatch.setattr(drawing.shutil, "disk_usage", lambda folder: usage)
    layer = magnified()
    click(widget, "compute_all")
    assert isinstance(layer.data, da.Array)
    needed, left = re.findall(r"(\S+) GiB", notifications()[-1][1])
    assert float(needed) > float(left)


@pytest.mark.parametrize("whole", [False, True])
def test_save(widget, method, magnified, click, qtbot, tmp_path, whole):
    layer = magnified()
    expected = layer.data.compute()
    if whole:
        click(widget, "compute_all")
        wait_idle(qtbot, widget)
    path = tmp_path / "magnified.ome.tif"
    widget.save_to(path)
    wait_idle(qtbot, widget)
    assert widget.status.value == f"Saved as {path}"
    assert np.array_equal(tifffile.imread(path), expected)
    saved = open_movie(path)
    assert saved.fps == pytest.approx(10)
    assert saved.units == ("s", "um", "um")


def test_save_by_the_button(widget, magnified, click, qtbot, tmp_path, monkeypatch):
    magnified()
    path = tmp_path / "cell.npy"
    monkeypatch.setattr(
        "napari_motionmag.widgets.common.ask_file.QFileDialog.getSaveFileName",
        lambda *_: (str(path), ""),
    )
    click(widget, "save")
    wait_idle(qtbot, widget)
    assert np.load(path).shape == (12, 20, 24)


def test_cancelled_save_leaves_no_file(widget, method, magnified, click, qtbot, tmp_path):
    magnified()
    method.drawn.clear()
    method.seconds = 0.1
    widget.save_to(tmp_path / "cell.tif")
    qtbot.waitUntil(lambda: len(method.drawn) >= 2, timeout=10_000)
    click(widget, "cancel")
    wait_idle(qtbot, widget)
    assert widget.status.value == "Cancelled"
    assert list(tmp_path.iterdir()) == []


def test_a_second_save_has_to_wait_and_is_told_so(
    widget, method, magnified, qtbot, tmp_path, notifications
):
    magnified()
    method.gate.clear()
    widget.save_to(tmp_path / "first.npy")
    for ask in (
        lambda: widget.save_to(tmp_path / "second.npy"),
        widget._whole_movie.ask_and_save,
        widget.draw,
        widget.compare,
        widget._suggesting.start,
        lambda: widget._whole_movie.draw_all(widget._results.of(widget.layer.value)),
    ):
        before = len(notifications())
        ask()
        told = [("error", "Saving first.npy is in progress: wait until it is done, or cancel it")]
        assert notifications()[before:] == told
    method.gate.set()
    wait_idle(qtbot, widget)
    assert [path.name for path in tmp_path.iterdir()] == ["first.npy"]


def test_save_that_cannot_be(widget, magnified, qtbot, tmp_path, notifications):
    widget.save_to(tmp_path / "cell.tif")
    assert "Magnify" in notifications()[-1][1]
    magnified()
    widget.save_to(tmp_path / "cell.docx")
    wait_idle(qtbot, widget)
    assert ".docx" in notifications()[-1][1]
    widget.save_to(tmp_path / "nowhere" / "cell.tif")
    wait_idle(qtbot, widget)
    assert notifications()[-1][0] == "error"
    assert list(tmp_path.iterdir()) == []


def test_leaving_while_computing(viewer, widget, method, magnified, click, qtbot):
    layer = magnified()
    method.drawn.clear()
    method.seconds = 0.05
    click(widget, "compute_all")
    qtbot.waitUntil(lambda: len(method.drawn) >= 1, timeout=10_000)
    viewer.window.remove_dock_widget(widget.native)
    wait_idle(qtbot, widget)  # the thread is over: nothing more can be drawn
    assert len(method.drawn) < 12
    assert isinstance(layer.data, da.Array)
    viewer.dims.set_current_step(0, 0)  # the layer goes on by itself
    assert layer._data_view.shape == (20, 24)


def test_leaving_while_a_frame_is_drawn(viewer, widget, method, click, qtbot, result):
    method.gate.clear()
    click(widget, "magnify")
    qtbot.waitUntil(lambda: widget._work.frames.working, timeout=10_000)
    viewer.window.remove_dock_widget(widget.native)
    method.gate.set()
    qtbot.waitUntil(lambda: not widget._work.frames.working, timeout=10_000)
    assert result() is None


def test_closing_the_viewer_while_computing(make_napari_viewer, frames, method, click, qtbot):
    from napari_motionmag.widgets.magnify.dock import MagnifyWidget

    viewer = make_napari_viewer()
    viewer.add_image(frames, name="cell")
    widget = MagnifyWidget(viewer)
    viewer.window.add_dock_widget(widget)
    widget()
    method.seconds = 0.05
    method.drawn.clear()
    widget._whole_movie.draw_all(widget._results.of(widget.layer.value))
    qtbot.waitUntil(lambda: len(method.drawn) >= 1, timeout=10_000)
    viewer.close()
    wait_idle(qtbot, widget)
    assert len(method.drawn) < 12


def test_slow_frames_turn_asynchronous_slicing_on_and_off_again(
    viewer, widget, method, magnified, qtbot, notifications, monkeypatch, tmp_path
):
    monkeypatch.setattr(slicing, "SLOW", 0.05)
    setting = get_settings().experimental
    assert not setting.async_
    method.seconds = 0.1
    layer = magnified()
    qtbot.waitUntil(lambda: setting.async_, timeout=10_000)
    get_settings().save(tmp_path / "settings.yaml")
    assert "async" not in (tmp_path / "settings.yaml").read_text(), "this session's alone"
    assert [severity for severity, text in notifications() if "asynchronous" in text] == ["info"]
    method.gate.clear()
    viewer.dims.set_current_step(0, 10)  # does not hang, though the frame cannot be drawn
    assert not layer.loaded
    method.gate.set()
    qtbot.waitUntil(lambda: layer.loaded, timeout=10_000)
    assert 10 in method.drawn
    viewer.window.remove_dock_widget(widget.native)
    assert not setting.async_
