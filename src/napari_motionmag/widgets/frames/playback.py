"""Play a magnified movie from frames that are drawn ahead, and show which ones are ready."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass

from qtpy.QtCore import QObject, QTimer, Signal

from napari_motionmag.widgets.common.viewer import time_sliders
from napari_motionmag.widgets.frames.frame_buffer import FrameBuffer, most_frames, ready, upcoming
from napari_motionmag.widgets.frames.frame_cache import CachedMagnification

STOPPED, WAITING, PLAYING = "stopped", "waiting", "playing"
TICK_MS = 60
SLOWEST = 2.0  # frames per second: rather wait than play slower
AHEAD = 4  # frames that must be ready to go on: napari drops some when it is busy
RESUME = 8  # frames that must be ready to begin, at least


@dataclass(frozen=True)
class Played:
    """What is played: the time axis of a viewer, and the magnifications whose frames it shows.

    ``changing`` says that settings are being changed, so that nothing is drawn ahead.
    """

    axis: int
    n_frames: int
    magnifications: tuple[CachedMagnification, ...] = ()  # none of them: all frames are there
    other: tuple[int, ...] = ()
    changing: bool = False


class Playback(QObject):
    """Lets napari play, waits where frames are not ready, and has them drawn ahead.

    Parameters
    ----------
    viewer : napari.Viewer
        Its own button starts and stops, too.
    played : callable
        Returns `Played`, or None when there is nothing to play.
    """

    changed = Signal()  # the state or the frames that are ready
    failed = Signal(object)  # the error of a frame that was drawn ahead

    def __init__(self, viewer, played: Callable[[], Played | None], parent: QObject):
        super().__init__(parent)
        self._viewer, self._played = viewer, played
        self.state = STOPPED
        self.fps, self.mode = 10.0, "loop"
        self.always = False  # draw ahead also while nothing is played
        self.frames: set[int] = set()  # that are ready
        self.n_frames = 0
        self._step = 1  # or -1: the direction of play
        self._filled: tuple = ()  # what was requested of the buffer
        self._buffer = FrameBuffer(self.failed.emit)
        self._pace = 0.0  # at which it plays now
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self._tick)
        viewer.dims.events.current_step.connect(self._on_step)

    @property
    def frame(self) -> int:
        """The frame at which the viewer is."""
        played = self._played()
        return 0 if played is None else self._frame_of(played)

    def toggle(self) -> None:
        """Play, or stop."""
        if self.state == STOPPED:
            self.play()
        else:
            self.stop()

    def play(self) -> None:
        """Play as soon as enough frames are ready."""
        played = self._played()
        if played is not None and self._sliders() is not None:
            self._step = 1
            self._set(WAITING)
            if self.mode == "once" and self._frame_of(played) == played.n_frames - 1:
                self._viewer.dims.set_current_step(played.axis, 0)
            self._timer.start()
            self._tick()

    def stop(self) -> None:
        """Stop; frames go on being drawn ahead."""
        self._hold()
        played = self._played()
        if played is not None and self._pace < self.fps and self._sliders() is not None:
            self._sliders().slider_widgets[played.axis].fps = self.fps * self._step
        self._set(STOPPED)

    def restart(self) -> None:
        """Play with another rate or mode, if it plays."""
        if self.state == PLAYING:
            self._hold()
            self._set(WAITING)
        self._filled = ()
        self._tick()

    def look(self) -> None:
        """Show which frames are ready; draw ahead if it is always done."""
        self._note_ready(self._played())
        if self.always:
            self._timer.start()

    def close(self) -> None:
        """Stop, and release the viewer."""
        self._viewer.dims.events.current_step.disconnect(self._on_step)
        with suppress(RuntimeError):  # Qt may have deleted it already
            self._timer.stop()
            if self.state != STOPPED:
                self._hold()
        self._buffer.stop()  # the window need not wait for a frame in progress
        self._played = lambda: None

    # ---- what napari plays ----

    def _sliders(self):
        return time_sliders(self._viewer)

    def _is_playing(self, played: Played) -> bool:
        sliders = self._sliders()
        thread = getattr(sliders, "_animation_thread", None)
        return thread is not None and thread.isRunning() and thread.axis == played.axis

    def _hold(self) -> None:
        sliders = self._sliders()
        # napari's own stop() asks once and waits: a thread that only begins forgets it was asked
        while sliders is not None and sliders._animation_thread.isRunning():
            sliders._animation_thread._stop()
            sliders._animation_thread.wait(10)

    def _frame_of(self, played: Played) -> int:
        steps = self._viewer.dims.current_step
        return min(int(steps[played.axis]), played.n_frames - 1) if len(steps) > played.axis else 0

    def _on_step(self, event=None) -> None:
        """Follow the direction of play, and join in when napari's own button was pressed."""
        played = self._played()
        if played is None:
            return
        playing = self._is_playing(played)
        if playing:
            self._step = self._sliders()._animation_thread.step
        if self.state == STOPPED and playing:
            slider = self._sliders().slider_widgets[played.axis]
            self.fps, self.mode = abs(slider.fps), str(slider.loop_mode)
            self._pace = self.fps
            self._set(PLAYING)
            self._timer.start()
        self.changed.emit()

    # ---- at each tick ----

    def _tick(self) -> None:
        played = self._played()
        if played is None:
            self._buffer.stop()
            self._filled = ()
            if self.state != STOPPED:
                self.stop()
        elif self.always or self.state != STOPPED:
            self._fill(played)
        self._note_ready(played)
        if played is not None:
            pace = self._pace_now(played)
            if self.state == WAITING and pace:
                self._start(played, pace)
                self._set(PLAYING)
            elif self.state == PLAYING and not self._is_playing(played):
                self._set(STOPPED)  # by napari's own button, or at the end
            elif self.state == PLAYING and not self._can_go_on(played):
                self._hold()
                self._set(WAITING)
            elif self.state == PLAYING and self._pace < pace == self.fps:
                self._start(played, pace)
        if self.state == STOPPED and not (self._buffer.working or self._waits(played)):
            self._timer.stop()

    def _waits(self, played: Played | None) -> bool:
        """Whether frames will be drawn ahead once the settings rest."""
        return self.always and played is not None and played.changing

    def _fill(self, played: Played) -> None:
        if played.changing or not played.magnifications:
            self._buffer.stop()
            self._filled = ()
            return
        t = self._frame_of(played)
        fits = most_frames(played.magnifications) >= played.n_frames
        tokens = tuple(x.token for x in played.magnifications)
        # from the frame that is shown on, each time, where only a part of them fits
        wanted = tokens, played.other, self._step, self.mode, None if fits else t
        if wanted != self._filled:
            self._filled = wanted
            order = upcoming(t, played.n_frames, self._step, self.mode)
            self._buffer.fill(played.magnifications, played.other, order)

    def _note_ready(self, played: Played | None) -> None:
        n_frames = 0 if played is None else played.n_frames
        frames = set() if played is None else self._ready(played)
        if (frames, n_frames) != (self.frames, self.n_frames):
            self.frames, self.n_frames = frames, n_frames
            self.changed.emit()

    def _ready(self, played: Played) -> set[int]:
        if not played.magnifications:
            return set(range(played.n_frames))
        return ready(played.magnifications, played.other)

    def _ahead(self, played: Played) -> tuple[int, int]:
        """Return how many frames are ready from the next one on, and how many are not."""
        order = upcoming(self._frame_of(played), played.n_frames, self._step, self.mode)[1:]
        missing = [k for k, t in enumerate(order) if t not in self.frames]
        return (missing[0] if missing else len(order)), len(missing)

    def _start(self, played: Played, pace: float) -> None:
        """Let napari play, or play at another pace."""
        self._pace = pace
        self._sliders().play(played.axis, pace * self._step, self.mode)

    def _pace_now(self, played: Played) -> float:
        """Return the frames per second that can be played without having to wait soon, or 0.

        Slower than wanted while the first frames are drawn.
        """
        if played.changing:
            return 0.0
        ahead, missing = self._ahead(played)
        room = _room(played)
        if not missing or room <= AHEAD:  # frames too large to be kept are drawn as they come
            return self.fps
        if ahead < min(RESUME, room - 1, played.n_frames - 1):
            return 0.0
        rate = self._buffer.rate
        if ahead >= 0.8 * room or (rate > 0 and ahead / self.fps >= missing / rate):
            return self.fps
        slow = 0.8 * rate
        return min(slow, self.fps) if slow >= SLOWEST else 0.0

    def _can_go_on(self, played: Played) -> bool:
        if played.changing:
            return False
        ahead, missing = self._ahead(played)
        room = _room(played)
        return not missing or ahead >= AHEAD or room <= AHEAD

    def _set(self, state: str) -> None:
        if state != self.state:
            self.state = state
            self.changed.emit()


def _room(played: Played) -> int:
    """Return how many frames can be kept."""
    several = played.magnifications
    return most_frames(several) if several else played.n_frames


def spans(frames: Iterable[int]) -> list[tuple[int, int]]:
    """Return runs of frames as (first, last + 1) pairs."""
    runs: list[tuple[int, int]] = []
    for t in sorted(frames):
        if runs and runs[-1][1] == t:
            runs[-1] = runs[-1][0], t + 1
        else:
            runs.append((t, t + 1))
    return runs
