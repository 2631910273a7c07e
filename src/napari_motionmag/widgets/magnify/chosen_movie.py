"""The part of the dock "Magnify motion" that fills its fields from the movie that is chosen."""

from __future__ import annotations

from contextlib import suppress
from weakref import WeakKeyDictionary

from napari.layers import Image

from napari_motionmag.magnification.recipe import arguments, is_magnified, recipe_of
from napari_motionmag.movie.layer_traits import typed_rate
from napari_motionmag.movie.movie import Movie
from napari_motionmag.widgets.common.dock import NO_MOVIE
from napari_motionmag.widgets.common.layer_movie import (
    MovieOfLayer,
    describe,
    open_source,
    record_rate,
    suggestion_of,
)
from napari_motionmag.widgets.common.messages import EXPECTED, Messages
from napari_motionmag.widgets.common.motion_fields import band_to_start_from
from napari_motionmag.widgets.magnify.fields import Fields


class ChosenMovie:
    """The movie in the field ``layer``, from which it fills the other fields."""

    def __init__(self, viewer, fields: Fields, messages: Messages):
        self._viewer, self._fields, self._messages = viewer, fields, messages
        self._movie_of_layer = MovieOfLayer()
        self._spectra: WeakKeyDictionary = WeakKeyDictionary()  # layer -> (frequencies, strength)

    @property
    def layer(self) -> Image | None:
        """The layer of the movie, or None."""
        return self._fields.layer.value

    def movie(self) -> Movie:
        """Return the movie; ValueError if there is none."""
        if self.layer is None:
            raise ValueError(NO_MOVIE)
        return self._movie_of_layer(self.layer, self._fields.axes.value)

    def choose_active(self) -> None:
        """Choose the active layer, or the movie that it was made of."""
        active = self._viewer.layers.selection.active
        if active is not None and is_magnified(active):
            active = open_source(self._viewer, active) or active
        if active in self._fields.layer.choices:
            self._fields.layer.value = active

    def fill(self) -> None:
        """Fill the fields from another layer."""
        self._show_spectrum()
        self._fields.axes.value = ""
        self.describe()
        if self.layer is not None:
            self._fields.fill(suggestion_of(self.layer) | self._newest_settings())

    def describe(self) -> None:
        """Fill the fields that depend on the movie, if it is one, and say what it is."""
        movie = None
        if self.layer is None:
            self._messages.say("Open a movie")
        else:
            try:
                movie = self.movie()
                note = self.layer.metadata.get("fps_note", "")
                hint = f". {note}" if note and typed_rate(self.layer) is None else ""
                self._messages.say(f"{describe(movie)}{hint}")
            except EXPECTED as error:
                self._messages.say(str(error))
        axes = "for example TCYX" if movie is None else movie.axes
        self._fields.axes.native.setPlaceholderText(axes)
        self._fields.show_length(2 if movie is None else movie.n_frames)
        fps = 0.0 if movie is None else movie.fps or 0.0
        if fps != self._fields.fps.value:
            self._fields.fps.value = fps
            self._begin_with_band(fps)

    def set_spectrum(self, layer: Image, frequencies, strength) -> None:
        """Draw a spectrum, cycles per frame, over the slider of the band of a movie."""
        self._spectra[layer] = frequencies, strength
        self._show_spectrum()

    def set_rate(self, fps: float) -> None:
        """Record the rate that the user typed; 0 is that of the layer again."""
        record_rate(self._viewer, self.layer, fps)
        if fps and self._fields.band_low.value == self._fields.band_high.value == 0:
            self._begin_with_band(fps)

    def has_another_rate(self) -> bool:
        """Whether a rate was typed in another dock."""
        try:
            fps = self.movie().fps or 0.0
        except EXPECTED:
            return False
        return abs(fps - self._fields.fps.value) > 1e-3  # fields show four decimals

    def rate_is_in_doubt(self) -> bool:
        """Whether the file does not say at what rate the movie was recorded."""
        layer = self.layer
        if layer is None:
            return False
        noted = bool(layer.metadata.get("fps_note"))
        return noted or self._fields.fps.value == 0 or typed_rate(layer) is not None

    def _newest_settings(self) -> dict:
        """Return the settings of the newest layer that was made of the movie, if there is one."""
        for layer in reversed(self._viewer.layers):
            if is_magnified(layer) and open_source(self._viewer, layer) is self.layer:
                with suppress(*EXPECTED):  # a damaged recipe, which is reported where it is used
                    return self._fields.of_recipe(arguments(recipe_of(layer)))
        return {}

    def _show_spectrum(self) -> None:
        known = () if self.layer is None else self._spectra.get(self.layer, ())
        self._fields.band_slider.show_spectrum(*known)

    def _begin_with_band(self, fps: float) -> None:
        self._fields.band_low.value, self._fields.band_high.value = band_to_start_from(fps)
