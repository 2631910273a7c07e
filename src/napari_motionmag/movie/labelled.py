"""Arrays that name their axes and have coordinates: xarray and tensorstore.

They are recognized by their attributes; neither package is imported.
"""

from __future__ import annotations

import numpy as np

from napari_motionmag.movie.axes import letter_of
from napari_motionmag.movie.frame_times import usual_rate
from napari_motionmag.movie.lazy import is_dask
from napari_motionmag.movie.units import seconds, short_name

EVEN = 1e-3  # steps that differ by less, relatively, from one another are the same


class Labelled:
    """Array of another library behind NumPy's indexing; `origin`: index of its first element.

    `times` are those of uneven frames, s from the first, and `fps` their rate; see `Movie.times`.
    """

    times: np.ndarray | None = None
    fps: float | None = None

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
        part = self.array[tuple(moved)]
        return np.asarray(part.compute(scheduler="synchronous") if is_dask(part) else part)


def labelled_arguments(data) -> dict | None:
    """Return arguments of `Movie` for an array that names its axes; None for other arrays.

    Of an ``xarray.DataArray`` its dimensions, and its coordinates where they are regular or times;
    of a ``tensorstore.TensorStore`` its labels and dimension units. ``axes``, ``scale``, ``units``
    and ``name`` as far as they are known.
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
    steps, times = [], []
    for name in data.dims:
        step, unit, uneven = None, "pixel", None
        if name in data.coords and data.coords[name].ndim == 1:
            coordinate = data.coords[name]
            unit = coordinate.attrs.get("units")
            step, unit, uneven = step_of(np.asarray(coordinate), unit, f"coordinate {name!r}")
        steps.append((step or 1.0, unit if step else "pixel"))
        times.append(uneven)
    arguments = _arguments(inner, data.dims, steps, data.name)
    axis = arguments.get("axes", "").find("T")
    if axis >= 0 and times[axis] is not None:
        timed = inner if isinstance(inner, Labelled) else Labelled(inner, inner.dtype)
        step, unit = steps[axis]
        timed.times, timed.fps = times[axis], 1 / (step * seconds(unit))
        arguments["data"] = timed
    return arguments


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


def step_of(coordinate: np.ndarray, unit, name: str) -> tuple[float | None, str, np.ndarray | None]:
    """Return the distance between neighbors of a coordinate, its unit, and times that are uneven.

    The coordinate, shape (n,), has numbers in `unit`, or times, which have their own. Times may be
    rounded, and most of them regular: then they are returned, too, s from the first, and a warning
    names the coordinate where they are not all regular. The distance is None where it is not
    regular; the unit is ``"pixel"`` where there is none.
    """
    if coordinate.dtype.kind in "mM":
        coordinate = (coordinate - coordinate[:1]) / np.timedelta64(1, "ns") * 1e-9
        unit = "s"
    if coordinate.dtype.kind not in "iuf" or len(coordinate) < 2:
        return None, "pixel", None
    # xarray writes dates as "milliseconds since 2024-05-05"
    unit = short_name("pixel" if unit is None else str(unit).partition(" since ")[0])
    values = coordinate.astype(np.float64)
    steps = np.abs(np.diff(values))
    step = float(np.mean(steps))
    if np.isfinite(step) and step > 0 and np.ptp(steps) <= EVEN * step:
        return step, unit, None
    if seconds(unit) is None or not np.isfinite(values).all() or (np.diff(values) <= 0).any():
        return None, unit, None
    # a clock may have rounded them
    nanoseconds = np.rint((values - values[0]) * seconds(unit) * 1e9).astype(np.int64)
    tick = int(np.gcd.reduce(nanoseconds))  # as of milliseconds
    if np.median(np.diff(nanoseconds)) == tick:  # it is exact: longer steps are dropped frames
        tick = 0
    times = nanoseconds * 1e-9
    return 1 / usual_rate(name, times, tick * 1e-9) / seconds(unit), unit, times
