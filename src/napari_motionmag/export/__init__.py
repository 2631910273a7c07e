"""Movies to show: side by side with slices, scale and time, as files that play anywhere.

The names are imported on first use, so that ``import napari_motionmag.export`` is quick.
"""

from importlib import import_module

_MODULES = {
    "batch": ("Outputs", "run_batch"),
    "batch_items": ("Item", "find_items"),
    "composition": ("Composition", "compose"),
    "film": ("Film",),
    "look": ("Look", "look_of"),
    "measures": ("Measures", "measure"),
    "movie_file": ("check_export", "export_movie"),
    "panels": ("Panel", "panel"),
    "report": ("check_report", "write_report"),
}
_PUBLIC = {name: module for module, names in _MODULES.items() for name in names}

__all__ = sorted(_PUBLIC)


def __getattr__(name: str):
    try:
        module = _PUBLIC[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(import_module(f"{__name__}.{module}"), name)


def __dir__() -> list[str]:
    return __all__
