"""Butterworth band-pass filter, causal or zero-phase."""

import math
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from napari_motionmag.temporal._sos import (
    both_ways_reach,
    both_ways_row,
    pad_length,
    slowest_pole,
)
from napari_motionmag.temporal.band_filters._recursive import Recursive
from napari_motionmag.temporal.band_filters.fir import kernel_reach
from napari_motionmag.temporal.base import BandPass, check_int


@dataclass(frozen=True)
class Butterworth(BandPass, Recursive):
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


@lru_cache(maxsize=64)
def _butterworth_sections(low: float, high: float, fps: float, order: int) -> np.ndarray:
    from scipy import signal

    if high >= fps / 2:
        return signal.butter(order, low, "highpass", fs=fps, output="sos")
    return signal.butter(order, [low, high], "bandpass", fs=fps, output="sos")
