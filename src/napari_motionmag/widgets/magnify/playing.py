"""The part of the dock "Magnify motion" that plays, with a bar of the frames that are ready."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from magicgui.widgets import Container
from napari.utils.theme import get_theme
from qtpy.QtCore import QObject, QRectF, Qt
from qtpy.QtGui import QColor, QPainter
from qtpy.QtWidgets import QSizePolicy, QWidget

from napari_motionmag.widgets.common.form import button, choice, group, number
from napari_motionmag.widgets.common.shown_frame import frame_shown, time_is_drawn
from napari_motionmag.widgets.frames.playback import (
    PLAYING,
    STOPPED,
    WAITING,
    Playback,
    Played,
    spans,
)

if TYPE_CHECKING:
    from napari_motionmag.widgets.common.preferences import Preferences
    from napari_motionmag.widgets.compare.comparison import Comparison
    from napari_motionmag.widgets.magnify.frame_drawing import FrameDrawing
    from napari_motionmag.widgets.magnify.shared import Shared

MODES = [("Loop", "loop"), ("Back and forth", "back_and_forth"), ("Once", "once")]  # napari's
FASTEST = 60.0  # frames per second
USUAL_FPS, MOST_FPS = 10.0, 30.0  # frames per second to play
_TEXTS = {STOPPED: "▶ Play", WAITING: "◌ Drawing…", PLAYING: "❚❚ Pause"}
_BAR_HEIGHT = 12  # px


class ReadyBar(QWidget):
    """A bar over all frames: those that are ready, and where the viewer is.

    ``go_to(frame)`` is called where it is clicked.
    """

    def __init__(self, viewer, go_to: Callable[[int], object]):
        super().__init__()
        self._viewer, self._go_to = viewer, go_to
        self._frames: set[int] = set()
        self._n_frames = self._frame = 0
        self.setObjectName("ready_bar")
        self.setFixedHeight(_BAR_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setCursor(Qt.CursorShape.PointingHandCursor)

    def show_frames(self, frames: set[int], n_frames: int, frame: int) -> None:
        """Show which of `n_frames` are ready, and the frame that is shown."""
        self._frames, self._n_frames, self._frame = set(frames), n_frames, frame
        self.setToolTip(
            f"{len(frames)} of {n_frames} magnified frames are ready to be played.\n"
            "A click goes to a frame."
        )
        self.update()

    def paintEvent(self, event) -> None:
        theme = get_theme(self._viewer.theme)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(_color(theme.foreground))
        painter.drawRoundedRect(QRectF(0, 3, self.width(), self.height() - 6), 3, 3)
        if self._n_frames:
            each = self.width() / self._n_frames
            painter.setBrush(_color(theme.current))
            for first, last in spans(self._frames):
                painter.drawRect(QRectF(first * each, 3, (last - first) * each, self.height() - 6))
            painter.setBrush(_color(theme.icon))
            middle = (self._frame + 0.5) * each
            painter.drawRect(QRectF(middle - 1.5, 0, 3, self.height()))
        painter.end()

    def mousePressEvent(self, event) -> None:
        self._go(event)

    def mouseMoveEvent(self, event) -> None:
        self._go(event)

    def _go(self, event) -> None:
        if self._n_frames and self.width():
            frame = int(event.position().x() * self._n_frames / self.width())
            self._go_to(min(max(frame, 0), self._n_frames - 1))


class PlaybackRow(Container):
    """A button that plays, how and how fast, and below it the bar of what is ready."""

    def __init__(self):
        self.play = button(
            "play",
            _TEXTS[STOPPED],
            "Play the magnified movie. Frames are drawn ahead meanwhile; playing waits for them.",
        )
        self.mode = choice(
            "play_mode", "", MODES, "What follows at the end of the movie.", value="loop"
        )
        self.mode.native.setMinimumContentsLength(8)
        self.fps = number(
            "play_fps",
            "Frames per second to play. This is not the rate of the recording.",
            value=10,
            low=0.1,
            high=FASTEST,
            decimals=1,
            suffix=" fps",
        )
        self.controls = group([self.play, self.mode, self.fps], "horizontal", name="playback")
        super().__init__(widgets=[self.controls], labels=False, name="playback_row")
        self.margins = (0, 0, 0, 0)
        self.bar: ReadyBar | None = None

    def connect(self, playback: Playback, viewer, go_to: Callable[[int], object]) -> None:
        """Control a `Playback` and show its state."""
        self._playback = playback
        self.bar = ReadyBar(viewer, go_to)
        self.native.layout().addWidget(self.bar)
        self.play.changed.connect(lambda _: playback.toggle())
        self.mode.changed.connect(self._on_changed)
        self.fps.changed.connect(self._on_changed)
        playback.changed.connect(self._show)
        self._show()

    def _on_changed(self, _=None) -> None:
        self._playback.fps, self._playback.mode = self.fps.value, self.mode.value
        self._playback.restart()

    def _show(self) -> None:
        playback = self._playback
        for field, value in ((self.fps, min(playback.fps, FASTEST)), (self.mode, playback.mode)):
            with field.changed.blocked():
                field.value = value
        if self.play.text != _TEXTS[playback.state]:
            self.play.text = _TEXTS[playback.state]
        if self.bar is not None:
            self.bar.show_frames(playback.frames, playback.n_frames, playback.frame)


class Playing:
    """Plays the magnified movie, or the methods that are compared."""

    def __init__(
        self, shared: Shared, drawing: FrameDrawing, comparison: Comparison, parent: QObject
    ):
        self._viewer, self._fields, self._chosen = shared.viewer, shared.fields, shared.chosen
        self._results, self._work = shared.results, shared.work
        self._drawing, self._comparison = drawing, comparison
        self._preferred_fps = 0.0
        self.playback = Playback(shared.viewer, self._played, parent)
        self.playback.failed.connect(shared.messages.report)
        shared.fields.fps.changed.connect(lambda _: self.set_rate())
        shared.fields.playback_row.connect(self.playback, shared.viewer, self._go_to_frame)

    def show(self) -> None:
        """Show what can be played of the movie that is chosen."""
        self._fields.playback_row.visible = self._played() is not None
        has_result = self._results.latest(self._chosen.layer) is not None
        self._fields.next_steps.visible = has_result
        self.playback.look()

    def apply(self, preferences: Preferences) -> None:
        """Play as preferred."""
        self._preferred_fps = preferences.fps
        self.playback.always = preferences.fill_ahead
        self.playback.mode = preferences.mode
        self.set_rate()

    def set_rate(self) -> None:
        """Play as preferred, else at the rate of the movie as far as it can be followed."""
        fps = min(self._fields.fps.value or USUAL_FPS, MOST_FPS)
        self.playback.fps = self._preferred_fps or fps
        self.playback.restart()
        self.playback.changed.emit()

    def _played(self) -> Played | None:
        """Return what is played now: the magnified movie, or the methods that are compared."""
        if self._work.closed:
            return None
        source = self._chosen.layer
        results = self._comparison.results() if self._comparison.is_of(source) else []
        results = results or [x for x in [self._results.latest(source)] if x is not None]
        results = [result for result in results if result.layer.visible]
        if not results:
            return None
        layer, movie = results[0].layer, results[0].magnification.movie
        if time_is_drawn(self._viewer, layer, movie.axes):
            return None
        changing = self._drawing.live.working or any(x.coarse is not None for x in results)
        return Played(
            self._viewer.dims.ndim - layer.ndim + movie.axes.index("T"),
            movie.n_frames,
            tuple(result.magnification for result in results if not result.whole),
            frame_shown(self._viewer, layer, movie.axes)[1],
            changing or self._work.frames.working or self._work.working,
        )

    def _go_to_frame(self, t: int) -> None:
        played = self._played()
        if played is not None:
            self._viewer.dims.set_current_step(played.axis, t)


def _color(color) -> QColor:
    return QColor(color.as_hex() if hasattr(color, "as_hex") else str(color))
