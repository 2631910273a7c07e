"""Reading frames as planes: each once, and finite."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_motionmag.methods.base import check_size, warn_once
from napari_motionmag.movie.color import add_planes, to_planes


def check_shape(frame: np.ndarray, index: int, shape: tuple[int, ...] | None) -> None:
    """Refuse a frame that is no picture, or of another shape than those before it."""
    if frame.ndim not in (2, 3) or frame.shape[2:] not in ((), (3,)):
        raise ValueError(f"frames must be (Y, X) or (Y, X, 3), frame {index} is {frame.shape}")
    if shape not in (None, frame.shape):
        raise ValueError(f"frames must have one shape, frame {index} is {frame.shape}, not {shape}")


def filled(frames: Sequence[np.ndarray], index: int, frame: np.ndarray) -> np.ndarray:
    """Return frame `index` with its mean where it is not finite, and warn of that."""
    # one sum finds any NaN or infinity; only then look closer
    if np.isfinite(frame.sum(dtype=np.float64)):
        return frame
    bad = ~np.isfinite(frame)
    if bad.all():
        raise ValueError(f"frame {index} has no finite pixel")
    warn_once(
        frames,
        "not finite",
        f"frame {index} has {int(bad.sum())} values that are not finite: the mean of the others "
        "stands in for them, and they come back unchanged in the output",
        stacklevel=3,
    )
    return np.where(bad, frame[~bad].mean(dtype=np.float64).astype(frame.dtype), frame)


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
        check_shape(frame, index, self.shape)
        self.shape = frame.shape
        self._held[index] = frame
        return frame

    def size(self, index: int, method) -> tuple[int, int]:
        """Return (Y, X) of a frame; raise ValueError when that is too small for a method."""
        size = self.read(index).shape[:2]
        check_size("frames", size, method.smallest_frame, method.name)
        return size

    def planes(self, index: int, *, hold: bool) -> np.ndarray:
        """Return planes (C, Y, X) of a frame, filled where not finite; `hold` it for `finish`."""
        frame = self.read(index)
        if not hold:
            del self._held[index]
        return to_planes(filled(self._frames, index, frame), self._chroma)

    def finish(self, index: int, change: np.ndarray) -> np.ndarray:
        """Add a change of its planes (C, Y, X) to frame `index`, not finite where it was."""
        frame = self._held.pop(index)
        # a value that is not finite stays what it is whatever is added to it
        return add_planes(frame, change)
