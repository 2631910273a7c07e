"""Runs a network: device, precision, batches and tiles, in one place.

Frames go in and come out as NumPy arrays. Everything that touches the device between upload and
download happens under that device's lock, so that threads take turns on one pool of torch's.
When memory runs out, the batch is halved, then the tiles, and finally the CPU takes over.
"""

import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from napari_motionmag.compute import memory
from napari_motionmag.compute.device import choose_device, device_lock
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
from napari_motionmag.methods.learned.tiles import Padding, Tile, checked_tile, round_up, tiles

CPU_PIXELS = 2**18  # frames together on a CPU: more at once only takes more memory
GPU_PIXELS = 2**24  # and on a GPU: it is busy with as many
SHARE = 0.4  # of the free memory that one call may take: convolutions need scratch space, too


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
    stride, halo : int
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
        tile = checked_tile(tile)
        self.tile = None if tile is None else round_up(tile, self.stride)
        self.lock = device_lock(self.device)
        self._threads = threading.local()
        self._warned: set[str] = set()
        self._most_pixels: int | None = None  # what did fit after something did not
        self._cuts: dict[tuple[int, int], int] = {}
        self._color = self._prepare(network)
        self._grey = self._prepare(network.to_grey())
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
        for part in network.modules():  # a large frame takes seconds, which nobody should wait for
            part.register_forward_pre_hook(lambda *_: self.lock.give_way())
        return network.requires_grad_(False)

    def network(self, channels: int):
        """The network for frames of 1 or 3 channels."""
        return self._grey if channels == 1 else self._color

    def runner(self, channels: int, exact: bool = False):
        """The network for 1 or 3 channels as it is run; of ``oh2018``, its parts."""
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
                    f"up to {255 * far:.1f} grey levels of 255 on {self.device}; leave precision "
                    "out for the fastest one that does not",
                    stacklevel=4,
                )
            return requested
        return next((d for d in candidates(self.device) if off(d) <= TOLERANCE), torch.float32)

    def _draw_once(self, rest: Tensor, frame: Tensor) -> Tensor:
        if self.kind == "difference":
            return self._difference(frame, frame - rest, FACTOR - 1)
        runner = self.runner(frame.shape[1])
        _, shape_a = runner.encoder(rest)
        texture, shape_b = runner.encoder(frame)
        shape = shape_b.float()
        return self.decode(frame.shape[1], texture, shape, shape - shape_a.float(), FACTOR)

    def decode(
        self, channels: int, texture: Tensor, shape: Tensor, delta: Tensor, factor: float
    ) -> Tensor:
        """Draw frames (N, channels, Y, X) from texture, shape and its variation (``oh2018``).

        The variation is multiplied in float32: large factors pass the range of 16-bit floats.
        """
        exact = self.runner(channels, exact=True)
        delta = exact.variation(delta.float())
        shape = shape.float() - delta + exact.response(delta, factor).float()
        return self.runner(channels).decoder(texture, shape).float()

    def _difference(
        self, frame: Tensor, variation: Tensor, gain: float, draw: bool = True
    ) -> Tensor:
        network = self.runner(frame.shape[1])
        return network(frame, variation, frame.new_full((len(frame),), gain), draw)

    # ---- the device ----

    @contextmanager
    def working(self):
        """The device for this thread alone, without gradients, in the chosen precision."""
        with self.lock, torch.inference_mode(), self._cast():
            yield

    @contextmanager
    def streaming(self):
        """What copies to and from a GPU in this thread goes while other threads compute there."""
        if self.device.type != "cuda":
            yield
            return
        if not hasattr(self._threads, "stream"):
            self._threads.stream = torch.cuda.Stream(self.device)
        with torch.cuda.stream(self._threads.stream):
            yield

    def finish(self) -> None:
        """Wait for what this thread has a GPU compute; before others may use the device."""
        if self.device.type == "cuda":
            torch.cuda.current_stream(self.device).synchronize()

    def _cast(self):
        if self.kind == "oh2018" or self.dtype == torch.float32:
            return nullcontext()  # the folded network has its own number type
        return torch.autocast(self.device.type, self.dtype)

    def upload(self, frame: np.ndarray | Sequence[np.ndarray]) -> Tensor:
        """(Y, X) or (Y, X, C), or several, to a tensor (N, C, Y, X) on the device."""
        frames = [frame] if isinstance(frame, np.ndarray) else frame
        planes = [f[None] if f.ndim == 2 else f.transpose(2, 0, 1) for f in frames]
        tensor = torch.from_numpy(np.stack(planes).astype(np.float32, copy=False))
        if self.device.type == "cuda":  # from pinned memory it goes while the GPU computes
            tensor = tensor.pin_memory()
        tensor = tensor.to(self.device, non_blocking=True)
        return tensor.contiguous(memory_format=torch.channels_last)

    @staticmethod
    def download(tensor: Tensor) -> np.ndarray:
        """(N, C, Y, X) to (N, Y, X) or (N, Y, X, C), float32."""
        planes = tensor.float().cpu().numpy()
        return planes[:, 0] if planes.shape[1] == 1 else planes.transpose(0, 2, 3, 1)

    # ---- pieces of work ----

    def padding(self, frame: np.ndarray) -> Padding:
        """The border that a frame is given before it is cut into tiles."""
        return Padding.of(*frame.shape[:2], self.stride)

    def _room(self) -> int:
        """Pixels that fit into the memory that is free."""
        fit = int(SHARE * memory.free_memory(self.device) / self._bytes_per_pixel)
        return fit if self._most_pixels is None else min(fit, self._most_pixels)

    def tiles(self, height: int, width: int) -> list[Tile]:
        """Tiles of a padded frame: one when it fits into memory.

        The same for all frames of a size, so that what is kept of a tile fits the next time.
        """
        side = self.tile
        if side is None:
            side = self._cuts.get((height, width))
        if side is None:
            room = self._room()
            side = round_up(max(height, width), self.stride)
            while min(side + 2 * self.halo, height) * min(side + 2 * self.halo, width) > room:
                if side <= 2 * self.stride or side <= 64:
                    break
                side = round_up(side // 2, self.stride)
            self._cuts[height, width] = side
        return list(tiles(height, width, side, self.halo))

    def batch(self, pixels: int) -> int:
        """How many frames of `pixels` pixels to run at once."""
        most = CPU_PIXELS if self.device.type == "cpu" else GPU_PIXELS
        return max(1, min(most, self._room()) // pixels)

    def in_pieces(
        self,
        count: int,
        shape: tuple[int, int],
        work: Callable[["Engine", Tile, int, int], np.ndarray],
        out: np.ndarray,
    ) -> None:
        """Have frames drawn piece by piece, in pieces that fit into memory.

        Parameters
        ----------
        count : int
            Number of frames.
        shape : (int, int)
            Of a padded frame, in px.
        work : callable
            ``work(engine, tile, first, last)`` draws frames ``first..last-1`` on a tile: an array
            (N, Y, X) or (N, Y, X, C) as large as what the network sees.
        out : ndarray
            (count, Y, X) or (count, Y, X, C), written to.
        """
        for tile in self.tiles(*shape):
            first = 0
            while first < count:
                last = min(count, first + self.batch(tile.pixels))
                self._piece(tile, first, last, shape, work, out)
                first = last

    def _piece(self, tile: Tile, first: int, last: int, shape, work, out) -> None:
        try:
            drawn = work(self, tile, first, last)
        except (RuntimeError, MemoryError) as error:
            if not memory.is_out_of_memory(error):
                raise
            problem = str(error).splitlines()[0] if str(error) else type(error).__name__
        else:
            out[first:last, tile.out_y, tile.out_x] = drawn[:, tile.keep_y, tile.keep_x]
            if self._most_pixels is not None:
                self._most_pixels = max(self._most_pixels, (last - first) * tile.pixels)
            return
        # outside of the handler, whose traceback holds on to tensors
        memory.release(self.device)
        self._most_pixels = 0
        self._cuts.clear()
        smaller = tile.quarters(*shape, self.halo, self.stride)
        if last - first > 1:
            self._warn("batch", f"{problem}: fewer frames are computed at once")
            middle = (first + last) // 2
            for part in ((first, middle), (middle, last)):
                self._piece(tile, *part, shape, work, out)
        elif len(smaller) > 1:
            self._warn("tile", f"{problem}: frames are computed in smaller tiles")
            for part in smaller:
                self._piece(part, first, last, shape, work, out)
        elif self.device.type != "cpu":
            self._warn("cpu", f"{problem}: {self.device} is too small, the CPU computes")
            self._on_cpu()._piece(tile, first, last, shape, work, out)
        else:
            raise MemoryError(
                f"not enough memory for a tile of {tile.y.stop - tile.y.start} x "
                f"{tile.x.stop - tile.x.start} px ({problem}); close other programs or layers, "
                "or magnify a region of the movie"
            )

    def _on_cpu(self) -> "Engine":
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
        gain: float,
        draw: bool = True,
    ) -> np.ndarray:
        """Run the ``difference`` network on frames and their T(luma), with gain m - 1."""
        if self.kind != "difference":
            raise TypeError(f"the weights are of {self.kind!r}, not of 'difference'")
        padding = self.padding(frames[0])
        padded = [padding.add(frame) for frame in frames]
        changes = [padding.add(variation) for variation in variations]

        def work(engine: Engine, tile: Tile, first: int, last: int) -> np.ndarray:
            def cut(planes):
                return engine.upload([p[tile.y, tile.x] for p in planes[first:last]])

            with engine.streaming():
                given = cut(padded), cut(changes)
                with engine.working():
                    drawn = engine._difference(*given, gain, draw)
                    engine.finish()
                return engine.download(drawn)

        out = np.empty((len(frames), *padded[0].shape), np.float32)
        self.in_pieces(len(frames), padded[0].shape[:2], work, out)
        return np.stack([padding.remove(frame) for frame in out])


@lru_cache(maxsize=4)
def _engine(
    path: Path, sha256: str, device: str, precision: str | None, tile, compile: bool
) -> Engine:
    return Engine(path, device, precision, tile, compile)


_ENGINE_GUARD = threading.Lock()


def engine(model="default", device=None, precision=None, tile=None, compile=False) -> Engine:
    """An engine, shared by all who ask for the same weights, device, precision and tile."""
    path = weights.resolve(model)
    with _ENGINE_GUARD:  # two threads at once must not load the weights twice
        digest = weights.sha256(path)
        return _engine(path, digest, str(choose_device(device)), precision, tile, compile)
