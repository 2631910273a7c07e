"""Spectra of displacement: the frequencies at which a region moves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.ndimage import label
from scipy.special import fdtri

from napari_motionmag.compute.validate import (
    above_zero,
    finite_number,
    one_of,
    rounded,
    told_apart,
    warn_user,
)
from napari_motionmag.views.displacement import displacement_trace
from napari_motionmag.views.estimators.periodograms import periodogram, without_trend
from napari_motionmag.views.estimators.selected_noise import smooth_background
from napari_motionmag.views.estimators.series import even_times, warn_if_uneven
from napari_motionmag.views.oscillation import checked_band, fit_sinusoid
from napari_motionmag.views.tables import write_csv
from napari_motionmag.views.trace import DisplacementTrace, orientation, principal_direction

FALSE_ALARM = 0.01  # chance that a spectrum of noise shows a peak
AGAINST = ("background", "pixels")
FEWEST_FRAMES = 16  # of a spectrum
_MOST_PEAKS = 16
_MANY = 64  # frequencies from which the background may bend twice
_LOWEST = 2.5  # periods in the record, below which a peak may be a drift
NEAR_NYQUIST = 0.9  # of the Nyquist frequency, from which motion may be aliased
_RISES = 1e-3  # chance that a flat spectrum seems to rise towards the Nyquist frequency
_SHARED = 1.5  # bins that share their noise through the Hann window


@dataclass(frozen=True)
class Peak:
    """An oscillation found in a spectrum.

    Attributes
    ----------
    frequency, sigma_frequency : float
        Hz.
    amplitude, sigma_amplitude : float
        Half of peak to peak, px.
    phase, sigma_phase : float
        rad; ``amplitude cos(2 pi frequency t + phase)``.
    ratio : float
        Height over the background, in power.
    edge : {None, "zero", "nyquist"}
        The end of the band from which the frequency cannot be distinguished. The errors of
        amplitude and phase are then inf; `amplitude` is the largest excursion in the record,
        which may be part of a larger one.
    """

    frequency: float
    sigma_frequency: float
    amplitude: float
    sigma_amplitude: float
    phase: float
    sigma_phase: float
    ratio: float
    edge: str | None = None


@dataclass(frozen=True)
class MotionSpectrum:
    """Spectrum of the displacement of a region along one direction.

    Attributes
    ----------
    frequencies : ndarray, shape (N,)
        Hz, from 0 to fps / 2.
    amplitude : ndarray, shape (N,)
        Amplitude of a sinusoid that would give this bin, px.
    density : ndarray, shape (N,)
        One-sided power density, px^2/Hz.
    noise : float
        Density that the noise of the pixels gives, px^2/Hz.
    background : ndarray, shape (N,)
        Density without peaks: a smooth curve through the spectrum, at least `noise`.
    direction : float
        -pi/4 to 3/4 pi, from x (0) towards y (pi/2).
    course, times : ndarray, shape (T,)
        The displacement along `direction`, px, and its times, s.
    fps : float
    """

    frequencies: np.ndarray
    amplitude: np.ndarray
    density: np.ndarray
    noise: float
    background: np.ndarray
    direction: float
    course: np.ndarray
    times: np.ndarray
    fps: float

    @property
    def resolution(self) -> float:
        """Distance between frequencies that can be distinguished, one period per record, Hz."""
        return self.fps / len(self.course)

    def threshold(
        self, false_alarm: float = FALSE_ALARM, against: str = "background"
    ) -> np.ndarray:
        """Return the density above which a peak counts, (N,), px^2/Hz; see :meth:`peaks`."""
        return self._level(against) * self._limit(false_alarm)

    def _limit(self, false_alarm: float) -> float:
        return math.log(len(self.frequencies) / above_zero("false_alarm", false_alarm))

    def _level(self, against: str) -> np.ndarray:
        one_of("against", against, AGAINST)
        if against == "pixels":
            return np.full_like(self.density, self.noise)
        return self.background

    def peaks(
        self,
        band: tuple[float, float] | None = None,
        false_alarm: float = FALSE_ALARM,
        against: str = "background",
    ) -> list[Peak]:
        """Find the oscillations that stand out, the strongest first.

        Parameters
        ----------
        band : (float, float), optional
            Where to look, Hz.
        false_alarm : float
            Chance that noise alone gives a peak anywhere in the spectrum.
        against : {"background", "pixels"}
            What a peak must stand out from: the smooth part of the spectrum, which includes drift
            and Brownian motion; or the noise of the pixels alone, so that all motion counts. The
            latter is for short records of pulses, such as heart beats, whose many harmonics look
            like a background.

        Returns
        -------
        list of Peak
            Empty when nothing stands out. At most 16.

        Notes
        -----
        Each is fitted to the displacement over time by least squares, after removing the stronger
        ones and a drift; the errors are for the background around the peak, noise and other motion
        alike, as in :func:`fit_sinusoid`.
        """
        low, high = checked_band(band)
        level = self._level(against)
        ratio = self.density / level
        limit = self._limit(false_alarm)
        inside = (self.frequencies >= max(low, _LOWEST * self.resolution)) & (
            self.frequencies <= high
        )
        if not (ratio[inside] > limit).any():
            return []
        rest = without_trend(self.course)
        peaks: list[Peak] = []
        while len(peaks) < _MOST_PEAKS:
            height = np.where(inside, ratio, 0.0)
            at = int(np.argmax(height))
            if height[at] <= limit:
                break
            # in a short record the background rises under a peak, and its flank stands out most
            strong = np.where(height > limit, height * level, 0.0)
            lobe = max(at - 2, 0)
            at = lobe + int(np.argmax(strong[lobe : at + 3]))
            start = self.frequencies[at]
            # errors from the noise around the peak: the residuals contain the other peaks, too
            sigma = np.sqrt(self.background[at] * self.fps / 2)
            fit = fit_sinusoid(self.times, rest, sigma, frequency=start, drift=True, enlarge=False)
            course = fit.course(self.times)[:, 0]
            amplitude = fit.amplitudes[0] if fit.edge is None else np.abs(course).max()
            peak = Peak(
                frequency=fit.frequency,
                sigma_frequency=fit.sigma_frequency,
                amplitude=float(amplitude),
                sigma_amplitude=float(fit.sigma_amplitudes[0]),
                phase=float(fit.phases[0]),
                sigma_phase=float(fit.sigma_phases[0]),
                ratio=float(ratio[at]),
                edge=fit.edge,
            )
            peaks.append(peak)
            rest = rest - course
            # what remains beside a peak that is not quite a sinusoid belongs to it
            inside &= np.abs(self.frequencies - start) > 2.5 * self.resolution
            ratio = _density(rest, self.fps)[1] / level
        return peaks

    def aliasing(self, unit: str = "Hz") -> str | None:
        """Return a sentence where faster motion may be folded into the spectrum; None elsewhere.

        Above 0.9 of the Nyquist frequency a peak stands out, or the mean density there is higher
        than between 0.4 and 0.8 of it, by more than noise gives in one of a thousand flat spectra.
        """
        nyquist = self.fps / 2
        top = self.frequencies > NEAR_NYQUIST * nyquist
        level = np.where(top, self.density / self.threshold(), 0.0)
        if level.max() > 1:
            return near_nyquist(float(self.frequencies[np.argmax(level)]), self.fps, unit)
        middle = (self.frequencies > 0.4 * nyquist) & (self.frequencies < 0.8 * nyquist)
        # the bin at the Nyquist frequency is real: one degree of freedom
        freedom = (2 * top.sum() - (len(self.course) % 2 == 0), 2 * middle.sum())
        times = np.mean(self.density[top]) / max(np.mean(self.density[middle]), 1e-300)
        if times <= fdtri(freedom[0] / _SHARED, freedom[1] / _SHARED, 1 - _RISES):
            return None
        return (
            f"the spectrum rises towards half the frame rate, {rounded(nyquist, 4)} {unit} (power "
            f"there {rounded(times, 2)} times that in the middle): motion faster than that may be "
            "folded into it (aliasing); a higher frame rate would tell"
        )

    def to_csv(self, path) -> Path:
        """Write frequency, amplitude, density and background as a table; replaces a file."""
        comments = (
            "spectrum of displacement",
            f"frames per second: {self.fps:g}",
            f"direction (degrees from x towards y): {np.degrees(self.direction):g}",
            f"density of pixel noise (px^2/Hz): {self.noise:g}",
        )
        columns = {
            "frequency (Hz)": self.frequencies,
            "amplitude (px)": self.amplitude,
            "density (px^2/Hz)": self.density,
            "background (px^2/Hz)": self.background,
        }
        return write_csv(path, comments, columns, digits=8)


def motion_spectrum(source, region=None, *, direction: float | None = None, **options):
    """Measure the spectrum of the motion of a region.

    Parameters
    ----------
    source : DisplacementTrace, array, napari Image layer or Movie
        A trace, or a movie in which `region` is traced first. The frame rate must be known.
    region : optional
        As for :func:`displacement_trace`.
    direction : float, optional
        Angle from x towards y, rad, along which the displacement is taken. By default that of the
        largest motion, without drift.
    **options
        As for :func:`displacement_trace`.

    Returns
    -------
    MotionSpectrum
        A periodogram with a Hann window of the displacement without its linear drift.

    Raises
    ------
    ValueError
        If the frame rate is missing or there are fewer than 16 frames.

    Warns
    -----
    UserWarning
        If there is motion near the Nyquist frequency; see :meth:`MotionSpectrum.aliasing`.

    Examples
    --------
    >>> from napari_motionmag import samples, views
    >>> movie, info = samples.load("strings", n_frames=60)
    >>> trace = views.displacement_trace(movie, (20, 44, 20, 76), fps=info["fps"])
    >>> views.motion_spectrum(trace).peaks()[0].frequency  # doctest: +SKIP
    """
    trace = source
    if not isinstance(source, DisplacementTrace):
        trace = displacement_trace(source, region, **options)
    elif region is not None or options:
        raise ValueError("region and options are for movies; the source is a trace")
    if trace.fps is None:
        raise ValueError("fps is missing: a spectrum needs the frames per second of the movie")
    if len(trace) < FEWEST_FRAMES:
        raise ValueError(
            f"a spectrum needs at least {FEWEST_FRAMES} frames; the trace has {len(trace)}"
        )
    spectrum = spectrum_of(trace, direction)
    message = spectrum.aliasing("Hz" if trace.time_unit == "s" else "cycles/frame")
    if message:
        warn_user(message)
    return spectrum


def near_nyquist(frequency: float, fps: float, unit: str = "Hz") -> str:
    """Return a sentence about motion near half the frame rate."""
    shown, half = told_apart(frequency, fps / 2, 4)
    mirrored, _ = told_apart(fps - frequency, frequency, 4)
    return (
        f"motion at {shown} {unit} is near half the frame rate, {half} {unit}: "
        f"motion at {mirrored} {unit} or faster looks the same (aliasing); a higher "
        "frame rate would tell"
    )


def spectrum_of(trace: DisplacementTrace, direction: float | None = None) -> MotionSpectrum:
    """Return the spectrum of a trace of 16 frames or more, in cycles per frame without a rate."""
    if direction is not None:
        finite_number("direction", direction)
        direction = orientation(np.sin(direction), np.cos(direction))
    else:
        moving = without_trend(trace.displacement)
        direction = principal_direction(moving, trace.frame_covariance)
    unit = np.array([np.sin(direction), np.cos(direction)])
    course = trace.displacement @ unit
    variance = np.einsum("i,tij,j->t", unit, trace.frame_covariance, unit)
    times, fps = trace.times, trace.fps or 1.0
    if warn_if_uneven(times, trace.fps, "the displacement is interpolated to an even time axis"):
        times = even_times(times, 1 / fps)
        course = np.interp(times, trace.times, course)
    noise = 2 * float(variance.mean()) / fps
    frequencies, density, amplitude = _density(course, fps)
    background = smooth_background(density, 3 if len(density) >= _MANY else 2, from_top=1)
    return MotionSpectrum(
        frequencies=frequencies,
        amplitude=amplitude,
        density=density,
        noise=noise,
        background=np.maximum(background, noise),
        direction=direction,
        course=course,
        times=times,
        fps=fps,
    )


def suggest_band(
    source,
    region=None,
    *,
    within: tuple[float, float] | None = None,
    against: str = "background",
    **options,
) -> tuple[float, float] | None:
    """Suggest a band around the strongest oscillation of a region.

    Parameters
    ----------
    source : MotionSpectrum, DisplacementTrace, array, napari Image layer or Movie
    region : optional
        As for :func:`displacement_trace`.
    within : (float, float), optional
        Where to look, Hz.
    against : {"background", "pixels"}
        What the oscillation must stand out from, as for :meth:`MotionSpectrum.peaks`.
    **options
        As for :func:`motion_spectrum`.

    Returns
    -------
    (float, float) or None
        The band (low, high) in Hz, which holds the peak and what stands out beside it; None when
        nothing stands out.

    Examples
    --------
    >>> from napari_motionmag import samples, views
    >>> movie, info = samples.load("strings", n_frames=60)
    >>> views.suggest_band(movie, (20, 44, 20, 76), fps=info["fps"])  # doctest: +SKIP
    """
    spectrum = source
    if not isinstance(source, MotionSpectrum):
        spectrum = motion_spectrum(source, region, **options)
    peaks = spectrum.peaks(within, against=against)
    if not peaks:
        return None
    center = peaks[0].frequency
    at = int(np.argmin(np.abs(spectrum.frequencies - center)))
    above = spectrum.density > spectrum.threshold(against=against)
    above[0], above[at] = False, True
    runs = label(above)[0]
    first, last = np.flatnonzero(runs == runs[at])[[0, -1]]
    reach = max(3 * spectrum.resolution, 0.1 * center)
    low = min(center - reach, spectrum.frequencies[first])
    high = max(center + reach, spectrum.frequencies[last])
    # neither drift nor the second harmonic
    low = max(low, 0.5 * center, 0.5 * spectrum.resolution)
    high = min(high, max(1.5 * center, center + reach), spectrum.fps / 2)
    return float(low), float(high)


def _density(course: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return frequencies, one-sided power density and amplitude of a Hann-windowed periodogram."""
    frequencies, density = periodogram(course, fps)
    power = density * 1.5 * fps / len(course)  # 1.5 bins: noise bandwidth of the Hann window
    at_edge = (frequencies == 0) | (2 * np.arange(len(frequencies)) == len(course))
    return frequencies, density, np.sqrt(np.where(at_edge, power, 2 * power))
