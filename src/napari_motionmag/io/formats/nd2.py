"""Nikon ND2 files, read through the package nd2."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from napari_motionmag.compute.optional import optional
from napari_motionmag.io.formats.base import FileMovie, Format
from napari_motionmag.io.library_planes import LibraryPlanes

_MOST_COMPRESSION = 1100  # of zlib


class Nd2Planes(LibraryPlanes):
    """The planes of an ND2 file, at the first stage position."""

    def open(self):
        """Open the file with the library."""
        return optional("nd2", "formats", "ND2 files").ND2File(self.path)

    def examine(self, file) -> None:
        """Choose axes, and leave out frames that are not whole."""
        sizes = dict(file.sizes)
        others = {key: size for key, size in sizes.items() if key not in "TZCYXS"}
        self.warn_of_others(others)
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
        if self._there < promised and next(iter(self._loops)) == "T":
            self.keep_frames(self._there * len(self) // promised)

    def _check_size(self, file, promised: int) -> None:
        """Refuse more pixels than the file can hold, before anything of that size is made."""
        size, frame = self.path.stat().st_size, math.prod(self._frame_shape) * self.dtype.itemsize
        packed = file.attributes.compressionType is not None
        needed = frame / _MOST_COMPRESSION if packed else frame * min(self._there, promised)
        if min(self.shape) < 1 or needed > size:
            raise ValueError(
                f"{self.path}: promises {promised} frames of {frame} bytes, the file has {size}"
            )

    def _number(self, place: Mapping[str, int]) -> int:
        """Return the number of a frame in the file, which has all channels."""
        number = 0
        for key, size in self._loops.items():
            number = number * size + place.get(key, 0)
        return number

    def read_plane(self, file, place: Mapping[str, int]) -> np.ndarray | None:
        """Read a plane; where there is none the library would give zeros."""
        number = self._number(place)
        if number >= self._there:
            return None
        frame = np.array(file.read_frame(number)).reshape(self._frame_shape)
        if not frame.any():
            warnings.warn(
                f"{self.path}: frame {number} is zero everywhere, as those are that are missing",
                stacklevel=5,
            )
        if self.axes.endswith("S"):
            return frame[place.get("C", 0)]
        rows, columns = self._frame_shape[1:3]
        return np.moveaxis(frame, -1, 1).reshape(-1, rows, columns)[place.get("C", 0)]

    def steps(self, file) -> Mapping[str, object]:
        """Return the size of a voxel."""
        return dict(zip("XYZ", file.voxel_size(), strict=True))

    def frame_times(self, file) -> np.ndarray | None:
        """Return when frames were taken, or else were to be taken."""
        count = self.shape[self.axes.index("T")]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                frames = [file.frame_metadata(self._number({"T": t})) for t in range(count)]
            times = np.array([frame.channels[0].time.relativeTimeMs for frame in frames]) / 1000
            if np.ptp(times) > 0:
                return times
        except (IndexError, AttributeError):
            pass  # the file does not have them
        intervals = []
        for loop in file.experiment:
            if loop.type == "TimeLoop":
                intervals += _intervals(loop.count, loop.parameters)
            elif loop.type == "NETimeLoop":  # with other intervals in each of its periods
                for period in loop.parameters.periods:
                    intervals += _intervals(period.count, period)
        return np.cumsum(intervals) if intervals and min(intervals) > 0 else None


def _intervals(count: int, timing) -> list[float]:
    """Return the seconds between the frames of a period: as measured, or as planned."""
    return [(timing.periodDiff.avg or timing.periodMs) / 1000] * count


def read_nd2(path: Path) -> FileMovie:
    """Open an ND2 file: axes, pixel size and frame rate, without pixels."""
    return Nd2Planes(path).movie()


FORMAT = Format(
    name="nd2",
    label="Nikon ND2",
    extensions=(".nd2",),
    read=read_nd2,
    in_napari=(".nd2",),
    rank=6,
)
