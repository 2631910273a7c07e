"""What a widget has to say: a line at its foot, and notifications that are not repeated."""

from __future__ import annotations

from napari.utils.notifications import notification_manager, show_error

EXPECTED = (ValueError, TypeError, OSError, ImportError)  # the message says what is wrong


class Messages:
    """Messages of a widget.

    Parameters
    ----------
    status : magicgui.widgets.Label
        The line at the foot.
    """

    def __init__(self, status):
        self._status = status
        self._reported = ""

    def close(self) -> None:
        """Say nothing any more."""
        self._status = None

    def say(self, message: str) -> None:
        """Show a message at the foot."""
        if self._status is not None:
            self._status.value = message

    def report(self, error: Exception) -> None:
        """Show an error, as a notification too unless it was the last that was shown."""
        if self._status is None:
            return
        self.say(str(error))
        if str(error) == self._reported:
            return
        self._reported = str(error)
        if isinstance(error, EXPECTED):
            show_error(str(error))
        else:  # with its traceback
            notification_manager.receive_error(type(error), error, error.__traceback__)

    def all_well(self) -> None:
        """Forget the last error: should it come again, it is news."""
        self._reported = ""
