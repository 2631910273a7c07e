"""The part of the dock "Magnify motion" that compares methods."""

from __future__ import annotations

from collections.abc import Sequence

from magicgui.widgets import CheckBox, Container, PushButton

from napari_motionmag.widgets.compare.choices import Choice, choices


class CompareRow(Container):
    """Buttons that begin and end a comparison, and a choice of methods that opens.

    Attributes
    ----------
    compare, end, choose : PushButton
    ticks : dict of str to CheckBox
        By the key of the choice.
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
            name="choose_methods", text="Which ▸", tooltip="Choose the methods to compare."
        )
        self._choices = choices()
        self.ticks = {
            choice.key: CheckBox(
                name=f"compare_{choice.key}",
                text=choice.label,
                value=choice.chosen,
                tooltip=choice.help,
            )
            for choice in self._choices
        }
        self.keep = CheckBox(
            name="keep_compared",
            text="Keep the layers at the end",
            tooltip="Otherwise the layers are removed when the comparison ends, except those that "
            "you renamed.",
        )
        boxes = list(self.ticks.values())
        half = -(-len(boxes) // 2)
        columns = [_tight(part, "vertical") for part in (boxes[:half], boxes[half:])]
        buttons = _tight([self.compare, self.end, self.choose], "horizontal")
        self._methods = _tight([_tight(columns, "horizontal"), self.keep], "vertical")
        self._methods.visible = False
        super().__init__(widgets=[buttons, self._methods], labels=False, name="compare_row")
        self.margins = (0, 0, 0, 0)
        for field in (self.compare, self.end, self.choose, self.keep, *boxes):
            field.native.setObjectName(field.name)
        self.choose.changed.connect(self._toggle)
        self.show(comparing=False)

    def chosen(self) -> list[Choice]:
        """Return what is to be compared."""
        return [choice for choice in self._choices if self.ticks[choice.key].value]

    def choose_methods(self, keys: Sequence[str]) -> None:
        """Tick these and no others.

        Raises
        ------
        ValueError
            If there is no such method.
        """
        unknown = sorted(set(keys) - set(self.ticks))
        if unknown:
            raise ValueError(f"methods must be some of {list(self.ticks)}, got {unknown}")
        for key, box in self.ticks.items():
            box.value = key in keys

    def show(self, comparing: bool) -> None:
        """Show the buttons that apply."""
        self.end.visible = comparing
        self.compare.text = "Compare again" if comparing else "Compare methods"

    def _toggle(self, _=None) -> None:
        opened = not self._methods.visible
        self._methods.visible = opened
        self.choose.text = "Which ▾" if opened else "Which ▸"


def _tight(widgets: list, layout: str) -> Container:
    container = Container(widgets=widgets, layout=layout, labels=False)
    container.margins = (0, 0, 0, 0)
    return container
