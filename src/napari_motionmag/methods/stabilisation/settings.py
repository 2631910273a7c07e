"""What is followed, and how: the settings of an alignment."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["AlignmentSettings"]


@dataclass(frozen=True, eq=False)
class AlignmentSettings:
    """Settings that `FrameAligner` follows; those of `Stabilised` that align frames.

    Attributes
    ----------
    name : str
        Name of the method in messages.
    smallest_frame : int
        Shortest side of frames, px.
    token : tuple
        The same for settings that align frames alike; what was aligned is kept under it.
    """

    model: str
    mask: Any
    reference: int
    smooth: float
    feather: float
    name: str
    smallest_frame: int
    token: tuple = field(init=False)

    def __post_init__(self):
        mask = self.mask
        if mask is None:
            digest = ""
        elif isinstance(mask, np.ndarray) and mask.ndim == 2:
            digest = hashlib.sha256(np.packbits(mask != 0)).hexdigest()
        else:  # (T, Y, X), which may be large and lazy
            digest = uuid.uuid4().hex
        token = (self.model, self.reference, self.smooth, self.feather, digest)
        object.__setattr__(self, "token", token)
