"""The viewer that a widget works in."""

from __future__ import annotations


def viewer_of(viewer):
    """Return the viewer itself, not the proxy that napari hands to plugins; the current for None.

    Through the proxy, a layer is another object each time.
    """
    import napari

    viewer = napari.current_viewer() if viewer is None else viewer
    if viewer is None:
        raise ValueError("napari_viewer: there is no viewer; make one with napari.Viewer() first")
    return getattr(viewer, "__wrapped__", viewer)
