"""Where a picture of the frame of a movie belongs in the viewer."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from napari.utils.transforms import Affine


def over_frame(
    layer, axes: str, pictures: Mapping[tuple[int, ...], np.ndarray], step=1.0, first=(0.0, 0.0)
) -> tuple[np.ndarray, dict]:
    """Lay pictures over the frames of a layer.

    Parameters
    ----------
    layer : napari.layers.Image
    axes : str
        Letters of its data.
    pictures : mapping of tuple of int to ndarray, shape (h, w[, 3])
        By the index along the axes other than T, Y, X and S. One of them is shown at any index.
    step : float
        Pixels of the movie from one pixel of a picture to the next.
    first : (float, float)
        Row and column of the frame where the first pixel is.

    Returns
    -------
    data : ndarray
        All pictures; time is left out when that is the first axis.
    arguments : dict
        Calibration of a layer of these data, for the constructors of napari's layers.
    """
    letters = axes.replace("S", "")
    others = [letter for letter in letters if letter not in "TYX"]
    several = len(pictures) > 1
    needed = set("YX") | (set(others) if several else set())
    start = min(letters.index(letter) for letter in needed)
    kept = letters[start:]
    data = layer.data[0] if layer.multiscale else layer.data
    shape = dict(zip(axes, data.shape, strict=True))
    picture = next(iter(pictures.values()))
    if several:
        sizes = [shape[letter] for letter in others]
        picture = np.stack([pictures[at] for at in np.ndindex(*sizes)])
        picture = picture.reshape(*sizes, *picture.shape[1:])
    here = "".join(others if several else []) + "YX"
    # the axes of the pictures in the order of the layer's; others repeat without taking memory
    order = [here.index(letter) for letter in kept if letter in here]
    rest = list(range(len(here), picture.ndim))
    picture = picture.transpose(order + rest)
    for position, letter in enumerate(kept):
        if letter not in here:
            picture = np.expand_dims(picture, position)
            wide = list(picture.shape)
            wide[position] = shape[letter]
            picture = np.broadcast_to(picture, wide)
    return picture, _calibration(layer, letters, start, step, first)


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


def beside_frame(layer, axes: str, picture: np.ndarray) -> tuple[np.ndarray, dict]:
    """Lay a picture to the right of the frames of a layer, as high as they are.

    Parameters
    ----------
    layer : napari.layers.Image
    axes : str
        Letters of its data.
    picture : ndarray, shape (h, w)

    Returns
    -------
    data, arguments
        As of `over_frame`.
    """
    data = layer.data[0] if layer.multiscale else layer.data
    height, width = (data.shape[axes.index(letter)] for letter in "YX")
    step = height / picture.shape[0]
    first = ((step - 1) / 2, 1.05 * width + (step - 1) / 2)
    return over_frame(layer, axes, {(): picture}, step=step, first=first)
