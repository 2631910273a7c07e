"""Arrays that are computed frame by frame when they are indexed."""

from __future__ import annotations

import itertools

import numpy as np


class FrameArray:
    """Base of arrays like those of a movie, ``self.movie``, whose frames `read` computes.

    Subclasses have ``movie``, whose axes and dtype are theirs, and ``shape``.
    """

    @property
    def dtype(self) -> np.dtype:
        """Type of the elements, that of the movie."""
        return self.movie.dtype

    def read(self, t: int, other) -> np.ndarray:
        """Compute a frame, (Y, X) or (Y, X, S), in the movie's dtype."""
        raise NotImplementedError

    def __getitem__(self, index) -> np.ndarray:
        axes = self.movie.axes
        index = index if isinstance(index, tuple) else (index,)
        k = next((k for k, part in enumerate(index) if part is Ellipsis), len(index))
        left = (slice(None),) * (len(axes) - len(index) + (k < len(index)))
        along = dict(zip(axes, index[:k] + left + index[k + 1 :], strict=True))
        leading = [letter for letter in axes if letter not in "YXS"]
        numbers = [np.arange(self.shape[axes.index(x)])[along[x]] for x in leading]
        frames = []
        for place in itertools.product(*map(np.atleast_1d, numbers)):
            other = dict(zip(leading, map(int, place), strict=True))
            frames.append(self.read(other.pop("T"), other))
        block = np.stack(frames).reshape(*map(np.size, numbers), *frames[0].shape)
        order = [*leading, *(letter for letter in "YXS" if letter in axes)]
        block = block.transpose([order.index(letter) for letter in axes])
        kept = {x: slice(None) if np.ndim(n) else 0 for x, n in zip(leading, numbers, strict=True)}
        return block[tuple((along | kept)[letter] for letter in axes)]
