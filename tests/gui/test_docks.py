"""All docks in one real window of 1366 x 768 px."""

import napari
import pytest
from half_moving import add_movie
from magicgui.widgets import Container, Label
from qtpy.QtWidgets import QApplication, QDockWidget, QTabBar

from napari_motionmag.widgets.common.dock import Dock
from napari_motionmag.widgets.magnify.dock import MagnifyWidget
from napari_motionmag.widgets.magnify.open_dock import compare_methods, fill_band
from napari_motionmag.widgets.measure.displacement import DisplacementWidget
from napari_motionmag.widgets.slices.dock import SliceViewWidget

LOOKS_AS_USUAL = True
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
    first = outer(opened[NAMES[0]])
    qtbot.waitUntil(
        lambda: len(window.tabifiedDockWidgets(first)) == len(NAMES) - 1, timeout=10_000
    )
    QApplication.processEvents()  # the last one comes to the front
    return opened


def controls(container):
    """The widgets in a container that a user can act on."""
    for widget in container:
        if isinstance(widget, Container):
            yield from controls(widget)
        elif not isinstance(widget, Label):
            yield widget


def outer(widget) -> QDockWidget:
    """The Qt dock that a widget is in."""
    native = widget.native
    while not isinstance(native, QDockWidget):
        native = native.parent()
    return native


def in_front(widget) -> bool:
    """Whether a dock is the one of the tabs that is seen."""
    dock = outer(widget)
    bars = [bar for bar in dock.parent().findChildren(QTabBar) if bar.parent() is dock.parent()]
    front = {bar.tabText(k): k == bar.currentIndex() for bar in bars for k in range(bar.count())}
    return front.get(dock.windowTitle(), True)


def fits(widget) -> bool:
    """Whether all that a dock holds can be scrolled to, and nothing is cut at the side."""
    contents, viewport = widget._area.widget(), widget._area.viewport()
    below = widget._area.verticalScrollBar().maximum()
    return contents.height() <= viewport.height() + below and contents.width() <= viewport.width()


def test_all_docks_fit_into_a_small_window_with_a_tooltip_for_each_control(viewer, docks, qtbot):
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
        qtbot.waitUntil(lambda widget=widget: in_front(widget) and fits(widget), timeout=5000)
        assert widget.status.native.isVisible()
    for name, widget in ours.items():
        for field in controls(widget):
            assert field.tooltip, f"{field.name} of {name}"


def test_figures_use_the_room_they_have(viewer, docks, qtbot):
    for name in ("Magnify motion", "Repeat on another layer"):
        outer(docks[name]).close()
    displacement = docks["Displacement"]
    outer(displacement).raise_()
    qtbot.waitUntil(
        lambda: displacement.canvas.height() > 0.4 * displacement.native.height() > 250,
        timeout=5000,
    )


def test_docks_of_a_script_or_a_command_come_to_the_front(viewer, qtbot, method, monkeypatch):
    movie = add_movie(viewer)
    opened = []
    for kind in (MagnifyWidget, SliceViewWidget, DisplacementWidget):
        opened.append(kind(viewer))  # at once, with no event handled in between
        viewer.window.add_dock_widget(opened[-1], name=kind.__name__)
    magnify, slices, displacement = opened
    tabs = {outer(slices), outer(displacement)}
    window = viewer.window._qt_window
    qtbot.waitUntil(
        lambda: set(window.tabifiedDockWidgets(outer(magnify))) == tabs and in_front(displacement),
        timeout=5000,
    )
    assert not in_front(magnify)
    monkeypatch.setattr(napari, "current_viewer", lambda: viewer)
    magnify._fields.compare_row.choose_methods(["pixels"])
    compare_methods()
    qtbot.waitUntil(lambda: in_front(magnify), timeout=5000)
    outer(slices).raise_()
    qtbot.waitUntil(lambda: in_front(slices), timeout=5000)
    fill_band(viewer, movie, (1, 2), 10)
    qtbot.waitUntil(lambda: in_front(magnify), timeout=5000)
    magnify.end_comparison()


@pytest.mark.parametrize("name", ["motion_map", "noise_floor", "slice_view", "motion_spectrum"])
def test_eight_fields_at_most_are_shown_at_first(viewer, movie, name):
    from npe2 import PluginManager

    command = PluginManager.instance().get_command(f"napari-motionmag.{name}")
    dock = command.exec((viewer,), {})
    viewer.window.add_dock_widget(dock, name=name)
    for mode in ("static", "temporal"):
        if hasattr(dock, "mode"):
            dock.mode.value = mode
        rows = [field for field in dock["form"] if field.visible]
        assert len(rows) <= 8, [field.name for field in rows]
