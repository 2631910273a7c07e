"""Slices, spectra and traces drawn on a matplotlib Figure. matplotlib is not imported here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from napari_motionmag.views.slices import slice_calibration, slice_view
from napari_motionmag.views.spectrum import MotionSpectrum, Peak, ResponseTable
from napari_motionmag.views.trace import DisplacementTrace

_ROOM = 0.25  # of the length of a line, shown around it
_LEAST_ROOM = 8  # px
_BARS = 40  # frames: error bars up to these, a band above
_SURE = 2  # standard errors that are drawn
_SMALLER = {"m": "mm", "mm": "um", "um": "nm", "nm": "pm"}
_NAMED = 3  # peaks whose frequency is written beside them


@dataclass(frozen=True)
class SlicePicture:
    """A slice view ready to be drawn.

    Attributes
    ----------
    name : str
        Of the movie.
    view : ndarray, shape (T, L) or (T, L, 3)
    line : ndarray, shape (N, 2)
        Corners (y, x), px.
    calibration : dict
        Of :func:`napari_motionmag.views.slice_calibration`.
    limits : (float, float), optional
        Intensities of black and white; the smallest and the largest when None.
    frame : ndarray, shape (Y, X) or (Y, X, 3), optional
        A frame, of which the part around the line is shown beside the slice.
    colours : callable, optional
        Turns intensities from 0 to 1 into RGB(A), as a colormap does; grey when None.
    """

    name: str
    view: np.ndarray
    line: np.ndarray
    calibration: dict
    limits: tuple[float, float] | None = None
    frame: np.ndarray | None = None
    colours: Callable | None = None

    @classmethod
    def of(cls, movie, line, name: str = "", *, frame: int | None = None, **options):
        """Slice a movie.

        Parameters
        ----------
        movie : array, napari Image layer or Movie
        line : array_like
        name : str
        frame : int, optional
            Which frame is shown beside the slice; none when None.
        **options
            As for :func:`napari_motionmag.views.slice_view`.
        """
        from napari_motionmag.views.estimators.series import Series, as_movie

        movie = as_movie(movie, options.pop("axes", None))
        view = np.asarray(slice_view(movie, line, **options))
        shown = None
        if frame is not None:
            series = Series(movie, options.get("at"))
            shown = series.read(frame, frame + 1)[0]
        return cls(
            name=name or movie.name or "",
            view=view,
            line=np.asarray(line, float),
            calibration=slice_calibration(movie, line, step=options.get("step", 1.0)),
            frame=shown,
        )

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top of the picture: time and position at the edges."""
        interval = self.calibration["interval"]
        positions = self.calibration["positions"]
        half = positions[-1] / max(len(positions) - 1, 1) / 2
        return -interval / 2, (len(self.view) - 0.5) * interval, positions[-1] + half, -half

    def look(self, values: np.ndarray) -> np.ndarray:
        """Intensities as RGB(A) from 0 to 1, or grey from 0 to 1; NaN where there is nothing."""
        low, high = self.limits or (np.nanmin(self.view), np.nanmax(self.view))
        part = np.clip((values - float(low)) / max(float(high) - float(low), 1e-300), 0, 1)
        if values.ndim == 3:
            nothing = np.isnan(part).any(axis=-1)
            return np.dstack([np.nan_to_num(part[..., :3]), ~nothing])
        if self.colours is None:
            return part
        picture = np.asarray(self.colours(np.nan_to_num(part)), float)
        picture = picture.reshape(*part.shape, -1)
        if picture.shape[-1] == 3:
            picture = np.dstack([picture, np.ones(part.shape)])
        picture[..., 3] *= ~np.isnan(part)
        return picture


def draw_slices(figure, pictures: Sequence[SlicePicture], *, now: float | None = None) -> None:
    """Draw slices one below the other: time to the right, position along the line downwards.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty.
    pictures : sequence of SlicePicture
        Where one of them has a frame, frames are drawn on the left of the slices.
    now : float, optional
        A time to mark.

    References
    ----------
    Oh et al., ECCV 2018, Fig. 1, 7 and A.4.
    """
    if not pictures:
        return
    beside = any(picture.frame is not None for picture in pictures)
    axes = figure.subplots(
        len(pictures), 1 + beside, squeeze=False, width_ratios=(1, 2.2) if beside else (1,)
    )
    first = axes[0, -1]
    units = {picture.calibration["time_unit"] for picture in pictures}
    for row, picture in zip(axes, pictures, strict=True):
        slice_axes = row[-1]
        upright = np.swapaxes(picture.look(picture.view), 0, 1)
        _show(slice_axes, upright, picture.extent, "auto")
        if slice_axes is not first and len(units) == 1:
            slice_axes.sharex(first)
        slice_axes.set_title(shortened(picture.name, 24 if beside else 38), loc="left")
        slice_axes.set_ylabel(f"position ({shown_unit(picture.calibration['length_unit'])})")
        if now is not None:
            slice_axes.axvline(now, color="C1", linewidth=0.8)
        if beside:
            _draw_place(row[0], picture)
    longest = max(picture.extent[1] for picture in pictures)
    if len(units) == 1:
        first.set_xlim(min(picture.extent[0] for picture in pictures), longest)
        for slice_axes in axes[:-1, -1]:
            slice_axes.tick_params(labelbottom=False)
    last = pictures[-1].calibration
    axes[-1, -1].set_xlabel(f"time ({_time_unit(last['time_unit'])})")


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
    """Draw the spectrum of a motion, and what temporal operators let through of it.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty.
    spectrum : MotionSpectrum, optional
        Nothing is drawn of it when None.
    peaks : sequence of Peak
        Marked; the strongest first.
    band : (float, float), optional
        Shaded, Hz.
    responses : ResponseTable, optional
        Drawn on an axis of their own.
    unit : str
        Of frequencies.
    pixels : bool
        Whether the noise of pixels is drawn as a line.

    References
    ----------
    Oh et al., ECCV 2018, supplement, Fig. A.2.
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
) -> None:
    """Draw displacements over time with their errors, two standard errors to each side.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty.
    traces : mapping of name to DisplacementTrace
    directions : mapping of name to float, optional
        Angles from x towards y, rad, along which the displacement is taken; of the largest
        motion where there is none.
    """
    axes = figure.subplots()
    directions = directions or {}
    for k, (name, trace) in enumerate(traces.items()):
        course, sigma = trace.along(directions.get(name))
        style = {"color": f"C{k}", "label": shortened(name, 42)}
        if len(trace) <= _BARS:
            axes.errorbar(
                trace.times, course, _SURE * sigma, marker="o", markersize=3, capsize=2, **style
            )
            continue
        axes.plot(trace.times, course, linewidth=0.9, **style)
        low, high = course - _SURE * sigma, course + _SURE * sigma
        axes.fill_between(trace.times, low, high, color=f"C{k}", alpha=0.35, linewidth=0)
    axes.set_ylabel("displacement (px)")
    if traces:
        units = {trace.time_unit for trace in traces.values()}
        axes.set_xlabel(f"time ({_time_unit(units.pop())})" if len(units) == 1 else "time")
        _add_lengths(axes, traces, directions)
    if len(traces) > 1:
        figure.legend(loc="outside upper left")
    axes.grid(True)


def length_per_pixel(trace: DisplacementTrace, direction: float) -> float | None:
    """Length of one pixel along a direction, in the trace's unit; None if not calibrated."""
    if trace.pixel_size is None:
        return None
    height, width = trace.pixel_size
    return float(np.hypot(height * np.sin(direction), width * np.cos(direction)))


def shown_unit(unit: str | None) -> str:
    """Return a unit as it is printed."""
    return "µm" if unit == "um" else unit or "px"


def shortened(name: str, most: int) -> str:
    """Return a name of at most so many letters, its middle left out."""
    if len(name) <= most:
        return name
    end = (most - 1) // 2
    return f"{name[: most - 1 - end]}…{name[-end:]}"


def _time_unit(unit: str) -> str:
    return "frames" if unit == "frame" else unit


def _show(axes, picture: np.ndarray, extent, aspect: str) -> None:
    from matplotlib.ticker import MaxNLocator

    grey = {"cmap": "gray", "vmin": 0, "vmax": 1} if picture.ndim == 2 else {}
    axes.imshow(picture, extent=extent, aspect=aspect, interpolation="antialiased", **grey)
    axes.yaxis.set_major_locator(MaxNLocator(4))


def _draw_place(axes, picture: SlicePicture) -> None:
    """The part of the frame around the line, and the line."""
    axes.set_axis_off()
    if picture.frame is None:
        return
    height, width = picture.frame.shape[:2]
    low, high = picture.line.min(axis=0), picture.line.max(axis=0)
    room = max(_ROOM * float((high - low).max()), _LEAST_ROOM)
    top, left = (int(max(0, np.floor(x - room))) for x in low)
    bottom, right = (
        int(min(size, np.ceil(x + room) + 1)) for x, size in zip(high, (height, width), strict=True)
    )
    crop = picture.frame[top:bottom, left:right]
    if not crop.size:
        return
    if crop.ndim == 3:
        crop = crop[..., :3]
    _show(
        axes,
        picture.look(crop.astype(float)),
        (left - 0.5, right - 0.5, bottom - 0.5, top - 0.5),
        "equal",
    )
    axes.plot(picture.line[:, 1], picture.line[:, 0], color="C1", linewidth=1.2)
    axes.plot(*picture.line[0, ::-1], marker="o", markersize=3.5, color="C1")
    axes.set_xlim(left - 0.5, right - 0.5)
    axes.set_ylim(bottom - 0.5, top - 0.5)


def _draw_motion(axes, spectrum: MotionSpectrum, peaks: Sequence[Peak], pixels: bool) -> None:
    frequencies, amplitude = spectrum.frequencies[1:], spectrum.amplitude[1:]
    # amplitude of a sinusoid for a density: the same for all bins between the first and the last
    ratio = amplitude[0] ** 2 / max(spectrum.density[1], 1e-300)
    threshold = np.sqrt(ratio * spectrum.threshold())[1:]
    axes.semilogy(frequencies, np.maximum(amplitude, 1e-9), color="C0", linewidth=0.9)
    axes.semilogy(frequencies, threshold, color="C0", linewidth=0.8, linestyle=":")
    if pixels:
        noise = np.sqrt(ratio * spectrum.noise)
        axes.axhline(noise, color="C0", linewidth=0.8, linestyle="--", alpha=0.7)
    axes.set_ylabel("amplitude (px)")
    axes.set_xlim(0, float(frequencies[-1]))
    low = min(np.quantile(amplitude, 0.02), np.sqrt(ratio * spectrum.noise))
    high = max(float(amplitude.max()), float(threshold.max()))
    axes.set_ylim(low / 2, 5 * high)
    for peak in list(peaks)[:_NAMED]:
        at = int(np.argmin(np.abs(frequencies - peak.frequency)))
        near = slice(max(at - 1, 0), at + 2)
        height = float(amplitude[near].max())
        axes.plot(peak.frequency, height, marker="v", color="C1", markersize=5)
        axes.annotate(
            f"{peak.frequency:.4g}",
            (peak.frequency, height),
            xytext=(0, 5),
            textcoords="offset points",
            ha="center",
        )


def _add_lengths(axes, traces: Mapping[str, DisplacementTrace], directions) -> None:
    """A second axis in um, where one pixel is the same length in all traces."""
    lengths = {
        (
            length_per_pixel(trace, directions.get(name, trace.direction)),
            trace.length_unit,
        )
        for name, trace in traces.items()
    }
    sizes = [size for size, _ in lengths]
    if None in sizes or len({unit for _, unit in lengths}) > 1:
        return
    size = float(np.mean(sizes))
    if max(abs(one - size) for one in sizes) > 0.01 * size:
        return
    low, high = axes.get_ylim()
    unit, size = smaller_unit(max(abs(low), abs(high)) * size, next(iter(lengths))[1], size)
    second = axes.secondary_yaxis(
        "right", functions=(lambda px: px * size, lambda length: length / size)
    )
    second.set_ylabel(f"({shown_unit(unit)})")


def smaller_unit(largest: float, unit: str | None, factor: float = 1.0) -> tuple[str | None, float]:
    """Return a unit in which a length is not far below 1, and a factor in that unit.

    Parameters
    ----------
    largest : float
        In `unit`.
    unit : str or None
    factor : float
        In `unit`; converted too.
    """
    while 0 < largest < 0.1 and unit in _SMALLER:
        largest, factor, unit = largest * 1000, factor * 1000, _SMALLER[unit]
    return unit, factor
