"""Kernels for the CPU, compiled by numba where it is installed; nothing needs them."""

import os
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from importlib.util import find_spec
from itertools import pairwise

import torch
from torch import Tensor

from napari_motionmag.compute.device import NORMAL, current_priority

SWITCH = "NAPARI_MOTIONMAG_KERNELS"  # "0" in the environment turns them off
_FIRST_FRAME = 1.0  # s, until it is likely to be there
_LOCK = threading.Lock()


def available() -> bool:
    """Whether the kernels are installed and give correct results.

    The first call in an installation takes some seconds: numba compiles for this processor, and
    keeps the result in its cache. Frames that somebody waits for, or that are drawn ahead, are
    drawn without kernels until these are loaded, soon and in the background.
    """
    if current_priority() != NORMAL and not _why_unavailable.cache_info().currsize:
        _load_soon()
        return False
    return why_unavailable() is None


@cache
def _load_soon() -> None:
    # beside the first frame, an import would hold up each of its steps
    threading.Timer(_FIRST_FRAME, why_unavailable).start()


def why_unavailable() -> str | None:
    """Return why there are no kernels; None where they are available."""
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
            layouts,
            rounding,
            sampling,
            splatting,
            upsampling,
            winograd,
        )

        kernels = winograd, gradients, upsampling, splatting, sampling, rounding, layouts
        wrong = [kernel.__name__.rpartition(".")[2] for kernel in kernels if not kernel.self_test()]
        why = f"wrong results of {', '.join(wrong)}" if wrong else None
    except Exception as error:  # compilers fail in many ways; the networks also run without them
        why = f"{type(error).__name__}: {error}"
    if why is not None:
        warnings.warn(
            f"the networks run without numba's kernels, slower: {why}", RuntimeWarning, stacklevel=4
        )
    return why


# ---- for the kernels ----


def checked(name: str, x: Tensor, shape: tuple) -> None:
    """Refuse a tensor that is not float32 of this shape on the CPU: kernels do not look."""
    if x.dtype != torch.float32 or x.device.type != "cpu" or x.shape != shape:
        raise ValueError(
            f"{name} must be float32 {tuple(shape)} on the CPU, "
            f"got {x.dtype} {tuple(x.shape)} on {x.device}"
        )


def share_rows(work: Callable, pictures: int, rows: int) -> None:
    """Call ``work(picture, first, last)`` for all rows of all pictures, in several threads.

    Up to as many threads as torch may use; the caller's is one of them. All are done, or have
    failed, when it returns.
    """
    threads = max(1, min(torch.get_num_threads(), rows))
    bounds = [rows * k // threads for k in range(threads + 1)]
    parts = [(picture, *part) for picture in range(pictures) for part in pairwise(bounds)]
    own, others = parts[:1], []
    for part in parts[1:]:
        try:
            others.append(_pool(os.getpid()).submit(work, *part))
        except RuntimeError:  # Python is about to end, or there are no more threads
            own.append(part)
    try:
        for part in own:
            work(*part)
    finally:
        wait(others)
    for other in others:
        other.result()


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """Return the threads of a process: those of its parent are not there after a fork."""
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="kernels")
