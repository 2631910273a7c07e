"""Export movies: draw a composition into a file that appears when it is whole."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from napari_motionmag.compute.atomic import check_target, written_whole
from napari_motionmag.compute.validate import whole_number
from napari_motionmag.compute.versions import PACKAGE, version_of
from napari_motionmag.export.composition import Composition, compose
from napari_motionmag.export.encoders import encoder_of, is_frames_folder
from napari_motionmag.export.film import Film
from napari_motionmag.io.video_index import import_av
from napari_motionmag.io.writer import check_sources, naming_output
from napari_motionmag.magnification.magnification import magnification_behind

MOST_LOOPS = 65535  # GIF and WebP count up to it


def export_movie(
    path: str | os.PathLike,
    movies,
    *,
    loops: int | None = None,
    overwrite: bool = False,
    progress: Callable[[int, int], object] | None = None,
    **options,
) -> Path:
    """Export movies side by side to a video, an animated picture or a folder of frames.

    Parameters
    ----------
    path : path
        ``.mp4`` or ``.mov`` (H.264, plays in browsers and PowerPoint), ``.gif``, ``.webp``, or a
        name without an extension: a folder of PNG frames. It appears when it is whole.
    movies : Composition, movie, sequence of movies, or mapping of label to movie
        As for `compose`.
    loops : int, optional
        How often it is shown, up to 65,535 times: a video holds its frames that many times,
        animated pictures repeat so often, 0 is forever. By default videos are shown once and
        animated pictures forever.
    overwrite : bool
        Whether to replace an output that is there.
    progress : callable, optional
        Called as ``progress(done, total)`` after each step. An exception from it ends the export,
        and nothing is left of the file.
    **options
        As for `compose`.

    Returns
    -------
    Path
        Where the movie is.

    Raises
    ------
    OSError
        If the file cannot be written, or exists and `overwrite` is False.
    ValueError, TypeError
        As `compose` does, or if the extension is unknown, or the file is one that is shown.
    ImportError
        If a package that writes the file is not installed.

    Examples
    --------
    >>> from napari_motionmag import export, magnify, samples
    >>> movie, about = samples.load("strings")
    >>> magnified = magnify(movie, 25, mode="temporal", band=(72, 92), fps=600)
    >>> export.export_movie(
    ...     "strings.mp4", [movie, magnified], fps=600, pixel_size=0.5, speed=1 / 20
    ... )  # doctest: +SKIP
    """
    path = Path(path)
    encoder = check_export(path, overwrite=overwrite)
    if loops is not None and encoder.is_folder:
        raise ValueError(
            "loops, how often it is shown, is for videos and animated pictures; got it for the "
            f"folder of frames {path.name}"
        )
    loops = encoder.loops if loops is None else whole_number("loops", loops, 0, MOST_LOOPS)
    if loops == 0 and encoder.loops == 1:
        raise ValueError(f"loops=0, forever, is for .gif and .webp; {path.name} needs 1 or more")
    if not isinstance(movies, Composition):
        movies = compose(movies, **options)
    elif options:
        raise TypeError(f"a Composition has its options already; got {sorted(options)}")
    for shown in movies.panels:
        check_sources(path, shown.movie)
    film = Film(movies, encoder.fastest)
    replaceable = is_frames_folder if encoder.is_folder else None
    with written_whole(path, overwrite, replaceable) as partial, naming_output(path, False):
        encoder.write(partial, film, film.frames(progress), loops, _comment(movies))
    return path


def check_export(path: str | os.PathLike, *, overwrite: bool = False):
    """Check whether a movie can be exported to a path, before anything is computed.

    Returns what writes it; raises as `export_movie` does.
    """
    path = Path(path)
    encoder = encoder_of(path)
    if not encoder.is_folder:
        import_av()
    check_target(path, overwrite, is_frames_folder if encoder.is_folder else None)
    return encoder


def _comment(composition: Composition) -> str:
    """Return what the video says of how it was made."""
    recipes = [magnification_behind(panel.movie.data) for panel in composition.panels]
    about = {
        "program": f"{PACKAGE} {version_of()}",
        "labels": [panel.label for panel in composition.panels],
        "fps": composition.fps,
        "recipes": [None if made is None else made.recipe for made in recipes],
    }
    return f"exported movie {json.dumps(about, default=str)}"
