"""The fields that choose a network, and the work of looking into it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from magicgui.widgets import ComboBox, FileEdit

from napari_motionmag.widgets.common.jobs import Cancelled, steps_of
from napari_motionmag.widgets.magnify.fields import MODELS, OWN_FILE

PERCENT = 100


class NetworkChoice:
    """Fields, as attributes.

    Attributes
    ----------
    model : ComboBox
    model_file : FileEdit
        Shown where the weights are the user's own.
    """

    def __init__(self):
        self.model = ComboBox(
            name="model",
            label="Network",
            choices=[choice for choice in MODELS if choice[1] != "default"],
            tooltip="Which network is looked into.",
        )
        self.model_file = FileEdit(
            name="model_file",
            label="Weights file",
            mode="r",
            filter="*.safetensors",
            tooltip="A .safetensors file with weights of either network.",
        )

    @property
    def value(self) -> str | Path:
        """The network, as the functions of `views` take it."""
        return Path(self.model_file.value) if self.model.value == OWN_FILE else self.model.value

    @property
    def kind(self) -> str:
        """Which architecture it has.

        Raises
        ------
        ValueError
            When there are no such weights.
        """
        from napari_motionmag.methods.learned import weights

        return weights.read_card(weights.resolve(self.value))["model"]

    def show_what_applies(self) -> None:
        """Show the field for a file where one is needed."""
        self.model_file.visible = self.model.value == OWN_FILE


def percent_of(function: Callable, cancelled: threading.Event) -> Iterator[int]:
    """Make an iterator of PERCENT steps of a function.

    Parameters
    ----------
    function : callable
        Called in a thread of its own as ``function(tell)``; calls ``tell(done, total)`` as often
        as it likes.
    cancelled : threading.Event
        Once it is set, the next of these calls raises `Cancelled`.
    """

    def work(progress: Callable) -> None:
        told = 0

        def tell(done: int, total: int) -> None:
            nonlocal told
            if cancelled.is_set():
                raise Cancelled
            while told < PERCENT * done // max(total, 1):
                told += 1
                progress(told, PERCENT)

        function(tell)

    return steps_of(work, cancelled)
