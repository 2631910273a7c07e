"""Products of gradients, summed over windows: rows in, rows out, nothing in between in memory."""

import numpy as np
import torch
from numba import types
from numba.extending import intrinsic
from torch import Tensor

from napari_motionmag.methods.learned.derivative_filters import SLOPE, SMOOTH
from napari_motionmag.methods.learned.kernels import checked, share_rows
from napari_motionmag.methods.learned.kernels import llvm_vectors as vectors
from napari_motionmag.methods.learned.kernels.llvm_vectors import BYTES, LANES, Address, kernel


def _weighted(builder, registers, weights):
    total = None
    for register, weight in zip(registers, weights, strict=True):
        if weight == 0:
            continue
        share = vectors.constant(weight)
        if total is None:
            total = builder.fmul(register, share)
        else:
            total = vectors.multiply_add(builder, register, share, total)
    return total


@intrinsic
def _across_rows(typing, luma, variation, row, to, to_row):
    """Filter five rows: luma, smoothed and differentiated; variation, smoothed. Steps in bytes."""

    def generate(context, builder, signature, arguments):
        luma, variation, row, to, to_row = arguments

        def lines(address):
            for k in range(5):
                yield vectors.load(builder, vectors.at(builder, address, (k, row)))

        picture = list(lines(luma))
        filtered = (
            _weighted(builder, picture, SMOOTH),
            _weighted(builder, picture, SLOPE),
            _weighted(builder, list(lines(variation)), SMOOTH),
        )
        for number, register in enumerate(filtered):
            vectors.store(builder, register, vectors.at(builder, to, (number, to_row)))
        return context.get_dummy_value()

    return types.void(*[Address] * 5), generate


def _adder(terms, means: bool):
    """Return what adds a register of means, and of products of any two terms, to their sums.

    A term is a row of what `_across_rows` wrote, and the weights of a filter along it.
    """

    @intrinsic
    def add(typing, source, row, sums, sums_row):
        def generate(context, builder, signature, arguments):
            source, row, sums, sums_row = arguments
            values = []
            for number, weights in terms:
                at = vectors.at(builder, source, (number, row))
                near = [vectors.load(builder, at, 4 * k) for k in range(5)]
                values.append(_weighted(builder, near, weights))
            factors = [(value, vectors.constant(1)) for value in values] if means else []
            factors += [(a, b) for k, b in enumerate(values) for a in values[: k + 1]]
            for number, (a, b) in enumerate(factors):
                at = vectors.at(builder, sums, (number, sums_row))
                total = vectors.multiply_add(builder, a, b, vectors.load(builder, at))
                vectors.store(builder, total, at)
            return context.get_dummy_value()

        return types.void(*[Address] * 4), generate

    return add


_GX, _GY, _LUMA, _VARIATION = (0, SLOPE), (1, SMOOTH), (0, SMOOTH), (2, SMOOTH)
_add_products = _adder((_GX, _GY, _VARIATION), means=False)
_add_moments = _adder((_GX, _GY, _LUMA, _VARIATION), means=True)


@kernel()
def _fill(line, picture, y):
    """Copy a row with two replicated pixels on each side; outside the picture, the nearest."""
    height, width = picture.shape
    y = min(max(y, 0), height - 1)
    line[0] = line[1] = picture[y, 0]
    for x in range(width):
        line[x + 2] = picture[y, x]
    for x in range(width + 2, line.size):
        line[x] = picture[y, width - 1]


@kernel(
    "void(f4[:, ::1], f4[:, ::1], f4[:, :, ::1], f4[:, :, ::1], f4[:, ::1], f4[:, ::1], "
    "i8, i8, i8)",
    error_model="numpy",
)
def _average(luma, variation, out, near, between, sums, window, first, last):
    """Average products or moments.

    `near`, (2, 10, ...), has rows of both pictures twice, any five contiguous.
    """
    width = luma.shape[1]
    row = 4 * near.shape[2]
    share = np.float32(1 / window**2)
    for y in range(first - 2, first + 2):
        for twice in (0, 5):
            _fill(near[0, (y + 2) % 5 + twice], luma, y)
            _fill(near[1, (y + 2) % 5 + twice], variation, y)
    for y in range(first, last):
        for twice in (0, 5):
            _fill(near[0, (y + 4) % 5 + twice], luma, y + 2)
            _fill(near[1, (y + 4) % 5 + twice], variation, y + 2)
        start = (y % 5) * row
        for x in range(0, 4 * (width + 4), BYTES):
            _across_rows(
                near.ctypes.data + start + x,
                near.ctypes.data + 10 * row + start + x,
                row,
                between.ctypes.data + x,
                row,
            )
        for x in range(0, 4 * width, BYTES):
            if out.shape[0] == 6:
                _add_products(between.ctypes.data + x, row, sums.ctypes.data + x, row)
            else:
                _add_moments(between.ctypes.data + x, row, sums.ctypes.data + x, row)
        if (y + 1) % window == 0:
            for k in range(out.shape[0]):
                for x in range(width // window):
                    total = np.float32(0)
                    for step in range(window):
                        total += sums[k, x * window + step]
                    out[k, y // window, x] = total * share
            for at in range(0, 4 * sums.size, BYTES):
                vectors.clear(sums.ctypes.data + at)


def products(luma: Tensor, variation: Tensor, window: int) -> Tensor:
    """Average gx gx, gx gy, gy gy, gx D, gy D, D D over windows: (N, 6, H / window, W / window).

    `luma`, `variation`: float32 (N, 1, H, W), H and W multiples of `window`.
    """
    return _averages(luma, variation, window, 6)


def moments(luma: Tensor, variation: Tensor, window: int) -> Tensor:
    """Average gx, gy, I, D and their products over windows: (N, 14, H / window, W / window).

    Products in the order gx gx, gx gy, gy gy, gx I, gy I, I I, gx D, gy D, I D, D D; arguments as
    those of `products`.
    """
    return _averages(luma, variation, window, 14)


def _averages(luma: Tensor, variation: Tensor, window: int, number: int) -> Tensor:
    count, _, height, width = luma.shape
    checked("luma", luma, (count, 1, height, width))
    checked("variation", variation, (count, 1, height, width))
    if height % window or width % window:
        raise ValueError(f"luma must have sides of a multiple of {window}, got {height}x{width}")
    room = -(-(width + 4) // LANES) * LANES + LANES
    out = luma.new_empty(count, number, height // window, width // window)
    arrays = [x.numpy() for x in (luma[:, 0].contiguous(), variation[:, 0].contiguous(), out)]

    def work(picture, first, last):
        shapes = (2, 10, room), (3, room), (number, room)
        own = (np.zeros(shape, np.float32) for shape in shapes)
        pictures = (array[picture] for array in arrays)
        _average(*pictures, *own, window, first * window, last * window)

    share_rows(work, count, height // window)
    return out


def self_test() -> bool:
    """Whether the kernel gives the closed form for a ramp."""
    ramp = torch.from_numpy(np.tile(np.arange(8, dtype=np.float32), (1, 1, 8, 1)))
    slope = sum(weight * k for k, weight in enumerate(SLOPE)) * sum(SMOOTH)
    means = products(ramp, 0 * ramp + 3, 1)[0, :, 4, 4]
    level = 3 * sum(SMOOTH) ** 2
    both = moments(ramp, 0 * ramp + 3, 1)[0, 7, 4, 4].item()  # gx I, where I is 4
    return np.allclose(
        [*means.numpy(), both],
        [slope**2, 0, 0, slope * level, 0, level**2, slope * 4 * sum(SMOOTH) ** 2],
        atol=1e-4,
    )
