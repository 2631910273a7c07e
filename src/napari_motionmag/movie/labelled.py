"""Arrays that name their axes and have coordinates: xarray and tensorstore.

They are recognized by their attributes; neither package is imported.
"""

from __future__ import annotations

import numpy as np

from napari_motionmag.movie.axes import letter_of
from napari_motionmag.movie.frame_times import usual_rate
from napari_motionmag.movie.units import seconds, short_name

EVEN = 1e-3  # steps that differ by less, relatively, from one another are the same


class Labelled:
    """Array of another library behind NumPy's indexing; `origin`: index of its first element."""

    def __init__(self, array, dtype, origin: tuple[int, ...] = ()):
        self.array = array
        self.dtype = np.dtype(dtype)
        self.shape = tuple(array.shape)
        self.ndim = len(self.shape)
        self._origin = origin or (0,) * self.ndim

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index) -> np.ndarray:
        index = index if isinstance(index, tuple) else (index,)
        index += (slice(None),) * (self.ndim - len(index))
        moved = []
        for where, length, first in zip(index, self.shape, self._origin, strict=True):
            if isinstance(where, slice):
                start, stop, step = where.indices(length)
                moved.append(slice(start + first, stop + first, step))
            else:
                moved.append(int(where) % length + first)
        return np.asarray(self.array[tuple(moved)])


def labelled_arguments(data) -> dict | None:
    """Return arguments of `Movie` for an array that names its axes; None for other arrays.

    Of an ``xarray.DataArray`` its dimensions, and its coordinates where they are regular; of a
    ``tensorstore.TensorStore`` its labels and dimension units. ``axes``, ``scale``, ``units`` and
    ``name`` as far as they are known.
    """
    if all(hasattr(data, name) for name in ("dims", "coords", "variable", "dtype", "shape")):
        return _xarray_arguments(data)
    if all(hasattr(data, name) for name in ("domain", "spec", "dtype", "dimension_units")):
        return _tensorstore_arguments(data)
    return None


def without_labels(data, axes, scale, units, name) -> tuple:
    """Return arguments of `Movie`, filled in from an array that names its axes."""
    own = labelled_arguments(data)
    if own is None:
        return data, axes, scale, units, name
    if axes is None or (isinstance(axes, str) and axes.upper() == own.get("axes")):
        axes = own.get("axes", axes)
        scale = own.get("scale") if scale is None else scale
        units = own.get("units") if units is None else units
    return own["data"], axes, scale, units, own.get("name") if name is None else name


def _xarray_arguments(data) -> dict:
    inner = data.variable._data  # of `data.data` those that are not in memory would be read whole
    if not isinstance(inner, np.ndarray):
        inner = data.data if data.chunks is not None else Labelled(data, data.dtype)
    steps = []
    for name in data.dims:
        step, unit = None, "pixel"
        if name in data.coords and data.coords[name].ndim == 1:
            coordinate = data.coords[name]
            unit = coordinate.attrs.get("units")
            step, unit = regular_step(np.asarray(coordinate), unit, f"coordinate {name!r}")
        steps.append((step or 1.0, unit if step else "pixel"))
    return _arguments(inner, data.dims, steps, data.name)


def _tensorstore_arguments(data) -> dict:
    steps = []
    for unit in data.dimension_units:
        known = unit is not None and unit.base_unit and unit.multiplier > 0
        steps.append((unit.multiplier, short_name(unit.base_unit)) if known else (1.0, "pixel"))
    origin = tuple(int(first) for first in data.domain.origin)
    array = Labelled(data, data.dtype.numpy_dtype, origin)
    return _arguments(array, data.domain.labels, steps, None)


def _arguments(array, names, steps: list[tuple[float, str]], name) -> dict:
    letters = "".join(letter_of(axis) if axis else "Q" for axis in names)
    arguments = {"data": array} | ({} if name is None else {"name": str(name)})
    unknown = [letter for letter in letters if letter not in "TZCYXS"]
    if "T" not in letters and len(unknown) == 1:
        letters = letters.replace(unknown[0], "T")
        unknown = []
    if unknown or len(set(letters)) < len(letters):
        return arguments
    calibrated = [step for letter, step in zip(letters, steps, strict=True) if letter != "S"]
    arguments["axes"] = letters
    if any(unit != "pixel" for _, unit in calibrated):
        arguments["scale"] = tuple(step for step, _ in calibrated)
        arguments["units"] = tuple(unit for _, unit in calibrated)
    return arguments


def regular_step(coordinate: np.ndarray, unit, name: str) -> tuple[float | None, str]:
    """Return the distance between neighbors of a coordinate, and its unit.

    The coordinate, shape (n,), has numbers in `unit`, or times, which have their own. Times may be
    rounded, and most of them regular: then a warning names the coordinate. The distance is None
    where it is not regular; the unit is ``"pixel"`` where there is none.
    """
    if coordinate.dtype.kind in "mM":
        coordinate = (coordinate - coordinate[:1]) / np.timedelta64(1, "ns") * 1e-9
        unit = "s"
    if coordinate.dtype.kind not in "iuf" or len(coordinate) < 2:
        return None, "pixel"
    unit = short_name("pixel" if unit is None else unit)
    values = coordinate.astype(np.float64)
    steps = np.abs(np.diff(values))
    step = float(np.mean(steps))
    if np.isfinite(step) and step > 0 and np.ptp(steps) <= EVEN * step:
        return step, unit
    return _step_of_clock(values, seconds(unit), name), unit


def _step_of_clock(times: np.ndarray, unit: float | None, name: str) -> float | None:
    """Return the usual step of times, in units of as many seconds, which a clock has rounded."""
    if unit is None or not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        return None
    nanoseconds = np.rint((times - times[0]) * unit * 1e9).astype(np.int64)
    tick = int(np.gcd.reduce(nanoseconds))  # as of milliseconds
    if np.median(np.diff(nanoseconds)) == tick:  # it is exact: longer steps are dropped frames
        tick = 0
    return 1 / usual_rate(name, nanoseconds * 1e-9, tick * 1e-9) / unit
