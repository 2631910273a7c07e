"""A button that copies what a dock does to the clipboard, as Python."""

from __future__ import annotations

from collections.abc import Callable

from magicgui.widgets import PushButton
from napari.utils.notifications import show_error, show_info
from qtpy.QtWidgets import QApplication

from napari_motionmag.widgets.common.messages import EXPECTED

COPIED = "Copied as Python: paste it into a script, a notebook or napari's console"


class ScriptButton(PushButton):
    """Button "Copy as Python".

    Parameters
    ----------
    script : callable
        Returns Python source, as `napari_motionmag.magnification.script.source` makes it. When it
        raises ValueError, TypeError, OSError or ImportError, the message is shown as a notification
        and the clipboard stays as it is.
    tooltip : str
        What the script makes.
    """

    def __init__(
        self,
        script: Callable[[], str],
        tooltip: str = "Put a Python script on the clipboard that makes the same.",
    ):
        super().__init__(name="copy_script", text="Copy as Python", tooltip=tooltip)
        self.native.setObjectName("copy_script")
        self._script = script
        self.changed.connect(self._copy)

    def _copy(self, _=None) -> None:
        try:
            text = self._script()
        except EXPECTED as error:
            show_error(str(error))
            return
        QApplication.clipboard().setText(text)
        show_info(COPIED)
