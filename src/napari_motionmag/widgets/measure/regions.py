"""The regions that are marked in napari and measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from napari.layers import Image, Points, Shapes

from napari_motionmag.magnification.script import Call, FromLayer
from napari_motionmag.movie.movie import Movie
from napari_motionmag.views.displacement import displacement_trace
from napari_motionmag.views.shapes import area_from_shapes, drawn_areas, polygon_mask
from napari_motionmag.views.trace import DisplacementTrace

MAX_REGIONS = 8


@dataclass(frozen=True)
class Region:
    """A part of the frame that is measured; by default the whole frame."""

    label: str = ""
    corners: np.ndarray | None = None  # (N, 2) of a polygon, (y, x) px

    def value(self, movie: Movie):
        """Return the region as the functions of `views` take it; ValueError if it is empty."""
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


@dataclass(frozen=True)
class RegionRequest:
    """One region of one movie, to be measured."""

    layer: Image
    movie: Movie
    region: Region
    at: dict  # index along axes such as Z and C

    @property
    def name(self) -> str:
        """The name in figures and messages."""
        return f"{self.layer.name}{self.region.label and f' ({self.region.label})'}"

    @property
    def key(self) -> tuple:
        """Equal for requests that measure the same."""
        corners = self.region.corners
        outline = None if corners is None else corners.round(6).tobytes()
        return self.layer, self.movie.fps, id(self.movie.data), outline, tuple(self.at.items())

    def trace(self, progress: Callable | None = None, **options) -> DisplacementTrace:
        """Measure the displacement of the region."""
        try:
            return displacement_trace(
                self.movie,
                self.region.value(self.movie),
                at=self.at or None,
                progress=progress,
                **options,
            )
        except ValueError as error:
            raise ValueError(f"{self.name}: {error}") from error

    def call(self, **options) -> Call:
        """Return the call of a script that measures the displacement of the region."""
        where = {"at": self.at} if self.at else {}
        movie, region = FromLayer(self.layer, self.movie), self.region.written(self.movie)
        call = Call(
            "napari_motionmag.views", "displacement_trace", movie, region, **where, **options
        )
        return call.named("trace", f"{self.name}: dy, dx and their errors in px")


def count_regions(marks: Shapes | Points) -> int:
    """Return how many regions a layer marks."""
    return len(drawn_areas(marks)) if isinstance(marks, Shapes) else len(marks.data)


def regions_of(marks, layer, side: float) -> list[Region]:
    """Return the regions that are selected in a layer of shapes or points, or all; px of `layer`.

    `side` is that of the square around each point. None for `marks` is the whole frame.
    """
    if marks is None:
        return [Region()]
    areas = drawn_areas(marks) if isinstance(marks, Shapes) else list(range(len(marks.data)))
    chosen = [i for i in sorted(marks.selected_data) if i in areas] or areas
    if not chosen:
        what = "rectangle, polygon or ellipse" if isinstance(marks, Shapes) else "point"
        raise ValueError(f"Layer {marks.name!r} has no {what} yet: draw one around what moves")
    if len(chosen) > MAX_REGIONS:
        raise ValueError(
            f"Layer {marks.name!r} has {len(chosen)} regions; select at most {MAX_REGIONS} of them"
        )
    regions = []
    for index in chosen:
        label = f"{index + 1}" if len(areas) > 1 else ""
        if isinstance(marks, Shapes):
            regions.append(Region(label, area_from_shapes(marks, layer, index)))
            continue
        point = layer.world_to_data(marks.data_to_world(marks.data[index]))
        center = np.round(np.asarray(point, float)[-2:])
        half = side / 2
        square = np.array([(-half, -half), (-half, half), (half, half), (half, -half)])
        regions.append(Region(label, center + square))
    return regions
