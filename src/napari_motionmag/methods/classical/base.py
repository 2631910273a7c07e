"""Base of the classical methods: checks what is asked for, and puts frames in order."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from napari_motionmag.methods.base import Method
from napari_motionmag.methods.classical.arguments import checked_factor, checked_times

if TYPE_CHECKING:
    from napari_motionmag.temporal import TemporalOperator

__all__ = ["ClassicalMethod"]


class ClassicalMethod(Method):
    """A method that draws output frames in order of time."""

    def magnify(
        self,
        frames: Sequence[np.ndarray],
        operator: TemporalOperator,
        times: Iterable[int],
        factor: float,
    ) -> np.ndarray:
        times = checked_times(times, len(frames))
        factor = checked_factor(factor)
        order = sorted(set(times))
        if factor == 1:
            drawn = np.stack([np.asarray(frames[t], dtype=np.float32) for t in order])
        else:
            drawn = self._magnify(frames, operator, order, factor)
        return drawn if times == order else drawn[np.searchsorted(order, times)]

    @abstractmethod
    def _magnify(
        self,
        frames: Sequence[np.ndarray],
        operator: TemporalOperator,
        times: list[int],
        factor: float,
    ) -> np.ndarray:
        """Magnified frames, float32, (len(times), Y, X) or (len(times), Y, X, 3).

        Parameters
        ----------
        frames, operator
            As for `magnify`.
        times : list of int
            Output frames, increasing, each once.
        factor : float
            A finite number, not 1.
        """
