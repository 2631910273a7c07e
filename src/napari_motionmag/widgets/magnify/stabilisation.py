"""Fields for large motion that is kept as it is while small motion is magnified."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from napari_motionmag.methods.options import STABILISE
from napari_motionmag.widgets.common.form import CollapsibleSection, choice
from napari_motionmag.widgets.magnify.method_options import OptionFields

MODELS = [
    ("None", ""),
    ("Translation", "translation"),
    ("Rigid: translation and rotation", "rigid"),
    ("Affine: stretch and shear, too", "affine"),
    ("Dense: slow drift of every part", "dense"),
]


class Stabilisation(CollapsibleSection):
    """How large motion is followed, ``stabilise``, and of which part of the scene, ``mask``.

    ``masks()`` returns the layers to choose from; ``finer`` holds the other options.
    """

    def __init__(self, masks: Callable):
        self.stabilise = choice(
            "stabilise",
            "Stabilise",
            MODELS,
            "Large motion, of the stage or of a cell as a whole, breaks magnification. When it is "
            "followed, it stays in the result as it is, and only motion besides it is magnified.",
            value="",
        )
        self.mask = choice(
            "mask",
            "Mask",
            masks,
            "Labels or Shapes layer that marks what is followed and magnified; painted in one "
            "frame or in all. Without one, the whole frame is.",
            nullable=True,
        )
        self.finer = OptionFields([x for x in STABILISE if x.name != "model"], "stabilise")
        self.finer.fields["smooth"].native.setSpecialValueText("any")
        rows = [self.stabilise, self.mask, *self.finer.fields.values()]
        tooltip = "What moves as a whole, by more than a pixel or two."
        super().__init__("Large motion", rows, name="large_motion", tooltip=tooltip)
        for row in rows:
            row.changed.connect(self._show_what_applies)
        self._show_what_applies()

    def values(self) -> dict:
        """Return the arguments of `magnify`; the mask is a layer."""
        model = self.stabilise.value
        if not model:
            return {}
        finer = {name: value for name, value in self.finer.values().items() if self._applies(name)}
        arguments = {"stabilise": {"model": model, **finer} if finer else model}
        if self.mask.value is not None and model != "dense":
            arguments["mask"] = self.mask.value
        return arguments

    def fill(self, stabilise: str | Mapping | None) -> None:
        """Set the fields to the argument `stabilise` of `magnify`."""
        given = dict(stabilise) if isinstance(stabilise, Mapping) else {"model": stabilise or ""}
        self.stabilise.value = given.pop("model", MODELS[1][1])
        self.finer.fill(given)

    def _show_what_applies(self, _=None) -> None:
        self.mask.visible = self.stabilise.value not in ("", "dense")
        for name, field in self.finer.fields.items():
            field.visible = bool(self.stabilise.value) and self._applies(name)
        self.note = self.stabilise.value

    def _applies(self, name: str) -> bool:
        """Whether an option has a meaning with the chosen model and mask."""
        if self.stabilise.value == "dense":
            return name in ("align_to", "smooth")
        return name != "feather" or self.mask.value is not None
