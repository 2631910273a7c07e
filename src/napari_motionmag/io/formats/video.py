"""Video files: frames decoded where they are read, written to look at and to show."""

from __future__ import annotations

from pathlib import Path

from napari_motionmag.io.formats.base import FileMovie, Format
from napari_motionmag.io.metadata import calibration_of, positive_number
from napari_motionmag.io.video_frames import VideoFrames
from napari_motionmag.io.video_writer import check_video, write_video


def read_video(path: Path) -> FileMovie:
    """Open a video of axes TYX or TYXS, its rate that of `save_movie` or the one in the file.

    The latter is for films of high-speed cameras mostly how fast they are to be shown.
    """
    frames = VideoFrames(path)
    axes = "TYX" if frames.ndim == 3 else "TYXS"
    fps, steps = frames.fps, {}
    if frames.own:
        calibration = calibration_of(path, lambda: _calibration(path, frames.own))
        fps, steps = calibration.get("fps", fps), calibration.get("steps", {})
    elif frames.pixel_size != (1.0, 1.0):
        steps = dict(zip("YX", ((size, "pixel") for size in frames.pixel_size), strict=True))
    return FileMovie(frames, axes, fps, steps)


def _calibration(path: Path, own: dict) -> dict:
    """Return fps and steps by the comment of a video written here."""
    fps = positive_number(path, "fps", own.get("fps"))
    steps = {letter: (float(step), unit) for letter, (step, unit) in own["steps"].items()}
    return {"steps": steps} if fps is None else {"steps": steps, "fps": fps}


_EXTENSIONS = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".wmv", ".mpg", ".mpeg", ".mts", ".3gp"),
    ".cine",
    ".gif",
)
FORMAT = Format(
    name="video",
    label="Video",
    extensions=_EXTENSIONS,
    read=read_video,
    writes=(".mp4", ".mov", ".avi"),
    check=check_video,
    write=write_video,
    in_napari=_EXTENSIONS[:-1],  # napari reads GIF itself
    rank=3,
)
