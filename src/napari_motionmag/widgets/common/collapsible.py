"""A group of fields that opens and closes."""

from __future__ import annotations

from magicgui.widgets import Container, PushButton, Widget

_OPEN, _CLOSED = "▾", "▸"


class CollapsibleSection(Container):
    """Fields below a title; a click on the title shows or hides them.

    Parameters
    ----------
    title : str
    rows : list of Widget
        The fields.
    name : str
        Name of the group; the button is called ``<name>_title``.
    labels : bool
        Whether the fields have their labels beside them.

    Attributes
    ----------
    title : PushButton
    body : Container
    """

    def __init__(
        self, title: str, rows: list[Widget], *, name: str, labels: bool = True, tooltip: str = ""
    ):
        self._text, self._note, self._opened = title, "", False
        self.title = PushButton(name=f"{name}_title", tooltip=tooltip)
        self.title.native.setObjectName(f"{name}_title")
        self.title.native.setFlat(True)
        self.title.native.setStyleSheet("text-align: left; padding: 3px;")
        self.body = Container(labels=labels, name=f"{name}_body")
        for row in rows:
            self.body.append(row)  # one by one: labels are aligned as rows are added
        self.body.margins = (8, 0, 0, 0)
        super().__init__(widgets=[self.title, self.body], labels=False, name=name)
        self.margins = (0, 0, 0, 0)
        self.opened = False
        self.title.changed.connect(self._toggle)

    @property
    def opened(self) -> bool:
        """Whether the fields are shown."""
        return self._opened

    @opened.setter
    def opened(self, opened: bool) -> None:
        self._opened = self.body.visible = bool(opened)
        self._write_title()

    @property
    def note(self) -> str:
        """Text beside the title, for example what the closed group holds."""
        return self._note

    @note.setter
    def note(self, note: str) -> None:
        self._note = note
        self._write_title()

    def _write_title(self) -> None:
        note = f": {self._note}" if self._note else ""
        self.title.text = f"{_OPEN if self._opened else _CLOSED} {self._text}{note}"

    def _toggle(self, _=None) -> None:
        self.opened = not self._opened
