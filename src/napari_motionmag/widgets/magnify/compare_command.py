"""The menu command that compares methods on the active layer."""

from __future__ import annotations

from napari_motionmag.widgets.magnify.dock import MagnifyWidget


def compare_methods() -> MagnifyWidget | None:
    """Dock the widget "Magnify motion", if it is not there, and press its button to compare.

    Returns
    -------
    MagnifyWidget or None
        None when there is no viewer with a window.
    """
    import napari

    viewer = napari.current_viewer()
    if viewer is None:
        return None
    _, widget = viewer.window.add_plugin_dock_widget("napari-motionmag", "Magnify motion")
    active = viewer.layers.selection.active
    if active in widget.layer.choices and widget.layer.value is not active:
        widget.layer.value = active
    widget.compare()
    return widget
