"""The ``difference`` network: the temporal operator acts on pixels, the network moves the picture.

The first layer of any encoder that is linear commutes with a linear temporal operator T, so T can
act on the pixels themselves, which are far fewer than features. The network is given the current
frame B, D = T(luma) and the gain m - 1. It finds the displacement that explains D, moves B by m - 1
times that, and draws what was hidden or noisy.
"""

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_motionmag.methods.learned import kernels
from napari_motionmag.methods.learned.networks.flow_candidates import (
    CANDIDATES,
    FEATURES,
    along,
    flow_candidates,
    limited,
    per_pixel,
)
from napari_motionmag.methods.learned.networks.inference_conv import Conv2d, inference_kernels_apply
from napari_motionmag.methods.learned.networks.light import without_light
from napari_motionmag.methods.learned.networks.splatting import backward_flow, bilinear, sample
from napari_motionmag.methods.learned.networks.windows import windowed_max, windowed_mean

LUMA = (0.299, 0.587, 0.114)
_COLOR = 0.01  # of white; nearby color that lets half of the drawn color through
SPREADS = (4, 2, 1)  # distances at which displacements spread, in pixels at quarter resolution

_FAR = 0.95  # of the longest displacement: what is moved so far was to be moved further

# Two frames are aligned and compared once more where motion is large: mean displacement in px from
# which that is begun and whole, the window of the mean, the longest displacement aligned, and the
# window in which the outcome must explain more than before.
_LARGE, _WHOLLY, _AROUND, _LONGEST, _COMPARED = 1.0, 1.5, 33, 24.0, 9


@dataclass(frozen=True)
class DifferenceConfig:
    """Shape of a :class:`DifferenceNet`.

    Parameters
    ----------
    half, quarter, eighth : int
        Channels at 1/2, 1/4 and 1/8 of the resolution, where motion is found.
    context : int
        Channels at 1/2 that are moved with the frame.
    hidden : int
        Channels inside the residual blocks where motion is found.
    drawing : tuple of int
        Channels at 1/2, 1/4 and 1/8 where the moved frame is finished, and inside its residual
        blocks.
    finishing_blocks : int
        Residual blocks at 1/2 behind all others of the drawing part.
    limit : float
        Longest displacement that is added, in px; from 7/8 of it on displacements approach it.
    gate : float
        Largest nearby abs((m - 1) D) at which what is drawn is let through by half; black 0,
        white 1. Keeps a still scene exactly still at any factor.
    channels : int
        3 for color frames, 1 for gray ones (see :meth:`DifferenceNet.to_grey`).
    """

    half: int = 32
    quarter: int = 48
    eighth: int = 64
    context: int = 8
    hidden: int = 32
    drawing: tuple[int, int, int, int] = (32, 48, 64, 48)
    finishing_blocks: int = 0
    limit: float = 48.0
    gate: float = 0.001
    channels: int = 3

    def __post_init__(self):
        if len(self.drawing) != 4:
            raise ValueError(f"drawing must be four numbers of channels, got {self.drawing!r}")

    def to_dict(self) -> dict:
        return asdict(self)


class ResidualBlock(nn.Module):
    """Conv 3x3, ReLU, conv 3x3 and a skip; no normalization."""

    def __init__(self, width: int, hidden: int | None = None, *, scale: float = 1.0, **options):
        super().__init__()
        hidden = hidden or width
        self.first = Conv2d(width, hidden, 3, padding=1, after="relu", **options)
        self.second = Conv2d(hidden, width, 3, padding=1, **options)
        with torch.no_grad():
            self.second.weight.mul_(scale)

    def forward(self, x: Tensor) -> Tensor:
        return self.second.plus(self.first(x), x)


def _blocks(width: int, hidden: int, number: int) -> nn.Sequential:
    return nn.Sequential(*(ResidualBlock(width, hidden, scale=number**-0.5) for _ in range(number)))


class MotionNet(nn.Module):
    """Which displacement is right where: chooses among candidates, spreads and sharpens them."""

    def __init__(self, config: DifferenceConfig):
        super().__init__()
        half, quarter, eighth, hidden = config.half, config.quarter, config.eighth, config.hidden
        self.head = Conv2d(4 * (config.channels + 2), half, 3, padding=1, after="relu")
        self.down = Conv2d(half, quarter, 3, stride=2, padding=1)
        # what was seen there, and what least squares made of it
        self.merge = Conv2d(quarter + CANDIDATES * FEATURES, quarter, 1, after="relu")
        self.fine = _blocks(quarter, hidden, 1)
        self.deeper = Conv2d(quarter, eighth, 3, stride=2, padding=1, after="relu")
        self.coarse = _blocks(eighth, hidden, 3)
        self.back = Conv2d(eighth, quarter, 1)
        self.body = _blocks(quarter, hidden, 2)
        # choice of a candidate or none, spreading, gain, importance, correction
        self.outputs = (CANDIDATES + 1, 9 * len(SPREADS), 1, 1, 2)
        self.choose = Conv2d(quarter, sum(self.outputs), 3, padding=1)
        self.sharpen = Conv2d(quarter, 9 * 16, 1)
        self.context = Conv2d(quarter, 4 * config.context, 1)
        self.limit = config.limit
        nn.init.zeros_(self.choose.weight)
        nn.init.zeros_(self.choose.bias)

    def encode(self, inputs: Tensor) -> Tensor:
        """Return features at 1/4 of the resolution, before the rectifier."""
        return self.down(self.head(inputs))

    def forward(self, inputs: Tensor, motions: Tensor, features: Tensor):
        """Choose and refine displacements.

        Parameters
        ----------
        inputs : Tensor
            (N, 4 (C + 2), H / 2, W / 2), squares of 2 x 2 px: planes of the frame, compressed
            variations.
        motions, features : Tensor
            From :func:`~napari_motionmag.methods.learned.networks.flow_candidates.flow_candidates`.

        Returns
        -------
        motion : Tensor
            float32 (N, 2, H, W), displacement x and y in px.
        importance : Tensor
            float32 (N, 1, H, W), within -3 and 3: larger for what is in front.
        context : Tensor
            (N, context, H / 2, W / 2), features that move with the frame.
        """
        encoded = F.relu_(self.encode(inputs))
        features = features.contiguous(memory_format=torch.channels_last)
        x = torch.cat([encoded, features.to(encoded.dtype)], 1)
        x = self.fine(self.merge(x))
        wide = self.back(self.coarse(self.deeper(x)))
        x = self.body(x + F.interpolate(wide, scale_factor=2, mode="nearest"))
        active = F.relu_(x)
        parts = self.choose(active).float().split(self.outputs, 1)
        choice, spreading, gain, importance, correction = parts
        motion = self._chosen(motions, features, choice)
        for share, distance in zip(spreading.split(9, 1), SPREADS, strict=True):
            motion = _mixed(motion, share.softmax(1), distance)
        size = windowed_mean(motion.abs().sum(1, keepdim=True), 5)
        motion = motion * (1 + 0.5 * gain.tanh()) + correction * size
        motion = limited(motion, self.limit)
        both = torch.cat([motion, 3 * (importance / 3).tanh()], 1)
        both = _upsampled(both, self.sharpen(active).float())
        return both[:, :2], both[:, 2:], F.pixel_shuffle(self.context(active), 2)

    @staticmethod
    def _chosen(motions: Tensor, features: Tensor, choice: Tensor) -> Tensor:
        explained = features.unflatten(1, (CANDIDATES, FEATURES))[:, :, 2]
        nothing = torch.zeros_like(choice[:, :1])
        shares = (choice + torch.cat([3 * explained, nothing], 1)).softmax(1)
        return (motions * shares[:, :CANDIDATES, None]).sum(1)


def _mixed(x: Tensor, shares: Tensor, distance: int) -> Tensor:
    """Return the weighted mean of each pixel and its eight neighbors at a distance."""
    height, width = x.shape[-2:]
    around = F.pad(x, (distance,) * 4, mode="replicate")
    out = torch.zeros_like(x)
    for k in range(9):
        dy, dx = k // 3 * distance, k % 3 * distance
        out = out + shares[:, k : k + 1] * around[..., dy : dy + height, dx : dx + width]
    return out


def _upsampled(x: Tensor, weights: Tensor) -> Tensor:
    """Upsample by 4; each pixel is a convex mean of nine around it (RAFT, ECCV 2020)."""
    if inference_kernels_apply(x) and kernels.available():
        from napari_motionmag.methods.learned.kernels import upsampling

        return upsampling.upsampled(x, weights)
    count, channels, height, width = x.shape
    shares = weights.permute(0, 2, 3, 1).reshape(-1, 9, 16).softmax(1)
    around = F.pad(x, (1, 1, 1, 1), mode="replicate").unfold(2, 3, 1).unfold(3, 3, 1)
    around = around.permute(0, 2, 3, 1, 4, 5).reshape(-1, channels, 9)
    with torch.autocast(x.device.type, enabled=False):
        out = torch.bmm(around, shares).view(count, height, width, channels, 4, 4)
    return out.permute(0, 3, 1, 4, 2, 5).reshape(count, channels, 4 * height, 4 * width)


class DrawingNet(nn.Module):
    """Finishes the moved frame: draws what was hidden and takes noise away."""

    def __init__(self, config: DifferenceConfig):
        super().__init__()
        half, quarter, eighth, hidden = config.drawing
        inputs = 4 * (config.channels + 1) + config.context
        # Before a last layer of zeros plain rectifiers all shut in an early training, for good.
        leaky = {"after": "leaky_relu"}
        self.head = Conv2d(inputs, half, 3, padding=1, **leaky)
        self.down = Conv2d(half, quarter, 3, stride=2, padding=1, **leaky)
        self.fine = _blocks(quarter, hidden, 1)
        self.deeper = Conv2d(quarter, eighth, 3, stride=2, padding=1, **leaky)
        self.coarse = _blocks(eighth, hidden, 2)
        self.rise = Conv2d(eighth, quarter, 1)
        self.body = _blocks(quarter, hidden, 1)
        self.back = Conv2d(quarter, 2 * half, 1, **leaky)
        self.fuse = Conv2d(half + half // 2, half, 3, padding=1, **leaky)
        self.finish = _blocks(half, half, config.finishing_blocks)
        self.tail = Conv2d(half, 4 * config.channels, 3, padding=1)
        self._start()

    @torch.no_grad()
    def _start(self) -> None:
        """Use He initialization: with PyTorch's own the signal fades on its way to the tail."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
                nn.init.zeros_(module.bias)
        for block in self.modules():
            if isinstance(block, ResidualBlock):
                block.second.weight.mul_(0.3)
        nn.init.zeros_(self.tail.weight)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return what to add to planes, of squares of 2 x 2 px of them, (N, 4 C, H / 2, W / 2)."""
        skip = self.head(inputs)
        x = self.fine(self.down(skip))
        wide = self.rise(self.coarse(self.deeper(x)))
        deep = self.body(x + F.interpolate(wide, scale_factor=2, mode="nearest"))
        fused = self.fuse(_shuffled(self.back(deep)), skip)
        return self.tail(self.finish(fused))


def _squares(parts, layer: Conv2d, beside: Tensor | None = None) -> Tensor:
    """Return squares of 2 x 2 px of planes, (planes, factor, offset), as a layer takes them."""
    if inference_kernels_apply(parts[0][0]) and kernels.available():
        from napari_motionmag.methods.learned.kernels import layouts

        return layouts.squares(parts, beside, layer.kernel_inputs)
    planes = torch.cat([factor * planes + offset for planes, factor, offset in parts], 1)
    joined = F.pixel_unshuffle(planes, 2)
    return joined if beside is None else torch.cat([joined, beside], 1)


def _shuffled(x: Tensor) -> Tensor:
    """Apply ``F.pixel_shuffle(x, 2)``, channels last, as the next convolution takes it."""
    count, channels, height, width = x.shape
    cells = x.permute(0, 2, 3, 1).unflatten(3, (channels // 4, 2, 2))
    pixels = cells.permute(0, 1, 4, 2, 5, 3).reshape(count, 2 * height, 2 * width, -1)
    return pixels.permute(0, 3, 1, 2)


class DifferenceNet(nn.Module):
    """Moves the current frame by what the temporal operator selects.

    ``out = W(B, (m - 1) w) + gate * R``: w is the displacement that explains D = T(luma), W moves
    the frame B by it, R draws what comes to light and takes noise away. Candidates for w are local
    least squares solutions at several scales, linear in D: no motion is too small and the factor
    is kept. A network chooses among them, spreads them from where they are sure, and says which
    layer is in front. D = 0 leaves the frame as it is, and so does a change of light, which
    is taken from D first (:mod:`~napari_motionmag.methods.learned.networks.light`).

    Parameters
    ----------
    config : DifferenceConfig
        Shape of the network.

    Attributes
    ----------
    far : Tensor
        Share of the pixels that were moved by nearly as much as the network can, the last time.

    Notes
    -----
    About 31 kMAC a pixel, 29 of gray frames (60 GMAC a frame of 1920 x 1080) with one finishing
    block, 26 and 24 without. Height and width must be multiples of :attr:`stride`; :attr:`halo`
    pixels of context make a tile equal to the whole frame, :attr:`pair_halo` where the variation is
    that of two frames.

    D is linear in w only while w is small. Where D is the difference of two frames, these are
    aligned by w, as far as it is large, and compared again (Lucas and Kanade 1981).
    """

    stride = 8
    # 56 px for the light, 62 for the candidates, 132 for the choice among them, 48 for the largest
    # displacement, 36 for holes and interpolation, 88 for the drawing with a finishing block.
    halo = 422
    # 16 px for the mean displacement, 24 + 12 for aligning, 62 + 132 for what is left over, 8 to
    # compare.
    pair_halo = 676

    def __init__(self, config: DifferenceConfig | None = None):
        super().__init__()
        self.config = config = config or DifferenceConfig()
        self.motion = MotionNet(config)
        self.drawing = DrawingNet(config)
        self.far = torch.zeros(())

    @property
    def bytes_per_pixel(self) -> float:
        """Memory that a forward pass takes at most, for each pixel."""
        return 140 + 5.2 * max(self.config.half, self.config.drawing[0])

    def encode(self, frame: Tensor, variation: Tensor, gain: Tensor) -> Tensor:
        """Return what the network first makes of its inputs, (N, quarter, H / 4, W / 4)."""
        return self.motion.encode(self._inputs(to_planes(frame), variation, gain))

    def displacement(self, frame: Tensor, variation: Tensor, gain: Tensor, pair: bool = False):
        """Return by what to move the frame, the layer in front, and features that move with it.

        Parameters and results are those of :meth:`parts` and of :class:`MotionNet`.
        """
        return self._displacement(to_planes(frame.float()), variation, gain, pair)

    def _displacement(self, planes: Tensor, variation: Tensor, gain: Tensor, pair: bool):
        motion, importance, context = self._explained(planes, variation, gain)
        if not pair:
            return motion, importance, context
        with torch.autocast(planes.device.type, enabled=False):
            gains = per_pixel(gain)
            known = _large(motion / torch.where(gains == 0, 1, gains))
            if known is None:
                return motion, importance, context
            now = planes[:, :1]
            before = now - variation.float()
            still = (known == 0).all(1, keepdim=True)  # to the last bit
            before = torch.where(still, before, sample(before, -known))
        rest, *_ = self._explained(planes, now - before, gain)
        again = limited(rest + gains * known, self.config.limit)
        better = _explains_more(now, variation, (motion, again), gains)
        return motion + better * (again - motion), importance, context

    def _explained(self, planes: Tensor, variation: Tensor, gain: Tensor):
        variation = variation.float()
        with torch.autocast(planes.device.type, enabled=False):
            halfway = planes[:, :1] - 0.5 * variation
            motions, features = flow_candidates(halfway, variation, gain, self.config.limit)
        return self.motion(self._inputs(planes, variation, gain), motions, features)

    def forward(self, frame: Tensor, variation: Tensor, gain: Tensor, **options) -> Tensor:
        """Return the magnified frame, float32 (N, C, H, W), for the arguments of :meth:`parts`."""
        return self.parts(frame, variation, gain, **options)[0]

    @staticmethod
    def _of_motion(luma: Tensor, variation: Tensor) -> Tensor:
        """Return the variation without what a change of light explains."""
        with torch.autocast(luma.device.type, enabled=False):
            variation = variation.float()
            return without_light(luma - 0.5 * variation, variation)

    @staticmethod
    def _moved(planes: Tensor, motion: Tensor, importance: Tensor):
        """Return planes of the moved frame, from where, and how many pixels arrived there."""
        with torch.autocast(planes.device.type, enabled=False):
            source, coverage = backward_flow(motion, importance)
            still = source.abs().amax(1, keepdim=True) < 1e-6  # to the last bit
            moved = torch.where(still, planes, sample(planes, source))
        return moved, source, coverage

    def parts(
        self,
        frame: Tensor,
        variation: Tensor,
        gain: Tensor,
        *,
        draw: bool = True,
        denoise: Tensor | None = None,
        direction: float | None = None,
        pair: bool = False,
        still: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Magnify.

        Parameters
        ----------
        frame : Tensor
            (N, C, H, W), black 0, white 1; C as in the configuration.
        variation : Tensor
            (N, 1, H, W), T(luma) in the same units.
        gain : Tensor
            (N,) or, for each pixel, (N, 1, H, W): m - 1.
        draw : bool
            Whether to draw what comes to light behind what moves.
        denoise : Tensor, optional
            (N,), how much of the noise to take away, 0 to 1; all of it when None.
        direction : float, optional
            Only motion along it is magnified, rad; 0 along x, pi/2 along y.
        pair : bool
            Whether `variation` is the difference of this frame and another, or a mean of others:
            motion of several px is then found, too.
        still : Tensor, optional
            bool (N,), frames that stay where they are: `variation` only tells of their noise.

        Returns
        -------
        magnified, motion, moved : Tensor
            float32: the magnified frame (N, C, H, W), the displacement x and y in px
            (N, 2, H, W), and the frame that was only moved.
        """
        frame = frame.float()
        planes = to_planes(frame)
        variation = self._of_motion(planes[:, :1], variation)
        gain = per_pixel(gain)
        moving = gain if still is None else gain * ~still.view(-1, 1, 1, 1)
        motion, importance, context = self._displacement(planes, variation, moving, pair)
        motion = along(motion, direction)
        self.far = (motion.square().sum(1) > (_FAR * self.config.limit) ** 2).float().mean()
        moved, source, coverage = self._moved(planes, motion, importance)
        if not draw and denoise is not None and not denoise.any():
            only_moved = frame + from_planes(moved - planes)
            return only_moved, motion, only_moved
        with torch.autocast(frame.device.type, enabled=False):
            context = bilinear(context.float(), F.avg_pool2d(source, 2) * 0.5)
        inputs = (moved[:, :1], 2, -1), (moved[:, 1:], 2, 0), (coverage.clamp(max=2), 1, -1)
        drawn = self.drawing(_squares(inputs, self.drawing.head, context)).float()
        share = drawn.new_full((1, 1, 1, 1), 0.5)
        if not draw or denoise is not None:
            denoise = share if denoise is None else 0.5 * denoise.view(-1, 1, 1, 1)
            share = denoise + (0.5 * draw - denoise) * _uncovered(coverage)
        near = _near(gain * variation, self.config.gate)
        color = _near(moved[:, 1:], _COLOR) if len(planes[0]) > 1 else near  # gray stays gray
        share = share.expand_as(planes[:, :1])
        magnified, only_moved = _finished(frame, planes, moved, source, drawn, near, color, share)
        return magnified, motion, only_moved

    def _inputs(self, planes: Tensor, variation: Tensor, gain: Tensor) -> Tensor:
        change = per_pixel(gain) * variation
        parts = [
            (planes[:, :1], 2, -1),
            (planes[:, 1:], 2, 0),
            (change / (1 + change.abs() / 2), 2, 0),
            (variation / (1 + 8 * variation.abs()), 8, 0),
        ]
        return _squares(parts, self.motion.head)

    def to_grey(self) -> "DifferenceNet":
        """Return a network for one channel with the same result as three equal channels."""
        if self.config.channels == 1:
            return self
        grey = DifferenceNet(DifferenceConfig(**{**self.config.to_dict(), "channels": 1}))
        state = self.state_dict()
        for name in ("motion.head.weight", "drawing.head.weight"):  # chroma is zero
            state[name] = torch.cat([state[name][:, :4], state[name][:, 12:]], 1)
        for name in ("drawing.tail.weight", "drawing.tail.bias"):
            state[name] = state[name][:4]
        grey.load_state_dict(state)
        return grey.to(next(self.parameters()).device).train(self.training)


def _large(displacement: Tensor) -> Tensor | None:
    """Return a displacement where it is large around a pixel, else zero; None: small all over."""
    length = displacement.square().sum(1, keepdim=True).sqrt()
    if length.max() <= _LARGE:  # as nearly always
        return None
    mean = windowed_mean(length, _AROUND)
    share = ((mean - _LARGE) / (_WHOLLY - _LARGE)).clamp(0, 1)
    return limited(displacement * share, _LONGEST) if share.any() else None


def _explains_more(now: Tensor, variation: Tensor, motions, gains: Tensor) -> Tensor:
    """Return 0 to 1: where the second of two displacements explains more of a difference."""
    with torch.autocast(now.device.type, enabled=False):
        before = now - variation.float()
        gains = torch.where(gains == 0, 1, gains)
        first, second = (
            windowed_mean((now - sample(before, -limited(m / gains, _LONGEST))).square(), _COMPARED)
            for m in motions
        )
        return windowed_mean((second < first).float(), _COMPARED)


def _uncovered(coverage: Tensor) -> Tensor:
    """Return 1 in holes, at and beside edges of layers, 0 where pixels arrive one by one."""
    off = ((coverage - 1).abs() - 0.3) / 0.4
    return windowed_mean(windowed_max(off.clamp(0, 1), 9), 5)


def _finished(frame, planes, moved, source, drawn, near, color, share):
    """Add to a frame what moves and what is drawn: the magnified and the only moved frame.

    `drawn`: squares of 2 x 2 px of planes; `near` and `color`, of its color, are at 1/8.
    """
    if inference_kernels_apply(frame) and kernels.available():
        from napari_motionmag.methods.learned.kernels import layouts

        return layouts.finished(frame, planes, moved, source, drawn, near, color, share)
    near, color = (F.interpolate(x, scale_factor=8, mode="nearest") for x in (near, color))
    drawn = F.pixel_shuffle(drawn, 2) * near * share
    drawn = torch.cat([drawn[:, :1], drawn[:, 1:] * color], 1)
    only_moved = frame + from_planes(moved - planes)
    return only_moved + from_planes(drawn), only_moved


def _near(x: Tensor, half: float) -> Tensor:
    """Return 1 where something near is much larger than `half`, 0 where all is zero; at 1/8."""
    reach = x.detach().abs().float().amax(1, keepdim=True)
    reach = F.max_pool2d(reach, 8)
    reach = windowed_max(reach, 9)
    return reach / (reach + half)


def to_planes(frame: Tensor) -> Tensor:
    """Convert to luma and two color differences, B - Y and R - Y; gray frames to luma alone."""
    if frame.shape[1] == 1:
        return frame
    if inference_kernels_apply(frame) and kernels.available():
        from napari_motionmag.methods.learned.kernels import layouts

        return layouts.to_planes(frame)
    y = luma(frame)
    return torch.cat([y, frame[:, 2:3] - y, frame[:, :1] - y], 1)


def from_planes(planes: Tensor) -> Tensor:
    """Invert :func:`to_planes`."""
    if planes.shape[1] == 1:
        return planes
    y, blue, red = planes.split(1, 1)
    green = -(LUMA[0] * red + LUMA[2] * blue) / LUMA[1]
    return torch.cat([y + red, y + green, y + blue], 1)


def luma(frame: Tensor) -> Tensor:
    """Return Rec. 601 luma, (N, 1, H, W), of frames (N, C, H, W) with C of 1 or 3."""
    if frame.shape[1] == 1:
        return frame
    weights = frame.new_tensor(LUMA).view(1, 3, 1, 1)
    return (frame * weights).sum(1, keepdim=True)
