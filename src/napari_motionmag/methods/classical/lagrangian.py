"""Lagrangian magnification: measure the motion, then draw the frame with more of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from napari_motionmag.compute.optional import optional
from napari_motionmag.methods.base import Method
from napari_motionmag.methods.classical.image_warp import draw_displaced
from napari_motionmag.methods.classical.optical_flow import FlowEstimator
from napari_motionmag.methods.classical.planes import PlaneReader
from napari_motionmag.methods.option_field import check_options
from napari_motionmag.methods.options import LagrangianOptions
from napari_motionmag.temporal.streaming import weights_by_frame

if TYPE_CHECKING:
    from napari_motionmag.temporal import TemporalOperator

#: Gradient energy, of the mean over the frame, below which a pixel does not move.
_RIDGE = 1e-3


@dataclass(frozen=True)
class LagrangianMagnifier(LagrangianOptions, Method):
    """Magnify motion by dense optical flow and drawing every point displaced.

    For an output frame t the flow from t to each frame that the temporal operator needs is
    measured; the operator on these flows is the selected displacement Delta of every point of
    frame t. It is smoothed, and the frame is drawn with each point displaced by
    ``(factor - 1) Delta``. Nothing is added to the intensities: noise is moved, not multiplied.

    Parameters
    ----------
    flow : {"ilk", "tvl1"}
        Algorithm of scikit-image that finds the flow: "ilk" (iterative Lucas-Kanade) is smooth
        and takes little time, "tvl1" (total variation) has sharper edges between things that
        move differently, and takes three times as long.
    radius : int, optional
        px, of the neighborhood that is taken to move together: larger for noisy movies,
        smaller for small things. When None, 5 for "ilk" and 3 for "tvl1".
    blur : float
        Standard deviation, px, of the Gaussian over the frames before the flow is measured.
    sigma : float
        Standard deviation, px, of the Gaussian that smooths the displacement, weighted by the
        texture that it was measured on.
    direction : float, optional
        Magnify motion along this direction only, degrees: 0 is along x, 90 along y.
    order : int
        Of the spline that interpolates the frame, 1 to 5.

    Raises
    ------
    ImportError
        Without scikit-image.
    ValueError
        If an option is not one of the above.

    Notes
    -----
    It takes as many flows for an output frame as the operator needs frames: static and dynamic
    take one, a band-pass some tens. Motion to and fro between two frames that the operator needs
    may be of any size that the flow algorithm can follow, some tens of pixels.

    The frame is drawn as a rubber sheet: at the edge of a moving object, the background is
    dragged along within about `radius`. Where the sheet folds, what moves more lies in front;
    where it tears, the background is mirrored into the gap.

    References
    ----------
    .. [1] C. Liu, A. Torralba, W. Freeman, F. Durand, E. Adelson, "Motion magnification", ACM
       Trans. Graph. 24(3), 2005.
    .. [2] G. Le Besnerais, F. Champagnat, "Dense optical flow by iterative local window
       registration", ICIP 2005.
    .. [3] J. Sanchez Perez, E. Meinhardt-Llopis, G. Facciolo, "TV-L1 optical flow estimation",
       Image Processing On Line 3, 2013.
    """

    smallest_frame = 16  # px; the coarsest image that scikit-image looks at

    def __post_init__(self):
        optional("skimage.registration", "registration", "Lagrangian methods")
        check_options(self)
        if self.radius is None:
            vars(self)["radius"] = 5 if self.flow == "ilk" else 3

    def _magnify(self, frames, operator, times, factor):
        reader = PlaneReader(frames, "pass")
        reader.size(times[0], self)
        out = np.empty((len(times), *reader.shape), np.float32)
        for n, (t, delta) in enumerate(self._displacements(reader, operator, times, len(frames))):
            frame = reader.read(t)
            if self.direction is not None:
                angle = math.radians(self.direction)
                axis = np.array([math.sin(angle), math.cos(angle)], np.float32)
                delta = axis[:, None, None] * np.tensordot(axis, delta, 1)
            out[n] = self._draw(frame, (factor - 1) * delta) if delta.any() else frame
        return out

    def _draw(self, frame: np.ndarray, displacement: np.ndarray) -> np.ndarray:
        bad = ~np.isfinite(frame)
        if not bad.any():
            return draw_displaced(frame, displacement, self.order)
        # one such value would spread over the whole spline; the reader has warned of it
        filled = np.where(bad, frame[~bad].mean(dtype=np.float64), frame)
        return np.where(bad, frame, draw_displaced(filled, displacement, self.order))

    def _displacements(
        self, reader: PlaneReader, operator: TemporalOperator, times: list[int], n_frames: int
    ):
        """Yield each output frame and the displacement (2, Y, X) selected in it, px."""
        estimator = FlowEstimator(self.flow, self.radius, self.blur)
        rows = {t: operator.row(t, n_frames) for t in times}
        current = {t: estimator.prepare(reader.planes(t, hold=True)[0]) for t in times}
        delta = {t: np.zeros((2, *image.shape), np.float32) for t, image in current.items()}
        # each frame is read once, and held no longer than needed
        for index, users in weights_by_frame(rows).items():
            if index in current:
                there = current[index]
            else:
                there = estimator.prepare(reader.planes(index, hold=False)[0])
            for t, weight in users:
                # Weights sum to zero: the operator on positions is that on flows from t.
                delta[t] += np.float32(weight) * estimator.flow(current[t], there)
        for t in times:
            yield t, self._smooth(delta.pop(t), estimator.confidence(current.pop(t)))

    def _smooth(self, delta: np.ndarray, confidence: np.ndarray) -> np.ndarray:
        """Average over a neighborhood, weighted by confidence; 0 where there is none."""
        if not delta.any():
            return delta

        def around(values):
            if self.sigma == 0:
                return values
            return ndimage.gaussian_filter(values, self.sigma, mode="mirror")

        mass = around(confidence) + _RIDGE * confidence.mean() + np.finfo(np.float32).tiny
        return np.stack([around(part * confidence) / mass for part in delta])
