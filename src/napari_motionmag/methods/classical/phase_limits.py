"""The limit of what a phase can carry."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from napari_motionmag.compute.validate import rounded

_TOLERATED_SHARE = 0.1  # of the gradient energy, beyond the limit without a warning


class PhaseLimit:
    """Finds which share of a picture would have to move further than phase can carry it.

    That is `fraction` of a wavelength; `who` names the representation in the warning.
    """

    def __init__(self, who: str, fraction: float, gain: float):
        self._who = who
        self._bound = 2 * math.pi * fraction
        self._gain = gain
        self._all = 0.0
        self._beyond = 0.0
        self._worst = (0.0, 0.0, 1.0)

    def add(
        self,
        wavelength: float,
        angle: torch.Tensor,
        amplitude: torch.Tensor,
        frequency: Callable[[], float],
    ) -> None:
        """Take in one subband: requested turns, radians, and local amplitudes.

        Subbands are weighted by the energy of the gradient, by which motion is seen; `frequency`
        gives the mean spatial frequency of the content, radians/px, when needed.
        """
        power = amplitude.square()
        size = angle.abs()
        beyond = power * (size > self._bound)
        total, over, turned = torch.stack(
            [power.sum(), beyond.sum(), (beyond * size).sum()]
        ).tolist()
        weight = wavelength**-2
        self._all += weight * total
        self._beyond += weight * over
        if weight * over > self._worst[0]:
            self._worst = (weight * over, turned / over, frequency())

    def report(self) -> str | None:
        """Return the warning to issue; None when the requested motion is within the limit."""
        if self._beyond <= _TOLERATED_SHARE * self._all:
            return None
        _, angle, frequency = self._worst
        moved, wavelength, carried = (
            rounded(x / frequency, 3) for x in (angle, 2 * math.pi, self._bound)
        )
        return (
            f"(factor - 1) x motion is about {moved} px where structures have a wavelength of "
            f"{wavelength} px, of which the {self._who} carries {carried} px: "
            f"{self._beyond / self._all:.0%} of the detail is past that bound and will break up. "
            "There it holds up to a factor of about "
            f"{rounded(1 + self._gain * self._bound / angle, 3)}"
        )
