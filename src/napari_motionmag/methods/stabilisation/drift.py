"""Slow motion that is too large for a filter that acts on pixels, found before it does harm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from napari_motionmag.methods.base import warn_once
from napari_motionmag.methods.stabilisation import dense_motion
from napari_motionmag.movie.color import luma
from napari_motionmag.temporal import TemporalOperator

__all__ = ["warn_of_drift"]

_FAR = 1.0  # px
_SIDE = 128  # px, longer side of the frames that are looked at
_ALIKE = 0.6  # correlation from which frames show the same scene


def warn_of_drift(frames: Sequence[np.ndarray], operator: TemporalOperator, t: int) -> None:
    """Warn once if what a band-pass filter sees around frame `t` drifts by pixels."""
    if operator.band is None:
        return
    key = ("drift", operator, frames.series)
    drift = frames.cache.get(key, lambda: _drift(frames, operator, t))
    if drift > _FAR:
        warn_once(
            frames,
            "drift",
            f"the scene drifts by at least {drift:.1f} px within the window of the filter: motion "
            "of structures that are not much wider is magnified by less than the factor; "
            "stabilise='dense' follows the drift",
        )


def _drift(frames: Sequence[np.ndarray], operator: TemporalOperator, t: int) -> float:
    """How far structure moves between three moments of the filter's window, px; 0 if unknown.

    Each moment is two frames half a period of the band apart, so that motion in the band cancels.
    """
    needed = operator.row(t, len(frames))[0]
    apart = max(1, round(operator.fps / sum(operator.band)))
    if needed[-1] - needed[0] <= apart:
        return 0.0
    starts = np.linspace(needed[0], needed[-1] - apart, 3)
    moments = [
        [int(needed[np.abs(needed - at).argmin()]) for at in (start, start + apart)]
        for start in starts
    ]

    def grey(k: int) -> np.ndarray:
        frame = frames[k]
        return np.nan_to_num(frame if frame.ndim == 2 else luma(frame), posinf=0.0, neginf=0.0)

    home = moments[1][0]
    halvings = max(int(np.ceil(np.log2(max(grey(home).shape) / _SIDE))), 0)
    images = {k: dense_motion.pyramid(grey, k, halvings) for moment in moments for k in moment}
    still, fields = images[home][0], {}
    for k, others in images.items():
        fields[k] = dense_motion.registered(images[home], others)
        at = np.indices(still.shape) + dense_motion.spread(
            fields[k], still.shape, dense_motion.CELL
        )
        found = ndimage.map_coordinates(others[0], at, order=1, mode="mirror")
        power = (still * still).sum() * (found * found).sum()
        if power == 0 or (still * found).sum() < _ALIKE * np.sqrt(power):
            return 0.0
    moved = np.stack([(fields[a] + fields[b]) / 2 for a, b in moments])
    reach = np.hypot(*(moved.max(0) - moved.min(0)))
    texture = dense_motion.around(sum(part**2 for part in np.gradient(still)))
    return float(2**halvings * np.sqrt((texture * reach**2).sum() / texture.sum()))
