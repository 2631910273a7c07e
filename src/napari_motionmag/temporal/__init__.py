"""Temporal operators: which variation in time is to be magnified.

Static, dynamic and band-pass magnification are one idea: a linear operator ``T`` along time,

    (T s)(t) = sum over k of weights[k] * s[indices[k]],

that selects the variation to change. Every operator here sums to zero, so a still scene gives
nothing, and has gain 1 for the motion it selects, so that a factor m means the same everywhere
(:class:`DifferenceOfIIR` is the exception; see there).

=============================  ==========================================================
:class:`Static`                difference to a reference frame, or to the mean of several
:class:`Dynamic`               difference to the frame ``lag`` frames ago
:class:`FIR`                   band of frequencies, centered (no delay), finite
:class:`Butterworth`           band of frequencies, recursive, causal or zero-phase
:class:`DifferenceOfIIR`       band of frequencies, two first-order low-passes subtracted
:class:`Acceleration`          deviation from linear motion, tuned to a frequency
=============================  ==========================================================

:func:`make_operator` builds one from the arguments of ``magnify``.
"""

from importlib import import_module
from pkgutil import walk_packages

from napari_motionmag.temporal.band_filters.acceleration import Acceleration
from napari_motionmag.temporal.band_filters.butterworth import Butterworth
from napari_motionmag.temporal.band_filters.fir import FIR
from napari_motionmag.temporal.band_filters.iir import DifferenceOfIIR
from napari_motionmag.temporal.bands import Bands
from napari_motionmag.temporal.base import TemporalOperator
from napari_motionmag.temporal.factory import MODES, arguments_of, filters, make_operator
from napari_motionmag.temporal.static_dynamic import Dynamic, Static

# The imports above are for editors. A new operator needs none: its file is found here, and the
# class registers itself.
for _file in walk_packages(__path__, f"{__name__}."):
    import_module(_file.name)
globals().update({cls.__name__: cls for cls in TemporalOperator._registry.values()})

FILTERS = tuple(filters())
"""Names allowed for the argument ``filter`` of mode "temporal"."""

__all__ = [
    "FILTERS",
    "FIR",
    "MODES",
    "Acceleration",
    "Bands",
    "Butterworth",
    "DifferenceOfIIR",
    "Dynamic",
    "Static",
    "TemporalOperator",
    "arguments_of",
    "filters",
    "make_operator",
]
