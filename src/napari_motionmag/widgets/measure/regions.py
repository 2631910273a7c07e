"""The parts of a frame that are marked in napari and measured."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from napari.layers import Shapes

from napari_motionmag.magnification.script import Call
from napari_motionmag.movie.movie import Movie
from napari_motionmag.views.shapes import area_from_shapes, drawn_areas, polygon_mask

MOST_REGIONS = 8


@dataclass(frozen=True)
class Region:
    """A part of the frame that is measured.

    Attributes
    ----------
    label : str
        What to call it; empty for the whole frame.
    corners : ndarray of shape (N, 2), or None
        Of a polygon, (y, x) px; None for the whole frame.
    """

    label: str = ""
    corners: np.ndarray | None = None

    def value(self, movie: Movie):
        """Return the region as the functions of `views` take it.

        Raises
        ------
        ValueError
            When no pixel of the frame lies within.
        """
        if self.corners is None:
            return None
        shape = movie.frame_shape[:2]
        mask = polygon_mask(self.corners, shape)
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        if not len(rows):
            raise ValueError(
                f"region{self.label and f' {self.label}'}: no pixel of the frame of {shape[0]} x "
                f"{shape[1]} px lies within"
            )
        window = (int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)
        return window if mask[slice(*window[:2]), slice(*window[2:])].all() else mask

    def written(self, movie: Movie):
        """Return the region as an argument for a script."""
        value = self.value(movie)
        if not isinstance(value, np.ndarray):
            return value
        outline = np.round(self.corners, 3)
        call = Call("napari_motionmag.views", "polygon_mask", outline, movie.frame_shape[:2])
        return call.named("region", "the area that was drawn, (y, x) in px")


def regions_of(marks, layer, side: float) -> list[Region]:
    """Return the regions that a layer of shapes or points marks in a movie.

    Parameters
    ----------
    marks : napari.layers.Shapes, napari.layers.Points or None
        The selected ones, or all where none is; None: the whole frame.
    layer : napari.layers.Image
        The pixels are those of this layer.
    side : float
        Of the square around each point, px.

    Raises
    ------
    ValueError
        When there are none, or more than MOST_REGIONS.
    """
    if marks is None:
        return [Region()]
    areas = drawn_areas(marks) if isinstance(marks, Shapes) else list(range(len(marks.data)))
    chosen = [i for i in sorted(marks.selected_data) if i in areas] or areas
    if not chosen:
        what = "rectangle, polygon or ellipse" if isinstance(marks, Shapes) else "point"
        raise ValueError(f"Layer {marks.name!r} has no {what} yet: draw one around what moves")
    if len(chosen) > MOST_REGIONS:
        raise ValueError(
            f"Layer {marks.name!r} has {len(chosen)} regions; select at most {MOST_REGIONS} of them"
        )
    found = []
    for index in chosen:
        label = f"{index + 1}" if len(areas) > 1 else ""
        if isinstance(marks, Shapes):
            found.append(Region(label, area_from_shapes(marks, layer, index)))
            continue
        point = layer.world_to_data(marks.data_to_world(marks.data[index]))
        centre = np.round(np.asarray(point, float)[-2:])
        half = side / 2
        square = np.array([(-half, -half), (-half, half), (half, half), (half, -half)])
        found.append(Region(label, centre + square))
    return found
