"""Activations of single units of the networks on a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from numbers import Real

import numpy as np
import torch

from napari_motionmag.compute.validate import one_of, whole_number
from napari_motionmag.methods.learned.engine import engine
from napari_motionmag.methods.learned.method import usual_denoising
from napari_motionmag.movie.color import luma
from napari_motionmag.movie.movie import Movie
from napari_motionmag.temporal import TemporalOperator
from napari_motionmag.views.estimators.series import Series, as_movie, operator_for
from napari_motionmag.views.figures.mosaic import mosaic

LAYERS = {
    "oh2018": ("texture", "shape", "manipulator", "fusion"),
    "difference": ("encoding", "motion", "displacement", "drawing", "fusion"),
}


@dataclass(frozen=True)
class Activations:
    """Activations of chosen units.

    Attributes
    ----------
    maps : dict of str to ndarray, shape (F, U, h, w)
        By layer: activations for F factors (1 where they do not depend on the factor) and U
        units, at the resolution of the layer.
    units : dict of str to ndarray of int, shape (U,)
        By layer: channels of the network.
    strides : dict of str to int
        By layer: pixels of the frame per pixel of a map.
    factors : tuple of float
    decoded : ndarray, shape (F, Y, X) or (F, Y, X, 3)
        The magnified frames, black 0, white 1.
    """

    maps: dict[str, np.ndarray]
    units: dict[str, np.ndarray]
    strides: dict[str, int]
    factors: tuple[float, ...]
    decoded: np.ndarray

    def mosaic(self, layer: str, **options) -> np.ndarray:
        """Return a picture of a layer within 0..1: a row per unit, a column per factor.

        `options` are those of :func:`mosaic`; all factors of a unit share their scaling.
        """
        one_of("layer", layer, self.maps)
        maps = self.maps[layer].swapaxes(0, 1)
        if maps.shape[1] == 1:
            return mosaic(maps[:, 0], **{**options, "scaling": "each"})
        options = {"scaling": "all", "gap": 1, **options, "columns": maps.shape[1]}
        below = ((0, options["gap"]), (0, 0))
        rows = [mosaic(unit, **options) for unit in maps]
        rows = [np.pad(row, below, constant_values=options.get("background", 1.0)) for row in rows]
        return np.concatenate(rows)[: -options["gap"] or None]


def unit_activations(
    movie,
    t: int,
    factors: Sequence[float] = (2, 5),
    *,
    model: str = "oh2018",
    layers: Sequence[str] | None = None,
    units: int | Mapping[str, Sequence[int]] = 8,
    mode: str | TemporalOperator = "static",
    reference=0,
    band: tuple[float, float] | None = None,
    fps: float | None = None,
    filter: str = "fir",
    axes: str | None = None,
    at=None,
    device: str | None = None,
) -> Activations:
    """Record units of a network while it magnifies one frame.

    Parameters
    ----------
    movie : array, napari Image layer or Movie
    t : int
        Frame.
    factors : sequence of float
        Factors m to compare.
    model : str or Path
        ``"oh2018"``, ``"difference"``, ``"default"`` or a ``.safetensors`` file.
    layers : sequence of str, optional
        Of ``oh2018``: "texture" and "shape" (outputs of the encoder), "manipulator"
        (``h(m g(Delta))``, what is added to the shape), "fusion" (first residual block of the
        decoder). Of ``difference``: "encoding" (first features), "motion" (from which displacements
        are chosen), "displacement" (x and y in px, by which the frame is moved), "drawing" (from
        which hidden parts are drawn), "fusion" (the same at half resolution). All when None.
    units : int or mapping of layer to sequence of int
        A number of units, those that vary most over the frame; or which, by layer.
    mode, reference, band, fps, filter
        The motion that is magnified, as for :func:`napari_motionmag.magnify`.
    axes : str, optional
    at : mapping or sequence of int, optional
        Index along axes such as Z and C.
    device : str, optional
        As for :func:`napari_motionmag.magnify`.

    Returns
    -------
    Activations

    Raises
    ------
    ValueError
        If an argument does not fit.

    References
    ----------
    Oh et al., ECCV 2018, supplement, Fig. A.8 (texture and shape), A.9 (manipulator), A.10
    (fusion).

    Examples
    --------
    >>> from napari_motionmag import samples, views
    >>> movie, info = samples.load("strings", n_frames=4, size=64)
    >>> seen = views.unit_activations(movie, 2, factors=(5,), layers=["shape"], units=3)
    >>> seen.maps["shape"].shape
    (1, 3, 32, 32)
    """
    movie = as_movie(movie, axes, fps)
    operator = operator_for(movie, mode, reference=reference, band=band, filter=filter)
    factors = tuple(float(factor) for factor in factors)
    if not factors or not np.isfinite(factors).all():
        raise ValueError(f"factors must be one finite number or more; got {factors}")
    if whole_number("t", t, 0) >= movie.n_frames:
        raise ValueError(f"t must be within 0..{movie.n_frames - 1}; got {t!r}")
    runner = engine(model, device)
    allowed = LAYERS[runner.kind]
    layers = allowed if layers is None else tuple(layers)
    if not layers or not set(layers) <= set(allowed):
        raise ValueError(
            f"layers of the network {runner.kind!r} must be among {', '.join(allowed)}; "
            f"got {layers}"
        )
    found, decoded, padding = _run(runner, movie, Series(movie, at).at, operator, t, factors)
    height, width = movie.frame_shape[:2]
    maps, chosen, strides = {}, {}, {}
    for layer in layers:
        whole = np.stack(found[layer])
        stride = round((height + padding.top + padding.bottom) / whole.shape[-2])
        top, left = padding.top // stride, padding.left // stride
        whole = whole[..., top : top + -(-height // stride), left : left + -(-width // stride)]
        chosen[layer] = _chosen(layer, whole, units)
        maps[layer], strides[layer] = whole[:, chosen[layer]], stride
    return Activations(maps, chosen, strides, factors, decoded)


def _chosen(layer: str, maps: np.ndarray, units) -> np.ndarray:
    count = maps.shape[1]
    if isinstance(units, Mapping):
        if layer not in units:
            raise ValueError(f"units must name the units of layer {layer!r}; got {dict(units)}")
        wanted = np.atleast_1d(np.asarray(units[layer], int))
        if not len(wanted) or wanted.min() < 0 or wanted.max() >= count:
            raise ValueError(
                f"units of layer {layer!r} must be within 0..{count - 1}; got {units[layer]!r}"
            )
        return wanted
    if isinstance(units, bool) or not isinstance(units, Real) or units % 1 or units < 1:
        raise ValueError(f"units must be a number from 1 up or a mapping by layer; got {units!r}")
    spread = maps.var(axis=(0, 2, 3))
    return np.sort(np.argsort(-spread, kind="stable")[: int(units)])


def _run(runner, movie: Movie, at, operator: TemporalOperator, t: int, factors):
    """Run a network on one frame; return maps by layer, magnified frames and the padding."""

    def read(index: int) -> np.ndarray:
        return movie.to_unit(movie.read(index, at))

    def upload(picture: np.ndarray) -> torch.Tensor:
        return runner.upload(padding.add(picture))

    def keep(layer: str, output) -> None:
        output = output[0] if isinstance(output, tuple) else output
        maps[layer].append(output[0].float().cpu().numpy())

    frame = read(t)
    padding = runner.padding(frame)
    network = runner.network(1 if frame.ndim == 2 else 3)
    indices, shares = operator.row(t, movie.n_frames)
    row = list(zip(indices.tolist(), shares.tolist(), strict=True))
    maps: dict[str, list[np.ndarray]] = {layer: [] for layer in LAYERS[runner.kind]}
    with runner.working(), ExitStack() as stack:
        if runner.kind == "oh2018":
            modules = {"fusion": network.decoder.fusion[0]}
            draw = _drawn_by_oh2018(network, upload(frame), t, row, factors, read, upload, keep)
        else:
            modules = {
                "encoding": network.motion.down,
                "motion": network.motion.body,
                "displacement": network.motion,
                "drawing": network.drawing.body,
                "fusion": network.drawing.fuse,
            }
            variation = sum(np.float32(share) * luma(read(index)) for index, share in row)
            given = upload(frame), upload(variation)
            gains = torch.tensor([[factor - 1.0] for factor in factors], device=runner.device)
            denoise = gains.new_tensor([usual_denoising(variation, shares)])
            options = {"denoise": denoise, "pair": operator.compares_frames}
            draw = (network(*given, gain, **options) for gain in gains)
        for layer, module in modules.items():
            hook = module.register_forward_hook(
                lambda module, inputs, output, layer=layer: keep(layer, output)
            )
            stack.callback(hook.remove)
        decoded = []
        for drawn in draw:
            decoded.append(padding.remove(runner.download(drawn)[0]))
            for kept in maps.values():
                del kept[len(decoded) :]  # of frames that were aligned, what was seen before
    return maps, np.stack(decoded), padding


def _drawn_by_oh2018(network, frame: torch.Tensor, t: int, row, factors, read, upload, keep):
    """Yield the magnified frames; keep what the encoder and the manipulator give."""
    texture, shape = network.encoder(frame)
    keep("texture", texture)
    keep("shape", shape)
    delta = sum(
        share * (shape if index == t else network.encoder(upload(read(index)))[1])
        for index, share in row
    )
    delta = network.variation(delta)
    for factor in factors:
        response = network.manipulator.response(delta, factor)
        keep("manipulator", response)
        yield network.decoder(texture, shape - delta + response)
