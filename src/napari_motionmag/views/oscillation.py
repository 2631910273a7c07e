"""Amplitude, frequency and phase of an oscillation, with their errors."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq, minimize_scalar

from napari_motionmag.compute.validate import above_zero, checked_flag, told_apart
from napari_motionmag.views.estimators.series import even_times, numbers
from napari_motionmag.views.trace import DisplacementTrace, orientation

FEWEST_FITTED = 5  # frames to which a sinusoid is fitted
_PADDING = 8  # of the periodogram from which the fit starts
_CHI2 = 3.8415  # rise of chi-squared at the ends of a 95 % interval
_SIGMAS = 1.96  # its half width in standard errors
_SCANNED = 17  # frequencies within that interval at which the other parameters are looked at
_PEAK = 1.5  # periods per record: what is further away than this is another peak
_PAUSE = 8  # intervals between frames: a longer one is left out of the periodogram
_EDGE = 1e-3  # periods per record: this near to zero or Nyquist is at the edge


@dataclass(frozen=True)
class Oscillation:
    """A sinusoid fitted to one or more time series that share its frequency.

    ``series_k(t) = offset_k + slope_k (t - mean t) + amplitude_k cos(2 pi frequency t + phase_k)``

    Errors are half of the 95 % interval over 1.96: standard errors where the fit is well
    determined, and as wide as the data require where it is not.

    Attributes
    ----------
    frequency, sigma_frequency : float
        Hz (cycles per frame where the times are frame numbers). The error is 0 for a frequency
        that was given, not fitted.
    phasors : ndarray of complex, shape (K,)
        ``amplitude exp(i phase)``; for a trace K = 2: (dy, dx), in px.
    covariance : ndarray, shape (2 K, 2 K)
        Of the real parts of the phasors, then of their imaginary parts; inf at an edge.
    offset, slope : ndarray, shape (K,)
        Slope is 0 unless ``drift=True``.
    misfit : float
        Mean squared residual over what the errors of the data explain. Where it is above 1, the
        errors here are enlarged by its square root: other motion counts as noise.
    edge : {None, "zero", "nyquist"}
        The end of the band from which the frequency cannot be distinguished. Amplitude and phase
        are then not separately determined, as a small part of a large slow oscillation looks like
        a drift, and samples near the zeros of a fast one like a small one: the smallest amplitude
        that explains the data is given, with an error of inf.
    sigma_amplitude, sigma_phase : float
        Errors of :attr:`amplitude` and :attr:`phase` (rad).
    sigma_amplitudes, sigma_phases : ndarray, shape (K,)
        The same for each series.
    """

    frequency: float
    sigma_frequency: float
    phasors: np.ndarray
    covariance: np.ndarray
    offset: np.ndarray
    slope: np.ndarray
    misfit: float
    edge: str | None
    sigma_amplitude: float
    sigma_phase: float
    sigma_amplitudes: np.ndarray
    sigma_phases: np.ndarray

    @property
    def direction(self) -> float:
        """Orientation of the largest excursion, of K = 2: -pi/4 to 3/4 pi, 0 along x."""
        return orientation(*_principal_axis(self.phasors))

    @property
    def amplitude(self) -> float:
        """Largest excursion: half of peak to peak, along :attr:`direction`."""
        return float(abs(self.phasors @ _principal_axis(self.phasors)))

    @property
    def phase(self) -> float:
        """Phase along :attr:`direction`, rad: ``cos(2 pi f t + phase)``."""
        return float(np.angle(self.phasors @ _principal_axis(self.phasors)))

    @property
    def amplitudes(self) -> np.ndarray:
        """Amplitude of each series, shape (K,)."""
        return np.abs(self.phasors)

    @property
    def phases(self) -> np.ndarray:
        """Phase of each series, shape (K,), rad."""
        return np.angle(self.phasors)

    def course(self, times) -> np.ndarray:
        """Return the oscillating part at some times, shape (len(times), K)."""
        turn = np.exp(2j * np.pi * self.frequency * np.asarray(times, float))
        return np.real(turn[:, np.newaxis] * self.phasors)


def fit_oscillation(
    trace: DisplacementTrace,
    frequency: float | None = None,
    band: tuple[float, float] | None = None,
    *,
    fixed: bool = False,
    drift: bool = False,
) -> Oscillation:
    """Fit a sinusoid to the displacement of a region.

    Parameters
    ----------
    trace : DisplacementTrace
    frequency : float, optional
        First guess, Hz; by default the highest peak of the periodogram within `band`.
    band : (float, float), optional
        Where to look for it, Hz.
    fixed : bool
        Whether to keep `frequency` as it is.
    drift : bool
        Whether to fit a constant velocity, too.

    Returns
    -------
    Oscillation
        Of (dy, dx), px.

    Raises
    ------
    ValueError
        If an argument is invalid, or the trace is shorter than 5 frames.

    Examples
    --------
    >>> from napari_motionmag import samples, views
    >>> movie, info = samples.load("strings", n_frames=60)
    >>> trace = views.displacement_trace(movie, (20, 44, 20, 76), fps=info["fps"])
    >>> fit = views.fit_oscillation(trace)
    >>> fit.frequency, fit.sigma_frequency, fit.edge  # doctest: +SKIP
    """
    frame, whole = (
        np.diagonal(part, axis1=1, axis2=2) for part in (trace.frame_covariance, trace.covariance)
    )
    variance = np.where(frame > 0, frame, whole)  # along an edge nothing is known
    return fit_sinusoid(
        trace.times,
        trace.displacement,
        np.sqrt(variance),
        frequency=frequency,
        band=band,
        fixed=fixed,
        drift=drift,
    )


def fit_sinusoid(
    times,
    values,
    sigma=None,
    *,
    frequency: float | None = None,
    band: tuple[float, float] | None = None,
    fixed: bool = False,
    drift: bool = False,
    enlarge: bool = True,
) -> Oscillation:
    """Fit a sinusoid to one or more time series, by weighted least squares.

    Parameters
    ----------
    times : array_like, shape (T,)
        Increasing.
    values : array_like, shape (T,) or (T, K)
        Series that share the frequency.
    sigma : array_like, shape of `values`, or float, optional
        Standard error of each value; estimated from the residuals when None.
    frequency, band, fixed, drift
        As for :func:`fit_oscillation`.
    enlarge : bool
        Whether to enlarge the errors where the residuals are larger than `sigma` explains.

    Returns
    -------
    Oscillation

    Notes
    -----
    The 95 % intervals are those of the profile of chi-squared over frequency. Well inside the
    band they are the Cramer-Rao bound; for one series with white noise,
    ``var(f) = 24 sigma^2 / ((2 pi A)^2 T (T^2 - 1)) fps^2``.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_motionmag import views
    >>> t = np.arange(100) / 50
    >>> fit = views.fit_sinusoid(t, 0.2 * np.cos(2 * np.pi * 8 * t), sigma=0.01)
    >>> round(fit.frequency, 3), round(fit.amplitude, 3), fit.edge
    (8.0, 0.2, None)
    """
    times, values = numbers("times", times), numbers("values", values)
    for name, value in (("fixed", fixed), ("drift", drift), ("enlarge", enlarge)):
        checked_flag(name, value)
    values = values[:, np.newaxis] if values.ndim == 1 else values
    if times.ndim != 1 or values.ndim != 2 or len(values) != times.size:
        raise ValueError(
            f"values must have one row for each of the {times.size} times; got {values.shape}"
        )
    if len(times) < FEWEST_FITTED + drift:
        raise ValueError(
            f"a sinusoid needs at least {FEWEST_FITTED + drift} frames; got {len(times)}"
        )
    if not (np.isfinite(times).all() and (np.diff(times) > 0).all()):
        raise ValueError("times must be finite and increase")
    known = sigma is not None
    sigma = np.broadcast_to(numbers("sigma", 1.0 if sigma is None else sigma), values.shape)
    if not (np.isfinite(sigma).all() and (sigma > 0).all()):
        raise ValueError("sigma must be finite and above 0")
    if fixed and frequency is None:
        raise ValueError("fixed=True needs a frequency")
    fit = _Fit(times, values, sigma, drift)
    low, high = checked_band(band, fit.nyquist)
    if frequency is None:
        frequency = fit.strongest(low, high)
    frequency = above_zero("frequency", frequency)
    if frequency > fit.nyquist * (1 + 1e-9):
        shown, most = told_apart(frequency, fit.nyquist, 6)
        raise ValueError(f"frequency must be within 0..{most}; got {shown}")
    return fit.result(frequency, fixed, known, enlarge)


def checked_band(band, nyquist: float = math.inf) -> tuple[float, float]:
    """Return two increasing frequencies; all up to the Nyquist frequency for None."""
    if band is None:
        return 0.0, nyquist
    try:
        low, high = (float(edge) for edge in band)
    except (TypeError, ValueError):
        low = high = math.nan
    if not 0 <= low < high <= nyquist * (1 + 1e-9):
        raise ValueError(
            f"band must be two increasing frequencies within 0..{nyquist:g}; got {band!r}"
        )
    return low, high


class _Fit:
    """Least squares of the linear parameters at each frequency, and its profile over frequency."""

    def __init__(self, times, values, sigma, drift: bool):
        self.times, self.values, self.sigma, self.drift = times, values, sigma, drift
        steps = np.diff(times)
        step = (times[-1] - times[0]) / len(steps)
        self.even = np.allclose(steps, step, rtol=1e-3)
        self.nyquist = 0.5 / (step if self.even else float(np.median(steps)))
        self.width = 1 / (step * len(times))  # a period per record
        self.lowest = _EDGE * self.width
        self.highest = self.nyquist - self.lowest
        shared = (sigma == sigma[:, :1]).all()  # series with the same errors are fitted together
        groups = [slice(None)] if shared else [slice(k, k + 1) for k in range(sigma.shape[1])]
        self._groups = [(sigma[:, group][:, :1], group) for group in groups]

    def strongest(self, low: float, high: float) -> float:
        """Return the frequency of the highest peak of the zero-padded periodogram."""
        weighted = self.values - np.average(self.values, axis=0, weights=self.sigma**-2.0)
        weighted /= self.sigma
        if not self.even:  # for a first guess a straight line does where few frames are missing
            step = 0.5 / self.nyquist
            even = even_times(self.times, step)
            weighted = np.stack([np.interp(even, self.times, v) for v in weighted.T], axis=1)
            interval = np.searchsorted(self.times[1:-1], even, "right")
            weighted[np.diff(self.times)[interval] > _PAUSE * step] = 0
        n = len(weighted)
        power = (np.abs(np.fft.rfft(weighted, _PADDING * n, axis=0)) ** 2).sum(axis=1)
        frequencies = np.fft.rfftfreq(_PADDING * n, 0.5 / self.nyquist)
        # below a period per record it is drift
        inside = (frequencies >= max(low, self.width)) & (frequencies <= high)
        if not inside.any():
            if high > self.width:  # between two of the frequencies
                return (max(low, self.width) + high) / 2
            shown, least = told_apart(high, self.width, 6)
            raise ValueError(
                f"band ({low:g}, {shown}) lies below one period in the record, {least}"
            )
        return float(frequencies[inside][np.argmax(power[inside])])

    def solve(self, frequency: float) -> float:
        """Return chi-squared of the best offset, phasors (and slope) at a frequency."""
        design, cost = self._design(frequency), 0.0
        for error, group in self._groups:
            weighted, value = design / error, self.values[:, group] / error
            # cut off: at Nyquist one of two columns is a multiple of the other
            part = np.linalg.lstsq(weighted, value, rcond=1e-9)[0]
            cost += float(((value - weighted @ part) ** 2).sum())
        return cost

    def _solve_all(self, frequencies) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Solve at F frequencies at once.

        Returns offset, real and imaginary part (and slope), (F, P, K), chi-squared, (F,), and the
        covariance of real, then imaginary parts, (F, 2 K, 2 K).
        """
        design = np.stack([self._design(frequency) for frequency in frequencies])
        count, k = len(design), self.values.shape[1]
        parts, cost = np.empty((count, design.shape[2], k)), np.zeros(count)
        covariance = np.zeros((count, 2, k, 2, k))
        for error, group in self._groups:
            weighted, value = design / error, self.values[:, group] / error
            inverse = np.linalg.pinv(weighted, rcond=1e-9)
            parts[:, :, group] = inverse @ value
            cost += ((value - weighted @ parts[:, :, group]) ** 2).sum(axis=(1, 2))
            for i in range(k)[group]:
                covariance[:, :, i, :, i] = (inverse @ inverse.mT)[:, 1:3, 1:3]
        return parts, cost, covariance.reshape(count, 2 * k, 2 * k)

    def result(self, start: float, fixed: bool, known: bool, enlarge: bool) -> Oscillation:
        """Fit, from a first guess of the frequency."""
        best = start if fixed else self._refined(start)
        cost = self.solve(best)
        count = 3 + self.drift
        free = self.values.size - self.values.shape[1] * count - (not fixed)
        misfit = cost / max(free, 1)
        scale = (max(misfit, 1.0) if enlarge else 1.0) if known else misfit
        edge, scanned = None, np.array([best])
        if not fixed:
            edge, scanned = self._scan(best, cost, scale)
        elif best > self.highest:
            edge = "nyquist"
        parts, costs, spread = self._solve_all(scanned)
        phasors, spread = parts[:, 1] + 1j * parts[:, 2], scale * spread
        if edge is None:
            chosen = int(np.flatnonzero(scanned == best)[0])
        else:
            chosen = int(np.argmin((np.abs(phasors) ** 2).sum(axis=1)))
        slack = np.sqrt(np.clip(_CHI2 - (costs - cost) / max(scale, 1e-300), 0, _CHI2))
        axes = [_principal_axis(phasors[chosen]), *np.eye(phasors.shape[1])]
        errors = np.array([_errors(phasors, chosen, spread, slack, axis) for axis in axes])
        moved = phasors[-1] - phasors[0]
        turn = np.concatenate([moved.real, moved.imag]) / (2 * _SIGMAS)
        covariance = spread[chosen] + np.outer(turn, turn)
        if edge is not None:
            errors[:], covariance = np.inf, np.full_like(covariance, np.inf)
        frequency = scanned[chosen]
        ends = {None: scanned, "zero": [0, *scanned], "nyquist": [*scanned, self.nyquist]}[edge]
        return Oscillation(
            frequency=float(frequency),
            sigma_frequency=float(np.abs(np.array(ends) - frequency).max() / _SIGMAS),
            phasors=phasors[chosen],
            covariance=covariance,
            offset=parts[chosen, 0],
            slope=parts[chosen, 3] if self.drift else np.zeros(phasors.shape[1]),
            misfit=float(misfit) if known else 1.0,
            edge=edge,
            sigma_amplitude=float(errors[0, 0]),
            sigma_phase=float(errors[0, 1]),
            sigma_amplitudes=errors[1:, 0],
            sigma_phases=errors[1:, 1],
        )

    def _refined(self, start: float) -> float:
        """Return the frequency of least chi-squared within the peak around `start`."""
        low = max(start - 0.5 * self.width, self.lowest)
        high = min(start + 0.5 * self.width, self.highest)
        if start < 2 * self.width:  # the peak and its image at the negative frequency meet
            low = self.lowest
        if start > self.nyquist - 2 * self.width:
            high = self.highest
        ladder = np.linspace(low, high, 2 + int(np.ceil(8 * (high - low) / self.width)))
        near = int(np.argmin([self.solve(frequency) for frequency in ladder]))
        found = minimize_scalar(
            self.solve,
            bounds=(ladder[max(near - 1, 0)], ladder[min(near + 1, len(ladder) - 1)]),
            method="bounded",
            options={"xatol": 1e-7 * self.width},
        )
        return float(found.x)

    def _scan(self, best: float, cost: float, scale: float) -> tuple[str | None, np.ndarray]:
        """Return the edge in the 95 % interval, or None, and frequencies over the interval."""

        def beyond(frequency: float) -> float:
            return self.solve(frequency) - cost - _CHI2 * scale

        near = best - _PEAK * self.width, best + _PEAK * self.width
        limits = max(near[0], self.lowest), min(near[1], self.highest)
        low, high = (self._end(beyond, best, limit) for limit in limits)
        scanned = np.union1d(np.linspace(low, high, _SCANNED), best)
        if high == self.highest:
            if beyond(self.nyquist) <= 0:
                scanned = np.append(scanned, self.nyquist)
            return "nyquist", scanned
        return ("zero" if low == self.lowest else None), scanned

    def _end(self, beyond, best: float, limit: float) -> float:
        """Return the end of the 95 % interval between the best frequency and a limit."""
        inner, reach = best, 1e-6 * self.width
        while True:
            outer = best + np.sign(limit - best) * reach if reach < abs(limit - best) else limit
            if beyond(outer) > 0:
                return float(brentq(beyond, inner, outer, rtol=1e-12, xtol=1e-9 * self.width))
            if outer == limit:
                return limit
            inner, reach = outer, 3 * reach

    def _design(self, frequency: float) -> np.ndarray:
        turn = 2 * np.pi * frequency * self.times
        columns = [np.ones_like(turn), np.cos(turn), -np.sin(turn)]
        if self.drift:
            columns.append(self.times - self.times.mean())
        return np.stack(columns, axis=1)


def _errors(phasors, chosen: int, spread, slack, axis: np.ndarray) -> tuple[float, float]:
    """Return errors of amplitude and phase along an axis over the frequencies of the interval."""
    along = phasors @ axis
    size = np.abs(along)
    turn = np.where(size > 0, along, 1) / np.where(size > 0, size, 1)
    real, imaginary = np.outer(turn.real, axis), np.outer(turn.imag, axis)
    radial = np.concatenate([real, imaginary], axis=1)
    across = np.concatenate([-imaginary, real], axis=1)

    def errors(part):  # rounded, a square may be just below 0
        return np.sqrt(np.maximum(np.einsum("fi,fij,fj->f", part, spread, part), 0))

    amplitude = np.abs(size - size[chosen]) + slack * errors(radial)
    angle = np.abs(np.angle(turn * turn[chosen].conj()))
    error = slack * errors(across) / np.where(size > 0, size, 1)
    angle = np.where(size > 0, angle + error, np.inf)
    return float(amplitude.max() / _SIGMAS), float(angle.max() / _SIGMAS)


def _principal_axis(phasors: np.ndarray) -> np.ndarray:
    """Return the unit vector of the largest excursion, (y, x) at an angle of -pi/4 to 3/4 pi."""
    if len(phasors) == 1:
        return np.ones(1)
    squares = np.real(np.outer(phasors, phasors.conj()))
    axis = np.linalg.eigh(squares)[1][:, -1]
    return axis if axis.sum() > 0 else -axis
