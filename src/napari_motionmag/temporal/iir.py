"""Recursive operators: Butterworth band-pass and difference of first-order low-passes.

Both pass no constant, and start as if what drifts in the first frames had always drifted at that
rate: on the line that fits the first period of the band. A start from rest would let drift in.
"""

import math
import sys
from abc import abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from napari_motionmag.temporal import _apply
from napari_motionmag.temporal._sos import (
    both_ways_reach,
    both_ways_row,
    impulse,
    memory,
    pad_length,
    ramp_response,
    slowest_pole,
    start_state,
    start_weights,
)
from napari_motionmag.temporal.base import BandPass, TemporalOperator, check_int
from napari_motionmag.temporal.fir import kernel_reach


class _Recursive(TemporalOperator):
    """A causal filter of second-order sections that pass no constant."""

    zero_phase: bool = False

    @property
    @abstractmethod
    def sos(self) -> np.ndarray:
        """Second-order sections, shape (sections, 6), as in `scipy.signal`."""

    def _row(self, t, n):
        newest_last, rest = impulse(self, n)
        memory = len(newest_last)
        if t >= memory:
            weights = newest_last.copy()
            weights[0] = rest[-1]  # the oldest frame stands for all before it
            return np.arange(t - memory + 1, t + 1, dtype=np.int64), weights
        intercept, slope = start_weights(self, n)
        count = len(slope)
        weights = np.zeros(max(t + 1, count))
        weights[: t + 1] = newest_last[memory - t - 1 :]
        passed = weights.sum()
        weights[:count] += ramp_response(self, memory)[t] * slope - passed * intercept
        weights[0] -= passed
        frames = np.flatnonzero(weights)
        return (frames, weights[frames]) if len(frames) else (np.array([t]), np.array([0.0]))

    def _response(self, frequencies):
        delay = np.exp(-2j * np.pi * frequencies / self.fps)[..., np.newaxis]
        sos = self.sos
        above = sos[:, 0] + delay * (sos[:, 1] + delay * sos[:, 2])
        below = sos[:, 3] + delay * (sos[:, 4] + delay * sos[:, 5])
        return np.prod(above / below, axis=-1)

    def _reach(self, share):
        length = memory(self, share)
        return sys.maxsize if length is None else length - 1, 0

    def _filter(self, frames, first, start, stop, n):
        return _apply.scan_array(frames, self._start(frames, 0, n), sos=self.sos, axis=0)[0]

    def _start(self, x, axis, n):
        """State before frame 0 of a movie of `n` frames that begins with `x`."""
        count = start_weights(self, n).shape[1]
        frames = np.moveaxis(x, axis, 0)[:count].astype(np.float64)
        origin, delays = start_state(self, frames, n)
        return origin, np.array(delays)

    def _apply_numpy(self, x, axis):
        if self.zero_phase:
            return super()._apply_numpy(x, axis)
        start = self._start(x, axis, x.shape[axis])
        return _apply.scan_array(x, start, sos=self.sos, axis=axis)[0]

    def _apply_dask(self, x, axis):
        if self.zero_phase:
            return super()._apply_dask(x, axis)
        return _apply.scan_dask(self, x, axis, start_weights(self, x.shape[axis]).shape[1])


@dataclass(frozen=True)
class Butterworth(BandPass, _Recursive):
    """Butterworth band-pass filter, flat within the band.

    Parameters
    ----------
    low, high : float
        Band in Hz, ``0 < low < high <= fps / 2``; the gain there is 0.71 (causal) or 0.5
        (zero-phase). With ``high = fps / 2`` a high-pass filter.
    fps : float, optional
        Frames per second; may be given later with :meth:`bind`.
    order : int
        Order of each edge, 1 to 10 (the band-pass as a whole has twice the order, as in
        `scipy.signal.butter`).
    zero_phase : bool
        False: causal; needs past frames only, and delays the motion by a phase that depends on
        its frequency. True: filtered forwards, then backwards, as by `scipy.signal.sosfiltfilt`;
        no delay, gain squared, needs past and future.

    Raises
    ------
    ValueError
        Also when the band is too narrow for `order` at this `fps`: a filter that double precision
        cannot realize.

    Notes
    -----
    Causal: started in the steady state of the line that fits the frames of the first period of the
    band, which the first outputs need, too. From order 2 on an even drift gives exactly nothing.

    Zero-phase: the movie is extended by odd reflection at both ends, by ``3 (2 sections + 1)``
    frames or less (the default of `sosfiltfilt`) but at most ``n_frames - 1``, and both passes
    start in the steady state of the first frame that they meet. Movies of any length from 2
    frames work. Rows and dask arrays use only the frames near the output frame: those whose
    weights sum to less than 1e-6 of all are left out.
    """

    name: ClassVar[str] = "butterworth"
    label: ClassVar[str] = "Butterworth (causal)"
    summary: ClassVar[str] = "uses the past only; of order 2"

    order: int = 2
    zero_phase: bool = False

    def __post_init__(self):
        super().__post_init__()
        self._set(order=check_int("order", self.order, 1, 10))
        if not isinstance(self.zero_phase, (bool, np.bool_)):
            raise TypeError(f"zero_phase must be True or False; got {self.zero_phase!r}")
        self._set(zero_phase=bool(self.zero_phase))
        if self.fps is not None:
            self._check_realizable()

    @property
    def sos(self) -> np.ndarray:
        """Second-order sections, shape (sections, 6), as in `scipy.signal`."""
        self._require_fps()
        # a copy, as scipy insists on writable sections
        return _butterworth_sections(self.low, self.high, self.fps, self.order).copy()

    def _describe(self):
        phase = "zero-phase" if self.zero_phase else "causal"
        return f"Butterworth {self.low:g}-{self.high:g} Hz, order {self.order}, {phase}"

    def _check_realizable(self) -> None:
        nyquist = self.fps / 2
        # the gain is 1 where the bilinear transform puts the geometric center of the band
        warped = np.tan(np.pi / 2 * np.minimum([self.low / nyquist, self.high / nyquist], 1))
        center = nyquist
        if self.high < nyquist:
            center = 2 / np.pi * math.atan(math.sqrt(warped[0] * warped[1])) * nyquist
        gain = abs(super()._response(np.array(center)))
        if not (slowest_pole(self) < 1 and abs(gain - 1) < 1e-3):
            raise ValueError(
                f"band ({self.low:g}, {self.high:g}) Hz is too narrow for order={self.order} at "
                f"fps={self.fps:g}: the filter cannot be realized in double precision; widen the "
                "band, lower the order, or use FIR"
            )

    # ---- zero phase ----

    def _reach(self, share):
        if not self.zero_phase:
            return super()._reach(share)
        reach = both_ways_reach(self)
        if reach is None:
            return sys.maxsize, sys.maxsize
        return (kernel_reach(both_ways_row(self, reach, 2 * reach + 1), share),) * 2

    def _row(self, t, n):
        if not self.zero_phase:
            return super()._row(t, n)
        first, last = self._window(t, t + 1, n)
        weights = both_ways_row(self, t - first, last - first)
        return np.arange(first, last, dtype=np.int64), weights.copy()

    def _response(self, frequencies):
        response = super()._response(frequencies)
        return np.abs(response) ** 2 if self.zero_phase else response

    def _window(self, start, stop, n):
        reach = both_ways_reach(self) if self.zero_phase else None
        return (0, n) if reach is None else (max(0, start - reach), min(n, stop + reach))

    def _filter(self, frames, first, start, stop, n):
        from scipy import signal  # costs half a second: only where it is used

        if not self.zero_phase:
            return super()._filter(frames, first, start, stop, n)
        frames -= frames[:1].copy()
        pad = pad_length(self.sos, len(frames))
        out = signal.sosfiltfilt(self.sos, frames, axis=0, padtype="odd", padlen=pad)
        return out[start - first : stop - first]


@dataclass(frozen=True)
class DifferenceOfIIR(BandPass, _Recursive):
    """Difference of two first-order low-pass filters, ``y += r (s(t) - y)``.

    Parameters
    ----------
    low, high : float
        Corner frequencies of the two low-passes in Hz, ``0 < low < high <= fps / 2``;
        ``r = 1 - exp(-2 pi f / fps)``.
    fps : float, optional
        Frames per second; may be given later with :meth:`bind`.

    Notes
    -----
    The cheapest filter, and the gentlest: the gain rises and falls with frequency only as f and
    1/f. It is largest near ``sqrt(low high)``, and there it is about
    ``(high - low) / (high + low)``, not 1: for a band of one octave a third of the motion is
    selected, and a factor m changes it by ``1 + (m - 1) / 3``. The operator is left as it was
    published [1]_ (with the corners in Hz rather than raw coefficients); :meth:`response` says
    what is selected.

    References
    ----------
    .. [1] H.-Y. Wu et al., "Eulerian Video Magnification for Revealing Subtle Changes in the
       World", ACM Trans. Graph. 31(4), 2012, section 5.
    """

    name: ClassVar[str] = "iir"
    label: ClassVar[str] = "Difference of IIR (causal, gentle)"
    summary: ClassVar[str] = "uses the past only; gentle: selects part of the motion"

    def __post_init__(self):
        super().__post_init__()
        if self.fps is not None and not slowest_pole(self) < 1:
            raise ValueError(
                f"band ({self.low:g}, {self.high:g}) Hz is too slow for fps={self.fps:g}: the "
                "filter cannot be realized in double precision; raise the band or check fps"
            )

    @property
    def coefficients(self) -> tuple[float, float]:
        """The r of the slow and of the fast low-pass."""
        self._require_fps()
        slow, fast = (-math.expm1(-2 * math.pi * f / self.fps) for f in (self.low, self.high))
        return slow, fast

    @property
    def sos(self) -> np.ndarray:
        """The difference as one second-order section, shape (1, 6)."""
        slow, fast = self.coefficients
        gain = fast - slow
        keep_slow, keep_fast = 1 - slow, 1 - fast
        return np.array([[gain, -gain, 0, 1, -keep_slow - keep_fast, keep_slow * keep_fast]])

    def _describe(self):
        return f"difference of IIR {self.low:g}-{self.high:g} Hz"


@lru_cache(maxsize=64)
def _butterworth_sections(low: float, high: float, fps: float, order: int) -> np.ndarray:
    from scipy import signal

    if high >= fps / 2:
        return signal.butter(order, low, "highpass", fs=fps, output="sos")
    return signal.butter(order, [low, high], "bandpass", fs=fps, output="sos")
