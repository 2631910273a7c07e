"""Amplitude, frequency and phase of an oscillation, with their errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_motionmag.views.trace import DisplacementTrace

_STEPS = 20
_PADDING = 8  # of the periodogram from which the fit starts


@dataclass(frozen=True)
class Oscillation:
    """A sinusoid fitted to one or more courses of time that share its frequency.

    ``course_k(t) = offset_k + slope_k (t - mean t) + amplitude_k cos(2 pi frequency t + phase_k)``

    Attributes
    ----------
    frequency, sigma_frequency : float
        Hz (cycles per frame where the times are frame numbers). The error is 0 for a frequency
        that was given, not fitted.
    phasors : ndarray of complex, shape (K,)
        ``amplitude exp(i phase)``; for a trace K = 2: (dy, dx), in px.
    covariance : ndarray, shape (2 K, 2 K)
        Of the real parts of the phasors, then of their imaginary parts.
    offset, slope : ndarray, shape (K,)
        Slope is 0 unless ``drift=True``.
    misfit : float
        Mean squared residual over what the errors of the data explain. Where it is above 1, the
        errors here are enlarged by its square root: what else happens counts as noise.
    """

    frequency: float
    sigma_frequency: float
    phasors: np.ndarray
    covariance: np.ndarray
    offset: np.ndarray
    slope: np.ndarray
    misfit: float

    @property
    def direction(self) -> float:
        """Orientation of the largest excursion, 0 to pi, 0 along x, pi/2 along y (down); K = 2."""
        y, x = self._axis()
        return float(np.arctan2(y, x) % np.pi)

    @property
    def amplitude(self) -> float:
        """Largest excursion: half of peak to peak, along :attr:`direction`."""
        return float(abs(self.phasors @ self._axis()))

    @property
    def sigma_amplitude(self) -> float:
        """Standard error of :attr:`amplitude`."""
        return self._sigmas(self._axis())[0]

    @property
    def phase(self) -> float:
        """Phase along :attr:`direction`, rad: ``cos(2 pi f t + phase)``."""
        return float(np.angle(self.phasors @ self._axis()))

    @property
    def sigma_phase(self) -> float:
        """Standard error of :attr:`phase`, rad."""
        return self._sigmas(self._axis())[1]

    @property
    def amplitudes(self) -> np.ndarray:
        """Amplitude of each course, shape (K,)."""
        return np.abs(self.phasors)

    @property
    def phases(self) -> np.ndarray:
        """Phase of each course, shape (K,), rad."""
        return np.angle(self.phasors)

    @property
    def sigma_amplitudes(self) -> np.ndarray:
        """Standard errors of :attr:`amplitudes`."""
        return np.array([self._sigmas(unit)[0] for unit in np.eye(len(self.phasors))])

    @property
    def sigma_phases(self) -> np.ndarray:
        """Standard errors of :attr:`phases`, rad."""
        return np.array([self._sigmas(unit)[1] for unit in np.eye(len(self.phasors))])

    def course(self, times) -> np.ndarray:
        """The oscillating part at some times, shape (len(times), K)."""
        turn = np.exp(2j * np.pi * self.frequency * np.asarray(times, float))
        return np.real(turn[:, np.newaxis] * self.phasors)

    def _axis(self) -> np.ndarray:
        """Unit vector of the largest excursion; among +- the one that angles 0..pi mean."""
        if len(self.phasors) == 1:
            return np.ones(1)
        squares = np.real(np.outer(self.phasors, self.phasors.conj()))
        axis = np.linalg.eigh(squares)[1][:, -1]
        lead = axis[0] if abs(axis[0]) > 1e-12 else axis[-1]
        return axis * np.sign(lead)

    def _sigmas(self, axis: np.ndarray) -> tuple[float, float]:
        phasor = self.phasors @ axis
        size = abs(phasor)
        turn = phasor / size if size else 1.0
        along = np.concatenate([axis * turn.real, axis * turn.imag])
        across = np.concatenate([-axis * turn.imag, axis * turn.real])
        amplitude = np.sqrt(along @ self.covariance @ along)
        phase = np.sqrt(across @ self.covariance @ across) / size if size else np.inf
        return float(amplitude), float(phase)


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
        Where to start, Hz; by default the highest peak of the periodogram, within `band`.
    band : (float, float), optional
        Where to look for it, Hz.
    fixed : bool
        Take `frequency` as it is.
    drift : bool
        Allow for a constant velocity besides.

    Returns
    -------
    Oscillation
        Of (dy, dx), px.

    Raises
    ------
    ValueError
        If the arguments do not fit, or the trace is shorter than 5 frames.
    """
    variance = np.stack([trace.frame_covariance[:, 0, 0], trace.frame_covariance[:, 1, 1]], axis=1)
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
) -> Oscillation:
    """Fit a sinusoid to one or more courses of time, by weighted least squares.

    Parameters
    ----------
    times : array_like, shape (T,)
        Equally spaced.
    values : array_like, shape (T,) or (T, K)
        Courses that share the frequency.
    sigma : array_like, shape of `values`, or float, optional
        Standard error of each value. When None, taken from the residuals.
    frequency, band, fixed, drift
        As for :func:`fit_oscillation`.

    Returns
    -------
    Oscillation

    Notes
    -----
    The errors are those of the Cramer-Rao bound at the fitted values; for one course with white
    noise, ``var(f) = 24 sigma^2 / ((2 pi A)^2 T (T^2 - 1)) fps^2``.
    """
    times = np.asarray(times, float)
    values = np.asarray(values, float)
    values = values[:, np.newaxis] if values.ndim == 1 else values
    if times.ndim != 1 or values.ndim != 2 or len(values) != len(times):
        raise ValueError(
            f"values must have one row for each of the {len(times)} times; got {values.shape}"
        )
    if len(times) < 5 + drift:
        raise ValueError(f"a sinusoid needs at least {5 + drift} frames; got {len(times)}")
    step = (times[-1] - times[0]) / (len(times) - 1)
    if step <= 0 or not np.allclose(np.diff(times), step, rtol=1e-3):
        raise ValueError("times must increase in equal steps")
    known = sigma is not None
    sigma = np.broadcast_to(np.asarray(1.0 if sigma is None else sigma, float), values.shape)
    if not (np.isfinite(sigma).all() and (sigma > 0).all()):
        raise ValueError("sigma must be finite and above 0")
    if fixed and frequency is None:
        raise ValueError("fixed=True needs a frequency")
    low, high = _checked_band(band, step)
    if frequency is None:
        frequency = _strongest(times, values, sigma, low, high)
    frequency = float(frequency)
    if not 0 < frequency <= 0.5 / step * (1 + 1e-9):
        raise ValueError(f"frequency must be within 0..{0.5 / step:g}; got {frequency:g}")
    if not fixed:
        frequency = _refined(times, values, sigma, frequency, drift, 1 / (step * len(times)))
    return _fit(times, values, sigma, frequency, fixed, drift, known)


def _checked_band(band, step: float) -> tuple[float, float]:
    nyquist = 0.5 / step
    if band is None:
        return 0.0, nyquist
    low, high = (float(edge) for edge in band)
    if not 0 <= low < high <= nyquist * (1 + 1e-9):
        raise ValueError(
            f"band must be two increasing frequencies within 0..{nyquist:g}; got {band!r}"
        )
    return low, high


def _strongest(times, values, sigma, low: float, high: float) -> float:
    """Frequency of the highest peak of the zero-padded periodogram."""
    n = len(times)
    step = (times[-1] - times[0]) / (n - 1)
    weighted = (values - np.average(values, axis=0, weights=sigma**-2.0)) / sigma
    power = (np.abs(np.fft.rfft(weighted, _PADDING * n, axis=0)) ** 2).sum(axis=1)
    frequencies = np.fft.rfftfreq(_PADDING * n, step)
    # below a period per record it is drift
    inside = (frequencies >= max(low, 1 / (n * step))) & (frequencies <= high)
    if not inside.any():
        raise ValueError(
            f"band ({low:g}, {high:g}) lies below one period in the record, {1 / (n * step):g}"
        )
    return float(frequencies[inside][np.argmax(power[inside])])


def _design(times, frequency: float, drift: bool) -> np.ndarray:
    turn = 2 * np.pi * frequency * times
    columns = [np.ones_like(times), np.cos(turn), -np.sin(turn)]
    if drift:
        columns.append(times - times.mean())
    return np.stack(columns, axis=1)


def _solved(times, values, sigma, frequency: float, drift: bool) -> tuple[np.ndarray, float]:
    design = _design(times, frequency, drift)
    parts, cost = [], 0.0
    for value, error in zip(values.T, sigma.T, strict=True):
        part = np.linalg.lstsq(design / error[:, np.newaxis], value / error, rcond=None)[0]
        parts.append(part)
        cost += float((((value - design @ part) / error) ** 2).sum())
    return np.array(parts), cost


def _refined(times, values, sigma, start: float, drift: bool, width: float) -> float:
    """Minimise the residual over frequency near `start`: golden section, well within the peak."""
    from scipy.optimize import minimize_scalar

    nyquist = 0.5 * (len(times) - 1) / (times[-1] - times[0])
    limits = max(start - 0.5 * width, 0.05 * width), min(start + 0.5 * width, nyquist)
    found = minimize_scalar(
        lambda f: _solved(times, values, sigma, f, drift)[1],
        bounds=limits,
        method="bounded",
        options={"xatol": 1e-7 * width},
    )
    return float(found.x)


def _fit(times, values, sigma, frequency, fixed, drift, known) -> Oscillation:
    parts, cost = _solved(times, values, sigma, frequency, drift)
    k = values.shape[1]
    # the last frequency column is shared, all others are of one course
    single = _design(times, frequency, drift)
    count = single.shape[1]
    turn = 2 * np.pi * frequency * times
    free = k * count + (0 if fixed else 1)
    jacobian = np.zeros((k * len(times), free))
    for i in range(k):
        rows = slice(i * len(times), (i + 1) * len(times))
        jacobian[rows, i * count : (i + 1) * count] = single
        if not fixed:
            real, imaginary = parts[i, 1], parts[i, 2]
            change = -real * np.sin(turn) - imaginary * np.cos(turn)
            jacobian[rows, -1] = change * 2 * np.pi * times
    jacobian /= sigma.T.reshape(-1, 1)
    scale = np.abs(jacobian).max(axis=0)
    scale[scale == 0] = 1
    inverse = np.linalg.pinv((jacobian / scale).T @ (jacobian / scale), hermitian=True)
    covariance = inverse / np.outer(scale, scale)
    misfit = cost / max(values.size - free, 1)
    covariance *= max(misfit, 1.0) if known else misfit
    chosen = [i * count + 1 for i in range(k)] + [i * count + 2 for i in range(k)]
    return Oscillation(
        frequency=frequency,
        sigma_frequency=0.0 if fixed else float(np.sqrt(covariance[-1, -1])),
        phasors=parts[:, 1] + 1j * parts[:, 2],
        covariance=covariance[np.ix_(chosen, chosen)],
        offset=parts[:, 0],
        slope=parts[:, 3] if drift else np.zeros(k),
        misfit=float(misfit) if known else 1.0,
    )
