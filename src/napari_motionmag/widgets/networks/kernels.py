"""The dock widget "Network kernels": the encoder of a network as linear filters."""

from __future__ import annotations

from collections import Counter
from functools import partial

from magicgui.widgets import ComboBox, PushButton, SpinBox
from napari.layers import Image

from napari_motionmag.magnification.script import Call, FromLayer, source
from napari_motionmag.widgets.common.dock import MeasuringWidget
from napari_motionmag.widgets.common.messages import EXPECTED
from napari_motionmag.widgets.common.motion_fields import may_be_narrow
from napari_motionmag.widgets.common.overlay import beside_frame
from napari_motionmag.widgets.common.script_button import ScriptButton
from napari_motionmag.widgets.common.viewer import viewer_of
from napari_motionmag.widgets.networks.network_choice import NetworkChoice

_HEIGHT = 250  # px, of the figure
_COLUMNS = 4
_MOST = 64


class KernelsWidget(MeasuringWidget):
    """Show the encoder of a network as the linear kernels that stand for it best.

    Every field is an attribute; `compute` does what the button does, in the background.

    Parameters
    ----------
    napari_viewer : napari.Viewer, optional
        The current one when None.
    """

    def __init__(self, napari_viewer: napari.viewer.Viewer = None):  # noqa: F821
        self._viewer = viewer_of(napari_viewer)
        self._layer = None
        self.layer = ComboBox(
            name="layer",
            label="Pictures",
            choices=self._images,
            tooltip="Movie on whose frames the network is tried; at most 8 of them, 64 px or more.",
        )
        self._network = NetworkChoice()
        self.model, self.model_file = self._network.model, self._network.model_file
        self.representation = ComboBox(
            name="representation",
            label="Response",
            choices=[("Shape", "shape"), ("Texture", "texture")],
            tooltip="Which output of the encoder. For “Difference”, which has one set of features: "
            "their linear response to the variation (shape) or to the frame (texture).",
        )
        self.count = SpinBox(
            name="count",
            label="Best",
            value=8,
            min=1,
            max=_MOST,
            tooltip="How many kernels, those with the smallest error of approximation.",
        )
        self._go = PushButton(
            name="compute",
            text="Show kernels",
            tooltip="Add a picture of the kernels beside the movie.",
        )
        rows = [self.layer, self.model, self.model_file, self.representation, self.count]
        buttons = [self._go, ScriptButton(self.script)]
        super().__init__(self._viewer, "network_kernels", rows, buttons, _HEIGHT)
        self.fps.visible = False
        may_be_narrow(self.layer.native)
        active = self._viewer.layers.selection.active
        if active in self.layer.choices:
            self.layer.value = active
        for field in (self.layer, self.model):
            field.changed.connect(self._changed_for_good)
        self._go.changed.connect(lambda _=None: self.compute())
        self._viewer.layers.events.removed.connect(self._layer_removed)
        self._changed_for_good()

    def compute(self) -> None:
        """Approximate the network; adds a layer."""
        from napari_motionmag.views.kernels import encoder_kernels

        layer = self.layer.value
        try:
            movie, options = self._asked()
        except EXPECTED as error:
            self._messages.report(error)
            return
        found = []

        def work(tell) -> None:
            found.append(encoder_kernels(movie, **options, progress=tell))

        def take() -> None:
            self._messages.all_well()
            self._show(layer, movie, options, found[0])

        self._messages.afresh()
        self._messages.say("Trying the network…")
        self._working_on = layer
        self._runner.request(
            work,
            self._when_done(take),
            lambda done, total: self._messages.say(
                f"Trying the network: {100 * done // max(total, 1)} %"
            ),
            title="Kernels of a network",
        )

    def script(self) -> str:
        """Return Python source that makes the same picture.

        Raises
        ------
        ValueError, TypeError
            When there is no movie.
        """
        movie, options = self._asked()
        views = "napari_motionmag.views"
        pictures = FromLayer(self.layer.value, movie)
        found = Call(views, "encoder_kernels", pictures, **options).named("found")
        labels = Call(views, "kernel_labels", found).named("labels")
        picture = Call(
            views,
            "labelled_mosaic",
            found.part(".kernels"),
            labels,
            columns=_COLUMNS,
            signed=True,
        ).named("picture")
        return source(picture, title=f"Kernels of the network {options['model']}")

    def _asked(self) -> tuple:
        if self.layer.value is None:
            raise ValueError("There is no movie: open one as an Image layer first")
        options = {
            "model": self._network.value,
            "representation": self.representation.value,
            "n": self.count.value,
        }
        return self.movie_of(self.layer.value), options

    def _show(self, layer, movie, options: dict, found) -> None:
        from napari_motionmag.views.figures.mosaic import labelled_mosaic
        from napari_motionmag.views.figures.networks import draw_kernels, kernel_labels

        if not len(found.kernels):
            self._messages.say("No unit of the network responds to these pictures")
            return
        picture = labelled_mosaic(
            found.kernels, kernel_labels(found), columns=_COLUMNS, signed=True
        )
        model = self.model.value if self.model.value != "file" else options["model"].stem
        name = f"{options['representation']} kernels of {model}"
        data, place = beside_frame(layer, movie.axes, picture)
        made = self._layer
        if isinstance(made, Image) and made in self._viewer.layers and made.name == name:
            made.data = data
            for key, value in place.items():
                setattr(made, key, value)
        else:
            self._layer = self._viewer.add_image(
                data, name=name, contrast_limits=(0, 255), interpolation2d="linear", **place
            )
            self._viewer.reset_view()  # it lies beside the movie, where nobody looks yet
        self.canvas.draw(partial(draw_kernels, found=found))
        kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(found.kinds).most_common())
        size = found.kernels.shape[-1]
        self._messages.say_drawn(
            f"{len(found.kernels)} kernels of {size} x {size} px: {kinds}. Error: the share of a "
            f"unit's response that its kernel does not explain, {found.errors.min():.0%} to "
            f"{found.errors.max():.0%}"
        )

    def _changed_for_good(self, _=None) -> None:
        if not self._closed:
            layer = self.layer.value
            self._network.show_what_applies()
            self.axes.visible = layer is not None and layer.ndim != 3

    def _layer_removed(self, event) -> None:
        if event.value is self._working_on:
            self._runner.cancel()

    def _leave(self, event=None) -> None:
        if not self._closed:
            self._viewer.layers.events.removed.disconnect(self._layer_removed)
        super()._leave(event)
