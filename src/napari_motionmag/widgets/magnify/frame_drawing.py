"""The part of the dock "Magnify motion" that draws the frame that is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from napari.layers import Image

from napari_motionmag.compute.device import INTERACTIVE, priority
from napari_motionmag.compute.validate import rounded
from napari_motionmag.magnification.magnification import Magnification
from napari_motionmag.widgets.common.messages import EXPECTED
from napari_motionmag.widgets.frames.async_slicing import SlowFrames
from napari_motionmag.widgets.frames.frame_cache import CachedMagnification, CoarseMagnification
from napari_motionmag.widgets.frames.live_drawing import LiveDrawing, Pace
from napari_motionmag.widgets.magnify.first_use import FirstUse
from napari_motionmag.widgets.magnify.shared import Shared

if TYPE_CHECKING:
    from napari_motionmag.widgets.magnify.dock import MagnifyWidget


@dataclass
class _Live:
    """A frame to be drawn while settings change."""

    layer: Image
    magnification: CachedMagnification
    place: tuple[int, tuple[int, ...]]
    changes: int  # of the settings until then
    coarse: CoarseMagnification | None
    reduction: int

    @property
    def drawn_by(self) -> CachedMagnification:
        return self.magnification if self.coarse is None else self.coarse


class FrameDrawing:
    """Draws the frame that is shown as a dock plans it, coarsely while settings change.

    ``changes`` counts those of the settings.
    """

    def __init__(self, shared: Shared, dock: MagnifyWidget):
        self._dock, self._results, self._chosen = dock, shared.results, shared.chosen
        self._viewer, self._messages, self._work = shared.viewer, shared.messages, shared.work
        self._pace = Pace()
        self._slow_frames = SlowFrames()
        self._first_use = FirstUse(shared.fields.progress, shared.messages.say)
        self._then: Callable | None = None  # called with the result once the frame is drawn
        self._refining = False  # the frame in progress is what settings at rest ask for
        self.changes = 0
        # called with the source layer, the magnification and the plane of each frame that is drawn
        self.on_drawn: Callable[[Image, Magnification, tuple], object] = lambda *drawn: None
        self._shown_changes = self._fine_changes = 0  # how many are shown, and shown finely
        self.live = LiveDrawing(
            self._plan_live,
            lambda planned: planned.drawn_by.draw_timed(planned.place),
            self._show_live,
            self._messages.report,
            self.refine_later,
            self._messages.warn,
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

    def plan_frame(self) -> tuple[Image, CachedMagnification, tuple]:
        """Return the source layer, its magnification, and the frame that is shown."""
        layer, movie, place = self._dock.shown_movie()
        return layer, self._results.cached(self._dock.plan(movie)), place

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
        if self._work.closed or self._work.working:
            return
        self.live.forget()
        self._refining, changes = refine, self.changes
        try:
            layer, magnification, place = self.plan_frame()
        except EXPECTED as error:
            self._then = None
            self._messages.report(error)
            return

        def show(seconds: float) -> None:
            then, self._then = self._then, None
            self.note(magnification, seconds)
            if changes < self._shown_changes and then is None:
                return  # newer settings are drawn, if coarsely
            result = self._dock.show_result(layer, magnification)
            self._shown_changes = self._fine_changes = changes
            self._say_drawn(layer, magnification, place, seconds)
            if then is not None:
                then(result)
            else:
                self.refine_later()  # settings may have changed meanwhile
                self.time_next_frame([magnification], place, seconds)

        def failed() -> None:
            self._then = None

        def prepare_and_draw(progress: Callable) -> float:
            with priority(INTERACTIVE):
                self._first_use.run(getattr(magnification.method, "preparations", list)())
            return magnification.draw_timed(place)

        work = partial(magnification.refine_frame, place) if refine else prepare_and_draw
        self._work.draw_frame(layer, magnification, place, show, failed, work)

    def refine_later(self) -> None:
        """Draw finely what was drawn coarsely, once the settings rest."""
        if not self._work.timer.isActive() and not self.refined:
            self._work.timer.start()

    def _say_drawn(
        self, layer: Image, magnification: Magnification, place: tuple, seconds: float
    ) -> None:
        ends = magnification.operator.less_certain_frames(magnification.movie.n_frames)
        near = any(place[0] in end for end in ends)
        note = ": near an end of the movie, less certain" if near else ""
        self._messages.say_result(f"Frame {place[0]} drawn in {rounded(seconds, 2)} s{note}")
        self.on_drawn(layer, magnification, place[1])

    # ---- while settings change ----

    def request_live(self) -> None:
        """Draw with the newest settings as soon as possible."""
        if self._refining:
            self._work.frames.cancel()
        self.live.request()

    def coarse(
        self, magnification: CachedMagnification, method: str = "", model: str = ""
    ) -> tuple[CoarseMagnification | None, int]:
        """Return what draws smaller frames, and how much smaller, where whole ones take long.

        None and 1 where they do not, or where frames cannot be reduced.
        """
        side = min(magnification.movie.frame_shape[:2])
        reduction = self._pace.reduction(_kind_of(magnification), side)
        if reduction == 1:
            return None, 1
        try:
            smaller = self._dock.plan(self._chosen.movie(), method, model, reduction=reduction)
        except EXPECTED:  # stabilized movies are not reduced
            return None, 1
        return CoarseMagnification.like(magnification, smaller), reduction

    def note(self, magnification: Magnification, seconds: float, reduction: int = 1) -> None:
        """Take note of how long a frame took."""
        self._pace.note(_kind_of(magnification), reduction, seconds)

    def _plan_live(self) -> _Live | None:
        """Plan the frame that is shown, reduced if whole ones take long; None to draw none."""
        is_shown = self._results.of(self._chosen.layer) is not None
        if self._work.closed or self._work.working or not is_shown:
            return None
        try:
            layer, magnification, place = self.plan_frame()
        except EXPECTED:
            return None  # reported once the settings rest
        return _Live(layer, magnification, place, self.changes, *self.coarse(magnification))

    def _show_live(self, live: _Live, seconds: float) -> None:
        self.note(live.magnification, seconds, live.reduction)
        gone = live.layer not in self._viewer.layers or self._results.of(live.layer) is None
        if gone or live.changes <= self._fine_changes:
            return
        self._dock.show_result(live.layer, live.magnification, live.coarse)
        self._shown_changes = live.changes
        if live.coarse is None:
            self._fine_changes = live.changes
            self._say_drawn(live.layer, live.magnification, live.place, seconds)
        else:
            part = f"at 1/{live.reduction} of the resolution"
            self._messages.say(f"Frame {live.place[0]} drawn {part} in {rounded(seconds, 2)} s")

    # ---- the pace ----

    def time_next_frame(self, magnifications: Sequence, place: tuple, seconds: float) -> None:
        """If a frame was slow, time the next one, to learn how fast moving the slider is.

        The first frame loads the network, too.
        """
        frames = self._work.frames
        if frames.working or not (magnifications and self._slow_frames.suspects(seconds)):
            return
        after = ((place[0] + 1) % magnifications[0].movie.n_frames, place[1])
        times = []

        def done(error: Exception | None, cancelled: bool) -> None:
            if error is None and times:
                self._slow_frames.notice(sum(times))
                for x, taken in zip(magnifications, times, strict=True):
                    self.note(x, taken)

        self._refining = False
        frames.request(lambda _: times.extend(x.draw_timed(after) for x in magnifications), done)


def _kind_of(magnification: Magnification) -> tuple:
    """Return what decides on how long a frame takes."""
    names = ("method", "model", "device", "preview", "operator", "stabilise", "options")
    values = (repr(magnification.recipe.get(name)) for name in names)
    return magnification.movie.frame_shape, *values
