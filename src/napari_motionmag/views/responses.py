"""Frequency responses of temporal operators, for plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from napari_motionmag.compute.validate import above_zero, whole_number
from napari_motionmag.temporal import TemporalOperator


@dataclass(frozen=True)
class ResponseTable:
    """Gain and phase of temporal operators over frequency.

    Attributes
    ----------
    frequencies : ndarray, shape (N,)
        Hz.
    names : tuple of str, length K
    gain : ndarray, shape (K, N)
    phase : ndarray, shape (K, N)
        rad.
    """

    frequencies: np.ndarray
    names: tuple[str, ...]
    gain: np.ndarray
    phase: np.ndarray

    @property
    def decibels(self) -> np.ndarray:
        """20 log10 of the gain, not below -200 dB, (K, N)."""
        return 20 * np.log10(np.maximum(self.gain, 1e-10))


def response_table(
    operators: Sequence[TemporalOperator] | Mapping[str, TemporalOperator],
    fps: float,
    n: int = 512,
) -> ResponseTable:
    """Compute the frequency responses of temporal operators, for plots.

    Parameters
    ----------
    operators : sequence or mapping of name to TemporalOperator
        In a sequence, the operators' descriptions are the names.
    fps : float
        Frames per second.
    n : int
        Number of frequencies, from 0 to fps / 2.

    Returns
    -------
    ResponseTable

    References
    ----------
    Oh et al., ECCV 2018, supplement, Fig. A.2.

    Examples
    --------
    >>> from napari_motionmag import temporal, views
    >>> table = views.response_table({"band": temporal.FIR(10, 20)}, fps=100, n=101)
    >>> round(float(table.gain[0, 30]), 2)
    1.0
    """
    if not isinstance(operators, Mapping):
        operators = {op.describe(): op for op in operators}
    if not operators:
        raise ValueError("operators is empty; give at least one")
    frequencies = np.linspace(0, above_zero("fps", fps) / 2, whole_number("n", n, 2))
    responses = np.array([op.response(frequencies, fps) for op in operators.values()])
    return ResponseTable(frequencies, tuple(operators), np.abs(responses), np.angle(responses))
