"""The dock widget "Activations": what single units of a network do on the frame that is shown."""

from __future__ import annotations

from functools import partial

import numpy as np
from magicgui.widgets import ComboBox, Container, FloatSpinBox, LineEdit, PushButton
from napari.layers import Image

from napari_motionmag.magnification.script import Call, FromLayer, source
from napari_motionmag.widgets.common.messages import EXPECTED
from napari_motionmag.widgets.common.motion_fields import may_be_narrow
from napari_motionmag.widgets.common.overlay import beside_frame, over_frame
from napari_motionmag.widgets.common.script_button import ScriptButton
from napari_motionmag.widgets.common.shown_frame import frame_shown
from napari_motionmag.widgets.measure.motion_dock import Asked, MeasuredMotion
from napari_motionmag.widgets.networks.network_choice import NetworkChoice

MOSAIC, STACK = "mosaic", "stack"
_HEIGHT = 190  # px, of the figure
_COLUMNS = 4  # of a mosaic at one factor


class ActivationsWidget(MeasuredMotion):
    """Show units of a network at work on the frame that is shown, at two factors.

    Every field is an attribute; `compute` does what the button does, in the background.

    Parameters
    ----------
    napari_viewer : napari.Viewer, optional
        The current one when None.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer = None):  # noqa: F821
        self._network = NetworkChoice()
        self.model, self.model_file = self._network.model, self._network.model_file
        self.part = ComboBox(
            name="part",
            label="Layer",
            choices=self._parts,
            tooltip="Layer of the network. Those that do not depend on the factor are shown once.",
        )
        self.units = LineEdit(
            name="units",
            label="Units",
            value="6",
            tooltip="How many of the units that vary most over the frame; or numbers of units "
            "after a #, as #3, 18, 30.",
        )
        self.first = FloatSpinBox(name="first", value=2, min=-1000, max=1000)
        self.second = FloatSpinBox(name="second", value=5, min=-1000, max=1000)
        factors = Container(
            widgets=[self.first, self.second], layout="horizontal", labels=False, name="factors"
        )
        factors.label = "Factors"
        factors.margins = (0, 0, 0, 0)
        for field in (self.first, self.second):
            field.tooltip = "Total gain of the selected motion, as in “Magnify motion”."
            field.native.setPrefix("x ")
            field.native.setObjectName(field.name)
        self.shown_as = ComboBox(
            name="shown_as",
            label="Show as",
            choices=[("Pictures beside the movie", MOSAIC), ("Stack over the frame", STACK)],
            tooltip="All units side by side with their numbers, or a layer with a slider for the "
            "units that lies over the frame, one for each factor.",
        )
        self._go = PushButton(
            name="compute", text="Show activations", tooltip="Of the frame that is shown."
        )
        rows = [self.model, self.model_file, self.part, self.units, factors, self.shown_as]
        buttons = [self._go, ScriptButton(self.script)]
        super().__init__(napari_viewer, "activations", rows, buttons, _HEIGHT, windows=False)
        self._messages.say("Choose a layer of a network")
        may_be_narrow(self.part.native)
        self.model.changed.connect(self._network_changed)
        self.model_file.changed.connect(self._network_changed)
        self._go.changed.connect(lambda _=None: self.compute())
        self._network_changed()

    def compute(self) -> None:
        """Look at the units on the frame that is shown; adds layers."""
        from napari_motionmag.views.activations import unit_activations

        try:
            asked = self.asked()
            t, options = self._options(asked)
        except EXPECTED as error:
            self._messages.report(error)
            return
        part, form, found = self.part.value, self.shown_as.value, []

        def work(tell) -> None:
            found.append(unit_activations(asked.movie, t, **options))
            tell(1, 1)

        def take() -> None:
            self._messages.all_well()
            self._show(asked, t, part, form, found[0])

        self._messages.afresh()
        self._messages.say("The network is at work…")
        self._working_on = asked.layer
        self._runner.request(
            work,
            self._when_done(take),
            title="Activations of a network",
        )

    def script(self) -> str:
        """Return Python source that makes the same activations.

        Raises
        ------
        ValueError, TypeError
            When there is no movie, or a parameter does not do.
        """
        asked = self.asked()
        t, options = self._options(asked)
        movie = FromLayer(asked.layer, asked.movie)
        found = Call("napari_motionmag.views", "unit_activations", movie, t, **options)
        text = source(found.named("found"), title=f"Activations on frame {t} of {asked.layer.name}")
        part = self.part.value
        return (
            f"{text}maps = found.maps[{part!r}]  # (factors, units, y, x)\n"
            f"units = found.units[{part!r}]\n"
        )

    def _options(self, asked: Asked) -> tuple[int, dict]:
        if self.shown_as.value == STACK and not asked.movie.axes.replace("S", "").endswith("YX"):
            raise ValueError("A stack needs Y and X to be the last axes of the movie")
        t, plane = frame_shown(self._viewer, asked.layer, asked.movie.axes)
        factors = list(dict.fromkeys([self.first.value, self.second.value]))
        part = self.part.value
        if part is None:
            raise ValueError("There is no layer of the network to look at: choose a network")
        options = {
            "factors": factors,
            "model": self._network.value,
            "layers": [part],
            "units": _units(self.units.value, part),
            **asked.selection,
            **asked.at(plane),
        }
        return t, options

    # ---- results ----

    def _show(self, asked: Asked, t: int, part: str, form: str, found) -> None:
        from napari_motionmag.views.figures.networks import draw_decoded

        maps, units = found.maps[part], found.units[part]
        show = self._show_mosaic if form == MOSAIC else self._show_stack
        show(asked, t, part, found)
        self.canvas.draw(partial(draw_decoded, decoded=found.decoded, factors=found.factors))
        numbers = ", ".join(f"{unit}" for unit in units)
        stride = found.strides[part]
        once = "" if len(maps) > 1 else ", which do not depend on the factor"
        self._messages.say_drawn(
            f"Units {numbers} of {part} in frame {t}{once}. One pixel of them is {stride} x "
            f"{stride} px of the movie"
        )

    def _show_mosaic(self, asked: Asked, t: int, part: str, found) -> None:
        from napari_motionmag.views.figures.mosaic import labelled_mosaic

        maps, units = found.maps[part], found.units[part]
        count = len(maps)
        factors = [f" x{factor:g}" for factor in found.factors] if count > 1 else [""]
        labels = [f"#{unit}{factor}" for unit in units for factor in factors]
        pictures = maps.swapaxes(0, 1).reshape(-1, *maps.shape[2:])
        columns = min(len(labels), _COLUMNS)
        columns = max(columns - columns % count, count)
        picture = labelled_mosaic(pictures, labels, columns, side=300, shared=count)
        data, place = beside_frame(asked.layer, asked.movie.axes, picture)
        name = f"{part} of {self._model_name()}, frame {t}: {asked.layer.name}"
        self._put(name, data, place, contrast_limits=(0, 255), interpolation2d="linear")

    def _show_stack(self, asked: Asked, t: int, part: str, found) -> None:
        maps, stride = found.maps[part], found.strides[part]
        width = asked.movie.frame_shape[1]
        low, high = float(maps.min()), float(maps.max())
        limits = (low, high if high > low else low + 1)
        for k, one in enumerate(maps):
            first = ((stride - 1) / 2, (stride - 1) / 2 + k * 1.05 * width)
            _, place = over_frame(asked.layer, asked.movie.axes, {(): one[0]}, stride, first)
            # the units get an axis of their own before all axes of the movie, and the frame one
            # that is shown at its own time only
            factor = f" x{found.factors[k]:g}" if len(maps) > 1 else ""
            name = f"{part}{factor} of {self._model_name()}, frame {t}: {asked.layer.name}"
            data, place = _with_units(asked.layer, asked.movie.axes, one, place, t)
            self._put(name, data, place, contrast_limits=limits)

    def _put(self, name: str, data: np.ndarray, place: dict, **look) -> None:
        for layer in self._maps:
            if layer in self._viewer.layers and layer.name == name and layer.ndim == data.ndim:
                layer.data = data
                for key, value in (place | look).items():
                    setattr(layer, key, value)
                return
        before, self._adding = self._adding, True
        try:
            self._maps.append(self._viewer.add_image(data, name=name, **place, **look))
        finally:
            self._adding = before
        self._viewer.reset_view()  # it lies beside the movie, where nobody looks yet

    # ---- fields ----

    def _model_name(self) -> str:
        chosen = self._network.value
        return chosen if isinstance(chosen, str) else chosen.stem

    def _parts(self, _=None) -> list[str]:
        from napari_motionmag.views.activations import LAYERS

        try:
            return list(LAYERS[self._network.kind])
        except EXPECTED:
            return []

    def _network_changed(self, _=None) -> None:
        self._network.show_what_applies()
        self.part.choices = ()  # those that are kept would come first
        self.part.choices = self._parts


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
