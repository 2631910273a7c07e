"""Lines and regions drawn in napari, in pixels of a movie; napari itself is not imported."""

from __future__ import annotations

import numpy as np

_LINES = ("line", "path")
_AREAS = ("rectangle", "polygon", "ellipse")


def line_from_shapes(layer, image=None, index: int | None = None) -> np.ndarray:
    """Return the path drawn in a napari Shapes layer, in pixels of an image.

    Parameters
    ----------
    layer : napari.layers.Shapes
    image : napari.layers.Image, optional
        The layer whose pixels are meant; the path is transformed through world coordinates. None
        takes the shapes' own coordinates.
    index : int, optional
        Which shape. By default the selected one, or else the last line or path that was drawn.

    Returns
    -------
    ndarray, shape (N, 2)
        Corners (y, x), px, for :func:`slice_view`.

    Raises
    ------
    ValueError
        If there is no such shape, or it is neither a line nor a path.

    Examples
    --------
    >>> from napari.layers import Shapes
    >>> from napari_motionmag import views
    >>> views.line_from_shapes(Shapes([[[2, 3], [8, 9]]], shape_type="line")).tolist()
    [[2.0, 3.0], [8.0, 9.0]]
    """
    corners, _kind = _chosen(layer, index, _LINES, "line or path")
    return _pixels(corners, layer, image)


def region_from_shapes(layer, image, index: int | None = None) -> np.ndarray:
    """Return the area drawn in a napari Shapes layer as a mask of an image.

    Parameters
    ----------
    layer : napari.layers.Shapes
    image : napari.layers.Image
        The layer whose pixels are meant.
    index : int, optional
        Which shape. By default the selected one, or else the last area that was drawn.

    Returns
    -------
    ndarray of bool, shape (Y, X)
        True where the center of a pixel lies within.

    Raises
    ------
    ValueError
        If there is no such shape, it has another type, or no pixel is inside.

    Examples
    --------
    >>> import numpy as np
    >>> from napari.layers import Image, Shapes
    >>> from napari_motionmag import views
    >>> square = Shapes([[[2, 2], [2, 6], [6, 6], [6, 2]]], shape_type="polygon")
    >>> int(views.region_from_shapes(square, Image(np.zeros((9, 9)))).sum())
    16
    """
    data = image.data[0] if image.multiscale else image.data
    shape = data.shape[-3:-1] if image.rgb else data.shape[-2:]
    corners = area_from_shapes(layer, image, index)
    mask = polygon_mask(corners, shape)
    if not mask.any():
        raise ValueError(
            f"the area drawn has no pixel of the image of {shape[0]} x {shape[1]} px inside"
        )
    return mask


def area_from_shapes(layer, image=None, index: int | None = None) -> np.ndarray:
    """Return the outline of an area drawn in a napari Shapes layer, in pixels of an image.

    Parameters
    ----------
    layer, image, index
        As for :func:`region_from_shapes`; `image` None takes the shapes' own coordinates.

    Returns
    -------
    ndarray, shape (N, 2)
        Corners (y, x), px; of an ellipse 256.

    Raises
    ------
    ValueError
        If there is no such shape, or it has another type.

    Examples
    --------
    >>> from napari.layers import Shapes
    >>> from napari_motionmag import views
    >>> square = Shapes([[[2, 2], [2, 6], [6, 6], [6, 2]]], shape_type="polygon")
    >>> views.area_from_shapes(square).shape
    (4, 2)
    """
    corners, kind = _chosen(layer, index, _AREAS, "rectangle, polygon or ellipse")
    corners = _pixels(corners, layer, image)
    if kind == "ellipse":
        # napari keeps the corners of the box around it
        center = corners.mean(axis=0)
        first, second = (corners[1] - corners[0]) / 2, (corners[2] - corners[1]) / 2
        turn = np.linspace(0, 2 * np.pi, 256, endpoint=False)[:, np.newaxis]
        corners = center + np.cos(turn) * first + np.sin(turn) * second
    return corners


def drawn_lines(layer) -> list[int]:
    """Return which shapes of a napari Shapes layer are lines or paths."""
    return [i for i, kind in enumerate(layer.shape_type) if str(kind) in _LINES]


def drawn_areas(layer) -> list[int]:
    """Return which shapes of a napari Shapes layer are rectangles, polygons or ellipses."""
    return [i for i, kind in enumerate(layer.shape_type) if str(kind) in _AREAS]


def polygon_mask(corners: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Return the pixels of a frame whose centers lie within a polygon (even-odd rule).

    Parameters
    ----------
    corners : ndarray, shape (N, 2)
        (y, x), px.
    shape : (int, int)
        Of the frame.

    Returns
    -------
    ndarray of bool, of that shape

    Examples
    --------
    >>> from napari_motionmag import views
    >>> int(views.polygon_mask([(1, 1), (1, 4.5), (3.5, 4.5), (3.5, 1)], (6, 6)).sum())
    12
    """
    inside = np.zeros(shape, bool)
    y, x = np.arange(shape[0])[:, np.newaxis], np.arange(shape[1])
    for (y0, x0), (y1, x1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        crosses = (y0 > y) != (y1 > y)
        inside ^= crosses & (x < (x1 - x0) * (y - y0) / (y1 - y0) + x0)
    return inside


def _chosen(layer, index, kinds: tuple[str, ...], wanted: str) -> tuple[np.ndarray, str]:
    if not hasattr(layer, "shape_type"):
        raise TypeError(f"layer must be a napari Shapes layer; got {type(layer).__name__}")
    types = [str(kind) for kind in layer.shape_type]
    if index is None:
        selected = sorted(i for i in getattr(layer, "selected_data", ()) if types[i] in kinds)
        fitting = selected or [i for i, kind in enumerate(types) if kind in kinds]
        if not fitting:
            raise ValueError(
                f"layer {getattr(layer, 'name', '')!r} has no {wanted}; it has "
                f"{', '.join(types) or 'no shapes'}"
            )
        index = fitting[-1]
    elif not -len(types) <= index < len(types):
        raise ValueError(f"index must be one of the {len(types)} shapes; got {index}")
    elif types[index] not in kinds:
        raise ValueError(f"shape {index} is a {types[index]}; it must be a {wanted}")
    return np.asarray(layer.data[index], float), types[index]


def _pixels(corners: np.ndarray, layer, image) -> np.ndarray:
    """Transform corners from data coordinates of the shapes to (y, x) px of the image."""
    if image is None:
        return corners[:, -2:].copy()
    world = [layer.data_to_world(corner) for corner in corners]
    found = np.array([np.asarray(image.world_to_data(point), float)[-2:] for point in world])
    # napari keeps corners in single precision: a line a little too short would lose a pixel
    return found.round(3)
