"""The dock widget "Motion map": how much and when in the cycle each part of the frame moves."""

from __future__ import annotations

from functools import partial

import numpy as np
from magicgui.widgets import ComboBox, FloatSpinBox, PushButton
from napari.utils import Colormap

from napari_motionmag.magnification.script import source
from napari_motionmag.views.estimators.series import pixel_size
from napari_motionmag.views.figures.motion_map import AMPLITUDE_COLORS, draw_motion, phase_colors
from napari_motionmag.views.motion_maps import MotionMap, motion_map
from napari_motionmag.widgets.common.script_button import ScriptButton
from napari_motionmag.widgets.common.shown_frame import frame_shown
from napari_motionmag.widgets.measure.motion_dock import Asked, MeasuredMotion

_HEIGHT = 250  # px, of the figure
_FULL = 0.98  # of the amplitudes have colours of their own, the largest share the last one


class MotionMapWidget(MeasuredMotion):
    """Map amplitude and phase of the selected motion.

    Every field is an attribute; `measure` does what the button does, in the background.

    Parameters
    ----------
    napari_viewer : napari.Viewer, optional
        The current one when None.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer = None):  # noqa: F821
        self.frequency = FloatSpinBox(
            name="frequency",
            label="Measured at",
            min=0,
            max=1e9,
            tooltip="Frequency of which amplitude and phase are mapped; 0 for the one at which "
            "the selected motion is strongest.",
        )
        self.frequency.native.setDecimals(4)
        self.frequency.native.setSuffix(" Hz")
        self.frequency.native.setSpecialValueText("the strongest frequency")
        self.frequency.native.setButtonSymbols(self.frequency.native.ButtonSymbols.NoButtons)
        self.unit = ComboBox(
            name="unit",
            label="Amplitude in",
            choices=["physical units", "pixels"],
            tooltip="Physical units are those of the layer's scale; where it has none, pixels are "
            "taken.",
        )
        self._go = PushButton(
            name="measure",
            text="Map the motion",
            tooltip="Add a map of the amplitude and one of the phase. Where the motion is not "
            "above the noise they are transparent.",
        )
        rows = [self.frequency, self.unit]
        buttons = [self._go, ScriptButton(self.script)]
        super().__init__(napari_viewer, "motion_map", rows, buttons, _HEIGHT)
        self._go.changed.connect(lambda _=None: self.measure())

    def measure(self) -> None:
        """Map the motion; adds two layers."""
        self._measure(motion_map, "Mapping the motion", self._show, **self._at_frequency())

    def script(self) -> str:
        """Return Python source that makes the same maps.

        Raises
        ------
        ValueError, TypeError
            When there is no movie, or a parameter does not do.
        """
        asked = self.asked()
        calls = [
            asked.call("motion_map", at, **self._at_frequency()).named("found")
            for at in asked.planes
        ]
        lines = ["shown = found.stands_out  # above the noise"]
        size, unit = self._pixel(asked)
        lines.append(
            "amplitude = np.where(shown, found.amplitude, np.nan)  # px"
            if size is None
            else f"amplitude = found.in_units({size}).amplitude  # {unit}\n"
            "amplitude = np.where(shown, amplitude, np.nan)"
        )
        lines.append("phase = np.where(shown, np.degrees(found.phase), np.nan)  # degrees")
        text = source(*calls, title=f"Motion in {asked.layer.name}")
        head, quotes, body = text.partition('"""\n\n')
        if not body.startswith("import numpy"):
            body = f"import numpy as np\n\n{body}"
        return head + quotes + body + "\n".join(lines) + "\n"

    def _at_frequency(self) -> dict:
        return {"frequency": self.frequency.value} if self.frequency.value else {}

    def _pixel(self, asked: Asked) -> tuple[tuple[float, float] | None, str]:
        """Return the size of a pixel in the unit of the map, None for pixels, and the unit."""
        found = pixel_size(asked.movie) if self.unit.value == "physical units" else None
        return (
            (None, "px")
            if found is None
            else (tuple(float(f"{v:.6g}") for v in found[:2]), found[2])
        )

    def _show(self, asked: Asked, found: dict[tuple, MotionMap]) -> None:
        size, unit = self._pixel(asked)
        unit = unit.replace("um", "µm")
        amplitudes, phases = {}, {}
        for at, one in found.items():
            measured = one if size is None else one.in_units(size)
            shown = one.stands_out
            amplitudes[at] = np.where(shown, measured.amplitude, np.nan).astype(np.float32)
            phases[at] = np.where(shown, np.degrees(one.phase), np.nan).astype(np.float32)
        every = np.concatenate([part.ravel() for part in amplitudes.values()])
        known = every[np.isfinite(every)]
        top = float(np.quantile(known, _FULL)) if known.size else 0.0
        top = top or 1.0
        one = next(iter(found.values()))
        place = {"step": one.step, "first": one.translate}
        common = {"opacity": 0.8, "blending": "translucent_no_depth", "interpolation2d": "nearest"}
        wheel = Colormap(phase_colors(), name="phase")
        look = {"colormap": AMPLITUDE_COLORS, "contrast_limits": (0.0, top), **common}
        self._show_map(asked, f"amplitude ({unit})", amplitudes, look, **place)
        look = {"colormap": wheel, "contrast_limits": (-180.0, 180.0), **common}
        self._show_map(asked, "phase (degrees)", phases, look, **place).visible = False
        _, here = frame_shown(self._viewer, asked.layer, asked.movie.axes)
        here = here if here in found else next(iter(found))
        self._messages.say_drawn(_said(found[here], amplitudes[here], unit, asked))
        draw = partial(
            draw_motion, amplitude=amplitudes[here], degrees=phases[here], top=top, unit=unit
        )
        self.canvas.draw(draw if np.isfinite(amplitudes[here]).any() else None)


def _said(found: MotionMap, amplitude: np.ndarray, unit: str, asked: Asked) -> str:
    """What a map says, in a sentence or two, without the last full stop."""
    known = amplitude[np.isfinite(amplitude)]
    if not known.size:
        return "Nowhere in the frame is the selected motion above the noise"
    where = "its strongest frequency" if found.frequency is None else f"{found.frequency:.3g} Hz"
    pixels = ""
    if unit != "px":
        pixels = f" ({np.nanmax(np.where(found.stands_out, found.amplitude, np.nan)):.2g} px)"
    return (
        f"The selected motion is above the noise in {found.stands_out.mean():.0%} of the frame. "
        f"Amplitude there at {where}: median {np.median(known):.2g} {unit}, largest "
        f"{known.max():.2g} {unit}{pixels}. Phase p means cos(2 pi f t + p), t = 0 in frame 0"
    )
