"""The dock widget "Repeat on another layer"."""

from __future__ import annotations

from magicgui.widgets import ComboBox, Container, Label, PushButton
from napari.layers import Image
from qtpy.QtWidgets import QSizePolicy

from napari_motionmag.magnification.magnification import plan
from napari_motionmag.magnification.recipe import is_magnified, recipe_of, repeated
from napari_motionmag.magnification.script import FromLayer, magnification, source
from napari_motionmag.movie.layer_traits import typed_rate
from napari_motionmag.temporal import TemporalOperator
from napari_motionmag.widgets.common.dock import Dock
from napari_motionmag.widgets.common.jobs import LatestOnly
from napari_motionmag.widgets.common.messages import EXPECTED
from napari_motionmag.widgets.common.motion_fields import may_be_narrow
from napari_motionmag.widgets.common.script_button import ScriptButton
from napari_motionmag.widgets.common.shown_frame import frame_shown, time_is_drawn
from napari_motionmag.widgets.common.viewer import viewer_of
from napari_motionmag.widgets.frames.frame_cache import time_frame
from napari_motionmag.widgets.frames.magnified_layers import TIME_ACROSS, Results

NONE_YET = "There is no magnified layer yet: make one with “Magnify motion”"


class _Copy:
    """Each repetition has a layer of its own, however many there are of a source."""


class RepeatWidget(Dock):
    """Magnify another layer as a magnified layer was.

    Attributes
    ----------
    made, on : ComboBox
        The magnified layer, and the layer to be magnified.
    repeat : PushButton

    Parameters
    ----------
    napari_viewer : napari.Viewer, optional
        The current one when None.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer = None):  # noqa: F821
        self._viewer = viewer_of(napari_viewer)
        self._make_fields()
        copy = ScriptButton(self.script, "Put a Python script on the clipboard that does this.")
        buttons = Container(widgets=[self.repeat, copy], layout="horizontal", labels=False)
        buttons.margins = (0, 0, 0, 0)
        rows = [
            Label(value="As it was done in", tooltip=self.made.tooltip),
            self.made,
            self.recipe,
            Label(value="magnify the motion in", tooltip=self.on.tooltip),
            self.on,
            buttons,
        ]
        super().__init__(self._viewer, "repeat_magnification", rows)
        self._results = Results(self._viewer, self._messages)
        self._latest = LatestOnly(self._drawn)
        self._copies: list[_Copy] = []
        self._connect()
        self._describe()

    def __call__(self) -> Image:
        """Make the layer and return it.

        Raises
        ------
        ValueError, TypeError
            If the recipe does not fit.
        """
        request, shown, place = self._planned()
        time_frame(shown, place)
        return self._show(request[0], shown)

    def script(self) -> str:
        """Return Python source that makes the layer.

        Raises
        ------
        ValueError, TypeError
            If the recipe does not fit.
        """
        (on, _), shown, _ = self._planned()
        title = f"Magnify the motion in {on.name!r}, as in {self.made.value.name!r}."
        return source(magnification(FromLayer(on, shown.movie), shown.recipe), title=title)

    # ---- fields ----

    def _make_fields(self) -> None:
        self.made = ComboBox(
            name="made",
            choices=self._magnified_layers,
            tooltip="A magnified layer: what made it is done again.",
        )
        self.recipe = Label(name="recipe", tooltip="How that layer was magnified.")
        self.on = ComboBox(
            name="on",
            choices=self._sources,
            tooltip="The movie to be magnified. Axes, frame rate and intensities are its own, "
            "unless they were given by hand.",
        )
        self.repeat = PushButton(
            name="repeat",
            text="Repeat",
            tooltip="Magnify this movie in the same way, as a layer of its own.",
        )
        for field in (self.made, self.recipe, self.on, self.repeat):
            field.native.setObjectName(field.name)
        for box in (self.made, self.on):
            may_be_narrow(box.native)
        self.recipe.native.setWordWrap(True)
        self.recipe.native.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)

    def _magnified_layers(self, _=None) -> list[Image]:
        return [layer for layer in self._images() if is_magnified(layer)]

    def _sources(self, _=None) -> list[Image]:
        return [layer for layer in self._images() if not is_magnified(layer)]

    def _describe(self, _=None) -> None:
        made = self.made.value
        self.recipe.value = "" if made is None else described(recipe_of(made))
        self.repeat.enabled = made is not None
        self._messages.say(NONE_YET if made is None else "")

    # ---- repeating ----

    def _planned(self):
        """Return (target, its recipe's name), what is to be shown, and the frame shown."""
        made, on = self.made.value, self.on.value
        if made is None:
            raise ValueError(NONE_YET)
        if on is None:
            raise ValueError("There is no movie to do it on: open one as an Image layer")
        fps = typed_rate(on)  # goes before the rate that was typed for the other movie
        planned = plan(on, **repeated(made, on, **({} if fps is None else {"fps": fps})))
        if time_is_drawn(self._viewer, on, planned.movie.axes):
            raise ValueError(TIME_ACROSS)
        place = frame_shown(self._viewer, on, planned.movie.axes)
        return (on, made.name), self._results.shown(planned), place

    def _repeat(self, _=None) -> None:
        """Draw the frame that is shown in the background, then add the layer."""
        self._messages.afresh()
        try:
            request, shown, place = self._planned()
        except EXPECTED as error:
            self._messages.report(error)
            return
        self._messages.say(f"Drawing frame {place[0]}…")
        self._latest.request((request[0], shown, place), lambda: time_frame(shown, place))

    def _drawn(self, request, seconds, error) -> None:
        on, shown, place = request
        if self._closed:
            return
        if error is not None:
            self._messages.report(error)
        elif on not in self._viewer.layers:
            self._messages.say("The movie was closed")
        else:
            self._show(on, shown)
            self._messages.say_drawn(f"Frame {place[0]} drawn in {seconds:.2g} s")

    def _show(self, on, shown) -> Image:
        chosen = self.made.value, self.on.value
        self._copies.append(_Copy())
        layer = self._results.show(on, shown, key=self._copies[-1]).layer
        self.made.value, self.on.value = chosen  # adding a layer resets the choices
        return layer

    # ---- coming and going ----

    def _connect(self) -> None:
        self.repeat.changed.connect(self._repeat)
        self.made.changed.connect(self._describe)

    def _on_layers_changed(self, event=None) -> None:
        super()._on_layers_changed(event)
        if not self._closed:
            self._describe()

    def _close(self, _=None) -> None:
        if self._closed:
            return
        super()._close()
        self._latest.stop()
        self._results.close()


def described(recipe) -> str:
    """Return a recipe in a line, as ``"x10, phase, 1-2 Hz FIR at 30 fps"``."""
    operator = TemporalOperator.from_dict(dict(recipe["operator"]))
    parts = [f"x{recipe['factor']:g}", recipe["method"], operator.describe()]
    if recipe.get("stabilise"):
        parts.append("stabilised")
    given = recipe.get("given", ())
    return ", ".join(parts) + (f"; given: {', '.join(given)}" if given else "")
