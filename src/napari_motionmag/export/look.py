"""Intensities as colors, as a viewer shows them: contrast limits, colormap and gamma."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from napari_motionmag.compute.validate import above_zero
from napari_motionmag.movie.intensity import checked_range

STEPS = 16 * 255  # of a colormap: gray levels of 8 bits are among them


@dataclass(frozen=True)
class Look:
    """How the intensities of a movie become colors.

    Parameters
    ----------
    limits : (float, float)
        Intensities that are black and white, or the ends of the colormap.
    colormap : str, napari Colormap or array (N, 3 or 4), optional
        As napari's layers have it; gray when None. Not used for RGB movies.
    gamma : float
        Exponent applied between the limits.

    Raises
    ------
    ValueError
        If a value is invalid, or there is no colormap of this name.
    """

    limits: tuple[float, float]
    colormap: Any = None
    gamma: float = 1.0

    def __post_init__(self):
        object.__setattr__(self, "limits", checked_range(self.limits, "limits"))
        object.__setattr__(self, "gamma", above_zero("gamma", self.gamma))
        object.__setattr__(self, "_table", _color_table(self.colormap))

    @property
    def colors(self) -> np.ndarray:
        """The colors that gray frames may get, (N, 3) uint8."""
        return self._table[:: STEPS // 255]

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """Return a frame, (Y, X) or (Y, X, S), as (Y, X, 3) uint8; NaN is black."""
        low, high = self.limits
        values = np.nan_to_num(frame[..., :3] if frame.ndim == 3 else frame, nan=low)
        unit = np.clip((values.astype(np.float32) - low) / (high - low), 0, 1)
        unit = unit if self.gamma == 1 else unit**self.gamma
        if frame.ndim == 3:
            return np.rint(255 * unit).astype(np.uint8)
        return self._table[np.rint(STEPS * unit).astype(np.int32)]


def look_of(layer) -> Look:
    """Return the look of a napari Image layer."""
    if layer.rgb:
        kind = np.dtype(layer.dtype)
        top = float(np.iinfo(kind).max) if kind.kind in "iu" else 1.0
        return Look((0.0, top), None, float(layer.gamma))
    low, high = layer.contrast_limits
    return Look((float(low), float(high)), _plain(layer.colormap), float(layer.gamma))


def _plain(colormap):
    """Return the name of a colormap of napari, the colors of another."""
    from napari.utils.colormaps import AVAILABLE_COLORMAPS

    if AVAILABLE_COLORMAPS.get(colormap.name) == colormap:
        return colormap.name
    return colormap.map(np.linspace(0, 1, 256))[:, :3].round(4)


def _color_table(colormap) -> np.ndarray:
    """Return the colors from the lower limit to the upper, (STEPS + 1, 3) uint8."""
    unit = np.linspace(0, 1, STEPS + 1)
    name = "gray" if colormap is None else getattr(colormap, "name", colormap)
    if not (isinstance(name, str) or hasattr(colormap, "map") or np.ndim(colormap) == 2):
        raise TypeError(f"colormap must be a name, a Colormap or an array (N, 3), got {colormap!r}")
    if isinstance(name, str) and name == "gray":
        return np.repeat(np.rint(255 * unit).astype(np.uint8)[:, np.newaxis], 3, axis=1)
    from napari.utils.colormaps import AVAILABLE_COLORMAPS, Colormap, ensure_colormap

    try:
        if not isinstance(colormap, str) and np.ndim(colormap) == 2:
            colormap = Colormap(np.asarray(colormap, float))
        colors = np.asarray(ensure_colormap(colormap).map(unit), float)
    except (KeyError, TypeError, ValueError) as error:
        known = ", ".join(AVAILABLE_COLORMAPS)
        raise ValueError(f"colormap must be one of {known}; got {colormap!r}") from error
    return np.rint(255 * np.clip(colors[:, :3], 0, 1)).astype(np.uint8)
