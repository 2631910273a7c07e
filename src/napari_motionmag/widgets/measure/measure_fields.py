"""Fields that docks which measure displacement share."""

from __future__ import annotations

from collections.abc import Callable

from magicgui.widgets import ComboBox, SpinBox
from napari.layers import Points

from napari_motionmag.widgets.common.motion_fields import may_be_narrow

WHOLE = "the whole frame"


class _Whole:
    """Stands for the whole frame in a choice of layers."""

    def __str__(self) -> str:
        return WHOLE


class RegionFields:
    """Which region is measured.

    Parameters
    ----------
    layers : callable
        Returns the Shapes and Points layers to choose from.

    Attributes
    ----------
    marks : ComboBox
        A layer, or what stands for the whole frame; see `chosen`.
    side : SpinBox
        Of the square around a point.
    """

    def __init__(self, layers: Callable):
        whole = _Whole()
        self.marks = ComboBox(
            name="marks",
            label="Region",
            choices=lambda _: [whole, *layers()],
            nullable=False,
            tooltip="Shapes layer: its rectangles, polygons or ellipses. Points layer: a square "
            "around each point. What is selected in it, or all.",
        )
        self.side = SpinBox(
            name="side",
            label="Square (px)",
            value=21,
            min=5,
            max=999,
            tooltip="Side of the square around each point.",
        )
        may_be_narrow(self.marks.native)

    @property
    def chosen(self):
        """The layer, or None for the whole frame."""
        return None if self.marks.value is None or _is_whole(self.marks.value) else self.marks.value

    def show_what_applies(self) -> None:
        """Hide the side of squares unless there are points."""
        self.side.visible = isinstance(self.chosen, Points)


def _is_whole(value) -> bool:
    return isinstance(value, _Whole)
