"""Find, open and fill the dock "Magnify motion" of a viewer."""

from __future__ import annotations

from napari_motionmag.widgets.common.layer_movie import open_source
from napari_motionmag.widgets.magnify.dock import MagnifyWidget

PLUGIN, TITLE = "napari-motionmag", "Magnify motion"


def magnify_dock(viewer) -> MagnifyWidget:
    """Return the dock of a viewer, opened if need be, and bring it to the front."""
    found = [w for w in viewer.window.dock_widgets.values() if isinstance(w, MagnifyWidget)]
    widget = found[0] if found else viewer.window.add_plugin_dock_widget(PLUGIN, TITLE)[1]
    dock = widget.native.parent()
    while dock is not None and not hasattr(dock, "toggleViewAction"):
        dock = dock.parent()
    if dock is not None:
        dock.show()
        dock.raise_()
    return widget


def fill_band(
    viewer, layer, band: tuple[float, float], fps: float, filter: str = "fir"
) -> MagnifyWidget:
    """Select the motion of a band in the dock.

    Parameters
    ----------
    viewer : napari.Viewer
    layer : napari.layers.Image
        The movie; of a magnified one, its source where that is still there.
    band : (float, float)
        Hz.
    fps : float
        Frames per second.
    filter : str
        As of `magnify`.
    """
    widget = magnify_dock(viewer)
    movie = open_source(viewer, layer) or layer
    if movie in widget.layer.choices:
        widget.layer.value = movie
    widget.mode.value = "temporal"
    if abs(widget.fps.value - fps) > 1e-3:
        widget.fps.value = fps
    widget.filter.value = filter
    widget.band_low.value, widget.band_high.value = (round(edge, 4) for edge in band)
    return widget
