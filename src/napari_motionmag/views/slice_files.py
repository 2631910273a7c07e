"""Slice views as files, with seconds and um."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_motionmag.compute.atomic import written_whole
from napari_motionmag.views.slices import slice_calibration
from napari_motionmag.views.tables import write_csv

_SUFFIXES = (".csv", ".tif", ".tiff")


def save_slice(path, view, movie, line, axes: str | None = None, step: float = 1.0) -> Path:
    """Write a slice view with its calibration.

    Parameters
    ----------
    path : str or Path
        ``.csv``: a table, one row per frame, first column the time, other columns the positions
        along the line. ``.tif``: float32, readable by ImageJ with calibrated axes. An existing
        file is replaced.
    view : array, shape (T, L) or (T, L, 3)
        Of :func:`slice_view`; computed if it is lazy.
    movie : array, napari Image layer or Movie
        Gives frame rate and pixel size.
    line : array_like
        As given to :func:`slice_view`.
    axes : str, optional
    step : float
        As given to :func:`slice_view`, px.

    Returns
    -------
    Path

    Raises
    ------
    ValueError
        If the suffix is another, or `view` does not fit `movie` and `line`.

    Examples
    --------
    >>> from napari_motionmag import samples, views
    >>> movie, info = samples.load("strings", n_frames=20)
    >>> line = [(10, 40), (60, 40)]
    >>> view = views.slice_view(movie, line)
    >>> path = views.save_slice("slice.csv", view, movie, line)  # doctest: +SKIP
    """
    path = Path(path)
    if path.suffix.lower() not in _SUFFIXES:
        raise ValueError(f"path must end in {', '.join(_SUFFIXES)}; got {path.name!r}")
    view = np.asarray(view)
    calibration = slice_calibration(movie, line, axes, step)
    length = len(calibration["positions"])
    if view.ndim not in (2, 3) or view.shape[1] != length or view.shape[2:] not in ((), (3,)):
        raise ValueError(
            f"view must have the shape (T, {length}) or (T, {length}, 3) for this line; "
            f"got {view.shape}"
        )
    if path.suffix.lower() == ".csv":
        return _write_csv(path, view, calibration, line)
    with written_whole(path) as partial:
        _write_tiff(partial, view, calibration)
    return path


def _write_csv(path: Path, view: np.ndarray, calibration: dict, line) -> Path:
    time_unit, interval = calibration["time_unit"], calibration["interval"]
    positions = [f"{position:.6g}" for position in calibration["positions"]]
    if view.ndim == 3:
        positions = [f"{position} {color}" for position in positions for color in "RGB"]
    columns = {f"time ({time_unit})": np.arange(len(view)) * interval}
    columns |= zip(positions, view.reshape(len(view), -1).T, strict=True)
    comments = (
        "slice view: intensity; rows: frames; columns: position along the line",
        f"line (y x, px): {'; '.join(f'{y:g} {x:g}' for y, x in np.asarray(line, float))}",
        f"time unit: {time_unit}; interval: {interval:.10g}",
        f"length unit: {calibration['length_unit']}",
    )
    return write_csv(path, comments, columns, digits=9)


def _write_tiff(path: Path, view: np.ndarray, calibration: dict) -> None:
    import tifffile

    positions = calibration["positions"]
    step = positions[-1] / (len(positions) - 1) if len(positions) > 1 else 1.0
    interval = calibration["interval"]
    # ImageJ has a unit per axis; color pictures of floats are three channels there
    metadata = {
        "axes": "YX" if view.ndim == 2 else "CYX",
        "unit": {"px": "pixel"}.get(calibration["length_unit"], calibration["length_unit"]),
        "yunit": {"s": "sec"}.get(calibration["time_unit"], calibration["time_unit"]),
    }
    if view.ndim == 3:
        view = np.moveaxis(view, -1, 0)
        metadata["mode"] = "composite"
    tifffile.imwrite(
        path,
        np.ascontiguousarray(view, np.float32),
        imagej=True,
        resolution=(1 / step, 1 / interval),
        metadata=metadata,
    )
