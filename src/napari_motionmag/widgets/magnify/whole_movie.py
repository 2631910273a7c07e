"""The part of the dock "Magnify motion" that draws or saves all frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from napari_motionmag.io.formats import dialog_filter
from napari_motionmag.widgets.common.dock import reports_errors
from napari_motionmag.widgets.compare.comparison import Comparison
from napari_motionmag.widgets.frames.magnified_layers import Result
from napari_motionmag.widgets.frames.whole_result import draw_all, room_for, total_frames
from napari_motionmag.widgets.magnify.playing import Playing
from napari_motionmag.widgets.magnify.shared import Shared

if TYPE_CHECKING:
    from napari_motionmag.widgets.magnify.dock import MagnifyWidget

NO_RESULT = "There is no magnified layer of this movie yet: press “Magnify” first"
LAYER_CLOSED = "The layer was closed"


class WholeMovie:
    """Draws, keeps or saves the magnified movie of a dock."""

    def __init__(
        self, shared: Shared, dock: MagnifyWidget, comparison: Comparison, playing: Playing
    ):
        self._dock, self._comparison, self._playing = dock, comparison, playing
        self._fields, self._chosen, self._results = shared.fields, shared.chosen, shared.results
        self._messages, self._work = shared.messages, shared.work
        shared.fields.compute_all.changed.connect(lambda _: self.begin())
        shared.fields.keep.changed.connect(lambda _: self.keep())
        shared.fields.save.changed.connect(lambda _: self.ask_and_save())

    def begin(self) -> None:
        """Draw all frames of the result, which is made first if there is none."""
        result = self._results.of(self._chosen.layer)
        if result is None or self._work.pending:
            self._dock.draw(then=self.draw_all)
        else:
            self.draw_all(result)

    @reports_errors
    def draw_all(self, result: Result) -> None:
        """Draw all frames, then give them to the layer."""
        if self._work.refused():
            return

        def show(data) -> None:
            self._results.finish(result, data)
            self._playing.show()
            self._messages.say_result(
                f"All {total_frames(result.magnification)} frames are drawn. The layer stays as it "
                "is; “Magnify” makes another"
            )

        title = f"Magnifying {result.layer.name}"
        layers = [result.layer]
        self._work.run(drawing(result), show, title=title, layers=layers, closed=LAYER_CLOSED)

    def keep(self) -> None:
        """Let the layer stay as it is."""
        result = self._results.keep(self._chosen.layer)
        if result is None:
            self._messages.say(NO_RESULT)
        else:
            self._messages.say(f"{result.layer.name!r} stays as it is")

    def ask_and_save(self) -> None:
        """Ask for a file, and save the result to it."""
        result = self._latest()
        if result is not None:
            suggested = f"{result.layer.name.replace(': ', ' ')}.ome.tif"
            self._dock.save_as("Save the magnified movie", suggested, dialog_filter())

    def save_to(self, path: Path) -> None:
        """Save the result in the background."""
        result = self._latest()
        if result is not None:
            self._work.run(
                saving(result, path),
                lambda _: self._messages.say_result(f"Saved as {path}"),
                title=f"Saving {path.name}",
                layers=[result.layer],
                closed=LAYER_CLOSED,
            )

    def _latest(self) -> Result | None:
        """Return the newest result, or report that there is none, or other work in progress.

        While methods are compared, that of the method in the fields, which follows the factor.
        """
        if self._work.refused():
            return None
        method, model = self._fields.method.value, self._fields.model.value
        compared = self._comparison.is_of(self._chosen.layer) and self._comparison.result_of(
            method, model
        )
        result = compared or self._results.latest(self._chosen.layer)
        if result is None:
            self._messages.report(ValueError(NO_RESULT), again=True)
        return result


def drawing(result: Result) -> Callable[[Callable], np.ndarray]:
    """Return work that draws all frames of a result; OSError if there is no room for them."""
    magnification = result.magnification.plain()
    out = room_for(magnification.movie.shape, magnification.movie.dtype)
    total = total_frames(magnification)

    def work(progress: Callable) -> np.ndarray:
        for done in draw_all(magnification, out):
            progress(done, total)
        return out

    return work


def saving(result: Result, path: Path) -> Callable[[Callable], None]:
    """Return work that writes a result to a file; an existing one is replaced at the end."""
    from napari_motionmag.io import check_output, save_movie
    from napari_motionmag.movie.lazy import paths_behind

    layer, recipe = result.layer, result.magnification.recipe
    data = layer.data if result.whole else result.magnification.plain().dask()
    movie = result.magnification.movie.replace(data=data, name=layer.name)
    limits = None if layer.rgb else tuple(map(float, layer.contrast_limits))

    def work(progress: Callable) -> None:
        for source in paths_behind(result.magnification.movie.data):
            check_output(path, source=source, overwrite=True)
        options = {"recipe": recipe, "intensity_range": limits, "progress": progress}
        save_movie(path, movie, overwrite=True, **options)

    return work
