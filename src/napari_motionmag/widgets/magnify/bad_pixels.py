"""Buttons that mend a movie with pixels that are NaN or infinite: fill them, or cut them away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from magicgui.widgets import Container
from napari.layers import Image

from napari_motionmag.movie.movie import Movie
from napari_motionmag.widgets.common.form import button, group, text
from napari_motionmag.widgets.common.overlay import over_frame

if TYPE_CHECKING:
    from napari_motionmag.widgets.magnify.shared import Shared

NOT_FINITE = "NaN or infinite"  # of the message of `refuse_non_finite`


class BadPixelsRow(Container):
    """The buttons ``fill`` and ``crop``, shown once a movie turned out to need them."""

    def __init__(self):
        words = text("bad_pixels", "Registration, for example, leaves such borders.")
        words.value = "Some pixels of this movie are NaN or infinite:"
        self.fill = button(
            "fill_pixels", "Fill them", "Add the movie with the nearest good pixels in their place."
        )
        self.crop = button(
            "crop_pixels",
            "Crop the movie",
            "Add the largest part of the movie in which all pixels are good.",
        )
        buttons = group([self.fill, self.crop], "horizontal")
        super().__init__(widgets=[words, buttons], labels=False, name="bad_pixels_row")
        self.margins = (0, 0, 0, 0)
        self.visible = False


class BadPixels:
    """Mends the chosen movie in the background, and chooses the result."""

    def __init__(self, shared: Shared):
        self._shared, self._row = shared, shared.fields.bad_pixels_row
        self._row.fill.changed.connect(lambda _: self._mend("filled"))
        self._row.crop.changed.connect(lambda _: self._mend("cropped"))

    def notice(self, error: Exception) -> None:
        """Offer the remedies if this is what an error is about."""
        if NOT_FINITE in str(error):
            self._row.visible = True

    def _mend(self, how: str) -> None:
        shared = self._shared
        layer, movie = shared.chosen.layer, shared.chosen.movie()

        def work(progress) -> tuple[np.ndarray, tuple[int, int]]:
            return _filled(movie, progress) if how == "filled" else _cropped(movie, progress)

        def show(mended) -> None:
            data, first = mended
            mended_layer = _layer_like(layer, movie, data, first, f"{layer.name} {how}")
            shared.viewer.add_layer(mended_layer)
            layer.visible = False
            shared.fields.layer.value = mended_layer
            self._row.visible = False
            shared.messages.say_result(f"{mended_layer.name!r} is chosen. Press “Magnify”")

        shared.work.run(work, show, title="Mending pixels", layers=[layer])


def _frames(movie: Movie, progress):
    """Yield (index of a block of one frame, the block with Y, X last) of a movie."""
    total = movie.n_frames
    at = movie.axes.index("T")
    for t in range(total):
        index = (slice(None),) * at + (slice(t, t + 1),)
        yield index, np.asarray(movie.data[index])
        progress(t + 1, total)


def _planes(movie: Movie, block: np.ndarray) -> np.ndarray:
    """Return a block with Y and X as its last axes."""
    return np.moveaxis(block, [movie.axes.index("Y"), movie.axes.index("X")], [-2, -1])


def _filled(movie: Movie, progress) -> tuple[np.ndarray, tuple[int, int]]:
    from napari_motionmag.movie.finite import filled

    out = np.empty(movie.shape, movie.dtype)
    for index, block in _frames(movie, progress):
        _planes(movie, out[index])[...] = filled(_planes(movie, block))
    return out, (0, 0)


def _cropped(movie: Movie, progress) -> tuple[np.ndarray, tuple[int, int]]:
    from napari_motionmag.movie.finite import good_rectangle

    blocks = (_planes(movie, block) for _, block in _frames(movie, progress))
    # a sum is finite where all are; what lies along the other axes counts, too
    found = good_rectangle(block.reshape(-1, *block.shape[-2:]).sum(axis=0) for block in blocks)
    if found is None:
        raise ValueError("No pixel of the movie is good in all frames: fill them instead")
    y0, y1, x0, x1 = found
    part = {"Y": slice(y0, y1), "X": slice(x0, x1)}
    return movie.data[tuple(part.get(axis, slice(None)) for axis in movie.axes)], (y0, x0)


def _layer_like(layer: Image, movie: Movie, data, first: tuple[int, int], name: str) -> Image:
    """Return a layer of data that begin at a row and column of the frames of a layer."""
    letters = movie.axes.replace("S", "")
    place = over_frame(layer, movie.axes, {(): np.zeros((1, 1))}, first=first)[1]
    translate = np.array(layer.translate, float)
    begin = min(letters.index("Y"), letters.index("X"))
    translate[begin:] = place["translate"]
    metadata = {key: value for key, value in layer.metadata.items() if key != "displacement"}
    return Image(
        data,
        name=name,
        scale=layer.scale,
        translate=translate,
        rotate=layer.rotate,
        shear=layer.shear,
        affine=layer.affine,
        units=layer.units,
        axis_labels=layer.axis_labels,
        rgb=layer.rgb,
        colormap=layer.colormap,
        contrast_limits=layer.contrast_limits,
        metadata=metadata,
    )
