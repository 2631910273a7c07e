"""The part of the dock "Magnify motion" that plays what it shows."""

from __future__ import annotations

from napari_motionmag.widgets.common.shown_frame import frame_shown, time_is_drawn
from napari_motionmag.widgets.frames.playback import Playback, Played

USUAL_FPS, MOST_FPS = 10.0, 30.0  # frames per second to play


class Playing:
    """Plays the result of a `MagnifyWidget`, or the methods that it compares."""

    def __init__(self, dock):
        self._dock = dock
        self.playback = Playback(dock._viewer, self._played, dock.native)
        self.playback.failed.connect(dock._messages.report)
        dock._fields.playback_row.connect(self.playback, dock._viewer, self._go_to_frame)

    def show(self) -> None:
        """Show what can be played of the movie that is chosen."""
        dock, played = self._dock, self._played()
        dock._fields.playback_row.visible = played is not None
        dock._fields.next_steps.visible = dock._results.latest(dock.layer.value) is not None
        self.playback.look()

    def apply(self, preferences) -> None:
        """Play as preferred."""
        self.playback.always = preferences.fill_ahead
        self.playback.mode = preferences.mode
        self.set_rate()

    def set_rate(self) -> None:
        """Play as preferred, else at the rate of the movie as far as it can be followed."""
        preferred, fps = self._dock._preferences.fps, self._dock.fps.value
        self.playback.fps = preferred or min(fps or USUAL_FPS, MOST_FPS)
        self.playback.restart()
        self.playback.changed.emit()

    def _played(self) -> Played | None:
        """Return what is played now: the magnified movie, or the methods that are compared."""
        dock = self._dock
        source = dock.layer.value
        results = dock._comparison.results() if dock._is_comparing() else []
        results = results or [x for x in [dock._results.latest(source)] if x is not None]
        results = [result for result in results if result.layer.visible]
        if dock._closed or not results:
            return None
        layer, movie = results[0].layer, results[0].shown.movie
        if time_is_drawn(dock._viewer, layer, movie.axes):
            return None
        changing = dock._drawing.live.working or any(x.coarse is not None for x in results)
        return Played(
            dock._viewer.dims.ndim - layer.ndim + movie.axes.index("T"),
            movie.n_frames,
            tuple(result.shown for result in results if not result.whole),
            frame_shown(dock._viewer, layer, movie.axes)[1],
            changing or dock._frame_runner.working or dock.working,
        )

    def _go_to_frame(self, t: int) -> None:
        played = self._played()
        if played is not None:
            self._dock._viewer.dims.set_current_step(played.axis, t)
