"""The slices of layers: what is cut, cutting it in the background, and how it looks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from napari.layers import Image

from napari_motionmag.compute.validate import rounded
from napari_motionmag.movie.movie import Movie
from napari_motionmag.views.figures.slices import SlicePicture
from napari_motionmag.views.progressive_slices import slice_passes
from napari_motionmag.views.slices import slice_calibration

QUICK = 3_000_000  # samples in memory that need no progress bar


@dataclass(frozen=True)
class Cut:
    """A slice of a layer, to be cut."""

    layer: Image
    movie: Movie
    line: np.ndarray  # (N, 2), (y, x) in px of the layer
    at: tuple[int, ...]  # index along axes such as Z and C
    t: int  # the frame that is shown
    width: int
    order: int

    @property
    def key(self) -> tuple:
        """Equal for equal slices."""
        line = self.line.tobytes()
        return id(self.movie.data), self.movie.axes, line, self.at, self.width, self.order

    @property
    def frame_key(self) -> tuple:
        """Equal for equal frames beside the slice."""
        return self.key[:2], self.t, self.at

    @property
    def options(self) -> dict:
        """Arguments of `slice_view`, besides movie and line."""
        at = dict(zip(self.movie.other_axes, self.at, strict=True))
        options = {"width": self.width, "order": self.order, "outside": "nan"}
        return options | ({"at": at} if at else {})

    @property
    def is_quick(self) -> bool:
        """Whether the slice is cut at once, so that no progress need be shown."""
        data = self.movie.data
        if not isinstance(data, np.ndarray) or isinstance(data, np.memmap):
            return False
        length = np.hypot(*np.diff(self.line, axis=0).T).sum()
        return self.movie.n_frames * length * self.width * max(self.order, 1) ** 2 < QUICK

    def picture(self, view: np.ndarray, frame: np.ndarray | None) -> SlicePicture:
        """Return what is drawn of a slice in the colors of its layer, beside a frame or without."""
        return SlicePicture(
            name=self.layer.name,
            view=view,
            line=self.line,
            calibration=slice_calibration(self.movie, self.line),
            limits=_display_limits(self.layer),
            frame=frame,
            colours=_color_function(self.layer),
        )

    def described(self, view: np.ndarray) -> str:
        """Return length and duration of a slice in words."""
        calibration = slice_calibration(self.movie, self.line)
        names = {"um": "µm", "frame": "frames (rate unknown)"}
        unit, time_unit = (
            names.get(calibration[key], calibration[key]) for key in ("length_unit", "time_unit")
        )
        length, span = calibration["positions"][-1], self.movie.n_frames * calibration["interval"]
        text = f"Line of {rounded(length, 4)} {unit} over {rounded(span, 4)} {time_unit}"
        if np.isnan(view).any():
            text += "; blank where the line leaves the frame"
        return text


class KeptSlices:
    """The last slice of each layer, and the last frame beside it."""

    def __init__(self):
        self._views: dict = {}  # layer -> (key, view)
        self._frames: dict = {}  # layer -> (key, frame)

    def put(
        self, cut: Cut, view: np.ndarray | None = None, frame: np.ndarray | None = None
    ) -> None:
        """Keep a slice and a frame, if they are there."""
        if view is not None:
            self._views[cut.layer] = cut.key, view
        if frame is not None:
            self._frames[cut.layer] = cut.frame_key, frame

    def view(self, cut: Cut) -> np.ndarray | None:
        """Return a slice if it is kept."""
        key, view = self._views.get(cut.layer, (None, None))
        return view if key == cut.key else None

    def has_frame(self, cut: Cut) -> bool:
        """Whether the frame that is shown now is kept."""
        return self._frames.get(cut.layer, (None,))[0] == cut.frame_key

    def last_frame(self, layer: Image) -> np.ndarray | None:
        """Return the frame of a layer that was kept last."""
        return self._frames.get(layer, (None, None))[1]

    def keep_only(self, layers: set[Image]) -> None:
        """Forget all other layers."""
        for kept in (self._views, self._frames):
            for layer in [layer for layer in kept if layer not in layers]:
                del kept[layer]

    def forget(self, layer: Image) -> None:
        """Forget a layer, whose data have changed."""
        self._views.pop(layer, None)
        self._frames.pop(layer, None)


def cut_in_turns(
    wanted: list[Cut], framed: list[Cut], views: dict, frames: dict, progress: Callable
) -> None:
    """Cut the slices of all layers in turns, each from coarse to fine.

    Those of `wanted` go to `views`, the frames beside those of `framed` to `frames`, by layer.
    """
    done, total = 0, sum(cut.movie.n_frames for cut in wanted) + len(framed)
    for cut in framed:
        frames[cut.layer] = cut.movie.read(cut.t, cut.at)
        done += 1
        progress(done, total)
    passes = {
        cut.layer: slice_passes(cut.movie, cut.line, **cut.options)
        for cut in sorted(wanted, key=lambda cut: not cut.is_quick)
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


def _display_limits(layer) -> tuple[float, float]:
    """Return the intensities that a layer shows as black and as white."""
    if not layer.rgb:
        low, high = layer.contrast_limits
        return float(low), float(high)
    return (0.0, float(np.iinfo(layer.dtype).max)) if layer.dtype.kind in "iu" else (0.0, 1.0)


def _color_function(layer):
    """Return a layer's colors as a function of intensities 0 to 1; None for gray and RGB."""
    colormap, gamma = layer.colormap, float(layer.gamma)
    if layer.rgb or (colormap.name == "gray" and gamma == 1):
        return None
    return lambda values: colormap.map(np.ravel(values).astype(float) ** gamma)
