"""Sub-pixel displacement of a region against a reference, with error bars."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from napari_motionmag.compute.validate import above_zero, checked_flag
from napari_motionmag.temporal import Static
from napari_motionmag.views.estimators.band_kernel import BandKernel
from napari_motionmag.views.estimators.noise_model import NoiseModel, as_noise
from napari_motionmag.views.estimators.series import (
    as_movie,
    checked_region,
    pixel_size,
    warn_user,
)
from napari_motionmag.views.estimators.tracker import Tracker
from napari_motionmag.views.trace import DisplacementTrace


def displacement_trace(
    movie,
    region=None,
    reference="mean",
    *,
    axes: str | None = None,
    fps: float | None = None,
    at=None,
    reach: float | None = None,
    brightness: bool = False,
    noise: NoiseModel | float | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> DisplacementTrace:
    """Measure how a region moves, in fractions of a pixel.

    Parameters
    ----------
    movie : array, napari Image layer or Movie
    region : (slice, slice), (y0, y1, x0, x1) or boolean mask (Y, X), optional
        The region in the reference. It is cut back to stay 8 px + `reach` away from the border of
        the frame; None takes all of the frame that remains.
    reference : "mean", int, slice or list of int
        Frames against which the displacement is measured. For "mean" and several frames, the mean
        of these frames after alignment; displacement 0 is then their mean displacement.
    axes : str, optional
    fps : float, optional
    at : mapping or sequence of int, optional
        Index along axes such as Z and C.
    reach : float, optional
        Largest displacement along y and x to look for, px. By default 10, or an eighth of the
        smaller side of the frame if that is less.
    brightness : bool
        Allow each frame a gain and an offset in brightness (bleaching, flicker). A region that is
        one even slope then has no measurable displacement.
    noise : NoiseModel or float, optional
        Noise of the pixels: a model, or one standard deviation in gray levels. Estimated from
        consecutive frames after alignment when None.
    progress : callable, optional
        Called as ``progress(done, total)`` now and then; an exception from it ends the measurement.

    Returns
    -------
    DisplacementTrace

    Raises
    ------
    ValueError
        If an argument is invalid, or the region is too small or has no structure.

    Warns
    -----
    UserWarning
        If the region has structure along one direction only, a frame lies at the limit of `reach`,
        the brightness varies, the residuals are larger than noise, or those of a few frames are
        much larger than those of the others.

    Notes
    -----
    Least squares over the region, weighted by the variance of the noise, by Gauss-Newton steps.
    Frame and reference are low-passed and resampled by one band-limited kernel, which has no
    preference for whole or half pixels; of four, the one with the smallest predicted error is
    used. The errors are those of least squares, ``H^-1 (covariance of the score) H^-1``: about the
    bound ``sigma^2 [sum grad grad^T]^-1`` of one frame, to which the noise of the reference adds
    ``1 / N`` of it for N frames. Correlation of the noise between neighboring pixels, measured on
    differences between aligned frames, is included. In frames that fit far worse than the others,
    pixels that show something else (a cosmic ray, dirt that passes) are left out.

    Examples
    --------
    >>> from napari_motionmag import samples, views
    >>> movie, info = samples.load("strings", n_frames=60)
    >>> trace = views.displacement_trace(movie, (20, 44, 20, 76), reference=0, fps=info["fps"])
    """
    movie = as_movie(movie, axes, fps)
    model = as_noise(noise)
    shape = movie.frame_shape[:2]
    if reach is None:
        reach = max(1, min(10, min(shape) // 8))
    reach, brightness = above_zero("reach", reach, "px"), checked_flag("brightness", brightness)
    own, described = _reference_frames(reference, movie.n_frames)
    window, mask = _cut_back(*checked_region(movie, region), shape, reach, region is not None)
    tracker = Tracker(movie, at, window, mask, own, reach, brightness, progress)
    track = tracker.track(model)
    size = pixel_size(movie)
    return DisplacementTrace(
        times=np.arange(movie.n_frames, dtype=float) if movie.times is None else movie.times,
        time_unit="s" if movie.fps else "frame",
        dy=track.shifts[:, 0],
        dx=track.shifts[:, 1],
        covariance=track.covariance,
        frame_covariance=track.frame_covariance,
        misfit=track.misfit,
        noise=track.noise,
        region=window,
        reference=described,
        fps=movie.fps,
        pixel_size=None if size is None else size[:2],
        length_unit=None if size is None else size[2],
        cutoff=track.cutoff,
        colour=track.color,
    )


def _reference_frames(reference, n: int) -> tuple[np.ndarray, str]:
    """Return the frames of the reference, and its description."""
    if isinstance(reference, str):
        if reference != "mean":
            raise ValueError(
                "reference must be 'mean', a frame number, a slice or a list of frame numbers; "
                f"got {reference!r}"
            )
        reference = slice(None)
    operator = Static(reference)
    own = np.unique(operator.frames(n))
    if len(own) == n:
        return own, "mean of all frames"
    return own, operator.describe().removeprefix("static, reference ")


def _cut_back(window, mask, shape, reach: float, explicit: bool):
    """Keep the region away from the border of the frame, so that it stays inside when it moves."""
    border = BandKernel.half + math.ceil(reach)
    limits = [(min(border, size // 4), size - min(border, size // 4)) for size in shape]
    kept = tuple(
        slice(max(part.start, first), min(part.stop, last))
        for part, (first, last) in zip(window, limits, strict=True)
    )
    if any(part.stop - part.start < 3 for part in kept):
        raise ValueError(
            f"region {[(p.start, p.stop) for p in window]} lies within {border} px of the border "
            f"of the frame of {shape[0]} x {shape[1]} px; choose one further inside, or a smaller "
            f"reach than {reach:g} px"
        )
    rows, columns = (
        slice(new.start - old.start, new.stop - old.start)
        for new, old in zip(kept, window, strict=True)
    )
    mask = mask[rows, columns]
    if not mask.any():
        raise ValueError(f"region: the mask lies within {border} px of the border of the frame")
    if explicit and kept != window:
        (y0, y1), (x0, x1) = ((part.start, part.stop) for part in kept)
        warn_user(
            f"region is cut back to rows {y0}..{y1 - 1}, columns {x0}..{x1 - 1}: it must stay "
            f"{border} px (8 and the reach) inside the frame"
        )
    return kept, mask
