"""Small pictures in rows as one picture, with or without text below."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from napari_motionmag.compute.validate import one_of, whole_number

SCALINGS = ("each", "all")
_PAPER, _INK = 255, 0
_LETTERS = 0.11  # their height, of the width of a picture
_MARGIN = 10  # px between pictures


def mosaic(
    pictures,
    columns: int | None = None,
    gap: int = 1,
    scaling: str = "each",
    signed: bool = False,
    background: float = 1.0,
) -> np.ndarray:
    """Lay pictures out in rows, to look at kernels or activations.

    Parameters
    ----------
    pictures : array_like, shape (N, h, w) or (N, h, w, 3)
        NaN becomes background.
    columns : int, optional
        Pictures in a row; about as many as rows when None.
    gap : int
        Pixels between pictures.
    scaling : {"each", "all"}
        Stretch every picture to 0..1 by itself, or all alike.
    signed : bool
        Keep 0 at mid-gray (0.5), as for kernels.
    background : float
        Value of the gaps.

    Returns
    -------
    ndarray of float64, shape (rows * (h + gap) - gap, columns * (w + gap) - gap[, 3])
        Values within 0..1.

    Raises
    ------
    ValueError
        If there are no pictures, or an argument is invalid.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_motionmag import views
    >>> views.mosaic(np.zeros((4, 5, 5))).shape
    (11, 11)
    """
    pictures = np.asarray(pictures, float)
    color = pictures.ndim == 4 and pictures.shape[-1] == 3
    if not len(pictures) or not (pictures.ndim == 3 or color):
        raise ValueError(
            f"pictures must have the shape (N, h, w) or (N, h, w, 3); got {pictures.shape}"
        )
    one_of("scaling", scaling, SCALINGS)
    columns, gap = _columns(columns, len(pictures)), whole_number("gap", gap, 0)
    parts = [pictures] if scaling == "all" else [picture[np.newaxis] for picture in pictures]
    scaled = np.concatenate([_stretched(part, signed) for part in parts])
    rows = math.ceil(len(pictures) / columns)
    height, width = pictures.shape[1:3]
    size = (rows * (height + gap) - gap, columns * (width + gap) - gap, *pictures.shape[3:])
    out = np.full(size, background, float)
    for k, picture in enumerate(scaled):
        y, x = (k // columns) * (height + gap), (k % columns) * (width + gap)
        out[y : y + height, x : x + width] = np.where(np.isfinite(picture), picture, background)
    return out


def labelled_mosaic(
    pictures,
    labels: Sequence[str],
    columns: int | None = None,
    *,
    side: int = 180,
    shared: int = 1,
    signed: bool = False,
) -> np.ndarray:
    """Lay pictures out in rows on white, enlarged without smoothing, with text below each.

    Parameters
    ----------
    pictures : array_like, shape (N, h, w)
    labels : sequence of str
        Text for each; may have several lines.
    columns : int, optional
        Pictures in a row; about as many as rows when None.
    side : int
        Approximate width of each, px.
    shared : int
        Number of neighbors that are stretched to black and white together.
    signed : bool
        As for :func:`mosaic`.

    Returns
    -------
    ndarray of uint8, shape (H, W)
        0 is black.

    Raises
    ------
    ValueError
        If there are no pictures, or their number is not that of the labels.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_motionmag import views
    >>> views.labelled_mosaic(np.eye(5)[None], ["eye"], side=50).shape
    (83, 70)
    """
    from PIL import Image, ImageDraw, ImageFont

    pictures = np.asarray(pictures, float)
    if pictures.ndim != 3 or not len(pictures) or len(labels) != len(pictures):
        raise ValueError(
            "pictures must have the shape (N, h, w) and a label each; got shape "
            f"{pictures.shape} and {len(labels)} labels"
        )
    count = len(pictures)
    columns = _columns(columns, count)
    groups = [pictures[k : k + shared] for k in range(0, count, shared)]
    gray = np.concatenate([_stretched(group, signed) for group in groups])
    height, width = pictures.shape[1:]
    times = max(1, round(side / width))
    letters = max(10, round(_LETTERS * width * times))
    font = ImageFont.load_default(letters)
    lines = max(label.count("\n") + 1 for label in labels)
    text = round(1.3 * lines * letters)
    cell = (height * times + text + _MARGIN, width * times + _MARGIN)
    rows = -(-count // columns)
    sheet = Image.new("L", (columns * cell[1] + _MARGIN, rows * cell[0] + _MARGIN), _PAPER)
    draw = ImageDraw.Draw(sheet)
    for k, (picture, label) in enumerate(zip(gray, labels, strict=True)):
        y, x = _MARGIN + k // columns * cell[0], _MARGIN + k % columns * cell[1]
        drawn = Image.fromarray(np.rint(255 * picture).astype(np.uint8))
        size = (width * times, height * times)
        sheet.paste(drawn.resize(size, Image.Resampling.NEAREST), (x, y))
        draw.multiline_text((x, y + height * times + 1), label, _INK, font=font, spacing=1)
    return np.asarray(sheet)


def _columns(columns: int | None, count: int) -> int:
    return math.ceil(math.sqrt(count)) if columns is None else whole_number("columns", columns, 1)


def _stretched(pictures: np.ndarray, signed: bool) -> np.ndarray:
    """Return pictures stretched to 0..1 together."""
    known = pictures[np.isfinite(pictures)]
    if not known.size:
        return pictures
    if signed:
        top = np.abs(known).max() or 1.0
        return 0.5 + pictures / (2 * top)
    low, high = known.min(), known.max()
    if high == low:
        return np.where(np.isfinite(pictures), 0.5, np.nan)
    return (pictures - low) / (high - low)
