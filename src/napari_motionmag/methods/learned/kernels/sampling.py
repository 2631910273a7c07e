"""Values of a picture between its pixels, by cubic splines."""

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from torch import Tensor

from napari_motionmag.methods.learned.kernels import checked, share_rows
from napari_motionmag.methods.learned.kernels import llvm_vectors as vectors
from napari_motionmag.methods.learned.kernels.llvm_vectors import FOUR, Address, kernel

_BORDER = 2  # px of coefficients around the picture
_REACH = 10  # px of the filter that makes them
_POLE = 3**0.5 - 2
_TAPS = tuple(np.float32(-6 * _POLE / (1 - _POLE * _POLE) * _POLE**k) for k in range(_REACH + 1))


@njit(inline="always")
def _weights(part):
    """Return the weights of four neighbors, for a place `part` behind the second one."""
    rest = np.float32(1) - part
    outer, inner = np.float32(1 / 6), np.float32(2 / 3)
    half = np.float32(0.5)
    return (
        rest * rest * rest * outer,
        inner - part * part * (np.float32(1) - part * half),
        inner - rest * rest * (np.float32(1) - rest * half),
        part * part * part * outer,
    )


@intrinsic
def _inner(typing, at, row, weights_x, weights_y):
    """Sum up 4 x 4 numbers from an address on, weighted in both directions; `row` in bytes."""

    def generate(context, builder, signature, arguments):
        at, row, *weights = arguments
        across, down = ([builder.extract_value(group, k) for k in range(4)] for group in weights)
        total = ir.Constant(FOUR, [0.0] * 4)
        for k, weight in enumerate(down):
            line = vectors.load(builder, vectors.at(builder, at, (k, row)), kind=FOUR)
            part = builder.fmul(line, vectors.spread(builder, weight, FOUR))
            total = builder.fadd(total, part)
        sums = [
            builder.fmul(weight, builder.extract_element(total, ir.IntType(32)(k)))
            for k, weight in enumerate(across)
        ]
        return builder.fadd(builder.fadd(*sums[:2]), builder.fadd(*sums[2:]))

    four = types.UniTuple(types.float32, 4)
    return types.float32(Address, Address, four, four), generate


@kernel("void(f4[:, :, ::1], f4[:, :, ::1], f4[:, :, ::1], i8, i8)", error_model="numpy")
def _sample(coefficients, source, out, first, last):
    height, width = source.shape[1:]
    row, plane = 4 * coefficients.shape[2], 4 * coefficients.shape[1] * coefficients.shape[2]
    for y in range(first, last):
        for x in range(width):
            if not (source[0, y, x] == source[0, y, x] and source[1, y, x] == source[1, y, x]):
                for channel in range(out.shape[0]):
                    out[channel, y, x] = np.nan  # from nowhere
                continue
            at_x = min(max(np.float32(x) + source[0, y, x], np.float32(0)), np.float32(width - 1))
            at_y = min(max(np.float32(y) + source[1, y, x], np.float32(0)), np.float32(height - 1))
            left, top = int(at_x), int(at_y)
            wx = _weights(at_x - np.float32(left))
            wy = _weights(at_y - np.float32(top))
            place = coefficients.ctypes.data + (top + 1) * row + 4 * (left + 1)
            for channel in range(out.shape[0]):
                out[channel, y, x] = _inner(place + channel * plane, row, wx, wy)


@kernel(
    "void(f4[:, ::1], f4[:, ::1], f4[::1], f4[::1], i8, i8)",
    error_model="numpy",
    fastmath={"contract"},
)
def _prefilter(picture, out, down, total, first, last):
    """Filter the columns, then the rows; `down` and `total` hold a row each."""
    height, width = picture.shape
    margin = _REACH + _BORDER
    for row in range(first, last):
        y = row - _BORDER
        inner = down[margin : margin + width]
        middle = picture[min(max(y, 0), height - 1)]
        for x in range(width):
            inner[x] = middle[x] * _TAPS[0]
        for k in range(1, _REACH + 1):
            above = picture[min(max(y - k, 0), height - 1)]
            below = picture[min(max(y + k, 0), height - 1)]
            tap = _TAPS[k]
            for x in range(width):
                inner[x] += tap * (above[x] + below[x])
        down[:margin] = inner[0]
        down[margin + width :] = inner[width - 1]
        length = width + 2 * _BORDER
        for x in range(length):
            total[x] = down[x + _REACH] * _TAPS[0]
        for k in range(1, _REACH + 1):
            left, right = down[_REACH - k :], down[_REACH + k :]
            tap = _TAPS[k]
            for x in range(length):
                total[x] += tap * (left[x] + right[x])
        out[row, :] = total


def spline_coefficients(frame: Tensor) -> Tensor:
    """Make coefficients of cubic splines, (N, C, H + 4, W + 4), of float32 (N, C, H, W)."""
    checked("frame", frame, frame.shape)
    count, channels, height, width = frame.shape
    frame = frame.contiguous()
    out = frame.new_empty(count, channels, height + 2 * _BORDER, width + 2 * _BORDER)
    arrays = [x.flatten(0, 1).numpy() for x in (frame, out)]

    def work(picture, first, last):
        down = np.empty(width + 2 * (_REACH + _BORDER), np.float32)
        total = np.empty(width + 2 * _BORDER, np.float32)
        _prefilter(*(array[picture] for array in arrays), down, total, first, last)

    share_rows(work, count * channels, height + 2 * _BORDER)
    return out


def sampled(coefficients: Tensor, source: Tensor) -> Tensor:
    """Sample pictures at displaced positions, limited to the picture: (N, C, H, W).

    `coefficients`: float32 (N, C, H + 4, W + 4), of cubic splines, two rows and columns beyond each
    border. `source`: float32 (N, 2, H, W), displacement x and y in px.
    """
    count, channels, height, width = coefficients.shape
    height, width = height - 2 * _BORDER, width - 2 * _BORDER
    checked("coefficients", coefficients, coefficients.shape)
    checked("source", source, (count, 2, height, width))
    out = coefficients.new_empty(count, channels, height, width)
    arrays = [x.numpy() for x in (coefficients.contiguous(), source.contiguous(), out)]

    def work(picture, first, last):
        _sample(*(array[picture] for array in arrays), first, last)

    share_rows(work, count, height)
    return out


def self_test() -> bool:
    """Whether the kernels give the closed form for a ramp, and splines pass through it."""
    ramp = torch.from_numpy(np.tile(np.arange(-2, 6, dtype=np.float32), (1, 1, 8, 1)))
    source = torch.from_numpy(np.full((1, 2, 4, 4), 0.25, np.float32))
    values = sampled(ramp, source).numpy()
    found = sampled(spline_coefficients(ramp), torch.from_numpy(np.zeros((1, 2, 8, 8), np.float32)))
    through = np.allclose(found.numpy(), ramp.numpy(), atol=1e-4)  # as splines pass
    return through and np.allclose(values, [0.25, 1.25, 2.25, 3.0], atol=1e-6)
