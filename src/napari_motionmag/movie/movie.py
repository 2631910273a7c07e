"""A movie with named axes, a frame rate and an intensity range.

`Movie` wraps an array that may be far larger than memory. Making one reads nothing; reading a
frame reads that frame.
"""

from __future__ import annotations

import itertools
import operator
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from napari_motionmag.compute.cache import Cache
from napari_motionmag.compute.validate import checked_text
from napari_motionmag.movie import intensity
from napari_motionmag.movie.axes import checked_calibration, checked_layout
from napari_motionmag.movie.chunk_reader import read_part
from napari_motionmag.movie.labelled import without_labels
from napari_motionmag.movie.layer_traits import is_image_layer, layer_arguments
from napari_motionmag.movie.lazy import cache_of, frames_as_dask, made_by
from napari_motionmag.movie.memmap_pickle import by_path, reopen

SAMPLED_FRAMES = 5  # at most this many frames are read to estimate the intensity range


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
        names and regular coordinates of xarray and tensorstore are axes, scale and units; uneven
        ones along T are `times`. For napari layers use `from_any`.
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
        if not isinstance(data, np.ndarray):
            data, axes, scale, units, name = without_labels(data, axes, scale, units, name)
        axes, shape, dtype = checked_layout(data, axes)
        fps, scale, units = checked_calibration(axes.replace("S", ""), fps, scale, units)
        range_ = None if intensity_range is None else intensity.checked_range(intensity_range)
        vars(self).update(
            data=data,
            axes=axes,
            fps=fps,
            shape=shape,
            dtype=dtype,
            n_frames=shape[axes.index("T")],
            scale=scale,
            units=units,
            name=None if name is None else checked_text("name", name),
            cache=Cache() if isinstance(data, np.ndarray) else cache_of(data),
            _range=range_,
            _estimated=range_ is None,
            _token=uuid.uuid4().hex,
            _lock=threading.RLock(),
        )
        if range_ is not None:
            intensity.warn_if_inexact(dtype, range_)

    def __setattr__(self, name, value):
        raise AttributeError(f"a Movie does not change; use replace({name}=...) to make another")

    def __delattr__(self, name):
        raise AttributeError("a Movie does not change")

    def __getstate__(self):
        state = {key: value for key, value in vars(self).items() if key != "_lock"}
        return state | {"data": by_path(self.data)}

    def __setstate__(self, state):
        vars(self).update(state, data=reopen(state["data"]), _lock=threading.RLock())

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
        if not isinstance(obj, np.ndarray) and is_image_layer(obj):
            return cls(**layer_arguments(obj, changes))
        return cls(obj, **changes)

    def replace(self, **changes) -> Movie:
        """Return a copy with some arguments of `Movie` changed; the data are shared.

        An intensity range that was estimated already is kept unless `data` or `axes` change.
        """
        names = ("data", "axes", "fps", "scale", "units", "name")
        arguments = {name: getattr(self, name) for name in names}
        copy = type(self)(**(arguments | {"intensity_range": self.given_range} | changes))
        if copy.data is self.data:
            vars(copy)["cache"] = self.cache
            if copy.axes == self.axes and copy._estimated and self._estimated:
                vars(copy)["_range"] = self._range
        return copy

    def refresh(self) -> None:
        """See the data as they are now: after edits in place, forget what was kept of them.

        An intensity range that was estimated is estimated again.
        """
        self.cache.clear()
        with self._lock:
            if self._estimated:
                vars(self)["_range"] = None
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

    @property
    def steps(self) -> dict[str, tuple[float, str]]:
        """Distance between neighbors and its unit by the letter of the axis; empty if unknown."""
        if self.scale is None or self.units is None:
            return {}
        pairs = zip(self.scale, self.units, strict=True)
        return dict(zip(self.axes.replace("S", ""), pairs, strict=True))

    def series(self) -> Iterator[tuple[int, ...]]:
        """Iterate over the indices along `other_axes`: each is one series of frames.

        A movie without other axes has one series, ``()``.
        """
        sizes = (self.shape[self.axes.index(letter)] for letter in self.other_axes)
        return itertools.product(*(range(size) for size in sizes))

    @property
    def times(self) -> np.ndarray | None:
        """Seconds from the first frame to each, shape (T,); None without a frame rate.

        As recorded in the file, or in the coordinates of xarray, where frames come unevenly, as in
        videos with a variable rate; those of the source for results and regions, and between them
        for interpolated frames.
        """
        if self.fps is None:
            return None
        data = self.data
        while isinstance(source := getattr(made := made_by(data), "movie", None), Movie):
            if hasattr(made, "times"):  # between those of the source
                data = made
                break
            data = source.data
        times, fps = getattr(data, "times", None), getattr(data, "fps", None)
        if times is None or fps is None or len(times) != self.n_frames:
            return np.arange(self.n_frames) / self.fps
        return times * (fps / self.fps)

    # ---- frames ----

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
        index, expected = self._index(t, other), self.frame_shape
        if window is not None:
            whole = dict(zip("YX", window, strict=True))
            index = tuple(whole.get(*pair) for pair in zip(self.axes, index, strict=True))
            expected = (*(part.stop - part.start for part in window), *expected[2:])
        in_memory = isinstance(self.data, np.ndarray)
        frame = self.data[index] if in_memory else read_part(self.data, index, self.cache)
        frame = self._in_order(frame)
        if (frame.shape, frame.dtype.newbyteorder("=")) != (expected, self.dtype.newbyteorder("=")):
            raise ValueError(
                f"data gave a frame of shape {frame.shape} and dtype {frame.dtype} at t={t}; its "
                f"own shape {self.shape} promises {expected}, its dtype {self.dtype}"
            )
        frame = frame.astype(self.dtype, copy=False)
        if in_memory:
            frame = frame.view()
            frame.flags.writeable = False
        if frame.dtype.kind == "f":
            place = "".join(f", {x}={n}" for x, n in self._other(other).items())
            intensity.refuse_non_finite(frame, f"frame t={t}{place} of the movie")
        return frame

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
        order = ["YXS".index(letter) for letter in self.axes if letter in "YXS"]
        frame = np.asarray(frame).transpose(order)
        return frame[tuple(slice(None) if x in "YXS" else None for x in self.axes)]

    def as_dask(self):
        """Return the movie as a dask array with one frame a block; nothing is read or copied.

        Returns
        -------
        dask.array.Array
            Same shape, dtype and order of axes as the data.
        """
        return frames_as_dask(self.data, self.axes, self.dtype, f"movie-{self._token}")

    def _index(self, t: int, other) -> tuple:
        """Return the index of a frame in the data."""
        places = {"T": t, **self._other(other)}
        index = []
        for letter, size in zip(self.axes, self.shape, strict=True):
            if letter not in places:
                index.append(slice(None))
                continue
            argument = "t" if letter == "T" else f"other[{letter!r}]"
            try:
                place = operator.index(places[letter])
            except TypeError:
                raise TypeError(f"{argument} must be an integer, got {places[letter]!r}") from None
            if not 0 <= place < size:
                raise IndexError(f"{argument} must be within 0..{size - 1}, got {place}")
            index.append(place)
        return tuple(index)

    def _other(self, other) -> dict[str, int]:
        """Return the index along each of the other axes by letter."""
        letters = self.other_axes
        if not isinstance(other, Mapping):
            other = () if other is None else tuple(other)
            other = dict(zip(letters, other, strict=True)) if len(other) == len(letters) else other
        if set(other) != set(letters):
            raise ValueError(
                f"other must be one index for each of the axes {letters!r} of a movie with axes "
                f"{self.axes!r}; got {other}"
            )
        return {letter: other[letter] for letter in letters}

    def _in_order(self, block):
        """Return a frame as it was indexed with its axes in the order Y, X, S."""
        left = [letter for letter in self.axes if letter in "YXS"]
        order = [left.index(letter) for letter in "YXS" if letter in left]
        return block if order == sorted(order) else block.transpose(order)

    # ---- intensities ----

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
                range_ = 0.0, 255.0
                if self.dtype != np.uint8:
                    range_ = intensity.estimate_range(self.sample_frames(), self.dtype)
                vars(self)["_range"] = range_
                intensity.warn_if_inexact(self.dtype, range_)
            return self._range

    @property
    def given_range(self) -> tuple[float, float] | None:
        """The intensity range that was given, or None where it is estimated."""
        return None if self._estimated else self._range

    def sample_frames(self) -> Iterator[np.ndarray]:
        """Yield a few frames without alpha, from first to last, in as many series as possible."""
        series = list(self.series())
        count = min(SAMPLED_FRAMES, self.n_frames * len(series))
        last, final = self.n_frames - 1, len(series) - 1
        shares = [k / (count - 1) for k in range(count)]
        places = [(round(share * last), series[round(share * final)]) for share in shares]
        for t, other in dict.fromkeys(places):
            yield self._without_alpha(self.read(t, other))

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
        intensity.refuse_non_finite(frame, "frame")
        return intensity.to_unit(frame, self.intensity_range, self.dtype)

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
        intensity.refuse_non_finite(frame, "the magnified frame")
        values = intensity.from_unit(frame, self.intensity_range, self.dtype)
        if self.has_alpha and source is not None:
            values = np.concatenate([values, np.asarray(source)[..., 3:]], axis=-1)
        return values

    def _without_alpha(self, frame: np.ndarray) -> np.ndarray:
        return frame[..., :3] if self.has_alpha else frame
