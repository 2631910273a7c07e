"""From the arguments `stabilise` and `mask` of `magnify` to a method, and to plain values."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from napari_motionmag.compute.validate import same_kind
from napari_motionmag.methods.option_field import checked
from napari_motionmag.methods.options import STABILISE
from napari_motionmag.movie.layer_traits import is_layer

_MODELS = STABILISE[0].choices


def stabilised(method, stabilise, mask, movie, operator, source=None) -> tuple[Any, dict[str, Any]]:
    """Wrap a method so that it magnifies the motion that alignment leaves.

    `stabilise`, a model or options of `Stabilised`, and `mask`, anything for `mask_of`, are those
    of `magnify`; `source` is what the movie was made of, whose place counts when it is a layer.
    Returns the method and both arguments as plain values. Raises as `magnify` does.
    """
    if stabilise is None:
        if mask is not None:
            raise ValueError(f"mask needs stabilise, which must be one of {_MODELS}, got None")
        return method, {"stabilise": None, "mask": None}
    options = _options(stabilise)
    if options.get("model") == "dense":
        return _dense(method, options, mask, operator)

    from napari_motionmag.methods.stabilisation.layer_masks import mask_of
    from napari_motionmag.methods.stabilisation.mask_files import pack
    from napari_motionmag.methods.stabilisation.stabilised import Stabilised

    name = None
    if mask is not None:
        name = _name(mask)
        mask, frame = mask_of(mask, movie.axes, movie.shape, source if is_layer(source) else None)
        if frame is not None:
            options = _in_frame(options, frame, movie.n_frames)
    wrapped = Stabilised(method, mask=mask, **options)
    n = movie.n_frames
    if not -n <= wrapped.reference < n:
        raise ValueError(f"stabilise: reference must be within {-n} to {n - 1}, got {options}")
    plain = _plain(wrapped)
    plain["reference"] %= n
    return wrapped, {"stabilise": plain, "mask": pack(mask, name)}


def _dense(method, options: dict[str, Any], mask, operator) -> tuple[Any, dict[str, Any]]:
    """Wrap a method so that it follows the slow motion of every part."""
    from napari_motionmag.methods.stabilisation.dense_motion import slow_below
    from napari_motionmag.methods.stabilisation.stabilised import Stabilised

    if options.get("reference", 0) != 0:
        raise ValueError(
            "stabilise: reference must be left out for model 'dense', which aligns frames to their "
            f"neighbors, got {options['reference']!r}"
        )
    wrapped = Stabilised(method, mask=mask, **options)
    slow_below(operator, wrapped.smooth)  # refuses an operator without a band
    return wrapped, {"stabilise": _plain(wrapped), "mask": None}


def _options(stabilise) -> dict[str, Any]:
    if isinstance(stabilise, str):
        stabilise = {"model": stabilise}
    if not isinstance(stabilise, Mapping):
        raise TypeError(
            f"stabilise must be None, one of {_MODELS} or a dict of options "
            f"{[option.name for option in STABILISE]}, got {stabilise!r}"
        )
    try:
        return checked(STABILISE, dict(stabilise))
    except (TypeError, ValueError) as error:
        raise same_kind(error, f"stabilise: {error}") from error


def _plain(wrapped) -> dict[str, Any]:
    return {option.name: getattr(wrapped, option.name) for option in STABILISE}


def _name(mask) -> str | None:
    """Return what to call a mask."""
    if isinstance(mask, (str, Path)):
        return Path(mask).name
    if isinstance(mask, Mapping):
        return mask.get("name")
    return mask.name if is_layer(mask) else None


def _in_frame(options: dict[str, Any], frame: int, n_frames: int) -> dict[str, Any]:
    """Take the one frame in which the mask is drawn for the reference."""
    reference = options.get("reference", frame)
    if reference % n_frames != frame:
        raise ValueError(
            f"mask marks pixels in frame {frame} only, which must be the reference of stabilise, "
            f"got {reference}"
        )
    return {**options, "reference": frame}
