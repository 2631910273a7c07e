"""TIFF: plain, ImageJ and OME files read page by page; OME-TIFF written page by page."""

from __future__ import annotations

import json
import threading
import warnings
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import tifffile

from napari_motionmag.io.array_like import ArrayLike, Reordered, whole_index
from napari_motionmag.io.formats import Found
from napari_motionmag.io.frame_stream import FrameStream
from napari_motionmag.io.ome_xml import OmeClaims, calibration_of, positive_number
from napari_motionmag.io.reader import axes_of
from napari_motionmag.movie.movie import Movie
from napari_motionmag.movie.units import metres, seconds, short_name

BIG = 2**31 - 2**25  # bytes from which on a BigTIFF is written
_OME_TYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8")
# a page that unfolds to more bytes than this, and to more times its size, is not believed
_LARGE_PAGE, _MOST_COMPRESSION = 2**28, 20_000


class TiffPages(ArrayLike):
    """The first image series of a TIFF file as an array that reads the pages it is asked for.

    Parameters
    ----------
    path : Path
        File to read. It stays open from the first reading on.
    **how
        Arguments of `tifffile.TiffFile` beside the path.

    Attributes
    ----------
    axes : str
        Letters of the axes, as tifffile names them.
    """

    def __init__(self, path: Path, **how):
        self.path = path
        self._how = how
        self._lock = threading.Lock()
        self._reset()
        with self._open() as file:
            if not file.series:
                raise ValueError(f"{path}: holds no image")
            if len(file.series) > 1:
                warnings.warn(
                    f"{path} holds {len(file.series)} images; the first is read", stacklevel=4
                )
            series = file.series[0]
            page = series.keyframe
            _check_page(path, page, file.filehandle.size)
            self.axes = series.axes
            self.shape = tuple(series.shape)
            self.dtype = np.dtype(series.dtype)
            leading = self.ndim - len(page.shape)
            self._counts = self.shape[:leading]  # of pages, along the axes that are not in one
            whole = self.shape[leading:] == tuple(page.shape)
            # one uncompressed run of bytes can be mapped, whatever pages it is said to have
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
        """Keep the frames before the first that is not whole, and say so."""
        files = self._how.get("missing_files") or ()
        because = f": {', '.join(files)} is not there" if files else ""
        time = self.axes.find("T")
        along = time if 0 <= time < present.ndim else 0
        rest = tuple(axis for axis in range(present.ndim) if axis != along)
        whole = present.all(axis=rest)
        count = int(np.argmin(whole)) if not whole.all() else len(whole)
        self._missing = because
        if count < 2:
            return  # nothing to show without them: reading says which page it is
        warnings.warn(
            f"{self.path}: promises {self.shape[along]} frames and has {count} whole ones"
            f"{because}; these are read",
            stacklevel=5,
        )
        self.shape = (*self.shape[:along], count, *self.shape[along + 1 :])

    def _reset(self) -> None:
        self._file = self._series = self._map = None

    def __getstate__(self):
        hidden = ("_lock", "_file", "_series", "_map")
        return {key: value for key, value in self.__dict__.items() if key not in hidden}

    def __setstate__(self, state):
        self.__dict__.update(state, _lock=threading.Lock())
        self._reset()

    def __dask_tokenize__(self):
        status = self.path.stat()
        return (str(self.path.resolve()), status.st_size, status.st_mtime_ns)

    def _open(self) -> tifffile.TiffFile:
        how = {key: value for key, value in self._how.items() if key != "missing_files"}
        return tifffile.TiffFile(self.path, **how)

    def __getitem__(self, index) -> np.ndarray:
        index = whole_index(index, self.ndim)
        with self._lock:
            if self._offset is not None:
                if self._map is None:
                    stored = self.dtype.newbyteorder(self._byteorder)
                    self._map = np.memmap(self.path, stored, "r", self._offset, self.shape)
                return np.array(self._map[index], self.dtype)
            return self._read_pages(index)

    def _read_pages(self, index: tuple) -> np.ndarray:
        if self._file is None:
            self._file = self._open()
            weakref.finalize(self, self._file.close)
            self._series = self._file.series[0]
        depth = len(self._counts)
        numbers = np.arange(int(np.prod(self._counts))).reshape(self._counts)
        numbers = numbers[tuple(slice(size) for size in self.shape[:depth])]
        wanted = numbers[index[:depth]]
        pages = [self._page(int(number))[index[depth:]] for number in wanted.ravel()]
        return np.stack(pages).reshape(wanted.shape + pages[0].shape)

    def _page(self, number: int) -> np.ndarray:
        page = self._series.pages[number]
        if page is None:
            raise ValueError(f"{self.path}: page {number} is missing{self._missing}")
        handle = page.parent.filehandle
        closed = handle.closed  # all but the first file of a set
        try:
            if closed:
                handle.open()
            return np.asarray(page.asarray(), self.dtype)
        except MemoryError:
            raise
        except Exception as error:  # decoders raise whatever damaged bytes lead them to
            raise ValueError(f"{self.path}: page {number} cannot be read: {error}") from error
        finally:
            if closed:
                handle.close()


def read_tiff(path: Path) -> Found:
    """Open a TIFF file; pixels are read when asked for.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Found
        With axes, frame interval and pixel size from OME-XML or ImageJ metadata.
    """
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        _check_page(path, page, file.filehandle.size)
        _check_codec(path, page)
        how = {}
        if file.is_ome:
            claims = OmeClaims.check(path, file.ome_metadata, page.shape, lambda: len(file.pages))
            how = claims.how
            calibration = claims.calibration
        else:
            calibration = _calibration(path, file)
    try:
        pages = TiffPages(path, **how)
    except (ArithmeticError, AttributeError, LookupError, TypeError) as error:
        warnings.warn(
            f"{path}: its metadata do not fit its pages ({error}); pages are read one after "
            "another, without axes",
            stacklevel=4,
        )
        pages = TiffPages(path, is_ome=False, is_imagej=False, is_shaped=False)
    names, data = pages.axes, pages
    if "S" in names and not names.endswith("S"):  # planes of samples one after another
        order = [axis for axis, name in enumerate(names) if name != "S"]
        data = Reordered(data, [*order, names.index("S")])
        names = names.replace("S", "") + "S"
    axes, hint = axes_of(names, path, tuple(data.shape))
    return Found(data, axes, hint=hint, **calibration)


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


def _check_page(path: Path, page: tifffile.TiffPage, size: int) -> None:
    """Raise ValueError when a page promises more pixels than its bytes can hold."""
    stored = sum(page.databytecounts)
    if page.compression == 1 and page.nbytes > size:
        raise ValueError(
            f"{path}: a page promises {page.nbytes} bytes of pixels, the file has {size}"
        )
    if page.nbytes > max(_LARGE_PAGE, _MOST_COMPRESSION * min(stored, size)):
        raise ValueError(f"{path}: a page of {stored} bytes promises {page.nbytes} bytes of pixels")


def _check_codec(path: Path, page: tifffile.TiffPage) -> None:
    if page.compression != 1 and page.compression not in tifffile.TIFF.DECOMPRESSORS:
        name = getattr(page.compression, "name", page.compression)
        raise ImportError(
            f"{path}: reading {name} compression needs the package imagecodecs "
            "(pip install imagecodecs)"
        )


def _calibration(path: Path, file: tifffile.TiffFile) -> dict:
    """Return fps and steps, from the richest metadata that the file has."""

    def read() -> dict:
        if file.imagej_metadata:
            return _imagej_calibration(path, file.imagej_metadata, file.pages.first)
        if file.shaped_metadata:
            fps = positive_number(path, "fps", file.shaped_metadata[0].get("fps"))
            return {} if fps is None else {"fps": fps}
        return {}

    return calibration_of(path, read)


def _imagej_calibration(path: Path, metadata: Mapping, page: tifffile.TiffPage) -> dict:
    steps = {}
    unit = short_name(metadata.get("unit", "pixel"))
    if metres(unit) is not None:
        for letter, tag in (("X", "XResolution"), ("Y", "YResolution")):
            if tag in page.tags:
                pixels, length = page.tags[tag].value
                step = positive_number(path, tag, length / pixels if pixels else 0)
                if step is not None:
                    steps[letter] = (step, unit)
        spacing = metadata.get("spacing")
        spacing = -spacing if isinstance(spacing, int | float) and spacing < 0 else spacing
        spacing = positive_number(path, "spacing", spacing or None)
        if spacing is not None:
            steps["Z"] = (spacing, unit)
    interval = positive_number(path, "finterval", metadata.get("finterval") or None)
    unit = seconds(metadata.get("tunit", "s"))
    if interval is not None and unit is not None:
        return {"fps": 1 / (interval * unit), "steps": steps}
    fps = positive_number(path, "fps", metadata.get("fps") or None)
    if fps is None:
        return {"steps": steps}
    warnings.warn(
        f"{path}: the file has no frame interval; its playback rate of {fps:g} fps is taken",
        stacklevel=6,
    )
    return {"fps": fps, "steps": steps}


def check_tiff(movie: Movie) -> None:
    """Raise ValueError when a movie cannot be a TIFF."""
    if movie.dtype.str[1:] not in _OME_TYPES:
        raise ValueError(
            f"TIFF cannot hold {movie.dtype} pixels; write .npy or .zarr, or convert the movie"
        )


def write_tiff(path: Path, stream: FrameStream, recipe: Mapping | None = None) -> None:
    """Write an OME-TIFF, a BigTIFF when it is large.

    Parameters
    ----------
    path : Path
        File to make.
    stream : FrameStream
        Movie to write. Pages are in the order of its axes.
    recipe : mapping, optional
        How the movie was made; kept as the description of the image.
    """
    movie = stream.movie
    order = "".join(letter for letter in movie.axes if letter not in "YXS")
    spatial = "YXS" if movie.is_rgb else "YX"
    shape = tuple(movie.shape[movie.axes.index(letter)] for letter in order + spatial)
    metadata = {"axes": order + spatial, "Name": movie.name or "movie"}
    if recipe is not None:
        metadata["Description"] = json.dumps(recipe)
    steps = {}
    if movie.scale is not None and movie.units is not None:
        calibrated = movie.axes.replace("S", "")
        steps = dict(zip(calibrated, zip(movie.scale, movie.units, strict=True), strict=True))
    for letter in "ZYX":
        step, unit = steps.get(letter, (1, "pixel"))
        if metres(unit) is not None:
            metadata[f"PhysicalSize{letter}"] = abs(step)
            metadata[f"PhysicalSize{letter}Unit"] = unit.replace("um", "\N{MICRO SIGN}m")
    if movie.fps is not None:
        metadata["TimeIncrement"] = 1 / movie.fps
        metadata["TimeIncrementUnit"] = "s"
    tags = {"photometric": "rgb" if movie.is_rgb else "minisblack", "metadata": metadata}
    if movie.is_rgb:
        tags["planarconfig"] = "contig"
    if movie.has_alpha:
        tags["extrasamples"] = ["unassalpha"]
    sizes = [steps.get(letter, (0, "pixel")) for letter in "XY"]
    if all(metres(unit) is not None for _, unit in sizes):
        # for programs that know nothing of OME
        tags["resolution"] = [0.01 / (abs(step) * metres(unit)) for step, unit in sizes]
        tags["resolutionunit"] = "CENTIMETER"
    dtype = movie.dtype.newbyteorder("<")
    size = int(np.prod(shape)) * dtype.itemsize
    with tifffile.TiffWriter(path, bigtiff=size > BIG, byteorder="<", ome=True) as file:
        file.write(_pages(stream, order, dtype), shape=shape, dtype=dtype, **tags)


def _pages(stream: FrameStream, order: str, dtype: np.dtype) -> Iterator[np.ndarray]:
    for _, frame in stream.frames(order):
        yield np.ascontiguousarray(frame, dtype)
