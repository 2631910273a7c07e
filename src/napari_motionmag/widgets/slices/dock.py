"""The dock widget "Slice view": a line through one or more movies, drawn over time."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
from magicgui.widgets import Widget
from napari.layers import Image

from napari_motionmag.magnification.recipe import arguments as recipe_arguments
from napari_motionmag.magnification.recipe import is_magnified, recipe_of
from napari_motionmag.magnification.script import Call, FromLayer, source
from napari_motionmag.movie.movie import Movie
from napari_motionmag.views.estimators.lines import line_across_motion
from napari_motionmag.views.figures.slices import SlicePicture, draw_slices
from napari_motionmag.views.figures.text import shown_unit
from napari_motionmag.views.progressive_slices import slice_passes
from napari_motionmag.views.shapes import drawn_lines, line_from_shapes
from napari_motionmag.views.slice_files import save_slice
from napari_motionmag.widgets.common.dock import MOVIE_EVENTS, reports_errors
from napari_motionmag.widgets.common.form import (
    CollapsibleSection,
    button,
    checkbox,
    choice,
    integer,
    movie_list,
)
from napari_motionmag.widgets.common.layer_movie import open_source
from napari_motionmag.widgets.common.measurement_dock import (
    CHOOSE_MOVIE,
    MeasurementDock,
    paths_for,
)
from napari_motionmag.widgets.common.messages import EXPECTED
from napari_motionmag.widgets.common.next_steps import (
    compare_button,
    displacement_button,
    movie_behind,
)
from napari_motionmag.widgets.compare.grid import canvas_of
from napari_motionmag.widgets.slices.cuts import Cut, KeptSlices, cut_in_turns
from napari_motionmag.widgets.slices.layers import add_line, open_slices

ALONG = [
    ("x, at a row (x-t)", "x"),
    ("y, at a column (y-t)", "y"),
    ("a line that is drawn", "line"),
]
LAYER_UNITS = [
    ("s and µm, or ms, min…", "fit"),
    ("s and µm", "s"),
    ("frames and px (squares)", "px"),
]
ORDERS = [("nearest pixel", 0), ("linear", 1), ("cubic", 3)]
SAVE_AS = "TIFF (*.tif);;CSV (*.csv)"
NO_SLICE = "There is no slice yet: choose a movie and a line first"
NO_LINE = "There is no line yet: press “Draw a line”, or draw one in a Shapes layer"
REDRAW_SECONDS = 0.4  # between two drawings of an unfinished slice
_LOOK_EVENTS = ("contrast_limits", "colormap", "gamma")


class SliceViewWidget(MeasurementDock):
    """Slice views of one or more Image layers, live while the line is dragged.

    Every field is an attribute, and calling the widget returns the slices::

        widget.layers.value = [original, magnified]
        widget.along.value, widget.position.value = "x", 40
        views = widget()
    """

    dock_name = "slice_view"
    script_tooltip = "Copy a Python script that cuts the same slices to the clipboard."

    def __init__(self, napari_viewer: napari.viewer.Viewer = None):  # noqa: F821
        self._kept = KeptSlices()
        self._shown: list[tuple[Cut, np.ndarray]] = []  # the slices that are drawn, maybe coarse
        self._drawn_at = 0.0
        super().__init__(napari_viewer)
        self._choose_movie_and_results()
        self._watch(self._shapes, lambda shapes: len(drawn_lines(shapes)), self._on_line_drawn)
        line = [self.along, self.position, self.lines, self.line_width, self.order]
        for field in (self.layers, *line, self.frame_beside, self.live, self.axes, self.fps):
            field.changed.connect(self._on_field_changed)
        self._on_field_changed()

    def __call__(self) -> list[np.ndarray]:
        """Cut the slices and return them, one (T, L) or (T, L, 3) for each of the movies."""
        cuts = [self._cut_of(layer) for layer in self._chosen_layers()]
        self._timer.stop()
        for cut in cuts:
            for _, view in slice_passes(cut.movie, cut.line, **cut.options):
                self._kept.put(cut, view)
            self._kept.put(cut, frame=cut.movie.read(cut.t, cut.at))
        self._shown = [(cut, self._kept.view(cut)) for cut in cuts]
        self._draw()
        self._describe()
        return [view for _, view in self._shown]

    @reports_errors
    def add_line(self):
        """Add and return a Shapes layer with a line across the motion, ready to be dragged.

        It lies across the middle of the frame if no motion stands out.
        """
        layer = self._chosen_layers()[0]
        source = open_source(self._viewer, layer) or layer  # quicker to read than a result
        movie = self.movie_of(source)
        _, at = self._place_shown(source, movie)
        ends = line_across_motion(movie, at, self._band(movie))
        # is chosen as any drawn line is
        return add_line(self._viewer, source, movie.frame_shape, ends)

    @reports_errors
    def open_layers(self):
        """Open the slices as layers in a window of their own; return its viewer, or None."""
        pictures = self._some_pictures()
        viewer = open_slices(
            [(cut.layer, picture, _metadata(cut)) for cut, picture in pictures],
            self.layer_units.value,
        )
        units = " and ".join(shown_unit(f"{unit:~}") for unit in viewer.layers[0].units)
        self._messages.say(f"Opened {len(pictures)} slices in another window, in {units}")
        return viewer

    def save_to(self, path: str | Path) -> list[Path]:
        """Write the slices as ``.csv`` or ``.tif``; several get the names of their layers added."""
        pictures = self._some_pictures()
        paths = paths_for(path, [cut.layer.name for cut, _ in pictures])
        written = [
            save_slice(one, picture.view, cut.movie, cut.line)
            for one, (cut, picture) in zip(paths, pictures, strict=True)
        ]
        self._messages.say("Saved " + ", ".join(one.name for one in written))
        return written

    def script(self) -> str:
        """Return Python source that cuts the same slices."""
        calls = []
        for cut in map(self._cut_of, self._chosen_layers()):
            movie, line = FromLayer(cut.layer, cut.movie), np.round(cut.line, 3)
            call = Call("napari_motionmag.views", "slice_view", movie, line, **cut.options)
            corners = "line: (y, x) in px; rows of the slice are frames"
            calls.append(call.named("view", f"{cut.layer.name}; {corners}"))
        return source(*calls, title="Slices over time")

    # ---- fields ----

    def _create_rows(self) -> list[Widget]:
        self.layers = movie_list(self._movies)
        self.along = choice("along", "Along", ALONG, "The line that is cut.")
        self.position = integer("position", "Row", 0, 0, "Row or column of the frame, px.")
        self.lines = choice(
            "lines",
            "Drawn in",
            self._shapes,
            "Shapes layer; the line or path that is selected in it, or else the last.",
            nullable=False,
        )
        self.line_width = integer(
            "line_width",
            "Width (px)",
            1,
            1000,
            "The slice is the mean over this many pixels across the line: less noise.",
        )
        tooltip = "Interpolation between pixels."
        self.order = choice("order", "Between px", ORDERS, tooltip, value=1)
        self.frame_beside = checkbox(
            "frame_beside",
            "Frame and line beside the slice",
            "Show the part of the frame around the line, as figures in papers do.",
        )
        self.live = checkbox(
            "live",
            "Live: follow line, layers and fields",
            "Cut again after each change. Frames of magnified layers have to be computed: a coarse "
            "slice comes first.",
            value=True,
        )
        self.layer_units = choice(
            "layer_units",
            "Layers in",
            LAYER_UNITS,
            "Units of the slices that are opened as layers. In napari a second is as long as a µm: "
            "where that makes a slice a mere stripe, ms or min may fit.",
        )
        line = [self.along, self.position, self.lines, self.line_width]
        return [self.layers, *line, self.frame_beside, self.live]

    def _create_sections(self) -> list[CollapsibleSection]:
        tooltip = "Interpolation between pixels, and units of slices that are opened as layers."
        fields = [self.order, self.layer_units]
        return [CollapsibleSection("Details", fields, name="more", tooltip=tooltip)]

    def _create_buttons(self) -> list[Widget]:
        draw_line = button(
            "draw_line",
            "Draw a line",
            "Add a Shapes layer with a line across the motion; drag its ends, or add corners to a "
            "path.",
            self.add_line,
        )
        as_layers = button(
            "as_layers",
            "Open as layers",
            "Open the slices in a second napari window: time down, position to the right.",
            self.open_layers,
        )
        save = button(
            "save",
            "Save slices…",
            "CSV with times and positions, or TIFF that ImageJ opens with its calibration. Figures "
            "are saved by the button below them.",
            self._on_save_clicked,
        )
        steps = [
            kind(self._viewer, lambda: movie_behind(self._viewer, self.layers.value))
            for kind in (displacement_button, compare_button)
        ]
        return [draw_line, as_layers, save, *steps]

    # ---- what to cut ----

    def _band(self, movie: Movie) -> tuple[float, float] | None:
        """Return the band of the last of the chosen results, None if it has none."""
        chosen = [layer for layer in self._chosen_layers() if is_magnified(layer)]
        with suppress(*EXPECTED):  # a damaged recipe, which is reported where it is used
            band = recipe_arguments(recipe_of(chosen[-1])).get("band") if chosen else None
            return tuple(band) if band and movie.fps else None
        return None

    def _chosen_layers(self) -> list[Image]:
        chosen = self._open_layers(self.layers.value)
        if not chosen:
            raise ValueError(CHOOSE_MOVIE)
        return chosen

    def _cut_of(self, layer) -> Cut:
        movie = self.movie_of(layer)
        t, at = self._place_shown(layer, movie)
        line = self._line(layer, movie)
        return Cut(layer, movie, line, at, t, self.line_width.value, self.order.value)

    def _line(self, layer, movie: Movie) -> np.ndarray:
        height, width = movie.frame_shape[:2]
        here, along = self.position.value, self.along.value
        if along == "x":
            return np.array([(here, 0), (here, width - 1)], float)
        if along == "y":
            return np.array([(0, here), (height - 1, here)], float)
        shapes = self.lines.value
        if shapes is None or not drawn_lines(shapes):
            raise ValueError(NO_LINE)
        return line_from_shapes(shapes, layer)

    def _on_layers_changed(self, event=None) -> None:
        super()._on_layers_changed(event)
        if self._closed:
            return
        chosen, added = self.layers.value, getattr(event, "value", None)
        if not chosen:
            self._choose_movie_and_results()
            return
        comparing = canvas_of(self._viewer).grid.enabled
        is_new = event is not None and event.type == "inserted" and not comparing
        if is_new and self._is_made_of(added, chosen):
            self.layers.value = [*chosen, added]

    def _is_made_of(self, layer, movies) -> bool:
        """Whether a layer is the magnification of one of the movies."""
        return is_magnified(layer) and open_source(self._viewer, layer) in movies

    def _choose_movie_and_results(self) -> None:
        """Choose the active movie, or the one that it was made of, and all that is made of it."""
        self._choose_active_movies(self.layers)
        chosen = self.layers.value[:1]
        if not chosen:
            return
        movie = (is_magnified(chosen[0]) and open_source(self._viewer, chosen[0])) or chosen[0]
        self.layers.value = [
            layer for layer in self._movies() if layer is movie or self._is_made_of(layer, [movie])
        ]

    def _on_line_drawn(self, shapes) -> None:
        if not self._closed:
            self.lines.reset_choices()
            self.lines.value, self.along.value = shapes, "line"

    def _on_field_changed(self, _=None) -> None:
        if self._closed:
            return
        along = self.along.value
        self.position.visible = along != "line"
        self.lines.visible = along == "line"
        self.position.label = "Column" if along == "y" else "Row"
        layers = self._open_layers(self.layers.value)
        self._describe_movies(layers)
        if not self._updating:
            self._fit_position(layers)
        shapes = self.lines.value if along == "line" else None
        # set_data comes while a shape is dragged, data when it is let go
        follow = [(shapes, ("set_data", "data", "highlight"))]
        self._follow([(layer, MOVIE_EVENTS + _LOOK_EVENTS) for layer in layers] + follow)
        self._timer.start()

    def _fit_position(self, layers) -> None:
        """Let the position reach to the edge of the largest frame."""
        sizes = []
        for layer in layers:
            try:
                sizes.append(self.movie_of(layer).frame_shape[self.along.value == "y"])
            except EXPECTED:
                continue  # reported when it is cut
        if self.along.value == "line" or not sizes:
            return
        is_new = self.position.max == 0
        with self.updating():
            self.position.max = max(sizes) - 1
            if is_new:
                self.position.value = max(sizes) // 2

    def _on_layer_edited(self, event) -> None:
        if isinstance(event.source, Image) and event.type == "data":
            self._kept.forget(event.source)
        super()._on_layer_edited(event)

    def _on_slider_moved(self, event=None) -> None:
        self._timer.start()

    # ---- cutting ----

    def _refresh(self) -> None:
        if not self.live.value:
            return
        cuts, problem = [], None
        for layer in self._open_layers(self.layers.value):
            try:
                cuts.append(self._cut_of(layer))
            except EXPECTED as error:
                problem = f"{layer.name}: {error}"
        if cuts:
            self._cut(cuts, problem)
            return
        self._work.jobs.cancel()
        self._shown = []
        self.canvas.draw(None)
        self._messages.say(problem or CHOOSE_MOVIE)

    def _cut(self, cuts: list[Cut], problem: str | None) -> None:
        """Cut in the background what is not there yet, then draw."""
        self._kept.keep_only({cut.layer for cut in cuts})
        views, frames = {}, {}
        wanted = [cut for cut in cuts if self._kept.view(cut) is None]
        framed = [cut for cut in cuts if self.frame_beside.value and not self._kept.has_frame(cut)]
        if not wanted and not framed:
            self._work.jobs.cancel()
            self._show_slices(cuts, views, frames)
            self._describe(problem)
            return

        def done(error, cancelled):
            if error is not None:
                self._shown = []
                self.canvas.draw(None)
                self._messages.report(error, again=True)
            elif cancelled:
                self._messages.say("Cancelled; what is shown is coarse. Any change begins again")
            else:
                self._show_slices(cuts, views, frames)
                self._describe(problem)

        def stepped(step, total):
            if time.monotonic() - self._drawn_at > REDRAW_SECONDS and views:
                self._messages.say(f"{step} of {total} frames; coarse so far")
                self._show_slices(cuts, views, frames, finished=False)

        self._work.jobs.request(
            lambda progress: cut_in_turns(wanted, framed, views, frames, progress),
            done,
            stepped,
            title="" if all(cut.is_quick for cut in [*wanted, *framed]) else "Cutting slices",
        )

    def _show_slices(self, cuts, views: dict, frames: dict, *, finished: bool = True) -> None:
        """Draw what was cut so far; keep it if it is finished."""
        self._shown = []
        for cut in cuts:
            if finished:
                self._kept.put(cut, views.get(cut.layer), frames.get(cut.layer))
            if (view := self._kept.view(cut)) is not None:
                self._shown.append((cut, view))
            elif cut.layer in views:
                self._shown.append((cut, views[cut.layer].copy()))
        self._draw()
        self._drawn_at = time.monotonic()

    # ---- drawing ----

    def _pictures(self) -> list[tuple[Cut, SlicePicture]]:
        beside = self.frame_beside.value
        return [
            (cut, cut.picture(view, self._kept.last_frame(cut.layer) if beside else None))
            for cut, view in self._shown
        ]

    def _some_pictures(self) -> list[tuple[Cut, SlicePicture]]:
        if pictures := self._pictures():
            return pictures
        raise ValueError(NO_SLICE)

    def _draw(self) -> None:
        found = self._pictures()
        times = {cut.t * picture.calibration["interval"] for cut, picture in found}
        now = times.pop() if len(times) == 1 else None
        pictures = [picture for _, picture in found]
        self.canvas.draw(partial(draw_slices, pictures=pictures, now=now))

    def _describe(self, problem: str | None = None) -> None:
        self._messages.forget_error()
        if not self._shown:
            return
        cut, view = self._shown[-1]
        text = cut.described(view)
        self._messages.say(f"{text}. {problem}" if problem else text)

    @reports_errors
    def _on_save_clicked(self) -> None:
        self._some_pictures()
        self.save_as("Save the slices", "slice.tif", SAVE_AS)


def _metadata(cut: Cut) -> dict:
    about = {"source": cut.layer.name, "line": cut.line.tolist(), **cut.options}
    return {"napari_motionmag_slice": about}
