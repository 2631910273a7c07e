"""Rows of pictures shared out among threads; the kernels run without Python's lock."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from itertools import pairwise

import torch


def shared(work: Callable, pictures: int, rows: int) -> None:
    """Call ``work(picture, first, last)`` for all rows of all pictures.

    As many threads take part as torch may use; the caller's is one of them. All are done, or have
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
    """Threads of a process: those of its parent are not there after a fork."""
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="kernels")
