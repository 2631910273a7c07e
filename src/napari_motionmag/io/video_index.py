"""What the packets of a video file say: which stream is the movie, its frames, key frames, times.

Packets are read, frames are not decoded.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass, replace

import numpy as np

from napari_motionmag.compute.optional import optional
from napari_motionmag.compute.validate import rounded
from napari_motionmag.movie.frame_times import usual_rate

COMMENT = "napari-motionmag "  # what the comment of a video written here begins with
PLAYBACK = (24, 25, 30, 50, 60)  # rates of players, and these / 1.001: perhaps not of the camera
# tags in which phones and high-speed cameras say how many frames per second they took
CAPTURE_TAGS = ("com.android.capture.fps", "com.apple.quicktime.capture.fps", "capture_fps")


@dataclass(frozen=True)
class VideoIndex:
    """Frames of the movie in a video file."""

    stream: int  # index of the stream that is the movie
    count: int  # of frames
    numbers: dict[int, int]  # of frames by their time stamps; empty where these are not unique
    stamps: tuple[int, ...]  # time stamp of each frame, ascending; empty like `numbers`
    starts: tuple[int, ...]  # numbers of the frames at which decoding can begin, ascending
    # time stamps of frames at which decoding begins anew, as none after them refers to one before;
    # empty where all frames are such
    closed: frozenset[int]
    places: dict[int | None, int]  # byte of each time stamp's packet, by which jumps are checked
    fps: float | None  # as most frames follow one another
    times: np.ndarray | None  # seconds from the first frame, (T,), where the file says so
    aspect: float  # width of a pixel over its height
    comment: str
    rate_note: str  # what to know of `fps`; empty where the file says how it was taken

    def counted(self) -> VideoIndex:
        """Return the same index for frames that have to be counted."""
        return replace(self, numbers={}, stamps=(), starts=(), closed=frozenset())

    @property
    def stamped(self) -> bool:
        """Whether frames are known by their time stamps; without, they have to be counted."""
        return bool(self.numbers)


def import_av():
    """Return the module ``av``, or raise ImportError that names the extra."""
    return optional("av", "video", "video files")


def read_index(path, container) -> VideoIndex:
    """Read the packets of an open video; ValueError when there is no video in the file."""
    from av.error import FFmpegError

    videos = [stream for stream in container.streams.video if stream.codec_context is not None]
    if not videos:
        none = "no video" if not container.streams.video else "a video of an unknown codec"
        raise ValueError(f"{path}: holds {none}")
    known = videos
    packets: dict[int, list[tuple[int | None, bool]]] = {stream.index: [] for stream in videos}
    hidden = dict.fromkeys(packets, 0)
    last = dict.fromkeys(packets, -1)
    places: dict[int, dict[int | None, int]] = {stream.index: {} for stream in videos}
    damage = ""
    if container.format.name == "cine":  # raw frames, many gigabytes of them, and an index
        frames = len(videos[0].index_entries)
        packets[videos[0].index] = [(number, True) for number in range(frames)]
        videos = ()
    try:
        for packet in container.demux(videos) if videos else ():
            last[packet.stream.index] = max(last[packet.stream.index], packet.dts or 0)
            shown = packet.size > 0 and not packet.is_discard and not _is_hidden(packet)
            if shown:
                packets[packet.stream.index].append((packet.pts, packet.is_keyframe))
                places[packet.stream.index][packet.pts] = packet.pos
            elif packet.dts is not None:
                hidden[packet.stream.index] += 1
    except FFmpegError as error:
        damage = f" ({error})"
    stream = _choose_stream(path, known, packets)
    found = packets[stream.index]
    if not found:
        raise ValueError(f"{path}: no frame can be decoded{damage}")
    count = len(found) + hidden[stream.index]
    if container.format.name == "avi":  # frames that were dropped have a time and no packet
        count = max(count, last[stream.index] + 1)
    _warn_if_short(path, container, stream, found, count, damage)
    stamps = [stamp for stamp, _ in found]
    stamped = None not in stamps and len(set(stamps)) == len(stamps)
    if container.format.name == "avi" and getattr(stream.codec_context, "has_b_frames", 0):
        stamped = False  # AVI has no time stamps; those made up for reordered frames are wrong
    numbers = {stamp: number for number, stamp in enumerate(sorted(stamps))} if stamped else {}
    starts = sorted(numbers[stamp] for stamp, is_key in found if is_key) if stamped else []
    # other containers and codecs mark frames, too, that only after some others are whole
    exact = "mp4" in container.format.name and stream.codec_context.name in ("h264", "hevc")
    comment = container.metadata.get("comment", "")
    fps = float(stream.average_rate) if stream.average_rate else None
    times = None
    if stamped and len(stamps) > 1 and stream.time_base:
        ticks = np.array(sorted(stamps), np.float64)
        times = (ticks - ticks[0]) * float(stream.time_base)
        fps = usual_rate(path, times, _tick(container, stream), stream.average_rate)
    rate_note = ""
    if not comment.startswith(COMMENT):  # which knows its rate
        capture = _capture_rate(container, stream)
        if capture is None and container.format.name != "cine":
            rate_note = _rate_note(fps)
        if capture is not None and fps is not None and abs(capture / fps - 1) > 0.01:
            warnings.warn(
                f"{path}: was taken at {capture:g} frames per second, as its metadata say, and is "
                f"shown at {fps:g}; the first is its rate",
                stacklevel=2,
            )
            times = None if times is None else times * (fps / capture)
            fps = capture
    return VideoIndex(
        stream=stream.index,
        count=len(found),
        numbers=numbers,
        stamps=tuple(sorted(stamps)) if stamped else (),
        starts=tuple(starts),
        closed=_closed(found) if exact and 0 < len(starts) < len(found) else frozenset(),
        places=places[stream.index],
        fps=fps,
        times=times,
        aspect=float(stream.sample_aspect_ratio or 1) or 1.0,
        comment=comment,
        rate_note=rate_note,
    )


def _closed(found: list[tuple[int, bool]]) -> frozenset[int]:
    """Return the time stamps of the key frames after which no earlier frame comes."""
    closed, first = set(), math.inf
    for stamp, is_key in reversed(found):
        if is_key and stamp < first:
            closed.add(stamp)
        first = min(first, stamp)
    return frozenset(closed)


def _is_hidden(packet) -> bool:
    """Whether a packet holds a frame that is for reference only, as VP8 has them."""
    return packet.stream.codec_context.name == "vp8" and not bytes(packet)[0] & 16


def _choose_stream(path, videos, packets):
    """Return the stream that is the movie, and warn when others are left out."""
    pictures = [s for s in videos if _is_cover(s) or len(packets[s.index]) < 2]
    movies = [stream for stream in videos if stream not in pictures]
    if not movies:
        return videos[0]

    def quality(stream) -> tuple:
        context = stream.codec_context
        return context.width * context.height, len(packets[stream.index]), -stream.index

    best = max(movies, key=quality)
    if len(videos) > 1:
        left = []
        if len(movies) > 1:
            left.append(f"{len(movies)} video streams")
        if pictures:
            left.append(f"{len(pictures)} cover or other single picture")
        context = best.codec_context
        warnings.warn(
            f"{path}: holds {' and '.join(left)}; stream {best.index} is read "
            f"({context.width} x {context.height}, {len(packets[best.index])} frames)",
            stacklevel=3,
        )
    return best


def _is_cover(stream) -> bool:
    disposition = getattr(stream, "disposition", None)
    return disposition is not None and "attached_pic" in str(disposition).lower()


def _warn_if_short(path, container, stream, found, count: int, damage: str) -> None:
    """Warn when the file ends before the frames that it promises."""
    promised = stream.frames
    if promised and "mp4" in container.format.name:  # edit lists leave out frames
        promised = len(getattr(stream, "index_entries", ())) or promised
    if promised > count:
        warnings.warn(
            f"{path}: ends after {count} of the {promised} frames that it promises{damage}",
            stacklevel=3,
        )
    elif damage:
        warnings.warn(f"{path}: is damaged after {count} frames{damage}", stacklevel=3)
    elif not stream.frames and stream.duration is None and container.duration:
        stamps = [stamp for stamp, _ in found if stamp is not None]
        if len(stamps) < 2:
            return
        last = float(max(stamps) * stream.time_base)
        interval = (last - float(min(stamps) * stream.time_base)) / (len(stamps) - 1)
        promised = _promised_seconds(stream, container)
        if promised - last > 3 * interval + 0.1 * promised:
            warnings.warn(
                f"{path}: ends after {rounded(last + interval, 3)} s of the "
                f"{rounded(promised, 3)} s that it promises",
                stacklevel=3,
            )


def _promised_seconds(stream, container) -> float:
    """Return the duration of the stream by its tag (Matroska), or else of the whole file."""
    parts = stream.metadata.get("DURATION", "").split(":")
    try:
        hours, minutes, seconds = map(float, parts)
    except ValueError:
        return container.duration / 1e6 if len(container.streams) == 1 else 0.0
    return 3600 * hours + 60 * minutes + seconds


def _tick(container, stream) -> float:
    """Return by how many seconds rounding may shift a time stamp: 0 where frames are counted."""
    rates = [stream.average_rate]
    if "matroska" not in container.format.name:  # which counts milliseconds
        rates.append(stream.base_rate)
    for rate in rates:
        ticks = float(1 / (rate * stream.time_base)) if rate else 0.0
        if abs(ticks - round(ticks)) < 1e-3 < ticks:
            return 0.0
    return float(stream.time_base)


def _capture_rate(container, stream) -> float | None:
    """Return the rate at which the frames were taken, where a tag of the camera says so."""
    tags = {
        key.lower(): value
        for metadata in (container.metadata, stream.metadata)
        for key, value in metadata.items()
    }
    for tag in CAPTURE_TAGS:
        try:
            rate = float(tags[tag])
        except (KeyError, ValueError):
            continue
        if 0 < rate < 1e9:
            return rate
    return None


def _rate_note(fps: float | None) -> str:
    """Return a hint where a rate is one that videos are shown at."""
    known = (rate / slower for rate in PLAYBACK for slower in (1, 1.001))
    if fps is None or not any(math.isclose(fps, rate, rel_tol=1e-4) for rate in known):
        return ""
    return (
        f"{fps:.4g} fps may be only the playback speed; give the rate of the camera if it differs"
    )
