"""Kernels for the CPU, compiled by numba where it is installed; nothing needs them."""

import os
import threading
import warnings
from functools import cache
from importlib.util import find_spec

SWITCH = "NAPARI_MOTIONMAG_KERNELS"  # "0" in the environment turns them off
_LOCK = threading.Lock()


def available() -> bool:
    """Whether the kernels can be had here, and do what is expected.

    The first call in an installation takes some seconds: numba compiles for this processor, and
    keeps the result in its cache.
    """
    return why_unavailable() is None


def why_unavailable() -> str | None:
    """Why there are no kernels; None where there are."""
    with _LOCK:  # others wait for the one that compiles
        return _why_unavailable()


@cache
def _why_unavailable() -> str | None:
    if os.environ.get(SWITCH) == "0":
        return f"{SWITCH}=0"
    try:
        if find_spec("numba") is None:
            return "numba is not installed"
        from napari_motionmag.methods.learned.kernels import (
            gradients,
            sampling,
            splatting,
            upsampling,
            winograd,
        )

        kernels = winograd, gradients, upsampling, splatting, sampling
        wrong = [kernel.__name__.rpartition(".")[2] for kernel in kernels if not kernel.self_test()]
        why = f"wrong results of {', '.join(wrong)}" if wrong else None
    except Exception as error:  # compilers fail in many ways; all is well without them
        why = f"{type(error).__name__}: {error}"
    if why is not None:
        warnings.warn(
            f"the networks run without numba's kernels, slower: {why}", RuntimeWarning, stacklevel=4
        )
    return why
