"""The base of the docks that look at movies in the background and draw a figure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from magicgui.widgets import Widget
from napari.layers import Layer, Points, Shapes
from qtpy.QtCore import Qt

from napari_motionmag.movie.layer_traits import layer_arguments
from napari_motionmag.movie.movie import Movie
from napari_motionmag.widgets.common.canvas import Canvas
from napari_motionmag.widgets.common.dock import Dock
from napari_motionmag.widgets.common.form import (
    CollapsibleSection,
    button,
    group,
    line_edit,
    number,
)
from napari_motionmag.widgets.common.layer_movie import rate_typed_for, record_rate
from napari_motionmag.widgets.common.shown_frame import frame_shown

CHOOSE_MOVIE = "Choose a movie: an Image layer with a time axis"


class MeasurementDock(Dock):
    """A dock that looks at movies in the background and draws the result in its ``canvas``.

    Subclasses create their fields and buttons in `_create_rows` and `_create_buttons`.
    """

    figure_height = 250  # px, at least
    script_tooltip = "Copy a Python script that computes the same to the clipboard."

    def __init__(self, napari_viewer=None):
        self._rated: list[Layer] = []  # the movies whose rate is shown
        super().__init__(napari_viewer)
        layout = self._area.widget().layout()
        layout.setAlignment(Qt.AlignmentFlag(0))  # else the figure would not grow with the dock
        layout.insertWidget(layout.count() - 2, self.canvas, 1)  # above Cancel and the message
        self._viewer.dims.events.point.connect(self._on_slider_moved)
        self.fps.changed.connect(self._on_rate_typed)

    # ---- for subclasses ----

    def _create_rows(self) -> list[Widget]:
        """Create the fields, from top to bottom; those for axes and rate come after them."""
        raise NotImplementedError

    def _create_sections(self) -> list[CollapsibleSection]:
        """Create the sections with the fields that few users change, below the others."""
        return []

    def _create_buttons(self) -> list[Widget]:
        """Create the buttons, two a row; the one that copies the script comes last."""
        raise NotImplementedError

    def _on_slider_moved(self, event=None) -> None:
        """Act on the sliders of the viewer."""

    # ---- fields ----

    def _create_widgets(self) -> list[Widget]:
        self.axes = line_edit(
            "axes",
            "Axes",
            "One letter per axis of the data, in order: T (time), Z, C (channel), Y, X, S (RGB "
            "samples, last). Empty: the axes of the layer.",
        )
        self.fps = number(
            "fps",
            "Frames per second at which the movies were recorded, for all docks. 0: the rate of "
            "the layers.",
            label="Rate",
            suffix=" fps",
            text_for_low="as the layer says",
        )
        form = group([*self._create_rows(), self.axes, self.fps], labels=True, name="form")
        buttons = [*self._create_buttons(), self._create_script_button()]
        pairs = [group(buttons[k : k + 2], "horizontal") for k in range(0, len(buttons), 2)]
        self.cancel = button("cancel", "Cancel", "Stop the computation.", self._on_cancel_clicked)
        self.cancel.visible = False
        self.canvas = Canvas(self._viewer, self.figure_height)
        return [form, *self._create_sections(), *pairs, self.cancel]

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
        with self.fps.changed.blocked():
            self.fps.value = rate_typed_for(self._rated)

    def _on_rate_typed(self, fps: float) -> None:
        """Record the rate of the chosen movies, for all docks."""
        for layer in list(self._rated):
            record_rate(self._viewer, layer, fps)

    def _on_busy_changed(self, busy: bool) -> None:
        if not self._closed:
            self.cancel.visible = busy

    def _on_cancel_clicked(self) -> None:
        self._timer.stop()
        self._work.jobs.cancel()

    # ---- layers ----

    def _shapes(self, _=None) -> list[Shapes]:
        return [layer for layer in self._viewer.layers if isinstance(layer, Shapes)]

    def _marks(self, _=None) -> list[Layer]:
        return [layer for layer in self._viewer.layers if isinstance(layer, Shapes | Points)]

    def movie_of(self, layer) -> Movie:
        """Return the movie of a layer, with axes as in the field.

        Raises ValueError or TypeError if the layer is no movie, or its axes are unclear.
        """
        recipe = (layer.metadata.get("napari_motionmag") or {}).get("recipe") or {}
        axes = self.axes.value.strip() or recipe.get("axes")
        given = {"axes": axes} if axes and len(axes) == layer.ndim + bool(layer.rgb) else {}
        return Movie(**layer_arguments(layer, given))

    def _place_shown(self, layer, movie: Movie) -> tuple[int, tuple[int, ...]]:
        """Return the frame that is shown, and the index along axes such as Z and C."""
        return frame_shown(self._viewer, layer, movie.axes)

    def _on_layers_changed(self, event=None) -> None:
        by_program = self._updating
        with self.updating():
            super()._on_layers_changed(event)
        if not (self._closed or by_program):
            self._timer.start()

    def _on_layer_edited(self, event) -> None:
        if event.type == "metadata":
            self._show_rate()
        self._timer.start()

    def _on_close(self, *, viewer_closes: bool) -> None:
        super()._on_close(viewer_closes=viewer_closes)
        self._viewer.dims.events.point.disconnect(self._on_slider_moved)
        self.canvas.close_down()


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
