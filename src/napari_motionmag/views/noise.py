"""Where motion stands out from noise, and how much it can honestly be magnified."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from napari_motionmag.temporal import TemporalOperator, make_operator
from napari_motionmag.views._source import as_movie
from napari_motionmag.views._windows import Windows
from napari_motionmag.views.motion_maps import (
    MotionMap,
    motion_map,
    operator_noise,
    sigmas,
    windowed,
)
from napari_motionmag.views.noise_model import NoiseModel, fit_noise
from napari_motionmag.views.surrogate import motionless_surrogate

__all__ = ["NoiseFloor", "NoiseModel", "fit_noise", "motionless_surrogate", "noise_floor"]

_SURE = 0.999  # of windows where nothing moves lie below where motion begins to count


@dataclass(frozen=True)
class NoiseFloor:
    """What noise alone looks like as motion, window by window.

    Attributes
    ----------
    y, x : ndarray
        Centres of the windows, px.
    window, step : int
        Side of the windows and distance between them, px.
    sigma : ndarray, shape (gy, gx)
        Standard deviation of the selected displacement from noise alone, px, along the direction
        that is best seen (across an edge); inf where the window shows nothing.
    sigma_worst : ndarray, shape (gy, gx)
        The same along the direction that is worst seen; inf along an edge.
    motion : MotionMap or None
        What was measured; None with ``measure=False``.
    frame_shape : (int, int)
    """

    y: np.ndarray
    x: np.ndarray
    window: int
    step: int
    sigma: np.ndarray
    sigma_worst: np.ndarray
    motion: MotionMap | None
    frame_shape: tuple[int, int]

    @property
    def limit(self) -> np.ndarray:
        """Largest honest factor, (gy, gx): above, noise alone moves by more than 1 px."""
        return 1 / self.sigma

    @property
    def exceeds(self) -> np.ndarray:
        """Whether the selected motion is more than noise explains, bool (gy, gx)."""
        return self._weight() > 0

    @property
    def weights(self) -> np.ndarray:
        """0 where the selected motion may be noise, 1 where it is clearly not, (Y, X).

        Rises smoothly from a mean square that chance gives in one of a thousand windows, over
        twice the mean square of noise alone. For fading a magnified movie into the original.
        """
        return self._everywhere(self._weight())

    @property
    def limit_map(self) -> np.ndarray:
        """:attr:`limit` at every pixel, (Y, X)."""
        return self._everywhere(self.limit)

    def _weight(self) -> np.ndarray:
        if self.motion is None:
            raise ValueError("the motion was not measured: use noise_floor(..., measure=True)")
        found = self.motion
        low = found.chance(_SURE)
        part = np.clip((np.nan_to_num(found.significance, nan=0.0) - low) / 2, 0, 1)
        return part * part * (3 - 2 * part)

    def _everywhere(self, values: np.ndarray) -> np.ndarray:
        windows = Windows(self.frame_shape, self.window, self.step)
        return np.clip(windows.spread(values), values.min(), values.max())


def noise_floor(
    movie,
    mode: str | TemporalOperator = "static",
    *,
    reference=0,
    band: tuple[float, float] | None = None,
    fps: float | None = None,
    filter: str = "fir",
    axes: str | None = None,
    at=None,
    window: int = 32,
    step: int | None = None,
    noise: NoiseModel | None = None,
    measure: bool = True,
    progress: Callable[[int, int], object] | None = None,
) -> NoiseFloor:
    """Map where the selected motion is more than noise, and the largest honest factor.

    Parameters
    ----------
    movie : array, napari Image layer or Movie
    mode, reference, band, fps, filter
        Which motion is selected, as for :func:`napari_motionmag.magnify`.
    axes : str, optional
    at : mapping or sequence of int, optional
        Index along axes such as Z and C.
    window : int
        Side of the windows over which a displacement is averaged, px. Methods that look at smaller
        surroundings are noisier than the map says.
    step : int, optional
        Distance between windows, px; half a window when None.
    noise : NoiseModel, optional
        Of the pixels; estimated when None.
    measure : bool
        Measure the motion too, which reads the whole movie; False gives `sigma` and `limit` from
        few frames.
    progress : callable, optional
        As for :func:`motion_map`.

    Returns
    -------
    NoiseFloor

    Notes
    -----
    The displacement of a window is known to ``sigma^2 [sum grad grad^T]^-1`` in one frame; an
    operator multiplies that by the sum of its squared weights: 2 against a single reference frame,
    less for a narrow band. With 5 grey levels/px of slope and noise of 2 grey levels, a window of
    32 x 32 px has 0.018 px: beyond a factor of 57 noise moves by more than a pixel.
    """
    movie = as_movie(movie, axes, fps)
    found = None
    if measure:
        found = motion_map(
            movie, mode, reference=reference, band=band, filter=filter, at=at, window=window,
            step=step, noise=noise, progress=progress,
        )  # fmt: skip
        best, worst = sigmas(found.covariance, found.directions)
        y, x, step, gain = found.y, found.x, found.step, found.gain
    else:
        operator = make_operator(mode, reference=reference, band=band, fps=movie.fps, filter=filter)
        field, windows, _ = windowed(movie, at, window, step, noise)
        gain = operator_noise(operator, movie.n_frames)[0]
        y, x, step = windows.y, windows.x, windows.step
        best, worst = sigmas(field.covariance, field.directions)
    return NoiseFloor(
        y, x, int(window), step, best * np.sqrt(gain), worst * np.sqrt(gain), found,
        movie.frame_shape[:2],
    )  # fmt: skip
