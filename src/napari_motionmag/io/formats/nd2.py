"""Nikon ND2 files, read through the package nd2."""

from __future__ import annotations

import math
import threading
import warnings
import weakref
from pathlib import Path

import numpy as np

from napari_motionmag.compute.optional import optional
from napari_motionmag.io.array_like import Planes
from napari_motionmag.io.formats.base import FileMovie, Format, axes_of
from napari_motionmag.io.frame_times import usual_rate
from napari_motionmag.io.metadata import calibration_of, naming_damage, positive_number

_MOST_COMPRESSION = 1100  # of zlib


def _open(path: Path):
    return optional("nd2", "formats", "ND2 files").ND2File(path)


class Nd2Planes(Planes):
    """The planes of an ND2 file, at the first stage position.

    Attributes
    ----------
    axes : str
        Letters of the axes.
    times : ndarray of float64, shape (T,), or None
        Seconds from the first frame to each, where the file has them.
    fps : float or None
        Frames per second by `times`.
    """

    _live = ("_lock", "_file")

    def __init__(self, path: Path):
        self.path = path
        self.times = self.fps = None
        self._reset()
        with _open(path) as file:
            self._choose(file)
            self.calibration = calibration_of(path, lambda: self._calibration(file))

    def _choose(self, file) -> None:
        sizes = dict(file.sizes)
        others = {key: size for key, size in sizes.items() if key not in "TZCYXS"}
        if others:
            text = ", ".join(f"{key}: {size}" for key, size in others.items())
            warnings.warn(
                f"{self.path}: has axes that are not read ({text}); the first of each is",
                stacklevel=6,
            )
        self._loops = {key: size for key, size in sizes.items() if key not in "CYXS"}
        self._there = file.attributes.sequenceCount
        self.axes = "".join(key for key in sizes if key not in others)
        self.shape = tuple(sizes[key] for key in self.axes)
        self.dtype = np.dtype(file.dtype)
        self.leading = self.axes.index("Y")
        channels = file.attributes.channelCount or 1
        self._frame_shape = channels, sizes["Y"], sizes["X"], file.components_per_channel
        promised = math.prod(self._loops.values())
        self._check_size(file, promised)
        if self._there >= promised or next(iter(self._loops), "") != "T":
            return
        count = self._there // (promised // self.shape[0])
        if count >= 2:
            warnings.warn(
                f"{self.path}: promises {self.shape[0]} frames and has {count} whole ones; "
                "these are read",
                stacklevel=6,
            )
            self.shape = (count, *self.shape[1:])

    def _check_size(self, file, promised: int) -> None:
        """Refuse more pixels than the file can hold, before anything of that size is made."""
        size, frame = self.path.stat().st_size, math.prod(self._frame_shape) * self.dtype.itemsize
        packed = file.attributes.compressionType is not None
        needed = frame / _MOST_COMPRESSION if packed else frame * min(self._there, promised)
        if min(self.shape) < 1 or needed > size:
            raise ValueError(
                f"{self.path}: promises {promised} frames of {frame} bytes, the file has {size}"
            )

    def _calibration(self, file) -> dict:
        steps = {}
        for letter, step in zip("XYZ", file.voxel_size(), strict=True):
            step = positive_number(self.path, f"voxel size {letter}", step)
            if letter in self.axes and step is not None:
                steps[letter] = (step, "um")
        if "T" not in self.axes:
            return {"steps": steps}
        times = self._frame_times(file)
        if times is not None:
            self.times = times - times[0]
            self.fps = usual_rate(self.path, self.times)
        return {"fps": self.fps, "steps": steps}

    def _frame_times(self, file) -> np.ndarray | None:
        """Return the seconds at which frames were taken, or were to be taken."""
        count = self.shape[self.axes.index("T")]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                taken = [self._number({"T": t}) for t in range(count)]
                taken = [file.frame_metadata(number).channels[0].time for number in taken]
            times = np.array([time.relativeTimeMs for time in taken]) / 1000
            if np.ptp(times) > 0:
                return times
        except (IndexError, AttributeError):  # not kept for each frame
            pass
        intervals = []
        for loop in file.experiment:
            if loop.type == "TimeLoop":
                intervals += _intervals(loop.count, loop.parameters)
            elif loop.type == "NETimeLoop":  # with other intervals in each of its periods
                for period in loop.parameters.periods:
                    intervals += _intervals(period.count, period)
        if len(intervals) < count or min(intervals) <= 0:
            return None
        return np.cumsum(intervals[:count])

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._file = None

    def _number(self, place: dict[str, int]) -> int:
        """Return the number of a frame in the file, which has all channels."""
        number = 0
        for key, size in self._loops.items():
            number = number * size + place.get(key, 0)
        return number

    def read(self, *where: int) -> np.ndarray:
        """Read a plane, shape (Y, X) or (Y, X, 3)."""
        place = dict(zip(self.axes, where, strict=False))
        number = self._number(place)
        if number >= self._there:  # the library would give zeros
            raise ValueError(f"{self.path}: frame {number} is missing")
        with self._lock, naming_damage(self.path, f"frame {number} cannot be read"):
            if self._file is None:
                self._file = _open(self.path)
                weakref.finalize(self, self._file.close)
            frame = np.array(self._file.read_frame(number)).reshape(self._frame_shape)
        if not frame.any():
            warnings.warn(
                f"{self.path}: frame {number} is zero everywhere, as those are that are missing",
                stacklevel=5,
            )
        if self.axes.endswith("S"):
            return frame[place.get("C", 0)]
        rows, columns = self._frame_shape[1:3]
        return np.moveaxis(frame, -1, 1).reshape(-1, rows, columns)[place.get("C", 0)]


def _intervals(count: int, timing) -> list[float]:
    """Return the seconds between the frames of a period: as measured, or as planned."""
    return [(timing.periodDiff.avg or timing.periodMs) / 1000] * count


def read_nd2(path: Path) -> FileMovie:
    """Open an ND2 file: axes, pixel size and frame rate, without pixels."""
    planes = Nd2Planes(path)
    axes, hint = axes_of(planes.axes, path, planes.shape)
    return FileMovie(planes, axes, hint=hint, **planes.calibration)


FORMAT = Format(
    name="nd2",
    label="Nikon ND2",
    extensions=(".nd2",),
    read=read_nd2,
    in_napari=(".nd2",),
    rank=6,
)
