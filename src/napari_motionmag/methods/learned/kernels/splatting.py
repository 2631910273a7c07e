"""Forward warping: what each pixel carries is added to the four around where it moves to."""

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic
from torch import Tensor

from napari_motionmag.methods.learned.kernels import checked, share_rows
from napari_motionmag.methods.learned.kernels import llvm_vectors as vectors
from napari_motionmag.methods.learned.kernels.llvm_vectors import FOUR, Address, kernel

_ONE = np.float32(1)
_BAND = 128  # rows, at least, that a thread moves at a time


@intrinsic
def _deposit(typing, x, y, weight, right_share, lower_share, to, row):
    """Add (-x weight, -y weight, weight, 1) to the four cells from an address on; bytes."""

    def generate(context, builder, signature, arguments):
        x, y, weight, right_share, lower_share, to, row = arguments
        one = ir.Constant(ir.FloatType(), 1.0)
        carried = ir.Constant(FOUR, ir.Undefined)
        moved = [builder.fneg(builder.fmul(part, weight)) for part in (x, y)]
        for lane, number in enumerate([*moved, weight, one]):
            carried = builder.insert_element(carried, number, ir.IntType(32)(lane))
        for down, share_y in enumerate((builder.fsub(one, lower_share), lower_share)):
            line = builder.add(to, row) if down else to
            for right, share_x in enumerate((builder.fsub(one, right_share), right_share)):
                share = vectors.spread(builder, builder.fmul(share_x, share_y), FOUR)
                total = vectors.load(builder, line, 16 * right, kind=FOUR)
                total = builder.fadd(total, builder.fmul(carried, share))
                vectors.store(builder, total, line, 16 * right)
        return context.get_dummy_value()

    return types.void(*[types.float32] * 5, *[Address] * 2), generate


@njit(inline="always")
def _limited(to, size):
    """Limit a position to the border of one pixel around the frame."""
    return min(max(to, -_ONE), size)


@kernel("void(f4[:, :, ::1], f4[:, ::1], f4[:, :, ::1], i8, i8)", error_model="numpy")
def _splat(motion, weight, sums, first, last):
    height, width = weight.shape
    row = 16 * (width + 3)
    for y in range(first, last):
        for x in range(width):
            if not (motion[0, y, x] == motion[0, y, x] and motion[1, y, x] == motion[1, y, x]):
                continue  # NaN goes nowhere
            to_x = _limited(np.float32(x) + motion[0, y, x], np.float32(width))
            to_y = _limited(np.float32(y) + motion[1, y, x], np.float32(height))
            left, top = np.floor(to_x), np.floor(to_y)
            _deposit(
                motion[0, y, x], motion[1, y, x], weight[y, x], to_x - left, to_y - top,
                sums.ctypes.data + (int(top) + 1) * row + (int(left) + 1) * 16, row,
            )  # fmt: skip


@kernel("void(f4[:, :, ::1], f4[:, :, ::1], i8, i8)")
def _means(sums, blocks, first, last):
    share = np.float32(1 / 16)
    for y in range(first, last):
        for x in range(blocks.shape[2]):
            for k in range(3):
                total = np.float32(0)
                for i in range(4):
                    for j in range(4):
                        total += sums[4 * y + i + 1, 4 * x + j + 1, k]
                blocks[k, y, x] = total * share


@kernel(
    "void(f4[:, :, ::1], f4[:, :, ::1], f4, f4[:, :, ::1], f4[:, ::1], i8, i8)", error_model="numpy"
)
def _settle(sums, around, little, source, coverage, first, last):
    for y in range(first, last):
        for x in range(coverage.shape[1]):
            weight = _ONE / (sums[y + 1, x + 1, 2] + little)
            source[0, y, x] = (sums[y + 1, x + 1, 0] + little * around[0, y // 4, x // 4]) * weight
            source[1, y, x] = (sums[y + 1, x + 1, 1] + little * around[1, y // 4, x // 4]) * weight
            coverage[y, x] = sums[y + 1, x + 1, 3]


@kernel("b1(f4[:, :, ::1], i8, i8, f4)")
def _beside_jump(source, y, x, far):
    """Whether a neighbor's displacement is far from that of a pixel."""
    height, width = source.shape[1:]
    for k in range(2):
        own = source[k, y, x]
        if (
            abs(source[k, max(y - 1, 0), x] - own) > far
            or abs(source[k, min(y + 1, height - 1), x] - own) > far
            or abs(source[k, y, max(x - 1, 0)] - own) > far
            or abs(source[k, y, min(x + 1, width - 1)] - own) > far
        ):
            return True
    return False


@kernel("void(f4[:, :, ::1], f4[:, :, ::1], f4, i8, i8)")
def _without_lone(source, out, far, first, last):
    height, width = source.shape[1:]
    around = np.empty(25, np.float32)
    median = np.empty(2, np.float32)
    for y in range(first, last):
        for x in range(width):
            out[0, y, x], out[1, y, x] = source[0, y, x], source[1, y, x]
            if not _beside_jump(source, y, x, far):
                continue
            for k in range(2):
                count, numbers = 0, True
                for dy in range(-2, 3):
                    for dx in range(-2, 3):
                        value = source[
                            k, min(max(y + dy, 0), height - 1), min(max(x + dx, 0), width - 1)
                        ]
                        place = count
                        while place > 0 and around[place - 1] > value:
                            around[place] = around[place - 1]
                            place -= 1
                        around[place] = value
                        numbers = numbers and value == value
                        count += 1
                median[k] = around[12] if numbers else np.nan
            if abs(source[0, y, x] - median[0]) > far or abs(source[1, y, x] - median[1]) > far:
                out[0, y, x], out[1, y, x] = median[0], median[1]


def splat(motion: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Sum up, where pixels arrive, where they come from.

    `motion`: float32 (N, 2, H, W), displacement x and y in px; H and W are multiples of 4.
    `weight`: float32 (N, 1, H, W). Returns sums (N, H + 3, W + 3, 4) of -x weight, -y weight,
    weight and 1, with bilinear shares; one row and column before the frame and two behind it. And
    means of the first three over 4 x 4 px, (N, 3, H / 4, W / 4).
    """
    count, _, height, width = motion.shape
    checked("motion", motion, (count, 2, height, width))
    checked("weight", weight, (count, 1, height, width))
    if height % 4 or width % 4:
        raise ValueError(f"motion must have sides of a multiple of 4, got {height}x{width}")
    sums = motion.new_zeros(count, height + 3, width + 3, 4)
    blocks = motion.new_empty(count, 3, height // 4, width // 4)
    means = blocks.numpy()
    arrays = [x.numpy() for x in (motion.contiguous(), weight[:, 0].contiguous(), sums)]
    bands = max(1, height // _BAND)
    if not (2 * motion[:, 1].abs() + 4 <= _BAND).all():  # too far, or NaN
        bands = 1
    for start in (0, 1):  # every other band: they do not reach each other

        def work(picture, first, last, start=start):
            for band in range(2 * first + start, 2 * last + start, 2):
                rows = height * band // bands, height * (band + 1) // bands
                _splat(*(array[picture] for array in arrays), *rows)

        share_rows(work, count, (bands + 1 - start) // 2)
    share_rows(
        lambda picture, first, last: _means(arrays[2][picture], means[picture], first, last),
        count,
        height // 4,
    )
    return sums, blocks


def settle(sums: Tensor, around: Tensor, little: float) -> tuple[Tensor, Tensor]:
    """Return mean displacements, (N, 2, H, W), and the coverage, (N, 1, H, W), of `splat`'s sums.

    Where little arrived, `around`, float32 (N, 2, H / 4, W / 4), counts with the weight `little`.
    """
    count, height, width = sums.shape[0], sums.shape[1] - 3, sums.shape[2] - 3
    checked("around", around, (count, 2, height // 4, width // 4))
    source, coverage = (sums.new_empty(count, parts, height, width) for parts in (2, 1))
    arrays = [x.numpy() for x in (sums, around.contiguous(), source, coverage[:, 0])]

    def work(picture, first, last):
        total, near, to, covered = (array[picture] for array in arrays)
        _settle(total, near, little, to, covered, first, last)

    share_rows(work, count, height)
    return source, coverage


def without_lone(source: Tensor, far: float) -> Tensor:
    """Replace displacements, float32 (N, 2, H, W), that lie `far` from the median of 5 x 5 px."""
    count, _, height, width = source.shape
    checked("source", source, (count, 2, height, width))
    out = source.new_empty(source.shape)
    arrays = source.contiguous().numpy(), out.numpy()

    def work(picture, first, last):
        _without_lone(*(array[picture] for array in arrays), far, first, last)

    share_rows(work, count, height)
    return out


def self_test() -> bool:
    """Whether the kernels give the closed form for an even motion."""
    motion = torch.from_numpy(np.zeros((1, 2, 4, 4), np.float32))
    motion[:, 0] = 0.25
    sums, blocks = splat(motion, 2 + 0 * motion[:, :1])
    source, coverage = settle(sums, blocks[:, :2], 0.0)
    lone = source.clone()
    lone[0, 1, 1, 2] = 9
    return bool(
        torch.equal(without_lone(lone, 2.0), source)
        and (coverage.numpy() == [0.75, 1, 1, 1]).all()
        and blocks[0, 2] == 2 * 15 / 16
        and np.allclose(source.numpy(), -motion.numpy())
    )
