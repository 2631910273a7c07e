"""The dock widget "Magnify motion"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from napari.layers import Image, Labels, Shapes
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QFileDialog

from napari_motionmag.io.formats import dialog_filter
from napari_motionmag.magnification import presets
from napari_motionmag.magnification.magnification import Magnification, plan
from napari_motionmag.magnification.script import FromLayer, magnification, source
from napari_motionmag.methods.stabilisation.layer_masks import mask_from_layer
from napari_motionmag.movie.layer_traits import typed_rate
from napari_motionmag.widgets.common.dock import Dock
from napari_motionmag.widgets.common.jobs import LatestOnly
from napari_motionmag.widgets.common.layer_movie import (
    Source,
    given_by_user,
    record_rate,
    suggestion_of,
)
from napari_motionmag.widgets.common.messages import EXPECTED
from napari_motionmag.widgets.common.motion_fields import band_to_start_from
from napari_motionmag.widgets.common.script_button import ScriptButton
from napari_motionmag.widgets.common.shown_frame import frame_shown, time_is_drawn
from napari_motionmag.widgets.common.viewer import viewer_of
from napari_motionmag.widgets.compare.comparison import Comparison
from napari_motionmag.widgets.frames.async_slicing import SlowFrames
from napari_motionmag.widgets.frames.frame_cache import time_frame
from napari_motionmag.widgets.frames.magnified_layers import TIME_ACROSS, Result, Results
from napari_motionmag.widgets.magnify.devices import find_devices
from napari_motionmag.widgets.magnify.fields import Fields, device_choices
from napari_motionmag.widgets.magnify.large_frames import region_of
from napari_motionmag.widgets.magnify.whole_movie import WholeMovie

PAUSE_MS = 200  # after a change, before the frame is drawn anew
WIDTH = 360  # px; a row of four buttons fits
NO_RESULT = "There is no magnified layer of this movie yet: press “Magnify” first"


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

    def __init__(self, napari_viewer: napari.viewer.Viewer = None):  # noqa: F821
        self._viewer = viewer_of(napari_viewer)
        self._fields = Fields(self._images, self._mask_layers)
        super().__init__(self._viewer, "magnify_motion", self._fields.rows, WIDTH)
        for name, field in vars(self._fields).items():
            if field in self._fields.parameters or field is self._fields.layer:
                setattr(self, name, field)
        self.preset, self.live = self._fields.preset_rows.preset, self._fields.live
        self._fields.buttons.append(ScriptButton(self.script))
        self._source = Source()
        self._results = Results(self._viewer, self._messages)
        self._whole = WholeMovie(self._results, self._messages, self._set_busy)
        self._latest = LatestOnly(self._drawn)
        self.slow_frames = SlowFrames()
        self._comparison = Comparison(self._viewer, self, self._messages)
        self._then = None  # what is to be done once the current frame is drawn
        self._filling = False  # fields are being set by the program, not by the user
        self._followed = None  # the layer whose calibration is followed
        self._timer = QTimer(self.native)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PAUSE_MS)
        self._connect()
        self._choose_active()
        self._layer_chosen()

    def __call__(self) -> Image:
        """Make the magnified layer, or bring it up to date, and return it.

        Raises
        ------
        ValueError, TypeError
            If there is no movie, or a parameter is invalid.
        """
        layer, shown, place = self._planned()
        time_frame(shown, place)  # a bad frame is found before anything is changed
        self._timer.stop()
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
            As for `napari_motionmag.io.save_movie`; what is there is replaced.
        """
        result = self._results.latest(self.layer.value)
        if result is None:
            self._messages.report(ValueError(NO_RESULT))
        elif not self._whole.working:
            self._whole.save(result, Path(path))

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
        if not self._whole.working:
            self._timer.stop()
            self._comparison.start(self._fields.compare_row.chosen())

    def end_comparison(self) -> None:
        """Show the layers and the grid as they were before `compare`."""
        self._comparison.end(keep=self._fields.compare_row.keep.value)

    # ---- the chosen movie ----

    def _mask_layers(self, _=None) -> list[Labels | Shapes]:
        return [layer for layer in self._viewer.layers if isinstance(layer, (Labels, Shapes))]

    def _choose_active(self) -> None:
        active = self._viewer.layers.selection.active
        if active in self.layer.choices:
            self.layer.value = active

    def _layer_chosen(self, _=None) -> None:
        """Fill the fields from another layer."""
        self._follow(self.layer.value)
        self._filling = True
        try:
            self.axes.value = ""
            self._fill()
            if self.layer.value is not None:
                self._fields.fill(suggestion_of(self.layer.value))
        finally:
            self._filling = False
        self._show_what_applies()

    def _layer_changed(self, _=None) -> None:
        """The chosen layer got other data or another calibration."""
        self._filling = True
        try:
            self._fill()
        finally:
            self._filling = False
        self._parameter_changed()

    def _fill(self) -> None:
        movie = self._described()
        self.axes.native.setPlaceholderText("for example TCYX" if movie is None else movie.axes)
        last = 1 if movie is None else movie.n_frames - 1
        self.reference.max = last
        self.reference_frames.max = last + 1
        fps = 0.0 if movie is None else movie.fps or 0.0
        if fps != self.fps.value:
            self.fps.value = fps
            self.band_low.value, self.band_high.value = band_to_start_from(fps)

    def _described(self):
        """Return the chosen movie, if it is one, and say what it is."""
        if self.layer.value is None:
            self._messages.say("Open a movie")
            return None
        try:
            movie = self._source.movie(self.layer.value, self.axes.value)
        except EXPECTED as error:
            self._messages.say(str(error))
            return None
        rate = "frame rate unknown" if movie.fps is None else f"{movie.fps:g} fps"
        note = self.layer.value.metadata.get("fps_note", "")
        hint = f". {note}" if note and typed_rate(self.layer.value) is None else ""
        self._messages.say(f"{movie.n_frames} frames ({movie.axes}), {rate}{hint}")
        return movie

    def _movie(self):
        if self.layer.value is None:
            raise ValueError("There is no movie: open one as an Image layer first")
        return self._source.movie(self.layer.value, self.axes.value)

    def _follow(self, layer) -> None:
        """Listen to the data and calibration of this layer, and no longer to another's."""
        for follow, which in (("disconnect", self._followed), ("connect", layer)):
            if which is not None:
                for name in ("data", "scale", "units", "axis_labels"):
                    getattr(getattr(which.events, name), follow)(self._layer_changed)
                getattr(which.events.metadata, follow)(self._metadata_changed)
        self._followed = layer

    def _metadata_changed(self, _=None) -> None:
        """Take a rate that was typed in another dock."""
        try:
            fps = self._movie().fps or 0.0
        except EXPECTED:
            return
        if abs(fps - self.fps.value) > 1e-3:  # fields show four decimals
            self._layer_changed()

    # ---- parameters ----

    def shown_movie(self):
        """Return the source layer, its movie, and the frame that is shown."""
        movie, layer = self._movie(), self.layer.value
        if time_is_drawn(self._viewer, layer, movie.axes):
            raise ValueError(TIME_ACROSS)
        return layer, movie, frame_shown(self._viewer, layer, movie.axes)

    def _planned(self):
        """Return the source layer, what is to be shown, and the frame that is shown."""
        layer, movie, place = self.shown_movie()
        return layer, self._results.shown(self.plan(movie)), place

    def plan(self, movie, method: str = "", model: str = "") -> Magnification:
        """Plan what the fields say, perhaps with another method."""
        settings, layer = self._fields.settings(method, model), self.layer.value
        if settings.mask is not None:
            mask = mask_from_layer(settings.mask, movie.axes, movie.shape, layer)
            settings = replace(settings, mask=mask)
        if settings.region is not None:
            settings = replace(settings, region=region_of(settings.region, layer, movie))
        planned = plan(movie, settings)
        planned.recipe["given"] = given_by_user(layer, self.axes.value)
        return planned

    def _show_what_applies(self) -> None:
        if not self._filling:
            self._fields.preset_rows.follow(self._fields.settings(), self.fps.value)
        layer = self.layer.value
        self._fields.show_what_applies(axes=layer is not None and layer.ndim != 3)

    def _preset_chosen(self, name: str) -> None:
        """Fill the fields from a preset; where it does not do, say so and draw nothing."""
        if not name or self._filling:
            return
        self._filling = True
        try:
            self._fields.fill(presets.get(name).arguments)
        finally:
            self._filling = False
        self._parameter_changed()
        if self._fields.preset_rows.problem(self.fps.value):
            self._timer.stop()
            self._messages.say("Not drawn: the preset does not fit the frame rate")

    def _parameter_changed(self, _=None) -> None:
        self._show_what_applies()
        if self._filling or self._closed or not self.live.value:
            return
        if self._comparing() or self._results.of(self.layer.value) is not None:
            self._timer.start()

    def _rate_changed(self, fps: float) -> None:
        """Record the rate; go back to what the layer says when it is cleared."""
        if self._filling or self.layer.value is None:
            return
        record_rate(self._viewer, self.layer.value, fps)
        if fps == 0:
            self._layer_changed()
        elif self.band_low.value == self.band_high.value == 0:
            self.band_low.value, self.band_high.value = band_to_start_from(fps)

    def _take_current_frame(self, _=None) -> None:
        try:
            movie = self._movie()
        except EXPECTED as error:
            self._messages.report(error)
        else:
            self.reference.value, _ = frame_shown(self._viewer, self.layer.value, movie.axes)

    # ---- the current frame ----

    def draw(self, _=None, then=None) -> None:
        """Draw the frame that is shown in the background, then show it."""
        self._messages.afresh()
        self._then = then
        self._timer.stop()
        self._draw()

    def _draw(self) -> None:
        if self._closed or self._whole.working:
            return
        try:
            layer, shown, place = self._planned()
        except EXPECTED as error:
            self._then = None
            self._messages.report(error)
            return
        self._messages.say(f"Drawing frame {place[0]}…")
        self._latest.request(("show", layer, shown, place), lambda: time_frame(shown, place))

    def _drawn(self, request, seconds, error) -> None:
        task, layer, shown, place = request
        if task == "time":
            if error is None:
                self.slow_frames.noticed(seconds)
            return
        then, self._then = self._then, None
        if error is not None:
            self._messages.report(error)
            return
        if layer not in self._viewer.layers:
            self._messages.say("The movie was closed")
            return
        self._messages.all_well()
        result = self._show(layer, shown)
        ends = shown.operator.less_certain_frames(shown.movie.n_frames)
        near = (
            ": near an end of the movie, less certain" if any(place[0] in e for e in ends) else ""
        )
        self._messages.say_drawn(f"Frame {place[0]} drawn in {seconds:.2g} s{near}")
        if then is not None:
            then(result)
        elif self.slow_frames.suspects(seconds):
            # the first frame loads the network, too: the next one tells how fast scrubbing is
            after = ((place[0] + 1) % shown.movie.n_frames, place[1])
            self._latest.request(("time", layer, shown, after), lambda: time_frame(shown, after))

    def _show(self, layer, shown) -> Result:
        with self.adding_layers():
            return self._results.show(layer, shown)

    @contextmanager
    def adding_layers(self) -> Iterator[None]:
        """Mind that adding a layer resets the choice of layers, which is no change."""
        before, self._filling = self._filling, True
        try:
            yield
        finally:
            self._filling = before

    # ---- several methods ----

    def _comparing(self) -> bool:
        """Whether methods are compared on the chosen movie."""
        source = self._comparison.source
        return source is not None and source is self.layer.value

    def refresh(self) -> None:
        """Draw from the data as they are now, after they were edited in place."""
        try:
            self._movie().refresh()
        except EXPECTED as error:
            self._report(error)
            return
        self._redraw()

    def _redraw(self) -> None:
        """Draw the frame that is shown with other parameters."""
        if not self._comparing():
            self._draw()
        elif not self._closed and not self._whole.working:
            self._comparison.refresh()

    def comparison_changed(self) -> None:
        """A comparison began, or ended: then the layer may have waited for changes."""
        if self._closed:
            return
        self._fields.compare_row.show(self._comparison.active)
        if not self._comparison.active:
            self._parameter_changed()

    # ---- all frames ----

    def _compute_all(self, _=None) -> None:
        result = self._results.of(self.layer.value)
        if result is None or self._timer.isActive() or self._latest.busy:
            self.draw(then=self._whole.compute)
        else:
            self._whole.compute(result)

    def _choose_file(self, _=None) -> None:
        result = self._results.latest(self.layer.value)
        if result is None:
            self._messages.all_well()
            self._messages.report(ValueError(NO_RESULT))
            return
        suggested = str(Path.cwd() / f"{result.layer.name}.ome.tif")
        path, _ = QFileDialog.getSaveFileName(
            self.native, "Save the magnified movie", suggested, dialog_filter()
        )
        if path:
            self.save_to(path)

    def _cancel(self, _=None) -> None:
        self._whole.cancel()

    def _set_busy(self, busy: bool) -> None:
        self._fields.enable(not busy)
        self._show_what_applies()

    # ---- coming and going ----

    def _connect(self) -> None:
        fields = self._fields
        for field in (*fields.parameters, fields.live):
            field.changed.connect(self._parameter_changed)
        fields.axes.changed.connect(self._layer_changed)
        fields.fps.changed.connect(self._rate_changed)
        fields.preset_rows.preset.changed.connect(self._preset_chosen)
        fields.layer.changed.connect(self._layer_chosen)
        fields.magnify.changed.connect(self.draw)
        fields.compute_all.changed.connect(self._compute_all)
        fields.save.changed.connect(self._choose_file)
        fields.refresh.changed.connect(lambda _=None: self.refresh())
        fields.cancel.changed.connect(self._cancel)
        fields.reference_current.changed.connect(self._take_current_frame)
        fields.compare_row.compare.changed.connect(lambda _=None: self.compare())
        fields.compare_row.end.changed.connect(lambda _=None: self.end_comparison())
        self._timer.timeout.connect(self._redraw)
        self._viewer.layers.events.removed.connect(self._layer_removed)
        find_devices(self._offer_devices)

    def _layer_removed(self, event) -> None:
        self._whole.layer_removed(event.value)

    def _offer_devices(self, devices: list[str]) -> None:
        if not self._closed:
            self.device.choices = device_choices(devices)

    def _close(self, destroyed=None) -> None:
        """Stop all work, release viewer and layers; `destroyed` is given as the viewer closes."""
        if self._closed:
            return
        super()._close()
        self._latest.stop()
        self._comparison.close(viewer_closes=destroyed is not None)
        self._whole.close()
        self._follow(None)
        self._viewer.layers.events.removed.disconnect(self._layer_removed)
        self._fields.large_frames.let_go()
        self._results.close()
        self.slow_frames.undo()
