"""Numbered pictures, one frame a file: a folder of them, or a pattern such as ``frame_*.png``."""

from __future__ import annotations

import re
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np

from napari_motionmag.io.array_like import Planes
from napari_motionmag.io.formats.base import FileMovie, Format
from napari_motionmag.io.metadata import naming_damage

ENDINGS = (".png", ".tif", ".tiff", ".jpg", ".jpeg", ".bmp")


class PictureFrames(Planes):
    """Pictures of one size and type, one per frame, as an array that opens those that are read."""

    def __init__(self, path: Path, files: list[Path]):
        self.path = path
        self.files = files
        first = _read_picture(files[0])
        self.shape = (len(files), *first.shape)
        self.dtype = first.dtype

    def read(self, t: int) -> np.ndarray:
        """Read a picture."""
        picture = _read_picture(self.files[t])
        if (picture.shape, picture.dtype) != (self.shape[1:], self.dtype):
            raise ValueError(
                f"{self.files[t]}: is {picture.dtype} of shape {picture.shape}; the first picture "
                f"is {self.dtype} of shape {self.shape[1:]}"
            )
        return picture

    def __dask_tokenize__(self):
        return [str(file) for file in self.files]


def _read_picture(file: Path) -> np.ndarray:
    """Return a picture of shape (Y, X) or (Y, X, 3 or 4)."""
    with naming_damage(file, "not a readable picture"):
        if file.suffix.lower() in (".tif", ".tiff"):
            import tifffile

            return tifffile.imread(file)
        from PIL import Image

        with Image.open(file) as image:
            if image.mode in ("1", "P", "PA", "LA", "CMYK", "YCbCr"):
                gray = image.mode in ("1", "LA") or _gray_palette(image)
                image = image.convert("L" if gray else "RGB")
            return np.array(image)


def _gray_palette(image) -> bool:
    palette = image.getpalette() if image.mode == "P" else None
    return palette is not None and palette[0::3] == palette[1::3] == palette[2::3]


def find_pictures(path: Path) -> list[Path]:
    """Return the numbered pictures of a folder or pattern in the order of their numbers.

    Of a folder with several kinds, those of the kind that most files have.
    """
    if path.is_dir():
        found = [file for file in path.iterdir() if file.suffix.lower() in ENDINGS]
    elif any(sign in path.name for sign in "*?[") and not path.exists():
        found = [file for file in path.parent.glob(path.name) if file.suffix.lower() in ENDINGS]
    else:
        return []
    kinds: dict[tuple, list[Path]] = {}
    for file in found:
        if _numbers(file) and file.is_file():
            kinds.setdefault((re.sub(r"\d+", "0", file.stem), file.suffix.lower()), []).append(file)
    most = max(kinds.values(), key=len, default=[])
    return sorted(most, key=_numbers) if len(most) > 1 else []


def _numbers(file: Path) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", file.stem)))


def read_pictures(path: Path) -> FileMovie:
    """Open numbered pictures as a movie without a rate; warn where numbers are missing."""
    files = find_pictures(path)
    columns = [column for column in zip(*map(_numbers, files), strict=True) if len(set(column)) > 1]
    if len(columns) != 1:
        raise ValueError(
            f"{path}: the names of the pictures differ in {len(columns)} numbers "
            f"({files[0].name} to {files[-1].name}); choose one series by a pattern with *"
        )
    numbers = columns[0]
    steps = [b - a for a, b in pairwise(numbers)]
    if len(set(steps)) > 1:
        usual = min(steps)
        missing = sum(max(0, step // usual - 1) for step in steps)
        first = numbers[next(k for k, step in enumerate(steps) if step > usual)] + usual
        warnings.warn(
            f"{path}: {missing} of the pictures {numbers[0]} to {numbers[-1]} are missing, the "
            f"first is {first}; the others follow one another",
            stacklevel=4,
        )
    frames = PictureFrames(path, files)
    if frames.ndim == 4 and frames.shape[-1] in (3, 4):
        return FileMovie(frames, "TYXS")
    return FileMovie(frames, "TYX" if frames.ndim == 3 else None)


FORMAT = Format(
    name="pictures",
    label="Numbered pictures",
    extensions=(),
    read=read_pictures,
    recognizes=lambda path: bool(find_pictures(path)),
    rank=4,
)
