"""Keeping the window responsive when frames take long to draw."""

from __future__ import annotations

from napari.settings import get_settings
from napari.utils.notifications import show_info

SLOW = 0.25  # seconds for a frame; above, moving a slider would be felt to hang


class SlowFrames:
    """Turns napari's asynchronous slicing on when frames are slow, says so, and undoes it."""

    def __init__(self):
        self._turned_on = False
        self._decided = False

    def suspects(self, seconds: float) -> bool:
        """Whether a frame took so long that another one, with all loaded, should be timed."""
        return seconds >= SLOW and not self._decided and not get_settings().experimental.async_

    def noticed(self, seconds: float) -> None:
        """Take note of how long a frame took."""
        if not self.suspects(seconds):
            return
        # once: who turns it off again wants it off
        self._decided = self._turned_on = True
        get_settings().experimental.async_ = True
        show_info(
            f"A magnified frame takes {seconds:.1f} s, so napari now renders layers "
            "asynchronously and its window stays responsive (Preferences > Experimental). This "
            "is undone when the widget is closed."
        )

    def undo(self) -> None:
        """Put the setting back."""
        if self._turned_on:
            get_settings().experimental.async_ = False
            self._turned_on = False
