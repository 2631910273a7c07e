"""The movie of a layer, its frame rate, its source, and the arguments that it suggests."""

from __future__ import annotations

from napari_motionmag.magnification.layer import source_is_known, source_of
from napari_motionmag.movie.layer_traits import FPS_KEY, layer_arguments, typed_rate
from napari_motionmag.movie.movie import Movie


class Source:
    """Makes a movie of a layer, and the same one again as long as the layer stays the same.

    A movie remembers its intensity range, which takes reading a few frames to estimate.
    """

    def __init__(self):
        self._movie: Movie | None = None
        self._of: tuple = ()

    def movie(self, layer, axes: str = "") -> Movie:
        """Return the movie of a layer.

        Parameters
        ----------
        layer : napari.layers.Image
        axes : str
            Letters that the user gave; empty to go by the layer.

        Raises
        ------
        ValueError, TypeError
            If the layer is no movie, or its axes are unknown.
        """
        given = {"axes": axes.strip()} if axes.strip() else {}
        arguments = layer_arguments(layer, given)
        identity = (id(arguments["data"]), *(str(v) for k, v in arguments.items() if k != "data"))
        if self._movie is None or identity != self._of:
            self._movie, self._of = Movie(**arguments), identity
        return self._movie


def given_by_user(layer, axes: str) -> list[str]:
    """Return which of axes and fps the user gave, and not the layer."""
    given = ["axes"] if axes.strip() else []
    return given if typed_rate(layer) is None else [*given, "fps"]


def record_rate(viewer, layer, fps: float) -> None:
    """Record the frame rate that a user typed, for a movie and all that was made of it.

    Parameters
    ----------
    viewer : napari.Viewer
    layer : napari.layers.Image
        The movie, or a result.
    fps : float
        Frames per second; 0 to go by the layers again.
    """
    origin = _origin(layer)
    for other in {layer, origin, *(one for one in viewer.layers if _origin(one) is origin)}:
        if (typed_rate(other) or 0) != fps:
            metadata = {key: value for key, value in other.metadata.items() if key != FPS_KEY}
            other.metadata = metadata | ({FPS_KEY: float(fps)} if fps else {})


def _origin(layer):
    while (source := source_of(layer)) is not None:
        layer = source
    return layer


def open_source(viewer, magnified):
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


def suggestion_of(layer) -> dict:
    """Return the arguments for `magnify` that a layer brings along, as the samples do."""
    suggested = layer.metadata.get("suggestion", {})
    return dict(suggested) if isinstance(suggested, dict) else {}
