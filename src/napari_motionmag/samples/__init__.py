"""Sample movies with exactly known motion.

Each looks like a film from a microscope and is computed on request: no file is read. The scenes
are functions of continuous coordinates, evaluated at displaced coordinates; then a camera adds
photon noise, read noise and an offset and rounds. So the true displacement of every pixel in every
frame is known, and comes with the movie::

    movie, metadata = samples.load("beating_cell")
    result = magnify(movie, **metadata["suggestion"])
    dy, dx = metadata["displacement"](5)  # of frame 5, px

The same movie magnified without error is available, too, since the displacement is proportional to
`amplitude`: ``samples.load("beating_cell", amplitude=12 * 0.4, noise=False)``.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from types import MappingProxyType
from typing import Any

import numpy as np

from . import beating_cell, cilia, drifting_membrane, pulsing_epithelium, strings, vesicles
from .sample import Sample, render

_SAMPLES: Mapping[str, Sample] = MappingProxyType(
    {
        "beating_cell": beating_cell.SAMPLE,
        "still": beating_cell.STILL,
        "cilia": cilia.SAMPLE,
        "vesicles": vesicles.SAMPLE,
        "strings": strings.SAMPLE,
        "drifting_membrane": drifting_membrane.SAMPLE,
        "pulsing_epithelium": pulsing_epithelium.SAMPLE,
    }
)

NAMES: tuple[str, ...] = tuple(_SAMPLES)
"""Names of the samples."""

_SMALLEST = 64  # px: smaller frames have no room for the scenes
_CAMERA = ("photons", "gain", "offset", "read_noise")
_COMMON = ("n_frames", "size", "fps", "noise", "photons", "seed", "dtype")

__all__ = [
    "NAMES",
    "load",
    "make_sample_data",
    "sample_beating_cell",
    "sample_cilia",
    "sample_drifting_membrane",
    "sample_pulsing_epithelium",
    "sample_still",
    "sample_strings",
    "sample_vesicles",
]


def load(name: str, **overrides) -> tuple[np.ndarray, dict[str, Any]]:
    """Render a sample movie.

    Parameters
    ----------
    name : str
        One of `NAMES`.
    n_frames : int, optional
        Number of frames, 2 or more. The first frames of a longer movie are those of a shorter.
    size : int or (int, int), optional
        Height and width, px, 64 or more. Details keep their size in px.
    fps : float, optional
        Frames per second, more than twice the highest frequency of the motion, which stays the
        same in Hz.
    amplitude : float, optional
        Largest displacement of the motion to magnify, px; for ``"strings"`` also one number per
        string. Negative mirrors the motion. ``"still"`` does not have it.
    drift : float, optional
        Of ``"drifting_membrane"`` only: largest displacement of the drift, px.
    noise : bool, optional
        Whether to add photon and read noise (default).
    photons : float, optional
        Photons that a pixel detects at full intensity; fewer give a noisier movie of the same
        brightness.
    seed : int, optional
        Layout of the scene and noise, 0 or more. Default: 0.
    dtype : str or dtype, optional
        The integer type of the sample (default), or float32 or float64 for gray levels that are
        neither rounded nor clipped.

    Returns
    -------
    movie : ndarray
        With the axes ``metadata["axes"]``.
    metadata : dict
        - name, title, description : str
        - fps : float, frames per second.
        - n_frames : int
        - axes : str, for example ``"TYX"``; S are the red, green and blue samples.
        - scale, units : tuple, for each axis but S: s for T, um for Y and X, 1 pixel for C.
        - displacement : function. ``displacement(t)`` is the true displacement (dy, dx) at frame
          `t`, which may be a fraction, px, float64 of shape (2, Y, X). It is that of the content
          that frame t shows at a pixel, relative to rest:
          ``frame_t(p) = rest(p - displacement(t)(p))``. Positive: moved towards larger y or x.
          All channels move alike.
        - rest : str, what displacement 0 is.
        - amplitude : float or tuple of float, px
        - frequencies : tuple of float, Hz, of the motion (of pulses: their rate).
        - suggestion : dict, arguments for `napari_motionmag.magnify` that show the sample well.
        - camera : dict, with photons, gain (gray levels per electron), offset (gray levels),
          read_noise (electrons), noise (bool): variance = gain (mean - offset) +
          (gain read_noise)^2, + 1/12 for rounding.
        - contrast_limits : (float, float), gray levels.
        - colormap : str
        - overrides : dict, the overrides that give the same movie again.
        - rows : tuple of float, of ``"strings"`` only: y of the strings at rest, px.

    Raises
    ------
    ValueError
        If a name, an override or its value is not allowed.

    Examples
    --------
    >>> from napari_motionmag import samples
    >>> movie, metadata = samples.load("vesicles", n_frames=4, size=64)
    >>> movie.shape, metadata["displacement"](0).shape
    ((4, 64, 64), (2, 64, 64))
    """
    sample = find_sample(name)
    allowed = (*sample.options, *_COMMON)
    unknown = sorted(set(overrides) - set(allowed))
    if unknown:
        raise ValueError(
            f"sample {name!r} has no override {', '.join(map(repr, unknown))}; "
            f"allowed: {', '.join(allowed)}"
        )
    n_frames = _whole("n_frames", overrides.get("n_frames", sample.n_frames), 2)
    seed = _whole("seed", overrides.get("seed", 0), 0)
    size = _size(overrides.get("size", sample.size))
    fps = _rate(overrides.get("fps", sample.fps), sample)
    photons = overrides.get("photons", sample.camera.photons)
    dtype = _dtype(overrides.get("dtype", sample.camera.dtype), sample.camera.dtype)
    camera = replace(
        sample.camera, photons=_number("photons", photons, positive=True), dtype=dtype.name
    )
    noise = overrides.get("noise", True)
    if not isinstance(noise, bool | np.bool_):
        raise ValueError(f"noise must be True or False (see photons for its level); got {noise!r}")
    options = {
        key: _option(key, overrides.get(key, default), sample)
        for key, default in sample.options.items()
    }

    scene = sample.build(size, fps, np.random.default_rng([seed, 0]), **options)
    # each sample has noise of its own, so that a control is independent of its sample
    stream = np.random.default_rng([seed, 1, zlib.crc32(name.encode())]) if noise else None
    movie = render(scene, sample.axes, n_frames, camera, stream)

    calibrated = sample.axes.replace("S", "")
    step = {"T": (1 / fps, "s"), "C": (1.0, "pixel")}
    scale, units = zip(*(step.get(a, (sample.pixel, "um")) for a in calibrated), strict=True)
    metadata = {
        "name": name,
        "title": sample.title,
        "description": sample.description,
        "fps": fps,
        "axes": sample.axes,
        "n_frames": n_frames,
        "scale": scale,
        "units": units,
        "displacement": scene.motion,
        "rest": sample.rest,
        "frequencies": sample.frequencies,
        "suggestion": {**sample.suggestion, "fps": fps, "axes": sample.axes},
        "camera": {key: getattr(camera, key) for key in _CAMERA} | {"noise": bool(noise)},
        "contrast_limits": _contrast_limits(movie, sample),
        "colormap": sample.colormap,
        "overrides": {k: dtype.name if k == "dtype" else v for k, v in overrides.items()},
        **options,
        **scene.details,
    }
    return movie, metadata


def make_sample_data(name: str) -> list[tuple[np.ndarray, dict[str, Any], str]]:
    """Return sample `name` as napari layer data: [(array, layer arguments, "image")]."""
    movie, metadata = load(name)
    layer = {
        "name": metadata["title"],
        "scale": metadata["scale"],
        "units": metadata["units"],
        "axis_labels": tuple(metadata["axes"].replace("S", "")),
        "metadata": metadata,
        "contrast_limits": metadata["contrast_limits"],
        "colormap": metadata["colormap"],
        "rgb": "S" in metadata["axes"],
    }
    return [(movie, layer, "image")]


sample_beating_cell = partial(make_sample_data, "beating_cell")
sample_still = partial(make_sample_data, "still")
sample_cilia = partial(make_sample_data, "cilia")
sample_vesicles = partial(make_sample_data, "vesicles")
sample_strings = partial(make_sample_data, "strings")
sample_drifting_membrane = partial(make_sample_data, "drifting_membrane")
sample_pulsing_epithelium = partial(make_sample_data, "pulsing_epithelium")


def find_sample(name: str) -> Sample:
    """Return the recipe of a sample; ValueError when there is none of that name."""
    if not isinstance(name, str) or name not in _SAMPLES:
        raise ValueError(f"no sample {name!r}; allowed: {', '.join(NAMES)}")
    return _SAMPLES[name]


def _number(key: str, value, positive: bool = False) -> float:
    good = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not good or (positive and value <= 0):
        kind = "positive, finite" if positive else "finite"
        raise ValueError(f"{key} must be a {kind} number; got {value!r}")
    return float(value)


def _whole(key: str, value, least: int) -> int:
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise ValueError(f"{key} must be a whole number from {least} up; got {value!r}")
    return int(value)


def _size(value) -> tuple[int, int]:
    pair = (value, value) if isinstance(value, Integral) else value
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise ValueError(f"size must be a whole number or a pair (Y, X); got {value!r}")
    return tuple(_whole("size", side, _SMALLEST) for side in pair)


def _rate(value, sample: Sample) -> float:
    fps = _number("fps", value, positive=True)
    top = max(sample.frequencies, default=0.0)
    if fps <= 2 * top:
        raise ValueError(
            f"fps must be more than twice the highest frequency of the motion, {top:g} Hz; "
            f"got {value!r}"
        )
    return fps


def _dtype(value, own: str) -> np.dtype:
    allowed = (own, "float32", "float64")
    try:
        dtype = np.dtype(value)
    except TypeError:
        dtype = None
    if dtype is None or dtype.name not in allowed:
        raise ValueError(f"dtype must be one of {', '.join(allowed)}; got {value!r}")
    return dtype


def _option(key: str, value, sample: Sample) -> float | tuple[float, ...]:
    """Return a number, or one for each frequency where the default is such a tuple."""
    default = sample.options[key]
    if not isinstance(default, tuple) or isinstance(value, Real):
        number = _number(key, value)
        return (number,) * len(default) if isinstance(default, tuple) else number
    if not isinstance(value, tuple | list | np.ndarray) or len(value) != len(default):
        raise ValueError(f"{key} must be a number or {len(default)} numbers; got {value!r}")
    return tuple(_number(key, v) for v in value)


def _contrast_limits(movie: np.ndarray, sample: Sample) -> tuple[float, float]:
    if sample.camera.dtype == "uint8":
        return 0.0, 255.0
    low, high = np.percentile(movie[0], (0.2, 99.8))
    return float(np.floor(low)), float(np.ceil(high + 0.05 * (high - low)))
