"""Slice views drawn on a matplotlib Figure. matplotlib is not imported here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from napari_motionmag.views.estimators.series import Series, as_movie
from napari_motionmag.views.figures.text import shortened, shown_unit, time_label
from napari_motionmag.views.slices import slice_calibration, slice_view

_ROOM = 0.25  # of the length of a line, shown around it
_LEAST_ROOM = 8  # px


@dataclass(frozen=True)
class SlicePicture:
    """A slice view ready to be drawn.

    Attributes
    ----------
    name : str
        Of the movie.
    view : ndarray, shape (T, L) or (T, L, 3)
    line : ndarray, shape (N, 2)
        Corners (y, x), px.
    calibration : dict
        Of :func:`napari_motionmag.views.slice_calibration`.
    limits : (float, float), optional
        Intensities of black and white; the smallest and the largest when None.
    frame : ndarray, shape (Y, X) or (Y, X, 3), optional
        A frame, of which the part around the line is shown beside the slice.
    colours : callable, optional
        Turns intensities from 0 to 1 into RGB(A), as a colormap does; gray when None.
    """

    name: str
    view: np.ndarray
    line: np.ndarray
    calibration: dict
    limits: tuple[float, float] | None = None
    frame: np.ndarray | None = None
    colours: Callable | None = None

    @classmethod
    def of(cls, movie, line, name: str = "", *, frame: int | None = None, **options):
        """Slice a movie with the options of `slice_view`; `frame` is the one to show beside it."""
        movie = as_movie(movie, options.pop("axes", None))
        view = np.asarray(slice_view(movie, line, **options))
        calibration = slice_calibration(movie, line, step=options.get("step", 1.0))
        if frame is not None:
            frame = Series(movie, options.get("at")).read(frame, frame + 1)[0]
        name = name or movie.name or ""
        return cls(name, view, np.asarray(line, float), calibration, frame=frame)

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, right, bottom and top of the picture: time and position at the edges."""
        interval = self.calibration["interval"]
        positions = self.calibration["positions"]
        half = positions[-1] / max(len(positions) - 1, 1) / 2
        return -interval / 2, (len(self.view) - 0.5) * interval, positions[-1] + half, -half

    def look(self, values: np.ndarray) -> np.ndarray:
        """Return intensities as RGB(A) or gray from 0 to 1; transparent or NaN where missing."""
        low, high = self.limits or (np.nanmin(self.view), np.nanmax(self.view))
        part = np.clip((values - float(low)) / max(float(high) - float(low), 1e-300), 0, 1)
        if values.ndim == 3:
            missing = np.isnan(part).any(axis=-1)
            return np.dstack([np.nan_to_num(part[..., :3]), ~missing])
        if self.colours is None:
            return part
        picture = np.asarray(self.colours(np.nan_to_num(part)), float)
        picture = picture.reshape(*part.shape, -1)
        if picture.shape[-1] == 3:
            picture = np.dstack([picture, np.ones(part.shape)])
        picture[..., 3] *= ~np.isnan(part)
        return picture


def draw_slices(figure, pictures: Sequence[SlicePicture], *, now: float | None = None) -> None:
    """Draw slices one below the other: time to the right, position along the line down.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Empty.
    pictures : sequence of SlicePicture
        Where one of them has a frame, frames are drawn on the left of the slices.
    now : float, optional
        A time to mark.

    References
    ----------
    Oh et al., ECCV 2018, Fig. 1, 7 and A.4.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> from napari_motionmag import samples, views
    >>> movie, info = samples.load("strings", n_frames=20)
    >>> views.draw_slices(Figure(), [views.SlicePicture.of(movie, [(10, 40), (60, 40)])])
    """
    if not pictures:
        return
    beside = any(picture.frame is not None for picture in pictures)
    axes = figure.subplots(
        len(pictures), 1 + beside, squeeze=False, width_ratios=(1, 2.2) if beside else (1,)
    )
    first = axes[0, -1]
    units = {picture.calibration["time_unit"] for picture in pictures}
    for row, picture in zip(axes, pictures, strict=True):
        slice_axes = row[-1]
        upright = np.swapaxes(picture.look(picture.view), 0, 1)
        _show(slice_axes, upright, picture.extent, "auto")
        if slice_axes is not first and len(units) == 1:
            slice_axes.sharex(first)
        slice_axes.set_title(shortened(picture.name, 24 if beside else 38), loc="left")
        slice_axes.set_ylabel(f"position ({shown_unit(picture.calibration['length_unit'])})")
        if now is not None:
            slice_axes.axvline(now, color="C1", linewidth=0.8)
        if beside:
            _draw_place(row[0], picture)
    longest = max(picture.extent[1] for picture in pictures)
    if len(units) == 1:
        first.set_xlim(min(picture.extent[0] for picture in pictures), longest)
        for slice_axes in axes[:-1, -1]:
            slice_axes.tick_params(labelbottom=False)
    last = pictures[-1].calibration
    axes[-1, -1].set_xlabel(time_label(last["time_unit"]))


def _show(axes, picture: np.ndarray, extent, aspect: str) -> None:
    from matplotlib.ticker import MaxNLocator

    gray = {"cmap": "gray", "vmin": 0, "vmax": 1} if picture.ndim == 2 else {}
    axes.imshow(picture, extent=extent, aspect=aspect, interpolation="antialiased", **gray)
    axes.yaxis.set_major_locator(MaxNLocator(4))


def _draw_place(axes, picture: SlicePicture) -> None:
    """Draw the part of the frame around the line, and the line."""
    axes.set_axis_off()
    if picture.frame is None:
        return
    height, width = picture.frame.shape[:2]
    low, high = picture.line.min(axis=0), picture.line.max(axis=0)
    room = max(_ROOM * float((high - low).max()), _LEAST_ROOM)
    top, left = np.maximum(np.floor(low - room), 0).astype(int)
    bottom, right = np.minimum(np.ceil(high + room) + 1, (height, width)).astype(int)
    crop = picture.frame[top:bottom, left:right]
    if not crop.size:
        return
    if crop.ndim == 3:
        crop = crop[..., :3]
    extent = (left - 0.5, right - 0.5, bottom - 0.5, top - 0.5)
    _show(axes, picture.look(crop.astype(float)), extent, "equal")
    axes.plot(picture.line[:, 1], picture.line[:, 0], color="C1", linewidth=1.2)
    axes.plot(*picture.line[0, ::-1], marker="o", markersize=3.5, color="C1")
    axes.set_xlim(left - 0.5, right - 0.5)
    axes.set_ylim(bottom - 0.5, top - 0.5)
