"""Where a picture of the frame of a movie belongs in the viewer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from napari.utils.transforms import Affine


def over_frame(
    layer, axes: str, pictures: Mapping[tuple[int, ...], np.ndarray], step=1.0, first=(0.0, 0.0)
) -> tuple[np.ndarray, dict]:
    """Lay pictures, (h, w[, 3]), over the frames of an Image layer whose data have `axes`.

    `pictures` are given by the index along the axes other than T, Y, X and S; a single one is
    shown at any index. Neighboring pixels of a picture are `step` pixels of the movie apart, and
    the first one is at the row and column `first` of the frame.

    Returns an array of all pictures, without time where that is the first axis, and the
    calibration for the constructor of a layer.
    """
    letters = axes.replace("S", "")
    others = [letter for letter in letters if letter not in "TYX"] if len(pictures) > 1 else []
    start = min(letters.index(letter) for letter in ["Y", "X", *others])
    shape = dict(zip(axes, _shape(layer), strict=True))
    sizes = [shape[letter] for letter in others]
    if others:
        array = np.stack([pictures[at] for at in np.ndindex(*sizes)])
        array = array.reshape(*sizes, *array.shape[1:])
    else:
        (array,) = pictures.values()
    # the axes of the pictures in the order of the layer's; others repeat without taking memory
    here = [*others, "Y", "X"]
    order = [here.index(letter) for letter in letters[start:] if letter in here]
    array = array.transpose(order + list(range(len(here), array.ndim)))
    for position, letter in enumerate(letters[start:]):
        if letter not in here:
            array = np.expand_dims(array, position)
            wide = (*array.shape[:position], shape[letter], *array.shape[position + 1 :])
            array = np.broadcast_to(array, wide)
    return array, _calibration(layer, letters, start, step, first)


def beside_frame(layer, axes: str, picture: np.ndarray) -> tuple[np.ndarray, dict]:
    """Lay a picture, (h, w), to the right of the frames of a layer, as high as they are."""
    height, width = (_shape(layer)[axes.index(letter)] for letter in "YX")
    step = height / picture.shape[0]
    first = ((step - 1) / 2, 1.05 * width + (step - 1) / 2)
    return over_frame(layer, axes, {(): picture}, step=step, first=first)


def _shape(layer) -> tuple[int, ...]:
    return (layer.data[0] if layer.multiscale else layer.data).shape


def _calibration(layer, letters: str, start: int, step: float, first) -> dict:
    kept = list(range(start, len(letters)))
    placed = Affine(
        scale=layer.scale, translate=layer.translate, rotate=layer.rotate, shear=layer.shear
    ).set_slice(kept)
    corner = np.zeros(len(kept))
    scale = np.array(placed.scale, float)
    for letter, offset in zip("YX", first, strict=True):
        position = letters.index(letter) - start
        corner[position] = offset
        scale[position] *= step
    linear = placed.linear_matrix
    turned = not np.allclose(linear, np.diag(np.diag(linear)), rtol=0, atol=1e-9)
    return {
        "scale": tuple(scale),
        "translate": tuple(placed.translate + linear @ corner),
        **({"rotate": placed.rotate, "shear": placed.shear} if turned else {}),
        "affine": layer.affine.set_slice(kept).affine_matrix,
        "units": tuple(layer.units)[start:],
        "axis_labels": tuple(layer.axis_labels)[start:],
    }
