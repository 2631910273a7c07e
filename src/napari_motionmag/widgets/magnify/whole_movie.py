"""Draw or save all frames of a magnified layer, with progress and cancel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from napari_motionmag.widgets.common.jobs import Job
from napari_motionmag.widgets.common.messages import Messages
from napari_motionmag.widgets.frames.frame_cache import draw_all, room_for, total_frames
from napari_motionmag.widgets.frames.magnified_layers import Result, Results


class WholeMovie:
    """Draws or saves a whole result; one at a time.

    Parameters
    ----------
    results : Results
    messages : Messages
    busy : callable
        Called with True when work begins and with False when it is over.
    """

    def __init__(self, results: Results, messages: Messages, busy: Callable[[bool], object]):
        self._results = results
        self._messages = messages
        self._busy = busy
        self._job: Job | None = None
        self._result: Result | None = None

    @property
    def working(self) -> bool:
        """Whether a job is in progress."""
        return self._job is not None

    def compute(self, result: Result) -> None:
        """Draw all frames, then give them to the layer."""
        magnification = result.shown.plain()
        try:
            out = room_for(magnification.movie.shape, magnification.movie.dtype)
        except OSError as error:
            self._messages.report(error)
            return

        def finish():
            self._results.finish(result, out)
            self._messages.say_drawn(
                f"All {total_frames(magnification)} frames are drawn. The layer stays as it is; "
                "“Magnify” makes another"
            )

        total = total_frames(magnification)

        def work(progress):
            for done in draw_all(magnification, out):
                progress(done, total)

        self._begin(result, work, f"Magnifying {result.layer.name}", finish)

    def save(self, result: Result, path: Path) -> None:
        """Write the layer to a file; an existing one is replaced at the end."""
        from napari_motionmag.io import check_output, save_movie
        from napari_motionmag.movie.lazy import paths_behind

        layer, recipe = result.layer, result.shown.recipe
        data = layer.data if result.whole else result.shown.plain().dask()
        movie = result.shown.movie.replace(data=data, name=layer.name)
        shown_range = None if layer.rgb else tuple(map(float, layer.contrast_limits))

        def write(progress):
            for source in paths_behind(result.shown.movie.data):
                check_output(path, source=source, overwrite=True)
            save_movie(
                path,
                movie,
                recipe=recipe,
                intensity_range=shown_range,
                overwrite=True,
                progress=progress,
            )

        self._begin(
            result,
            write,
            f"Saving {path.name}",
            lambda: self._messages.say_drawn(f"Saved as {path}"),
        )

    def cancel(self) -> None:
        """Stop after the current frame; layer and file stay as they were."""
        if self._job is not None:
            self._messages.say("Cancelling…")
            self._job.cancel()

    def layer_removed(self, layer) -> None:
        """Cancel the job if it is about this layer."""
        if self._result is not None and self._result.layer is layer:
            self.cancel()

    def close(self) -> None:
        """Cancel silently."""
        if self._job is not None:
            self._job.abandon()
            self._job = None

    def _begin(self, result: Result, work: Callable, title: str, finish: Callable) -> None:
        def done(error, cancelled):
            self._job = self._result = None
            self._busy(False)
            if error is not None:
                self._messages.all_well()
                self._messages.report(error)
            elif cancelled:
                self._messages.say("Cancelled")
            else:
                finish()

        self._busy(True)
        self._messages.say(f"{title}…")
        self._result = result

        def stepped(step, total):
            self._messages.say(f"{title}: {step} of {total}")

        self._job = Job(work, title, done, stepped, self._messages.warn)
