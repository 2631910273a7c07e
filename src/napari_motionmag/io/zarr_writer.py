"""Write OME-Zarr 0.5 frame by frame, in this process or by the workers of a cluster."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from functools import lru_cache
from pathlib import Path

import numpy as np

from napari_motionmag.compute.optional import optional
from napari_motionmag.io.formats.base import WriteOptions
from napari_motionmag.io.frame_stream import FrameStream
from napari_motionmag.movie.frame_times import unevenness
from napari_motionmag.movie.movie import Movie
from napari_motionmag.movie.units import long_name

KEY = "napari_motionmag"  # of what we keep in the attributes of an image
_ZARR_FILES = ("zarr.json", ".zarray", ".zgroup")
_TYPES = {"T": "time", "C": "channel", "Z": "space", "Y": "space", "X": "space"}


def import_zarr():
    """Return the module ``zarr``, or raise ImportError that names the extra."""
    return optional("zarr", "zarr", "zarr files")


def is_zarr_store(path: Path) -> bool:
    """Whether `path` is a folder with a zarr array or group in it."""
    return any((path / name).is_file() for name in _ZARR_FILES)


def check_zarr(movie: Movie | None, options: WriteOptions) -> None:
    """Raise an error when a movie cannot be OME-Zarr, or zarr is not installed."""
    import_zarr()
    if movie is not None and movie.is_rgb and "C" in movie.axes:
        raise ValueError(
            f"OME-Zarr has one channel axis, the movie has axes {movie.axes!r}: write each "
            "channel or use .tif"
        )


def write_zarr(path: Path, stream: FrameStream, options: WriteOptions) -> None:
    """Write an OME-Zarr 0.5 image in the order TCZYX, one frame a chunk.

    With a journal, what an interrupted writing of the same movie and recipe left is continued, and
    ValueError is raised when it is of another. With a client the workers of its cluster compute
    and write; they must see `path`.
    """
    recipe, journal = options.recipe, options.journal
    movie = stream.movie
    axes, shape = _as_stored(movie)
    order = "".join(letter for letter in "TCZ" if letter in movie.axes)
    attributes = _attributes(movie, axes, recipe)
    settings = {
        "shape": list(movie.shape),
        "axes": movie.axes,
        "dtype": movie.dtype.str,
        "recipe": recipe,
        "image": attributes["ome"],
    }
    written = journal.read(settings) if journal is not None and path.is_dir() else None
    if written is None:
        if journal is not None:
            journal.remove()
        if path.is_dir():
            shutil.rmtree(path)
        chunks = tuple(
            1 if letter in order else size for letter, size in zip(axes, shape, strict=True)
        )
        _create(path, attributes, axes, shape, chunks, movie.dtype)
        if journal is not None:
            journal.begin(settings)
    # whatever the journal says, a frame is there only with its chunk
    done = {index for index in written or () if _chunk(path, axes, order, index).is_file()}
    with nullcontext() if journal is None else journal:
        write = _written_here if stream.client is None else _written_by_workers
        for index in write(path, stream, axes, order, done):
            if journal is not None:
                journal.add(index)
    _sweep(path, stream.total)


def holds(path: Path, movie: Movie, recipe: Mapping | None = None) -> bool:
    """Whether an image has the shape, type and metadata that `write_zarr` would give a movie."""
    group = import_zarr().open(path, mode="r")
    axes, shape = _as_stored(movie)
    stored = group.get("0") if hasattr(group, "get") else None
    return (
        stored is not None
        and (stored.shape, stored.dtype) == (shape, movie.dtype.newbyteorder("="))
        and dict(group.attrs) == json.loads(json.dumps(_attributes(movie, axes, recipe)))
    )


def _as_stored(movie: Movie) -> tuple[str, tuple[int, ...]]:
    """Return axes and shape in the order of OME-Zarr."""
    sizes = dict(zip(movie.axes.replace("S", "C"), movie.shape, strict=True))
    axes = "".join(letter for letter in "TCZYX" if letter in sizes)
    return axes, tuple(sizes[letter] for letter in axes)


def _create(path: Path, attributes: dict, axes: str, shape, chunks, dtype: np.dtype) -> None:
    group = import_zarr().open_group(path, mode="w", zarr_format=3)
    group.attrs.update(attributes)
    group.create_array(
        "0",
        shape=shape,
        chunks=chunks,
        dtype=dtype.newbyteorder("="),
        dimension_names=[letter.lower() for letter in axes],
    )


def _chunk(path: Path, axes: str, order: str, index: tuple[int, ...]) -> Path:
    """Return the file of the chunk that holds a frame."""
    where = dict(zip(order, index, strict=False))
    return Path(path, "0", "c", *(str(where.get(letter, 0)) for letter in axes))


def _sweep(path: Path, total: int) -> None:
    """Check that all is there, and remove what killed writers left: chunks not renamed yet."""
    count = 0
    for file in path.rglob("*"):
        if file.is_file() and file.name != "zarr.json":
            if file.name.isdigit():
                count += 1
            else:
                file.unlink()
    if count < total or not all((path / name / "zarr.json").is_file() for name in ("", "0")):
        raise FileNotFoundError(
            f"{path}: {count} of {total} frames are there; the folder was removed or changed "
            "while it was written"
        )


def _written_here(
    path: Path, stream: FrameStream, axes: str, order: str, done: set
) -> Iterator[tuple[int, ...]]:
    """Write frames; yield the index of each that is whole."""
    array = _open(path)
    for index, frame in stream.frames(order, done):
        where = dict(zip(order, index, strict=True))
        region = tuple(where.get(letter, slice(None)) for letter in axes)
        array[region] = np.moveaxis(frame, -1, 0) if stream.movie.is_rgb else frame
        yield index


def _written_by_workers(
    path: Path, stream: FrameStream, axes: str, order: str, done: set
) -> Iterator[tuple[int, ...]]:
    from napari_motionmag.compute.cluster import completed

    movie = stream.movie
    places = [movie.axes.index(letter) for letter in order]
    stored = movie.as_dask().map_blocks(
        _store,
        path=str(path.absolute()),
        run=uuid.uuid4().hex,
        source_axes=movie.axes.replace("S", "C"),
        axes=axes,
        order=order,
        dtype=np.uint8,
        meta=np.empty((0,) * movie.ndim, np.uint8),
    )
    blocks = stored.to_delayed()
    left = [
        blocks[at] for at in np.ndindex(blocks.shape) if tuple(at[k] for k in places) not in done
    ]
    number = stream.total - len(left)
    for index in completed(stream.client, left):
        yield index
        number += 1
        stream.report(number)


def _store(
    block: np.ndarray, path: str, run: str, source_axes: str, axes: str, order: str, block_id=None
) -> tuple[int, ...]:
    """Write one frame, on a worker; return its index along `order`."""
    at = dict(zip(source_axes, block_id, strict=True))
    region = tuple(
        slice(at[letter], at[letter] + 1) if letter in order else slice(None) for letter in axes
    )
    _opened(path, run)[region] = block.transpose([source_axes.index(letter) for letter in axes])
    return tuple(at[letter] for letter in order)


@lru_cache(maxsize=4)
def _opened(path: str, run: str):
    return _open(Path(path))


def _open(path: Path):
    zarr = import_zarr()
    # black frames are written, too: a chunk that is missing is one that got lost
    with zarr.config.set({"array.write_empty_chunks": True}):
        return zarr.open_array(path / "0", mode="r+")


def _attributes(movie: Movie, axes: str, recipe: Mapping | None) -> dict:
    """Return the OME-Zarr metadata of a movie whose axes are put in the order `axes`."""
    calibrated = movie.axes.replace("S", "")
    scale = dict(zip(calibrated, movie.scale or [1.0] * len(calibrated), strict=True))
    units = movie.scale and movie.units  # a unit alone says nothing of lengths
    units = dict(zip(calibrated, units or ["pixel"] * len(calibrated), strict=True))
    if movie.fps is not None:
        scale["T"], units["T"] = 1 / movie.fps, "s"
    described = []
    for letter in axes:
        entry = {"name": letter.lower(), "type": _TYPES[letter]}
        unit = long_name(units.get(letter, "pixel"))
        if unit is not None:
            entry["unit"] = unit
        described.append(entry)
    level = {
        "path": "0",
        "coordinateTransformations": [
            {"type": "scale", "scale": [abs(scale.get(letter, 1.0)) for letter in axes]}
        ],
    }
    image = {"name": movie.name or "movie", "axes": described, "datasets": [level]}
    own = {"samples": movie.is_rgb} | ({} if recipe is None else {"recipe": recipe})
    if movie.fps is not None and unevenness(movie.times, movie.fps):
        own["times"] = movie.times.tolist()
    return {"ome": {"version": "0.5", "multiscales": [image]}, KEY: own}
