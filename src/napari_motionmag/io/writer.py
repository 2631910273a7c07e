"""Save a movie in the format of the file's extension, with a few frames in memory at a time."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from napari_motionmag.compute.atomic import check_target, locked, written_whole
from napari_motionmag.compute.validate import checked_flag
from napari_motionmag.io.formats import Format, WriteOptions, all_formats, writable
from napari_motionmag.io.frame_stream import FrameStream, Progress
from napari_motionmag.io.journal import Journal
from napari_motionmag.movie.intensity import checked_range
from napari_motionmag.movie.lazy import paths_behind
from napari_motionmag.movie.movie import Movie

_FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))


def save_movie(
    path: str | os.PathLike,
    data,
    axes: str | None = None,
    *,
    fps: float | None = None,
    scale: Sequence[float] | None = None,
    units: Sequence[str] | None = None,
    name: str | None = None,
    intensity_range: tuple[float, float] | None = None,
    playback_fps: float | None = None,
    recipe: Mapping | None = None,
    overwrite: bool = False,
    resume: bool = False,
    source: Mapping | None = None,
    client=None,
    progress: Progress | None = None,
) -> Path:
    """Write a movie; the file appears when it is whole.

    It is written under a hidden name in the same folder and renamed in the end. When anything
    fails, an interrupt or an exception of `progress` included, the hidden file is removed and
    an output that was there is untouched.

    Parameters
    ----------
    path : path
        By its extension: .tif and .tiff (OME-TIFF, BigTIFF when large), .zarr (OME-Zarr 0.5,
        axes put in the order TCZYX), .npy (no calibration), .mp4 and .mov (H.264, 8 bit, to
        look at), .avi (lossless PNG frames).
    data : array, napari Image layer or Movie
        Lazy arrays are computed a few frames at a time, in the order in which they are written.
    axes, fps, scale, units, name
        As in `Movie`, where `data` does not say.
    intensity_range : (float, float), optional
        Video only: the intensities shown as black and white. Integers that fit are written as
        they are when None.
    playback_fps : float, optional
        Video only: how fast it is to be shown; see `video_writer.write_video`.
    recipe : mapping, optional
        How the movie was made, of what JSON can hold; kept in TIFF and zarr files.
    overwrite : bool
        Whether to replace an output that is there.
    resume : bool
        Zarr only: keep what is written when the writing is interrupted, killed even, and go on
        from there when called again with the same movie, `recipe` and `source`. An output that
        is whole, of a movie of the same shape and the same `recipe`, is left as it is.
    source : mapping, optional
        What identifies the state of the source of the movie, of what JSON can hold;
        `journal.fingerprint` makes it for a file. Not kept in the output.
    client : distributed.Client, optional
        Its cluster computes the frames. For zarr its workers write them, too, and need the
        same file system.
    progress : callable, optional
        Called as ``progress(done, total)`` after each frame.

    Returns
    -------
    Path
        Where the movie is.

    Raises
    ------
    FileExistsError
        When there is an output and `overwrite` is False, but for what `resume` allows.
    OSError
        When the file cannot be written; also when another process writes to the same output with
        `resume`.
    ValueError
        When the format cannot hold the movie, an argument is out of range, or the output would
        replace a file that the movie is read from.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_motionmag.io import save_movie
    >>> save_movie("film.ome.tif", np.zeros((9, 32, 32), "u2"), fps=25)  # doctest: +SKIP
    """
    path = Path(path)
    if not isinstance(recipe, Mapping | None):
        raise TypeError(f"recipe must be a mapping, got {recipe!r}")
    if intensity_range is not None:
        checked_range(intensity_range)
    movie = Movie.from_any(data, axes=axes, fps=fps, scale=scale, units=units, name=name)
    check_output(path, movie, overwrite=overwrite, resume=resume, playback_fps=playback_fps)
    format_ = checked_format(path)
    if resume and not overwrite and format_.recognizes(path):
        if format_.holds(path, movie, recipe):
            return path
        raise FileExistsError(
            f"{path} is whole already, made with other settings or of another movie; choose "
            "another name, or replace it with overwrite=True (--overwrite)"
        )
    stream = FrameStream(movie, progress, client)
    lock = path.with_name(f".{path.name}.lock")
    busy = f"{path}: another process is writing it; wait for it, or choose another name"
    with (
        locked(lock, busy) if resume else nullcontext(),
        written_whole(path, overwrite, _replaceable(format_), resumable=resume) as partial,
    ):
        journal = Journal(partial.with_name(f"{partial.name}.journal"), source)
        options = WriteOptions(
            extension=path.suffix.lower(),
            recipe=recipe,
            playback_fps=playback_fps,
            intensity_range=intensity_range,
            journal=journal if resume else None,
        )
        with naming_output(path, resume):
            format_.write(partial, stream, options)
    if resume:
        journal.remove()
    return path


@contextmanager
def naming_output(path: Path, resume: bool) -> Iterator[None]:
    """Say which output did not fit on its disk, and what became of it."""
    try:
        yield
    except OSError as error:
        cut = "requested and" in str(error) and "written" in str(error)  # as NumPy says it
        if not cut and error.errno not in _FULL:
            raise
        reason = os.strerror(errno.ENOSPC if cut else error.errno)
        rest = "what is written is kept, to resume" if resume else "nothing is left of it"
        raise OSError(f"{path} cannot be written to its end: {reason}; {rest}") from error


def _replaceable(format_: Format):
    return format_.recognizes if format_.is_folder else None


def check_output(
    path: str | os.PathLike,
    movie: Movie | None = None,
    *,
    overwrite: bool = False,
    resume: bool = False,
    playback_fps: float | None = None,
    source: str | os.PathLike | None = None,
) -> str:
    """Check whether a movie can be written, before anything is computed.

    Parameters
    ----------
    path, overwrite, resume, playback_fps
        As for `save_movie`.
    movie : Movie, optional
        Movie to write; without, only the path is checked.
    source : path, optional
        File that the movie is read from; the output must not replace it, nor lie in it.

    Returns
    -------
    str
        Name of the format.

    Raises
    ------
    OSError, ValueError, ImportError
        As `save_movie`.
    """
    path = Path(path)
    checked_flag("resume", resume)
    format_ = checked_format(path)
    if resume and format_.holds is None:
        able = ", ".join(entry.writes[-1] for entry in all_formats() if entry.holds)
        raise ValueError(f"{path}: resume is for {able} only")
    if playback_fps is not None and format_.name != "video":
        able = ", ".join(*(entry.writes for entry in all_formats() if entry.name == "video"))
        raise ValueError(f"{path}: playback_fps is for {able} only")
    if movie is not None:
        check_sources(path, movie)
    if source is not None:
        _refuse_overlap(path, Path(source))
    if not (resume and format_.recognizes(path)):  # its content is compared with the recipe later
        check_target(path, overwrite, _replaceable(format_))
    format_.check(movie, WriteOptions(path.suffix.lower(), playback_fps=playback_fps))
    return format_.name


def checked_format(path: Path) -> Format:
    """Return the format that a path is to be written in; ValueError if it cannot be."""
    name = path.name.lower()
    for entry in all_formats():
        if name.endswith(entry.writes):
            return entry
    endings = ", ".join(writable())
    raise ValueError(f"{path}: cannot write {path.suffix.lower()!r}; can be {endings}")


def check_sources(path: Path, movie: Movie) -> None:
    """Raise ValueError when an output would replace a file that a movie is read from."""
    for source in paths_behind(movie.data):
        _refuse_overlap(path, Path(source))


def _refuse_overlap(output: Path, source: Path) -> None:
    ours, theirs = output.resolve(), source.resolve()
    if ours == theirs or ours in theirs.parents or theirs in ours.parents:
        raise ValueError(
            f"{output}: the movie is read from {source}, which would be replaced or changed; "
            "choose another name"
        )
