"""The background work of a dock: one job, and beside it the frame that is shown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from napari.layers import Image, Layer
from qtpy.QtCore import QTimer

from napari_motionmag.widgets.common.jobs import Replacing, TimeLeft
from napari_motionmag.widgets.common.messages import Messages


class Work:
    """Runs the ``jobs`` of a dock, and draws single ``frames``, in the background.

    ``timer`` runs from the last change of the fields until the dock refreshes. ``busy(True)`` is
    called when a job begins and ``busy(False)`` when it is over.
    """

    def __init__(self, viewer, messages: Messages, timer: QTimer, busy: Callable[[bool], object]):
        self._viewer, self._messages = viewer, messages
        self.timer = timer
        self.closed = False
        self.jobs = Replacing(busy, messages.warn)
        self.frames = Replacing(busy, messages.warn)
        self._layers: list[Layer] = []  # of the job in progress
        self._title = ""

    @property
    def working(self) -> bool:
        """Whether a job is in progress."""
        return self.jobs.working

    @property
    def pending(self) -> bool:
        """Whether a change waits to be acted on, or a frame is being drawn."""
        return self.timer.isActive() or self.frames.working

    def refused(self) -> bool:
        """Whether a job is in progress, and say so: what was asked for has to wait for it."""
        if self.working:
            error = ValueError(f"{self._title} is in progress: wait until it is done, or cancel it")
            self._messages.report(error, again=True)
        return self.working

    def run(
        self,
        work: Callable,
        show: Callable,
        *,
        title: str,
        layers: Sequence[Layer],
        closed: str = "The movie was closed",
    ) -> None:
        """Run ``work(progress)`` in the background, then ``show(result)`` on the main thread.

        The work calls ``progress(done, total)`` now and then. It ends when one of the layers is
        closed, with the message `closed`.
        """
        results = []

        def done(error: Exception | None, cancelled: bool) -> None:
            self._layers = []
            if error is not None:
                self._messages.report(error, again=True)
            elif any(layer not in self._viewer.layers for layer in layers):
                self._messages.say(closed)
            elif cancelled:
                self._messages.say("Cancelled")
            else:
                self._messages.forget_error()
                show(results[0])

        self.timer.stop()
        time_left = TimeLeft()
        self._messages.say(f"{title}…")
        self._layers, self._title = list(layers), title
        self.jobs.request(
            lambda progress: results.append(work(progress)),
            done,
            lambda count, total: self._messages.say(f"{title}: {time_left(count, total)}"),
            title=title,
        )

    def draw_frame(
        self,
        layer: Image,
        magnification,
        place: tuple,
        show: Callable,
        failed: Callable | None = None,
        draw: Callable | None = None,
    ) -> None:
        """Draw a frame of a `CachedMagnification` of a layer in the background.

        Then call ``show(seconds)``, or ``failed()`` once the error is reported. ``draw(progress)``
        draws in another way and returns the seconds that it took.
        """
        seconds = []
        draw = draw or (lambda progress: magnification.draw_timed(place))

        def done(error: Exception | None, cancelled: bool) -> None:
            if cancelled:
                return
            if error is None and layer in self._viewer.layers:
                self._messages.forget_error()
                show(seconds[0])
                return
            if error is not None:
                self._messages.report(error)
            else:
                self._messages.say("The movie was closed")
            if failed is not None:
                failed()

        self._messages.say(f"Drawing frame {place[0]}…")
        self.frames.request(lambda progress: seconds.append(draw(progress)), done)

    def cancel_without(self, layer: Layer) -> None:
        """Stop the job if it is about a layer, which was removed."""
        if layer in self._layers:
            self.jobs.cancel()

    def close(self) -> None:
        """Stop, and call nobody."""
        self.closed = True
        self.jobs.close()
        self.frames.close()
