"""The learned methods behind the interface that all methods share."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from napari_motionmag.compute.cache import ByteBoundedCache
from napari_motionmag.compute.load_torch import load_torch
from napari_motionmag.methods.base import Method
from napari_motionmag.methods.learned import weights
from napari_motionmag.movie.color import luma
from napari_motionmag.temporal import Static
from napari_motionmag.temporal.streaming import Variation, needed

RUN_BYTES = 256 * 2**20  # planes held for outputs that are made together
SHAPE_PLANES = 8  # float32 values a pixel of a shape of oh2018: 32 channels at half resolution
RECENT_BYTES = 16 * 2**20  # variations and encodings of frames shown last, for another factor


@dataclass(frozen=True)
class LearnedMagnifier(Method):
    """Magnification by a network, ``difference`` or ``oh2018``.

    Parameters
    ----------
    model : str or Path
        Name of shipped weights or path of a ``.safetensors`` file.
    device, precision, tile, compile
        See :class:`napari_motionmag.methods.learned.engine.Engine`; chosen when None.
    draw : bool
        Network ``difference``: draw what comes to light behind what moves, and take noise away.
        False moves the pixels of the frame and does nothing else: noise and the finest texture
        stay as they are.

    Raises
    ------
    ValueError
        If the weights, the device, the precision or the tile are not to be had, or the network
        cannot do without drawing.
    """

    model: str = "default"
    device: str | None = None
    precision: str | None = None
    tile: int | None = None
    compile: bool = False
    draw: bool = True

    name = "learned"
    smallest_frame = 8  # px; below, nothing is left of the frame at the network's resolution

    def __post_init__(self):
        card = weights.read_card(weights.resolve(self.model))
        if not isinstance(self.draw, bool):
            raise TypeError(f"draw must be True or False, got {self.draw!r}")
        if not self.draw and card["model"] != "difference":
            raise ValueError(
                f"draw=False is for the network 'difference'; {card['model']!r} draws each frame "
                "anew"
            )
        if (self.device, self.precision, self.tile) != (None, None, None):
            load_torch()
            from napari_motionmag.compute.device import choose_device
            from napari_motionmag.methods.learned.precision import checked_precision
            from napari_motionmag.methods.learned.tiles import checked_tile

            checked_precision(self.precision, choose_device(self.device))
            checked_tile(self.tile)

    def _engine(self):
        load_torch()
        from napari_motionmag.methods.learned.engine import engine

        return engine(self.model, self.device, self.precision, self.tile, self.compile)

    @property
    def context(self) -> int:
        """Pixels around a region of a frame that take part in what is drawn there."""
        return self._engine().halo

    def _magnify(self, frames, operator, times: list[int], factor: float) -> np.ndarray:
        runner = self._engine()
        by_difference = partial(_by_difference, draw=self.draw)
        magnified, planes = (by_difference, 8) if runner.kind == "difference" else (_by_shape, 96)
        held = _Read(frames)
        out, first = [], 0
        while first < len(times):
            shape = held.hold(times[first : first + 1])[0].shape
            last = first + max(1, RUN_BYTES // (planes * shape[0] * shape[1]))
            held.hold(times[first:last])
            out.append(magnified(runner, held, operator, times[first:last], factor))
            first = last
        return out[0] if len(out) == 1 else np.concatenate(out)


class _Read:
    """Frames of a call: those that are drawn are read once; keys when the frames have them."""

    def __init__(self, frames):
        self._frames = frames
        self._held: dict[int, np.ndarray] = {}
        self.identity = getattr(frames, "identity", None)

    def __len__(self) -> int:
        return len(self._frames)

    def hold(self, times: Sequence[int]) -> list[np.ndarray]:
        """Read frames, to be had again until others are held."""
        self._held = {t: self[t] for t in times}
        return [self._held[t] for t in times]

    def __getitem__(self, t: int) -> np.ndarray:
        return self._held[t] if t in self._held else self._frames[t]

    def key(self, t: int) -> Hashable | None:
        """The key of a frame, None when it has none."""
        if hasattr(self._frames, "key"):
            return self._frames.key(t)
        return None if self.identity is None else (self.identity, t)

    def window_key(self, indices: Sequence[int]) -> Hashable | None:
        """A key of all frames that an output is made of."""
        if hasattr(self._frames, "window_key"):
            return self._frames.window_key(indices)
        return self.identity

    def together(self, count: int, planes: int = 1) -> int:
        """How many outputs, each made of `count` frames, to make of one reading of them.

        Each holds two variations of `planes` float32 values a pixel.
        """
        if hasattr(self._frames, "reserve") and not self._frames.reserve(count):
            height, width = next(iter(self._held.values())).shape[:2]
            return max(1, RUN_BYTES // (8 * planes * height * width))
        return 1


# ---- what is kept from call to call ----


class _Variations:
    """The last few variations of signals that were kept up with."""

    count = 32

    def __init__(self):
        self._kept: OrderedDict[Hashable, Variation] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, key: Hashable | None, operator, n_frames: int) -> Variation:
        """The variation of a signal; another one each time when it has no key."""
        if key is None:
            return Variation(operator, n_frames)
        with self._lock:
            if key not in self._kept:
                self._kept[key] = Variation(operator, n_frames)
            self._kept.move_to_end(key)
            while len(self._kept) > 1 and (
                len(self._kept) > self.count
                or sum(v.nbytes for v in self._kept.values()) > 4 * RUN_BYTES
            ):
                self._kept.popitem(last=False)
            return self._kept[key]


def _size(value) -> int:
    if isinstance(value, tuple):
        return sum(map(_size, value))
    return value.nbytes if isinstance(value, np.ndarray) else value.numel() * value.element_size()


_VARIATIONS = _Variations()
_RECENT = ByteBoundedCache(RECENT_BYTES, _size)


def _recent(key: Hashable | None, make: Callable[[], object]):
    """A value that is wanted again when the factor changes."""
    if key is None:
        return make()
    value = _RECENT.peek(key)
    if value is None:
        value = make()
        _RECENT.at_least(min(64 * RECENT_BYTES, 3 * _size(value)))
        _RECENT.put(key, value)
    return value


def _varied(kind: tuple, frames: _Read, operator, times, get, planes: int = 1) -> list:
    """T of a signal at some times; that of a single time is kept for the next factor."""
    n = len(frames)
    # the reference frames alone decide on what is kept in static mode
    fixed = operator.frames(n).tolist() if isinstance(operator, Static) else None
    movie = frames.identity if fixed is None else frames.window_key(fixed)
    key = None if movie is None else (kind, movie, operator)
    indices, _ = needed(operator, times[0], n)
    variation = _VARIATIONS.of(key, operator, n)

    def vary(times):
        return variation(times, get, frames.together(len(indices), planes))

    window = frames.window_key(indices.tolist()) if len(times) == 1 else None
    if window is None:
        return vary(times)
    return [_recent((kind, operator, times[0], window), lambda: vary(times)[0])]


# ---- the two networks ----


def _by_difference(runner, frames: _Read, operator, times, factor: float, draw: bool) -> np.ndarray:
    """``B + R(B, T(luma), m - 1)``: the temporal operator acts on pixels."""
    varied = _varied(("luma",), frames, operator, times, lambda index: luma(frames[index]))
    return runner.difference([frames[t] for t in times], varied, factor - 1, draw)


def _by_shape(runner, frames: _Read, operator, times, factor: float) -> np.ndarray:
    """Draw from shape and texture: ``Delta = T(M)``, base ``M - Delta`` (paper, Eq. 3 and 4).

    Encodings are kept from call to call, so that each frame is encoded once. The device is
    locked for each piece of work, never while a frame is read.
    """
    import torch

    padding = runner.padding(frames[times[0]])
    padded = {t: padding.add(frames[t]) for t in times}
    example = padded[times[0]]

    def work(engine, tile, first: int, last: int) -> np.ndarray:
        channels = 1 if example.ndim == 2 else 3
        network = engine.runner(channels)
        place = (engine.identity, tile.place)
        mine = times[first:last]

        def encode(index: int):
            frame = padded[index] if index in padded else padding.add(frames[index])
            with engine.streaming():
                given = engine.upload(frame[tile.y, tile.x])
                with engine.working():
                    texture, shape = network.encoder(given)
                    engine.finish()
            return texture, shape.float()

        count = len(needed(operator, mine[0], len(frames))[0])
        own = {}

        def encoding(index: int):
            if index in own:
                return own[index]
            key = frames.key(index)
            if key is None:
                return encode(index)
            found = _encodings().get(place, key, lambda: encode(index), count)
            return tuple(part.to(engine.device) for part in found)

        def shape(index: int):
            # on the CPU as NumPy arrays, which do not take torch's threads outside of the lock
            made = encoding(index)[1]
            return made.numpy() if made.device.type == "cpu" else made

        for t in mine:
            own[t] = encoding(t)
        with torch.inference_mode():
            deltas = _varied(("shape", place), frames, operator, mine, shape, SHAPE_PLANES)
            delta = torch.cat([torch.as_tensor(d, device=engine.device) for d in deltas])
        with engine.streaming(), engine.working():
            texture = torch.cat([own[t][0] for t in mine])
            base = torch.cat([own[t][1] for t in mine]) - delta
            drawn = engine.decode(channels, texture, base, delta, factor)
            engine.finish()
        return engine.download(drawn)

    out = np.empty((len(times), *example.shape), np.float32)
    runner.in_pieces(len(times), example.shape[:2], work, out)
    for k, t in enumerate(times):
        if is_grey(frames[t]):  # what the network for one channel draws, in all three
            out[k] = out[k].mean(-1, keepdims=True)
    return np.stack([padding.remove(frame) for frame in out])


def is_grey(frame: np.ndarray) -> bool:
    """Whether a frame has three channels and they are equal."""
    return frame.ndim == 3 and bool((frame[..., 1:] == frame[..., :1]).all())


@lru_cache(maxsize=1)
def _encodings():
    from napari_motionmag.methods.learned.encodings import Encodings

    return Encodings()
