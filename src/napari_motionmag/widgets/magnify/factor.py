"""The factor as a number and as a slider, linear up to 1 and logarithmic above."""

from __future__ import annotations

import math

from magicgui.widgets import Container, FloatSpinBox, Slider

LARGEST = 1000.0
_BELOW_ONE = 40  # steps of the slider from 0 to 1
_ABOVE_ONE = 240  # from 1 to LARGEST
LAST = _BELOW_ONE + _ABOVE_ONE
_DECADES = math.log10(LARGEST)


def factor_at(position: int) -> float:
    """Return the factor at a position of the slider, rounded to two digits."""
    if position <= _BELOW_ONE:
        return round(position / _BELOW_ONE, 2)
    exact = 10 ** (_DECADES * (position - _BELOW_ONE) / _ABOVE_ONE)
    return float(f"{exact:.2g}")


def position_of(factor: float) -> int:
    """Return the position of the slider that is nearest to a factor."""
    if factor <= 1:
        return round(_BELOW_ONE * max(factor, 0.0))
    return round(_BELOW_ONE + _ABOVE_ONE * min(math.log10(factor) / _DECADES, 1.0))


class _Factor(FloatSpinBox):
    @FloatSpinBox.value.setter
    def value(self, value) -> None:
        if math.isnan(value):  # Qt would take the largest number
            raise ValueError(f"factor must be a number from {-LARGEST:g} to {LARGEST:g}, got nan")
        FloatSpinBox.value.fset(self, value)


class FactorField(Container):
    """A number with a slider; the number may be outside the slider's range.

    Attributes
    ----------
    number : FloatSpinBox
        The factor, -1000 to 1000.
    slider : Slider
        0 to 1000.
    """

    def __init__(self, tooltip: str, **kwargs):
        number = _Factor(name="number", value=10, min=-LARGEST, max=LARGEST, tooltip=tooltip)
        number.adaptive_step = True
        slider = Slider(name="slider", min=0, max=LAST, readout=False, tooltip=tooltip)
        super().__init__(widgets=[number, slider], layout="horizontal", labels=False, **kwargs)
        self.margins = (0, 0, 0, 0)
        number.native.setPrefix("x ")
        slider.native.setObjectName("factor_slider")
        self._follow(number.value)
        number.changed.connect(self._follow)
        slider.changed.connect(self._lead)

    def _follow(self, factor: float) -> None:
        with self.slider.changed.blocked():
            self.slider.value = position_of(factor)

    def _lead(self, position: int) -> None:
        with self.number.changed.blocked():
            self.number.value = factor_at(position)
        self.number.changed.emit(self.number.value)
