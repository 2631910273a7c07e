"""The field that chooses a preset, and a line that describes it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from qtpy.QtCore import Qt

from napari_motionmag.magnification import presets
from napari_motionmag.magnification.settings import MagnifySettings
from napari_motionmag.widgets.common.form import choice, text

TOOLTIP = (
    "Settings for a kind of movie: motion, band and factor. All other fields stay as they are, "
    "and everything can be changed afterwards."
)
_TOLERANCE = {"band": 1e-3, "factor": 1e-2}  # of numbers, which fields round


class PresetRows:
    """A choice of presets, ``preset``, which is empty again once the fields differ from it.

    Its value is the name of a preset, or ``""``. The ``note`` says what the preset set and why, or
    why it does not fit.
    """

    def __init__(self):
        self.preset = choice("preset", "Preset", _choices(), TOOLTIP, value="")
        self.note = text("preset_note", "What the preset sets, and why.", label=" ", visible=False)
        self.rows = [self.preset, self.note]
        for position, name in enumerate(self.preset.choices):
            tooltip = presets.get(name).explanation if name else TOOLTIP
            self.preset.native.setItemData(position, tooltip, Qt.ItemDataRole.ToolTipRole)

    def problem(self, fps: float) -> str:
        """Return why the chosen preset does not fit a frame rate (0: unknown), or ``""``."""
        name = self.preset.value
        return (presets.get(name).problem(fps or None) or "") if name else ""

    def follow(self, settings: MagnifySettings, fps: float) -> None:
        """Drop the preset when the settings differ from it; else describe it."""
        name = self.preset.value
        if name and not _agree(presets.get(name).arguments, settings):
            self.preset.value = name = ""
        self.note.visible = bool(name)
        if not name:
            self.preset.tooltip = TOOLTIP
            return
        preset, problem = presets.get(name), self.problem(fps)
        reason = f"{preset.summary}. {preset.why_motion}"
        self.note.value = problem[:1].upper() + problem[1:] if problem else reason
        self.preset.tooltip = f"{preset.explanation}\n\n{TOOLTIP}"


def _choices() -> list[tuple[str, str]]:
    """Return labels and names: microscopy first, then the paper."""
    known = sorted(map(presets.get, presets.NAMES), key=lambda x: x.group != presets.MICROSCOPY)
    labels = [x.title if x.group == presets.MICROSCOPY else f"{x.title} ({x.group})" for x in known]
    return [("None", ""), *((label, x.name) for label, x in zip(labels, known, strict=True))]


def _agree(preset: Mapping, settings: MagnifySettings) -> bool:
    for key, value in preset.items():
        now, tolerance = getattr(settings, key), _TOLERANCE.get(key)
        if tolerance is None or now is None:
            if now != value:
                return False
        elif np.abs(np.subtract(now, value)).max() > tolerance:
            return False
    return True
