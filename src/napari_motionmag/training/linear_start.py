"""Weights with which `oh2018` begins as the linear Eulerian method, whole or as a pyramid."""

import torch
from torch import Tensor, nn

from napari_motionmag.methods.learned.networks.oh2018 import Oh2018Net


@torch.no_grad()
def start_as_linear(network: Oh2018Net, generator: torch.Generator | None = None) -> None:
    """Set weights so that the output is ``a + m (b - a)``, averaged over squares of 2 x 2 px.

    Trained from random weights, the network first spends a hundred million pixels on learning to
    copy the picture; from here it learns only what the linear method lacks. The pixels of each
    square of 2 x 2 px pass the encoder as channels of shape, the manipulator multiplies their
    change, the decoder averages them. Nearest upsampling cannot tell positions within a square
    apart: that detail is left to learn. Residual blocks begin as the identity, all other weights
    as He et al. draw them.

    References
    ----------
    Wu et al., "Eulerian video magnification for revealing subtle changes in the world", ACM
    Transactions on Graphics 31, 2012. He et al., "Delving deep into rectifiers", ICCV 2015.
    """
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            if layer.bias is not None:
                layer.bias.zero_()
    encoder, manipulator, decoder = network.encoder, network.manipulator, network.decoder
    for blocks in (encoder.trunk, encoder.texture, encoder.shape, decoder.fusion):
        for block in blocks:
            block.second.weight.zero_()
    channels = network.config.channels
    passed = 4 * channels
    for c in range(channels):
        _impulse(encoder.first.weight, c, c)
        for position in range(4):
            k = 4 * c + position
            _impulse(encoder.down.weight, k, c, *divmod(position, 2))
            _impulse(encoder.shape_in.weight, k, k)
    encoder.first.bias[:channels] = 1  # frames are -1 to 1: nothing is lost in the rectifiers
    if not manipulator.linear:
        manipulator.h_in.weight.zero_()
        manipulator.h_second.weight.zero_()
        for k in range(passed):
            for row, sign in ((k, 1.0), (passed + k, -1.0)):  # rectified, h puts them together
                _impulse(manipulator.g.weight, row, k, value=sign)
                manipulator.h_in.weight[k, row, 1, 1] = sign
    decoder.last.weight.zero_()
    for c in range(channels):
        decoder.up.weight[c] = 0
        shape = decoder.texture_up.out_channels + 4 * c
        decoder.up.weight[c, shape : shape + 4, 1, 1] = 1 / 4
        _impulse(decoder.last.weight, c, c)
    decoder.up.bias[:channels] = 1  # magnified frames go below black
    decoder.last.bias[:] = -2


# Kernel that makes of pixels blurred twice what the decoder makes of texture; fitted on pictures.
_AS_UPSAMPLED = ((0.02, 0.575, -0.235), (0.575, -0.065, 0.295), (-0.235, 0.295, -0.225))


@torch.no_grad()
def start_as_pyramid(network: Oh2018Net, generator: torch.Generator | None = None) -> None:
    """Set weights as :func:`start_as_linear` does, but as a Laplacian pyramid.

    Texture is color blurred over 3 x 3 squares of 2 x 2 px, shape the pixels less what the decoder
    makes of that: their sum is the picture, to 0.002 of the range on photographs. Kernels of
    texture then are blurs and those of shape derivatives, as in Figs. 9 and A.7 of the paper.

    References
    ----------
    Burt and Adelson, "The Laplacian pyramid as a compact image code", IEEE Transactions on
    Communications 31, 1983.
    """
    start_as_linear(network, generator)
    encoder, decoder = network.encoder, network.decoder
    channels = network.config.channels
    block = encoder.shape[0]
    for c in range(channels):
        four, blurred = slice(4 * c, 4 * c + 4), 4 * channels + c
        for layer, row, inputs, weight in (
            (encoder.texture_in, c, four, 1 / 36),
            (decoder.texture_up, c, c, 1 / 9),
            (encoder.shape_in, blurred, four, 1 / 36),
            (block.first, c, blurred, 1 / 9),
        ):
            layer.weight[row] = 0
            layer.weight[row, inputs] = weight
        block.second.weight[four, c] = -torch.tensor(_AS_UPSAMPLED)
        # what was blurred for it is no shape
        _impulse(block.first.weight, channels + c, blurred)
        _impulse(block.second.weight, blurred, channels + c, value=-1.0)
        decoder.up.weight[c, c, 1, 1] = 1


def _impulse(kernel: Tensor, row: int, column: int, y: int = 0, x: int = 0, value: float = 1.0):
    """Let output `row` be the input `column`, `y` and `x` px from the center."""
    kernel[row] = 0
    kernel[row, column, kernel.shape[-2] // 2 + y, kernel.shape[-1] // 2 + x] = value
