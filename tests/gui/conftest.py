"""A viewer with a small movie, the widget docked, and a method that is quick and exact."""

import sys
import threading
import time
import typing
import warnings
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import napari
import numpy as np
import pytest
from napari._app_model._app import NapariApplication, _napari_names
from napari._qt._qapp_model.qactions import init_qactions
from napari._qt.qt_viewer import QtViewer
from napari._vispy.utils.visual import create_vispy_layer
from napari.components.grid import GridCanvas
from napari.plugins import _initialize_plugins
from napari.settings import NapariSettings, get_settings
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QAbstractButton, QApplication, QWidget

from napari_motionmag.methods.base import METHODS
from napari_motionmag.widgets.common.viewer import make_current
from napari_motionmag.widgets.compare.grid import canvas_of
from napari_motionmag.widgets.magnify.dock import MagnifyWidget

if sys.version_info < (3, 12):  # or magicgui has them listed anew for each field
    typing._get_protocol_attrs = cache(typing._get_protocol_attrs)

SHAPE = (12, 20, 24)
CONTROLS = "napari._qt.layer_controls.qt_layer_controls_container"


class PixelMethod:
    """out = B + (m - 1) T(B) on pixels, with a gate, a trap and a note of what was drawn."""

    name = "pixels"
    smallest_frame = 8

    def __init__(self):
        self.drawn: list[int] = []
        self.broken: set[int] = set()
        self.seconds = 0.0
        self.warns = False
        self.gate = threading.Event()
        self.gate.set()
        self.threads: set[int] = set()

    def magnify(self, frames, operator, times, factor):
        return np.stack([self._one(frames, operator, t, factor) for t in times])

    def _one(self, frames, operator, t, factor):
        assert self.gate.wait(20), "the gate stayed shut"
        time.sleep(self.seconds)
        self.threads.add(threading.get_ident())
        self.drawn.append(t)
        if t in self.broken:
            raise RuntimeError(f"frame {t} is broken")
        if self.warns:
            warnings.warn(f"frame {t} is doubtful", stacklevel=2)
        indices, weights = operator.row(t, len(frames))
        change = sum(w * frames[i] for i, w in zip(indices.tolist(), weights, strict=True))
        return (frames[t] + (factor - 1) * change).astype(np.float32)


@pytest.fixture
def method():
    """The quick method, offered by the widget as ``"pixels"``, before all others."""
    made = PixelMethod()
    others = dict(METHODS)
    METHODS.clear()
    METHODS.update({"pixels": lambda *_: made} | others)
    yield made
    METHODS.clear()
    METHODS.update(others)
    made.gate.set()


@pytest.fixture
def frames():
    """A movie of uint16 in which all frames differ."""
    rng = np.random.default_rng(1)
    still = rng.integers(500, 3000, SHAPE[1:])
    return (still + rng.integers(0, 60, SHAPE)).astype(np.uint16)


class NoControls(QWidget):
    """Stands for napari's controls of a layer."""

    def __init__(self, layers):
        super().__init__()
        self.ndisplay = 2


def _draw_one_of_each_kind(viewer) -> None:
    """Let layers be put on the canvas only to see that they can, the first one of each kind."""
    qt_viewer, events, kinds = viewer.window._qt_viewer, viewer.layers.events, set()

    def on_inserted(event):
        layer = event.value
        ours = "napari_motionmag" in layer.metadata, layer.metadata.get("napari_motionmag_map")
        kind = type(layer), layer.ndim, getattr(layer, "rgb", None), *ours
        if kind not in kinds:
            kinds.add(kind)
            create_vispy_layer(layer, font_info=qt_viewer.canvas.font_info()).close()

    events.inserted.disconnect(qt_viewer._on_add_layer_change)
    events.removed.disconnect(qt_viewer.canvas._remove_layer)
    events.inserted.connect(on_inserted)


@contextmanager
def _open_window(draws: bool, looks: bool):
    app = NapariApplication("window_app")  # actions can be registered once in an application
    app.injection_store.namespace = _napari_names
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NapariApplication, "get_app_model", staticmethod(lambda: app))
        patch.setattr("napari._qt.threads.status_checker.StatusChecker.start", lambda *_: None)
        patch.setattr("napari._qt.qt_viewer.QtViewer._get_console", lambda *_: QWidget())
        save = NapariSettings.save

        def save_elsewhere(settings, path=None, **options):
            if path is not None:  # the file of the user's settings is left alone
                save(settings, path, **options)

        patch.setattr(NapariSettings, "save", save_elsewhere)
        if not looks:
            patch.setattr(f"{CONTROLS}.create_qt_layer_controls", NoControls)
            patch.setattr(f"{CONTROLS}.QtDynamicLayerControls", NoControls)
            patch.setattr("napari._qt.qt_main_window.get_stylesheet", lambda *_, **__: "")
        _initialize_plugins.cache_clear()
        init_qactions.cache_clear()
        viewer = napari.Viewer(show=True, show_welcome_screen=False)
        QtViewer._instances.clear()  # make_napari_viewer takes what it did not make for a leak
        if not draws:
            _draw_one_of_each_kind(viewer)
            viewer.window._qt_window.setUpdatesEnabled(False)
        # napari collects garbage for each layer that is removed
        patch.setattr("napari._vispy.canvas.gc", SimpleNamespace(collect=lambda: 0))
        yield viewer
        patch.setattr(viewer.window._qt_window, "_save_current_window_settings", lambda *_: None)
        viewer.close()
        app.menus.menus_changed.disconnect()  # or menus nobody sees change with each that goes
        NapariApplication.destroy("window_app")
        _initialize_plugins.cache_clear()
        init_qactions.cache_clear()


class SharedWindow:
    """The window of the tests in this folder, which stays as long as one like it is needed."""

    def __init__(self):
        self._kind = None
        self._opened = ExitStack()

    def like(self, *kind: bool):
        """Return the viewer of a window of this kind."""
        if kind != self._kind:
            self.close()
            self._viewer = self._opened.enter_context(_open_window(*kind))
            self._kind = kind
        return self._viewer

    def close(self) -> None:
        self._kind = self._viewer = None
        self._opened.close()


_SHARED = SharedWindow()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(nextitem):
    """Close the window when another folder follows: its tests have napari as it is."""
    if nextitem is None or nextitem.path.parent != Path(__file__).parent:
        _SHARED.close()


@pytest.fixture(scope="module")
def window(qapp, request):
    """A viewer with a real window, for all tests of a module, and of those that follow.

    It is painted, with all layers on its canvas, only in modules with ``DRAWS_CANVAS``, and has
    napari's style and its controls of layers only in those with ``LOOKS_AS_USUAL``: these take most
    of the time.
    """
    kind = (getattr(request.module, name, False) for name in ("DRAWS_CANVAS", "LOOKS_AS_USUAL"))
    return _SHARED.like(*kind)


@pytest.fixture
def mock_app_model(mock_app_model):
    """The application of `make_napari_viewer`, whose menus are not changed as it goes."""
    yield mock_app_model
    mock_app_model.menus.menus_changed.disconnect()


@pytest.fixture(scope="module")
def changed_settings(plain_napari):
    """Changes of napari's settings since they were last reset, which takes long."""
    changes = []
    get_settings().reset()
    get_settings().events.changed.connect(changes.append)
    yield changes
    get_settings().events.changed.disconnect(changes.append)


@pytest.fixture
def viewer(window, changed_settings, qtbot):
    """A viewer with a real window, and nothing in it."""
    yield window
    _empty(window)
    if changed_settings:
        get_settings().reset()
        changed_settings.clear()


def _empty(viewer) -> None:
    viewer.window.remove_dock_widget("all")
    if viewer.layers:
        make_current(viewer.window._qt_window)
        viewer.layers.clear()
    viewer.dims.reset()
    viewer.dims.ndisplay = 2
    grid, empty = canvas_of(viewer).grid, GridCanvas()
    for name in ("enabled", "stride", "shape", "spacing"):
        setattr(grid, name, getattr(empty, name))
    viewer.theme = "dark"
    viewer.reset_view()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    QApplication.processEvents()


@pytest.fixture
def movie(viewer, frames):
    """The movie as a calibrated layer, 10 frames a second."""
    return viewer.add_image(
        frames,
        name="cell",
        scale=(0.1, 0.5, 0.5),
        units=("s", "um", "um"),
        axis_labels=("t", "y", "x"),
        contrast_limits=(400, 3100),
    )


@pytest.fixture
def widget(viewer, movie, method):
    """The widget, docked."""
    made = MagnifyWidget(viewer)
    viewer.window.add_dock_widget(made, name="Magnify motion")
    return made


@pytest.fixture
def click(qtbot):
    """Press a button of a widget by its object name."""
    from qtpy.QtCore import Qt

    def press(widget, name):
        button = widget.native.findChild(QAbstractButton, name)
        assert button is not None, f"no button {name!r}"
        assert button.isEnabled(), f"button {name!r} is disabled"
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)

    return press


@pytest.fixture
def settled(qtbot):
    """Wait until no change of a dock waits to be acted on, no job runs and no event is queued."""

    def wait(widget):
        def is_idle():
            drawing, comparison = (getattr(widget, x, None) for x in ("_drawing", "_comparison"))
            live = drawing is not None and drawing.live.working
            compared = comparison is not None and comparison.drawing
            return not (live or compared or widget._work.pending or widget.working)

        QApplication.processEvents()
        qtbot.waitUntil(is_idle, timeout=60_000)
        QApplication.processEvents()

    return wait


@pytest.fixture
def notifications():
    """Messages that napari showed since, as (severity, text)."""
    before = len(notification_manager.records)

    def shown():
        return [(str(n.severity), n.message) for n in notification_manager.records[before:]]

    return shown


@pytest.fixture
def result(viewer):
    """Return the layer that the widget made; there must be one at most."""

    def find():
        made = [layer for layer in viewer.layers if "napari_motionmag" in layer.metadata]
        assert len(made) <= 1, made
        return made[0] if made else None

    return find


@pytest.fixture
def magnified(widget, click, qtbot, result):
    """Press Magnify and wait for the layer."""

    def press():
        click(widget, "magnify")
        qtbot.waitUntil(lambda: result() is not None and result().visible, timeout=60_000)
        return result()

    return press
