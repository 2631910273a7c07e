"""Operators with a finite, symmetric kernel: band-pass FIR and acceleration.

Both are centred on the output frame, so nothing is delayed (zero phase). Near the ends of a movie
the band-pass has weights of its own for every output; the acceleration sees the movie reflected, as
``numpy.pad(mode="reflect")`` does.
"""

import math
import warnings
from abc import abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.polynomial.chebyshev import chebval

from napari_motionmag.temporal._checks import (
    check_band,
    check_fps,
    check_int,
    check_number,
    check_nyquist,
)
from napari_motionmag.temporal._ends import end_rows
from napari_motionmag.temporal.base import TemporalOperator

# Above this many taps convolution by FFT is faster than adding up shifted frames.
_DIRECT_TAPS = 48
# Width of the transition of a Hamming-windowed FIR filter, times taps / fps (Oppenheim and
# Schafer, Discrete-Time Signal Processing, table of window designs).
_HAMMING_TRANSITION = 3.3


class _Centred(TemporalOperator):
    """An operator with a symmetric kernel that sums to zero."""

    @property
    @abstractmethod
    def kernel(self) -> np.ndarray:
        """Weights of frames ``t - half`` to ``t + half``; odd length, sum zero."""

    @property
    def support(self):
        self._require_fps()
        half = len(self.kernel) // 2
        return half, half

    def _row(self, t, n):
        offsets, weights = _taps(self)
        if t + offsets[0] >= 0 and t + offsets[-1] < n:
            return offsets + t, weights.copy()
        indices, weights = self._end_row(t, n)
        return indices.copy(), weights.copy()

    def _end_row(self, t, n):
        """The row of an output that the kernel does not fit around: the movie reflected."""
        return _folded_row(self, t, n)

    def _response(self, frequencies):
        # sum of h[k] cos(k w) over both sides, as a Chebyshev series in cos(w)
        half = len(self.kernel) // 2
        series = self.kernel[half:] * np.where(np.arange(half + 1) > 0, 2.0, 1.0)
        return chebval(np.cos(2 * np.pi * frequencies / self.fps), series)

    def _window(self, start, stop, n):
        half = len(self.kernel) // 2
        if start >= half and stop + half <= n:
            return start - half, stop + half
        frames = _reflect(np.arange(start - half, stop + half), n)
        return int(frames.min()), int(frames.max()) + 1

    def _filter(self, frames, first, start, stop, n):
        # the kernel passes no constant: without it float64 keeps every digit of the variation
        frames -= frames[:1].copy()
        half = len(self.kernel) // 2
        around = _reflect(np.arange(start - half, stop + half), n) - first
        return _convolve(frames[around], self.kernel)


@dataclass(frozen=True)
class FIR(_Centred):
    """Band-pass filter with a finite, symmetric kernel (windowed design, Hamming window).

    The kernel is centred on the output frame: no delay at any frequency. Its gain is exactly 1 at
    the centre of the band, about 1/2 at `low` and `high`, below 0.005 in the stop-bands, and
    exactly 0 for what does not change. The first and the last ``n_taps // 2`` outputs, which the
    kernel does not fit around, have weights of their own: still exactly 0 for what stands still or
    drifts evenly and exactly 1 at the centre, but less sharp beside the band.

    Parameters
    ----------
    low, high : float
        Band in Hz, ``0 < low < high <= fps / 2``. With ``high = fps / 2`` everything above `low`
        is selected.
    fps : float, optional
        Frames per second; may be given later with :meth:`bind`.
    taps : int, optional
        Length of the kernel, odd, at least 3. By default ``3.3 fps / min(high - low, low)``
        rounded up to odd: the transitions at the edges of the band are then no wider than the
        band, and end an octave below it, so that drift is rejected too.

    Warns
    -----
    UserWarning
        `taps` are so few that some frequency is amplified more than the band itself.

    Notes
    -----
    Both the gain at 0 and at the centre are set exactly: from the windowed kernel the window
    itself, scaled to its sum, is subtracted, then the whole is scaled. The linear phase stays.
    """

    name: ClassVar[str] = "fir"

    low: float
    high: float
    fps: float | None = None
    taps: int | None = None

    def __post_init__(self):
        if self.fps is not None:
            object.__setattr__(self, "fps", check_fps(self.fps))
        low, high = check_band(self.low, self.high, self.fps)
        object.__setattr__(self, "low", low)
        object.__setattr__(self, "high", high)
        if self.taps is None:
            return
        taps = check_int("taps", self.taps, 3)
        if taps % 2 == 0:
            raise ValueError(
                f"taps must be odd, so that the kernel has a middle frame; got {taps}: "
                f"use {taps - 1} or {taps + 1}"
            )
        object.__setattr__(self, "taps", taps)
        if self.fps is not None:
            self._warn_too_few_taps()

    @property
    def n_taps(self) -> int:
        """Length of the kernel, in frames."""
        if self.taps is not None:
            return self.taps
        self._require_fps()
        transition = min(self.high - self.low, self.low)
        return max(3, math.ceil(_HAMMING_TRANSITION * self.fps / transition) | 1)

    @property
    def kernel(self) -> np.ndarray:
        """Weights of frames ``t - n_taps // 2`` to ``t + n_taps // 2``; read-only."""
        self._require_fps()
        return _fir_kernel(self)

    def _end_row(self, t, n):
        rows = _fir_ends(self, n)
        width = rows.shape[1]
        if t < len(rows):
            return np.arange(width), rows[t]
        return np.arange(n - width, n), rows[n - 1 - t, ::-1]

    def _window(self, start, stop, n):
        half, width = self.n_taps // 2, min(self.n_taps, n)
        first = start - half if stop + half <= n else min(start - half, n - width)
        last = stop + half if start >= half else max(stop + half, width)
        return max(0, first), min(n, last)

    def _filter(self, frames, first, start, stop, n):
        # the weights pass no constant: without it float64 keeps every digit of the variation
        frames -= frames[:1].copy()
        half = self.n_taps // 2
        fits = min(max(half, start), stop)  # the kernel fits around outputs fits..ends-1
        ends = max(min(n - half, stop), fits)
        parts = []
        if fits < ends:
            parts = [_convolve(frames[fits - half - first : ends + half - first], self.kernel)]
        if start < fits or ends < stop:
            rows = _fir_ends(self, n)
            width = rows.shape[1]
            if start < fits:
                parts.insert(0, np.tensordot(rows[start:fits], frames[:width], 1))
            if ends < stop:
                late = rows[n - stop : n - ends][::-1, ::-1]
                parts.append(np.tensordot(late, frames[n - width - first :][:width], 1))
        return np.concatenate(parts)

    def _describe(self):
        taps = "" if self.taps is None and self.fps is None else f", {self.n_taps} taps"
        return f"FIR {self.low:g}-{self.high:g} Hz{taps}"

    def _warn_too_few_taps(self) -> None:
        frequencies = np.linspace(0, self.fps / 2, 512)
        gain = np.abs(self._response(frequencies))
        most = int(gain.argmax())
        if gain[most] > 1.2:
            needed = FIR(self.low, self.high, self.fps).n_taps
            warnings.warn(
                f"taps={self.taps} are too few for {self.low:g}-{self.high:g} Hz at {self.fps:g} "
                f"fps: the gain is 1 at the centre of the band, but {gain[most]:.2g} at "
                f"{frequencies[most]:.3g} Hz; taps=None takes {needed}",
                stacklevel=4,
            )


@dataclass(frozen=True)
class Acceleration(_Centred):
    """Deviation from linear motion: a Laplacian of Gaussian in time.

    Still scenes and motion of constant velocity give exactly nothing (away from the ends of the
    movie, where reflection turns the motion around), so small vibration of large moving things is
    selected.

    Parameters
    ----------
    frequency : float
        The frequency to select, in Hz, ``0 < frequency <= fps / 2``.
    fps : float, optional
        Frames per second; may be given later with :meth:`bind`.

    Notes
    -----
    As in [1]_, ``interval = ceil(fps / (4 frequency))`` (a quarter of a period, in frames), the
    Gaussian has ``sigma = interval / 2`` frames and the kernel reaches 2 sigma to each side. The
    kernel ``(c - (k / sigma)^2) exp(-(k / sigma)^2 / 2)`` takes the c for which its sum is zero
    (close to 1; the kernel is cut off at 2 sigma). It is even, so it passes no slope either.

    Sign and scale are such that a sinusoid of `frequency` has gain exactly +1: the second
    derivative is turned over and a factor m means what it means for the other operators. It is no
    band-pass: where fps leaves room the gain goes on rising, to between 1.4 and 2.6 at about twice
    `frequency`, and above four times it swings down to as low as -0.4.

    References
    ----------
    .. [1] Y. Zhang, S. L. Pintea, J. C. van Gemert, "Video Acceleration Magnification", CVPR
       2017, section 3.
    """

    name: ClassVar[str] = "acceleration"

    frequency: float
    fps: float | None = None

    def __post_init__(self):
        frequency = check_number("frequency", self.frequency)
        if frequency <= 0:
            raise ValueError(f"frequency must be above 0 Hz; got {frequency:g}")
        object.__setattr__(self, "frequency", frequency)
        if self.fps is not None:
            object.__setattr__(self, "fps", check_fps(self.fps))
            check_nyquist(f"frequency {frequency:g} Hz", frequency, self.fps)

    @property
    def interval(self) -> int:
        """A quarter of a period in whole frames; also the reach of the kernel to each side."""
        self._require_fps()
        # rounding of the quotient must not add a frame
        return max(1, math.ceil(self.fps / (4 * self.frequency) - 1e-9))

    @property
    def sigma(self) -> float:
        """Width of the Gaussian, in frames."""
        return self.interval / 2

    @property
    def kernel(self) -> np.ndarray:
        """Weights of frames ``t - interval`` to ``t + interval``; read-only."""
        self._require_fps()
        return _acceleration_kernel(self)

    def _describe(self):
        return f"acceleration, {self.frequency:g} Hz"


def _finish(kernel: np.ndarray, frequency: float, fps: float) -> np.ndarray:
    """Scale a symmetric kernel to gain 1 at `frequency`, its sum to zero to the last bit."""
    half = len(kernel) // 2
    k = np.arange(-half, half + 1)
    kernel = (kernel + kernel[::-1]) / 2  # symmetric to the last bit
    kernel /= np.dot(kernel, np.cos(2 * np.pi * frequency / fps * k))
    kernel[half] -= math.fsum(kernel)
    kernel.flags.writeable = False
    return kernel


@lru_cache(maxsize=64)
def _fir_kernel(op: FIR) -> np.ndarray:
    from scipy import signal  # costs half a second: only where it is used

    taps = op.n_taps
    edges = op.low if op.high >= op.fps / 2 else [op.low, op.high]
    kernel = signal.firwin(taps, edges, pass_zero=False, window="hamming", fs=op.fps)
    window = signal.get_window("hamming", taps, fftbins=False)
    kernel = kernel - kernel.sum() / window.sum() * window
    return _finish(kernel, (op.low + op.high) / 2, op.fps)


@lru_cache(maxsize=8)
def _fir_ends(op: FIR, n: int) -> np.ndarray:
    """Rows of the first outputs of a movie of `n` frames. Do not write to the result."""
    return end_rows(op.low, op.high, op.fps, op._response, op.n_taps, n)


@lru_cache(maxsize=64)
def _acceleration_kernel(op: Acceleration) -> np.ndarray:
    k = np.arange(-op.interval, op.interval + 1)
    squared = (k / op.sigma) ** 2
    gaussian = np.exp(-squared / 2)
    centre = (squared * gaussian).sum() / gaussian.sum()
    return _finish((centre - squared) * gaussian, op.frequency, op.fps)


@lru_cache(maxsize=64)
def _taps(op: _Centred) -> tuple[np.ndarray, np.ndarray]:
    """Offsets and weights of the kernel without its zeros. Do not write to the result."""
    at = np.flatnonzero(op.kernel).astype(np.int64)
    return at - len(op.kernel) // 2, op.kernel[at]


@lru_cache(maxsize=256)
def _folded_row(op: _Centred, t: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Row near an end of the movie: reflected frames added up. Do not write to the result."""
    offsets, weights = _taps(op)
    frames = _reflect(offsets + t, n)
    first = frames.min()
    summed = np.bincount(frames - first, weights)
    at = np.flatnonzero(summed).astype(np.int64)
    return at + first, summed[at]


def _reflect(frames: np.ndarray, n: int) -> np.ndarray:
    """Frame numbers of a movie of `n` frames reflected, again and again, about its end frames."""
    frames = np.mod(frames, 2 * (n - 1))
    return np.minimum(frames, 2 * (n - 1) - frames)


def _convolve(frames: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Convolve along axis 0 with a symmetric kernel, where it fits: ``len - taps + 1`` frames."""
    from scipy import signal

    taps, n = len(kernel), len(frames) - len(kernel) + 1
    if taps > _DIRECT_TAPS:
        shaped = kernel.reshape(-1, *(1,) * (frames.ndim - 1))
        return signal.oaconvolve(frames, shaped, mode="valid", axes=0)
    half = taps // 2
    out = kernel[half] * frames[half : half + n]
    for k in range(half):
        out += kernel[k] * (frames[k : k + n] + frames[taps - 1 - k : taps - 1 - k + n])
    return out
