"""Temporal operators over frames that come one by one: the same numbers in any order of asking."""

import numpy as np
import pytest
import torch

from napari_motionmag.temporal import (
    FIR,
    Acceleration,
    Butterworth,
    DifferenceOfIIR,
    Dynamic,
    Static,
)
from napari_motionmag.temporal import (
    streaming as stream,
)
from napari_motionmag.temporal.streaming import StreamingOperator, is_recursive, truncated_row

N = 400
RNG = np.random.default_rng(0)
# a drift, an oscillation in the bands below, noise; two rows of pixels far from zero
TIME = np.arange(N)
SIGNAL = (
    0.4
    + 0.3 * np.sin(TIME / 150)[:, None]
    + 0.01 * np.sin(2 * np.pi * 0.1 * TIME)[:, None]
    + 0.02 * RNG.standard_normal((N, 6))
).astype(np.float32)

OPERATORS = [
    Static(3),
    Static(slice(0, 7)),
    Static([5, 5, 20]),
    Dynamic(),
    Dynamic(3),
    FIR(2, 4, fps=30),
    Acceleration(3, fps=30),
    Butterworth(2, 4, fps=30),
    Butterworth(0.5, 0.9, fps=30, order=1),
    Butterworth(2, 4, fps=30, zero_phase=True),
    DifferenceOfIIR(0.5, 2, fps=30),
]
RECURSIVE = [op for op in OPERATORS if is_recursive(op)]
SPAN = float(np.ptp(SIGNAL))


def _names(op):
    return op.describe()


@pytest.mark.parametrize("operator", OPERATORS, ids=_names)
def test_any_order_of_asking_gives_what_apply_gives(operator):
    expected = operator.apply(SIGNAL)
    variation = StreamingOperator(operator, N)

    def get(index):
        return SIGNAL[index]

    orders = [
        list(range(0, 90)),  # in turn
        [350, 351, 352, 353],  # a jump, then in turn
        [200],
        [17, 390, 16, 15],  # back and forth
        [391, 393, 392, 394, 393],  # threads that draw neighbours
    ]
    for order in orders:
        for t in order:
            out = variation([t], get)[0]
            assert out.dtype == np.float32
            assert np.abs(out - expected[t]).max() <= 1e-4 * SPAN, t
    runs = [range(100, 130), range(5, 9), [250, 120, 251], [399]]
    for run in runs:
        for t, out in zip(run, variation(run, get), strict=True):
            assert np.abs(out - expected[t]).max() <= 1e-4 * SPAN, t


@pytest.mark.parametrize("operator", [op for op in OPERATORS if not is_recursive(op)], ids=_names)
def test_without_a_state_the_order_changes_no_bit(operator):
    alone = [StreamingOperator(operator, N)([t], SIGNAL.__getitem__)[0] for t in range(40, 60)]
    together = StreamingOperator(operator, N)(range(40, 60), SIGNAL.__getitem__)
    ahead = StreamingOperator(operator, N)
    played = [ahead([t], SIGNAL.__getitem__, 8)[0] for t in range(40, 60)]
    assert np.array_equal(alone, together)
    assert np.array_equal(alone, played)


@pytest.mark.parametrize("operator", RECURSIVE, ids=_names)
def test_a_state_is_continued_is_sequential(operator):
    reads = []

    def get(index):
        reads.append(index)
        return SIGNAL[index]

    variation = StreamingOperator(operator, N)
    for t in range(N):
        variation([t], get)
    assert len(reads) == N, "each frame once"
    assert reads == list(range(N))


@pytest.mark.parametrize("operator", RECURSIVE, ids=_names)
def test_a_jump_warms_up_by_what_1e_4_needs_and_no_more(operator):
    indices, weights = truncated_row(operator, 390, N)
    exact_indices, exact = operator.row(390, N)
    assert len(indices) <= len(exact_indices)
    full = dict(zip(exact_indices.tolist(), exact.tolist(), strict=True))
    kept = dict(zip(indices.tolist(), weights.tolist(), strict=True))
    assert abs(sum(kept.values())) < 1e-9
    left_out = sum(abs(w) for t, w in full.items() if t < indices[0])
    assert left_out <= 1e-4 * np.abs(exact).sum() * 1.01
    fewer = sum(abs(w) for t, w in full.items() if t < indices[0] + 8)
    assert indices[0] == 0 or fewer > 1e-4 * np.abs(exact).sum(), "no more"
    reads = []
    variation = StreamingOperator(operator, N)
    variation([390], lambda index: reads.append(index) or SIGNAL[index])
    assert sorted(set(reads)) == indices.tolist()


@pytest.mark.parametrize("operator", OPERATORS, ids=_names)
def test_what_stands_still_gives_exactly_nothing(operator):
    still = np.full(5, 0.123456, np.float32)
    variation = StreamingOperator(operator, N)
    for t in [*range(80), 300, 301, 150]:
        assert not variation([t], lambda _: still)[0].any()


def test_each_frame_of_a_run_is_read_once():
    reads = []
    operator = FIR(2, 4, fps=30)
    variation = StreamingOperator(operator, N)
    variation(range(100, 116), lambda index: reads.append(index) or SIGNAL[index])
    half = operator.n_taps // 2
    assert sorted(reads) == sorted(set(reads))
    assert set(reads) <= set(range(100 - half, 116 + half))


def test_several_outputs_of_one_reading_when_frames_are_not_kept():
    def reads_for(ahead):
        reads = []
        variation = StreamingOperator(FIR(2, 4, fps=30), N)
        for t in range(100, 132):
            variation([t], lambda index: reads.append(index) or SIGNAL[index], ahead)
        return len(reads)

    assert reads_for(16) < 0.2 * reads_for(1)


def test_the_reference_is_read_once():
    reads = []
    variation = StreamingOperator(Static(slice(0, 9)), N)
    for t in range(50, 60):
        variation([t], lambda index: reads.append(index) or SIGNAL[index])
    assert len(reads) == 9 + 10


@pytest.mark.parametrize("operator", [*RECURSIVE, FIR(2, 4, fps=30), Static(2)], ids=_names)
def test_tensors_are_like_arrays(operator):
    by_numpy, by_torch = StreamingOperator(operator, N), StreamingOperator(operator, N)
    for t in [*range(70), 300]:
        a = by_numpy([t], SIGNAL.__getitem__)[0]
        b = by_torch([t], lambda index: torch.from_numpy(SIGNAL[index]))[0]
        assert b.dtype == torch.float32
        assert np.abs(a - b.numpy()).max() <= 1e-6
    assert by_torch.nbytes == by_numpy.nbytes > 0


def test_threads_that_draw_neighbours_agree():
    import threading

    operator = RECURSIVE[1]
    expected = operator.apply(SIGNAL)
    variation, found, numbers = StreamingOperator(operator, N), {}, iter(range(200))
    lock = threading.Lock()

    def work():
        while True:
            with lock:
                t = next(numbers, None)
            if t is None:
                return
            found[t] = variation([t], SIGNAL.__getitem__)[0]

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(found) == 200
    for t, out in found.items():
        assert np.abs(out - expected[t]).max() <= 1e-4 * SPAN, t


def test_narrow_bands_keep_their_digits():
    """Poles near the circle: states in single precision would drift off."""
    operator = Butterworth(0.02, 0.05, fps=30)
    n = 3000
    signal = (0.5 + 0.3 * np.sin(np.arange(n) / 90.0)[:, None]).astype(np.float32)
    expected = operator.apply(signal)
    variation = StreamingOperator(operator, n)
    out = np.stack([variation([t], signal.__getitem__)[0] for t in range(n)])
    assert np.abs(out - expected).max() < 1e-5
    assert stream.TOLERANCE == 1e-4
