"""What a small convolution kernel looks like, told from its spectrum."""

from __future__ import annotations

import numpy as np

KINDS = ("gabor-like", "laplacian-like", "corner-like", "blur")
_PADDED = 64
_PASSES_MEAN = 0.5  # share of the highest gain at frequency 0 from which a kernel is a blur
_ORIENTED = 0.3  # of the power, for one orientation; 1/2 for a first derivative of a Gaussian
_TWO_ORIENTED = 0.25  # for two orientations at right angles; 1/2 for the mixed second derivative


def kernel_kind(kernel) -> str:
    """Name the kind of a kernel.

    Parameters
    ----------
    kernel : array_like, shape (h, w)

    Returns
    -------
    str
        "blur": passes the mean, its gain is highest at or near frequency 0. "gabor-like": passes
        one orientation, as Gabor filters and directional derivatives do. "corner-like": passes two
        orientations at right angles, as the mixed second derivative does. "laplacian-like": passes
        a band of frequencies in all directions.

    Raises
    ------
    ValueError
        If the kernel is not two-dimensional, not finite, or all zero.

    Notes
    -----
    With the power spectrum P over angle a, ``|sum P exp(2 i a)| / sum P`` tells one orientation and
    ``|sum P exp(4 i a)| / sum P`` two at right angles.

    References
    ----------
    Oh et al., ECCV 2018, Fig. 9 (directional edge detectors, Laplacian operators, corner
    detectors) and A.7 (blur kernels).
    """
    kernel = np.asarray(kernel, float)
    if kernel.ndim != 2 or not np.isfinite(kernel).all() or not kernel.any():
        raise ValueError(
            "kernel must be two-dimensional, finite and not all zero; got an array of shape "
            f"{kernel.shape}"
        )
    size = [max(_PADDED, 2 * n) for n in kernel.shape]
    power = np.abs(np.fft.fft2(kernel, size)) ** 2
    fy, fx = np.fft.fftfreq(size[0])[:, np.newaxis], np.fft.fftfreq(size[1])
    # beyond the circle only the corners of the square of frequencies have angles
    power = power * (np.hypot(fy, fx) <= 0.5)
    if np.sqrt(power[0, 0] / power.max()) > _PASSES_MEAN:
        return "blur"
    angle = np.arctan2(fy, fx)
    one = abs((power * np.exp(2j * angle)).sum()) / power.sum()
    two = abs((power * np.exp(4j * angle)).sum()) / power.sum()
    if one > _ORIENTED:
        return "gabor-like"
    return "corner-like" if two > _TWO_ORIENTED else "laplacian-like"
