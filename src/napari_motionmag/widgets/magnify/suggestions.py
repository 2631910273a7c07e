"""The part of the dock "Magnify motion" that looks at the movie and suggests settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from magicgui.widgets import Container
from napari.layers import Image, Shapes
from qtpy.QtCore import Qt
from qtpy.QtGui import QImage, QPixmap
from qtpy.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout

from napari_motionmag.movie.movie import Movie
from napari_motionmag.widgets.common.form import CollapsibleSection, button
from napari_motionmag.widgets.common.messages import EXPECTED
from napari_motionmag.widgets.common.overlay import over_frame
from napari_motionmag.widgets.common.shown_frame import frame_shown

if TYPE_CHECKING:
    from napari_motionmag.views.suggestions import Suggestion, Suggestions
    from napari_motionmag.widgets.magnify.dock import MagnifyWidget
    from napari_motionmag.widgets.magnify.shared import Shared

REGION = "Suggested region"
_PICTURE_WIDTH = 96  # px
_REGION_KEY = "napari_motionmag_suggested"  # in the metadata of the layer with the region


class SuggestRow(Container):
    """The button ``suggest``, and the ``section`` below it with a card for each suggestion."""

    def __init__(self):
        self.suggest = button(
            "suggest",
            "Suggest",
            "Look at the whole movie: where it moves, at which frequencies, how much, and how "
            "noisy it is. Offers settings that show it.",
        )
        self.section = CollapsibleSection(
            "Suggestions",
            [],
            name="suggestions",
            tooltip="What was found in the movie. “Use” fills in the settings and magnifies.",
        )
        self.section.visible = False
        self._cards: list[QFrame] = []
        super().__init__(widgets=[self.suggest, self.section], labels=False, name="suggest_row")
        self.margins = (0, 0, 0, 0)

    def show_cards(self, found: Suggestions, use) -> None:
        """Show a card for each suggestion; its button calls ``use(suggestion)``."""
        self.clear()
        layout = self.section.body.native.layout()
        for number, one in enumerate(found):
            card = _card(number, one, use)
            layout.addWidget(card)
            self._cards.append(card)
        self.section.note = ""
        self.section.visible = self.section.opened = bool(found)

    def clear(self) -> None:
        """Remove all cards."""
        for card in self._cards:
            card.setParent(None)
            card.deleteLater()
        self._cards = []
        self.section.visible = False


class Suggesting:
    """Looks at the chosen movie in the background, and fills the fields of a dock."""

    def __init__(self, shared: Shared, dock: MagnifyWidget):
        self._shared, self._dock = shared, dock
        self._row = shared.fields.suggest_row
        self._row.suggest.changed.connect(lambda _: self.start())

    def start(self) -> None:
        """Look at the chosen movie, and show what is suggested."""
        chosen, messages = self._shared.chosen, self._shared.messages
        if self._shared.work.refused():
            return
        messages.forget()
        try:
            movie, layer = chosen.movie(), chosen.layer
        except EXPECTED as error:
            messages.report(error, again=True)
            return
        _, plane = frame_shown(self._shared.viewer, layer, movie.axes)

        def look(progress) -> Suggestions:
            from napari_motionmag.views.suggestions import suggest

            return suggest(movie, at=plane or None, progress=progress)

        def show(found: Suggestions) -> None:
            self._row.show_cards(found, lambda one: self.use(one, layer, movie))
            chosen.set_spectrum(layer, found.frequencies / (movie.fps or 1.0), found.spectrum)
            messages.say_result("\n".join([_summary(found), *found.notes]))

        self._shared.work.run(look, show, title="Looking at the movie", layers=[layer])

    def use(self, suggestion: Suggestion, layer: Image, movie: Movie) -> None:
        """Fill in the settings of a suggestion, and magnify the frame that is shown."""
        fields, region = self._shared.fields, suggestion.settings.get("region")
        if layer not in self._shared.viewer.layers:
            self._shared.messages.say("The movie was closed")
            return
        fields.layer.value = layer
        shapes = None if region is None else self._region_layer(region, layer, movie)
        with self._dock.changing():
            fields.fill({"stabilise": None, **suggestion.settings})
            if shapes is not None or _is_suggested(fields.region.value):
                fields.region.value = shapes
        self._row.section.opened = False
        self._row.section.note = suggestion.title
        self._dock.draw()

    def _region_layer(self, region, layer: Image, movie: Movie) -> Shapes:
        """Return a layer with a rectangle around the region, in place of the one before."""
        y0, y1, x0, x1 = region
        calibration = over_frame(layer, movie.axes, {(): np.zeros((1, 1))})[1]
        corners = np.zeros((4, len(calibration["scale"])))
        letters = movie.axes.replace("S", "")[-corners.shape[1] :]
        corners[:, letters.index("Y")] = [y0, y0, y1 - 1, y1 - 1]
        corners[:, letters.index("X")] = [x0, x1 - 1, x1 - 1, x0]
        layers = self._shared.viewer.layers
        active = layers.selection.active
        for other in [one for one in layers if _is_suggested(one)]:
            layers.remove(other)
        shapes = self._shared.viewer.add_shapes(
            [corners],
            name=REGION,
            edge_color="white",
            face_color="transparent",
            edge_width=max(1, (y1 - y0) / 100),
            metadata={_REGION_KEY: True},
            **calibration,
        )
        layers.selection.active = active if active in layers else layer
        return shapes


def _is_suggested(layer) -> bool:
    return isinstance(layer, Shapes) and _REGION_KEY in layer.metadata


def _summary(found: Suggestions) -> str:
    if not found:
        return "Nothing to suggest."
    count = "One suggestion" if len(found) == 1 else f"{len(found)} suggestions"
    return f"{count}: press “Use” to see one."


def _card(number: int, one: Suggestion, use) -> QFrame:
    """Create the picture, the words and the button of a suggestion."""
    card = QFrame()
    card.setObjectName(f"suggestion_{number}")
    card.setFrameShape(QFrame.Shape.StyledPanel)
    picture = QLabel()
    picture.setPixmap(_pixmap(one.picture).scaledToWidth(
        _PICTURE_WIDTH, Qt.TransformationMode.SmoothTransformation
    ))  # fmt: skip
    picture.setAlignment(Qt.AlignmentFlag.AlignTop)
    picture.setToolTip("Where it moves, in color; the region, if one is suggested, in white.")
    title = QLabel(f"<b>{one.title}</b>")
    words = QLabel(one.text)
    for label in (title, words):
        label.setWordWrap(True)
        label.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
    press = QPushButton("Use")
    press.setObjectName(f"use_suggestion_{number}")
    press.setToolTip("Fill in these settings and magnify the frame that is shown.")
    press.clicked.connect(lambda: use(one))
    left = QVBoxLayout()
    left.addWidget(picture)
    left.addWidget(press)
    left.addStretch()
    right = QVBoxLayout()
    right.addWidget(title)
    right.addWidget(words)
    right.addStretch()
    columns = QHBoxLayout(card)
    columns.setContentsMargins(4, 4, 4, 4)
    columns.addLayout(left)
    columns.addLayout(right, 1)
    return card


def _pixmap(picture: np.ndarray) -> QPixmap:
    height, width, _ = picture.shape
    data = np.ascontiguousarray(picture)
    image = QImage(data.data, width, height, 3 * width, QImage.Format.Format_RGB888)
    return QPixmap.fromImage(image.copy())
