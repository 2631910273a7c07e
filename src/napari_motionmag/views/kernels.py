"""The encoders of the networks as linear filters."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd import forward_ad

from napari_motionmag.methods.learned import weights
from napari_motionmag.movie.color import luma
from napari_motionmag.movie.movie import Movie
from napari_motionmag.views.kernel_kinds import kernel_kind

REPRESENTATIONS = ("shape", "texture")
METHODS = ("least_squares", "impulse")
_MOST_FRAMES = 8
_LARGEST = 512  # px; larger frames are cut to their middle
_SMALLEST = 64
_MOST_IMPULSES, _TRIED = 4, 224  # pictures and px of each on which impulses are tried
_PLACES = 24  # at least so many for each weight of a kernel
_BORDER = 28  # px, within reach of which the network sees the border of the frame
_HELD_OUT = 4  # every fourth row of responses measures the error, the others make the fit
# ridges tried, as a share of the mean power of the pixels, and by how much the error of the one
# taken may exceed the least: what the frames do not show is not made up
_RIDGES = np.geomspace(1e-6, 1e-2, 9)
_WORSE = 0.005
_SIZES = {2: 15, 4: 21}  # px, by stride


class EncoderKernels(NamedTuple):
    """Kernels and how well they stand for the network.

    Attributes
    ----------
    kernels : ndarray, shape (n, size, size)
        ``response[p] = constant + sum over u of kernel[u] frame[stride p + u]``, u from
        ``-(size // 2)``; frame: luma, black 0, white 1. The best approximation first.
    errors : ndarray, shape (n,)
        Share of the variation of the response that the kernel does not explain: 0 for a linear
        unit, 1 for one that has nothing linear.
    units : ndarray of int, shape (n,)
        Channels of the network.
    kinds : tuple of str
        See :func:`kernel_kind`.
    stride : int
        Pixels of the frame between responses.
    """

    kernels: np.ndarray
    errors: np.ndarray
    units: np.ndarray
    kinds: tuple[str, ...]
    stride: int


def encoder_kernels(
    frames,
    model: str = "default",
    representation: str = "shape",
    n: int = 8,
    size: int | None = None,
    method: str | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> EncoderKernels:
    """Approximate the encoder of a network by linear convolution kernels.

    Parameters
    ----------
    frames : array, napari Image layer, Movie, or list of pictures
        Pictures on which the network is tried; at most 8 are used, spread evenly. Pictures in a
        list are (Y, X) or (Y, X, 3), black 0, white 1, 64 px or more, and may differ in size.
    model : str or Path
        ``"default"``, ``"difference"``, ``"oh2018"`` or a ``.safetensors`` file.
    representation : {"shape", "texture"}
        For ``oh2018`` the two outputs of the encoder. For ``difference``, which has one set of
        features for both, the response of its features at quarter resolution to the variation
        (shape) or to the frame (texture).
    n : int
        How many kernels to return, those with the smallest error.
    size : int, optional
        Odd side of the kernels, px; 15 at half resolution and 21 at quarter resolution when None.
    method : {"least_squares", "impulse"}, optional
        "least_squares": kernels that predict the response best over the pictures; the error is
        measured where the fit did not look. "impulse": mean of the responses to a small impulse
        (exact derivatives), at many places; the error is how much these differ. None: least
        squares for ``oh2018``, impulse for ``difference``, whose variation is zero in pictures
        that do not move.
    progress : callable, optional
        Called as ``progress(done, total)`` now and then; what it raises ends the work.

    Returns
    -------
    EncoderKernels
        Sorted by error. Units that do not respond at all are left out.

    Raises
    ------
    ValueError
        If an argument does not fit or the pictures are too few or small for the fit.

    References
    ----------
    Oh et al., ECCV 2018, section 4.3, Fig. 9 and A.7.
    """
    if representation not in REPRESENTATIONS:
        raise ValueError(
            f"representation must be one of {', '.join(REPRESENTATIONS)}; got {representation!r}"
        )
    if method is not None and method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}; got {method!r}")
    if isinstance(n, bool) or int(n) != n or n < 1:
        raise ValueError(f"n must be a whole number from 1 up; got {n!r}")
    network, card = weights.load(model)
    network = network.to_grey().requires_grad_(False)
    difference = card["model"] == "difference"
    if difference and method == "least_squares":
        raise ValueError(
            "method must be 'impulse' for the network 'difference': pictures that do not move have "
            "no variation"
        )
    respond, stride = _response(network, difference, representation)
    size = _SIZES[stride] if size is None else size
    if isinstance(size, bool) or int(size) != size or size < 3 or size % 2 == 0:
        raise ValueError(f"size must be an odd whole number from 3 up; got {size!r}")
    pictures = [_prepared(picture, stride) for picture in _pictures(frames)]
    if not pictures:
        raise ValueError("frames is empty; give one picture at least")
    if method is None:
        method = "impulse" if difference else "least_squares"
    approximate = _by_impulses if method == "impulse" else _by_least_squares
    kernels, errors = approximate(respond, pictures, stride, int(size), progress or _silent)
    alive = np.flatnonzero(np.isfinite(errors) & kernels.any(axis=(1, 2)))
    chosen = alive[np.argsort(errors[alive], kind="stable")][: int(n)]
    kinds = tuple(kernel_kind(kernel) for kernel in kernels[chosen])
    return EncoderKernels(kernels[chosen], errors[chosen], chosen, kinds, stride)


def _silent(done: int, total: int) -> None:
    """Say nothing of the progress."""


def _response(network, difference: bool, representation: str):
    """What maps a picture (1, 1, Y, X) to responses (1, C, Y / stride, X / stride)."""
    if not difference:
        which = REPRESENTATIONS.index(representation)
        return (lambda picture: network.encoder(picture)[1 - which]), (2, 4)[which]

    def respond(frame: Tensor, variation: Tensor) -> Tensor:
        return network.encode(frame, variation, frame.new_ones(1))

    if representation == "texture":
        return (lambda picture: respond(picture, torch.zeros_like(picture))), 4

    def of_variation(picture: Tensor) -> Tensor:
        # the derivative with respect to a variation added to none, on this frame
        primal, tangent = forward_ad.unpack_dual(picture)
        variation = torch.zeros_like(primal)
        if tangent is not None:
            variation = forward_ad.make_dual(variation, tangent)
        return respond(primal, variation)

    return of_variation, 4


def _pictures(frames) -> Iterator[np.ndarray]:
    if isinstance(frames, (list, tuple)):
        for k in _spread(len(frames)):
            yield np.asarray(frames[k], np.float32)
        return
    movie = Movie.from_any(frames)
    others = list(movie.series())
    for t in _spread(movie.n_frames):
        yield movie.to_unit(movie.read(t, others[0]))


def _spread(count: int) -> list[int]:
    return np.unique(
        np.linspace(0, count - 1, min(count, _MOST_FRAMES)).round().astype(int)
    ).tolist()


def _prepared(picture: np.ndarray, stride: int) -> Tensor:
    """Luma of the middle of a picture, as a tensor (1, 1, Y, X) of sides the network takes."""
    if picture.ndim not in (2, 3) or (picture.ndim == 3 and picture.shape[-1] != 3):
        raise ValueError(f"frames must be (Y, X) or (Y, X, 3); got one of shape {picture.shape}")
    if min(picture.shape[:2]) < _SMALLEST:
        raise ValueError(
            f"frames must be at least {_SMALLEST} px high and wide; got one of {picture.shape[:2]}"
        )
    if not np.isfinite(picture).all():
        raise ValueError("frames must be finite; one has pixels that are NaN or infinite")
    grey = luma(picture)
    cut = []
    for side in grey.shape:
        keep = min(side, _LARGEST) // 4 * 4
        cut.append(slice((side - keep) // 2, (side - keep) // 2 + keep))
    return torch.from_numpy(np.ascontiguousarray(grey[tuple(cut)]))[None, None]


def _inner(sides: Sequence[int], stride: int, half: int) -> list[tuple[int, int]]:
    """First and last + 1 response, along y and x, that see neither border nor outside."""
    spans = []
    for side in sides:
        border = max(min(_BORDER, side // 4), half + 1)
        first = -(-border // stride)
        last = (side - border - 1) // stride + 1
        if last - first < 2:
            raise ValueError(
                f"frames of {sides[0]} x {sides[1]} px are too small for kernels of "
                f"{2 * half + 1} px"
            )
        spans.append((first, last))
    return spans


# ---- least squares ------------------------------------------------------------------------------


def _by_least_squares(
    respond: Callable[[Tensor], Tensor],
    pictures: list[Tensor],
    stride: int,
    size: int,
    progress: Callable[[int, int], object],
) -> tuple[np.ndarray, np.ndarray]:
    fit, test = _Moments(size), _Moments(size)
    for k, picture in enumerate(pictures):
        progress(k, len(pictures))
        with torch.no_grad():
            response = respond(picture)[0].double().numpy()
        (y0, y1), (x0, x1) = _inner(picture.shape[-2:], stride, size // 2)
        windows = np.lib.stride_tricks.sliding_window_view(picture[0, 0].numpy(), (size, size))
        for row in range(y0, y1):
            around = windows[
                row * stride - size // 2,
                x0 * stride - size // 2 : (x1 - 1) * stride - size // 2 + 1 : stride,
            ]
            moments = test if row % _HELD_OUT == 0 else fit
            moments.add(around.reshape(x1 - x0, -1).astype(np.float64), response[:, row, x0:x1].T)
    if fit.count < 2 * size**2:
        raise ValueError(
            f"frames show {fit.count} places for {size**2} weights of a kernel; give more or "
            "larger frames, or a smaller size"
        )
    pixels, mixed, _ = fit.centred()
    values, vectors = np.linalg.eigh(pixels)
    turned = vectors.T @ mixed
    tried, errors = [], []
    for ridge in _RIDGES * values.mean():
        tried.append((vectors @ (turned / (np.maximum(values, 0) + ridge)[:, np.newaxis])).T)
        errors.append(_unexplained(tried[-1], test))
    errors = np.array(errors)
    # the smoothest kernel that predicts about as well as the best
    good = errors <= errors.min(axis=0) + _WORSE
    which = len(errors) - 1 - np.argmax(good[::-1], axis=0)
    units = np.arange(errors.shape[1])
    return np.array(tried)[which, units].reshape(-1, size, size), errors[which, units]


def _unexplained(kernels: np.ndarray, test: _Moments) -> np.ndarray:
    pixels, mixed, power = test.centred()
    explained = 2 * np.einsum("cu,uc->c", kernels, mixed)
    explained -= np.einsum("cu,cu->c", kernels @ pixels, kernels)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(power > 1e-12, 1 - explained / power, np.nan)


class _Moments:
    """Sums over places, from which means and covariances of pixels and responses follow."""

    def __init__(self, size: int):
        self.count = 0
        self._sums: list = [0.0] * 5

    def add(self, pixels: np.ndarray, responses: np.ndarray) -> None:
        self.count += len(pixels)
        new = (
            pixels.sum(axis=0),
            responses.sum(axis=0),
            pixels.T @ pixels,
            pixels.T @ responses,
            (responses**2).sum(axis=0),
        )
        self._sums = [old + more for old, more in zip(self._sums, new, strict=True)]

    def centred(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Covariance of the pixels, of pixels with responses, and variance of the responses."""
        p, r, pp, pr, rr = (part / self.count for part in self._sums)
        return pp - np.outer(p, p), pr - np.outer(p, r), rr - r**2


# ---- impulses -----------------------------------------------------------------------------------


def _by_impulses(
    respond: Callable[[Tensor], Tensor],
    pictures: list[Tensor],
    stride: int,
    size: int,
    progress: Callable[[int, int], object],
) -> tuple[np.ndarray, np.ndarray]:
    """Derivatives along combs of impulses, so far apart that their responses do not meet."""
    half = size // 2
    distance = -(-max(2 * size, 2 * _BORDER) // stride) * stride
    pictures = [_middle(picture) for picture in pictures[:_MOST_IMPULSES]]
    spans = [_inner(picture.shape[-2:], stride, half) for picture in pictures]
    random = np.random.default_rng(0)
    total: np.ndarray | float = 0.0
    squares: np.ndarray | float = 0.0
    counts = np.zeros((size, size))
    while counts.min() < _PLACES:
        for picture, span in zip(pictures, spans, strict=True):
            for phase in np.ndindex(stride, stride):
                progress(min(int(counts.min()), _PLACES), _PLACES)
                comb, places = _comb(picture.shape[-2:], span, phase, stride, distance, random)
                with torch.no_grad(), forward_ad.dual_level():
                    response = respond(forward_ad.make_dual(picture, comb))
                    change = forward_ad.unpack_dual(response).tangent
                if change is None:
                    raise ValueError("the network does not respond to its input")
                change = change[0].double().numpy()
                units = range(len(change))
                for y, x in places:
                    # response p to an impulse at q is kernel[q - stride p]
                    rows, offsets_y = _around(y, half, stride, change.shape[1])
                    columns, offsets_x = _around(x, half, stride, change.shape[2])
                    part = np.zeros((len(change), size, size))
                    part[np.ix_(units, offsets_y, offsets_x)] = change[np.ix_(units, rows, columns)]
                    total, squares = total + part, squares + part**2
                    counts[np.ix_(offsets_y, offsets_x)] += 1
    mean, square = total / counts, squares / counts
    power = square.sum(axis=(1, 2))
    spread = ((square - mean**2) * counts / (counts - 1)).sum(axis=(1, 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        return mean, np.where(power > 1e-20, np.minimum(spread / power, 1), np.nan)


def _middle(picture: Tensor) -> Tensor:
    cut = []
    for side in picture.shape[-2:]:
        first = max(side - _TRIED, 0) // 8 * 4
        cut.append(slice(first, first + min(side, _TRIED)))
    return picture[..., cut[0], cut[1]].contiguous()


def _comb(
    sides, spans, phase, stride: int, distance: int, random: np.random.Generator
) -> tuple[Tensor, list[tuple[int, int]]]:
    """Impulses at pixels of one phase of the stride, and where they are."""
    along = []
    for (first, last), offset in zip(spans, phase, strict=True):
        # anywhere in the first interval that is inside
        start = first + int(random.integers(min(distance // stride, last - first)))
        along.append(range(start * stride + offset, (last - 1) * stride + 1, distance))
    places = [(y, x) for y in along[0] for x in along[1]]
    comb = torch.zeros(1, 1, *sides)
    for y, x in places:
        comb[0, 0, y, x] = 1
    return comb, places


def _around(position: int, half: int, stride: int, count: int) -> tuple[list[int], list[int]]:
    """Responses within reach of an impulse, and the places in the kernel that they tell."""
    responses = range(-(-(position - half) // stride), (position + half) // stride + 1)
    inside = [p for p in responses if 0 <= p < count]
    return inside, [position - stride * p + half for p in inside]
