"""Make a widget scroll when the window is too small for it."""

from __future__ import annotations

from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget


def make_scroll(widget: QWidget, width: int) -> QScrollArea:
    """Make the contents of a widget scroll vertically.

    magicgui's own ``scrollable`` does not survive in napari's docks, which take the inner widget.

    Parameters
    ----------
    widget : QWidget
        Has a layout; more can still be added to that.
    width : int
        Least width of the contents in px.

    Returns
    -------
    QScrollArea
    """
    area = QScrollArea()
    area.setWidgetResizable(True)
    area.setFrameShape(QFrame.Shape.NoFrame)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    contents = QWidget()
    contents.setMinimumWidth(width)
    widget.layout().setAlignment(Qt.AlignmentFlag.AlignTop)
    contents.setLayout(widget.layout())  # moves the layout with all it holds
    area.setWidget(contents)
    area.setMinimumWidth(width + area.verticalScrollBar().sizeHint().width())
    around = QVBoxLayout(widget)
    around.setContentsMargins(0, 0, 0, 0)
    around.addWidget(area)
    return area
