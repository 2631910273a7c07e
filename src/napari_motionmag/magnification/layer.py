"""The layer that shows a magnification. napari is imported only when one is made."""

from __future__ import annotations

from collections.abc import Mapping
from weakref import WeakKeyDictionary, ref

import numpy as np

from napari_motionmag.compute.versions import version_of
from napari_motionmag.magnification.provenance import provenance_record
from napari_motionmag.movie.layer_traits import FPS_KEY, rate_of
from napari_motionmag.movie.region import Region
from napari_motionmag.temporal import TemporalOperator

_SOURCES: WeakKeyDictionary = WeakKeyDictionary()  # magnified layer -> reference to its source
_COMPUTE = ("numpy", "scipy", "torch", "dask", "napari")  # packages whose versions are kept

# Copied from the source to the magnified layer: attributes of napari layers and arguments alike
_CALIBRATION = ("scale", "translate", "rotate", "shear", "affine", "units", "axis_labels")
_LOOK = (
    "attenuation", "blending", "colormap", "contrast_limits", "depiction", "gamma",
    "interpolation2d", "interpolation3d", "iso_threshold", "opacity", "rendering", "rgb",
)  # fmt: skip


def magnified_layer(layer, magnification, *, visible: bool = True):
    """Make the lazy layer of a magnification, with the calibration and the look of its source.

    It is not added to a viewer. napari draws a first frame when it makes a `visible` layer.
    """
    magnified = _layer_like(
        layer,
        magnification.dask(),
        name=magnified_name(layer.name, magnification.recipe),
        visible=visible,
        metadata=magnified_metadata(layer, magnification.recipe),
        **placement(layer, magnification.movie),
    )
    _SOURCES[magnified] = ref(layer)
    return magnified


def _layer_like(layer, data, **changes):
    """Make an Image layer with the calibration and the look of another."""
    from napari.layers import Image

    copied = {name: getattr(layer, name) for name in _CALIBRATION + _LOOK}
    image = Image(
        data,
        multiscale=False,
        projection_mode="none",  # a mean over a thick slice would compute many frames
        cache=False,  # dask's own cache is not safe under napari's threads
        **copied | changes,
    )
    image.contrast_limits_range = layer.contrast_limits_range
    return image


def interpolated_layer(layer, movie, data):
    """Make the layer of an interpolated movie, with the calibration and the look of its source.

    `data` are its frames; steps in time become shorter. It is not added to a viewer.
    """
    interpolated = movie.data
    calibrated = movie.axes.replace("S", "") if layer.rgb else movie.axes
    scale = np.array(layer.scale, float)
    scale[calibrated.index("T")] /= interpolated.n
    info = {
        "interpolation": dict(interpolated.recipe),
        "source": layer.name,
        "origin": provenance_record(layer),
        "version": version_of(),
    }
    rate = {} if rate_of(layer) is None else {FPS_KEY: movie.fps}
    return _layer_like(
        layer,
        data,
        name=f"{layer.name} interpolated x{interpolated.n}",
        metadata={"napari_motionmag": info, **rate},
        scale=scale,
    )


def placement(layer, movie) -> dict:
    """Return the calibration that puts a movie made of a layer, or a part, in its place."""
    from napari.utils.transforms import Affine

    part, copied = movie.data, {name: getattr(layer, name) for name in _CALIBRATION}
    if not isinstance(part, Region):
        return copied
    calibrated = movie.axes.replace("S", "") if layer.rgb else movie.axes
    sizes, offset = np.ones(len(calibrated)), np.zeros(len(calibrated))
    for letter, first in zip("YX", part.region[::2], strict=True):
        sizes[calibrated.index(letter)] = part.preview
        # the middle of the first square of pixels
        offset[calibrated.index(letter)] = first + (part.preview - 1) / 2
    own = {name: copied[name] for name in ("scale", "rotate", "shear")}
    moved = Affine(**own, ndim=layer.ndim).linear_matrix @ offset
    return copied | {"scale": layer.scale * sizes, "translate": layer.translate + moved}


def source_is_known(magnified) -> bool:
    """Whether a magnified layer was made in this session, so that `source_of` knows its source."""
    return magnified in _SOURCES


def source_of(magnified):
    """Return the layer that a magnified layer was made of, or None when it is gone."""
    reference = _SOURCES.get(magnified)
    return None if reference is None else reference()


def magnified_metadata(source, recipe: Mapping) -> dict:
    """Return the metadata of a magnified layer, plain values: enough to make it again."""
    info = {
        "recipe": dict(recipe),
        "source": source.name,
        "origin": provenance_record(source),
        "version": version_of(),
        "versions": {name: version_of(name) for name in _COMPUTE},
        "weights_sha256": weights_hash(recipe),
    }
    return {"napari_motionmag": info}


def weights_hash(recipe: Mapping) -> str | None:
    """Return the SHA-256 of the weights that a recipe names; None where it names none."""
    if recipe.get("method", "learned") != "learned":
        return None
    from napari_motionmag.methods.learned import weights

    return weights.sha256(weights.resolve(recipe.get("model", "default")))


def magnified_name(source: str, recipe: Mapping) -> str:
    """Return the name of a magnified layer, for example ``"x10 cell learned static"``."""
    kind = TemporalOperator.from_dict(dict(recipe["operator"])).selection
    mark = " stabilised" if recipe.get("stabilise") else ""
    mark += " painted" if recipe.get("factor_map") else ""
    return f"x{recipe['factor']:g} {source} {recipe['method']}{mark} {kind}"
