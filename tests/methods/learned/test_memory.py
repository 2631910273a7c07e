"""Running out of memory on the device, injected: fewer frames, smaller tiles, the CPU."""

import warnings
import weakref
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from napari_motionmag.methods.learned import kernels, weights
from napari_motionmag.methods.learned.engine import SHARE, Engine, Padding, tiles

ERRORS = {
    "device": lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    "computer": lambda: RuntimeError(
        "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: "
        "you tried to allocate 8 bytes. Error code 12 (Cannot allocate memory)"
    ),
    "python": MemoryError,
}


@pytest.fixture
def weights_file(tmp_path):
    torch.manual_seed(0)
    network = weights.build("difference")
    for parameter in network.parameters():
        if not parameter.any():  # layers that start at zero would draw nothing
            torch.nn.init.normal_(parameter, 0, 0.05)
    path = tmp_path / "random.safetensors"
    weights.save(path, network, {"model": "difference"})
    return path


@pytest.fixture
def frames():
    rng = np.random.default_rng(0)
    return [rng.random((150, 170), dtype=np.float32) for _ in range(4)]


@pytest.fixture
def changes(frames):
    return [0.05 * (frame - frames[0][::-1]) for frame in frames]


def _limited(engine, monkeypatch, pixels, error):
    """Have the engine's device fail above so many pixels at once; note what it managed."""
    managed = []
    difference = engine._difference

    def limited(frame, variation, *rest, **options):
        count = frame.shape[0] * frame.shape[2] * frame.shape[3]
        if count > pixels:
            raise error()
        managed.append(tuple(frame.shape))
        return difference(frame, variation, *rest, **options)

    monkeypatch.setattr(engine, "_difference", limited)
    return managed


@pytest.mark.parametrize("kind", ERRORS)
def test_fewer_frames_then_smaller_tiles_draw_the_same(
    weights_file, frames, changes, monkeypatch, kind
):
    expected = Engine(weights_file, "cpu").difference(frames, changes, 4.0)
    engine = Engine(weights_file, "cpu")
    monkeypatch.setattr(engine, "halo", engine.stride * 2)  # tiles smaller than the reach, for once
    exact = Engine(weights_file, "cpu", tile=64)
    managed = _limited(engine, monkeypatch, 110 * 110, ERRORS[kind])
    with pytest.warns(UserWarning, match="(?i)memory") as caught:
        engine.difference(frames, changes, 4.0)
    told = [str(w.message) for w in caught]
    assert len(told) == 2, told
    assert "fewer frames are computed at once" in told[0]
    assert "smaller tiles" in told[1]
    assert len(managed) > 4
    # with the halo that the network needs nothing but rounding changes
    assert np.abs(exact.difference(frames, changes, 4.0) - expected).max() < 1e-5


@pytest.mark.parametrize("model", ["difference", "oh2018"])
def test_cut_work_equals_the_whole(model, monkeypatch):
    """Quarters of quarters of tiles, to the network's own halo."""
    rng = np.random.default_rng(1)
    seen = []
    engine = Engine(model, "cpu")
    height = width = Padding.of(200, 200, engine.stride).top * 2 + 224
    source = rng.random((2, height, width)).astype(np.float32)

    def work(engine, tile, first, last):
        if (last - first) * tile.pixels > 150 * 150 and tile.out_y != slice(0, 32):
            raise torch.OutOfMemoryError("out of memory")
        seen.append(tile)
        return source[first:last, tile.y, tile.x]

    monkeypatch.setattr(engine, "halo", 2 * engine.stride)
    out = np.full_like(source, np.nan)
    with pytest.warns(UserWarning, match="out of memory"):
        engine.in_pieces(2, (height, width), work, out)
    assert np.array_equal(out, source)
    assert len(seen) > 4
    assert all(t.out_y.start % engine.stride == 0 == t.y.start % engine.stride for t in seen)


def test_what_was_learnt_is_remembered_and_said_once(weights_file, frames, changes, monkeypatch):
    engine = Engine(weights_file, "cpu")
    monkeypatch.setattr(engine, "halo", engine.stride)
    failures = []

    def error():
        failures.append(1)
        return torch.OutOfMemoryError("CUDA out of memory")

    _limited(engine, monkeypatch, 120 * 120, error)
    with pytest.warns(UserWarning, match="CUDA out of memory"):
        engine.difference(frames, changes, 4.0)
    failures.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        engine.difference(frames, changes, 4.0)
    assert failures == []


def test_a_device_that_is_too_small_gives_way_to_the_cpu(
    weights_file, frames, changes, monkeypatch
):
    expected = Engine(weights_file, "cpu").difference(frames[:1], changes[:1], 4.0)
    engine = Engine(weights_file, "cpu", tile=64)
    monkeypatch.setattr(engine, "device", SimpleNamespace(type="gpu", __str__=lambda _: "gpu"))
    monkeypatch.setattr(engine, "batch", lambda pixels: 1)
    monkeypatch.setattr(engine, "upload", _fail)
    with pytest.warns(UserWarning, match="(?i)memory") as caught:
        out = engine.difference(frames[:1], changes[:1], 4.0)
    assert "the CPU computes" in str(caught[-1].message)
    assert sum("the CPU computes" in str(w.message) for w in caught) == 1
    assert np.abs(out - expected).max() < 1e-5


def _fail(*_):
    raise torch.OutOfMemoryError("out of memory")


def test_when_nothing_helps_the_error_says_what_to_do(weights_file, monkeypatch):
    engine = Engine(weights_file, "cpu")
    monkeypatch.setattr(engine, "upload", _fail)
    blank = np.zeros((48, 48), np.float32)
    with (
        pytest.warns(UserWarning, match="smaller tiles"),
        pytest.raises(MemoryError, match="magnify a region"),
    ):
        engine.difference([blank], [blank], 4.0)


def test_other_errors_are_not_taken_for_memory(weights_file, monkeypatch):
    engine = Engine(weights_file, "cpu")

    def broken(*_):
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(engine, "upload", broken)
    blank = np.zeros((40, 40), np.float32)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        engine.difference([blank], [blank], 4.0)


@pytest.mark.parametrize("model", ["difference", "oh2018"])
def test_the_tile_is_what_fits_into_free_memory(model, monkeypatch):
    engine = Engine(model, "cpu")
    monkeypatch.setattr(
        "napari_motionmag.methods.learned.engine.free_memory", lambda device: 256 * 2**30
    )
    assert len(engine.tiles(4096, 4096)) == 1
    room = 1.5e9
    monkeypatch.setattr("napari_motionmag.methods.learned.engine.free_memory", lambda device: room)
    cut = engine.tiles(4096 + engine.stride, 4096)
    assert len(cut) > 1
    largest = max(tile.pixels for tile in cut)
    assert largest * engine._bytes_per_pixel <= SHARE * room
    assert largest * engine._bytes_per_pixel > 0.05 * SHARE * room
    assert engine.tiles(4096, 4096) == list(tiles(4096, 4096, 4096, engine.halo)), "kept as it was"


class _Live(TorchDispatchMode):
    """Counts the bytes of tensors made while it is on, and the most there were at a time."""

    def __init__(self):
        super().__init__()
        self.most = self._now = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, torch.Tensor):
                self._count(leaf.untyped_storage())
        return out

    def _count(self, storage) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self._now += size
        self.most = max(self.most, self._now)
        weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._now -= size


def test_peak_of_live_tensors():
    with _Live() as live:
        a = torch.zeros(16, 16)
        b = a + 1
        del a
        b * 2
    assert live.most == 8 * 16**2


WIDE = {"half": 64, "quarter": 96, "eighth": 128, "hidden": 64, "drawing": (64, 96, 128, 96)}
NARROW = {"half": 16, "quarter": 16, "eighth": 32, "context": 4, "drawing": (16, 16, 32, 16)}


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("model", "config"),
    [("difference", None), ("difference", WIDE), ("difference", NARROW), ("oh2018", None)],
)
def test_networks_know_how_much_memory_they_take(model, config, channels, tmp_path, monkeypatch):
    path = tmp_path / "w.safetensors"
    weights.save(path, weights.build(model, config), {"model": model})
    engine, side = Engine(path, "cpu"), 64
    monkeypatch.setattr(kernels, "why_unavailable", lambda: "they take less")
    blank = torch.zeros(1, channels, side, side)

    def forward():
        if model == "difference":
            return engine._difference(blank, blank[:, :1], 2.0)
        return engine._draw_once(blank, blank)

    with engine.working():
        forward()  # what is made once does not count
        with _Live() as live:
            forward()
    assert live.most <= side**2 * engine._bytes_per_pixel <= 1.6 * live.most
