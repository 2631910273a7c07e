"""The fields that choose a network."""

from __future__ import annotations

from pathlib import Path

from magicgui.widgets import ComboBox, FileEdit

from napari_motionmag.widgets.magnify.fields import MODELS, OWN_FILE, WEIGHTS_FILES


class NetworkChoice:
    """The fields that choose a network, as attributes.

    Attributes
    ----------
    model : ComboBox
    model_file : FileEdit
        Shown if the weights are the user's own.
    """

    def __init__(self):
        self.model = ComboBox(
            name="model",
            label="Network",
            choices=[choice for choice in MODELS if choice[1] != "default"],
            tooltip="The network to look into.",
        )
        self.model_file = FileEdit(
            name="model_file",
            label="Weights file",
            mode="r",
            filter=WEIGHTS_FILES,
            tooltip="A .safetensors file with weights of either network, or a published "
            "checkpoint of Oh et al.: a file of TensorFlow's, or a state dict of PyTorch.",
        )

    @property
    def value(self) -> str | Path:
        """The network, as the functions of `views` take it."""
        return Path(self.model_file.value) if self.model.value == OWN_FILE else self.model.value

    @property
    def name(self) -> str:
        """The network in the names of layers."""
        chosen = self.value
        return chosen if isinstance(chosen, str) else chosen.stem

    @property
    def kind(self) -> str:
        """The architecture of the network.

        Raises
        ------
        ValueError
            If there are no such weights.
        """
        from napari_motionmag.methods.learned import weights

        return weights.read_card(weights.resolve(self.value))["model"]

    def show_what_applies(self) -> None:
        """Show the field for a file if one is needed."""
        self.model_file.visible = self.model.value == OWN_FILE
