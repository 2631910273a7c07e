"""The network of Oh et al. rearranged for inference: the same numbers for less work.

- Nearest upsampling and the convolution 3x3 after it are one convolution 2x2 at the low resolution
  with four times the channels, one set for each of the four positions in a cell of 2x2 (sub-pixel
  convolution, Shi et al., CVPR 2016): 4/9 of the arithmetic, and no upsampled array.
- The last convolution 7x7 reads those four sets and writes four positions: 4x4 at half resolution.
- ReLU and the addition of a block's input happen inside convolutions: kernels of our own where they
  are available, oneDNN's where PyTorch has them. Each layer passes over memory once.
- Frames of which only the shape is asked for go without the texture head.
"""

from copy import deepcopy

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_motionmag.methods.learned import kernels
from napari_motionmag.methods.learned.networks.inference_conv import convolved, has_fused, winograd
from napari_motionmag.methods.learned.networks.oh2018 import VARIANTS, Oh2018Config, Oh2018Net


def for_inference(network: Oh2018Net, dtype: torch.dtype = torch.float32):
    """Rearrange the parts of a network for inference, or keep them where they do not fold."""
    folds = all(getattr(network.config, name) == getattr(Oh2018Config, name) for name in VARIANTS)
    return (FoldedOh2018 if folds else UnfoldedOh2018)(network, dtype)


class UnfoldedOh2018:
    """A network of another graph, as a published checkpoint has it, with the same parts."""

    def __init__(self, network: Oh2018Net, dtype: torch.dtype = torch.float32):
        self.dtype = dtype
        self.network = deepcopy(network)
        self._seen = _seen_in(dtype, next(network.parameters()).device)
        self.network.encoder.to(self._seen)
        self.network.manipulator.to(self._seen)
        self.network.decoder.to(dtype)
        self.variation = network.variation

    def shape(self, frame: Tensor) -> Tensor:
        """Return the shape representation alone."""
        return self.encoder(frame)[1]

    def encoder(self, frame: Tensor) -> tuple[Tensor, Tensor]:
        """Return texture and shape of a frame."""
        return self.network.encoder(frame.to(self._seen))

    def response(self, delta: Tensor, factor: float | Tensor) -> Tensor:
        """Return what is added to the base."""
        return self.network.manipulator.response(delta.to(self._seen), factor)

    def decoder(self, texture: Tensor, shape: Tensor) -> Tensor:
        """Return frame of texture and magnified shape."""
        return self.network.decoder(texture.to(self.dtype), shape.to(self.dtype))


class FoldedOh2018:
    """An :class:`~napari_motionmag.methods.learned.networks.oh2018.Oh2018Net` for inference.

    Parameters
    ----------
    network : Oh2018Net
        Its weights are copied, as they are now.
    dtype : torch.dtype
        Number type of the convolutions; on the CPU of those of the decoder alone, less the last.
        Others, and sums of residual blocks, are float32 there: differences of shape are
        multiplied with all that rounding has done to them, and the picture is not rounded.
    fused : bool, optional
        Use fused convolutions; where they are there, on the CPU, when None.

    Notes
    -----
    Differs from ``network(...)`` by rounding alone (below 1e-5 in float32). Results carry no
    gradients. Height and width must be multiples of 4.

    References
    ----------
    Oh et al., ECCV 2018. Shi et al., "Real-Time Single Image and Video Super-Resolution Using an
    Efficient Sub-Pixel Convolutional Neural Network", CVPR 2016.
    """

    def __init__(self, network, dtype: torch.dtype = torch.float32, fused: bool | None = None):
        self.dtype = dtype
        device = next(network.parameters()).device
        on_cpu = device.type == "cpu"
        self.fused = on_cpu and has_fused() if fused is None else fused
        self._seen = _seen_in(dtype, device)
        self._kernels = on_cpu and fused is not False
        self.linear = network.manipulator.linear
        self.variation = network.variation
        encoder, manipulator, decoder = network.encoder, network.manipulator, network.decoder
        with torch.no_grad():
            seen = self._seen
            self.first, self.down = _kept(encoder.first, seen), _kept(encoder.down, seen)
            self.texture_in = _kept(encoder.texture_in, seen)
            self.shape_in = self._same(encoder.shape_in, seen)
            self.trunk = self._blocks(encoder.trunk, seen)
            self.texture_blocks = self._blocks(encoder.texture, seen)
            self.shape_blocks = self._blocks(encoder.shape, seen)
            if not self.linear:
                layers = (getattr(manipulator, k) for k in ("g", "h_in", "h_first", "h_second"))
                self.response_layers = [self._same(layer, seen) for layer in layers]
            self.fusion = self._blocks(decoder.fusion, dtype)
            self.texture_up = _own(*fold_upsampling(decoder.texture_up), seen)
            self.up = _own(*fold_upsampling(decoder.up), dtype)
            weight, bias = fold_last(decoder.last)
            self.last = _own(0.5 * weight, 0.5 * bias + 0.5, seen)

    def _blocks(self, blocks, dtype: torch.dtype) -> list:
        return [(self._same(b.first, dtype), self._same(b.second, dtype)) for b in blocks]

    def _same(self, layer, dtype: torch.dtype):
        """Return a 3x3 convolution that keeps the size: a kernel if there is one, or weights."""
        exact = self._kernels and dtype == torch.float32
        kernel = winograd(layer.weight, layer.bias) if exact else None
        return kernel or _kept(layer, dtype)

    def shape(self, frame: Tensor) -> Tensor:
        """Return the shape representation alone, (N, 32, H / 2, W / 2), of a frame (N, C, H, W)."""
        return self._shape(self._trunk(frame))

    def encoder(self, frame: Tensor) -> tuple[Tensor, Tensor]:
        """Return texture (N, 32, H / 4, W / 4) and shape (N, 32, H / 2, W / 2) of a frame."""
        x = self._trunk(frame)
        texture = self._convolve(x, self.texture_in, 1, stride=2, relu=True)
        return self._through(texture, self.texture_blocks), self._shape(x)

    def response(self, delta: Tensor, factor: float | Tensor) -> Tensor:
        """Return what is added to the base: ``h(m g(Delta))`` or ``m Delta``."""
        if self.linear:
            return factor * delta
        g, h_in, h_first, h_second = self.response_layers
        x = self._convolve(_enter(delta, self._seen), g, 1, relu=True)
        return self._through(self._convolve(x.mul_(factor), h_in, 1), [(h_first, h_second)])

    def decoder(self, texture: Tensor, shape: Tensor) -> Tensor:
        """Return frame (N, C, H, W) of texture and magnified shape."""
        x = self._joined(_enter(texture, self._seen), shape)
        if self.dtype == self._seen:
            x = self._through(x, self.fusion)
        else:
            x = self._summed(x, self.fusion)
        rows = x.shape[-2]
        at_once = _ROWS if x.device.type == "cpu" else rows
        parts = [
            self._painted(x, first, min(first + at_once, rows)) for first in range(0, rows, at_once)
        ]
        return _spread(torch.cat(parts, 2))[..., 2:-2]

    def _painted(self, x: Tensor, first: int, last: int) -> Tensor:
        """Return positions of the cells `first` to `last` of rows, with half a cell on each side.

        Memory for all rows at once would be claimed anew for each frame.
        """
        # rows of half cells that the last layer sees, and of pixels that those see
        above, below = max(first - 1, 0), min(last + 2, x.shape[-2] + 1)
        start, stop = max(above - 1, 0), min(below, x.shape[-2])
        cells = self._convolve(x[:, :, start:stop], self.up, 1, relu=True)
        cells = cells[:, :, above - start : below - start]
        _clear_outside(cells, above == 0, below > x.shape[-2])
        cells = self._convolve(cells.to(self._seen), self.last, 2)
        return cells[:, :, first + 1 - above : last + 1 - above]

    def _trunk(self, frame: Tensor) -> Tensor:
        x = self._convolve(_enter(2 * frame - 1, self._seen), self.first, 3, relu=True)
        return self._through(self._convolve(x, self.down, 1, stride=2, relu=True), self.trunk)

    def _shape(self, x: Tensor) -> Tensor:
        return self._through(self._convolve(x, self.shape_in, 1, relu=True), self.shape_blocks)

    def _joined(self, texture: Tensor, shape: Tensor) -> Tensor:
        """Join the upsampled texture and the shape, (N, 64, H / 2, W / 2)."""
        height, width = texture.shape[-2:]
        cells = self._convolve(texture, self.texture_up, 1, relu=True)
        count = cells.shape[1] // 4
        joined = torch.empty(
            (shape.shape[0], count + shape.shape[1], *shape.shape[-2:]),
            dtype=self._seen,
            device=shape.device,
            memory_format=torch.channels_last,
        )
        for part, (y, x) in enumerate(_POSITIONS):
            kept = cells[:, part * count : (part + 1) * count, y : y + height, x : x + width]
            joined[:, :count, y::2, x::2] = kept
        joined[:, count:] = shape
        return joined

    def _through(self, x: Tensor, blocks: list) -> Tensor:
        """Run residual blocks; `x` is used up."""
        y = None  # memory for it is claimed once
        for first, second in blocks:
            y = self._convolve(x, first, 1, relu=True, into=y)
            if callable(second):
                second(y, x, into=x)
            elif self.fused:
                torch.ops.mkldnn._convolution_pointwise_(
                    x, y, *second, [1, 1], [1, 1], [1, 1], 1, "add", 1.0, None, [], None
                )
            else:
                x += F.conv2d(y, *second, padding=1)
        return x

    def _summed(self, total: Tensor, blocks: list) -> Tensor:
        """Run residual blocks in `dtype`, summed in float32; `total` is used up."""
        add = add_rounded
        here = total.device.type == "cpu" and self.dtype == torch.bfloat16
        if here and kernels.available():
            from napari_motionmag.methods.learned.kernels.rounding import add_rounded as add
        x = total.to(self.dtype)
        for first, second in blocks:
            y = self._convolve(x, first, 1, relu=True)
            x = add(total, self._convolve(y, second, 1))
        return x

    def _convolve(
        self,
        x: Tensor,
        layer,
        padding: int,
        stride: int = 1,
        relu: bool = False,
        into: Tensor | None = None,
    ) -> Tensor:
        """Convolve; kernels write it `into` a tensor of its shape, if there is one."""
        if callable(layer):
            return layer(x, slope=0.0 if relu else 1.0, into=into)
        if self.fused:
            after = "relu" if relu else "none"
            return convolved(x, *layer, [padding] * 2, [stride] * 2, after=after)
        y = F.conv2d(x, *layer, stride=stride, padding=padding)
        return y.relu_() if relu else y


def _seen_in(dtype: torch.dtype, device: torch.device) -> torch.dtype:
    """Return the number type of the encoder and of the manipulator."""
    return torch.float32 if device.type == "cpu" else dtype


def add_rounded(total: Tensor, more: Tensor) -> Tensor:
    """Add to float32 `total` in place; return the sum in the number type of `more`."""
    return total.add_(more).to(more.dtype)


def _enter(x: Tensor, dtype: torch.dtype) -> Tensor:
    return x.to(dtype, memory_format=torch.channels_last)


def _own(weight: Tensor, bias: Tensor | None, dtype: torch.dtype) -> tuple[Tensor, Tensor | None]:
    weight = weight.detach().to(dtype, memory_format=torch.channels_last, copy=True)
    return weight, None if bias is None else bias.detach().to(dtype, copy=True)


def _kept(layer, dtype: torch.dtype) -> tuple[Tensor, Tensor | None]:
    return _own(layer.weight, layer.bias, dtype)


_ROWS = 64  # of cells, painted at a time on CPUs

# Where in a cell of 2x2 the four sets of channels lie. A convolution 2x2 with padding makes one
# more row than cells; its row i sees the cells i - 1 and i: the lower half of the one above and
# the upper half of the one below.
_POSITIONS = ((1, 1), (1, 0), (0, 1), (0, 0))


def fold_upsampling(layer) -> tuple[Tensor, Tensor]:
    """Return weights (4 O, I, 2, 2), bias (4 O,): nearest upsampling x2, then `layer` (3x3)."""
    rows = layer.weight.new_tensor([[[1, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 1]]])
    # rows[0] is position 1 of a cell, rows[1] position 0
    folded = torch.einsum("pak,qbl,oikl->pqoiab", rows, rows, layer.weight)
    return folded.flatten(0, 2), layer.bias.repeat(4)


def fold_last(layer) -> tuple[Tensor, Tensor]:
    """Return weights (4 O, 4 I, 4, 4), bias (4 O,) of `layer` (7x7) on and to four positions."""
    outputs, inputs = layer.weight.shape[:2]
    taps = layer.weight.new_zeros(2, 4, 2, 7)  # position out, tap, position in, row of the kernel
    for out in (0, 1):
        for tap in range(4):
            for position in (0, 1):
                row = 2 * tap + position - out
                if 0 <= row < 7:
                    taps[out, tap, position, row] = 1
    folded = torch.einsum("patk,qbsl,oikl->pqotsiab", taps, taps, layer.weight)
    return folded.reshape(4 * outputs, 4 * inputs, 4, 4), layer.bias.repeat(4)


def _clear_outside(x: Tensor, top: bool, bottom: bool) -> None:
    """Zero the rows and columns of half cells that lie outside of the frame: the next layer's
    padding."""
    cells = x.unflatten(1, (2, 2, -1))
    if top:
        cells[:, 0, :, :, 0] = 0
    if bottom:
        cells[:, 1, :, :, -1] = 0
    cells[:, :, 0, :, :, 0] = 0
    cells[:, :, 1, :, :, -1] = 0


def _spread(cells: Tensor) -> Tensor:
    """Spread (N, 4 C, H, W), four positions of each cell, to (N, C, 2 H, 2 W)."""
    return cells.unflatten(1, (2, 2, -1)).permute(0, 3, 4, 1, 5, 2).flatten(4, 5).flatten(2, 3)
