"""The dock widget "Motion spectrum": how fast a region moves, and what filters let through."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from magicgui.widgets import CheckBox, ComboBox, FloatSpinBox, PushButton
from napari.layers import Image
from qtpy.QtWidgets import QSizePolicy

from napari_motionmag.magnification.script import Call, FromLayer, source
from napari_motionmag.movie.movie import Movie
from napari_motionmag.temporal import make_operator
from napari_motionmag.views.displacement import displacement_trace
from napari_motionmag.views.figures.motion import draw_spectrum
from napari_motionmag.views.figures.text import spectrum_in_words
from napari_motionmag.views.responses import response_table
from napari_motionmag.views.spectrum import MotionSpectrum, Peak, motion_spectrum, suggest_band
from napari_motionmag.views.trace import DisplacementTrace
from napari_motionmag.widgets.common.dock import MeasuringWidget
from napari_motionmag.widgets.common.messages import EXPECTED
from napari_motionmag.widgets.common.motion_fields import FILTERS, may_be_narrow, row
from napari_motionmag.widgets.common.script_button import ScriptButton
from napari_motionmag.widgets.common.viewer import viewer_of
from napari_motionmag.widgets.magnify.open_dock import fill_band
from napari_motionmag.widgets.measure.measure_fields import RegionFields
from napari_motionmag.widgets.measure.regions import Region, regions_of

AGAINST = [
    ("smooth background", "background"),
    ("noise of pixels", "pixels"),
]
CHANGED = "Press “Measure” for what is chosen now"


@dataclass(frozen=True)
class Measured:
    """What was measured, and where.

    Attributes
    ----------
    layer : napari.layers.Image
    movie : Movie
    region : Region
    at : dict
        Index along axes such as Z and C.
    trace : DisplacementTrace
    spectrum : MotionSpectrum
    unit : str
        Of frequencies.
    """

    layer: Image
    movie: Movie
    region: Region
    at: dict
    trace: DisplacementTrace
    spectrum: MotionSpectrum
    unit: str


class SpectrumWidget(MeasuringWidget):
    """The spectrum of a region's motion, with the response of temporal filters over it.

    Every field is an attribute, and calling the widget measures::

        widget.marks.value = viewer.layers["Shapes"]
        spectrum = widget()

    Parameters
    ----------
    napari_viewer : napari.Viewer, optional
        The current one when None.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer = None):  # noqa: F821
        self._viewer = viewer_of(napari_viewer)
        self._region = RegionFields(self._marks)
        self._make_fields()
        rows = [
            self.layer,
            self.marks,
            self.side,
            self.against,
            self.filter,
            self.band_row,
            self.all_filters,
        ]
        buttons = [self.measure, self.use_band, self.save, self.copy_script]
        self._measured: Measured | None = None
        self._peaks: list[Peak] = []
        super().__init__(self._viewer, "motion_spectrum", rows, buttons, height=250)
        self._choose_active()
        for field in (self.layer, self.marks, self.side, self.axes, self.fps):
            field.changed.connect(self._choice_changed)
        for field in (self.filter, self.band_low, self.band_high, self.all_filters):
            field.changed.connect(self._draw)
        self.against.changed.connect(self._find_peaks)
        self.measure.changed.connect(self.begin)
        self.use_band.changed.connect(self._use_band)
        self.save.changed.connect(self._choose_file)
        self._choice_changed()
        self._draw()

    def __call__(self) -> MotionSpectrum:
        """Measure the spectrum, show and return it.

        Raises
        ------
        ValueError, TypeError
            When the movie or the region does not do.
        """
        layer, movie, region, at = self._chosen()
        trace = displacement_trace(movie, region.value(movie), at=at or None)
        self._take(_spectrum_of(layer, movie, region, at, trace))
        return self._measured.spectrum

    def begin(self, _=None) -> None:
        """Measure in the background."""
        self._messages.afresh()
        self._timer.stop()
        try:
            layer, movie, region, at = self._chosen()
            value = region.value(movie)
        except EXPECTED as error:
            self._failed(error)
            return
        found: list[Measured] = []

        def work(progress):
            trace = displacement_trace(movie, value, at=at or None, progress=progress)
            found.append(_spectrum_of(layer, movie, region, at, trace))

        done = self._when_done(lambda: self._take(found[0]))
        self._begin(work, done, f"Measuring {layer.name}", [movie])

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
        """Return Python source that measures the same.

        Raises
        ------
        ValueError, TypeError
            When no movie or region is chosen.
        """
        layer, movie, region, at = self._chosen()
        where = {"at": at} if at else {}
        shown = FromLayer(layer, movie)
        views = "napari_motionmag.views"
        trace = Call(views, "displacement_trace", shown, region.written(movie), **where)
        trace.named("trace", f"displacement of a region of {layer.name}")
        spectrum = Call(views, "motion_spectrum", trace).named("spectrum")
        against = self.against.value
        peaks = Call(spectrum, "peaks", against=against).named("found", "the strongest first")
        band = Call(views, "suggest_band", spectrum, against=against).named("band", "Hz, or None")
        return source(peaks, band, title="Spectrum of motion")

    # ---- fields ----

    def _make_fields(self) -> None:
        self.layer = ComboBox(
            name="layer",
            label="Movie",
            choices=self._images,
            nullable=False,
            tooltip="Image layer with a time axis.",
        )
        self.marks, self.side = self._region.marks, self._region.side
        self.against = ComboBox(
            name="against",
            label="Peaks over",
            choices=AGAINST,
            tooltip="What a peak must stand out from. Few beats in the record, such as those of a "
            "heart, look like a background: choose the noise of pixels then.",
        )
        self.filter = ComboBox(
            name="filter", label="Filter", choices=FILTERS, tooltip="Whose response is drawn."
        )
        self.band_low = FloatSpinBox(name="band_low", min=0, max=1e9, tooltip="Hz.")
        self.band_high = FloatSpinBox(name="band_high", min=0, max=1e9, tooltip="Hz.")
        for field in (self.band_low, self.band_high):
            field.native.setDecimals(4)
            field.native.setSuffix(" Hz")
            field.native.setButtonSymbols(field.native.ButtonSymbols.NoButtons)
            field.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
            field.native.setObjectName(field.name)
            field.adaptive_step = True
        self.band_row = row("Band", self.band_low, self.band_high)
        self.all_filters = CheckBox(
            name="all_filters",
            text="Draw all filters of this band",
            value=False,
            tooltip="To compare them.",
        )
        self.measure = PushButton(
            name="measure", text="Measure", tooltip="Measure how the region moves."
        )
        self.use_band = PushButton(
            name="use_band",
            text="Use this band",
            tooltip="Fill in band, filter and rate in the dock “Magnify motion”.",
        )
        self.save = PushButton(
            name="save", text="Save spectrum…", tooltip="CSV: frequency, amplitude, density."
        )
        self.copy_script = ScriptButton(self.script)
        for box in (self.layer, self.against, self.filter):
            may_be_narrow(box.native)

    def _choose_active(self) -> None:
        active = self._viewer.layers.selection.active
        if active in self.layer.choices:
            self.layer.value = active

    def _choice_changed(self, _=None) -> None:
        if self._closed:
            return
        layer = self.layer.value
        self._show_axes([] if layer is None else [layer])
        self._region.show_what_applies()
        marks = self._region.chosen
        self._follow([(layer, ("data", "scale", "units", "axis_labels")), (marks, ("data",))])
        self._timer.start()

    def _changed_for_good(self) -> None:
        if self._closed or self._runner.working:
            return
        try:
            layer, movie, region, at = self._chosen()
        except EXPECTED as error:
            self._messages.say(str(error))
            return
        if self._measured is None:
            rate = "frame rate unknown" if movie.fps is None else f"{movie.fps:g} fps"
            self._messages.say(f"{movie.n_frames} frames, {rate}. {CHANGED}")
        elif self._measured.layer is not layer or not _same(self._measured, region, at, movie):
            self._messages.say(CHANGED)

    def _chosen(self) -> tuple[Image, Movie, Region, dict]:
        layer = self.layer.value
        if layer is None or layer not in self._viewer.layers:
            raise ValueError("Choose a movie: an Image layer with a time axis")
        movie = self.movie_of(layer)
        _, other = self.place_of(layer, movie)
        at = dict(zip(movie.other_axes, other, strict=True))
        regions = regions_of(self._region.chosen, layer, self.side.value)
        return layer, movie, regions[-1], at

    # ---- what was measured ----

    def _take(self, measured: Measured) -> None:
        self._measured = measured
        self._find_peaks()

    def _find_peaks(self, _=None) -> None:
        if self._measured is None or self._closed:
            return
        spectrum, against = self._measured.spectrum, self.against.value
        self._peaks = spectrum.peaks(against=against)
        band = suggest_band(spectrum, against=against)
        if band is not None and self._measured.unit == "Hz":
            with self.band_low.changed.blocked(), self.band_high.changed.blocked():
                self.band_low.value, self.band_high.value = (round(edge, 4) for edge in band)
        self._draw()
        unit = self._measured.unit
        text = spectrum_in_words(spectrum, self._measured.trace, self._peaks, unit=unit)
        if unit != "Hz":
            text += ". Give the rate for frequencies in Hz"
        self._messages.say_drawn(text)

    def _fps(self) -> float:
        if self._measured is not None:
            return self._measured.spectrum.fps
        try:
            return self.movie_of(self.layer.value).fps or 0.0
        except (*EXPECTED, AttributeError):  # there is no layer, or it is no movie
            return 0.0

    def _responses(self):
        """Return the responses to be drawn; None where the band is none."""
        low, high = self.band()
        fps = self._fps()
        if not 0 < low < high <= fps / 2:
            return None
        chosen = FILTERS if self.all_filters.value else [
            pair for pair in FILTERS if pair[1] == self.filter.value
        ]  # fmt: skip
        operators = {
            label.partition(" (")[0]: make_operator("temporal", band=(low, high), fps=fps, filter=f)
            for label, f in chosen
        }
        return response_table(operators, fps)

    def _draw(self, _=None) -> None:
        if self._closed:
            return
        measured, peaks = self._measured, list(self._peaks)
        responses = self._responses()
        spectrum = None if measured is None else measured.spectrum
        band = None if responses is None else self.band()
        unit = "Hz" if measured is None else measured.unit
        if spectrum is None and responses is None:
            self.canvas.draw(None)
            return
        self.canvas.draw(
            lambda figure: draw_spectrum(
                figure, spectrum, peaks=peaks, band=band, responses=responses, unit=unit
            )
        )

    def _use_band(self, _=None) -> None:
        low, high = self.band()
        fps = self._fps()
        layer = self.layer.value
        try:
            if layer is None or not fps or (self._measured and self._measured.unit != "Hz"):
                raise ValueError("Choose a movie of which the rate is known, or give its rate")
            if not 0 < low < high <= fps / 2:
                raise ValueError(
                    f"The band must be two increasing frequencies up to {fps / 2:g} Hz, half the "
                    f"rate; it is {low:g} to {high:g} Hz"
                )
        except ValueError as error:
            self._messages.all_well()
            self._failed(error)
            return
        fill_band(self._viewer, layer, (low, high), fps, self.filter.value)
        self._messages.say(f"“Magnify motion” is set to {low:.4g} to {high:.4g} Hz")

    def _choose_file(self, _=None) -> None:
        self._ask_and_save("spectrum.csv", "CSV (*.csv)")


def _spectrum_of(layer, movie: Movie, region: Region, at: dict, trace) -> Measured:
    """Work out the spectrum; in cycles per frame where the rate is not known."""
    unit = "Hz"
    if trace.fps is None:
        trace, unit = replace(trace, fps=1.0), "cycles/frame"
    return Measured(layer, movie, region, at, trace, motion_spectrum(trace), unit)


def _same(measured: Measured, region: Region, at: dict, movie: Movie) -> bool:
    before, now = measured.region.corners, region.corners
    same = (before is None) == (now is None)
    if same and before is not None:
        same = before.shape == now.shape and bool(abs(before - now).max() < 1e-6)
    return same and measured.at == at and measured.movie.fps == movie.fps
