"""TIFF: plain, ImageJ and OME files read page by page; OME-TIFF written page by page."""

from __future__ import annotations

import json
import threading
import warnings
import weakref
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping
from pathlib import Path

import dask.array as da
import numpy as np
import tifffile
from dask.base import tokenize

from napari_motionmag.io.formats import Found
from napari_motionmag.io.frame_stream import FrameStream
from napari_motionmag.io.reader import axes_of
from napari_motionmag.movie.lazy import frames_as_dask
from napari_motionmag.movie.movie import Movie
from napari_motionmag.movie.units import metres, seconds, short_name

BIG = 2**31 - 2**25  # bytes from which on a BigTIFF is written
_OME_TYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8")


class TiffPages:
    """The first image series of a TIFF file as an array that reads the pages it is asked for.

    Parameters
    ----------
    path : Path
        File to read. It stays open from the first reading on.
    """

    def __init__(self, path: Path):
        self.path = path
        self._lock = threading.Lock()
        with self._open() as file:
            series = file.series[0]
            self.shape = tuple(series.shape)
            self.ndim = len(self.shape)
            self.dtype = np.dtype(series.dtype)
            self._page_shape = tuple(series.keyframe.shape)
            leading = self.ndim - len(self._page_shape)
            self._page_counts = self.shape[:leading]
            # one uncompressed run of bytes can be mapped, whatever pages it is said to have
            self._offset = series.dataoffset
            self._byteorder = file.byteorder
            whole = self.shape[leading:] == self._page_shape
            count = int(np.prod(self._page_counts))
            if self._offset is None and not (whole and len(series.pages) == count):
                raise ValueError(
                    f"{path}: {len(series.pages)} pages of shape {self._page_shape} do not make "
                    f"the shape {self.shape} that the file promises"
                )
        self._reset()

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
        return tifffile.TiffFile(self.path)

    def __getitem__(self, index) -> np.ndarray:
        index = index if isinstance(index, tuple) else (index,)
        index += (slice(None),) * (self.ndim - len(index))
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
        leading, rest = index[: len(self._page_counts)], index[len(self._page_counts) :]
        wanted = np.arange(int(np.prod(self._page_counts))).reshape(self._page_counts)[leading]
        pages = []
        for number in wanted.ravel():
            page = self._series.pages[int(number)]
            if page is None:
                raise ValueError(f"{self.path}: page {number} is missing")
            pages.append(np.asarray(page.asarray(), self.dtype)[rest])
        return np.stack(pages).reshape(wanted.shape + pages[0].shape)


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
    try:
        with tifffile.TiffFile(path) as file:
            if not file.series:
                raise ValueError(f"{path}: holds no image")
            if len(file.series) > 1:
                warnings.warn(
                    f"{path} holds {len(file.series)} images; the first is read", stacklevel=4
                )
            series = file.series[0]
            _check_codec(path, series.keyframe)
            names = series.axes
            calibration = _calibration(file)
        pages = TiffPages(path)
    except (tifffile.TiffFileError, ElementTree.ParseError) as error:
        raise ValueError(f"{path}: not a readable TIFF file: {error}") from error
    data = frames_as_dask(pages, names, pages.dtype, f"tiff-{tokenize(pages)}")
    if "S" in names and not names.endswith("S"):  # planes of samples one after another
        data = da.moveaxis(data, names.index("S"), -1)
        names = names.replace("S", "") + "S"
    axes, hint = axes_of(names, path, tuple(data.shape))
    return Found(data, axes, hint=hint, **calibration)


def _check_codec(path: Path, page: tifffile.TiffPage) -> None:
    if page.compression != 1 and page.compression not in tifffile.TIFF.DECOMPRESSORS:
        name = getattr(page.compression, "name", page.compression)
        raise ImportError(
            f"{path}: reading {name} compression needs the package imagecodecs "
            "(pip install imagecodecs)"
        )


def _calibration(file: tifffile.TiffFile) -> dict:
    """Return fps and steps, from the richest metadata that the file has."""
    if file.ome_metadata:
        return _ome_calibration(file.ome_metadata)
    if file.imagej_metadata:
        return _imagej_calibration(file.imagej_metadata, file.pages.first)
    if file.shaped_metadata:
        fps = file.shaped_metadata[0].get("fps")
        return {"fps": float(fps)} if isinstance(fps, int | float) and fps > 0 else {}
    return {}


def _ome_calibration(xml: str) -> dict:
    pixels = ElementTree.fromstring(xml).find(".//{*}Pixels")
    if pixels is None:
        return {}
    steps = {}
    for letter in "ZYX":
        size = pixels.get(f"PhysicalSize{letter}")
        if size is not None and float(size) > 0:
            # the schema makes micrometres the default
            unit = short_name(pixels.get(f"PhysicalSize{letter}Unit", "um"))
            steps[letter] = (float(size), unit)
    interval = _ome_interval(pixels)
    return {"fps": 1 / interval if interval else None, "steps": steps}


def _ome_interval(pixels: ElementTree.Element) -> float | None:
    """Return seconds between frames, as said or from the times of the planes."""
    said = pixels.get("TimeIncrement")
    unit = seconds(pixels.get("TimeIncrementUnit", "s"))
    if said is not None and unit is not None and float(said) > 0:
        return float(said) * unit
    times = {}
    for plane in pixels.iterfind("{*}Plane"):
        unit = seconds(plane.get("DeltaTUnit", "s"))
        first = plane.get("TheZ", "0") == "0" and plane.get("TheC", "0") == "0"
        if first and plane.get("DeltaT") is not None and unit is not None:
            times[int(plane.get("TheT", "0"))] = float(plane.get("DeltaT")) * unit
    if len(times) < 2:
        return None
    first, last = min(times), max(times)
    interval = (times[last] - times[first]) / (last - first)
    return interval if interval > 0 else None


def _imagej_calibration(metadata: Mapping, page: tifffile.TiffPage) -> dict:
    steps = {}
    unit = short_name(metadata.get("unit", "pixel"))
    if metres(unit) is not None:
        for letter, tag in (("X", "XResolution"), ("Y", "YResolution")):
            if tag in page.tags:
                pixels, length = page.tags[tag].value
                if pixels and length:
                    steps[letter] = (length / pixels, unit)
        if metadata.get("spacing"):
            steps["Z"] = (abs(float(metadata["spacing"])), unit)
    interval = float(metadata.get("finterval") or 0) * (seconds(metadata.get("tunit", "s")) or 0)
    if interval > 0:
        return {"fps": 1 / interval, "steps": steps}
    fps = metadata.get("fps")
    if not fps or float(fps) <= 0:
        return {"steps": steps}
    warnings.warn(
        f"the file has no frame interval; its playback rate of {float(fps):g} fps is taken",
        stacklevel=6,
    )
    return {"fps": float(fps), "steps": steps}


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
