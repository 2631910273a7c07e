"""The dock widget "Magnify motion"."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from weakref import WeakKeyDictionary

from magicgui.widgets import Widget
from napari.layers import Image, Labels, Shapes

from napari_motionmag.io.formats import dialog_filter
from napari_motionmag.magnification import presets
from napari_motionmag.magnification.factor_map import factor_map_of
from napari_motionmag.magnification.magnification import Magnification, plan
from napari_motionmag.magnification.recipe import arguments, is_magnified, recipe_of
from napari_motionmag.magnification.script import FromLayer, magnification, source
from napari_motionmag.methods.stabilisation.layer_masks import mask_from_layer
from napari_motionmag.movie.layer_traits import typed_rate
from napari_motionmag.movie.movie import Movie
from napari_motionmag.views.shapes import drawn_areas
from napari_motionmag.widgets.common.dock import MOVIE_EVENTS, NO_MOVIE, Dock, reports_errors
from napari_motionmag.widgets.common.layer_movie import (
    MovieOfLayer,
    describe,
    open_source,
    record_rate,
    suggestion_of,
    typed_by_user,
)
from napari_motionmag.widgets.common.messages import EXPECTED
from napari_motionmag.widgets.common.motion_fields import band_to_start_from
from napari_motionmag.widgets.common.preferences import Preferences, follow
from napari_motionmag.widgets.common.shown_frame import (
    frame_shown,
    frame_to_draw,
    time_is_drawn,
)
from napari_motionmag.widgets.compare.comparison import Comparison
from napari_motionmag.widgets.frames.async_slicing import SlowFrames
from napari_motionmag.widgets.frames.frame_cache import (
    CachedMagnification,
    CoarseMagnification,
    total_frames,
)
from napari_motionmag.widgets.frames.live_drawing import LiveDrawing, Pace
from napari_motionmag.widgets.frames.magnified_layers import Result, Results
from napari_motionmag.widgets.frames.playback import Playback, Played
from napari_motionmag.widgets.magnify.bad_pixels import BadPixels
from napari_motionmag.widgets.magnify.devices import find_devices
from napari_motionmag.widgets.magnify.fields import DEVICES, Fields, bands_in
from napari_motionmag.widgets.magnify.first_use import FirstUse
from napari_motionmag.widgets.magnify.large_frames import region_of
from napari_motionmag.widgets.magnify.shortcuts import Shortcuts
from napari_motionmag.widgets.magnify.suggestions import Suggesting
from napari_motionmag.widgets.magnify.whole_movie import drawing, saving

NO_RESULT = "There is no magnified layer of this movie yet: press “Magnify” first"
NO_TIME = "There is no movie: time is not among the axes of any Image layer"
LAYER_CLOSED = "The layer was closed"
USUAL_FPS, MOST_FPS = 10.0, 30.0  # frames per second to play


@dataclass
class _Live:
    """A frame to be drawn while settings change."""

    layer: Image
    shown: CachedMagnification
    place: tuple[int, tuple[int, ...]]
    changes: int  # of the settings until then
    reduction: int = 1
    coarse: CoarseMagnification | None = None

    @property
    def drawn_by(self) -> CachedMagnification:
        return self.shown if self.coarse is None else self.coarse


def _kind_of(shown: Magnification) -> tuple:
    """Return what decides on how long a frame takes."""
    names = ("method", "model", "device", "preview", "operator", "stabilise", "options")
    return shown.movie.frame_shape, *(repr(shown.recipe.get(name)) for name in names)


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
        self._movie_of_layer = MovieOfLayer()
        self._results = Results(self._viewer, self._messages)
        self._slow_frames = SlowFrames()
        self._comparison = Comparison(self._viewer, self, self._messages)
        self._suggesting = Suggesting(self)
        self._messages.on_error = BadPixels(self).notice
        self._spectra: WeakKeyDictionary = WeakKeyDictionary()  # layer -> (frequencies, strength)
        self._then: Callable | None = None  # called with the result once the frame is drawn
        self._first_use = FirstUse(self._fields.progress, self._messages.say)
        self._pace = Pace()
        self._refining = False  # the frame in progress is what settings at rest ask for
        self._changes = 0  # of the settings; and how many of them are shown, and shown finely
        self._shown_changes = self._fine_changes = 0
        self._live_drawing = LiveDrawing(
            self._plan_live,
            lambda planned: planned.drawn_by.time_frame(planned.place),
            self._show_live,
            self._messages.report,
            self._refine_later,
            self._messages.warn,
            self.native,
        )
        self._playback = Playback(self._viewer, self._played, self.native)
        self._playback.failed.connect(self._messages.report)
        self._fields.playback_row.connect(self._playback, self._viewer, self._go_to_frame)
        self._preferences = Preferences.current()
        self._fields.begin_with(self._preferences)
        self._apply_preferences()
        self._follow_no_more = follow(self._apply_preferences)
        self._shortcuts = Shortcuts(self._viewer, self.magnify_active)
        self._connect()
        self._watch(self._shapes, lambda shapes: len(drawn_areas(shapes)), self._on_region_drawn)
        self._choose_active_movie()
        self._on_layer_chosen()
        find_devices(self._offer_devices)

    def __call__(self) -> Image:
        """Make the magnified layer, or bring it up to date, and return it.

        Raises
        ------
        ValueError, TypeError
            If there is no movie, or a parameter is invalid.
        """
        layer, shown, place = self._plan_shown()
        shown.time_frame(place)  # a bad frame is found before anything is changed
        self._timer.stop()
        self._live_drawing.forget()
        self._shown_changes = self._fine_changes = self._changes
        return self._show(layer, shown).layer

    def script(self) -> str:
        """Return Python source that magnifies the movie as the fields say.

        Raises
        ------
        ValueError, TypeError
            If there is no movie, or a parameter is invalid.
        """
        movie, layer = self._movie(), self.layer.value
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
        path, result = Path(path), self._results.latest(self.layer.value)
        if result is None:
            self._messages.report(ValueError(NO_RESULT), again=True)
        elif not self.working:
            self._run(
                saving(result, path),
                lambda _: self._messages.say_result(f"Saved as {path}"),
                title=f"Saving {path.name}",
                layers=[result.layer],
                closed=LAYER_CLOSED,
            )

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
        if not self.working:
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
        for name, field in vars(fields).items():
            if field in fields.parameters or field is fields.layer:
                setattr(self, name, field)
        self.preset, self.live = fields.preset_rows.preset, fields.live
        self.suggest = fields.suggest_row.suggest
        fields.buttons.append(self._create_script_button())
        return fields.rows

    def _mask_layers(self, _=None) -> list[Labels | Shapes]:
        return [layer for layer in self._viewer.layers if isinstance(layer, Labels | Shapes)]

    def _shapes(self) -> list[Shapes]:
        return [layer for layer in self._mask_layers() if isinstance(layer, Shapes)]

    def _movie(self) -> Movie:
        if self.layer.value is None:
            raise ValueError(NO_TIME if self._images() else NO_MOVIE)
        return self._movie_of_layer(self.layer.value, self.axes.value)

    def _on_layer_chosen(self, _=None) -> None:
        """Fill the fields from another layer."""
        self._follow_layers()
        self._fields.suggest_row.clear()
        self._show_spectrum()
        self._fields.bad_pixels_row.visible = False
        with self.updating():
            self.axes.value = ""
            self._fill()
            if self.layer.value is not None:
                self._fields.fill(suggestion_of(self.layer.value) | self._newest_settings())
        self._show_what_applies()
        self._set_playback_rate()
        self._show_playback()

    def set_spectrum(self, layer: Image, frequencies, strength) -> None:
        """Draw a spectrum, cycles per frame, over the slider of the band of a movie."""
        self._spectra[layer] = frequencies, strength
        self._show_spectrum()

    def _show_spectrum(self) -> None:
        layer = self.layer.value
        known = () if layer is None else self._spectra.get(layer, ())
        self._fields.band_slider.show_spectrum(*known)

    def _choose_active_movie(self) -> None:
        """Choose the active layer, or the movie that it was made of."""
        active = self._viewer.layers.selection.active
        if active is not None and is_magnified(active):
            active = open_source(self._viewer, active) or active
        if active in self.layer.choices:
            self.layer.value = active

    def _newest_settings(self) -> dict:
        """Return the settings of the newest layer that was made of the movie, if there is one."""
        for layer in reversed(self._viewer.layers):
            if is_magnified(layer) and open_source(self._viewer, layer) is self.layer.value:
                with suppress(*EXPECTED):  # a damaged recipe, which is reported where it is used
                    return self._fields.of_recipe(arguments(recipe_of(layer)))
        return {}

    def _on_region_drawn(self, shapes: Shapes) -> None:
        """Magnify the region that was just drawn, if the fields for one are open."""
        if self._fields.large_frames.opened and not self._closed:
            self.region.reset_choices()
            self.region.value = shapes

    def _on_layer_changed(self, _=None) -> None:
        """Fill the fields from a layer that got other data or another calibration."""
        with self.updating():
            self._fill()
        self._on_parameter_changed()

    def _fill(self) -> None:
        """Fill the fields that depend on the movie, if it is one, and say what it is."""
        movie = None
        if self.layer.value is None:
            self._messages.say("Open a movie")
        else:
            try:
                movie = self._movie()
                note = self.layer.value.metadata.get("fps_note", "")
                hint = f". {note}" if note and typed_rate(self.layer.value) is None else ""
                self._messages.say(f"{describe(movie)}{hint}")
            except EXPECTED as error:
                self._messages.say(str(error))
        self.axes.native.setPlaceholderText("for example TCYX" if movie is None else movie.axes)
        self._fields.show_length(2 if movie is None else movie.n_frames)
        fps = 0.0 if movie is None else movie.fps or 0.0
        if fps != self.fps.value:
            self.fps.value = fps
            self.band_low.value, self.band_high.value = band_to_start_from(fps)

    def _on_layers_changed(self, event=None) -> None:
        super()._on_layers_changed(event)
        if not (self._closed or self._updating):
            self._show_playback()

    def _follow_layers(self, _=None) -> None:
        """Listen to the movie, and to the shapes that mark a region."""
        painted = self.painted.value
        events = ("data",) if isinstance(painted, Shapes) else ("paint", "data")
        self._follow(
            [
                (self.layer.value, MOVIE_EVENTS),
                (self.region.value, ("data",)),
                (painted, events),
            ]
        )

    def _on_layer_edited(self, event) -> None:
        if isinstance(event.source, Shapes | Labels):
            self._on_parameter_changed()
        elif event.type != "metadata" or self._has_another_rate():
            self._on_layer_changed()

    def _has_another_rate(self) -> bool:
        """Whether a rate was typed in another dock."""
        try:
            fps = self._movie().fps or 0.0
        except EXPECTED:
            return False
        return abs(fps - self.fps.value) > 1e-3  # fields show four decimals

    # ---- parameters ----

    def shown_movie(self) -> tuple[Image, Movie, tuple]:
        """Return the source layer, its movie, and the frame that is shown."""
        movie, layer = self._movie(), self.layer.value
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
        planned = plan(movie, settings)
        planned.recipe["given"] = typed_by_user(layer, self.axes.value)
        return planned

    def _plan_shown(self):
        """Return the source layer, what is to be shown, and the frame that is shown."""
        layer, movie, place = self.shown_movie()
        return layer, self._results.shown(self.plan(movie)), place

    def _show_what_applies(self) -> None:
        if not self._updating:
            self._fields.preset_rows.follow(self._fields.settings(), self.fps.value)
        layer = self.layer.value
        self._fields.show_what_applies(
            axes=layer is not None and layer.ndim != 3,
            rate=layer is not None and self._rate_is_in_doubt(layer),
        )

    def _rate_is_in_doubt(self, layer: Image) -> bool:
        """Whether the file does not say at what rate the movie was recorded."""
        noted = bool(layer.metadata.get("fps_note"))
        return noted or self.fps.value == 0 or typed_rate(layer) is not None

    def _on_preset_chosen(self, name: str) -> None:
        """Fill the fields from a preset; where it does not fit, say so and draw nothing."""
        if not name or self._updating:
            return
        with self.updating():
            self._fields.fill(presets.get(name).arguments)
        self._on_parameter_changed()
        if self._fields.preset_rows.problem(self.fps.value):
            self._timer.stop()
            self._messages.say("Not drawn: the preset does not fit the frame rate")

    def _on_parameter_changed(self, _=None) -> None:
        self._show_what_applies()
        if self._updating or self._closed or not self.live.value:
            return
        self._changes += 1
        if self._is_comparing() or self._results.of(self.layer.value) is not None:
            self._timer.start()

    def _on_dragged(self, _=None) -> None:
        """Draw while factor or band is dragged; what is shown is refined once it rests."""
        self._on_parameter_changed()
        if self._timer.isActive() and not (self._is_comparing() or self.working):
            if self._refining:
                self._frame_runner.cancel()
            self._live_drawing.request()

    def _on_rate_changed(self, fps: float) -> None:
        """Record the rate; go back to what the layer says when it is cleared."""
        if self._updating or self.layer.value is None:
            return
        record_rate(self._viewer, self.layer.value, fps)
        if fps == 0:
            self._on_layer_changed()
        elif self.band_low.value == self.band_high.value == 0:
            self.band_low.value, self.band_high.value = band_to_start_from(fps)

    @reports_errors
    def _on_current_frame_clicked(self, _=None) -> None:
        movie = self._movie()
        self.reference.value, _ = frame_shown(self._viewer, self.layer.value, movie.axes)

    # ---- the current frame ----

    def draw(self, _=None, then: Callable | None = None) -> None:
        """Draw the frame that is shown in the background, then show it."""
        self._messages.forget()
        self._then = then
        self._timer.stop()
        self._draw()

    def _draw(self, refine: bool = False) -> None:
        if self._closed or self.working:
            return
        self._live_drawing.forget()
        self._refining, changes = refine, self._changes
        try:
            layer, shown, place = self._plan_shown()
        except EXPECTED as error:
            self._then = None
            self._messages.report(error)
            return

        def show(seconds: float) -> None:
            then, self._then = self._then, None
            self._pace.note(_kind_of(shown), 1, seconds)
            if changes < self._shown_changes and then is None:
                return  # newer settings are drawn, if coarsely
            result = self._show(layer, shown)
            self._shown_changes = self._fine_changes = changes
            self._say_drawn(shown, place, seconds)
            if then is not None:
                then(result)
            else:
                self._refine_later()  # settings may have changed meanwhile
                self.time_next_frame([shown], place, seconds)

        def failed() -> None:
            self._then = None

        def prepare_and_draw(progress: Callable) -> float:
            self._first_use.run(getattr(shown.method, "preparations", list)())
            return shown.time_frame(place)

        draw = partial(shown.refine_frame, place) if refine else prepare_and_draw
        self._draw_frame(layer, shown, place, show, failed, draw)

    def _say_drawn(self, shown: Magnification, place: tuple, seconds: float) -> None:
        ends = shown.operator.less_certain_frames(shown.movie.n_frames)
        near = any(place[0] in end for end in ends)
        note = ": near an end of the movie, less certain" if near else ""
        self._messages.say_result(f"Frame {place[0]} drawn in {seconds:.2g} s{note}")

    def _show(self, layer: Image, shown, coarse=None) -> Result:
        with self.updating():  # adding a layer resets the choice of layers
            result = self._results.show(layer, shown, coarse=coarse)
        self._show_playback()
        return result

    # ---- while settings change ----

    def _plan_live(self) -> _Live | None:
        """Plan the frame that is shown, reduced if whole ones take long; None to draw none."""
        if self._closed or self.working or self._results.of(self.layer.value) is None:
            return None
        try:
            layer, shown, place = self._plan_shown()
        except EXPECTED:
            return None  # reported once the settings rest
        live = _Live(layer, shown, place, self._changes)
        live.reduction = self._pace.reduction(
            _kind_of(live.shown), min(shown.movie.frame_shape[:2])
        )
        if live.reduction > 1:
            try:
                smaller = self.plan(self._movie(), reduction=live.reduction)
            except EXPECTED:  # stabilized movies are not reduced
                live.reduction = 1
            else:
                live.coarse = CoarseMagnification.like(shown, smaller)
        return live

    def _show_live(self, live: _Live, seconds: float) -> None:
        self._pace.note(_kind_of(live.shown), live.reduction, seconds)
        gone = live.layer not in self._viewer.layers or self._results.of(live.layer) is None
        if gone or live.changes <= self._fine_changes:
            return
        self._show(live.layer, live.shown, live.coarse)
        self._shown_changes = live.changes
        if live.coarse is None:
            self._fine_changes = live.changes
            self._say_drawn(live.shown, live.place, seconds)
        else:
            part = f"at 1/{live.reduction} of the resolution"
            self._messages.say(f"Frame {live.place[0]} drawn {part} in {seconds:.2g} s")

    def _refine_later(self) -> None:
        """Draw finely what was drawn coarsely, once the settings rest."""
        if not self._timer.isActive() and self._fine_changes < self._changes:
            self._timer.start()

    def _on_pause(self) -> None:
        if self._is_comparing():
            super()._on_pause()
        elif self._results.of(self.layer.value) is None or self._live_drawing.working:
            return
        elif self._fine_changes < self._changes:
            self._draw(refine=True)

    def time_next_frame(self, shown: Sequence, place: tuple, seconds: float) -> None:
        """If a frame was slow, time the next one, to learn how fast moving the slider is.

        The first frame loads the network, too.
        """
        if self._frame_runner.working or not (shown and self._slow_frames.suspects(seconds)):
            return
        after = ((place[0] + 1) % shown[0].movie.n_frames, place[1])
        times = []

        def done(error: Exception | None, cancelled: bool) -> None:
            if error is None and times:
                self._slow_frames.notice(sum(times))
                for x, taken in zip(shown, times, strict=True):
                    self._pace.note(_kind_of(x), 1, taken)

        self._refining = False
        self._frame_runner.request(lambda _: times.extend(x.time_frame(after) for x in shown), done)

    def refresh(self) -> None:
        """Draw from the data as they are now, after they were edited in place."""
        try:
            self._movie().refresh()
        except EXPECTED as error:
            self._messages.report(error, again=True)
            return
        self._refresh()

    def _refresh(self) -> None:
        """Draw the frame that is shown with other parameters."""
        if not self._is_comparing():
            self._draw()
        elif not self.working:
            self._comparison.refresh()

    # ---- playing ----

    def _played(self) -> Played | None:
        """Return what is played now: the magnified movie, or the methods that are compared."""
        source = self.layer.value
        results = self._comparison.results() if self._is_comparing() else []
        results = results or [x for x in [self._results.latest(source)] if x is not None]
        results = [result for result in results if result.layer.visible]
        if self._closed or not results:
            return None
        layer, movie = results[0].layer, results[0].shown.movie
        if time_is_drawn(self._viewer, layer, movie.axes):
            return None
        changing = self._live_drawing.working or any(x.coarse is not None for x in results)
        return Played(
            self._viewer.dims.ndim - layer.ndim + movie.axes.index("T"),
            movie.n_frames,
            tuple(result.shown for result in results if not result.whole),
            frame_shown(self._viewer, layer, movie.axes)[1],
            changing or self._frame_runner.working or self.working,
        )

    def _go_to_frame(self, t: int) -> None:
        played = self._played()
        if played is not None:
            self._viewer.dims.set_current_step(played.axis, t)

    def _show_playback(self) -> None:
        """Show what can be played of the movie that is chosen."""
        played = self._played()
        self._fields.playback_row.visible = played is not None
        self._playback.look()

    # ---- several methods ----

    def _is_comparing(self) -> bool:
        """Whether methods are compared on the chosen movie."""
        layer = self._comparison.source
        return layer is not None and layer is self.layer.value

    def on_comparison_changed(self) -> None:
        """Act on a comparison that began or ended: then the layer may have waited for changes."""
        if self._closed:
            return
        self._fields.compare_row.show(self._comparison.active)
        self._show_playback()
        if not self._comparison.active:
            self._on_parameter_changed()

    # ---- all frames ----

    def _on_compute_all_clicked(self, _=None) -> None:
        result = self._results.of(self.layer.value)
        if result is None or self._timer.isActive() or self._frame_runner.working:
            self.draw(then=self._compute_all)
        else:
            self._compute_all(result)

    @reports_errors
    def _compute_all(self, result: Result) -> None:
        """Draw all frames, then give them to the layer."""

        def show(data) -> None:
            self._results.finish(result, data)
            self._show_playback()
            self._messages.say_result(
                f"All {total_frames(result.shown)} frames are drawn. The layer stays as it is; "
                "“Magnify” makes another"
            )

        title = f"Magnifying {result.layer.name}"
        layers = [result.layer]
        self._run(drawing(result), show, title=title, layers=layers, closed=LAYER_CLOSED)

    def _on_keep_clicked(self, _=None) -> None:
        result = self._results.keep(self.layer.value)
        if result is None:
            self._messages.say(NO_RESULT)
        else:
            self._messages.say(f"{result.layer.name!r} stays as it is")

    def _on_save_clicked(self, _=None) -> None:
        result = self._results.latest(self.layer.value)
        if result is None:
            self._messages.report(ValueError(NO_RESULT), again=True)
        else:
            suggested = f"{result.layer.name}.ome.tif"
            self._save_as("Save the magnified movie", suggested, dialog_filter())

    def _on_cancel_clicked(self, _=None) -> None:
        self._messages.say("Cancelling…")
        self._runner.cancel()

    def _on_busy_changed(self, busy: bool) -> None:
        if not self._closed:
            self._fields.enable(not busy)
            self._show_what_applies()

    # ---- opening and closing ----

    def _connect(self) -> None:
        fields = self._fields
        for field in (*fields.parameters, fields.live):
            dragged = field in (fields.factor, fields.band_low, fields.band_high)
            changed = self._on_dragged if dragged else self._on_parameter_changed
            field.changed.connect(changed)
        for chosen in (fields.region, fields.painted):
            chosen.changed.connect(self._follow_layers)
        fields.axes.changed.connect(self._on_layer_changed)
        fields.fps.changed.connect(self._on_rate_changed)
        fields.preset_rows.preset.changed.connect(self._on_preset_chosen)
        fields.layer.changed.connect(self._on_layer_chosen)
        fields.magnify.changed.connect(self.draw)
        fields.compute_all.changed.connect(self._on_compute_all_clicked)
        fields.save.changed.connect(self._on_save_clicked)
        fields.refresh.changed.connect(lambda _: self.refresh())
        fields.keep.changed.connect(self._on_keep_clicked)
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
        self._playback.always = self._preferences.fill_ahead
        self._playback.mode = self._preferences.mode
        self._set_playback_rate()

    def _set_playback_rate(self) -> None:
        """Play as preferred, else at the rate of the movie as far as it can be followed."""
        self._playback.fps = self._preferences.fps or min(self.fps.value or USUAL_FPS, MOST_FPS)
        self._playback.restart()
        self._playback.changed.emit()

    def _on_close(self, *, viewer_closes: bool) -> None:
        super()._on_close(viewer_closes=viewer_closes)
        self._follow_no_more()
        self._shortcuts.close()
        self._live_drawing.close()
        self._playback.close()
        self._comparison.close(viewer_closes=viewer_closes)
        self._results.close()
        self._slow_frames.undo()
