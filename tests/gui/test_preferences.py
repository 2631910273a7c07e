"""Preferences of the plugin in napari's own dialog, keys, and the help that each control gives."""

from itertools import pairwise
from pathlib import Path

import pytest
from napari._qt.dialogs.preferences_dialog import PreferencesDialog
from napari.settings import get_plugin_settings
from napari.utils.key_bindings import KeyBinding
from napari.utils.shortcuts import default_shortcuts
from npe2 import PluginManifest
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QWidget

import napari_motionmag
from napari_motionmag.compute import device
from napari_motionmag.compute.cache import budget
from napari_motionmag.methods.base import METHODS
from napari_motionmag.widgets.common import preferences
from napari_motionmag.widgets.common.preferences import Preferences
from napari_motionmag.widgets.magnify.dock import MagnifyWidget
from napari_motionmag.widgets.magnify.shortcuts import KEYS, MAGNIFY

MANIFEST = Path(napari_motionmag.__file__).parent / "napari.yaml"


@pytest.fixture
def settings(plugin_settings, npe2pm):
    """The preferences as napari keeps them, in a file of the test."""
    npe2pm.register(PluginManifest.from_file(MANIFEST))
    yield get_plugin_settings("napari-motionmag")
    Preferences().apply()


@pytest.fixture
def docked(viewer, movie):
    """The dock, opened by the test, with the methods as they are."""

    def open_dock():
        made = MagnifyWidget(viewer)
        viewer.window.add_dock_widget(made, name="Magnify motion")
        return made

    return open_dock


def test_the_defaults_are_those_of_the_manifest(settings):
    assert Preferences.current() == Preferences()
    declared = PluginManifest.from_file(MANIFEST).contributions.configurations
    names = [name for group in declared.values() for name in group.properties]
    assert sorted(names) == sorted(Preferences.__dataclass_fields__)
    assert declared["magnification"].properties["method"].enum == list(METHODS)
    assert all(one.description for group in declared.values() for one in group.properties.values())


def test_without_preferences_the_defaults_hold(npe2pm, plugin_settings):
    assert Preferences.current() == Preferences()
    assert preferences.follow(lambda: None)() is None


def test_what_is_set_in_napari_s_dialog_is_kept_and_used(settings, docked, qtbot):
    dialog = PreferencesDialog()
    qtbot.addWidget(dialog)
    pages = [dialog._list.item(k).text() for k in range(dialog._list.count())]
    assert "Motion magnification" in pages
    settings.magnification.factor = 25
    settings.magnification.method = "phase"
    settings.computing.device = "cpu"
    settings.computing.precision = "float32"
    settings.playback.fps = 12
    settings.playback.mode = "back_and_forth"
    assert "factor: 25" in settings.config_path.read_text()
    widget = docked()
    assert (widget.factor.value, widget.method.value) == (25, "phase")
    assert widget.device.value == "cpu"
    row = widget._fields.playback_row
    assert (row.fps.value, row.mode.value) == (12, "back_and_forth")
    assert widget._fields.settings(method="learned").precision == "float32"
    assert widget._fields.settings(method="phase").precision is None
    settings.playback.fps = 0
    assert row.fps.value == pytest.approx(10), "that of the movie, at once"


def test_memory_and_threads_change_at_once(settings, docked, monkeypatch):
    counts = []
    monkeypatch.setattr(device, "set_threads", counts.append)
    usual = budget()
    docked()
    assert budget() == usual
    settings.computing.memory = 0.5
    settings.computing.threads = 3
    assert budget() == 2**29
    settings.computing.memory = 0
    assert budget() == usual
    settings.computing.threads = 0
    assert counts == [3, None]


def test_threads():
    import torch

    usual = torch.get_num_threads()
    try:
        device.set_threads(1)
        assert torch.get_num_threads() == 1
    finally:
        device.set_threads(None)
    assert torch.get_num_threads() == usual
    with pytest.raises(ValueError, match="count"):
        device.set_threads(0)


# ---- keys ----


def _press(viewer, key, qtbot):
    canvas = viewer.window._qt_viewer.canvas.native
    canvas.setFocus()
    qtbot.keyClick(canvas, key, Qt.KeyboardModifier.AltModifier)
    QApplication.processEvents()


def test_keys_of_the_canvas(viewer, movie, widget, method, qtbot, result, settled, frames):
    _press(viewer, Qt.Key.Key_M, qtbot)
    settled(widget)
    first = result()
    assert first is not None
    _press(viewer, Qt.Key.Key_O, qtbot)
    assert (first.visible, movie.visible) == (False, True)
    _press(viewer, Qt.Key.Key_O, qtbot)
    assert (first.visible, movie.visible) == (True, False)
    other = viewer.add_image(frames[:6] + 5, name="other")
    widget.layer.value = other
    widget.draw()
    settled(widget)
    second = viewer.layers[-1]
    viewer.layers.selection.active = second
    _press(viewer, Qt.Key.Key_N, qtbot)
    assert (first.visible, second.visible) == (True, False)
    _press(viewer, Qt.Key.Key_N, qtbot)
    assert (first.visible, second.visible) == (False, True)


def test_keys_without_a_result(viewer, widget, notifications, qtbot):
    _press(viewer, Qt.Key.Key_O, qtbot)
    _press(viewer, Qt.Key.Key_N, qtbot)
    assert [text for _, text in notifications() if "no magnified movie yet" in text]


def test_keys_do_not_clash_and_go_with_the_dock(viewer, movie, method):
    taken = {str(key) for keys in default_shortcuts.values() for key in keys}
    assert not taken & {str(KeyBinding.from_str(key.replace("-", "+"))) for key in [MAGNIFY, *KEYS]}
    own = object()
    viewer.bind_key("Alt-N", lambda viewer: own)
    before = dict(viewer.keymap)
    widget = MagnifyWidget(viewer)
    viewer.window.add_dock_widget(widget)
    assert len(viewer.keymap) == len(before) + len(KEYS), "a key that is taken stays"
    viewer.window.remove_dock_widget("all")
    assert viewer.keymap == before
    viewer.bind_key("Alt-N", None)


# ---- help ----


def test_every_control_has_a_tooltip(widget, magnified):
    magnified()
    without = [
        child.objectName() or type(child).__name__
        for child in widget.native.findChildren(QWidget)
        if child.focusPolicy() & Qt.FocusPolicy.TabFocus and not _tooltip(child, widget.native)
    ]
    assert not set(without) - {"compare_pixels"}, "the method of the tests has no help"


def _tooltip(child: QWidget, dock: QWidget) -> str:
    while child is not None and child is not dock:
        if child.toolTip():
            return child.toolTip()
        child = child.parentWidget()
    return ""


def test_tab_goes_from_top_to_bottom(widget, magnified, qtbot):
    magnified()
    first = widget.layer.native
    chain, child = [], first
    while (child := child.nextInFocusChain()) is not first:
        inside = widget.native.isAncestorOf(child)
        if inside and child.isVisible() and child.focusPolicy() & Qt.FocusPolicy.TabFocus:
            chain.append(child.mapTo(widget.native, child.rect().center()).y())
    assert len(chain) > 12
    steps = [after - before for before, after in pairwise(chain)]
    assert min(steps) > -12, "beside each other at most"
