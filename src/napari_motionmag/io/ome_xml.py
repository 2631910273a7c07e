"""What the OME-XML of a TIFF file claims, checked against the file before it is believed."""

from __future__ import annotations

import warnings
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from napari_motionmag.io.metadata import calibration_of, positive_number
from napari_motionmag.movie.frame_times import usual_rate
from napari_motionmag.movie.units import seconds, short_name

_PLAUSIBLE = 10_000  # planes that may be missing without a second thought


def check_ome(
    path: Path, xml: str, page_shape: Sequence[int], count_pages: Callable[[], int]
) -> tuple[dict, dict]:
    """Compare OME-XML with the first page; return arguments of `TiffPages` and calibration."""
    try:
        root = ElementTree.fromstring(xml)
        pixels = root.find(".//{*}Pixels")
        if pixels is None:
            return {}, {}
        sizes = {letter: int(pixels.get(f"Size{letter}")) for letter in "TCZYX"}
        if min(sizes.values()) < 1:
            raise ValueError(f"sizes {sizes}")
    except (ElementTree.ParseError, TypeError, ValueError, RecursionError) as error:
        return _without(path, f"cannot be read ({error})")
    if (sizes["Y"], sizes["X"]) not in pairwise(page_shape):
        return _without(
            path,
            f"claim frames of {sizes['Y']} x {sizes['X']}, its pages are of shape "
            f"{tuple(page_shape)}",
        )
    names = {
        uuid.get("FileName")
        for uuid in pixels.iterfind("{*}TiffData/{*}UUID")
        if uuid.text != root.get("UUID")
    }
    names = sorted(name for name in names - {None, "", path.name})
    missing = [name for name in names if not (path.parent / name).is_file()]
    planes = sizes["T"] * sizes["C"] * sizes["Z"]
    if planes > _PLAUSIBLE and not names:
        samples = page_shape[-1] if len(page_shape) > 2 else 1
        there = count_pages() * samples
        if planes > 4 * there + _PLAUSIBLE:
            frames = sizes["C"] * sizes["Z"] == 1
            calibration = calibration_of(path, lambda: _calibration(path, pixels))
            return _without(
                path, f"claim {planes} planes, the file has {there}", calibration if frames else {}
            )
    elif planes > 1e7 + _PLAUSIBLE * len(names):
        return _without(path, f"claim {planes} planes in {len(names) + 1} files")
    how = {"missing_files": missing} if missing else {}
    return how, calibration_of(path, lambda: _calibration(path, pixels))


def _without(path: Path, problem: str, calibration: dict | None = None) -> tuple[dict, dict]:
    warnings.warn(
        f"{path}: its OME metadata {problem}; pages are read one after another, without axes"
        + ("" if calibration else " and calibration"),
        stacklevel=4,
    )
    return {"is_ome": False}, calibration or {}


def _calibration(path: Path, pixels: ElementTree.Element) -> dict:
    steps = {}
    for letter in "ZYX":
        name = f"PhysicalSize{letter}"
        size = positive_number(path, name, pixels.get(name))
        if size is not None:
            # the schema makes micrometers the default
            steps[letter] = (size, short_name(pixels.get(f"{name}Unit", "um")))
    fps, times = _rate(path, pixels)
    return {"fps": fps, "steps": steps, "times": times}


def _rate(path: Path, pixels: ElementTree.Element) -> tuple[float | None, np.ndarray | None]:
    """Return frames per second, by the interval given or the times of the planes, and these.

    Times are seconds from the first frame; None where not every frame has its own.
    """
    increment = positive_number(path, "TimeIncrement", pixels.get("TimeIncrement"))
    unit = seconds(pixels.get("TimeIncrementUnit", "s"))
    if increment is not None and unit is not None:
        return 1 / (increment * unit), None
    times, ticks = {}, []
    for plane in pixels.iterfind("{*}Plane"):
        unit = seconds(plane.get("DeltaTUnit", "s"))
        first = plane.get("TheZ", "0") == "0" and plane.get("TheC", "0") == "0"
        if first and plane.get("DeltaT") is not None and unit is not None:
            text = plane.get("DeltaT").replace(",", ".")
            times[int(plane.get("TheT", "0"))] = float(text) * unit
            ticks.append(_tick(text) * unit)
    if len(times) < 2:
        return None, None
    ordered = np.array([times[t] for t in sorted(times)])
    if not np.isfinite(ordered).all() or ordered[-1] <= ordered[0]:
        return None, None
    missing = sorted(times) != list(range(len(times)))
    if missing or (np.diff(ordered) <= 0).any():  # frames follow one another within a tick
        return (max(times) - min(times)) / (ordered[-1] - ordered[0]), None
    ordered -= ordered[0]
    return usual_rate(path, ordered, min(ticks)), ordered


def _tick(text: str) -> float:
    """Return the unit of the last digit of a number."""
    digits, _, exponent = text.strip().lower().partition("e")
    return 10.0 ** (int(exponent or 0) - len(digits.partition(".")[2]))
