"""The first import of PyTorch: with threads that sleep while they have nothing to do."""

import os
import sys


def load_torch() -> None:
    """Import torch with OpenMP threads that sleep while idle, unless it is imported already.

    Spinning threads hold each other up as soon as another program wants a core: a frame takes ten
    times as long. OpenMP reads the policy when it is loaded; the environment is restored then.
    """
    if "torch" in sys.modules or "OMP_WAIT_POLICY" in os.environ:
        return
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    try:
        import torch  # noqa: F401
    finally:
        del os.environ["OMP_WAIT_POLICY"]
