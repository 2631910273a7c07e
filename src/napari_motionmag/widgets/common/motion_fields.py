"""The fields that choose a movie, and which of its motion is measured or magnified."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from magicgui.widgets import Label

from napari_motionmag.temporal import filters
from napari_motionmag.widgets.common.form import (
    button,
    choice,
    integer,
    line_edit,
    movie_choice,
    number,
    row,
)

MODES = [
    ("Static: against a reference", "static"),
    ("Dynamic: against frame before", "dynamic"),
    ("Temporal: frequency band", "temporal"),
]
FILTERS = [(operator.label, name) for name, operator in filters().items()]
_SEVERAL = (
    "Number of frames, from the reference on, that are averaged. The noise of the reference falls "
    "with their number; they should all be at rest."
)


class MotionFields:
    """Fields, as attributes; ``layers()`` returns the layers to choose from.

    ``motion_rows`` are the rows of the form without the factor, ``motion_parameters`` the fields
    that select the motion, besides the layer.
    """

    def __init__(self, layers: Callable):
        self.layer = movie_choice(layers)
        self.axes = line_edit(
            "axes",
            "Axes",
            "One letter for each axis of the data, in order: T (time), Z, C (channel), Y, X, S "
            "(RGB samples, last). For example TYX, TCYX, TZYX.",
        )
        self.mode = choice(
            "mode",
            "Motion",
            MODES,
            "What counts as motion.\nStatic: the difference from a frame at rest.\n"
            "Dynamic: the difference from the frame before.\n"
            "Temporal: what varies within a band of frequencies.",
        )
        tooltip = "Number of a frame at rest, counted from 0."
        self.reference = integer("reference", "", 0, 1, tooltip)
        self.reference_frames = integer("reference_frames", "", 1, 1, _SEVERAL)
        self.reference_current = button(
            "reference_current", "Current frame", "Take the frame that is shown as the reference."
        )
        onwards = Label(value="frames from there on", tooltip=_SEVERAL)
        self.reference_row = row("Reference", self.reference, self.reference_current)
        self.mean_row = row("Mean of", self.reference_frames, onwards)
        self.fps = number(
            "fps",
            "Frames per second at which the movie was recorded. Filled from the layer when its "
            "time axis has a scale in a unit of time; 0 goes back to that.",
            label="Rate",
            suffix=" fps",
            text_for_low="unknown",
        )
        self.band_low, self.band_high = band_fields()
        self.band_row = row("Band", self.band_low, self.band_high)
        kinds = "\n".join(f"{kind.short_label()}: {kind.summary}." for kind in filters().values())
        self.filter = choice("filter", "Filter", FILTERS, f"How the band is selected.\n{kinds}")
        motion = [self.mode, self.reference_row, self.mean_row]
        self.motion_rows = [self.layer, self.axes, *motion, self.fps, self.band_row, self.filter]
        reference = [self.reference, self.reference_frames]
        band = [self.fps, self.band_low, self.band_high, self.filter]
        self.motion_parameters = [self.axes, self.mode, *reference, *band]

    def show_what_applies(self, *, axes: bool, rate: bool = False) -> None:
        """Hide the fields that the chosen mode does not use, and perhaps the axes.

        With `rate`, that of the movie is shown in all modes.
        """
        static, temporal = (self.mode.value == name for name in ("static", "temporal"))
        self.axes.visible = axes
        self.reference_row.visible = self.mean_row.visible = static
        self.fps.visible = temporal or rate
        self.band_row.visible = self.filter.visible = temporal

    def show_length(self, n_frames: int) -> None:
        """Let the reference be any frame of a movie with `n_frames`."""
        self.reference.max, self.reference_frames.max = max(n_frames - 1, 1), n_frames

    def motion_arguments(self) -> dict:
        """Return the arguments that select the motion; measurements take them too."""
        arguments = {"mode": self.mode.value}
        if self.mode.value == "static":
            first, count = self.reference.value, self.reference_frames.value
            arguments["reference"] = first if count == 1 else slice(first, first + count)
        if self.mode.value == "temporal":
            arguments["band"] = (self.band_low.value, self.band_high.value)
            arguments["filter"] = self.filter.value
        return arguments

    def fill_motion(self, arguments: Mapping) -> None:
        """Set the fields of the motion to arguments of `magnify`, those that are there."""
        for name in ("mode", "filter"):
            if name in arguments:
                getattr(self, name).value = arguments[name]
        if "reference" in arguments:
            first, count = reference_of(arguments["reference"])
            self.reference.value, self.reference_frames.value = first, count
        if arguments.get("band"):
            self.band_low.value, self.band_high.value = arguments["band"]


def band_fields() -> list:
    """Create the fields for the lowest and the highest frequency of a band."""
    low = number("band_low", "Lowest frequency of the band, in Hz.", suffix=" Hz")
    tooltip = "Highest frequency of the band, in Hz; at most half the frame rate."
    return [low, number("band_high", tooltip, suffix=" Hz")]


def reference_of(reference: int | slice) -> tuple[int, int]:
    """Return the first frame and the number of frames of a reference."""
    if isinstance(reference, slice):
        first = reference.start or 0
        return first, max(1, (reference.stop or first + 1) - first)
    return int(reference), 1


def band_to_start_from(fps: float) -> tuple[float, float]:
    """Return a band well below half the frame rate; zeros when that is unknown, 0."""
    return float(f"{fps / 20:.2g}"), float(f"{fps / 5:.2g}")
