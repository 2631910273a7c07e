"""Keys and commands that switch between a movie and its magnified movies."""

from __future__ import annotations

from collections.abc import Callable

from napari.layers import Image
from napari.utils.notifications import show_info

from napari_motionmag.widgets.common.layer_movie import open_source


def toggle_original(napari_viewer: napari.viewer.Viewer = None) -> None:  # noqa: F821
    """Show the original in place of the magnified movie, or the other way round."""
    viewer = _viewer(napari_viewer)
    if viewer is None or (magnified := _chosen(viewer)) is None:
        return
    magnified.visible = not magnified.visible
    source = open_source(viewer, magnified)
    if source is not None:
        source.visible = not magnified.visible


def next_result(napari_viewer: napari.viewer.Viewer = None) -> None:  # noqa: F821
    """Show the next magnified movie, and hide the others."""
    viewer = _viewer(napari_viewer)
    if viewer is None or (shown := _chosen(viewer)) is None:
        return
    results = _results(viewer)
    following = results[(results.index(shown) + 1) % len(results)]
    for layer in results:
        layer.visible = layer is following
    viewer.layers.selection.active = following


MAGNIFY = "Alt-M"
KEYS = {"Alt-O": toggle_original, "Alt-N": next_result}


class Shortcuts:
    """Keys of a viewer, as long as a dock is open; keys that are taken stay as they are.

    ``magnify()`` is called by the key `MAGNIFY`.
    """

    def __init__(self, viewer, magnify: Callable[[], object]):
        self._viewer = viewer
        self._bound: list[str] = []
        for key, function in {MAGNIFY: lambda viewer: magnify(), **KEYS}.items():
            try:
                viewer.bind_key(key, function)
            except ValueError:  # by the user, or by another dock of this kind
                continue
            self._bound.append(key)

    def close(self) -> None:
        """Give the keys back."""
        for key in self._bound:
            self._viewer.bind_key(key, None)
        self._bound.clear()


def _viewer(viewer):
    import napari

    viewer = napari.current_viewer() if viewer is None else viewer
    return getattr(viewer, "__wrapped__", viewer)


def _results(viewer) -> list[Image]:
    return [layer for layer in viewer.layers if "napari_motionmag" in layer.metadata]


def _chosen(viewer) -> Image | None:
    """Return the magnified movie that is active, or of the active movie, or visible, or any."""
    results = _results(viewer)
    if not results:
        show_info("There is no magnified movie yet: press “Magnify” first")
        return None
    active = viewer.layers.selection.active
    of_active = [layer for layer in results if open_source(viewer, layer) is active]
    visible = [layer for layer in results if layer.visible]
    return active if active in results else (of_active or visible or results)[-1]
