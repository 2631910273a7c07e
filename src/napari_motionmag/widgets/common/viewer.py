"""The viewer that a dock works in, and the OpenGL context of its window."""

from __future__ import annotations

from qtpy.QtOpenGLWidgets import QOpenGLWidget
from qtpy.QtWidgets import QWidget


def viewer_of(viewer):
    """Return the viewer itself, not the proxy that napari hands to plugins; the current for None.

    Through the proxy, a layer is another object each time.
    """
    import napari

    viewer = napari.current_viewer() if viewer is None else viewer
    if viewer is None:
        raise ValueError("napari_viewer: there is no viewer; make one with napari.Viewer() first")
    return getattr(viewer, "__wrapped__", viewer)


def make_current(widget: QWidget) -> None:
    """Make the context of the canvas current, before layers are removed.

    When a layer goes, napari (0.9.2) frees its OpenGL objects in whatever context is current;
    after several layers the next picture may crash the process.
    """
    while widget.parentWidget() is not None:
        widget = widget.parentWidget()
    for canvas in widget.findChildren(QOpenGLWidget):
        canvas.makeCurrent()


def time_sliders(viewer):
    """Return the Qt widget with the sliders of a viewer, which plays them; None without a window.

    napari has no public way to ask whether it plays, or to stop it.
    """
    window = getattr(viewer, "window", None)
    return getattr(getattr(window, "_qt_viewer", None), "dims", None)
