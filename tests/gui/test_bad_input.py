"""Whatever is put in: a clear message, nothing changed, no crash."""

import numpy as np
import pytest
from napari.components import ViewerModel
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication

from napari_motionmag.widgets.magnify.dock import MagnifyWidget

PATIENCE = 60_000  # ms: a busy machine takes long to load a network for the first time


@pytest.fixture
def attempt(viewer, method, click, qtbot, notifications, settled):
    """Magnify an array with the button; return what was shown."""

    def make(data, prepare=None, **arguments):
        layer = viewer.add_image(data, name="bad", **arguments)
        widget = MagnifyWidget(viewer)
        viewer.window.add_dock_widget(widget)
        widget.layer.value = layer
        if prepare is not None:
            prepare(widget)
        click(widget, "magnify")
        qtbot.waitUntil(lambda: bool(notifications()), timeout=PATIENCE)
        settled(widget)
        assert list(viewer.layers) == [layer], "nothing is added"
        shown = notifications()
        assert len(shown) == 1, shown
        assert shown[0][0] == "error"
        return shown[0][1]

    return make


def movie(*shape, dtype=np.uint8):
    return np.random.default_rng(0).integers(0, 255, shape).astype(dtype)


def temporal(low, high, fps=0):
    def prepare(widget, _):
        widget.mode.value = "temporal"
        widget.fps.value = fps
        widget.band_low.value, widget.band_high.value = low, high

    return prepare


def wrong_axes(widget, _):
    widget.axes.value = "TQYX"


def a_file_that_is_no_weights(widget, folder):
    path = folder / "own.safetensors"
    path.write_text("nothing of the kind")
    widget.method.value = "learned"
    widget.model.value = "file"
    widget.model_file.value = path


def a_device_that_is_not_there(widget, _):
    widget.method.value = "learned"
    widget.device.choices = ["auto", "cuda:99"]
    widget.device.value = "cuda:99"


def nan():
    data = movie(6, 20, 20, dtype=np.float32)
    data[:, 3, 4] = np.nan
    return data


@pytest.mark.parametrize(
    ("data", "prepare", "message"),
    [
        (movie(1, 20, 20), None, "at least 2 frames"),
        (movie(20, 20), None, "with a time axis"),
        (movie(6, 3, 20, 20), None, "axes"),
        (movie(6, 3, 20, 20), wrong_axes, "TQYX"),
        (movie(6, 20, 20), temporal(1, 2), "fps"),
        (movie(6, 20, 20), temporal(0, 0), "fps is missing"),
        (movie(6, 20, 20), temporal(4, 6, fps=10), "5"),
        (movie(6, 20, 20), temporal(3, 2, fps=10), "band"),
        (nan(), None, "NaN"),
        (movie(6, 5, 20), None, "at least 8 x 8"),
        (movie(6, 20, 20), a_file_that_is_no_weights, "own.safetensors"),
        (movie(6, 20, 20), a_device_that_is_not_there, "cuda"),
    ],
)
def test_a_clear_message_and_nothing_changed(qapp, method, tmp_path, data, prepare, message):
    viewer = ViewerModel()
    layer = viewer.add_image(data, contrast_limits=(0, 255))
    widget = MagnifyWidget(viewer)
    if prepare is not None:
        prepare(widget, tmp_path)
    with pytest.raises(ValueError, match=message):
        widget()
    assert list(viewer.layers) == [layer], "nothing is added"
    widget.native.deleteLater()  # or it may say something while another test counts messages
    QApplication.sendPostedEvents(widget.native, QEvent.Type.DeferredDelete)


def test_in_a_window_what_cannot_be_planned_is_told_once(attempt):
    assert "at least 2 frames" in attempt(movie(1, 20, 20))


def test_in_a_window_what_cannot_be_drawn_is_told_once(attempt):
    assert "NaN" in attempt(nan(), contrast_limits=(0, 255))


def test_in_a_window_weights_that_are_none_are_told_once(attempt, tmp_path):
    def prepare(widget):
        a_file_that_is_no_weights(widget, tmp_path)

    assert "own.safetensors" in attempt(movie(6, 20, 20), prepare)


def test_a_rate_that_is_typed_gives_a_band_to_start_from(viewer, widget):
    widget.layer.value = viewer.add_image(movie(6, 20, 20), name="unknown rate")
    widget.mode.value = "temporal"
    widget.fps.value = 30
    assert (widget.band_low.value, widget.band_high.value) == (1.5, 6)
    widget.band_low.value, widget.band_high.value = 2, 4
    widget.fps.value = 60  # a band that was chosen stays
    assert (widget.band_low.value, widget.band_high.value) == (2, 4)


@pytest.mark.parametrize("factor", [float("nan"), float("inf"), 5000])
def test_a_factor_that_is_none(viewer, widget, factor):
    before = widget.factor.value
    with pytest.raises(ValueError, match="-1000"):
        widget.factor.value = factor
    assert widget.factor.value == before


def test_no_movie(viewer, method, click, notifications):
    widget = MagnifyWidget(viewer)
    viewer.window.add_dock_widget(widget)
    for name in ("magnify", "compute_all", "save", "reference_current"):
        before = len(notifications())
        click(widget, name)
        assert notifications()[before:] in ([("error", widget.status.value)], []), name
    assert notifications()[0] == (
        "error",
        "There is no movie: open one, as an Image layer with a time axis",
    )
    assert len(viewer.layers) == 0


def test_labels_are_no_movie(viewer, method, click, notifications):
    viewer.add_labels(np.ones((4, 20, 20), np.uint8))
    widget = MagnifyWidget(viewer)
    viewer.window.add_dock_widget(widget)
    click(widget, "magnify")
    assert "no movie" in notifications()[-1][1]


def test_the_same_error_is_told_once_while_live(
    viewer, widget, magnified, qtbot, notifications, settled
):
    layer = magnified()
    widget.mode.value = "temporal"
    for high in (30, 40, 50):
        widget.band_high.value = high
        settled(widget)
    assert layer.metadata["napari_motionmag"]["recipe"]["operator"]["operator"] == "static"
    told = [text for _, text in notifications()]
    assert len(told) == len(set(told))
    before = len(told)
    for _ in range(3):
        widget.factor.value += 1
        settled(widget)
    assert len(notifications()) == before, "told already"
    widget.band_high.value = 3
    qtbot.waitUntil(lambda: layer.name.endswith("Hz"), timeout=PATIENCE)


def test_a_band_below_a_period_of_the_movie_is_told_once(
    viewer, widget, magnified, notifications, settled
):
    magnified()
    widget.mode.value = "temporal"
    for low in (0.1, 0.2, 0.3):
        widget.band_low.value = low
        settled(widget)
    told = [text for _, text in notifications() if "less than a period" in text]
    assert len(told) == 1
    assert "the 12 frames last 1.2 s at 10 fps" in told[0]


def test_a_broken_frame_is_told_once_and_hides_the_layer(viewer, widget, method, magnified, qtbot):
    layer = magnified()
    method.broken = set(range(8, 12))
    with pytest.raises(RuntimeError, match="frame 8 is broken"):
        viewer.dims.set_current_step(0, 8)
    qtbot.waitUntil(lambda: not layer.visible, timeout=PATIENCE)
    for t in range(9, 12):
        viewer.dims.set_current_step(0, t)
    assert not layer.visible
    assert "frame 8 is broken" in widget.status.value
    assert "hidden" in widget.status.value
    viewer.dims.set_current_step(0, 2)
    layer.visible = True
    assert layer._data_view.shape == (20, 24)
    widget.factor.value = 3
    qtbot.waitUntil(lambda: layer.name == "x3 cell pixels static", timeout=PATIENCE)


def test_a_broken_frame_under_asynchronous_slicing(
    viewer, widget, method, magnified, qtbot, notifications, settled
):
    from napari.settings import get_settings

    layer = magnified()
    get_settings().experimental.async_ = True
    method.broken = set(range(8, 12))
    viewer.dims.set_current_step(0, 8)
    qtbot.waitUntil(lambda: bool(notifications()) and not layer.visible, timeout=PATIENCE)
    for t in range(9, 12):
        viewer.dims.set_current_step(0, t)
        settled(widget)
    assert not layer.visible
    assert [text for _, text in notifications()] == ["frame 8 is broken"]


def test_live_update_that_fails_changes_nothing(
    viewer, widget, method, magnified, qtbot, notifications, settled
):
    viewer.dims.set_current_step(0, 5)
    layer = magnified()
    before = layer.data
    method.broken = {5}
    widget.factor.value = 4
    qtbot.waitUntil(lambda: bool(notifications()), timeout=PATIENCE)
    widget.factor.value = 5
    settled(widget)
    assert [text for _, text in notifications()] == ["frame 5 is broken"]
    assert layer.data is before
    assert layer.visible
    assert layer.name == "x10 cell pixels static"


def test_an_error_is_reported_though_napari_cannot_print_it(widget, monkeypatch, capsys):
    def fail(*_):
        raise SystemError("AST constructor recursion depth mismatch")

    manager = "napari_motionmag.widgets.common.messages.notification_manager"
    monkeypatch.setattr(f"{manager}.receive_error", fail)
    widget._messages.report(RuntimeError("frame 5 is broken"))
    assert "frame 5 is broken" in capsys.readouterr().err


def test_no_viewer(monkeypatch):
    import napari

    monkeypatch.setattr(napari, "current_viewer", lambda: None)
    with pytest.raises(ValueError, match="no viewer"):
        MagnifyWidget()
