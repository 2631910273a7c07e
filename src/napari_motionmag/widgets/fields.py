"""The fields of the dock widget "Magnify motion": what they are called, allow and say."""

from __future__ import annotations

from collections.abc import Callable

from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    FileEdit,
    FloatSpinBox,
    Label,
    LineEdit,
    PushButton,
    SpinBox,
)
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSizePolicy

from napari_motionmag.magnify import METHODS
from napari_motionmag.widgets.factor import FactorField

METHOD_LABELS = {
    "learned": "Learned (neural network)",
    "phase": "Phase (steerable pyramid)",
    "riesz": "Phase (Riesz pyramid)",
    "linear": "Linear (Eulerian)",
    "lagrangian": "Lagrangian (flow and warp)",
}
MODES = [
    ("Static: against a reference", "static"),
    ("Dynamic: against frame before", "dynamic"),
    ("Temporal: frequency band", "temporal"),
]
FILTERS = [
    ("FIR (no delay)", "fir"),
    ("Butterworth (causal)", "butterworth"),
    ("Difference of IIR (causal, gentle)", "iir"),
    ("Acceleration (ignores drift)", "acceleration"),
]
OWN_FILE = "file"
MODELS = [
    ("Default", "default"),
    ("Difference", "difference"),
    ("Oh et al. 2018", "oh2018"),
    ("From a file…", OWN_FILE),
]


def device_choices(names: list[str]) -> list[tuple[str, str]]:
    """Return (label, value) of the devices to choose from."""
    return [("Automatic", "auto"), *((name, name) for name in names)]


class Fields:
    """All fields, as attributes, and the rows they are shown in.

    Parameters
    ----------
    layers : callable
        Returns the layers to choose from.

    Attributes
    ----------
    rows : list of Widget
        Everything, from top to bottom.
    parameters : list of Widget
        What decides on the result, besides the layer.
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
        self._choose_method()
        self._act()
        self.form = Container(name="form", labels=True)
        self.form.margins = (0, 0, 0, 0)
        for row in (
            self.layer,
            self.axes,
            self.mode,
            self.reference_row,
            self.mean_row,
            self.fps,
            self.band_row,
            self.filter,
            self.factor_row,
            self.method,
            self.model,
            self.model_file,
            self.device,
        ):
            self.form.append(row)  # one by one: labels are aligned as rows are added
        self.rows = [self.form, self.live, self.buttons, self.cancel, self.status]
        self.parameters = [
            self.axes,
            self.mode,
            self.reference,
            self.reference_frames,
            self.fps,
            self.band_low,
            self.band_high,
            self.filter,
            self.factor,
            self.method,
            self.model,
            self.model_file,
            self.device,
        ]
        for field in (*self.parameters, self.layer, self.live, *self.buttons, self.cancel):
            field.native.setObjectName(field.name)
        self.factor.native.setObjectName("factor")
        for field in (
            self.reference,
            self.reference_frames,
            self.fps,
            self.band_low,
            self.band_high,
        ):
            field.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        for field in (self.layer, self.mode, self.filter, self.method, self.model, self.device):
            _may_be_narrow(field.native)

    def show_what_applies(self, *, axes: bool) -> None:
        """Hide the fields that the chosen mode and method do not use, and perhaps the axes."""
        static, temporal = (self.mode.value == name for name in ("static", "temporal"))
        learned = self.method.value == "learned"
        self.axes.visible = axes
        for row in (self.reference_row, self.mean_row):
            row.visible = static
        for row in (self.fps, self.band_row, self.filter):
            row.visible = temporal
        self.model.visible = learned
        self.model_file.visible = learned and self.model.value == OWN_FILE

    def enable(self, enabled: bool) -> None:
        """Let the fields be changed, or only the work in progress be cancelled."""
        for row in self.rows:
            row.enabled = enabled or row in (self.cancel, self.status)
        self.cancel.visible = not enabled

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
        self.reference_row = _row("Reference", self.reference, self.reference_current)
        self.mean_row = _row("Mean of", self.reference_frames, onwards)
        self.reference_current.native.setObjectName("reference_current")
        self.factor_row = FactorField(
            "Total gain of the selected motion: displacement after / before.\n1 leaves the movie "
            "as it is, 0 removes the motion, 0 to 1 attenuates it, negative mirrors it.",
            name="factor_row",
            label="Factor",
        )
        self.factor = self.factor_row.number

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
        self.band_row = _row("Band", self.band_low, self.band_high)
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
            tooltip="How the band is selected.\nFIR: sharp, without delay; uses frames before and "
            "after.\nButterworth: uses the past only, of order 2.\nDifference of IIR: past only, "
            "gentle; selects part of the motion.\nAcceleration: what deviates from steady motion, "
            "tuned to the centre of the band.",
        )

    def _choose_method(self) -> None:
        self.method = ComboBox(
            name="method",
            label="Method",
            choices=[(METHOD_LABELS.get(name, name), name) for name in METHODS],
            tooltip="How motion is magnified.",
        )
        self.model = ComboBox(
            name="model",
            label="Model",
            choices=MODELS,
            tooltip="Which network: the default, the difference network, or the architecture of "
            "Oh et al. (ECCV 2018), or weights of your own.",
        )
        self.model_file = FileEdit(
            name="model_file",
            label="Weights file",  # the widest label, and not often seen
            mode="r",
            filter="*.safetensors",
            tooltip="A .safetensors file with weights of either network.",
        )
        self.device = ComboBox(
            name="device",
            label="Device",
            choices=device_choices(["cpu"]),
            tooltip="What computes. Automatic: a GPU when there is one.",
        )

    def _act(self) -> None:
        self.live = CheckBox(
            name="live",
            text="Live: redraw the shown frame on change",
            value=True,
            tooltip="Only the frame that is shown is drawn, others when you go to them.",
        )
        self.magnify = PushButton(
            name="magnify",
            text="Magnify",
            tooltip="Make the magnified layer, or bring it up to date. Frames are drawn when they "
            "are shown.",
        )
        self.compute_all = PushButton(
            name="compute_all",
            text="Compute all",
            tooltip="Draw all frames now, for fluent playing; into memory, or into a temporary "
            "file when they are many.",
        )
        self.save = PushButton(
            name="save",
            text="Save…",
            tooltip="Save the magnified movie: OME-TIFF, OME-Zarr, NumPy or video.",
        )
        self.buttons = Container(
            widgets=[self.magnify, self.compute_all, self.save],
            layout="horizontal",
            labels=False,
            name="buttons",
        )
        self.buttons.margins = (0, 0, 0, 0)
        self.cancel = PushButton(
            name="cancel", text="Cancel", visible=False, tooltip="Stop after the current frame."
        )
        self.status = Label(name="status", tooltip="What was done last.")
        self.status.native.setWordWrap(True)
        self.status.native.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.status.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.status.native.setObjectName("status")


def _may_be_narrow(box) -> None:
    """Let a box be narrower than its longest entry: layers have long names."""
    box.setSizeAdjustPolicy(box.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(16)


def _row(label: str, *widgets) -> Container:
    row = Container(widgets=widgets, layout="horizontal", labels=False, label=label)
    row.name = f"{label.lower()}_row"
    row.margins = (0, 0, 0, 0)
    return row
