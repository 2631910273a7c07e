"""A matplotlib figure in a dock: in the colors of napari's theme, with a toolbar."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from napari.utils.theme import get_theme
from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QColor, QIcon, QPainter
from qtpy.QtWidgets import QFileDialog, QLabel, QSizePolicy, QVBoxLayout, QWidget

MISSING = 'Plots need matplotlib: pip install "napari-motionmag[plots]"'
SAVE_AS = "PNG (*.png);;PDF (*.pdf);;SVG (*.svg)"
SAVED_DPI = 300
WIDTH = 330  # px: fits into the dock beside napari's canvas
MIN_SIZE = 60  # px: nothing can be laid out on a smaller canvas
# distinct on dark and light backgrounds, and for the color-blind
CYCLE = ("#1f9de0", "#e8850c", "#12a279", "#d45fa3", "#c9ac00", "#8f7be0")
_BUTTONS = ("Home", "Pan", "Zoom", "Save")


class Canvas(QWidget):
    """A figure that is drawn by a function, again whenever the theme changes.

    Parameters
    ----------
    viewer : napari.Viewer
        Its theme is followed.
    height : int
        Least height of the figure, px.

    Attributes
    ----------
    figure : matplotlib.figure.Figure or None
        None where matplotlib is not installed; a line of text says so then.
    """

    def __init__(self, viewer, height: int = 260):
        super().__init__()
        self._viewer = viewer
        self._draw: Callable | None = None
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
        viewer.events.theme.connect(self._theme_changed)
        self._theme_changed()

    def draw(self, function: Callable | None) -> None:
        """Draw with a function, now and whenever the theme changes.

        Parameters
        ----------
        function : callable or None
            Called as ``function(figure)`` with an empty figure; adds axes and all that is on
            them, in matplotlib's default colors, which are those of the theme. None: empty.
        """
        self._draw = function
        if self.figure is not None:
            self._redraw()

    def save(self, path: str | Path) -> None:
        """Save the figure, black on white and in the size shown.

        Parameters
        ----------
        path : path
            Its suffix is one that matplotlib knows, such as .png, .pdf or .svg.

        Raises
        ------
        ValueError
            If nothing is drawn, or the suffix is unknown.
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
            for mine, shown in zip(figure.axes, self.figure.axes, strict=False):
                mine.set_xlim(shown.get_xlim())  # as the user zoomed
                mine.set_ylim(shown.get_ylim())
            figure.savefig(path, dpi=SAVED_DPI)

    def close_down(self) -> None:
        """Release the viewer."""
        if self.figure is not None and self._viewer is not None:
            self._viewer.events.theme.disconnect(self._theme_changed)
        self._viewer = self._draw = None

    def _make(self, rows, height: int) -> None:
        from matplotlib.figure import Figure

        self.figure = Figure(layout="constrained")
        self._canvas = _canvas_class()(self.figure)
        self._canvas.setMinimumSize(WIDTH, height)
        self._canvas.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.toolbar = _toolbar_class()(self._canvas, self, self._ask_where_to_save)
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

    def _theme_changed(self, _=None) -> None:
        theme = get_theme(self._viewer.theme)
        ground, text = theme.background.as_hex(), theme.text.as_hex()
        inside = "#16171c" if QColor(ground).lightness() < 128 else "#ffffff"
        grid = theme.secondary.as_hex()
        self._canvas.style_now = _style(ground, inside, text, grid, self._font_size())
        self.toolbar.paint_icons(text)
        self._redraw()

    def _font_size(self) -> float:
        theme = get_theme(self._viewer.theme)
        size = str(getattr(theme, "font_size", "9pt")).removesuffix("pt")
        return min(max(float(size), 8.0), 12.0)

    def _ask_where_to_save(self) -> None:
        path, chosen = QFileDialog.getSaveFileName(self, "Save the figure", "figure.png", SAVE_AS)
        if not path:
            return
        if not Path(path).suffix:
            path += chosen.partition("*")[2].rstrip(")") or ".png"
        from napari.utils.notifications import show_error

        try:
            self.save(path)
        except (ValueError, OSError) as error:
            show_error(str(error))


def _style(ground: str, inside: str, text: str, grid: str, size: float) -> dict:
    """Return settings of matplotlib for a theme."""
    from cycler import cycler

    return {
        "figure.facecolor": ground,
        "savefig.facecolor": ground,
        "axes.facecolor": inside,
        "axes.edgecolor": text,
        "axes.labelcolor": text,
        "axes.titlecolor": text,
        "axes.titlesize": size,
        "axes.labelsize": size,
        "axes.linewidth": 0.8,
        "axes.prop_cycle": cycler(color=CYCLE),
        "font.size": size,
        "grid.color": grid,
        "grid.linewidth": 0.5,
        "grid.alpha": 0.6,
        "image.cmap": "gray",
        "legend.facecolor": inside,
        "legend.edgecolor": grid,
        "legend.fontsize": size - 1,
        "legend.framealpha": 0.8,
        "lines.linewidth": 1.2,
        "text.color": text,
        "xtick.color": text,
        "ytick.color": text,
        "xtick.labelsize": size - 0.5,
        "ytick.labelsize": size - 0.5,
    }


def _canvas_class():
    from matplotlib import rc_context
    from matplotlib.backends.backend_qtagg import FigureCanvasQTAgg

    class ThemedCanvas(FigureCanvasQTAgg):
        """Draws in the style of the theme, ticks included."""

        style_now: ClassVar[dict] = {}

        def sizeHint(self):
            return QSize(WIDTH, self.minimumHeight())  # not that of the figure, which follows

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
