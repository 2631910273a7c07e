"""Convex upsampling by 4: softmax and weighted means in registers, weights read once."""

import math

import numpy as np
import torch
import torch.nn.functional as F
from numba import types
from numba.extending import intrinsic
from torch import Tensor

from napari_motionmag.methods.learned.kernels import checked, share_rows
from napari_motionmag.methods.learned.kernels import llvm_vectors as vectors
from napari_motionmag.methods.learned.kernels.llvm_vectors import (
    BYTES,
    I64,
    LANES,
    Address,
    kernel,
)

_CHANNELS = 3


@intrinsic
def _mean(typing, shares, values, row, plane, to, to_row, to_plane):
    """Average nine values per channel, for LANES of a cell's 16 places. Steps in bytes."""

    def generate(context, builder, signature, arguments):
        shares, values, row, plane, to, to_row, to_plane = arguments
        logits = [vectors.load(builder, shares, 4 * 16 * k) for k in range(9)]
        top = logits[0]
        for logit in logits[1:]:
            top = vectors.largest(builder, top, logit)
        weights = [vectors.exponential(builder, builder.fsub(x, top)) for x in logits]
        total = weights[0]
        for weight in weights[1:]:
            total = builder.fadd(total, weight)
        for channel in range(_CHANNELS):
            mean = vectors.constant(0)
            for k, weight in enumerate(weights):
                dy, dx = divmod(k, 3)
                at = vectors.at(builder, values, (channel, plane), (dy, row), (dx, I64(4)))
                mean = vectors.multiply_add(builder, vectors.load_spread(builder, at), weight, mean)
            mean = builder.fdiv(mean, total)
            for line in range(LANES // 4):
                places = vectors.lanes([4 * line + k for k in range(4)])
                part = builder.shuffle_vector(mean, mean, places)
                at = vectors.at(builder, to, (channel, to_plane), (line, to_row))
                vectors.store(builder, part, at)
        return context.get_dummy_value()

    return types.void(*[Address] * 7), generate


@kernel("void(i8, i8, i8, i8, i8, i8, i8)")
def _upsample(shares, values, to, height, width, first, last):
    row, to_row = 4 * (width + 2), 16 * width
    plane, to_plane = row * (height + 2), to_row * 4 * height
    for y in range(first, last):
        for x in range(width):
            cell = shares + (y * width + x) * 9 * 64
            for part in range(0, 64, BYTES):
                _mean(
                    cell + part, values + y * row + 4 * x, row, plane,
                    to + (4 * y + part // 16) * to_row + 16 * x, to_row, to_plane,
                )  # fmt: skip


def upsampled(x: Tensor, weights: Tensor) -> Tensor:
    """Upsample float32 (N, 3, H, W) by 4: each pixel is a convex mean of the nine around it.

    `weights`: float32 (N, 144, H, W), logits of nine neighbors for each of 16 places.
    """
    count, channels, height, width = x.shape
    checked("x", x, (count, _CHANNELS, height, width))
    checked("weights", weights, (count, 9 * 16, height, width))
    weights = weights.contiguous(memory_format=torch.channels_last)
    values = F.pad(x, (1, 1, 1, 1), mode="replicate").contiguous()
    out = x.new_empty(count, channels, 4 * height, 4 * width)

    def work(picture, first, last):
        arrays = (array[picture].data_ptr() for array in (weights, values, out))
        _upsample(*arrays, height, width, first, last)

    share_rows(work, count, height)
    return out


def self_test() -> bool:
    """Whether the kernel gives the closed form for two columns."""
    x, weights = np.zeros((1, 3, 2, 2), np.float32), np.zeros((1, 144, 2, 2), np.float32)
    x[..., 1] = 1
    weights[:, :16] = math.log(4)  # the neighbor above and to the left has a third of all
    values = upsampled(torch.from_numpy(x), torch.from_numpy(weights)).numpy()
    return np.allclose(values, [1 / 4] * 4 + [1 / 2] * 4, atol=1e-6)
