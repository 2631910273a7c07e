"""Linear Eulerian magnification, of motion and of color."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn.functional import avg_pool2d

from napari_motionmag.compute.device import choose_device, choose_dtype, device_lock
from napari_motionmag.compute.validate import rounded
from napari_motionmag.methods.base import Method, strongest, warn_once
from napari_motionmag.methods.classical.planes import PlaneReader
from napari_motionmag.methods.classical.pyramids.laplacian import (
    LaplacianPyramid,
    expand,
    reduce,
    reduced_size,
)
from napari_motionmag.methods.option_field import check_options
from napari_motionmag.methods.options import LinearOptions
from napari_motionmag.temporal.streaming import weights_by_frame

if TYPE_CHECKING:
    from napari_motionmag.temporal import TemporalOperator

_WINDOW = 15  # px, side of the neighborhood that moves together
_SMALLEST = 2 * _WINDOW  # px, shorter side of the coarsest level looked at
_SIGNIFICANT = 4.0  # times what noise lets itself be explained
_CLEAR_SHARE = 0.05  # of the variation explained: below, displacements are not to be trusted
_RIDGE = 0.02  # of the gradient energy: a bare edge does not show motion along it


@dataclass(frozen=True)
class LinearMagnifier(LinearOptions, Method):
    """Magnify motion or color by adding a multiple of the temporal variation of each pixel.

    What the temporal operator selects of the intensities is taken apart by wavelength,
    multiplied by ``alpha = factor - 1`` and added to the current frame. To first order in the
    displacement this moves things by `factor` times as much; noise is multiplied, too.

    Parameters
    ----------
    what : {"motion", "color"}
        "motion": bands of a Laplacian pyramid. "color": a level of the Gaussian pyramid alone,
        for slow changes of intensity and color over wide areas such as the pulse in a face or in
        vessels; what is finer stays as it is.
    lambda_c : float, optional
        Motion: cut-off wavelength in px. Wavelengths from there up get the full alpha, shorter
        ones less. When None it follows from the measured displacement delta of each frame and
        the bound ``(1 + |alpha|) delta < lambda / 8``, so that no wavelength gets more than it
        can carry. 0 gives all of them the full alpha.
    attenuation : {"scaled", "cut"}
        Motion: what wavelengths below `lambda_c` get: what the bound allows for the displacement
        that corresponds to `lambda_c`, or nothing.
    levels : int, optional
        Motion: number of bands; as many as the frame has when None.
    residual : bool
        Motion: whether to magnify the low-pass residual, too. It holds little motion, and all the
        flicker of the lamp.
    level : int
        Color: how often to halve the resolution, 1 or more.
    chroma : float, optional
        RGB frames: the chroma gets this times the alpha of the luma, 0 to 1. When None, 0 for
        motion and 1 for color.
    device : str, torch.device or None
        Where to compute; a CUDA GPU if there is one when None.
    dtype : {"float32", "float64"} or torch.dtype
        Precision of the computation.

    Raises
    ------
    ValueError
        If an option is not one of the above.

    Notes
    -----
    A band stands for the wavelength at which its response peaks, 5 px for the finest and twice
    that from level to level. Below `lambda_c` it gets, as in [1]_,
    ``alpha' = (1 + alpha) lambda / lambda_c - 1``, but not less than 0: there public code continues
    and turns the motion of the finest bands around. For negative factors |alpha| takes the place
    of alpha. For factors from 0 to 1, where the result lies between frames of the movie, there
    is no bound and nothing is attenuated.

    References
    ----------
    .. [1] H.-Y. Wu, M. Rubinstein, E. Shih, J. Guttag, F. Durand, W. Freeman, "Eulerian Video
       Magnification for Revealing Subtle Changes in the World", ACM Trans. Graph. 31(4), 2012;
       the bound is Eq. 14.
    """

    smallest_frame = 8  # px; a pyramid of one level needs these

    device: str | torch.device | None = None
    dtype: str | torch.dtype = "float32"

    def __post_init__(self):
        check_options(self)
        if self.chroma is None:
            vars(self)["chroma"] = 0.0 if self.what == "motion" else 1.0
        vars(self)["device"] = choose_device(self.device, mps=False)
        vars(self)["dtype"] = choose_dtype(self.dtype)

    def _magnify(self, frames, operator, times, factor):
        try:
            return self._draw(self.device, frames, operator, times, factor)
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
            text = f"{self.name}: the GPU is out of memory; working on the CPU"
            warn_once(frames, "memory", text, stacklevel=3)
            return self._draw(torch.device("cpu"), frames, operator, times, factor)

    def _draw(self, device, frames, operator, times, factor) -> np.ndarray:
        reader = PlaneReader(frames, "magnify" if self.chroma else "pass")
        pyramid = self._pyramid(reader.size(times[0], self))
        current, variation = self._select(reader, operator, times, len(frames), device)
        most = strongest(factor)
        alpha = most - 1
        bound = _Bound(most, self.lambda_c)
        out = np.empty((len(times), *reader.shape), np.float32)
        for n, t in enumerate(times):
            with device_lock(device):
                change = variation.pop(t)
                if self.what == "motion":
                    cutoff = bound.cutoff(t, current.pop(t)[0], change[0])
                    gains = [self._gain(length, cutoff, alpha) for length in pyramid.wavelengths]
                    gains.append(1.0 if self.residual else 0.0)
                    parts = zip(pyramid.bands(change), gains, strict=True)
                    change = pyramid.collapse([gain * part for part, gain in parts])
                else:
                    change = self._wide(change)
                change[1:] *= self.chroma
                change = change.cpu().numpy()
                change *= np.asarray(factor - 1, change.dtype)
            out[n] = reader.finish(t, change)
        text = bound.report(pyramid.wavelengths) if self.what == "motion" else None
        if text:
            warn_once(frames, "bound", text, stacklevel=4)
        return out

    def _pyramid(self, shape: tuple[int, int]) -> LaplacianPyramid | None:
        if self.what == "motion":
            return LaplacianPyramid(shape, self.levels)
        if 2**self.level > min(shape):
            raise ValueError(
                f"level must be at most {int(math.log2(min(shape)))} for frames of "
                f"{shape[0]} x {shape[1]} px, got {self.level}"
            )
        return None

    def _select(
        self,
        reader: PlaneReader,
        operator: TemporalOperator,
        times: list[int],
        n_frames: int,
        device: torch.device,
    ) -> tuple[dict[int, torch.Tensor], dict[int, torch.Tensor]]:
        """Return planes (C, Y, X) of the output frames, and the variation selected in them."""

        # the pyramid is linear: the operator on its bands is that on the pixels, taken apart
        def planes(index, hold):
            return torch.from_numpy(reader.planes(index, hold=hold)).to(device, self.dtype)

        rows = {t: operator.row(t, n_frames) for t in times}
        current = {t: planes(t, True) for t in times}
        variation = {t: torch.zeros_like(now) for t, now in current.items()}
        for index, users in weights_by_frame(rows).items():
            found = current[index] if index in current else planes(index, False)
            with device_lock(device):
                for t, weight in users:
                    # Weights sum to zero: differences to the current frame do not round away.
                    variation[t].add_(found - current[t], alpha=weight)
        return current, variation

    def _gain(self, wavelength: float, cutoff: float, alpha: float) -> float:
        """Return the share of alpha that a band gets."""
        if wavelength >= cutoff:
            return 1.0
        if self.attenuation == "cut":
            return 0.0
        most = (1 + abs(alpha)) * wavelength / cutoff - 1
        return min(max(most / abs(alpha), 0.0), 1.0)

    def _wide(self, images: torch.Tensor) -> torch.Tensor:
        """Return a level of the Gaussian pyramid, back at full resolution."""
        sizes = [tuple(images.shape[-2:])]
        for _ in range(self.level):
            images = reduce(images)
            sizes.append(tuple(reduced_size(n) for n in sizes[-1]))
        for size in reversed(sizes[:-1]):
            images = expand(images, size)
        return images


class _Bound:
    """Keeps to the bound ``(1 + |alpha|) delta < lambda / 8``, and reports where it is passed."""

    def __init__(self, factor: float, lambda_c: float | None):
        self._lambda_c = lambda_c
        # from 0 to 1 the result lies between frames of the movie, whatever the displacement
        self._reach = 0.0 if 0 <= factor <= 1 else 1 + abs(factor - 1)
        self._worst = (0.0, 0, 0.0)

    def cutoff(self, t: int, frame: torch.Tensor, variation: torch.Tensor) -> float:
        """Return the cut-off wavelength of a frame, px, from its luma and the variation in it."""
        if self._reach == 0:
            return 0.0
        delta = typical_displacement(frame, variation)
        needed = 8 * self._reach * delta
        self._worst = max(self._worst, (needed, t, delta))
        return needed if self._lambda_c is None else self._lambda_c

    def report(self, wavelengths: Sequence[float]) -> str | None:
        """Return the warning to issue where the bound was passed, or None."""
        needed, t, delta = self._worst
        if needed <= max(self._lambda_c or 0.0, 2 * wavelengths[0]):
            return None
        text = (
            f"linear: the displacement selected in frame {t}, {rounded(delta, 2)} px, times "
            f"{rounded(self._reach, 3)} passes the bound (1 + alpha) delta < lambda / 8 for "
            f"wavelengths below {rounded(needed, 2)} px; "
        )
        if self._lambda_c is None:
            text += "they are magnified less. The other methods carry more"
        else:
            text += (
                f"with lambda_c = {rounded(self._lambda_c, 3)} px, those above get more than they "
                "can carry and turn bright and dark: raise lambda_c or lower the factor"
            )
        return text


def typical_displacement(frame: torch.Tensor, variation: torch.Tensor) -> float:
    """Return the displacement of what moves, px, less what noise alone would show.

    Solves ``variation = -displacement . gradient`` for the displacement in each neighborhood
    (the gradient is that of the frame half-way back), at the finest resolution that explains
    the variation about as well as any. The result is the root of the mean of the squared
    displacements, each weighted by the variation that it explains, so that a small object that
    moves counts and a large one at rest does not. B. Lucas, T. Kanade, "An iterative image
    registration technique with an application to stereo vision", IJCAI 1981.
    """
    middle = (frame - variation / 2)[None, None]
    variation = variation[None, None]
    found = []
    scale = 1
    while True:
        explained, displacement = _at_one_level(middle, variation)
        found.append((explained, displacement * scale))
        if min(middle.shape[-2:]) < 2 * _SMALLEST:
            break
        middle, variation, scale = reduce(middle), reduce(variation), 2 * scale
    best = max(explained for explained, _ in found)
    value = next(value for explained, value in found if explained >= 0.9 * best)
    # where almost nothing looks like motion it is noise, whatever displacement would explain it
    return value * min(best / _CLEAR_SHARE, 1.0)


def _at_one_level(middle: torch.Tensor, variation: torch.Tensor) -> tuple[float, float]:
    """Return the share of the variation that displacements explain, and that displacement, px."""
    dy, dx = torch.gradient(middle, dim=(-2, -1))
    window = min(_WINDOW, min(middle.shape[-2:]) // 2 * 2 - 1)

    def mean(product):  # one axis after the other is a third of the work
        columns = avg_pool2d(product, (window, 1), stride=1)
        return avg_pool2d(columns, (1, window), stride=1)

    yy, xx, yx = mean(dy * dy), mean(dx * dx), mean(dy * dx)
    vy, vx, vv = mean(dy * variation), mean(dx * variation), mean(variation * variation)
    tiny = torch.finfo(middle.dtype).tiny
    ridge = _RIDGE * (yy + xx) + tiny
    determinant = (yy + ridge) * (xx + ridge) - yx * yx + tiny
    uy = -((xx + ridge) * vy - yx * vx) / determinant
    ux = -((yy + ridge) * vx - yx * vy) / determinant
    explained = (-uy * vy - ux * vx).clamp(min=0)
    left_over = (vv - explained).clamp(min=0) / window**2
    # two parameters explain that much of any noise; what counts is well above
    explained = (explained - _SIGNIFICANT * 2 * left_over).clamp(min=0)
    squared = uy * uy + ux * ux - left_over * (yy + xx + 2 * ridge) / determinant
    mass = explained.sum()
    if mass <= 0:
        return 0.0, 0.0
    value = (explained * squared).sum() / mass
    return float(mass / vv.sum()), float(value.clamp(min=0).sqrt())
