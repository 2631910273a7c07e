"""Slice views, measurements and pictures of what networks compute.

Everything here works in a plain script. The names are imported on first use, so that
``import napari_motionmag.views`` needs neither torch nor Qt.
"""

from importlib import import_module

_MODULES = {
    "slices": (
        "compare_slices",
        "intensity_trace",
        "slice_calibration",
        "slice_view",
        "xt",
        "yt",
    ),
    "slice_files": ("save_slice",),
    "progressive_slices": ("slice_passes",),
    "figures.motion": ("draw_displacement", "draw_spectrum"),
    "figures.orbits": ("draw_coherence", "draw_orbit"),
    "figures.slices": ("SlicePicture", "draw_slices"),
    "shapes": ("area_from_shapes", "line_from_shapes", "polygon_mask", "region_from_shapes"),
    "displacement": ("displacement_trace",),
    "trace": ("DisplacementTrace",),
    "orbits": ("Orbit", "orbit"),
    "coherences": ("Coherence", "coherence"),
    "oscillation": ("Oscillation", "fit_oscillation", "fit_sinusoid"),
    "spectrum": ("MotionSpectrum", "Peak", "motion_spectrum", "suggest_band"),
    "responses": ("response_table",),
    "motion_maps": ("MotionMap", "motion_map"),
    "estimators.noise_model": ("NoiseModel", "fit_noise"),
    "noise_floors": ("NoiseFloor", "noise_floor"),
    "drifts": ("slow_drift",),
    "blend": ("fade",),
    "suggestions": ("FoundMotion", "Suggestion", "Suggestions", "suggest"),
    "surrogate": ("motionless_surrogate",),
    "kernels": ("EncoderKernels", "encoder_kernels", "kernel_kind"),
    "activations": ("Activations", "unit_activations"),
    "figures.mosaic": ("labelled_mosaic", "mosaic"),
    "figures.networks": ("kernel_labels",),
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
