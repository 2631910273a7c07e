"""Linear filters that approximate the encoders of the networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from numbers import Real
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd import forward_ad

from napari_motionmag.compute.validate import one_of, whole_number
from napari_motionmag.methods.learned import weights
from napari_motionmag.movie.color import luma
from napari_motionmag.movie.movie import Movie
from napari_motionmag.views.estimators.kernel_fit import by_impulses, by_least_squares

REPRESENTATIONS = ("shape", "texture")
METHODS = ("least_squares", "impulse")
_MOST_FRAMES = 8
_LARGEST = 512  # px; larger frames are cut to their middle
_SMALLEST = 64
_SIZES = {2: 15, 4: 21}  # px, by stride
KINDS = ("gabor-like", "laplacian-like", "corner-like", "blur")
_PADDED = 64
_PASSES_MEAN = 0.5  # share of the highest gain at frequency 0 from which a kernel is a blur
_ORIENTED = 0.3  # of the power, for one orientation; 1/2 for a first derivative of a Gaussian
_TWO_ORIENTED = 0.25  # for two orientations at right angles; 1/2 for the mixed second derivative


class EncoderKernels(NamedTuple):
    """Kernels and how well they approximate the network.

    Attributes
    ----------
    kernels : ndarray, shape (n, size, size)
        ``response[p] = constant + sum over u of kernel[u] frame[stride p + u]``, u from
        ``-(size // 2)``; frame: luma, black 0, white 1. The best approximation first.
    errors : ndarray, shape (n,)
        Share of the variation of the response that the kernel does not explain: 0 for a linear
        unit, 1 for one that has nothing linear.
    units : ndarray of int, shape (n,)
        Channels of the network.
    kinds : tuple of str
        See :func:`kernel_kind`.
    stride : int
        Pixels of the frame between responses.
    """

    kernels: np.ndarray
    errors: np.ndarray
    units: np.ndarray
    kinds: tuple[str, ...]
    stride: int


def encoder_kernels(
    frames,
    model: str = "default",
    representation: str = "shape",
    n: int = 8,
    size: int | None = None,
    method: str | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> EncoderKernels:
    """Approximate the encoder of a network by linear convolution kernels.

    Parameters
    ----------
    frames : array, napari Image layer, Movie, or list of pictures
        Pictures given to the network; up to 8 are used, spread evenly. Those in a list are (Y, X)
        or (Y, X, 3), black 0, white 1, 64 px or more, and may differ in size.
    model : str or Path
        ``"default"``, ``"difference"``, ``"oh2018"`` or a ``.safetensors`` file.
    representation : {"shape", "texture"}
        For ``oh2018`` the two outputs of the encoder, shape as it is magnified: less its local
        mean where the weights have ``local_mean``. For ``difference``, which has one set of
        features for both, the response of its features at quarter resolution to the variation
        (shape) or to the frame (texture).
    n : int
        Number of kernels to return, those with the smallest error.
    size : int, optional
        Odd side of the kernels, px; 15 at half resolution and 21 at quarter resolution when None.
    method : {"least_squares", "impulse"}, optional
        "least_squares": kernels that best predict the response over the pictures; the error is
        measured on rows held out. "impulse": mean of the responses to a small impulse (exact
        derivatives), at many places; the error is their spread. None: least squares for
        ``oh2018``, impulse for ``difference``, whose variation is zero in still pictures.
    progress : callable, optional
        Called as ``progress(done, total)`` now and then; an exception from it ends the work.

    Returns
    -------
    EncoderKernels
        Sorted by error, without units that do not respond at all.

    Raises
    ------
    ValueError
        If an argument is invalid, or the pictures are too few or too small for the fit.

    References
    ----------
    Oh et al., ECCV 2018, section 4.3, Fig. 9 and A.7.

    Examples
    --------
    >>> from napari_motionmag import samples, views
    >>> movie, info = samples.load("strings", n_frames=8)
    >>> views.encoder_kernels(movie, "oh2018", n=4).kernels.shape
    (4, 15, 15)
    """
    one_of("representation", representation, REPRESENTATIONS)
    if method is not None:
        one_of("method", method, METHODS)
    n = whole_number("n", n, 1)
    network, card = weights.load(model)
    network = network.to_grey().requires_grad_(False)
    difference = card["model"] == "difference"
    if difference and method == "least_squares":
        raise ValueError(
            "method must be 'impulse' for the network 'difference': pictures that do not move have "
            "no variation"
        )
    respond, stride = _response(network, difference, representation)
    size = _SIZES[stride] if size is None else size
    if not isinstance(size, Real) or size < 3 or size % 2 != 1:
        raise ValueError(f"size must be an odd whole number from 3 up; got {size!r}")
    pictures = [_prepared(picture) for picture in _pictures(frames)]
    if not pictures:
        raise ValueError("frames is empty; give at least one picture")
    if method is None:
        method = "impulse" if difference else "least_squares"
    approximate = by_impulses if method == "impulse" else by_least_squares
    progress = progress or (lambda done, total: None)
    kernels, errors = approximate(respond, pictures, stride, int(size), progress)
    alive = np.flatnonzero(np.isfinite(errors) & kernels.any(axis=(1, 2)))
    chosen = alive[np.argsort(errors[alive], kind="stable")][:n]
    kinds = tuple(kernel_kind(kernel) for kernel in kernels[chosen])
    return EncoderKernels(kernels[chosen], errors[chosen], chosen, kinds, stride)


def _response(network, difference: bool, representation: str):
    """Return a function of a picture (1, 1, Y, X) to responses (1, C, ...), and their stride."""
    if not difference:
        if representation == "texture":
            return (lambda picture: network.encoder(picture)[0]), 4
        # what is magnified: shape less its local mean
        return (lambda picture: network.variation(network.encoder(picture)[1])), 2

    def respond(frame: Tensor, variation: Tensor) -> Tensor:
        return network.encode(frame, variation, frame.new_ones(1))

    if representation == "texture":
        return (lambda picture: respond(picture, torch.zeros_like(picture))), 4

    def of_variation(picture: Tensor) -> Tensor:
        # the derivative with respect to a variation added to none, on this frame
        primal, tangent = forward_ad.unpack_dual(picture)
        variation = torch.zeros_like(primal)
        if tangent is not None:
            variation = forward_ad.make_dual(variation, tangent)
        return respond(primal, variation)

    return of_variation, 4


def _pictures(frames) -> Iterator[np.ndarray]:
    movie = None if isinstance(frames, (list, tuple)) else Movie.from_any(frames)
    count = len(frames) if movie is None else movie.n_frames
    for t in np.unique(np.linspace(0, count - 1, min(count, _MOST_FRAMES)).round().astype(int)):
        if movie is None:
            yield np.asarray(frames[t], np.float32)
        else:
            yield movie.to_unit(movie.read(int(t), next(movie.series())))


def _prepared(picture: np.ndarray) -> Tensor:
    """Return the luma of the middle of a picture, (1, 1, Y, X), of sides the network takes."""
    if picture.ndim not in (2, 3) or (picture.ndim == 3 and picture.shape[-1] != 3):
        raise ValueError(f"frames must be (Y, X) or (Y, X, 3); got one of shape {picture.shape}")
    if min(picture.shape[:2]) < _SMALLEST:
        raise ValueError(
            f"frames must be at least {_SMALLEST} px high and wide; got one of {picture.shape[:2]}"
        )
    if not np.isfinite(picture).all():
        raise ValueError("frames must be finite; one has pixels that are NaN or infinite")
    gray = luma(picture)
    cut = []
    for side in gray.shape:
        keep = min(side, _LARGEST) // 4 * 4
        cut.append(slice((side - keep) // 2, (side - keep) // 2 + keep))
    return torch.from_numpy(np.ascontiguousarray(gray[tuple(cut)]))[None, None]


def kernel_kind(kernel) -> str:
    """Classify a small convolution kernel by its spectrum.

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
    With the power spectrum P over angle a, ``|sum P exp(2 i a)| / sum P`` measures one orientation
    and ``|sum P exp(4 i a)| / sum P`` two at right angles.

    References
    ----------
    Oh et al., ECCV 2018, Fig. 9 (directional edge detectors, Laplacian operators, corner
    detectors) and A.7 (blur kernels).

    Examples
    --------
    >>> from napari_motionmag import views
    >>> views.kernel_kind([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    'laplacian-like'
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
