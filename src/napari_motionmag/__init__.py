"""Video motion magnification for microscopy.

See motions of a hundredth of a pixel: in napari, in a plain script, on the command line.

The public names are imported on first use, so that ``import napari_motionmag`` stays fast and
needs neither torch nor Qt.
"""

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# public name -> (module, attribute); attribute None means the module itself
_PUBLIC = {
    "magnify": ("magnification.magnification", "magnify"),
    "magnify_layer": ("magnification.magnification", "magnify_layer"),
    "interpolate": ("magnification.interpolation", "interpolate"),
    "interpolated_movie": ("magnification.interpolation", "interpolated_movie"),
    "Movie": ("movie.movie", "Movie"),
    "temporal": ("temporal", None),
    "views": ("views", None),
    "samples": ("samples", None),
    "io": ("io", None),
    "presets": ("magnification.presets", None),
    "recipes": ("magnification.recipe", None),
    "distributed": ("compute.cluster", None),
    "export": ("export", None),
}

__all__ = [
    "Movie",
    "__version__",
    "distributed",
    "export",
    "interpolate",
    "interpolated_movie",
    "io",
    "magnify",
    "magnify_layer",
    "presets",
    "recipes",
    "samples",
    "temporal",
    "views",
]

if TYPE_CHECKING:
    from napari_motionmag import export, io, samples, temporal, views
    from napari_motionmag.compute import cluster as distributed
    from napari_motionmag.magnification import presets
    from napari_motionmag.magnification import recipe as recipes
    from napari_motionmag.magnification.interpolation import interpolate, interpolated_movie
    from napari_motionmag.magnification.magnification import magnify, magnify_layer
    from napari_motionmag.movie.movie import Movie


def __getattr__(name: str):
    try:
        module_name, attribute = _PUBLIC[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    module = import_module(f"{__name__}.{module_name}")
    return module if attribute is None else getattr(module, attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
