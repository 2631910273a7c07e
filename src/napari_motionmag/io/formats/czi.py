"""Zeiss CZI files, read through pylibCZIrw."""

from __future__ import annotations

import struct
import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from itertools import product
from pathlib import Path

import numpy as np

from napari_motionmag.compute.optional import optional
from napari_motionmag.io.formats.base import FileMovie, Format
from napari_motionmag.io.library_planes import LibraryPlanes
from napari_motionmag.io.metadata import positive_number
from napari_motionmag.movie.units import without_noise

_TYPES = {"Gray8": "u1", "Gray16": "u2", "Gray32Float": "f4", "Bgr24": "u1", "Bgr48": "u2"}
_HEADER = 32  # bytes before the data of a segment of the file


class CziPlanes(LibraryPlanes):
    """The planes of the first scene of a CZI file."""

    def open(self):
        """Open the file with the library."""
        czi = optional("pylibCZIrw.czi", "formats", "Without conversion to OME-TIFF, CZI files")
        return czi.CziReader(str(self.path))

    def examine(self, file) -> None:
        """Choose axes, scene and pixel type, and leave out frames that are not whole."""
        sizes = {key: stop for key, (_, stop) in file.total_bounding_box_no_pyramid.items()}
        others = {key: sizes[key] for key in sizes if key not in "TZCYX" and sizes[key] > 1}
        self.warn_of_others(others)
        scenes = file.scenes_bounding_rectangle_no_pyramid
        self._scene = min(scenes) if len(scenes) > 1 else None
        if self._scene is not None:
            warnings.warn(
                f"{self.path}: holds {len(scenes)} scenes; the first is read", stacklevel=6
            )
        box = scenes[min(scenes)] if scenes else file.total_bounding_rectangle_no_pyramid
        self._box = tuple(box)
        kinds = set(file.pixel_types.values())
        if len(kinds) != 1 or not kinds <= _TYPES.keys():
            raise ValueError(
                f"{self.path}: cannot read pixels of type {', '.join(sorted(kinds))}; can be one "
                f"of {', '.join(_TYPES)}"
            )
        kind = kinds.pop()
        self.dtype = np.dtype(_TYPES[kind])
        names = "".join(letter for letter in "TZC" if sizes[letter] > 1)
        samples = (3,) if kind.startswith("Bgr") else ()
        self.leading = len(names)
        self.axes = names + ("YXS" if samples else "YX")
        self.shape = (*(sizes[letter] for letter in names), box[3], box[2], *samples)
        self._there = set()

        def note(number, info) -> bool:
            place = info.coordinate.to_dict()
            self._there.add(tuple(place.get(letter, 0) for letter in names))
            return True

        file.enumerate_subblocks(note)
        if names.startswith("T"):
            rest = list(product(*map(range, self.shape[1 : self.leading])))
            whole = [all((t, *place) in self._there for place in rest) for t in range(len(self))]
            self.keep_frames([*whole, False].index(False))

    def read_plane(self, file, place: Mapping[str, int]) -> np.ndarray | None:
        """Read a plane; where there is none the library would give zeros."""
        if tuple(place.values()) not in self._there:
            return None
        plane = file.read(roi=self._box, plane=dict(place), scene=self._scene)
        return plane[..., ::-1] if self.axes.endswith("S") else plane[..., 0]

    def steps(self, file) -> Mapping[str, object]:
        """Return the scaling of the metadata."""
        metadata = ElementTree.fromstring(file.raw_metadata)
        found = metadata.iterfind(".//Scaling/Items/Distance")
        return {
            entry.get("Id"): without_noise(1e6 * float(entry.findtext("Value", "nan")))
            for entry in found
        }

    def frame_times(self, file) -> np.ndarray | None:
        """Return the time stamps, from an attachment of the file."""
        with open(self.path, "rb") as content:

            def at(place: int, layout: str) -> tuple:
                content.seek(place)
                return struct.unpack(layout, content.read(struct.calcsize(layout)))

            (folder,) = at(_HEADER + 72, "<q")
            if folder <= 0:
                return None
            (count,) = at(folder + _HEADER, "<i")
            for number in range(count):
                entry = folder + _HEADER + 256 + 128 * number
                place, kind = at(entry + 12, "<q20x8s")
                if kind.rstrip(b"\0") == b"CZTIMS":
                    (stamps,) = at(place + _HEADER + 256 + 4, "<i")
                    size = self.path.stat().st_size
                    if not 0 < stamps <= size // 8:
                        raise ValueError(f"{stamps} time stamps in {size} bytes")
                    return np.array(at(place + _HEADER + 256 + 8, f"<{stamps}d"))
        return None

    def rate(self, file) -> float | None:
        """Return the rate of the interval in the metadata."""
        metadata = ElementTree.fromstring(file.raw_metadata)
        increment = metadata.findtext(".//Image/Dimensions/T/Positions/Interval/Increment")
        interval = positive_number(self.path, "Increment of T", increment)
        return 1 / interval if interval else None


def read_czi(path: Path) -> FileMovie:
    """Open a CZI file: axes, pixel size and frame rate, without pixels."""
    return CziPlanes(path).movie()


FORMAT = Format(
    name="czi",
    label="Zeiss CZI",
    extensions=(".czi",),
    read=read_czi,
    in_napari=(".czi",),
    rank=5,
)
