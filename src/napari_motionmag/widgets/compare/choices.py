"""What can be compared: the movie itself and each method, with each of its networks."""

from __future__ import annotations

from dataclasses import dataclass

from napari_motionmag.methods.base import METHODS

OWN_FILE = "file"  # stands for a network from a file of the user's


@dataclass(frozen=True)
class Choice:
    """One picture of a comparison."""

    name: str  # in the names of layers, for example "learned oh2018"
    label: str  # where it is chosen
    help: str = ""
    method: str = ""  # a name in `METHODS`; empty for the movie as it is
    model: str = "default"  # network of the learned method
    chosen: bool = False  # whether it is compared by default

    @property
    def key(self) -> str:
        """The name as one word."""
        return self.name.replace(" ", "_")


ORIGINAL = Choice("original", "Original", "The movie as it is.", chosen=True)
_DIFFERENCE = "The difference network."
_PHASE = "Complex steerable pyramid (Wadhwa et al. 2013)."
_OWN = "The weights file that is chosen with method Learned, model “From a file…”."
_LAGRANGIAN = "Optical flow and warping (after Liu et al. 2005). The slowest."
_KNOWN = [
    Choice("learned", "Learned", "The default network.", "learned", chosen=True),
    Choice("learned difference", "Learned, difference", _DIFFERENCE, "learned", "difference"),
    Choice("learned oh2018", "Learned, Oh 2018", "Oh et al. (ECCV 2018).", "learned", "oh2018"),
    Choice("learned own", "Learned, own file", _OWN, "learned", OWN_FILE),
    Choice("phase", "Phase", _PHASE, "phase", chosen=True),
    Choice("riesz", "Riesz", "Riesz pyramid (Wadhwa et al. 2014).", "riesz", chosen=True),
    Choice("linear", "Linear", "Linear Eulerian (Wu et al. 2012).", "linear", chosen=True),
    Choice("lagrangian", "Lagrangian", _LAGRANGIAN, "lagrangian"),
]


def choices() -> list[Choice]:
    """Return all that can be compared, the movie itself first."""
    available = [ORIGINAL]
    for method in METHODS:
        known = [choice for choice in _KNOWN if choice.method == method]
        available += known or [Choice(method, method.capitalize(), method=method)]
    return available


def summary(failures: list[tuple[Choice, str]], attempted: int) -> list[str]:
    """Return the messages of what failed, each once, with the names of those that failed so.

    A message that all of the attempts failed with needs no names.
    """
    names: dict[str, list[str]] = {}
    for choice, message in failures:
        names.setdefault(message, []).append(choice.label)
    return [
        message if len(labels) == attempted else f"{' and '.join(labels)}: {message}"
        for message, labels in names.items()
    ]
