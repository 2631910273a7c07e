"""Video files, read frame by frame through PyAV."""

from __future__ import annotations

import json
import threading
import warnings
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from napari_motionmag.io.formats import Found
from napari_motionmag.movie.lazy import frames_as_dask

CACHE_BYTES = 1 << 26  # frames kept, so that going back a little need not decode anew
COMMENT = "napari-motionmag "  # what the comment of a video written here begins with


def import_av():
    """Return the module ``av``, or raise ImportError that names the extra."""
    try:
        import av
    except ImportError:
        raise ImportError(
            "video files need the package av: pip install 'napari-motionmag[video]'"
        ) from None
    return av


class VideoFrames:
    """The frames of a video as an array that decodes those it is asked for.

    Frames have a time stamp each; the number of a frame is the place of its stamp. To read a
    frame, decoding starts at the key frame before it, unless it follows soon on the last one.
    Where the stamps are missing, decoding starts at the beginning.

    Parameters
    ----------
    path : Path
        File to read. It stays open from the first reading on.

    Attributes
    ----------
    shape : tuple of int
        (T, Y, X) for grey video, (T, Y, X, 3) for colour.
    dtype : numpy.dtype
        uint8, or uint16 for video of more than 8 bits (scaled to 16).
    fps : float or None
        Frames per second that the file says.
    comment : str
        Comment in the file.
    """

    def __init__(self, path: Path):
        self.path = path
        av = import_av()
        try:
            with av.open(str(path)) as container:
                self._index(container)
        except (av.error.FFmpegError, IndexError) as error:
            raise ValueError(f"{path}: not a readable video: {error}") from error
        self._reset()

    def _index(self, container) -> None:
        if not container.streams.video:
            raise ValueError(f"{self.path}: holds no video")
        stream = container.streams.video[0]
        stamps, keys = [], []
        for packet in container.demux(stream):
            if packet.size == 0 or packet.is_discard:
                continue
            stamps.append(packet.pts)
            if packet.is_keyframe:
                keys.append(packet.pts)
        self._stamped = None not in stamps and len(set(stamps)) == len(stamps)
        if self._stamped:
            stamps.sort()
        self._stamps = stamps
        self._numbers = {stamp: number for number, stamp in enumerate(stamps)}
        self._starts = sorted(map(self._numbers.get, keys)) if self._stamped else []
        self.comment = container.metadata.get("comment", "")
        self.fps = float(stream.average_rate) if stream.average_rate else None
        if self._stamped:
            self._check_pace(stamps)
            container.seek(stamps[0], stream=stream)
        else:
            container.seek(0)
        first = next(container.decode(stream), None)
        if first is None:
            raise ValueError(f"{self.path}: no frame can be decoded")
        name, bits = first.format.name, first.format.components[0].bits
        grey = name.startswith("gray") or name.startswith("mono")
        if any(component.is_alpha for component in first.format.components):
            warnings.warn(f"{self.path}: the alpha channel of the video is left out", stacklevel=6)
        if bits > 8:
            self._format = "gray16le" if grey else "rgb48le"
        else:
            self._format = "gray" if grey else "rgb24"
        pixels = self._pixels(first)
        self.dtype = pixels.dtype
        self.shape = (len(stamps), *pixels.shape)
        self.ndim = len(self.shape)

    def _check_pace(self, stamps: Sequence[int]) -> None:
        """Warn when frames do not follow one another at an even pace."""
        if len(stamps) < 3:
            return
        even = np.linspace(stamps[0], stamps[-1], len(stamps))
        step = even[1] - even[0]
        off = float(np.abs(np.asarray(stamps) - even).max()) / step
        if off > 0.75:  # rounding of the stamps stays below
            warnings.warn(
                f"{self.path}: frames come unevenly, up to {off:.1f} frame intervals from even; "
                "frequencies hold on average only",
                stacklevel=7,
            )

    def _pixels(self, frame) -> np.ndarray:
        pixels = frame.to_ndarray(format=self._format)
        turns = round(getattr(frame, "rotation", 0) / 90)
        return np.ascontiguousarray(np.rot90(pixels, turns)) if turns % 4 else pixels

    def _reset(self) -> None:
        self._container = self._decoder = None
        self._next = 0
        self._cache: OrderedDict[int, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def __getstate__(self):
        hidden = ("_container", "_decoder", "_next", "_cache", "_lock")
        return {key: value for key, value in self.__dict__.items() if key not in hidden}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._reset()

    def __dask_tokenize__(self):
        status = self.path.stat()
        return (str(self.path.resolve()), status.st_size, status.st_mtime_ns)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index) -> np.ndarray:
        index = index if isinstance(index, tuple) else (index,)
        numbers = np.arange(self.shape[0])[index[0]]
        rest = index[1:]
        frames = [self.read(int(t))[rest] for t in np.atleast_1d(numbers)]
        return frames[0] if numbers.ndim == 0 else np.stack(frames)

    def read(self, t: int) -> np.ndarray:
        """Decode frame `t`.

        Raises
        ------
        ValueError
            When the file is damaged there.
        """
        with self._lock:
            if t not in self._cache:
                self._decode_to(t)
            self._cache.move_to_end(t)
            return self._cache[t].copy()

    def _decode_to(self, t: int) -> None:
        """Put frame `t` into the cache, and those decoded on the way as far as they fit."""
        av = import_av()
        try:
            if self._container is None or not self._start(t) <= self._next <= t:
                self._seek(self._start(t))
            if not self._decode_on(t) and self._start(t) > 0:
                self._seek(0)  # the container's index led astray: count from the beginning
                self._decode_on(t)
        except av.error.FFmpegError as error:
            self._close()
            raise ValueError(f"{self.path}: frame {t} cannot be decoded: {error}") from error
        if t not in self._cache:
            self._close()
            raise ValueError(f"{self.path}: frame {t} cannot be decoded; the file is damaged")

    def _decode_on(self, t: int) -> bool:
        """Decode up to frame `t`; return whether it was there."""
        kept = max(2, CACHE_BYTES // (int(np.prod(self.shape[1:])) * self.dtype.itemsize))
        for number, frame in self._decoder:
            self._next = number + 1
            if t - kept < number <= t:
                self._cache[number] = self._pixels(frame)
                self._cache.move_to_end(number)
                while len(self._cache) > kept:
                    self._cache.popitem(last=False)
            if number >= t:
                break
        return t in self._cache

    def _start(self, t: int) -> int:
        """Return the number of the frame at which decoding for frame `t` has to begin."""
        place = bisect_right(self._starts, t)
        return self._starts[place - 1] if place else 0

    def _seek(self, start: int) -> None:
        """Set the decoder to frame `start`, which is a key frame or the first."""
        self._close()
        self._container = import_av().open(str(self.path))
        stream = self._container.streams.video[0]
        stream.thread_type = "AUTO"
        if start > 0:
            self._container.seek(self._stamps[start], stream=stream)
        self._next = start
        self._decoder = self._numbered(self._container.decode(stream))

    def _numbered(self, frames):
        """Yield decoded frames with their numbers."""
        for count, frame in enumerate(frames):
            number = self._numbers.get(frame.pts) if self._stamped else count
            if number is not None:
                yield number, frame

    def _close(self) -> None:
        if self._container is not None:
            self._container.close()
        self._container = self._decoder = None


def read_video(path: Path) -> Found:
    """Open a video; frames are decoded when asked for.

    Parameters
    ----------
    path : Path

    Returns
    -------
    Found
        Axes TYX or TYXS. The frame rate is what the file says, which for films of high-speed
        cameras is mostly how fast they are to be shown; for videos written by `save_movie`, the
        one they were taken at.
    """
    from dask.base import tokenize

    frames = VideoFrames(path)
    axes = "TYX" if frames.ndim == 3 else "TYXS"
    data = frames_as_dask(frames, axes, frames.dtype, f"video-{tokenize(frames)}")
    fps, steps = frames.fps, {}
    if frames.comment.startswith(COMMENT):
        own = json.loads(frames.comment.removeprefix(COMMENT))
        fps = own.get("fps", fps)
        steps = {letter: (float(step), unit) for letter, (step, unit) in own["steps"].items()}
    return Found(data, axes, fps, steps)
