"""The frames of a video as an array: which decoder reads a frame, and how it becomes pixels."""

from __future__ import annotations

import json
import math
import threading
import warnings
import zlib
from bisect import bisect_right
from collections import Counter
from pathlib import Path

import numpy as np

from napari_motionmag.compute.cache import Cache
from napari_motionmag.io.array_like import Planes
from napari_motionmag.io.video_decoder import Decoder, Disordered
from napari_motionmag.io.video_index import COMMENT, import_av, read_index

CACHE_BYTES = 1 << 26  # of decoded frames, so that going back a little need not decode again
DECODERS = 3  # open at a time: playing, reading ahead and a view elsewhere need one each


class VideoFrames(Planes):
    """The frames of a video as an array that decodes those that are read.

    The pixels of a frame are those that decoding from the first frame on gives, whatever is read
    before it and in however many threads. Several decoders are open at a time; the one that is
    nearest before a frame decodes it, so that reading ahead does not disturb who reads elsewhere.

    They are uint8, or uint16 for video of more than 8 bits (scaled to 16), (T, Y, X[, 3]).

    Attributes
    ----------
    fps, times, rate_note
        As in `VideoIndex`.
    pixel_size : (float, float)
        Height and width of a pixel, the height 1 unless pixels are wide and turned.
    own : dict
        What `save_movie` wrote into the comment: fps and steps, and whether the movie was gray.
    """

    _live = ("_decoders", "_cache", "_waiting", "_reported", "_lost", "_traces", "_changed")

    def __init__(self, path: Path):
        self.path = path
        av = import_av()
        try:
            with av.open(str(path)) as container:
                self._index = read_index(path, container)
            decoder = Decoder(path, self._index)
            decoder.seek(0)
            first = next(decoder.frames)[1]
            decoder.close()
        except StopIteration:
            raise ValueError(f"{path}: no frame can be decoded") from None
        except (av.error.FFmpegError, IndexError) as error:
            raise ValueError(f"{path}: not a readable video: {error}") from error
        self.fps, self.times = self._index.fps, self._index.times
        self.rate_note = self._index.rate_note
        self.own = self._read_comment()
        self._choose_pixels(first)
        pixels = self._pixels(first)
        self.dtype = pixels.dtype
        self.shape = (self._index.count, *pixels.shape)
        self._reset()

    def _read_comment(self) -> dict:
        """Return what `save_movie` wrote into the comment of the video."""
        comment = self._index.comment
        if not comment.startswith(COMMENT):
            return {}
        try:
            return dict(json.loads(comment.removeprefix(COMMENT)))
        except (ValueError, TypeError) as error:
            warnings.warn(
                f"{self.path}: its comment cannot be read ({error}); rate and calibration in it "
                "are left out",
                stacklevel=3,
            )
            return {}

    def _choose_pixels(self, frame) -> None:
        """Decide from the first frame how frames become arrays."""
        name, components = frame.format.name, frame.format.components
        deep = components[0].bits > 8
        gray = name.startswith(("gray", "mono"))
        alpha = name != "pal8" and any(component.is_alpha for component in components)
        if alpha and frame.to_ndarray(format="rgba")[..., 3].min() < 255:
            warnings.warn(f"{self.path}: the alpha channel of the video is left out", stacklevel=3)
        if getattr(frame, "interlaced_frame", False):
            warnings.warn(
                f"{self.path}: is interlaced: every second row of a frame is of another moment",
                stacklevel=3,
            )
        self._format = {
            (False, False): "rgb24",
            (False, True): "gray",
            (True, False): "rgb48le",
            (True, True): "gray16le",
        }[deep, gray]
        # the direct conversion of deep pixels that share colors is inexact, of odd sizes wrong
        shared = not gray and components[-1].width < frame.width
        self._between = "gbrp16le" if deep and shared else None
        self._orientation = _orientation(frame)
        transposed, _, _ = self._orientation
        self.pixel_size = (self._index.aspect, 1.0) if transposed else (1.0, self._index.aspect)
        self._is_gray = not gray and (self.own.get("grey", False) or _gray_palette(frame))

    def _pixels(self, frame) -> np.ndarray:
        # one thread: in several, FFmpeg may write over the pixels where the next one began
        if self._between is not None:
            frame = frame.reformat(format=self._between, threads=1)
        pixels = frame.to_ndarray(format=self._format, threads=1)
        if self._is_gray:
            pixels = pixels[..., 1]
        transposed, flip_rows, flip_columns = self._orientation
        if transposed:
            pixels = pixels.swapaxes(0, 1)
        pixels = pixels[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]
        return np.ascontiguousarray(pixels)

    def _reset(self) -> None:
        self._decoders: list[Decoder] = []
        self._cache = Cache()
        self._waiting: Counter[int] = Counter()
        self._reported: set[int] = set()
        self._lost: dict[int, str] = {}
        self._traces: dict[int, int] = {}
        self._changed = threading.Condition()

    def read(self, t: int) -> np.ndarray:
        """Decode frame `t`; ValueError when the file is damaged there."""
        with self._changed:
            self._waiting[t] += 1
        try:
            while True:
                with self._changed:
                    frame = self._cache.peek(t)
                    if frame is not None:
                        return frame.copy()
                    if t in self._lost:
                        raise ValueError(f"{self.path}: frame {t} cannot be decoded{self._lost[t]}")
                    decoder = self._take(t)
                if decoder is not None:
                    return self._decode(decoder, t).copy()
        finally:
            with self._changed:
                self._waiting[t] -= 1
                if not self._waiting[t]:
                    del self._waiting[t]

    def _start(self, t: int) -> int:
        """Return the number of the frame at which decoding for frame `t` has to begin."""
        place = bisect_right(self._index.starts, t)
        return self._index.starts[place - 1] if place else 0

    def _take(self, t: int) -> Decoder | None:
        """Reserve a decoder for frame `t`; None, after waiting, when one was busy nearby."""
        start = self._start(t)
        near = [decoder for decoder in self._decoders if start <= decoder.next <= t]
        idle = [decoder for decoder in self._decoders if not decoder.busy]
        if near:
            chosen = max(near, key=lambda decoder: decoder.next)
        elif len(self._decoders) < DECODERS:
            chosen = Decoder(self.path, self._index)
            self._decoders.append(chosen)
        elif idle:
            chosen = idle[0]
        else:
            chosen = None
        if chosen is None or chosen.busy:
            self._changed.wait()
            return None
        chosen.busy = True
        if not near:
            chosen.jump_to(start)
        self._decoders.remove(chosen)  # the last one used is the last one taken for elsewhere
        self._decoders.append(chosen)
        return chosen

    def _decode(self, decoder: Decoder, t: int) -> np.ndarray:
        """Decode frame `t` with a decoder that was taken; give the decoder back."""
        problem = "; the file is damaged"
        try:
            if decoder.must_seek:
                decoder.seek(decoder.next)
            frame = self._decode_on(decoder, t)
            start = self._start(t)
            # the key frame may be damaged or none, or the container's index lead astray
            for earlier in (self._start(start - 1) if start else 0, 0):
                if frame is None and decoder.begun > earlier:
                    decoder.seek(earlier)
                    frame = self._decode_on(decoder, t)
            if frame is None and self._index.stamped:
                decoder.seek(start, strict=False)
                frame = self._decode_on(decoder, t, keep_others=False)
                decoder.close()
                decoder.jump_to(0)
                if frame is not None:
                    self._report(t)
        except import_av().error.FFmpegError as error:
            frame, problem = None, f": {error}"
        except Disordered:
            return self._count_frames(t)
        finally:
            with self._changed:
                decoder.busy = False
                self._changed.notify_all()
        if frame is None:
            with self._changed:
                self._lost[t] = problem
                self._decoders.remove(decoder)
            decoder.close()
            raise ValueError(f"{self.path}: frame {t} cannot be decoded{problem}")
        return frame

    def _decode_on(self, decoder: Decoder, t: int, keep_others: bool = True) -> np.ndarray | None:
        """Decode up to frame `t`; keep the frames on the way as far as they fit."""
        kept = max(2, CACHE_BYTES // (math.prod(self.shape[1:]) * self.dtype.itemsize))
        kept = kept if keep_others else 1
        wanted = None
        for number, frame, damaged in decoder.frames:
            if t - kept < number <= t or (self._waiting[number] and keep_others):
                pixels = self._pixels(frame)
                trace = zlib.crc32(pixels[::16].tobytes())
                # damage that a decoder does not notice shows where it decodes a frame otherwise
                if damaged or self._traces.setdefault(number, trace) != trace:
                    self._report(number)
                if pixels.shape != self.shape[1:]:
                    raise ValueError(
                        f"{self.path}: frame {number} is {pixels.shape}, those before it are "
                        f"{self.shape[1:]}"
                    )
                with self._changed:
                    self._cache.put(number, pixels)
                    self._changed.notify_all()
                if number == t:
                    wanted = pixels
            if number >= t:
                break
        return wanted

    def _count_frames(self, t: int) -> np.ndarray:
        """Give up time stamps, which are wrong, and read frame `t` by counting."""
        warnings.warn(
            f"{self.path}: its frames do not come in the order of their time stamps; they are "
            "counted from the first, which is slow",
            stacklevel=4,
        )
        with self._changed:
            self._index = self._index.counted()
            self._decoders = []
            self._cache.clear()
        return self.read(t)

    def _report(self, t: int) -> None:
        """Warn once that a frame is damaged."""
        with self._changed:
            known = t in self._reported
            self._reported.add(t)
        if not known:
            warnings.warn(
                f"{self.path}: frame {t} is damaged; its pixels are what could be decoded",
                stacklevel=4,
            )


def _orientation(frame) -> tuple[bool, bool, bool]:
    """Return whether to transpose a frame, then to flip its rows, its columns."""
    matrix = None
    for data in frame.side_data:
        if data.type.name == "DISPLAYMATRIX":
            matrix = np.frombuffer(bytes(data)[:36], np.int32).reshape(3, 3)[:2, :2]
    if matrix is None:
        return False, False, False
    (a, b), (c, d) = matrix.tolist()  # to the right: a x + c y; down: b x + d y
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return False, d < 0, a < 0
    return True, b < 0, c < 0


def _gray_palette(frame) -> bool:
    """Whether a frame has a palette, of grays only."""
    if frame.format.name != "pal8":
        return False
    palette = np.frombuffer(bytes(frame.planes[1]), np.uint8)[:1024].reshape(-1, 4)
    return bool((palette[:, :1] == palette[:, 1:3]).all())
