"""Large motion that is kept as it is while small motion is magnified: its fields, and an offer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from magicgui.widgets import Container
from qtpy.QtCore import QObject, QTimer

from napari_motionmag.compute.validate import rounded
from napari_motionmag.methods.options import STABILISE
from napari_motionmag.movie.region import Region
from napari_motionmag.widgets.common.form import CollapsibleSection, button, choice, text
from napari_motionmag.widgets.common.jobs import Replacing
from napari_motionmag.widgets.common.messages import EXPECTED
from napari_motionmag.widgets.frames.playback import STOPPED
from napari_motionmag.widgets.magnify.method_options import OptionFields

if TYPE_CHECKING:
    from napari.layers import Image

    from napari_motionmag.magnification.magnification import Magnification
    from napari_motionmag.views.estimators.local_motion import LocalMotion
    from napari_motionmag.widgets.frames.playback import Playback
    from napari_motionmag.widgets.magnify.shared import Shared

_REST_MS = 1500  # since the last frame was drawn, until a drift is looked for
_MOST_FRAMES = 300  # to look at

MODELS = [
    ("None", ""),
    ("Translation", "translation"),
    ("Rigid: translation and rotation", "rigid"),
    ("Affine: stretch and shear, too", "affine"),
    ("Dense: slow drift of every part", "dense"),
]


class Stabilisation(CollapsibleSection):
    """How large motion is followed, ``stabilise``, and of which part of the scene, ``mask``.

    ``masks()`` returns the layers to choose from; ``finer`` holds the other options.
    """

    def __init__(self, masks: Callable):
        self.stabilise = choice(
            "stabilise",
            "Stabilise",
            MODELS,
            "Large motion, of the stage or of a cell as a whole, breaks magnification. When it is "
            "followed, it stays in the result as it is, and only motion besides it is magnified.",
            value="",
        )
        self.mask = choice(
            "mask",
            "Mask",
            masks,
            "Labels or Shapes layer that marks what is followed and magnified; painted in one "
            "frame or in all. Without one, the whole frame is.",
            nullable=True,
        )
        self.finer = OptionFields([x for x in STABILISE if x.name != "model"], "stabilise")
        self.finer.fields["smooth"].native.setSpecialValueText("any")
        rows = [self.stabilise, self.mask, *self.finer.fields.values()]
        tooltip = "What moves as a whole, by more than a pixel or two."
        super().__init__("Large motion", rows, name="large_motion", tooltip=tooltip)
        for row in rows:
            row.changed.connect(self._show_what_applies)
        self._show_what_applies()

    def values(self) -> dict:
        """Return the arguments of `magnify`; the mask is a layer."""
        model = self.stabilise.value
        if not model:
            return {}
        finer = {name: value for name, value in self.finer.values().items() if self._applies(name)}
        arguments = {"stabilise": {"model": model, **finer} if finer else model}
        if self.mask.value is not None and model != "dense":
            arguments["mask"] = self.mask.value
        return arguments

    def fill(self, stabilise: str | Mapping | None) -> None:
        """Set the fields to the argument `stabilise` of `magnify`."""
        given = dict(stabilise) if isinstance(stabilise, Mapping) else {"model": stabilise or ""}
        self.stabilise.value = given.pop("model", MODELS[1][1])
        self.finer.fill(given)

    def _show_what_applies(self, _=None) -> None:
        self.mask.visible = self.stabilise.value not in ("", "dense")
        for name, field in self.finer.fields.items():
            field.visible = bool(self.stabilise.value) and self._applies(name)
        self.note = self.stabilise.value

    def _applies(self, name: str) -> bool:
        """Whether an option has a meaning with the chosen model and mask."""
        if self.stabilise.value == "dense":
            return name in ("align_to", "smooth")
        return name != "feather" or self.mask.value is not None


class DriftRow(Container):
    """What drifts, and the button ``follow``; shown once a drift was found."""

    def __init__(self):
        self.words = text("drift", "How far parts move, more slowly than the band.")
        self.follow = button(
            "follow_drift",
            "Follow the drift",
            "Stabilise “Dense: slow drift of every part”: it stays as it is, and what moves in the "
            "band beside it is magnified in full. Frames take a few times as long.",
        )
        super().__init__(widgets=[self.words, self.follow], labels=False, name="drift_row")
        self.margins = (0, 0, 0, 0)
        self.visible = False


class Drift:
    """Looks for a drift, in the background and at rest, in movies that are filtered by a band."""

    def __init__(self, shared: Shared, playback: Playback, parent: QObject):
        self._shared, self._playback, self._row = shared, playback, shared.fields.drift_row
        self._job = Replacing(lambda busy: None, lambda place, words: None)
        self._timer = QTimer(parent)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REST_MS)
        self._timer.timeout.connect(self._look)
        self._drawn: tuple | None = None  # layer, magnification and plane of the newest frame
        self._measured: tuple | None = None  # data, axes, plane and region; how windows move there
        self._row.follow.changed.connect(lambda _: self._follow())

    def close(self) -> None:
        """Stop."""
        self._timer.stop()
        self._job.close()

    def forget(self) -> None:
        """Offer nothing, and keep nothing of the movie: another is chosen, or it was edited."""
        self._timer.stop()
        self._job.cancel()
        self._drawn = self._measured = None
        self._row.visible = False

    def note_drawn(
        self, layer: Image, magnification: Magnification, plane: tuple[int, ...]
    ) -> None:
        """Take note of a frame of the chosen movie; look for a drift once no more are drawn."""
        if layer is not self._shared.chosen.layer:
            return
        self._job.cancel()
        self._timer.stop()
        self._drawn = layer, magnification, plane
        if magnification.operator.band is None or magnification.recipe["stabilise"] is not None:
            self._row.visible = False
        else:
            self._timer.start()

    def _look(self) -> None:
        work = self._shared.work
        if self._drawn is None:
            return
        if work.working or work.pending or self._playback.state != STOPPED:
            self._timer.start()
            return
        drawn, found = self._drawn, []
        layer, magnification, plane = drawn
        try:
            movie = self._shared.chosen.movie()
        except EXPECTED:  # a frame that is drawn says so
            return
        region = magnification.recipe["region"]
        place = movie.data, movie.axes, plane, region
        part = Region.make(movie, region)  # what lies beside it may drift as it likes
        movie = movie if part is None else part.as_movie()
        motion = self._known(place)

        def look(progress) -> None:
            from napari_motionmag.views.drifts import drift_beside
            from napari_motionmag.views.estimators.local_motion import local_motion

            measured = motion or local_motion(movie, plane or None, _MOST_FRAMES, progress)
            found.append((measured, drift_beside(measured, magnification.operator)))

        def show(error: Exception | None, cancelled: bool) -> None:
            # too few frames, or none that can be read: a frame that is drawn says so
            if not found or self._drawn is None or self._drawn[0] is not layer:
                return
            measured, drift = found[0]
            self._measured = place, measured
            if self._drawn is drawn:
                self._say(drift)

        self._job.request(look, show)

    def _known(self, place: tuple) -> LocalMotion | None:
        """Return how the windows of a region of a plane move, if that was measured."""
        if self._measured is None:
            return None
        known, motion = self._measured
        return motion if known[0] is place[0] and known[1:] == place[1:] else None

    def _say(self, drift: float) -> None:
        from napari_motionmag.views.drifts import MUCH

        self._row.words.value = (
            f"Parts drift by {rounded(drift, 2)} px while the filter sees them. Thin structures "
            "then gain less than the factor."
        )
        self._row.visible = drift > MUCH

    def _follow(self) -> None:
        self._row.visible = False
        self._shared.fields.stabilise.value = "dense"
