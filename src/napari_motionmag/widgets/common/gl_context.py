"""The OpenGL context of the window a widget is in."""

from __future__ import annotations

from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QWidget


def make_current(widget: QWidget) -> None:
    """Make the context of the canvas current, before layers are removed.

    When a layer goes, napari (0.9.2) frees its OpenGL objects in whatever context is current;
    after several layers the next picture may crash the process.
    """
    while widget.parentWidget() is not None:
        widget = widget.parentWidget()
    for canvas in widget.findChildren(QOpenGLWidget):
        canvas.makeCurrent()
