"""The dock widget "Displacement": how far regions move, with error bars, in one or more movies."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from magicgui.widgets import Widget
from napari.layers import Image

from napari_motionmag.magnification.script import Call, source
from napari_motionmag.views.coherences import coherence
from napari_motionmag.views.figures.motion import draw_displacement
from napari_motionmag.views.figures.orbits import draw_coherence, draw_orbit
from napari_motionmag.views.figures.text import (
    coherence_in_words,
    orbit_in_words,
    trace_in_words,
)
from napari_motionmag.views.orbits import orbit
from napari_motionmag.views.trace import QUANTITIES, DisplacementTrace
from napari_motionmag.widgets.common.form import (
    button,
    checkbox,
    choice,
    integer,
    movie_list,
    number,
)
from napari_motionmag.widgets.common.measurement_dock import paths_for
from napari_motionmag.widgets.common.next_steps import compare_button, movie_behind
from napari_motionmag.widgets.measure.region_dock import RegionDock
from napari_motionmag.widgets.measure.regions import RegionRequest

REFERENCES = [("mean of all frames", "mean"), ("one frame", "frame")]
SHOWN = [
    ("Displacement", "displacement"),
    ("Velocity", "velocity"),
    ("Acceleration", "acceleration"),
    ("Orbit: the path in the picture", "orbit"),
    ("Coherence of two regions", "coherence"),
]
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
        for field in (self.direction, self.shown, self.frames, self.segments):
            field.changed.connect(self._draw)
        self.shown.changed.connect(self._show_what_applies)
        self._show_what_applies()

    def save_to(self, path: str | Path) -> list[Path]:
        """Write the traces as tables, ``.csv``; several get their names added."""
        if not self._traces:
            raise ValueError("There is no trace yet: press “Measure” first")
        if Path(path).suffix.lower() != ".csv":
            raise ValueError(f"path must end in .csv; got {Path(path).name!r}")
        paths = paths_for(path, list(self._traces))
        derivatives = self.frames.value if self.shown.value in QUANTITIES[1:] else None
        for trace, one in zip(self._traces.values(), paths, strict=True):
            trace.to_csv(one, derivatives)
        self._messages.say("Saved " + ", ".join(one.name for one in paths))
        return paths

    def script(self) -> str:
        """Return Python source that measures the same."""
        calls = [request.call(**self._options()) for request in self._chosen_requests()]
        shown, views = self.shown.value, "napari_motionmag.views"
        if shown in QUANTITIES[1:]:
            order = QUANTITIES.index(shown)
            calls = [
                Call(call, "derivative", order, self.frames.value).named(
                    shown, f"{shown} (y, x) and its covariance"
                )
                for call in calls
            ]
        elif shown == "orbit":
            calls = [Call(views, "orbit", call).named("path", "half-axes in px") for call in calls]
        elif shown == "coherence":
            call = Call(views, "coherence", *_pair(calls), **self._coherence_options())
            calls = [call.named("found")]
        return source(*calls, title="Displacement of regions")

    def _coherence_options(self) -> dict[str, Any]:
        chosen = self.direction.value
        directions = {} if chosen is None else {"directions": (chosen, chosen)}
        return {"segments": self.segments.value, **directions}

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
        self.shown = choice(
            "shown",
            "Show",
            SHOWN,
            "What is drawn. Coherence: how far the first two regions move together, and which is "
            "ahead.",
        )
        self.frames = integer(
            "frames",
            "From frames",
            5,
            99,
            "Number of frames from which velocity or acceleration is taken. More of them lessen "
            "the noise, and fast motion.",
            value=5,
            step=2,
        )
        self.segments = integer(
            "segments",
            "Segments",
            2,
            99,
            "Parts of the record whose spectra are averaged. More of them make the coherence "
            "surer, fewer the frequencies finer.",
            value=8,
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
        shown = [self.shown, self.frames, self.segments]
        return [self.layers, *region_rows, *reference, *shown, self.reach, self.brightness]

    def _create_buttons(self) -> list[Widget]:
        save = button(
            "save",
            "Save traces…",
            "CSV: times, displacement and errors in px and, if calibrated, µm.",
            lambda: self.save_as("Save the traces", "trace.csv", "CSV (*.csv)"),
        )
        compare = compare_button(
            self._viewer, lambda: movie_behind(self._viewer, self.layers.value)
        )
        return [self._create_measure_button(), save, compare]

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
        traces, directions, shown = dict(self._traces), self.directions(), self.shown.value
        try:
            if shown == "coherence":
                names = _pair(list(traces))
                found = coherence(*(traces[name] for name in names), **self._coherence_options())
                unit = traces[names[0]].frequency_unit
                self.canvas.draw(partial(draw_coherence, found=found, unit=unit))
                self._messages.say_result(coherence_in_words(found, names[1], unit))
                return
            if shown == "orbit":
                orbits = {name: orbit(trace) for name, trace in traces.items()}
                self.canvas.draw(partial(draw_orbit, traces=traces, orbits=orbits))
                texts = {
                    name: orbit_in_words(path, traces[name].frequency_unit)
                    for name, path in orbits.items()
                }
            else:
                options = {"quantity": shown, "window": self.frames.value}
                for trace in traces.values():
                    trace.along(None, **options)  # refuses what is not allowed
                self.canvas.draw(
                    partial(draw_displacement, traces=traces, directions=directions, **options)
                )
                texts = {n: trace_in_words(trace, directions[n]) for n, trace in traces.items()}
        except ValueError as error:
            self.canvas.draw(None)
            self._messages.say(str(error))
            return
        lines = [
            f"{name}: {text}" if len(texts) > 1 else text[0].upper() + text[1:]
            for name, text in texts.items()
        ]
        self._messages.say_result("\n".join(lines))

    def _show_what_applies(self, _=None) -> None:
        """Show the fields that what is shown uses."""
        self.frames.visible = self.shown.value in QUANTITIES[1:]
        self.segments.visible = self.shown.value == "coherence"
        self.direction.visible = self.shown.value != "orbit"


def _pair(items: list) -> list:
    """Return the first two; ValueError if there is only one."""
    if len(items) < 2:
        raise ValueError("Coherence needs two regions, or two movies: draw another region")
    return items[:2]
