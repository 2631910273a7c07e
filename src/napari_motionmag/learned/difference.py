"""The ``difference`` network: the temporal operator acts on pixels, the network draws the motion.

The first layer of any encoder that is linear commutes with a linear temporal operator T, so T can
act on the pixels themselves, which are far fewer than features. The network is given the current
frame B and the magnified variation (m - 1) T(luma) and returns what to add to B.
"""

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class DifferenceConfig:
    """Shape of a :class:`DifferenceNet`.

    Parameters
    ----------
    half_width : int
        Channels at half resolution.
    width : int
        Channels at quarter resolution.
    blocks : int
        Residual blocks at quarter resolution.
    compression : float
        The variation v enters as v / (1 + abs(v) / compression); v in units where black is -1
        and white is 1.
    gate : float
        Largest nearby abs(v) at which the residual is let through by half. Keeps a still scene
        exactly still at any factor.
    channels : int
        3 for colour frames, 1 for grey ones (see :meth:`DifferenceNet.to_grey`).
    """

    half_width: int = 48
    width: int = 64
    blocks: int = 8
    compression: float = 4.0
    gate: float = 0.002
    channels: int = 3

    def to_dict(self) -> dict:
        return asdict(self)


class ResidualBlock(nn.Module):
    """Conv 3x3, ReLU, conv 3x3 and a skip; no normalisation."""

    def __init__(self, width: int, *, scale: float = 1.0):
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        with torch.no_grad():
            self.second.weight.mul_(scale)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.relu(self.first(x)))


class DifferenceNet(nn.Module):
    """Draw a magnified frame from the frame and its magnified variation.

    ``out = B + gate * (R + s v)`` with ``v = (m - 1) D`` (compressed), ``D = T(luma)`` and R, s
    functions of B and v. The output depends on ``(m - 1) D`` alone: no motion is too small, and
    D = 0 leaves the frame as it is. ``s = 1, R = 0`` is linear magnification, exact as long as the
    output moves by a fraction of a pixel; the network says where (s) and draws the rest (R).

    Parameters
    ----------
    config : DifferenceConfig
        Shape of the network.

    Notes
    -----
    About 51 kMAC a pixel (105 GMAC a frame of 1920 x 1080). Height and width must be multiples
    of :attr:`stride`; :attr:`halo` pixels of context make a tile equal to the whole frame.
    """

    stride = 4
    halo = 80  # 78 px are within reach of the convolutions, 72 of the gate

    def __init__(self, config: DifferenceConfig | None = None):
        super().__init__()
        self.config = config = config or DifferenceConfig()
        half, width = config.half_width, config.width
        self.head = nn.Conv2d(4 * (config.channels + 1), half, 3, padding=1)
        self.down = nn.Conv2d(half, width, 3, stride=2, padding=1)
        self.body = nn.Sequential(
            *(ResidualBlock(width, scale=config.blocks**-0.5) for _ in range(config.blocks))
        )
        self.up = nn.Conv2d(width, 4 * 32, 1)
        self.fuse = nn.Conv2d(32 + half, half, 3, padding=1)
        self.tail = nn.Conv2d(half, 4 * (config.channels + 1), 3, padding=1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)

    def forward(self, frame: Tensor, variation: Tensor) -> Tensor:
        """Magnify.

        Parameters
        ----------
        frame : Tensor
            (N, C, H, W), black 0, white 1; C as in the configuration.
        variation : Tensor
            (N, 1, H, W), ``(m - 1) T(luma)`` in the same units.

        Returns
        -------
        Tensor
            (N, C, H, W), the magnified frame.
        """
        v = 2 * variation
        compressed = v / (1 + v.abs() / self.config.compression)
        x = torch.cat([F.pixel_unshuffle(2 * frame - 1, 2), F.pixel_unshuffle(compressed, 2)], 1)
        skip = F.relu(self.head(x))
        deep = self.body(F.relu(self.down(skip)))
        fused = torch.cat([F.pixel_shuffle(F.relu(self.up(deep)), 2), skip], 1)
        drawn = F.pixel_shuffle(self.tail(F.relu(self.fuse(fused))), 2)
        residual, share = drawn[:, :-1], drawn[:, -1:]
        residual = residual + share * compressed
        return frame + self._gate(v).to(frame.dtype) * (0.5 * residual).to(frame.dtype)

    def _gate(self, v: Tensor) -> Tensor:
        # The largest variation within the reach of the convolutions, at quarter resolution.
        reach = F.max_pool2d(v.detach().abs().float(), 4)
        for kernel in ((33, 1), (1, 33)):
            reach = F.max_pool2d(reach, kernel, stride=1, padding=(kernel[0] // 2, kernel[1] // 2))
        return F.interpolate(reach / (reach + self.config.gate), scale_factor=4, mode="nearest")

    def to_grey(self) -> "DifferenceNet":
        """A network for one channel with the same result as three equal channels.

        The head is summed over its colour inputs, the tail averaged over its colour outputs.
        """
        if self.config.channels == 1:
            return self
        config = DifferenceConfig(**{**self.config.to_dict(), "channels": 1})
        grey = DifferenceNet(config)
        state = self.state_dict()
        weight = state["head.weight"]  # inputs: 3 colours x 4 sub-pixels, then 4 of the variation
        colours = weight[:, :12].unflatten(1, (3, 4)).sum(1)
        state["head.weight"] = torch.cat([colours, weight[:, 12:]], 1)
        for name in ("tail.weight", "tail.bias"):  # outputs: 3 colours and the share, x 4
            colours, share = state[name][:12], state[name][12:]
            state[name] = torch.cat([colours.unflatten(0, (3, 4)).mean(0), share])
        grey.load_state_dict(state)
        return grey.to(next(self.parameters()).device).train(self.training)


def luma(frame: Tensor) -> Tensor:
    """Rec. 601 luma, (N, 1, H, W), of frames (N, C, H, W) with C of 1 or 3."""
    if frame.shape[1] == 1:
        return frame
    weights = frame.new_tensor(LUMA).view(1, 3, 1, 1)
    return (frame * weights).sum(1, keepdim=True)
