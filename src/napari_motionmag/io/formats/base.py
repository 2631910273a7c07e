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
    """What a file says of its movie."""

    data: Any  # array-like that reads the frames that are indexed
    axes: str | None = None  # letters in the order of `data`; None when the file does not say
    fps: float | None = None  # frames per second
    # distance between neighbors and its unit, by the letter of the axis
    steps: dict[str, tuple[float, str]] = field(default_factory=dict)
    hint: str = ""  # the error when the file names axes of which none can be time: no `axes` then


@dataclass(frozen=True)
class WriteOptions:
    """How a movie is to be written; each format uses what applies to it."""

    extension: str = ""  # of the output, in lower case (it is written under another name first)
    recipe: Mapping | None = None  # how the movie was made, of what JSON can hold
    playback_fps: float | None = None  # how fast a video is to be shown
    intensity_range: tuple[float, float] | None = None  # of a video, shown as black and white
    journal: Journal | None = None  # record of what is written, to go on from


def _no_check(movie: Movie | None, options: WriteOptions) -> None:
    """Accept any movie."""


@dataclass(frozen=True)
class Format:
    """A file format, declared as `FORMAT` in a module of this folder, and listed thereby."""

    name: str
    label: str  # in file dialogs
    extensions: tuple[str, ...]  # endings of the files that are read, in lower case
    # reads no pixels; whatever it raises becomes one line with the path
    read: Callable[[Path], FileMovie]
    writes: tuple[str, ...] = ()  # `extensions` that are written, too; the first is the usual one
    # raises ValueError or ImportError for what cannot be written; None: only the path is known
    check: Callable[[Movie | None, WriteOptions], None] = _no_check
    write: Callable[[Path, FrameStream, WriteOptions], None] | None = None
    in_napari: tuple[str, ...] = ()  # endings that the reader for napari takes
    is_folder: bool = False  # whether an output is a folder
    # where writing can be resumed: whether an output is the one that would be written
    holds: Callable[[Path, Movie, Mapping | None], bool] | None = None
    # whether a path without one of the extensions is of this format
    recognizes: Callable[[Path], bool] = lambda path: False
    rank: int = 9  # place in lists; the first comes first


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
