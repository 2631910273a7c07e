"""Forward and backward warping of frames by dense displacements."""

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_motionmag.methods.learned import kernels
from napari_motionmag.methods.learned.networks.inference_conv import inference_kernels_apply
from napari_motionmag.methods.learned.networks.windows import windowed_mean

_HOLES = (3, 9)  # windows, in blocks of 4 px, from which holes are filled
_LONE = 2.0  # px from the median around, beyond which a displacement is not believed
_LITTLE = 1e-3  # weight below which a pixel counts as a hole
_REACH = 15  # px of the filter that makes spline coefficients; what it leaves out is 1e-9
BORDER = 2  # px of spline coefficients around a frame


def grid(like: Tensor) -> Tensor:
    """Return coordinates x and y of the pixels, (1, 2, H, W)."""
    height, width = like.shape[-2:]
    y = torch.arange(height, device=like.device, dtype=torch.float32)
    x = torch.arange(width, device=like.device, dtype=torch.float32)
    return torch.stack(torch.meshgrid(y, x, indexing="ij")[::-1])[None]


def splat(values: Tensor, motion: Tensor) -> Tensor:
    """Add each pixel's values to the four pixels around where it moves to.

    Parameters
    ----------
    values : Tensor
        float32 (N, C, H, W).
    motion : Tensor
        float32 (N, 2, H, W), displacement x and y in px.

    Returns
    -------
    Tensor
        (N, C, H, W), sums with bilinear weights; what leaves the frame is lost.

    References
    ----------
    Niklaus and Liu, "Softmax Splatting for Video Frame Interpolation", CVPR 2020.
    """
    count, channels, height, width = values.shape
    to = grid(motion) + motion
    # A frame of pixels around the frame takes what leaves it.
    x = to[:, 0].clamp(-1, width)
    y = to[:, 1].clamp(-1, height)
    left, top = x.floor(), y.floor()
    fx, fy = x - left, y - top
    row = width + 3
    plane = (height + 3) * row
    first = ((top + 1) * row + left + 1).long()
    first = first + plane * torch.arange(count, device=first.device).view(-1, 1, 1)
    sums = [values.new_zeros(count * plane) for _ in range(channels)]
    for dx in (0, 1):
        for dy in (0, 1):
            share = (fx if dx else 1 - fx) * (fy if dy else 1 - fy)
            index = (first + (dy * row + dx)).flatten()
            for channel, total in enumerate(sums):  # on CPUs faster than all at once
                total.scatter_add_(0, index, (values[:, channel] * share).flatten())
    out = torch.stack([total.view(count, height + 3, row) for total in sums], 1)
    return out[..., 1:-2, 1:-2]


def backward_flow(motion: Tensor, importance: Tensor) -> tuple[Tensor, Tensor]:
    """Return from where each pixel of the moved frame takes its value.

    Parameters
    ----------
    motion : Tensor
        float32 (N, 2, H, W), displacement x and y in px of the pixels of the source; H and W
        are multiples of 4.
    importance : Tensor
        float32 (N, 1, H, W), logarithm of the weight where several pixels arrive.

    Returns
    -------
    source : Tensor
        (N, 2, H, W), displacement from a pixel of the moved frame to its source. Where nothing
        arrives it is that of the surroundings.
    coverage : Tensor
        (N, 1, H, W), how many pixels arrive: about 1, 0 in holes, 2 where layers cover others.
    """
    weight = importance.exp()
    if inference_kernels_apply(motion) and kernels.available():
        from napari_motionmag.methods.learned.kernels import splatting

        sums, blocks = splatting.splat(motion, weight)
        source, coverage = splatting.settle(sums, _surroundings(blocks), _LITTLE)
        return _without_speckle(source), coverage
    sums = splat(torch.cat([-motion * weight, weight, torch.ones_like(weight)], 1), motion)
    around = _surroundings(F.avg_pool2d(sums[:, :3], 4))
    around = F.interpolate(around, scale_factor=4, mode="nearest")
    source = (sums[:, :2] + _LITTLE * around) / (sums[:, 2:3] + _LITTLE)
    return _without_speckle(source), sums[:, 3:]


def _without_speckle(source: Tensor) -> Tensor:
    """Replace displacements that are far from the median of the 5 x 5 px around by that median.

    A lone pixel between pixels of another layer, as gaps of an expanding object leave it, would
    show the wrong layer.
    """
    if inference_kernels_apply(source) and kernels.available():
        from napari_motionmag.methods.learned.kernels import splatting

        return splatting.without_lone(source, _LONE)
    beside = torch.zeros_like(source[:, 0], dtype=torch.bool)  # a jump
    for axis, last in ((1, source.shape[2] - 1), (2, source.shape[3] - 1)):
        jump = (source.diff(dim=axis + 1).abs() > _LONE).any(1)
        beside.narrow(axis, 0, last).logical_or_(jump)
        beside.narrow(axis, 1, last).logical_or_(jump)
    n, y, x = torch.nonzero(beside, as_tuple=True)
    if not len(n):
        return source
    height, width = source.shape[-2:]
    offsets = torch.arange(-2, 3, device=source.device)
    rows = (y[:, None, None] + offsets[:, None]).clamp(0, height - 1)
    columns = (x[:, None, None] + offsets).clamp(0, width - 1)
    around = source[n[:, None, None], :, rows, columns].flatten(1, 2).mT.contiguous()
    median = around.median(-1).values
    own = source[n, :, y, x]
    lone = ((own - median).abs() > _LONE).any(1, keepdim=True)
    source = source.clone()
    source[n, :, y, x] = torch.where(lone, median, own)
    return source


def _surroundings(blocks: Tensor) -> Tensor:
    """Return mean displacements of blocks; of wider windows where next to nothing arrived."""
    wider = [windowed_mean(blocks, window) for window in _HOLES]
    source = wider[-1][:, :2] / (wider[-1][:, 2:] + 1e-6)
    for level in (*wider[-2::-1], blocks):
        source = (level[:, :2] + _LITTLE * source) / (level[:, 2:3] + _LITTLE)
    return source


def sample(frame: Tensor, source: Tensor) -> Tensor:
    """Sample a frame at displaced positions, by cubic splines; the border is continued.

    The bicubic interpolation of PyTorch (a = -0.75) moves what is asked to move by 0.1 px by
    0.136 px; splines are right for all but the finest detail.

    Parameters
    ----------
    frame : Tensor
        float32 (N, C, H, W).
    source : Tensor
        float32 (N, 2, H, W), displacement x and y in px.

    Returns
    -------
    Tensor
        (N, C, H, W).

    References
    ----------
    Thevenaz, Blu and Unser, "Interpolation revisited", IEEE Transactions on Medical Imaging 19,
    2000.
    """
    if inference_kernels_apply(frame) and kernels.available():
        from napari_motionmag.methods.learned.kernels import sampling

        return sampling.sampled(sampling.spline_coefficients(frame), source)
    coefficients = _spline_coefficients(frame)
    # two taps of positive weight are one bilinear tap between them
    taps, shares = [], []
    for axis, start in enumerate(grid(source)[0]):
        size = start.shape[1 - axis]
        at = (source[:, axis] + start).clamp(0, size - 1)
        first = at.floor()
        right = at - first
        left = 1 - right
        inner = right.square() * (0.5 * right - 1) + 2 / 3
        share = inner + left**3 / 6
        places = first - 1 + inner / share, first + 1 + right**3 / (6 * (1 - share))
        scale = size + 2 * BORDER
        taps.append([(place + (BORDER + 0.5 - scale / 2)) * (2 / scale) for place in places])
        shares.append(share[:, None])
    rows = []
    for y in taps[1]:
        places = (torch.stack([x, y], 1).permute(0, 2, 3, 1) for x in taps[0])
        near, far = (F.grid_sample(coefficients, at, align_corners=False) for at in places)
        rows.append(torch.lerp(far, near, shares[0]))
    return torch.lerp(rows[1], rows[0], shares[1])


def _spline_coefficients(frame: Tensor) -> Tensor:
    """Return weights, (N, C, H + 4, W + 4), of cubic splines that pass through all pixels."""
    x = F.pad(frame, (_REACH + BORDER,) * 4, mode="replicate")
    planes = [_prefiltered(plane) for plane in x.flatten(0, 1)]  # each fits the processor's cache
    return torch.stack(planes).unflatten(0, frame.shape[:2])


def _prefiltered(plane: Tensor) -> Tensor:
    """Turn (Y, X) into spline coefficients, less by the reach of the filter.

    Sums of 16 pixels, each weighted by a power of the pole, by doubling: once from either side.
    """
    pole = 3**0.5 - 2
    for axis in (0, 1):
        for backward in (False, True):
            for wide in (1, 2, 4, 8):
                length = plane.shape[axis] - wide
                pair = plane.narrow(axis, 0, length), plane.narrow(axis, wide, length)
                plane = torch.add(pair[not backward], pair[backward], alpha=pole**wide)
    return plane * (36 * pole**2)


def bilinear(frame: Tensor, source: Tensor) -> Tensor:
    """Sample as :func:`sample`, bilinear."""
    height, width = frame.shape[-2:]
    at = (grid(source) + source).permute(0, 2, 3, 1)
    size = at.new_tensor([width, height])
    at = (2 * at + 1) / size - 1
    return F.grid_sample(frame, at, mode="bilinear", padding_mode="border", align_corners=False)
