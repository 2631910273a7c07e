"""Zeiss CZI files, read through pylibCZIrw."""

from __future__ import annotations

import struct
import threading
import warnings
import weakref
import xml.etree.ElementTree as ElementTree
from itertools import product
from pathlib import Path

import numpy as np

from napari_motionmag.compute.optional import optional
from napari_motionmag.io.array_like import Planes
from napari_motionmag.io.formats.base import FileMovie, Format, axes_of
from napari_motionmag.io.frame_times import usual_rate
from napari_motionmag.io.metadata import calibration_of, naming_damage, positive_number

_TYPES = {"Gray8": "u1", "Gray16": "u2", "Gray32Float": "f4", "Bgr24": "u1", "Bgr48": "u2"}


def _open(path: Path):
    czi = optional("pylibCZIrw.czi", "formats", "CZI files")
    return czi.CziReader(str(path))


class CziPlanes(Planes):
    """The planes of the first scene of a CZI file.

    Attributes
    ----------
    axes : str
        Letters of the axes.
    xml : str
        Metadata.
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
        file = _open(path)
        try:
            self.xml = file.raw_metadata
            self._choose(file)
            self._leave_out_missing(file)
        finally:
            file.close()

    def _choose(self, file) -> None:
        """Choose axes, scene and pixel type."""
        sizes = {key: stop for key, (_, stop) in file.total_bounding_box_no_pyramid.items()}
        others = {key: sizes[key] for key in sizes if key not in "TZCYX" and sizes[key] > 1}
        if others:
            text = ", ".join(f"{key}: {size}" for key, size in others.items())
            warnings.warn(
                f"{self.path}: has axes that are not read ({text}); the first of each is",
                stacklevel=6,
            )
        scenes = file.scenes_bounding_rectangle_no_pyramid
        self._scene = min(scenes) if len(scenes) > 1 else None
        if self._scene is not None:
            warnings.warn(
                f"{self.path}: holds {len(scenes)} scenes; the first is read", stacklevel=6
            )
        box = file.total_bounding_rectangle_no_pyramid if not scenes else scenes[min(scenes)]
        self._box = tuple(box)
        kinds = set(file.pixel_types.values())
        if len(kinds) != 1 or not kinds <= _TYPES.keys():
            raise ValueError(
                f"{self.path}: cannot read pixels of type {', '.join(sorted(kinds))}; can be one "
                f"of {', '.join(_TYPES)}"
            )
        kind = kinds.pop()
        self.dtype = np.dtype(_TYPES[kind])
        leading = [letter for letter in "TZC" if sizes[letter] > 1]
        samples = kind.startswith("Bgr")
        self.leading = len(leading)
        self.axes = "".join(leading) + ("YXS" if samples else "YX")
        shape = [*(sizes[letter] for letter in leading), box[3], box[2]]
        self.shape = (*shape, 3) if samples else tuple(shape)

    def _leave_out_missing(self, file) -> None:
        """Keep the frames before the first that is incomplete, with a warning."""
        there = set()

        def note(number, info) -> bool:
            place = info.coordinate.to_dict()
            there.add(tuple(place.get(letter, 0) for letter in self.axes[: self.leading]))
            return True

        file.enumerate_subblocks(note)
        self._there = frozenset(there)
        if not self.axes.startswith("T"):
            return
        rest = list(product(*map(range, self.shape[1 : self.leading])))
        count = next(
            (t for t in range(len(self)) if any((t, *place) not in there for place in rest)),
            len(self),
        )
        if 2 <= count < len(self):
            warnings.warn(
                f"{self.path}: promises {len(self)} frames and has {count} whole ones before "
                "the first that is missing; these are read",
                stacklevel=6,
            )
            self.shape = (count, *self.shape[1:])

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._file = None

    def read(self, *where: int) -> np.ndarray:
        """Read a plane, shape (Y, X) or (Y, X, 3)."""
        names = self.axes[: self.leading]
        place = dict(zip(names, where, strict=True))
        text = ", ".join(f"{letter}={number}" for letter, number in place.items())
        if where not in self._there:  # the library would give zeros
            raise ValueError(f"{self.path}: plane {text} is missing")
        with self._lock, naming_damage(self.path, f"plane {text} cannot be read"):
            if self._file is None:
                self._file = _open(self.path)
                weakref.finalize(self, self._file.close)
            plane = self._file.read(roi=self._box, plane=place, scene=self._scene)
        return plane[..., ::-1] if self.axes.endswith("S") else plane[..., 0]


def read_czi(path: Path) -> FileMovie:
    """Open a CZI file: axes, pixel size and frame rate, without pixels."""
    planes = CziPlanes(path)
    calibration = calibration_of(path, lambda: _calibration(path, planes))
    axes, hint = axes_of(planes.axes, path, planes.shape)
    return FileMovie(planes, axes, hint=hint, **calibration)


def _calibration(path: Path, planes: CziPlanes) -> dict:
    root = ElementTree.fromstring(planes.xml)
    steps = {}
    for distance in root.iterfind(".//Scaling/Items/Distance"):
        letter = distance.get("Id")
        step = positive_number(path, f"Scaling {letter}", distance.findtext("Value"))
        if letter in planes.axes and step is not None:
            steps[letter] = (step * 1e6, "um")
    if not planes.axes.startswith("T"):
        return {"steps": steps}
    times = _time_stamps(path)
    if times is not None and len(times) >= len(planes):
        planes.times = times[: len(planes)] - times[0]
        planes.fps = usual_rate(path, planes.times)
        return {"fps": planes.fps, "steps": steps}
    increment = root.findtext(".//Image/Dimensions/T/Positions/Interval/Increment")
    interval = positive_number(path, "Increment of T", increment)
    return {"fps": 1 / interval if interval else None, "steps": steps}


def _time_stamps(path: Path) -> np.ndarray | None:
    """Return the seconds at which frames were taken, from an attachment of the file."""
    with open(path, "rb") as file:

        def at(place: int, layout: str) -> tuple:
            file.seek(place)
            return struct.unpack(layout, file.read(struct.calcsize(layout)))

        (folder,) = at(32 + 72, "<q")  # after the versions and names in the header
        if folder <= 0:
            return None
        (count,) = at(folder + 32, "<i")
        for number in range(count):
            place, kind = at(folder + 32 + 256 + 128 * number + 12, "<q20x8s")
            if kind.rstrip(b"\0") == b"CZTIMS":
                (stamps,) = at(place + 32 + 256 + 4, "<i")
                size = path.stat().st_size
                if not 0 < stamps <= size // 8:
                    raise ValueError(f"{stamps} time stamps in {size} bytes")
                return np.array(at(place + 32 + 256 + 8, f"<{stamps}d"))
    return None


FORMAT = Format(
    name="czi",
    label="Zeiss CZI",
    extensions=(".czi",),
    read=read_czi,
    in_napari=(".czi",),
    rank=5,
)
