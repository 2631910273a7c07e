"""What is read and encoded for one factor serves the next; new calls see arrays as they are."""

import threading

import dask.array as da
import numpy as np
import pytest
import torch

from napari_motionmag import Movie, magnify
from napari_motionmag.compute.cache import set_budget, used
from napari_motionmag.compute.device import INTERACTIVE, priority
from napari_motionmag.magnification.magnification import magnification_behind
from napari_motionmag.methods.learned import method as method_module
from napari_motionmag.methods.learned import weights
from napari_motionmag.methods.learned.engine import engine
from napari_motionmag.methods.learned.method import LearnedMagnifier
from napari_motionmag.movie.frame_source import FrameSource
from napari_motionmag.temporal import FIR, Butterworth, Static
from napari_motionmag.temporal.streaming import StreamingOperator

pytestmark = pytest.mark.filterwarnings("ignore:.*of a frame would move by more")  # untrained

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


@pytest.mark.parametrize("mode", ["static", "dynamic"])
def test_a_run_through_a_long_movie_reads_each_frame_once_and_keeps_the_last(
    encoded, counting_source, mode
):
    model, calls = encoded
    movie, reads = counting_source(FRAMES)
    film = Movie(movie, "TYX")
    lazy = magnify(film, 5, model=model, **MODES[mode])
    kept = []
    for t in range(len(movie)):
        lazy[t].compute(scheduler="synchronous")
        kept.append(film.cache.nbytes)
    assert len(calls) == len(set(reads)) == len(reads)
    assert max(kept) <= 1.1 * max(kept[:25])


def test_threads_of_dask_read_each_frame_once(counting_source):
    """They take frames in another order than that of time."""
    frames = FRAMES[:, :16, :16]
    movie, reads = counting_source(frames)
    options = {"method": "linear", "mode": "dynamic", "intensity_range": (0, 1), "axes": "TYX"}
    magnify(movie, 3, **options).compute(scheduler="threads", num_workers=3)
    assert sorted(reads) == list(range(len(frames)))


def test_a_viewer_keeps_what_it_has_been_through(encoded, counting_source):
    model, calls = encoded
    movie, reads = counting_source(FRAMES)
    film = Movie(movie, "TYX")
    with priority(INTERACTIVE):
        for factor in (5, 7):
            lazy = magnify(film, factor, model=model)
            for t in range(len(FRAMES)):
                lazy[t].compute(scheduler="synchronous")
    assert len(calls) == len(reads) == len(FRAMES)


@pytest.mark.parametrize("mode", MODES)
def test_a_movie_in_memory_is_encoded_once_for_all_factors(encoded, mode):
    model, calls = encoded
    movie = Movie(FRAMES, "TYX")
    magnify(movie, 5, model=model, **MODES[mode])[20].compute()
    calls.clear()
    drawn = magnify(movie, 9, model=model, **MODES[mode])[20].compute()
    assert calls == []
    again = magnify(FRAMES, 9, model=model, **MODES[mode])[20].compute()
    assert np.array_equal(drawn, again)


@both
@pytest.mark.parametrize("mode", MODES)
def test_a_new_call_sees_an_array_as_it_is_now(model, mode):
    frames = FRAMES.copy()
    before = magnify(frames, 9, model=model, **MODES[mode])[20].compute()
    for edited in ([20], [0, 19]):  # a user paints into the frame, and into others
        frames[edited] = 255 - frames[edited]
        after = magnify(frames, 9, model=model, **MODES[mode])[20].compute()
        assert not np.array_equal(before, after)
        expected = magnify(frames.copy(), 9, model=model, **MODES[mode])[20].compute()
        assert np.array_equal(after, expected)
        before = after


@both
@pytest.mark.parametrize("mode", MODES)
def test_the_same_result_sees_edits_once_it_is_refreshed(model, mode):
    frames = FRAMES.copy()
    movie = Movie(frames, "TYX")
    lazy = magnify(movie, 9, model=model, **MODES[mode])
    magnification = magnification_behind(lazy)
    lazy[20].compute()
    magnification.draw([20], keep=True)
    frames[[0, 19, 20]] = 255 - frames[[0, 19, 20]]
    magnification.refresh()
    expected = magnify(frames.copy(), 9, model=model, **MODES[mode])[20].compute()
    assert np.array_equal(lazy[20].compute(), expected)
    assert np.array_equal(magnification.draw([20], keep=True)[0], expected)
    assert np.array_equal(magnify(movie, 9, model=model, **MODES[mode])[20].compute(), expected)


def test_an_estimated_range_is_estimated_again_when_a_movie_is_refreshed():
    frames = FRAMES.astype(np.uint16)
    movie, given = Movie(frames, "TYX"), Movie(frames, "TYX", intensity_range=(0, 300))
    before = movie.intensity_range
    frames *= 100
    assert movie.intensity_range == before
    movie.refresh()
    given.refresh()
    assert movie.intensity_range[1] > 50 * before[1]
    assert given.intensity_range == (0, 300)


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


# ---- more than may be kept ----


@pytest.fixture
def little_memory():
    """Room for a few encodings."""
    set_budget(500_000)
    yield
    set_budget(None)


@pytest.mark.parametrize(
    "operator", [FIR(4, 8, fps=30), Butterworth(4, 8, fps=30), Static(slice(0, 9))], ids=str
)
def test_encodings_that_do_not_fit_are_made_again(encoded, little_memory, operator):
    model, _ = encoded
    stored = da.from_array(FRAMES, chunks=(1, -1, -1))
    out = magnify(stored, 6, model=model, mode=operator)[17:24].compute()
    assert used() <= 500_000
    set_budget(None)
    exact = magnify(FRAMES, 6, model=model, mode=operator)[17:24].compute()
    assert np.abs(out.astype(int) - exact).max() <= 1


def test_outputs_share_encodings_that_do_not_fit(encoded, little_memory):
    """Frame after frame, a window of 25 frames is not encoded anew for each."""
    model, calls = encoded
    set_budget(3_500_000)
    out = magnify(FRAMES, 6, model=model, mode=FIR(4, 8, fps=30))
    for t in (15, 16):
        out[t].compute()
    calls.clear()
    for t in range(17, 25):
        out[t].compute()
    assert len(calls) < 50, "not 25 for each"


def test_encodings_of_one_movie_do_not_depend_on_another(encoded, little_memory):
    """However much is pushed out: the second movie is drawn as if it were alone."""
    model, _ = encoded
    rng = np.random.default_rng(3)
    other = rng.integers(0, 255, FRAMES.shape).astype(np.uint8)
    operator = FIR(4, 8, fps=30)
    alone = magnify(FRAMES, 30, model=model, mode=operator)[17:20].compute()
    both = (
        magnify(other, 30, model=model, mode=operator),
        magnify(FRAMES, 30, model=model, mode=operator),
    )
    for t in range(10, 20):
        both[0][t].compute()
        drawn = both[1][t].compute()
        if t >= 17:
            assert np.array_equal(drawn, alone[t - 17])


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

    def watched(*arguments, **options):
        inside.append(1)
        most.append(len(inside))
        try:
            return draw(*arguments, **options)
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
    monkeypatch.setattr(FrameSource, "fits", lambda self, count, size=None: False)
    shape = (40, 24, 32) if channels == 1 else (40, 24, 32, 3)
    frames = np.random.default_rng(1).integers(0, 255, shape).astype(np.uint8)
    together = []
    added_up = StreamingOperator._weighted_sums

    def watched(self, times, get):
        together.append(len(times))
        return added_up(self, times, get)

    monkeypatch.setattr(StreamingOperator, "_weighted_sums", watched)
    monkeypatch.setattr(method_module, "RUN_BYTES", 4 * 8 * 24 * 32)  # two planes of 4 outputs
    out = magnify(frames, 5, mode="temporal", band=(4, 8), fps=30)
    for t in (10, 11, 12):
        out[t].compute()
    assert together == [1, 4]
