"""Fields for large motion that is kept as it is while small motion is magnified."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from magicgui.widgets import ComboBox, Widget

from napari_motionmag.methods.options import STABILISE
from napari_motionmag.widgets.common.collapsible import CollapsibleSection
from napari_motionmag.widgets.common.motion_fields import may_be_narrow
from napari_motionmag.widgets.magnify.method_options import OptionFields

MODELS = [
    ("None", ""),
    ("Translation", "translation"),
    ("Rigid: translation and rotation", "rigid"),
    ("Affine: stretch and shear, too", "affine"),
    ("Dense: slow drift of every part", "dense"),
]


class Stabilisation(CollapsibleSection):
    """How large motion is followed, and of which part of the scene.

    Parameters
    ----------
    masks : callable
        Returns the layers to choose from.

    Attributes
    ----------
    stabilise, mask : ComboBox
    finer : OptionFields
        The other options.
    """

    def __init__(self, masks: Callable):
        self.stabilise = ComboBox(
            name="stabilise",
            label="Stabilise",
            choices=MODELS,
            value="",
            tooltip="Large motion, of the stage or of a cell as a whole, breaks magnification. "
            "When it is followed, it stays in the result as it is, and only motion besides it is "
            "magnified.",
        )
        self.mask = ComboBox(
            name="mask",
            label="Mask",
            choices=masks,
            nullable=True,
            tooltip="Labels or Shapes layer that marks what is followed and magnified; painted in "
            "one frame or in all. Without one, the whole frame is.",
        )
        finer = [option for option in STABILISE if option.name != "model"]
        self.finer = OptionFields(finer, "stabilise")
        self.finer.fields["smooth"].native.setSpecialValueText("any")
        rows = [self.stabilise, self.mask, *self.finer.fields.values()]
        super().__init__(
            "Large motion",
            rows,
            name="large_motion",
            tooltip="What moves as a whole, by more than a pixel or two.",
        )
        for field in (self.stabilise, self.mask):
            field.native.setObjectName(field.name)
            may_be_narrow(field.native)
        for row in rows:
            row.changed.connect(self.show)
        self.show()

    @property
    def parameters(self) -> list[Widget]:
        """All fields."""
        return list(self.body)

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

    def show(self, _=None) -> None:
        """Show what applies."""
        self.mask.visible = self.stabilise.value not in ("", "dense")
        for name, field in self.finer.fields.items():
            field.visible = bool(self.stabilise.value) and self._applies(name)
        self.note = self.stabilise.value

    def _applies(self, name: str) -> bool:
        """Whether an option has a meaning with the chosen model and mask."""
        if self.stabilise.value == "dense":
            return name in ("align_to", "smooth")
        return name != "feather" or self.mask.value is not None
