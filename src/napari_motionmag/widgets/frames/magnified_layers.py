"""The magnified layers of a dock, each bound to its source."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
from napari.layers import Image
from napari.utils.notifications import show_warning
from qtpy.QtCore import QObject, Qt, QTimer, Signal

from napari_motionmag.magnification.layer import (
    magnified_layer,
    magnified_metadata,
    magnified_name,
    placement,
    source_of,
)
from napari_motionmag.movie.region import Region
from napari_motionmag.widgets.common.messages import Messages, warnings_to
from napari_motionmag.widgets.common.shown_frame import TIME_ACROSS, time_is_drawn
from napari_motionmag.widgets.frames.frame_cache import CachedMagnification
from napari_motionmag.widgets.frames.layer_frames import mark_slicing

_RESULT = "_napari_motionmag_result"  # attribute of a layer whose dock was closed


@dataclass
class Result:
    """A magnified layer, the magnification that it shows, and the name that it got last."""

    layer: Image
    magnification: CachedMagnification
    name: str  # the user may have changed it
    coarse: CachedMagnification | None = None  # draws the frames while settings change
    whole: bool = False  # all its frames are drawn
    kept_of: object = None  # the source, of a layer that stays as it is
    hidden: str = ""  # why it was hidden: "failed", "time", or nothing

    @property
    def drawn_by(self) -> CachedMagnification:
        """What draws the frames of the layer now."""
        return self.magnification if self.coarse is None else self.coarse


class FrameListener(QObject):
    """Takes what happens in any thread to the main one, never while a layer is being sliced.

    ``unwanted(token)`` says, on the main thread, whether a layer is about to be hidden.
    """

    frame_failed = Signal(str, object)  # token and error, which is raised afterwards
    frame_ahead_failed = Signal(str, object)
    warned = Signal(tuple, str)

    def __init__(self, unwanted: Callable[[str], bool]):
        super().__init__()
        self.unwanted = unwanted
        self.failed, self.prefetch_failed = self.frame_failed.emit, self.frame_ahead_failed.emit

    def listening(self):
        """Return a context in which the warnings of this thread are passed on."""
        return warnings_to(self.warned.emit)


class Results:
    """Magnified layers in a viewer.

    A layer of which a frame could not be drawn is hidden, since napari would report each frame
    anew. `messages` are those of the dock.
    """

    def __init__(self, viewer, messages: Messages):
        self._viewer = viewer
        self._messages = messages
        self._of: WeakKeyDictionary = WeakKeyDictionary()
        self._hiding = False
        self._listener = FrameListener(self._unwanted)
        queued = Qt.ConnectionType.QueuedConnection
        self._listener.frame_failed.connect(self._hide_failed, queued)
        self._listener.frame_ahead_failed.connect(self._warn_ahead, queued)
        self._listener.warned.connect(messages.warn, queued)
        for event in self._dims_events():
            event.connect(self._hide_when_time_is_across)
        viewer.layers.events.removed.connect(self._forget_frames)

    def close(self) -> None:
        """Release the viewer; the layers stay, for `take_up`."""
        with suppress(RuntimeError):  # Qt may be gone already as the program ends
            self._listener.frame_failed.disconnect()
            self._listener.frame_ahead_failed.disconnect()
            self._listener.warned.disconnect()
        for event in self._dims_events():
            event.disconnect(self._hide_when_time_is_across)
        self._viewer.layers.events.removed.disconnect(self._forget_frames)
        for key, result in self._of.items():
            result.layer.events.visible.disconnect(self._hide_when_time_is_across)
            if isinstance(key, Image):
                setattr(result.layer, _RESULT, result)
        self._of.clear()
        self._viewer = None

    def take_up(self) -> None:
        """Go on with the layers of sources that were shown until another dock was closed."""
        for layer in self._viewer.layers:
            result = layer.__dict__.pop(_RESULT, None)
            source = source_of(layer)
            if result is None or source is None:
                continue
            result.magnification = self.cached(result.magnification.plain())  # tells this dock
            if not result.whole:
                result.coarse = None
                layer.data = result.magnification.dask()
            layer.events.visible.connect(self._hide_when_time_is_across)
            self._of[source if result.kept_of is None else layer] = result

    def of(self, source) -> Result | None:
        """Return the lazy layer of a source, which follows the settings, or None."""
        result = self.latest(source)
        changes = result is not None and not result.whole and result.kept_of is None
        return result if changes else None

    def latest(self, source) -> Result | None:
        """Return the newest layer of a source, lazy or finished, or None."""
        kept = [result for result in self._of.values() if result.kept_of is source]
        found = [] if source is None else [*kept, self._of.get(source)]
        found = [x for x in found if x is not None and x.layer in self._viewer.layers]
        return found[-1] if found else None

    def keep(self, source) -> Result | None:
        """Let the lazy layer of a source stay as it is; the next one is another."""
        result = self.of(source)
        if result is not None:
            result.kept_of = source
            self._of[result.layer] = self._of.pop(source)
        return result

    def cached(self, magnification) -> CachedMagnification:
        """Return a magnification that keeps its frames and reports what goes wrong."""
        return CachedMagnification.of(magnification, self._listener)

    def show(
        self,
        source,
        magnification: CachedMagnification,
        key=None,
        name: str | None = None,
        coarse: CachedMagnification | None = None,
    ) -> Result:
        """Add the layer of a source, or draw its layer by another magnification.

        `key` stands for the source in `of`, where a source has several layers. The name says how
        the layer was made, unless one is given. A layer that is there already may be drawn by
        `coarse` until it is shown again.
        """
        key = source if key is None else key
        name = magnified_name(source.name, magnification.recipe) if name is None else name
        result = self.of(key)
        if result is not None and _fits(result, magnification):
            result.coarse = coarse
            self._update(result, source, magnification, name)
            return result
        # added while hidden, so that no frame but the one shown is drawn
        layer = magnified_layer(source, magnification, visible=False)
        layer.name = name
        mark_slicing(layer)
        self._viewer.add_layer(layer)
        layer.visible = True
        layer.events.visible.connect(self._hide_when_time_is_across)
        self._of[key] = Result(layer, magnification, layer.name)
        return self._of[key]

    def finish(self, result: Result, data: np.ndarray) -> None:
        """Give a layer all its frames; it no longer follows the settings."""
        result.layer.data = data
        result.whole = True
        self._reveal(result)

    def _update(
        self, result: Result, source, magnification: CachedMagnification, name: str
    ) -> None:
        layer = result.layer
        result.magnification = magnification
        if layer.name == result.name:  # else the user gave it another
            layer.name = name
            result.name = layer.name
        layer.metadata = {**layer.metadata, **magnified_metadata(source, magnification.recipe)}
        for where, value in placement(source, magnification.movie).items():
            if not np.array_equal(getattr(layer, where), value):
                setattr(layer, where, value)
        layer.data = result.drawn_by.dask()
        if result.hidden == "failed":
            self._reveal(result)

    def _reveal(self, result: Result) -> None:
        if result.hidden:
            result.hidden = ""
            result.layer.visible = True

    def _forget_frames(self, event) -> None:
        """Give back the memory of the frames of a layer that was removed."""
        for result in self._of.values():
            if result.layer is event.value:
                result.magnification.cache.clear()
                result.drawn_by.cache.clear()

    # ---- frames that cannot be drawn ----

    def _visible(self, token: str) -> list[Result]:
        """Return what is drawn by a magnification and visible."""
        results = list(self._of.values())
        return [x for x in results if x.drawn_by.token == token and x.layer.visible]

    def _hide_failed(self, token: str, error: Exception) -> None:
        for result in self._visible(token):
            if not result.whole:
                result.layer.visible = False
                result.hidden = "failed"
                self._messages.say(
                    f"{error}. Layer {result.layer.name!r} is hidden; show it again to retry"
                )

    def _warn_ahead(self, token: str, error: Exception) -> None:
        """Report an error in a frame that will be shown next."""
        for _ in self._visible(token):
            self._messages.warn((UserWarning, "prefetch", token), f"A frame to come: {error}")

    # ---- time across the picture ----

    def _dims_events(self) -> list:
        return [self._viewer.dims.events.order, self._viewer.dims.events.ndisplay]

    def _is_across(self, result: Result) -> bool:
        return time_is_drawn(self._viewer, result.layer, result.magnification.movie.axes)

    def _unwanted(self, token: str) -> bool:
        """Whether a layer is about to be hidden: napari slices it before we can hide it."""
        return any(not x.whole and self._is_across(x) for x in self._visible(token))

    def _hide_when_time_is_across(self, event=None) -> None:
        """Hide lazy layers of which all frames would be needed at once."""
        if self._hiding:
            return
        hidden = []
        for result in self._lazy():
            across = self._is_across(result)
            if across and result.layer.visible:
                result.hidden = "time"
                hidden.append(result.layer)
            elif not across and result.hidden == "time":
                # once the viewer has told the layer of its new axes
                QTimer.singleShot(0, self._reveal_after_time_across)
        self._hiding = True
        for layer in hidden:
            layer.visible = False
        self._hiding = False
        if hidden:
            names = " and ".join(repr(layer.name) for layer in hidden)
            show_warning(f"{TIME_ACROSS}. Hidden meanwhile: {names}")

    def _reveal_after_time_across(self) -> None:
        for result in self._lazy():
            if result.hidden == "time" and not self._is_across(result):
                self._reveal(result)

    def _lazy(self) -> list[Result]:
        """Return the results in the viewer of which not all frames are drawn."""
        results = list(self._of.values())
        return [x for x in results if not x.whole and x.layer in self._viewer.layers]


def _fits(result: Result, magnification: CachedMagnification) -> bool:
    """Whether a layer can show it: the same axes, shape and dtype, maybe of another region."""
    before, after = _whole(result.magnification.movie), _whole(magnification.movie)
    return (before.axes, before.shape, before.dtype) == (after.axes, after.shape, after.dtype)


def _whole(movie):
    return movie.data.movie if isinstance(movie.data, Region) else movie
