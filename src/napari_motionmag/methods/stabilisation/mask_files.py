"""Masks as plain values, to be kept with a result and used again, and from files."""

from __future__ import annotations

import base64
import binascii
import hashlib
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["pack", "read_mask", "unpack"]

_MOST_PIXELS = 2**28  # of a mask that is looked through at once
_MOST_TEXT = 2**16  # characters of a mask that is kept as text


def pack(mask, name: str | None = None) -> dict[str, Any] | None:
    """A mask as plain values.

    Parameters
    ----------
    mask : array or None
        bool, (Y, X) or (T, Y, X).
    name : str, optional
        Of the layer or file it came from.

    Returns
    -------
    dict or None
        ``shape``, and ``bits``: the pixels as text, which `unpack` reads. Long ones (over 64 KiB
        when compressed) and lazy ones are not kept: then there is ``name``, and ``sha256`` of the
        pixels if they were in memory, to tell whether it is the same mask that is given again.
    """
    if mask is None:
        return None
    about: dict[str, Any] = {"shape": [int(n) for n in mask.shape]}
    if name is not None:
        about["name"] = str(name)
    if isinstance(mask, np.ndarray) and mask.size <= _MOST_PIXELS:
        raw = np.packbits(mask != 0).tobytes()
        text = base64.b64encode(zlib.compress(raw, 6)).decode("ascii")
        if len(text) <= _MOST_TEXT:
            return {**about, "bits": text}
        about["sha256"] = hashlib.sha256(raw).hexdigest()
    return about


def unpack(about: Mapping[str, Any]) -> np.ndarray:
    """The mask that `pack` has made a dict of.

    Returns
    -------
    numpy.ndarray
        bool, (Y, X) or (T, Y, X).

    Raises
    ------
    ValueError
        If the pixels are not in it, or it is damaged.
    """
    shape = tuple(about.get("shape", ()))
    if "bits" not in about:
        whose = f" {about['name']!r}" if about.get("name") else ""
        raise ValueError(
            f"mask{whose} of shape {shape} was too large to be kept in the recipe: give the array, "
            "layer or file itself"
        )
    try:
        raw = zlib.decompress(base64.b64decode(about["bits"], validate=True))
        bits = np.unpackbits(np.frombuffer(raw, np.uint8), count=int(np.prod(shape)))
        if len(shape) not in (2, 3) or len(raw) != -(-len(bits) // 8):
            raise ValueError(f"{len(raw)} bytes for shape {shape}")
    except (zlib.error, binascii.Error, ValueError, TypeError) as error:
        raise ValueError(f"mask: its bits in the recipe are damaged ({error})") from error
    return bits.reshape(shape).astype(bool)


def read_mask(path: str | Path) -> np.ndarray:
    """Read a mask from a file.

    Parameters
    ----------
    path : path
        ``.npy``, ``.tif`` or ``.tiff``, (Y, X) or (T, Y, X); pixels other than 0 are marked.

    Returns
    -------
    numpy.ndarray
        bool.

    Raises
    ------
    ValueError
        If it is no such file, or not of that shape.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in (".npy", ".tif", ".tiff"):
        raise ValueError(f"mask must be a .npy, .tif or .tiff file, got {path}")
    if kind == ".npy":
        found = np.load(path, allow_pickle=False)
    else:
        from tifffile import TiffFileError, imread

        try:
            found = imread(path)
        except TiffFileError as error:
            raise ValueError(f"mask: {path} cannot be read: {error}") from error
    if found.ndim not in (2, 3) or found.dtype.kind not in "buif":
        raise ValueError(
            f"mask: {path} must be (Y, X) or (T, Y, X), got shape {found.shape} of {found.dtype}"
        )
    return found != 0
