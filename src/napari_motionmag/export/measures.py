"""The numbers of a magnified movie that reports and tables list, with their errors."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from scipy import ndimage

from napari_motionmag.compute.validate import rounded
from napari_motionmag.movie.movie import Movie
from napari_motionmag.temporal import TemporalOperator
from napari_motionmag.views.displacement import displacement_trace
from napari_motionmag.views.estimators.series import Series, checked_region, part_of
from napari_motionmag.views.figures.text import direction_in_words, length_per_pixel, with_error
from napari_motionmag.views.noise_floors import NoiseFloor, noise_floor
from napari_motionmag.views.oscillation import Oscillation, fit_oscillation
from napari_motionmag.views.spectrum import FEWEST_FRAMES, spectrum_of
from napari_motionmag.views.trace import DisplacementTrace

_SIDE = 48  # px of the square in which the motion stands out most
_MOVES = 0.3  # of the largest change of brightness in it: the pixels that are traced
_REACH = 10  # px from the pixel that changes most: what is further away may move otherwise
_AROUND = 3  # px around them
_FEWEST_PIXELS = 30
_MISFIT = 3.0  # times what noise explains, from which a part does more than shift as a whole
_BORDER, _LONGEST_REACH = 8, 10  # px that traces stay away from the border of the frame


@dataclass
class Measures:
    """What was measured of a movie and of its magnification.

    Attributes
    ----------
    floor : NoiseFloor or None
    region : (int, int, int, int), bool mask (Y, X) or None
        The part that was traced, px: y0, y1, x0, x1, or its pixels; None is the whole frame.
    trace, magnified : DisplacementTrace or None
        Of that part in the movie and in the result.
    oscillation, magnified_oscillation : Oscillation or None
        The strongest one within the selected band.
    notes : list of str
        Why something is missing.
    """

    floor: NoiseFloor | None = None
    region: tuple[int, int, int, int] | np.ndarray | None = None
    trace: DisplacementTrace | None = None
    magnified: DisplacementTrace | None = None
    oscillation: Oscillation | None = None
    magnified_oscillation: Oscillation | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def gain(self) -> tuple[float, float] | None:
        """Amplitude after over amplitude before, and its standard error; None if not known.

        Where the traced part does more than shift as a whole, the error is enlarged by the square
        root of the residuals over what noise explains.
        """
        before, after = self.oscillation, self.magnified_oscillation
        if before is None or after is None or not before.amplitude > 0:
            return None
        gain = after.amplitude / before.amplitude
        parts = before.sigma_amplitude / before.amplitude, after.sigma_amplitude / after.amplitude
        misfits = [float(np.median(trace.misfit)) for trace in (self.trace, self.magnified)]
        return gain, gain * math.hypot(*parts) * math.sqrt(max(1.0, *misfits))

    def _box(self) -> tuple[int, int, int, int]:
        rows, columns = self.trace.region
        return rows.start, rows.stop, columns.start, columns.stop

    def row(self) -> dict[str, object]:
        """Return the numbers by the names of columns of a table."""
        row: dict[str, object] = {}
        if self.floor is not None:
            row["largest honest factor"] = self.floor.factor_at(0.5)
            known = self.floor.limit > 0
            if self.floor.motion is not None and known.any():
                row["moves above noise (%)"] = 100 * float(self.floor.exceeds[known].mean())
        if self.trace is not None:
            names = ("region y0 (px)", "y1", "x0", "x1")
            row |= dict(zip(names, self._box(), strict=True))
        for found, start in ((self.oscillation, ""), (self.magnified_oscillation, "magnified ")):
            if found is None:
                continue
            if not start:
                row[f"frequency ({self.trace.frequency_unit})"] = found.frequency
                row["frequency error"] = found.sigma_frequency
                row["direction (degrees)"] = math.degrees(found.direction)
            row[f"{start}amplitude (px)"] = found.amplitude
            row[f"{start}amplitude error (px)"] = found.sigma_amplitude
            size = length_per_pixel(self.trace, found.direction)
            if size is not None and not start:
                row[f"amplitude ({self.trace.length_unit})"] = found.amplitude * size
                row[f"amplitude error ({self.trace.length_unit})"] = found.sigma_amplitude * size
        if self.gain is not None:
            row["measured gain"], row["gain error"] = self.gain
        if self.notes:
            row["note"] = "; ".join(self.notes)
        return row

    def in_words(self, factor: float | None = None) -> list[tuple[str, str]]:
        """Return the numbers with their errors, as pairs of a name and a text."""
        pairs = []
        found = self.oscillation
        if self.trace is not None:
            part = ", ".join(map(str, self._box()))
            if isinstance(self.region, np.ndarray):
                part += f", of which {np.count_nonzero(self.region)} pixels move"
            pairs.append(("Traced part (y0, y1, x0, x1; px)", part))
        if found is not None:
            unit = self.trace.frequency_unit
            pairs.append(("Frequency", with_error(found.frequency, found.sigma_frequency, unit)))
            amplitude = with_error(found.amplitude, found.sigma_amplitude, "px")
            size = length_per_pixel(self.trace, found.direction)
            if size is not None:
                scaled = found.amplitude * size, found.sigma_amplitude * size
                amplitude += f" = {with_error(*scaled, self.trace.length_unit)}"
            pairs.append(("Amplitude", amplitude.replace("um", "µm")))
            pairs.append(("Direction", direction_in_words(found.direction)))
        after = self.magnified_oscillation
        if after is not None:
            text = with_error(after.amplitude, after.sigma_amplitude, "px")
            pairs.append(("Amplitude after magnification", text))
        if self.gain is not None:
            asked = "" if factor is None else f" (factor {factor:g})"
            pairs.append(("Measured gain", with_error(*self.gain) + asked))
        if self.floor is not None:
            pairs.append(("Noise", self.floor.describe(factor)))
        pairs += [("Note", note) for note in self.notes]
        return pairs


def measure(
    movie: Movie,
    operator: TemporalOperator,
    result: Movie | None = None,
    *,
    region: tuple[int, int, int, int] | None = None,
    at: Mapping[str, int] | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> Measures:
    """Measure the selected motion where it stands out most, before and after magnification.

    Parameters
    ----------
    movie : Movie
    operator : TemporalOperator
        What selects the motion, bound to the rate of the movie if it needs that.
    result : Movie, optional
        The magnified movie.
    region : (int, int, int, int), optional
        y0, y1, x0, x1 in px of the part to trace; where the motion stands out most when None.
    at : mapping of str to int, optional
        Index along axes such as Z and C.
    progress : callable, optional
        Called as ``progress(done, total)``; an exception from it ends the measurement.

    Returns
    -------
    Measures
        What could not be measured is None, and `notes` say why.
    """
    checked_region(movie, region)
    if result is not None and not isinstance(result, Movie):
        raise TypeError(f"result must be a Movie, got {type(result).__name__}")
    if at is not None:
        at = Series(movie, at).at or None
    found = Measures(region=region)
    ends = (0, 1 / 2, 1) if result is None else (0, 1 / 3, 2 / 3, 1)
    stages = [part_of(progress, *stage) for stage in pairwise(ends)]
    found.floor = _tried(
        found,
        "noise floor",
        lambda: noise_floor(movie, operator, at=at, progress=stages[0]),
    )
    if region is None and found.floor is not None:
        square = _best_square(found.floor, movie)
        if square is not None:
            found.region = _moving_part(movie, operator, square, at)
        elif not found.floor.exceeds.any():
            found.notes.append("no motion above the noise")
    found.trace = _tried(
        found,
        "displacement",
        lambda: displacement_trace(movie, found.region, at=at, progress=stages[1]),
    )
    if found.trace is None:
        return found
    found.oscillation = _oscillation(found.trace, operator)
    if found.oscillation is None:
        found.notes.append("no oscillation stands out")
    if result is None:
        return found
    found.magnified = _tried(
        found,
        "displacement of the result",
        lambda: displacement_trace(result, found.region, at=at, progress=stages[2]),
    )
    misfit = float(np.median(found.trace.misfit))
    if misfit > _MISFIT:
        found.notes.append(
            f"the traced part does more than shift as a whole (residuals {rounded(misfit, 2)} "
            "times what noise explains); amplitudes are means over it"
        )
    if found.magnified is not None and found.oscillation is not None:
        found.magnified_oscillation = fit_oscillation(
            found.magnified, found.oscillation.frequency, fixed=True
        )
    return found


def _tried(found: Measures, what: str, work: Callable):
    """Do some work; note why it cannot be done."""
    try:
        return work()
    except ValueError as error:
        found.notes.append(f"{what}: {error}")
        return None


def _best_square(floor: NoiseFloor, movie: Movie) -> tuple[slice, slice] | None:
    """Return the square in which the motion exceeds its noise most; None if none does."""
    significance = np.where(floor.exceeds, np.nan_to_num(floor.motion.significance), 0)
    sides = movie.frame_shape[:2]
    margin = _BORDER + min(_LONGEST_REACH, min(sides) // 8)
    inside = [
        (centers >= margin) & (centers < side - margin)
        for centers, side in zip((floor.y, floor.x), sides, strict=True)
    ]
    significance = significance * np.outer(*inside)
    if not significance.any():
        return None
    row, column = np.unravel_index(np.argmax(significance), significance.shape)
    square = []
    for center, side in zip((floor.y[row], floor.x[column]), sides, strict=True):
        low = round(float(center)) - _SIDE // 2
        square.append(slice(max(margin, low), min(side - margin, low + _SIDE)))
    return tuple(square)


def _moving_part(
    movie: Movie, operator: TemporalOperator, square: tuple[slice, slice], at
) -> np.ndarray | tuple[int, int, int, int]:
    """Return the pixels of a square that change most with the selected motion, or all of it."""
    series = Series(movie, at, square)
    luma = np.concatenate([series.to_luma(block) for _, block in series.blocks()])
    change = operator.apply(luma.astype(np.float32)).std(axis=0)
    top = np.unravel_index(np.argmax(change), change.shape)
    distance = np.max(np.abs(np.indices(change.shape) - np.reshape(top, (2, 1, 1))), axis=0)
    parts, _ = ndimage.label((change > _MOVES * change.max()) & (distance <= _REACH))
    largest = parts == parts[top]
    mask = np.zeros(movie.frame_shape[:2], bool)
    mask[square] = ndimage.binary_dilation(largest, iterations=_AROUND)
    if np.count_nonzero(mask) >= _FEWEST_PIXELS:
        return mask
    return tuple(edge for part in square for edge in (part.start, part.stop))


def _oscillation(trace: DisplacementTrace, operator: TemporalOperator) -> Oscillation | None:
    """Fit the strongest oscillation of the band, if one stands out."""
    if len(trace) < FEWEST_FRAMES:
        return None
    low, high = operator.band or (0.0, math.inf)
    peaks = [peak for peak in spectrum_of(trace).peaks() if low <= peak.frequency <= high]
    return fit_oscillation(trace, peaks[0].frequency) if peaks else None
