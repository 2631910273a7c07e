"""What windows see of a displaced picture, compiled by numba."""

import numpy as np

from napari_motionmag.methods.learned.kernels.llvm_vectors import kernel
from napari_motionmag.views.estimators.band_kernel import BandKernel

_TAPS = 2 * BandKernel.half + 1


@kernel(
    "void(f4[:, ::1], f4[:, ::1], f4[:, :, ::1], f4[:, ::1], i8[:, ::1], i8, f8[:, ::1])",
    error_model="numpy",
    fastmath={"contract", "reassoc"},
)
def displaced_sums(picture, mean, linear, taps, places, size, out):
    """Filter each window, subtract the mean picture, and sum products with other pictures.

    `places` (N, 6): rows and columns of the windows in the padded picture and in the mean, and
    which `taps` (P, 17) filter along y and x. `out` (N, K).
    """
    across = np.empty((size + _TAPS - 1, size), np.float32)
    line = np.empty(size, np.float32)
    for n in range(len(places)):
        top, left, y, x, down_part, across_part = places[n]
        for row in range(len(across)):
            to = across[row]
            source = picture[top + row, left : left + size + _TAPS - 1]
            tap = taps[across_part]
            for i in range(size):
                total = np.float32(0)
                for k in range(_TAPS):
                    total += tap[k] * source[i + k]
                to[i] = total
        out[n] = 0.0
        for row in range(size):
            still = mean[y + row, x : x + size]
            tap = taps[down_part]
            for i in range(size):
                total = -still[i]
                for k in range(_TAPS):
                    total += tap[k] * across[row + k, i]
                line[i] = total
            for channel in range(len(linear)):
                weights = linear[channel, y + row, x : x + size]
                total = np.float32(0)
                for i in range(size):
                    total += weights[i] * line[i]
                out[n, channel] += total
