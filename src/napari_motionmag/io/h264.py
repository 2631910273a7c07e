"""H.264 videos that play in browsers, in PowerPoint and on phones: 8 bits, 4:2:0, even sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import numpy as np

from napari_motionmag.io.video_index import import_av


@contextmanager
def h264_video(
    path: Path,
    container: str,
    rate: Fraction,
    size: tuple[int, int],
    comment: str,
    aspect: Fraction | None = None,
    loops: int = 1,
) -> Iterator[Callable[[np.ndarray], None]]:
    """Yield a function that adds a frame, (Y, X) or (Y, X, 3) uint8, to a video.

    `size` is (height, width), even numbers; `aspect` width over height of a pixel. The index stands
    at the start of the file, so that browsers play it while it loads. With `loops`, the video holds
    the frames that many times.
    """
    av = import_av()
    codec = codec_name(av)
    options = {"q": "2"} if codec == "mpeg4" else {"crf": "16", "preset": "medium"}
    if codec == "libx264":
        options["profile"] = "high"
    index_first = {"movflags": "+faststart"}
    with av.open(str(path), "w", format=container, container_options=index_first) as file:
        file.metadata["comment"] = comment
        track = file.add_stream(codec, rate=rate, options=options)
        track.height, track.width = size
        track.pix_fmt = "yuv420p"
        context = track.codec_context
        if aspect is not None:
            context.sample_aspect_ratio = aspect
        # name the matrix, or players guess it by the size of the frame
        context.color_range, context.colorspace = 1, 1
        context.color_primaries, context.color_trc = 1, 1
        packets, count = [], 0

        def write(encoded) -> None:
            if loops > 1:
                packets.extend((bytes(p), p.pts, p.dts, p.is_keyframe) for p in encoded)
            file.mux(encoded)

        def add(frame: np.ndarray) -> None:
            nonlocal count
            # converting directly from grey would truncate
            colors = frame if frame.ndim == 3 else np.stack([frame] * 3, axis=-1)
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(colors), "rgb24")
            # one thread: in several, FFmpeg may write over the pixels where the next one began
            picture = picture.reformat(
                format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG", threads=1
            )
            picture.pts, picture.time_base = count, 1 / rate
            count += 1
            write(track.encode(picture))

        yield add
        write(track.encode(None))
        _repeat(av, file, track, packets, count, rate, loops)


def _repeat(av, file, track, packets, count: int, rate: Fraction, loops: int) -> None:
    """Add the packets of a whole video again, as they are."""
    for loop in range(1, loops):
        for content, pts, dts, is_key in packets:
            packet = av.Packet(content)
            packet.stream, packet.time_base = track, 1 / rate
            packet.pts, packet.dts = pts + loop * count, dts + loop * count
            packet.is_keyframe = is_key
            file.mux(packet)


def codec_name(av) -> str:
    """Return the name of an encoder that this build of av has."""
    for name in ("libx264", "libopenh264", "h264_videotoolbox", "mpeg4"):
        if name in av.codecs_available:
            return name
    raise ImportError("this build of av can write neither H.264 nor MPEG-4 video")
