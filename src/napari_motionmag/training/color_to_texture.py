"""Move blurred color from shape to texture in weights of `oh2018` that are trained already."""

import copy
import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from scipy.ndimage import gaussian_filter1d
from torch import Tensor

from napari_motionmag.methods.learned.networks.oh2018 import Decoder, Oh2018Net

_BLURS = (4.0, 2.0, 3.0)  # px, of color in texture; shape loses that of the first
_DETAIL = 1.0  # px, blur of the frames whose texture the other channels are to show
_RATE = 1.5e-3
_MARGIN = 6  # pixels of shape; those at borders see less


def move_color_to_texture(
    network: Oh2018Net,
    frames: Callable[[int], Tensor],
    steps: int,
    precision: torch.dtype = torch.float32,
    report: Callable[[int], None] | None = None,
) -> None:
    """Let texture carry blurred color and shape the rest, as in Figs. 9, A.7 and A.8 of the paper.

    Weights that began as the linear method carry color in shape. Here channels of texture that
    change nothing in the picture come to carry color, blurred by 2 to 4 px, and the decoder gets
    weights with which it draws the same of that and of a shape without it. Then the encoder learns
    to give both (L1, Adam); other channels of texture are to be what they were for frames blurred
    by 1 px. Motion of what is blurred is lost by it, and left to learn.

    Parameters
    ----------
    network : Oh2018Net
        For frames in color; changed in place.
    frames : callable
        Number of a step -> (N, 3, H, W), black 0, white 1.
    steps : int
        Steps of the encoder's training.
    precision : torch.dtype
        Of its convolutions.
    report : callable, optional
        Called with the number of steps that are done, after each.
    """
    encoder, decoder = network.encoder, network.decoder
    old = copy.deepcopy(encoder).requires_grad_(False)
    examples = torch.cat([frames(-1 - k) for k in range(4)])
    with torch.no_grad():
        texture, shape = old(examples)
        color = _as_decoded(_color(examples, _BLURS[0]))
        share = _regression(_pixels(shape), _pixels(color))
        channels, units = _least_used(decoder, texture[:4], shape[:4], 3 * len(_BLURS))
        _read_color(decoder, channels, units, share)
    texture_scale = texture.std((0, 2, 3)).clamp(min=0.02)
    texture_scale[channels] = 0.1  # of color, which counts four times by it
    shape_scale = (_pixels(shape) - share @ _pixels(color)).std(1).clamp(min=1e-3)
    scales = texture_scale.view(-1, 1, 1), shape_scale.view(-1, 1, 1)

    def wanted(x: Tensor) -> tuple[Tensor, Tensor]:
        texture, shape = old(_blurred(x, _DETAIL))[0].float(), old(x)[1].float()
        colors = [_color(x, sigma) for sigma in _BLURS]
        texture[:, channels] = torch.cat(colors, 1)
        return texture, shape - torch.einsum("kc,nchw->nkhw", share, _as_decoded(colors[0]))

    optimizer = torch.optim.Adam(encoder.parameters(), lr=_RATE)
    for step in range(steps):
        rate = 0.02 + 0.49 * (1 + math.cos(math.pi * step / steps))
        optimizer.param_groups[0]["lr"] = _RATE * min(1, (step + 1) / 100) * rate
        x = frames(step).contiguous(memory_format=torch.channels_last)
        with torch.autocast(x.device.type, precision, enabled=precision != torch.float32):
            with torch.no_grad():
                goals = wanted(x)
            found = encoder(x)
        texture_error, shape_error = (
            _inner((own.float() - goal) / scale, margin).abs().mean()
            for own, goal, scale, margin in zip(
                found, goals, scales, (_MARGIN // 2, _MARGIN), strict=True
            )
        )
        optimizer.zero_grad()
        (texture_error + 2 * shape_error).backward()
        torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
        optimizer.step()
        if report is not None:
            report(step + 1)


def _least_used(decoder: Decoder, texture: Tensor, shape: Tensor, count: int):
    """Return channels of texture, and of texture upsampled, that change the picture least."""

    def draw_without(unit: int) -> Tensor:
        hook = decoder.fusion.register_forward_pre_hook(lambda _, args: _without(args[0], unit))
        try:
            return decoder(texture, shape)
        finally:
            hook.remove()

    whole = decoder(texture, shape)
    numbers = range(texture.shape[1])
    drawn_without = (
        [decoder(_without(texture, k), shape) for k in numbers],
        [draw_without(k) for k in numbers],
    )
    effects = ([(drawn - whole).abs().mean().item() for drawn in kind] for kind in drawn_without)
    return (np.argsort(effect)[:count].tolist() for effect in effects)


def _without(x: Tensor, channel: int) -> Tensor:
    x = x.clone()
    x[:, channel] = x[:, channel].mean()
    return x


def _read_color(decoder: Decoder, channels: list[int], units: list[int], share: Tensor) -> None:
    """Give the decoder color from channels of texture, for all that it takes of shape.

    `share` (32, 3) is how much of the colors there is in each channel of shape. Residual blocks
    pass the units on as they are.
    """
    decoder.texture_up.weight[:, channels] = 0
    decoder.texture_up.weight[units] = 0
    decoder.texture_up.bias[units] = 0
    for k, (unit, channel) in enumerate(zip(units, channels, strict=True)):
        if k < 3:
            decoder.texture_up.weight[unit, channel] = 1 / 9
        else:
            decoder.texture_up.weight[unit, channel, 1, 1] = 1
    for block in decoder.fusion:
        block.second.weight[units] = 0
        block.second.bias[units] = 0
    for layer in (*(block.first for block in decoder.fusion), decoder.up):
        layer.weight[:, units] = 0
        shape = layer.weight[:, -len(share) :]
        layer.weight[:, units[:3]] = torch.einsum("okyx,kc->ocyx", shape, share)


def _color(frames: Tensor, sigma: float) -> Tensor:
    """Return blurred color at the resolution of texture, black 0, white 2."""
    return 2 * F.avg_pool2d(_blurred(frames, sigma), 4)


def _as_decoded(color: Tensor) -> Tensor:
    """Return what the decoder makes of a color in texture."""
    up = F.pad(F.interpolate(color, scale_factor=2, mode="nearest"), (1, 1, 1, 1), "replicate")
    return F.avg_pool2d(up, 3, 1)


def _blurred(frames: Tensor, sigma: float) -> Tensor:
    """Return frames blurred by a Gaussian, mirrored at borders; sigma in px."""
    along_y, along_x = (
        torch.from_numpy(gaussian_filter1d(np.eye(n), sigma, axis=0, mode="mirror")).to(frames)
        for n in frames.shape[-2:]
    )
    with torch.autocast(frames.device.type, enabled=False):
        return along_y @ frames @ along_x.T


def _regression(values: Tensor, colors: Tensor) -> Tensor:
    """Return the slopes (K, 3) of values (K, N) over colors (3, N)."""
    columns = torch.cat([colors, torch.ones_like(colors[:1])])
    return torch.linalg.lstsq(columns.T, values.T).solution[:3].T


def _pixels(x: Tensor) -> Tensor:
    """Return the inner pixels (C, N) of features at the resolution of shape."""
    return _inner(x, _MARGIN).transpose(0, 1).flatten(1)


def _inner(x: Tensor, margin: int) -> Tensor:
    return x[..., margin:-margin, margin:-margin]
