"""A sinusoid fitted to courses of time: the profile of chi-squared over frequency."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

_PADDING = 8  # of the periodogram from which the fit starts
_CHI2 = 3.8415  # rise of chi-squared at the ends of a 95 % interval
_SIGMAS = 1.96  # its half width in standard errors
_SCANNED = 17  # frequencies within that interval at which the other parameters are looked at
_PEAK = 1.5  # periods per record: what is further away than this is another peak
_EDGE = 1e-3  # periods per record: this near to zero or Nyquist is at the edge


class Fitted(NamedTuple):
    """A fit; `parts` (K, P) hold offset, real and imaginary part (and slope) of each course.

    `errors` (1 + K, 2) are those of amplitude and phase along the principal axis, then of each
    course; see `Oscillation`.
    """

    frequency: float
    sigma_frequency: float
    parts: np.ndarray
    covariance: np.ndarray
    errors: np.ndarray
    misfit: float
    edge: str | None


class FrequencyFit:
    """Least squares of the linear parameters at each frequency, and its profile over frequency."""

    def __init__(self, times, values, sigma, drift: bool):
        self.times, self.values, self.sigma, self.drift = times, values, sigma, drift
        step = (times[-1] - times[0]) / (len(times) - 1)
        self.nyquist, self.width = 0.5 / step, 1 / (step * len(times))  # width: a period per record
        self.lowest = _EDGE * self.width
        self.highest = self.nyquist - self.lowest

    def strongest(self, low: float, high: float) -> float:
        """Frequency of the highest peak of the zero-padded periodogram."""
        n, weights = len(self.times), self.sigma**-2.0
        weighted = (self.values - np.average(self.values, axis=0, weights=weights)) / self.sigma
        power = (np.abs(np.fft.rfft(weighted, _PADDING * n, axis=0)) ** 2).sum(axis=1)
        frequencies = np.fft.rfftfreq(_PADDING * n, 0.5 / self.nyquist)
        # below a period per record it is drift
        inside = (frequencies >= max(low, self.width)) & (frequencies <= high)
        if not inside.any():
            raise ValueError(
                f"band ({low:g}, {high:g}) lies below one period in the record, {self.width:g}"
            )
        return float(frequencies[inside][np.argmax(power[inside])])

    def solve(self, frequency: float) -> tuple[np.ndarray, float]:
        """Offset, real and imaginary part (and slope) of each course, (K, P), and chi-squared."""
        design = self._design(frequency)
        parts, cost = [], 0.0
        for value, error in zip(self.values.T, self.sigma.T, strict=True):
            # cut off: at Nyquist one of two columns is a multiple of the other
            part = np.linalg.lstsq(design / error[:, np.newaxis], value / error, rcond=1e-9)[0]
            parts.append(part)
            cost += float((((value - design @ part) / error) ** 2).sum())
        return np.array(parts), cost

    def result(self, start: float, fixed: bool, known: bool, enlarge: bool) -> Fitted:
        """Fit, from a first guess of the frequency."""
        best = start if fixed else self._refined(start)
        cost = self.solve(best)[1]
        count = 3 + self.drift
        free = self.values.size - self.values.shape[1] * count - (not fixed)
        misfit = cost / max(free, 1)
        scale = (max(misfit, 1.0) if enlarge else 1.0) if known else misfit
        edge, scanned = None, np.array([best])
        if not fixed:
            edge, scanned = self._scan(best, cost, scale)
        elif best > self.highest:
            edge = "nyquist"
        solved = [self.solve(frequency) for frequency in scanned]
        phasors = np.array([parts[:, 1] + 1j * parts[:, 2] for parts, _ in solved])
        if edge is None:
            chosen = int(np.flatnonzero(scanned == best)[0])
        else:
            chosen = int(np.argmin((np.abs(phasors) ** 2).sum(axis=1)))
        rise = np.array([(each - cost) / max(scale, 1e-300) for _, each in solved])
        slack = np.sqrt(np.clip(_CHI2 - rise, 0, _CHI2))
        spread = [scale * self._covariance(frequency) for frequency in scanned]
        axes = [principal_axis(phasors[chosen]), *np.eye(phasors.shape[1])]
        errors = np.array([_errors(phasors, chosen, spread, slack, axis) for axis in axes])
        moved = phasors[-1] - phasors[0]
        turn = np.concatenate([moved.real, moved.imag]) / (2 * _SIGMAS)
        covariance = spread[chosen] + np.outer(turn, turn)
        if edge is not None:
            errors[:], covariance = np.inf, np.full_like(covariance, np.inf)
        frequency = scanned[chosen]
        ends = {None: scanned, "zero": [0, *scanned], "nyquist": [*scanned, self.nyquist]}[edge]
        return Fitted(
            frequency=float(frequency),
            sigma_frequency=float(np.abs(np.array(ends) - frequency).max() / _SIGMAS),
            parts=solved[chosen][0],
            covariance=covariance,
            errors=errors,
            misfit=float(misfit) if known else 1.0,
            edge=edge,
        )

    def _refined(self, start: float) -> float:
        """The frequency of least chi-squared within the peak around `start`."""
        from scipy.optimize import minimize_scalar

        low = max(start - 0.5 * self.width, self.lowest)
        high = min(start + 0.5 * self.width, self.highest)
        if start < 2 * self.width:  # the peak and its image at the negative frequency meet
            low = self.lowest
        if start > self.nyquist - 2 * self.width:
            high = self.highest
        ladder = np.linspace(low, high, 2 + int(np.ceil(8 * (high - low) / self.width)))
        near = int(np.argmin([self.solve(frequency)[1] for frequency in ladder]))
        found = minimize_scalar(
            lambda frequency: self.solve(frequency)[1],
            bounds=(ladder[max(near - 1, 0)], ladder[min(near + 1, len(ladder) - 1)]),
            method="bounded",
            options={"xatol": 1e-7 * self.width},
        )
        return float(found.x)

    def _scan(self, best: float, cost: float, scale: float) -> tuple[str | None, np.ndarray]:
        """The edge within the 95 % interval, if any, and frequencies over the interval."""

        def beyond(frequency: float) -> float:
            return self.solve(frequency)[1] - cost - _CHI2 * scale

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
        """The end of the 95 % interval between the best frequency and a limit."""
        from scipy.optimize import brentq

        inner, reach = best, 1e-6 * self.width
        while True:
            outer = best + np.sign(limit - best) * reach if reach < abs(limit - best) else limit
            if beyond(outer) > 0:
                return float(brentq(beyond, inner, outer, rtol=1e-12, xtol=1e-9 * self.width))
            if outer == limit:
                return limit
            inner, reach = outer, 3 * reach

    def _covariance(self, frequency: float) -> np.ndarray:
        """Covariance (2 K, 2 K) of real, then imaginary parts of the phasors at a frequency."""
        design = self._design(frequency)
        k = self.values.shape[1]
        out = np.zeros((2, k, 2, k))
        for i, error in enumerate(self.sigma.T):
            inverse = np.linalg.pinv(design / error[:, np.newaxis], rcond=1e-9)
            out[:, i, :, i] = (inverse @ inverse.T)[1:3, 1:3]
        return out.reshape(2 * k, 2 * k)

    def _design(self, frequency: float) -> np.ndarray:
        turn = 2 * np.pi * frequency * self.times
        columns = [np.ones_like(turn), np.cos(turn), -np.sin(turn)]
        if self.drift:
            columns.append(self.times - self.times.mean())
        return np.stack(columns, axis=1)


def _errors(phasors, chosen: int, spread, slack, axis: np.ndarray) -> tuple[float, float]:
    """Errors of amplitude and phase along an axis, over all frequencies of the interval."""
    along = phasors @ axis
    size = np.abs(along)
    turn = np.where(size > 0, along, 1) / np.where(size > 0, size, 1)
    real, imaginary = np.outer(turn.real, axis), np.outer(turn.imag, axis)
    radial = np.concatenate([real, imaginary], axis=1)
    across = np.concatenate([-imaginary, real], axis=1)
    sigma = np.sqrt(np.einsum("fi,fij,fj->f", radial, spread, radial))
    amplitude = np.abs(size - size[chosen]) + slack * sigma
    angle = np.abs(np.angle(turn * turn[chosen].conj()))
    error = slack * np.sqrt(np.einsum("fi,fij,fj->f", across, spread, across))
    angle = np.where(size > 0, angle + error / np.where(size > 0, size, 1), np.inf)
    return float(amplitude.max() / _SIGMAS), float(angle.max() / _SIGMAS)


def principal_axis(phasors: np.ndarray) -> np.ndarray:
    """Unit vector of the largest excursion, at an angle of 0 to pi."""
    if len(phasors) == 1:
        return np.ones(1)
    squares = np.real(np.outer(phasors, phasors.conj()))
    axis = np.linalg.eigh(squares)[1][:, -1]
    lead = axis[0] if abs(axis[0]) > 1e-12 else axis[-1]
    return axis * np.sign(lead)
