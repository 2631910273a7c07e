"""Layers of several methods side by side, drawn with the settings of a dock as these change."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakSet

from qtpy.QtCore import QTimer

from napari_motionmag.compute.validate import rounded
from napari_motionmag.widgets.common.jobs import Replacing
from napari_motionmag.widgets.common.messages import EXPECTED, Messages
from napari_motionmag.widgets.common.viewer import make_current
from napari_motionmag.widgets.compare.choices import ORIGINAL, Choice, summary
from napari_motionmag.widgets.compare.grid import GridLayout
from napari_motionmag.widgets.frames.magnified_layers import Result, Results

if TYPE_CHECKING:
    from napari_motionmag.widgets.magnify.frame_drawing import FrameDrawing

_ACTIVE: WeakSet = WeakSet()  # comparisons, one in each viewer


@dataclass(eq=False)
class _Pane:
    """A choice, and the layer that shows it, once there is one."""

    choice: Choice
    result: Result | None = None
    gone: bool = False  # the user has removed the layer


class Comparison:
    """Compares methods on the movie of a `MagnifyWidget`, which plans how it is magnified.

    The `FrameDrawing` of the dock counts changes of the settings, and knows how long frames take.
    """

    def __init__(self, viewer, dock, messages: Messages, drawing: FrameDrawing):
        self._viewer = viewer
        self._dock, self._drawing = dock, drawing
        self._messages = messages
        self._results = Results(viewer, messages)
        self._frame_runner = Replacing(lambda busy: None, messages.warn)
        self._grid = GridLayout(viewer)
        self._source = None
        self._panes: list[_Pane] = []
        self._kept: list[_Pane] = []  # of earlier comparisons; the results live as long as they
        self._queue: deque = deque()
        self._failures: list[tuple[Choice, str]] = []
        self._reported: list[str] = []
        self._seconds = 0.0
        self._quick = False  # the frames in progress may be coarse: settings are dragged
        self._wanted = False  # frames with newer settings are wanted after those in progress
        self._changes = -1  # of the settings that are being drawn
        self._drawn: _Pane | None = None  # last
        viewer.layers.events.removing.connect(self._on_removing)
        viewer.layers.events.removed.connect(self._on_removed)

    @property
    def active(self) -> bool:
        """Whether methods are being compared."""
        return self._grid.active

    @property
    def drawing(self) -> bool:
        """Whether frames are being drawn."""
        return self._frame_runner.working or bool(self._queue)

    @property
    def refined(self) -> bool:
        """Whether all methods show the settings as they are now, finely, or will without more."""
        if self._quick and self.drawing:
            return True
        coarse = any(result.coarse is not None for result in self.results())
        return self._changes == self._drawing.changes and not coarse

    @property
    def source(self):
        """The layer whose motion is magnified, or None."""
        return self._source if self.active else None

    def is_of(self, layer) -> bool:
        """Whether methods are compared on a layer."""
        return layer is not None and layer is self.source

    def is_in(self, viewer) -> bool:
        """Whether its layers are in a viewer."""
        return viewer is self._viewer

    def layers(self) -> list:
        """Return the layers of the comparison, in the order of the choices."""
        return [pane.result.layer for pane in self._panes if pane.result and not pane.gone]

    def results(self) -> list[Result]:
        """Return what the layers show."""
        return [pane.result for pane in self._panes if pane.result and not pane.gone]

    def result_of(self, method: str, model: str) -> Result | None:
        """Return what the layer of a method shows, if it is compared."""
        for pane in self._panes:
            same = pane.choice.method == method
            if same and (pane.choice.model == model or method != "learned"):
                return None if pane.gone else pane.result
        return None

    def start(self, choices: Sequence[Choice]) -> None:
        """Compare these choices; layers of the comparison in progress are replaced."""
        self._reported = []
        self._messages.forget()
        panes = [_Pane(choice) for choice in choices if choice.method]
        try:
            if not panes:
                raise ValueError("Choose at least one method to compare")
            source, movie, place = self._dock.shown_movie()
        except EXPECTED as error:
            self._messages.report(error)
            return
        planned, failures = self._plan(panes, movie)
        if not planned:  # nothing is changed then
            self._report(failures, len(panes))
            return
        for other in list(_ACTIVE):
            if other is not self and other.is_in(self._viewer):
                other.end()
        _ACTIVE.add(self)
        if self.active:
            self._grid.pause()
            with self._dock.updating():
                self._remove_layers()
        self._source, self._panes = source, [pane for pane, _ in planned]
        original = ORIGINAL in choices
        self._grid.begin(len(planned) + original)
        if original:
            self._grid.add(source)
        self._dock.on_comparison_changed()
        self._draw(planned, failures, place, changes=self._drawing.changes)

    def follow(self) -> None:
        """Draw while a setting is dragged: the frame in progress, then with newer settings."""
        if self.drawing:
            self._wanted = True
        else:
            self.refresh(quick=True)

    def refresh(self, quick: bool = False) -> None:
        """Draw the frame that is shown with the current settings, with every method.

        If it is to be `quick`, coarsely where frames take long; settings that are invalid
        meanwhile are not reported.
        """
        if not self.active or self._source not in self._viewer.layers:
            return
        try:
            source, movie, place = self._dock.shown_movie()
        except EXPECTED as error:
            if not quick:
                self._messages.report(error)
            return
        if source is self._source:
            panes = self._in_turn()
            planned, failures = self._plan(panes, movie, quick)
            complete = len(planned) == len(panes)
            self._draw(planned, failures, place, quick, self._drawing.changes if complete else -1)

    def end(self, keep: bool = False) -> None:
        """Stop comparing: the viewer looks as it did before.

        The layers are removed, or hidden if they are to be kept or the user renamed them.
        """
        if not self.active:
            return
        self._queue.clear()
        self._wanted = False
        _ACTIVE.discard(self)
        with self._dock.updating():
            self._grid.pause()
            self._remove_layers(keep)
            self._grid.end()
        self._source = None
        self._dock.on_comparison_changed()

    def close(self, viewer_closes: bool = False) -> None:
        """Release the viewer. The layers stay; unless it closes, it looks as before."""
        self._frame_runner.close()
        if viewer_closes:
            self._grid.forget()
        else:
            self.end(keep=True)
        _ACTIVE.discard(self)
        self._viewer.layers.events.removing.disconnect(self._on_removing)
        self._viewer.layers.events.removed.disconnect(self._on_removed)
        self._results.close()

    # ---- frames, one method after another ----

    def _plan(self, panes: Sequence[_Pane], movie, quick: bool = False) -> tuple[list, list]:
        """Return the panes with what draws them, and the failures of the others."""
        planned, failures = [], []
        for pane in panes:
            try:
                plan = self._dock.plan(movie, pane.choice.method, pane.choice.model)
                planned.append((pane, self._results.cached(plan)))
            except EXPECTED as error:
                if not quick:
                    failures.append((pane.choice, str(error)))
                    self._hide(pane)
        return planned, failures

    def _in_turn(self) -> list[_Pane]:
        """Return the panes that are there: new ones, then those after the one drawn last."""
        first = self._panes.index(self._drawn) + 1 if self._drawn in self._panes else 0
        panes = [*self._panes[first:], *self._panes[:first]]
        new = [pane for pane in self._panes if pane.result is None]
        return new + [pane for pane in panes if not (pane.gone or pane in new)]

    def _draw(self, planned: list, failures: list, place, quick=False, changes=-1) -> None:
        self._quick, self._wanted, self._changes = quick, False, changes
        self._queue = deque(planned)
        self._failures, self._attempted = failures, len(planned) + len(failures)
        self._place, self._seconds = place, 0.0
        self._draw_next()

    def _draw_next(self) -> None:
        if self._wanted:
            self._wanted = False
            self._queue.clear()
            self.refresh(quick=True)
            return
        while self._queue:
            pane, magnification = self._queue.popleft()
            if pane.gone:
                continue
            if not self._is_hidden_by_user(pane):
                self._draw_pane(pane, magnification)
                return
            self._show(pane, magnification)
        self._finish()

    def _draw_pane(self, pane: _Pane, magnification) -> None:
        seconds, coarse, reduction = [], None, 1
        if self._quick and pane.result is not None:
            choice = pane.choice
            coarse, reduction = self._drawing.coarse(magnification, choice.method, choice.model)
        drawn_by = magnification if coarse is None else coarse

        def done(error: Exception | None, cancelled: bool) -> None:
            if not self.active:
                return
            if self._source not in self._viewer.layers:
                self._queue.clear()
                if self.layers():
                    self._messages.say("The movie was closed; the layers stay")
                else:
                    self.end()
                    self._messages.say("The movie was closed")
                return
            if error is None:
                self._seconds += seconds[0]
                self._drawing.note(magnification, seconds[0], reduction)
                self._show(pane, magnification, coarse)
            else:
                kind = "" if isinstance(error, EXPECTED) else f"{type(error).__name__}: "
                self._failures.append((pane.choice, f"{kind}{error}"))
                self._hide(pane)
            self._draw_next()

        place, self._drawn = self._place, pane
        self._messages.say(f"Drawing frame {place[0]}: {pane.choice.label}…")
        self._frame_runner.request(lambda _: seconds.append(drawn_by.draw_timed(place)), done)

    def _show(self, pane: _Pane, magnification, coarse=None) -> None:
        if pane.gone:
            return
        # what differs comes first, and remains where there is no room for more
        name = self._grid.fitting(
            f"{pane.choice.name} x{magnification.factor:g}: ", self._source.name
        )
        with self._dock.updating():
            pane.result = self._results.show(
                self._source, magnification, key=pane, name=name, coarse=coarse
            )
            if pane.result.layer not in self._grid.layers:
                self._grid.add(pane.result.layer)

    def _finish(self) -> None:
        seen = [pane.result for pane in self._panes if pane.result and pane.result.layer.visible]
        self._grid.expect(len(self._grid.layers))
        if self._quick and not self.refined:
            self._drawing.refine_later()
        if self._failures:
            self._report(self._failures, self._attempted)
            return
        self._reported = []
        self._messages.forget_error()
        seconds = rounded(self._seconds, 2)
        self._messages.say_result(
            f"Frame {self._place[0]} drawn with {len(seen)} methods in {seconds} s"
        )
        if not self._quick:
            magnifications = [result.magnification for result in seen]
            self._drawing.time_next_frame(magnifications, self._place, self._seconds)

    def _report(self, failures: list, attempted: int) -> None:
        """Report failures; those that were reported last time at the foot alone."""
        messages = summary(failures, attempted)
        news = [message for message in messages if message not in self._reported]
        if news:
            self._messages.report(ValueError("\n".join(news)))
        self._messages.say("\n".join(messages))
        self._reported = messages

    # ---- layers ----

    def _is_hidden_by_user(self, pane: _Pane) -> bool:
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
        panes = [pane for pane in self._panes if pane.result and not pane.gone]
        self._panes = []
        self._grid.drop([pane.result.layer for pane in panes])
        for pane in panes:
            layer = pane.result.layer
            if keep or layer.name != pane.result.name:
                layer.visible = False
                self._kept.append(pane)
            elif layer in self._viewer.layers:
                self._viewer.layers.remove(layer)

    def _on_removing(self, event) -> None:
        make_current(self._dock.native)

    def _on_removed(self, event) -> None:
        self._grid.drop([event.value])
        for pane in self._panes:
            if pane.result is not None and pane.result.layer is event.value:
                pane.gone = True
        if self.active:  # once everybody knows that the layer is gone
            QTimer.singleShot(0, self._end_without_layers)

    def _end_without_layers(self) -> None:
        if self.active and self._panes and all(pane.gone for pane in self._panes):
            self.end()
