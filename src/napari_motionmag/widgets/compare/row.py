"""The part of the widget "Magnify motion" that compares methods."""

from __future__ import annotations

from collections.abc import Sequence

from magicgui.widgets import CheckBox, Container, PushButton

from napari_motionmag.widgets.compare.choices import Pane, panes


class CompareRow(Container):
    """Buttons to compare methods and to end that, and a choice of methods that opens.

    Attributes
    ----------
    compare, end, choose : PushButton
    ticks : dict of str to CheckBox
        By the key of the pane.
    keep : CheckBox
        Whether layers are kept at the end.
    """

    def __init__(self):
        self.compare = PushButton(
            name="compare",
            text="Compare methods",
            tooltip="Show the movie magnified by several methods side by side, with the settings "
            "above. A change of the settings changes all of them. Layers of an earlier comparison "
            "are replaced.",
        )
        self.end = PushButton(
            name="end_comparison",
            text="End comparison",
            tooltip="Show the layers and the grid as they were before.",
        )
        self.choose = PushButton(
            name="choose_methods", text="Which ▸", tooltip="Which methods are compared."
        )
        self._panes = panes()
        self.ticks = {pane.key: _tick(pane) for pane in self._panes}
        self.keep = CheckBox(
            name="keep_compared",
            text="Keep the layers at the end",
            tooltip="Otherwise the layers are removed when the comparison ends, but for those "
            "that you have named.",
        )
        half = -(-len(self.ticks) // 2)
        boxes = list(self.ticks.values())
        columns = [Container(widgets=part, labels=False) for part in (boxes[:half], boxes[half:])]
        choice = Container(widgets=columns, layout="horizontal", labels=False)
        buttons = Container(
            widgets=[self.compare, self.end, self.choose], layout="horizontal", labels=False
        )
        self._choice = Container(widgets=[choice, self.keep], labels=False, visible=False)
        super().__init__(widgets=[buttons, self._choice], labels=False, name="compare_row")
        for part in (self, *columns, choice, buttons, self._choice):
            part.margins = (0, 0, 0, 0)
        for field in (self.compare, self.end, self.choose, self.keep):
            field.native.setObjectName(field.name)
        self.choose.changed.connect(self._open)
        self.show(comparing=False)

    def chosen(self) -> list[Pane]:
        """Return what is to be compared."""
        return [pane for pane in self._panes if self.ticks[pane.key].value]

    def choose_methods(self, keys: Sequence[str]) -> None:
        """Tick these and no others.

        Raises
        ------
        ValueError
            When there is no such method.
        """
        unknown = sorted(set(keys) - set(self.ticks))
        if unknown:
            raise ValueError(f"methods must be some of {list(self.ticks)}, got {unknown}")
        for key, box in self.ticks.items():
            box.value = key in keys

    def show(self, comparing: bool) -> None:
        """Offer what can be done now."""
        self.end.visible = comparing
        self.compare.text = "Compare again" if comparing else "Compare methods"

    def _open(self, _=None) -> None:
        opened = not self._choice.visible
        self._choice.visible = opened
        self.choose.text = "Which ▾" if opened else "Which ▸"


def _tick(pane: Pane) -> CheckBox:
    box = CheckBox(
        name=f"compare_{pane.key}", text=pane.label, value=pane.chosen, tooltip=pane.help
    )
    box.native.setObjectName(box.name)
    return box
