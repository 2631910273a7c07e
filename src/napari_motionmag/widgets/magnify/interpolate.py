"""The dock widget "Interpolate frames": slow motion, or views between views."""

from __future__ import annotations

import numpy as np
from magicgui.widgets import Widget
from napari.layers import Image

from napari_motionmag.magnification.interpolation import interpolated_movie
from napari_motionmag.magnification.layer import interpolated_layer
from napari_motionmag.magnification.magnification import Magnification
from napari_motionmag.magnification.script import Call, FromLayer, source
from napari_motionmag.methods.base import METHODS
from napari_motionmag.methods.options import label_of
from napari_motionmag.movie.movie import Movie
from napari_motionmag.temporal import Static
from napari_motionmag.widgets.common.dock import NO_MOVIE, Dock, reports_errors
from napari_motionmag.widgets.common.form import button, choice, group, integer, movie_choice
from napari_motionmag.widgets.common.layer_movie import MovieOfLayer, describe_rate
from napari_motionmag.widgets.common.messages import EXPECTED
from napari_motionmag.widgets.frames.whole_result import draw_all, room_for, total_frames


class InterpolateWidget(Dock):
    """Draw frames between those of a movie, ``layer``, ``times`` as many.

    Every field is an attribute, and calling the widget draws the frames and returns the layer.
    """

    dock_name = "interpolate_frames"

    def __init__(self, napari_viewer: napari.viewer.Viewer = None):  # noqa: F821
        self._movie_of_layer = MovieOfLayer()
        super().__init__(napari_viewer)
        self._choose_active_layer(self.layer)
        for field in (self.layer, self.times):
            field.changed.connect(self._describe)
        self._describe()

    def __call__(self) -> Image:
        """Draw the frames, add the layer and return it; ValueError or TypeError if it is wrong."""
        layer, movie = self._plan()
        return self._show(layer, movie, _drawn(movie, lambda done, total: None))

    def script(self) -> str:
        """Return Python source that draws the same frames."""
        layer, movie = self._plan()
        options = {"method": self.method.value} if self.method.value != "learned" else {}
        call = Call(
            "napari_motionmag",
            "interpolate",
            FromLayer(layer, movie.data.movie),
            self.times.value,
            **options,
        )
        call.named("slow", "Lazy: slow[t].compute() draws frame t.")
        return source(call, title=f"Frames between those of {layer.name!r}.")

    # ---- fields ----

    def _create_widgets(self) -> list[Widget]:
        self.layer = movie_choice(
            self._movies, "Image layer with a time axis; views of a light field, in order, are one."
        )
        self.times = integer(
            "times",
            "Times",
            2,
            100,
            "Frames for each frame of the movie: with 4, three are drawn between neighbors.",
            value=4,
        )
        methods = [(label_of(name), name) for name in METHODS]
        self.method = choice("method", "Method", methods, "How the frames are drawn.")
        self.interpolate = button(
            "interpolate", "Interpolate", "Draw the frames and add them as a layer.", self.begin
        )
        self.cancel = button("cancel", "Cancel", "Stop after the current frame.")
        self.cancel.changed.connect(lambda _: self._work.jobs.cancel())
        self.cancel.visible = False
        form = group([self.layer, self.times, self.method], labels=True, name="form")
        buttons = [self.interpolate, self._create_script_button()]
        return [form, group(buttons, "horizontal"), self.cancel]

    def _describe(self, _=None) -> None:
        """Say what will be drawn."""
        if self._closed or self.working:
            return
        try:
            _, movie = self._plan()
        except EXPECTED as error:
            self._messages.say(str(error))
            return
        self._messages.say(
            f"{movie.data.movie.n_frames} frames become {movie.n_frames}, {describe_rate(movie)}"
        )

    def _on_layers_changed(self, event=None) -> None:
        super()._on_layers_changed(event)
        self._describe()

    def _on_busy_changed(self, busy: bool) -> None:
        if not self._closed:
            self.cancel.visible, self.interpolate.enabled = busy, not busy

    # ---- drawing ----

    def _plan(self) -> tuple[Image, Movie]:
        """Return the source and the interpolated movie."""
        layer = self.layer.value
        if layer is None:
            raise ValueError(NO_MOVIE)
        movie = self._movie_of_layer(layer)
        return layer, interpolated_movie(movie, self.times.value, method=self.method.value)

    @reports_errors
    def begin(self) -> None:
        """Draw the frames in the background, then add the layer."""
        if self._work.refused():
            return
        self._messages.forget()
        layer, movie = self._plan()

        def show(data: np.ndarray) -> None:
            self._show(layer, movie, data)
            self._messages.say_result(f"{movie.n_frames} frames, {describe_rate(movie)}")

        self._work.run(
            lambda progress: _drawn(movie, progress),
            show,
            title=f"Interpolating {layer.name}",
            layers=[layer],
        )

    def _show(self, layer: Image, movie: Movie, data: np.ndarray) -> Image:
        chosen = self.layer.value
        added = self._viewer.add_layer(interpolated_layer(layer, movie, data))
        self.layer.value = chosen  # adding a layer resets the choice
        return added


def _drawn(movie: Movie, progress) -> np.ndarray:
    """Draw all frames; OSError if there is no room for them."""
    out = room_for(movie.shape, movie.dtype)
    frames = Magnification(movie, movie.data.method, Static(), 1.0)  # as they are
    total = total_frames(frames)
    for done in draw_all(frames, out):
        progress(done, total)
    return out
