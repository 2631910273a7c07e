"""The dock widget "Displacement": how far regions move, with error bars, in one or more movies."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

from magicgui.widgets import Widget
from napari.layers import Image

from napari_motionmag.magnification.script import source
from napari_motionmag.views.figures.motion import draw_displacement
from napari_motionmag.views.figures.text import trace_in_words
from napari_motionmag.views.trace import DisplacementTrace
from napari_motionmag.widgets.common.form import (
    button,
    checkbox,
    choice,
    integer,
    movie_list,
    number,
)
from napari_motionmag.widgets.common.measurement_dock import paths_for
from napari_motionmag.widgets.measure.region_dock import RegionDock
from napari_motionmag.widgets.measure.regions import RegionRequest

REFERENCES = [("mean of all frames", "mean"), ("one frame", "frame")]
DIRECTIONS = [("largest motion", None), ("x (right)", 0.0), ("y (down)", math.pi / 2)]


class DisplacementWidget(RegionDock):
    """Sub-pixel displacement of regions over time.

    Every field is an attribute, and calling the widget measures and returns the traces, movie by
    movie::

        widget.layers.value = [original, magnified]
        widget.marks.value = viewer.layers["Shapes"]
        traces = widget()
    """

    dock_name = "displacement"
    figure_height = 240

    def __init__(self, napari_viewer: napari.viewer.Viewer = None):  # noqa: F821
        self._traces: dict[str, DisplacementTrace] = {}
        super().__init__(napari_viewer)
        self.direction.changed.connect(self._draw)

    def save_to(self, path: str | Path) -> list[Path]:
        """Write the traces as tables, ``.csv``; several get their names added."""
        if not self._traces:
            raise ValueError("There is no trace yet: press “Measure” first")
        if Path(path).suffix.lower() != ".csv":
            raise ValueError(f"path must end in .csv; got {Path(path).name!r}")
        paths = paths_for(path, list(self._traces))
        for trace, one in zip(self._traces.values(), paths, strict=True):
            trace.to_csv(one)
        self._messages.say("Saved " + ", ".join(one.name for one in paths))
        return paths

    def script(self) -> str:
        """Return Python source that measures the same."""
        calls = [request.call(**self._options()) for request in self._chosen_requests()]
        return source(*calls, title="Displacement of regions")

    def directions(self) -> dict[str, float]:
        """Return the direction along which each trace is drawn, rad from x towards y.

        The largest motion of a region is that of the first movie, so that signs can be compared.
        """
        chosen, largest, directions = self.direction.value, {}, {}
        for request, (name, trace) in zip(self._requests, self._traces.items(), strict=True):
            first = largest.setdefault(request.region.label, trace.direction)
            directions[name] = first if chosen is None else chosen
        return directions

    # ---- fields ----

    def _create_rows(self) -> list[Widget]:
        self.layers = movie_list(self._movies)
        region_rows = self._create_region_fields()
        self.reference = choice(
            "reference",
            "Against",
            REFERENCES,
            "What the displacement is measured against. The mean has less noise.",
        )
        self.reference_frame = integer(
            "reference_frame", "Frame", 0, 0, "Number of the frame, from 0."
        )
        self.direction = choice(
            "direction",
            "Along",
            DIRECTIONS,
            "The direction that is drawn. Saved files have both components.",
        )
        self.reach = number(
            "reach",
            "Largest displacement to look for; 0: 10 px, or an eighth of a small frame.",
            label="Reach",
            high=1000,
            decimals=2,
            suffix=" px",
            text_for_low="automatic",
        )
        self.brightness = checkbox(
            "brightness",
            "Allow for changes in brightness",
            "For bleaching and flicker: each frame gets a gain and an offset.",
        )
        reference = [self.reference, self.reference_frame, self.direction]
        return [self.layers, *region_rows, *reference, self.reach, self.brightness]

    def _create_buttons(self) -> list[Widget]:
        save = button(
            "save",
            "Save traces…",
            "CSV: times, displacement and errors in px and, if calibrated, µm.",
            lambda: self._save_as("Save the traces", "trace.csv", "CSV (*.csv)"),
        )
        return [self._create_measure_button(), save]

    def _measured_fields(self) -> list[Widget]:
        return [self.layers, self.reference, self.reference_frame, self.reach, self.brightness]

    def _chosen_layers(self) -> list[Image]:
        return list(self.layers.value)

    def _choose_active(self) -> None:
        self._choose_active_movies(self.layers)

    def _on_layers_changed(self, event=None) -> None:
        super()._on_layers_changed(event)
        if not self._closed and not self.layers.value:
            self._choose_active()

    def _on_choice_changed(self, _=None) -> None:
        super()._on_choice_changed()
        self.reference_frame.visible = self.reference.value == "frame"

    def _on_requests_changed(self, requests: list[RegionRequest]) -> None:
        self.reference_frame.max = max(request.movie.n_frames for request in requests) - 1

    # ---- measuring ----

    def _options(self) -> dict:
        frame = self.reference_frame.value
        options: dict = {"reference": "mean" if self.reference.value == "mean" else frame}
        if self.reach.value > 0:
            options["reach"] = self.reach.value
        if self.brightness.value:
            options["brightness"] = True
        return options

    def _measurement(self) -> Callable:
        options = self._options()
        return lambda request, progress: request.trace(progress, **options)

    def _title(self, layers) -> str:
        return "Measuring displacement"

    def _show_results(self, results: list[DisplacementTrace]) -> None:
        self._traces = {}
        for request, trace in zip(self._requests, results, strict=True):
            name, number = request.name, 1
            while name in self._traces:
                number += 1
                name = f"{request.name} {number}"
            self._traces[name] = trace
        self._draw()

    def _draw(self, _=None) -> None:
        if self._closed or not self._traces:
            return
        traces, directions = dict(self._traces), self.directions()
        self.canvas.draw(partial(draw_displacement, traces=traces, directions=directions))
        lines = []
        for name, trace in traces.items():
            text = trace_in_words(trace, directions[name])
            lines.append(f"{name}: {text}" if len(traces) > 1 else text[0].upper() + text[1:])
        self._messages.say_result("\n".join(lines))
