"""Operators with a finite, symmetric kernel, and the band-pass FIR filter.

Kernels are centered on the output frame, so nothing is delayed (zero phase). Near the ends of a
movie every output has weights of its own; very long kernels see the movie reflected, as
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

from napari_motionmag.temporal._ends import end_rows
from napari_motionmag.temporal.base import BandPass, TemporalOperator, check_int

# Above this many taps convolution by FFT is faster than adding up shifted frames.
_DIRECT_TAPS = 48
# Width of the transition of a Hamming-windowed FIR filter, times taps / fps (Oppenheim and
# Schafer, Discrete-Time Signal Processing, table of window designs).
_HAMMING_TRANSITION = 3.3
MOST_TAPS = 2**20  # of any kernel
_SHORT = 2**17  # taps that are allowed however short the movie
MOST_END_FRAMES = 1024  # weights of the ends take its cube in time: a third of a second


class CenteredKernel(TemporalOperator):
    """An operator with a symmetric kernel that sums to zero."""

    @property
    @abstractmethod
    def n_taps(self) -> int:
        """Length of the kernel, in frames; odd."""

    @property
    @abstractmethod
    def kernel(self) -> np.ndarray:
        """Weights of frames ``t - half`` to ``t + half``; odd length, sum zero."""

    @property
    def support(self):
        self._require_fps()
        return self.n_taps // 2, self.n_taps // 2

    @property
    def _end_frames(self) -> int:
        """Number of frames that make the outputs near an end of a movie."""
        return self.n_taps

    @abstractmethod
    def _end_rows(self, n: int) -> np.ndarray:
        """Return weights of the first outputs of a movie of `n` frames; see `end_rows`."""

    def _has_ends(self, n: int) -> bool:
        """Whether outputs near the ends have weights of their own."""
        return min(self._end_frames, n) <= MOST_END_FRAMES

    @abstractmethod
    def _wanted(self) -> str:
        """Return the argument that decides on the length of the kernel, for errors."""

    def _whole_taps(self, frames: float) -> int:
        """Round a length in frames up to an odd number; refuse what no memory can hold."""
        if frames > MOST_TAPS:
            raise ValueError(
                f"{self._wanted()} at fps={self.fps:g} needs a filter of {frames:.0f} frames; at "
                f"most {MOST_TAPS} are possible: widen the band, or check fps"
            )
        return math.ceil(frames) | 1

    def _check_length(self, n: int) -> None:
        """Refuse a kernel that is much longer than a movie of `n` frames."""
        most = max(_SHORT, 4 * n)
        if self.n_taps > most:
            raise ValueError(
                f"{self._wanted()} at fps={self.fps:g} needs a filter of {self.n_taps} frames, but "
                f"a movie of {n} frames allows {most}: widen the band, or check fps"
            )

    def _row(self, t, n):
        self._check_length(n)
        offsets, weights = _taps(self)
        if t + offsets[0] >= 0 and t + offsets[-1] < n:
            return offsets + t, weights.copy()
        indices, weights = self._end_row(t, n)
        return indices.copy(), weights.copy()

    def _end_row(self, t, n):
        """Return the row of an output that the kernel does not fit around."""
        if not self._has_ends(n):
            return _folded_row(self, t, n)
        rows = _ends(self, n)
        width = rows.shape[1]
        if t < len(rows):
            return np.arange(width), rows[t]
        return np.arange(n - width, n), rows[n - 1 - t, ::-1]

    def _response(self, frequencies):
        # sum of h[k] cos(k w) over both sides, as a Chebyshev series in cos(w)
        half = len(self.kernel) // 2
        series = self.kernel[half:] * np.where(np.arange(half + 1) > 0, 2.0, 1.0)
        return chebval(np.cos(2 * np.pi * frequencies / self.fps), series)

    def _reach(self, share):
        return (kernel_reach(self.kernel, share),) * 2

    def _window(self, start, stop, n):
        half = self.n_taps // 2
        if start >= half and stop + half <= n:
            return start - half, stop + half
        self._check_length(n)
        if not self._has_ends(n):
            frames = _reflect(np.arange(start - half, stop + half), n)
            return int(frames.min()), int(frames.max()) + 1
        width = min(self._end_frames, n)
        first = start - half if stop + half <= n else min(start - half, n - width)
        last = stop + half if start >= half else max(stop + half, width)
        return max(0, first), min(n, last)

    def _filter(self, frames, first, start, stop, n):
        self._check_length(n)
        # the weights pass no constant: without it float64 keeps every digit of the variation
        frames -= frames[:1].copy()
        if not self._has_ends(n):
            return self._filter_reflected(frames, first, start, stop, n)
        half = self.n_taps // 2
        fits = min(max(half, start), stop)  # the kernel fits around outputs fits..ends-1
        ends = max(min(n - half, stop), fits)
        parts = []
        if fits < ends:
            parts = [_convolve(frames[fits - half - first : ends + half - first], self.kernel)]
        if start < fits or ends < stop:
            rows = _ends(self, n)
            width = rows.shape[1]
            if start < fits:
                parts.insert(0, np.tensordot(rows[start:fits], frames[:width], 1))
            if ends < stop:
                late = rows[n - stop : n - ends][::-1, ::-1]
                parts.append(np.tensordot(late, frames[n - width - first :][:width], 1))
        return np.concatenate(parts)

    def _filter_reflected(self, frames, first, start, stop, n):
        half = self.n_taps // 2
        if self.n_taps > 4 * n:  # so short a movie takes less memory unfolded as weights
            rows = np.zeros((stop - start, len(frames)))
            for t in range(start, stop):
                indices, weights = _folded_row(self, t, n)
                rows[t - start, indices - first] = weights
            return np.tensordot(rows, frames, 1)
        around = _reflect(np.arange(start - half, stop + half), n) - first
        return _convolve(frames[around], self.kernel)


@dataclass(frozen=True)
class FIR(BandPass, CenteredKernel):
    """Band-pass filter with a finite, symmetric kernel (windowed design, Hamming window).

    The kernel is centered on the output frame: no delay at any frequency. Its gain is exactly 1 at
    the center of the band, about 1/2 at `low` and `high`, below 0.005 in the stop-bands, and
    exactly 0 for what does not change. The first and the last ``n_taps // 2`` outputs, which the
    kernel does not fit around, have weights of their own: still exactly 0 for what stands still or
    drifts evenly and exactly 1 at the center, but less sharp beside the band. Where both kernel and
    movie are longer than 1024 frames, the movie is reflected at its ends instead.

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
    Both the gain at 0 and at the center are set exactly: from the windowed kernel the window
    itself, scaled to its sum, is subtracted, then the whole is scaled. The linear phase stays.
    """

    name: ClassVar[str] = "fir"
    label: ClassVar[str] = "FIR (no delay)"
    summary: ClassVar[str] = "sharp, without delay; uses frames before and after"

    taps: int | None = None

    def __post_init__(self):
        super().__post_init__()
        if self.taps is None:
            if self.fps is not None:
                _ = self.n_taps  # refuses what is too long
            return
        taps = check_int("taps", self.taps, 3)
        if taps > MOST_TAPS:
            raise ValueError(f"taps must be at most {MOST_TAPS}; got {taps}")
        if taps % 2 == 0:
            raise ValueError(
                f"taps must be odd, so that the kernel has a middle frame; got {taps}: "
                f"use {taps - 1} or {taps + 1}"
            )
        self._set(taps=taps)
        if self.fps is not None:
            self._warn_too_few_taps()

    @property
    def n_taps(self) -> int:
        """Length of the kernel, in frames."""
        if self.taps is not None:
            return self.taps
        self._require_fps()
        transition = min(self.high - self.low, self.low)
        return self._whole_taps(max(3, _HAMMING_TRANSITION * self.fps / transition))

    @property
    def kernel(self) -> np.ndarray:
        """Weights of frames ``t - n_taps // 2`` to ``t + n_taps // 2``; read-only."""
        self._require_fps()
        return _fir_kernel(self)

    def _end_rows(self, n):
        return end_rows(self.low, self.high, self.fps, self.kernel, n)

    def _wanted(self):
        return f"band=({self.low!r}, {self.high!r})"

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
                f"fps: the gain is 1 at the center of the band, but {gain[most]:.2g} at "
                f"{frequencies[most]:.3g} Hz; taps=None takes {needed}",
                stacklevel=4,
            )


def kernel_reach(kernel: np.ndarray, share: float) -> int:
    """Return frames to one side beyond which lies less than `share` of a symmetric kernel."""
    outside = np.cumsum(np.abs(kernel))
    return int(np.count_nonzero(outside[: len(kernel) // 2] > share * outside[-1]))


def scaled_kernel(kernel: np.ndarray, frequency: float, fps: float) -> np.ndarray:
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
    # scipy.signal.firwin gives the same; to import it takes half a second
    at = np.arange(op.n_taps) - op.n_taps // 2
    low, high = 2 * op.low / op.fps, min(2 * op.high / op.fps, 1.0)
    window = np.hamming(op.n_taps)
    kernel = window * (high * np.sinc(high * at) - low * np.sinc(low * at))
    kernel -= kernel.sum() / window.sum() * window
    return scaled_kernel(kernel, (op.low + op.high) / 2, op.fps)


@lru_cache(maxsize=8)
def _ends(op: CenteredKernel, n: int) -> np.ndarray:
    """Return rows of the first outputs of a movie of `n` frames. Do not write to the result."""
    return op._end_rows(n)


@lru_cache(maxsize=64)
def _taps(op: CenteredKernel) -> tuple[np.ndarray, np.ndarray]:
    """Return offsets and weights of the kernel without its zeros. Do not write to them."""
    at = np.flatnonzero(op.kernel).astype(np.int64)
    return at - len(op.kernel) // 2, op.kernel[at]


@lru_cache(maxsize=256)
def _folded_row(op: CenteredKernel, t: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return a row near an end of the movie: reflected frames added up. Do not write to it."""
    offsets, weights = _taps(op)
    frames = _reflect(offsets + t, n)
    first = frames.min()
    summed = np.bincount(frames - first, weights)
    at = np.flatnonzero(summed).astype(np.int64)
    return at + first, summed[at]


def _reflect(frames: np.ndarray, n: int) -> np.ndarray:
    """Return frame numbers reflected, again and again, about the end frames of a movie."""
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
