"""Runs a network: device, precision, batches and tiles, in one place.

Frames go in and come out as NumPy arrays. Everything that touches the device between upload and
download happens under that device's lock, so that threads take turns on one pool of torch's.
When memory runs out, the batch is halved, then the tiles, and finally the CPU takes over.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from napari_motionmag.compute.device import (
    choose_device,
    device_lock,
    free_memory,
    is_out_of_memory,
    release_memory,
)
from napari_motionmag.methods.learned import weights
from napari_motionmag.methods.learned.networks.oh2018_folded import for_inference
from napari_motionmag.methods.learned.precision import (
    FACTOR,
    TOLERANCE,
    candidates,
    checked_precision,
    deviation,
    test_frames,
)

CPU_PIXELS = 2**18  # frames together on a CPU: more at once only takes more memory
GPU_PIXELS = 2**24  # and on a GPU: it is busy with as many
SHARE = 0.4  # of the free memory that one call may take: convolutions need scratch space, too
SMALLEST_TILE = 32  # px
# Reflected pixels around the frame: borders look like the inside to the network. Errors at borders
# are the same with 16 or 64 of them.
PAD = 8


class Engine:
    """A network on a device.

    Parameters
    ----------
    model : str or Path
        Name of shipped weights or path of a ``.safetensors`` file.
    device : str, optional
        See :func:`napari_motionmag.compute.device.choose_device`.
    precision : {"float32", "float16", "bfloat16"}, optional
        When None, a 16-bit type on CUDA if it was measured to draw the same picture to within
        1/255, else float32.
    tile : int, optional
        Side of the kept part of a tile in px, rounded up to the stride; whole frames, or the
        largest tiles that fit into free memory, when None.
    compile : bool
        Whether to run ``torch.compile`` on the network: it takes up to a minute at each new size
        of frames and saves time on GPUs only, in long runs.

    Attributes
    ----------
    stride, halo, pair_halo : int
        Of the network, in px.
    dtype : torch.dtype
        Of the convolutions.
    """

    def __init__(self, model="default", device=None, precision=None, tile=None, compile=False):
        self.device = choose_device(device)
        self.arguments = {"model": model, "precision": precision, "tile": tile}
        network, self.card = weights.load(model)
        self.kind = self.card["model"]
        self.stride = network.stride
        self.halo = round_up(network.halo, self.stride)
        self.pair_halo = round_up(getattr(network, "pair_halo", network.halo), self.stride)
        tile = checked_tile(tile)
        self.tile = None if tile is None else round_up(tile, self.stride)
        self.lock = device_lock(self.device)
        self._threads = threading.local()
        self._warned: set[str] = set()
        self._most_pixels: int | None = None  # that fit after something did not
        self._cuts: dict[tuple[int, int, int], int] = {}
        self._color = self._prepare(network)
        self._gray = self._prepare(network.to_grey())
        self.dtype = torch.float32
        self._compile = compile
        self._runners: dict[tuple[bool, torch.dtype], object] = {}
        digest = weights.sha256(weights.resolve(model))
        self.dtype = self._choose_dtype(checked_precision(precision, self.device), digest)
        self._bytes_per_pixel = network.bytes_per_pixel
        self.identity = (digest, str(self.device), self.dtype)

    # ---- the network ----

    def _prepare(self, network):
        network = network.to(self.device, memory_format=torch.channels_last).eval()
        for part in network.modules():  # a large frame takes seconds, too long to wait for
            part.register_forward_pre_hook(lambda *_: self.lock.give_way())
        return network.requires_grad_(False)

    def network(self, channels: int):
        """Return the network for frames of 1 or 3 channels."""
        return self._gray if channels == 1 else self._color

    def runner(self, channels: int, exact: bool = False):
        """Return the network for 1 or 3 channels as it is run; of ``oh2018``, its parts."""
        dtype = torch.float32 if exact else self.dtype
        key = channels == 1, dtype
        if key not in self._runners:
            network = self.network(channels)
            if self.kind == "oh2018":
                network = for_inference(network, dtype)
                if self._compile:
                    network.encoder = torch.compile(network.encoder)
                    network.decoder = torch.compile(network.decoder)
            elif self._compile:
                network = torch.compile(network)
            self._runners[key] = network
        return self._runners[key]

    def _choose_dtype(self, requested: torch.dtype | None, digest: str) -> torch.dtype:
        def draw(dtype: torch.dtype) -> Tensor:
            self.dtype = dtype
            rest, frame = test_frames(self.device)
            with self.working():
                return self._draw_once(rest, frame)

        def off(dtype: torch.dtype) -> float:
            return deviation(draw, dtype, (digest, str(self.device)))

        if requested is not None:
            if requested != torch.float32 and (far := off(requested)) > TOLERANCE:
                warnings.warn(
                    f"precision {str(requested).removeprefix('torch.')!r} changes the picture by "
                    f"up to {255 * far:.1f} gray levels of 255 on {self.device}; leave precision "
                    "out for the fastest one that does not",
                    stacklevel=4,
                )
            return requested
        return next((d for d in candidates(self.device) if off(d) <= TOLERANCE), torch.float32)

    def _draw_once(self, rest: Tensor, frame: Tensor) -> Tensor:
        if self.kind == "difference":
            return self._difference(frame, frame - rest, FACTOR - 1, pair=True)
        runner = self.runner(frame.shape[1])
        _, shape_a = runner.encoder(rest)
        texture, shape_b = runner.encoder(frame)
        shape = shape_b.float()
        return self.decode(frame.shape[1], texture, shape, shape - shape_a.float(), FACTOR)

    def decode(
        self, channels: int, texture: Tensor, shape: Tensor, delta: Tensor, factor: float | Tensor
    ) -> Tensor:
        """Draw frames (N, channels, Y, X) from texture, shape and its variation (``oh2018``).

        A factor for each pixel is (1, 1, Y, X). The variation is multiplied in float32: large
        factors pass the range of 16-bit floats.
        """
        if isinstance(factor, Tensor):
            factor = torch.nn.functional.adaptive_avg_pool2d(factor, shape.shape[-2:])
        exact = self.runner(channels, exact=True)
        delta = exact.variation(delta.float())
        shape = shape.float() - delta + exact.response(delta, factor).float()
        return self.runner(channels).decoder(texture, shape).float()

    def _difference(
        self,
        frame: Tensor,
        variation: Tensor,
        gain: float | Tensor,
        *,
        traced: bool = False,
        **options,
    ) -> Tensor:
        if not isinstance(gain, Tensor):
            gain = frame.new_full((len(frame),), gain)
        network = self.runner(frame.shape[1])
        if traced:
            drawn, motion, _ = network.parts(frame, variation, gain, **options)
            return torch.cat([drawn, motion], 1)
        return network(frame, variation, gain, **options)

    # ---- the device ----

    @contextmanager
    def working(self):
        """Hold the device for this thread alone, without gradients, in the chosen precision."""
        with self.lock, torch.inference_mode(), self._cast():
            yield

    @contextmanager
    def streaming(self):
        """Copy to and from a GPU in this thread while other threads compute there."""
        if self.device.type != "cuda":
            yield
            return
        if not hasattr(self._threads, "stream"):
            self._threads.stream = torch.cuda.Stream(self.device)
        with torch.cuda.stream(self._threads.stream):
            yield

    def finish(self) -> None:
        """Wait for what a GPU computes for this thread, before others may use the device."""
        if self.device.type == "cuda":
            torch.cuda.current_stream(self.device).synchronize()

    def _cast(self):
        if self.kind == "oh2018" or self.dtype == torch.float32:
            return nullcontext()  # the folded network has its own number type
        return torch.autocast(self.device.type, self.dtype)

    def upload(self, frame: np.ndarray | Sequence[np.ndarray]) -> Tensor:
        """Copy frames, (Y, X) or (Y, X, C), to a tensor (N, C, Y, X) on the device."""
        frames = [frame] if isinstance(frame, np.ndarray) else frame
        planes = [f[None] if f.ndim == 2 else f.transpose(2, 0, 1) for f in frames]
        tensor = torch.from_numpy(np.stack(planes).astype(np.float32, copy=False))
        if self.device.type == "cuda":  # from pinned memory it goes while the GPU computes
            tensor = tensor.pin_memory()
        tensor = tensor.to(self.device, non_blocking=True)
        return tensor.contiguous(memory_format=torch.channels_last)

    @staticmethod
    def download(tensor: Tensor) -> np.ndarray:
        """Copy a tensor (N, C, Y, X) to an array (N, Y, X) or (N, Y, X, C), float32."""
        planes = tensor.float().cpu().numpy()
        return planes[:, 0] if planes.shape[1] == 1 else planes.transpose(0, 2, 3, 1)

    # ---- pieces of work ----

    def padding(self, frame: np.ndarray) -> Padding:
        """Return the border that a frame is given before it is cut into tiles."""
        return Padding.of(*frame.shape[:2], self.stride)

    def _room(self) -> int:
        """Return how many pixels fit into free memory."""
        fit = int(SHARE * free_memory(self.device) / self._bytes_per_pixel)
        return fit if self._most_pixels is None else min(fit, self._most_pixels)

    def tiles(self, height: int, width: int, halo: int | None = None) -> list[Tile]:
        """Cut a padded frame into tiles: one when it fits into memory.

        All frames of a size are cut alike, so that values kept for a tile fit the next time.
        """
        halo = halo or self.halo
        side = self.tile
        if side is None:
            side = self._cuts.get((height, width, halo))
        if side is None:
            room = self._room()
            side = round_up(max(height, width), self.stride)
            while min(side + 2 * halo, height) * min(side + 2 * halo, width) > room:
                if side <= 2 * self.stride or side <= 64:
                    break
                side = round_up(side // 2, self.stride)
            self._cuts[height, width, halo] = side
        return list(tiles(height, width, side, halo))

    def batch(self, pixels: int) -> int:
        """Return how many frames of `pixels` pixels to run at once."""
        most = CPU_PIXELS if self.device.type == "cpu" else GPU_PIXELS
        return max(1, min(most, self._room()) // pixels)

    def in_pieces(
        self,
        count: int,
        shape: tuple[int, int],
        work: Callable[[Engine, Tile, int, int], np.ndarray],
        out: np.ndarray,
        halo: int | None = None,
    ) -> None:
        """Draw frames in pieces that fit into memory, into `out`, (count, Y, X[, C]).

        `shape`: of a padded frame, in px; `halo`: px around a tile that are seen, the network's
        own when None. ``work(engine, tile, first, last)`` draws frames
        ``first..last-1`` on a tile: (N, Y, X) or (N, Y, X, C), as large as the tile that the
        network sees.
        """
        halo = halo or self.halo
        for tile in self.tiles(*shape, halo):
            first = 0
            while first < count:
                last = min(count, first + self.batch(tile.pixels))
                self._piece(tile, first, last, shape, work, out, halo)
                first = last

    def _piece(self, tile: Tile, first: int, last: int, shape, work, out, halo: int) -> None:
        try:
            drawn = work(self, tile, first, last)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            problem = str(error).splitlines()[0] if str(error) else type(error).__name__
        else:
            out[first:last, tile.out_y, tile.out_x] = drawn[:, tile.keep_y, tile.keep_x]
            if self._most_pixels is not None:
                self._most_pixels = max(self._most_pixels, (last - first) * tile.pixels)
            return
        # outside of the handler, whose traceback holds on to tensors
        release_memory(self.device)
        self._most_pixels = 0
        self._cuts.clear()
        smaller = tile.quarters(*shape, halo, self.stride)
        if last - first > 1:
            self._warn("batch", f"{problem}: fewer frames are computed at once")
            middle = (first + last) // 2
            for part in ((first, middle), (middle, last)):
                self._piece(tile, *part, shape, work, out, halo)
        elif len(smaller) > 1:
            self._warn("tile", f"{problem}: frames are computed in smaller tiles")
            for part in smaller:
                self._piece(part, first, last, shape, work, out, halo)
        elif self.device.type != "cpu":
            self._warn("cpu", f"{problem}: {self.device} is too small, the CPU computes")
            self._on_cpu()._piece(tile, first, last, shape, work, out, halo)
        else:
            raise MemoryError(
                f"not enough memory for a tile of {tile.y.stop - tile.y.start} x "
                f"{tile.x.stop - tile.x.start} px ({problem}); close other programs or layers, "
                "or magnify a region of the movie"
            )

    def _on_cpu(self) -> Engine:
        return engine(self.arguments["model"], "cpu", None, self.arguments["tile"])

    def _warn(self, what: str, message: str) -> None:
        """Warn, once for each kind of problem."""
        if what not in self._warned:
            self._warned.add(what)
            warnings.warn(message, stacklevel=3)

    # ---- the `difference` network ----

    def difference(
        self,
        frames: Sequence[np.ndarray],
        variations: Sequence[np.ndarray],
        gain: float | np.ndarray,
        *,
        draw: bool = True,
        denoise: Sequence[float] | None = None,
        direction: float | None = None,
        pair: bool = False,
        still: Sequence[bool] | None = None,
        far: Callable[[float, float], object] | None = None,
        traced: bool = False,
    ) -> np.ndarray:
        """Run the ``difference`` network on frames and their T(luma), with gain m - 1.

        `gain`: a number, or one for each pixel (Y, X). `denoise`: how much of the noise of each
        frame to take away; all of it when None. `direction`: along which to magnify, rad. `pair`:
        whether T compares a frame with others. `still`: which frames are only denoised.
        ``far(share, limit)`` is called with the share of a tile that is moved by nearly the limit.
        `traced`: whether x and y of the motion, px, follow the channels of each frame.
        """
        if self.kind != "difference":
            raise TypeError(f"the weights are of {self.kind!r}, not of 'difference'")
        padding = self.padding(frames[0])
        padded = [padding.add(frame) for frame in frames]
        changes = [padding.add(variation) for variation in variations]
        gains = [padding.add(gain)] * len(frames) if isinstance(gain, np.ndarray) else None

        def work(engine: Engine, tile: Tile, first: int, last: int) -> np.ndarray:
            def cut(planes):
                return engine.upload([p[tile.y, tile.x] for p in planes[first:last]])

            with engine.streaming():
                given = cut(padded), cut(changes), gain if gains is None else cut(gains)
                with engine.working():
                    options = {"draw": draw, "direction": direction, "pair": pair}
                    for name, values, kind in (
                        ("denoise", denoise, torch.float32),
                        ("still", still, torch.bool),
                    ):
                        if values is not None:
                            options[name] = torch.tensor(
                                values[first:last], dtype=kind, device=engine.device
                            )
                    drawn = engine._difference(*given, traced=traced, **options)
                    engine.finish()
                    network = engine.network(given[0].shape[1])
                    share = float(network.far)
                if far is not None:
                    far(share, network.config.limit)
                return engine.download(drawn)

        shape = padded[0].shape
        if traced:
            shape = (*shape[:2], 3 if len(shape) == 2 else shape[2] + 2)
        out = np.empty((len(frames), *shape), np.float32)
        halo = self.pair_halo if pair else self.halo
        self.in_pieces(len(frames), padded[0].shape[:2], work, out, halo)
        return np.stack([padding.remove(frame) for frame in out])


@lru_cache(maxsize=4)
def _engine(
    path: Path, sha256: str, device: str, precision: str | None, tile, compile: bool
) -> Engine:
    return Engine(path, device, precision, tile, compile)


_ENGINE_GUARD = threading.Lock()


def engine(model="default", device=None, precision=None, tile=None, compile=False) -> Engine:
    """Return an engine, shared by all that need the same weights, device, precision and tile."""
    path = weights.resolve(model)
    with _ENGINE_GUARD:  # two threads at once must not load the weights twice
        digest = weights.sha256(path)
        return _engine(path, digest, str(choose_device(device)), precision, tile, compile)


# ---- tiles ----


@dataclass(frozen=True)
class Tile:
    """A part of a padded frame: what the network sees, and which of its outputs are kept."""

    y: slice
    x: slice
    keep_y: slice
    keep_x: slice
    out_y: slice
    out_x: slice

    @property
    def place(self) -> tuple[int, int, int, int]:
        """Where the tile is: part of the key of values kept for it."""
        return self.y.start, self.y.stop, self.x.start, self.x.stop

    @property
    def pixels(self) -> int:
        """Number of pixels that the network sees."""
        return (self.y.stop - self.y.start) * (self.x.stop - self.x.start)

    def quarters(self, height: int, width: int, halo: int, stride: int) -> list[Tile]:
        """Return smaller tiles that together keep what this one keeps; itself if it is smallest."""

        def halves(kept: slice) -> list[slice]:
            size = kept.stop - kept.start
            middle = -(-(size // 2) // stride) * stride
            if size < 2 * SMALLEST_TILE or not 0 < middle < size:
                return [kept]
            return [slice(kept.start, kept.start + middle), slice(kept.start + middle, kept.stop)]

        return [
            _tile(y, x, height, width, halo) for y in halves(self.out_y) for x in halves(self.out_x)
        ]


def _tile(out_y: slice, out_x: slice, height: int, width: int, halo: int) -> Tile:
    def seen(kept, size):
        first, last = max(0, kept.start - halo), min(size, kept.stop + halo)
        return slice(first, last), slice(kept.start - first, kept.stop - first)

    (y, keep_y), (x, keep_x) = seen(out_y, height), seen(out_x, width)
    return Tile(y, x, keep_y, keep_x, out_y, out_x)


def tiles(height: int, width: int, tile: int, halo: int) -> Iterator[Tile]:
    """Cut a padded frame into tiles with a halo; the halo ends at the frame's border."""
    for y in range(0, height, tile):
        for x in range(0, width, tile):
            kept = slice(y, min(y + tile, height)), slice(x, min(x + tile, width))
            yield _tile(*kept, height, width, halo)


@dataclass(frozen=True)
class Padding:
    """Reflected border of a frame, to a multiple of the stride."""

    top: int
    left: int
    bottom: int
    right: int

    @classmethod
    def of(cls, height: int, width: int, stride: int) -> Padding:
        """Make the border of a frame: `PAD` px or more, before it a multiple of the stride."""
        before = round_up(PAD, stride)

        def after(size):
            return PAD + (-(size + before + PAD)) % stride

        return cls(before, before, after(height), after(width))

    def add(self, frame: np.ndarray) -> np.ndarray:
        """Return a frame, (Y, X) or (Y, X, C), with its border."""
        border = [(self.top, self.bottom), (self.left, self.right)] + [(0, 0)] * (frame.ndim - 2)
        return np.pad(frame, border, mode="reflect")

    def remove(self, frame: np.ndarray) -> np.ndarray:
        """Return the frame within its border."""
        height, width = frame.shape[:2]
        return frame[self.top : height - self.bottom, self.left : width - self.right]


def round_up(size: int, stride: int) -> int:
    """Return the next multiple of the stride."""
    return -(-size // stride) * stride


def checked_tile(tile) -> int | None:
    """Return the side of a tile in px; None, to be chosen by free memory, stays None."""
    if tile is None:
        return None
    if isinstance(tile, bool) or not isinstance(tile, (int, np.integer)) or tile < SMALLEST_TILE:
        raise ValueError(f"tile must be an integer of at least {SMALLEST_TILE} px, got {tile!r}")
    return int(tile)
