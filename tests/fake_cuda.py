"""A CUDA device that is none: what would go to it stays on the CPU, and its memory is counted."""

from contextlib import ExitStack, contextmanager, nullcontext
from types import SimpleNamespace
from unittest.mock import patch

import torch
from torch.overrides import TorchFunctionMode

from napari_motionmag.methods.learned.networks import oh2018_folded

GIGABYTE = 2**30


class _OnCPU(TorchFunctionMode):
    """Takes the CPU wherever a function is given a CUDA device."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func is torch.Tensor.pin_memory:
            return args[0]
        if func is torch.device:  # devices have their own names
            return func(*args, **(kwargs or {}))
        args = [_on_cpu(value) for value in args]
        return func(*args, **{key: _on_cpu(value) for key, value in (kwargs or {}).items()})


def _on_cpu(value):
    is_cuda = isinstance(value, torch.device) and value.type == "cuda"
    named = isinstance(value, str) and value.partition(":")[0] == "cuda"
    return torch.device("cpu") if is_cuda or named else value


@contextmanager
def fake_cuda(free: int = 8 * GIGABYTE):
    """Run as on a machine with one CUDA device; yields the names of the functions called."""
    called = []

    def stands_for(name, result=None):
        def function(*args, **kwargs):
            called.append(name)
            return result

        return patch.object(torch.cuda, name, function)

    stream = SimpleNamespace(synchronize=lambda: called.append("stream.synchronize"))
    results = {
        "is_available": True,
        "current_device": 0,
        "device_count": 1,
        "get_device_name": "fake",
        "get_device_properties": SimpleNamespace(name="fake", total_memory=free),
        "mem_get_info": (free, free),
        "memory_reserved": 0,
        "memory_allocated": 0,
        "max_memory_allocated": 0,
        "reset_peak_memory_stats": None,
        "empty_cache": None,
        "synchronize": None,
        "current_stream": stream,
        "Stream": stream,
        "stream": nullcontext(),
    }
    with ExitStack() as stack:
        for name, result in results.items():
            stack.enter_context(stands_for(name, result))
        # fused convolutions are for CPUs, and in half precision not for all of them
        stack.enter_context(patch.object(oh2018_folded, "has_fused", lambda: False))
        stack.enter_context(_OnCPU())
        yield called
