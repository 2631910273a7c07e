"""What single units of the networks do on a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch

from napari_motionmag.methods.learned.engine import engine
from napari_motionmag.movie.color import luma
from napari_motionmag.movie.movie import Movie
from napari_motionmag.temporal import TemporalOperator, make_operator
from napari_motionmag.views.estimators.series import Series, as_movie
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
        """A picture of a layer: a row for each unit, a column for each factor.

        Parameters
        ----------
        layer : str
        **options
            As for :func:`mosaic`. All factors of a unit share their scaling.

        Returns
        -------
        ndarray, values within 0..1
        """
        if layer not in self.maps:
            raise ValueError(f"layer must be one of {', '.join(self.maps)}; got {layer!r}")
        maps = self.maps[layer].swapaxes(0, 1)
        count = maps.shape[1]
        options = {"scaling": "all", **options}
        columns = options.pop("columns", None)
        if count == 1:
            return mosaic(maps[:, 0], columns=columns, **{**options, "scaling": "each"})
        gap = options.get("gap", 1)
        background = options.get("background", 1.0)
        rows = [mosaic(unit, columns=count, **options) for unit in maps]
        space = np.full((gap, rows[0].shape[1]), background)
        parts = [part for row in rows for part in (row, space)][: 2 * len(rows) - 1]
        return np.concatenate(parts)


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
    """Look at units of a network while it magnifies one frame.

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
        Which units: so many of those that vary most over the frame, or by number.
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
    """
    movie = as_movie(movie, axes, fps)
    operator = make_operator(mode, reference=reference, band=band, fps=movie.fps, filter=filter)
    factors = tuple(float(factor) for factor in factors)
    if not factors or not np.isfinite(factors).all():
        raise ValueError(f"factors must be one finite number or more; got {factors}")
    if not 0 <= t < movie.n_frames:
        raise ValueError(f"t must be within 0..{movie.n_frames - 1}; got {t!r}")
    runner = engine(model, device)
    allowed = LAYERS[runner.kind]
    layers = allowed if layers is None else tuple(layers)
    unknown = [layer for layer in layers if layer not in allowed]
    if unknown or not layers:
        raise ValueError(
            f"layers of the network {runner.kind!r} must be among {', '.join(allowed)}; "
            f"got {layers}"
        )
    look = _of_oh2018 if runner.kind == "oh2018" else _of_difference
    found, decoded, padding = look(runner, movie, Series(movie, at).at, operator, t, factors)
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
    if isinstance(units, bool) or int(units) != units or units < 1:
        raise ValueError(f"units must be a number from 1 up or a mapping by layer; got {units!r}")
    spread = maps.var(axis=(0, 2, 3))
    return np.sort(np.argsort(-spread, kind="stable")[: int(units)])


def _frame(movie: Movie, at, t: int) -> np.ndarray:
    return movie.to_unit(movie.read(t, at))


def _array(tensor) -> np.ndarray:
    return tensor[0].float().cpu().numpy()


def _of_oh2018(runner, movie: Movie, at, operator, t: int, factors):
    frame = _frame(movie, at, t)
    padding = runner.padding(frame)
    network = runner.network(1 if frame.ndim == 2 else 3)
    indices, shares = operator.row(t, movie.n_frames)
    others = [
        (float(share), padding.add(_frame(movie, at, int(index))))
        for index, share in zip(indices, shares, strict=True)
        if index != t
    ]
    found: dict[str, list[np.ndarray]] = {layer: [] for layer in LAYERS["oh2018"]}
    decoded = []
    with runner.working(), ExitStack() as stack:
        hook = network.decoder.fusion[0].register_forward_hook(
            lambda module, given, made: found["fusion"].append(_array(made))
        )
        stack.callback(hook.remove)
        texture, shape = network.encoder(runner.upload(padding.add(frame)))
        found["texture"].append(_array(texture))
        found["shape"].append(_array(shape))
        delta = float(shares.sum()) * shape
        for share, other in others:
            delta = delta + share * (network.encoder(runner.upload(other))[1] - shape)
        for factor in factors:
            response = network.manipulator.response(delta, factor)
            found["manipulator"].append(_array(response))
            drawn = network.decoder(texture, shape - delta + response)
            decoded.append(padding.remove(runner.download(drawn)[0]))
    return found, np.stack(decoded), padding


def _of_difference(runner, movie: Movie, at, operator, t: int, factors):
    frame = _frame(movie, at, t)
    padding = runner.padding(frame)
    network = runner.network(1 if frame.ndim == 2 else 3)
    indices, shares = operator.row(t, movie.n_frames)
    variation = np.zeros(frame.shape[:2], np.float32)
    for index, share in zip(indices.tolist(), shares.tolist(), strict=True):
        variation += np.float32(share) * luma(_frame(movie, at, index))
    found: dict[str, list[np.ndarray]] = {layer: [] for layer in LAYERS["difference"]}
    modules = {
        "encoding": network.motion.down,
        "motion": network.motion.body,
        "displacement": network.motion,
        "drawing": network.drawing.body,
        "fusion": network.drawing.fuse,
    }
    decoded = []
    with runner.working(), ExitStack() as stack:
        for layer, module in modules.items():
            hook = module.register_forward_hook(
                lambda module, given, made, layer=layer: found[layer].append(
                    _array(made[0] if isinstance(made, tuple) else made)
                )
            )
            stack.callback(hook.remove)
        for factor in factors:
            drawn = network(
                runner.upload(padding.add(frame)),
                runner.upload(padding.add(variation)),
                torch.tensor([factor - 1], dtype=torch.float32, device=runner.device),
            )
            decoded.append(padding.remove(runner.download(drawn)[0]))
    return found, np.stack(decoded), padding
