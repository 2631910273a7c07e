"""The learned methods behind the interface that all methods share."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_motionmag.cache import ByteBoundedCache
from napari_motionmag.classical.color import luma
from napari_motionmag.learned import weights

ENCODING_BYTES = 1024 * 2**20


@dataclass(frozen=True)
class LearnedMagnifier:
    """Magnification by a network, ``difference`` or ``oh2018``.

    Parameters
    ----------
    model : str or Path
        Name of shipped weights or path of a ``.safetensors`` file.
    device, precision, tile
        See :class:`napari_motionmag.learned.engine.Engine`; chosen when None.

    Raises
    ------
    ValueError
        If the weights, the device, the precision or the tile are not to be had.
    """

    model: str = "default"
    device: str | None = None
    precision: str | None = None
    tile: int | None = None

    name = "learned"
    smallest_frame = 8  # px; below, nothing is left of the frame at the network's resolution

    def __post_init__(self):
        weights.read_card(weights.resolve(self.model))
        if (self.device, self.precision, self.tile) != (None, None, None):
            from napari_motionmag.device import choose_device
            from napari_motionmag.learned.engine import checked_tile, choose_precision

            choose_precision(self.precision, choose_device(self.device))
            checked_tile(self.tile)

    def magnify(self, frames, operator, times: Sequence[int], factor: float) -> np.ndarray:
        """Magnified frames.

        Parameters
        ----------
        frames : sequence of ndarray
            float32 (Y, X) or (Y, X, 3), black 0, white 1.
        operator : TemporalOperator
            Bound; selects what is magnified.
        times : sequence of int
            Frames to make.
        factor : float
            m, total gain.

        Returns
        -------
        ndarray
            float32 (len(times), Y, X) or (len(times), Y, X, 3).
        """
        from napari_motionmag.learned.engine import engine

        runner = engine(self.model, self.device, self.precision, self.tile)
        draw = _by_difference if runner.kind == "difference" else _by_shape
        return np.stack([draw(runner, frames, operator, t, factor) for t in times])


def _by_difference(runner, frames, operator, t: int, factor: float) -> np.ndarray:
    """``B + R(B, (m - 1) T(luma))``: the temporal operator acts on pixels."""
    frame = frames[t]
    indices, shares = operator.row(t, len(frames))
    # Relative to the current frame: T is blind to what stands still, rounding should be, too.
    rest = luma(frame)
    variation = np.zeros(frame.shape[:2], np.float32)
    for index, share in zip(indices.tolist(), shares.tolist(), strict=True):
        if index != t:
            variation += np.float32(share) * (luma(frames[index]) - rest)
    variation += np.float32(shares.sum()) * rest
    return runner.difference(frame, np.float32(factor - 1) * variation)


def _by_shape(runner, frames, operator, t: int, factor: float) -> np.ndarray:
    """Draw from shape and texture: ``Delta = T(M)``, base ``M - Delta`` (paper, Eq. 3 and 4).

    Shape encodings are kept from call to call, so that each frame is encoded once. The device is
    locked for each piece of work, never while a frame is read.
    """
    padding = runner.padding(frames[t])
    padded = padding.add(frames[t])
    out = np.empty_like(padded)
    network = runner.network(1 if padded.ndim == 2 else 3)
    indices, shares = operator.row(t, len(frames))
    for tile in runner.tiles(*out.shape[:2]):
        with runner.working():
            texture, shape = network.encoder(runner.upload(padded[tile.y, tile.x]))
            shape = shape.float()
            delta = float(shares.sum()) * shape
        for index, share in zip(indices.tolist(), shares.tolist(), strict=True):
            if index != t:
                other = _shape(runner, network, frames, padding, index, tile)
                with runner.working():
                    delta += share * (other.to(shape) - shape)
        with runner.working():
            response = network.manipulator.response(delta, factor)
            part = runner.download(network.decoder(texture, shape - delta + response))
        out[tile.out_y, tile.out_x] = part[tile.keep_y, tile.keep_x]
    return padding.remove(out)


def _tensor_bytes(tensor) -> int:
    return tensor.numel() * tensor.element_size()


_SHAPES = ByteBoundedCache(ENCODING_BYTES, _tensor_bytes)


def _shape(runner, network, frames, padding, index: int, tile):
    """The shape encoding of a tile of another frame."""

    def encode():
        view = padding.add(frames[index])[tile.y, tile.x]
        with runner.working():
            return network.encoder(runner.upload(view))[1]

    identity = getattr(frames, "identity", None)
    if identity is None:
        return encode()
    return _SHAPES.get((runner.identity, identity, index, tile.corner), encode)
