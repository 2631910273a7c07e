"""The dock widget "Motion map": how much and when in the cycle each part of the frame moves."""

from __future__ import annotations

from functools import partial

import numpy as np
from magicgui.widgets import Widget
from napari.utils import Colormap

from napari_motionmag.compute.validate import rounded
from napari_motionmag.magnification.script import source
from napari_motionmag.views.estimators.series import pixel_size
from napari_motionmag.views.figures.motion_map import (
    AMPLITUDE_COLORS,
    FREQUENCY_COLORS,
    draw_frequency,
    draw_motion,
    phase_colors,
)
from napari_motionmag.views.motion_maps import MotionMap, motion_map
from napari_motionmag.widgets.common.form import button, choice, number
from napari_motionmag.widgets.measure.motion_dock import MotionDock, MotionRequest

_BRIGHT = 0.98  # of the amplitudes have colors of their own, the largest share the last one
_NOWHERE = "Nowhere in the frame is the selected motion above the noise"
MAPS = ["amplitude and phase", "dominant frequency"]
_UNITS = ["physical units", "pixels"]


class MotionMapWidget(MotionDock):
    """Map amplitude and phase of the selected motion.

    Every field is an attribute; `measure` does what the button does, in the background.
    """

    dock_name = "motion_map"

    def measure(self) -> None:
        """Map the motion; adds two layers."""
        options = self._frequency_option()
        show = self._show_frequency if self.what.value == MAPS[1] else self._show_maps
        self._measure_planes(motion_map, "Mapping the motion", show, **options)

    def script(self) -> str:
        """Return Python source that makes the same maps."""
        request, options = self.request(), self._frequency_option()
        calls = [request.call("motion_map", at, **options).named("found") for at in request.planes]
        size, unit = self._pixel(request)
        measured = "found" if size is None else f"found.in_units({size})"
        lines = [
            "shown = found.stands_out  # above the noise",
            f"amplitude = np.where(shown, {measured}.amplitude, np.nan)  # {unit}",
            "phase = np.where(shown, np.degrees(found.phase), np.nan)  # degrees",
        ]
        if self.what.value == MAPS[1]:
            lines[1:] = ["frequency = np.where(shown, found.dominant, np.nan)  # Hz"]
        text = source(*calls, title=f"Motion in {request.layer.name}")
        head, quotes, body = text.partition('"""\n\n')
        if not body.startswith("import numpy"):
            body = f"import numpy as np\n\n{body}"
        return head + quotes + body + "\n".join(lines) + "\n"

    # ---- fields ----

    def _create_own_rows(self) -> list[Widget]:
        self.frequency = number(
            "frequency",
            "Frequency of which amplitude and phase are mapped; 0: the one at which the selected "
            "motion is strongest.",
            label="Measured at",
            suffix=" Hz",
            text_for_low="the strongest frequency",
        )
        self.what = choice(
            "what",
            "Map",
            MAPS,
            "Amplitude and phase at one frequency, or the frequency at which each part moves most.",
        )
        tooltip = "Physical units are those of the layer's scale; pixels if it has none."
        self.unit = choice("unit", "Amplitude in", _UNITS, tooltip)
        return [self.what, self.frequency, self.unit]

    def _create_buttons(self) -> list[Widget]:
        return [
            button(
                "measure",
                "Map the motion",
                "Add a map of the amplitude and one of the phase. Where the motion is not above "
                "the noise they are transparent.",
                self.measure,
            )
        ]

    def _frequency_option(self) -> dict:
        return {"frequency": self.frequency.value} if self.frequency.value else {}

    def _pixel(self, request: MotionRequest) -> tuple[tuple[float, float] | None, str]:
        """Return the size of a pixel in the unit of the map, None for pixels, and the unit."""
        size = pixel_size(request.movie) if self.unit.value == _UNITS[0] else None
        if size is None:
            return None, "px"
        return tuple(float(f"{side:.6g}") for side in size[:2]), size[2]

    # ---- results ----

    def _show_frequency(self, request: MotionRequest, results: dict[tuple, MotionMap]) -> None:
        maps = {
            at: np.where(result.stands_out, result.dominant, np.nan).astype(np.float32)
            for at, result in results.items()
        }
        here = self._shown_plane(request, results)
        known = np.concatenate([part[np.isfinite(part)] for part in maps.values()])
        unit = "per frame" if request.movie.fps is None else "Hz"
        if not known.size:
            self.canvas.draw(None)
            self._messages.say_result(_NOWHERE)
            return
        low, high = float(known.min()), float(known.max())
        margin = 0.05 * (high - low) or 0.05 * high
        limits = (max(low - margin, 0.0), high + margin)
        look = {"colormap": FREQUENCY_COLORS, "contrast_limits": limits}
        self._show_map(
            request,
            f"frequency ({unit})",
            maps,
            look,
            step=results[here].step,
            first=results[here].translate,
            opacity=0.8,
            blending="translucent_no_depth",
            interpolation2d="nearest",
        )
        self.canvas.draw(
            partial(draw_frequency, frequency=maps[here], limits=limits, unit=unit)
            if np.isfinite(maps[here]).any()
            else None
        )
        self._messages.say_result(
            f"The selected motion is above the noise in {results[here].stands_out.mean():.0%} of "
            f"the frame. Its strongest frequency there: median {rounded(np.median(known), 3)} "
            f"{unit}, from {rounded(low, 3)} to {rounded(high, 3)} {unit}"
        )

    def _show_maps(self, request: MotionRequest, results: dict[tuple, MotionMap]) -> None:
        size, unit = self._pixel(request)
        unit = unit.replace("um", "µm")
        amplitudes, phases = {}, {}
        for at, result in results.items():
            measured = result if size is None else result.in_units(size)
            shown = result.stands_out
            amplitudes[at] = np.where(shown, measured.amplitude, np.nan).astype(np.float32)
            phases[at] = np.where(shown, np.degrees(result.phase), np.nan).astype(np.float32)
        every = np.concatenate([part.ravel() for part in amplitudes.values()])
        known = every[np.isfinite(every)]
        top = (float(np.quantile(known, _BRIGHT)) if known.size else 0.0) or 1.0
        here = self._shown_plane(request, results)
        layer_options = {
            "step": results[here].step,
            "first": results[here].translate,
            "opacity": 0.8,
            "blending": "translucent_no_depth",
            "interpolation2d": "nearest",
        }
        look = {"colormap": AMPLITUDE_COLORS, "contrast_limits": (0.0, top)}
        self._show_map(request, f"amplitude ({unit})", amplitudes, look, **layer_options)
        wheel = Colormap(phase_colors(), name="phase")
        look = {"colormap": wheel, "contrast_limits": (-180.0, 180.0)}
        self._show_map(request, "phase (degrees)", phases, look, visible=False, **layer_options)
        self._messages.say_result(_map_in_words(results[here], amplitudes[here], unit))
        draw = partial(
            draw_motion, amplitude=amplitudes[here], degrees=phases[here], top=top, unit=unit
        )
        self.canvas.draw(draw if np.isfinite(amplitudes[here]).any() else None)


def _map_in_words(result: MotionMap, amplitude: np.ndarray, unit: str) -> str:
    """Describe a map in a sentence or two, without the last full stop."""
    known = amplitude[np.isfinite(amplitude)]
    if not known.size:
        return _NOWHERE
    where = (
        "its strongest frequency"
        if result.frequency is None
        else f"{rounded(result.frequency, 3)} Hz"
    )
    pixels = ""
    if unit != "px":
        largest = np.nanmax(np.where(result.stands_out, result.amplitude, np.nan))
        pixels = f" ({rounded(largest, 2)} px)"
    phase = "Phase p means cos(2 pi f t + p), t = 0 in frame 0"
    if result.edge is not None:
        end = "half the frame rate" if result.edge == "nyquist" else "one period in the record"
        phase = f"So near {end} the amplitude may be larger, and the phase is not determined"
    return (
        f"The selected motion is above the noise in {result.stands_out.mean():.0%} of the frame. "
        f"Amplitude there at {where}: median {rounded(np.median(known), 2)} {unit}, largest "
        f"{rounded(known.max(), 2)} {unit}{pixels}. {phase}"
    )
