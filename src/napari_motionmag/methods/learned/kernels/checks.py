"""What kernels are given is checked before: they read and write memory without looking."""

import torch
from torch import Tensor


def checked(name: str, x: Tensor, shape: tuple) -> None:
    """Refuse what is not float32 of this shape on the CPU.

    Raises
    ------
    ValueError
        Names the argument, what is allowed and what came.
    """
    if x.dtype != torch.float32 or x.device.type != "cpu" or x.shape != shape:
        raise ValueError(
            f"{name} must be float32 {tuple(shape)} on the CPU, "
            f"got {x.dtype} {tuple(x.shape)} on {x.device}"
        )
