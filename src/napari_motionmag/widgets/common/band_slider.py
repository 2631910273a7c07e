"""A slider with two handles for a band of frequencies, below the spectrum of the motion."""

from __future__ import annotations

import numpy as np
from magicgui.widgets import Container, FloatSpinBox, RangeSlider
from qtpy.QtCore import QPointF, QRectF
from qtpy.QtGui import QColor, QPainter, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

LAST = 500  # steps of the slider
_HEIGHT = 34  # px, of the spectrum
_LEAST = 1e-4  # Hz: the last digit of the fields
_INSET = 8  # px: half a handle of the slider
_LINE, _BAND = QColor("#1f9de0"), QColor(232, 133, 12, 90)
_TOOLTIP = (
    "Drag the edges of the band, or the band itself. From 0 to half the frame rate, with more room "
    "for low frequencies. “Suggest” draws the spectrum of the motion above."
)


class BandSlider(Container):
    """The ``slider`` shows and changes the fields of a band, ``low`` and ``high``, in Hz.

    The frequency grows with the square of the position. The strip above the slider shows a
    spectrum, once there is one.
    """

    def __init__(self, low: FloatSpinBox, high: FloatSpinBox):
        self._low, self._high, self._highest = low, high, 0.0
        self.slider = RangeSlider(
            name="band_range", min=0, max=LAST, value=(0, LAST), tooltip=_TOOLTIP
        )
        native = self.slider.native
        native.setHandleLabelPosition(native.LabelPosition.NoLabel)  # they would be positions
        native.setEdgeLabelMode(native.EdgeLabelMode.NoLabel)
        self.slider.native.setObjectName("band_range")
        super().__init__(widgets=[self.slider], labels=False, name="band_slider", label=" ")
        self.margins = (0, 0, 0, 0)
        self._spectrum = _Spectrum()
        self.native.layout().setSpacing(0)
        self.native.layout().insertWidget(0, self._spectrum)
        self.slider.changed.connect(self._on_dragged)
        for field in (low, high):
            field.changed.connect(self._show_band)

    @property
    def applies(self) -> bool:
        """Whether the frame rate is known."""
        return self._highest > 0

    def fit(self, fps: float) -> None:
        """Let the slider reach to half the frame rate, 0 if that is unknown."""
        if fps / 2 != self._highest:
            self._highest = fps / 2
            self._show_band()

    def show_spectrum(self, frequencies=(), strength=()) -> None:
        """Draw a spectrum, cycles per frame, above the slider; without any, take it away."""
        self._spectrum.curve = np.asarray(frequencies, float), np.asarray(strength, float)
        self._spectrum.setVisible(bool(np.any(strength)))
        self._show_band()

    def _show_band(self, _=None) -> None:
        if not self.applies:
            return
        band = [min(field.value, self._highest) for field in (self._low, self._high)]
        with self.slider.changed.blocked():
            self.slider.value = sorted(self._position(edge) for edge in band)
        self._spectrum.band = sorted(edge / (2 * self._highest) for edge in band)
        self._spectrum.update()

    def _position(self, frequency: float) -> int:
        return round(LAST * (frequency / self._highest) ** 0.5)

    def _frequency(self, position: int) -> float:
        if position == LAST:
            return self._highest
        return max(float(f"{self._highest * (position / LAST) ** 2:.3g}"), _LEAST)

    def _on_dragged(self, positions: tuple[int, int]) -> None:
        first, last = positions
        first = min(max(first, 1), LAST - 1)  # a band begins above 0, and is never empty
        band = self._frequency(first), self._frequency(max(last, first + 1))
        fields = self._low, self._high
        moved = [
            field
            for field, edge, now in zip(fields, band, self._shown(), strict=True)
            if self._position(edge) != now
        ]
        for field, edge in zip(fields, band, strict=True):
            with field.changed.blocked():
                if field in moved:  # an edge that stays where it is keeps its digits
                    field.value = edge
        for field in moved[-1:]:
            field.changed.emit(field.value)

    def _shown(self) -> list[int]:
        """Return the positions of the fields."""
        return [
            self._position(min(field.value, self._highest)) for field in (self._low, self._high)
        ]


class _Spectrum(QWidget):
    """A curve over the slider, with the band in color; hidden while there is none.

    Frequencies are in cycles per frame.
    """

    def __init__(self):
        super().__init__()
        self.setObjectName("band_spectrum")
        self.setToolTip("Spectrum of the motion in the movie, what stands out from its noise.")
        self.setFixedHeight(_HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.curve = np.empty(0), np.empty(0)
        self.band = 0.0, 0.0
        self.hide()

    def points(self) -> list[tuple[float, float]]:
        """Return the curve in px of the strip."""
        frequencies, strength = self.curve
        top = strength.max(initial=0)
        if not top:
            return []
        y = self.height() - 1 - (self.height() - 3) * strength / top
        return [(self._across(f), float(v)) for f, v in zip(frequencies, y, strict=True)]

    def _across(self, frequency: float) -> float:
        return _INSET + (2 * frequency) ** 0.5 * (self.width() - 2 * _INSET)

    def paintEvent(self, event) -> None:
        points = self.points()
        if not points:
            return
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        left, right = map(self._across, self.band)
        painter.fillRect(QRectF(left, 0, right - left, self.height()), _BAND)
        painter.setPen(_LINE)
        painter.drawPolyline(QPolygonF([QPointF(*point) for point in points]))
        painter.end()
