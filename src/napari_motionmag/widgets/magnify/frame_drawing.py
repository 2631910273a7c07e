"""The part of the dock "Magnify motion" that draws the frame that is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from napari.layers import Image

from napari_motionmag.compute.device import INTERACTIVE, priority
from napari_motionmag.magnification.magnification import Magnification
from napari_motionmag.widgets.common.messages import EXPECTED
from napari_motionmag.widgets.frames.async_slicing import SlowFrames
from napari_motionmag.widgets.frames.frame_cache import CachedMagnification, CoarseMagnification
from napari_motionmag.widgets.frames.live_drawing import LiveDrawing, Pace
from napari_motionmag.widgets.magnify.first_use import FirstUse


@dataclass
class _Live:
    """A frame to be drawn while settings change."""

    layer: Image
    shown: CachedMagnification
    place: tuple[int, tuple[int, ...]]
    changes: int  # of the settings until then
    coarse: CoarseMagnification | None
    reduction: int

    @property
    def drawn_by(self) -> CachedMagnification:
        return self.shown if self.coarse is None else self.coarse


class FrameDrawing:
    """Draws the frame that is shown for a `MagnifyWidget`, coarsely while settings change.

    ``changes`` counts those of the settings.
    """

    def __init__(self, dock):
        self._dock = dock
        self._pace = Pace()
        self._slow_frames = SlowFrames()
        self._first_use = FirstUse(dock._fields.progress, dock._messages.say)
        self._then: Callable | None = None  # called with the result once the frame is drawn
        self._refining = False  # the frame in progress is what settings at rest ask for
        self.changes = 0
        self._shown_changes = self._fine_changes = 0  # how many are shown, and shown finely
        self.live = LiveDrawing(
            self._plan_live,
            lambda planned: planned.drawn_by.time_frame(planned.place),
            self._show_live,
            dock._messages.report,
            self.refine_later,
            dock._messages.warn,
            dock.native,
        )

    def close(self) -> None:
        """Stop, and restore what napari did before frames were slow."""
        self.live.close()
        self._slow_frames.undo()

    @property
    def refined(self) -> bool:
        """Whether the settings as they are now are shown finely."""
        return self._fine_changes == self.changes

    def note_shown(self) -> None:
        """Take note that the settings as they are now are shown finely."""
        self.live.forget()
        self._shown_changes = self._fine_changes = self.changes

    # ---- settings at rest ----

    def begin(self, then: Callable | None = None) -> None:
        """Draw the frame in the background, then show it and call ``then(result)``."""
        self._then = then
        self.draw()

    def draw(self, refine: bool = False) -> None:
        """Draw the frame in the background, then show it.

        To `refine` gives way to other work on the device.
        """
        dock = self._dock
        if dock._closed or dock.working:
            return
        self.live.forget()
        self._refining, changes = refine, self.changes
        try:
            layer, shown, place = dock._plan_shown()
        except EXPECTED as error:
            self._then = None
            dock._messages.report(error)
            return

        def show(seconds: float) -> None:
            then, self._then = self._then, None
            self.note(shown, seconds)
            if changes < self._shown_changes and then is None:
                return  # newer settings are drawn, if coarsely
            result = dock._show(layer, shown)
            self._shown_changes = self._fine_changes = changes
            self._say_drawn(shown, place, seconds)
            if then is not None:
                then(result)
            else:
                self.refine_later()  # settings may have changed meanwhile
                self.time_next_frame([shown], place, seconds)

        def failed() -> None:
            self._then = None

        def prepare_and_draw(progress: Callable) -> float:
            with priority(INTERACTIVE):
                self._first_use.run(getattr(shown.method, "preparations", list)())
            return shown.time_frame(place)

        work = partial(shown.refine_frame, place) if refine else prepare_and_draw
        dock._draw_frame(layer, shown, place, show, failed, work)

    def refine_later(self) -> None:
        """Draw finely what was drawn coarsely, once the settings rest."""
        if not self._dock._timer.isActive() and not self.refined:
            self._dock._timer.start()

    def _say_drawn(self, shown: Magnification, place: tuple, seconds: float) -> None:
        ends = shown.operator.less_certain_frames(shown.movie.n_frames)
        near = any(place[0] in end for end in ends)
        note = ": near an end of the movie, less certain" if near else ""
        self._dock._messages.say_result(f"Frame {place[0]} drawn in {seconds:.2g} s{note}")

    # ---- while settings change ----

    def request_live(self) -> None:
        """Draw with the newest settings as soon as possible."""
        if self._refining:
            self._dock._frame_runner.cancel()
        self.live.request()

    def coarse(
        self, shown: CachedMagnification, method: str = "", model: str = ""
    ) -> tuple[CoarseMagnification | None, int]:
        """Return what draws smaller frames, and how much smaller, where whole ones take long.

        None and 1 where they do not, or where frames cannot be reduced.
        """
        side = min(shown.movie.frame_shape[:2])
        reduction = self._pace.reduction(_kind_of(shown), side)
        if reduction == 1:
            return None, 1
        try:
            smaller = self._dock.plan(self._dock._movie(), method, model, reduction=reduction)
        except EXPECTED:  # stabilized movies are not reduced
            return None, 1
        return CoarseMagnification.like(shown, smaller), reduction

    def note(self, shown: Magnification, seconds: float, reduction: int = 1) -> None:
        """Take note of how long a frame took."""
        self._pace.note(_kind_of(shown), reduction, seconds)

    def _plan_live(self) -> _Live | None:
        """Plan the frame that is shown, reduced if whole ones take long; None to draw none."""
        dock = self._dock
        if dock._closed or dock.working or dock._results.of(dock.layer.value) is None:
            return None
        try:
            layer, shown, place = dock._plan_shown()
        except EXPECTED:
            return None  # reported once the settings rest
        return _Live(layer, shown, place, self.changes, *self.coarse(shown))

    def _show_live(self, live: _Live, seconds: float) -> None:
        dock = self._dock
        self.note(live.shown, seconds, live.reduction)
        gone = live.layer not in dock._viewer.layers or dock._results.of(live.layer) is None
        if gone or live.changes <= self._fine_changes:
            return
        dock._show(live.layer, live.shown, live.coarse)
        self._shown_changes = live.changes
        if live.coarse is None:
            self._fine_changes = live.changes
            self._say_drawn(live.shown, live.place, seconds)
        else:
            part = f"at 1/{live.reduction} of the resolution"
            dock._messages.say(f"Frame {live.place[0]} drawn {part} in {seconds:.2g} s")

    # ---- the pace ----

    def time_next_frame(self, shown: Sequence, place: tuple, seconds: float) -> None:
        """If a frame was slow, time the next one, to learn how fast moving the slider is.

        The first frame loads the network, too.
        """
        runner = self._dock._frame_runner
        if runner.working or not (shown and self._slow_frames.suspects(seconds)):
            return
        after = ((place[0] + 1) % shown[0].movie.n_frames, place[1])
        times = []

        def done(error: Exception | None, cancelled: bool) -> None:
            if error is None and times:
                self._slow_frames.notice(sum(times))
                for x, taken in zip(shown, times, strict=True):
                    self.note(x, taken)

        self._refining = False
        runner.request(lambda _: times.extend(x.time_frame(after) for x in shown), done)


def _kind_of(shown: Magnification) -> tuple:
    """Return what decides on how long a frame takes."""
    names = ("method", "model", "device", "preview", "operator", "stabilise", "options")
    return shown.movie.frame_shape, *(repr(shown.recipe.get(name)) for name in names)
