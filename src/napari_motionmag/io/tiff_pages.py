"""The pages of a TIFF file as an array that is read where it is indexed."""

from __future__ import annotations

import logging
import threading
import warnings
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tifffile

from napari_motionmag.io.array_like import Planes
from napari_motionmag.io.metadata import naming_damage

# a page that unfolds to more bytes than this, and to more times its size, is not believed
_LARGE_PAGE, _MOST_COMPRESSION = 2**28, 20_000


@contextmanager
def quiet_tifffile() -> Iterator[None]:
    """Keep tifffile from logging what is warned of here, with the name of the file."""
    log = logging.getLogger("tifffile")

    def nothing(record) -> bool:
        return False

    log.addFilter(nothing)
    try:
        yield
    finally:
        log.removeFilter(nothing)


class TiffPages(Planes):
    """The first image series of a TIFF file as an array that reads single pages.

    `how` are arguments of `tifffile.TiffFile`; `axes` are letters as tifffile names them, and `fps`
    is what a file of tifffile calls so. The file stays open after the first read.
    """

    _live = ("_lock", "_file", "_series", "_map")

    def __init__(self, path: Path, **how):
        self.path = path
        self._how = how
        self._reset()
        with quiet_tifffile(), self._open() as file:
            if not file.series:
                raise ValueError(f"{path}: holds no image")
            if len(file.series) > 1:
                warnings.warn(
                    f"{path} holds {len(file.series)} images; the first is read", stacklevel=4
                )
            series = file.series[0]
            page = series.keyframe
            check_page(path, page, file.filehandle.size)
            self.axes = series.axes
            metadata = file.shaped_metadata if file.is_shaped else None
            self.fps = metadata[0].get("fps") if metadata else None
            self.shape = tuple(series.shape)
            self.dtype = np.dtype(series.dtype)
            self.leading = self.ndim - len(page.shape)
            self._counts = self.shape[: self.leading]  # of pages
            whole = self.shape[self.leading :] == tuple(page.shape)
            # one uncompressed run of bytes can be mapped, whatever its pages
            self._offset = series.dataoffset
            self._byteorder = file.byteorder
            if self._offset is not None:
                present = self._frames_before(file.filehandle.size)
            elif whole and len(series.pages) == np.prod(self._counts, dtype=int):
                present = _pages_there(series, file.filehandle).reshape(self._counts)
            else:
                raise ValueError(
                    f"{path}: {len(series.pages)} pages of shape {tuple(page.shape)} do not make "
                    f"the shape {self.shape} that the file promises"
                )
        self._missing = ""
        if not present.all():
            self._leave_out(present)

    def _frames_before(self, size: int) -> np.ndarray:
        """Return which entries of the first axis lie in a file of `size` bytes."""
        count = self.shape[0] if self.ndim else 1
        each = int(np.prod(self.shape[1:])) * self.dtype.itemsize
        there = (size - self._offset) // each if each else count
        return np.arange(count) < there

    def _leave_out(self, present: np.ndarray) -> None:
        """Keep the frames before the first incomplete one, with a warning."""
        files = self._how.get("missing_files") or ()
        because = f": {', '.join(files)} is not there" if files else ""
        time = self.axes.find("T")
        along = time if 0 <= time < present.ndim else 0
        rest = tuple(axis for axis in range(present.ndim) if axis != along)
        whole = present.all(axis=rest)
        count = int(np.argmin(whole)) if not whole.all() else len(whole)
        self._missing = because
        if self._offset is not None and (count < 2 or time > 0):
            raise ValueError(f"{self.path}: ends before its pixels do; it is cut off")
        self.keep_frames(count, along, because)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._file = self._series = self._map = None

    def _open(self) -> tifffile.TiffFile:
        how = {key: value for key, value in self._how.items() if key != "missing_files"}
        return tifffile.TiffFile(self.path, **how)

    def __getitem__(self, index) -> np.ndarray:
        with self._lock:
            if self._offset is None:
                return super().__getitem__(index)
            if self._map is None:
                stored = self.dtype.newbyteorder(self._byteorder)
                self._map = np.memmap(self.path, stored, "r", self._offset, self.shape)
            return np.array(self._map[index], self.dtype)

    def read(self, *where: int) -> np.ndarray:
        """Read a page."""
        if self._file is None:
            self._file = self._open()
            weakref.finalize(self, self._file.close)
            with quiet_tifffile():
                self._series = self._file.series[0]
        number = int(np.ravel_multi_index(where, self._counts)) if where else 0
        page = self._series.pages[number]
        if page is None:
            raise ValueError(f"{self.path}: page {number} is missing{self._missing}")
        handle = page.parent.filehandle
        closed = handle.closed  # all but the first file of a set
        try:
            with naming_damage(self.path, f"page {number} cannot be read"):
                if closed:
                    handle.open()
                return np.asarray(page.asarray(), self.dtype)
        finally:
            if closed:
                handle.close()


def _pages_there(series: tifffile.TiffPageSeries, handle: tifffile.FileHandle) -> np.ndarray:
    """Return which pages of a series are there, with all their pixels."""
    there = np.array([page is not None for page in series.pages])
    for number in np.flatnonzero(there)[::-1]:  # what is cut off is missing at the end
        page = series.pages[int(number)]
        ends = [a + n for a, n in zip(page.dataoffsets, page.databytecounts, strict=False)]
        if page.parent.filehandle is not handle or max(ends, default=0) <= handle.size:
            break
        there[number] = False
    return there


def check_page(path: Path, page: tifffile.TiffPage, size: int) -> None:
    """Raise ValueError when a page promises more pixels than its bytes can hold."""
    stored = sum(page.databytecounts)
    if page.compression == 1 and page.nbytes > size:
        raise ValueError(
            f"{path}: a page promises {page.nbytes} bytes of pixels, the file has {size}"
        )
    if page.nbytes > max(_LARGE_PAGE, _MOST_COMPRESSION * min(stored, size)):
        raise ValueError(f"{path}: a page of {stored} bytes promises {page.nbytes} bytes of pixels")
