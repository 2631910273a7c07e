"""The dock widget "Motion spectrum": how fast a region moves, and what filters let through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from magicgui.widgets import CheckBox, ComboBox, FloatRangeSlider, PushButton, Widget
from napari.layers import Image

from napari_motionmag.magnification.script import Call, source
from napari_motionmag.temporal import make_operator
from napari_motionmag.views.figures.motion import draw_spectrum
from napari_motionmag.views.figures.text import spectrum_in_words
from napari_motionmag.views.responses import response_table
from napari_motionmag.views.spectrum import MotionSpectrum, Peak, motion_spectrum, suggest_band
from napari_motionmag.views.trace import DisplacementTrace
from napari_motionmag.widgets.common.dock import create_number
from napari_motionmag.widgets.common.messages import EXPECTED
from napari_motionmag.widgets.common.motion_fields import FILTERS, may_be_narrow, row
from napari_motionmag.widgets.magnify.open_dock import fill_band
from napari_motionmag.widgets.measure.region_dock import CHANGED, RegionDock
from napari_motionmag.widgets.measure.regions import RegionRequest

AGAINST = [("smooth background", "background"), ("noise of pixels", "pixels")]


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
        super().__init__(napari_viewer)
        for field in (self.filter, self.band_low, self.band_high, self.all_filters):
            field.changed.connect(self._draw)
        self.band_slider.changed.connect(self._on_band_dragged)
        self.against.changed.connect(self._find_peaks)
        self.use_band.changed.connect(self._on_use_band_clicked)
        self.save.changed.connect(lambda _: self._save_as("spectrum.csv", "CSV (*.csv)"))
        self._draw()

    def __call__(self) -> MotionSpectrum:
        """Measure the spectrum, show and return it.

        Raises
        ------
        ValueError, TypeError
            If the movie or the region does not fit.
        """
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
        self.layer = ComboBox(
            name="layer",
            label="Movie",
            choices=self._movies,
            nullable=False,
            tooltip="Image layer with a time axis.",
        )
        region_rows = self._create_region_fields()
        self.against = ComboBox(
            name="against",
            label="Peaks over",
            choices=AGAINST,
            tooltip="What a peak must stand out from. Few beats in the record, such as those of a "
            "heart, look like a background: choose the noise of pixels then.",
        )
        self.filter = ComboBox(
            name="filter",
            label="Filter",
            choices=FILTERS,
            tooltip="The temporal filter whose response is drawn.",
        )
        self.band_low, self.band_high = (
            create_number(
                f"band_{edge}", f"{edge.title()}est frequency of the band, Hz.", suffix=" Hz"
            )
            for edge in ("low", "high")
        )
        self.band_row = row("Band", self.band_low, self.band_high)
        self.band_slider = FloatRangeSlider(
            name="band_slider",
            label=" ",
            value=(0, 0),
            min=0,
            max=1,
            tooltip="Drag the edges of the band, or the band itself, over the spectrum.",
        )
        self.all_filters = CheckBox(
            name="all_filters",
            text="Draw all filters of this band",
            value=False,
            tooltip="Compare the responses of all temporal filters.",
        )
        for box in (self.layer, self.against, self.filter):
            may_be_narrow(box.native)
        fields = [self.against, self.filter, self.band_row, self.band_slider, self.all_filters]
        return [self.layer, *region_rows, *fields]

    def _create_buttons(self) -> list[Widget]:
        self.use_band = PushButton(
            name="use_band",
            text="Use this band",
            tooltip="Fill in band, filter and rate in the dock “Magnify motion”; while a "
            "measurement runs, when it is done.",
        )
        self.save = PushButton(
            name="save", text="Save spectrum…", tooltip="CSV: frequency, amplitude, density."
        )
        return [self._create_measure_button(), self.use_band, self.save]

    def _measured_fields(self) -> list[Widget]:
        return [self.layer]

    def _chosen_layers(self) -> list[Image]:
        return [] if self.layer.value is None else [self.layer.value]

    def _choose_active(self) -> None:
        active = self._viewer.layers.selection.active
        if active in self.layer.choices:
            self.layer.value = active

    def _chosen_requests(self) -> list[RegionRequest]:
        return super()._chosen_requests()[-1:]  # the spectrum is of one region

    def _invitation(self, requests: list[RegionRequest]) -> str:
        if self._measured is not None:
            return CHANGED
        movie = requests[0].movie
        rate = "frame rate unknown" if movie.fps is None else f"{movie.fps:g} fps"
        return f"{movie.n_frames} frames, {rate}. {CHANGED}"

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
        text = spectrum_in_words(spectrum, self._measured.trace, self._peaks, unit=unit)
        if unit != "Hz":
            text += ". Enter the rate to get frequencies in Hz"
        self._messages.say_drawn(text)

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
        self.canvas.draw(
            partial(
                draw_spectrum,
                spectrum=None if measured is None else measured.spectrum,
                peaks=list(self._peaks),
                band=None if responses is None else self.band(),
                responses=responses,
                unit="Hz" if measured is None else measured.unit,
            )
        )

    # ---- the band ----

    def _fit_band_slider(self) -> None:
        """Let the slider reach to half the rate, and show the band of the fields."""
        highest, (low, high) = self._fps() / 2, self.band()
        self.band_slider.visible = highest > 0
        if highest > 0:
            with self.band_slider.changed.blocked():
                self.band_slider.max = highest
                self.band_slider.step = highest / 1000
                self.band_slider.value = sorted(min(edge, highest) for edge in (low, high))

    def _on_band_dragged(self, band: tuple[float, float]) -> None:
        with self.band_low.changed.blocked(), self.band_high.changed.blocked():
            self.band_low.value, self.band_high.value = band
        self._draw()

    def _on_use_band_clicked(self, _=None) -> None:
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

    def _use_band(self) -> None:
        """Fill in the band where motion is magnified."""
        low, high = self.band()
        layer, fps = self.layer.value, self._movie_fps()
        try:
            if layer is None or not fps:
                raise ValueError("Choose a movie whose frame rate is known, or enter its rate")
            if not 0 < low < high <= fps / 2:
                raise ValueError(
                    f"The band must be two increasing frequencies up to {fps / 2:g} Hz, half the "
                    f"rate; it is {low:g} to {high:g} Hz"
                )
        except ValueError as error:
            self._report(error)
            return
        fill_band(self._viewer, layer, (low, high), fps, self.filter.value)
        self._messages.say(f"“Magnify motion” is set to {low:.4g} to {high:.4g} Hz")
