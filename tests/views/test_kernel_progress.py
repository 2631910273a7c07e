"""Kernels tell how far they got, and end when told to."""

import numpy as np
import pytest

from napari_motionmag.views import encoder_kernels

PICTURES = [np.random.default_rng(k).random((64, 64)).astype(np.float32) for k in range(3)]


def test_progress_and_cancelling():
    seen = []
    encoder_kernels(PICTURES, "oh2018", size=9, n=1, progress=lambda *state: seen.append(state))
    assert seen == [(k, 3) for k in range(3)]

    def stop(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        encoder_kernels(PICTURES, "oh2018", size=9, progress=stop)
