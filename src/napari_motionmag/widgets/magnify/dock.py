"""The dock widget "Magnify motion"."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from magicgui.widgets import Widget
from napari.layers import Image, Labels, Shapes

from napari_motionmag.magnification import presets
from napari_motionmag.magnification.factor_map import factor_map_of
from napari_motionmag.magnification.magnification import Magnification, plan
from napari_motionmag.magnification.script import FromLayer, magnification, source
from napari_motionmag.methods.stabilisation.layer_masks import mask_from_layer
from napari_motionmag.movie.movie import Movie
from napari_motionmag.views.shapes import drawn_areas
from napari_motionmag.widgets.common.devices import find_devices
from napari_motionmag.widgets.common.dock import MOVIE_EVENTS, Dock, reports_errors
from napari_motionmag.widgets.common.layer_movie import typed_by_user
from napari_motionmag.widgets.common.messages import EXPECTED, warnings_to
from napari_motionmag.widgets.common.next_steps import displacement_button, slices_button
from napari_motionmag.widgets.common.preferences import Preferences, follow
from napari_motionmag.widgets.common.shown_frame import frame_shown, frame_to_draw
from napari_motionmag.widgets.compare.comparison import Comparison
from napari_motionmag.widgets.frames.magnified_layers import Result, Results
from napari_motionmag.widgets.magnify.bad_pixels import BadPixels
from napari_motionmag.widgets.magnify.chosen_movie import ChosenMovie
from napari_motionmag.widgets.magnify.fields import DEVICES, Fields, bands_in
from napari_motionmag.widgets.magnify.frame_drawing import FrameDrawing
from napari_motionmag.widgets.magnify.large_frames import region_of
from napari_motionmag.widgets.magnify.playing import Playing
from napari_motionmag.widgets.magnify.shared import Shared
from napari_motionmag.widgets.magnify.shortcuts import Shortcuts
from napari_motionmag.widgets.magnify.stabilisation import Drift
from napari_motionmag.widgets.magnify.suggestions import Suggesting
from napari_motionmag.widgets.magnify.whole_movie import WholeMovie

_PLACE_EVENTS = ("translate", "rotate", "shear", "affine")  # where the result lies, too


class MagnifyWidget(Dock):
    """Magnify the motion in an Image layer.

    Every field is an attribute, and calling the widget does what its button does, so that it can
    be used from a script::

        widget.factor.value = 20
        layer = widget()

    Parameters
    ----------
    napari_viewer : napari.Viewer, optional
        The current one when None.
    """

    dock_name = "magnify_motion"
    contents_width = 360  # px; a row of four buttons fits
    pause_ms = 200

    def __init__(self, napari_viewer: napari.viewer.Viewer = None):  # noqa: F821
        super().__init__(napari_viewer)
        self._results = Results(self._viewer, self._messages)
        self._results.take_up()
        self._chosen = ChosenMovie(self._viewer, self._fields, self._messages)
        shared = Shared(
            self._viewer, self._fields, self._chosen, self._results, self._messages, self._work
        )
        self._suggesting = Suggesting(shared, self)
        self._messages.on_error = BadPixels(shared).notice
        self._drawing = FrameDrawing(shared, self)
        self._comparison = Comparison(self._viewer, self, self._messages, self._drawing)
        self._playing = Playing(shared, self._drawing, self._comparison, self.native)
        self._playback = self._playing.playback
        self._drift = Drift(shared, self._playback, self.native)
        self._drawing.on_drawn = self._drift.note_drawn
        self._whole_movie = WholeMovie(shared, self, self._comparison, self._playing)
        self._preferences = Preferences.current()
        self._fields.begin_with(self._preferences)
        self._apply_preferences()
        self._follow_no_more = follow(self._apply_preferences)
        self._shortcuts = Shortcuts(self._viewer, self.magnify_active)
        self._connect()
        self._watch(self._shapes, lambda shapes: len(drawn_areas(shapes)), self._on_region_drawn)
        self._chosen.choose_active()
        self._on_layer_chosen()
        find_devices(self._offer_devices)

    def __call__(self) -> Image:
        """Make the magnified layer, or bring it up to date, and return it.

        Raises
        ------
        ValueError, TypeError
            If there is no movie, or a parameter is invalid.
        """
        layer, planned, place = self._drawing.plan_frame()
        planned.draw_timed(place)  # a bad frame is found before anything is changed
        self._timer.stop()
        self._drawing.note_shown()
        return self.show_result(layer, planned).layer

    def script(self) -> str:
        """Return Python source that magnifies the movie as the fields say.

        Raises
        ------
        ValueError, TypeError
            If there is no movie, or a parameter is invalid.
        """
        movie, layer = self._chosen.movie(), self.layer.value
        recipe = self.plan(movie).recipe
        title = f"Magnify the motion in {layer.name!r}."
        return source(magnification(FromLayer(layer, movie), recipe), title=title)

    def save_to(self, path: str | Path) -> None:
        """Save the magnified movie in the background.

        Parameters
        ----------
        path : path
            As for `napari_motionmag.io.save_movie`; an existing file is replaced.
        """
        self._whole_movie.save_to(Path(path))

    def compare(self, methods: Sequence[str] | None = None) -> None:
        """Show several methods side by side, drawn in the background.

        Parameters
        ----------
        methods : sequence of str, optional
            Keys of `choices`, as ``["original", "learned", "phase"]``; the chosen ones
            when None.

        Raises
        ------
        ValueError
            If there is no such method.
        """
        if methods is not None:
            self._fields.compare_row.choose_methods(methods)
        if not self._work.refused():
            self._timer.stop()
            self._comparison.start(self._fields.compare_row.chosen())

    def magnify_active(self) -> None:
        """Magnify the active layer, if it is a movie but no result, else the one that is chosen."""
        active = self._viewer.layers.selection.active
        if active in self.layer.choices and "napari_motionmag" not in active.metadata:
            self.layer.value = active
        self.draw()

    def play(self) -> None:
        """Play the magnified movie, if there is one, as soon as enough of its frames are drawn."""
        self._playback.play()

    def pause(self) -> None:
        """Stop playing."""
        self._playback.stop()

    def end_comparison(self) -> None:
        """Show the layers and the grid as they were before `compare`."""
        self._comparison.end(keep=self._fields.compare_row.keep.value)

    # ---- the chosen movie ----

    def _create_widgets(self) -> list[Widget]:
        self._fields = fields = Fields(self._movies, self._mask_layers)
        for name, field in vars(fields).items():  # as self.factor
            if field in fields.parameters or field is fields.layer:
                setattr(self, name, field)
        self.preset, self.live = fields.preset_rows.preset, fields.live
        self.suggest = fields.suggest_row.suggest
        fields.buttons.append(self._create_script_button())
        measure = displacement_button(self._viewer, lambda: self.layer.value)
        fields.next_steps.extend([slices_button(self._viewer), measure])
        return fields.rows

    def _mask_layers(self, _=None) -> list[Labels | Shapes]:
        return [layer for layer in self._viewer.layers if isinstance(layer, Labels | Shapes)]

    def _shapes(self) -> list[Shapes]:
        return [layer for layer in self._mask_layers() if isinstance(layer, Shapes)]

    def _on_layer_chosen(self, _=None) -> None:
        """Fill the fields from another layer."""
        self._described = self.layer.value
        self._follow_layers()
        self._fields.suggest_row.clear()
        self._fields.bad_pixels_row.visible = False
        self._drift.forget()
        with self.updating():
            self._chosen.fill()
        self._show_what_applies()
        self._playing.set_rate()
        self._playing.show()

    def _on_layer_changed(self, _=None) -> None:
        """Fill the fields from a layer that got other data or another calibration."""
        with self.changing():
            self._chosen.describe()

    def set_spectrum(self, layer: Image, frequencies, strength) -> None:
        """Draw a spectrum, cycles per frame, over the slider of the band of a movie."""
        self._chosen.set_spectrum(layer, frequencies, strength)

    def _on_region_drawn(self, shapes: Shapes) -> None:
        """Magnify the region that was just drawn, if the fields for one are open."""
        if self._fields.large_frames.opened and not self._closed:
            self.region.reset_choices()
            self.region.value = shapes

    def _on_layers_changed(self, event=None) -> None:
        super()._on_layers_changed(event)
        if not (self._closed or self._updating):
            self._playing.show()
            if self.layer.value is None and self._described is not None:
                self._on_layer_chosen()  # which magicgui does not tell

    def _follow_layers(self, _=None) -> None:
        """Listen to the movie, and to the shapes that mark a region."""
        painted = self.painted.value
        events = ("data",) if isinstance(painted, Shapes) else ("paint", "data")
        self._follow(
            [
                (self.layer.value, (*MOVIE_EVENTS, *_PLACE_EVENTS)),
                (self.region.value, ("data",)),
                (painted, events),
            ]
        )

    def _on_layer_edited(self, event) -> None:
        if isinstance(event.source, Shapes | Labels):
            self._on_parameter_changed()
        elif event.type != "metadata" or self._chosen.has_another_rate():
            self._on_layer_changed()

    # ---- parameters ----

    def shown_movie(self) -> tuple[Image, Movie, tuple]:
        """Return the source layer, its movie, and the frame that is shown."""
        movie, layer = self._chosen.movie(), self.layer.value
        return layer, movie, frame_to_draw(self._viewer, layer, movie.axes)

    def plan(
        self, movie: Movie, method: str = "", model: str = "", reduction: int = 1
    ) -> Magnification:
        """Plan what the fields say, perhaps with another method, or on smaller frames."""
        settings, layer = self._fields.settings(method, model), self.layer.value
        settings = replace(settings, preview=settings.preview * reduction)
        if settings.mask is not None:
            mask = mask_from_layer(settings.mask, movie.axes, movie.shape, layer)
            settings = replace(settings, mask=mask)
        if settings.region is not None:
            settings = replace(settings, region=region_of(settings.region, layer, movie))
        if settings.mode == "temporal":
            settings = replace(settings, more_bands=bands_in(self.more_bands.value))
        painted = self._fields.painted_factors.factor_map()
        if painted is not None:
            factors = factor_map_of(painted, settings.factor, movie, layer)
            settings = replace(settings, factor_map=factors)
        with warnings_to(self._messages.warn):
            planned = plan(movie, settings)
        planned.recipe["given"] = typed_by_user(layer, self.axes.value)
        return planned

    def _show_what_applies(self) -> None:
        if not self._updating:
            self._fields.preset_rows.follow(self._fields.settings(), self.fps.value)
        layer = self.layer.value
        self._fields.show_what_applies(
            axes=layer is not None and layer.ndim != 3,
            rate=self._chosen.rate_is_in_doubt(),
        )

    def _on_preset_chosen(self, name: str) -> None:
        """Fill the fields from a preset; where it does not fit, say so and draw nothing."""
        if not name or self._updating:
            return
        with self.changing():
            self._fields.fill(presets.get(name).arguments)
        if self._fields.preset_rows.problem(self.fps.value):
            self._timer.stop()
            self._messages.say("Not drawn: the preset does not fit the frame rate")

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Act on all changes of the fields meanwhile together, at the end."""
        with self.updating():
            yield
        self._on_parameter_changed()

    def _on_rate_changed(self, fps: float) -> None:
        """Record the rate, or go back to what the layer says where it is cleared; say which."""
        if self._updating or self.layer.value is None:
            return
        self._chosen.set_rate(fps)
        self._on_layer_changed()

    def _on_parameter_changed(self, _=None) -> None:
        self._show_what_applies()
        if self._updating or self._closed or not self.live.value:
            return
        self._drawing.changes += 1
        if self._is_comparing() or self._results.of(self.layer.value) is not None:
            self._timer.start()

    def _on_dragged(self, _=None) -> None:
        """Draw while factor or band is dragged; what is shown is refined once it rests."""
        self._on_parameter_changed()
        if not self._timer.isActive() or self.working:
            return
        if self._is_comparing():
            self._comparison.follow()
        else:
            self._drawing.request_live()

    @reports_errors
    def _on_current_frame_clicked(self, _=None) -> None:
        movie = self._chosen.movie()
        self.reference.value, _ = frame_shown(self._viewer, self.layer.value, movie.axes)

    # ---- the current frame ----

    def draw(self, _=None, then: Callable | None = None) -> None:
        """Draw the frame that is shown in the background, show it, call ``then(result)``."""
        if self._work.refused():
            return
        self._messages.forget()
        self._timer.stop()
        self._drawing.begin(then)

    def show_result(self, layer: Image, planned, coarse=None) -> Result:
        """Show what was drawn of a source layer, by `coarse` until it is shown again."""
        with self.updating():  # adding a layer resets the choice of layers
            result = self._results.show(layer, planned, coarse=coarse)
        self._playing.show()
        return result

    def _on_pause(self) -> None:
        if self._is_comparing():
            if not self._comparison.refined:
                super()._on_pause()
        elif self._results.of(self.layer.value) is None or self._drawing.live.working:
            return
        elif not self._drawing.refined:
            self._drawing.draw(refine=True)

    def refresh(self) -> None:
        """Draw from the data as they are now, after they were edited in place."""
        try:
            self._chosen.movie().refresh()
        except EXPECTED as error:
            self._messages.report(error, again=True)
            return
        self._drift.forget()
        self._refresh()

    def _refresh(self) -> None:
        """Draw the frame that is shown with other parameters."""
        if not self._is_comparing():
            self._drawing.draw()
        elif not self.working:
            self._comparison.refresh()

    # ---- several methods ----

    def _is_comparing(self) -> bool:
        """Whether methods are compared on the chosen movie."""
        return self._comparison.is_of(self.layer.value)

    def on_comparison_changed(self) -> None:
        """Act on a comparison that began or ended: then the layer may have waited for changes."""
        if self._closed:
            return
        self._fields.compare_row.show(self._comparison.active)
        self._playing.show()
        if not self._comparison.active:
            self._on_parameter_changed()

    # ---- jobs ----

    def _on_cancel_clicked(self, _=None) -> None:
        self._messages.say("Cancelling…")
        self._work.jobs.cancel()

    def _on_busy_changed(self, busy: bool) -> None:
        if not self._closed:
            self._fields.enable(not busy)
            self._show_what_applies()

    # ---- opening and closing ----

    def _connect(self) -> None:
        fields = self._fields
        fields.fps.changed.connect(self._on_rate_changed)
        for field in (*fields.parameters, fields.live):
            dragged = field in (fields.factor, fields.band_low, fields.band_high)
            changed = self._on_dragged if dragged else self._on_parameter_changed
            field.changed.connect(changed)
        for chosen in (fields.region, fields.painted):
            chosen.changed.connect(self._follow_layers)
        fields.axes.changed.connect(self._on_layer_changed)
        fields.preset_rows.preset.changed.connect(self._on_preset_chosen)
        fields.layer.changed.connect(self._on_layer_chosen)
        fields.magnify.changed.connect(self.draw)
        fields.refresh.changed.connect(lambda _: self.refresh())
        fields.cancel.changed.connect(self._on_cancel_clicked)
        fields.reference_current.changed.connect(self._on_current_frame_clicked)
        fields.compare_row.compare.changed.connect(lambda _: self.compare())
        fields.compare_row.end.changed.connect(lambda _: self.end_comparison())

    def _offer_devices(self, devices: list[str]) -> None:
        if not self._closed:
            self.device.choices = [DEVICES[0], *((name, name) for name in devices)]
            if self._preferences.device in self.device.choices:
                self.device.value = self._preferences.device

    def _apply_preferences(self) -> None:
        self._preferences = Preferences.current()
        self._preferences.apply()
        self._playing.apply(self._preferences)

    def _on_close(self, *, viewer_closes: bool) -> None:
        super()._on_close(viewer_closes=viewer_closes)
        self._follow_no_more()
        self._shortcuts.close()
        self._drawing.close()
        self._drift.close()
        self._playback.close()
        self._comparison.close(viewer_closes=viewer_closes)
        self._results.close()
