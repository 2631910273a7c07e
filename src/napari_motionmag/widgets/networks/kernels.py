"""The dock widget "Network kernels": the encoder of a network as linear filters."""

from __future__ import annotations

from collections import Counter
from functools import partial

from magicgui.widgets import Widget

from napari_motionmag.magnification.script import Call, FromLayer, source
from napari_motionmag.widgets.common.dock import NO_MOVIE, reports_errors
from napari_motionmag.widgets.common.form import button, checkbox, choice, integer, movie_choice
from napari_motionmag.widgets.common.measurement_dock import MeasurementDock
from napari_motionmag.widgets.common.overlay import beside_frame
from napari_motionmag.widgets.networks.network_choice import NetworkChoice

_COLUMNS = 4
_MAX_KERNELS = 64


class KernelsWidget(MeasurementDock):
    """Show the encoder of a network as the linear kernels that approximate it best.

    Every field is an attribute; `compute` does what the button does, in the background.
    """

    dock_name = "network_kernels"

    def __init__(self, napari_viewer: napari.viewer.Viewer = None):  # noqa: F821
        super().__init__(napari_viewer)
        self.fps.visible = False
        self._choose_active_layer(self.layer)
        for field in (self.layer, self.model):
            field.changed.connect(self._refresh)
        self._refresh()

    @reports_errors
    def compute(self) -> None:
        """Approximate the network, and draw its kernels; adds a layer if that is asked for."""
        from napari_motionmag.views.kernels import encoder_kernels

        self._messages.forget()
        layer = self.layer.value
        movie, options = self._request()
        self._work.run(
            lambda progress: encoder_kernels(movie, **options, progress=progress),
            lambda result: self._show_kernels(layer, movie, options, result),
            title="Approximating the network",
            layers=[layer],
        )

    def script(self) -> str:
        """Return Python source that makes the same picture."""
        movie, options = self._request()
        views, pictures = "napari_motionmag.views", FromLayer(self.layer.value, movie)
        found = Call(views, "encoder_kernels", pictures, **options).named("found")
        labels = Call(views, "kernel_labels", found).named("labels")
        look = {"columns": _COLUMNS, "signed": True}
        picture = Call(views, "labelled_mosaic", found.part(".kernels"), labels, **look)
        title = f"Kernels of the network {options['model']}"
        return source(picture.named("picture"), title=title)

    def _create_rows(self) -> list[Widget]:
        self.layer = movie_choice(
            self._movies, "The network is tried on its frames; at most 8 of them, 64 px or more."
        )
        self._network = NetworkChoice()
        self._network.model.value = "oh2018"  # its first layers are learned, and larger than 3 px
        self.model, self.model_file = self._network.model, self._network.model_file
        self.representation = choice(
            "representation",
            "Response",
            [("Shape", "shape"), ("Texture", "texture")],
            "Which output of the encoder. For “Difference”, which has one set of features: their "
            "linear response to the variation (shape) or to the frame (texture).",
        )
        tooltip = "Number of kernels: those with the smallest error of approximation."
        self.count = integer("count", "Best", 1, _MAX_KERNELS, tooltip, value=8)
        self.as_layer = checkbox(
            "as_layer", "As a layer, too", "Add the picture as a layer beside the movie."
        )
        network = [self.model, self.model_file, self.representation, self.count]
        return [self.layer, *network, self.as_layer]

    def _create_buttons(self) -> list[Widget]:
        tooltip = "Draw the kernels below."
        return [button("compute", "Show kernels", tooltip, self.compute)]

    def _request(self) -> tuple:
        if self.layer.value is None:
            raise ValueError(NO_MOVIE)
        options = {
            "model": self._network.value,
            "representation": self.representation.value,
            "n": self.count.value,
        }
        return self.movie_of(self.layer.value), options

    def _show_kernels(self, layer, movie, options: dict, result) -> None:
        from napari_motionmag.views.figures.mosaic import labelled_mosaic
        from napari_motionmag.views.figures.networks import draw_kernels, kernel_labels

        if not len(result.kernels):
            self._messages.say("No unit of the network responds to these pictures")
            return
        if self.as_layer.value:
            labels = kernel_labels(result)
            picture = labelled_mosaic(result.kernels, labels, columns=_COLUMNS, signed=True)
            data, place = beside_frame(layer, movie.axes, picture)
            name = f"{options['representation']} kernels of {self._network.name}"
            look = {"contrast_limits": (0, 255), "interpolation2d": "linear"}
            self._put_layer("kernels", data, name, place, **look)
            self._viewer.reset_view()  # the picture lies beside the movie, out of sight
        self.canvas.draw(partial(draw_kernels, found=result))
        kinds = Counter(result.kinds).most_common()
        size = result.kernels.shape[-1]
        self._messages.say_result(
            f"{len(result.kernels)} kernels of {size} x {size} px: "
            f"{', '.join(f'{count} {kind}' for kind, count in kinds)}. Error: the share of a "
            f"unit's response that its kernel does not explain, {result.errors.min():.0%} to "
            f"{result.errors.max():.0%}"
        )

    def _refresh(self, _=None) -> None:
        if not self._closed:
            layer = self.layer.value
            self._network.show_what_applies()
            self._describe_movies([] if layer is None else [layer])
