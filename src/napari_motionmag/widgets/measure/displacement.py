"""The dock widget "Displacement": how far regions move, with error bars, in one or more movies."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from magicgui.widgets import CheckBox, ComboBox, FloatSpinBox, PushButton, Select, SpinBox
from napari.layers import Image

from napari_motionmag.magnification.script import Call, FromLayer, source
from napari_motionmag.movie.movie import Movie
from napari_motionmag.views.displacement import displacement_trace
from napari_motionmag.views.figures.motion import draw_displacement
from napari_motionmag.views.figures.text import trace_in_words
from napari_motionmag.views.trace import DisplacementTrace
from napari_motionmag.widgets.common.dock import MeasuringWidget
from napari_motionmag.widgets.common.messages import EXPECTED
from napari_motionmag.widgets.common.motion_fields import may_be_narrow
from napari_motionmag.widgets.common.script_button import ScriptButton
from napari_motionmag.widgets.common.viewer import viewer_of
from napari_motionmag.widgets.measure.measure_fields import RegionFields
from napari_motionmag.widgets.measure.regions import Region, regions_of

REFERENCES = [("mean of all frames", "mean"), ("one frame", "frame")]
DIRECTIONS = [("largest motion", None), ("x (right)", 0.0), ("y (down)", math.pi / 2)]
CHANGED = "Press “Measure” for what is chosen now"


@dataclass(frozen=True)
class Task:
    """One region of one movie.

    Attributes
    ----------
    layer : napari.layers.Image
    movie : Movie
    region : Region
    at : dict
        Index along axes such as Z and C.
    """

    layer: Image
    movie: Movie
    region: Region
    at: dict

    @property
    def name(self) -> str:
        """What it is called in the figure."""
        return f"{self.layer.name}{self.region.label and f' ({self.region.label})'}"


class DisplacementWidget(MeasuringWidget):
    """Sub-pixel displacement of regions over time.

    Every field is an attribute, and calling the widget measures::

        widget.layers.value = [original, magnified]
        widget.marks.value = viewer.layers["Shapes"]
        traces = widget()

    Parameters
    ----------
    napari_viewer : napari.Viewer, optional
        The current one when None.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer = None):  # noqa: F821
        self._viewer = viewer_of(napari_viewer)
        self._region = RegionFields(self._marks)
        self._make_fields()
        rows = [
            self.layers,
            self.marks,
            self.side,
            self.reference,
            self.reference_frame,
            self.direction,
            self.reach,
            self.brightness,
        ]
        buttons = [self.measure, self.save, self.copy_script]
        self._traces: dict[str, DisplacementTrace] = {}
        self._tasks: list[Task] = []
        super().__init__(self._viewer, "displacement", rows, buttons, height=240)
        self._choose_active()
        for field in (*rows, self.axes, self.fps):
            if field is not self.direction:
                field.changed.connect(self._choice_changed)
        self.direction.changed.connect(self._show)
        self.measure.changed.connect(self.begin)
        self.save.changed.connect(self._choose_file)
        self._choice_changed()

    def __call__(self) -> list[DisplacementTrace]:
        """Measure, show and return the traces, movie by movie.

        Raises
        ------
        ValueError, TypeError
            When a movie or a region does not do.
        """
        tasks, found = self._chosen(), []
        for task in tasks:
            found.append(self._trace(task, task.region.value(task.movie), self._options(), None))
        self._take(tasks, found)
        return found

    def begin(self, _=None) -> None:
        """Measure in the background."""
        self._messages.afresh()
        self._timer.stop()
        try:
            tasks = self._chosen()
            values = [task.region.value(task.movie) for task in tasks]
        except EXPECTED as error:
            self._failed(error)
            return
        found: list[DisplacementTrace] = []
        options = self._options()

        def work(progress):
            before = 0
            for task, value in zip(tasks, values, strict=True):
                reached = [0]

                def told(done, total, before=before, reached=reached):
                    reached[0] = done
                    progress(before + done, total)

                found.append(self._trace(task, value, options, told))
                before += reached[0]

        done = self._when_done(lambda: self._take(tasks, found))
        movies = [task.movie for task in tasks]
        self._begin(work, done, "Measuring displacement", movies)

    def save_to(self, path: str | Path) -> list[Path]:
        """Write the traces as tables, ``.csv``; several get their names added.

        Parameters
        ----------
        path : path

        Returns
        -------
        list of Path
        """
        path = Path(path)
        if not self._traces:
            raise ValueError("There is no trace yet: press “Measure” first")
        if path.suffix.lower() != ".csv":
            raise ValueError(f"path must end in .csv; got {path.name!r}")
        written = []
        for number, (name, trace) in enumerate(self._traces.items(), 1):
            plain = "".join(c if c.isalnum() or c in " -_." else "_" for c in name)
            one = path.with_name(f"{path.stem} {number} {plain}{path.suffix}")
            written.append(trace.to_csv(path if len(self._traces) == 1 else one))
        self._messages.say("Saved " + ", ".join(one.name for one in written))
        return written

    def script(self) -> str:
        """Return Python source that measures the same.

        Raises
        ------
        ValueError, TypeError
            When no movie or region is chosen.
        """
        calls = []
        for task in self._chosen():
            said = self._options() | ({"at": task.at} if task.at else {})
            movie = FromLayer(task.layer, task.movie)
            region = task.region.written(task.movie)
            call = Call("napari_motionmag.views", "displacement_trace", movie, region, **said)
            calls.append(call.named("trace", f"{task.name}: dy, dx and their errors in px"))
        return source(*calls, title="Displacement of regions")

    # ---- fields ----

    def _make_fields(self) -> None:
        self.layers = Select(
            name="layers",
            label="Movies",
            choices=self._images,
            tooltip="Image layers with a time axis. Select several (Ctrl) to compare them.",
        )
        self.layers.native.setMaximumHeight(74)
        self.marks, self.side = self._region.marks, self._region.side
        self.reference = ComboBox(
            name="reference",
            label="Against",
            choices=REFERENCES,
            tooltip="What the displacement is measured against. The mean has less noise.",
        )
        self.reference_frame = SpinBox(
            name="reference_frame", label="Frame", min=0, max=0, tooltip="Number, from 0."
        )
        self.direction = ComboBox(
            name="direction",
            label="Along",
            choices=DIRECTIONS,
            tooltip="The direction that is drawn. Files have both.",
        )
        self.reach = FloatSpinBox(
            name="reach",
            label="Reach",
            min=0,
            max=1000,
            tooltip="Largest displacement to look for; 0: 10 px, or an eighth of a small frame.",
        )
        self.reach.native.setSuffix(" px")
        self.reach.native.setSpecialValueText("automatic")
        self.brightness = CheckBox(
            name="brightness",
            text="Allow for changes in brightness",
            value=False,
            tooltip="For bleaching and flicker: each frame gets a gain and an offset.",
        )
        self.measure = PushButton(
            name="measure", text="Measure", tooltip="Measure how the regions move."
        )
        self.save = PushButton(
            name="save",
            text="Save traces…",
            tooltip="CSV: times, displacement and errors in px and, where calibrated, µm.",
        )
        self.copy_script = ScriptButton(self.script)
        for box in (self.reference, self.direction):
            may_be_narrow(box.native)

    def _choose_active(self) -> None:
        active, images = self._viewer.layers.selection.active, self._images()
        first = active if active in images else (images[0] if images else None)
        self.layers.value = [] if first is None else [first]

    def _layers_changed(self, event=None) -> None:
        super()._layers_changed(event)
        if not self._closed and not self.layers.value and self._images():
            self._choose_active()

    def _choice_changed(self, _=None) -> None:
        if self._closed:
            return
        layers = [layer for layer in self.layers.value if layer in self._viewer.layers]
        self._show_axes(layers)
        self._region.show_what_applies()
        self.reference_frame.visible = self.reference.value == "frame"
        marks = self._region.chosen
        meaning = ("data", "scale", "units", "axis_labels")
        self._follow([*((layer, meaning) for layer in layers), (marks, ("data",))])
        self._timer.start()

    def _changed_for_good(self) -> None:
        if self._closed or self._runner.working:
            return
        try:
            tasks = self._chosen()
        except EXPECTED as error:
            self._messages.say(str(error))
            return
        self.reference_frame.max = max(task.movie.n_frames for task in tasks) - 1
        if not self._traces or not _same(tasks, self._tasks):
            self._messages.say(CHANGED)

    def _chosen(self) -> list[Task]:
        layers = [layer for layer in self.layers.value if layer in self._viewer.layers]
        if not layers:
            raise ValueError("Choose a movie: an Image layer with a time axis")
        tasks = []
        for layer in layers:
            movie = self.movie_of(layer)
            _, other = self.place_of(layer, movie)
            at = dict(zip(movie.other_axes, other, strict=True))
            for region in regions_of(self._region.chosen, layer, self.side.value):
                tasks.append(Task(layer, movie, region, at))
        return tasks

    def _options(self) -> dict:
        frame = self.reference_frame.value
        said: dict = {"reference": "mean" if self.reference.value == "mean" else frame}
        if self.reach.value > 0:
            said["reach"] = self.reach.value
        if self.brightness.value:
            said["brightness"] = True
        return said

    @staticmethod
    def _trace(task: Task, value, options: dict, progress) -> DisplacementTrace:
        try:
            at = task.at or None
            return displacement_trace(task.movie, value, at=at, progress=progress, **options)
        except ValueError as error:
            raise ValueError(f"{task.name}: {error}") from error

    # ---- what was measured ----

    def _take(self, tasks: list[Task], found: list[DisplacementTrace]) -> None:
        self._tasks, self._traces = tasks, {}
        for task, trace in zip(tasks, found, strict=True):
            name, number = task.name, 1
            while name in self._traces:
                number += 1
                name = f"{task.name} {number}"
            self._traces[name] = trace
        self._show()

    def directions(self) -> dict[str, float]:
        """Return the direction along which each trace is drawn, rad from x towards y.

        The largest motion of a region is that of the first movie, so that signs can be compared.
        """
        chosen, first, found = self.direction.value, {}, {}
        for task, (name, trace) in zip(self._tasks, self._traces.items(), strict=True):
            largest = first.setdefault(task.region.label, trace.direction)
            found[name] = largest if chosen is None else chosen
        return found

    def _show(self, _=None) -> None:
        if self._closed or not self._traces:
            return
        traces, directions = dict(self._traces), self.directions()
        self.canvas.draw(lambda figure: draw_displacement(figure, traces, directions))
        words = []
        for name, trace in traces.items():
            told = trace_in_words(trace, directions[name])
            words.append(f"{name}: {told}" if len(traces) > 1 else told[0].upper() + told[1:])
        self._messages.say_drawn("\n".join(words))

    def _choose_file(self, _=None) -> None:
        self._ask_and_save("trace.csv", "CSV (*.csv)")


def _same(tasks: list[Task], before: list[Task]) -> bool:
    """Whether the same regions of the same movies are meant."""

    def meant(task: Task) -> tuple:
        corners = None if task.region.corners is None else task.region.corners.round(6).tobytes()
        return task.layer, task.movie.fps, id(task.movie.data), corners, tuple(task.at.items())

    return [meant(task) for task in tasks] == [meant(task) for task in before]
