"""The fields of the dock "Magnify motion": what they are called, allow and say."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from napari_motionmag.magnification.settings import MagnifySettings
from napari_motionmag.methods.base import METHODS
from napari_motionmag.methods.options import label_of
from napari_motionmag.widgets.common.band_slider import BandSlider
from napari_motionmag.widgets.common.form import (
    CollapsibleSection,
    button,
    checkbox,
    choice,
    group,
    line_edit,
    progress,
    weights_file,
)
from napari_motionmag.widgets.common.motion_fields import MotionFields
from napari_motionmag.widgets.common.preferences import AUTO, Preferences
from napari_motionmag.widgets.compare.choices import OWN_FILE
from napari_motionmag.widgets.compare.row import CompareRow
from napari_motionmag.widgets.magnify.bad_pixels import BadPixelsRow
from napari_motionmag.widgets.magnify.factor import FactorField
from napari_motionmag.widgets.magnify.large_frames import LargeFrames
from napari_motionmag.widgets.magnify.method_options import MethodOptions
from napari_motionmag.widgets.magnify.painted_factors import PaintedFactors
from napari_motionmag.widgets.magnify.playing import PlaybackRow
from napari_motionmag.widgets.magnify.presets import PresetRows
from napari_motionmag.widgets.magnify.stabilisation import DriftRow, Stabilisation
from napari_motionmag.widgets.magnify.suggestions import SuggestRow

MODELS = [
    ("Default", "default"),
    ("Difference", "difference"),
    ("Oh et al. 2018", "oh2018"),
    ("From a file…", OWN_FILE),
]
DEVICES = [("Automatic", "auto"), ("cpu", "cpu")]  # until it is known which there are


class Fields(MotionFields):
    """All fields, as attributes, and the ``rows`` they are shown in, from top to bottom.

    ``layers()`` and ``masks()`` return the layers to choose from. ``parameters`` are the fields
    that decide on the result, besides the layer.
    """

    def __init__(self, layers: Callable, masks: Callable):
        super().__init__(layers)
        self._precision = AUTO
        self._create_method_fields()
        self._create_buttons()
        self.preset_rows = PresetRows()
        method = [self.method, self.model, self.model_file, self.device]
        self.more_bands = line_edit(
            "more_bands",
            "More bands",
            "Further bands in Hz, each with a factor of its own, as 100-120 x 30, 140-150 x 5. The "
            "field “Factor” is that of the field “Band”.",
        )
        rows = [*self.preset_rows.rows, self.mode, self.reference_row, self.fps, self.band_row]
        self.band_slider = BandSlider(self.band_low, self.band_high)
        rows += [self.band_slider, self.factor_row, self.method]
        movie, folded = self.motion_rows[:2], [self.mean_row, self.filter, self.more_bands]
        folded += method[1:]
        self.movie_form = group(movie, labels=True, name="movie_form")
        self.suggest_row = SuggestRow()
        self.bad_pixels_row = BadPixelsRow()
        self.drift_row = DriftRow()
        self.form = group(rows, labels=True, name="form")
        self.more = CollapsibleSection(
            "Filter, network and device",
            folded,
            name="more",
            tooltip="Frames of the reference, the temporal filter, the network, where to compute.",
        )
        self.compare_row = CompareRow()
        self.method_options = MethodOptions()
        self.large_motion = Stabilisation(masks)
        self.stabilise, self.mask = self.large_motion.stabilise, self.large_motion.mask
        self.large_frames = LargeFrames(masks)
        self.region, self.preview = self.large_frames.region, self.large_frames.preview
        for field in self.method_options.parameters:
            setattr(self, field.name, field)
        self.painted_factors = PaintedFactors(masks)
        for name in ("painted", "label_factors", "rest", "map_feather"):
            setattr(self, name, getattr(self.painted_factors, name))
        sections = [
            self.method_options, self.painted_factors, self.large_motion, self.large_frames
        ]  # fmt: skip
        self.playback_row = PlaybackRow()
        self.playback_row.visible = False  # until there is something to play
        buttons = [self.live_row, self.buttons, self.compare_row, self.progress, self.cancel]
        buttons.insert(2, self.playback_row)
        self.next_steps = group([], "horizontal", name="next_steps")
        self.next_steps.visible = False  # until there is a result to look at
        buttons[3:3] = [self.next_steps, self.drift_row]
        forms = [self.movie_form, self.bad_pixels_row, self.suggest_row, self.form, self.more]
        self.rows = [*forms, *sections, *buttons]
        self.parameters = [*self.motion_parameters, self.more_bands, self.factor, *method]
        for section in sections:
            self.parameters += section.parameters

    def show_what_applies(self, *, axes: bool, rate: bool = False) -> None:
        """Hide the fields that the chosen mode and method do not use, and perhaps the axes."""
        super().show_what_applies(axes=axes, rate=rate)
        temporal = self.mode.value == "temporal"
        self.more_bands.visible = temporal
        self.band_slider.fit(self.fps.value)
        self.band_slider.visible = temporal and self.band_slider.applies
        learned = self.method.value == "learned"
        self.model.visible = learned
        self.model_file.visible = learned and self.model.value == OWN_FILE
        self.method_options.show(self.method.value)

    def settings(self, method: str = "", model: str = "") -> MagnifySettings:
        """Return the settings, perhaps with another method and network, without further bands.

        Mask and region are the layers that are chosen.
        """
        method = method or self.method.value
        arguments = self.motion_arguments()
        if method == "learned":
            model = model or self.model.value
            arguments["model"] = Path(self.model_file.value) if model == OWN_FILE else model
            if self._precision != AUTO:
                arguments["precision"] = self._precision
        if self.device.value != "auto":
            arguments["device"] = self.device.value
        arguments |= self.large_motion.values() | self.large_frames.values()
        return MagnifySettings(
            self.factor.value, method, **arguments, options=self.method_options.values(method)
        )

    def begin_with(self, preferences: Preferences) -> None:
        """Set the fields as a user prefers them, where that differs from what is usual."""
        self.factor.value, self._precision = preferences.factor, preferences.precision
        if preferences.method != Preferences.method:
            self.method.value = preferences.method
        if preferences.device in self.device.choices:
            self.device.value = preferences.device

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
        self.fill_motion(arguments)

    def of_recipe(self, arguments: Mapping) -> dict:
        """Return those of the arguments of `magnify` that the fields can show."""
        shown = dict(arguments)
        for name, field in (("model", self.model), ("method", self.method), ("mode", self.mode)):
            if shown.get(name) not in field.choices:  # a file of weights, a tuned operator
                shown.pop(name, None)
        if not isinstance(shown.get("reference", 0), int | slice):
            shown.pop("reference")
        return shown

    def enable(self, enabled: bool) -> None:
        """Let the fields be changed, or only the work in progress be cancelled."""
        for row in self.rows:
            row.enabled = enabled or row is self.cancel
        self.cancel.visible = not enabled

    def _create_method_fields(self) -> None:
        self.factor_row = FactorField()
        self.factor = self.factor_row.number
        methods = [(label_of(name), name) for name in METHODS]
        self.method = choice("method", "Method", methods, "How motion is magnified.")
        self.model = choice(
            "model",
            "Model",
            MODELS,
            "Which network: the default, the difference network, or the architecture of Oh et al. "
            "(ECCV 2018), or weights of your own.",
        )
        self.model_file = weights_file()
        tooltip = "Where to compute. Automatic: a GPU if there is one."
        self.device = choice("device", "Device", DEVICES, tooltip)

    def _create_buttons(self) -> None:
        self.live = checkbox(
            "live",
            "Live: redraw the shown frame on change",
            "Only the current frame is computed, other frames when you go to them.",
            value=True,
        )
        self.refresh = button(
            "refresh", "↻", "Draw from the data as they are now, after they were edited in place."
        )
        self.refresh.native.setFixedWidth(28)
        self.magnify = button(
            "magnify",
            "Magnify",
            "Create the magnified layer, or update it. Frames are computed when they are shown.",
        )
        self.compute_all = button(
            "compute_all",
            "Compute all",
            "Compute all frames now, for smooth playback: into memory, or into a temporary file if "
            "the result is large.",
        )
        self.save = button(
            "save", "Save…", "Save the magnified movie: OME-TIFF, OME-Zarr, NumPy or video."
        )
        self.keep = button(
            "keep",
            "Keep",
            "Keep the magnified layer as it is: the next change or “Magnify” makes another.",
        )
        self.progress = progress("progress", "What is done once, before the first frame.")
        self.live_row = group([self.live, self.keep, self.refresh], "horizontal", name="live_row")
        buttons = [self.magnify, self.compute_all, self.save]
        self.buttons = group(buttons, "horizontal", name="buttons")
        self.cancel = button("cancel", "Cancel", "Stop after the current frame.")
        self.cancel.visible = False


def bands_in(text: str) -> tuple[tuple[float, float, float], ...]:
    """Read bands with their factors, as ``"100-120 x 30, 140-150 x 5"``.

    Raises
    ------
    ValueError
        If one is not written like that.
    """
    number = r"\d+\.?\d*|\.\d+"
    bands = []
    for part in filter(str.strip, re.split("[,;]", text)):
        found = re.fullmatch(
            rf"\s*({number})\s*[-–]\s*({number})\s*(?:Hz)?\s*[x×]\s*(-?(?:{number}))\s*", part
        )
        if found is None:
            raise ValueError(f"More bands must be like 100-120 x 30, got {part.strip()!r}")
        bands.append(tuple(map(float, found.groups())))
    return tuple(bands)
