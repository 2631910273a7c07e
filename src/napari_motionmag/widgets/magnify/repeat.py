"""The dock widget "Repeat on another layer"."""

from __future__ import annotations

from magicgui.widgets import Label, Widget
from napari.layers import Image

from napari_motionmag.compute.validate import rounded
from napari_motionmag.magnification.magnification import plan
from napari_motionmag.magnification.recipe import is_magnified, recipe_of, repeated
from napari_motionmag.magnification.script import FromLayer, magnification, source
from napari_motionmag.movie.layer_traits import typed_rate
from napari_motionmag.temporal import TemporalOperator
from napari_motionmag.widgets.common.dock import Dock, reports_errors
from napari_motionmag.widgets.common.form import button, choice, group, text
from napari_motionmag.widgets.common.layer_movie import open_source
from napari_motionmag.widgets.common.shown_frame import frame_to_draw
from napari_motionmag.widgets.frames.magnified_layers import Results

NONE_YET = "There is no magnified layer yet: make one with “Magnify motion”"


class _Copy:
    """Each repetition has a layer of its own, however many there are of a source."""


class RepeatWidget(Dock):
    """Magnify another layer, ``on``, as a magnified layer, ``made``, was."""

    dock_name = "repeat_magnification"

    def __init__(self, napari_viewer: napari.viewer.Viewer = None):  # noqa: F821
        super().__init__(napari_viewer)
        self._results = Results(self._viewer, self._messages)
        self._copies: list[_Copy] = []
        self.made.changed.connect(self._on_made_chosen)
        self._describe()

    def __call__(self) -> Image:
        """Make the layer and return it; ValueError or TypeError if the recipe does not fit."""
        layer, planned, place = self._plan_frame()
        planned.draw_timed(place)
        return self._show(layer, planned)

    def script(self) -> str:
        """Return Python source that makes the layer; the same errors."""
        on, planned, _ = self._plan_frame()
        title = f"Magnify the motion in {on.name!r}, as in {self.made.value.name!r}."
        return source(magnification(FromLayer(on, planned.movie), planned.recipe), title=title)

    # ---- fields ----

    def _create_widgets(self) -> list[Widget]:
        self.made = choice(
            "made",
            "",
            lambda _: [layer for layer in self._images() if is_magnified(layer)],
            "The magnified layer whose settings are used.",
        )
        self.recipe = text("recipe", "How that layer was magnified.")
        self.on = choice(
            "on",
            "",
            self._other_movies,
            "The movie to magnify. Axes, frame rate and intensities are its own, unless they were "
            "typed in.",
        )
        self.repeat = button(
            "repeat", "Repeat", "Magnify this movie in the same way, as a layer of its own."
        )
        self.repeat.changed.connect(self._on_repeat_clicked)
        return [
            Label(value="Same settings as", tooltip=self.made.tooltip),
            self.made,
            self.recipe,
            Label(value="for the motion in", tooltip=self.on.tooltip),
            self.on,
            group([self.repeat, self._create_script_button()], "horizontal"),
        ]

    def _other_movies(self, _=None) -> list[Image]:
        """Return the movies but the one that the magnified layer was made of."""
        made = self.made.value
        source = None if made is None else open_source(self._viewer, made)
        return [x for x in self._movies() if not is_magnified(x) and x is not source]

    def _on_made_chosen(self, _=None) -> None:
        self.on.reset_choices()
        self._describe()

    def _describe(self) -> None:
        made = self.made.value
        self.recipe.value = "" if made is None else described(recipe_of(made))
        self.repeat.enabled = made is not None
        self._messages.say(NONE_YET if made is None else "")

    def _on_layers_changed(self, event=None) -> None:
        super()._on_layers_changed(event)
        if not self._closed:
            self._describe()

    # ---- repeating ----

    def _plan_frame(self):
        """Return the layer to be magnified, its magnification, and the frame that is shown."""
        made, on = self.made.value, self.on.value
        if made is None:
            raise ValueError(NONE_YET)
        if on is None:
            raise ValueError(
                "There is no other movie to magnify: open one, as an Image layer with a time axis"
            )
        fps = typed_rate(on)  # goes before the rate that was typed for the other movie
        planned = plan(on, **repeated(made, on, **({} if fps is None else {"fps": fps})))
        place = frame_to_draw(self._viewer, on, planned.movie.axes)
        return on, self._results.cached(planned), place

    @reports_errors
    def _on_repeat_clicked(self, _=None) -> None:
        """Draw the frame that is shown in the background, then add the layer."""
        self._messages.forget()
        on, planned, place = self._plan_frame()

        def show(seconds: float) -> None:
            self._show(on, planned)
            self._messages.say_result(f"Frame {place[0]} drawn in {rounded(seconds, 2)} s")

        self._work.draw_frame(on, planned, place, show)

    def _show(self, on: Image, planned) -> Image:
        chosen = self.made.value, self.on.value
        self._copies.append(_Copy())
        layer = self._results.show(on, planned, key=self._copies[-1]).layer
        self.made.value, self.on.value = chosen  # adding a layer resets the choices
        return layer

    def _on_close(self, *, viewer_closes: bool) -> None:
        super()._on_close(viewer_closes=viewer_closes)
        self._results.close()


def described(recipe) -> str:
    """Return a recipe in a line, as ``"x10, phase, 1-2 Hz FIR at 30 fps"``."""
    operator = TemporalOperator.from_dict(dict(recipe["operator"]))
    parts = [f"x{recipe['factor']:g}", recipe["method"], operator.describe()]
    if recipe.get("stabilise"):
        parts.append("stabilised")
    given = recipe.get("given", ())
    return ", ".join(parts) + (f"; given: {', '.join(given)}" if given else "")
