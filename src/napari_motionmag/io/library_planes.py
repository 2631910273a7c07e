"""Planes of files of microscopes, read through a library that an extra brings."""

from __future__ import annotations

import threading
import warnings
import weakref
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import numpy as np

from napari_motionmag.io.array_like import Planes
from napari_motionmag.io.formats.base import FileMovie, axes_of
from napari_motionmag.io.metadata import calibration_of, naming_damage, positive_number
from napari_motionmag.movie.frame_times import usual_rate


class LibraryPlanes(Planes):
    """Planes that a library reads, for one thread at a time.

    A subclass defines the abstract methods, and `steps`, `frame_times` and `rate` where the file
    has them.
    """

    axes: str
    times: np.ndarray | None = None  # seconds from the first frame to each, where the file has them
    fps: float | None = None  # by `times`
    _live = ("_lock", "_file")

    def __init__(self, path: Path):
        self.path = path
        self._reset()
        with closing(self.open()) as file:
            self.examine(file)
            self.calibration = calibration_of(path, lambda: self._calibration(file))

    @abstractmethod
    def open(self):
        """Open the file with the library."""

    @abstractmethod
    def examine(self, file) -> None:
        """Set axes, shape, dtype and leading axes by what the file says."""

    @abstractmethod
    def read_plane(self, file, place: Mapping[str, int]) -> np.ndarray | None:
        """Read the plane at a place along the leading axes; None where the file has none."""

    def steps(self, file) -> Mapping[str, object]:
        """Return the distance between neighbors in um, by the letter of the axis."""
        return {}

    def frame_times(self, file) -> np.ndarray | None:
        """Return the seconds of each frame, or None."""
        return None

    def rate(self, file) -> float | None:
        """Return the frames per second of a file without times, or None."""
        return None

    def movie(self) -> FileMovie:
        """Return what the file says of the movie."""
        axes, hint = axes_of(self.axes, self.path, self.shape)
        return FileMovie(self, axes, hint=hint, **self.calibration)

    def _calibration(self, file) -> dict:
        steps = {}
        for letter, size in self.steps(file).items():
            step = positive_number(self.path, f"pixel size {letter}", size)
            if letter in self.axes and step is not None:
                steps[letter] = (step, "um")
        if "T" not in self.axes:
            return {"steps": steps}
        count = self.shape[self.axes.index("T")]
        times = self.frame_times(file)
        if times is None or len(times) < count:
            return {"fps": self.rate(file), "steps": steps}
        self.times = np.asarray(times[:count]) - times[0]
        self.fps = usual_rate(self.path, self.times)
        return {"fps": self.fps, "steps": steps}

    def warn_of_others(self, others: Mapping[str, int]) -> None:
        """Warn of axes that no movie has, of which the first index is read."""
        if others:
            text = ", ".join(f"{key}: {size}" for key, size in others.items())
            warnings.warn(
                f"{self.path}: has axes that are not read ({text}); the first of each is",
                stacklevel=7,
            )

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._file = None

    def read(self, *where: int) -> np.ndarray:
        """Read a plane, shape (Y, X) or (Y, X, 3)."""
        place = dict(zip(self.axes[: self.leading], where, strict=True))
        text = ", ".join(f"{letter}={number}" for letter, number in place.items())
        with self._lock, naming_damage(self.path, f"plane {text} cannot be read"):
            if self._file is None:
                self._file = self.open()
                weakref.finalize(self, self._file.close)
            plane = self.read_plane(self._file, place)
        if plane is None:
            raise ValueError(f"{self.path}: plane {text} is missing")
        return plane
