"""Write videos for viewing (H.264: .mp4, .mov) and lossless ones of PNG frames (.avi)."""

from __future__ import annotations

import json
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np

from napari_motionmag.compute.validate import above_zero
from napari_motionmag.io.formats.base import WriteOptions
from napari_motionmag.io.frame_stream import FrameStream
from napari_motionmag.io.h264 import h264_video
from napari_motionmag.io.video_index import COMMENT, import_av
from napari_motionmag.movie.intensity import checked_range, refuse_non_finite
from napari_motionmag.movie.movie import Movie

FASTEST = 120.0  # frames per second; players drop frames beyond
SLOW = 30.0  # what faster movies are shown at


def check_video(movie: Movie | None, options: WriteOptions) -> None:
    """Raise an error when a movie cannot be a video, or av is not installed."""
    import_av()
    playback_fps = options.playback_fps
    if playback_fps is not None:
        above_zero("playback_fps", playback_fps)
    if movie is None:
        return
    if movie.other_axes:
        raise ValueError(
            f"a video holds one series; the movie has axes {movie.axes!r}: choose one index along "
            f"{', '.join(movie.other_axes)}, or write .tif or .zarr"
        )
    if movie.fps is None and playback_fps is None:
        raise ValueError("fps is needed to write a video: pass it, or playback_fps")


def write_video(path: Path, stream: FrameStream, options: WriteOptions) -> None:
    """Write a video of a movie of axes T, Y, X and perhaps S.

    ``.mp4`` and ``.mov`` are H.264, which loses a little and has 8 bits; ``.avi`` has PNG frames,
    which keep 8- and 16-bit integers and open in ImageJ. A movie that was taken faster than
    players can show is shown at 30 frames per second unless ``playback_fps`` says otherwise; the
    true rate is kept in the comment and read back from there. ``intensity_range`` are the
    intensities shown as black and white where 8 bits cannot hold them.
    """
    extension, intensity_range = options.extension, options.intensity_range
    movie = stream.movie
    rate = _rate(movie, options.playback_fps)
    shown = _Shown(movie, intensity_range, lossless=extension == ".avi")
    comment = COMMENT + json.dumps(_own(movie))
    if extension == ".avi":
        _write_png_video(path, stream, shown, rate, comment)
        return
    height, width = movie.frame_shape[:2]
    padded = height % 2, width % 2
    if any(padded):
        warnings.warn(
            f"{extension} video has even sizes only; the last row or column of "
            f"{height} x {width} is repeated",
            stacklevel=4,
        )
    size = height + padded[0], width + padded[1]
    container = extension.removeprefix(".")
    with h264_video(path, container, rate, size, comment, _aspect(movie)) as add:
        for (t,), frame in stream.frames("T"):
            add(_padded(shown(t, frame), padded))


def _write_png_video(
    path: Path, stream: FrameStream, shown: _Shown, rate: Fraction, comment: str
) -> None:
    av = import_av()
    # four times as fast as the default level, and no larger
    options = {"compression_level": "3", "pred": "up"}
    with av.open(str(path), "w", format="avi") as container:
        container.metadata["comment"] = comment
        track = container.add_stream("png", rate=rate, options=options)
        track.height, track.width = stream.movie.frame_shape[:2]
        track.pix_fmt = shown.format
        if (aspect := _aspect(stream.movie)) is not None:
            track.codec_context.sample_aspect_ratio = aspect
        for (t,), frame in stream.frames("T"):
            pixels = np.ascontiguousarray(shown(t, frame))
            picture = av.VideoFrame.from_ndarray(pixels, shown.format)
            picture.pts, picture.time_base = t, 1 / rate
            container.mux(track.encode(picture))
        container.mux(track.encode(None))


class _Shown:
    """Converts frames to pixels that a video can hold."""

    def __init__(self, movie: Movie, intensity_range, lossless: bool):
        native = movie.dtype.newbyteorder("=")
        deep = lossless and native == np.uint16
        self.dtype = np.dtype(np.uint16 if deep else np.uint8)
        names = {("u1", False): "gray", ("u1", True): "rgb24"}
        names |= {("u2", False): "gray16be", ("u2", True): "rgb48be"}
        self.format = names[self.dtype.str[1:], movie.is_rgb]
        self.as_it_is = native == self.dtype and intensity_range is None
        if movie.has_alpha:
            warnings.warn("video has no alpha; it is left out", stacklevel=5)
        if not self.as_it_is:
            self.black, self.white = checked_range(intensity_range or movie.intensity_range)
            if intensity_range is None:
                warnings.warn(
                    f"{movie.dtype} intensities {self.black:g}..{self.white:g} are shown as "
                    "0..255; what is darker or brighter is clipped",
                    stacklevel=5,
                )

    def __call__(self, t: int, frame: np.ndarray) -> np.ndarray:
        frame = frame[..., :3] if frame.ndim == 3 else frame
        if self.as_it_is:
            return frame.astype(self.dtype, copy=False)
        refuse_non_finite(frame, f"frame t={t} of the movie")
        top = np.iinfo(self.dtype).max
        unit = (frame.astype(np.float64) - self.black) / (self.white - self.black)
        return np.rint(np.clip(unit, 0, 1) * top).astype(self.dtype)


def _padded(frame: np.ndarray, rows_and_columns: tuple[int, int]) -> np.ndarray:
    """Repeat the last row or column."""
    widths = [(0, n) for n in rows_and_columns] + [(0, 0)] * (frame.ndim - 2)
    return np.pad(frame, widths, "edge") if any(rows_and_columns) else frame


def _rate(movie: Movie, playback_fps: float | None) -> Fraction:
    rate = movie.fps if playback_fps is None else playback_fps
    if playback_fps is None and rate > FASTEST:
        warnings.warn(
            f"the video is to be shown at {SLOW:g} frames per second, slower than the "
            f"{rate:g} it was taken at",
            stacklevel=5,
        )
        rate = SLOW
    return Fraction(rate).limit_denominator(1001)


def _own(movie: Movie) -> dict:
    """Return the calibration that the comment of the video keeps."""
    steps = {letter: step for letter, step in movie.steps.items() if letter != "T"}
    own = {"steps": steps, "grey": not movie.is_rgb}
    return own if movie.fps is None else own | {"fps": movie.fps}


def _aspect(movie: Movie) -> Fraction | None:
    """Return width over height of a pixel for players, or None for square ones."""
    (height, unit), (width, other) = (movie.steps.get(letter, (1, "")) for letter in "YX")
    if unit != other or abs(width) == abs(height):
        return None
    ratio = Fraction(abs(width / height)).limit_denominator(255)
    return ratio if 0 < ratio <= 255 else None  # what H.264 can hold
