"""What a file format is to the rest of the package, and what a file says of the movie in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_motionmag.io.frame_stream import FrameStream
from napari_motionmag.io.journal import Journal
from napari_motionmag.movie.axes import EXAMPLES
from napari_motionmag.movie.movie import Movie


@dataclass(frozen=True)
class FileMovie:
    """What a file says of its movie.

    Attributes
    ----------
    data : array
        Array-like that reads the frames that are indexed.
    axes : str or None
        Letters in the order of `data`; None when the file does not say.
    fps : float or None
        Frames per second.
    steps : dict of str to (float, str)
        Distance between neighbors and its unit, by the letter of the axis.
    hint : str
        The error when the file names axes of which none can be time; `axes` is None then.
    """

    data: Any
    axes: str | None = None
    fps: float | None = None
    steps: dict[str, tuple[float, str]] = field(default_factory=dict)
    hint: str = ""


@dataclass(frozen=True)
class WriteOptions:
    """How a movie is to be written; each format uses what applies to it.

    Attributes
    ----------
    extension : str
        Extension of the output, in lower case (it is written under another name first).
    recipe : mapping or None
        How the movie was made, of what JSON can hold.
    playback_fps : float or None
        How fast a video is to be shown.
    intensity_range : (float, float) or None
        Intensities of a video that are shown as black and white.
    journal : Journal or None
        Record of what is written, to go on from.
    """

    extension: str = ""
    recipe: Mapping | None = None
    playback_fps: float | None = None
    intensity_range: tuple[float, float] | None = None
    journal: Journal | None = None


def _no_check(movie: Movie | None, options: WriteOptions) -> None:
    """Accept any movie."""


@dataclass(frozen=True)
class Format:
    """A file format. Each is declared as `FORMAT` in a module of this folder, and listed thereby.

    Attributes
    ----------
    name : str
        Short name.
    label : str
        Name in file dialogs.
    extensions : tuple of str
        Endings of the files that are read, in lower case.
    read : callable
        ``read(path) -> FileMovie``, without reading pixels. Whatever it raises becomes one line
        with the path.
    writes : tuple of str
        Endings of `extensions` that are written, too; the first is the usual one.
    check : callable
        ``check(movie, options)`` raises ValueError or ImportError when a movie cannot be written;
        `movie` is None when only the path is known.
    write : callable or None
        ``write(path, stream, options)`` writes the frames of a `FrameStream`.
    in_napari : tuple of str
        Endings that the reader for napari takes.
    is_folder : bool
        Whether an output is a folder.
    holds : callable or None
        For formats whose writing can be resumed: ``holds(path, movie, recipe)`` tells whether an
        output that is whole is the one that would be written.
    recognizes : callable
        Whether a path without one of the extensions is of this format.
    rank : int
        Place in lists; the first comes first.
    """

    name: str
    label: str
    extensions: tuple[str, ...]
    read: Callable[[Path], FileMovie]
    writes: tuple[str, ...] = ()
    check: Callable[[Movie | None, WriteOptions], None] = _no_check
    write: Callable[[Path, FrameStream, WriteOptions], None] | None = None
    in_napari: tuple[str, ...] = ()
    is_folder: bool = False
    holds: Callable[[Path, Movie, Mapping | None], bool] | None = None
    recognizes: Callable[[Path], bool] = lambda path: False
    rank: int = 9


def axes_of(names: str, path: Path, shape: tuple[int, ...]) -> tuple[str | None, str]:
    """Return the letters of axes by what a file calls them, or None and the error message.

    `names` has one capital for each axis; letters other than T, Z, C, Y, X and S are unknown.
    """
    unknown = [name for name in names if name not in "TZCYXS"]
    if "T" not in names and len(unknown) == 1:
        return names.replace(unknown[0], "T"), ""
    if "T" in names and not unknown:
        return names, ""
    which = "which is time" if unknown else "none of which is time"
    return None, (
        f"the file calls its axes {names!r}, shape {shape}, {which}; pass axes, for example "
        f"{EXAMPLES}"
    )
