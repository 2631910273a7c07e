"""Fields for frames that take long to magnify as a whole."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from napari.layers import Image, Shapes

from napari_motionmag.movie.movie import Movie
from napari_motionmag.views.shapes import area_from_shapes
from napari_motionmag.widgets.common.form import CollapsibleSection, choice

PREVIEWS = [("Full", 1), ("Half", 2), ("Quarter", 4)]


class LargeFrames(CollapsibleSection):
    """The part of the frames that is magnified, ``region``, and its resolution, ``preview``.

    Of the layers that ``layers(box)`` returns, Shapes may be chosen.
    """

    def __init__(self, layers: Callable):
        self.region = choice(
            "region",
            "Region",
            lambda box: [layer for layer in layers(box) if isinstance(layer, Shapes)],
            "Shapes layer: only the rectangle around the shape that is selected, or that was drawn "
            "last, is magnified. Move it, and the result moves along. Without one, the whole frame "
            "is.",
            nullable=True,
        )
        self.preview = choice(
            "preview",
            "Resolution",
            PREVIEWS,
            "Half: squares of 2 x 2 pixels are averaged first. Four times as fast and with half "
            "the noise, but without fine detail.",
            value=1,
        )
        super().__init__(
            "Large frames",
            [self.region, self.preview],
            name="large_frames",
            tooltip="Magnify a part of the frames, or at a lower resolution, in less time.",
        )

    def values(self) -> dict:
        """Return the arguments of `magnify`; the region is a layer."""
        arguments = {} if self.region.value is None else {"region": self.region.value}
        if self.preview.value != 1:
            arguments["preview"] = self.preview.value
        return arguments


def region_of(shapes: Shapes, layer: Image, movie: Movie) -> tuple[int, int, int, int]:
    """Return the rectangle around a shape: first row, last row + 1, first column, last column + 1.

    In pixels of the movie; ValueError if there is no shape, or it lies outside of the frames.
    """
    if not len(shapes.data):
        raise ValueError(f"Layer {shapes.name!r} has no shapes: draw a rectangle on the movie")
    index = max(shapes.selected_data) if shapes.selected_data else len(shapes.data) - 1
    corners = np.asarray(area_from_shapes(shapes, layer, index), float)
    height, width = movie.frame_shape[:2]
    # pixels whose middle is inside
    first = np.ceil(corners.min(axis=0) - 1e-6)
    last = np.floor(corners.max(axis=0) + 1e-6) + 1
    y0, x0 = np.clip(first, 0, (height, width)).astype(int)
    y1, x1 = np.clip(last, 0, (height, width)).astype(int)
    if y1 <= y0 or x1 <= x0:
        raise ValueError(
            f"The shape of layer {shapes.name!r} holds no pixel of the movie: draw it on the movie"
        )
    return int(y0), int(y1), int(x0), int(x1)
