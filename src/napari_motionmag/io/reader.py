"""Opening a movie file by its extension, without reading its pixels."""

from __future__ import annotations

import os
from pathlib import Path

from napari_motionmag.io.formats import Found, format_of
from napari_motionmag.io.npy import read_npy
from napari_motionmag.movie.axes import EXAMPLES, guess_axes, positive
from napari_motionmag.movie.movie import Movie


def open_movie(
    path: str | os.PathLike,
    *,
    axes: str | None = None,
    fps: float | None = None,
    intensity_range: tuple[float, float] | None = None,
) -> Movie:
    """Open a movie file.

    Parameters
    ----------
    path : path
        TIFF (plain, ImageJ, OME; .tif, .tiff), NumPy (.npy), zarr arrays and OME-Zarr images
        (.zarr, needs the extra ``zarr``) or video (.mp4, .m4v, .mov, .avi, .mkv, .webm, needs
        the extra ``video``).
    axes : str, optional
        Letter of each axis as in `Movie`, for files that do not tell, or tell wrongly (stacks
        whose time axis is called Z).
    fps : float, optional
        Frames per second, instead of what the file says. Videos of high-speed cameras usually
        say how fast they are to be shown, not how fast they were taken.
    intensity_range : (float, float), optional
        As in `Movie`.

    Returns
    -------
    Movie
        With the calibration that the file has. Frames are read when they are asked for.

    Raises
    ------
    FileNotFoundError
        When there is no such file.
    ValueError
        When the file cannot be read, or does not tell its axes.
    ImportError
        When the package that reads the format is not installed; names the extra that brings it.
    """
    path = Path(path)
    kind = format_of(path)
    if not path.exists():
        raise FileNotFoundError(f"{path}: there is no such file")
    if not (path.is_file() or path.is_dir()):
        raise ValueError(f"{path}: is neither a file nor a folder; it cannot be read as a movie")
    found = _read(kind, path.absolute())  # workers of a cluster may run in another folder
    axes = axes or found.axes
    if axes is None:
        if found.hint:
            raise ValueError(f"{path}: {found.hint}")
        try:
            axes = guess_axes(tuple(found.data.shape), found.data.dtype)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
    letters = axes.upper().replace("S", "")
    steps = dict(found.steps)
    fps = found.fps if fps is None else positive("fps", fps)
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


def axes_of(names: str, path: Path, shape: tuple[int, ...]) -> tuple[str | None, str]:
    """Make letters of what a file calls its axes.

    Parameters
    ----------
    names : str
        One capital for each axis; letters other than T, Z, C, Y, X and S are unknown.
    path : Path
        The file, for the message.
    shape : tuple of int
        Shape of the data.

    Returns
    -------
    axes : str or None
        None when there is no telling.
    hint : str
        In that case, what to say.
    """
    unknown = [name for name in names if name not in "TZCYXS"]
    if "T" not in names and len(unknown) == 1:
        return names.replace(unknown[0], "T"), ""
    if "T" in names and not unknown:
        return names, ""
    called = f"the file calls its axes {names!r}, shape {shape}"
    where = "which is time" if unknown else "none of which is time"
    said = f"{called}, {where}; pass axes, for example {EXAMPLES}"
    return None, said


def _name(path: Path) -> str:
    name = path.name
    for ending in (path.suffix, ".ome"):
        name = name.removesuffix(ending)
    return name or path.name


def _read(kind: str, path: Path) -> Found:
    try:
        return _read_format(kind, path)
    except (OSError, ImportError, MemoryError, Warning):
        raise
    except Exception as error:  # readers raise whatever damaged bytes lead them to
        text = str(error)
        if isinstance(error, ValueError) and text.startswith(str(path)):
            raise
        text = " ".join(text.split()) or "no further word"
        raise ValueError(
            f"{path}: not a readable {kind} file: {type(error).__name__}: {text}"
        ) from error


def _read_format(kind: str, path: Path) -> Found:
    # formats bring packages of their own: import the one that is needed
    if kind == "npy":
        return read_npy(path)
    if kind == "tiff":
        from napari_motionmag.io.tiff import read_tiff

        return read_tiff(path)
    if kind == "zarr":
        from napari_motionmag.io.ome_zarr import read_zarr

        return read_zarr(path)
    from napari_motionmag.io.video import read_video

    return read_video(path)
