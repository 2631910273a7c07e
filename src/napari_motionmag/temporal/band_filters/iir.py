"""Difference of two first-order low-pass filters."""

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from napari_motionmag.temporal._sos import slowest_pole
from napari_motionmag.temporal.band_filters._recursive import Recursive
from napari_motionmag.temporal.base import BandPass


@dataclass(frozen=True)
class DifferenceOfIIR(BandPass, Recursive):
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
