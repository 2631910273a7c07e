"""How far parts of a movie drift beside the motion that a temporal operator selects."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.ndimage import maximum_filter1d, minimum_filter1d, uniform_filter1d

from napari_motionmag.compute.validate import whole_number
from napari_motionmag.temporal import TemporalOperator
from napari_motionmag.views.estimators.local_motion import LocalMotion, local_motion
from napari_motionmag.views.estimators.selected_noise import operator_noise, sigmas
from napari_motionmag.views.estimators.series import as_movie, operator_for

MUCH = 1.0  # px within the filter's window, from which thin structures gain too little
_CLEARLY = 4.0  # times the noise that motion in the band must be


def slow_drift(
    movie,
    band,
    *,
    fps: float | None = None,
    filter: str = "fir",
    axes: str | None = None,
    at=None,
    most_frames: int = 1000,
    progress: Callable[[int, int], object] | None = None,
) -> float:
    """Measure how far what moves in a band drifts while the filter sees it.

    Filters act on pixels, which are linear in a displacement only while all motion is small
    against the structure: over a drift of 2 px a line of 1 px gains half of what is asked for.
    From about 1 px on, ``magnify(..., stabilise="dense")`` is worth its time: it follows what is
    slower than the band.

    Parameters
    ----------
    movie : array, napari Image layer or Movie
    band : (float, float)
        Frequencies that are magnified, Hz.
    fps : float, optional
        Frames per second, where the movie does not say.
    filter : str
        As for :func:`napari_motionmag.magnify`.
    axes : str, optional
    at : mapping or sequence of int, optional
        Index along axes such as Z and C.
    most_frames : int
        Frames to look at, at most, from the first on.
    progress : callable, optional
        Called as ``progress(done, total)`` after each frame.

    Returns
    -------
    float
        px; nine of ten of the windows of 32 px in which something moves in the band, more than
        noise explains, drift less. 0 where nothing does.

    Raises
    ------
    ValueError
        If an argument is invalid.

    Examples
    --------
    >>> from napari_motionmag import samples, views
    >>> movie, info = samples.load("drifting_membrane")
    >>> round(views.slow_drift(movie, (2.4, 3.6), fps=info["fps"]), 1)
    1.9
    """
    movie = as_movie(movie, axes, fps)
    most_frames = whole_number("most_frames", most_frames, 2)
    n = min(movie.n_frames, most_frames)
    operator = operator_for(movie, "temporal", n, band=band, filter=filter)
    if operator.band is None:
        raise ValueError(f"filter must select a band of frequencies; {filter!r} is tuned to one")
    return drift_beside(local_motion(movie, at, most_frames, progress), operator)


def drift_beside(motion: LocalMotion, operator: TemporalOperator) -> float:
    """Return the drift of the windows that move as the operator selects, px; see `slow_drift`."""
    n = len(motion.course)
    noise = sigmas(motion.covariance, motion.directions)[0] * operator_noise(operator, n)[0] ** 0.5
    selected = operator.apply(motion.course.astype(np.float64), axis=0)
    moving = np.sqrt(np.square(selected).sum(axis=-1).mean(axis=0)) > _CLEARLY * noise
    return span_of(motion.course[:, moving], operator, operator.fps / operator.band[0])


def span_of(course: np.ndarray, operator: TemporalOperator, period: float) -> float:
    """Return how far windows move within the operator's reach, px, in means over a period.

    `course`: displacements, (T, windows, 2); `period` in frames. Of nine of ten windows.
    """
    n = len(course)
    if course.size == 0:
        return 0.0
    slow = uniform_filter1d(course, max(round(period), 1), axis=0, mode="nearest")
    seen = len(operator.row(n // 2, n)[0])
    span = maximum_filter1d(slow, seen, axis=0) - minimum_filter1d(slow, seen, axis=0)
    return float(np.quantile(np.hypot(*np.moveaxis(span, -1, 0)).max(axis=0), 0.9))
