"""The dock widget "Noise floor": where motion is above the noise, and the largest honest factor."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial

import numpy as np
from magicgui.widgets import PushButton
from napari.utils import Colormap, DirectLabelColormap
from napari.utils.colormaps import ensure_colormap

from napari_motionmag.magnification import recipe as recipes
from napari_motionmag.magnification.magnification import plan
from napari_motionmag.magnification.script import Call, FromLayer, source
from napari_motionmag.views.blend import blend, spread_weights
from napari_motionmag.views.figures.noise_floor import draw_noise_floor, factor_range
from napari_motionmag.views.noise_floors import NoiseFloor, noise_floor
from napari_motionmag.views.surrogate import motionless_surrogate
from napari_motionmag.widgets.common.jobs import in_background
from napari_motionmag.widgets.common.messages import EXPECTED
from napari_motionmag.widgets.common.script_button import ScriptButton
from napari_motionmag.widgets.common.shown_frame import frame_shown, time_is_drawn
from napari_motionmag.widgets.frames.frame_cache import CachedMagnification
from napari_motionmag.widgets.frames.magnified_layers import TIME_ACROSS, Results
from napari_motionmag.widgets.measure.motion_dock import Asked, MeasuredMotion

COLOURS = "viridis"  # of the largest honest factor
OUTLINE = "#ff5db1"  # is seen on grey and on all of COLOURS
NO_MAGNIFIED = "Choose a magnified layer under “Settings” first: “Magnify motion” makes one"
OUTLINED = "What is above the noise is outlined"
NULL_SAID = "What moves in the null control is noise"
FADED_SAID = "The layer that is not faded is hidden"
_HEIGHT = 210  # px, of the figure


@dataclass(frozen=True)
class Faded(CachedMagnification):
    """A magnification that fades into the original.

    Parameters
    ----------
    weights : ndarray
        0 to 1, with all axes of the movie, of length 1 along T and S.
    """

    weights: np.ndarray | None = None

    def draw(self, times, other=(), *, keep=False):
        """Draw frames as those of `CachedMagnification`, mixed with the original."""
        place = dict(zip(self.movie.other_axes, other, strict=True))
        index = [
            0 if letter == "T" else place.get(letter, slice(None)) for letter in self.movie.axes
        ]
        weights = self.weights
        for axis, letter in enumerate(self.movie.axes):
            if letter in place and weights.shape[axis] == 1:
                index[axis] = 0  # the same for all of them
        weights = weights[tuple(index)]
        return [
            blend(self.movie.read(t, other), frame, weights)
            for t, frame in zip(times, super().draw(times, other), strict=True)
        ]


class NoiseFloorWidget(MeasuredMotion):
    """Map where the selected motion is above the noise, and the largest honest factor.

    Every field is an attribute. `measure`, `fade` and `null_control` do what the buttons do, in
    the background.

    Parameters
    ----------
    napari_viewer : napari.Viewer, optional
        The current one when None.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer = None):  # noqa: F821
        self._measured: tuple[Asked, dict[tuple, NoiseFloor]] | None = None
        self._results: dict[str, Results] = {}
        self._fade = PushButton(
            name="fade",
            text="Fade noise",
            tooltip="Add a layer that shows the magnified movie where the motion is above the "
            "noise, and the original elsewhere. The magnified layer is kept, hidden.",
        )
        self._null = PushButton(
            name="null_control",
            text="Null control",
            tooltip="Magnify, in the same way, the mean frame with noise drawn anew: nothing moves "
            "in it. What still moves in the result is noise.",
        )
        self._go = PushButton(
            name="measure",
            text="Map the noise",
            tooltip="Add a map of where the motion is above the noise, and one of the largest "
            "factor at which noise alone moves by less than 1 px.",
        )
        buttons = [self._go, ScriptButton(self.script), self._fade, self._null]
        super().__init__(napari_viewer, "noise_floor", [], buttons, _HEIGHT)
        self._results = {
            kind: Results(self._viewer, self._messages) for kind in ("faded", "null control")
        }
        self._go.changed.connect(lambda _=None: self.measure())
        self._fade.changed.connect(lambda _=None: self.fade())
        self._null.changed.connect(lambda _=None: self.null_control())

    def measure(self) -> None:
        """Map the noise; adds two layers."""
        self._measure(noise_floor, "Mapping the noise", self._show)

    def fade(self) -> None:
        """Add a layer of the magnified movie, faded into the original where it may be noise."""
        try:
            asked = self._needs_magnified()
        except EXPECTED as error:
            self._messages.report(error)
            return
        found = self._known(asked)
        if found is not None:
            self._show_faded(asked, found)
            return
        self.planes.value = True  # where there are several, all of them are faded

        def then(asked: Asked, found: dict) -> None:
            self._show(asked, found)
            self._show_faded(asked, found)

        self._measure(noise_floor, "Mapping the noise", then)

    def null_control(self) -> None:
        """Add a layer of the motionless movie with the same noise, magnified in the same way."""
        try:
            asked = self._needs_magnified()
            still = motionless_surrogate(asked.movie)
            magnification = plan(still, **self._recipe(asked))
        except EXPECTED as error:
            self._messages.report(error)
            return
        shown = self._results["null control"].shown(magnification)
        self._show_lazily(asked, shown, "null control", "Drawing the null control…")

    def script(self) -> str:
        """Return Python source that makes the same maps, and the faded movie and the control.

        Raises
        ------
        ValueError, TypeError
            When there is no movie, or a parameter does not do.
        """
        asked = self.asked()
        floors = [asked.call("noise_floor", at).named("floor") for at in asked.planes]
        floors[0].comment = "noise alone moves by less than 1 px below floor.limit_map"
        calls: list[Call] = list(floors)
        movie = FromLayer(asked.layer, asked.movie)
        if asked.magnified is not None:
            said = self._recipe(asked)
            magnified = Call("napari_motionmag", "magnify", movie, **said).named("magnified")
            if len(floors) == 1:
                weights = floors[0].part(".weights")
                calls.append(
                    Call("napari_motionmag.views", "fade", movie, magnified, weights).named("faded")
                )
            still = Call("napari_motionmag.views", "motionless_surrogate", movie).named("still")
            calls.append(
                Call("napari_motionmag", "magnify", still, **said).named(
                    "control", "what moves in this is noise"
                )
            )
        text = source(*calls, title=f"Noise floor of {asked.layer.name}")
        return text + "limit_map, weights = floor.limit_map, floor.weights\n"

    # ---- results ----

    def _show(self, asked: Asked, found: dict[tuple, NoiseFloor]) -> None:
        self._measured = asked, found
        limits = {at: floor.limit_map.astype(np.float32) for at, floor in found.items()}
        for picture in limits.values():
            picture[picture <= 0] = np.nan  # nothing to see motion by: transparent
        low, high = factor_range(np.concatenate([floor.limit.ravel() for floor in found.values()]))
        look = {
            "colormap": logarithmic(low, high),
            "contrast_limits": (low, high),
            "opacity": 0.7,
            "blending": "translucent_no_depth",
        }
        self._show_map(asked, "largest honest factor", limits, look)
        above = {at: (floor.weights >= 0.5).astype(np.uint8) for at, floor in found.items()}
        look = {
            "colormap": DirectLabelColormap(color_dict={1: OUTLINE, None: "transparent"}),
            "contour": 2,
            "opacity": 1.0,
            "blending": "translucent_no_depth",
        }
        self._show_map(asked, "motion above noise", above, look, kind="labels")
        _, here = frame_shown(self._viewer, asked.layer, asked.movie.axes)
        floor = found.get(here) or next(iter(found.values()))
        factor = None
        if asked.magnified is not None:
            factor = recipes.recipe_of(asked.magnified)["factor"]
        self._messages.say_drawn(f"{floor.describe(factor)} {OUTLINED}")
        draws = bool((floor.limit > 0).any())
        self.canvas.draw(
            partial(draw_noise_floor, floor=floor, factor=factor, colormap=COLOURS)
            if draws
            else None
        )

    def _known(self, asked: Asked) -> dict | None:
        """Return what was measured, if it is all that is needed to fade a movie."""
        if self._measured is None:
            return None
        before, found = self._measured
        same = (
            before.layer is asked.layer
            and before.movie.data is asked.movie.data
            and before.operator == asked.operator
            and before.window == asked.window
            and set(asked.movie.series()) <= set(found)
        )
        return found if same else None

    def _needs_magnified(self) -> Asked:
        asked = self.asked()
        if asked.magnified is None:
            raise ValueError(NO_MAGNIFIED)
        if time_is_drawn(self._viewer, asked.layer, asked.movie.axes):
            raise ValueError(TIME_ACROSS)
        return asked

    def _recipe(self, asked: Asked) -> dict:
        said = recipes.arguments(recipes.recipe_of(asked.magnified))
        for key in recipes.OF_THE_SOURCE:
            said.pop(key, None)
        return said

    def _show_faded(self, asked: Asked, found: dict[tuple, NoiseFloor]) -> None:
        if asked.magnified is None or asked.magnified not in self._viewer.layers:
            self._messages.say("The magnified layer was closed")
            return
        movie = asked.movie
        sizes = [movie.shape[movie.axes.index(letter)] for letter in movie.other_axes]
        weights = np.stack([found[at].weights for at in movie.series()])
        weights = weights.reshape(*sizes, *weights.shape[1:])
        own = [letter for letter in movie.axes if letter not in "TS"]
        order = [f"{movie.other_axes}YX".index(letter) for letter in own]
        try:
            weights = spread_weights(movie, weights.transpose(order))
            plain = plan(movie, **self._recipe(asked))
        except EXPECTED as error:
            self._messages.report(error)
            return
        shown = self._results["faded"].shown(plain)
        said = {field.name: getattr(shown, field.name) for field in fields(shown)}
        self._show_lazily(asked, Faded(**said, weights=weights), "faded", "Fading…")

    def _show_lazily(self, asked: Asked, shown: CachedMagnification, kind: str, doing: str) -> None:
        """Draw the frame that is shown in the background, then add the layer."""
        t, other = frame_shown(self._viewer, asked.layer, asked.movie.axes)
        before = self.status.value.rstrip(".")
        self._messages.say(doing)
        self._fade.enabled = self._null.enabled = False

        def done(_, error) -> None:
            if self._closed:
                return
            self._fade.enabled = self._null.enabled = True
            if error is not None:
                self._messages.report(error)
            elif asked.layer not in self._viewer.layers:
                self._messages.say("The movie was closed")
            else:
                self._add(asked, shown, kind)
                said = NULL_SAID if kind == "null control" else FADED_SAID
                self._messages.say_drawn(f"{said}. {before}")

        in_background(lambda: shown.draw([t], other), done)

    def _add(self, asked: Asked, shown: CachedMagnification, kind: str) -> None:
        magnified = asked.magnified
        before, self._adding = self._adding, True
        try:
            result = self._results[kind].show(
                asked.layer, shown, key=magnified, name=f"{magnified.name} {kind}"
            )
        finally:
            self._adding = before
        # not as that of a magnified layer: the recipe alone does not make it
        about = result.layer.metadata.pop("napari_motionmag", None) or {}
        result.layer.metadata[f"napari_motionmag {kind}"] = {**about, "window": asked.window}
        self.reset_choices()
        if kind == "faded" and magnified in self._viewer.layers:
            magnified.visible = False

    def _settings_changed(self, _=None) -> None:
        super()._settings_changed()
        if not self._closed:
            chosen = self.magnified is not None
            self._fade.visible = self._null.visible = chosen

    def _leave(self, event=None) -> None:
        if not self._closed:
            for results in self._results.values():
                results.close()
        super()._leave(event)


def logarithmic(low: float, high: float, name: str = COLOURS) -> Colormap:
    """Return a colormap for contrast limits (low, high) that is even in the logarithm."""
    even = np.linspace(0, 1, 129)
    colours = ensure_colormap(name).map(even.astype(np.float32))
    controls = (low * (high / low) ** even - low) / (high - low)
    controls[0], controls[-1] = 0, 1
    return Colormap(colours, controls=controls, name=f"{name}, logarithmic {low:g} to {high:g}")
