"""The factor as a number and as a slider, linear up to 1 and logarithmic above."""

from __future__ import annotations

import math

from magicgui.widgets import Container, FloatSpinBox, Slider
from qtpy.QtWidgets import QWidget

LARGEST = 1000.0
_BELOW_ONE = 40  # steps of the slider from 0 to 1
_ABOVE_ONE = 240  # from 1 to LARGEST
LAST = _BELOW_ONE + _ABOVE_ONE
_DECADES = math.log10(LARGEST)
_TOOLTIP = (
    "Total gain of the selected motion: displacement after / before.\n1 leaves the movie as it is, "
    "0 removes the motion, 0 to 1 attenuates it, negative mirrors it."
)


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


class _Number(FloatSpinBox):
    @FloatSpinBox.value.setter
    def value(self, value) -> None:
        if math.isnan(value):  # Qt would take the largest number
            raise ValueError(f"factor must be a number from {-LARGEST:g} to {LARGEST:g}, got nan")
        FloatSpinBox.value.fset(self, value)


class FactorField(Container):
    """The ``number``, -1000 to 1000, with a ``slider`` that shows it from 0 to 1000."""

    def __init__(self):
        self.number = _Number(value=10, min=-LARGEST, max=LARGEST, tooltip=_TOOLTIP)
        self.number.adaptive_step = True
        self.number.native.setPrefix("x ")
        self.number.native.setObjectName("factor")
        self.slider = Slider(min=0, max=LAST, readout=False, tooltip=_TOOLTIP)
        self.slider.native.setObjectName("factor_slider")
        for part in self.slider.native.findChildren(QWidget):
            part.setToolTip(_TOOLTIP)
        widgets, name = [self.number, self.slider], "factor_row"
        super().__init__(
            widgets=widgets, layout="horizontal", labels=False, name=name, label="Factor"
        )
        self.margins = (0, 0, 0, 0)
        self._show_on_slider(self.number.value)
        self.number.changed.connect(self._show_on_slider)
        self.slider.changed.connect(self._on_slider_moved)

    def _show_on_slider(self, factor: float) -> None:
        with self.slider.changed.blocked():
            self.slider.value = position_of(factor)

    def _on_slider_moved(self, position: int) -> None:
        with self.number.changed.blocked():
            self.number.value = factor_at(position)
        self.number.changed.emit(self.number.value)
