"""The base of all docks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import wraps
from itertools import pairwise
from pathlib import Path
from weakref import WeakKeyDictionary

from magicgui.widgets import Container, PushButton, Widget
from napari.layers import Image, Layer
from napari.utils.notifications import show_error, show_info
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import (
    QApplication,
    QDockWidget,
    QFrame,
    QLayout,
    QMainWindow,
    QScrollArea,
    QSizePolicy,
    QTabBar,
    QVBoxLayout,
    QWidget,
)

from napari_motionmag.movie.layer_traits import may_be_movie
from napari_motionmag.widgets.common.ask_file import ask_file
from napari_motionmag.widgets.common.form import button, text
from napari_motionmag.widgets.common.messages import EXPECTED, Messages
from napari_motionmag.widgets.common.viewer import make_current, viewer_of
from napari_motionmag.widgets.common.work import Work

NO_MOVIE = "There is no movie: open one, as an Image layer with a time axis"
MOVIE_EVENTS = ("data", "scale", "units", "axis_labels")  # that change what is measured
COPIED = "Copied as Python: paste it into a script, a notebook or napari's console"
_PLUGIN = re.compile(r" \((napari-motionmag|Motion magnification)\)$")  # in napari's titles
_PLACED = "napari_motionmag_dock"  # property of the Qt widgets of docks that were opened
_MAP = "napari_motionmag_map"  # in the metadata of layers that are results, not movies: the kind
_MAP_NAME = "napari_motionmag_map_name"  # the name that it got; the user may have changed it


def reports_errors(method: Callable) -> Callable:
    """Make a method of a dock show expected errors instead of raising them."""

    @wraps(method)
    def reporting(self, *arguments, **options):
        try:
            return method(self, *arguments, **options)
        except EXPECTED as error:
            self._messages.report(error)
            return None

    return reporting


class Dock(Container):
    """A dock that scrolls, opens as a tab beside the others, and stops its work when it closes.

    Subclasses create what it holds in `_create_widgets`, `_refresh` after changes, and release
    what they use in `_on_close`. The message at the foot is ``status``.
    """

    dock_name = ""  # of the Qt widget
    contents_width = 340  # px, at least
    pause_ms = 150  # between the last change and the refresh
    script_tooltip = "Copy a Python script that does the same to the clipboard."

    def __init__(self, napari_viewer: napari.viewer.Viewer = None):  # noqa: F821
        self._viewer = viewer_of(napari_viewer)
        self._closed = False
        self._updating = False  # fields and layers are changed by the program, not by the user
        self._followed: list[tuple] = []
        self._stop_watching: Callable | None = None
        self.status = text("status", "The result or message of the last action.")
        self.status.native.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self._messages = Messages(self.status)
        widgets = [*self._create_widgets(), self.status]
        super().__init__(widgets=widgets, name=self.dock_name, labels=False)
        self._area = _make_scroll(self.native, self.contents_width)
        _order_keyboard(self._area.widget().layout())
        self.native.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self._timer = QTimer(self.native)
        self._timer.setSingleShot(True)
        self._timer.setInterval(self.pause_ms)
        self._timer.timeout.connect(self._on_pause)
        self._work = Work(self._viewer, self._messages, self._timer, self._on_busy_changed)
        for event in self._layer_list_events():
            event.connect(self._on_layers_changed)
        self.native_parent_changed.connect(self._on_parent_changed)
        self.native.destroyed.connect(self._close)

    # ---- for subclasses ----

    def _create_widgets(self) -> Sequence[Widget]:
        """Create what the dock holds, from top to bottom."""
        raise NotImplementedError

    def script(self) -> str:
        """Return Python source that does the same."""
        raise NotImplementedError

    def save_to(self, path: str | Path):
        """Save the results."""
        raise NotImplementedError

    def _refresh(self) -> None:
        """Bring the dock up to date, a moment after the last change."""

    def _on_layer_edited(self, event) -> None:
        """Act on an event of a layer that is followed."""

    def _on_busy_changed(self, busy: bool) -> None:
        """Show whether a job is in progress."""

    def _on_close(self, *, viewer_closes: bool) -> None:
        """Stop all work and release the viewer."""
        with suppress(RuntimeError):  # Qt may have deleted it already
            self._timer.stop()
        self._messages.close()
        self._work.close()
        self._stop_following()
        if self._stop_watching is not None:
            self._stop_watching()
        for event in self._layer_list_events():
            event.disconnect(self._on_layers_changed)

    # ---- layers ----

    def _images(self, _=None) -> list[Image]:
        return [layer for layer in self._viewer.layers if isinstance(layer, Image)]

    def _movies(self, _=None) -> list[Image]:
        return [x for x in self._images() if may_be_movie(x) and _MAP not in x.metadata]

    def _open_layers(self, layers) -> list[Layer]:
        """Return those of the layers that are still in the viewer."""
        return [layer for layer in layers if layer in self._viewer.layers]

    def _choose_active_layer(self, field) -> None:
        """Choose the active layer in a field that offers it."""
        active = self._viewer.layers.selection.active
        if active in field.choices:
            field.value = active

    def _on_layers_changed(self, event=None) -> None:
        if self._closed:
            return
        if event is not None and event.type == "removed":
            self._work.cancel_without(event.value)
        self.reset_choices()

    def reset_choices(self, *_) -> None:
        """Offer the layers that there are now; napari asks for it of closed docks, too."""
        if not self._closed:
            super().reset_choices()

    @contextmanager
    def updating(self) -> Iterator[None]:
        """Mark changes of fields and layers meanwhile as those of the program."""
        before, self._updating = self._updating, True
        try:
            yield
        finally:
            self._updating = before

    def _put_layer(
        self, kind: str, data, name: str, look: dict, *, over=None, add="image", **first
    ) -> Layer:
        """Show a result as a layer, in place of the result of this `kind` that was shown before.

        `look` holds attributes of the layer that are set every time, `first` those that are set
        when it is added: afterwards they are the user's. A layer that the user renamed is kept,
        and a new one is added. The layer is moved to the top if it lies below the layer `over`.
        """
        layers = self._viewer.layers
        before = [
            layer
            for layer in layers
            if layer.metadata.get(_MAP) == kind and layer.metadata.get(_MAP_NAME) == layer.name
        ]
        layer = before[-1] if before else None
        with self.updating():
            same = layer is not None and layer.ndim == data.ndim
            if same and layer.data.dtype.kind == data.dtype.kind:
                layer.data = data
                for key, value in look.items():
                    setattr(layer, key, value)
                layer.name = name
                if over is not None and layers.index(layer) < layers.index(over):
                    layers.move(layers.index(layer), -1)
            else:
                if layer is not None:
                    make_current(self.native)
                    layers.remove(layer)
                contour = first.pop("contour", None)  # no argument of Labels
                layer = getattr(self._viewer, f"add_{add}")(
                    data, name=name, metadata={_MAP: kind}, **look, **first
                )
                if contour is not None:
                    layer.contour = contour
            layer.metadata[_MAP_NAME] = layer.name
        return layer

    def _follow(self, pairs) -> None:
        """Call `_on_layer_edited` on events of layers, given as (layer, names of events) pairs."""
        self._stop_following()
        # a rate that is typed in another dock is in the metadata
        self._followed = [
            (layer, (*names, "metadata") if isinstance(layer, Image) else names)
            for layer, names in pairs
            if layer is not None
        ]
        for layer, names in self._followed:
            for name in names:
                getattr(layer.events, name).connect(self._on_layer_edited)

    def _watch(self, layers: Callable, count: Callable, drawn: Callable) -> None:
        """Call ``drawn(layer)`` when marks, which `count` counts, are added to one of `layers`."""
        counts = WeakKeyDictionary({layer: count(layer) for layer in layers()})

        def on_event(event) -> None:
            if event.type not in ("inserted", "data"):
                return
            for layer in layers():
                before, counts[layer] = counts.get(layer, 0), count(layer)
                if counts[layer] > before:
                    drawn(layer)

        events = self._viewer.layers.events  # those of all layers, too
        events.connect(on_event)
        self._stop_watching = lambda: events.disconnect(on_event)

    def _stop_following(self) -> None:
        for layer, names in self._followed:
            for name in names:
                with suppress(ValueError, RuntimeError):  # the layer is gone with its window
                    getattr(layer.events, name).disconnect(self._on_layer_edited)
        self._followed = []

    # ---- work ----

    @property
    def working(self) -> bool:
        """Whether a job is in progress."""
        return self._work.working

    def _on_pause(self) -> None:
        if not self._closed:
            self._refresh()

    # ---- files and scripts ----

    def save_as(self, title: str, suggested: str, kinds: str) -> None:
        """Ask for a file, and save to it with `save_to`; see `ask_file`."""
        path = ask_file(self.native, title, suggested, kinds)
        if path is None:
            return
        try:
            self.save_to(path)
        except EXPECTED as error:
            self._messages.report(error, again=True)

    def _create_script_button(self) -> PushButton:
        return button("copy_script", "Copy as Python", self.script_tooltip, self._copy_script)

    def _copy_script(self) -> None:
        """Copy the script to the clipboard; in case of an error, it stays as it is."""
        try:
            source = self.script()
        except EXPECTED as error:
            show_error(str(error))
            return
        QApplication.clipboard().setText(source)
        show_info(COPIED)

    # ---- opening and closing ----

    def _layer_list_events(self) -> list:
        events = self._viewer.layers.events
        return [events.inserted, events.removed, events.reordered]

    def _on_parent_changed(self, parent) -> None:
        if parent is None:  # taken out of its dock
            self._close()
        elif not self._closed:
            QTimer.singleShot(0, self._open_as_tab)

    def _open_as_tab(self) -> None:
        """Lay the dock over those of this plugin that were opened before in the same area."""
        with suppress(RuntimeError):  # Qt deleted it meanwhile
            dock = dock_around(self.native)
            window = _parent_of(dock, QMainWindow)
            if window is None or dock.isFloating():
                return
            others = [
                other
                for other in window.findChildren(QDockWidget)
                if other is not dock
                and not (other.isHidden() or other.isFloating())
                and window.dockWidgetArea(other) == window.dockWidgetArea(dock)
                and other.widget().property(_PLACED)
            ]
            self.native.setProperty(_PLACED, True)
            if others:
                for one in (dock, others[-1]):
                    one.setWindowTitle(_PLUGIN.sub("", one.windowTitle()))
                if dock not in window.tabifiedDockWidgets(others[-1]):
                    window.tabifyDockWidget(others[-1], dock)
            QTimer.singleShot(0, lambda: _raise(dock))  # once Qt has laid out the tabs
            for bar in window.findChildren(QTabBar):
                if bar.parent() is window:  # names stay legible: more of them scroll
                    bar.setElideMode(Qt.TextElideMode.ElideNone)
                    bar.setUsesScrollButtons(True)

    def _close(self, destroyed=None) -> None:
        """Close down once; the argument is given when Qt deletes the dock with its viewer."""
        if not self._closed:
            self._closed = True
            self._on_close(viewer_closes=destroyed is not None)


def dock_around(widget: QWidget) -> QDockWidget | None:
    """Return the Qt dock that a widget is in, or None."""
    return _parent_of(widget, QDockWidget)


def find_or_open(viewer, title: str) -> Dock:
    """Return the dock with a title, whose name is the same, opened if need be, in the front."""
    name = title.lower().replace(" ", "_")
    opened = [w for w in viewer.window.dock_widgets.values() if getattr(w, "name", "") == name]
    if opened:
        outer, dock = dock_around(opened[0].native), opened[0]
    else:
        outer, dock = viewer.window.add_plugin_dock_widget("napari-motionmag", title)
    if outer is not None:
        outer.show()
        outer.raise_()
    return dock


def _raise(dock: QDockWidget) -> None:
    with suppress(RuntimeError):  # Qt deleted it meanwhile
        dock.raise_()


def _parent_of(widget, kind: type):
    """Return the nearest ancestor of a Qt widget that is of this kind, or None."""
    while widget is not None and not isinstance(widget, kind):
        widget = widget.parent()
    return widget


def _order_keyboard(layout: QLayout) -> None:
    """Let the Tab key go through what a layout holds from top to bottom, left to right."""
    fields = list(_focusable(layout))
    for before, after in pairwise(fields):
        QWidget.setTabOrder(before, after)


def _focusable(layout: QLayout) -> Iterator[QWidget]:
    """Yield the widgets that take part in the Tab order, in the order of their layouts."""
    for k in range(layout.count()):
        item = layout.itemAt(k)
        widget, inner = item.widget(), item.layout()
        if widget is not None:
            if widget.focusPolicy() & Qt.FocusPolicy.TabFocus:
                yield widget
            inner = widget.layout()
        if inner is not None:
            yield from _focusable(inner)


def _make_scroll(widget: QWidget, width: int) -> QScrollArea:
    """Make the contents of a widget, which has a layout, scroll vertically.

    magicgui's own ``scrollable`` does not survive in napari's docks, which take the inner widget.
    """
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    contents = QWidget()
    contents.setMinimumWidth(width)
    widget.layout().setAlignment(Qt.AlignmentFlag.AlignTop)
    contents.setLayout(widget.layout())  # moves the layout with all it holds
    area.setWidget(contents)
    area.setMinimumWidth(width + area.verticalScrollBar().sizeHint().width())
    around = QVBoxLayout(widget)
    around.setContentsMargins(0, 0, 0, 0)
    around.addWidget(area)
    return area
