"""Text, numbers and bars in pictures."""

from __future__ import annotations

import math
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from napari_motionmag.compute.validate import rounded
from napari_motionmag.views.figures.text import shortened, shown_unit

_FONT = "util/fonts/data/OpenSans-Regular.ttf"  # in vispy, which napari needs
_PLAIN = {"µ": "u", "×": "x", "–": "-", "…": "..."}  # for a font without them
_NICE = (1, 2, 5)
_SMALLER = {"um": (1000, "nm"), "mm": (1000, "um"), "m": (1000, "mm")}


@cache
def font(size: int):
    """Return the font for pictures; the one of Pillow, which knows few letters, without vispy."""
    from PIL import ImageFont

    found = find_spec("vispy")
    for folder in found.submodule_search_locations if found else ():
        if (file := Path(folder) / _FONT).is_file():
            return ImageFont.truetype(str(file), size)
    return ImageFont.load_default(size)


def text_width(text: str, size: int) -> int:
    """Return the width of a text, px."""
    return math.ceil(font(size).getlength(_drawable(text, size)))


def fitting(text: str, width: int, size: int) -> str:
    """Return a text, its middle left out where it is wider than `width` px."""
    most = len(text)
    while most > 3 and text_width(shortened(text, most), size) > width:
        most -= 1
    return shortened(text, most)


def draw_text(canvas: np.ndarray, place: tuple[int, int], text: str, size: int, ink) -> None:
    """Write a text into a picture (Y, X, 3); `place` is (y, x) of its upper left corner."""
    from PIL import Image, ImageDraw

    y, x = place
    width, height = text_width(text, size) + 2, line_height(size)
    part = canvas[max(y, 0) : y + height, max(x, 0) : x + width]
    if not part.size:
        return
    picture = Image.fromarray(np.ascontiguousarray(part))
    ImageDraw.Draw(picture).text(
        (0, height / 2), _drawable(text, size), tuple(ink), font=font(size), anchor="lm"
    )
    part[:] = np.asarray(picture)


def line_height(size: int) -> int:
    """Return the height of a line of text, px."""
    return round(1.5 * size)


def _drawable(text: str, size: int) -> str:
    """Return a text in letters that the font has."""
    if "OpenSans" not in str(getattr(font(size), "path", "")):
        for letter, plain in _PLAIN.items():
            text = text.replace(letter, plain)
    return text


def draw_bar(canvas: np.ndarray, place: tuple[int, int], length: float, height: int, ink) -> None:
    """Draw a bar of exactly `length` px, its last pixel partly covered; `place` is (y, x)."""
    y, x = place
    whole = int(length)
    canvas[y : y + height, x : x + whole] = ink
    rest = length - whole
    if rest > 0:
        end = canvas[y : y + height, x + whole].astype(float)
        canvas[y : y + height, x + whole] = np.rint((1 - rest) * end + rest * np.asarray(ink))


def nice_length(most: float) -> float:
    """Return the largest of 1, 2, 5, 10, 20 ... that is at most `most`."""
    decade = 10.0 ** math.floor(math.log10(most))
    return max(n * decade for n in _NICE if n * decade <= most * (1 + 1e-9))


def length_text(length: float, unit: str) -> str:
    """Write a length without leading zeros: ``"50 µm"``, ``"500 nm"``."""
    while length < 0.999999 and unit in _SMALLER:
        factor, unit = _SMALLER[unit]
        length *= factor
    return f"{length:.6g} {shown_unit(unit)}"


def time_text(seconds: float, last: float, interval: float) -> str:
    """Write a time in the unit that suits the last one, to the digits that an interval needs."""
    factor, unit = 1.0, "s"
    if last < 0.1:
        factor, unit = (1e3, "ms") if last >= 1e-4 else (1e6, "µs")
    elif last >= 600:
        factor, unit = 1 / 60, "min"
    digits = min(max(math.ceil(-math.log10(interval * factor) - 1e-9), 0), 6)
    return f"{seconds * factor:.{digits}f} {unit}"


def speed_text(speed: float) -> str:
    """Write a speed against real time: ``"1/20 of real time"``, ``"real time"``, ``"4× ..."``."""
    if abs(speed - 1) < 1e-3:
        return "real time"
    if speed > 1:
        return f"{rounded(speed, 3)}× real time"
    return f"1/{rounded(1 / speed, 3)} of real time"
