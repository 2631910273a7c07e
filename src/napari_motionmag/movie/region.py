"""A part of a movie: a region of its frames, at full or at reduced resolution."""

from __future__ import annotations

import operator
from dataclasses import dataclass

import numpy as np

from napari_motionmag.movie.frame_array import FrameArray
from napari_motionmag.movie.intensity import rounded
from napari_motionmag.movie.movie import Movie

ALIGNED = 64  # px: regions are read from multiples of it, in step with the networks' strides
MOST_REDUCED = 16


@dataclass(frozen=True)
class Region(FrameArray):
    """Region of the frames of a movie, as an array like the movie's own.

    Parameters
    ----------
    movie : Movie
        The whole.
    region : (int, int, int, int)
        First and last + 1 row, first and last + 1 column, in px of the whole.
    preview : int
        Side in px of the squares that are averaged to a pixel of the part; what is left over at
        the lower and right edge is left out.
    """

    movie: Movie
    region: tuple[int, int, int, int]
    preview: int = 1

    @classmethod
    def make(cls, movie: Movie, region=None, preview: int = 1) -> Region | None:
        """Check the arguments and make a region; None for the whole frame."""
        height, width = movie.frame_shape[:2]
        whole = (0, height, 0, width)
        region = whole if region is None else _checked_region(region, height, width)
        y0, y1, x0, x1 = region
        preview = _checked_preview(preview, min(MOST_REDUCED, y1 - y0, x1 - x0))
        if region == whole and preview == 1:
            return None
        return cls(movie, region, preview)

    def __post_init__(self):
        y0, y1, x0, x1 = self.region
        object.__setattr__(self, "height", (y1 - y0) // self.preview)
        object.__setattr__(self, "width", (x1 - x0) // self.preview)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape, with the axes of the whole."""
        sizes = {"Y": self.height, "X": self.width}
        whole = zip(self.movie.axes, self.movie.shape, strict=True)
        return tuple(sizes.get(letter, size) for letter, size in whole)

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the whole to read."""
        y0, _, x0, _ = self.region
        return (
            slice(y0, y0 + self.height * self.preview),
            slice(x0, x0 + self.width * self.preview),
        )

    def as_movie(self) -> Movie:
        """Return the part as a movie."""
        movie = self.movie
        scale = movie.scale
        if scale is not None:
            calibrated = movie.axes.replace("S", "")
            scale = tuple(
                step * (self.preview if letter in "YX" else 1)
                for letter, step in zip(calibrated, scale, strict=True)
            )
        return Movie(self, movie.axes, movie.fps, None, scale, movie.units, movie.name)

    def with_margin(self, context: int) -> tuple[Region, tuple[slice, slice]]:
        """Return a larger region, and where this one lies in it."""
        height, width = self.movie.frame_shape[:2]
        step = self.preview * ALIGNED

        def wider(first, last, size):
            start = max(0, first - context * self.preview)
            # in steps from the region's own grid of squares, so that both average the same ones
            start = first - -(-(first - start) // self.preview) * self.preview
            start = start if start >= 0 else first % self.preview
            if first % self.preview == 0:
                start = start // step * step
            stop = min(size, last + context * self.preview)
            return start, stop, (first - start) // self.preview

        y0, y1, x0, x1 = self.region
        y_start, y_stop, y = wider(y0, y1, height)
        x_start, x_stop, x = wider(x0, x1, width)
        inside = slice(y, y + self.height), slice(x, x + self.width)
        return Region(self.movie, (y_start, y_stop, x_start, x_stop), self.preview), inside

    def reduce(self, frame: np.ndarray, dtype=np.float32) -> np.ndarray:
        """Average the squares of a frame, (Y, X) or (Y, X, S)."""
        if self.preview == 1:
            return frame
        side = self.preview
        squares = frame.reshape(self.height, side, self.width, side, *frame.shape[2:])
        return squares.mean(axis=(1, 3), dtype=dtype)

    def read(self, t: int, other) -> np.ndarray:
        """Read a frame in the movie's dtype; means of integers are rounded."""
        mean = self.reduce(self.movie.read(t, other, self.window), np.float64)
        return mean if self.preview == 1 else rounded(mean, self.dtype)


def _checked_region(region, height: int, width: int) -> tuple[int, int, int, int]:
    allowed = (
        "region must be four whole numbers (first row, last row + 1, first column, last column + 1)"
    )
    try:
        numbers = tuple(operator.index(number) for number in region)
    except TypeError:
        raise TypeError(f"{allowed}, got {region!r}") from None
    if len(numbers) != 4:
        raise ValueError(f"{allowed}, got {region!r}")
    y0, y1, x0, x1 = numbers
    if not (0 <= y0 < y1 <= height and 0 <= x0 < x1 <= width):
        raise ValueError(
            f"{allowed} within the frames of {height} x {width} px (Y x X), got {region!r}"
        )
    return numbers


def _checked_preview(preview, most: int) -> int:
    if isinstance(preview, bool) or not hasattr(preview, "__index__"):
        raise TypeError(f"preview must be a whole number, got {preview!r}")
    if not 1 <= operator.index(preview) <= most:
        raise ValueError(f"preview must be within 1..{most}, got {preview!r}")
    return operator.index(preview)
