"""Oscillations that windows of a movie share, each with its harmonics, and what is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from napari_motionmag.views.estimators.local_motion import LocalMotion
from napari_motionmag.views.estimators.periodograms import periodogram, without_trend
from napari_motionmag.views.estimators.windows import UNDETERMINED

_FALSE_ALARM = 0.01  # chance that noise alone gives an oscillation anywhere
_MOST = 6  # rhythms
_TRIES = 12
_STRONGEST = 64  # series from which a frequency is determined
_HARMONICS = 12  # at most, the fundamental among them
_FEWEST_PERIODS = 2.5  # in the record, below which almost all of the motion must be explained
_LEAST_PERIODS = 1.75
_REGULAR, _NEARLY_ALL = 0.6, 0.9  # shares of the motion that a rhythm explains
_FAINTEST = 1e-4  # power of a harmonic over that of the fundamental
_OVERTONE = 0.05  # of the amplitude of pulses, up to which their shape is not quite fitted
_APART = 4.0  # periods in the record, from which the lobes of harmonics do not overlap
_LOBE = 2.5  # bins of a Hann window beside a line
_LEAST_SIGMA = 1e-9  # px
_FAINT = 0.1  # of the largest amplitude: windows beside what moves see as much of it


@dataclass(frozen=True)
class Rhythm:
    """An oscillation with its harmonics.

    Attributes
    ----------
    frequency, sigma_frequency : float
        Of the fundamental, cycles per frame.
    harmonics : int
        Largest multiple of the fundamental that is seen, 1 for a sinusoid.
    amplitude : ndarray, shape (gy, gx)
        Half of peak to peak along the direction of the largest excursion, px; 0 outside `where`.
    where : ndarray of bool, shape (gy, gx)
        The windows in which it is found, however faint.
    """

    frequency: float
    sigma_frequency: float
    harmonics: int
    amplitude: np.ndarray
    where: np.ndarray

    @property
    def moving(self) -> np.ndarray:
        """The windows that move by more than a tenth of the largest amplitude."""
        return self.amplitude > _FAINT * self.amplitude.max()


@dataclass(frozen=True)
class Rhythms:
    """What a movie shows of motion.

    Attributes
    ----------
    rhythms : list of Rhythm
        The most visible first.
    moving : ndarray of bool, shape (gy, gx)
        Windows that move more than their noise explains, in whatever way.
    rest : ndarray, shape (gy, gx)
        Root mean square of the motion that no rhythm explains, corrected for noise, px.
    sigma : ndarray, shape (gy, gx)
        Standard error of a frame along the best seen direction, px, from what the pixels and the
        highest frequencies show; inf where a window has no structure.
    spectrum : ndarray, shape (F,)
        Amplitude at each frequency, from 0 to half a cycle per frame, that stands out from the
        noise, root of the sum over all windows, px.
    """

    rhythms: list[Rhythm]
    moving: np.ndarray
    rest: np.ndarray
    sigma: np.ndarray
    spectrum: np.ndarray


def find_rhythms(motion: LocalMotion, step: Callable[[], object] | None = None) -> Rhythms:
    """Find the oscillations of a movie of 16 frames or more; `step` is called now and then."""
    return _Search(motion).run(step)


class _Search:
    """Displacements as series of unit noise, one for each direction that a window shows."""

    def __init__(self, motion: LocalMotion):
        values, vectors = np.linalg.eigh(motion.covariance)
        seen = (values > _LEAST_SIGMA**2) & (values < UNDETERMINED**2)
        seen &= motion.directions[..., np.newaxis] > 0
        self.n, self.shape = len(motion.course), motion.directions.shape
        self.window = np.argwhere(seen)[:, :2]
        self.axis = np.moveaxis(vectors, -2, -1)[seen]  # (C, 2), (dy, dx)
        self.sigma = np.sqrt(values[seen])
        along = np.einsum("tyxi,yxik->tyxk", motion.course.astype(np.float64), vectors)[:, seen]
        self.series = along / self.sigma
        self.frequencies = np.arange(self.n // 2 + 1) / self.n
        self.level = self._level()
        self.series /= np.sqrt(self.level)
        self.sigma *= np.sqrt(self.level)
        self.limit = np.log(len(self.frequencies) * max(self.series.shape[1], 1) / _FALSE_ALARM)
        # of one spectrum without lines, its largest value over the median beside it
        self.line = np.log(len(self.frequencies) / _FALSE_ALARM) / np.log(2)
        self.found: list[Rhythm] = []

    def run(self, step: Callable[[], object] | None = None) -> Rhythms:
        """Take out one rhythm after the other, the most visible first."""
        rest, slow = self.series, 0.0
        open_bins = self.frequencies * self.n >= 1.5
        power = self._power(rest)
        spectrum = np.sqrt(6 / self.n * self._visible(power))  # Hann window
        for _ in range(_TRIES):
            if step is not None:
                step()
            visible = np.where(open_bins, self._visible(power), 0)
            if len(self.found) == _MOST or not visible.any():
                break
            at = int(np.argmax(visible))
            rhythm, course = self._fit(rest, power, at)
            lines = np.arange(1, rhythm.harmonics + 1) * rhythm.frequency * self.n
            bins = self.frequencies[:, np.newaxis] * self.n
            open_bins &= (np.abs(bins - lines) > _LOBE).all(axis=1)
            open_bins[at] = False
            if rhythm.frequency * self.n < _LEAST_PERIODS:  # a drift: its lobes are no rhythms
                rest, slow = rest - course, slow + course
                power = self._power(rest)
            elif self._is_regular(rhythm, rest + slow, course):
                rest = rest - course
                power = self._power(rest)
                if not any(self._is_overtone(rhythm, other) for other in self.found):
                    self.found.append(rhythm)
        return self._result(rest + slow, spectrum)

    def _visible(self, power: np.ndarray) -> np.ndarray:
        """Return the power that stands out, summed over all series, px^2."""
        return np.where(power > self.limit, power * self.sigma**2, 0).sum(axis=1)

    def _level(self) -> np.ndarray:
        """Return the power of the highest frequencies, 1 or more: of noise the pixels hide."""
        power = self._power(self.series)
        high = self.frequencies > 0.3
        median = np.log(2) * (1 + 0.5 / max(high.sum(), 1))  # of an exponential variable
        return np.maximum(np.median(power[high], axis=0) / median, 1.0)

    def _power(self, series: np.ndarray) -> np.ndarray:
        """Return periodograms, (F, C), whose mean is 1 for noise alone."""
        if not series.shape[1]:
            return np.zeros((len(self.frequencies), 0))
        return periodogram(series, 1.0)[1] / 2

    def _fit(self, rest, power, at: int) -> tuple[Rhythm, np.ndarray]:
        """Fit a sinusoid near a bin and its harmonics, and return its part of the series, too."""
        strength = power[max(at - 1, 0) : at + 2].max(axis=0)
        own = np.argsort(strength)[-_STRONGEST:]
        series = rest[:, own[strength[own] > self.limit]]
        frequency = self._refined(series, self.frequencies[at], 1)
        frequency = self._fundamental(series, frequency)
        count = self._count_harmonics(series, frequency)
        frequency = self._refined(series, frequency, count)
        # the error of least squares, from the curvature of the sum of squares
        step = 0.05 / self.n
        left = [self._left(series, frequency + k * step, count) for k in (-1, 0, 1)]
        curvature = (left[0] - 2 * left[1] + left[2]) / step**2
        noise = 1 + max(left[1], 0) / max(series.size - 4 * series.shape[1], 1)
        error = np.sqrt(2 * noise / curvature) if curvature > 0 else 1 / self.n
        course = self._part(rest, frequency, count)
        gain = (course**2).sum(axis=0)
        member = gain > 2 * (self.limit + count)
        course = np.where(member, course, 0)
        amplitude = self._excursion(course)
        rhythm = Rhythm(float(frequency), float(error), count, amplitude, amplitude > 0)
        return rhythm, course

    def _design(self, frequency: float, count: int, first: int = 1) -> np.ndarray:
        t = np.arange(self.n) - (self.n - 1) / 2
        turns = 2 * np.pi * frequency * np.outer(t, np.arange(first, count + 1))
        trend = np.stack([np.ones(self.n), t / self.n], axis=1)
        return np.concatenate([trend, np.cos(turns), np.sin(turns)], axis=1)

    def _left(self, series, frequency: float, count: int, first: int = 1) -> float:
        """Return the sum of squares above noise that trend, sinusoid and harmonics leave."""
        basis = np.linalg.qr(self._design(frequency, count, first))[0]
        noise = (self.n - basis.shape[1]) * series.shape[1]
        return float((series**2).sum() - ((basis.T @ series) ** 2).sum()) - noise

    def _part(self, series, frequency: float, count: int) -> np.ndarray:
        """Return the oscillating part of series, without the trend."""
        design = self._design(frequency, count)
        parts = np.linalg.lstsq(design, series, rcond=None)[0]
        return design[:, 2:] @ parts[2:]

    def _refined(self, series, frequency: float, count: int) -> float:
        """Return the frequency near a first guess, within a bin, that leaves least."""
        reach = (1.0 if count == 1 else 0.4) / self.n
        grid = frequency + reach * np.linspace(-1, 1, 9 if count == 1 else 8 * count + 1)
        grid = grid[(grid > 0.5 / self.n) & (grid < 0.5)]
        left = [self._left(series, f, count) for f in grid]
        best = grid[int(np.argmin(left))]
        width = grid[1] - grid[0] if len(grid) > 1 else reach
        bounds = max(best - width, 0.4 / self.n), min(best + width, 0.5)
        found = minimize_scalar(
            lambda f: self._left(series, f, count), bounds=bounds, method="bounded",
            options={"xatol": 1e-4 / self.n},
        )  # fmt: skip
        return float(found.x)

    def _fundamental(self, series, frequency: float) -> float:
        """Return the frequency, or a part of it at which the same windows move, too."""
        for part in (3, 2):
            if frequency / part * self.n < _LEAST_PERIODS:
                continue
            lower = self._refined(series, frequency / part, part)
            periods = lower * self.n
            if periods < _LEAST_PERIODS or abs(periods * part - frequency * self.n) > 0.3:
                continue
            if all(self._stands_out(series, lower, k) for k in range(1, part)):
                return lower
            if periods < _APART and self._is_left(series, lower, frequency):
                return lower
        return frequency

    def _is_left(self, series, lower: float, frequency: float) -> bool:
        """Whether what multiples of a frequency leave is a lower one with its own multiples."""
        upper = self._refined(series, frequency, self._seen(series, frequency))
        without = self._left(series, upper, self._seen(series, upper))
        count = self._seen(series, lower)
        left = self._left(series, lower, count)
        if left > (1 - _NEARLY_ALL) * without:
            return False
        return self._left(series, lower, count, first=2) - left > self._chance(series)

    def _count_harmonics(self, series, frequency: float) -> int:
        """Return the largest multiple that is seen; one may be missing on the way to it."""
        if _LEAST_PERIODS <= frequency * self.n < _APART:
            last = self._seen(series, frequency)
            left, whole = (self._left(series, frequency, k) for k in (last, 0))
            if left < (1 - _NEARLY_ALL) * whole:
                return last
        last = 1
        for k in range(2, min(_HARMONICS, int(0.5 / frequency)) + 1):
            if k - last > 2:
                break
            if self._stands_out(series, frequency, k):
                last = k
        return last

    def _seen(self, series, frequency: float) -> int:
        """Return the largest multiple that explains more than chance does.

        The lines of a spectrum overlap where the record has few periods; this holds there, too.
        """
        whole, before = (self._left(series, frequency, k) for k in (0, 1))
        last, least = 1, max(self._chance(series), _FAINTEST * whole)
        for k in range(2, min(_HARMONICS, int(0.5 / frequency), self.n // 6) + 1):
            if k - last > 2:
                break
            left = self._left(series, frequency, k)
            if before - left > least:
                last = k
            before = left
        return last

    def _chance(self, series) -> float:
        """Return what the sum of squares of a harmonic exceeds that of noise by, by chance."""
        return 16 * series.shape[1] / np.sqrt(min(series.shape[1], self.n))

    def _stands_out(self, series, frequency: float, k: int) -> bool:
        """Whether a multiple of a frequency has power in series, over that between the lines."""
        t = np.arange(self.n)
        taper = np.hanning(self.n + 2)[1:-1]
        taper /= np.sqrt((taper**2).sum())
        flat = without_trend(series) * taper[:, np.newaxis]

        def power(f):
            return (np.abs(np.exp(-2j * np.pi * f * t) @ flat) ** 2).mean()

        between = np.mean([power((k - 0.5) * frequency), power((k + 0.5) * frequency)])
        line = power(k * frequency)
        beside = max(power(k * frequency + off / self.n) for off in (-0.3, 0.3))
        if frequency * self.n > _APART and beside > 1.05 * line:
            return False  # a motion of its own, near the multiple
        spread = np.sqrt(min(series.shape[1], self.n))
        return line > max(2 * between, 1 + 8 / spread, _FAINTEST * power(frequency))

    def _is_regular(self, rhythm: Rhythm, rest, course) -> bool:
        """Whether a rhythm explains the motion of its windows, or is a line in their spectra."""
        own = (course != 0).any(axis=0)
        periods = rhythm.frequency * self.n
        if not own.any():
            return False
        flat = without_trend(rest[:, own])
        before = max((flat**2).sum() - flat.size, 1e-30)
        after = max((without_trend(flat - course[:, own]) ** 2).sum() - flat.size, 0)
        explained = 1 - after / before
        if periods < _FEWEST_PERIODS:
            return explained > _NEARLY_ALL
        if explained > _REGULAR:
            return True
        power = self._power(rest[:, own]).mean(axis=1)
        return self._contrast(power, rhythm.frequency) > self.line

    def _is_overtone(self, rhythm: Rhythm, other: Rhythm) -> bool:
        """Whether a rhythm is what the fit of another, larger one left of its shape."""
        both = rhythm.where & other.where
        if both.sum() < 0.7 * rhythm.where.sum():
            return False
        if abs(rhythm.frequency - other.frequency) * self.n < 1:  # the record does not part them
            return True
        share = np.median(rhythm.amplitude[both] / other.amplitude[both])
        if other.harmonics > 1:
            return bool(share < _OVERTONE)
        times = rhythm.frequency / other.frequency
        off = abs(times - round(times)) * other.frequency * self.n
        return bool(share < 2 * _OVERTONE and round(times) in (2, 3) and off < 0.5)

    def _contrast(self, power: np.ndarray, frequency: float) -> float:
        """Return the height of a line over the spectrum beside it, flat or as of a random walk."""
        bins = self.frequencies * self.n
        apart = np.abs(bins - frequency * self.n)
        beside = (apart > 2) & (apart < 9) & (bins > 0.5)
        if beside.sum() < 4:
            return 0.0
        line = power[apart <= 1].max()
        walk = power * (self.frequencies / frequency) ** 2
        return float(line / max(np.median(power[beside]), np.median(walk[beside]), 1e-30))

    def _excursion(self, course: np.ndarray) -> np.ndarray:
        """Return half of peak to peak along the main direction, (gy, gx), px."""
        moved = np.zeros((*self.shape, self.n, 2))
        for c, (i, j) in enumerate(self.window):
            moved[i, j] += np.outer(course[:, c] * self.sigma[c], self.axis[c])
        amplitude = np.zeros(self.shape)
        for i, j in np.unique(self.window, axis=0):
            main = np.linalg.svd(moved[i, j] - moved[i, j].mean(axis=0), full_matrices=False)[2][0]
            amplitude[i, j] = np.ptp(moved[i, j] @ main) / 2
        return amplitude

    def _result(self, rest: np.ndarray, spectrum: np.ndarray) -> Rhythms:
        """Order the rhythms, and describe what is left."""
        freedom = max(self.n - 1, 1)
        flat = rest - rest.mean(axis=0)
        excess = np.maximum((flat**2).sum(axis=0) / freedom - 1, 0)
        # a mean square of noise exceeds this in one of a hundred movies
        sure = excess > 4 * np.sqrt(2 * self.limit / freedom)
        squares, sigma = np.zeros(self.shape), np.full(self.shape, np.inf)
        moving = np.zeros(self.shape, bool)
        for c, (i, j) in enumerate(self.window):
            squares[i, j] += excess[c] * sure[c] * self.sigma[c] ** 2
            sigma[i, j] = min(sigma[i, j], self.sigma[c])
            moving[i, j] |= sure[c]
        for rhythm in self.found:
            moving |= rhythm.where
        self.found.sort(key=lambda one: -float((one.amplitude**2).sum()))
        return Rhythms(self.found, moving, np.sqrt(squares), sigma, spectrum)
