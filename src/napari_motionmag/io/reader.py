"""Open a movie file by its extension, without reading its pixels."""

from __future__ import annotations

import os
from pathlib import Path

from napari_motionmag.compute.validate import above_zero, existing_file
from napari_motionmag.io.formats import format_of
from napari_motionmag.io.metadata import naming_damage
from napari_motionmag.movie.axes import guess_axes
from napari_motionmag.movie.movie import Movie


def open_movie(
    path: str | os.PathLike,
    *,
    axes: str | None = None,
    fps: float | None = None,
    intensity_range: tuple[float, float] | None = None,
) -> Movie:
    """Open a movie file.

    Wrong metadata and frames that are missing at the end are left out, with a warning that names
    the file.

    Parameters
    ----------
    path : path
        TIFF (plain, ImageJ, OME; .tif, .tiff), NumPy (.npy), zarr arrays and OME-Zarr images
        (.zarr, needs the extra ``zarr``), video (.mp4, .mov, .avi, .mkv, .webm, .gif and others,
        needs the extra ``video``), or numbered pictures: their folder, or a pattern such as
        ``"run1/frame_*.png"``.
    axes : str, optional
        One letter per axis as in `Movie`, for files that do not say, or say it wrongly (stacks
        whose time axis is called Z).
    fps : float, optional
        Frames per second, instead of what the file says. Videos of high-speed cameras usually
        say how fast they are to be shown, not how fast they were taken.
    intensity_range : (float, float), optional
        As in `Movie`.

    Returns
    -------
    Movie
        With the calibration that the file has. Frames are read when they are used.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the file cannot be read, or does not tell its axes.
    ImportError
        When the package that reads the format is not installed; names the extra that brings it.

    Examples
    --------
    >>> from napari_motionmag.io import open_movie
    >>> movie = open_movie("cells.mp4", fps=1000)  # doctest: +SKIP
    >>> movie.read(12).shape  # doctest: +SKIP
    (420, 640, 3)
    """
    path = Path(path)
    format_ = format_of(path)
    if not format_.recognizes(path) and not (format_.is_folder and path.is_dir()):
        existing_file("", path)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ValueError(f"{path}: is neither a file nor a folder; it cannot be read as a movie")
    whole = path.absolute()  # workers of a cluster may run in another folder
    with naming_damage(whole, f"not a readable {format_.name} file"):
        found = format_.read(whole)
    axes = axes or found.axes
    if axes is None:
        if found.hint:
            raise ValueError(f"{path}: {found.hint}")
        try:
            axes = guess_axes(tuple(found.data.shape), found.data.dtype)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    letters = str(axes).upper().replace("S", "")
    steps = dict(found.steps)
    fps = found.fps if fps is None else above_zero("fps", fps)
    if fps is not None:
        steps["T"] = (1 / fps, "s")
    calibration = {}
    if steps:
        pairs = [steps.get(letter, (1.0, "pixel")) for letter in letters]
        calibration = {"scale": [step for step, _ in pairs], "units": [unit for _, unit in pairs]}
    try:
        return Movie(found.data, axes, fps, intensity_range, name=_name(path), **calibration)
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path}: {error}") from error


def _name(path: Path) -> str:
    name = path.name
    for ending in (path.suffix, ".ome"):
        name = name.removesuffix(ending)
    return name or path.name
