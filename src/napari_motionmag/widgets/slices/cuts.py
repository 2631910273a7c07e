"""What is cut of each layer for the slice view, and the work of cutting it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from napari.layers import Image

from napari_motionmag.movie.movie import Movie
from napari_motionmag.views.progressive_slices import slice_passes

QUICK = 3_000_000  # samples in memory that need no progress bar


@dataclass(frozen=True)
class Cut:
    """What is cut of a layer.

    Attributes
    ----------
    layer : napari.layers.Image
    movie : Movie
    line : ndarray, shape (N, 2)
        (y, x), px of the layer.
    at : tuple of int
        Index along axes such as Z and C.
    t : int
        The frame that is shown.
    width, order : int
    """

    layer: Image
    movie: Movie
    line: np.ndarray
    at: tuple[int, ...]
    t: int
    width: int
    order: int

    @property
    def key(self) -> tuple:
        """The same where the slice is the same."""
        line = self.line.tobytes()
        return id(self.movie.data), self.movie.axes, line, self.at, self.width, self.order

    @property
    def options(self) -> dict:
        """Arguments of `slice_view`, besides movie and line."""
        at = dict(zip(self.movie.other_axes, self.at, strict=True))
        said = {"width": self.width, "order": self.order, "outside": "nan"}
        return said | ({"at": at} if at else {})


def cut_slices(
    wanted: list[Cut], framed: list[Cut], views: dict, frames: dict, progress: Callable
) -> None:
    """Cut the slices in turns, those of all layers coarse first.

    Parameters
    ----------
    wanted, framed : list of Cut
        Of which the slices and the frames are wanted.
    views, frames : dict
        Get the results by layer, slices from coarse to fine.
    progress : callable
        Called as ``progress(done, total)`` after each frame, or each few.
    """
    done, total = 0, sum(cut.movie.n_frames for cut in wanted) + len(framed)
    for cut in framed:
        frames[cut.layer] = cut.movie.read(cut.t, cut.at)
        done += 1
        progress(done, total)
    passes = {
        cut.layer: slice_passes(cut.movie, cut.line, **cut.options)
        for cut in sorted(wanted, key=lambda cut: not in_memory(cut))
    }
    counts = dict.fromkeys(passes, 0)
    while passes:
        for layer, steps in list(passes.items()):
            try:
                count, views[layer] = next(steps)
            except StopIteration:
                del passes[layer]
                continue
            done += count - counts[layer]
            counts[layer] = count
            progress(done, total)


def frame_key(cut: Cut) -> tuple:
    """The same where the frame that is shown is the same."""
    return cut.key[:2], cut.t, cut.at


def in_memory(cut: Cut) -> bool:
    """Whether the slice is there at once, so that no progress need be shown."""
    data = cut.movie.data
    if not isinstance(data, np.ndarray) or isinstance(data, np.memmap):
        return False
    length = np.hypot(*np.diff(cut.line, axis=0).T).sum()
    return cut.movie.n_frames * length * cut.width * max(cut.order, 1) ** 2 < QUICK


def limits_of(layer) -> tuple[float, float]:
    """Intensities of black and white that a layer is shown with."""
    if not layer.rgb:
        low, high = layer.contrast_limits
        return float(low), float(high)
    return (0.0, float(np.iinfo(layer.dtype).max)) if layer.dtype.kind in "iu" else (0.0, 1.0)


def colours_of(layer):
    """Return a layer's colours as a function of intensities 0 to 1; None for grey and RGB."""
    colormap, gamma = layer.colormap, float(layer.gamma)
    if layer.rgb or (colormap.name == "gray" and gamma == 1):
        return None
    return lambda values: colormap.map(np.ravel(values).astype(float) ** gamma)
