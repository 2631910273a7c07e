"""Video motion magnification for microscopy.

See motions of a hundredth of a pixel: in napari, in a plain script, on the command line.

The public names are imported on first use, so that ``import napari_motionmag`` stays fast and
needs neither torch nor Qt.
"""

import os
import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

__version__ = "0.1.0"

# PyTorch's threads sleep when they have nothing to do; read when PyTorch is loaded. Spinning, they
# hold up each other as soon as another program wants a core: a frame took ten times as long.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# public name -> (module, attribute); attribute None means the module itself
_PUBLIC = {
    "magnify_layer": ("napari_motionmag.magnify", "magnify_layer"),
    "Movie": ("napari_motionmag.movie", "Movie"),
    "temporal": ("napari_motionmag.temporal", None),
    "views": ("napari_motionmag.views", None),
    "samples": ("napari_motionmag.samples", None),
}

__all__ = ["Movie", "__version__", "magnify", "magnify_layer", "samples", "temporal", "views"]

if TYPE_CHECKING:
    from napari_motionmag import samples, temporal, views
    from napari_motionmag.magnify import magnify, magnify_layer
    from napari_motionmag.movie import Movie


class _Package(ModuleType):
    """The package as a module whose ``magnify`` stays the function.

    Importing the submodule ``napari_motionmag.magnify`` makes Python bind the submodule to the
    same name; the property keeps ``from napari_motionmag import magnify`` the function always.
    """

    @property
    def magnify(self):
        return import_module("napari_motionmag.magnify").magnify

    @magnify.setter
    def magnify(self, value):
        pass

    def __getattr__(self, name: str):
        try:
            module_name, attribute = _PUBLIC[name]
        except KeyError:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}") from None
        module = import_module(module_name)
        return module if attribute is None else getattr(module, attribute)

    def __dir__(self) -> list[str]:
        return sorted(__all__)


sys.modules[__name__].__class__ = _Package
