"""What the docks that measure share: movies to choose, a canvas, and work in the background."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from magicgui.widgets import Container, FloatSpinBox, Label, LineEdit, PushButton
from napari.layers import Image, Points, Shapes
from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QFileDialog, QSizePolicy

from napari_motionmag.movie.layer_traits import layer_arguments, typed_rate
from napari_motionmag.movie.movie import Movie
from napari_motionmag.widgets.common.canvas import Canvas
from napari_motionmag.widgets.common.jobs import Replacing
from napari_motionmag.widgets.common.layer_movie import record_rate
from napari_motionmag.widgets.common.messages import EXPECTED, Messages
from napari_motionmag.widgets.common.shown_frame import frame_shown
from napari_motionmag.widgets.common.viewer import viewer_of

PASSES = 3  # of a measurement over the frames, as a rule
PAUSE_MS = 150  # after a change, before it is acted upon
WIDTH = 340  # px


class MeasuringWidget(Container):
    """A dock that looks at movies and draws what it found.

    Parameters
    ----------
    napari_viewer : napari.Viewer, optional
        The current one when None.
    name : str
    rows : list of magicgui.widgets.Widget
        Shown above the figure, with labels.
    buttons : list of magicgui.widgets.Widget
        Below the figure, two a row.
    height : int
        Of the figure, px.
    """

    def __init__(self, napari_viewer, name: str, rows: list, buttons: list, height: int = 260):
        self._viewer = viewer_of(napari_viewer)
        self._closed = False
        self._filling = False
        self._working_on: Image | None = None
        self._chosen_movies: list[Image] = []
        self.axes = LineEdit(
            name="axes",
            label="Axes",
            tooltip="One letter for each axis of the data, in order: T (time), Z, C (channel), Y, "
            "X, S (RGB samples, last). Empty: as the layer says.",
        )
        self.fps = FloatSpinBox(
            name="fps",
            label="Rate",
            min=0,
            max=1e9,
            tooltip="Frames per second at which the movies were taken, for all docks; 0: as the "
            "layers say.",
        )
        self.fps.native.setDecimals(4)
        self.fps.native.setSuffix(" fps")
        self.fps.native.setSpecialValueText("as the layer says")
        self.fps.native.setButtonSymbols(self.fps.native.ButtonSymbols.NoButtons)
        self.cancel = PushButton(name="cancel", text="Cancel", tooltip="Stop what is computed.")
        self.status = Label(name="status", tooltip="What was found or done last.")
        self.status.native.setWordWrap(True)
        self.status.native.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.status.native.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        self.status.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        form = Container(name="form", labels=True)
        form.margins = (0, 0, 0, 0)
        for one in (*rows, self.axes, self.fps):
            form.append(one)
        pairs = [
            Container(widgets=buttons[k : k + 2], layout="horizontal", labels=False)
            for k in range(0, len(buttons), 2)
        ]
        for pair in pairs:
            pair.margins = (0, 0, 0, 0)
        super().__init__(widgets=[form, *pairs, self.cancel, self.status], name=name, labels=False)
        self.native.setMinimumWidth(WIDTH)
        self.cancel.visible = False
        for field in (*rows, *buttons, self.axes, self.fps, self.cancel, self.status):
            field.native.setObjectName(field.name)
        self.canvas = Canvas(self._viewer, height)
        self.native.layout().insertWidget(1 + len(pairs), self.canvas, 1)
        self._messages = Messages(self.status)
        self._timer = QTimer(self.native)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE_MS)
        self._timer.timeout.connect(self._changed_for_good)
        self._runner = Replacing(self._busy, self._messages.warn)
        self._followed: list[tuple] = []
        for event in self._layer_events():
            event.connect(self._layers_changed)
        self._viewer.dims.events.point.connect(self._point_changed)
        self.fps.changed.connect(self._rate_typed)
        self.cancel.changed.connect(self._cancel)
        self.native_parent_changed.connect(self._parent_changed)
        self.native.destroyed.connect(self._leave)

    # ---- for the widgets themselves to say ----

    def _changed_for_good(self) -> None:
        """Something changed a moment ago."""

    def _point_changed(self, _=None) -> None:
        """The sliders were moved."""

    # ---- layers ----

    def _images(self, _=None) -> list[Image]:
        return [layer for layer in self._viewer.layers if isinstance(layer, Image)]

    def _shapes(self, _=None) -> list[Shapes]:
        return [layer for layer in self._viewer.layers if isinstance(layer, Shapes)]

    def _marks(self, _=None) -> list:
        return [layer for layer in self._viewer.layers if isinstance(layer, Shapes | Points)]

    def movie_of(self, layer) -> Movie:
        """Return the movie of a layer, as the fields describe it.

        Raises
        ------
        ValueError, TypeError
            When the layer is no movie, or does not tell its axes.
        """
        recipe = (layer.metadata.get("napari_motionmag") or {}).get("recipe") or {}
        axes = self.axes.value.strip() or recipe.get("axes")
        given = {"axes": axes} if axes and len(axes) == layer.ndim + bool(layer.rgb) else {}
        return Movie(**layer_arguments(layer, given))

    def place_of(self, layer, movie: Movie) -> tuple[int, tuple[int, ...]]:
        """Return the frame that is shown, and the index along axes such as Z and C."""
        return frame_shown(self._viewer, layer, movie.axes)

    def _show_axes(self, layers) -> None:
        """Ask for axes only where they are not plain."""
        self.axes.visible = any(layer.ndim != 3 for layer in layers)
        self._show_rate(layers)

    def _show_rate(self, layers=None) -> None:
        """Show the rate that the user typed for these movies, or for those shown before."""
        self._chosen_movies = self._chosen_movies if layers is None else list(layers)
        rates = {typed_rate(layer) or 0.0 for layer in self._chosen_movies}
        with self.fps.changed.blocked():
            self.fps.value = rates.pop() if len(rates) == 1 else 0.0

    def _rate_typed(self, fps: float) -> None:
        """Record the rate of the chosen movies, for all docks."""
        for layer in list(self._chosen_movies):
            record_rate(self._viewer, layer, fps)

    def _layers_changed(self, _=None) -> None:
        if self._closed:
            return
        self._filling = True
        try:
            self.reset_choices()
        finally:
            self._filling = False
        self._timer.start()

    def _follow(self, pairs) -> None:
        """Listen to these events of these layers, and no longer to others.

        Parameters
        ----------
        pairs : list of (layer, names of events)
        """
        for layer, names in self._followed:
            for name in names:
                with suppress(ValueError, RuntimeError):  # the layer is gone with its window
                    getattr(layer.events, name).disconnect(self._layer_moved)
        # a rate that is typed in another dock is in the metadata
        self._followed = [
            (layer, (*names, "metadata") if isinstance(layer, Image) else names)
            for layer, names in pairs
            if layer is not None
        ]
        for layer, names in self._followed:
            for name in names:
                getattr(layer.events, name).connect(self._layer_moved)

    def _layer_moved(self, event=None) -> None:
        if event is not None and event.type == "metadata":
            self._show_rate()
        self._timer.start()

    # ---- work ----

    def _busy(self, busy: bool) -> None:
        if not self._closed:
            self.cancel.visible = busy

    def _cancel(self, _=None) -> None:
        self._timer.stop()
        self._runner.cancel()

    def _begin(self, work: Callable, done: Callable, title: str, movies: list[Movie]) -> None:
        """Run ``work(progress)``, which reads the movies a few times, and show how far it is."""
        total = PASSES * sum(movie.n_frames for movie in movies)
        self._messages.say(f"{title}…")
        self._runner.request(
            lambda progress: work(lambda step, _: progress(min(step, total), total)),
            done,
            lambda step, _: self._messages.say(f"{title}: {min(99, 100 * step // total)} %"),
            title=title,
        )

    def _failed(self, error: Exception) -> None:
        self._messages.report(error)

    def _when_done(self, take: Callable[[], None]) -> Callable[[Exception | None, bool], None]:
        """Return what is called at the end of a job: it says why there is no result, or takes it.

        A job is about `_working_on`, when that is set: without that layer there is nothing to take.
        """
        layer = self._working_on

        def done(error: Exception | None, cancelled: bool) -> None:
            self._working_on = None
            if error is not None:
                self._failed(error)
            elif cancelled:
                self._messages.say("Cancelled")
            elif layer is not None and layer not in self._viewer.layers:
                self._messages.say("The movie was closed")
            else:
                take()

        return done

    def _ask_and_save(self, suggested: str, kinds: str) -> None:
        """Ask for a file, and save to it with the widget's `save_to`.

        Parameters
        ----------
        suggested : str
            Its name; its extension is added to a name without one, unless the kind that was chosen
            has another.
        kinds : str
            As Qt wants them: ``"TIFF (*.tif);;CSV (*.csv)"``.
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
            self._messages.all_well()
            self._failed(error)

    # ---- leaving ----

    def _layer_events(self) -> list:
        events = self._viewer.layers.events
        return [events.inserted, events.removed, events.reordered]

    def _parent_changed(self, parent) -> None:
        if parent is None:  # taken out of its dock
            self._leave()

    def _leave(self, _=None) -> None:
        """Stop all work and let go of viewer and layers."""
        if self._closed:
            return
        self._closed = True
        with suppress(RuntimeError):  # Qt may have deleted it already
            self._timer.stop()
        self._messages.close()
        self._runner.close()
        self._follow([])
        for event in self._layer_events():
            event.disconnect(self._layers_changed)
        self._viewer.dims.events.point.disconnect(self._point_changed)
        self.canvas.close_down()
