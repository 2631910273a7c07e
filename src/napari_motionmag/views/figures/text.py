"""Measurements in words and units."""

from __future__ import annotations

import math

import numpy as np

from napari_motionmag.compute.validate import rounded
from napari_motionmag.views.coherences import Coherence
from napari_motionmag.views.orbits import Orbit
from napari_motionmag.views.spectrum import FEWEST_FRAMES, MotionSpectrum, Peak, spectrum_of
from napari_motionmag.views.trace import DisplacementTrace

_SMALLER = {"m": "mm", "mm": "um", "um": "nm", "nm": "pm"}
_EDGES = {
    "zero": "about one period in the record: amplitude and phase are not determined",
    "nyquist": "half the frame rate, or faster: amplitude and phase are not determined",
}


def with_error(value: float, sigma: float, unit: str = "") -> str:
    """Write a value with its standard error, to two digits of the error: ``"64.02 ± 0.03 Hz"``."""
    if not (math.isfinite(value) and math.isfinite(sigma)) or sigma <= 0:
        return f"{rounded(value, 4)} {unit}".strip()
    digits = 1 - math.floor(math.log10(sigma))
    if sigma * 10 ** (digits - 1) >= 3:  # one digit is enough: 0.3 to 0.9
        digits -= 1
    digits = min(max(digits, 0), 12)
    return f"{value:.{digits}f} ± {sigma:.{digits}f} {unit}".strip()


def length_with_error(value: float, sigma: float, unit: str) -> str:
    """Write a length with its error, in a smaller unit where it is below 0.1."""
    unit, factor = smaller_unit(abs(value), unit)
    return with_error(value * factor, sigma * factor, shown_unit(unit))


def peak_in_words(
    peak: Peak, trace: DisplacementTrace, direction: float, *, unit: str = "Hz", phase: bool = False
) -> str:
    """Write frequency, amplitude and perhaps phase of a peak found along a direction (rad)."""
    text = with_error(peak.frequency, peak.sigma_frequency, unit)
    if peak.edge is not None:
        text += f" ({_EDGES[peak.edge]})"
    least = "" if peak.edge is None else "at least "
    text += f", amplitude {least}{with_error(peak.amplitude, peak.sigma_amplitude, 'px')}"
    size = length_per_pixel(trace, direction)
    if size is not None:
        length = length_with_error(
            peak.amplitude * size, peak.sigma_amplitude * size, trace.length_unit
        )
        text += f" ({length})"
    if phase and peak.edge is None:
        degrees = math.degrees(peak.phase), math.degrees(peak.sigma_phase)
        text += f", phase {with_error(*degrees)}°"
    return text


def orbit_in_words(path: Orbit, unit: str = "Hz") -> str:
    """Write the axes, the orientation and the sense of an ellipse of motion."""
    fit = path.oscillation
    text = (
        f"ellipse of {with_error(2 * path.major, 2 * path.sigma_major)} x "
        f"{with_error(2 * path.minor, 2 * path.sigma_minor, 'px')} at "
        f"{with_error(fit.frequency, fit.sigma_frequency, unit)}, its long axis at "
        f"{round(math.degrees(path.direction))}° from x towards y"
    )
    if fit.edge is not None:
        return f"{text} ({_EDGES[fit.edge]})"
    if path.minor < 2 * path.sigma_minor:
        return f"{text}; within the errors a line"
    return f"{text}, {'clockwise' if path.clockwise else 'anticlockwise'}"


def coherence_in_words(found: Coherence, second: str, unit: str = "Hz") -> str:
    """Write coherence and phase at the strongest common frequency; ValueError without one."""
    at = found.strongest()
    frequency, phase, sigma = (x[at] for x in (found.frequencies, found.phase, found.sigma_phase))
    delay = 1e3 * phase / (2 * math.pi * frequency)
    ahead = "ahead" if phase >= 0 else "behind"
    return (
        f"Coherence {found.coherence[at]:.3f} at {rounded(frequency, 4)} {unit} (independent "
        f"motion: below {found.level:.3f}). {second} is "
        f"{with_error(abs(math.degrees(phase)), math.degrees(sigma))}° {ahead}"
        + (f", {rounded(abs(delay), 3)} ms" if unit == "Hz" else "")
    )


def _times(ratio: float) -> str:
    rounded = float(f"{ratio:.2g}")
    return f"{rounded:,.0f} times" if rounded >= 100 else f"{rounded:g} times"


def direction_in_words(direction: float) -> str:
    """Write an orientation: "x", "y", or the angle from x (right) towards y (down)."""
    degrees = math.degrees(direction) % 180
    if min(degrees, 180 - degrees) < 3:
        return "x"
    if abs(degrees - 90) < 3:
        return "y"
    return f"{degrees:.0f}° from x towards y"


def spectrum_in_words(
    spectrum: MotionSpectrum,
    trace: DisplacementTrace,
    peaks: list[Peak],
    *,
    unit: str = "Hz",
    against: str = "background",
) -> str:
    """Describe what oscillates, or that nothing stands out from what it is compared `against`."""
    angle = direction_in_words(spectrum.direction)
    if not peaks:
        text = (
            f"No oscillation stands out along {angle} (1 % false alarm); resolution "
            f"{rounded(spectrum.resolution, 3)} {unit}"
        )
        others = spectrum.peaks(against="pixels") if against == "background" else []
        if others:  # a few beats look like a smooth background
            frequency = rounded(others[0].frequency, 4)
            text += f". Over the noise of the pixels alone, {frequency} {unit} does"
        return text
    level = "the background" if against == "background" else "the noise of the pixels"
    text = "Moves at " + peak_in_words(peaks[0], trace, spectrum.direction, unit=unit)
    text += f", along {angle}; {_times(peaks[0].ratio)} {level} in power"
    others = [rounded(peak.frequency, 4) for peak in peaks[1:5]]
    return f"{text}. Also {', '.join(others)} {unit}" if others else text


def trace_in_words(trace: DisplacementTrace, direction: float) -> str:
    """Describe how a trace oscillates along a direction (rad), or else how much it moves."""
    course, sigma = trace.along(direction)
    size = length_per_pixel(trace, direction)
    error = f"±{rounded(float(sigma.mean()), 2)} px in a frame"
    peaks: list[Peak] = []
    unit = trace.frequency_unit
    if len(trace) >= FEWEST_FRAMES:
        spectrum = spectrum_of(trace, direction)
        peaks, aliasing = spectrum.peaks(), spectrum.aliasing(unit)
        error += f"; {aliasing}" if aliasing else ""
    along = f"along {direction_in_words(direction)}"
    if peaks:
        text = peak_in_words(peaks[0], trace, direction, unit=unit, phase=True)
        return f"{along}: {text}; {error}"
    spread = float(course.max() - course.min())
    text = f"{rounded(spread, 3)} px"
    if size is not None:
        smaller, factor = smaller_unit(spread * size, trace.length_unit)
        text += f" ({rounded(spread * size * factor, 3)} {shown_unit(smaller)})"
    return f"{along} within {text}, no oscillation stands out; {error}"


def length_per_pixel(trace: DisplacementTrace, direction: float) -> float | None:
    """Return the length of a pixel along a direction, in the unit of the trace, or None."""
    if trace.pixel_size is None:
        return None
    height, width = trace.pixel_size
    return float(np.hypot(height * np.sin(direction), width * np.cos(direction)))


def shown_unit(unit: str | None) -> str:
    """Return a unit as it is printed."""
    return "µm" if unit == "um" else unit or "px"


def shortened(name: str, most: int) -> str:
    """Return a name of at most `most` letters, its middle left out."""
    if len(name) <= most:
        return name
    end = (most - 1) // 2
    return f"{name[: most - 1 - end]}…{name[-end:]}"


def time_label(unit: str) -> str:
    """Return the label of an axis of time."""
    return f"time ({'frames' if unit == 'frame' else unit})"


def smaller_unit(largest: float, unit: str | None, factor: float = 1.0) -> tuple[str | None, float]:
    """Return a unit in which a length `largest` is not far below 1, and `factor` in that unit."""
    while 0 < largest < 0.1 and unit in _SMALLER:
        largest, factor, unit = largest * 1000, factor * 1000, _SMALLER[unit]
    return unit, factor
