"""Show what is done once, before the first frame: in the dock and in napari's activity dock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress

from magicgui.widgets import ProgressBar
from napari.utils.progress import progress as progress_bar
from qtpy.QtCore import QObject, Qt, QTimer, Signal

PATIENCE_MS = 300  # what takes less is not worth a bar


class FirstUse(QObject):
    """Runs steps in a worker and shows on the main thread which one is in progress.

    ``bar`` is hidden until a step takes longer than a moment; ``say(text)`` shows a message.
    """

    _begun = Signal(int, int, str)
    _over = Signal()

    def __init__(self, bar: ProgressBar, say: Callable[[str], object]):
        super().__init__(bar.native)
        self._bar, self._say = bar, say
        self._in_activity = None
        self._step = (0, 1, "")
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PATIENCE_MS)
        self._timer.timeout.connect(self._show)
        self._begun.connect(self._note, Qt.ConnectionType.QueuedConnection)
        self._over.connect(self.hide, Qt.ConnectionType.QueuedConnection)

    def run(self, steps: Sequence[tuple[str, Callable]]) -> None:
        """Do the steps, given as (what it is, function), in the thread of a job."""
        try:
            for number, (text, do) in enumerate(steps):
                self._emit(self._begun, number, len(steps), text)
                do()
        finally:
            self._emit(self._over)

    def hide(self) -> None:
        """Hide the bars."""
        self._timer.stop()
        self._bar.visible = False
        if self._in_activity is not None:
            with suppress(RuntimeError, KeyError):  # its window may be gone already
                self._in_activity.close()
            self._in_activity = None

    def _emit(self, signal, *arguments) -> None:
        with suppress(RuntimeError):  # the dock was deleted meanwhile
            signal.emit(*arguments)

    def _note(self, *step) -> None:
        self._step = step
        if self._bar.visible:
            self._show()
        elif not self._timer.isActive():
            self._timer.start()

    def _show(self) -> None:
        number, total, text = self._step
        self._bar.max, self._bar.value = total, number
        self._bar.native.setFormat(f"{text} ({number + 1} of {total})")
        self._bar.visible = True
        self._say(f"{text}…")
        if self._in_activity is None:
            self._in_activity = progress_bar(total=total, gui=True)
        self._in_activity.set_description(text)
        self._in_activity.update(number - self._in_activity.n)
