"""Buttons of a dock that go on in another dock, with the same movie."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from magicgui.widgets import PushButton
from napari.layers import Image

from napari_motionmag.widgets.common.dock import find_or_open
from napari_motionmag.widgets.common.form import button
from napari_motionmag.widgets.common.layer_movie import open_source


def movie_behind(viewer, layers: Sequence[Image]) -> Image | None:
    """Return the first of the layers, or the movie that it was made of; None if there is none."""
    return next((open_source(viewer, layer) or layer for layer in layers), None)


def slices_button(viewer) -> PushButton:
    """Create a button that opens the dock "Slice view"."""
    return button(
        "open_slices",
        "Slice view",
        "Show a line through the movie and its results over time, in a dock of its own.",
        lambda: find_or_open(viewer, "Slice view"),
    )


def displacement_button(viewer, movie: Callable[[], Image | None]) -> PushButton:
    """Create a button that measures ``movie()`` in the dock "Displacement"."""

    def measure() -> None:
        dock, chosen = find_or_open(viewer, "Displacement"), movie()
        if chosen in dock.layers.choices and not dock.working:
            dock.layers.value = [chosen]  # not the result, all frames of which were drawn
            dock.begin()

    tooltip = "Measure how far the movie moves, in a dock of its own."
    return button("open_displacement", "Displacement", tooltip, measure)


def compare_button(viewer, movie: Callable[[], Image | None]) -> PushButton:
    """Create a button that compares methods on ``movie()`` in the dock "Magnify motion"."""

    def compare() -> None:
        dock, chosen = find_or_open(viewer, "Magnify motion"), movie()
        if chosen in dock.layer.choices:
            dock.layer.value = chosen
        dock.compare()

    tooltip = "Show the movie magnified by several methods side by side, with the settings there."
    return button("compare_methods", "Compare methods", tooltip, compare)
