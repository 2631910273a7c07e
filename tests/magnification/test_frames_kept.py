"""Which frames of a movie are kept: each is read once, and a longer run holds no more of them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_motionmag.magnification.magnification import plan
from napari_motionmag.temporal import FIR, Butterworth, Dynamic, Static
from napari_motionmag.temporal.streaming import reach

N = 200
FRAMES = np.random.default_rng(0).integers(0, 255, (N, 2, 8, 8)).astype(np.uint8)
MODES = {
    "static": {"reference": 90},
    "dynamic": {"mode": "dynamic"},
    "band": {"mode": "temporal", "band": (6, 12), "fps": 30},
    "causal": {"mode": "temporal", "band": (6, 12), "fps": 30, "filter": "butterworth"},
}
# orders of (frame, channel)
ORDERS = {
    "ascending": [(t, 0) for t in range(N)],
    "descending": [(t, 0) for t in reversed(range(N))],
    "each frame twice": [(t, 0) for t in range(N) for _ in range(2)],
    "both channels": [(t, c) for t in range(N) for c in range(2)],
    "threads beside": [(t ^ 3, 0) for t in range(N)],
    "channels crossing": [x for t in range(N) for x in ((t, 0), (N - 1 - t, 1))],
}


class Reads:
    """A movie that writes down which frames were read, and how often."""

    shape, dtype, ndim = FRAMES.shape, FRAMES.dtype, 4

    def __init__(self):
        self.frames = []

    def __getitem__(self, index):
        self.frames.append(index[:2])
        return FRAMES[index]


class Reader:
    """A method that reads what an output is made from, and draws nothing."""

    name = "reader"

    def magnify(self, frames, operator, times, factor):
        for t in times:
            for index in operator.row(t, len(frames))[0].tolist():
                frames[index]
        return [frames[t] for t in times]


def magnification(mode):
    reads = Reads()
    made = plan(reads, 3, method="linear", intensity_range=(0, 1), axes="TCYX", **MODES[mode])
    return replace(made, method=Reader()), reads.frames


@pytest.mark.parametrize("mode", MODES)
@settings(max_examples=3)
@given(orders=st.lists(st.permutations(range(N)), min_size=2, max_size=2))
def test_in_any_order_each_frame_is_read_once_a_run(mode, orders):
    made, reads = magnification(mode)
    for order in orders:
        for t in order:
            made.draw([t], (1,))
        assert len(reads) == len(set(reads))
        reads.clear()


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("mode", MODES)
def test_a_run_keeps_as_much_of_a_longer_movie(mode, order):
    made, reads = magnification(mode)
    kept = []
    for t, channel in ORDERS[order]:
        made.draw([t], (channel,))
        kept.append(made.movie.cache.nbytes)
    assert len(reads) == len(set(reads))
    assert max(kept) <= 1.05 * max(kept[: len(kept) * 3 // 4])
    assert max(kept) < 0.9 * len(set(reads)) * FRAMES[0, 0].nbytes


@pytest.mark.parametrize("mode", MODES)
def test_a_second_run_keeps_as_much_beside_the_end_of_the_first(mode):
    made, _ = magnification(mode)
    kept = []
    for t in [*range(N), *range(N)]:
        made.draw([t], (0,))
        kept.append(made.movie.cache.nbytes)
    assert max(kept[N + N // 2 :]) <= 2 * max(kept[:N])


def test_frames_that_are_looked_at_here_and_there_are_kept():
    made, reads = magnification("static")
    for t in [*range(0, N, 9), *range(N - 1, 0, -9)] * 3:
        made.draw([t], (0,))
    assert len(reads) == len(set(reads))


@pytest.mark.parametrize("n", [2, 9, 40, 400])
@pytest.mark.parametrize(
    "operator",
    [
        Dynamic(3),
        FIR(4, 8, fps=30),
        Butterworth(4, 8, fps=30),
        Butterworth(0.3, 0.5, fps=30, zero_phase=True),
    ],
    ids=str,
)
def test_no_output_reaches_farther_than_the_reach(operator, n):
    try:
        operator.row(0, n)
    except ValueError:
        return  # refused: too long for so few frames
    distances = [np.abs(operator.row(t, n)[0] - t).max() for t in range(n)]
    assert max(distances) == reach(operator, n)
    assert reach(Static(slice(0, 2)), n) == 0
