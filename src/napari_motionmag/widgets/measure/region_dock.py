"""The base of the docks that measure the displacement of regions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from magicgui.widgets import PushButton, Widget
from napari.layers import Image, Points, Shapes

from napari_motionmag.widgets.common.dock import MOVIE_EVENTS, reports_errors
from napari_motionmag.widgets.common.form import button, choice, integer
from napari_motionmag.widgets.common.measurement_dock import CHOOSE_MOVIE, MeasurementDock
from napari_motionmag.widgets.common.messages import EXPECTED
from napari_motionmag.widgets.measure.regions import (
    MAX_REGIONS,
    RegionRequest,
    count_regions,
    regions_of,
)

WHOLE = "the whole frame"
CHANGED = "Press “Measure” for what is chosen now"


class RegionDock(MeasurementDock):
    """A dock that measures the displacement of regions, ``marks``, of movies.

    Subclasses say which movies (`_chosen_layers`), what is measured (`_measurement`) and how the
    results are shown (`_show_results`).
    """

    def __init__(self, napari_viewer=None):
        self._requests: list[RegionRequest] = []  # what the results are of
        super().__init__(napari_viewer)
        self._choose_active()
        self._choose_drawn_region()
        self._watch(self._marks, count_regions, self._on_region_drawn)
        for field in (*self._measured_fields(), self.marks, self.side, self.axes, self.fps):
            field.changed.connect(self._on_choice_changed)
        self._on_choice_changed()

    # ---- for subclasses ----

    def _measured_fields(self) -> list[Widget]:
        """Return the fields that decide what is measured, besides region, axes and rate."""
        raise NotImplementedError

    def _chosen_layers(self) -> list[Image]:
        """Return the chosen movies."""
        raise NotImplementedError

    def _choose_active(self) -> None:
        """Choose the active layer, if it is a movie."""
        raise NotImplementedError

    def _measurement(self) -> Callable:
        """Return a function ``measure(request, progress)`` with the options of the fields."""
        raise NotImplementedError

    def _show_results(self, results: list) -> None:
        """Show what was measured, one result for each of `_requests`."""
        raise NotImplementedError

    def _on_requests_changed(self, requests: list[RegionRequest]) -> None:
        """Adapt the fields to the chosen movies."""

    def _invitation(self, requests: list[RegionRequest]) -> str:
        """Return the message while what is chosen is not measured yet."""
        return CHANGED

    def _title(self, layers: Sequence[Image]) -> str:
        """Return the title of the progress bar."""
        return f"Measuring {' and '.join(layer.name for layer in layers)}"

    # ---- fields ----

    def _create_region_fields(self) -> list[Widget]:
        self.marks = choice(
            "marks",
            "Region",
            lambda _: [WHOLE, *self._marks()],
            "Shapes layer: its rectangles, polygons or ellipses. Points layer: a square around "
            "each point. Those selected in the layer, or all. A region that is drawn is chosen at "
            "once.",
            nullable=False,
        )
        tooltip = "Side of the square around each point."
        self.side = integer("side", "Square (px)", 5, 999, tooltip, value=21)
        return [self.marks, self.side]

    def _create_measure_button(self) -> PushButton:
        self.measure = button("measure", "Measure", "Measure how the region moves.", self.begin)
        return self.measure

    def _chosen_marks(self) -> Shapes | Points | None:
        """Return the layer that marks the regions, or None for the whole frame."""
        return None if self.marks.value == WHOLE else self.marks.value

    def _choose_drawn_region(self) -> None:
        """Choose a region that was drawn before the dock was opened."""
        marked = [layer for layer in self._shapes() if count_regions(layer)]
        active = self._viewer.layers.selection.active
        if active in self._marks() and count_regions(active):
            marked.append(active)
        if marked:
            self.marks.value = marked[-1]

    def _on_region_drawn(self, layer) -> None:
        if not self._closed and count_regions(layer) <= MAX_REGIONS:
            self.marks.reset_choices()
            self.marks.value = layer

    def _on_choice_changed(self, _=None) -> None:
        if self._closed:
            return
        layers = self._open_layers(self._chosen_layers())
        self._describe_movies(layers)
        marks = self._chosen_marks()
        self.side.visible = isinstance(marks, Points)
        self._follow([*((layer, MOVIE_EVENTS) for layer in layers), (marks, ("data",))])
        self._timer.start()

    # ---- measuring ----

    def __call__(self) -> list:
        """Measure, show and return the results; ValueError or TypeError if something is wrong."""
        requests, measure = self._chosen_requests(), self._measurement()
        results = [measure(request, None) for request in requests]
        self._requests = requests
        self._show_results(results)
        return results

    @reports_errors
    def begin(self) -> None:
        """Measure in the background."""
        self._messages.forget()
        requests, measure = self._chosen_requests(), self._measurement()
        for request in requests:
            request.region.value(request.movie)  # raises where it is empty

        def work(progress) -> list:
            return [
                measure(
                    request,
                    lambda done, total, k=k: progress(k * total + done, total * len(requests)),
                )
                for k, request in enumerate(requests)
            ]

        def show(results: list) -> None:
            self._requests = requests
            self._show_results(results)

        layers = list(dict.fromkeys(request.layer for request in requests))
        self._work.run(work, show, title=self._title(layers), layers=layers)

    def _chosen_requests(self) -> list[RegionRequest]:
        layers = self._open_layers(self._chosen_layers())
        if not layers:
            raise ValueError(CHOOSE_MOVIE)
        requests = []
        for layer in layers:
            movie = self.movie_of(layer)
            _, other = self._place_shown(layer, movie)
            at = dict(zip(movie.other_axes, other, strict=True))
            for region in regions_of(self._chosen_marks(), layer, self.side.value):
                requests.append(RegionRequest(layer, movie, region, at))
        return requests

    def _refresh(self) -> None:
        if self.working:
            return
        try:
            requests = self._chosen_requests()
        except EXPECTED as error:
            self._messages.say(str(error))
            return
        self._on_requests_changed(requests)
        if [one.key for one in requests] != [one.key for one in self._requests]:
            self._messages.say(self._invitation(requests))
