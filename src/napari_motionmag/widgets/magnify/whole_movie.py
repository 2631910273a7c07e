"""Draw or save all frames of a magnified layer, as jobs of a dock."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from napari_motionmag.widgets.frames.magnified_layers import Result
from napari_motionmag.widgets.frames.whole_result import draw_all, room_for, total_frames


def drawing(result: Result) -> Callable[[Callable], np.ndarray]:
    """Return work that draws all frames of a result; OSError if there is no room for them."""
    magnification = result.shown.plain()
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

    layer, recipe = result.layer, result.shown.recipe
    data = layer.data if result.whole else result.shown.plain().dask()
    movie = result.shown.movie.replace(data=data, name=layer.name)
    limits = None if layer.rgb else tuple(map(float, layer.contrast_limits))

    def work(progress: Callable) -> None:
        for source in paths_behind(result.shown.movie.data):
            check_output(path, source=source, overwrite=True)
        options = {"recipe": recipe, "intensity_range": limits, "progress": progress}
        save_movie(path, movie, overwrite=True, **options)

    return work
