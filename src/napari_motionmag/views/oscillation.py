"""Amplitude, frequency and phase of an oscillation, with their errors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_motionmag.views.estimators.frequency_fit import FrequencyFit, principal_axis
from napari_motionmag.views.trace import DisplacementTrace


@dataclass(frozen=True)
class Oscillation:
    """A sinusoid fitted to one or more courses of time that share its frequency.

    ``course_k(t) = offset_k + slope_k (t - mean t) + amplitude_k cos(2 pi frequency t + phase_k)``

    Errors are half of the 95 % interval over 1.96: standard errors where the fit is well
    determined, and as wide as the data demand where it is not.

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
        errors here are enlarged by its square root: what else happens counts as noise.
    edge : {None, "zero", "nyquist"}
        The end of the band from which the frequency cannot be distinguished. Amplitude and phase
        are then not separately determined, as a small part of a large slow oscillation looks like
        a drift, and samples near the zeros of a fast one like a small one: the smallest amplitude
        that explains the data is given, with an error of inf.
    sigma_amplitude, sigma_phase : float
        Errors of :attr:`amplitude` and :attr:`phase` (rad).
    sigma_amplitudes, sigma_phases : ndarray, shape (K,)
        The same for each course.
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
        """Orientation of the largest excursion, 0 to pi, 0 along x, pi/2 along y (down); K = 2."""
        y, x = principal_axis(self.phasors)
        return float(np.arctan2(y, x) % np.pi)

    @property
    def amplitude(self) -> float:
        """Largest excursion: half of peak to peak, along :attr:`direction`."""
        return float(abs(self.phasors @ principal_axis(self.phasors)))

    @property
    def phase(self) -> float:
        """Phase along :attr:`direction`, rad: ``cos(2 pi f t + phase)``."""
        return float(np.angle(self.phasors @ principal_axis(self.phasors)))

    @property
    def amplitudes(self) -> np.ndarray:
        """Amplitude of each course, shape (K,)."""
        return np.abs(self.phasors)

    @property
    def phases(self) -> np.ndarray:
        """Phase of each course, shape (K,), rad."""
        return np.angle(self.phasors)

    def course(self, times) -> np.ndarray:
        """The oscillating part at some times, shape (len(times), K)."""
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

    Examples
    --------
    >>> from napari_motionmag import samples, views
    >>> movie, info = samples.load("strings", n_frames=60)
    >>> trace = views.displacement_trace(movie, (20, 44, 20, 76), fps=info["fps"])
    >>> fit = views.fit_oscillation(trace)
    >>> fit.frequency, fit.sigma_frequency, fit.edge  # doctest: +SKIP
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
    enlarge: bool = True,
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
    enlarge : bool
        Enlarge the errors where the residuals are larger than `sigma` explains.

    Returns
    -------
    Oscillation

    Notes
    -----
    The 95 % intervals are those of the profile of chi-squared over frequency. Well inside the
    band they are the Cramer-Rao bound; for one course with white noise,
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
    fit = FrequencyFit(times, values, sigma, drift)
    nyquist = fit.nyquist
    low, high = _checked_band(band, nyquist)
    frequency = fit.strongest(low, high) if frequency is None else float(frequency)
    if not 0 < frequency <= nyquist * (1 + 1e-9):
        raise ValueError(f"frequency must be within 0..{nyquist:g}; got {frequency:g}")
    result = fit.result(frequency, fixed, known, enlarge)
    parts, errors = result.parts, result.errors
    return Oscillation(
        frequency=result.frequency,
        sigma_frequency=result.sigma_frequency,
        phasors=parts[:, 1] + 1j * parts[:, 2],
        covariance=result.covariance,
        offset=parts[:, 0],
        slope=parts[:, 3] if drift else np.zeros(len(parts)),
        misfit=result.misfit,
        edge=result.edge,
        sigma_amplitude=float(errors[0, 0]),
        sigma_phase=float(errors[0, 1]),
        sigma_amplitudes=errors[1:, 0],
        sigma_phases=errors[1:, 1],
    )


def _checked_band(band, nyquist: float) -> tuple[float, float]:
    if band is None:
        return 0.0, nyquist
    low, high = (float(edge) for edge in band)
    if not 0 <= low < high <= nyquist * (1 + 1e-9):
        raise ValueError(
            f"band must be two increasing frequencies within 0..{nyquist:g}; got {band!r}"
        )
    return low, high
