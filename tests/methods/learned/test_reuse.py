"""What is read and encoded for one factor serves the next; edits in place are seen."""

import threading

import dask.array as da
import numpy as np
import pytest
import torch

from napari_motionmag import Movie, magnify
from napari_motionmag.magnification.frames import Frames
from napari_motionmag.methods.learned import encodings as features
from napari_motionmag.methods.learned import method as method_module
from napari_motionmag.methods.learned import weights
from napari_motionmag.methods.learned.encodings import DiskStore, Encodings
from napari_motionmag.methods.learned.engine import engine
from napari_motionmag.methods.learned.method import LearnedMagnifier
from napari_motionmag.temporal import FIR, Butterworth, Static
from napari_motionmag.temporal.streaming import Variation

FRAMES = np.random.default_rng(0).integers(0, 255, (40, 24, 32)).astype(np.uint8)
MODES = {
    "static": {},
    "dynamic": {"mode": "dynamic"},
    "band": {"mode": "temporal", "band": (4, 8), "fps": 30},
    "causal": {"mode": "temporal", "band": (4, 8), "fps": 30, "filter": "butterworth"},
}


@pytest.fixture
def model(request, tmp_path):
    """Weights of a network that draws something."""
    torch.manual_seed(0)
    network = weights.build(request.param)
    for parameter in network.parameters():
        if not parameter.any():  # layers that start at zero would draw nothing
            torch.nn.init.normal_(parameter, 0, 0.05)
    path = tmp_path / f"{request.param}.safetensors"
    weights.save(path, network, {"model": request.param})
    return path


both = pytest.mark.parametrize("model", ["difference", "oh2018"], indirect=True)


@pytest.fixture
def encoded(tmp_path, monkeypatch):
    """New weights of oh2018, so that nothing is known yet, and a list that grows by each call."""
    torch.manual_seed(np.random.default_rng().integers(2**31))
    path = tmp_path / "w.safetensors"
    weights.save(path, weights.build("oh2018"), {"model": "oh2018"})
    runner = engine(path).runner(1)
    calls, encode = [], runner.encoder
    monkeypatch.setattr(runner, "encoder", lambda x: calls.append(1) or encode(x))
    return path, calls


@pytest.mark.parametrize("mode", MODES)
def test_a_new_factor_reads_and_encodes_nothing_anew(encoded, counting_source, mode):
    model, calls = encoded
    movie, reads = counting_source(FRAMES)
    magnify(movie, 5, model=model, **MODES[mode])[20].compute()
    assert len(calls) == len(set(reads)) == len(reads)
    reads.clear()
    calls.clear()
    first = magnify(movie, 9, model=model, **MODES[mode])[20].compute()
    assert (reads, calls) == ([], [])
    again = magnify(FRAMES, 9, model=model, **MODES[mode])[20].compute()
    assert np.array_equal(first, again)


@pytest.mark.parametrize("mode", MODES)
def test_arrays_in_memory_are_known_by_content(encoded, mode):
    model, calls = encoded
    frames = FRAMES.copy()
    magnify(frames, 5, model=model, **MODES[mode])[20].compute()
    calls.clear()
    magnify(frames, 9, model=model, **MODES[mode])[20].compute()
    assert calls == []
    frames[20, 3:9, 3:9] = 255  # a user paints into the frame
    calls.clear()
    painted = magnify(frames, 9, model=model, **MODES[mode])[20].compute()
    assert len(calls) == 1, "the frame that was edited, no other"
    expected = magnify(frames.copy(), 9, model=model, **MODES[mode])[20].compute()
    assert np.array_equal(painted, expected)


@both
@pytest.mark.parametrize("mode", MODES)
def test_edits_of_other_frames_are_seen(model, mode):
    frames = FRAMES.copy()
    out = magnify(frames, 9, model=model, **MODES[mode])
    before = out[20].compute()
    frames[[0, 19]] = 255 - frames[[0, 19]]
    after = magnify(frames, 9, model=model, **MODES[mode])[20].compute()
    assert not np.array_equal(before, after)
    expected = magnify(frames.copy(), 9, model=model, **MODES[mode])[20].compute()
    assert np.array_equal(after, expected)


def test_two_movies_are_never_taken_for_one_another():
    a = da.from_array(FRAMES, chunks=(1, -1, -1), name="same")
    b = da.from_array(255 - FRAMES, chunks=(1, -1, -1), name="same")
    assert not np.array_equal(magnify(a, 5)[3].compute(), magnify(b, 5)[3].compute())
    assert magnify(a, 5)[3].compute().max() >= 0
    c = da.from_array(FRAMES, chunks=(1, -1, -1))
    first = magnify(c, 5)[3].compute()
    c[3, :8] = 0  # items are assigned: the same object, another name
    assert not np.array_equal(first, magnify(c, 5)[3].compute())


def test_another_range_is_another_picture(encoded):
    model, calls = encoded
    movie = Movie(FRAMES.astype(np.uint16), "TYX", intensity_range=(0, 255))
    magnify(movie, 5, model=model)[3].compute()
    calls.clear()
    magnify(movie.replace(intensity_range=(0, 400)), 5, model=model)[3].compute()
    assert len(calls) == 2


# ---- encodings beyond memory ----


@pytest.fixture
def little_memory(monkeypatch):
    """A store that holds a few encodings in memory and the rest on disk."""
    store = Encodings(limit=500_000)
    monkeypatch.setattr(features, "MOST_MEMORY_BYTES", 500_000)
    monkeypatch.setattr(method_module, "_encodings", lambda: store)
    return store


@pytest.mark.parametrize(
    "operator", [FIR(4, 8, fps=30), Butterworth(4, 8, fps=30), Static(slice(0, 9))], ids=str
)
def test_encodings_on_disk_draw_the_same(encoded, little_memory, operator):
    model, calls = encoded
    exact = magnify(FRAMES, 6, model=model, mode=operator)[17:24].compute()
    calls.clear()
    little_memory.memory.clear()
    stored = da.from_array(FRAMES, chunks=(1, -1, -1))
    out = magnify(stored, 6, model=model, mode=operator)[17:24].compute()
    assert little_memory.disk.bytes > 0
    assert little_memory.memory.bytes <= 500_000
    assert len(calls) <= 40, "each frame once"
    assert np.abs(out.astype(int) - exact).max() <= 1


def test_differences_on_disk_are_exact_to_a_part(tmp_path):
    store = Encodings(limit=1)
    store.memory.limit = 40_000
    torch.manual_seed(0)
    base = 5 + torch.randn(1, 8, 20, 20)
    wanted = {}
    for k in range(12):
        change = 1e-3 * torch.randn(1, 8, 20, 20)
        wanted[k] = base + change
        store.get("movie", k, lambda k=k: (torch.zeros(1, 8, 10, 10), wanted[k]), 0)
    assert store.disk.bytes > 0
    for k in range(12):
        _, shape = store.get("movie", k, _never, 0)
        error = (shape - wanted[k]).abs().max().item()
        assert error < 1e-5, "float16 alone would be off by 2e-3"


def _never():
    raise AssertionError("it is on disk")


def test_the_disk_is_bounded_and_emptied():
    store = DiskStore(limit=10_000)
    for k in range(20):
        store.put(k, (np.full(500, k, np.float16), np.zeros(200, np.float16)))
    assert store.bytes <= 10_000
    assert store.get(0, 2) is None
    kept = store.get(19, 2)
    assert kept[0][0] == 19
    assert len(kept) == 2
    folder = store.folder
    assert len(list(folder.iterdir())) == store.bytes // 1400
    store.drop(lambda key: key % 2)
    assert store.get(19, 2) is None
    del store
    assert not folder.exists()


def test_a_full_disk_is_said_once(monkeypatch):
    store = DiskStore(limit=10_000)

    def full(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.warns(UserWarning, match="No space left on device"):
        store.put(0, (np.zeros(9, np.float16),))
    store.put(1, (np.zeros(9, np.float16),))  # no second warning: it would be an error here
    assert store.get(0, 1) is None


# ---- many at once ----


@both
def test_viewers_and_an_export_at_once_get_the_right_frames(model):
    """Three threads that jump about with factors of their own, and one that runs through."""
    movie = da.from_array(FRAMES, chunks=(1, -1, -1))
    options = {"model": model, **MODES["causal"]}
    expected = {m: magnify(movie, m, **options).compute(scheduler="synchronous") for m in (3, 7)}
    found, errors = [], []

    def view(factor, seed):
        try:
            lazy = magnify(movie, factor, **options)
            for t in np.random.default_rng(seed).integers(0, len(FRAMES), 10):
                found.append((factor, int(t), lazy[int(t)].compute(scheduler="synchronous")))
        except Exception as error:  # re-raised below
            errors.append(error)

    def export():
        try:
            whole = magnify(movie, 7, **options).compute(scheduler="threads", num_workers=3)
            found.extend((7, t, frame) for t, frame in enumerate(whole))
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=view, args=(m, s)) for s, m in enumerate((3, 7, 3))]
    threads.append(threading.Thread(target=export))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not errors, errors
    assert len(found) == 30 + len(FRAMES)
    for factor, t, frame in found:
        assert np.abs(frame.astype(int) - expected[factor][t]).max() <= 1, (factor, t)


def test_threads_of_torch_and_dask_do_not_multiply(monkeypatch):
    """However many threads ask, one at a time computes."""
    runner = engine("difference", "cpu")
    inside, most = [], []
    draw = runner._difference

    def watched(*arguments):
        inside.append(1)
        most.append(len(inside))
        try:
            return draw(*arguments)
        finally:
            inside.pop()

    monkeypatch.setattr(runner, "_difference", watched)
    magnify(FRAMES, 4, model="difference").compute(scheduler="threads", num_workers=6)
    assert len(most) >= len(FRAMES) - 1
    assert max(most) == 1


@both
def test_runs_equal_single_frames(model):
    frames = [frame.astype(np.float32) / 255 for frame in FRAMES]
    method = LearnedMagnifier(model)
    for operator in (Static(), FIR(4, 8, fps=30), Butterworth(4, 8, fps=30)):
        run = method.magnify(frames, operator, range(10, 22), 5.0)
        for k, t in enumerate((10, 15, 21)):
            alone = method.magnify(frames, operator, [t], 5.0)[0]
            assert np.abs(run[t - 10] - alone).max() < 2e-3, (operator, k)


@pytest.mark.parametrize("channels", [1, 3])
def test_outputs_made_together_take_no_more_memory_than_planned(channels, monkeypatch):
    """A filter's window that does not fit: grey frames are no cheaper than colour ones."""
    monkeypatch.setattr(Frames, "reserve", lambda self, count: False)
    shape = (40, 24, 32) if channels == 1 else (40, 24, 32, 3)
    frames = np.random.default_rng(1).integers(0, 255, shape).astype(np.uint8)
    together = []
    added_up = Variation._added_up

    def watched(self, times, get):
        together.append(len(times))
        return added_up(self, times, get)

    monkeypatch.setattr(Variation, "_added_up", watched)
    monkeypatch.setattr(method_module, "RUN_BYTES", 4 * 8 * 24 * 32)  # two planes of 4 outputs
    out = magnify(frames, 5, mode="temporal", band=(4, 8), fps=30)
    for t in (10, 11, 12):
        out[t].compute()
    assert together == [1, 4]
