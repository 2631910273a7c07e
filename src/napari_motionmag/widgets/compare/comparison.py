"""Layers of several methods side by side, drawn with the settings of a widget as these change."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from weakref import WeakSet

from qtpy.QtCore import QTimer

from napari_motionmag.widgets.common.jobs import LatestOnly
from napari_motionmag.widgets.common.messages import EXPECTED, Messages
from napari_motionmag.widgets.compare.choices import ORIGINAL, Pane, pane_name, summary
from napari_motionmag.widgets.compare.grid import Arrangement
from napari_motionmag.widgets.frames.async_slicing import SlowFrames
from napari_motionmag.widgets.frames.frame_cache import time_frame
from napari_motionmag.widgets.frames.magnified_layers import Result, Results

_COMPARING: WeakSet = WeakSet()  # one in each viewer


@dataclass(eq=False)
class _Shot:
    """A pane, and the layer that shows it, once there is one."""

    pane: Pane
    result: Result | None = None
    gone: bool = False  # the user has removed the layer


@dataclass(frozen=True)
class Settings:
    """What a comparison asks of the widget it belongs to.

    Attributes
    ----------
    movie : callable
        ``movie()`` returns the source layer, its movie and the frame that is shown, or raises
        what is to be told.
    plan : callable
        ``plan(movie, method, model)`` returns a `Magnification`, or raises what is to be told.
    slow : SlowFrames
        Is told how long a frame of all methods takes.
    adding : callable
        ``adding()`` returns a context in which layers may be added and removed.
    removing : callable
        Called before a layer is removed, by whomever.
    changed : callable
        Called when a comparison begins and when it ends.
    """

    movie: Callable
    plan: Callable
    slow: SlowFrames
    adding: Callable
    removing: Callable
    changed: Callable


class Comparison:
    """Compares methods on a movie.

    Parameters
    ----------
    viewer : napari.Viewer
    settings : Settings
    messages : Messages
    """

    def __init__(self, viewer, settings: Settings, messages: Messages):
        self._viewer = viewer
        self._settings = settings
        self._messages = messages
        self._results = Results(viewer, self._frame_failed, messages.warn)
        self._latest = LatestOnly(self._drawn)
        self._arrangement = Arrangement(viewer)
        self._source = None
        self._shots: list[_Shot] = []
        self._kept: list[_Shot] = []  # of earlier comparisons
        self._queue: deque = deque()
        self._failures: list[tuple[Pane, str]] = []
        self._told: list[str] = []
        self._seconds = 0.0
        viewer.layers.events.removing.connect(self._removing)
        viewer.layers.events.removed.connect(self._removed)

    @property
    def active(self) -> bool:
        """Whether methods are being compared."""
        return self._arrangement.active

    @property
    def drawing(self) -> bool:
        """Whether frames are being drawn."""
        return self._latest.busy or bool(self._queue)

    @property
    def source(self):
        """The layer whose motion is magnified, or None."""
        return self._source if self.active else None

    def layers(self) -> list:
        """Return the layers that were made, in the order of the panes."""
        return [shot.result.layer for shot in self._shots if shot.result and not shot.gone]

    def start(self, panes: Sequence[Pane]) -> None:
        """Compare these panes; layers of a comparison that is under way are replaced."""
        self._told = []
        self._messages.afresh()
        wanted = [pane for pane in panes if pane.method]
        if not wanted:
            self._messages.report(ValueError("Choose at least one method to compare"))
            return
        try:
            source, movie, place = self._settings.movie()
        except EXPECTED as error:
            self._messages.report(error)
            return
        shots = [_Shot(pane) for pane in wanted]
        planned, failures = self._planned(shots, movie)
        if not planned:  # nothing is changed then
            self._tell(failures, len(shots))
            return
        for other in list(_COMPARING):
            if other is not self and other._viewer is self._viewer:
                other.end()
        _COMPARING.add(self)
        if self.active:
            self._arrangement.pause()
            with self._settings.adding():
                self._remove_layers()
        self._source, self._shots = source, [shot for shot, _ in planned]
        original = ORIGINAL in panes
        self._arrangement.begin(len(planned) + original)
        if original:
            self._arrangement.add(source)
        self._settings.changed()
        self._draw(planned, failures, place)

    def refresh(self) -> None:
        """Draw the frame that is shown by the settings of now, with every method."""
        if not self.active or self._source not in self._viewer.layers:
            return
        try:
            source, movie, place = self._settings.movie()
        except EXPECTED as error:
            self._messages.report(error)
            return
        if source is not self._source:
            return
        shots = [shot for shot in self._shots if not shot.gone]
        planned, failures = self._planned(shots, movie)
        self._draw(planned, failures, place)

    def end(self, keep: bool = False) -> None:
        """Stop comparing: the viewer looks as it did before.

        Parameters
        ----------
        keep : bool
            Keep the layers, hidden. Those that the user has named are kept in any case.
        """
        if not self.active:
            return
        self._queue.clear()
        _COMPARING.discard(self)
        with self._settings.adding():
            self._arrangement.pause()
            self._remove_layers(keep)
            self._arrangement.end()
        self._source = None
        self._settings.changed()

    def close(self, viewer_closes: bool = False) -> None:
        """Let go of the viewer. The layers stay; unless it closes, it looks as before."""
        self._latest.stop()
        if viewer_closes:
            self._arrangement.forget()
        else:
            self.end(keep=True)
        _COMPARING.discard(self)
        self._viewer.layers.events.removing.disconnect(self._removing)
        self._viewer.layers.events.removed.disconnect(self._removed)
        self._results.close()

    # ---- frames, one method after another ----

    def _planned(self, shots: Sequence[_Shot], movie):
        """Return the shots with what draws them, and those of which the settings do not do."""
        planned, failures = [], []
        for shot in shots:
            try:
                made = self._settings.plan(movie, shot.pane.method, shot.pane.model)
                planned.append((shot, self._results.shown(made)))
            except EXPECTED as error:
                failures.append((shot.pane, str(error)))
                self._hide(shot)
        return planned, failures

    def _draw(self, planned: list, failures: list, place) -> None:
        self._queue = deque(planned)
        self._failures, self._attempted = failures, len(planned) + len(failures)
        self._place, self._seconds = place, 0.0
        self._next()

    def _next(self) -> None:
        while self._queue:
            shot, shown = self._queue.popleft()
            if shot.gone:
                continue
            if self._unseen(shot):
                self._show(shot, shown)
                continue
            self._messages.say(f"Drawing frame {self._place[0]}: {shot.pane.label}…")
            self._latest.request(("show", shot, shown), partial(time_frame, shown, self._place))
            return
        self._finish()

    def _drawn(self, request, seconds, error) -> None:
        if not self.active:
            return
        task, shot, shown = request
        if task == "time":
            if error is None:
                self._settings.slow.noticed(seconds)
            return
        if self._source not in self._viewer.layers:
            self._queue.clear()
            self._messages.say("The movie was closed; the layers stay")
            return
        if error is None:
            self._seconds += seconds
            self._show(shot, shown)
        elif isinstance(error, EXPECTED):
            self._failures.append((shot.pane, str(error)))
            self._hide(shot)
        else:
            self._failures.append((shot.pane, f"{type(error).__name__}: {error}"))
            self._hide(shot)
        self._next()

    def _show(self, shot: _Shot, shown) -> None:
        if shot.gone:
            return
        with self._settings.adding():
            name = pane_name(self._source.name, shot.pane, shown.factor)
            shot.result = self._results.show(self._source, shown, key=shot, name=name)
            if shot.result.layer not in self._arrangement.layers:
                self._arrangement.add(shot.result.layer)

    def _finish(self) -> None:
        seen = [shot for shot in self._shots if shot.result and shot.result.layer.visible]
        self._arrangement.expect(len(self._arrangement.layers))
        if self._failures:
            self._tell(self._failures, self._attempted)
            return
        self._told = []
        self._messages.all_well()
        count = len(seen)
        self._messages.say_drawn(
            f"Frame {self._place[0]} drawn with {count} methods in {self._seconds:.2g} s"
        )
        if self._settings.slow.suspects(self._seconds):
            # networks are loaded by now: the next frame tells how fast scrubbing is
            t, other = self._place
            after = ((t + 1) % seen[0].result.shown.movie.n_frames, other) if seen else self._place
            all_shown = [shot.result.shown for shot in seen]
            self._latest.request(
                ("time", None, None),
                lambda: sum(time_frame(shown, after) for shown in all_shown),
            )

    def _tell(self, failures: list, attempted: int) -> None:
        """Report failures; those that were told last time are only said at the foot."""
        messages = summary(failures, attempted)
        news = [message for message in messages if message not in self._told]
        if news:
            self._messages.report(ValueError("\n".join(news)))
        self._messages.say("\n".join(messages))
        self._told = messages

    # ---- layers ----

    def _unseen(self, shot: _Shot) -> bool:
        """Whether the user has hidden the layer: then there is nothing to be drawn now."""
        result = shot.result
        return result is not None and not result.layer.visible and not result.hidden

    def _hide(self, shot: _Shot) -> None:
        """Hide a layer that the settings of now do not fit."""
        result = shot.result
        if result is not None and not shot.gone and result.layer.visible:
            result.layer.visible = False
            result.hidden = "failed"

    def _frame_failed(self, result: Result, error: Exception) -> None:
        """A frame could not be drawn later on; napari has reported it."""
        name = result.layer.name
        self._messages.say(f"{error}. Layer {name!r} is hidden; show it again to retry")

    def _remove_layers(self, keep: bool = False) -> None:
        """Take the layers away, but for those that the user has named."""
        self._queue.clear()
        shots, self._shots = self._shots, []
        self._arrangement.drop([shot.result.layer for shot in shots if shot.result])
        for shot in shots:
            if shot.result is None or shot.gone:
                continue
            layer = shot.result.layer
            if keep or layer.name != shot.result.name:
                layer.visible = False
                self._kept.append(shot)
            elif layer in self._viewer.layers:
                self._viewer.layers.remove(layer)

    def _removing(self, event) -> None:
        self._settings.removing()

    def _removed(self, event) -> None:
        """A layer was taken from the viewer."""
        self._arrangement.drop([event.value])
        for shot in self._shots:
            if shot.result is not None and shot.result.layer is event.value:
                shot.gone = True
        if self.active:  # others have yet to be told that the layer is gone
            QTimer.singleShot(0, self._end_without_layers)

    def _end_without_layers(self) -> None:
        if self.active and self._shots and all(shot.gone for shot in self._shots):
            self.end()
