"""Fields, buttons and groups of fields, made alike in all docks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from magicgui.widgets import (
    CheckBox,
    ComboBox,
    Container,
    FileEdit,
    FloatSpinBox,
    Label,
    LineEdit,
    ProgressBar,
    PushButton,
    Select,
    SpinBox,
    Widget,
)
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSizePolicy

WEIGHTS_FILES = "Weights (*.safetensors *.index *.pth *.pt *.tar *.ckpt *.bin)"
_LIST_HEIGHT = 54  # px
_OPEN, _CLOSED = "▾", "▸"


class _FixedChoice(ComboBox):
    """A drop-down list that is not filled anew with each layer that comes or goes."""

    def reset_choices(self, *_) -> None:
        if not len(self):
            super().reset_choices()


def choice(name: str, label: str, choices, tooltip: str, **options) -> ComboBox:
    """Create a drop-down list, which may be narrower than its longest entry.

    Choices that a function returns follow the layers; a list is as it is, or as it is set later.
    """
    kind = ComboBox if callable(choices) else _FixedChoice
    field = _create(kind, name, tooltip, label=label or None, choices=choices, **options)
    box = field.native
    box.setSizeAdjustPolicy(box.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
    box.setMinimumContentsLength(16)
    return field


def movie_choice(choices: Callable, tooltip: str = "Image layer with a time axis.") -> ComboBox:
    """Create the drop-down list of movies."""
    return choice("layer", "Movie", choices, tooltip, nullable=False)


def movie_list(choices: Callable) -> Select:
    """Create a list of which several movies can be selected."""
    tooltip = "Image layers with a time axis. Select several (Ctrl) to compare them."
    field = _create(Select, "layers", tooltip, label="Movies", choices=choices)
    field.native.setFixedHeight(_LIST_HEIGHT)
    field.native.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
    field.native.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    field.native.setTextElideMode(Qt.TextElideMode.ElideMiddle)
    return field


def number(
    name: str,
    tooltip: str,
    *,
    label: str = "",
    value: float = 0,
    low: float = 0,
    high: float = 1e9,
    decimals: int = 4,
    prefix: str = "",
    suffix: str = "",
    text_for_low: str = "",
    step: float | None = None,
) -> FloatSpinBox:
    """Create a field for a number; `text_for_low` stands for the least.

    Without a step, the field has no buttons, and keys and wheel change its last digit.
    """
    field = _create(
        FloatSpinBox, name, tooltip, label=label or None, value=value, min=low, max=high
    )
    box = field.native
    if step is None:
        field.adaptive_step = True
        box.setButtonSymbols(box.ButtonSymbols.NoButtons)
    else:
        field.step = step
    box.setDecimals(decimals)
    box.setPrefix(prefix)
    box.setSuffix(suffix)
    box.setSpecialValueText(text_for_low)
    box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return field


def integer(name: str, label: str, low: int, high: int, tooltip: str, **options) -> SpinBox:
    """Create a field for a whole number."""
    field = _create(SpinBox, name, tooltip, label=label or None, min=low, max=high, **options)
    field.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return field


def checkbox(name: str, text: str, tooltip: str, value: bool = False) -> CheckBox:
    """Create a checkbox."""
    return _create(CheckBox, name, tooltip, text=text, value=value)


def button(name: str, text: str, tooltip: str, on_click: Callable | None = None) -> PushButton:
    """Create a button that calls a function without arguments."""
    field = _create(PushButton, name, tooltip, text=text)
    if on_click is not None:
        field.changed.connect(lambda _: on_click())
    return field


def line_edit(name: str, label: str, tooltip: str, value: str = "") -> LineEdit:
    """Create a field for text."""
    return _create(LineEdit, name, tooltip, label=label, value=value)


def weights_file() -> FileEdit:
    """Create the field for a file with weights."""
    tooltip = (
        "A .safetensors file with weights of either network, or a published checkpoint of Oh et "
        "al.: a file of TensorFlow's, or a state dict of PyTorch."
    )
    options = {"label": "Weights file", "mode": "r", "filter": WEIGHTS_FILES}
    return _create(FileEdit, "model_file", tooltip, **options)


def text(name: str, tooltip: str, **options) -> Label:
    """Create a text that wraps, and may be as narrow as the dock."""
    field = _create(Label, name, tooltip, **options)
    field.native.setWordWrap(True)
    field.native.setAlignment(Qt.AlignmentFlag.AlignTop)
    field.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    return field


def progress(name: str, tooltip: str) -> ProgressBar:
    """Create a progress bar with a text on it, hidden at first."""
    bar = _create(ProgressBar, name, tooltip)
    bar.native.setTextVisible(True)
    bar.visible = False
    return bar


def group(
    widgets: Iterable[Widget], layout: str = "vertical", *, labels: bool = False, **options
) -> Container:
    """Put widgets below or beside each other, without margins."""
    container = Container(layout=layout, labels=labels, **options)
    container.extend(widgets)  # labels are aligned as widgets are added
    container.margins = (0, 0, 0, 0)
    return container


def row(label: str, *widgets: Widget) -> Container:
    """Put widgets side by side, with one label."""
    return group(widgets, "horizontal", label=label, name=f"{label.lower()}_row")


class CollapsibleSection(Container):
    """Fields below a title; a click on the title shows or hides them.

    ``opened`` says whether they are shown, ``note`` is a text beside the title.
    """

    def __init__(self, title: str, fields: Iterable[Widget], *, name: str, tooltip: str):
        self._text, self._note = title, ""
        self.title = button(f"{name}_title", "", tooltip, self._toggle)
        self.title.native.setFlat(True)
        self.title.native.setStyleSheet("text-align: left; padding: 3px;")
        self.body = group(fields, labels=True, name=f"{name}_body")
        self.body.margins = (8, 0, 0, 0)
        super().__init__(widgets=[self.title, self.body], labels=False, name=name)
        self.margins = (0, 0, 0, 0)
        self.opened = False

    @property
    def opened(self) -> bool:
        return self._opened

    @opened.setter
    def opened(self, opened: bool) -> None:
        self._opened = self.body.visible = opened
        self._write_title()

    @property
    def note(self) -> str:
        return self._note

    @note.setter
    def note(self, note: str) -> None:
        self._note = note
        self._write_title()

    @property
    def parameters(self) -> list[Widget]:
        """The fields below the title."""
        return list(self.body)

    def _write_title(self) -> None:
        note = f": {self._note}" if self._note else ""
        self.title.text = f"{_OPEN if self._opened else _CLOSED} {self._text}{note}"

    def _toggle(self) -> None:
        self.opened = not self._opened


def _create(kind: type, name: str, tooltip: str, **options) -> Widget:
    """Create a field whose Qt widget can be found by its name."""
    field = kind(name=name, tooltip=tooltip, **options)
    field.native.setObjectName(name)
    return field
