"""NumPy files: read by memory map, written frame by frame, without calibration."""

from __future__ import annotations

import errno
import math
import os
import warnings
from pathlib import Path

import numpy as np

from napari_motionmag.compute.validate import npy_error_text
from napari_motionmag.io.formats.base import FileMovie, Format, WriteOptions
from napari_motionmag.io.frame_stream import FrameStream


def read_npy(path: Path) -> FileMovie:
    """Map a file; only its header is read."""
    try:
        return FileMovie(np.load(path, mmap_mode="r", allow_pickle=False))
    except (ValueError, EOFError) as error:
        data = _before_the_end(path)
        if data is None:
            text = npy_error_text(error)
            raise ValueError(f"{path}: not a readable .npy file: {text}") from error
        return FileMovie(data)


def _before_the_end(path: Path) -> np.ndarray | None:
    """Return the frames of a file that was cut off, with a warning; None of other files."""
    with open(path, "rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            read = {
                (1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0,
            }[version]
            shape, fortran, dtype = read(file)
        except (ValueError, EOFError, KeyError):
            return None
        offset = file.tell()
    if fortran or dtype.hasobject or len(shape) < 3 or min(shape) < 1:
        return None
    count = (path.stat().st_size - offset) // (math.prod(shape[1:]) * dtype.itemsize)
    if not 2 <= count < shape[0]:
        return None
    warnings.warn(
        f"{path}: promises {shape[0]} frames and has {count} whole ones; these are read",
        stacklevel=5,
    )
    return np.memmap(path, dtype, "r", offset, (count, *shape[1:]))


def write_npy(path: Path, stream: FrameStream, options: WriteOptions) -> None:
    """Write frames in place, with the axes in the order of the movie."""
    movie = stream.movie
    order = "".join(letter for letter in movie.axes if letter not in "YXS")
    if movie.axes.startswith(order) and movie.axes[len(order) :] in ("YX", "YXS"):
        _write_in_a_row(path, stream, order)
    else:
        _write_scattered(path, stream, order)


def _write_in_a_row(path: Path, stream: FrameStream, order: str) -> None:
    """Write frames one after another, where each is a run of bytes in the file."""
    movie = stream.movie
    header = {
        "descr": np.lib.format.dtype_to_descr(movie.dtype),
        "fortran_order": False,
        "shape": movie.shape,
    }
    with open(path, "xb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for _, frame in stream.frames(order):
            file.write(np.ascontiguousarray(frame, movie.dtype).data)


def _write_scattered(path: Path, stream: FrameStream, order: str) -> None:
    """Write frames whose pixels lie apart in the file, through a memory map."""
    movie = stream.movie
    target = np.lib.format.open_memmap(path, mode="w+", dtype=movie.dtype, shape=movie.shape)
    try:
        _reserve(path)
        for index, frame in stream.frames(order):
            where = dict(zip(order, index, strict=True))
            region = tuple(
                slice(where[x], where[x] + 1) if x in where else slice(None) for x in movie.axes
            )
            target[region] = movie.expand(frame)
        target.flush()
    finally:
        del target  # the map must be closed before the file is renamed


def _reserve(path: Path) -> None:
    # on a full disk a mapped page that has no block yet kills the process; an error is better
    if not hasattr(os, "posix_fallocate"):
        return
    with open(path, "r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):  # the file system cannot
                raise


FORMAT = Format(
    name="npy",
    label="NumPy",
    extensions=(".npy",),
    read=read_npy,
    writes=(".npy",),
    write=write_npy,
    rank=2,
)
