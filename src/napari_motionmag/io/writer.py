"""Saving a movie by the extension of the file, a few frames in memory at a time."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from napari_motionmag.io.atomic import appearing_whole, check_target
from napari_motionmag.io.formats import WRITABLE, format_of, is_zarr_store
from napari_motionmag.io.frame_stream import FrameStream, Progress
from napari_motionmag.io.journal import Journal
from napari_motionmag.io.npy import write_npy
from napari_motionmag.movie.movie import Movie


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
    fails, an interrupt or an exception of `progress` among it, the hidden file is removed and
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
        As in `Movie`, where `data` does not tell.
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
        What tells whether the source of the movie changed between the calls, of what JSON can
        hold; `journal.fingerprint` makes it for a file. Not kept in the output.
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
        When the file cannot be written.
    ValueError
        When the format cannot hold the movie, or an argument is out of range.
    """
    path = Path(path)
    movie = Movie.from_any(data, axes=axes, fps=fps, scale=scale, units=units, name=name)
    kind = check_output(path, movie, overwrite=overwrite, resume=resume, playback_fps=playback_fps)
    if resume and not overwrite and is_zarr_store(path):
        from napari_motionmag.io.zarr_writer import holds

        if holds(path, movie, recipe):
            return path
        raise FileExistsError(
            f"{path} is whole already, made with other settings or of another movie; choose "
            "another name, or replace it with overwrite=True (--overwrite)"
        )
    stream = FrameStream(movie, progress, client)
    with appearing_whole(path, overwrite, directory=kind == "zarr", kept=resume) as partial:
        journal = Journal(partial.with_name(f"{partial.name}.journal"), source)
        if kind == "npy":
            write_npy(partial, stream)
        elif kind == "tiff":
            from napari_motionmag.io.tiff import write_tiff

            write_tiff(partial, stream, recipe)
        elif kind == "zarr":
            from napari_motionmag.io.zarr_writer import write_zarr

            write_zarr(partial, stream, recipe, journal if resume else None)
        else:
            from napari_motionmag.io.video_writer import write_video

            write_video(partial, stream, path.suffix.lower(), playback_fps, intensity_range)
    if resume:
        journal.remove()
    return path


def check_output(
    path: str | os.PathLike,
    movie: Movie | None = None,
    *,
    overwrite: bool = False,
    resume: bool = False,
    playback_fps: float | None = None,
) -> str:
    """Check whether a movie can be written, before anything is computed.

    Parameters
    ----------
    path, overwrite, resume, playback_fps
        As for `save_movie`.
    movie : Movie, optional
        Movie to write; without, only the path is checked.

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
    extension = path.suffix.lower()
    if extension not in WRITABLE:
        raise ValueError(f"{path}: cannot write {extension!r}; can be {', '.join(WRITABLE)}")
    kind = format_of(path)
    if resume and kind != "zarr":
        raise ValueError(f"{path}: resume is for .zarr only")
    if not (resume and is_zarr_store(path)):  # what it holds is seen when the recipe is known
        check_target(path, overwrite, directory=kind == "zarr")
    if kind == "zarr":
        from napari_motionmag.io.zarr_writer import check_zarr

        check_zarr(movie)
    elif kind == "tiff" and movie is not None:
        from napari_motionmag.io.tiff import check_tiff

        check_tiff(movie)
    elif kind == "video":
        from napari_motionmag.io.video_writer import check_video

        check_video(movie, playback_fps)
    return kind
