"""Suggestions: what moves in a movie, and magnifications that show it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from napari_motionmag.compute.validate import whole_number
from napari_motionmag.views.estimators.local_motion import local_motion
from napari_motionmag.views.estimators.rhythms import find_rhythms
from napari_motionmag.views.estimators.series import as_movie, warn_if_uneven
from napari_motionmag.views.suggestions.adviser import Adviser
from napari_motionmag.views.suggestions.result import FoundMotion, Suggestion, Suggestions

__all__ = ["FoundMotion", "Suggestion", "Suggestions", "suggest"]

_FEWEST_FRAMES = 16
_MOST_FRAMES = 1000


def suggest(
    movie,
    *,
    fps: float | None = None,
    axes: str | None = None,
    at=None,
    most: int = 4,
    most_frames: int = _MOST_FRAMES,
    progress: Callable[[int, int], object] | None = None,
) -> Suggestions:
    """Look at a movie and suggest magnifications of what moves in it.

    Parameters
    ----------
    movie : array, napari Image layer or Movie
    fps : float, optional
        Frames per second; without, bands are not suggested.
    axes : str, optional
    at : mapping or sequence of int, optional
        Index along axes such as Z and C.
    most : int
        Suggestions at most.
    most_frames : int
        Frames to look at, at most, from the first on.
    progress : callable, optional
        Called as ``progress(done, total)`` after each frame, and now and then when all are read;
        an exception from it ends the search.

    Returns
    -------
    Suggestions
        A sequence of :class:`Suggestion`, empty where nothing is to be magnified; its ``notes``
        say why.

    Raises
    ------
    ValueError
        If an argument is invalid, or there are fewer than 16 frames.

    Notes
    -----
    Each frame is read once. The displacement of windows of 32 px (large frames are reduced first)
    is measured by least squares; a gain and an offset of each window are left free in every frame,
    so that a lamp that flickers is no motion. Oscillations must stand out from the noise of the
    pixels with a false alarm of 1 % for the whole movie, and are fitted with their harmonics to all
    windows together. The factor makes the motion a few pixels large, at most such that noise alone
    moves by 1 px in a tenth of what moves.

    Examples
    --------
    >>> from napari_motionmag import magnify, samples, views
    >>> movie, info = samples.load("vesicles", n_frames=40, size=64)
    >>> found = views.suggest(movie, fps=info["fps"])
    >>> round(found.motions[0].frequency, 1)
    2.0
    >>> result = magnify(movie, **found[0].settings)
    """
    movie = as_movie(movie, axes, fps)
    most = whole_number("most", most, 1)
    most_frames = whole_number("most_frames", most_frames, 1)
    n = min(movie.n_frames, most_frames)
    if n < _FEWEST_FRAMES:
        raise ValueError(f"suggestions need at least {_FEWEST_FRAMES} frames; there are {n}")
    warn_if_uneven(movie.times, movie.fps, "frequencies are those of even frames")
    motion = local_motion(movie, at, most_frames, progress)
    found = find_rhythms(motion, progress and partial(progress, n, n))
    return Adviser(movie, motion, found).advise(most)
