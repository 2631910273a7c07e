"""Convolutions with what follows them, in one pass over memory where PyTorch has that.

oneDNN applies a rectifier, or adds another array, while the result of a convolution is still in the
processor's caches. PyTorch's compiler uses these operators; they are not part of its documented
interface, so that they are tried before they are used.
"""

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SLOPE = 0.1  # of leaky rectifiers, below zero


class Conv2d(nn.Conv2d):
    """A convolution and a rectifier.

    Parameters
    ----------
    *arguments, **options
        As for :class:`torch.nn.Conv2d`.
    after : {"none", "relu", "leaky_relu"}
        What follows the convolution.
    """

    def __init__(self, *arguments, after: str = "none", **options):
        super().__init__(*arguments, **options)
        self.after = after

    def forward(self, x: Tensor) -> Tensor:
        if not _fuse(x):
            y = super().forward(x)
            if self.after == "relu":
                return F.relu_(y)
            return F.leaky_relu_(y, SLOPE) if self.after == "leaky_relu" else y
        return convolved(x, self.weight, self.bias, *self._geometry, after=self.after)

    def plus(self, x: Tensor, other: Tensor) -> Tensor:
        """The convolution of `x` and `other`, added; without the rectifier."""
        if not _fuse(x):
            return super().forward(x).add_(other)
        return torch.ops.mkldnn._convolution_pointwise.binary(
            x, other, self.weight, self.bias, *self._geometry, "add", 1.0, None, [], None
        )

    @property
    def _geometry(self):
        return self.padding, self.stride, self.dilation, self.groups


def convolved(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    padding,
    stride,
    dilation=(1, 1),
    groups: int = 1,
    after: str = "none",
) -> Tensor:
    """The fused convolution; `after` as in :class:`Conv2d`, the others as in ``F.conv2d``."""
    scalars = [SLOPE] if after == "leaky_relu" else []
    return torch.ops.mkldnn._convolution_pointwise(
        x, weight, bias, padding, stride, dilation, groups, after, scalars, ""
    )


def _fuse(x: Tensor) -> bool:
    """Whether oneDNN's operators do: they know no derivatives, forward or backward, no autocast."""
    return (
        x.device.type == "cpu"
        and torch.is_inference_mode_enabled()
        and not torch.is_autocast_enabled("cpu")
        and has_fused()
    )


@cache
def has_fused() -> bool:
    """Whether this PyTorch has oneDNN's fused convolutions, and they do what is expected."""
    if not torch.backends.mkldnn.is_available():
        return False
    x, weight, bias = torch.ones(1, 1, 3, 3), -torch.ones(1, 1, 3, 3), torch.full((1,), 5.0)
    layer = weight, bias, [1, 1], [1, 1], [1, 1], 1
    fused = torch.ops.mkldnn
    try:
        rectified = convolved(x, *layer, after="relu")
        leaky = convolved(x, *layer, after="leaky_relu")
        summed = fused._convolution_pointwise.binary(x, x, *layer, "add", 1.0, None, [], None)
        total = torch.ones(1, 1, 3, 3)
        fused._convolution_pointwise_(total, x, *layer, "add", 1.0, None, [], None)
    except (AttributeError, RuntimeError, TypeError):  # not an interface that PyTorch promises
        return False
    plain = F.conv2d(x, weight, bias, padding=1)
    return all(
        torch.allclose(*pair)
        for pair in (
            (rectified, plain.relu()),
            (leaky, F.leaky_relu(plain, SLOPE)),
            (summed, 1 + plain),
            (total, 1 + plain),
        )
    )
