"""Fits of linear kernels to the response of a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.autograd import forward_ad

_MOST_IMPULSES, _TRIED = 4, 224  # pictures and px of each on which impulses are tried
_PLACES = 24  # at least, for each weight of a kernel
_BORDER = 28  # px, within reach of which the network sees the border of the frame
_HELD_OUT = 4  # every fourth row of responses measures the error, the others make the fit
# ridges tried, as a share of the mean power of the pixels, and by how much the error of the one
# taken may exceed the least: nothing is invented that the frames do not show
_RIDGES = np.geomspace(1e-6, 1e-2, 9)
_WORSE = 0.005


def _inner(sides: Sequence[int], stride: int, half: int) -> list[tuple[int, int]]:
    """Return the range of responses, along y and x, that do not see the border."""
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


def by_least_squares(
    respond: Callable[[Tensor], Tensor],
    pictures: list[Tensor],
    stride: int,
    size: int,
    progress: Callable[[int, int], object],
) -> tuple[np.ndarray, np.ndarray]:
    """Fit kernels to the responses; return them with the error on rows held out."""
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
    pixels, mixed, _ = fit.centered()
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
    pixels, mixed, power = test.centered()
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

    def centered(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return covariances of pixels and of pixels with responses, and response variances."""
        p, r, pp, pr, rr = (part / self.count for part in self._sums)
        return pp - np.outer(p, p), pr - np.outer(p, r), rr - r**2


def by_impulses(
    respond: Callable[[Tensor], Tensor],
    pictures: list[Tensor],
    stride: int,
    size: int,
    progress: Callable[[int, int], object],
) -> tuple[np.ndarray, np.ndarray]:
    """Average derivatives along combs of impulses whose responses do not overlap."""
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
    """Return impulses at pixels of one phase of the stride, and where they are."""
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
    """Return responses within reach of an impulse, and the places in the kernel that they give."""
    responses = range(-(-(position - half) // stride), (position + half) // stride + 1)
    inside = [p for p in responses if 0 <= p < count]
    return inside, [position - stride * p + half for p in inside]
