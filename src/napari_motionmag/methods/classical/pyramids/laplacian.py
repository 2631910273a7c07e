"""Laplacian and Gaussian pyramids with the binomial filter, for images of any size."""

from __future__ import annotations

import math

import torch

from napari_motionmag.methods.classical.pyramids.padding import reflected

#: Wavelength, in px of its own level, at which the response of a level (taken apart and put
#: together again) peaks: 2 pi / argmax h^2(w) (1 - h^2(2 w)), h(w) = cos(w / 2)^4, halved, since
#: that is the level above the finest. It doubles from level to level (10, 21, 43, ..).
_FINEST_WAVELENGTH = 5.0


def reduced_size(n: int) -> int:
    """Return the pixels along one axis after `reduce`."""
    return (n + 1) // 2


def reduce(images: torch.Tensor) -> torch.Tensor:
    """Low-pass and halve, (..., Y, X) to (..., (Y + 1) // 2, (X + 1) // 2).

    Borders are mirrored about the last pixel.
    """
    for axis in (-2, -1):
        n = images.shape[axis]
        centres = 2 * torch.arange(reduced_size(n), device=images.device)

        def at(offset, images=images, axis=axis, n=n, centres=centres):
            return images.index_select(axis, reflected(centres + offset, n))

        images = (at(-2) + at(2) + 4 * (at(-1) + at(1)) + 6 * at(0)) / 16
    return images


def expand(images: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Interpolate to the size before `reduce`, (..., y, x) to (..., *size)."""
    for axis, n in zip((-2, -1), size, strict=True):
        if n == 1:
            continue
        axis = images.ndim + axis
        count = images.shape[axis]
        first, last = images.narrow(axis, 0, 1), images.narrow(axis, count - 1, 1)
        long = torch.cat([first, images, last], axis)
        before, after = long.narrow(axis, 0, count), long.narrow(axis, 2, count)
        even = (before + 6 * images + after) / 8
        odd = (images + after) / 2
        images = torch.stack([even, odd], axis + 1).flatten(axis, axis + 1).narrow(axis, 0, n)
    return images


class LaplacianPyramid:
    """Bands of wavelengths of images (Y, X) of one size, after Burt and Adelson, 1983.

    There are `levels` of them, finest first, and a low-pass residual, of 2 to 4 px when None.
    `wavelengths` are those that the bands stand for, px.
    """

    def __init__(self, shape: tuple[int, int], levels: int | None = None):
        most = max(int(math.log2(min(shape))) - 1, 1)
        if levels is None:
            levels = most
        if levels > most:
            raise ValueError(
                f"levels must be at most {most} for frames of {shape[0]} x {shape[1]} px, "
                f"got {levels}"
            )
        self.levels = levels
        self.wavelengths = tuple(_FINEST_WAVELENGTH * 2**k for k in range(levels))
        self._sizes = [tuple(shape)]
        for _ in range(levels):
            self._sizes.append(tuple(reduced_size(n) for n in self._sizes[-1]))

    def bands(self, images: torch.Tensor) -> list[torch.Tensor]:
        """Split images (..., Y, X) into bands, finest first, and the low-pass residual."""
        found = []
        for k in range(self.levels):
            low = reduce(images)
            found.append(images - expand(low, self._sizes[k]))
            images = low
        return [*found, images]

    def collapse(self, bands: list[torch.Tensor]) -> torch.Tensor:
        """Return the images (..., Y, X) with these bands and residual."""
        images = bands[-1]
        for k in reversed(range(self.levels)):
            images = expand(images, self._sizes[k]) + bands[k]
        return images
