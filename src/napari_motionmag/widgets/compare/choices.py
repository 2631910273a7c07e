"""What can be compared: the movie itself and each method, with each of its networks."""

from __future__ import annotations

from dataclasses import dataclass

from napari_motionmag.methods.options import METHODS

OWN_FILE = "file"  # stands for a network from a file of the user's


@dataclass(frozen=True)
class Choice:
    """One picture of a comparison.

    Attributes
    ----------
    name : str
        In the names of layers, for example ``"learned oh2018"``.
    label, help : str
        Where it is chosen.
    method : str
        A name in `METHODS`; empty for the movie as it is.
    model : str
        Network of the learned method.
    chosen : bool
        Whether it is compared by default.
    """

    name: str
    label: str
    help: str = ""
    method: str = ""
    model: str = "default"
    chosen: bool = False

    @property
    def key(self) -> str:
        """The name as one word."""
        return self.name.replace(" ", "_")


ORIGINAL = Choice("original", "Original", "The movie as it is.", chosen=True)
_OWN = "The weights file that is chosen with method Learned, model “From a file…”."
_OH2018 = "The network of Oh et al. (ECCV 2018)."
_LAGRANGIAN = "Optical flow and warping (after Liu et al. 2005). The slowest."
_KNOWN = [
    Choice("learned", "Learned", "The default network.", "learned", chosen=True),
    Choice(
        "learned difference",
        "Learned, difference",
        "The difference network.",
        "learned",
        "difference",
    ),
    Choice("learned oh2018", "Learned, Oh 2018", _OH2018, "learned", "oh2018"),
    Choice("learned own", "Learned, own file", _OWN, "learned", OWN_FILE),
    Choice(
        "phase", "Phase", "Complex steerable pyramid (Wadhwa et al. 2013).", "phase", chosen=True
    ),
    Choice("riesz", "Riesz", "Riesz pyramid (Wadhwa et al. 2014).", "riesz", chosen=True),
    Choice("linear", "Linear", "Linear Eulerian (Wu et al. 2012).", "linear", chosen=True),
    Choice("lagrangian", "Lagrangian", _LAGRANGIAN, "lagrangian"),
]


def choices() -> list[Choice]:
    """Return all that can be compared, the movie itself first."""
    found = [ORIGINAL]
    for method in METHODS:
        known = [choice for choice in _KNOWN if choice.method == method]
        found += known or [Choice(method, method.capitalize(), method=method)]
    return found


def layer_name(source: str, choice: Choice, factor: float) -> str:
    """Return the name of a layer, for example ``"phase x10: cell"``.

    What differs comes first: long names are cut off at the end.
    """
    return f"{choice.name} x{factor:g}: {source}"


def summary(failures: list[tuple[Choice, str]], attempted: int) -> list[str]:
    """Return the messages of what failed, each once, with the names of those that failed so.

    Parameters
    ----------
    failures : list of (Choice, str)
        What failed, with its message.
    attempted : int
        How many were tried: what all of them failed with needs no names.
    """
    names: dict[str, list[str]] = {}
    for choice, message in failures:
        names.setdefault(message, []).append(choice.label)
    return [
        message if len(labels) == attempted else f"{' and '.join(labels)}: {message}"
        for message, labels in names.items()
    ]
