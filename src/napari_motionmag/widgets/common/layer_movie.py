"""The movie behind the chosen layer, and what its layer says about good parameters."""

from __future__ import annotations

from napari_motionmag.magnification.layer import source_is_known, source_of
from napari_motionmag.movie.layer_traits import layer_arguments
from napari_motionmag.movie.movie import Movie


class Source:
    """Makes a movie of a layer, and the same one again as long as the layer stays the same.

    A movie remembers its intensity range, which takes reading a few frames to estimate.
    """

    def __init__(self):
        self._movie: Movie | None = None
        self._of: tuple = ()

    def movie(self, layer, axes: str = "", fps: float = 0.0) -> Movie:
        """Return the movie of a layer.

        Parameters
        ----------
        layer : napari.layers.Image
        axes : str
            Letters that the user gave; empty to go by the layer.
        fps : float
            Frame rate that the user gave; 0 to go by the layer.

        Raises
        ------
        ValueError, TypeError
            When the layer is no movie, or does not tell its axes.
        """
        said = {"axes": axes.strip()} if axes.strip() else {}
        arguments = layer_arguments(layer, said)
        identity = (id(arguments["data"]), *(str(v) for k, v in arguments.items() if k != "data"))
        if self._movie is None or identity != self._of:
            self._movie, self._of = Movie(**arguments), identity
        known = self._movie.fps
        if fps > 0 and (known is None or abs(fps - known) > 1e-3):  # fields show three decimals
            return self._movie.replace(fps=fps)
        return self._movie

    def given(self, layer, axes: str, movie: Movie) -> list[str]:
        """Return which of axes and fps of a movie the user gave, and not the layer."""
        given = ["axes"] if axes.strip() else []
        if movie.fps != self.movie(layer, axes).fps:
            given.append("fps")
        return given


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
