"""A movie in an exported movie: its label, its look, and its slice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_motionmag.compute.validate import above_zero, checked_text
from napari_motionmag.export.look import Look, look_of
from napari_motionmag.magnification.magnification import magnification_behind
from napari_motionmag.magnification.recipe import is_magnified, recipe_of
from napari_motionmag.movie.layer_traits import is_layer
from napari_motionmag.movie.movie import Movie
from napari_motionmag.views.estimators.lines import Line
from napari_motionmag.views.estimators.series import Series


@dataclass(frozen=True)
class Panel:
    """A movie in an exported movie.

    Parameters
    ----------
    movie : Movie
    label : str
        Text above it.
    look : Look
        Contrast limits, colormap and gamma.
    at : mapping of str to int, optional
        Index along axes such as Z and C.
    line : array_like, shape (N, 2), optional
        (y, x) in px of this movie: a slice along it is drawn beside the movie, blank where the
        line leaves the frame.
    channels : sequence of Panel
        Further channels of it, of the same size, whose light is added.
    """

    movie: Movie
    label: str = ""
    look: Look | None = None
    at: Mapping[str, int] | None = None
    line: Any = None
    channels: Sequence[Panel] = ()

    def __post_init__(self):
        checked_text("label", self.label)
        if not isinstance(self.look, Look | None):
            raise TypeError(f"look must be a Look, got {self.look!r}")
        channels = self.channels if isinstance(self.channels, list | tuple) else [self.channels]
        if wrong := [one for one in channels if not isinstance(one, Panel)]:
            raise TypeError(f"channels must be Panels, got {wrong[0]!r}")
        object.__setattr__(self, "channels", tuple(channels))
        for channel in self.channels:
            sizes = [(p.movie.n_frames, *p.movie.frame_shape[:2]) for p in (self, channel)]
            if sizes[0] != sizes[1]:
                raise ValueError(
                    f"channels must be of one size (T, Y, X): {self.label!r} has {sizes[0]}, "
                    f"{channel.label!r} {sizes[1]}"
                )
        series = Series(self.movie, self.at)
        object.__setattr__(self, "at", series.at)
        if self.look is None:
            object.__setattr__(self, "look", Look(self.movie.intensity_range))
        if self.line is not None:
            points, shape = Line(self.line).points, self.movie.frame_shape[:2]
            if not ((points >= -0.5) & (points <= np.array(shape) - 0.5)).all(axis=1).any():
                raise ValueError(
                    f"line lies outside the frame of {shape[0]} x {shape[1]} px (Y x X): "
                    f"{np.asarray(self.line).tolist()}"
                )
            object.__setattr__(self, "line", np.asarray(self.line, float))

    @property
    def steps(self) -> tuple[float, float]:
        """Height and width of a pixel, the smaller one of which is 1."""
        (height, unit), (width, other) = (self.movie.steps.get(x, (1.0, "")) for x in "YX")
        if unit != other:
            return 1.0, 1.0
        height, width = abs(height), abs(width)
        return height / min(height, width), width / min(height, width)


def panel(
    movie,
    label: str | None = None,
    *,
    look: Look | None = None,
    at=None,
    line=None,
    channels: Sequence[Panel] = (),
    pixel_size: float | None = None,
    **changes,
) -> Panel:
    """Make a panel of an array, a napari Image layer or a Movie.

    Parameters
    ----------
    movie : array, napari Image layer or Movie
        A layer keeps its look, a result of `napari_motionmag.magnify` has the calibration and the
        intensities of its source.
    label : str, optional
        Text above it: by how much it is magnified, or its name when None.
    look, at, line, channels
        As for `Panel`.
    pixel_size : float, optional
        Side of a pixel, um, where the movie does not say.
    **changes
        As for `Movie`: ``fps``, ``axes``, where the movie does not say.

    Returns
    -------
    Panel

    Examples
    --------
    >>> import numpy as np
    >>> from napari_motionmag import export
    >>> export.panel(np.zeros((5, 32, 32)), "empty", fps=20).label
    'empty'
    """
    if look is None and is_layer(movie):
        look = look_of(movie)
    label = default_label(movie) if label is None else label
    magnification = None if is_layer(movie) else magnification_behind(movie)
    if magnification is not None:  # it is like its source
        source = magnification.movie
        movie = source.replace(data=movie, intensity_range=source.intensity_range)
    movie = Movie.from_any(movie, **changes)
    if pixel_size is not None:
        averaged = 1 if magnification is None else magnification.recipe.get("preview", 1)
        movie = calibrated(movie, pixel_size, averaged)
    return Panel(movie, label, look, at, line, channels)


def default_label(movie) -> str:
    """Return ``"motion ×25"`` for a magnified movie, and the name of another."""
    recipe = None
    if is_layer(movie) and is_magnified(movie):
        recipe = recipe_of(movie)
    elif (magnification := magnification_behind(getattr(movie, "data", movie))) is not None:
        recipe = magnification.recipe
    if recipe is None:
        return getattr(movie, "name", None) or "original"
    mark = ", painted" if recipe.get("factor_map") else ""
    return f"motion ×{recipe['factor']:g} ({recipe['method']}{mark})"


def calibrated(movie: Movie, pixel_size: float, averaged: int = 1) -> Movie:
    """Return a movie with square pixels of a size in um, each of which averages n x n."""
    size = above_zero("pixel_size", pixel_size, "um") * averaged
    letters = movie.axes.replace("S", "")
    scale = list(movie.scale or [1.0] * len(letters))
    units = list(movie.units or ["pixel"] * len(letters))
    for letter in "YX":
        scale[letters.index(letter)], units[letters.index(letter)] = size, "um"
    return movie.replace(scale=scale, units=units, fps=movie.fps)
