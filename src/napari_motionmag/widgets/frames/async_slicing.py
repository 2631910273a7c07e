"""Keep the window responsive when frames take long to draw."""

from __future__ import annotations

from napari.settings import get_settings
from napari.utils.notifications import show_info

SLOW = 0.25  # seconds per frame; above, moving a slider would be felt to hang


class SlowFrames:
    """Turn napari's asynchronous slicing on when frames are slow, say so, and undo it.

    The preference is set for this session only: it is never written to napari's settings file.
    """

    def __init__(self):
        self._turned_on = False

    def suspects(self, seconds: float) -> bool:
        """Return whether a frame took so long that another one, with all loaded, is to be timed."""
        return seconds >= SLOW and not self._turned_on and not get_settings().experimental.async_

    def notice(self, seconds: float) -> None:
        """Take note of how long a frame took."""
        if not self.suspects(seconds):
            return
        self._turned_on = True  # once: a user who turns it off wants it off
        _not_saved()["async_"] = True
        get_settings().experimental.async_ = True
        show_info(
            f"A magnified frame takes {seconds:.1f} s, so napari now renders layers "
            "asynchronously and its window stays responsive (Preferences > Experimental). This "
            "is undone when the widget is closed."
        )

    def undo(self) -> None:
        """Put the setting back, when the dock closes."""
        if self._turned_on:
            get_settings().experimental.async_ = False
            _not_saved().pop("async_", None)


def _not_saved() -> dict:
    """Return the experimental settings that napari holds to be set from outside, and never saves.

    So it treats those of environment variables.
    """
    overrides = getattr(get_settings(), "env_settings", None)
    return overrides.setdefault("experimental", {}) if isinstance(overrides, dict) else {}
