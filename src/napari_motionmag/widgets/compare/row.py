"""The part of the dock "Magnify motion" that compares methods."""

from __future__ import annotations

from collections.abc import Sequence

from magicgui.widgets import Container

from napari_motionmag.widgets.common.form import button, checkbox, group
from napari_motionmag.widgets.compare.choices import Choice, choices


class CompareRow(Container):
    """Buttons that begin and end a comparison, and a choice of methods that opens.

    ``ticks`` are the checkboxes by the key of the choice; ``keep`` says whether the layers are
    kept at the end.
    """

    def __init__(self):
        self.compare = button(
            "compare",
            "Compare methods",
            "Show the movie magnified by several methods side by side, with the settings above. A "
            "change of the settings changes all of them. Layers of an earlier comparison are "
            "replaced.",
        )
        self.end = button(
            "end_comparison",
            "End comparison",
            "Show the layers and the grid as they were before.",
        )
        self.choose = button(
            "choose_methods", "Which ▸", "Choose the methods to compare.", self._toggle
        )
        self._choices = choices()
        self.ticks = {
            choice.key: checkbox(f"compare_{choice.key}", choice.label, choice.help, choice.chosen)
            for choice in self._choices
        }
        self.keep = checkbox(
            "keep_compared",
            "Keep the layers at the end",
            "Otherwise the layers are removed when the comparison ends, except those that you "
            "renamed.",
        )
        boxes = list(self.ticks.values())
        half = -(-len(boxes) // 2)
        columns = group([group(boxes[:half]), group(boxes[half:])], "horizontal")
        self._methods = group([columns, self.keep])
        self._methods.visible = False
        buttons = group([self.compare, self.end, self.choose], "horizontal")
        super().__init__(widgets=[buttons, self._methods], labels=False, name="compare_row")
        self.margins = (0, 0, 0, 0)
        self.show(comparing=False)

    def chosen(self) -> list[Choice]:
        """Return what is to be compared."""
        return [choice for choice in self._choices if self.ticks[choice.key].value]

    def choose_methods(self, keys: Sequence[str]) -> None:
        """Tick these and no others; ValueError if there is no such method."""
        unknown = sorted(set(keys) - set(self.ticks))
        if unknown:
            raise ValueError(f"methods must be some of {list(self.ticks)}, got {unknown}")
        for key, box in self.ticks.items():
            box.value = key in keys

    def show(self, comparing: bool) -> None:
        """Show the buttons that apply."""
        self.end.visible = comparing
        self.compare.text = "Compare again" if comparing else "Compare methods"

    def _toggle(self) -> None:
        opened = not self._methods.visible
        self._methods.visible = opened
        self.choose.text = "Which ▾" if opened else "Which ▸"
