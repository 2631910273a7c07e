"""Small pictures in rows, each with a line of text below, as one picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_motionmag.views.figures.mosaics import mosaic

_PAPER, _INK = 255, 0
_LETTERS = 0.11  # their height, of the width of a picture
_MARGIN = 10  # px between pictures


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
        Text for each, lines apart by a newline character.
    columns : int, optional
        Pictures in a row; about as many as rows when None.
    side : int
        About how wide each becomes, px.
    shared : int
        So many neighbours are stretched to black and white together.
    signed : bool
        As for :func:`mosaic`.

    Returns
    -------
    ndarray of uint8, shape (H, W)
        0 is black.

    Raises
    ------
    ValueError
        If there are no pictures, or not as many labels.
    """
    from PIL import Image, ImageDraw, ImageFont

    pictures = np.asarray(pictures, float)
    if pictures.ndim != 3 or not len(pictures) or len(labels) != len(pictures):
        raise ValueError(
            "pictures must have the shape (N, h, w) and a label each; got shape "
            f"{pictures.shape} and {len(labels)} labels"
        )
    count = len(pictures)
    columns = int(np.ceil(np.sqrt(count))) if columns is None else int(columns)
    groups = [pictures[k : k + shared] for k in range(0, count, shared)]
    grey = np.concatenate([_stretched(group, signed) for group in groups])
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
    for k, (picture, label) in enumerate(zip(grey, labels, strict=True)):
        y, x = _MARGIN + k // columns * cell[0], _MARGIN + k % columns * cell[1]
        drawn = Image.fromarray(np.rint(255 * picture).astype(np.uint8))
        size = (width * times, height * times)
        sheet.paste(drawn.resize(size, Image.Resampling.NEAREST), (x, y))
        draw.multiline_text((x, y + height * times + 1), label, _INK, font=font, spacing=1)
    return np.asarray(sheet)


def _stretched(pictures: np.ndarray, signed: bool) -> np.ndarray:
    """Pictures stretched to 0..1 together, as in a mosaic of them."""
    laid = mosaic(pictures, columns=1, gap=0, scaling="all", signed=signed)
    return laid.reshape(pictures.shape)
