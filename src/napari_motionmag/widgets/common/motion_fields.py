"""The fields that choose a movie, and which of its motion is looked at or changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from magicgui.widgets import ComboBox, Container, FloatSpinBox, Label, LineEdit, PushButton, SpinBox
from qtpy.QtWidgets import QSizePolicy

from napari_motionmag.temporal import filters

MODES = [
    ("Static: against a reference", "static"),
    ("Dynamic: against frame before", "dynamic"),
    ("Temporal: frequency band", "temporal"),
]
FILTERS = [(operator.label, name) for name, operator in filters().items()]


class MotionFields:
    """Fields, as attributes.

    Parameters
    ----------
    layers : callable
        Returns the layers to choose from.

    Attributes
    ----------
    motion_rows : list of Widget
        From top to bottom, without the factor.
    motion_parameters : list of Widget
        The fields that select the motion, besides the layer.
    """

    def __init__(self, layers: Callable):
        self.layer = ComboBox(
            name="layer",
            label="Movie",
            choices=layers,
            nullable=False,
            tooltip="Image layer with a time axis.",
        )
        self.axes = LineEdit(
            name="axes",
            label="Axes",
            tooltip="One letter for each axis of the data, in order: T (time), Z, C (channel), Y, "
            "X, S (RGB samples, last). For example TYX, TCYX, TZYX.",
        )
        self._choose_motion()
        self._choose_band()
        self.motion_rows = [
            self.layer,
            self.axes,
            self.mode,
            self.reference_row,
            self.mean_row,
            self.fps,
            self.band_row,
            self.filter,
        ]
        self.motion_parameters = [
            self.axes,
            self.mode,
            self.reference,
            self.reference_frames,
            self.fps,
            self.band_low,
            self.band_high,
            self.filter,
        ]
        for field in (*self.motion_parameters, self.layer):
            field.native.setObjectName(field.name)
        for field in self.motion_parameters:
            if isinstance(field, (SpinBox, FloatSpinBox)):
                field.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for field in (self.layer, self.mode, self.filter):
            may_be_narrow(field.native)

    def show_what_applies(self, *, axes: bool) -> None:
        """Hide the fields that the chosen mode does not use, and perhaps the axes."""
        static, temporal = (self.mode.value == name for name in ("static", "temporal"))
        self.axes.visible = axes
        for part in (self.reference_row, self.mean_row):
            part.visible = static
        for part in (self.fps, self.band_row, self.filter):
            part.visible = temporal

    def _choose_motion(self) -> None:
        self.mode = ComboBox(
            name="mode",
            label="Motion",
            choices=MODES,
            tooltip="Which variation is motion.\nStatic: the difference from a frame at rest.\n"
            "Dynamic: the difference from the frame before.\n"
            "Temporal: what varies within a band of frequencies.",
        )
        self.reference = SpinBox(
            name="reference",
            min=0,
            max=1,
            tooltip="Frame at rest: number of the frame, from 0.",
        )
        self.reference_frames = SpinBox(
            name="reference_frames",
            value=1,
            min=1,
            max=1,
            tooltip="How many frames, from the reference on, are averaged. The noise of the "
            "reference falls with their number; they should all be at rest.",
        )
        self.reference_current = PushButton(
            name="reference_current",
            text="Current frame",
            tooltip="Take the frame that is shown as the reference.",
        )
        onwards = Label(value="frames from there on", tooltip=self.reference_frames.tooltip)
        self.reference_row = row("Reference", self.reference, self.reference_current)
        self.mean_row = row("Mean of", self.reference_frames, onwards)
        self.reference_current.native.setObjectName("reference_current")

    def _choose_band(self) -> None:
        self.fps = FloatSpinBox(
            name="fps",
            label="Rate",
            min=0,
            max=1e9,
            tooltip="Frames per second at which the movie was taken. Filled from the layer when "
            "its time axis has a scale in a unit of time; 0 goes back to that.",
        )
        self.band_low = FloatSpinBox(
            name="band_low", min=0, max=1e9, tooltip="Lowest frequency of the band, in Hz."
        )
        self.band_high = FloatSpinBox(
            name="band_high",
            min=0,
            max=1e9,
            tooltip="Highest frequency of the band, in Hz; at most half the frame rate.",
        )
        self.band_row = row("Band", self.band_low, self.band_high)
        for field in (self.fps, self.band_low, self.band_high):
            field.native.setDecimals(4)
            field.native.setButtonSymbols(field.native.ButtonSymbols.NoButtons)
            field.adaptive_step = True
        self.fps.native.setSuffix(" fps")
        self.fps.native.setSpecialValueText("unknown")
        self.band_low.native.setSuffix(" Hz")
        self.band_high.native.setSuffix(" Hz")
        self.filter = ComboBox(
            name="filter",
            label="Filter",
            choices=FILTERS,
            tooltip="\n".join(
                ["How the band is selected."]
                + [f"{kind.short_label()}: {kind.summary}." for kind in filters().values()]
            ),
        )


def motion_arguments(fields: MotionFields) -> dict:
    """Return the arguments that select the motion; measurements take them too."""
    arguments = {"mode": fields.mode.value}
    if fields.mode.value == "static":
        first, count = fields.reference.value, fields.reference_frames.value
        arguments["reference"] = first if count == 1 else slice(first, first + count)
    if fields.mode.value == "temporal":
        arguments["band"] = (fields.band_low.value, fields.band_high.value)
        arguments["filter"] = fields.filter.value
    return arguments


def fill_motion(fields: MotionFields, arguments: Mapping) -> None:
    """Set the fields of the motion to arguments of `magnify`, those that are there."""
    for name in ("mode", "filter"):
        if name in arguments:
            getattr(fields, name).value = arguments[name]
    if "reference" in arguments:
        first, count = reference_of(arguments["reference"])
        fields.reference.value, fields.reference_frames.value = first, count
    if arguments.get("band"):
        fields.band_low.value, fields.band_high.value = arguments["band"]


def reference_of(reference: int | slice) -> tuple[int, int]:
    """Return the first frame and the number of frames of a reference."""
    if isinstance(reference, slice):
        first = reference.start or 0
        return first, max(1, (reference.stop or first + 1) - first)
    return int(reference), 1


def band_to_start_from(fps: float) -> tuple[float, float]:
    """Return a band well below half the frame rate; zeros when that is unknown, 0."""
    return float(f"{fps / 20:.2g}"), float(f"{fps / 5:.2g}")


def may_be_narrow(box) -> None:
    """Let a box be narrower than its longest entry: layers have long names."""
    box.setSizeAdjustPolicy(box.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(16)


def row(label: str, *widgets) -> Container:
    """Return widgets side by side, with one label."""
    row = Container(widgets=widgets, layout="horizontal", labels=False, label=label)
    row.name = f"{label.lower()}_row"
    row.margins = (0, 0, 0, 0)
    return row
