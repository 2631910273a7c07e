"""The base of the docks that map a selected motion: which motion of which movie, in windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from magicgui.widgets import Widget
from napari.layers import Image, Layer

from napari_motionmag.magnification import recipe as recipes
from napari_motionmag.magnification.layer import source_is_known
from napari_motionmag.magnification.script import Call, FromLayer
from napari_motionmag.magnification.settings import MOTION
from napari_motionmag.movie.layer_traits import layer_arguments, typed_rate
from napari_motionmag.movie.movie import Movie
from napari_motionmag.temporal import TemporalOperator, make_operator
from napari_motionmag.widgets.common.dock import NO_MOVIE, reports_errors
from napari_motionmag.widgets.common.form import CollapsibleSection, checkbox, choice, integer
from napari_motionmag.widgets.common.layer_movie import describe, open_source, suggestion_of
from napari_motionmag.widgets.common.measurement_dock import CHOOSE_MOVIE, MeasurementDock
from napari_motionmag.widgets.common.messages import EXPECTED
from napari_motionmag.widgets.common.motion_fields import MotionFields, band_to_start_from
from napari_motionmag.widgets.common.overlay import over_frame

FROM_FIELDS = "Set here"


@dataclass(frozen=True)
class MotionRequest:
    """The motion of a movie, to be measured."""

    layer: Image
    movie: Movie
    selection: dict  # arguments that select the motion: mode, reference, band, filter
    operator: TemporalOperator
    planes: tuple[tuple[int, ...], ...]  # places along the axes other than T, Y, X and S
    window: int  # px
    magnified: Image | None  # the layer whose settings these are
    note: str = ""  # what the user should know about the settings

    @property
    def motion(self) -> str:
        """A few words for the names of layers."""
        low, high = (getattr(self.operator, name, None) for name in ("low", "high"))
        return self.operator.name if low is None else f"{low:g}-{high:g} Hz"

    def at(self, plane: tuple[int, ...]) -> dict:
        """Return the argument `at` for a plane; nothing if the movie has only one."""
        return {"at": plane} if plane else {}

    def call(self, function: str, plane: tuple[int, ...], **changes) -> Call:
        """Return the call of a function of `views` that measures a plane."""
        options = {**self.selection, **self.at(plane), "window": self.window, **changes}
        movie = FromLayer(self.layer, self.movie)
        return Call("napari_motionmag.views", function, movie, **options)


class MotionDock(MeasurementDock):
    """A dock that maps the motion of a movie, selected as for a magnification.

    Movie and motion are those of a magnified layer, ``like``, or of the fields, as `MotionFields`.
    """

    in_windows = True  # whether the frame is measured window by window, and all planes may be

    def __init__(self, napari_viewer=None):
        self._described: Image | None = None  # the layer that the fields were filled from
        super().__init__(napari_viewer)
        self._fields.axes, self._fields.fps = self.axes, self.fps
        self._choose_active_layer(self.like)
        if self.magnified is None:
            self._choose_active_layer(self.layer)
        for field in (self.like, self.layer, self.mode, self.axes, self.fps):
            field.changed.connect(self._on_settings_changed)
        self.layer.changed.connect(self._fill_from_layer)
        self._fields.reference_current.changed.connect(self._on_current_frame_clicked)
        self._refresh()

    # ---- what to measure ----

    def request(self) -> MotionRequest:
        """Return what the fields ask for; ValueError or TypeError if something is invalid."""
        magnified, note = self.magnified, ""
        if magnified is None:
            layer = self.layer.value
            if layer is None:
                raise ValueError(NO_MOVIE)
            movie = self.movie_of(layer)
            selection = self._fields.motion_arguments()
        else:
            layer, movie, selection, note = self._settings_of(magnified)
        operator = make_operator(**selection, fps=movie.fps)
        _, plane = self._place_shown(layer, movie)
        planes = tuple(movie.series()) if self.planes.value else (plane,)
        return MotionRequest(
            layer, movie, selection, operator, planes, self.window.value, magnified, note
        )

    @property
    def magnified(self) -> Image | None:
        """The layer whose settings are taken, or None."""
        return None if self.like.value in (FROM_FIELDS, None) else self.like.value

    def _settings_of(self, magnified: Image) -> tuple[Image, Movie, dict, str]:
        recipe = recipes.recipe_of(magnified)
        layer = open_source(self._viewer, magnified)
        if layer is None:
            name = magnified.metadata["napari_motionmag"].get("source")
            raise ValueError(f"The source of {magnified.name!r}, the movie {name!r}, is not open")
        options, fps = recipes.arguments(recipe), typed_rate(layer) or recipe.get("fps")
        known = {"axes": recipe["axes"], **({"fps": fps} if fps else {})}
        movie = Movie(**layer_arguments(layer, known))
        notes = []
        if not source_is_known(magnified):
            notes.append(
                f"{magnified.name!r} was not made in this session; the layer that it names as its "
                f"source, {layer.name!r}, is measured"
            )
        if recipe.get("stabilise"):
            notes.append(
                f"{magnified.name!r} was stabilised before it was magnified; the movie as it is is "
                "measured"
            )
        selection = {key: options[key] for key in MOTION if key in options}
        return layer, movie, selection, ". ".join(notes)

    # ---- measuring ----

    @reports_errors
    def _measure_planes(self, function: Callable, title: str, show: Callable, **options) -> None:
        """Measure every plane in the background, then call ``show(request, results by plane)``."""
        self._messages.forget()
        request = self.request()
        count = len(request.planes)

        def work(progress) -> dict:
            results = {}
            for k, plane in enumerate(request.planes):
                results[plane] = function(
                    request.movie,
                    **request.selection,
                    at=plane,
                    window=request.window,
                    progress=lambda done, total, k=k: progress(k * total + done, count * total),
                    **options,
                )
            return results

        def show_with_note(results: dict) -> None:
            show(request, results)
            if request.note:
                self._messages.say(f"{self.status.value.rstrip('.')}. {request.note}")

        self._work.run(work, show_with_note, title=title, layers=[request.layer])

    def _shown_plane(self, request: MotionRequest, results: dict) -> tuple[int, ...]:
        """Return the plane that is shown, or else the first that was measured."""
        _, plane = self._place_shown(request.layer, request.movie)
        return plane if plane in results else next(iter(results))

    def _show_map(
        self,
        request: MotionRequest,
        kind: str,
        pictures: dict[tuple[int, ...], np.ndarray],
        look: dict,
        *,
        step: float = 1.0,
        first: tuple[float, float] = (0.0, 0.0),
        **layer_options,
    ) -> Layer:
        """Show pictures by plane as a layer over the movie; see `over_frame` and `_put_layer`.

        The layer's name begins with `kind`, in which a unit may follow in parentheses.
        """
        where = ""
        if request.movie.other_axes and len(pictures) == 1:
            (at,) = pictures
            pairs = zip(request.movie.other_axes, at, strict=True)
            where = " " + " ".join(f"{letter}{index}" for letter, index in pairs)
        # the kind comes first: napari shortens long names
        name = f"{kind}{where}, {request.motion}: {request.layer.name}"
        data, place = over_frame(
            request.layer, request.movie.axes, pictures, step=step, first=first
        )
        key = kind.partition(" (")[0]
        over = request.layer
        return self._put_layer(key, data, name, place | look, over=over, **layer_options)

    # ---- fields ----

    def _create_rows(self) -> list[Widget]:
        self.like = choice(
            "like",
            "Settings",
            self._setting_choices,
            "Take movie, motion and frame rate from a magnified layer, or set them here.",
        )
        fields = self._fields = MotionFields(self._movies)
        names = ("layer", "mode", "reference", "reference_frames", "band_low", "band_high")
        for name in (*names, "filter"):
            setattr(self, name, getattr(fields, name))
        self.window = integer(
            "window",
            "Window, px",
            8,
            512,
            "Side of the squares that are measured, px. Larger ones are less noisy and show less "
            "detail.",
            value=32,
            step=8,
        )
        self._window = self.window.value  # the one that was chosen
        self.window.changed.connect(lambda side: setattr(self, "_window", side))
        self.planes = checkbox(
            "planes",
            "All planes and channels",
            "Measure each of them, not only the one that is shown.",
        )
        elsewhere = (fields.axes, fields.fps, fields.mean_row, fields.filter)
        motion = [row for row in fields.motion_rows if row not in elsewhere]
        return [self.like, *motion, *self._create_own_rows()]

    def _create_sections(self) -> list[CollapsibleSection]:
        windows = [self.window, self.planes] if self.in_windows else []
        title = "Filter and windows" if self.in_windows else "Filter"
        self.more = CollapsibleSection(
            title,
            [self._fields.mean_row, self._fields.filter, *windows],
            name="more",
            tooltip="Frames of the reference, the temporal filter, the squares that are measured.",
        )
        return [self.more]

    def _create_own_rows(self) -> list[Widget]:
        """Create the fields below those that select the motion."""
        return []

    def _setting_choices(self, _=None) -> list:
        return [FROM_FIELDS, *(layer for layer in self._images() if recipes.is_magnified(layer))]

    def _fill_from_layer(self, _=None) -> None:
        """Fill the fields from the chosen layer, once."""
        layer = self.layer.value
        if layer is self._described or self._updating or self._closed:
            return
        self._described = layer
        if layer is None:
            self._messages.say(CHOOSE_MOVIE)
            return
        try:
            movie = self.movie_of(layer)
        except EXPECTED as error:
            self._messages.say(str(error))
            return
        self._fields.show_length(movie.n_frames)
        if movie.fps:
            self.band_low.value, self.band_high.value = band_to_start_from(movie.fps)
        self._fields.fill_motion(suggestion_of(layer))
        wanted, largest = self._window, max(8, min(movie.frame_shape[:2]))
        self.window.max = largest
        self.window.value = min(wanted, largest)
        self._window = wanted  # a smaller frame holds for its movie alone
        self._messages.say(describe(movie))

    def _on_settings_changed(self, _=None) -> None:
        """Show the fields that apply."""
        if self._closed or self._updating:
            return
        from_fields, layer, fields = self.magnified is None, self.layer.value, self._fields
        self._describe_movies([] if layer is None else [layer])
        fields.show_what_applies(axes=from_fields and layer is not None and layer.ndim != 3)
        if from_fields:
            fields.layer.visible = fields.mode.visible = True
        else:
            for row in (*fields.motion_rows, self.axes, self.fps):
                row.visible = False
        movie = None
        try:
            request = self.request()
        except EXPECTED as error:
            self._messages.say(str(error))
        else:
            movie = request.movie
            if not from_fields:
                text = f"{request.layer.name}: {request.operator.describe()}"
                self._messages.say(f"{text}. {request.note}" if request.note else text)
        if self.in_windows:
            self.planes.visible = movie is not None and len(list(movie.series())) > 1

    def _refresh(self) -> None:
        self._fill_from_layer()
        self._on_settings_changed()

    @reports_errors
    def _on_current_frame_clicked(self, _=None) -> None:
        request = self.request()
        self.reference.value, _ = self._place_shown(request.layer, request.movie)
