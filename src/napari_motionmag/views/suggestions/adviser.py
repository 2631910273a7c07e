"""Which magnifications show what was found: band, factor, region and words."""

from __future__ import annotations

import math

import numpy as np

from napari_motionmag.compute.validate import rounded, told_apart
from napari_motionmag.movie.movie import Movie
from napari_motionmag.temporal import TemporalOperator, filters, make_operator
from napari_motionmag.views.drifts import MUCH, span_of
from napari_motionmag.views.estimators.local_motion import LocalMotion
from napari_motionmag.views.estimators.periodograms import periodogram, without_trend
from napari_motionmag.views.estimators.rhythms import Rhythm, Rhythms
from napari_motionmag.views.estimators.selected_noise import operator_noise
from napari_motionmag.views.figures.thumbnail import thumbnail
from napari_motionmag.views.suggestions.result import FoundMotion, Suggestion, Suggestions

_STATIC_REACH = 10.0  # px of motion since the reference, up to which networks were trained
_OUTPUT_REACH = 30.0  # px of magnified motion
_MOST_FACTOR = 100.0
_STEPS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)  # of factors, in a decade
_PLAIN = 2.0  # factor for motion that is seen without
_VISIBLE = 1.0  # px of magnified motion, below which it is not worth showing
_TARGET = (0.015, 3.0, 10.0)  # magnified motion: share of the smaller side, least and most px
_SMALL_PART = 0.4  # of the frame, below which the region is suggested, too
_LARGE_FRAME = 300 * 300  # px
_LIT = 0.002  # relative change of brightness that is worth a word
_LONGEST_REFERENCE = 8  # frames


class Adviser:
    """Turns what was found into suggestions for a movie."""

    def __init__(self, movie: Movie, motion: LocalMotion, found: Rhythms):
        self.movie, self.motion, self.found = movie, motion, found
        self.rate, self.unit = movie.fps or 1.0, "Hz" if movie.fps else "cycles per frame"
        self.n = len(motion.course)
        share, least, largest = _TARGET
        self.target = float(np.clip(share * min(movie.frame_shape[:2]), least, largest))
        self.rate_setting = {} if movie.fps is None else {"fps": float(movie.fps)}
        self.notes: list[str] = []

    def advise(self, most: int) -> Suggestions:
        """Return the suggestions."""
        motions = [self._describe(rhythm) for rhythm in self.found.rhythms]
        items = []
        if self.movie.fps is not None:
            for rhythm, motion in zip(self.found.rhythms, motions, strict=True):
                items.append(self._of_rhythm(rhythm, motion))
        elif motions:
            self.notes.append(
                f"The motion repeats {motions[0].frequency:.4g} times per frame. Enter the frames "
                "per second of the movie to magnify that frequency alone."
            )
        items = [item for item in items if item is not None][:most]
        if self.found.moving.any() and len(items) < most:
            items += [item for item in [self._of_all()] if item is not None]
        self._note_what_is_left_out(items, motions)
        spectrum = self.found.spectrum
        frequencies = np.arange(len(spectrum)) * self.rate / self.n
        return Suggestions(items, motions, self.notes, frequencies, spectrum)

    def _describe(self, rhythm: Rhythm) -> FoundMotion:
        return FoundMotion(
            rhythm.frequency * self.rate,
            rhythm.sigma_frequency * self.rate,
            float(np.quantile(rhythm.amplitude[rhythm.moving], 0.9)),
            float(rhythm.moving.mean()),
            rhythm.harmonics,
        )

    # ---- one frequency ----

    def _of_rhythm(self, rhythm: Rhythm, motion: FoundMotion) -> Suggestion | None:
        band = self._band(motion)
        operator, settings = self._operator(band)
        if operator is None:
            return None
        factor, limit = self._factor(motion.amplitude, rhythm.moving, operator)
        if factor is None:
            return None
        drift = self._drift(rhythm, operator)
        part = {"stabilise": "dense"} if drift > MUCH else self._region(rhythm)
        settings = {"factor": factor, **settings, **self.rate_setting, **part}
        how = "Repeats its motion" if motion.harmonics > 1 else "Moves to and fro"
        text = (
            f"{how} {_how_often(motion.frequency)}, by up to {_px(motion.amplitude)}, in "
            f"{_percent(motion.share)} of the frame. "
            f"{self._outcome(factor, motion.amplitude, limit)}"
        )
        if drift > MUCH:
            text += f" What drifts meanwhile, by {_px(drift)}, is followed, which takes longer."
        title = f"{rounded(motion.frequency, 4)} Hz, {factor:g} times"
        return self._suggestion(title, text, settings, motion, limit, rhythm.amplitude)

    def _drift(self, rhythm: Rhythm, operator: TemporalOperator) -> float:
        """Return how far windows move slowly while the filter sees them, px."""
        return span_of(self.motion.course[:, rhythm.moving], operator, 1 / rhythm.frequency)

    def _band(self, motion: FoundMotion) -> tuple[float, float]:
        """Return a band around an oscillation and its harmonics, without the others."""
        center, resolution = motion.frequency, self.rate / self.n
        reach = max(3 * resolution, 0.1 * center)
        low = max(center - reach, 0.5 * center, resolution)  # a period in the record
        high = motion.harmonics * center + min(reach, 0.5 * center)
        for other in self.found.rhythms:
            frequency = other.frequency * self.rate
            if frequency < center and motion.harmonics == 1:
                low = max(low, (frequency + center) / 2)
            if frequency > center and motion.harmonics == 1:
                high = min(high, (frequency + center) / 2)
        return _plain(low, center), min(_plain(high, center), self.rate / 2)

    def _operator(self, band) -> tuple[TemporalOperator | None, dict]:
        """Return the first filter that can select a band of the movie, and its settings."""
        names = sorted(filters(), key=lambda name: name != "fir")
        for name in names:
            settings = {"mode": "temporal", "band": band, "filter": name}
            try:
                operator = make_operator(**settings, fps=self.movie.fps)
                operator.row(0, self.movie.n_frames)
            except ValueError:  # the movie is too short for it
                continue
            return operator, settings
        return None, {}

    # ---- all motion ----

    def _of_all(self) -> Suggestion | None:
        """Suggest all motion since a frame at rest, or from frame to frame if that is too large."""
        course, moving = self.motion.course, self.found.moving
        first, count = _rest(course[:, moving])
        shown = course - course[first : first + count].mean(axis=0)
        reach = self._largest(shown)
        if max(reach, self._shift()) > _STATIC_REACH:
            return self._from_frame_to_frame(max(reach, self._shift()))
        reference = first if count == 1 else slice(first, first + count)
        operator = make_operator("static", reference=reference)
        factor, limit = self._factor(reach, moving, operator)
        if factor is None:
            return None
        which = f"frame {first}" if count == 1 else f"frames {first} to {first + count - 1}"
        text = (
            f"All motion since {which}, up to {_px(reach)}, in {_percent(moving.mean())} of the "
            f"frame. {self._outcome(factor, reach, limit)}"
        )
        settings = {"factor": factor, "mode": "static", "reference": reference, **self.rate_setting}
        size = np.sqrt((shown.astype(float) ** 2).sum(axis=-1)).max(axis=0) * moving
        title = f"All motion, {factor:g} times"
        return self._suggestion(title, text, settings, None, limit, size)

    def _from_frame_to_frame(self, reach: float) -> Suggestion | None:
        shown, most = told_apart(reach, _STATIC_REACH, 2)
        self.notes.append(
            f"The motion reaches {shown} px, more than the {most} px up to which "
            "magnification against a frame at rest is reliable. If the whole picture drifts, align "
            "it first (“Large motion”, or stabilise)."
        )
        steps = np.diff(self.motion.course, axis=0)
        size = self._largest(steps)
        if self._shift() > _STATIC_REACH or size > _STATIC_REACH:
            return None
        operator = make_operator("dynamic")
        factor, limit = self._factor(size, self.found.moving, operator)
        if factor is None:
            return None
        text = (
            f"Motion from each frame to the next, up to {_px(size)}, in "
            f"{_percent(self.found.moving.mean())} of the frame. "
            f"{self._outcome(factor, size, limit)}"
        )
        settings = {"factor": factor, "mode": "dynamic", **self.rate_setting}
        speed = np.sqrt((steps.astype(float) ** 2).sum(axis=-1)).max(axis=0) * self.found.moving
        title = f"From frame to frame, {factor:g} times"
        return self._suggestion(title, text, settings, None, limit, speed)

    def _largest(self, course: np.ndarray) -> float:
        """Return the largest displacement in nine of ten windows that move."""
        size = np.sqrt((course.astype(np.float64) ** 2).sum(axis=-1)).max(axis=0)
        return float(np.quantile(size[self.found.moving], 0.9))

    def _shift(self) -> float:
        return float(np.hypot(*self.motion.shift.T).max())

    # ---- parts of a suggestion ----

    def _factor(
        self, amplitude: float, where: np.ndarray, operator: TemporalOperator
    ) -> tuple[float | None, float]:
        """Return a factor that is visible and honest, or None, and the largest honest one."""
        sigma = np.quantile(self.found.sigma[where & np.isfinite(self.found.sigma)], 0.9)
        gain = operator_noise(operator, self.movie.n_frames)[0]
        limit = float(f"{1 / max(sigma * math.sqrt(gain), 1e-9):.2g}")
        factor = _rounded(min(self.target / max(amplitude, 1e-9), limit, _MOST_FACTOR))
        if factor < _PLAIN:
            factor = _PLAIN
        if factor > limit or factor * amplitude < _VISIBLE or factor * amplitude > _OUTPUT_REACH:
            return None, limit
        return factor, limit

    def _outcome(self, factor: float, amplitude: float, limit: float) -> str:
        moved = f"Magnified {factor:g} times it moves by {_px(factor * amplitude)}"
        if factor == _PLAIN and amplitude > self.target / 2:
            moved = f"It is seen as it is; {factor:g} times it moves by {_px(factor * amplitude)}"
        if limit >= 10 * _MOST_FACTOR:
            return f"{moved}."
        return f"{moved}; noise alone moves by 1 px above {limit:g} times."

    def _region(self, rhythm: Rhythm) -> dict:
        """Return the rectangle around what moves, where it is a small part of a large frame."""
        height, width = self.movie.frame_shape[:2]
        rows, columns = (np.flatnonzero(rhythm.moving.any(axis=k)) for k in (1, 0))
        reach = self.motion.window
        y0, y1 = self.motion.y[rows[[0, -1]]] + np.array([-reach, reach])
        x0, x1 = self.motion.x[columns[[0, -1]]] + np.array([-reach, reach])
        region = (
            max(int(y0), 0), min(int(y1) + 1, height), max(int(x0), 0), min(int(x1) + 1, width)
        )  # fmt: skip
        area = (region[1] - region[0]) * (region[3] - region[2])
        small = area < _SMALL_PART * height * width and height * width >= _LARGE_FRAME
        return {"region": region} if small else {}

    def _suggestion(self, title, text, settings, motion, limit, size) -> Suggestion:
        picture = thumbnail(self.motion, size, settings.get("region"))
        return Suggestion(title, text, settings, motion, limit, picture)

    # ---- notes ----

    def _note_what_is_left_out(self, items, motions) -> None:
        known = np.isfinite(self.found.sigma)
        if not known.any():
            self.notes.append("Nothing in the frame has structure that would show motion.")
        elif not self.found.moving.any():
            sigma = np.median(self.found.sigma[known])
            least = 2 * sigma * math.sqrt(2 * math.log(self.n * known.sum() / 0.01) / self.n)
            self.notes.append(
                "Nothing moves more than its noise explains, so nothing is suggested. A regular "
                f"motion of {_px(least)} or more would have been found."
            )
        elif not items:
            self.notes.append(
                "What moves is too large to be magnified, or too small to be told from noise when "
                "it is."
            )
        self._note_light(motions)
        if self.n < self.movie.n_frames:
            self.notes.append(
                f"Only the first {self.n} of {self.movie.n_frames} frames were looked at."
            )

    def _note_light(self, motions) -> None:
        """Say so where the brightness changes regularly."""
        light = without_trend(self.motion.light / max(abs(self.motion.light.mean()), 1e-30))
        frequencies, power = periodogram(light, self.rate)
        at = int(np.argmax(power[2:])) + 2
        amplitude = math.sqrt(2) * float(light.std())
        if amplitude > _LIT and power[at] > 30 * np.median(power[1:]):
            self.notes.append(
                f"The brightness changes by {100 * amplitude:.2g} %, most at "
                f"{rounded(frequencies[at], 3)} {self.unit}. That is light, not motion, and is not "
                "suggested."
            )


def _rest(course: np.ndarray) -> tuple[int, int]:
    """Return first frame and number of frames of a rest, from displacements (T, W, 2).

    The frames nearest to the median of all, as many in a row as stay there.
    """
    away = np.sqrt(((course - np.median(course, axis=0)) ** 2).sum(axis=-1).mean(axis=-1))
    limit = away.min() + 0.1 * (np.quantile(away, 0.95) - away.min())
    near = np.concatenate([[False], away <= limit, [False]])
    starts = np.flatnonzero(near[1:] & ~near[:-1])
    ends = np.flatnonzero(near[:-1] & ~near[1:])
    longest = int(np.argmax(ends - starts))
    return int(starts[longest]), int(min(ends[longest] - starts[longest], _LONGEST_REFERENCE))


def _plain(edge: float, center: float) -> float:
    """Round the edge of a band to three digits, or more where it is near to the center."""
    for digits in range(3, 17):
        plain = float(f"{edge:.{digits}g}")
        if abs(plain - edge) < 0.1 * abs(edge - center):
            return plain
    return float(edge)


def _rounded(factor: float) -> float:
    """Return the largest plain factor that is not above one, 1 or more."""
    if factor < 1:
        return 1.0
    decade = 10 ** math.floor(math.log10(factor))
    return float(max(step for step in _STEPS if step * decade <= factor * (1 + 1e-9)) * decade)


def _how_often(frequency: float) -> str:
    if frequency >= 1:
        return f"{frequency:,.{max(0, 1 - int(math.log10(frequency)))}f} times a second"
    return f"once every {rounded(1 / frequency, 3)} s"


def _px(length: float) -> str:
    return f"{rounded(length, 2)} px"


def _percent(share: float) -> str:
    return "1 %" if share < 0.01 else f"{100 * share:.0f} %"
