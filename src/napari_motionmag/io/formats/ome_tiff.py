"""TIFF: read plain, ImageJ and OME files page by page; write OME-TIFF."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import tifffile

from napari_motionmag.io.array_like import Reordered
from napari_motionmag.io.formats.base import FileMovie, Format, WriteOptions, axes_of
from napari_motionmag.io.frame_stream import FrameStream
from napari_motionmag.io.metadata import calibration_of, positive_number
from napari_motionmag.io.ome_xml import check_ome
from napari_motionmag.io.tiff_pages import TiffPages, check_page, quiet_tifffile
from napari_motionmag.movie.frame_times import unevenness
from napari_motionmag.movie.movie import Movie
from napari_motionmag.movie.units import meters, seconds, short_name

BIG = 2**31 - 2**25  # bytes from which on a BigTIFF is written
_OME_TYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8")


def read_tiff(path: Path) -> FileMovie:
    """Open a TIFF: axes, pixel size and frame rate by OME-XML or ImageJ's metadata, no pixels."""
    try:
        with quiet_tifffile(), tifffile.TiffFile(path) as file:
            page = file.pages.first
            check_page(path, page, file.filehandle.size)
            _check_codec(path, page)
            if file.is_ome:
                how, calibration = check_ome(
                    path, file.ome_metadata, page.shape, lambda: len(file.pages)
                )
            else:
                how, imagej = {}, file.imagej_metadata
                calibration = calibration_of(
                    path, lambda: _imagej_calibration(path, imagej, page) if imagej else {}
                )
    except tifffile.TiffFileError as error:
        raise ValueError(f"{path}: not a readable TIFF file: {error}") from error
    try:
        pages = TiffPages(path, **how)
    except (ArithmeticError, AttributeError, LookupError, TypeError) as error:
        warnings.warn(
            f"{path}: its metadata do not fit its pages ({error}); pages are read one after "
            "another, without axes",
            stacklevel=4,
        )
        pages = TiffPages(path, is_ome=False, is_imagej=False, is_shaped=False)
    if not calibration and pages.fps is not None:  # a file of tifffile
        fps = calibration_of(path, lambda: {"fps": positive_number(path, "fps", pages.fps)})
        calibration = {key: value for key, value in fps.items() if value is not None}
    names, data = pages.axes, pages
    times = calibration.pop("times", None)
    if "S" in names and not names.endswith("S"):  # planes of samples one after another
        order = [axis for axis, name in enumerate(names) if name != "S"]
        data = Reordered(data, [*order, names.index("S")])
        names = names.replace("S", "") + "S"
    if times is not None and "T" in names:  # those of frames that are there
        data.times, data.fps = times[: data.shape[names.index("T")]], calibration["fps"]
    axes, hint = axes_of(names, path, tuple(data.shape))
    return FileMovie(data, axes, hint=hint, **calibration)


def _check_codec(path: Path, page: tifffile.TiffPage) -> None:
    if page.compression != 1 and page.compression not in tifffile.TIFF.DECOMPRESSORS:
        name = getattr(page.compression, "name", page.compression)
        raise ImportError(
            f"{path}: reading {name} compression needs the package imagecodecs "
            "(pip install imagecodecs)"
        )


def _imagej_calibration(path: Path, metadata: Mapping, page: tifffile.TiffPage) -> dict:
    steps = {}
    unit = short_name(metadata.get("unit", "pixel"))
    if meters(unit) is not None:
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
        f"the file has no frame interval; its playback rate of {fps:g} fps is taken ({path})",
        stacklevel=6,
    )
    return {"fps": fps, "steps": steps}


def check_tiff(movie: Movie | None, options: WriteOptions) -> None:
    """Raise ValueError when a movie cannot be a TIFF."""
    if movie is not None and movie.dtype.str[1:] not in _OME_TYPES:
        raise ValueError(
            f"TIFF cannot hold {movie.dtype} pixels; write .npy or .zarr, or convert the movie"
        )


def write_tiff(path: Path, stream: FrameStream, options: WriteOptions) -> None:
    """Write an OME-TIFF, a BigTIFF when it is large; the recipe is the image's description."""
    movie = stream.movie
    order = "".join(letter for letter in movie.axes if letter not in "YXS")
    spatial = "YXS" if movie.is_rgb else "YX"
    shape = tuple(movie.shape[movie.axes.index(letter)] for letter in order + spatial)
    metadata = {"axes": order + spatial, "Name": movie.name or "movie"}
    if options.recipe is not None:
        metadata["Description"] = json.dumps(options.recipe)
    steps = movie.steps
    wide = steps.get("Y") != steps.get("X")  # pixels of a video that are not square
    for letter in "ZYX":
        step, unit = steps.get(letter, (1, "pixel"))
        if meters(unit) is not None or (unit == "pixel" and (step != 1 or wide)):
            metadata[f"PhysicalSize{letter}"] = abs(step)
            metadata[f"PhysicalSize{letter}Unit"] = unit.replace("um", "\N{MICRO SIGN}m")
    if movie.fps is not None and unevenness(movie.times, movie.fps):
        frame = np.indices(shape[: len(order)])[order.index("T")].ravel()  # of each page
        deltas = movie.times[frame].tolist()
        metadata["Plane"] = {"DeltaT": deltas, "DeltaTUnit": ["s"] * len(deltas)}
    elif movie.fps is not None:
        metadata["TimeIncrement"] = 1 / movie.fps
        metadata["TimeIncrementUnit"] = "s"
    tags = {"photometric": "rgb" if movie.is_rgb else "minisblack", "metadata": metadata}
    if movie.is_rgb:
        tags["planarconfig"] = "contig"
    if movie.has_alpha:
        tags["extrasamples"] = ["unassalpha"]
    sizes = [steps.get(letter, (0, "pixel")) for letter in "XY"]
    if all(meters(unit) is not None for _, unit in sizes):
        # for programs that know nothing of OME
        tags["resolution"] = [0.01 / (abs(step) * meters(unit)) for step, unit in sizes]
        tags["resolutionunit"] = "CENTIMETER"
    dtype = movie.dtype.newbyteorder("<")
    size = int(np.prod(shape)) * dtype.itemsize
    with tifffile.TiffWriter(path, bigtiff=size > BIG, byteorder="<", ome=True) as file:
        file.write(_pages(stream, order, dtype), shape=shape, dtype=dtype, **tags)


def _pages(stream: FrameStream, order: str, dtype: np.dtype) -> Iterator[np.ndarray]:
    for _, frame in stream.frames(order):
        yield np.ascontiguousarray(frame, dtype)


FORMAT = Format(
    name="tiff",
    label="OME-TIFF",
    extensions=(".ome.tif", ".ome.tiff", ".tif", ".tiff"),
    read=read_tiff,
    writes=(".ome.tif", ".tif", ".tiff"),
    check=check_tiff,
    write=write_tiff,
    in_napari=(".tif", ".tiff"),
    rank=0,
)
