"""From the arguments of ``magnify`` to a temporal operator."""

import math
import warnings
from numbers import Integral
from typing import Any

import numpy as np

from napari_motionmag.temporal.base import BandPass, TemporalOperator, check_fps, check_number
from napari_motionmag.temporal.static_dynamic import Dynamic, Static

MODES = ("static", "dynamic", "temporal")
"""Names allowed for the argument ``mode``; a :class:`TemporalOperator` is allowed too."""


def filters() -> dict[str, type[TemporalOperator]]:
    """Return the operators that the argument ``filter`` may name, by name."""
    found = [cls for cls in TemporalOperator._registry.values() if cls.label]
    # those that pass a band come before those that are tuned to one frequency
    found.sort(key=lambda cls: not issubclass(cls, BandPass))
    return {cls.name: cls for cls in found}


def make_operator(
    mode,
    *,
    reference=0,
    band=None,
    fps: float | None = None,
    filter: str = "fir",
) -> TemporalOperator:
    """Make the temporal operator that the arguments of ``magnify`` ask for.

    Parameters
    ----------
    mode : {"static", "dynamic", "temporal"} or TemporalOperator
        "static" compares with `reference`, "dynamic" with the frame before, "temporal" selects
        `band`. An operator is returned as it is, bound to `fps` if it has none.
    reference : int, slice or sequence of int
        For "static": see :class:`Static`.
    band : (float, float), optional
        For "temporal": the band (low, high) in Hz, ``0 < low < high <= fps / 2``.
    fps : float, optional
        Frames per second; needed for "temporal".
    filter : str
        For "temporal": one of `filters`. "butterworth" is causal and of order 2; "acceleration" is
        tuned to the center of `band`. For other choices pass an operator as `mode`.

    Returns
    -------
    TemporalOperator
        Ready for use.

    Raises
    ------
    ValueError, TypeError
        Unknown names, `band` or `fps` missing or wrong, or an operator that was made for another
        frame rate than `fps`.

    Warns
    -----
    UserWarning
        `reference`, `band` or `filter` was given with a mode that does not use it.
    """
    if isinstance(mode, TemporalOperator):
        _warn_of_unused(mode, reference, band, filter)
        return _bound(mode, fps)
    if not isinstance(mode, str) or mode not in MODES:
        raise (ValueError if isinstance(mode, str) else TypeError)(
            f"mode must be one of {', '.join(MODES)}, or a temporal operator; got {mode!r}"
        )
    if not isinstance(filter, str) or filter not in filters():
        raise (ValueError if isinstance(filter, str) else TypeError)(
            f"filter must be one of {', '.join(filters())}; got {filter!r}"
        )
    _warn_of_unused(mode, reference, band, filter)
    if mode != "temporal":
        return Static(reference, fps=fps) if mode == "static" else Dynamic(fps=fps)

    if fps is None:  # without it no band can be right
        raise ValueError("fps is missing: mode='temporal' needs the frames per second of the movie")
    low, high = _check_pair(band)
    return filters()[filter].from_band(low, high, fps)


def _warn_of_unused(mode, reference, band, filter) -> None:
    """Warn of arguments that are given for another mode."""
    others = {}
    if mode != "static" and not (isinstance(reference, Integral) and reference == 0):
        others |= {"reference": (reference, "says what is at rest with mode='static'")}
    if mode != "temporal" and band is not None:
        others |= {"band": (band, "selects frequencies with mode='temporal'")}
    if mode != "temporal" and filter != "fir":
        others |= {"filter": (filter, "selects the band with mode='temporal'")}
    for name, (value, use) in others.items():
        warnings.warn(f"{name}={value!r} is not used with mode={mode!r}; it {use}", stacklevel=3)


def arguments_of(operator: TemporalOperator) -> dict[str, Any]:
    """Return the arguments of `make_operator` for an operator; ``mode`` may be the operator."""
    if isinstance(operator, Static | Dynamic):
        arguments = {"mode": operator.name}
        if isinstance(operator, Static) and operator.reference != 0:
            arguments["reference"] = operator.reference
    elif operator.label and operator.band and operator.fps:
        arguments = {"mode": "temporal", "band": operator.band}
        if operator.name != "fir":
            arguments["filter"] = operator.name
    else:
        return {"mode": operator}
    again = make_operator(**arguments, fps=operator.fps)
    return arguments if again == operator else {"mode": operator}


def _bound(operator: TemporalOperator, fps: float | None) -> TemporalOperator:
    """Bind the operator to `fps` unless it has a frame rate, which must then be the same."""
    if fps is None:
        operator._require_fps()
        return operator
    fps = check_fps(fps)
    if operator.fps is None:
        return operator.bind(fps)
    # 29.97 and 30000 / 1001 are the same
    if not math.isclose(operator.fps, fps, rel_tol=1e-4):
        raise ValueError(
            f"fps={fps:g} does not agree with mode, which was made for {operator.fps:g} fps: "
            f"{operator.describe()}; leave one out, or use mode.bind({fps:g})"
        )
    return operator


def _check_pair(band) -> tuple[float, float]:
    wanted = "band must be two increasing frequencies (low, high) in Hz"
    if band is None:
        raise ValueError(f"{wanted}; mode='temporal' needs it; got None")
    if isinstance(band, (str, bytes)) or not isinstance(band, (tuple, list, np.ndarray)):
        raise TypeError(f"{wanted}; got {band!r}")
    if np.shape(band) != (2,):
        raise ValueError(f"{wanted}; got {band!r}")
    low, high = (check_number("band", edge) for edge in band)
    if not 0 < low < high:
        raise ValueError(f"{wanted}, above 0; got ({low:g}, {high:g})")
    return low, high
