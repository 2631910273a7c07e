"""The network of Oh et al. (2018) as public PyTorch ports write it, to compare with.

Layers after Section 3.2 and Fig. 2 of the paper, run eagerly in float32 and the standard memory
layout, three channels in and out, both frames encoded for every pair, each convolution preceded by
a reflection padding, as the ports of the paper do (the authors' TensorFlow code, and the PyTorch
ones at github.com/ZhengPeng7/motion_magnification_learning-based and
github.com/postech-ami/Deep-Motion-Mag-Pytorch). With ``padding_mode="zeros"`` the convolutions pad
by themselves, which saves a pass over memory each; no port does so. Written for this comparison,
from the paper; no code of others.
"""

from __future__ import annotations

import torch
from torch import nn


class PlainPort(nn.Module):
    """Two frames (N, 3, H, W) and a factor to a magnified frame."""

    def __init__(self, padding_mode: str = "reflect"):
        super().__init__()

        def conv(inputs, outputs, kernel=3, stride=1):
            return nn.Conv2d(
                inputs, outputs, kernel, stride, kernel // 2, padding_mode=padding_mode
            )

        def blocks(width, count):
            return nn.Sequential(
                *(Block(conv(width, width), conv(width, width)) for _ in range(count))
            )

        relu, up = nn.ReLU(), nn.Upsample(scale_factor=2, mode="nearest")
        self.encoder = nn.Sequential(conv(3, 16, 7), relu, conv(16, 32, 3, 2), relu, blocks(32, 3))
        self.texture = nn.Sequential(conv(32, 32, 3, 2), relu, blocks(32, 2))
        self.shape = nn.Sequential(conv(32, 32), relu, blocks(32, 2))
        self.g = nn.Sequential(conv(32, 32), relu)
        self.h = nn.Sequential(conv(32, 32), blocks(32, 1))
        self.texture_up = nn.Sequential(up, conv(32, 32), relu)
        self.decoder = nn.Sequential(blocks(64, 9), up, conv(64, 32), relu, conv(32, 3, 7))

    def encode(self, frame):
        x = self.encoder(frame)
        return self.texture(x), self.shape(x)

    def forward(self, reference, frame, factor):
        _, shape_a = self.encode(reference)
        texture, shape_b = self.encode(frame)
        shape = shape_a + self.h(factor * self.g(shape_b - shape_a))
        return self.decoder(torch.cat([self.texture_up(texture), shape], 1))


class Block(nn.Module):
    def __init__(self, first, second):
        super().__init__()
        self.first, self.second, self.relu = first, second, nn.ReLU()

    def forward(self, x):
        return x + self.second(self.relu(self.first(x)))


def with_weights(network, padding_mode: str = "reflect") -> PlainPort:
    """The port with the weights of an `Oh2018Net` (biases of g and h zero where it has none)."""
    port = PlainPort(padding_mode).eval().requires_grad_(False)
    encoder, manipulator, decoder = network.encoder, network.manipulator, network.decoder

    def pairs(sequence, layers):
        mine = [layer for layer in sequence.modules() if isinstance(layer, nn.Conv2d)]
        return zip(mine, layers, strict=True)

    def of(blocks):
        return [layer for block in blocks for layer in (block.first, block.second)]

    matched = [
        *pairs(port.encoder, [encoder.first, encoder.down, *of(encoder.trunk)]),
        *pairs(port.texture, [encoder.texture_in, *of(encoder.texture)]),
        *pairs(port.shape, [encoder.shape_in, *of(encoder.shape)]),
        *pairs(port.g, [manipulator.g]),
        *pairs(port.h, [manipulator.h_in, manipulator.h_first, manipulator.h_second]),
        *pairs(port.texture_up, [decoder.texture_up]),
        *pairs(port.decoder, [*of(decoder.fusion), decoder.up, decoder.last]),
    ]
    for mine, its in matched:
        mine.weight.copy_(its.weight)
        mine.bias.zero_() if its.bias is None else mine.bias.copy_(its.bias)
    return port


def draw(port: PlainPort, reference, frame, factor: float):
    """A magnified uint8 frame of two uint8 ones (Y, X), as a port's loop over a video does it."""

    def load(image):
        tensor = torch.from_numpy(image).float() / 127.5 - 1
        device = next(port.parameters()).device
        return tensor.expand(1, 3, -1, -1).contiguous().to(device)

    with torch.no_grad():
        drawn = port(load(reference), load(frame), factor)
    drawn = ((drawn.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return drawn[0].permute(1, 2, 0).cpu().numpy()
