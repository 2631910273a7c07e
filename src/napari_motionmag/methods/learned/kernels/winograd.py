"""Convolutions 3x3 by minimal filtering, F(4x4, 3x3): 36 products where plain ones take 144.

Each tile of 6x6 inputs (overlapping by 2) is transformed, multiplied with the transformed weights,
one product of matrices for each of the 36 places, and transformed back to 4x4 outputs. The
transforms of some tiles stay in the second-level cache, so that memory is passed over once.

References
----------
Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016. Barabasz et al.,
"Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural Networks", ACM
TOMS 2020 (on the choice of points).
"""

from itertools import chain

import numpy as np
import torch
import torch.nn.functional as F
from numba import njit, types
from numba.extending import intrinsic
from torch import Tensor

from napari_motionmag.methods.learned.kernels import checked, share_rows
from napari_motionmag.methods.learned.kernels import llvm_vectors as vectors
from napari_motionmag.methods.learned.kernels.llvm_vectors import (
    BYTES,
    I64,
    LANES,
    REGISTERS,
    Address,
    kernel,
)
from napari_motionmag.methods.learned.kernels.llvm_vectors import at as _at

# Polynomials are evaluated at 0, +-A, +-B and infinity. With these points, whose powers are exact,
# errors are a quarter of those with 1 and 2 (measured).
_A, _B = 0.75, 1.5
_A2, _B2 = _A * _A, _B * _B
_WEIGHTS = np.array(
    [
        [1 / (_A2 * _B2), 0, 0],
        *([s / (2 * _A2 * (_A2 - _B2)) for s in (1, sign * _A, _A2)] for sign in (1, -1)),
        *([s / (2 * _B2 * (_B2 - _A2)) for s in (1, sign * _B, _B2)] for sign in (1, -1)),
        [0, 0, 1],
    ]
)
_TILES = 24  # at a time; a multiple of the rows of all panels
# Rows by registers of a panel: as many as are kept while one register of weights each and a
# number of the input come and go.
_ROWS = {4: 6, 3: 8, 2: 12, 1: 12} if REGISTERS == 32 else {2: 6, 1: 12}


def _six_places(builder, x: list) -> list:
    """Transform six inputs of a line to their places."""

    def plus(number, factor, total):
        return vectors.multiply_add(builder, number, vectors.constant(factor), total)

    places = [plus(x[0], _A2 * _B2, plus(x[2], -_A2 - _B2, x[4]))]
    for point, other in ((_A, _B2), (_B, _A2)):
        even, odd = plus(x[2], -other, x[4]), plus(x[1], -other, x[3])
        places += [plus(odd, point, even), plus(odd, -point, even)]
    return [*places, plus(x[1], _A2 * _B2, plus(x[3], -_A2 - _B2, x[5]))]


def _four_outputs(builder, x: list) -> list:
    """Transform six places to the four outputs of a line."""
    sums = builder.fadd(x[1], x[2]), builder.fadd(x[3], x[4])
    differences = builder.fsub(x[1], x[2]), builder.fsub(x[3], x[4])

    def weighted(pair, power):
        first = builder.fmul(pair[0], vectors.constant(_A**power))
        return vectors.multiply_add(builder, pair[1], vectors.constant(_B**power), first)

    return [
        builder.fadd(builder.fadd(x[0], sums[0]), sums[1]),
        weighted(differences, 1),
        weighted(sums, 2),
        builder.fadd(weighted(differences, 3), x[5]),
    ]


def _two_sided(builder, transform, tile: list[list]) -> list[list]:
    """Transform the columns, then the rows."""
    columns = [transform(builder, list(column)) for column in zip(*tile, strict=True)]
    return [transform(builder, list(row)) for row in zip(*columns, strict=True)]


@intrinsic
def _transform_input(typing, source, row, column, to, place):
    """Transform a tile of 6x6 inputs to its 36 places. Distances in bytes."""

    def generate(context, builder, signature, arguments):
        source, row, column, to, place = arguments
        tile = [
            [vectors.load(builder, _at(builder, source, (i, row), (j, column))) for j in range(6)]
            for i in range(6)
        ]
        tile = _two_sided(builder, _six_places, tile)
        for number, value in enumerate(chain(*tile)):
            vectors.store(builder, value, _at(builder, to, (number, place)))
        return context.get_dummy_value()

    return types.void(*[Address] * 5), generate


def _output_transform(plus: bool):
    @intrinsic
    def transform(typing, source, place, bias, other, slope, to, row, column):
        """Transform 36 places to 4x4 outputs, with bias, `other`, rectifier. Distances in bytes."""

        def generate(context, builder, signature, arguments):
            source, place, bias, other, slope, to, row, column = arguments
            tile = [
                [vectors.load(builder, _at(builder, source, (6 * i + j, place))) for j in range(6)]
                for i in range(6)
            ]
            tile = _two_sided(builder, _four_outputs, tile)
            bias, slope = vectors.load(builder, bias), vectors.spread(builder, slope)
            for i in range(4):
                for j in range(4):
                    value = builder.fadd(tile[i][j], bias)
                    if plus:
                        added = vectors.load(builder, _at(builder, other, (i, row), (j, column)))
                        value = builder.fadd(value, added)
                    value = vectors.rectified(builder, value, slope)
                    vectors.store(builder, value, _at(builder, to, (i, row), (j, column)))
            return context.get_dummy_value()

        return types.void(*[Address] * 4, types.float32, *[Address] * 3), generate

    return transform


_transform_output, _transform_output_plus = _output_transform(False), _output_transform(True)


def _panel_product(width: int):
    rows = _ROWS.get(width, 1)

    @intrinsic
    def multiply(typing, inputs, weights, to, depth, row):
        """Multiply rows of inputs and a panel of weights, all sums in registers; `row`: bytes."""

        def generate(context, builder, signature, arguments):
            inputs, weights, to, depth, row = arguments
            starts = [_at(builder, inputs, (r, builder.mul(depth, I64(4)))) for r in range(rows)]
            before = builder.basic_block
            loop, done = builder.append_basic_block("loop"), builder.append_basic_block("done")
            builder.branch(loop)
            builder.position_at_end(loop)
            k = builder.phi(I64)
            k.add_incoming(I64(0), before)
            sums = [[builder.phi(vectors.constant(0).type) for _ in range(width)] for _ in starts]
            panel = _at(builder, weights, (BYTES * width, k))
            columns = [vectors.load(builder, panel, BYTES * v) for v in range(width)]
            totals = []
            for start, line in zip(starts, sums, strict=True):
                number = vectors.load_spread(builder, _at(builder, start, (4, k)))
                totals.append(
                    [
                        vectors.multiply_add(builder, number, column, total)
                        for column, total in zip(columns, line, strict=True)
                    ]
                )
            for line, total in zip(chain(*sums), chain(*totals), strict=True):
                line.add_incoming(vectors.constant(0), before)
                line.add_incoming(total, loop)
            following = builder.add(k, I64(1))
            k.add_incoming(following, loop)
            builder.cbranch(builder.icmp_signed("<", following, depth), loop, done)
            builder.position_at_end(done)
            for r, line in enumerate(totals):
                for v, total in enumerate(line):
                    vectors.store(builder, total, _at(builder, to, (r, row)), BYTES * v)
            return context.get_dummy_value()

        return types.void(*[Address] * 5), generate

    return multiply


_multiply_4, _multiply_3, _multiply_2, _multiply_1 = map(_panel_product, (4, 3, 2, 1))
_ROWS_4, _ROWS_3, _ROWS_2, _ROWS_1 = (_ROWS.get(width, 1) for width in (4, 3, 2, 1))


# Distances within scratch memory: 64 bytes more than needed, so that places use all cache sets.
@njit(inline="always")
def _distance(pixel):
    return _TILES * pixel + 64


@kernel()
def _enter(x, pixel, scratch, whole, edge, height, width, first, count):
    """Transform `count` tiles from the `first` on, row by row.

    `pixel`: bytes of one in `x`; `whole`: with the channels of all inputs.
    """
    place, across = _distance(whole), (width + 3) // 4
    for tile in range(count):
        top, left = 4 * ((first + tile) // across) - 1, 4 * ((first + tile) % across) - 1
        to = scratch + tile * whole
        source, row = x + (top * width + left) * pixel, width * pixel
        if top < 0 or left < 0 or top + 6 > height or left + 6 > width:
            for i in range(6):
                for j in range(6):
                    inside = 0 <= top + i < height and 0 <= left + j < width
                    for c in range(0, pixel, BYTES):
                        cell = edge + (6 * i + j) * pixel + c
                        if inside:
                            vectors.copy(source + i * row + j * pixel + c, cell)
                        else:
                            vectors.clear(cell)
            source, row = edge, 6 * pixel
        for c in range(0, pixel, BYTES):
            _transform_input(source + c, row, pixel, to + c, place)


@kernel()
def _multiply(scratch, weights, products, pixel, drawn, panel, count):
    """Multiply `count` tiles and the weights at each place."""
    inputs = pixel // 4
    for place in range(36):
        source = scratch + place * _distance(pixel)
        to = products + place * _distance(drawn)
        for k in range(0, drawn, panel * BYTES):
            part = weights + (place * drawn + k) * inputs
            if panel == 4:
                for t in range(0, count, _ROWS_4):
                    _multiply_4(source + t * pixel, part, to + t * drawn + k, inputs, drawn)
            elif panel == 3:
                for t in range(0, count, _ROWS_3):
                    _multiply_3(source + t * pixel, part, to + t * drawn + k, inputs, drawn)
            elif panel == 2:
                for t in range(0, count, _ROWS_2):
                    _multiply_2(source + t * pixel, part, to + t * drawn + k, inputs, drawn)
            else:
                for t in range(0, count, _ROWS_1):
                    _multiply_1(source + t * pixel, part, to + t * drawn + k, inputs, drawn)


@kernel()
def _leave(products, bias, slope, other, y, edge, height, width, drawn, first, count):
    """Transform back and write what lies within the picture; `drawn`: bytes of a pixel."""
    place, across = _distance(drawn), (width + 3) // 4
    for tile in range(count):
        top, left = 4 * ((first + tile) // across), 4 * ((first + tile) % across)
        at = (top * width + left) * drawn
        source, to, added, row = products + tile * drawn, y + at, other + at, width * drawn
        down, right = min(4, height - top), min(4, width - left)
        whole = down == 4 and right == 4
        if not whole:
            to, row = edge, 4 * drawn
            if other:
                _copy_cells(added, width * drawn, edge, row, down, right, drawn)
                added = edge
        for k in range(0, drawn, BYTES):
            if other:
                _transform_output_plus(
                    source + k, place, bias + k, added + k, slope, to + k, row, drawn
                )
            else:
                _transform_output(source + k, place, bias + k, 0, slope, to + k, row, drawn)
        if not whole:
            _copy_cells(edge, row, y + at, width * drawn, down, right, drawn)


@kernel()
def _copy_cells(source, source_row, to, row, down, right, pixel):
    for i in range(down):
        for at in range(0, right * pixel, BYTES):
            vectors.copy(source + i * source_row + at, to + i * row + at)


@kernel("void(i8, i8, i8, i8, i8, i8, f4, i8, i8, i8, i8, i8, i8, i8, i8, i8)")
def _convolve(
    x, pixel, beside, pixel_beside, weights, bias, slope, other, y, drawn, panel, scratch,
    height, width, first, last,
):  # fmt: skip
    """Convolve tiles `first` to `last` of one picture; addresses of channels-last arrays."""
    whole = pixel + pixel_beside
    products = scratch + 36 * _distance(whole)
    edge = products + 36 * _distance(drawn)
    for start in range(first, last, _TILES):
        count = min(_TILES, last - start)
        _enter(x, pixel, scratch, whole, edge, height, width, start, count)
        if pixel_beside:
            at = scratch + pixel
            _enter(beside, pixel_beside, at, whole, edge, height, width, start, count)
        _multiply(scratch, weights, products, whole, drawn, panel, count)
        _leave(products, bias, slope, other, y, edge, height, width, drawn, start, count)


class Winograd:
    """Convolution 3x3 with padding 1 and transformed weights.

    Parameters
    ----------
    weight : Tensor
        float32 (O, I, 3, 3), I a multiple of ``LANES``.
    bias : Tensor, optional
        float32 (O,).

    Notes
    -----
    Rounding errors are about five times those of a plain convolution. NaN in the input
    spreads over its tile, to up to 5x5 outputs instead of 3x3.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None = None):
        self.outputs, self.inputs = weight.shape[:2]
        if not suits(weight):
            raise ValueError(
                f"weight must be float32 (O, I, 3, 3), I a multiple of {LANES}, "
                f"got {weight.dtype} {tuple(weight.shape)}"
            )
        self._drawn = -(-self.outputs // LANES) * LANES
        missing = self._drawn - self.outputs
        weight = F.pad(weight.detach().double(), (0, 0) * 3 + (0, missing))
        transform = torch.from_numpy(_WEIGHTS)
        weight = torch.einsum("pa,qb,oiab->pqio", transform, transform, weight)
        self._panel = next(p for p in sorted(_ROWS, reverse=True) if not self._drawn % (p * LANES))
        columns = weight.reshape(36, self.inputs, -1, self._panel * LANES).transpose(1, 2)
        self._weights = columns.float().contiguous()
        self._bias = weight.new_zeros(self._drawn, dtype=torch.float32)
        if bias is not None:
            self._bias[: self.outputs] = bias.detach()

    @staticmethod
    def takes(x: Tensor, beside: Tensor) -> bool:
        """Whether these can be read side by side, without joining them first."""
        return x.shape[1] % LANES == 0 and beside.shape[1] % LANES == 0

    def __call__(
        self,
        x: Tensor,
        other: Tensor | None = None,
        *,
        beside: Tensor | None = None,
        slope: float = 1.0,
        into: Tensor | None = None,
    ) -> Tensor:
        """Convolve float32 (N, I, H, W) to (N, O, H, W), channels last, on the CPU.

        `other`, (N, O, H, W), is added. `beside`: the last of the I channels, if not in `x`; both
        are multiples of ``LANES``. `slope`: factor of negative values; 0 is a rectifier, 1 changes
        nothing. `into`: what is returned, O a multiple of ``LANES``; may be `other`, but not `x`.
        """
        inputs = [x] if beside is None else [x, beside]
        count, _, height, width = x.shape
        for name, part in zip(("x", "beside"), inputs, strict=False):
            checked(name, part, (count, part.shape[1], height, width))
        channels = [part.shape[1] for part in inputs]
        if sum(channels) != self.inputs or any(number % LANES for number in channels):
            raise ValueError(
                f"x and beside must have {self.inputs} channels, each a multiple of {LANES}, "
                f"got {channels}"
            )
        inputs = [part.contiguous(memory_format=torch.channels_last) for part in inputs]
        exact, padded = ((count, c, height, width) for c in (self.outputs, self._drawn))
        if other is not None:
            checked("other", other, exact)
            if self._drawn != self.outputs:
                other = F.pad(other, (0, 0, 0, 0, 0, self._drawn - self.outputs))
            other = other.contiguous(memory_format=torch.channels_last)
        y = into
        if y is None:
            kind = {"dtype": torch.float32, "device": "cpu"}  # other defaults can be set
            y = torch.empty(padded, memory_format=torch.channels_last, **kind)
        else:
            checked("into", y, padded)
            last = y.is_contiguous(memory_format=torch.channels_last)
            if not last or any(y.data_ptr() == part.data_ptr() for part in inputs):
                raise ValueError("into must be channels last and none of the inputs")
        pixel, drawn = 4 * self.inputs, 4 * self._drawn
        distance = _distance.py_func
        size = 36 * (distance(pixel) + distance(drawn) + max(pixel, drawn)) + 64

        def work(number, first, last):
            sources = [(part[number].data_ptr(), 4 * part.shape[1]) for part in inputs]
            at, beside_at = [*sources, (0, 0)][:2]
            scratch = np.empty(size, np.uint8)
            _convolve(
                *at, *beside_at, self._weights.data_ptr(), self._bias.data_ptr(), slope,
                0 if other is None else other[number].data_ptr(), y[number].data_ptr(), drawn,
                self._panel, -(-scratch.ctypes.data // 64) * 64, height, width, first, last,
            )  # fmt: skip

        share_rows(work, count, -(-height // 4) * -(-width // 4))
        return y if self._drawn == self.outputs else y[:, : self.outputs]


def suits(weight: Tensor) -> bool:
    """Whether `Winograd` takes these weights."""
    kernel = weight.dtype == torch.float32 and weight.shape[2:] == (3, 3)
    return kernel and weight.shape[1] % LANES == 0 and weight.device.type == "cpu"


def self_test() -> bool:
    """Whether the kernels agree with PyTorch."""
    generator = np.random.default_rng(0)

    def noise(*shape):
        return torch.from_numpy(generator.standard_normal(shape, np.float32))

    for outputs in (LANES, 2 * LANES, 3 * LANES, 4 * LANES):
        weight, x = noise(outputs, LANES, 3, 3), noise(2, LANES, 7, 13)
        expected = F.conv2d(x, weight, padding=1).relu()
        if not torch.allclose(Winograd(weight)(x, slope=0.0), expected, atol=1e-3, rtol=1e-4):
            return False
    return True
