"""Noise floors: where motion exceeds noise, and the largest honest factor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_motionmag.compute.validate import checked_flag
from napari_motionmag.temporal import TemporalOperator
from napari_motionmag.views.estimators.local_motion import windowed
from napari_motionmag.views.estimators.selected_noise import operator_noise, sigmas
from napari_motionmag.views.estimators.series import as_movie, operator_for
from napari_motionmag.views.estimators.windows import Windows
from napari_motionmag.views.motion_maps import SURE, MotionMap, motion_map

_MOST = 1e9  # factor without noise
_MOTION = ("reference", "band", "filter")


@dataclass(frozen=True)
class NoiseFloor:
    """Apparent motion from noise alone, window by window.

    Attributes
    ----------
    y, x : ndarray
        Centers of the windows, px.
    window, step : int
        Side of the windows and distance between them, px.
    sigma : ndarray, shape (gy, gx)
        Standard deviation of the selected displacement from noise alone, px, along the direction
        that is best seen (across an edge); inf where the window shows nothing.
    sigma_worst : ndarray, shape (gy, gx)
        The same along the direction that is worst seen; inf along an edge.
    motion : MotionMap or None
        The measured motion; None with ``measure=False``.
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
        """Largest honest factor, (gy, gx): above, noise alone moves by more than 1 px.

        0 where the window has no structure that would show motion.
        """
        with np.errstate(divide="ignore"):
            return np.minimum(1 / self.sigma, _MOST)

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

    def share_above(self, factor: float) -> float:
        """Return the share of windows with structure where noise moves by more than 1 px."""
        known = self.limit[self.limit > 0]
        return float((known < factor).mean()) if known.size else float("nan")

    def factor_at(self, share: float) -> float:
        """Return the factor above which noise moves by more than 1 px in a share of windows."""
        known = self.limit[self.limit > 0]
        return float(np.quantile(known, share)) if known.size else float("nan")

    def describe(self, factor: float | None = None) -> str:
        """Summarize the map in a few sentences; for a factor, too, where one is given."""
        empty = float((self.limit == 0).mean())
        if empty == 1:
            return "Nothing in the frame has structure that would show motion."
        half, first = (f"x{float(f'{self.factor_at(share):.2g}'):g}" for share in (0.5, 0.1))
        text = [
            f"Noise alone moves by more than 1 px above {half} in half of the frame, above {first} "
            "in a tenth of it."
        ]
        if factor is not None:
            share = self.share_above(abs(factor))
            text.append(f"At x{factor:g} you see noise in {share:.0%} of the frame.")
        if self.motion is not None:
            share = float(self.exceeds[self.limit > 0].mean())
            text.append(f"The selected motion is above the noise in {share:.0%} of the frame.")
        if empty >= 0.005:
            text.append(f"{empty:.0%} of the frame has no structure and is not counted.")
        return " ".join(text)

    def _weight(self) -> np.ndarray:
        if self.motion is None:
            raise ValueError("the motion was not measured: use noise_floor(..., measure=True)")
        found = self.motion
        low = found.chance(SURE)
        part = np.clip((np.nan_to_num(found.significance, nan=0.0) - low) / 2, 0, 1)
        return part * part * (3 - 2 * part)

    def _everywhere(self, values: np.ndarray) -> np.ndarray:
        windows = Windows(self.frame_shape, self.window, self.step)
        return np.clip(windows.spread(values), values.min(), values.max())


def noise_floor(
    movie, mode: str | TemporalOperator = "static", *, measure: bool = True, **options
) -> NoiseFloor:
    """Map where the selected motion is more than noise, and the largest honest factor.

    Parameters
    ----------
    movie : array, napari Image layer or Movie
    mode
        Which motion is selected, as for :func:`napari_motionmag.magnify`.
    measure : bool
        Measure the motion too, which reads the whole movie; False gives `sigma` and `limit` from
        few frames.
    **options
        As for :func:`motion_map`: ``reference``, ``band``, ``fps``, ``filter``, ``axes``, ``at``,
        ``window``, ``step``, ``noise`` and ``progress``. Methods that look at smaller surroundings
        than the window, 32 px, are noisier than the map says.

    Returns
    -------
    NoiseFloor

    Notes
    -----
    The displacement of a window is known to ``sigma^2 [sum grad grad^T]^-1`` in one frame; an
    operator multiplies that by the sum of its squared weights: 2 against a single reference frame,
    less for a narrow band. With 5 gray levels/px of slope and noise of 2 gray levels, a window of
    32 x 32 px has 0.018 px: beyond a factor of 57 noise moves by more than a pixel.

    Examples
    --------
    >>> from napari_motionmag import samples, views
    >>> movie, info = samples.load("strings", n_frames=40, size=64)
    >>> floor = views.noise_floor(movie, axes="TYX", fps=info["fps"], measure=False)
    >>> floor.limit_map.shape
    (64, 64)
    """
    movie = as_movie(movie, options.pop("axes", None), options.pop("fps", None))
    found = None
    if checked_flag("measure", measure):
        found = motion_map(movie, mode, **options)
        y, x, window, step, gain = found.y, found.x, found.window, found.step, found.gain
        best, worst = sigmas(found.covariance, found.directions)
    else:
        motion = {key: options.pop(key) for key in _MOTION if key in options}
        operator = operator_for(movie, mode, **motion)
        gain = operator_noise(operator, movie.n_frames)[0]
        field, _ = windowed(movie, **options)
        windows = field.windows
        y, x, window, step = windows.y, windows.x, windows.window, windows.step
        best, worst = sigmas(field.covariance, field.directions)
    return NoiseFloor(
        y, x, window, step, best * np.sqrt(gain), worst * np.sqrt(gain), found,
        movie.frame_shape[:2],
    )  # fmt: skip
