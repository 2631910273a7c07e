"""All docks in one real window of 1366 x 768 px."""

import pytest
from half_moving import add_movie
from magicgui.widgets import Container
from qtpy.QtWidgets import QDockWidget, QTabBar

from napari_motionmag.widgets.common.dock import Dock

NAMES = [
    "Magnify motion",
    "Slice view",
    "Motion spectrum",
    "Displacement",
    "Noise floor",
    "Motion map",
    "Network kernels",
    "Network activations",
    "Repeat on another layer",
]


@pytest.fixture
def docks(viewer, qtbot):
    """All docks of the plugin, opened as the menu opens them; by name."""
    window = viewer.window._qt_window
    window.setGeometry(0, 0, 1366, 768)
    add_movie(viewer)
    opened = {}
    for name in NAMES:
        opened[name] = viewer.window.add_plugin_dock_widget("napari-motionmag", name)[1]
        qtbot.wait(20)  # for the dock to become a tab
    qtbot.wait(200)
    return opened


def controls(container):
    """The widgets in a container that a user can act on."""
    for widget in container:
        if isinstance(widget, Container):
            yield from controls(widget)
        else:
            yield widget


def outer(widget) -> QDockWidget:
    """The Qt dock that a widget is in."""
    native = widget.native
    while not isinstance(native, QDockWidget):
        native = native.parent()
    return native


def test_all_docks_fit_into_a_small_window(viewer, docks, qtbot):
    window = viewer.window._qt_window
    assert (window.width(), window.height()) == (1366, 768)
    canvas = viewer.window._qt_viewer.canvas.native
    assert canvas.width() > 500
    assert canvas.height() > 500
    layer_list = viewer.window._qt_viewer.dockLayerList
    assert layer_list.isVisible()
    assert layer_list.height() > 150
    ours = {name: widget for name, widget in docks.items() if isinstance(widget, Dock)}
    assert list(ours) == NAMES
    first = outer(next(iter(ours.values())))
    tabs = {first, *window.tabifiedDockWidgets(first)}
    assert tabs == {outer(widget) for widget in ours.values()}
    bars = [bar for bar in window.findChildren(QTabBar) if bar.parent() is window]
    titles = {bar.tabText(k) for bar in bars for k in range(bar.count())}
    assert set(NAMES) <= titles, "legible: without the name of the plugin"
    for widget in ours.values():
        outer(widget).raise_()
        qtbot.wait(50)
        bar = widget._area.verticalScrollBar()
        contents = widget._area.widget()
        assert contents.height() <= widget._area.viewport().height() + bar.maximum()
        assert contents.width() <= widget._area.viewport().width(), "nothing is cut at the side"
        assert widget.status.native.isVisible()


def test_figures_use_the_room_they_have(viewer, docks, qtbot):
    for name in ("Magnify motion", "Repeat on another layer"):
        outer(docks[name]).close()
    displacement = docks["Displacement"]
    outer(displacement).raise_()
    qtbot.waitUntil(lambda: displacement.canvas.height() > 300, timeout=5000)


def test_every_control_has_a_tooltip(docks):
    for name, widget in docks.items():
        if not isinstance(widget, Dock):
            continue
        for field in controls(widget):
            assert field.tooltip, f"{field.name} of {name}"
