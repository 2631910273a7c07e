"""The layer that shows a magnification. napari is imported when a layer is made, not before."""

from __future__ import annotations

from collections.abc import Mapping

# What a magnified layer has from its source; attributes of napari layers and arguments alike
_CALIBRATION = ("scale", "translate", "rotate", "shear", "units", "axis_labels")
_LOOK = (
    "attenuation",
    "blending",
    "colormap",
    "contrast_limits",
    "depiction",
    "gamma",
    "interpolation2d",
    "interpolation3d",
    "iso_threshold",
    "opacity",
    "rendering",
    "rgb",
)


def magnified_layer(layer, magnification, *, visible: bool = True):
    """Make the layer that shows a magnification of another layer.

    Parameters
    ----------
    layer : napari.layers.Image
        The source.
    magnification : napari_motionmag.magnify.Magnification
        A magnification of its data.
    visible : bool
        Whether it is shown. napari draws a first frame when it makes a visible layer.

    Returns
    -------
    napari.layers.Image
        Lazy, not added to a viewer, with the calibration and the look of the source.
    """
    from napari.layers import Image

    copied = {name: getattr(layer, name) for name in _CALIBRATION + _LOOK}
    magnified = Image(
        magnification.dask(),
        name=magnified_name(layer.name, magnification.recipe),
        affine=layer.affine.affine_matrix,
        multiscale=False,
        projection_mode="none",  # a mean over a thick slice would compute many frames
        cache=False,  # dask's own cache is not safe under napari's threads
        visible=visible,
        metadata=magnified_metadata(layer.name, magnification.recipe),
        **copied,
    )
    magnified.contrast_limits_range = layer.contrast_limits_range
    return magnified


def magnified_metadata(source: str, recipe: Mapping) -> dict:
    """Return the metadata of a magnified layer: its recipe, source and this version."""
    from napari_motionmag import __version__

    about = {"recipe": dict(recipe), "source": source, "version": __version__}
    return {"napari_motionmag": about}


def magnified_name(source: str, recipe: Mapping) -> str:
    """Return the name of a magnified layer, for example ``"cell x10 learned static"``."""
    operator = recipe["operator"]
    kind = operator["operator"]
    if "low" in operator:
        kind = f"{operator['low']:g}-{operator['high']:g} Hz"
    elif "frequency" in operator:
        kind = f"acceleration {operator['frequency']:g} Hz"
    return f"{source} x{recipe['factor']:g} {recipe['method']} {kind}"
