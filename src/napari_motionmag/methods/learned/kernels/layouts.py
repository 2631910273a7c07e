"""Changes between a frame, its planes and the squares of 2 x 2 px that networks take.

A square is a vector of four: two pixels of a row, two of the row below.
"""

from collections.abc import Sequence

import numpy as np
import torch
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from torch import Tensor

from napari_motionmag.methods.learned.kernels import checked, share_rows
from napari_motionmag.methods.learned.kernels import llvm_vectors as vectors
from napari_motionmag.methods.learned.kernels.llvm_vectors import FOUR, Address, kernel

_BAND = 32  # rows of squares that stay in the processor's cache until all parts are there
_CELL = 8  # px, of a weight of what is drawn
_STILL = 1e-6  # px
_R, _G, _B = 0.299, 0.587, 0.114
_PAIR = ir.VectorType(ir.FloatType(), 2)


def _load_square(builder, at, row):
    """Load two pixels at an address and two of the next row."""
    pairs = [vectors.load(builder, line, kind=_PAIR) for line in (at, builder.add(at, row))]
    return builder.shuffle_vector(*pairs, vectors.lanes([0, 1, 2, 3]))


def _store_square(builder, square, at, row):
    for first, line in ((0, at), (2, builder.add(at, row))):
        pair = builder.shuffle_vector(square, square, vectors.lanes([first, first + 1]))
        vectors.store(builder, pair, line)


def _four(value: float) -> ir.Constant:
    return ir.Constant(FOUR, [float(value)] * 4)


@intrinsic
def _gather(typing, at, row, scale, offset, to):
    """Write a square, times `scale` plus `offset`, to an address."""

    def generate(context, builder, signature, arguments):
        at, row, scale, offset, to = arguments
        scale, offset = (vectors.spread(builder, x, FOUR) for x in (scale, offset))
        square = builder.fadd(builder.fmul(_load_square(builder, at, row), scale), offset)
        vectors.store(builder, square, to)
        return context.get_dummy_value()

    return types.void(Address, Address, types.float32, types.float32, Address), generate


@kernel("void(f4[:, :, ::1], f4, f4, f4[:, :, ::1], i8, i8, i8)")
def _add_squares(planes, scale, offset, squares, channel, first, last):
    count, height, width = planes.shape
    step = 4 * squares.shape[2]
    for y in range(first, last):
        for k in range(count):
            at = planes.ctypes.data + 4 * width * (k * height + 2 * y)
            to = squares.ctypes.data + squares.shape[1] * step * y + 4 * (channel + 4 * k)
            for _ in range(squares.shape[1]):
                _gather(at, 4 * width, scale, offset, to)
                at += 8
                to += step


@kernel("void(f4[:, :, ::1], f4[:, :, ::1], i8, i8, i8)")
def _add_beside(beside, squares, channel, first, last):
    behind = channel + beside.shape[0]
    for y in range(first, last):
        for x in range(squares.shape[1]):
            for k in range(beside.shape[0]):
                squares[y, x, channel + k] = beside[k, y, x]
            for k in range(behind, squares.shape[2]):
                squares[y, x, k] = 0


def squares(
    parts: Sequence[tuple[Tensor, float, float]], beside: Tensor | None, channels: int
) -> Tensor:
    """Gather squares of planes, (N, channels, H / 2, W / 2), channels last.

    `parts`: planes, float32 (N, K, H, W), each times a number plus another. `beside`: float32
    (N, K, H / 2, W / 2), the channels behind them. What is left of `channels` is zero.
    """
    count, _, height, width = parts[0][0].shape
    half = height // 2, width // 2
    out = parts[0][0].new_empty(count, *half, channels)
    if beside is None:
        beside = out.new_empty(count, 0, *half)
    checked("beside", beside, (count, beside.shape[1], *half))
    planes, channel = [], 0
    for part, scale, offset in parts:
        checked("parts", part, (count, part.shape[1], height, width))
        planes.append((part.contiguous().numpy(), scale, offset, channel))
        channel += 4 * part.shape[1]
    if height % 2 or width % 2 or channel + beside.shape[1] > channels:
        raise ValueError(
            f"parts must have even sides and channels be {channel + beside.shape[1]} or more, "
            f"got {height}x{width} and {channels}"
        )
    behind, to = beside.contiguous().numpy(), out.numpy()

    def work(picture, first, last):
        for row in range(first, last, _BAND):
            rows = row, min(row + _BAND, last)
            for array, scale, offset, place in planes:
                _add_squares(array[picture], scale, offset, to[picture], place, *rows)
            _add_beside(behind[picture], to[picture], channel, *rows)

    share_rows(work, count, height // 2)
    return out.permute(0, 3, 1, 2)


@kernel("void(f4[:, :, ::1], f4[:, :, ::1], i8, i8)")
def _to_planes(frame, planes, first, last):
    red_share, green_share, blue_share = np.float32(_R), np.float32(_G), np.float32(_B)
    for y in range(first, last):
        for x in range(frame.shape[2]):
            red, green, blue = frame[0, y, x], frame[1, y, x], frame[2, y, x]
            luma = red_share * red + green_share * green + blue_share * blue
            planes[0, y, x] = luma
            planes[1, y, x] = blue - luma
            planes[2, y, x] = red - luma


def to_planes(frame: Tensor) -> Tensor:
    """Convert float32 (N, 3, H, W) to luma, B - Y and R - Y."""
    count, _, height, width = frame.shape
    checked("frame", frame, (count, 3, height, width))
    planes = frame.new_empty(frame.shape)
    source, to = frame.contiguous().numpy(), planes.numpy()
    share_rows(lambda n, first, last: _to_planes(source[n], to[n], first, last), count, height)
    return planes


def _finisher(channels: int):
    """Return what finishes a square of a frame with that many channels. Addresses in bytes."""

    @intrinsic
    def finish(
        typing, at, row, plane, frame, planes, moved, source, share, drawn, near, color,
        magnified, only_moved,
    ):  # fmt: skip
        def generate(context, builder, signature, arguments):
            at, row, plane, frame, planes, moved, source, share, drawn, near, color, *to = arguments

            def square(array, channel=0):
                place = vectors.at(builder, builder.add(array, at), (channel, plane))
                return _load_square(builder, place, row)

            def write(array, luma, blue=None, red=None):
                changes = [luma]
                if channels > 1:
                    mixed = builder.fadd(
                        builder.fmul(red, _four(_R / _G)), builder.fmul(blue, _four(_B / _G))
                    )
                    changes = [builder.fadd(luma, red), builder.fsub(luma, mixed)]
                    changes.append(builder.fadd(luma, blue))
                for channel, change in enumerate(changes):
                    place = vectors.at(builder, builder.add(array, at), (channel, plane))
                    value = builder.fadd(square(frame, channel), change)
                    _store_square(builder, value, place, row)

            beyond = [
                builder.fcmp_unordered(sign, square(source, axis), _four(limit))
                for axis in (0, 1)
                for sign, limit in ((">", _STILL), ("<", -_STILL))
            ]
            moves = builder.or_(builder.or_(*beyond[:2]), builder.or_(*beyond[2:]))
            changes = [
                builder.select(moves, builder.fsub(square(moved, k), square(planes, k)), _four(0))
                for k in range(channels)
            ]
            write(to[1], *changes)
            weight = builder.fmul(square(share), vectors.spread(builder, near, FOUR))
            for k in range(channels):
                if k == 1:
                    weight = builder.fmul(weight, vectors.spread(builder, color, FOUR))
                part = vectors.load(builder, drawn, 16 * k, kind=FOUR)
                changes[k] = builder.fadd(changes[k], builder.fmul(weight, part))
            write(to[0], *changes)
            return context.get_dummy_value()

        number = types.float32
        return types.void(*[Address] * 9, number, number, *[Address] * 2), generate

    return finish


_finish_gray, _finish_color = _finisher(1), _finisher(3)


@kernel(
    "void(f4[:, :, ::1], f4[:, :, ::1], f4[:, :, ::1], f4[:, :, ::1], f4[:, ::1], f4[:, :, ::1],"
    " f4[:, ::1], f4[:, ::1], f4[:, :, ::1], f4[:, :, ::1], i8, i8)"
)
def _finish(
    frame, planes, moved, source, share, drawn, near, color, magnified, only_moved, first, last
):
    channels, height, width = frame.shape
    row, plane = 4 * width, 4 * width * height
    for y in range(first, last):
        for x in range(width // 2):
            cell_y, cell_x = 2 * y // _CELL, 2 * x // _CELL
            places = (
                2 * y * row + 8 * x, row, plane, frame.ctypes.data, planes.ctypes.data,
                moved.ctypes.data, source.ctypes.data, share.ctypes.data,
                drawn.ctypes.data + 16 * channels * (y * (width // 2) + x),
                near[cell_y, cell_x], color[cell_y, cell_x],
                magnified.ctypes.data, only_moved.ctypes.data,
            )  # fmt: skip
            if channels == 1:
                _finish_gray(*places)
            else:
                _finish_color(*places)


def finished(
    frame: Tensor,
    planes: Tensor,
    moved: Tensor,
    source: Tensor,
    drawn: Tensor,
    near: Tensor,
    color: Tensor,
    share: Tensor,
) -> tuple[Tensor, Tensor]:
    """Add to a frame what moves and what is drawn: the magnified and the only moved frame.

    `frame`, `planes`, `moved`: float32 (N, C, H, W), C of 1 or 3; `source`: (N, 2, H, W), where it
    is zero to the last bit nothing moves; `drawn`: (N, 4 C, H / 2, W / 2), squares of planes;
    `near`, `color`: (N, 1, H / 8, W / 8), weights of what is drawn, the second of its color;
    `share`: (N, 1, H, W), another.
    """
    count, channels, height, width = frame.shape
    half, cells = (height // 2, width // 2), (height // _CELL, width // _CELL)
    for name, x, shape in (
        ("frame", frame, (channels, height, width)),
        ("planes", planes, (channels, height, width)),
        ("moved", moved, (channels, height, width)),
        ("source", source, (2, height, width)),
        ("drawn", drawn, (4 * channels, *half)),
        ("near", near, (1, *cells)),
        ("color", color, (1, *cells)),
        ("share", share, (1, height, width)),
    ):
        checked(name, x, (count, *shape))
    results = frame.new_empty(frame.shape), frame.new_empty(frame.shape)
    arrays = [
        *(x.contiguous().numpy() for x in (frame, planes, moved, source)),
        share[:, 0].contiguous().numpy(),
        drawn.permute(0, 2, 3, 1).contiguous().numpy(),
        *(x[:, 0].contiguous().numpy() for x in (near, color)),
        *(x.numpy() for x in results),
    ]

    def work(picture, first, last):
        _finish(*(array[picture] for array in arrays), first, last)

    share_rows(work, count, height // 2)
    return results


def self_test() -> bool:
    """Whether squares come in the order of PyTorch, and planes make up the frame again."""
    frame = torch.from_numpy(np.arange(192, dtype=np.float32).reshape(1, 3, 8, 8) / 192)
    planes = to_planes(frame)
    found = squares([(planes, 2.0, -1.0)], None, 12)
    one = torch.from_numpy(np.ones((1, 3, 8, 8), np.float32))
    cell, none = one[:, :1, :1, :1], one * 0
    both = finished(none, none, planes, one[:, :2], found * 0, cell, cell, one[:, :1])
    drawn = finished(none, none, one, none[:, :2], found, cell, cell, one[:, :1])[0]
    return (
        torch.allclose(found, torch.pixel_unshuffle(2 * planes - 1, 2))
        and all(torch.allclose(x, frame, atol=1e-5) for x in both)
        and torch.allclose(to_planes(drawn), 2 * planes - 1, atol=1e-5)
    )
