"""What an exported movie shows: panels, slices, text and timing. No pixel is computed here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from napari_motionmag.compute.validate import (
    above_zero,
    checked_flag,
    finite_number,
    is_list,
    one_of,
    told_apart,
    warn_user,
    whole_number,
)
from napari_motionmag.export.look import Look
from napari_motionmag.export.panels import Panel, panel
from napari_motionmag.views.estimators.series import pixel_size

LAYOUTS = ("grid", "row", "column", "split")
INTERPOLATIONS = ("nearest", "linear", "cubic")
BACKGROUNDS = ("black", "white")
FASTEST = 60.0  # frames per second that players show
SLOWEST = 10.0  # below, frames are repeated: players seek badly in slower videos
SLOW = 30.0  # what movies are shown at that were taken faster than players can show


@dataclass(frozen=True)
class Composition:
    """Movies side by side, with slices, text and timing, to be drawn frame by frame.

    Parameters
    ----------
    panels : sequence of Panel
        Of as many frames each. The first one gives times and the rate.
    layout : {"grid", "row", "column", "split"}
        "split" shows the first movie on the left of a divider and the second one on its right.
    divider : float, optional
        Split: its place from 0, left, to 1; it moves to and fro when None.
    labels : bool
        Whether the labels of the panels are shown.
    scale_bar : float or bool, optional
        Length in um; one that fits when True, and also when None if the pixel size is known.
    time_stamp : bool, optional
        Whether the time of each frame is shown; when None, if the rate is known.
    speed : float, optional
        Of the playback against real time, for example ``1 / 20``.
    playback_fps : float, optional
        Frames of the movie per second of playback, instead of `speed`. Without both, movies of up
        to 60 frames per second play in real time, faster ones at 30.
    frames : slice, optional
        Frames to show; all by default.
    zoom : float, optional
        Output pixels for each pixel of the first movie; what fits a screen when None.
    interpolation : {"nearest", "linear", "cubic"}
        Between pixels that are enlarged. When they are reduced, squares are averaged.
    background : {"black", "white"}

    Raises
    ------
    ValueError
        If an argument is invalid, the movies do not fit together, a rate is unknown that `speed`
        or `time_stamp` needs, or a pixel size that `scale_bar` needs.
    """

    panels: Sequence[Panel]
    layout: str = "grid"
    divider: float | None = None
    labels: bool = True
    scale_bar: float | bool | None = None
    time_stamp: bool | None = None
    speed: float | None = None
    playback_fps: float | None = None
    frames: slice | None = None
    zoom: float | None = None
    interpolation: str = "nearest"
    background: str = "black"

    def __post_init__(self):
        panels = tuple(self.panels)
        if not panels:
            raise ValueError("there is no movie to export")
        object.__setattr__(self, "panels", panels)
        checked_flag("labels", self.labels)
        if self.time_stamp is not None:
            checked_flag("time_stamp", self.time_stamp)
        one_of("layout", self.layout, LAYOUTS)
        one_of("interpolation", self.interpolation, INTERPOLATIONS)
        one_of("background", self.background, BACKGROUNDS)
        if self.zoom is not None:
            above_zero("zoom", self.zoom)
        self._check_panels()
        object.__setattr__(self, "times", self._times())
        self._check_timing()
        self._check_scale_bar()

    def with_labels(self, labels: bool) -> Composition:
        """Return the composition with or without the labels."""
        return replace(self, labels=labels)

    @property
    def fps(self) -> float | None:
        """Frames per second at which the first movie was taken."""
        return self.panels[0].movie.fps

    @property
    def shown_speed(self) -> float | None:
        """Speed of the playback against real time; None if the rate is unknown."""
        if self.speed is not None or self.fps is None:
            return self.speed
        return self._rate / self.fps

    @property
    def bar_length(self) -> float | None:
        """Length of the scale bar in um where one was given."""
        return None if isinstance(self.scale_bar, bool | None) else float(self.scale_bar)

    @property
    def has_scale_bar(self) -> bool:
        """Whether a scale bar is shown."""
        known = pixel_size(self.panels[0].movie) is not None
        return known if self.scale_bar is None else self.scale_bar is not False

    @property
    def has_time_stamp(self) -> bool:
        """Whether times are shown."""
        return self.fps is not None if self.time_stamp is None else self.time_stamp

    def timing(self, fastest: float = FASTEST) -> tuple[Fraction, list[int]]:
        """Return frames per second of the file, and the frame of the movie that each shows.

        When the movie is to play faster than `fastest`, every second, third ... frame is shown,
        with a warning; when it is to play slower than `SLOWEST`, frames are repeated.
        """
        rate = self._rate
        step = max(1, math.ceil(rate / fastest - 1e-9))
        if step > 1:
            shown, most = told_apart(rate, fastest, 4)
            warn_user(
                f"The movie plays at {shown} frames per second, and players show {most}: one frame "
                f"of {step} is shown; motion faster than {rate / step / 2:.3g} Hz of the playback "
                "looks slower than it is"
            )
        repeats = max(1, math.ceil(step * SLOWEST / rate - 1e-9))
        shown = [t for t in self.times[::step] for _ in range(repeats)]
        return Fraction(rate * repeats / step).limit_denominator(1001), shown

    @property
    def _rate(self) -> float:
        """Frames of the movie per second of playback."""
        if self.playback_fps is not None:
            return self.playback_fps
        if self.speed is not None:
            return self.speed * self.fps
        return self.fps if self.fps <= FASTEST else SLOW

    # ---- checks ----

    def _check_panels(self) -> None:
        first = self.panels[0].movie
        for other in self.panels:
            if other.movie.n_frames != first.n_frames:
                raise ValueError(
                    f"movies must have the same number of frames: {_named(self.panels[0])} has "
                    f"{first.n_frames}, {_named(other)} {other.movie.n_frames}"
                )
            rates = first.fps, other.movie.fps
            if None not in rates and not math.isclose(*rates, rel_tol=1e-3):
                warn_user(
                    f"{_named(other)} was taken at {rates[1]:g} frames per second, "
                    f"{_named(self.panels[0])} at {rates[0]:g}: times are those of the latter"
                )
        if self.layout != "split":
            if self.divider is not None:
                raise ValueError(f"divider is for layout='split', got layout={self.layout!r}")
            return
        if len(self.panels) != 2:
            raise ValueError(f"layout='split' shows two movies, got {len(self.panels)}")
        shapes = [panel.movie.frame_shape[:2] for panel in self.panels]
        if shapes[0] != shapes[1]:
            raise ValueError(
                "layout='split' needs frames of one size: "
                + ", ".join(
                    f"{_named(panel)} has {shape[0]} x {shape[1]} px (Y x X)"
                    for panel, shape in zip(self.panels, shapes, strict=True)
                )
            )
        if self.divider is not None and not 0 <= finite_number("divider", self.divider) <= 1:
            raise ValueError(f"divider must be from 0 to 1, got {self.divider!r}")

    def _times(self) -> range:
        count = self.panels[0].movie.n_frames
        part = slice(None) if self.frames is None else self.frames
        if not isinstance(part, slice) or part.step not in (None, 1):
            raise ValueError(f"frames must be a slice without steps, got {part!r}")
        for end in (part.start, part.stop):
            if end is not None:
                whole_number("frames", abs(end), 0)
                if abs(end) > count:
                    raise ValueError(f"frames {end} lies outside the movie of {count} frames")
        times = range(count)[part]
        if not times:
            raise ValueError(
                f"frames {part.start}:{part.stop} of {count} are empty; give one frame or more"
            )
        return times

    def _check_timing(self) -> None:
        if self.speed is not None and self.playback_fps is not None:
            raise ValueError("speed and playback_fps are two ways to say one thing: give one")
        if self.playback_fps is not None:
            above_zero("playback_fps", self.playback_fps)
        name = _named(self.panels[0])
        unknown = f"the frame rate of {name} is unknown: give fps"
        if self.speed is not None:
            above_zero("speed", self.speed)
            if self.fps is None:
                raise ValueError(f"speed: {unknown}, or playback_fps instead of speed")
        elif self.playback_fps is None and self.fps is None:
            raise ValueError(f"{unknown}, or playback_fps")
        if self.time_stamp and self.fps is None:
            raise ValueError(f"time_stamp: {unknown}")

    def _check_scale_bar(self) -> None:
        if not isinstance(self.scale_bar, bool | None):
            above_zero("scale_bar", self.scale_bar, "um")
        first = self.panels[0]
        size = pixel_size(first.movie)
        if self.scale_bar in (None, False):
            return
        if size is None:
            raise ValueError(
                f"scale_bar: the pixel size of {_named(first)} is unknown: give pixel_size, or "
                "scale and units of the movie"
            )
        width = size[1] * first.movie.frame_shape[1]
        if self.bar_length is not None and self.bar_length > width:
            length, most = told_apart(self.bar_length, width, 4)
            raise ValueError(
                f"scale_bar of {length} is longer than the frame is wide, {most} {size[2]}"
            )


def _named(panel: Panel) -> str:
    return repr(panel.label or panel.movie.name or "the movie")


def compose(
    movies,
    *,
    labels: Sequence[str] | bool | None = None,
    looks: Sequence[Look] | None = None,
    fps: float | None = None,
    axes: str | None = None,
    pixel_size: float | None = None,
    at=None,
    line=None,
    trim: tuple[float | None, float | None] | None = None,
    **options,
) -> Composition:
    """Compose an exported movie of several movies.

    Parameters
    ----------
    movies : movie, sequence of movies, or mapping of label to movie
        Arrays, napari Image layers or Movies. Layers keep their look.
    labels : sequence of str or bool, optional
        Texts above the movies, or whether there are any.
    looks : sequence of Look, optional
        Instead of those of the layers. Magnified arrays are shown like their source.
    fps, axes : optional
        Of the movies, where they do not say.
    pixel_size : float, optional
        Side of a pixel, um, where the movies do not say.
    at : mapping of str to int, optional
        Index along axes such as Z and C.
    line : array_like, shape (N, 2), optional
        (y, x) in px: a slice along it is drawn beside each movie.
    trim : (float, float), optional
        Seconds of the first and the last frame, instead of `frames`; None is an end of the movie.
    **options
        As for `Composition`.

    Returns
    -------
    Composition

    Raises
    ------
    ValueError, TypeError
        As `Composition` does, or if there are other numbers of labels or looks than of movies.

    Examples
    --------
    >>> from napari_motionmag import export, magnify, samples
    >>> movie, about = samples.load("strings", n_frames=20)
    >>> magnified = magnify(movie, 9, method="linear", fps=600)
    >>> composition = export.compose([movie, magnified], fps=600, speed=1 / 20)
    >>> float(composition.timing()[0])
    30.0
    """
    if isinstance(movies, Mapping):
        labels, movies = list(movies), list(movies.values())
    elif not isinstance(movies, list | tuple):
        movies = [movies]
    if isinstance(labels, bool):
        options["labels"], labels = labels, None
    for name, given in (("labels", labels), ("looks", looks)):
        if given is not None and not is_list(given, len(movies)):
            raise ValueError(f"{name} must be one for each of {len(movies)} movies; got {given!r}")
    traits = {"fps": fps, "axes": axes, "pixel_size": pixel_size, "at": at, "line": line}
    panels = [
        panel(
            movie,
            None if labels is None else labels[k],
            look=None if looks is None else looks[k],
            **traits,
        )
        for k, movie in enumerate(movies)
    ]
    if trim is not None:
        if options.get("frames") is not None:
            raise ValueError("trim and frames are two ways to say one thing: give one")
        options["frames"] = _trimmed(panels, trim)
    return Composition(panels, **options)


def _trimmed(panels: Sequence[Panel], trim) -> slice:
    """Return the frames from one time to another, both included."""
    times = panels[0].movie.times if panels else None
    if times is None:
        raise ValueError("trim: the frame rate is unknown: give fps, or frames instead of trim")
    if not is_list(trim, 2):
        raise ValueError(f"trim must be two times in seconds, or None; got {trim!r}")
    first, last = (None if end is None else finite_number("trim", end) for end in trim)
    half = 0.5 / panels[0].movie.fps
    shown = np.flatnonzero(
        (times >= (-np.inf if first is None else first - half))
        & (times <= (np.inf if last is None else last + half))
    )
    if not len(shown):
        movie = panels[0].movie
        raise ValueError(
            f"trim={tuple(trim)} leaves no frame: the movie lasts {movie.n_frames / movie.fps:.4g} "
            f"s, and its last frame is at {times[-1]:.4g} s"
        )
    return slice(int(shown[0]), int(shown[-1]) + 1)
