"""The field that chooses a preset, and a line that describes it."""

from __future__ import annotations

from collections.abc import Mapping

from magicgui.widgets import ComboBox, Label
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QSizePolicy

from napari_motionmag.magnification import presets
from napari_motionmag.magnification.settings import MagnifySettings
from napari_motionmag.widgets.common.motion_fields import may_be_narrow

TOOLTIP = (
    "Settings for a kind of movie: motion, band and factor. All other fields stay as they are, "
    "and everything can be changed afterwards."
)


class PresetRows:
    """A choice of presets; empty again once the fields differ from it.

    Attributes
    ----------
    preset : ComboBox
        Its value is the name of a preset, or ``""``.
    note : Label
        What the preset set and why, or why it does not fit.
    rows : list of Widget
        Both.
    """

    def __init__(self):
        self.preset = ComboBox(
            name="preset", label="Preset", choices=_choices(), value="", tooltip=TOOLTIP
        )
        self.note = Label(
            name="preset_note", label=" ", visible=False, tooltip="What the preset sets, and why."
        )
        self.rows = [self.preset, self.note]
        for field in (self.preset, self.note):
            field.native.setObjectName(field.name)
        may_be_narrow(self.preset.native)
        self.note.native.setWordWrap(True)
        self.note.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        for place in range(self.preset.native.count()):
            name = self.preset.choices[place]
            text = presets.get(name).explanation if name else TOOLTIP
            self.preset.native.setItemData(place, text, Qt.ItemDataRole.ToolTipRole)

    def problem(self, fps: float) -> str:
        """Return why the chosen preset does not fit a frame rate (0: unknown), or ``""``."""
        name = self.preset.value
        return (presets.get(name).problem(fps or None) or "") if name else ""

    def follow(self, settings: MagnifySettings, fps: float) -> None:
        """Drop the preset when the fields differ from it; show what it set, or why it does not fit.

        Parameters
        ----------
        settings : MagnifySettings
            Of the fields.
        fps : float
            Frames per second, 0 when unknown.
        """
        name = self.preset.value
        if name and not _agree(presets.get(name).arguments, settings):
            self.preset.value = name = ""
        if not name:
            self.note.visible = False
            self.preset.tooltip = TOOLTIP
            return
        chosen = presets.get(name)
        problem = self.problem(fps)
        self.note.value = _first_upper(problem) or f"{chosen.summary}. {chosen.why_motion}"
        self.note.visible = True
        self.preset.tooltip = f"{chosen.explanation}\n\n{TOOLTIP}"


def _choices() -> list[tuple[str, str]]:
    """Return labels and names: microscopy first, then the paper."""
    known = [presets.get(name) for name in presets.NAMES]
    ours = [(preset.title, preset.name) for preset in known if preset.group == presets.MICROSCOPY]
    theirs = [
        (f"{preset.title} ({preset.group})", preset.name)
        for preset in known
        if preset.group != presets.MICROSCOPY
    ]
    return [("None", ""), *ours, *theirs]


def _agree(preset: Mapping, settings: MagnifySettings) -> bool:
    for key, value in preset.items():
        now = getattr(settings, key)
        if key == "band":
            if now is None or any(abs(a - b) > 1e-3 for a, b in zip(now, value, strict=True)):
                return False
        elif key == "factor":
            if abs(now - value) > 1e-2:
                return False
        elif now != value:
            return False
    return True


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]
