"""Find, open and fill the dock "Magnify motion" of a viewer."""

from __future__ import annotations

from napari_motionmag.widgets.common.dock import find_or_open
from napari_motionmag.widgets.common.layer_movie import open_source
from napari_motionmag.widgets.magnify.dock import MagnifyWidget


def magnify_dock(viewer) -> MagnifyWidget:
    """Return the dock of a viewer, opened if need be, and bring it to the front."""
    return find_or_open(viewer, "Magnify motion")


def compare_methods() -> MagnifyWidget | None:
    """Open the dock and press its button to compare methods on the active layer.

    Returns None when there is no viewer with a window.
    """
    import napari

    viewer = napari.current_viewer()
    if viewer is None:
        return None
    widget = magnify_dock(viewer)
    active = viewer.layers.selection.active
    if active in widget.layer.choices and widget.layer.value is not active:
        widget.layer.value = active
    widget.compare()
    return widget


def magnify_now() -> MagnifyWidget | None:
    """Magnify the active movie with the settings of the dock, which is opened if need be.

    Returns None when there is no viewer with a window.
    """
    import napari

    viewer = napari.current_viewer()
    if viewer is None:
        return None
    widget = magnify_dock(viewer)
    widget.magnify_active()
    return widget


def fill_band(
    viewer, layer, band: tuple[float, float], fps: float, filter: str = "fir", spectrum=None
) -> MagnifyWidget:
    """Select the motion of a band, in Hz, of a movie with `fps` in the dock.

    Of a magnified movie, the source is chosen where that is still there. The `spectrum` is drawn
    over the slider of the band: frequencies in cycles per frame, and amplitudes.
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
    if spectrum is not None and movie in widget.layer.choices:
        widget.set_spectrum(movie, *spectrum)
    return widget
