"""Files of drawn frames: H.264 video, GIF, animated WebP, and folders of PNG frames."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np

from napari_motionmag.compute.optional import optional
from napari_motionmag.export.film import Film
from napari_motionmag.io.h264 import h264_video

_GIF_COLORS = 255
_SAMPLED = 65536  # pixels of the first frame that palettes are made of
_FRAME = "frame_{:05d}.png"


@dataclass(frozen=True)
class Encoder:
    """How a kind of file is written."""

    label: str  # in file dialogs
    write: Callable  # ``write(path, film, frames, loops, comment)``, frames (Y, X, 3) uint8
    fastest: float = 60.0  # frames per second that players show
    is_folder: bool = False
    loops: int = 1  # how often it is shown unless that is given; 0 is forever


def encoder_of(path: Path) -> Encoder:
    """Return the encoder by the extension of a path; ValueError if it is unknown."""
    extension = path.suffix.lower()
    if extension not in ENCODERS:
        known = ", ".join(name for name in ENCODERS if name)
        raise ValueError(
            f"{path}: cannot export to {extension!r}; can be {known}, or a name without an "
            "extension for a folder of PNG frames"
        )
    return ENCODERS[extension]


def is_frames_folder(path: Path) -> bool:
    """Whether a folder holds nothing but frames that were exported."""
    names = [item.name for item in path.iterdir()] if path.is_dir() else []
    return bool(names) and all(
        name.startswith("frame_") and name.endswith(".png") for name in names
    )


def _write_h264(
    path: Path, film: Film, frames: Iterable, loops: int, comment: str, *, container: str
) -> None:
    with h264_video(path, container, film.fps, film.shape, comment, loops=loops) as add:
        for frame in frames:
            add(frame)


def _write_gif(path: Path, film: Film, frames: Iterable, loops: int, comment: str) -> None:
    """Write a GIF of one palette for all frames, so that colors do not flicker."""
    from PIL import Image

    frames = iter(frames)
    first = next(frames)
    palette = _palette(first, film.colors)
    colors = np.zeros((256, 4), np.uint8)
    table = np.array(palette.getpalette(), np.uint8).reshape(-1, 3)[:256]
    colors[: len(table), 1:], colors[:, 0] = table, 255
    with _animation(path, "gif", "gif", "pal8", film, Fraction(1, 100), loops) as add:
        for frame in chain([first], frames):
            drawn = Image.fromarray(frame)
            indices = drawn.quantize(palette=palette, dither=Image.Dither.NONE)
            add((np.asarray(indices), colors))


def _palette(first: np.ndarray, colors: np.ndarray):
    """Return a picture with a palette for the colors of a film, which look like its first frame."""
    from PIL import Image

    pixels = first.reshape(-1, 3)
    step = max(1, len(pixels) // _SAMPLED)
    known = np.unique(np.concatenate([pixels[::step], colors]), axis=0)
    if len(known) > _GIF_COLORS:  # what the frame has much of counts more
        known = np.concatenate([pixels[::step], np.repeat(colors, 16, axis=0)])
    return Image.fromarray(known[np.newaxis]).quantize(_GIF_COLORS)


def _write_webp(path: Path, film: Film, frames: Iterable, loops: int, comment: str) -> None:
    options = {"quality": "90"}
    unit = Fraction(1, 1000)
    with _animation(path, "webp", "libwebp_anim", "bgra", film, unit, loops, options) as add:
        for frame in frames:
            add(frame)


@contextmanager
def _animation(
    path: Path, container, codec, pixels, film: Film, unit: Fraction, loops: int, options=None
) -> Iterator[Callable]:
    """Yield a function that adds a frame to an animated picture; `unit` is that of its times."""
    av = optional("av", "video", "animated pictures")
    # the file counts the repetitions, -1 is none
    repeats = {"gif": loops - 1 if loops != 1 else -1, "webp": loops}[container]
    repeats = 0 if loops == 0 else repeats
    loop = {"loop": str(repeats)}
    with av.open(str(path), "w", format=container, container_options=loop) as file:
        track = file.add_stream(codec, rate=film.fps, options=options or {})
        track.height, track.width = film.shape
        track.pix_fmt = pixels
        track.codec_context.time_base = unit
        count = 0

        def add(frame) -> None:
            nonlocal count
            source = "pal8" if pixels == "pal8" else "rgb24"
            picture = av.VideoFrame.from_ndarray(frame, source)
            picture = picture if source == pixels else picture.reformat(format=pixels)
            picture.pts, picture.time_base = round(count / film.fps / unit), unit
            count += 1
            file.mux(track.encode(picture))

        yield add
        file.mux(track.encode(None))


def _write_png(path: Path, film: Film, frames: Iterable, loops: int, comment: str) -> None:
    from PIL import Image

    path.mkdir()
    for number, frame in enumerate(frames):
        Image.fromarray(frame).save(path / _FRAME.format(number), compress_level=3)


#: By extension: the kinds of files that movies are exported to; "" is a folder.
ENCODERS: dict[str, Encoder] = {
    ".mp4": Encoder("MP4 video (PowerPoint, browsers)", partial(_write_h264, container="mp4")),
    ".mov": Encoder("QuickTime video", partial(_write_h264, container="mov")),
    ".gif": Encoder("GIF", _write_gif, fastest=50.0, loops=0),
    ".webp": Encoder("Animated WebP", _write_webp, loops=0),
    "": Encoder("Folder of PNG frames", _write_png, is_folder=True),
}
