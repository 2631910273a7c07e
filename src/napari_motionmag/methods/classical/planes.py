"""Reading frames as planes: each once, and finite."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_motionmag.methods.base import warn_once
from napari_motionmag.movie.color import add_planes, to_planes

__all__ = ["PlaneReader"]


class PlaneReader:
    """Reads the frames of a call and puts changes back into those that are output.

    `chroma`, "pass" or "magnify", is for `to_planes`.
    """

    def __init__(self, frames: Sequence[np.ndarray], chroma: str):
        self._frames = frames
        self._chroma = chroma
        self._held: dict[int, np.ndarray] = {}
        self.shape: tuple[int, ...] | None = None

    def read(self, index: int) -> np.ndarray:
        """Return frame `index`, held until `planes` or `finish` lets it go."""
        if index in self._held:
            return self._held[index]
        frame = np.asarray(self._frames[index])
        if frame.ndim not in (2, 3) or (frame.ndim == 3 and frame.shape[-1] != 3):
            raise ValueError(f"frames must be (Y, X) or (Y, X, 3), frame {index} is {frame.shape}")
        if self.shape is None:
            self.shape = frame.shape
        if frame.shape != self.shape:
            raise ValueError(
                f"frames must have one shape, frame {index} is {frame.shape}, not {self.shape}"
            )
        self._held[index] = frame
        return frame

    def size(self, index: int, method) -> tuple[int, int]:
        """Return (Y, X) of a frame; raise ValueError when that is too small for a method."""
        height, width = self.read(index).shape[:2]
        if min(height, width) < (least := method.smallest_frame):
            raise ValueError(
                f"frames must be at least {least} x {least} px for {method.name}, "
                f"got {height} x {width}"
            )
        return height, width

    def planes(self, index: int, *, hold: bool) -> np.ndarray:
        """Return planes (C, Y, X) of a frame, filled where not finite; `hold` it for `finish`."""
        frame = self.read(index)
        if not hold:
            del self._held[index]
        # one sum finds any NaN or infinity; only then look closer
        if not np.isfinite(frame.sum(dtype=np.float64)):
            bad = ~np.isfinite(frame)
            if bad.all():
                raise ValueError(f"frame {index} has no finite pixel")
            warn_once(
                self._frames,
                "not finite",
                f"frame {index} has {int(bad.sum())} values that are not finite: the mean of the "
                "others stands in for them, and they come back unchanged in the output",
            )
            frame = np.where(bad, frame[~bad].mean(dtype=np.float64).astype(frame.dtype), frame)
        return to_planes(frame, self._chroma)

    def finish(self, index: int, change: np.ndarray) -> np.ndarray:
        """Add a change of its planes (C, Y, X) to frame `index`, not finite where it was."""
        frame = self._held.pop(index)
        # a value that is not finite stays what it is whatever is added to it
        return add_planes(frame, change)
