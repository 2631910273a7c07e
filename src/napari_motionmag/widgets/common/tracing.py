"""Measuring displacement in the background, with progress, and warnings in the widget."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from napari_motionmag.movie.movie import Movie
from napari_motionmag.widgets.common.jobs import steps_of
from napari_motionmag.widgets.common.messages import Messages
from napari_motionmag.widgets.common.runner import Runner
from napari_motionmag.widgets.common.warned import warnings_to

PASSES = 3  # of a measurement over the frames, as a rule


def traced(
    runner: Runner,
    messages: Messages,
    work: Callable,
    done: Callable,
    movies: Sequence[Movie],
    title: str,
) -> None:
    """Run ``work(progress)``; then ``done(error, cancelled)`` on the main thread.

    Parameters
    ----------
    runner : Runner
    messages : Messages
        Told how far it is, and what was warned of.
    work : callable
        Calls ``progress(done, total)`` for each frame and pass.
    movies : sequence of Movie
        For the length of the progress bar.
    title : str
    """
    warned: list[tuple] = []
    total = PASSES * sum(movie.n_frames for movie in movies)

    def function(progress):
        with warnings_to(lambda message, *place: warned.append((place, str(message)))):
            work(progress)

    def finished(error, cancelled):
        for place, text in warned:
            messages.warn(tuple(place), text)
        done(error, cancelled)

    def stepped(step):
        messages.say(f"{title}: {min(99, 100 * step // total)} %")

    messages.say(f"{title}…")
    runner.request(
        lambda cancelled: steps_of(function, cancelled),
        finished,
        stepped,
        total=total,
        title=title,
    )
