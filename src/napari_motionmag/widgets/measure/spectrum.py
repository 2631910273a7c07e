"""The dock widget "Motion spectrum": how fast a region moves, and what filters let through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from magicgui.widgets import FloatRangeSlider, Widget
from napari.layers import Image

from napari_motionmag.compute.validate import rounded, told_apart
from napari_motionmag.magnification.script import Call, source
from napari_motionmag.temporal import make_operator
from napari_motionmag.views.figures.motion import draw_spectrum
from napari_motionmag.views.figures.text import spectrum_in_words
from napari_motionmag.views.responses import response_table
from napari_motionmag.views.spectrum import MotionSpectrum, Peak, motion_spectrum, suggest_band
from napari_motionmag.views.trace import DisplacementTrace
from napari_motionmag.widgets.common.dock import reports_errors
from napari_motionmag.widgets.common.form import button, checkbox, choice, movie_choice, row
from napari_motionmag.widgets.common.layer_movie import describe_rate
from napari_motionmag.widgets.common.messages import EXPECTED
from napari_motionmag.widgets.common.motion_fields import FILTERS, band_fields
from napari_motionmag.widgets.magnify.open_dock import fill_band
from napari_motionmag.widgets.measure.region_dock import CHANGED, RegionDock
from napari_motionmag.widgets.measure.regions import RegionRequest

AGAINST = [("smooth background", "background"), ("pixel noise", "pixels")]


@dataclass(frozen=True)
class Measurement:
    """The spectrum of one region."""

    trace: DisplacementTrace
    spectrum: MotionSpectrum
    unit: str  # of frequencies: "Hz", or "cycles/frame" if the frame rate is unknown

    @classmethod
    def of(cls, request: RegionRequest, progress: Callable | None = None) -> Measurement:
        """Measure a region."""
        trace, unit = request.trace(progress), "Hz"
        if trace.fps is None:
            trace, unit = replace(trace, fps=1.0), "cycles/frame"
        return cls(trace, motion_spectrum(trace), unit)


class SpectrumWidget(RegionDock):
    """The spectrum of a region's motion, with the response of temporal filters over it.

    Every field is an attribute, and calling the widget measures and returns the spectrum::

        widget.marks.value = viewer.layers["Shapes"]
        spectrum = widget()
    """

    dock_name = "motion_spectrum"

    def __init__(self, napari_viewer: napari.viewer.Viewer = None):  # noqa: F821
        self._measured: Measurement | None = None
        self._peaks: list[Peak] = []
        self._use_band_when_done = False
        self._span = None  # by which the mouse selects the band
        super().__init__(napari_viewer)
        for field in (self.filter, self.band_low, self.band_high, self.all_filters):
            field.changed.connect(self._draw)
        self.band_slider.changed.connect(self._on_band_dragged)
        self.against.changed.connect(self._find_peaks)
        self._draw()

    def __call__(self) -> MotionSpectrum:
        """Measure the spectrum, show and return it."""
        super().__call__()
        return self._measured.spectrum

    def band(self) -> tuple[float, float]:
        """Return the band of the fields, Hz."""
        return self.band_low.value, self.band_high.value

    def save_to(self, path: str | Path) -> Path:
        """Write the spectrum as a table, ``.csv``."""
        if self._measured is None:
            raise ValueError("There is no spectrum yet: press “Measure” first")
        written = self._measured.spectrum.to_csv(path)
        self._messages.say(f"Saved {written.name}")
        return written

    def script(self) -> str:
        """Return Python source that measures the same."""
        (request,), against = self._chosen_requests(), self.against.value
        views = "napari_motionmag.views"
        spectrum = Call(views, "motion_spectrum", request.call()).named("spectrum")
        peaks = Call(spectrum, "peaks", against=against).named("found", "the strongest first")
        band = Call(views, "suggest_band", spectrum, against=against).named("band", "Hz, or None")
        return source(peaks, band, title="Spectrum of motion")

    # ---- fields ----

    def _create_rows(self) -> list[Widget]:
        self.layer = movie_choice(self._movies)
        region_rows = self._create_region_fields()
        self.against = choice(
            "against",
            "Peaks over",
            AGAINST,
            "What a peak must stand out from. A few beats in the recording, such as those of a "
            "heart, look like a background: choose the pixel noise then.",
        )
        tooltip = "The temporal filter whose response is drawn."
        self.filter = choice("filter", "Filter", FILTERS, tooltip)
        self.band_low, self.band_high = band_fields()
        self.band_row = row("Band", self.band_low, self.band_high)
        self.band_slider = FloatRangeSlider(
            name="band_slider",
            label=" ",
            value=(0, 0),
            min=0,
            max=1,
            tooltip="Drag the edges of the band, or the band itself, over the spectrum.",
        )
        self.all_filters = checkbox(
            "all_filters",
            "Draw all filters of this band",
            "Compare the responses of all temporal filters.",
        )
        band = [self.filter, self.band_row, self.band_slider, self.all_filters]
        return [self.layer, *region_rows, self.against, *band]

    def _create_buttons(self) -> list[Widget]:
        self.use_band = button(
            "use_band",
            "Use this band",
            "Fill in band, filter and rate in the dock “Magnify motion”; while a measurement runs, "
            "when it is done.",
            self._on_use_band_clicked,
        )
        save = button(
            "save",
            "Save spectrum…",
            "CSV: frequency, amplitude, density.",
            lambda: self.save_as("Save the spectrum", "spectrum.csv", "CSV (*.csv)"),
        )
        return [self._create_measure_button(), self.use_band, save]

    def _measured_fields(self) -> list[Widget]:
        return [self.layer]

    def _chosen_layers(self) -> list[Image]:
        return [] if self.layer.value is None else [self.layer.value]

    def _choose_active(self) -> None:
        self._choose_active_layer(self.layer)

    def _chosen_requests(self) -> list[RegionRequest]:
        return super()._chosen_requests()[-1:]  # the spectrum is of one region

    def _invitation(self, requests: list[RegionRequest]) -> str:
        if self._measured is not None:
            return CHANGED
        movie = requests[0].movie
        return f"{movie.n_frames} frames, {describe_rate(movie)}. {CHANGED}"

    # ---- measuring ----

    def _measurement(self) -> Callable:
        return Measurement.of

    def _show_results(self, results: list[Measurement]) -> None:
        (self._measured,) = results
        self._find_peaks()
        if self._use_band_when_done:
            self._use_band()

    def _find_peaks(self, _=None) -> None:
        if self._measured is None or self._closed:
            return
        spectrum, against, unit = self._measured.spectrum, self.against.value, self._measured.unit
        self._peaks = spectrum.peaks(against=against)
        band = suggest_band(spectrum, against=against)
        if band is not None and unit == "Hz":
            with self.band_low.changed.blocked(), self.band_high.changed.blocked():
                self.band_low.value, self.band_high.value = (round(edge, 4) for edge in band)
        self._draw()
        trace = self._measured.trace
        text = spectrum_in_words(spectrum, trace, self._peaks, unit=unit, against=against)
        if unit != "Hz":
            text += ". Enter the rate to get frequencies in Hz"
        self._messages.say_result(text)

    def _fps(self) -> float:
        """Return the rate of the spectrum, or else of the chosen movie; 0 if unknown."""
        if self._measured is not None:
            return self._measured.spectrum.fps
        return self._movie_fps()

    def _movie_fps(self) -> float:
        """Return the rate of the chosen movie; 0 if unknown."""
        try:
            return self.movie_of(self.layer.value).fps or 0.0
        except (*EXPECTED, AttributeError):  # there is no layer, or it is no movie
            return 0.0

    def _responses(self):
        """Return the responses to draw; None without a valid band."""
        low, high = self.band()
        fps = self._fps()
        if not 0 < low < high <= fps / 2:
            return None
        operators = {
            label.partition(" (")[0]: make_operator("temporal", band=(low, high), fps=fps, filter=f)
            for label, f in FILTERS
            if self.all_filters.value or f == self.filter.value
        }
        return response_table(operators, fps)

    def _draw(self, _=None) -> None:
        if self._closed:
            return
        self._fit_band_slider()
        measured, responses = self._measured, self._responses()
        if measured is None and responses is None:
            self.canvas.draw(None)
            return
        draw = partial(
            draw_spectrum,
            spectrum=None if measured is None else measured.spectrum,
            peaks=list(self._peaks),
            band=None if responses is None else self.band(),
            responses=responses,
            unit="Hz" if measured is None else measured.unit,
        )
        self.canvas.draw(lambda figure: (draw(figure), self._let_band_be_dragged(figure)))

    # ---- the band ----

    def _let_band_be_dragged(self, figure) -> None:
        """Let the mouse select the band in the figure of the dock."""
        if figure is not self.canvas.figure:
            return
        from matplotlib.widgets import SpanSelector

        def select(low: float, high: float) -> None:
            if high > low:
                self._on_band_dragged((max(low, self.band_slider.step), high))

        self._span = SpanSelector(
            figure.axes[-1], select, "horizontal", props={"alpha": 0.2, "color": "C1"}
        )

    def _fit_band_slider(self) -> None:
        """Let the slider reach to half the rate, and show the band of the fields."""
        highest = self._fps() / 2
        self.band_slider.visible = highest > 0
        if highest > 0:
            with self.band_slider.changed.blocked():
                self.band_slider.max = highest
                self.band_slider.step = highest / 1000
                self.band_slider.value = sorted(min(edge, highest) for edge in self.band())

    def _on_band_dragged(self, band: tuple[float, float]) -> None:
        with self.band_low.changed.blocked(), self.band_high.changed.blocked():
            self.band_low.value, self.band_high.value = band
        self._draw()

    def _on_use_band_clicked(self) -> None:
        if not self.working:
            self._use_band()
            return
        self._use_band_when_done = True
        self.use_band.enabled = False

    def _on_busy_changed(self, busy: bool) -> None:
        super()._on_busy_changed(busy)
        if not self._closed:
            self.use_band.enabled = True
        if busy:
            self._use_band_when_done = False

    @reports_errors
    def _use_band(self) -> None:
        """Fill in the band where motion is magnified."""
        self._messages.forget_error()
        low, high = self.band()
        layer, fps = self.layer.value, self._movie_fps()
        if layer is None or not fps:
            raise ValueError("Choose a movie whose frame rate is known, or enter its rate")
        if not 0 < low < high <= fps / 2:
            shown, most = told_apart(high, fps / 2, 6)
            raise ValueError(
                f"The band must be two increasing frequencies up to {most} Hz, half the rate; it "
                f"is {low:g} to {shown} Hz"
            )
        spectrum = None
        if self._measured is not None and self._requests[-1].layer is layer:
            found = self._measured.spectrum
            spectrum = found.frequencies / found.fps, found.amplitude
        fill_band(self._viewer, layer, (low, high), fps, self.filter.value, spectrum)
        self._messages.say(f"“Magnify motion” is set to {rounded(low, 4)} to {rounded(high, 4)} Hz")
