"""Sums in float32 that are rounded to bfloat16 on the way: one pass over memory."""

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from torch import Tensor

from napari_motionmag.methods.learned.kernels import checked, share_rows
from napari_motionmag.methods.learned.kernels.llvm_vectors import kernel


@intrinsic
def _number(typing, bits):
    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.uint32), generate


@intrinsic
def _bits(typing, number):
    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.IntType(32))

    return types.uint32(types.float32), generate


@njit(inline="always")
def _rounded(number):
    """Return the upper half of the bits, rounded to even; NaN stays NaN."""
    bits = _bits(number)
    even = (bits >> np.uint32(16)) & np.uint32(1)
    near = np.uint16((bits + np.uint32(0x7FFF) + even) >> np.uint32(16))
    return near if number == number else np.uint16(0x7FC0)


@kernel("void(f4[::1], u2[::1], u2[::1], i8, i8)")
def _add(total, more, rounded, first, last):
    for k in range(first, last):
        total[k] += _number(np.uint32(more[k]) << np.uint32(16))
        rounded[k] = _rounded(total[k])


def add_rounded(total: Tensor, more: Tensor) -> Tensor:
    """Add bfloat16 `more` to float32 `total` in place; return the sum in bfloat16.

    Both (N, C, H, W) and dense in the same order.
    """
    checked("total", total, more.shape)
    if more.dtype != torch.bfloat16 or more.stride() != total.stride():
        raise ValueError(
            f"more must be bfloat16 with strides {total.stride()}, got {more.dtype}, "
            f"{more.stride()}"
        )
    rounded = torch.empty_like(more)
    arrays = [_flat(total), _flat(more.view(torch.uint16)), _flat(rounded.view(torch.uint16))]
    share_rows(lambda _, first, last: _add(*arrays, first, last), 1, total.numel())
    return rounded


def _flat(x: Tensor) -> np.ndarray:
    return x.as_strided((x.numel(),), (1,)).numpy()


def self_test() -> bool:
    """Whether the kernel rounds as PyTorch does."""
    line = np.array([1.0, -0.3, 1e-30, np.inf, np.nan, 257.0, 259.0], np.float32)
    total = torch.from_numpy(np.tile(line, (1, 1, 5, 1)))
    more = total.flip(3).bfloat16() * 0.37
    expected = total + more.float()
    rounded = add_rounded(total, more)
    return torch.equal(rounded.nan_to_num(), expected.bfloat16().nan_to_num()) and torch.equal(
        total.nan_to_num(), expected.nan_to_num()
    )
