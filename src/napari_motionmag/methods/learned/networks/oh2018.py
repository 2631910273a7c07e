"""The network of Oh et al., "Learning-based Video Motion Magnification", ECCV 2018.

Encoder (texture and shape), manipulator, decoder, as in Section 3.2 and Fig. 2 of the paper.
"""

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_motionmag.methods.learned.networks.difference import ResidualBlock, luma
from napari_motionmag.methods.learned.networks.windows import window_means, windowed_mean

SHAPE_CHANNELS = 32
_WINDOW = 17  # pixels of shape (2 px), in which changes of luma and of color are compared


@dataclass(frozen=True)
class Oh2018Config:
    """Shape of an :class:`Oh2018Net`.

    Parameters
    ----------
    manipulator : {"nonlinear", "linear"}
        ``base + h(m g(Delta))`` (Eq. 3) or ``base + m Delta`` (Eq. 2).
    manipulator_bias : bool
        Biases in g and h. Without them the result depends on m Delta alone: no dead zone for
        small motion and no haze that grows with m.
    encoder_blocks, head_blocks, decoder_blocks : int
        Residual blocks of the encoder trunk, of each of its heads and of the decoder.
    channels : int
        3 for colour frames, 1 for grey ones (see :meth:`Oh2018Net.to_grey`).
    local_mean : int
        Odd side of the window, in pixels of shape (2 px), whose mean is taken from Delta, twice
        over; 0 leaves Delta as it is. Light changes shape over whole areas, motion at edges.
    chroma_doubt : int
        How much changes of chroma are doubted that luma does not show, as codecs make them, which
        keep chroma at a quarter of the pixels; see :meth:`Oh2018Net.variation`. 0: not at all.
    padding : {"zeros", "reflect"}
        What lies beyond the border of a layer's input.
    strided_padding : {"both", "after"}
        Before layers of stride 2: on all sides, or zeros below and on the right alone, as
        TensorFlow's "SAME" has it.
    bias : bool
        Biases in the encoder and the decoder.
    shape_in, texture_up, up_again : bool
        Whether there is the convolution before the blocks of shape; the one after texture is
        upsampled; a first of two after the last upsampling.
    g_size : int
        Odd side of the kernels of g, px.
    base : {"rest", "frame"}
        What h is added to: the shape without its variation, ``M - Delta``, or that of the frame.
    gain : {"m", "m - 1"}
        What g is multiplied by.
    unit_range : bool
        The network sees black as 0 instead of -1.
    """

    manipulator: str = "nonlinear"
    manipulator_bias: bool = False
    encoder_blocks: int = 3
    head_blocks: int = 2
    decoder_blocks: int = 9
    channels: int = 3
    local_mean: int = 0
    chroma_doubt: int = 0
    # variants of published checkpoints
    padding: str = "zeros"
    strided_padding: str = "both"
    bias: bool = True
    shape_in: bool = True
    texture_up: bool = True
    up_again: bool = False
    g_size: int = 3
    base: str = "rest"
    gain: str = "m"
    unit_range: bool = False

    def __post_init__(self):
        if self.local_mean < 0 or (self.local_mean and self.local_mean % 2 == 0):
            raise ValueError(f"local_mean must be 0 or odd, got {self.local_mean!r}")
        if self.g_size % 2 == 0:
            raise ValueError(f"g_size must be odd, got {self.g_size!r}")
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"{name} must be {allowed[0]!r} or {allowed[1]!r}, got {getattr(self, name)!r}"
                )

    def to_dict(self) -> dict:
        return asdict(self)


# fields for published checkpoints
VARIANTS = (
    *("padding", "strided_padding", "bias", "shape_in", "texture_up", "up_again"),
    *("g_size", "base", "gain", "unit_range"),
)
_CHOICES = {
    "manipulator": ("nonlinear", "linear"),
    "padding": ("zeros", "reflect"),
    "strided_padding": ("both", "after"),
    "base": ("rest", "frame"),
    "gain": ("m", "m - 1"),
}


class _PaddedAfter(nn.Conv2d):
    """A convolution with zeros below and on the right of its input."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, (0, 1, 0, 1)))


def _conv(config: Oh2018Config, inputs: int, outputs: int, size: int = 3, stride: int = 1, **more):
    options = {"bias": config.bias, "padding_mode": config.padding, **more}
    if stride == 2 and config.strided_padding == "after":
        return _PaddedAfter(inputs, outputs, size, stride, bias=options["bias"])
    return nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, **options)


def _blocks(config: Oh2018Config, width: int, count: int) -> nn.Sequential:
    options = {"bias": config.bias, "padding_mode": config.padding}
    return nn.Sequential(*(ResidualBlock(width, scale=0.5, **options) for _ in range(count)))


class Encoder(nn.Module):
    """Frame -> texture (32 channels, 1/4 resolution) and shape (32 channels, 1/2 resolution)."""

    def __init__(self, config: Oh2018Config):
        super().__init__()
        self.unit_range = config.unit_range
        self.first = _conv(config, config.channels, 16, 7)
        self.down = _conv(config, 16, 32, stride=2)
        self.trunk = _blocks(config, 32, config.encoder_blocks)
        self.texture_in = _conv(config, 32, 32, stride=2)
        self.texture = _blocks(config, 32, config.head_blocks)
        self.shape_in = _conv(config, 32, 32) if config.shape_in else None
        self.shape = _blocks(config, 32, config.head_blocks)

    def forward(self, frame: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu(self.first(frame if self.unit_range else 2 * frame - 1))
        x = self.trunk(F.relu(self.down(x)))
        texture = self.texture(F.relu(self.texture_in(x)))
        shape = self.shape(x if self.shape_in is None else F.relu(self.shape_in(x)))
        return texture, shape


class Manipulator(nn.Module):
    """``base + h(m g(Delta))``, or ``base + m Delta`` when linear."""

    def __init__(self, config: Oh2018Config):
        super().__init__()
        self.linear = config.manipulator == "linear"
        self.adds_to_frame = config.base == "frame"
        self.less = 1 if config.gain == "m - 1" else 0
        if not self.linear:
            bias = config.manipulator_bias
            self.g = _conv(config, 32, 32, config.g_size, bias=bias)
            self.h_in = _conv(config, 32, 32, bias=bias)
            self.h_first = _conv(config, 32, 32, bias=bias)
            self.h_second = _conv(config, 32, 32, bias=bias)

    def forward(self, base: Tensor, delta: Tensor, factor: Tensor | float) -> Tensor:
        return base + self.response(delta, factor)

    def response(self, delta: Tensor, factor: Tensor | float) -> Tensor:
        """Return what is added to ``M - Delta``: ``h(m g(Delta))`` or ``m Delta``."""
        if self.linear:
            return factor * delta
        x = self.h_in((factor - self.less) * F.relu(self.g(delta)))
        x = x + self.h_second(F.relu(self.h_first(x)))
        return x + delta if self.adds_to_frame else x


class Decoder(nn.Module):
    """Texture and magnified shape -> frame."""

    def __init__(self, config: Oh2018Config):
        super().__init__()
        self.unit_range = config.unit_range
        self.texture_up = _conv(config, 32, 32) if config.texture_up else None
        self.fusion = _blocks(config, 64, config.decoder_blocks)
        self.up_first = _conv(config, 64, 64) if config.up_again else None
        self.up = _conv(config, 64, 32)
        self.last = _conv(config, 32, config.channels, 7)

    def forward(self, texture: Tensor, shape: Tensor) -> Tensor:
        up = F.interpolate(texture, scale_factor=2, mode="nearest")
        if self.texture_up is not None:
            up = F.relu(self.texture_up(up))
        x = self.fusion(torch.cat([up, shape], 1))
        x = F.interpolate(x, scale_factor=2, mode="nearest")
        if self.up_first is not None:
            x = F.relu(self.up_first(x))
        x = self.last(F.relu(self.up(x)))
        return x if self.unit_range else 0.5 * (x + 1)


_TOGETHER = 64  # pixels of an axis, of which means are taken at once


def without_local_mean(delta: Tensor, window: int) -> Tensor:
    """Subtract the mean over windows from (N, C, H, W), twice over; 0 for all of it."""
    if not window:
        return delta
    x = delta.float().contiguous(memory_format=torch.channels_last).permute(0, 2, 3, 1)
    with torch.autocast(delta.device.type, enabled=False):
        mean = _mean_of_means(_mean_of_means(x.flatten(2), window // 2).view(x.shape), window // 2)
    return (x - mean).permute(0, 3, 1, 2).to(delta.dtype)


def _mean_of_means(x: Tensor, reach: int) -> Tensor:
    """Return means over windows of (..., pixels, values), twice over, by products of matrices."""
    parts, size = [], x.shape[-2]
    for first in range(0, size, _TOGETHER):
        last = min(first + _TOGETHER, size)
        of_means, *inner = window_means(first, last, reach, size)
        means, low, high = window_means(*inner, reach, size)
        parts.append((of_means @ means).to(x.device) @ x[..., low:high, :])
    return torch.cat(parts, -2)


class Oh2018Net(nn.Module):
    """Two-frame motion magnification by texture and shape representations.

    Parameters
    ----------
    config : Oh2018Config
        Shape of the network.

    Notes
    -----
    About 0.9 M weights and 270 kMAC a pixel. Height and width must be multiples of
    :attr:`stride`; :attr:`halo` pixels of context make a tile equal to the whole frame. With
    `local_mean` light is not magnified: Delta is less its mean over a window (see
    :meth:`variation`), which is not in the paper.

    References
    ----------
    Oh et al., ECCV 2018, Section 3.2, Eq. 2-4, Fig. 2.
    """

    stride = 4
    bytes_per_pixel = 360.0  # memory that a forward pass takes at most, for each pixel

    def __init__(self, config: Oh2018Config | None = None):
        super().__init__()
        self.config = config = config or Oh2018Config()
        self.encoder = Encoder(config)
        self.manipulator = Manipulator(config)
        self.decoder = Decoder(config)
        # 79 px are within reach of the convolutions, and two windows
        self.halo = 80 + 4 * (config.local_mean // 2)
        self.halo += 2 * (config.g_size - 3) + 4 * config.up_again
        self.halo += 2 * (_WINDOW // 2) * bool(config.chroma_doubt)

    def variation(self, delta: Tensor) -> Tensor:
        """Return Delta = T(M) as it is magnified, (N, 32, H / 2, W / 2).

        Less its local mean. With `chroma_doubt`, `delta` has 64 channels (see :meth:`motion`), and
        what color adds to the first half is multiplied by E / (E + chroma_doubt E_c): E is the
        local energy of the first half, E_c that of what color adds.
        """
        delta = without_local_mean(delta, self.config.local_mean)
        if delta.shape[1] == SHAPE_CHANNELS:
            return delta
        bright, both = delta.chunk(2, 1)
        color = both - bright
        seen, doubted = (
            windowed_mean(x.square().mean(1, keepdim=True), _WINDOW) for x in (bright, color)
        )
        return bright + color * (seen / (seen + self.config.chroma_doubt * doubted + 1e-30))

    def motion(self, frame: Tensor, shape: Tensor) -> Tensor:
        """Return what an operator acts on: shape; with `chroma_doubt`, before it that of luma."""
        if not self.config.chroma_doubt or frame.shape[1] == 1:
            return shape
        return torch.cat([self.encoder(luma(frame).expand_as(frame))[1], shape], 1)

    def forward(self, reference: Tensor, frame: Tensor, factor: Tensor | float) -> Tensor:
        """Magnify the motion from `reference` to `frame`.

        Parameters
        ----------
        reference, frame : Tensor
            (N, C, H, W), black 0, white 1.
        factor : float or Tensor
            m, total gain; a tensor of shape (N, 1, 1, 1) gives each sample its own.

        Returns
        -------
        Tensor
            (N, C, H, W), the magnified frame.
        """
        _, shape = self.encoder(reference)
        texture, base = self.encoder(frame)
        delta = self.variation(self.motion(frame, base) - self.motion(reference, shape))
        return self.decoder(texture, self.manipulator(base - delta, delta, factor))

    def to_grey(self) -> "Oh2018Net":
        """Return a network for one channel with the same result as three equal channels.

        The first convolution is summed over its inputs, the last averaged over its outputs.
        """
        if self.config.channels == 1:
            return self
        grey = Oh2018Net(Oh2018Config(**{**self.config.to_dict(), "channels": 1}))
        state = self.state_dict()
        state["encoder.first.weight"] = state["encoder.first.weight"].sum(1, keepdim=True)
        for name in {"decoder.last.weight", "decoder.last.bias"} & state.keys():
            state[name] = state[name].mean(0, keepdim=True)
        grey.load_state_dict(state)
        return grey.to(next(self.parameters()).device).train(self.training)
