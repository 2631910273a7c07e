"""Fields for a factor of its own for each painted part of the frame."""

from __future__ import annotations

import re
from collections.abc import Callable

from napari_motionmag.widgets.common.form import CollapsibleSection, choice, line_edit, number

_FACTOR = r"-?(?:\d+\.?\d*|\.\d+)"


class PaintedFactors(CollapsibleSection):
    """Where the factor counts, ``painted``, and what counts elsewhere: ``factor_map``.

    ``layers()`` returns the layers to choose from.
    """

    def __init__(self, layers: Callable):
        self.painted = choice(
            "painted",
            "Painted",
            layers,
            "Labels or Shapes layer: the factor counts where it is painted. Without one, it counts "
            "everywhere.",
            nullable=True,
        )
        self.label_factors = line_edit(
            "label_factors",
            "Labels",
            "Factors of single labels, as 2: 5, 3: 0. Labels without one have the factor above.",
        )
        self.rest = number(
            "rest",
            "The factor where nothing is painted. 1 leaves the movie as it is there; 0 holds it "
            "still, with Static to the last bit: a cinemagraph.",
            label="Elsewhere",
            value=1,
            low=-1000,
            high=1000,
            prefix="x ",
        )
        self.map_feather = number(
            "map_feather",
            "Width over which the factor changes, inside of what is painted. It should be wider "
            "than the magnified motion.",
            label="Soft edge",
            value=8,
            high=1000,
            decimals=1,
            suffix=" px",
        )
        fields = [self.painted, self.label_factors, self.rest, self.map_feather]
        tooltip = "Magnify what is painted, and hold still or leave what is not."
        super().__init__("Painted factors", fields, name="painted_factors", tooltip=tooltip)
        self.painted.changed.connect(self._show_what_applies)
        self._show_what_applies()

    def factor_map(self) -> dict | None:
        """Return the argument of `magnify`, with a layer as labels; None if none is chosen."""
        if self.painted.value is None:
            return None
        return {
            "labels": self.painted.value,
            "factors": factors_in(self.label_factors.value),
            "rest": self.rest.value,
            "feather": self.map_feather.value,
        }

    def _show_what_applies(self, _=None) -> None:
        layer = self.painted.value
        for field in self.parameters[1:]:
            field.visible = layer is not None
        self.label_factors.visible = layer is not None and not hasattr(layer, "to_masks")
        self.note = "" if layer is None else layer.name


def factors_in(text: str) -> dict[int, float]:
    """Read factors of labels, as ``"2: 5, 3: 0"``; ValueError if they are written otherwise."""
    factors = {}
    for part in filter(str.strip, re.split("[,;]", text)):
        found = re.fullmatch(rf"\s*(\d+)\s*[:=]\s*[x×]?\s*({_FACTOR})\s*", part)
        if found is None:
            raise ValueError(f"Labels must be like 2: 5, 3: 0, got {part.strip()!r}")
        factors[int(found[1])] = float(found[2])
    return factors
