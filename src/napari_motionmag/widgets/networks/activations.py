"""The dock widget "Activations": what single units of a network do on the frame that is shown."""

from __future__ import annotations

from functools import partial

import numpy as np
from magicgui.widgets import Widget
from napari.layers import Image

from napari_motionmag.magnification.script import Call, FromLayer, source
from napari_motionmag.widgets.common.dock import reports_errors
from napari_motionmag.widgets.common.form import button, choice, line_edit, number, row
from napari_motionmag.widgets.common.messages import EXPECTED
from napari_motionmag.widgets.common.overlay import beside_frame, over_frame
from napari_motionmag.widgets.measure.motion_dock import MotionDock, MotionRequest
from napari_motionmag.widgets.networks.network_choice import NetworkChoice

MOSAIC, STACK = "mosaic", "stack"
_COLUMNS = 4  # of a mosaic at one factor


class ActivationsWidget(MotionDock):
    """Show units of a network at work on the frame that is shown, at two factors.

    Every field is an attribute; `compute` does what the button does, in the background.
    """

    dock_name = "activations"
    figure_height = 190
    in_windows = False

    def __init__(self, napari_viewer: napari.viewer.Viewer = None):  # noqa: F821
        super().__init__(napari_viewer)
        self._messages.say("Choose a layer of a network")
        self.model.changed.connect(self._on_network_changed)
        self.model_file.changed.connect(self._on_network_changed)
        self._on_network_changed()

    @reports_errors
    def compute(self) -> None:
        """Look at the units on the frame that is shown; adds layers."""
        from napari_motionmag.views.activations import unit_activations

        self._messages.forget()
        request = self.request()
        t, options = self._options(request)
        part, form = self.part.value, self.shown_as.value
        self._work.run(
            lambda _: unit_activations(request.movie, t, **options),
            lambda result: self._show_activations(request, t, part, form, result),
            title="Running the network",
            layers=[request.layer],
        )

    def script(self) -> str:
        """Return Python source that makes the same activations."""
        request = self.request()
        t, options = self._options(request)
        movie = FromLayer(request.layer, request.movie)
        found = Call("napari_motionmag.views", "unit_activations", movie, t, **options)
        title = f"Activations on frame {t} of {request.layer.name}"
        part = self.part.value
        return (
            f"{source(found.named('found'), title=title)}"
            f"maps = found.maps[{part!r}]  # (factors, units, y, x)\n"
            f"units = found.units[{part!r}]\n"
        )

    # ---- fields ----

    def _create_own_rows(self) -> list[Widget]:
        self._network = NetworkChoice()
        self.model, self.model_file = self._network.model, self._network.model_file
        self.part = choice(
            "part",
            "Layer",
            self._part_choices,
            "Layer of the network. Those that do not depend on the factor are shown once.",
        )
        self.units = line_edit(
            "units",
            "Units",
            "How many of the units that vary most over the frame; or numbers of units after a #, "
            "as #3, 18, 30.",
            value="6",
        )
        tooltip = "Total gain of the selected motion, as in “Magnify motion”."
        limits = {"low": -1000, "high": 1000, "decimals": 2, "prefix": "x "}
        self.first = number("first", tooltip, value=2, **limits)
        self.second = number("second", tooltip, value=5, **limits)
        self.shown_as = choice(
            "shown_as",
            "Show as",
            [("Pictures beside the movie", MOSAIC), ("Stack over the frame", STACK)],
            "All units side by side with their numbers, or a layer with a slider for the units "
            "that lies over the frame, one for each factor.",
        )
        factors = row("Factors", self.first, self.second)
        return [self.model, self.model_file, self.part, self.units, factors, self.shown_as]

    def _create_buttons(self) -> list[Widget]:
        tooltip = "Add pictures of the units at work on the frame that is shown."
        return [button("compute", "Show activations", tooltip, self.compute)]

    def _part_choices(self, _=None) -> list[str]:
        from napari_motionmag.views.activations import LAYERS

        try:
            return list(LAYERS[self._network.kind])
        except EXPECTED:
            return []

    def _on_network_changed(self, _=None) -> None:
        self._network.show_what_applies()
        self.part.choices = ()  # those that are kept would come first
        self.part.choices = self._part_choices

    def _options(self, request: MotionRequest) -> tuple[int, dict]:
        if self.shown_as.value == STACK and not request.movie.axes.replace("S", "").endswith("YX"):
            raise ValueError("A stack needs Y and X to be the last axes of the movie")
        t, plane = self._place_shown(request.layer, request.movie)
        part = self.part.value
        if part is None:
            raise ValueError("There is no layer of the network to look at: choose a network")
        options = {
            "factors": list(dict.fromkeys([self.first.value, self.second.value])),
            "model": self._network.value,
            "layers": [part],
            "units": _units(self.units.value, part),
            **request.selection,
            **request.at(plane),
        }
        return t, options

    # ---- results ----

    def _show_activations(self, request: MotionRequest, t: int, part: str, form: str, result):
        from napari_motionmag.views.figures.networks import draw_decoded

        maps, units = result.maps[part], result.units[part]
        show = self._show_mosaic if form == MOSAIC else self._show_stack
        show(request, t, part, result)
        self._viewer.reset_view()  # the pictures lie beside the movie, out of sight
        draw = partial(draw_decoded, decoded=result.decoded, factors=result.factors)
        self.canvas.draw(draw)
        numbers = ", ".join(f"{unit}" for unit in units)
        stride = result.strides[part]
        once = "" if len(maps) > 1 else ", which do not depend on the factor"
        self._messages.say_result(
            f"Units {numbers} of {part} in frame {t}{once}. One pixel of them is {stride} x "
            f"{stride} px of the movie"
        )

    def _show_mosaic(self, request: MotionRequest, t: int, part: str, result) -> None:
        from napari_motionmag.views.figures.mosaic import labelled_mosaic

        maps, units = result.maps[part], result.units[part]
        count = len(maps)
        factors = [f" x{factor:g}" for factor in result.factors] if count > 1 else [""]
        labels = [f"#{unit}{factor}" for unit in units for factor in factors]
        pictures = maps.swapaxes(0, 1).reshape(-1, *maps.shape[2:])
        columns = min(len(labels), _COLUMNS)
        columns = max(columns - columns % count, count)
        picture = labelled_mosaic(pictures, labels, columns, side=300, shared=count)
        data, place = beside_frame(request.layer, request.movie.axes, picture)
        name = f"{part} of {self._network.name}, frame {t}: {request.layer.name}"
        look = {"contrast_limits": (0, 255), "interpolation2d": "linear"}
        self._put_layer(MOSAIC, data, name, place, **look)

    def _show_stack(self, request: MotionRequest, t: int, part: str, result) -> None:
        maps, stride = result.maps[part], result.strides[part]
        layer, axes = request.layer, request.movie.axes
        width = request.movie.frame_shape[1]
        low, high = float(maps.min()), float(maps.max())
        limits = (low, high if high > low else low + 1)
        for k, one in enumerate(maps):
            first = ((stride - 1) / 2, (stride - 1) / 2 + k * 1.05 * width)
            _, place = over_frame(layer, axes, {(): one[0]}, stride, first)
            # the units get an axis of their own before all axes of the movie, and the frame one
            # that is shown at its own time only
            data, place = _with_units(layer, axes, one, place, t)
            factor = f" x{result.factors[k]:g}" if len(maps) > 1 else ""
            name = f"{part}{factor} of {self._network.name}, frame {t}: {layer.name}"
            look = place | {"contrast_limits": limits}
            self._put_layer(f"{STACK} {k}", data, name, look)


def _units(text: str, part: str) -> int | dict[str, list[int]]:
    """Return how many units, or which, as `unit_activations` takes them."""
    wanted = f"units must be a number, or numbers after a #, as #3, 18, 30; got {text!r}"
    numbers = text.strip().removeprefix("#").replace(",", " ").replace("#", " ").split()
    if not numbers or not all(number.isdigit() for number in numbers):
        raise ValueError(wanted)
    if text.strip().startswith("#"):
        return {part: [int(number) for number in numbers]}
    if len(numbers) > 1:
        raise ValueError(wanted)
    return int(numbers[0])


def _with_units(
    layer: Image, axes: str, maps: np.ndarray, place: dict, t: int
) -> tuple[np.ndarray, dict]:
    """Give maps (U, h, w) the axes of the movie after one for the units; they are of frame t."""
    letters = axes.replace("S", "")
    before = len(letters) - 2
    data = maps.reshape(len(maps), *(1,) * before, *maps.shape[1:])
    scale = [1.0, *np.asarray(layer.scale, float)[:before], *place["scale"]]
    translate = [0.0, *np.asarray(layer.translate, float)[:before], *place["translate"]]
    time = 1 + letters.index("T")
    translate[time] += t * scale[time]
    return data, {
        "scale": scale,
        "translate": translate,
        "units": ("pixel", *layer.units),
        "axis_labels": ("unit", *layer.axis_labels),
    }
