"""The fields that choose a network."""

from __future__ import annotations

from pathlib import Path

from napari_motionmag.widgets.common.form import choice, weights_file
from napari_motionmag.widgets.magnify.fields import MODELS, OWN_FILE


class NetworkChoice:
    """The fields ``model`` and ``model_file``, which is shown if the weights are the user's own."""

    def __init__(self):
        models = [model for model in MODELS if model[1] != "default"]
        self.model = choice("model", "Network", models, "The network to look into.")
        self.model_file = weights_file()

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
        """The architecture of the network; ValueError if there are no such weights."""
        from napari_motionmag.methods.learned import weights

        return weights.read_card(weights.resolve(self.value))["model"]

    def show_what_applies(self) -> None:
        """Show the field for a file if one is needed."""
        self.model_file.visible = self.model.value == OWN_FILE
