"""The bases of the docks: `Dock` of all, `MeasurementDock` of those that draw a figure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from magicgui.widgets import Container, FloatSpinBox, Label, LineEdit, PushButton, Widget
from napari.layers import Image, Layer, Points, Shapes
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QFileDialog, QMainWindow, QSizePolicy, QTabBar

from napari_motionmag.movie.layer_traits import layer_arguments, may_be_movie, typed_rate
from napari_motionmag.movie.movie import Movie
from napari_motionmag.widgets.common.canvas import Canvas
from napari_motionmag.widgets.common.jobs import Replacing
from napari_motionmag.widgets.common.layer_movie import record_rate
from napari_motionmag.widgets.common.messages import EXPECTED, Messages
from napari_motionmag.widgets.common.script_button import ScriptButton
from napari_motionmag.widgets.common.scroll import make_scroll
from napari_motionmag.widgets.common.shown_frame import frame_shown
from napari_motionmag.widgets.common.viewer import make_current, viewer_of

PAUSE_MS = 150  # between the last change and the refresh
WIDTH = 340  # px
NO_MOVIE = "Choose a movie: an Image layer with a time axis"
MOVIE_EVENTS = ("data", "scale", "units", "axis_labels")  # that change what is measured
_PLUGIN = " (napari-motionmag)"  # in the titles that napari gives to docks
_MARK = "napari_motionmag_dock"  # property of the Qt widgets of all docks
_MAP = "napari_motionmag_map"  # in the metadata of layers that are results, not movies


class Dock(Container):
    """A dock that scrolls, opens as a tab beside the others, and stops its work when it closes.

    Parameters
    ----------
    napari_viewer : napari.Viewer, optional
        The current viewer when None.
    name : str
        Of the Qt widget.
    widgets : sequence of magicgui.widgets.Widget
        From top to bottom.
    width : int
        Least width of the contents, px.

    Attributes
    ----------
    status : magicgui.widgets.Label
        The message at the foot.
    """

    def __init__(self, napari_viewer, name: str, widgets: Sequence[Widget], width: int = WIDTH):
        self._viewer = viewer_of(napari_viewer)
        self._closed = False
        self._adding = False
        self.status = _create_status()
        super().__init__(widgets=[*widgets, self.status], name=name, labels=False)
        self._messages = Messages(self.status)
        self._area = make_scroll(self.native, width)
        self.native.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Expanding)
        self.native.setProperty(_MARK, True)
        self._put: dict[str, tuple[Layer, str]] = {}  # by kind: a layer added here, and its name
        for event in self._layer_list_events():
            event.connect(self._on_layers_changed)
        self.native_parent_changed.connect(self._on_parent_changed)
        self.native.destroyed.connect(self._close)

    # ---- layers ----

    def _images(self, _=None) -> list[Image]:
        return [layer for layer in self._viewer.layers if isinstance(layer, Image)]

    def _movies(self, _=None) -> list[Image]:
        return [x for x in self._images() if may_be_movie(x) and _MAP not in x.metadata]

    def _open_layers(self, layers) -> list[Layer]:
        """Return those of the layers that are still in the viewer."""
        return [layer for layer in layers if layer in self._viewer.layers]

    def _on_layers_changed(self, event=None) -> None:
        if not self._closed:
            self.reset_choices()

    @contextmanager
    def _adding_layers(self) -> Iterator[None]:
        """Mark layers that are added or removed meanwhile as the dock's own doing."""
        before, self._adding = self._adding, True
        try:
            yield
        finally:
            self._adding = before

    def _put_layer(
        self, kind: str, data, name: str, look: dict, *, over=None, add="image", **first
    ) -> Layer:
        """Show a result as a layer, in place of the result of this kind that was shown before.

        A layer that the user renamed is kept, and a new one is added.

        Parameters
        ----------
        kind : str
            Which result of the dock it is.
        data : ndarray
        name : str
        look : dict
            Attributes of the layer that are set every time.
        over : Layer, optional
            The result is moved to the top if it lies below this one.
        add : {"image", "labels"}
        **first
            Attributes that are set when the layer is added; afterwards they are the user's.
        """
        layers = self._viewer.layers
        layer, given_name = self._put.get(kind, (None, ""))
        known = layer is not None and layer in layers and layer.name == given_name
        with self._adding_layers():
            if known and layer.ndim == data.ndim and layer.data.dtype.kind == data.dtype.kind:
                layer.data = data
                for key, value in look.items():
                    setattr(layer, key, value)
                layer.name = name
                if over is not None and layers.index(layer) < layers.index(over):
                    layers.move(layers.index(layer), -1)
            else:
                if known:
                    make_current(self.native)
                    layers.remove(layer)
                contour = first.pop("contour", None)  # no argument of Labels
                layer = getattr(self._viewer, f"add_{add}")(
                    data, name=name, metadata={_MAP: kind}, **look, **first
                )
                if contour is not None:
                    layer.contour = contour
        self._put[kind] = layer, layer.name
        return layer

    def _report(self, error: Exception) -> None:
        """Show an error, even if it is the one that was shown last."""
        self._messages.all_well()
        self._messages.report(error)

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
        """Lay the dock over the one of this plugin that is open in the same area."""
        with suppress(RuntimeError):  # Qt deleted it meanwhile
            dock = _parent_of(self.native, QDockWidget)
            window = _parent_of(dock, QMainWindow)
            if window is None or dock.isFloating():
                return
            others = [
                other
                for other in window.findChildren(QDockWidget)
                if other is not dock
                and other.isVisible()
                and not other.isFloating()
                and window.dockWidgetArea(other) == window.dockWidgetArea(dock)
                and other.widget().property(_MARK)
            ]
            if others and dock not in window.tabifiedDockWidgets(others[-1]):
                dock.setWindowTitle(dock.windowTitle().removesuffix(_PLUGIN))
                others[-1].setWindowTitle(others[-1].windowTitle().removesuffix(_PLUGIN))
                window.tabifyDockWidget(others[-1], dock)
                dock.raise_()
            for bar in window.findChildren(QTabBar):
                if bar.parent() is window:  # names stay legible: more of them scroll
                    bar.setElideMode(Qt.TextElideMode.ElideNone)
                    bar.setUsesScrollButtons(True)

    def _close(self, _=None) -> None:
        """Stop all work and let go of the viewer; called once or more."""
        if self._closed:
            return
        self._closed = True
        self._messages.close()
        for event in self._layer_list_events():
            event.disconnect(self._on_layers_changed)
        self._put.clear()


class MeasurementDock(Dock):
    """A dock that looks at movies in the background and draws what it finds.

    Subclasses create their fields and buttons in `_create_rows` and `_create_buttons`.

    Parameters
    ----------
    napari_viewer : napari.Viewer, optional
        The current viewer when None.

    Attributes
    ----------
    axes : LineEdit
    fps : FloatSpinBox
    cancel : PushButton
    canvas : Canvas
    copy_script : ScriptButton
    """

    dock_name = ""
    figure_height = 250  # px, at least
    script_tooltip = "Copy a Python script that computes the same to the clipboard."

    def __init__(self, napari_viewer: napari.viewer.Viewer = None):  # noqa: F821
        self._viewer = viewer_of(napari_viewer)  # the choices of layers need it
        self._filling = False
        self._busy_with: list[Layer] = []
        self._rated: list[Layer] = []  # the movies that the rate is of
        self.axes = LineEdit(
            name="axes",
            label="Axes",
            tooltip="One letter per axis of the data, in order: T (time), Z, C (channel), Y, X, "
            "S (RGB samples, last). Empty: the axes of the layer.",
        )
        self.fps = create_number(
            "fps",
            "Frames per second at which the movies were recorded, for all docks. 0: the rate of "
            "the layers.",
            label="Rate",
            suffix=" fps",
            text_for_zero="as the layer says",
        )
        rows = [*self._create_rows(), self.axes, self.fps]
        self.copy_script = ScriptButton(self.script, self.script_tooltip)
        buttons = [*self._create_buttons(), self.copy_script]
        self.cancel = PushButton(name="cancel", text="Cancel", tooltip="Stop the computation.")
        form = Container(name="form", labels=True)
        for row in rows:
            form.append(row)  # one by one: labels are aligned as rows are added
        pairs = [
            Container(widgets=buttons[k : k + 2], layout="horizontal", labels=False)
            for k in range(0, len(buttons), 2)
        ]
        for container in (form, *pairs):
            container.margins = (0, 0, 0, 0)
        super().__init__(self._viewer, self.dock_name, [form, *pairs, self.cancel])
        self.cancel.visible = False
        for field in (*rows, *buttons, self.cancel):
            field.native.setObjectName(field.name)
        self.canvas = Canvas(self._viewer, self.figure_height)
        layout = self._area.widget().layout()
        layout.setAlignment(Qt.AlignmentFlag(0))  # else the figure would not grow with the dock
        layout.insertWidget(1 + len(pairs), self.canvas, 1)
        self._timer = QTimer(self.native)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE_MS)
        self._timer.timeout.connect(self._on_pause)
        self._runner = Replacing(self._on_busy_changed, self._messages.warn)
        self._followed: list[tuple] = []
        self._viewer.dims.events.point.connect(self._on_slider_moved)
        self.fps.changed.connect(self._on_rate_typed)
        self.cancel.changed.connect(self._on_cancel_clicked)

    # ---- for subclasses ----

    def _create_rows(self) -> list[Widget]:
        """Create the fields, from top to bottom; those for axes and rate come after them."""
        raise NotImplementedError

    def _create_buttons(self) -> list[Widget]:
        """Create the buttons, two a row; the one that copies the script comes last."""
        raise NotImplementedError

    def script(self) -> str:
        """Return Python source that computes the same."""
        raise NotImplementedError

    def _refresh(self) -> None:
        """Bring the dock up to date, a moment after the last change."""

    def _on_slider_moved(self, event=None) -> None:
        """Act on the sliders of the viewer."""

    # ---- layers ----

    def _shapes(self, _=None) -> list[Shapes]:
        return [layer for layer in self._viewer.layers if isinstance(layer, Shapes)]

    def _marks(self, _=None) -> list[Layer]:
        return [layer for layer in self._viewer.layers if isinstance(layer, Shapes | Points)]

    def movie_of(self, layer) -> Movie:
        """Return the movie of a layer, with axes as in the field.

        Raises
        ------
        ValueError, TypeError
            If the layer is no movie, or its axes are unclear.
        """
        recipe = (layer.metadata.get("napari_motionmag") or {}).get("recipe") or {}
        axes = self.axes.value.strip() or recipe.get("axes")
        given = {"axes": axes} if axes and len(axes) == layer.ndim + bool(layer.rgb) else {}
        return Movie(**layer_arguments(layer, given))

    def _place_shown(self, layer, movie: Movie) -> tuple[int, tuple[int, ...]]:
        """Return the frame that is shown, and the index along axes such as Z and C."""
        return frame_shown(self._viewer, layer, movie.axes)

    def _choose_active_movies(self, field) -> None:
        """Choose the active layer in a field of several movies, or else the first."""
        movies, active = self._movies(), self._viewer.layers.selection.active
        field.value = [active] if active in movies else movies[:1]

    def _describe_movies(self, layers) -> None:
        """Show the field for axes if they are not plain, and the rate typed for the movies."""
        self.axes.visible = any(layer.ndim != 3 for layer in layers)
        self._rated = list(layers)
        self._show_rate()

    def _show_rate(self) -> None:
        rates = {typed_rate(layer) or 0.0 for layer in self._rated}
        with self.fps.changed.blocked():
            self.fps.value = rates.pop() if len(rates) == 1 else 0.0

    def _on_rate_typed(self, fps: float) -> None:
        """Record the rate of the chosen movies, for all docks."""
        for layer in list(self._rated):
            record_rate(self._viewer, layer, fps)

    def _on_layers_changed(self, event=None) -> None:
        if self._closed:
            return
        if event is not None and event.type == "removed" and event.value in self._busy_with:
            self._runner.cancel()
        before, self._filling = self._filling, True
        try:
            self.reset_choices()
        finally:
            self._filling = before
        if not self._adding:
            self._timer.start()

    def _follow(self, pairs) -> None:
        """Refresh on these events of these layers, given as (layer, names of events) pairs."""
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

    def _stop_following(self) -> None:
        for layer, names in self._followed:
            for name in names:
                with suppress(ValueError, RuntimeError):  # the layer is gone with its window
                    getattr(layer.events, name).disconnect(self._on_layer_edited)
        self._followed = []

    def _on_layer_edited(self, event=None) -> None:
        if event is not None and event.type == "metadata":
            self._show_rate()
        self._timer.start()

    def _on_pause(self) -> None:
        if not self._closed:
            self._refresh()

    # ---- work ----

    @property
    def working(self) -> bool:
        """Whether something is being computed."""
        return self._runner.working

    def _run(self, work: Callable, show: Callable, *, title: str, layers: Sequence[Layer]) -> None:
        """Run ``work(progress)`` in the background, then ``show(result)`` on the main thread.

        The work calls ``progress(done, total)`` now and then. It ends when one of the layers is
        closed.
        """
        results = []

        def done(error: Exception | None, cancelled: bool) -> None:
            self._busy_with = []
            if error is not None:
                self._messages.report(error)
            elif len(self._open_layers(layers)) < len(layers):
                self._messages.say("The movie was closed")
            elif cancelled:
                self._messages.say("Cancelled")
            else:
                self._messages.all_well()
                show(results[0])

        self._timer.stop()
        self._messages.say(f"{title}…")
        self._busy_with = list(layers)
        self._runner.request(
            lambda progress: results.append(work(progress)),
            done,
            lambda count, total: self._messages.say(f"{title}: {100 * count // max(total, 1)} %"),
            title=title,
        )

    def _on_busy_changed(self, busy: bool) -> None:
        if not self._closed:
            self.cancel.visible = busy

    def _on_cancel_clicked(self, _=None) -> None:
        self._timer.stop()
        self._runner.cancel()

    # ---- files ----

    def _save_as(self, suggested: str, kinds: str) -> None:
        """Ask for a file, and save to it with the method `save_to`.

        A name without an extension gets that of the chosen kind, or of the suggested name.
        """
        suggestion = str(Path.cwd() / suggested)
        path, kind = QFileDialog.getSaveFileName(self.native, "Save", suggestion, kinds)
        if not path:
            return
        if not Path(path).suffix:
            path += kind.partition("*")[2].rstrip(")") or Path(suggested).suffix
        try:
            self.save_to(path)
        except EXPECTED as error:
            self._report(error)

    def _close(self, _=None) -> None:
        if self._closed:
            return
        with suppress(RuntimeError):  # Qt may have deleted it already
            self._timer.stop()
        self._runner.close()
        self._stop_following()
        self._viewer.dims.events.point.disconnect(self._on_slider_moved)
        self.canvas.close_down()
        super()._close()


def paths_for(path: str | Path, names: Sequence[str]) -> list[Path]:
    """Return one path for each name: the path itself for one, with number and name for several."""
    path = Path(path)
    if len(names) == 1:
        return [path]
    plain = ["".join(c if c.isalnum() or c in " -_." else "_" for c in name) for name in names]
    return [
        path.with_name(f"{path.stem} {number} {name}{path.suffix}")
        for number, name in enumerate(plain, 1)
    ]


def create_number(
    name: str,
    tooltip: str,
    *,
    label: str = "",
    value: float = 0,
    low: float = 0,
    high: float = 1e9,
    decimals: int = 4,
    prefix: str = "",
    suffix: str = "",
    text_for_zero: str = "",
) -> FloatSpinBox:
    """Create a field for a number without step buttons."""
    field = FloatSpinBox(
        name=name, label=label or None, value=value, min=low, max=high, tooltip=tooltip
    )
    native = field.native
    native.setObjectName(name)
    native.setDecimals(decimals)
    native.setPrefix(prefix)
    native.setSuffix(suffix)
    native.setSpecialValueText(text_for_zero)
    native.setButtonSymbols(native.ButtonSymbols.NoButtons)
    native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    field.adaptive_step = True
    return field


def _create_status() -> Label:
    status = Label(name="status", tooltip="The result or message of the last action.")
    native = status.native
    native.setObjectName("status")
    native.setWordWrap(True)
    native.setAlignment(Qt.AlignmentFlag.AlignTop)
    native.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    return status


def _parent_of(widget, kind: type):
    """Return the nearest ancestor of a Qt widget that is of this kind, or None."""
    while widget is not None and not isinstance(widget, kind):
        widget = widget.parent()
    return widget
