"""The learned methods behind the interface that all methods share."""

import math
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import partial

import numpy as np

from napari_motionmag.compute.cache import budget, nbytes
from napari_motionmag.compute.device import load_torch
from napari_motionmag.methods.base import Method, warn_once
from napari_motionmag.methods.learned import weights
from napari_motionmag.methods.option_field import check_options
from napari_motionmag.methods.options import LearnedOptions
from napari_motionmag.movie.color import luma
from napari_motionmag.temporal.streaming import StreamingOperator, truncated_row

# Gray levels of 255: noise that is left alone, and how much more is half taken away.
NOISE_KEPT, NOISE_HALF = 0.65, 0.3
MUCH = 0.002  # share of a frame whose motion is limited that is worth a warning
RUN_BYTES = 256 * 2**20  # planes held for outputs that are made together


@dataclass(frozen=True)
class LearnedMagnifier(LearnedOptions, Method):
    """Magnification by a network, ``difference`` or ``oh2018``.

    Parameters
    ----------
    model : str or Path
        Name of shipped weights or path of a ``.safetensors`` file.
    device, precision, tile, compile
        See :class:`napari_motionmag.methods.learned.engine.Engine`; chosen when None.
    draw : bool
        Network ``difference``: draw what comes to light behind what moves. False only moves the
        pixels of the frame.
    denoise : float, optional
        Network ``difference``: how much of the noise to take away, 0 to 1. 0 keeps it, and the
        finest texture. When None, more the noisier the frames are (see :func:`noise_level`): 0 up
        to 0.65 gray levels of 255, half at 0.95; 0 without `draw`, and with a factor for each
        pixel, so that parts that are kept as they are look like the others.
    direction : float, optional
        Network ``difference``: magnify motion along this direction only, degrees: 0 is along x, 90
        along y.

    Raises
    ------
    ValueError
        If the weights, the device, the precision or the tile are unavailable, or the network
        cannot do without drawing.
    """

    model: str = "default"
    device: str | None = None
    precision: str | None = None
    tile: int | None = None
    compile: bool = False

    smallest_frame = 8  # px; below, nothing is left of the frame at the network's resolution

    def __post_init__(self):
        card = weights.read_card(weights.resolve(self.model))
        check_options(self)
        usual = self.draw and self.denoise is None and self.direction is None
        if card["model"] != "difference" and not usual:
            option = "denoise" if self.denoise is not None else "direction"
            only = f"{option}={getattr(self, option):g}" if self.draw else "draw=False"
            raise ValueError(
                f"{only} is for the network 'difference'; {card['model']!r} draws each frame anew"
            )
        if (self.device, self.precision, self.tile) != (None, None, None):
            load_torch()
            from napari_motionmag.compute.device import choose_device
            from napari_motionmag.methods.learned.engine import checked_tile
            from napari_motionmag.methods.learned.precision import checked_precision

            checked_precision(self.precision, choose_device(self.device))
            checked_tile(self.tile)

    def _keeps_noise(self, factor: float | np.ndarray) -> bool:
        """Whether parts of the frame may be kept as they are, beside which others are seen."""
        return self.denoise is None and isinstance(factor, np.ndarray)

    def _engine(self):
        load_torch()
        from napari_motionmag.methods.learned.engine import engine

        return engine(self.model, self.device, self.precision, self.tile, self.compile)

    def context(self, operator) -> int:
        """Return the pixels around a region that influence what is drawn there."""
        runner = self._engine()
        return runner.pair_halo if operator.compares_frames else runner.halo

    def preparations(self) -> list[tuple[str, Callable[[], object]]]:
        return [("Loading PyTorch", load_torch), ("Loading the network", self._engine)]

    def _magnify(
        self, frames, operator, times: list[int], factor: float | np.ndarray
    ) -> np.ndarray:
        runner = self._engine()
        first = frames[times[0]]
        if runner.kind == "difference":
            draw = partial(
                _draw_by_difference,
                draw=self.draw,
                denoise=0.0 if self._keeps_noise(factor) else self.denoise,
                direction=None if self.direction is None else math.radians(self.direction),
            )
            planes = 8
        else:
            draw, planes = _draw_by_shape, 96
        together = max(1, RUN_BYTES // (planes * first.shape[0] * first.shape[1]))
        out = []
        for start in range(0, len(times), together):
            run = times[start : start + together]
            current = {t: first if t == times[0] else frames[t] for t in run}
            out.append(draw(runner, frames, current, operator, factor))
        return out[0] if len(out) == 1 else np.concatenate(out)

    def between(self, frames, before: int, share: float) -> np.ndarray:
        runner = self._engine()
        if runner.kind != "difference":
            return super().between(frames, before, share)
        from napari_motionmag.methods.learned.between import blend

        pair = [np.asarray(frames[t], np.float32) for t in (before, before + 1)]
        brightness = [frame if frame.ndim == 2 else luma(frame) for frame in pair]
        moved, motions = [], []
        for k, gain in enumerate((-share, share - 1)):
            change = brightness[k] - brightness[1 - k]
            noise = self.denoise
            if noise is None:
                noise = usual_denoising(change, (1, -1)) if self.draw else 0.0
            drawn = runner.difference(
                [pair[k]], [change], gain, draw=self.draw, denoise=[noise], pair=True, traced=True
            )[0]
            moved.append(drawn[..., 0] if pair[k].ndim == 2 else drawn[..., :-2])
            motions.append(drawn[..., -2:])
        return blend(brightness, moved, motions, share)


def _variation(
    frames, kind: Hashable, operator, times, get: Callable, size: int, kept: int | None = None
) -> list:
    """Apply the operator to a signal at some times; frames with a cache keep its state there.

    `size`: bytes of the signal of a frame; `kept`: bytes cached per frame, unless that is the
    frame itself.
    """
    n = len(frames)
    cache = getattr(frames, "cache", None)
    if cache is None:
        return StreamingOperator(operator, n)(times, get)
    key = ("variation", kind, operator, frames.series)
    variation = cache.get(key, lambda: StreamingOperator(operator, n))
    # where a window does not fit, several outputs share one reading of the frames
    fits = frames.fits(len(truncated_row(operator, times[0], n)[0]), kept)
    together = 1 if fits else max(1, min(RUN_BYTES, budget() // 2) // (2 * size))
    varied = variation(times, get, together)
    cache.resized(key)
    return varied


def noise_level(variation: np.ndarray, weights) -> float:
    """Estimate the standard deviation of the noise of frames from T of them, white is 1.

    Parameters
    ----------
    variation : numpy.ndarray
        (Y, X), T(luma), a weighted sum of frames whose noise is independent.
    weights : array_like of float
        The weights of the frames.

    Notes
    -----
    Of what the product of two second differences lets through, which is little of what moves;
    the lower quartile over blocks of 16 px.

    References
    ----------
    Immerkaer, "Fast noise variance estimation", Computer Vision and Image Understanding 64, 1996.
    """
    norm = float(np.linalg.norm(weights))
    if not norm:
        return 0.0
    fine = np.abs(np.diff(np.diff(variation, 2, axis=0), 2, axis=1))
    means = fine
    for axis, size in enumerate(fine.shape):
        lengths = np.array([len(part) for part in np.array_split(range(size), max(1, size // 16))])
        sums = np.add.reduceat(means, lengths.cumsum() - lengths, axis=axis, dtype=np.float64)
        means = sums / np.expand_dims(lengths, 1 - axis)
    typical = np.quantile(means, 0.25)
    return float(typical * math.sqrt(math.pi / 2) / 6 / norm)


def usual_denoising(variation: np.ndarray, weights) -> float:
    """Return how much of the noise of a frame to take away."""
    beyond = max(0.0, 255 * noise_level(variation, weights) - NOISE_KEPT)
    return beyond**2 / (beyond**2 + NOISE_HALF**2)


def _draw_by_difference(
    runner,
    frames,
    current,
    operator,
    factor: float | np.ndarray,
    draw: bool,
    denoise: float | None,
    direction: float | None,
) -> np.ndarray:
    """Draw ``B + R(B, T(luma), m - 1)``: the temporal operator acts on pixels."""

    def signal(t: int) -> np.ndarray:
        frame = current[t] if t in current else frames[t]
        return frame if frame.ndim == 2 else luma(frame)

    times = list(current)
    height, width = current[times[0]].shape[:2]
    varied = _variation(frames, "luma", operator, times, signal, 4 * height * width)
    rows = [truncated_row(operator, t, len(frames))[1] for t in times]
    still = [False] * len(times)
    if draw and denoise != 0:
        for k, t in enumerate(times):
            if not rows[k].any():  # a reference is as noisy as others: it would flash among them
                beside = signal(t + 1 if t + 1 < len(frames) else t - 1)
                varied[k], rows[k], still[k] = signal(t) - beside, (1, -1), True
    if denoise is None and draw:
        shares = [usual_denoising(*pair) for pair in zip(varied, rows, strict=True)]
    else:
        shares = [denoise or 0.0] * len(times)
    return runner.difference(
        list(current.values()),
        varied,
        factor - 1,
        draw=draw,
        denoise=shares,
        direction=direction,
        pair=operator.compares_frames,
        still=still if any(still) else None,
        far=partial(_warn_of_far_motion, frames),
    )


def _warn_of_far_motion(frames, share: float, limit: float) -> None:
    if share > MUCH:
        text = f"{100 * share:.2g} % of a frame would move by more than the {limit:g} px that the "
        text += "network 'difference' can; a smaller factor moves everything as far as it should"
        warn_once(frames, "far motion", text)


def _draw_by_shape(runner, frames, current, operator, factor: float | np.ndarray) -> np.ndarray:
    """Draw from shape and texture: ``Delta = T(M)``, base ``M - Delta`` (paper, Eq. 3 and 4).

    Encodings are kept from call to call, so that each frame is encoded once. The device is
    locked for each piece of work, never while a frame is read.
    """
    import torch

    from napari_motionmag.methods.learned.networks.oh2018 import SHAPE_CHANNELS

    times = list(current)
    padding = runner.padding(current[times[0]])
    padded = {t: padding.add(frame) for t, frame in current.items()}
    example = padded[times[0]]
    factors = padding.add(factor) if isinstance(factor, np.ndarray) else None
    cache = getattr(frames, "cache", None)

    def work(engine, tile, first: int, last: int) -> np.ndarray:
        channels = 1 if example.ndim == 2 else 3
        network = engine.runner(channels)
        place = (engine.identity, tile.place)
        mine = times[first:last]
        doubtful = channels == 3 and engine.network(3).config.chroma_doubt

        def encode(t: int) -> tuple:
            """Encode texture, shape, and the shape of luma where chroma is doubted."""
            frame = (padded[t] if t in padded else padding.add(frames[t]))[tile.y, tile.x]
            with engine.streaming():
                given = [engine.upload(x) for x in ([frame, luma(frame)] if doubtful else [frame])]
                with engine.working():
                    texture, shape = network.encoder(given[0])
                    bright = [engine.runner(1).shape(x).float() for x in given[1:]]
                    engine.finish()
            return texture, torch.cat([*bright, shape.float()], 1)

        def encoding(t: int) -> tuple:
            if t in own:
                return own[t]
            if cache is None:
                return encode(t)
            return cache.get(("encoding", place, frames.key(t)), lambda: encode(t))

        def shape(t: int):
            # on the CPU as NumPy arrays, which do not take torch's threads outside of the lock
            found = encoding(t)[1]
            return found.numpy() if found.device.type == "cpu" else found

        own = {}
        for t in mine:
            own[t] = encoding(t)
        with torch.inference_mode():
            kept = own[mine[0]]
            sizes = nbytes(kept[1]), nbytes(kept)
            deltas = _variation(frames, ("shape", place), operator, mine, shape, *sizes)
            delta = torch.cat([torch.as_tensor(d, device=engine.device) for d in deltas])
        with engine.streaming(), engine.working():
            texture = torch.cat([own[t][0] for t in mine])
            shapes = torch.cat([own[t][1][:, -SHAPE_CHANNELS:] for t in mine])
            part = factor if factors is None else engine.upload(factors[tile.y, tile.x])
            drawn = engine.decode(channels, texture, shapes, delta, part)
            engine.finish()
        return engine.download(drawn)

    out = np.empty((len(times), *example.shape), np.float32)
    runner.in_pieces(len(times), example.shape[:2], work, out)
    for k, frame in enumerate(current.values()):
        if is_gray(frame):  # what the network for one channel draws, in all three
            out[k] = out[k].mean(-1, keepdims=True)
    return np.stack([padding.remove(frame) for frame in out])


def is_gray(frame: np.ndarray) -> bool:
    """Whether a frame has three channels and they are equal."""
    return frame.ndim == 3 and bool((frame[..., 1:] == frame[..., :1]).all())
