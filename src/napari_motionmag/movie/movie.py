"""A movie with named axes, a frame rate and an intensity range.

`Movie` wraps an array that may be far larger than memory. Making one reads nothing; reading a
frame reads that frame.
"""

from __future__ import annotations

import itertools
import math
import operator
import threading
import uuid
import warnings
import weakref
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from napari_motionmag.compute.cache import Cache
from napari_motionmag.compute.validate import above_zero
from napari_motionmag.movie.axes import (
    checked_array,
    checked_axes,
    checked_range,
    checked_scale,
    checked_units,
    fps_from_scale,
    guess_axes,
)
from napari_motionmag.movie.chunk_reader import read
from napari_motionmag.movie.intensity import estimate_range
from napari_motionmag.movie.labelled import labelled_arguments
from napari_motionmag.movie.layer_traits import is_image_layer, layer_arguments
from napari_motionmag.movie.lazy import frames_as_dask, is_dask
from napari_motionmag.movie.memmap_pickle import opened, portable

SAMPLED_FRAMES = 5  # at most this many frames are read to estimate the intensity range
EXACT_SPAN = 2.0**23  # float32 holds integers of a wider range only approximately


class Movie:
    """An array with the meaning of its axes, its frame rate and its intensity range.

    A movie does not change after it was made (`replace` makes another); after the array was
    edited in place, call `refresh`. It holds the array as it came, and can be pickled when the
    array can; memory maps and files opened by `napari_motionmag.io.open_movie` go by their path,
    without content.

    Parameters
    ----------
    data : array
        NumPy, dask, zarr, xarray or tensorstore array, or anything with ``shape``, ``dtype`` and
        indexing by slices (HDF5 data sets for example), of integers or real floats. Dimension
        names and regular coordinates of xarray and tensorstore are axes, scale and units. For
        napari layers use `from_any`.
    axes : str, optional
        One letter for each axis of `data`, of T (time), Z, C (channel), Y, X and S (3 or 4
        RGB(A) samples, last). T, Y and X must be there. When None, three axes are TYX and four
        with 3 or 4 samples at the end are TYXS; otherwise it is required.
    fps : float, optional
        Frames per second. When None, it follows from `scale` and `units` of T if those tell.
    intensity_range : (float, float), optional
        The intensities of black and white. When None, estimated when first needed; see
        `intensity_range`.
    scale : sequence of float, optional
        Distance between neighbors along each axis other than S.
    units : sequence of str, optional
        Units of `scale`.
    name : str, optional
        Name of the movie.

    Raises
    ------
    TypeError
        When `data` is not an array, or has complex, boolean or other non-numeric elements.
    ValueError
        When the axes cannot be guessed or do not fit, when there are fewer than two frames, or
        when another argument is out of range.

    Notes
    -----
    RGB data with an alpha channel (four samples) keep it: `to_unit` drops it, so that colors
    alone are magnified, and ``from_unit(frame, source)`` puts the one of the source frame back.

    Methods compute in single precision. Integers make the way `to_unit`, `from_unit` exactly
    as long as white - black is below 2**23; 64-bit floats lose what single precision loses.
    """

    def __init__(
        self,
        data,
        axes: str | None = None,
        fps: float | None = None,
        intensity_range: tuple[float, float] | None = None,
        scale: Sequence[float] | None = None,
        units: Sequence[str] | None = None,
        name: str | None = None,
    ):
        labelled = labelled_arguments(data)
        if labelled is not None:
            data = labelled["data"]
            if axes is None or axes.upper() == labelled.get("axes"):
                axes = labelled.get("axes", axes)
                scale, units = scale or labelled.get("scale"), units or labelled.get("units")
            name = labelled.get("name") if name is None else name
        shape, dtype = checked_array(data)
        axes = guess_axes(shape, dtype) if axes is None else checked_axes(axes, shape)
        n_frames = shape[axes.index("T")]
        if n_frames < 2:
            raise ValueError(
                f"data must have at least 2 frames along T to show motion; with axes={axes!r} "
                f"its shape {shape} has {n_frames}"
            )
        calibrated = axes.replace("S", "")
        scale = checked_scale(scale, calibrated)
        units = checked_units(units, calibrated)
        fps = fps_from_scale(scale, units, calibrated) if fps is None else above_zero("fps", fps)
        set_ = object.__setattr__
        set_(self, "data", data)
        set_(self, "axes", axes)
        set_(self, "fps", fps)
        set_(self, "shape", shape)
        set_(self, "dtype", dtype)
        set_(self, "n_frames", n_frames)
        set_(self, "scale", scale)
        set_(self, "units", units)
        set_(self, "name", None if name is None else str(name))
        set_(self, "_range", None if intensity_range is None else checked_range(intensity_range))
        set_(self, "_estimated", intensity_range is None)
        set_(self, "_token", uuid.uuid4().hex)
        set_(self, "cache", _cache_of(data))
        set_(self, "_lock", threading.RLock())
        if self._range is not None:
            _warn_if_inexact(self.dtype, self._range)

    def __setattr__(self, name, value):
        raise AttributeError(f"a Movie does not change; use replace({name}=...) to make another")

    def __delattr__(self, name):
        raise AttributeError("a Movie does not change")

    def __getstate__(self):
        state = {key: value for key, value in self.__dict__.items() if key != "_lock"}
        return state | {"data": portable(self.data)}

    def __setstate__(self, state):
        data = opened(state["data"])
        self.__dict__.update(state | {"data": data, "_lock": threading.RLock()})

    def __repr__(self):
        name = "" if self.name is None else f" {self.name!r}"
        return f"<Movie{name} {self.summary()}>"

    def summary(self) -> str:
        """Return axes, shape, dtype and frame rate in a few words."""
        rate = "fps unknown" if self.fps is None else f"{self.fps:g} fps"
        return f"{self.axes} {self.shape} {self.dtype}, {rate}"

    @classmethod
    def from_any(cls, obj, **changes) -> Movie:
        """Make a movie of an array, a napari Image layer or another movie.

        Parameters
        ----------
        obj : array, napari.layers.Image or Movie
            Of a layer, the data (the finest level of a multiscale one), the names of its axes,
            scale, units and name are taken. A movie without `changes` is returned as it is.
        **changes
            Arguments of `Movie` in place of those of `obj`; None is ignored.

        Returns
        -------
        Movie
        """
        changes = {key: value for key, value in changes.items() if value is not None}
        if isinstance(obj, Movie):
            return obj.replace(**changes) if changes else obj
        if is_image_layer(obj):
            return cls(**layer_arguments(obj, changes))
        return cls(obj, **changes)

    def replace(self, **changes) -> Movie:
        """Return a copy with some arguments of `Movie` changed; the data are shared.

        An intensity range that was estimated already is kept unless `data` or `axes` change.
        """
        kept = None if self._estimated and {"data", "axes"} & changes.keys() else self._range
        arguments = {
            "data": self.data,
            "axes": self.axes,
            "fps": self.fps,
            "intensity_range": kept,
            "scale": self.scale,
            "units": self.units,
            "name": self.name,
        }
        made = type(self)(**(arguments | changes))
        if made.data is self.data:
            object.__setattr__(made, "cache", self.cache)
        return made

    def refresh(self) -> None:
        """See the data as they are now: after edits in place, forget what was kept of them.

        An intensity range that was estimated is estimated again.
        """
        self.cache.clear()
        with self._lock:
            if self._estimated:
                object.__setattr__(self, "_range", None)
        whole = getattr(self.data, "movie", None)  # of a region
        if isinstance(whole, Movie):
            whole.refresh()

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def is_rgb(self) -> bool:
        """Whether the movie has RGB samples along a last axis S."""
        return "S" in self.axes

    @property
    def has_alpha(self) -> bool:
        """Whether the RGB samples carry a fourth, alpha, which is passed through unchanged."""
        return self.is_rgb and self.shape[-1] == 4

    @property
    def other_axes(self) -> str:
        """Letters of the axes that are not T, Y, X or S, in order."""
        return "".join(letter for letter in self.axes if letter not in "TYXS")

    @property
    def frame_shape(self) -> tuple[int, ...]:
        """Shape of one frame as `read` returns it: (Y, X) or (Y, X, S)."""
        return tuple(self.shape[self.axes.index(x)] for x in "YXS" if x in self.axes)

    def series(self) -> Iterator[tuple[int, ...]]:
        """Iterate over the indices along `other_axes`: each is one series of frames.

        A movie without other axes has one series, ``()``.
        """
        sizes = (self.shape[self.axes.index(letter)] for letter in self.other_axes)
        return itertools.product(*(range(size) for size in sizes))

    @property
    def intensity_range(self) -> tuple[float, float]:
        """Intensities (black, white) that `to_unit` maps to 0 and 1.

        When it was not given, 8-bit unsigned movies have (0, 255): no frame need be read, and
        the networks were trained on that range. For others at most five frames, spread over
        time and over the series, are read once; see `intensity.estimate_range`.

        Raises
        ------
        ValueError
            When one of those frames has pixels that are NaN or infinite.
        """
        with self._lock:
            if self._range is None:
                found = (
                    (0.0, 255.0)
                    if self.dtype == np.uint8
                    else estimate_range(map(self._without_alpha, self._samples()), self.dtype)
                )
                object.__setattr__(self, "_range", found)
                _warn_if_inexact(self.dtype, found)
            return self._range

    @property
    def times(self) -> np.ndarray | None:
        """Seconds from the first frame to each, shape (T,); None without a frame rate.

        Those that the file says where frames come unevenly, as in videos with a variable rate.
        """
        if self.fps is None:
            return None
        times, fps = getattr(self.data, "times", None), getattr(self.data, "fps", None)
        if times is None or fps is None or len(times) != self.n_frames:
            return np.arange(self.n_frames) / self.fps
        return times * (fps / self.fps)

    @property
    def given_range(self) -> tuple[float, float] | None:
        """The intensity range that was given, or None where it is estimated."""
        return None if self._estimated else self._range

    def _samples(self) -> Iterator[np.ndarray]:
        """Read a few frames, from the first to the last, in as many series as can be."""
        series = list(self.series()) if self.other_axes else [()]
        count = min(SAMPLED_FRAMES, self.n_frames * len(series))
        wanted = []
        for k in range(count):
            part = k / (count - 1)
            t = round(part * (self.n_frames - 1))
            wanted.append((t, series[round(part * (len(series) - 1))]))
        for t, where in dict.fromkeys(wanted):
            yield self.read(t, where)

    def lazy_frame(self, t: int, other: Mapping[str, int] | Sequence[int] | None = None):
        """Index one frame without computing it.

        Parameters
        ----------
        t, other
            As for `read`.

        Returns
        -------
        array, shape (Y, X) or (Y, X, S)
            A dask array when the movie's data are, and otherwise what indexing gives.
        """
        return self._in_order(self.data[self._index(t, other)])

    def _index(self, t: int, other) -> tuple:
        index: list = [slice(None)] * self.ndim
        index[self.axes.index("T")] = self._position("t", t, "T")
        other = self._other(other)
        for letter, where in other.items():
            index[self.axes.index(letter)] = self._position(f"other[{letter!r}]", where, letter)
        return tuple(index)

    def _in_order(self, block):
        """A frame as it was indexed with its axes in the order Y, X, S."""
        left = [letter for letter in self.axes if letter in "YXS"]
        order = [left.index(letter) for letter in "YXS" if letter in left]
        return block if order == sorted(order) else block.transpose(order)

    def read(
        self,
        t: int,
        other: Mapping[str, int] | Sequence[int] | None = None,
        window: tuple[slice, slice] | None = None,
    ) -> np.ndarray:
        """Read one frame, and nothing else.

        Parameters
        ----------
        t : int
            Frame number, 0 <= t < `n_frames`.
        other : mapping of str to int, or sequence of int, optional
            Index along each of `other_axes`, by letter or in their order (as `series` gives).
        window : (slice, slice), optional
            Part of the frame along Y and X to read; from a start to a stop within it.

        Returns
        -------
        ndarray, shape (Y, X) or (Y, X, S)
            In the data's dtype; may be a read-only view of the data. Dask data are computed in
            the calling thread, so that a frame can be read inside a dask task.

        Raises
        ------
        IndexError
            When `t` or `other` lies outside the movie.
        ValueError
            When the frame has pixels that are NaN or infinite; says which frame and how many.
        """
        index, expected = list(self._index(t, other)), self.frame_shape
        if window is not None:
            for letter, part in zip("YX", window, strict=True):
                index[self.axes.index(letter)] = part
            expected = (*(part.stop - part.start for part in window), *expected[2:])
        frame = self._in_order(np.asarray(read(self.data, index, self.cache)))
        if frame.shape != expected:
            raise ValueError(
                f"data gave a frame of shape {frame.shape} at t={t}; its own shape {self.shape} "
                f"promises {expected}"
            )
        if frame.dtype != self.dtype:
            if frame.dtype.newbyteorder("=") != self.dtype.newbyteorder("="):
                raise ValueError(
                    f"data gave a frame of dtype {frame.dtype} at t={t}; its own dtype promises "
                    f"{self.dtype}"
                )
            frame = frame.astype(self.dtype)
        if isinstance(self.data, np.ndarray):
            frame = frame.view()
            frame.flags.writeable = False
        place = "".join(f", {letter}={n}" for letter, n in self._other(other).items())
        _refuse_non_finite(frame, f"frame t={t}{place} of the movie")
        return frame

    def to_unit(self, frame: np.ndarray) -> np.ndarray:
        """Map intensities to the scale where black is 0 and white is 1, without clipping.

        Parameters
        ----------
        frame : ndarray, shape (Y, X) or (Y, X, S)
            Frame in the data's dtype. An alpha sample is dropped.

        Returns
        -------
        ndarray of float32, shape (Y, X) or (Y, X, 3)
            A new array.

        Raises
        ------
        ValueError
            When pixels are NaN or infinite.
        """
        frame = self._without_alpha(np.asarray(frame))
        _refuse_non_finite(frame, "frame")
        black, white = self.intensity_range
        unit = frame.astype(self._working_dtype)
        unit -= black
        unit /= white - black
        return unit.astype(np.float32, copy=False)

    def from_unit(self, frame: np.ndarray, source: np.ndarray | None = None) -> np.ndarray:
        """Map 0 and 1 back to black and white, in the data's dtype.

        Integers are rounded and clipped to the limits of their dtype.

        Parameters
        ----------
        frame : ndarray, shape (Y, X) or (Y, X, 3)
            Frame on the unit scale.
        source : ndarray, shape (Y, X, 4), optional
            For movies with alpha: the frame of the movie whose alpha is put back.

        Returns
        -------
        ndarray, shape (Y, X), (Y, X, 3) or, with alpha put back, (Y, X, 4)

        Raises
        ------
        ValueError
            When pixels are NaN or infinite.
        """
        frame = np.asarray(frame)
        _refuse_non_finite(frame, "the magnified frame")
        black, white = self.intensity_range
        values = frame.astype(self._working_dtype)
        values *= white - black
        values += black
        if self.dtype.kind in "iu":
            np.rint(values, out=values)
            limits = np.iinfo(self.dtype)
            low, high = (values.dtype.type(limit) for limit in (limits.min, limits.max))
            if int(high) > limits.max:  # 2**63 - 1 is no float64; the next one would overflow
                high = np.nextafter(high, low)
            np.clip(values, low, high, out=values)
        values = values.astype(self.dtype, copy=False)
        if self.has_alpha and source is not None:
            values = np.concatenate([values, np.asarray(source)[..., 3:]], axis=-1)
        return values

    def expand(self, frame: np.ndarray) -> np.ndarray:
        """Return a frame as a block of the movie: its axes in order, of length 1 for T, Z, C.

        Parameters
        ----------
        frame : ndarray, shape (Y, X) or (Y, X, S)

        Returns
        -------
        ndarray
            A view with `ndim` axes.
        """
        spatial = [letter for letter in "YXS" if letter in self.axes]
        order = [spatial.index(letter) for letter in self.axes if letter in spatial]
        frame = np.asarray(frame).transpose(order)
        return frame[tuple(slice(None) if x in "YXS" else None for x in self.axes)]

    def as_dask(self):
        """Return the movie as a dask array with one frame a block; nothing is read or copied.

        Returns
        -------
        dask.array.Array
            Same shape, dtype and order of axes as the data.
        """
        if is_dask(self.data):
            sizes = dict(zip(self.axes, self.shape, strict=True))
            return self.data.rechunk(
                tuple(sizes[letter] if letter in "YXS" else 1 for letter in self.axes)
            )
        return frames_as_dask(self.data, self.axes, self.dtype, f"movie-{self._token}")

    @property
    def _working_dtype(self) -> type:
        # single precision holds 8- and 16-bit integers with room to spare
        return np.float32 if self.dtype.itemsize <= 2 else np.float64

    def _without_alpha(self, frame: np.ndarray) -> np.ndarray:
        return frame[..., :3] if self.has_alpha else frame

    def _other(self, other) -> dict[str, int]:
        """Return the index along each of the other axes by letter."""
        letters = self.other_axes
        if other is None:
            other = {}
        elif not isinstance(other, Mapping):
            other = tuple(other)
            if len(other) != len(letters):
                raise ValueError(
                    f"other must have one index for each of the axes {letters!r}; got {other}"
                )
            other = dict(zip(letters, other, strict=True))
        if set(other) != set(letters):
            raise ValueError(
                f"other must name the index along each of the axes {letters!r} of a movie with "
                f"axes {self.axes!r}; got {dict(other)}"
            )
        return {letter: other[letter] for letter in letters}

    def _position(self, argument: str, value: int, letter: str) -> int:
        size = self.shape[self.axes.index(letter)]
        try:
            position = operator.index(value)
        except TypeError:
            raise TypeError(f"{argument} must be an integer, got {value!r}") from None
        if not 0 <= position < size:
            raise IndexError(f"{argument} must be within 0..{size - 1}, got {position}")
        return position


_CACHES: dict[tuple[int, str], Cache] = {}
_CACHES_GUARD = threading.Lock()


def _cache_of(data) -> Cache:
    """The one cache of a dask array, until items are assigned to it; a new one for other arrays.

    Those may be written to: whoever makes a movie of them anew sees them anew.
    """
    if not is_dask(data):
        return Cache()
    key = id(data), data.name
    with _CACHES_GUARD:
        if key not in _CACHES:
            _CACHES[key] = Cache()
            weakref.finalize(data, _CACHES.pop, key, None).atexit = False
        return _CACHES[key]


def _refuse_non_finite(frame: np.ndarray, what: str) -> None:
    if frame.dtype.kind == "f":
        count = frame.size - int(np.count_nonzero(np.isfinite(frame)))
        if count:
            raise ValueError(
                f"{what} has {count} {'pixel that is' if count == 1 else 'pixels that are'} NaN or "
                "infinite; put numbers in their place first, as with numpy.nan_to_num"
            )


def _warn_if_inexact(dtype: np.dtype, range_: tuple[float, float]) -> None:
    span = range_[1] - range_[0]
    if dtype.kind in "iu" and dtype.itemsize > 2 and span > EXACT_SPAN:
        warnings.warn(
            f"intensities of this {dtype} movie span {span:g}; computed in single precision, "
            f"they come back to within {math.ceil(span / EXACT_SPAN)}",
            stacklevel=3,
        )
