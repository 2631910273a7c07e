"""Base of the recursive filters.

They pass no constant, and start as if what drifts in the first frames had always drifted at that
rate: on the line that fits the first period of the band. A start from rest would let drift in.
"""

import sys
from abc import abstractmethod

import numpy as np

from napari_motionmag.temporal import _apply
from napari_motionmag.temporal._sos import (
    impulse,
    memory,
    ramp_response,
    start_state,
    start_weights,
)
from napari_motionmag.temporal.base import TemporalOperator


class Recursive(TemporalOperator):
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
        """Return the state before frame 0 of a movie of `n` frames that begins with `x`."""
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
