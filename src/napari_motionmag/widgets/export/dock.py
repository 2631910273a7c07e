"""The dock widget "Export movie": movies side by side, as files to show."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from magicgui.widgets import Widget
from napari.layers import Image, Shapes

from napari_motionmag.compute.validate import rounded
from napari_motionmag.export.composition import BACKGROUNDS, INTERPOLATIONS, Composition
from napari_motionmag.export.encoders import ENCODERS
from napari_motionmag.export.film import Film
from napari_motionmag.export.lettering import speed_text
from napari_motionmag.export.movie_file import check_export, export_movie
from napari_motionmag.export.panels import Panel
from napari_motionmag.export.report import check_report, write_report
from napari_motionmag.magnification.recipe import is_magnified
from napari_motionmag.magnification.script import Call, FromLayer, source
from napari_motionmag.views.shapes import drawn_areas, drawn_lines
from napari_motionmag.widgets.common.ask_file import ask_file
from napari_motionmag.widgets.common.dock import MOVIE_EVENTS, NO_MOVIE, Dock, reports_errors
from napari_motionmag.widgets.common.form import (
    CollapsibleSection,
    button,
    checkbox,
    choice,
    group,
    integer,
    line_edit,
    movie_list,
    number,
)
from napari_motionmag.widgets.common.layer_movie import rate_typed_for, record_rate
from napari_motionmag.widgets.common.messages import EXPECTED, warnings_to
from napari_motionmag.widgets.export.shown_panels import (
    grouped,
    label_of,
    movie_of,
    panel_arguments,
    panel_of,
)
from napari_motionmag.widgets.measure.regions import regions_of

LAYOUTS = [
    ("side by side", "grid"),
    ("in a row", "row"),
    ("one below the other", "column"),
    ("split by a divider", "split"),
]
_LOOK_EVENTS = ("contrast_limits", "colormap", "gamma", "name")
_FRAMES = ".png"  # what the file dialog gives for a folder of frames


class ExportWidget(Dock):
    """Export Image layers side by side, as the viewer shows them.

    Every field is an attribute, and `save_to` does what the button does::

        widget.layers.value = [original, magnified]
        widget.speed.value, widget.arrangement.value = "1/20", "split"
        widget.save_to("film.mp4")
    """

    dock_name = "export_movie"
    script_tooltip = "Copy a Python script that exports the same movie to the clipboard."

    def __init__(self, napari_viewer: napari.viewer.Viewer = None):  # noqa: F821
        self._order: list[Image] = []
        super().__init__(napari_viewer)
        self._choose_movies()
        for field in self._fields():
            field.changed.connect(self._on_field_changed)
        self.fps.changed.connect(self._on_rate_typed)
        self._on_field_changed()

    def composition(self) -> Composition:
        """Return what the fields say; ValueError if it cannot be shown."""
        return Composition(self._panels(), **self._options())

    def save_to(self, path: str | Path) -> None:
        """Export in the background; an existing file is replaced.

        Parameters
        ----------
        path : path
            As for `napari_motionmag.export.export_movie`; ``frames.png`` is the folder ``frames``
            of PNG files.
        """
        if self._work.refused():
            return
        path = Path(path)
        path = path.with_suffix("") if path.suffix.lower() == _FRAMES else path
        composition, encoder = self.composition(), check_export(path, overwrite=True)
        loops = None if encoder.is_folder else int(self.loops.value) or None
        self._work.run(
            lambda progress: export_movie(
                path, composition, loops=loops, overwrite=True, progress=progress
            ),
            lambda _: self._messages.say_result(f"Exported to {path}"),
            title=f"Exporting {path.name}",
            layers=self._chosen(),
        )

    def report_to(self, path: str | Path) -> None:
        """Measure the movie and its magnification, and write a report, in the background.

        Parameters
        ----------
        path : path
            ``.html``; an existing file is replaced.
        """
        if self._work.refused():
            return
        path = Path(path)
        check_report(path, overwrite=True)
        composition, layers = self.composition(), self._chosen()
        plain = [layer for layer in layers if not is_magnified(layer)]
        made = [layer for layer in layers if is_magnified(layer)]
        if not (plain and made):
            raise ValueError("A report needs a movie and its magnification: choose both")
        movie, region = movie_of(plain[0]), None
        if self.region.value is not None:
            region = _box(regions_of(self.region.value, plain[0], 0)[0].value(movie))
        self._work.run(
            lambda progress: write_report(
                path,
                movie,
                made[0],
                region=region,
                at=panel_of(self._viewer, plain[0], movie, "", None).at or None,
                composition=composition,
                origin=FromLayer(plain[0], movie),
                overwrite=True,
                progress=progress,
            ),
            lambda _: self._messages.say_result(f"Report written to {path}"),
            title=f"Writing {path.name}",
            layers=layers,
        )

    def script(self) -> str:
        """Return Python source that exports the same movie."""
        panels = []
        for layers, panel in zip(grouped(self._chosen()), self._panels(), strict=True):
            calls = []
            for layer, one in zip(layers, (panel, *panel.channels), strict=True):
                arguments = panel_arguments(one, layer)
                call = Call("napari_motionmag.export", "panel", arguments.pop("movie"), **arguments)
                calls.append(call.named("shown", one.label))
            first, *others = calls
            if others:
                first.kwargs["channels"] = others
            panels.append(first)
        options = self._options(plain=True)
        loops = {"loops": int(self.loops.value)} if self.loops.value else {}
        composition = Call("napari_motionmag.export", "Composition", panels, **options)
        call = Call(
            "napari_motionmag.export",
            "export_movie",
            "film.mp4",
            composition.named("composition"),
            **loops,
        )
        return source(call.named("path"), title="Movies side by side.")

    # ---- fields ----

    def _create_widgets(self) -> list[Widget]:
        self.layers = movie_list(self._movies)
        self.arrangement = choice(
            "arrangement", "Layout", LAYOUTS, "How the movies are put together."
        )
        self.lines = choice(
            "lines",
            "Slice along",
            self._line_layers,
            "Shapes layer with a line: intensities along it over time are shown beside each movie.",
        )
        self.speed = line_edit(
            "speed",
            "Speed",
            "Playback against real time: 1/20 is twenty times slower. Empty: real time, or 30 "
            "frames per second for movies faster than 60.",
        )
        self.fps = number(
            "fps",
            "Frames per second at which the movies were recorded, for all docks. 0: the rate of "
            "the layers.",
            label="Rate",
            suffix=" fps",
            text_for_low="as the layer says",
        )
        self.first = integer("first", "From frame", 0, 0, "First frame that is shown.")
        self.last = integer("last", "To frame", 0, 0, "Last frame that is shown.")
        self.show_labels = checkbox("show_labels", "Labels", "Text above each movie.", True)
        self.show_time = checkbox("show_time", "Time", "The time of each frame.", True)
        self.show_scale = checkbox("show_scale", "Scale bar", "A bar of known length.", True)
        shown = group([self.show_labels, self.show_time, self.show_scale], "horizontal")
        shown.label = "Show"
        rows = [self.layers, self.arrangement, self.lines, self.speed, self.fps]
        form = group([*rows, self.first, self.last, shown], labels=True, name="form")
        self.more = self._create_more()
        self.export = button(
            "export",
            "Export…",
            "MP4 for PowerPoint and browsers, GIF, animated WebP, or a folder of PNG frames.",
            self._on_export_clicked,
        )
        self.report = button(
            "report",
            "Report…",
            "One HTML page of the movie and its magnification: film, settings, figures, numbers "
            "with errors, versions and script.",
            self._on_report_clicked,
        )
        self.cancel = button(
            "cancel", "Cancel", "Stop; nothing is left of the file.", self._runner_cancel
        )
        self.cancel.visible = False
        buttons = [self.export, self.report, self._create_script_button()]
        buttons = group(buttons, "horizontal")
        return [form, self.more, buttons, self.cancel]

    def _create_more(self) -> CollapsibleSection:
        self.labels_text = line_edit(
            "labels_text", "Labels", "Texts above the movies, with ; between them. Empty: names."
        )
        self.bar_length = number(
            "bar_length",
            "Of the scale bar.",
            label="Bar",
            suffix=" µm",
            text_for_low="one that fits",
        )
        self.divider = number(
            "divider",
            "Place of the divider of a split, from the left.",
            label="Divider",
            value=-1,
            low=-1,
            high=100,
            decimals=0,
            suffix=" %",
            text_for_low="moves to and fro",
        )
        self.loops = number(
            "loops",
            "How often it is shown. Automatic: videos once, animated pictures forever.",
            label="Shown",
            high=1000,
            decimals=0,
            suffix=" times",
            text_for_low="automatic",
        )
        self.zoom = number(
            "zoom", "Output pixels for each pixel.", label="Zoom", text_for_low="fits a screen"
        )
        self.interpolation = choice(
            "interpolation", "Between px", list(INTERPOLATIONS), "When pixels are enlarged."
        )
        self.background = choice(
            "background", "Background", list(BACKGROUNDS), "Around the movies."
        )
        self.region = choice(
            "region",
            "Measure in",
            self._region_layers,
            "For the report: Shapes layer with an area. Automatic: where motion stands out most.",
        )
        own = [self.labels_text, self.bar_length, self.divider, self.loops, self.zoom]
        fields = [*own, self.interpolation, self.background, self.region]
        return CollapsibleSection(
            "More", fields, name="more", tooltip="Labels, divider, loop, size and background."
        )

    def _fields(self) -> list[Widget]:
        shown = [self.show_labels, self.show_time, self.show_scale, *self.more.parameters]
        rows = [self.layers, self.arrangement, self.lines, self.speed, self.first, self.last]
        return [*rows, *shown]

    def _line_layers(self, _=None) -> list:
        shapes = [x for x in self._viewer.layers if isinstance(x, Shapes) and drawn_lines(x)]
        return [("none", None), *((layer.name, layer) for layer in shapes)]

    def _region_layers(self, _=None) -> list:
        shapes = [x for x in self._viewer.layers if isinstance(x, Shapes) and drawn_areas(x)]
        return [("automatic", None), *((layer.name, layer) for layer in shapes)]

    def _choose_movies(self) -> None:
        """Choose all movies that are visible, or else the first."""
        movies = self._movies()
        self.layers.value = [layer for layer in movies if layer.visible] or movies[:1]

    def _chosen(self) -> list[Image]:
        chosen = self.layers.value
        if not chosen:
            raise ValueError(NO_MOVIE if not self._movies() else "Choose at least one movie")
        return sorted(chosen, key=self._viewer.layers.index)

    def _on_layers_changed(self, event=None) -> None:
        super()._on_layers_changed(event)
        if self._closed:
            return
        if event is not None and event.type == "inserted" and event.value in self._movies():
            self.layers.value = [*self.layers.value, event.value]
        elif not self.layers.value:
            self._choose_movies()
        self._timer.start()

    def _on_field_changed(self, _=None) -> None:
        if self._closed:
            return
        layers, lines = list(self.layers.value), self.lines.value
        events = [(layer, (*MOVIE_EVENTS, *_LOOK_EVENTS)) for layer in layers]
        self._follow([*events, (lines, ("data",))])
        self.divider.visible = self.arrangement.value == "split"
        self._timer.start()

    def _on_layer_edited(self, event) -> None:
        self._timer.start()

    def _on_rate_typed(self, fps: float) -> None:
        if not self._updating:
            for layer in list(self.layers.value):
                record_rate(self._viewer, layer, fps)
            self._timer.start()

    def _refresh(self) -> None:
        """Say what the exported movie would be, or what is in its way."""
        if self.working:
            return
        with self.updating():
            self.fps.value = rate_typed_for(self.layers.value)
        notes: list[str] = []
        try:
            self._show_length(self._panels())
            with warnings_to(lambda place, text: notes.append(text)):
                film = Film(self.composition())
        except EXPECTED as error:
            self._messages.say(str(error))
            return
        height, width = film.shape
        text = f"{width} x {height} px, {rounded(len(film) / float(film.fps), 3)} s"
        text += f" at {float(film.fps):.4g} frames per second"
        speed = film.composition.shown_speed
        text += "" if speed is None else f", {speed_text(speed)}"
        self._messages.say(". ".join([text, *notes]))

    def _show_length(self, panels: list[Panel]) -> None:
        """Let the fields for the first and the last frame end where the movie does."""
        last = panels[0].movie.n_frames - 1
        if last != self.last.max:
            with self.updating(), self.first.changed.blocked(), self.last.changed.blocked():
                self.first.max = self.last.max = last
                self.first.value, self.last.value = 0, last

    # ---- exporting ----

    def _panels(self) -> list[Panel]:
        groups = grouped(self._chosen())
        labels = [text.strip() for text in self.labels_text.value.split(";") if text.strip()]
        if labels and len(labels) != len(groups):
            raise ValueError(f"Labels: {len(labels)} texts for {len(groups)} movies")
        labels = labels or [" + ".join(dict.fromkeys(map(label_of, layers))) for layers in groups]
        panels = []
        for layers, label in zip(groups, labels, strict=True):
            first, *others = (
                panel_of(self._viewer, layer, movie_of(layer), label, self.lines.value)
                for layer in layers
            )
            panels.append(replace(first, channels=others))
        return panels

    def _options(self, plain: bool = False) -> dict:
        """Return the arguments of `Composition`; with `plain`, those that are not the defaults."""
        split = self.arrangement.value == "split"
        whole = self.first.value == 0 and self.last.value == self.last.max
        options = {
            "layout": self.arrangement.value,
            "divider": self.divider.value / 100 if split and self.divider.value >= 0 else None,
            "labels": self.show_labels.value,
            "scale_bar": (self.bar_length.value or None) if self.show_scale.value else False,
            "time_stamp": None if self.show_time.value else False,
            "speed": self._speed(),
            "frames": None if whole else slice(self.first.value, self.last.value + 1),
            "zoom": self.zoom.value or None,
            "interpolation": self.interpolation.value,
            "background": self.background.value,
        }
        if not plain:
            return options
        defaults = {field: getattr(Composition, field, None) for field in options}
        return {key: value for key, value in options.items() if value != defaults[key]}

    def _speed(self) -> float | None:
        text = self.speed.value.strip()
        if not text:
            return None
        try:
            return float(Fraction(text))
        except (ValueError, ZeroDivisionError):
            raise ValueError(f"Speed must be a number, as 1/20; got {text!r}") from None

    @reports_errors
    def _on_export_clicked(self) -> None:
        self.composition()
        kinds = ";;".join(
            f"{encoder.label} (*{ending or _FRAMES})" for ending, encoder in ENCODERS.items()
        )
        self.save_as("Export the movie", "film.mp4", kinds)

    @reports_errors
    def _on_report_clicked(self) -> None:
        self.composition()
        path = ask_file(self.native, "Write a report", "report.html", "HTML (*.html)")
        if path is not None:
            self.report_to(path)

    def _runner_cancel(self) -> None:
        self._messages.say("Cancelling…")
        self._work.jobs.cancel()

    def _on_busy_changed(self, busy: bool) -> None:
        if not self._closed:
            self.cancel.visible = busy
            self.export.enabled = self.report.enabled = not busy


def _box(region) -> tuple[int, int, int, int]:
    """Return the rectangle around a region: y0, y1, x0, x1."""
    if not isinstance(region, np.ndarray):
        return region
    edges = [np.flatnonzero(region.any(axis=axis))[[0, -1]] + (0, 1) for axis in (1, 0)]
    return tuple(int(edge) for pair in edges for edge in pair)
