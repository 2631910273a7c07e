"""Movies to show: side by side with slices, scale and time, as files that play anywhere.

The names are imported on first use, so that ``import napari_motionmag.export`` is quick.
"""

import lazy_loader

_MODULES = {
    "batch": ("Item", "Outputs", "find_items", "run_batch"),
    "composition": ("Composition", "Panel", "compose", "panel"),
    "film": ("Film",),
    "look": ("Look", "look_of"),
    "measures": ("Measures", "measure"),
    "movie_file": ("check_export", "export_movie"),
    "report": ("check_report", "write_report"),
}
__getattr__, __dir__, __all__ = lazy_loader.attach(__name__, submod_attrs=_MODULES)
