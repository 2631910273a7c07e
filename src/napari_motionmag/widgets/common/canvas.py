"""A matplotlib figure in a dock: in the colors of napari's theme, with a toolbar."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from napari.utils.notifications import show_error
from napari.utils.theme import get_theme
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QAction, QColor, QIcon, QPainter
from qtpy.QtWidgets import QDialog, QLabel, QSizePolicy, QStyle, QVBoxLayout, QWidget

from napari_motionmag.widgets.common.ask_file import ask_file

MISSING = 'Plots need matplotlib: pip install "napari-motionmag[plots]"'
SAVE_AS = "PNG (*.png);;PDF (*.pdf);;SVG (*.svg)"
SAVED_DPI = 300
WIDTH = 330  # px: fits into the dock beside napari's canvas
MIN_SIZE = 60  # px: nothing can be laid out on a smaller canvas
# distinct on dark and light backgrounds, and for the color-blind
CYCLE = ("#1f9de0", "#e8850c", "#12a279", "#d45fa3", "#c9ac00", "#8f7be0")
_BUTTONS = ("Home", "Pan", "Zoom", "Save")


class Canvas(QWidget):
    """A figure at least `height` px high, drawn by a function, again when the theme changes.

    ``figure`` is None where matplotlib is not installed; a line of text says so then.
    """

    def __init__(self, viewer, height: int = 260):
        super().__init__()
        self._viewer = viewer
        self._draw: Callable | None = None
        self._height = height
        self._windows: dict[QDialog, Canvas] = {}  # with the same figure
        self.figure = self._canvas = self.toolbar = None
        rows = QVBoxLayout(self)
        rows.setContentsMargins(0, 0, 0, 0)
        rows.setSpacing(0)
        try:
            self._make(rows, height)
        except ImportError as error:
            if (error.name or "").partition(".")[0] != "matplotlib":
                raise
            missing = QLabel(MISSING)
            missing.setWordWrap(True)
            missing.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            rows.addWidget(missing)
            return
        viewer.events.theme.connect(self._on_theme_changed)
        self._on_theme_changed()

    def draw(self, function: Callable | None) -> None:
        """Draw with a function, now and whenever the theme changes; None empties the figure.

        ``function(figure)`` adds axes and all that is on them to an empty figure, in matplotlib's
        default colors, which are those of the theme.
        """
        self._draw = function
        if self.figure is not None:
            self._redraw()
        for copy in self._windows.values():
            copy.draw(function)

    def open_window(self) -> QDialog:
        """Show the figure in a window of its own, too, which follows what is drawn here."""
        window = QDialog(self.window())
        window.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        window.setWindowFlag(Qt.WindowType.WindowMinMaxButtonsHint)
        window.setWindowTitle("Figure")
        copy = Canvas(self._viewer, self._height)
        QVBoxLayout(window).addWidget(copy)
        copy.draw(self._draw)
        self._windows[window] = copy
        window.finished.connect(lambda _: self._windows.pop(window).close_down())
        window.resize(2 * WIDTH, 2 * self._height)
        window.show()
        return window

    def save(self, path: str | Path) -> None:
        """Save the figure, black on white and in the size and zoom shown.

        Raises
        ------
        ValueError
            If nothing is drawn, or matplotlib does not know the suffix.
        """
        if self.figure is None or self._draw is None:
            raise ValueError("there is nothing to save: nothing is drawn")
        from matplotlib import rc_context
        from matplotlib.figure import Figure

        known = self.figure.canvas.get_supported_filetypes()
        suffix = Path(path).suffix.lower().removeprefix(".")
        if suffix not in known:
            raise ValueError(f"path must end in one of {sorted(known)}; got {Path(path).name!r}")
        with rc_context(rc=_style("white", "white", "black", "#b0b0b0", self._font_size())):
            figure = Figure(figsize=self.figure.get_size_inches(), layout="constrained")
            self._draw(figure)
            for axes, shown in zip(figure.axes, self.figure.axes, strict=False):
                axes.set_xlim(shown.get_xlim())
                axes.set_ylim(shown.get_ylim())
            figure.savefig(path, dpi=SAVED_DPI)

    def close_down(self) -> None:
        """Release the viewer, and close the windows with this figure."""
        for window in list(self._windows):
            window.reject()
        if self.figure is not None and self._viewer is not None:
            self._viewer.events.theme.disconnect(self._on_theme_changed)
        self._viewer = self._draw = None

    def _make(self, rows, height: int) -> None:
        from matplotlib.figure import Figure

        self.figure = Figure(layout="constrained")
        self._canvas = _canvas_class()(self.figure)
        self._canvas.setMinimumSize(WIDTH, height)
        self._canvas.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.toolbar = _toolbar_class()(self._canvas, self, self._on_save_clicked)
        self.toolbar.add_window_button(self.open_window)
        rows.addWidget(self._canvas, stretch=1)
        rows.addWidget(self.toolbar)

    def _redraw(self) -> None:
        from matplotlib import rc_context

        self.figure.clear()
        with rc_context(rc=self._canvas.style_now):
            self.figure.set_facecolor(self._canvas.style_now["figure.facecolor"])
            if self._draw is not None:
                self._draw(self.figure)
        self.toolbar.update()  # "home" is what is drawn now
        self._canvas.draw_idle()

    def _on_theme_changed(self, _=None) -> None:
        theme = get_theme(self._viewer.theme)
        background, text = theme.background.as_hex(), theme.text.as_hex()
        inside = "#16171c" if QColor(background).lightness() < 128 else "#ffffff"
        grid = theme.secondary.as_hex()
        self._canvas.style_now = _style(background, inside, text, grid, self._font_size())
        self.toolbar.paint_icons(text)
        self._redraw()

    def _font_size(self) -> float:
        theme = get_theme(self._viewer.theme)
        size = str(getattr(theme, "font_size", "9pt")).removesuffix("pt")
        return min(max(float(size), 8.0), 12.0)

    def _on_save_clicked(self) -> None:
        path = ask_file(self, "Save the figure", "figure.png", SAVE_AS)
        if path is None:
            return
        try:
            self.save(path)
        except (ValueError, OSError) as error:
            show_error(str(error))


def _style(background: str, inside: str, text: str, grid: str, size: float) -> dict:
    """Return settings of matplotlib for a theme."""
    from cycler import cycler

    return {
        **dict.fromkeys(("figure.facecolor", "savefig.facecolor"), background),
        **dict.fromkeys(("axes.facecolor", "legend.facecolor"), inside),
        **dict.fromkeys(("axes.edgecolor", "axes.labelcolor", "axes.titlecolor"), text),
        **dict.fromkeys(("text.color", "xtick.color", "ytick.color"), text),
        **dict.fromkeys(("grid.color", "legend.edgecolor"), grid),
        **dict.fromkeys(("font.size", "axes.titlesize", "axes.labelsize"), size),
        **dict.fromkeys(("xtick.labelsize", "ytick.labelsize"), size - 0.5),
        "axes.linewidth": 0.8,
        "axes.prop_cycle": cycler(color=CYCLE),
        "grid.linewidth": 0.5,
        "grid.alpha": 0.6,
        "image.cmap": "gray",
        "legend.fontsize": size - 1,
        "legend.framealpha": 0.8,
        "lines.linewidth": 1.2,
    }


def _canvas_class():
    from matplotlib import rc_context
    from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg

    class ThemedCanvas(FigureCanvasQTAgg):
        """Draws in the style of the theme, ticks included."""

        style_now: ClassVar[dict] = {}

        def sizeHint(self):
            return QSize(WIDTH, self.minimumHeight())  # not that of the figure, which follows

        def draw_idle(self):
            self._draw_pending = True  # as it is painted: not while another tab hides it
            self.update()

        def draw(self):
            if min(self.width(), self.height()) < MIN_SIZE:
                return
            with rc_context(rc=self.style_now):
                super().draw()

        def wheelEvent(self, event):
            event.ignore()  # the wheel scrolls the dock

    return ThemedCanvas


def _toolbar_class():
    from matplotlib.backends.backend_qtagg import NavigationToolbar2QT

    class Toolbar(NavigationToolbar2QT):
        """The buttons that fit into a dock, in the color of the theme's text."""

        toolitems: ClassVar = [
            item for item in NavigationToolbar2QT.toolitems if item[0] in _BUTTONS
        ]

        def __init__(self, canvas, parent, save: Callable):
            self._save = save
            super().__init__(canvas, parent)
            self._shapes = {action: action.icon() for action in self.actions()}
            self.locLabel.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Ignored)

        def save_figure(self, *_):
            self._save()

        def add_window_button(self, open_window: Callable) -> None:
            icon = self.style().standardIcon(QStyle.StandardPixmap.SP_TitleBarMaxButton)
            action = QAction(icon, "Window", self)
            action.setToolTip("Open the figure in a window of its own")
            action.triggered.connect(lambda: open_window())
            self.insertAction(self.actions()[-1], action)
            self._shapes[action] = icon

        def paint_icons(self, color: str) -> None:
            for action, icon in self._shapes.items():
                if icon.isNull():
                    continue
                picture = icon.pixmap(48, 48)
                painter = QPainter(picture)
                painter.setCompositionMode(QPainter.CompositionMode.CompositionMode_SourceIn)
                painter.fillRect(picture.rect(), QColor(color))
                painter.end()
                action.setIcon(QIcon(picture))

    return Toolbar
