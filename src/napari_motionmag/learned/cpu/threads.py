"""Rows of pictures shared out among threads; the kernels run without Python's lock."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import pairwise

import torch


def shared(work: Callable, pictures: int, rows: int) -> None:
    """Call ``work(picture, first, last)`` for all rows of all pictures.

    As many threads take part as torch may use; the caller's is one of them.
    """
    threads = max(1, min(torch.get_num_threads(), rows))
    bounds = [rows * k // threads for k in range(threads + 1)]
    parts = [
        (picture, first, last) for picture in range(pictures) for first, last in pairwise(bounds)
    ]
    others = [_pool(os.getpid()).submit(work, *part) for part in parts[1:]]
    try:
        if parts:
            work(*parts[0])
    finally:
        for other in others:
            other.result()


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """Threads of a process: those of its parent are not there after a fork."""
    return ThreadPoolExecutor(os.cpu_count(), thread_name_prefix="kernels")
