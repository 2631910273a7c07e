"""What all methods have in common, whatever they compute."""

from __future__ import annotations

import threading
import warnings
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from napari_motionmag.temporal import TemporalOperator

__all__ = ["Method", "Told", "tell"]


class Method(ABC):
    """Magnifies the motion that a temporal operator selects.

    Attributes
    ----------
    name : str
        What it is called in arguments and messages.
    smallest_frame : int
        Shortest side of frames that it can work on, px.
    """

    name: str
    smallest_frame: int = 2

    @abstractmethod
    def magnify(
        self,
        frames: Sequence[np.ndarray],
        operator: TemporalOperator,
        times: Iterable[int],
        factor: float,
    ) -> np.ndarray:
        """Multiply the motion that a temporal operator selects.

        Parameters
        ----------
        frames : sequence of numpy.ndarray
            ``frames[i]`` -> (Y, X) or (Y, X, 3), black 0, white 1, not clipped. Each frame that
            is needed is read once: those that the operator names for `times`, and `times`. With
            an attribute ``identity`` (the same for the same frames) and a method ``key(t)`` (the
            same for the same frame), a method may keep what it made of them for later calls;
            with ``told``, a `Told`, it says things once.
        operator : TemporalOperator
            Bound operator; ``row(t, n)`` names the frames and weights of output frame t.
        times : iterable of int
            Output frames; neighbours share work.
        factor : float
            Total gain m of the selected motion: 1 leaves, 0 removes, negative mirrors it.

        Returns
        -------
        numpy.ndarray
            float32, (len(times), Y, X) or (len(times), Y, X, 3).

        Raises
        ------
        TypeError, ValueError
            If `factor` is not a finite number, `times` is out of range, or frames differ in
            shape, are too small, or do not have what the method needs.

        Warns
        -----
        UserWarning
            If the motion asked for is more than the method can carry, if frames hold values that
            are not finite, or if a GPU runs out of memory and the work goes on with less.
        """


class Told:
    """What has been said already, in all threads; a pickled copy has it all to say again."""

    def __init__(self):
        self._said: set[Hashable] = set()
        self._lock = threading.Lock()

    def first(self, kind: Hashable) -> bool:
        """Whether it is the first time that this is asked of this kind."""
        with self._lock:
            if kind in self._said:
                return False
            self._said.add(kind)
            return True

    def __reduce__(self):
        return Told, ()


def tell(frames, kind: Hashable, message: str, stacklevel: int = 2) -> None:
    """Warn; of frames with a `Told`, once for each kind of warning.

    Parameters
    ----------
    frames : sequence
        What the method works on.
    kind : hashable
        Things of one kind are said once.
    message : str
        The warning.
    stacklevel : int
        As for `warnings.warn`.
    """
    told = getattr(frames, "told", None)
    if told is not None:
        if not told.first(kind):
            return
        message += " (said once, for the first such frame)"
    warnings.warn(message, UserWarning, stacklevel=stacklevel + 1)
