"""Spectra and traces drawn on a matplotlib Figure. matplotlib is not imported here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from napari_motionmag.compute.validate import rounded
from napari_motionmag.views.figures import text
from napari_motionmag.views.responses import ResponseTable
from napari_motionmag.views.spectrum import MotionSpectrum, Peak
from napari_motionmag.views.trace import DisplacementTrace

_BARS = 40  # frames: error bars up to these, a band above
_SURE = 2  # standard errors that are drawn
_NAMED = 3  # peaks labelled with their frequency
_LEAST = 1e-9  # px: nothing on the scale of a logarithm


def draw_spectrum(
    figure,
    spectrum: MotionSpectrum | None,
    *,
    peaks: Sequence[Peak] = (),
    band: tuple[float, float] | None = None,
    responses: ResponseTable | None = None,
    unit: str = "Hz",
    pixels: bool = True,
) -> None:
    """Draw the spectrum of a motion and the frequency responses of temporal operators.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty.
    spectrum : MotionSpectrum, optional
        Left out when None.
    peaks : sequence of Peak
        Marked; the strongest first.
    band : (float, float), optional
        Shaded, Hz.
    responses : ResponseTable, optional
        Drawn on a second axis.
    unit : str
        Of frequencies.
    pixels : bool
        Whether the noise of pixels is drawn as a line.

    References
    ----------
    Oh et al., ECCV 2018, supplement, Fig. A.2.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from napari_motionmag import temporal, views
    >>> table = views.response_table([temporal.FIR(10, 20)], fps=100)
    >>> views.draw_spectrum(Figure(), None, band=(10, 20), responses=table)
    """
    axes = figure.subplots()
    axes.set_xlabel(f"frequency ({unit})")
    if band is not None:
        axes.axvspan(*band, color="C1", alpha=0.15, linewidth=0)
    if spectrum is not None:
        _draw_motion(axes, spectrum, peaks, pixels)
    if responses is not None:
        gains = axes.twinx() if spectrum is not None else axes
        for k, (name, gain) in enumerate(zip(responses.names, responses.gain, strict=True)):
            gains.plot(responses.frequencies, gain, color=f"C{k + 1}", label=name)
        gains.set_ylim(0, 1.15 * max(1.0, float(responses.gain.max())))
        gains.set_ylabel("gain of the filter")
        axes.set_xlim(0, float(responses.frequencies[-1]))
        if len(responses.names) > 1:
            figure.legend(loc="outside upper left", ncols=2)
    axes.grid(True)


def draw_displacement(
    figure,
    traces: Mapping[str, DisplacementTrace],
    directions: Mapping[str, float] | None = None,
    quantity: str = "displacement",
    window: int = 5,
) -> None:
    """Draw motion over time with its errors, two standard errors to each side.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty.
    traces : mapping of name to DisplacementTrace
    directions : mapping of name to float, optional
        Angles from x towards y, rad, along which the displacement is taken; that of the largest
        motion by default.
    quantity, window
        As for :meth:`DisplacementTrace.along`.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from napari_motionmag import samples, views
    >>> movie, info = samples.load("strings", n_frames=60)
    >>> trace = views.displacement_trace(movie, (20, 44, 20, 76), fps=info["fps"])
    >>> views.draw_displacement(Figure(), {"string": trace})
    """
    axes = figure.subplots()
    directions = directions or {}
    for k, (name, trace) in enumerate(traces.items()):
        course, sigma = trace.along(directions.get(name), quantity, window)
        style = {"color": f"C{k}", "label": text.shortened(name, 42)}
        if len(trace) <= _BARS:
            axes.errorbar(
                trace.times, course, _SURE * sigma, marker="o", markersize=3, capsize=2, **style
            )
            continue
        axes.plot(trace.times, course, linewidth=0.9, **style)
        low, high = course - _SURE * sigma, course + _SURE * sigma
        axes.fill_between(trace.times, low, high, color=f"C{k}", alpha=0.35, linewidth=0)
    units = {trace.time_unit for trace in traces.values()}
    per = {"displacement": "", "velocity": "/{}", "acceleration": "/{}²"}[quantity]
    axes.set_ylabel(f"{quantity} (px{per.format(next(iter(units), 's'))})")
    if traces:
        axes.set_xlabel(text.time_label(units.pop()) if len(units) == 1 else "time")
        _add_lengths(axes, traces, directions, per)
    if len(traces) > 1:
        figure.legend(loc="outside upper left")
    axes.grid(True)


def _draw_motion(axes, spectrum: MotionSpectrum, peaks: Sequence[Peak], pixels: bool) -> None:
    frequencies, amplitude = spectrum.frequencies[1:], spectrum.amplitude[1:]
    # amplitude of a sinusoid for a density: the same for all bins between the first and the last
    ratio = amplitude[0] ** 2 / max(spectrum.density[1], 1e-300)
    threshold = np.sqrt(ratio * spectrum.threshold())[1:]
    axes.semilogy(frequencies, np.maximum(amplitude, _LEAST), color="C0", linewidth=0.9)
    axes.semilogy(frequencies, threshold, color="C0", linewidth=0.8, linestyle=":")
    if pixels:
        noise = np.sqrt(ratio * spectrum.noise)
        axes.axhline(noise, color="C0", linewidth=0.8, linestyle="--", alpha=0.7)
    axes.set_ylabel("amplitude (px)")
    axes.set_xlim(0, float(frequencies[-1]))
    low = min(np.quantile(amplitude, 0.02), np.sqrt(ratio * spectrum.noise))
    high = max(float(amplitude.max()), float(threshold.max()), 2 * _LEAST)
    axes.set_ylim(max(low / 2, _LEAST), 5 * high)
    for peak in list(peaks)[:_NAMED]:
        at = int(np.argmin(np.abs(frequencies - peak.frequency)))
        near = slice(max(at - 1, 0), at + 2)
        height = float(amplitude[near].max())
        axes.plot(peak.frequency, height, marker="v", color="C1", markersize=5)
        axes.annotate(
            rounded(peak.frequency, 4),
            (peak.frequency, height),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
        )


def _add_lengths(axes, traces: Mapping[str, DisplacementTrace], directions, per: str = "") -> None:
    """Add a second axis in um, where one pixel is the same length in all traces."""
    units = {trace.length_unit for trace in traces.values()}
    sizes = [
        text.length_per_pixel(trace, directions.get(name, trace.direction))
        for name, trace in traces.items()
    ]
    if None in sizes or len(units) > 1 or np.ptp(sizes) > 0.02 * np.mean(sizes):
        return
    size = float(np.mean(sizes))
    largest = np.abs(axes.get_ylim()).max() * size
    unit, size = text.smaller_unit(largest, units.pop(), size)
    second = axes.secondary_yaxis(
        "right", functions=(lambda px: px * size, lambda length: length / size)
    )
    time = next(iter(traces.values())).time_unit
    second.set_ylabel(f"({text.shown_unit(unit)}{per.format(time)})")
