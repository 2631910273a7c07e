"""The part of the dock "Magnify motion" that fills its fields from the movie that is chosen."""

from __future__ import annotations

from contextlib import suppress
from weakref import WeakKeyDictionary

from napari.layers import Image

from napari_motionmag.magnification.recipe import arguments, is_magnified, recipe_of
from napari_motionmag.movie.layer_traits import typed_rate
from napari_motionmag.widgets.common.layer_movie import (
    describe,
    open_source,
    record_rate,
    suggestion_of,
)
from napari_motionmag.widgets.common.messages import EXPECTED
from napari_motionmag.widgets.common.motion_fields import band_to_start_from


class ChosenMovie:
    """Fills the fields of a `MagnifyWidget` from its movie, and keeps the rate of the movie."""

    def __init__(self, dock):
        self._dock = dock
        self._spectra: WeakKeyDictionary = WeakKeyDictionary()  # layer -> (frequencies, strength)
        dock._fields.fps.changed.connect(self._on_rate_changed)

    def choose_active(self) -> None:
        """Choose the active layer, or the movie that it was made of."""
        dock = self._dock
        active = dock._viewer.layers.selection.active
        if active is not None and is_magnified(active):
            active = open_source(dock._viewer, active) or active
        if active in dock.layer.choices:
            dock.layer.value = active

    def fill(self) -> None:
        """Fill the fields from another layer."""
        dock = self._dock
        self._show_spectrum()
        with dock.updating():
            dock.axes.value = ""
            self.describe()
            if dock.layer.value is not None:
                dock._fields.fill(suggestion_of(dock.layer.value) | self._newest_settings())

    def describe(self) -> None:
        """Fill the fields that depend on the movie, if it is one, and say what it is."""
        dock, movie = self._dock, None
        layer = dock.layer.value
        if layer is None:
            dock._messages.say("Open a movie")
        else:
            try:
                movie = dock._movie()
                note = layer.metadata.get("fps_note", "")
                hint = f". {note}" if note and typed_rate(layer) is None else ""
                dock._messages.say(f"{describe(movie)}{hint}")
            except EXPECTED as error:
                dock._messages.say(str(error))
        dock.axes.native.setPlaceholderText("for example TCYX" if movie is None else movie.axes)
        dock._fields.show_length(2 if movie is None else movie.n_frames)
        fps = 0.0 if movie is None else movie.fps or 0.0
        if fps != dock.fps.value:
            dock.fps.value = fps
            self._begin_with_band(fps)

    def set_spectrum(self, layer: Image, frequencies, strength) -> None:
        """Draw a spectrum, cycles per frame, over the slider of the band of a movie."""
        self._spectra[layer] = frequencies, strength
        self._show_spectrum()

    def has_another_rate(self) -> bool:
        """Whether a rate was typed in another dock."""
        try:
            fps = self._dock._movie().fps or 0.0
        except EXPECTED:
            return False
        return abs(fps - self._dock.fps.value) > 1e-3  # fields show four decimals

    def rate_is_in_doubt(self) -> bool:
        """Whether the file does not say at what rate the movie was recorded."""
        layer = self._dock.layer.value
        if layer is None:
            return False
        noted = bool(layer.metadata.get("fps_note"))
        return noted or self._dock.fps.value == 0 or typed_rate(layer) is not None

    def _newest_settings(self) -> dict:
        """Return the settings of the newest layer that was made of the movie, if there is one."""
        dock = self._dock
        for layer in reversed(dock._viewer.layers):
            if is_magnified(layer) and open_source(dock._viewer, layer) is dock.layer.value:
                with suppress(*EXPECTED):  # a damaged recipe, which is reported where it is used
                    return dock._fields.of_recipe(arguments(recipe_of(layer)))
        return {}

    def _show_spectrum(self) -> None:
        layer = self._dock.layer.value
        known = () if layer is None else self._spectra.get(layer, ())
        self._dock._fields.band_slider.show_spectrum(*known)

    def _on_rate_changed(self, fps: float) -> None:
        """Record the rate; go back to what the layer says when it is cleared."""
        dock = self._dock
        if dock._updating or dock.layer.value is None:
            return
        record_rate(dock._viewer, dock.layer.value, fps)
        if fps == 0:
            dock._on_layer_changed()
        elif dock.band_low.value == dock.band_high.value == 0:
            self._begin_with_band(fps)

    def _begin_with_band(self, fps: float) -> None:
        dock = self._dock
        dock.band_low.value, dock.band_high.value = band_to_start_from(fps)
