"""The dock widget "Noise floor": where motion is above the noise, and the largest honest factor."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial

import numpy as np
from magicgui.widgets import Widget
from napari.utils import Colormap, DirectLabelColormap
from napari.utils.colormaps import ensure_colormap

from napari_motionmag.magnification import recipe as recipes
from napari_motionmag.magnification.magnification import plan
from napari_motionmag.magnification.script import Call, FromLayer, source
from napari_motionmag.magnification.settings import OF_THE_MOVIE
from napari_motionmag.views.blend import blend
from napari_motionmag.views.figures.noise_floor import draw_noise_floor, factor_range
from napari_motionmag.views.noise_floors import NoiseFloor, noise_floor
from napari_motionmag.views.surrogate import motionless_surrogate
from napari_motionmag.widgets.common.dock import reports_errors
from napari_motionmag.widgets.common.form import button
from napari_motionmag.widgets.common.shown_frame import frame_to_draw
from napari_motionmag.widgets.frames.frame_cache import CachedMagnification
from napari_motionmag.widgets.frames.magnified_layers import Results
from napari_motionmag.widgets.measure.motion_dock import MotionDock, MotionRequest

COLORS = "viridis"  # of the largest honest factor
OUTLINE = "#ff5db1"  # is seen on gray and on all of COLORS
NO_MAGNIFIED = "Choose a magnified layer under “Settings” first: “Magnify motion” makes one"
OUTLINED = "What is above the noise is outlined"
FADED, CONTROL = "faded", "null control"
EXPLAINED = {
    FADED: "The layer that is not faded is hidden",
    CONTROL: "What moves in the null control is noise",
}


@dataclass(frozen=True)
class Faded(CachedMagnification):
    """A magnification that fades into the original."""

    weights: dict | None = None  # (Y, X), 0 to 1, by the index along the axes such as Z and C

    def draw(self, times, other=(), *, keep=False):
        """Return frames as `CachedMagnification` does, mixed with the original."""
        weights = self.weights[tuple(other)]
        if self.movie.is_rgb:
            weights = weights[..., np.newaxis]
        return [
            blend(self.movie.read(t, other), frame, weights)
            for t, frame in zip(times, super().draw(times, other), strict=True)
        ]


class NoiseFloorWidget(MotionDock):
    """Map where the selected motion is above the noise, and the largest honest factor.

    Every field is an attribute. `measure`, `fade` and `null_control` do what the buttons do, in
    the background.
    """

    dock_name = "noise_floor"
    figure_height = 210

    def __init__(self, napari_viewer: napari.viewer.Viewer = None):  # noqa: F821
        self._measured: tuple[MotionRequest, dict[tuple, NoiseFloor]] | None = None
        super().__init__(napari_viewer)
        self._results = {kind: Results(self._viewer, self._messages) for kind in (FADED, CONTROL)}

    def measure(self) -> None:
        """Map the noise; adds two layers."""
        self._measure_planes(noise_floor, "Mapping the noise", self._show_maps)

    @reports_errors
    def fade(self) -> None:
        """Add a layer of the magnified movie, faded into the original where it may be noise."""
        request = self._request_of_magnified()
        known = self._known_results(request)
        if known is not None:
            self._show_faded(request, known)
            return
        self.planes.value = True  # where there are several, all of them are faded

        def show(request: MotionRequest, results: dict) -> None:
            self._show_maps(request, results)
            self._show_faded(request, results)

        self._measure_planes(noise_floor, "Mapping the noise", show)

    @reports_errors
    def null_control(self) -> None:
        """Add a layer of the motionless movie with the same noise, magnified in the same way."""
        request = self._request_of_magnified()
        still = motionless_surrogate(request.movie)
        magnification = self._results[CONTROL].cached(plan(still, **_magnify_options(request)))
        self._show_lazily(request, magnification, CONTROL)

    def script(self) -> str:
        """Return Python source that makes the same maps, and the faded movie and the control."""
        request, views = self.request(), "napari_motionmag.views"
        floors = [request.call("noise_floor", at).named("floor") for at in request.planes]
        floors[0].comment = "noise alone moves by less than 1 px below floor.limit_map"
        calls: list[Call] = list(floors)
        movie = FromLayer(request.layer, request.movie)
        if request.magnified is not None:
            options = _magnify_options(request)
            magnified = Call("napari_motionmag", "magnify", movie, **options).named("magnified")
            if len(floors) == 1:
                weights = floors[0].part(".weights")
                calls.append(Call(views, "fade", movie, magnified, weights).named("faded"))
            still = Call(views, "motionless_surrogate", movie).named("still")
            control = Call("napari_motionmag", "magnify", still, **options)
            calls.append(control.named("control", "what moves in this is noise"))
        text = source(*calls, title=f"Noise floor of {request.layer.name}")
        return text + "limit_map, weights = floor.limit_map, floor.weights\n"

    def _create_buttons(self) -> list[Widget]:
        measure = button(
            "measure",
            "Map the noise",
            "Add a map of where the motion is above the noise, and one of the largest factor at "
            "which noise alone moves by less than 1 px.",
            self.measure,
        )
        self._fade = button(
            "fade",
            "Fade noise",
            "Add a layer that shows the magnified movie where the motion is above the noise, and "
            "the original elsewhere. The magnified layer is kept, hidden.",
            self.fade,
        )
        self._null = button(
            "null_control",
            "Null control",
            "Magnify the mean frame with simulated noise in the same way: nothing moves in it. "
            "What still moves in the result is noise.",
            self.null_control,
        )
        return [measure, self._fade, self._null]

    def _on_settings_changed(self, _=None) -> None:
        super()._on_settings_changed()
        if not self._closed:
            self._fade.visible = self._null.visible = self.magnified is not None

    # ---- maps ----

    def _show_maps(self, request: MotionRequest, results: dict[tuple, NoiseFloor]) -> None:
        self._measured = request, results
        limits = {at: floor.limit_map.astype(np.float32) for at, floor in results.items()}
        for picture in limits.values():
            picture[picture <= 0] = np.nan  # no structure to see motion by: transparent
        every = np.concatenate([floor.limit.ravel() for floor in results.values()])
        low, high = factor_range(every)
        look = {"colormap": logarithmic(low, high), "contrast_limits": (low, high)}
        over = {"blending": "translucent_no_depth"}
        self._show_map(request, "largest honest factor", limits, look, opacity=0.7, **over)
        above = {at: (floor.weights >= 0.5).astype(np.uint8) for at, floor in results.items()}
        look = {"colormap": DirectLabelColormap(color_dict={1: OUTLINE, None: "transparent"})}
        outlines = {"add": "labels", "contour": 2, "opacity": 1.0, **over}
        self._show_map(request, "motion above noise", above, look, **outlines)
        floor, factor = results[self._shown_plane(request, results)], None
        if request.magnified is not None:
            factor = recipes.recipe_of(request.magnified)["factor"]
        self._messages.say_result(f"{floor.describe(factor)} {OUTLINED}")
        draw = partial(draw_noise_floor, floor=floor, factor=factor, colormap=COLORS)
        self.canvas.draw(draw if bool((floor.limit > 0).any()) else None)

    def _known_results(self, request: MotionRequest) -> dict | None:
        """Return the results of a measurement that suffice to fade this movie, or None."""
        if self._measured is None:
            return None
        before, results = self._measured
        same = (
            before.layer is request.layer
            and before.movie.data is request.movie.data
            and before.operator == request.operator
            and before.window == request.window
            and set(request.movie.series()) <= set(results)
        )
        return results if same else None

    # ---- magnified layers ----

    def _request_of_magnified(self) -> MotionRequest:
        request = self.request()
        if request.magnified is None:
            raise ValueError(NO_MAGNIFIED)
        frame_to_draw(self._viewer, request.layer, request.movie.axes)  # raises if there is none
        return request

    @reports_errors
    def _show_faded(self, request: MotionRequest, results: dict[tuple, NoiseFloor]) -> None:
        if request.magnified is None or request.magnified not in self._viewer.layers:
            self._messages.say("The magnified layer was closed")
            return
        magnification = self._results[FADED].cached(
            plan(request.movie, **_magnify_options(request))
        )
        options = {
            field.name: getattr(magnification, field.name) for field in fields(magnification)
        }
        weights = {at: floor.weights.astype(np.float32) for at, floor in results.items()}
        self._show_lazily(request, Faded(**options, weights=weights), FADED)

    def _show_lazily(
        self, request: MotionRequest, magnification: CachedMagnification, kind: str
    ) -> None:
        """Draw the frame that is shown in the background, then add the layer."""
        before = self.status.value.rstrip(".")
        self._enable_buttons(False)

        def show(seconds: float) -> None:
            self._enable_buttons(True)
            self._add_result(request, magnification, kind)
            self._messages.say_result(f"{EXPLAINED[kind]}. {before}")

        place = self._place_shown(request.layer, request.movie)
        failed = partial(self._enable_buttons, True)
        self._work.draw_frame(request.layer, magnification, place, show, failed)

    def _enable_buttons(self, enabled: bool) -> None:
        self._fade.enabled = self._null.enabled = enabled

    def _add_result(
        self, request: MotionRequest, magnification: CachedMagnification, kind: str
    ) -> None:
        magnified, name = request.magnified, f"{request.magnified.name} {kind}"
        with self.updating():
            result = self._results[kind].show(
                request.layer, magnification, key=magnified, name=name
            )
        # not as that of a magnified layer: the recipe alone does not make it
        about = result.layer.metadata.pop("napari_motionmag", None) or {}
        result.layer.metadata[f"napari_motionmag {kind}"] = {**about, "window": request.window}
        self.reset_choices()
        if kind == FADED and magnified in self._viewer.layers:
            magnified.visible = False

    def _on_close(self, *, viewer_closes: bool) -> None:
        super()._on_close(viewer_closes=viewer_closes)
        for results in self._results.values():
            results.close()


def _magnify_options(request: MotionRequest) -> dict:
    """Return the arguments of `magnify` of the magnified layer, but those of its source."""
    options = recipes.arguments(recipes.recipe_of(request.magnified))
    return {key: value for key, value in options.items() if key not in OF_THE_MOVIE}


def logarithmic(low: float, high: float, name: str = COLORS) -> Colormap:
    """Return a colormap for contrast limits (low, high) that is even in the logarithm."""
    even = np.linspace(0, 1, 129)
    colors = ensure_colormap(name).map(even.astype(np.float32))
    controls = (low * (high / low) ** even - low) / (high - low)
    controls[0], controls[-1] = 0, 1
    return Colormap(colors, controls=controls, name=f"{name}, logarithmic {low:g} to {high:g}")
