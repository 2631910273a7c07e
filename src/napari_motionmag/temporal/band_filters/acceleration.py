"""Acceleration: deviation from linear motion."""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np

from napari_motionmag.temporal._ends import end_rows
from napari_motionmag.temporal.band_filters.fir import CenteredKernel, scaled_kernel
from napari_motionmag.temporal.base import check_band, check_fps, check_number, check_nyquist


@dataclass(frozen=True)
class Acceleration(CenteredKernel):
    """Deviation from linear motion: a Laplacian of Gaussian in time.

    Still scenes and motion of constant velocity give exactly nothing, so that small vibrations of
    large moving objects are selected. The first and the last `interval` outputs, which the kernel
    does not fit around, have weights of their own over twice as many frames; where these are more
    than 1024, the movie is reflected at its ends, which turns the motion around.

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
    band-pass: where fps leaves room the gain keeps rising, to between 1.4 and 2.6 at about twice
    `frequency`, and above four times it swings down to as low as -0.4.

    References
    ----------
    .. [1] Y. Zhang, S. L. Pintea, J. C. van Gemert, "Video Acceleration Magnification", CVPR
       2017, section 3.
    """

    name: ClassVar[str] = "acceleration"
    label: ClassVar[str] = "Acceleration (ignores drift)"
    summary: ClassVar[str] = "what deviates from steady motion, tuned to the center of the band"

    frequency: float
    fps: float | None = None

    def __post_init__(self):
        frequency = check_number("frequency", self.frequency)
        if frequency <= 0:
            raise ValueError(f"frequency must be above 0 Hz; got {frequency:g}")
        self._set(frequency=frequency)
        self._check_fps()
        if self.fps is not None:
            check_nyquist("frequency {} Hz", frequency, self.fps)
            _ = self.interval  # refuses what is too long

    @classmethod
    def from_band(cls, low, high, fps):
        low, high = check_band(low, high, check_fps(fps))
        return cls((low + high) / 2, fps)

    @property
    def selection(self):
        return f"acceleration {self.frequency:g} Hz"

    @property
    def interval(self) -> int:
        """A quarter of a period in whole frames; also the reach of the kernel to each side."""
        self._require_fps()
        # rounding of the quotient must not add a frame
        frames = self.fps / (4 * self.frequency) - 1e-9
        self._whole_taps(2 * frames + 1)
        return max(1, math.ceil(frames))

    @property
    def n_taps(self) -> int:
        """Length of the kernel, in frames."""
        return 2 * self.interval + 1

    @property
    def sigma(self) -> float:
        """Width of the Gaussian, in frames."""
        return self.interval / 2

    @property
    def kernel(self) -> np.ndarray:
        """Weights of frames ``t - interval`` to ``t + interval``; read-only."""
        self._require_fps()
        return _acceleration_kernel(self)

    @property
    def _end_frames(self):
        return 2 * self.n_taps + 1  # a period

    def _end_rows(self, n):
        kernel = np.pad(self.kernel, self.interval + 1)
        return end_rows(0.5 * self.frequency, 1.5 * self.frequency, self.fps, kernel, n)

    def _wanted(self):
        return f"frequency={self.frequency!r} (the center of band)"

    def _describe(self):
        return f"acceleration, {self.frequency:g} Hz"


@lru_cache(maxsize=64)
def _acceleration_kernel(op: Acceleration) -> np.ndarray:
    k = np.arange(-op.interval, op.interval + 1)
    squared = (k / op.sigma) ** 2
    gaussian = np.exp(-squared / 2)
    center = (squared * gaussian).sum() / gaussian.sum()
    return scaled_kernel((center - squared) * gaussian, op.frequency, op.fps)
