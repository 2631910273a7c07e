"""Lines through the frame, the intensities there, and the line that shows the motion."""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from napari_motionmag.compute.validate import above_zero, one_of
from napari_motionmag.movie.color import luma
from napari_motionmag.movie.movie import Movie

OUTSIDE = ("raise", "nan", "nearest")
ORDERS = range(6)
_SPLINE_REACH = 32  # px beyond which a pixel does not matter to a spline of order 2 and more
_FRAMES = 8  # that show where the movie moves
_FEWEST, _MOST_FRAMES = 16, 96  # that show where it moves within a band
_MOST_PIXELS = 30_000_000  # of them together
_PERIODS = 4  # of the middle of the band
_SMOOTH = 2.0  # px
_STANDS_OUT = 2.0  # times the typical spread in time
_LENGTH = 0.4  # of the shorter side of the frame


class Line:
    """Points (L, 2) at equal distances (L,) along a path, and beside it; all in px."""

    def __init__(self, line, width: float = 1, step: float = 1.0):
        corners = _checked_corners(line)
        self.width, self.step = above_zero("width", width, "px"), above_zero("step", step, "px")
        if self.width < 1:
            raise ValueError(f"width must be at least 1 px; got {width!r}")
        parts = np.diff(corners, axis=0)
        lengths = np.hypot(*parts.T)
        corners = corners[np.concatenate([[True], lengths > 0])]
        parts, lengths = parts[lengths > 0], lengths[lengths > 0]
        if not len(lengths):
            raise ValueError(f"line must have a length above 0; got {np.asarray(line).tolist()}")
        ends = np.concatenate([[0.0], np.cumsum(lengths)])
        # the tolerance keeps the last pixel of a line between pixel centers
        count = int(np.floor(ends[-1] / self.step + 1e-9)) + 1
        self.distance = np.minimum(np.arange(count) * self.step, ends[-1])
        self._parts, self._ends = parts, ends
        which = np.clip(np.searchsorted(ends, self.distance, side="right") - 1, 0, len(parts) - 1)
        along = (self.distance - ends[which]) / lengths[which]
        self.points = corners[which] + along[:, np.newaxis] * parts[which]
        direction = parts[which] / lengths[which, np.newaxis]
        self._across = np.stack([-direction[:, 1], direction[:, 0]], axis=1)

    def __len__(self) -> int:
        return len(self.points)

    def position(self, height: float, width: float) -> np.ndarray:
        """Return the distance of each point along the path (L,), for pixels of this size."""
        lengths = np.hypot(*(self._parts * (height, width)).T)
        return np.interp(self.distance, self._ends, np.concatenate([[0.0], np.cumsum(lengths)]))

    def spread(self) -> np.ndarray:
        """Return samples across the width, shape (W, L, 2); W = 1 for a width below 2."""
        count = int(np.ceil(self.width))
        offsets = np.linspace(-0.5, 0.5, count) * (self.width - 1) if count > 1 else np.zeros(1)
        return self.points + offsets[:, np.newaxis, np.newaxis] * self._across


class LineSampler:
    """Samples frames of a shape (Y, X) along a line, from the pixels in :attr:`window` only."""

    def __init__(self, line: Line, shape: tuple[int, int], order: int, outside: str = "raise"):
        one_of("outside", outside, OUTSIDE)
        points = line.spread()
        # the frame ends half a pixel beyond the centers of its outer pixels
        inside = _within(points, shape, 1e-6)
        path = _within(line.points, shape, 1e-6)
        frame = f"the frame of {shape[0]} x {shape[1]} px (Y x X)"
        if outside == "raise" and not path.all():
            y, x = line.points[np.argmin(path)]
            raise ValueError(
                f"line leaves {frame} at ({y:.1f}, {x:.1f}); outside='nan' or 'nearest' allows that"
            )
        self._inside = inside if outside != "nearest" else np.ones_like(inside)
        if not self._inside.any():
            y, x = line.points[0]
            raise ValueError(f"line lies outside {frame}; it begins at ({y:.1f}, {x:.1f})")
        self.length = len(line)
        self.points = PointSampler(points, shape, order, self._inside)
        self.window = self.points.window

    def __call__(self, frames: np.ndarray, dtype=None) -> np.ndarray:
        """Sample frames cut to :attr:`window`, (T, Y, X[, S]), to (T, L) or (T, L, 3) floats."""
        out = np.empty((len(frames), self.length, *((3,) if frames.ndim == 4 else ())))
        for frame, row in zip(frames, out, strict=True):
            samples = self.points(frame)
            weights = self._inside.reshape(*self._inside.shape, *(1,) * (samples.ndim - 2))
            with np.errstate(invalid="ignore"):
                row[:] = (samples * weights).sum(axis=0) / weights.sum(axis=0)
        return out.astype(dtype or sample_dtype(frames.dtype))


class PointSampler:
    """Interpolates at points (..., 2), px, of frames of a shape (Y, X).

    The frame is mirrored about the centers of its outer pixels; points outside are moved to the
    border. `used` selects the points that the window must hold.
    """

    def __init__(self, points: np.ndarray, shape: tuple[int, int], order: int, used=...):
        if isinstance(order, bool) or order not in ORDERS:
            raise ValueError(f"order must be a whole number from 0 to 5; got {order!r}")
        points = np.clip(points, 0, np.array(shape) - 1)
        margin = _SPLINE_REACH if order > 1 else 0
        within = points[used].reshape(-1, 2)
        first = np.maximum(np.floor(within.min(axis=0)).astype(int) - 1 - margin, 0)
        last = np.minimum(np.ceil(within.max(axis=0)).astype(int) + 2 + margin, shape)
        self.window = tuple(slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
        self._places = np.moveaxis(points - first, -1, 0)
        self._order = order

    def __call__(self, frame: np.ndarray) -> np.ndarray:
        """Sample a frame cut to :attr:`window`, (Y, X) or (Y, X, S), as float64; drop alpha."""
        if frame.ndim == 3:
            return np.stack([self(frame[..., channel]) for channel in range(3)], axis=-1)
        if frame.dtype == np.float16:  # scipy does not take it
            frame = frame.astype(np.float32)
        return map_coordinates(
            frame, self._places, output=np.float64, order=self._order, mode="mirror"
        )


def sample_dtype(dtype: np.dtype) -> np.dtype:
    """Return float32 where it holds every value of the data, else float64."""
    small = dtype.itemsize <= 2 or dtype == np.float32
    return np.dtype(np.float32 if small else np.float64)


def _within(points: np.ndarray, shape, tolerance: float = 0.0) -> np.ndarray:
    limits = np.array(shape) - 0.5 + tolerance
    return ((points >= -0.5 - tolerance) & (points <= limits)).all(axis=-1)


def _checked_corners(line) -> np.ndarray:
    try:
        corners = np.asarray(line, dtype=float)
    except (TypeError, ValueError):
        corners = np.empty(0)
    if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 2:
        raise ValueError(
            f"line must be two or more points (y, x) in px, an array of shape (N, 2); got {line!r}"
        )
    if not np.isfinite(corners).all():
        raise ValueError(f"line must be finite; got {corners.tolist()}")
    return corners


def line_across_motion(
    movie: Movie, at: tuple[int, ...] = (), band: tuple[float, float] | None = None
) -> np.ndarray | None:
    """Return a short line, (2, 2), across the edge that varies most in time.

    With a band, in Hz, across the edge that varies most within it; the rate must be known. None if
    nothing stands out in the frames that are read: eight, or some periods of the band.
    """
    few = np.linspace(0, movie.n_frames - 1, _FRAMES)
    times = few if band is None else _times_for(movie, band)
    times = np.unique(times.round().astype(int))
    frames = np.stack([luma(movie.read(int(t), at).astype(np.float32)) for t in times])
    if band is None:
        variation = frames.std(axis=0)
    else:
        variation = _within_band(frames, movie.fps / (times[1] - times[0]), band)
    spread = gaussian_filter(variation, _SMOOTH)
    if spread.max() <= _STANDS_OUT * np.median(spread):
        return None
    center = np.array(np.unravel_index(spread.argmax(), spread.shape), float)
    shape = np.array(spread.shape)
    length = _LENGTH * shape.min()
    # the direction in which the picture varies most around there
    offsets = np.indices(spread.shape) - center[:, None, None]
    weights = np.exp(-(offsets**2).sum(axis=0) / (2 * (length / 6) ** 2))
    dy, dx = np.gradient(gaussian_filter(frames.mean(axis=0), _SMOOTH / 2))
    tensor = np.array([[(weights * a * b).sum() for b in (dy, dx)] for a in (dy, dx)])
    direction = np.linalg.eigh(tensor)[1][:, 1]
    direction *= np.sign(direction[np.abs(direction).argmax()])  # to the right, or down
    ends = center + np.outer([-length / 2, length / 2], direction)
    return np.clip(ends, 0, shape - 1)


def _times_for(movie: Movie, band: tuple[float, float]) -> np.ndarray:
    """Return equally spaced frames, as few as show what varies within a band."""
    low, high = band
    span = math.ceil(movie.fps * max(2 * _PERIODS / (low + high), 2 / (high - low)))
    most = int(np.clip(_MOST_PIXELS / math.prod(movie.frame_shape[:2]), _FEWEST, _MOST_FRAMES))
    limits = math.ceil(span / most), int(movie.fps / (2.2 * high)), movie.n_frames // _FEWEST
    step = max(1, min(limits))
    count = min(most, max(span // step, _FEWEST), movie.n_frames // step)
    return step * np.arange(count)


def _within_band(frames: np.ndarray, fps: float, band: tuple[float, float]) -> np.ndarray:
    """Return the amplitude, (Y, X), of frames (T, Y, X) in the bins of a band."""
    n = len(frames)
    frequencies = np.arange(1, n // 2 + 1) * fps / n
    low, high = band
    inside = (frequencies >= low) & (frequencies <= high)
    inside[np.abs(frequencies - (low + high) / 2).argmin()] = True
    turns = 2 * np.pi * np.outer(frequencies[inside] / fps, np.arange(n))
    waves = np.concatenate([np.cos(turns), np.sin(turns)]) * np.hanning(n + 2)[1:-1]
    trend = np.linalg.qr(np.stack([np.ones(n), np.arange(n)], axis=1))[0]
    waves -= waves @ trend @ trend.T  # neither the mean nor a drift counts
    parts = np.tensordot(waves.astype(np.float32), frames, 1)
    return np.sqrt((parts**2).sum(axis=0)) / n
