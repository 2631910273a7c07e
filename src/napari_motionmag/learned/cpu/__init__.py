"""Kernels for the CPU, compiled by numba where it is installed; nothing needs them."""

import logging
import os
import threading
from functools import cache
from importlib.util import find_spec

SWITCH = "NAPARI_MOTIONMAG_KERNELS"  # "0" in the environment turns them off
_LOCK = threading.Lock()


def available() -> bool:
    """Whether the kernels can be had here, and do what is expected.

    The first call in an installation takes some seconds: numba compiles for this processor, and
    keeps the result in its cache.
    """
    with _LOCK:  # others wait for the one that compiles
        return _available()


@cache
def _available() -> bool:
    if os.environ.get(SWITCH) == "0" or find_spec("numba") is None:
        return False
    try:
        from napari_motionmag.learned.cpu import gradients, splatting, upsampling, winograd

        return all(kernel.right() for kernel in (winograd, gradients, upsampling, splatting))
    except Exception as error:  # compilers fail in many ways; all is well without them
        logging.getLogger(__name__).info("no kernels for this CPU: %s", error)
        return False
