"""The buttons of the dock "Magnify motion" that open the docks in which a result is looked at."""

from __future__ import annotations

from collections.abc import Callable

from magicgui.widgets import Container
from napari.layers import Image

from napari_motionmag.widgets.common.dock import find_or_open
from napari_motionmag.widgets.common.form import button


class NextSteps(Container):
    """Two buttons, for slices of the movie and its results, and for the displacement."""

    def __init__(self):
        self.slices = button(
            "open_slices",
            "Slice view",
            "Show a line through the movie and its results over time, in a dock of its own.",
        )
        self.displacement = button(
            "open_displacement",
            "Displacement",
            "Measure how far the movie moves, in a dock of its own.",
        )
        widgets = [self.slices, self.displacement]
        super().__init__(widgets=widgets, layout="horizontal", labels=False, name="next_steps")
        self.margins = (0, 0, 0, 0)

    def connect(self, viewer, movie: Callable[[], Image]) -> None:
        """Let the buttons open docks of a viewer; the displacement is that of ``movie()``."""

        def measure(_) -> None:
            dock = find_or_open(viewer, "Displacement")
            if not dock.working:
                dock.layers.value = [movie()]  # not the result, all frames of which were drawn
                dock.begin()

        self.slices.changed.connect(lambda _: find_or_open(viewer, "Slice view"))
        self.displacement.changed.connect(measure)
