"""Layers of several methods side by side, drawn with the settings of a dock as these change."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Protocol
from weakref import WeakSet

from qtpy.QtCore import QTimer

from napari_motionmag.magnification.magnification import Magnification
from napari_motionmag.widgets.common.jobs import LatestOnly
from napari_motionmag.widgets.common.messages import EXPECTED, Messages
from napari_motionmag.widgets.common.viewer import make_current
from napari_motionmag.widgets.compare.choices import ORIGINAL, Choice, layer_name, summary
from napari_motionmag.widgets.compare.grid import GridLayout
from napari_motionmag.widgets.frames.async_slicing import SlowFrames
from napari_motionmag.widgets.frames.frame_cache import time_frame
from napari_motionmag.widgets.frames.magnified_layers import Result, Results

_COMPARING: WeakSet = WeakSet()  # one in each viewer


class Settings(Protocol):
    """What a comparison needs of the dock that it belongs to."""

    native: object  # its Qt widget
    slow_frames: SlowFrames

    def shown_movie(self) -> tuple:
        """Return the source layer, its movie and the frame that is shown."""

    def plan(self, movie, method: str, model: str) -> Magnification:
        """Plan a magnification with a method and a network."""

    def adding_layers(self) -> AbstractContextManager:
        """Return a context in which layers may be added and removed."""

    def comparison_changed(self) -> None:
        """A comparison began or ended."""


@dataclass(eq=False)
class _Pane:
    """A choice, and the layer that shows it, once there is one."""

    choice: Choice
    result: Result | None = None
    gone: bool = False  # the user has removed the layer


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
        self._results = Results(viewer, messages)
        self._latest = LatestOnly(self._drawn)
        self._grid = GridLayout(viewer)
        self._source = None
        self._panes: list[_Pane] = []
        self._kept: list[_Pane] = []  # of earlier comparisons
        self._queue: deque = deque()
        self._failures: list[tuple[Choice, str]] = []
        self._reported: list[str] = []
        self._seconds = 0.0
        viewer.layers.events.removing.connect(self._removing)
        viewer.layers.events.removed.connect(self._removed)

    @property
    def active(self) -> bool:
        """Whether methods are being compared."""
        return self._grid.active

    @property
    def drawing(self) -> bool:
        """Whether frames are being drawn."""
        return self._latest.busy or bool(self._queue)

    @property
    def source(self):
        """The layer whose motion is magnified, or None."""
        return self._source if self.active else None

    def layers(self) -> list:
        """Return the layers of the comparison, in the order of the choices."""
        return [pane.result.layer for pane in self._panes if pane.result and not pane.gone]

    def start(self, choices: Sequence[Choice]) -> None:
        """Compare these choices; layers of the comparison in progress are replaced."""
        self._reported = []
        self._messages.afresh()
        panes = [_Pane(choice) for choice in choices if choice.method]
        if not panes:
            self._messages.report(ValueError("Choose at least one method to compare"))
            return
        try:
            source, movie, place = self._settings.shown_movie()
        except EXPECTED as error:
            self._messages.report(error)
            return
        planned, failures = self._planned(panes, movie)
        if not planned:  # nothing is changed then
            self._tell(failures, len(panes))
            return
        for other in list(_COMPARING):
            if other is not self and other._viewer is self._viewer:
                other.end()
        _COMPARING.add(self)
        if self.active:
            self._grid.pause()
            with self._settings.adding_layers():
                self._remove_layers()
        self._source, self._panes = source, [pane for pane, _ in planned]
        original = ORIGINAL in choices
        self._grid.begin(len(planned) + original)
        if original:
            self._grid.add(source)
        self._settings.comparison_changed()
        self._draw(planned, failures, place)

    def refresh(self) -> None:
        """Draw the frame that is shown with the current settings, with every method."""
        if not self.active or self._source not in self._viewer.layers:
            return
        try:
            source, movie, place = self._settings.shown_movie()
        except EXPECTED as error:
            self._messages.report(error)
            return
        if source is not self._source:
            return
        panes = [pane for pane in self._panes if not pane.gone]
        planned, failures = self._planned(panes, movie)
        self._draw(planned, failures, place)

    def end(self, keep: bool = False) -> None:
        """Stop comparing: the viewer looks as it did before.

        Parameters
        ----------
        keep : bool
            Keep the layers, hidden. Those that the user renamed are kept in any case.
        """
        if not self.active:
            return
        self._queue.clear()
        _COMPARING.discard(self)
        with self._settings.adding_layers():
            self._grid.pause()
            self._remove_layers(keep)
            self._grid.end()
        self._source = None
        self._settings.comparison_changed()

    def close(self, viewer_closes: bool = False) -> None:
        """Release the viewer. The layers stay; unless it closes, it looks as before."""
        self._latest.stop()
        if viewer_closes:
            self._grid.forget()
        else:
            self.end(keep=True)
        _COMPARING.discard(self)
        self._viewer.layers.events.removing.disconnect(self._removing)
        self._viewer.layers.events.removed.disconnect(self._removed)
        self._results.close()

    # ---- frames, one method after another ----

    def _planned(self, panes: Sequence[_Pane], movie):
        """Return the panes with what draws them, and the failures of the others."""
        planned, failures = [], []
        for pane in panes:
            try:
                plan = self._settings.plan(movie, pane.choice.method, pane.choice.model)
                planned.append((pane, self._results.shown(plan)))
            except EXPECTED as error:
                failures.append((pane.choice, str(error)))
                self._hide(pane)
        return planned, failures

    def _draw(self, planned: list, failures: list, place) -> None:
        self._queue = deque(planned)
        self._failures, self._attempted = failures, len(planned) + len(failures)
        self._place, self._seconds = place, 0.0
        self._next()

    def _next(self) -> None:
        while self._queue:
            pane, shown = self._queue.popleft()
            if pane.gone:
                continue
            if self._unseen(pane):
                self._show(pane, shown)
                continue
            self._messages.say(f"Drawing frame {self._place[0]}: {pane.choice.label}…")
            self._latest.request(("show", pane, shown), partial(time_frame, shown, self._place))
            return
        self._finish()

    def _drawn(self, request, seconds, error) -> None:
        if not self.active:
            return
        task, pane, shown = request
        if task == "time":
            if error is None:
                self._settings.slow_frames.noticed(seconds)
            return
        if self._source not in self._viewer.layers:
            self._queue.clear()
            self._messages.say("The movie was closed; the layers stay")
            return
        if error is None:
            self._seconds += seconds
            self._show(pane, shown)
        else:
            kind = "" if isinstance(error, EXPECTED) else f"{type(error).__name__}: "
            self._failures.append((pane.choice, f"{kind}{error}"))
            self._hide(pane)
        self._next()

    def _show(self, pane: _Pane, shown) -> None:
        if pane.gone:
            return
        with self._settings.adding_layers():
            name = layer_name(self._source.name, pane.choice, shown.factor)
            pane.result = self._results.show(self._source, shown, key=pane, name=name)
            if pane.result.layer not in self._grid.layers:
                self._grid.add(pane.result.layer)

    def _finish(self) -> None:
        seen = [pane for pane in self._panes if pane.result and pane.result.layer.visible]
        self._grid.expect(len(self._grid.layers))
        if self._failures:
            self._tell(self._failures, self._attempted)
            return
        self._reported = []
        self._messages.all_well()
        count = len(seen)
        self._messages.say_drawn(
            f"Frame {self._place[0]} drawn with {count} methods in {self._seconds:.2g} s"
        )
        if self._settings.slow_frames.suspects(self._seconds):
            # networks are loaded by now: the next frame tells how fast scrubbing is
            t, other = self._place
            after = ((t + 1) % seen[0].result.shown.movie.n_frames, other) if seen else self._place
            all_shown = [pane.result.shown for pane in seen]
            self._latest.request(
                ("time", None, None),
                lambda: sum(time_frame(shown, after) for shown in all_shown),
            )

    def _tell(self, failures: list, attempted: int) -> None:
        """Report failures; those that were reported last time at the foot alone."""
        messages = summary(failures, attempted)
        news = [message for message in messages if message not in self._reported]
        if news:
            self._messages.report(ValueError("\n".join(news)))
        self._messages.say("\n".join(messages))
        self._reported = messages

    # ---- layers ----

    def _unseen(self, pane: _Pane) -> bool:
        """Whether the user has hidden the layer, so that nothing need be drawn now."""
        result = pane.result
        return result is not None and not result.layer.visible and not result.hidden

    def _hide(self, pane: _Pane) -> None:
        """Hide a layer that does not fit the current settings."""
        result = pane.result
        if result is not None and not pane.gone and result.layer.visible:
            result.layer.visible = False
            result.hidden = "failed"

    def _remove_layers(self, keep: bool = False) -> None:
        """Remove the layers, except those that the user renamed."""
        self._queue.clear()
        panes, self._panes = self._panes, []
        self._grid.drop([pane.result.layer for pane in panes if pane.result])
        for pane in panes:
            if pane.result is None or pane.gone:
                continue
            layer = pane.result.layer
            if keep or layer.name != pane.result.name:
                layer.visible = False
                self._kept.append(pane)
            elif layer in self._viewer.layers:
                self._viewer.layers.remove(layer)

    def _removing(self, event) -> None:
        make_current(self._settings.native)

    def _removed(self, event) -> None:
        """A layer was taken from the viewer."""
        self._grid.drop([event.value])
        for pane in self._panes:
            if pane.result is not None and pane.result.layer is event.value:
                pane.gone = True
        if self.active:  # once everybody knows that the layer is gone
            QTimer.singleShot(0, self._end_without_layers)

    def _end_without_layers(self) -> None:
        if self.active and self._panes and all(pane.gone for pane in self._panes):
            self.end()
