"""Convolutions with what follows them, in one pass over memory where available.

Kernels of our own (:mod:`napari_motionmag.methods.learned.kernels`) do so for most 3x3
convolutions, with fewer multiplications. oneDNN applies a rectifier, or adds another array, while
the result of any convolution is still in the processor's caches. PyTorch's compiler uses these
operators; they are not part of its documented interface, so they are tried before they are used.
"""

from functools import cache
from operator import is_not

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_motionmag.methods.learned import kernels

SLOPE = 0.1  # of leaky rectifiers, below zero
_SLOPES = {"none": 1.0, "relu": 0.0, "leaky_relu": SLOPE}


class Conv2d(nn.Conv2d):
    """A convolution and a rectifier.

    Parameters
    ----------
    *arguments, **options
        As for :class:`torch.nn.Conv2d`.
    after : {"none", "relu", "leaky_relu"}
        What follows the convolution.

    Notes
    -----
    Kernels of our own are used for weights that need no gradients: to set weights through
    ``weight.data`` goes unnoticed by them.
    """

    _winograd = None  # weights, their versions, and the kernel made of them

    def __init__(self, *arguments, after: str = "none", **options):
        super().__init__(*arguments, **options)
        self.after = after

    def __getstate__(self):
        return {**self.__dict__, "_winograd": None}  # kernels belong to this processor

    def forward(self, x: Tensor, beside: Tensor | None = None) -> Tensor:
        """Convolve `x`, or `x` and `beside`, their channels joined."""
        fast = self._at_once(x)
        kernel = self._kernel() if fast else None
        if beside is not None and (kernel is None or not kernel.takes(x, beside)):
            x, beside = torch.cat([x, beside], 1), None
        if kernel is not None:
            if beside is None:
                x = _filled(x, kernel.inputs)
            return kernel(x, beside=beside, slope=_SLOPES[self.after])
        if fast and has_fused():
            return convolved(x, self.weight, self.bias, *self._geometry, after=self.after)
        y = super().forward(x)
        if self.after == "relu":
            return F.relu_(y)
        return F.leaky_relu_(y, SLOPE) if self.after == "leaky_relu" else y

    @property
    def kernel_inputs(self) -> int:
        """Channels that a kernel takes; those behind its own are zeros."""
        kernel = self._kernel()
        return self.in_channels if kernel is None else kernel.inputs

    def plus(self, x: Tensor, other: Tensor) -> Tensor:
        """Return the convolution of `x` plus `other`, without the rectifier."""
        if self._at_once(x):
            if (kernel := self._kernel()) is not None:
                return kernel(_filled(x, kernel.inputs), other)
            if has_fused():
                return torch.ops.mkldnn._convolution_pointwise.binary(
                    x, other, self.weight, self.bias, *self._geometry, "add", 1.0, None, [], None
                )
        return super().forward(x).add_(other)

    def _at_once(self, x: Tensor) -> bool:
        return inference_kernels_apply(x) and self.padding_mode == "zeros"

    def _kernel(self):
        """Return the kernel, for weights that nobody trains; None where it is unavailable."""
        weights = [w for w in (self.weight, self.bias) if w is not None]
        if (
            self._geometry != ((1, 1), (1, 1), (1, 1), 1)
            or any(w.requires_grad or w.is_inference() for w in weights)
            or not kernels.available()
        ):
            return None
        versions = [w._version for w in weights]
        known = self._winograd
        if known is None or known[1] != versions or any(map(is_not, known[0], weights)):
            self._winograd = known = weights, versions, winograd(self.weight, self.bias)
        return known[2]

    @property
    def _geometry(self):
        return self.padding, self.stride, self.dilation, self.groups


def winograd(weight: Tensor, bias: Tensor | None):
    """Return the kernel of a 3x3 convolution with padding 1; None where it is unavailable."""
    if kernels.why_unavailable() is not None:
        return None
    from napari_motionmag.methods.learned.kernels.winograd import LANES, Winograd, suits

    inputs = weight.shape[1]
    if LANES < inputs < 2 * LANES:  # of zeros beside them faster than oneDNN's convolution
        weight = F.pad(weight, (0, 0, 0, 0, 0, 2 * LANES - inputs))
    return Winograd(weight, bias) if suits(weight) else None


def _filled(x: Tensor, channels: int) -> Tensor:
    """Return `x` padded with zeros to that many channels, channels last."""
    if x.shape[1] == channels:
        return x
    shape = x.shape[0], channels, *x.shape[2:]
    out = torch.empty(shape, dtype=x.dtype, memory_format=torch.channels_last, device=x.device)
    out[:, : x.shape[1]] = x
    out[:, x.shape[1] :] = 0
    return out


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
    """Convolve, fused; `after` as in :class:`Conv2d`, the others as in ``F.conv2d``."""
    scalars = [SLOPE] if after == "leaky_relu" else []
    return torch.ops.mkldnn._convolution_pointwise(
        x, weight, bias, padding, stride, dilation, groups, after, scalars, ""
    )


def inference_kernels_apply(x: Tensor) -> bool:
    """Whether inference-only kernels may be used for `x`.

    They are for float32 on the CPU, in inference mode, without autocast or torch.compile.
    """
    return (
        x.device.type == "cpu"
        and x.dtype == torch.float32
        and torch.is_inference_mode_enabled()
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
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
