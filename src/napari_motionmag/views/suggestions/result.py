"""What `suggest` returns: magnifications that show a motion, and the motion that was found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class FoundMotion:
    """An oscillation that was found.

    Attributes
    ----------
    frequency, sigma_frequency : float
        Of the fundamental, Hz; cycles per frame where the frame rate is unknown.
    amplitude : float
        Half of peak to peak, px, of the windows that move most: a tenth moves more.
    share : float
        Of the frame that moves so, by a tenth of the largest amplitude or more.
    harmonics : int
        Largest multiple of the frequency that is seen, 1 for a sinusoid.
    """

    frequency: float
    sigma_frequency: float
    amplitude: float
    share: float
    harmonics: int


@dataclass(frozen=True)
class Suggestion:
    """A magnification that shows a motion.

    Attributes
    ----------
    title, text : str
        A few words, and a sentence or two.
    settings : dict
        Arguments of :func:`napari_motionmag.magnify`.
    motion : FoundMotion or None
        The oscillation that it shows; None for all motion.
    limit : float
        Factor above which noise alone moves by more than 1 px in a tenth of what moves.
    picture : ndarray of uint8, shape (Y, X, 3)
        Thumbnail: the mean frame, what moves in color, and the region.
    """

    title: str
    text: str
    settings: dict[str, Any]
    motion: FoundMotion | None
    limit: float
    picture: np.ndarray = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, without the picture; a reference is a list of frames."""
        settings = dict(self.settings)
        for name in ("band", "region"):
            if name in settings:
                settings[name] = list(settings[name])
        if isinstance(settings.get("reference"), slice):
            reference = settings["reference"]
            settings["reference"] = list(range(reference.start, reference.stop))
        motion = None if self.motion is None else vars(self.motion)
        return {
            "title": self.title,
            "text": self.text,
            "settings": settings,
            "motion": motion and dict(motion),
            "limit": self.limit,
        }


@dataclass(frozen=True)
class Suggestions(Sequence):
    """A list of suggestions, the most visible motion first.

    Attributes
    ----------
    items : list of Suggestion
    motions : list of FoundMotion
        All oscillations that were found.
    notes : list of str
        What else a user should know: why nothing is suggested, motion that is too large, changes
        of light.
    frequencies, spectrum : ndarray
        Amplitude, px, at frequencies in Hz or cycles per frame: what stands out from the noise,
        root of the sum of squares over all windows.
    """

    items: list[Suggestion]
    motions: list[FoundMotion]
    notes: list[str]
    frequencies: np.ndarray = field(repr=False, compare=False)
    spectrum: np.ndarray = field(repr=False, compare=False)

    def __getitem__(self, index):
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "suggestions": [one.to_dict() for one in self.items],
            "motions": [dict(vars(one)) for one in self.motions],
            "notes": list(self.notes),
        }
