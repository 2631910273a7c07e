"""What the docks that map the motion share: which motion of which movie, window by window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from magicgui.widgets import CheckBox, ComboBox, SpinBox
from napari.layers import Image, Labels

from napari_motionmag.magnification import recipe as recipes
from napari_motionmag.magnification.layer import source_is_known
from napari_motionmag.magnification.script import Call, FromLayer
from napari_motionmag.movie.layer_traits import layer_arguments, typed_rate
from napari_motionmag.movie.movie import Movie
from napari_motionmag.temporal import TemporalOperator, make_operator
from napari_motionmag.views.motion_maps import reads
from napari_motionmag.widgets.common.dock import WIDTH, MeasuringWidget
from napari_motionmag.widgets.common.layer_movie import open_source, suggestion_of
from napari_motionmag.widgets.common.messages import EXPECTED
from napari_motionmag.widgets.common.motion_fields import (
    MotionFields,
    band_to_start_from,
    fill_motion,
    may_be_narrow,
    motion_arguments,
)
from napari_motionmag.widgets.common.overlay import over_frame
from napari_motionmag.widgets.common.scroll import make_scroll
from napari_motionmag.widgets.common.shown_frame import frame_shown
from napari_motionmag.widgets.common.viewer import viewer_of

BY_HAND = "by hand"
_MOTION = ("mode", "reference", "band", "filter")


@dataclass(frozen=True)
class Asked:
    """What is to be measured.

    Attributes
    ----------
    layer : napari.layers.Image
        The movie's.
    movie : Movie
    selection : dict
        Arguments that select the motion: mode, reference, band, filter.
    operator : TemporalOperator
    planes : tuple of tuple of int
        Places along the axes other than T, Y, X and S.
    window : int
        Px.
    magnified : napari.layers.Image or None
        The layer whose settings these are.
    note : str
        What the user should know about them; empty as a rule.
    """

    layer: Image
    movie: Movie
    selection: dict
    operator: TemporalOperator
    planes: tuple[tuple[int, ...], ...]
    window: int
    magnified: Image | None
    note: str = ""

    @property
    def motion(self) -> str:
        """A few words for the names of layers."""
        low, high = (getattr(self.operator, name, None) for name in ("low", "high"))
        return self.operator.name if low is None else f"{low:g}-{high:g} Hz"

    def at(self, plane: tuple[int, ...]) -> dict:
        """Return the argument `at` for a plane; nothing where there is but one."""
        return {"at": plane} if plane else {}

    def call(self, function: str, plane: tuple[int, ...], **changes) -> Call:
        """Write the call of a function of `views` that measures a plane."""
        said = {**self.selection, **self.at(plane), "window": self.window, **changes}
        return Call("napari_motionmag.views", function, FromLayer(self.layer, self.movie), **said)


class MeasuredMotion(MeasuringWidget):
    """A dock that maps the motion of a movie.

    Parameters
    ----------
    napari_viewer : napari.Viewer, optional
    name : str
    rows, buttons : list of magicgui.widgets.Widget
        Further fields, and the buttons.
    height : int
        Of the figure, px.
    windows : bool
        Whether the frame is measured window by window, and all planes may be.
    """

    def __init__(
        self,
        napari_viewer,
        name: str,
        rows: list,
        buttons: list,
        height: int,
        windows: bool = True,
    ):
        self._viewer = viewer_of(napari_viewer)
        self._adding = False
        self._maps: list[Image | Labels] = []  # layers that were made here
        self._filled = None  # the layer that the fields were filled from
        self.like = ComboBox(
            name="like",
            label="Settings",
            choices=self._settings,
            tooltip="Take movie, motion and frame rate from a magnified layer, or set them here.",
        )
        fields = self._fields = MotionFields(self._movies)
        for field in ("layer", "mode", "reference", "reference_frames", "band_low", "band_high"):
            setattr(self, field, getattr(fields, field))
        self.filter = fields.filter
        self.window = SpinBox(
            name="window",
            label="Window, px",
            value=32,
            min=8,
            max=512,
            step=8,
            tooltip="Side of the squares that are measured, px. Larger ones are less noisy and "
            "show less detail.",
        )
        self.planes = CheckBox(
            name="planes",
            text="All planes and channels",
            tooltip="Measure each of them, not only the one that is shown.",
        )
        motion = [row for row in fields.motion_rows if row not in (fields.axes, fields.fps)]
        self._windows = windows
        every = [self.like, *motion, *rows, *([self.window, self.planes] if windows else [])]
        super().__init__(self._viewer, name, every, buttons, height)
        fields.axes, fields.fps = self.axes, self.fps
        fields.band_row.label = "Band"
        may_be_narrow(self.like.native)
        self._choose_active()
        for field in (self.like, self.layer, self.mode, self.axes, self.fps):
            field.changed.connect(self._settings_changed)
        self.layer.changed.connect(self._fill)
        fields.reference_current.changed.connect(self._take_current_frame)
        self._viewer.layers.events.removed.connect(self._layer_removed)
        # low windows would cut the figure
        make_scroll(self.native, max(WIDTH, self.native.layout().minimumSize().width()))
        self._fill()
        self._settings_changed()

    # ---- what is asked for ----

    def asked(self) -> Asked:
        """Return what the fields say.

        Raises
        ------
        ValueError, TypeError
            When there is no movie, or a parameter does not do.
        """
        magnified, note = self.magnified, ""
        if magnified is None:
            layer = self.layer.value
            if layer is None:
                raise ValueError("There is no movie: open one as an Image layer first")
            movie = self.movie_of(layer)
            selection = motion_arguments(self._fields)
        else:
            layer, movie, selection, note = self._of_magnified(magnified)
        operator = make_operator(**selection, fps=movie.fps)
        _, plane = frame_shown(self._viewer, layer, movie.axes)
        planes = tuple(movie.series()) if self.planes.value else (plane,)
        return Asked(layer, movie, selection, operator, planes, self.window.value, magnified, note)

    @property
    def magnified(self) -> Image | None:
        """The layer whose settings are taken."""
        return None if self.like.value in (BY_HAND, None) else self.like.value

    def _of_magnified(self, magnified) -> tuple[Image, Movie, dict, str]:
        recipe = recipes.recipe_of(magnified)
        source = open_source(self._viewer, magnified)
        if source is None:
            name = magnified.metadata["napari_motionmag"].get("source")
            raise ValueError(
                f"The movie that {magnified.name!r} was made of, {name!r}, is not open"
            )
        said = recipes.arguments(recipe)
        fps = typed_rate(source) or recipe.get("fps")
        given = {"axes": recipe["axes"], **({"fps": fps} if fps else {})}
        movie = Movie(**layer_arguments(source, given))
        notes = []
        if not source_is_known(magnified):
            notes.append(
                f"{magnified.name!r} was not made in this session; measured is the layer that it "
                f"names as its source, {source.name!r}"
            )
        if recipe.get("stabilise"):
            notes.append(
                f"{magnified.name!r} was stabilised before it was magnified; measured is the movie "
                "as it is"
            )
        return source, movie, {key: said[key] for key in _MOTION if key in said}, ". ".join(notes)

    # ---- measuring ----

    def _measure(self, function: Callable, title: str, finish: Callable, **options) -> None:
        """Measure every plane in the background, then call ``finish(asked, found)``.

        Parameters
        ----------
        function : callable
            Called as ``function(movie, ..., progress=progress)`` for each plane.
        title : str
        finish : callable
            `found` is a dict by plane.
        **options
            For the function.
        """
        try:
            asked = self.asked()
        except EXPECTED as error:
            self._messages.report(error)
            return
        each = reads(asked.movie.n_frames)
        total = each * len(asked.planes)
        found: dict = {}

        def work(progress):
            for k, plane in enumerate(asked.planes):
                found[plane] = function(
                    asked.movie,
                    **asked.selection,
                    at=plane,
                    window=asked.window,
                    progress=lambda done, _, k=k: progress(k * each + done, total),
                    **options,
                )

        def take() -> None:
            self._messages.all_well()
            finish(asked, found)
            if asked.note:
                self._messages.say(f"{self.status.value.rstrip('.')}. {asked.note}")

        self._messages.afresh()
        self._messages.say(f"{title}…")
        self._working_on = asked.layer
        self._runner.request(
            work,
            self._when_done(take),
            lambda step, total: self._messages.say(f"{title}: {step} of {total} frames read"),
            title=title,
        )

    def _show_map(
        self, asked: Asked, what: str, pictures: dict, look: dict, kind: str = "image", **place
    ) -> Image | Labels:
        """Add a layer of pictures by plane, or bring the one of this name up to date.

        Parameters
        ----------
        asked : Asked
        what : str
            First words of its name.
        pictures : dict of tuple of int to ndarray
        look : dict
            How the layer looks: attributes.
        kind : {"image", "labels"}
        **place
            As for `over_frame`.
        """
        where = ""
        if asked.movie.other_axes and len(pictures) == 1:
            (at,) = pictures
            pairs = zip(asked.movie.other_axes, at, strict=True)
            where = " " + " ".join(f"{letter}{index}" for letter, index in pairs)
        # what it is comes first: napari shortens long names
        name = f"{what}{where}, {asked.motion}: {asked.layer.name}"
        data, calibration = over_frame(asked.layer, asked.movie.axes, pictures, **place)
        self._maps = [layer for layer in self._maps if layer in self._viewer.layers]
        for layer in self._maps:
            if layer.name == name and layer.data.ndim == data.ndim:
                layer.data = data
                for key, value in (calibration | look).items():
                    setattr(layer, key, value)
                return layer
        before, self._adding = self._adding, True
        try:
            add = getattr(self._viewer, f"add_{kind}")
            first = {key: value for key, value in look.items() if key != "contour"}
            made = add(data, name=name, **calibration, **first)
            if "contour" in look:  # no argument of Labels
                made.contour = look["contour"]
        finally:
            self._adding = before
        self._maps.append(made)
        return made

    # ---- fields ----

    def _movies(self, _=None) -> list[Image]:
        return [layer for layer in self._images() if layer.ndim >= 3]

    def _settings(self, _=None) -> list:
        made = [layer for layer in self._images() if recipes.is_magnified(layer)]
        return [("Set here", BY_HAND), *((_short(layer), layer) for layer in made)]

    def _choose_active(self) -> None:
        active = self._viewer.layers.selection.active
        if active in [choice for choice in self.like.choices if choice != BY_HAND]:
            self.like.value = active
        elif active in self.layer.choices:
            self.layer.value = active

    def _fill(self, _=None) -> None:
        """Fill the fields from the chosen layer."""
        layer = self.layer.value
        if layer is self._filled or self._filling or self._closed:
            return
        self._filled = layer
        if layer is None:
            self._messages.say("Open a movie")
            return
        try:
            movie = self.movie_of(layer)
        except EXPECTED as error:
            self._messages.say(str(error))
            return
        last = movie.n_frames - 1
        self._fields.reference.max, self._fields.reference_frames.max = max(last, 1), last + 1
        if movie.fps:
            low, high = band_to_start_from(movie.fps)
            self.band_low.value, self.band_high.value = low, high
        fill_motion(self._fields, suggestion_of(layer))
        smallest = min(movie.frame_shape[:2])
        self.window.max = max(8, smallest)
        rate = "frame rate unknown" if movie.fps is None else f"{movie.fps:g} fps"
        self._messages.say(f"{movie.n_frames} frames ({movie.axes}), {rate}")

    def _settings_changed(self, _=None) -> None:
        """Show the fields that apply."""
        if self._closed or self._filling:
            return
        by_hand = self.magnified is None
        self._show_rate([] if self.layer.value is None else [self.layer.value])
        fields = self._fields
        layer = self.layer.value
        fields.show_what_applies(axes=by_hand and layer is not None and layer.ndim != 3)
        if not by_hand:
            for row in fields.motion_rows:
                row.visible = False
            self.axes.visible = self.fps.visible = False
        else:
            fields.layer.visible = fields.mode.visible = True
        movie = None
        try:
            asked = self.asked()
        except EXPECTED as error:
            self._messages.say(str(error))
        else:
            movie = asked.movie
            if not by_hand:
                text = f"{asked.layer.name}: {asked.operator.describe()}"
                self._messages.say(f"{text}. {asked.note}" if asked.note else text)
        if self._windows:
            self.planes.visible = movie is not None and len(list(movie.series())) > 1

    def _changed_for_good(self) -> None:
        if not self._closed:
            self._fill()
            self._settings_changed()

    def _layers_changed(self, event=None) -> None:
        if not self._adding:
            super()._layers_changed(event)
        elif not self._closed:
            self.reset_choices()

    def _take_current_frame(self, _=None) -> None:
        try:
            asked = self.asked()
        except EXPECTED as error:
            self._messages.report(error)
        else:
            t, _ = frame_shown(self._viewer, asked.layer, asked.movie.axes)
            self.reference.value = t

    def _layer_removed(self, event) -> None:
        if event.value is self._working_on:
            self._runner.cancel()

    def _leave(self, event=None) -> None:
        if not self._closed:
            self._viewer.layers.events.removed.disconnect(self._layer_removed)
        super()._leave(event)


def _short(magnified) -> str:
    """Name of a magnified layer, what was done first: the end of long names is not seen."""
    name = magnified.name
    source = magnified.metadata["napari_motionmag"].get("source") or ""
    done = name.removeprefix(source).strip()
    return f"{done}, {source}" if source and done and done != name else name
