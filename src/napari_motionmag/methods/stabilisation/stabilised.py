"""Small motion of things that move far: align, magnify what is left, put the large motion back."""

from __future__ import annotations

import hashlib
import math
import uuid
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_motionmag.compute.optional import optional
from napari_motionmag.methods.base import Method
from napari_motionmag.methods.option_field import checked
from napari_motionmag.methods.options import STABILISE
from napari_motionmag.methods.stabilisation.aligned_frames import AlignedFrames, FrameAligner
from napari_motionmag.methods.stabilisation.dense_motion import slow_below
from napari_motionmag.methods.stabilisation.masks import checked_mask

if TYPE_CHECKING:
    from napari_motionmag.temporal import TemporalOperator


class Stabilised(Method):
    """Magnify with another method what is left of the motion after alignment.

    Every frame that is needed is aligned to a reference, by one map of the plane for the whole
    frame or the part that a mask marks, or by the slow motion of each of its parts. The other
    method magnifies the motion left in the aligned frames. What it changed is carried back to where
    things are in each frame and added to the frame, so the large motion stays as it was, and what
    does not change is not resampled.

    Parameters
    ----------
    method : object
        Has ``magnify(frames, operator, times, factor)``, as all methods of this package.
    model : {"translation", "rigid", "affine", "dense"}
        What is taken for large motion and not magnified: shifts; and rotations; and stretch and
        shear; or a smooth field of displacements that follows the drift of every part.
    mask : array, optional
        The part of the scene that is followed and magnified, (Y, X) bool in the reference frame,
        or (T, Y, X) for each frame (labels count as True). `magnify` makes one
        of a napari layer. All when None: then what most of the frame does is large motion. Not
        for "dense".
    reference : int
        Frame number; negative ones count from the end. Not for "dense".
    align_to : {"reference", "current"}
        Whose pixels the aligned frames have. "reference": frames are aligned once for all output
        frames, but what has left the reference's field of view is not magnified; with "dense",
        to one of a few neighboring output frames, as many as the slow motion takes for a period.
        "current": each output frame has its own aligned frames: all of it is magnified, at the
        cost of aligning and magnifying anew every time.
    smooth : float
        Standard deviation, frames, of a Gaussian over the maps in time. 0 removes all motion of
        the model; with more, only slow motion is large motion, and fast shaking of the whole
        is magnified with the rest. "dense" follows motion below three quarters of the lowest
        frequency that the temporal operator selects when it is 0.
    feather : float
        px, over which what is aligned fades into the still surroundings, inwards from the borders
        of frames and of the mask.

    Raises
    ------
    ImportError
        Without scikit-image, which "dense" does not need.
    TypeError, ValueError
        If an option is not one of the above.

    Notes
    -----
    Where an aligned frame has no data, and outside of the mask, the frame aligned to stands in:
    it does not move, so it is not magnified.

    Draw the mask a few pixels larger than a thing on a plain background, so that its outline can
    move; and no larger than a thing on a background with texture, as what the mask takes in of
    that moves against the thing, and is magnified.

    Maps and fields are made when a frame is needed, and kept with the movie.

    "dense" registers each pair of neighboring frames once, by least squares in windows of 8 px from
    coarse to fine, and follows each point of the output frame through them. The positions are
    low-pass filtered in time: motion in the band is not followed. Neighboring output frames share
    aligned frames; a single one takes as many as the temporal operator needs.

    References
    ----------
    .. [1] M. Elgharib, M. Hefeeda, F. Durand, W. Freeman, "Video magnification in presence of
       large motions", CVPR 2015.
    """

    def __init__(
        self,
        method: Any,
        model: str = "translation",
        mask=None,
        reference: int = 0,
        *,
        align_to: str = "reference",
        smooth: float = 0.0,
        feather: float = 4.0,
    ):
        if model != "dense":
            optional("skimage.registration", "registration", "aligned movies")
        elif mask is not None:
            raise ValueError("mask must be None for model 'dense', which follows every part")
        if not callable(getattr(method, "magnify", None)):
            raise TypeError(f"method must have magnify(), got {method!r}")
        options = {
            "model": model,
            "reference": reference,
            "align_to": align_to,
            "smooth": smooth,
            "feather": feather,
        }
        vars(self).update(checked(STABILISE, options))
        self.method = method
        self.mask = checked_mask(mask)
        if mask is None:
            digest = ""
        elif isinstance(self.mask, np.ndarray) and self.mask.ndim == 2:
            digest = hashlib.sha256(np.packbits(self.mask != 0)).hexdigest()
        else:  # (T, Y, X), which may be large and lazy
            digest = uuid.uuid4().hex
        # the same for settings that align frames alike: what was aligned is kept under it
        self.token = (self.model, self.reference, self.smooth, self.feather, digest)

    @property
    def name(self) -> str:
        """Name of the method, with a mark."""
        return f"stabilised {getattr(self.method, 'name', type(self.method).__name__)}"

    def preparations(self) -> list:
        return getattr(self.method, "preparations", list)()

    @property
    def smallest_frame(self) -> int:
        """Shortest side of frames, px."""
        return max(16, getattr(self.method, "smallest_frame", 2))

    def _magnify(
        self,
        frames: Sequence[np.ndarray],
        operator: TemporalOperator,
        times: list[int],
        factor: float,
    ) -> np.ndarray:
        if self.model == "dense":
            cutoff = slow_below(operator, self.smooth)
            aligner, together = FrameAligner(self, frames, cutoff, times[0]), math.ceil(1 / cutoff)
        else:
            aligner, together = FrameAligner(self, frames), None
        if self.align_to == "current":
            together = 1
        groups: dict[int, list[int]] = {}  # by the frame whose pixels they are magnified in
        for t in times:
            pivot = aligner.reference
            if together is not None:
                pivot = min(t // together * together + together // 2, len(frames) - 1)
            groups.setdefault(pivot, []).append(t)
        results = []
        for pivot, group in groups.items():
            aligned = AlignedFrames(aligner, pivot, keep=group)
            magnified = self.method.magnify(aligned, operator, group, factor)
            for t, drawn in zip(group, magnified, strict=True):
                change = aligned.carry_back(t, drawn - aligned[t])
                results.append((aligner.frame(t) + change).astype(np.float32, copy=False))
        return np.stack(results)

    def transform(self, frames: Sequence[np.ndarray], t: int) -> np.ndarray:
        """Return the map (3, 3) from (y, x, 1) in the reference frame to frame t, px."""
        if self.model == "dense":
            raise ValueError("model 'dense' has a field of displacements, no map of the plane")
        aligner = FrameAligner(self, frames)
        return aligner.transform(int(t)) @ np.linalg.inv(aligner.transform(aligner.reference))
