"""The optimizer Muon for convolutions: all directions of a layer's weights move equally far."""

from collections.abc import Iterable

import torch
from torch import Tensor

_MOMENTUM, _BETAS, _EPSILON = 0.95, (0.9, 0.999), 1e-8
_QUINTIC = 3.4445, -4.7750, 2.0315  # steep at 0; singular values end within 0.7 and 1.2
_LIKE_ADAM = 0.2  # root mean square of Adam's steps, as a share of the rate


class Muon(torch.optim.Optimizer):
    """Orthogonalized Nesterov momentum for kernels between hidden layers; Adam for the rest.

    Kernels (O, I, 3, 3) count as matrices of O rows. First and last layers (3 channels or fewer on
    one side), kernels of other sizes and biases are left to Adam. Steps are scaled to the size of
    Adam's, so that one rate fits both.

    References
    ----------
    Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024; Liu et al.,
    "Muon is scalable for LLM training", arXiv 2502.16982 (Section 2.2, scale of the steps).
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float):
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        """Take a step; `closure`, when given, computes loss and gradients first."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            alike: dict[tuple, list] = {}
            for parameter in group["params"]:
                if parameter.grad is None:
                    continue
                if is_hidden_kernel(parameter):
                    alike.setdefault(tuple(parameter.shape), []).append(parameter)
                else:
                    parameter.add_(self._adam(parameter), alpha=-group["lr"])
            for kernels in alike.values():
                ahead = torch.stack([self._ahead(kernel) for kernel in kernels])
                size = _LIKE_ADAM * max(ahead.shape[1:]) ** 0.5
                for kernel, change in zip(kernels, orthogonalized(ahead), strict=True):
                    kernel.add_(change.view_as(kernel), alpha=-group["lr"] * size)
        return loss

    def _ahead(self, parameter: Tensor) -> Tensor:
        state, gradient = self.state[parameter], parameter.grad
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        state["momentum"].lerp_(gradient, 1 - _MOMENTUM)
        return gradient.lerp(state["momentum"], _MOMENTUM).flatten(1)

    def _adam(self, parameter: Tensor) -> Tensor:
        state, gradient = self.state[parameter], parameter.grad
        if not state:
            state["step"] = 0
            state["mean"], state["square"] = (torch.zeros_like(parameter) for _ in range(2))
        state["step"] += 1
        slow, slower = _BETAS
        state["mean"].lerp_(gradient, 1 - slow)
        state["square"].lerp_(gradient.square(), 1 - slower)
        mean = state["mean"] / (1 - slow ** state["step"])
        square = state["square"] / (1 - slower ** state["step"])
        return mean / (square.sqrt() + _EPSILON)


def is_hidden_kernel(parameter: Tensor) -> bool:
    """Return whether a parameter is the kernel of a convolution between hidden layers."""
    return parameter.ndim == 4 and min(parameter.shape[:2]) > 3 and parameter.shape[-1] == 3


def orthogonalized(matrix: Tensor, steps: int = 5) -> Tensor:
    """Return matrices (..., rows, columns) with singular values near 1, by Newton-Schulz steps."""
    a, b, c = _QUINTIC
    x = matrix / (torch.linalg.matrix_norm(matrix, keepdim=True) + 1e-12)
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.mT if tall else x
