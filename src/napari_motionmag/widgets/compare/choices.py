"""What can be compared: the movie itself and each method, with each of its networks."""

from __future__ import annotations

from dataclasses import dataclass

from napari_motionmag.methods.registry import METHODS

OWN_FILE = "file"  # stands for a network from a file of the user's


@dataclass(frozen=True)
class Pane:
    """One picture of a comparison.

    Attributes
    ----------
    name : str
        What it is called in the names of layers, for example ``"learned oh2018"``.
    label, help : str
        What it is called where it is chosen, and what it is.
    method : str
        A name in `METHODS`; empty for the movie as it is.
    model : str
        Which network, for the learned method.
    chosen : bool
        Whether it is compared unless the user says otherwise.
    """

    name: str
    label: str
    help: str
    method: str = ""
    model: str = "default"
    chosen: bool = False

    @property
    def key(self) -> str:
        """The name as one word."""
        return self.name.replace(" ", "_")


ORIGINAL = Pane("original", "Original", "The movie as it is.", chosen=True)
_KNOWN = {
    "learned": [
        Pane("learned", "Learned", "The default network.", "learned", chosen=True),
        Pane(
            "learned difference",
            "Learned, difference",
            "The difference network.",
            "learned",
            "difference",
        ),
        Pane(
            "learned oh2018",
            "Learned, Oh 2018",
            "The network of Oh et al. (ECCV 2018).",
            "learned",
            "oh2018",
        ),
        Pane(
            "learned own",
            "Learned, own file",
            "The weights file that is chosen with method Learned, model “From a file…”.",
            "learned",
            OWN_FILE,
        ),
    ],
    "phase": [
        Pane(
            "phase",
            "Phase",
            "Phases of a complex steerable pyramid (Wadhwa et al. 2013).",
            "phase",
            chosen=True,
        )
    ],
    "riesz": [
        Pane(
            "riesz",
            "Riesz",
            "Phases of a Riesz pyramid (Wadhwa et al. 2014).",
            "riesz",
            chosen=True,
        )
    ],
    "linear": [
        Pane(
            "linear",
            "Linear",
            "Linear Eulerian method (Wu et al. 2012).",
            "linear",
            chosen=True,
        )
    ],
    "lagrangian": [
        Pane(
            "lagrangian",
            "Lagrangian",
            "Optical flow and warping (after Liu et al. 2005). Takes longest.",
            "lagrangian",
        )
    ],
}


def panes() -> list[Pane]:
    """Return all that can be compared, the movie itself first."""
    found = [ORIGINAL]
    for method in METHODS:
        found += _KNOWN.get(method) or [Pane(method, method.capitalize(), "", method)]
    return found


def pane_name(source: str, pane: Pane, factor: float) -> str:
    """Return the name of a layer, for example ``"phase x10: cell"``.

    What differs comes first: names are cut off at the end where they are drawn.
    """
    return f"{pane.name} x{factor:g}: {source}"


def summary(failures: list[tuple[Pane, str]], attempted: int) -> list[str]:
    """Return the messages of what failed, each once, with the names of those that it befell.

    Parameters
    ----------
    failures : list of (Pane, str)
        What failed, with its message.
    attempted : int
        How many were tried: what befell all of them needs no names.
    """
    names: dict[str, list[str]] = {}
    for pane, message in failures:
        names.setdefault(message, []).append(pane.label)
    return [
        message if len(who) == attempted else f"{' and '.join(who)}: {message}"
        for message, who in names.items()
    ]
