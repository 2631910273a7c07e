"""The frames of an exported movie, drawn one after the other. Pure NumPy and Pillow, no Qt."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from napari_motionmag.compute.validate import above_zero, checked_flag, rounded, warn_user
from napari_motionmag.export.composition import FASTEST, Composition
from napari_motionmag.export.lettering import (
    draw_bar,
    draw_text,
    fitting,
    length_text,
    line_height,
    nice_length,
    speed_text,
    text_width,
    time_text,
)
from napari_motionmag.export.panels import Panel
from napari_motionmag.views.estimators.lines import Line, LineSampler, sample_dtype
from napari_motionmag.views.estimators.series import BATCH, Counter, Series, pixel_size
from napari_motionmag.views.figures.text import shown_unit
from napari_motionmag.views.slices import slice_calibration

SCREEN = (720, 1280)  # px, height and width: small movies are enlarged towards it
LARGEST = (2160, 3840)  # px: larger movies are reduced, since players show no more
LINE_COLOR = (255, 180, 0)
INK = {"black": (255, 255, 255), "white": (0, 0, 0)}
PAPER = {"black": (0, 0, 0), "white": (255, 255, 255)}
_TEXT = 26  # a line of text is this part of the height of the panels
_TEXT_SIZES = (13, 40)  # px
_BAR = 0.28  # of the width of a panel, at most
_SWEEP = 6.0  # seconds for the divider to go to and fro
_SWING = 0.46  # of the width, to either side
_BATCH_BYTES = 1 << 27  # frames of a movie that are read together
_READ = {"nearest": 0, "linear": 2, "cubic": 3, "box": 4}  # as PIL.Image.Resampling


@dataclass(frozen=True)
class _Place:
    """Where a panel and its slice lie in the picture: (y, x, height, width), px."""

    panel: tuple[int, int, int, int]
    slice: tuple[int, int, int, int]


class Film:
    """The frames of a composition.

    Parameters
    ----------
    composition : Composition
    fastest : float
        Frames per second that players show.
    plays : bool
        Whether the frames are played: the speed is written then.

    Attributes
    ----------
    shape : (int, int)
        Height and width of the frames, px; even numbers, as H.264 needs them.
    fps : Fraction
        Frames per second of playback.
    shown : list of int
        The frame of the movie that each frame shows.
    zoom : float
        Output pixels for a pixel of the first movie, along its finer axis.

    Examples
    --------
    >>> import numpy as np
    >>> from napari_motionmag import export
    >>> film = export.Film(export.compose(np.zeros((5, 32, 48)), playback_fps=10))
    >>> len(list(film.frames()))
    5
    """

    def __init__(self, composition: Composition, fastest: float = FASTEST, plays: bool = True):
        above_zero("fastest", fastest)
        self.composition, self._plays = composition, checked_flag("plays", plays)
        self.fps, self.shown = composition.timing(fastest)
        self._arrange()

    def __len__(self) -> int:
        return len(self.shown)

    @property
    def n_steps(self) -> int:
        """Number of steps that `frames` reports: frames, and frames that slices need."""
        sliced = sum(1 + len(p.channels) for p in self.composition.panels if p.line is not None)
        return len(self.shown) + sliced * len(self.composition.times)

    @property
    def colors(self) -> np.ndarray:
        """Colors that the frames may have, besides those of RGB movies, (N, 3) uint8."""
        panels = self.composition.panels
        looks = [p.look.colors for p in panels if not (p.movie.is_rgb or p.channels)]
        own = np.array([LINE_COLOR, INK["black"], INK["white"]], np.uint8)
        return np.unique(np.concatenate([own, *looks]), axis=0)

    def um_per_px(self) -> float | None:
        """Return the length that a pixel of the output shows, um; None without calibration."""
        size = pixel_size(self.composition.panels[0].movie)
        return None if size is None else min(size[:2]) / self.zoom

    def frames(self, progress: Callable[[int, int], object] | None = None) -> Iterator[np.ndarray]:
        """Draw the frames, one after the other, (Y, X, 3) uint8.

        Parameters
        ----------
        progress : callable, optional
            Called as ``progress(done, total)`` after each step; an exception from it ends the work.
        """
        composition, counter = self.composition, Counter(progress, self.n_steps)
        still = self._still(counter)
        times = sorted(set(self.shown))
        readers = [_colored(panel, times) for panel in composition.panels]
        position, pictures = -1, []
        for k, t in enumerate(self.shown):
            while position < 0 or times[position] != t:
                position += 1
                pictures = [
                    _resized(next(reader), place.panel[2:], composition.interpolation)
                    for reader, place in zip(readers, self._places, strict=True)
                ]
            frame = still.copy()
            self._put_panels(frame, pictures, k)
            ink = INK[composition.background]
            draw_text(frame, self._foot_at, self._time_text(t), self.text_size, ink)
            yield frame
            counter.step()

    # ---- arrangement ----

    def _arrange(self) -> None:
        """Find sizes and places of all that is drawn."""
        composition = self.composition
        # in um where all are calibrated, so that they are shown at one scale
        sizes = [pixel_size(panel.movie) for panel in composition.panels]
        one_scale = None not in sizes and len({unit for *_, unit in sizes}) == 1
        steps = [
            size[:2] if one_scale else panel.steps
            for size, panel in zip(sizes, composition.panels, strict=True)
        ]
        finest = min(steps[0])
        # height and width of each panel in pixels of the first one
        self._units = [
            (panel.movie.frame_shape[0] * y / finest, panel.movie.frame_shape[1] * x / finest)
            for panel, (y, x) in zip(composition.panels, steps, strict=True)
        ]
        self._sliced = any(panel.line is not None for panel in composition.panels)
        self._columns, self._beside = self._best_grid()
        self.zoom = composition.zoom
        if self.zoom is None:
            self.zoom = self._fitting_zoom()
        self._place_all(self.zoom)
        if max(self.shape) > 16384:
            raise ValueError(
                f"zoom={self.zoom:g} makes frames of {self.shape[0]} x {self.shape[1]} px; up to "
                "16384 x 16384 are possible"
            )

    def _cells(self) -> list[tuple[float, float]]:
        """Return height and width of the panels that are side by side, at zoom 1."""
        return self._units[:1] if self.composition.layout == "split" else self._units

    def _best_grid(self) -> tuple[int, bool]:
        """Return the number of columns, and whether slices lie beside their panels, not below."""
        count, layout = len(self._cells()), self.composition.layout
        columns = {"row": [count], "column": [1], "split": [1]}.get(layout, range(1, count + 1))
        places = (True, False) if self._sliced else (False,)
        return min(
            ((n, beside) for n in columns for beside in places),
            key=lambda choice: (round(self._crowding(*choice), 3), -choice[0]),
        )

    def _crowding(self, columns: int, beside: bool) -> float:
        """Return how much of the screen a grid takes along its longer side, at zoom 1."""
        height, width = self._content(columns, beside)
        return max(height / SCREEN[0], width / SCREEN[1])

    def _content(self, columns: int, beside: bool) -> tuple[float, float]:
        cells = self._cells()
        height, width = max(h for h, _ in cells), max(w for _, w in cells)
        if self._sliced:
            height, width = (height, 2 * width) if beside else (2 * height, width)
        return height * -(-len(cells) // columns), width * columns

    def _fitting_zoom(self) -> float:
        height, width = self._content(self._columns, self._beside)
        room = 0.9  # for text and gaps
        enlarged = min(room * SCREEN[0] / height, room * SCREEN[1] / width)
        if enlarged >= 1:
            return float(math.floor(enlarged))
        reduced = min(room * LARGEST[0] / height, room * LARGEST[1] / width)
        if reduced >= 1:
            return 1.0
        warn_user(
            f"the movie is drawn at {reduced:.2g} of its size, so that players can show it; zoom "
            "sets another size"
        )
        return reduced

    def _place_all(self, zoom: float) -> None:
        composition = self.composition
        sizes = [tuple(max(1, round(zoom * side)) for side in unit) for unit in self._units]
        cells = sizes[: len(self._cells())]
        height, width = max(h for h, _ in cells), max(w for _, w in cells)
        low, high = _TEXT_SIZES
        rows, columns = -(-len(cells) // self._columns), self._columns
        self.text_size = int(np.clip(max(height * rows, width * columns // 2) / _TEXT, low, high))
        gap = max(4, self.text_size // 2)
        line = line_height(self.text_size)
        head = line if composition.labels and any(p.label for p in composition.panels) else 0
        caption = line_height(self._small) if self._sliced else 0
        part = height, width  # of a slice
        if self._sliced and not self._beside:
            cell = head + 2 * height + caption + gap, width
        else:
            cell = head + height + caption, width * (1 + self._sliced) + gap * self._sliced
        self._places = []
        for k, size in enumerate(cells):
            y = gap + k // columns * (cell[0] + gap)
            x = gap + k % columns * (cell[1] + gap)
            panel = (y + head, x, *size)
            beside = (y + head, x + width + gap), (y + head + height + gap, x)
            self._places.append(_Place(panel, (*beside[not self._beside], *part)))
        if composition.layout == "split":
            self._split_slices()
        bottom = gap + rows * (cell[0] + gap)
        self._foot_at = bottom, gap
        lines = self._foot(columns * (cell[1] + gap) - gap)
        foot = lines * line + gap if lines else 0
        whole = bottom + foot, gap + columns * (cell[1] + gap)
        self.shape = tuple(side + side % 2 for side in whole)

    @property
    def _small(self) -> int:
        """Size of the letters of captions, px."""
        return max(10, round(0.75 * self.text_size))

    def _split_slices(self) -> None:
        """Put the slices of both movies into the place of one, one below the other."""
        place, count = self._places[0], len(self.composition.panels)
        y, x, height, width = place.slice
        caption = line_height(self._small)
        each = max(1, (height - (count - 1) * caption) // count)
        self._places = [
            _Place(place.panel, (y + k * (each + caption), x, each, width)) for k in range(count)
        ]

    def _foot(self, width: int) -> int:
        """Return how many lines of text there are below the panels."""
        composition = self.composition
        time = text_width(self._time_text(composition.times[-1]), self.text_size)
        bar = 0
        if composition.has_scale_bar:
            text, length = self._scale_bar()
            bar = text_width(text, self.text_size) + math.ceil(length) + 2 * self.text_size
        self._bar_line = int(bool(time and bar) and time + bar > width)
        return 1 + self._bar_line if time or bar else 0

    # ---- what does not move ----

    def _still(self, counter: Counter) -> np.ndarray:
        """Draw what is the same in all frames: text, scale bar, slices."""
        composition = self.composition
        ink = INK[composition.background]
        canvas = np.empty((*self.shape, 3), np.uint8)
        canvas[:] = PAPER[composition.background]
        if composition.labels:
            self._put_labels(canvas, ink)
        if composition.has_scale_bar:
            self._put_scale_bar(canvas, ink)
        for panel, place in zip(composition.panels, self._places, strict=True):
            if panel.line is not None:
                self._put_slice(canvas, panel, place.slice, counter)
        return canvas

    def _put_labels(self, canvas: np.ndarray, ink) -> None:
        split = self.composition.layout == "split"
        for k, (panel, place) in enumerate(zip(self.composition.panels, self._places, strict=True)):
            y, x, _, width = place.panel
            room = width // 2 - self.text_size if split else width
            text = fitting(panel.label, room, self.text_size)
            if split and k:
                x += width - text_width(text, self.text_size)
            draw_text(canvas, (y - line_height(self.text_size), x), text, self.text_size, ink)

    def _scale_bar(self) -> tuple[str, float]:
        """Return the length of the scale bar, as text and in px."""
        composition, scale = self.composition, self.um_per_px()
        unit = pixel_size(composition.panels[0].movie)[2]
        room = self._places[0].panel[3]
        length = composition.bar_length or nice_length(_BAR * room * scale)
        return length_text(length, unit), length / scale

    def _put_scale_bar(self, canvas: np.ndarray, ink) -> None:
        text, length = self._scale_bar()
        line, size = line_height(self.text_size), self.text_size
        y, x = self._foot_at[0] + self._bar_line * line, self._foot_at[1]
        right = self.shape[1] - x - text_width(text, size)
        if self._bar_line:
            right = x + math.ceil(length) + size // 2
        draw_text(canvas, (y, right), text, size, ink)
        height, start = max(2, size // 4), right - size // 2 - math.ceil(length)
        draw_bar(canvas, (y + (line - height) // 2, start), length, height, ink)

    def _put_slice(self, canvas: np.ndarray, panel: Panel, place, counter: Counter) -> None:
        line = Line(panel.line)
        sampler = LineSampler(line, panel.movie.frame_shape[:2], 1, "nan")
        pictures = []
        for one in (panel, *panel.channels):
            dtype, rows = sample_dtype(one.movie.dtype), []
            for frame in _frames(one, list(self.composition.times), sampler.window):
                rows.append(sampler(frame[np.newaxis], dtype)[0])
                counter.step()
            values = np.swapaxes(np.stack(rows), 0, 1)
            pictures.append(one.look(values))
        picture = _added(pictures)
        missing = np.isnan(values).reshape(*values.shape[:2], -1).any(axis=-1)
        picture[missing] = PAPER[self.composition.background]
        y, x, height, width = place
        canvas[y : y + height, x : x + width] = _resized(picture, (height, width), "nearest")
        calibration = slice_calibration(panel.movie, panel.line)
        length, unit = calibration["positions"][-1], shown_unit(calibration["length_unit"])
        count = len(self.composition.times)
        span = f"{count} frames"
        if panel.movie.fps is not None:
            seconds = count / panel.movie.fps
            span = time_text(seconds, seconds, seconds / 100)
        text = fitting(f"line of {rounded(length, 3)} {unit} over {span}", width, self._small)
        ink = INK[self.composition.background]
        draw_text(canvas, (y + height, x), text, self._small, ink)

    # ---- what moves ----

    def _put_panels(self, frame: np.ndarray, pictures: Sequence[np.ndarray], k: int) -> None:
        composition = self.composition
        if composition.layout == "split":
            pictures = [self._split(*pictures, k)]
        for panel, place, picture in zip(composition.panels, self._places, pictures, strict=False):
            y, x, height, width = place.panel
            frame[y : y + height, x : x + width] = picture
            if panel.line is not None:
                self._mark_line(frame, panel, place.panel)
        now = (self.shown[k] - composition.times[0] + 0.5) / len(composition.times)
        for panel, place in zip(composition.panels, self._places, strict=True):
            if panel.line is not None:
                y, x, height, width = place.slice
                thick = max(1, self.text_size // 14)
                at = x + min(int(now * width), width - thick)
                frame[y : y + height, at : at + thick] = LINE_COLOR

    def _split(self, left: np.ndarray, right: np.ndarray, k: int) -> np.ndarray:
        """Return one picture on the left of the divider, the other on its right."""
        width = left.shape[1]
        share = self.composition.divider
        if share is None:
            sweeps = max(1, round(len(self) / float(self.fps) / _SWEEP))
            share = 0.5 + _SWING * math.sin(2 * math.pi * sweeps * k / len(self))
        at = round(share * width)
        picture = np.concatenate([left[:, :at], right[:, at:]], axis=1)
        thick = max(2, self.text_size // 10)
        start = min(max(at - thick // 2, 0), width - thick)
        picture[:, start : start + thick] = INK["black"]
        return picture

    def _mark_line(self, frame: np.ndarray, panel: Panel, place) -> None:
        """Draw the line of the slice, dashed so that what it crosses stays visible."""
        y, x, height, width = place
        scale = np.array([height, width]) / panel.movie.frame_shape[:2]
        points = Line(panel.line, step=0.5 / max(scale.max(), 1e-9)).points
        points = (points + 0.5) * scale
        walked = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
        dash = max(4, self.text_size // 2)
        at = points[walked % (3 * dash) < dash].astype(int)
        thick = max(1, self.text_size // 14)
        for dy in range(thick):
            for dx in range(thick):
                rows = np.clip(at[:, 0] + dy, 0, height - 1) + y
                columns = np.clip(at[:, 1] + dx, 0, width - 1) + x
                frame[rows, columns] = LINE_COLOR

    def _time_text(self, t: int) -> str:
        """Return the time of a frame and the speed of the playback."""
        composition, parts = self.composition, []
        if composition.has_time_stamp:
            now, last = composition.panels[0].movie.times[[t, composition.times[-1]]].tolist()
            parts.append(time_text(now, last, 1 / composition.fps))
        if self._plays and composition.shown_speed is not None:
            parts.append(speed_text(composition.shown_speed))
        return "  ·  ".join(parts)


def _resized(picture: np.ndarray, size: tuple[int, int], interpolation: str) -> np.ndarray:
    """Return a picture (Y, X, 3) of another size; squares are averaged where it is reduced."""
    height, width = size
    if picture.shape[:2] == (height, width):
        return picture
    rows, columns = height / picture.shape[0], width / picture.shape[1]
    if interpolation == "nearest" and rows == int(rows) and columns == int(columns):
        return np.repeat(np.repeat(picture, int(rows), axis=0), int(columns), axis=1)
    from PIL import Image

    if interpolation == "nearest" and min(rows, columns) < 1:
        interpolation = "box"
    drawn = Image.fromarray(np.ascontiguousarray(picture))
    return np.asarray(drawn.resize((width, height), _READ[interpolation]))


def _frames(panel: Panel, times: list[int], window=None) -> Iterator[np.ndarray]:
    """Read frames of a movie in batches; neighbors of a magnified one share work."""
    series = Series(panel.movie, panel.at, window)
    size = int(np.prod(panel.movie.frame_shape)) * panel.movie.dtype.itemsize
    most = max(1, min(BATCH, _BATCH_BYTES // max(size, 1)))
    step = times[1] - times[0] if len(times) > 1 else 1
    for k in range(0, len(times), most):
        batch = times[k : k + most]
        yield from series.read(batch[0], batch[-1] + 1, step)


def _colored(panel: Panel, times: list[int]) -> Iterator[np.ndarray]:
    """Read frames as colors, (Y, X, 3) uint8."""
    channels = (panel, *panel.channels)
    for frames in zip(*(_frames(one, times) for one in channels), strict=True):
        yield _added([one.look(frame) for one, frame in zip(channels, frames, strict=True)])


def _added(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Return the sum of pictures, (Y, X, 3) uint8, as light adds up."""
    if len(pictures) == 1:
        return pictures[0]
    return np.minimum(np.sum(pictures, axis=0, dtype=np.uint16), 255).astype(np.uint8)
