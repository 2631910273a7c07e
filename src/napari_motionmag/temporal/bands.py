"""Several bands of frequencies at once, each with a weight of its own."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from napari_motionmag.temporal.base import (
    BandPass,
    TemporalOperator,
    check_band,
    check_number,
)


@dataclass(frozen=True)
class Bands(TemporalOperator):
    """Sum of several bands, each times a weight.

    Motion in a band is magnified by ``1 + weight * (factor - 1)``. `magnify` makes one of its
    arguments `band`, `factor` and `more_bands`.

    Parameters
    ----------
    bands : sequence of (float, float, float)
        Lowest and highest frequency of each band in Hz, and its weight.
    filter : str
        How the bands are selected: the name of an operator that passes a band.
    fps : float, optional
        Frames per second; may be given later with :meth:`bind`.

    Raises
    ------
    TypeError, ValueError
        If `bands` is empty or a band or weight is not one; if there is no such filter.

    Examples
    --------
    >>> from napari_motionmag.temporal import Bands
    >>> both = Bands([(70, 90, 1), (100, 120, 0.5)], fps=600)
    >>> abs(both.response([80, 110])).round(2).tolist()
    [1.0, 0.5]
    """

    name: ClassVar[str] = "bands"

    bands: tuple[tuple[float, float, float], ...]
    filter: str = "fir"
    fps: float | None = None

    def __post_init__(self):
        self._check_fps()
        self._set(bands=_checked(self.bands, self.fps))
        kind = TemporalOperator._registry.get(self.filter)
        if kind is None or not issubclass(kind, BandPass):
            known = [name for name, cls in TemporalOperator._registry.items() if _passes(cls)]
            raise ValueError(f"filter must be one of {', '.join(known)}; got {self.filter!r}")
        parts = tuple(kind.from_band(low, high, self.fps) for low, high, _ in self.bands)
        self._set(_parts=parts)

    @property
    def parts(self) -> tuple[tuple[TemporalOperator, float], ...]:
        """The operator of each band, and its weight."""
        weights = (weight for _, _, weight in self.bands)
        return tuple(zip(self._parts, weights, strict=True))

    @property
    def band(self):
        return min(low for low, _, _ in self.bands), max(high for _, high, _ in self.bands)

    @property
    def selection(self):
        return " + ".join(f"{low:g}-{high:g} Hz" for low, high, _ in self.bands)

    @property
    def support(self):
        each = [part.support for part in self._parts]
        if None in each:
            return None
        return tuple(max(reach) for reach in zip(*each, strict=True))

    def _describe(self):
        each = [f"{low:g}-{high:g} Hz x {weight:.3g}" for low, high, weight in self.bands]
        return f"bands ({self.filter}) {' + '.join(each)}"

    def _row(self, t, n):
        total: dict[int, float] = {}
        for part, weight in self.parts:
            for index, value in zip(*part._row(t, n), strict=True):
                total[int(index)] = total.get(int(index), 0.0) + weight * value
        frames = sorted(total)
        return np.array(frames, dtype=np.int64), np.array([total[index] for index in frames])

    def _response(self, frequencies):
        return sum(weight * part._response(frequencies) for part, weight in self.parts)

    def _reach(self, share):
        each = [part._reach(share) for part in self._parts]
        return tuple(max(reach) for reach in zip(*each, strict=True))

    def _window(self, start, stop, n):
        each = [part._window(start, stop, n) for part in self._parts]
        return min(first for first, _ in each), max(last for _, last in each)

    def _filter(self, frames, first, start, stop, n):
        rows = (self._row(t, n) for t in range(start, stop))
        return np.stack([np.tensordot(weights, frames[at - first], axes=1) for at, weights in rows])


def _passes(kind: type[TemporalOperator]) -> bool:
    return issubclass(kind, BandPass) and "name" in kind.__dict__


def _checked(bands, fps: float | None) -> tuple[tuple[float, float, float], ...]:
    """Return the bands as tuples of floats."""
    wanted = "bands must be triples (low, high, weight), in Hz"
    try:
        triples = [tuple(band) for band in bands]
    except TypeError:
        raise TypeError(f"{wanted}; got {bands!r}") from None
    if not triples or any(len(triple) != 3 for triple in triples):
        raise ValueError(f"{wanted}; got {bands!r}")
    return tuple(
        (*check_band(low, high, fps), check_number("weight", weight))
        for low, high, weight in triples
    )
