"""The fields that choose a network, and the work of looking into it."""

from __future__ import annotations

from pathlib import Path

from magicgui.widgets import ComboBox, FileEdit

from napari_motionmag.widgets.magnify.fields import MODELS, OWN_FILE


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
