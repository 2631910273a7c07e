"""The dock widget "Slice view": a line through one or more movies, drawn over time."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from napari.layers import Image

from napari_motionmag.magnification.script import Call, FromLayer, source
from napari_motionmag.movie.movie import Movie
from napari_motionmag.views.figures.slices import SlicePicture, draw_slices
from napari_motionmag.views.figures.text import shown_unit
from napari_motionmag.views.progressive_slices import slice_passes
from napari_motionmag.views.shapes import drawn_lines, line_from_shapes
from napari_motionmag.views.slice_files import save_slice
from napari_motionmag.views.slices import slice_calibration
from napari_motionmag.widgets.common.dock import MeasuringWidget
from napari_motionmag.widgets.common.messages import EXPECTED
from napari_motionmag.widgets.common.script_button import ScriptButton
from napari_motionmag.widgets.common.viewer import viewer_of
from napari_motionmag.widgets.slices.cuts import (
    Cut,
    colours_of,
    cut_slices,
    frame_key,
    in_memory,
    limits_of,
)
from napari_motionmag.widgets.slices.fields import SliceFields
from napari_motionmag.widgets.slices.layers import add_line, open_slices

SCRIPT = "Put a Python script that cuts the same slices on the clipboard."
SAVE_AS = "TIFF (*.tif);;CSV (*.csv)"
REDRAW_SECONDS = 0.4  # between two looks at a slice in the making
_LOOK = ("contrast_limits", "colormap", "gamma")
_MEANING = ("data", "scale", "units", "axis_labels")


class SliceViewWidget(MeasuringWidget):
    """Slice views of one or more Image layers, live while the line is dragged.

    Every field is an attribute, and calling the widget returns the slices::

        widget.layers.value = [original, magnified]
        widget.along.value, widget.position.value = "x", 40
        views = widget()

    Parameters
    ----------
    napari_viewer : napari.Viewer, optional
        The current one when None.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer = None):  # noqa: F821
        self._viewer = viewer_of(napari_viewer)
        self._fields = fields = SliceFields(self._images, self._shapes)
        for name, field in vars(fields).items():
            setattr(self, name, field)
        self.copy_script = ScriptButton(self.script, SCRIPT)
        rows = [self.layers, self.along, self.position, self.lines, self.line_width, self.order]
        checks = [self.frame_beside, self.live, self.layer_units]
        buttons = [self.draw_line, self.as_layers, self.save, self.copy_script]
        self._views: dict = {}  # layer -> (cut, view)
        self._coarse: dict = {}  # the same, in the making
        self._frames: dict = {}  # layer -> (key, frame)
        self._cuts: list[Cut] = []
        self._drawn_at = 0.0
        super().__init__(self._viewer, "slice_view", [*rows, *checks], buttons, height=250)
        self._choose_active()
        for field in (*rows, *checks[:2], self.axes, self.fps):
            field.changed.connect(self._field_changed)
        self.draw_line.changed.connect(self.add_line)
        self.as_layers.changed.connect(lambda _: self.open_layers())
        self.save.changed.connect(self._choose_file)
        self._field_changed()

    def __call__(self) -> list[np.ndarray]:
        """Cut the slices and return them.

        Returns
        -------
        list of ndarray, each (T, L) or (T, L, 3)
            One for each of the chosen movies.

        Raises
        ------
        ValueError, TypeError
            When a movie or the line does not do.
        """
        cuts = [self._cut_of(layer) for layer in self._chosen()]
        self._timer.stop()
        for cut in cuts:
            for _, view in slice_passes(cut.movie, cut.line, **cut.options):
                self._views[cut.layer] = (cut, view)
            frame = cut.movie.read(cut.t, cut.at)
            self._frames[cut.layer] = (frame_key(cut), frame)
        self._coarse, self._cuts = {}, cuts
        self._draw()
        self._say_what()
        return [self._views[cut.layer][1] for cut in cuts]

    def add_line(self, _=None):
        """Add a Shapes layer with a line in the middle of the movie, ready to be dragged.

        Returns
        -------
        napari.layers.Shapes or None
            None when there is no movie.
        """
        try:
            layer = self._chosen()[0]
            movie = self.movie_of(layer)
        except EXPECTED as error:
            self._failed(error)
            return None
        shapes = add_line(self._viewer, layer, movie.frame_shape)
        self.lines.value, self.along.value = shapes, "line"
        return shapes

    def open_layers(self):
        """Open the slices as layers in a window of their own; return its viewer, or None."""
        pictures = self._pictures()
        if not pictures:
            self._failed(ValueError("There is no slice yet: choose a movie and a line first"))
            return None
        viewer = open_slices(
            [(cut.layer, picture, self._about(cut)) for cut, picture in pictures],
            self.layer_units.value,
        )
        units = " and ".join(shown_unit(f"{unit:~}") for unit in viewer.layers[0].units)
        self._messages.say(f"Opened {len(pictures)} slices in another window, in {units}")
        return viewer

    def save_to(self, path: str | Path) -> list[Path]:
        """Write the slices; several get the names of their layers added.

        Parameters
        ----------
        path : path
            ``.csv`` or ``.tif``, as for `napari_motionmag.views.save_slice`.

        Returns
        -------
        list of Path
        """
        path = Path(path)
        pictures = self._pictures()
        if not pictures:
            raise ValueError("There is no slice yet: choose a movie and a line first")
        written = []
        for number, (cut, picture) in enumerate(pictures, 1):
            name = "".join(c if c.isalnum() or c in " -_." else "_" for c in cut.layer.name)
            one = path.with_name(f"{path.stem} {number} {name}{path.suffix}")
            target = path if len(pictures) == 1 else one
            written.append(save_slice(target, picture.view, cut.movie, cut.line))
        self._messages.say("Saved " + ", ".join(one.name for one in written))
        return written

    def script(self) -> str:
        """Return Python source that cuts the same slices.

        Raises
        ------
        ValueError, TypeError
            When there is nothing to cut yet.
        """
        calls = []
        for layer in self._chosen():
            cut = self._cut_of(layer)
            said = cut.options
            line = np.round(cut.line, 3)
            movie = FromLayer(layer, cut.movie)
            call = Call("napari_motionmag.views", "slice_view", movie, line, **said)
            corners = "line: (y, x) in px; rows of the slice are frames"
            calls.append(call.named("view", f"{layer.name}; {corners}"))
        return source(*calls, title="Slices over time")

    # ---- what is to be cut ----

    def _chosen(self) -> list[Image]:
        chosen = [layer for layer in self.layers.value if layer in self._viewer.layers]
        if not chosen:
            raise ValueError("Choose a movie: an Image layer with a time axis")
        return chosen

    def _cut_of(self, layer) -> Cut:
        movie = self.movie_of(layer)
        t, at = self.place_of(layer, movie)
        return Cut(
            layer, movie, self._line(layer, movie), at, t, self.line_width.value, self.order.value
        )

    def _line(self, layer, movie: Movie) -> np.ndarray:
        height, width = movie.frame_shape[:2]
        here, along = self.position.value, self.along.value
        if along == "x":
            return np.array([(here, 0), (here, width - 1)], float)
        if along == "y":
            return np.array([(0, here), (height - 1, here)], float)
        shapes = self.lines.value
        if shapes is None or not drawn_lines(shapes):
            raise ValueError("There is no line yet: press “Draw a line”, or draw one in a Shapes "
                             "layer")  # fmt: skip
        return line_from_shapes(shapes, layer)

    def _choose_active(self) -> None:
        active = self._viewer.layers.selection.active
        images = self._images()
        first = active if active in images else (images[0] if images else None)
        self.layers.value = [] if first is None else [first]

    def _layers_changed(self, event=None) -> None:
        super()._layers_changed(event)
        if not self._closed and not self.layers.value and self._images():
            self._choose_active()

    def _field_changed(self, _=None) -> None:
        if self._closed:
            return
        along = self.along.value
        self.position.visible = along != "line"
        self.lines.visible = along == "line"
        self.position.label = "Column" if along == "y" else "Row"
        layers = [layer for layer in self.layers.value if layer in self._viewer.layers]
        self._show_axes(layers)
        if not self._filling:
            self._fit_position(layers)
        shapes = self.lines.value if along == "line" else None
        # set_data comes while a shape is dragged, data when it is let go
        follow = [(shapes, ("set_data", "data", "highlight"))]
        self._follow([(layer, _MEANING + _LOOK) for layer in layers] + follow)
        self._timer.start()

    def _fit_position(self, layers) -> None:
        sizes = []
        for layer in layers:
            try:
                sizes.append(self.movie_of(layer).frame_shape[self.along.value == "y"])
            except EXPECTED:
                continue  # said when it is cut
        if self.along.value == "line" or not sizes:
            return
        fresh = self.position.max == 0
        self._filling = True
        try:
            self.position.max = max(sizes) - 1
            if fresh:
                self.position.value = max(sizes) // 2
        finally:
            self._filling = False

    def _layer_moved(self, event=None) -> None:
        if isinstance(getattr(event, "source", None), Image) and event.type == "data":
            self._views.pop(event.source, None)
            self._frames.pop(event.source, None)
        super()._layer_moved(event)

    def _point_changed(self, _=None) -> None:
        self._timer.start()

    # ---- cutting ----

    def _changed_for_good(self) -> None:
        if self._closed or not self.live.value:
            return
        cuts, problem = [], None
        for layer in self.layers.value:
            if layer not in self._viewer.layers:
                continue
            try:
                cuts.append(self._cut_of(layer))
            except EXPECTED as error:
                problem = f"{layer.name}: {error}"
        if not cuts:
            self._runner.cancel()
            self._cuts = []
            self.canvas.draw(None)
            self._messages.say(problem or "Choose a movie: an Image layer with a time axis")
            return
        self._request(cuts, problem)

    def _request(self, cuts: list[Cut], problem: str | None) -> None:
        kept = {cut.layer for cut in cuts}
        self._views = {layer: found for layer, found in self._views.items() if layer in kept}
        self._frames = {layer: found for layer, found in self._frames.items() if layer in kept}
        views, frames = {}, {}
        wanted = [cut for cut in cuts if not self._has(cut)]
        framed = [cut for cut in cuts if self.frame_beside.value and not self._has_frame(cut)]
        if not wanted and not framed:
            self._runner.cancel()
            self._take(cuts, views, frames)
            self._say_what(problem)
            return

        def done(error, cancelled):
            if error is not None:
                self._cuts, self._coarse = [], {}
                self.canvas.draw(None)
                self._messages.all_well()
                self._failed(error)
                return
            if not cancelled:
                self._take(cuts, views, frames)
                self._say_what(problem)
                return
            self._messages.say("Cancelled; what is shown is coarse. Any change begins again")

        def stepped(step, total):
            if time.monotonic() - self._drawn_at > REDRAW_SECONDS and views:
                self._messages.say(f"{step} of {total} frames; coarse so far")
                self._take(cuts, views, frames, whole=False)

        self._runner.request(
            lambda progress: cut_slices(wanted, framed, views, frames, progress),
            done,
            stepped,
            title="Cutting slices",
            quick=all(in_memory(cut) for cut in [*wanted, *framed]),
        )

    def _has(self, cut: Cut) -> bool:
        found = self._views.get(cut.layer)
        return found is not None and found[0].key == cut.key

    def _has_frame(self, cut: Cut) -> bool:
        found = self._frames.get(cut.layer)
        return found is not None and found[0] == frame_key(cut)

    def _take(self, cuts, views: dict, frames: dict, *, whole: bool = True) -> None:
        """Show what was cut so far; keep it when it is whole."""
        found = {cut.layer: (cut, views[cut.layer]) for cut in cuts if cut.layer in views}
        if whole:
            self._views |= found
            self._frames |= {
                cut.layer: (frame_key(cut), frames[cut.layer])
                for cut in cuts
                if cut.layer in frames
            }
        self._coarse = {} if whole else {layer: (c, v.copy()) for layer, (c, v) in found.items()}
        self._cuts = [cut for cut in cuts if cut.layer in self._coarse or self._has(cut)]
        self._draw()
        self._drawn_at = time.monotonic()

    def _about(self, cut: Cut) -> dict:
        about = {"source": cut.layer.name, "line": cut.line.tolist(), **cut.options}
        return {"napari_motionmag_slice": about}

    def _pictures(self) -> list[tuple[Cut, SlicePicture]]:
        there = [cut for cut in self._cuts if cut.layer in self._coarse or cut.layer in self._views]
        return [(cut, self._picture(cut)) for cut in there]

    def _picture(self, cut: Cut) -> SlicePicture:
        _, view = self._coarse.get(cut.layer) or self._views[cut.layer]
        frame = self._frames.get(cut.layer) if self.frame_beside.value else None
        return SlicePicture(
            name=cut.layer.name,
            view=view,
            line=cut.line,
            calibration=slice_calibration(cut.movie, cut.line),
            limits=limits_of(cut.layer),
            frame=None if frame is None else frame[1],
            colours=colours_of(cut.layer),
        )

    def _draw(self) -> None:
        found = self._pictures()
        pictures = [picture for _, picture in found]
        times = {cut.t * picture.calibration["interval"] for cut, picture in found}
        now = times.pop() if len(times) == 1 else None
        self.canvas.draw(lambda figure: draw_slices(figure, pictures, now=now))

    def _say_what(self, problem: str | None = None) -> None:
        self._messages.all_well()
        if not self._cuts:
            return
        cut = self._cuts[-1]
        made = slice_calibration(cut.movie, cut.line)
        length = f"{made['positions'][-1]:.4g} {'µm' if made['length_unit'] == 'um' else 'px'}"
        if made["length_unit"] not in ("um", "px"):
            length = f"{made['positions'][-1]:.4g} {made['length_unit']}"
        span = cut.movie.n_frames * made["interval"]
        unit = "frames (rate unknown)" if made["time_unit"] == "frame" else made["time_unit"]
        text = f"Line of {length} over {span:.4g} {unit}"
        if np.isnan(self._views[cut.layer][1]).any():
            text += "; blank where the line leaves the frame"
        self._messages.say(f"{text}. {problem}" if problem else text)

    def _choose_file(self, _=None) -> None:
        if not self._pictures():
            self._failed(ValueError("There is no slice yet: choose a movie and a line first"))
            return
        self._ask_and_save("slice.tif", SAVE_AS)
