"""The movie of a layer, its frame rate, its source, and the arguments that it suggests."""

from __future__ import annotations

from collections.abc import Iterable

from napari.layers import Image, Layer

from napari_motionmag.magnification.layer import source_is_known, source_of
from napari_motionmag.movie.layer_traits import FPS_KEY, layer_arguments, typed_rate
from napari_motionmag.movie.movie import Movie


class MovieOfLayer:
    """Makes a movie of a layer, and returns the same one as long as the layer stays the same.

    A movie remembers its intensity range, and estimating that takes reading a few frames.
    """

    def __init__(self):
        self._movie: Movie | None = None
        self._key: tuple = ()

    def __call__(self, layer: Image, axes: str = "") -> Movie:
        """Return the movie of a layer; `axes` are those the user typed, if any."""
        arguments = layer_arguments(layer, {"axes": axes.strip()} if axes.strip() else {})
        key = (id(arguments["data"]), *(str(v) for k, v in arguments.items() if k != "data"))
        if self._movie is None or key != self._key:
            self._movie, self._key = Movie(**arguments), key
        return self._movie


def typed_by_user(layer: Image, axes: str) -> list[str]:
    """Return which of axes and fps come from the user, and not from the layer."""
    typed = ["axes"] if axes.strip() else []
    return typed if typed_rate(layer) is None else [*typed, "fps"]


def describe(movie: Movie) -> str:
    """Return a few words about a movie."""
    return f"{movie.n_frames} frames ({movie.axes}), {describe_rate(movie)}"


def describe_rate(movie: Movie) -> str:
    """Return the frame rate of a movie in words."""
    return "frame rate unknown" if movie.fps is None else f"{movie.fps:g} fps"


def rate_typed_for(layers: Iterable[Image]) -> float:
    """Return the rate that a user typed for the movies behind layers; 0 for none, or several."""
    rates = {typed_rate(_origin(layer)) or 0.0 for layer in layers}
    return rates.pop() if len(rates) == 1 else 0.0


def record_rate(viewer, layer: Image, fps: float) -> None:
    """Record the frame rate that a user typed, for a movie and all layers that were made of it.

    0 frames per second means the rate of the layers again.
    """
    origin = _origin(layer)
    for other in {layer, origin, *(one for one in viewer.layers if _origin(one) is origin)}:
        if (typed_rate(other) or 0) != fps:
            metadata = {key: value for key, value in other.metadata.items() if key != FPS_KEY}
            other.metadata = metadata | ({FPS_KEY: float(fps)} if fps else {})


def _origin(layer: Layer) -> Layer:
    while (source := source_of(layer)) is not None:
        layer = source
    return layer


def open_source(viewer, magnified: Image) -> Image | None:
    """Return the layer in a viewer that a magnified layer was made of, or None.

    By identity, whatever the layers are called now. A magnified layer that was not made in this
    session names its source in its metadata: then the one layer of that name is returned.
    """
    if source_is_known(magnified):
        source = source_of(magnified)
        return source if source in viewer.layers else None
    name = (magnified.metadata.get("napari_motionmag") or {}).get("source")
    named = [layer for layer in viewer.layers if layer.name == name and layer is not magnified]
    return named[0] if named else None  # napari gives no name twice


def suggestion_of(layer: Image) -> dict:
    """Return the arguments for `magnify` that a layer brings along, as the samples do."""
    suggested = layer.metadata.get("suggestion", {})
    return dict(suggested) if isinstance(suggested, dict) else {}
