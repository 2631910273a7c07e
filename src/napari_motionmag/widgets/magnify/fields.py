"""The fields of the dock widget "Magnify motion": what they are called, allow and say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    FileEdit,
    PushButton,
)

from napari_motionmag.magnification.settings import MagnifySettings
from napari_motionmag.methods.options import METHODS, label_of
from napari_motionmag.widgets.common.motion_fields import (
    MotionFields,
    fill_motion,
    may_be_narrow,
    motion_arguments,
)
from napari_motionmag.widgets.compare.choices import OWN_FILE
from napari_motionmag.widgets.compare.row import CompareRow
from napari_motionmag.widgets.magnify.factor import FactorField
from napari_motionmag.widgets.magnify.large_frames import LargeFrames
from napari_motionmag.widgets.magnify.method_options import MethodOptions
from napari_motionmag.widgets.magnify.presets import PresetRows
from napari_motionmag.widgets.magnify.stabilisation import Stabilisation

MODELS = [
    ("Default", "default"),
    ("Difference", "difference"),
    ("Oh et al. 2018", "oh2018"),
    ("From a file…", OWN_FILE),
]
WEIGHTS_FILES = "Weights (*.safetensors *.index *.pth *.pt *.tar *.ckpt *.bin)"


def device_choices(names: list[str]) -> list[tuple[str, str]]:
    """Return (label, value) of the devices to choose from."""
    return [("Automatic", "auto"), *((name, name) for name in names)]


class Fields(MotionFields):
    """All fields, as attributes, and the rows they are shown in.

    Parameters
    ----------
    layers, masks : callable
        Return the layers to choose from.

    Attributes
    ----------
    rows : list of Widget
        Everything, from top to bottom.
    parameters : list of Widget
        What decides on the result, besides the layer.
    """

    def __init__(self, layers: Callable, masks: Callable):
        super().__init__(layers)
        self._choose_factor()
        self._choose_method()
        self._act()
        self.form = Container(name="form", labels=True)
        self.form.margins = (0, 0, 0, 0)
        chosen = (self.factor_row, self.method, self.model, self.model_file, self.device)
        self.preset_rows = PresetRows()
        movie, motion = self.motion_rows[:2], self.motion_rows[2:]
        for row in (*movie, *self.preset_rows.rows, *motion, *chosen):
            self.form.append(row)  # one by one: labels are aligned as rows are added
        self.compare_row = CompareRow()
        self.method_options = MethodOptions()
        self.large_motion = Stabilisation(masks)
        self.stabilise, self.mask = self.large_motion.stabilise, self.large_motion.mask
        self.large_frames = LargeFrames(masks)
        self.region, self.preview = self.large_frames.region, self.large_frames.preview
        for field in self.method_options.parameters:
            setattr(self, field.name, field)
        self.rows = [
            self.form,
            self.method_options,
            self.large_motion,
            self.large_frames,
            self.live_row,
            self.buttons,
            self.compare_row,
            self.cancel,
        ]
        self.parameters = [
            *self.motion_parameters,
            self.factor,
            self.method,
            self.model,
            self.model_file,
            self.device,
            *self.method_options.parameters,
            *self.large_motion.parameters,
            *self.large_frames.parameters,
        ]
        for field in (*self.parameters, *self.live_row, *self.buttons, self.cancel):
            field.native.setObjectName(field.name)
        self.factor.native.setObjectName("factor")
        for field in (self.method, self.model, self.device):
            may_be_narrow(field.native)

    def show_what_applies(self, *, axes: bool) -> None:
        """Hide the fields that the chosen mode and method do not use, and perhaps the axes."""
        super().show_what_applies(axes=axes)
        learned = self.method.value == "learned"
        self.model.visible = learned
        self.model_file.visible = learned and self.model.value == OWN_FILE
        self.method_options.show(self.method.value)

    def settings(self, method: str = "", model: str = "") -> MagnifySettings:
        """Return the settings, perhaps with another method and network.

        Mask and region are the layers that are chosen.
        """
        method = method or self.method.value
        arguments = motion_arguments(self)
        if method == "learned":
            model = model or self.model.value
            arguments["model"] = Path(self.model_file.value) if model == OWN_FILE else model
        if self.device.value != "auto":
            arguments["device"] = self.device.value
        arguments |= self.large_motion.values() | self.large_frames.values()
        return MagnifySettings(
            self.factor.value, method, **arguments, options=self.method_options.values(method)
        )

    def fill(self, arguments: Mapping) -> None:
        """Set the fields to arguments of `magnify`, those that are there."""
        for name in ("factor", "method", "model"):
            if name in arguments:
                getattr(self, name).value = arguments[name]
        options = self.method_options.of.get(self.method.value)
        if options is not None and set(options.fields) & set(arguments):
            options.fill(arguments)
        if "stabilise" in arguments:
            self.large_motion.fill(arguments["stabilise"])
        fill_motion(self, arguments)

    def enable(self, enabled: bool) -> None:
        """Let the fields be changed, or only the work in progress be cancelled."""
        for row in self.rows:
            row.enabled = enabled or row is self.cancel
        self.cancel.visible = not enabled

    def _choose_factor(self) -> None:
        self.factor_row = FactorField(
            "Total gain of the selected motion: displacement after / before.\n1 leaves the movie "
            "as it is, 0 removes the motion, 0 to 1 attenuates it, negative mirrors it.",
            name="factor_row",
            label="Factor",
        )
        self.factor = self.factor_row.number

    def _choose_method(self) -> None:
        self.method = ComboBox(
            name="method",
            label="Method",
            choices=[(label_of(name), name) for name in METHODS],
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
            filter=WEIGHTS_FILES,
            tooltip="A .safetensors file with weights of either network, or a published "
            "checkpoint of Oh et al.: a file of TensorFlow's, or a state dict of PyTorch.",
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
        self.refresh = PushButton(
            name="refresh",
            text="↻",
            tooltip="Draw from the data as they are now, after they were edited in place.",
        )
        self.refresh.native.setFixedWidth(28)
        self.live_row = Container(
            widgets=[self.live, self.refresh], layout="horizontal", labels=False, name="live_row"
        )
        self.live_row.margins = (0, 0, 0, 0)
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
