"""Velocity, acceleration, orbits and coherence of motion that is known."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from napari_motionmag import views

FPS, FREQUENCY = 60.0, 4.5  # Hz
LEFT, RIGHT = (12, 44, 12, 44), (12, 44, 68, 100)


@pytest.fixture(scope="module")
def wave(texture):
    """Two halves on one ellipse, the right one 70 degrees behind, with noise; and still halves."""
    t = np.arange(240) / FPS
    halves = [texture(seed, shape=(56, 56)) for seed in (1, 2)]
    turns = [2 * np.pi * FREQUENCY * t - lag for lag in (0.0, np.radians(70))]
    parts = [
        half.movie(0.30 * np.stack([np.cos(turn + 0.4), 0.5 * np.sin(turn + 0.4)], axis=1))
        for half, turn in zip(halves, turns, strict=True)
    ]
    return _recorded(np.concatenate(parts, axis=2), 0)


def _recorded(frames, seed):
    noise = np.random.default_rng(seed).normal(0, 1.0, frames.shape)
    return (frames + noise).astype(np.float32)


@pytest.fixture(scope="module")
def traces(wave):
    options = {"fps": FPS, "axes": "TYX"}
    return [views.displacement_trace(wave, region, **options) for region in (LEFT, RIGHT)]


def true_course(order: int) -> np.ndarray:
    """The derivative of (dy, dx) of the left half."""
    turn = 2 * np.pi * FREQUENCY * np.arange(240) / FPS + 0.4 + order * np.pi / 2
    speed = (2 * np.pi * FREQUENCY) ** order
    return 0.30 * speed * np.stack([np.cos(turn), 0.5 * np.sin(turn)], axis=1)


@pytest.mark.parametrize(
    ("share", "velocity", "acceleration"), [(0.1, 0.995, 0.998), (0.2, 0.931, 0.976)]
)
def test_derivatives_of_a_sinusoid(traces, share, velocity, acceleration):
    turn = 2 * np.pi * share * np.arange(240)
    trace = replace(traces[0], dy=np.sin(turn), dx=np.cos(turn))
    for order, gain in ((1, velocity), (2, acceleration)):
        values, _ = trace.derivative(order)
        speed = (2 * np.pi * share * FPS) ** order
        truth = speed * np.stack(
            [np.sin(turn + order * np.pi / 2), np.cos(turn + order * np.pi / 2)], axis=1
        )
        inner = slice(4, -4)
        assert values[inner] == pytest.approx(gain * truth[inner], abs=0.001 * speed)


@pytest.mark.parametrize("order", [1, 2])
def test_measured_velocity_and_acceleration_agree_within_their_errors(traces, order):
    values, covariance = traces[0].derivative(order)
    sigma = np.sqrt(covariance[:, [0, 1], [0, 1]])
    pulls = ((values - true_course(order)) / sigma)[4:-4]
    assert np.sqrt((pulls**2).mean()) == pytest.approx(1, abs=0.2)
    smoother = np.sqrt(traces[0].derivative(order, 9)[1][:, [0, 1], [0, 1]])
    assert smoother.mean() < 0.5 * sigma.mean()


def test_errors_of_velocity_are_those_of_many_records(texture):
    still = texture(3, shape=(56, 56))
    frames = _recorded(np.repeat(still.at()[np.newaxis], 200, axis=0), 7)
    trace = views.displacement_trace(frames, LEFT, fps=FPS, axes="TYX")
    for order in (1, 2):
        values, covariance = trace.derivative(order)
        for k in range(2):
            expected = np.sqrt(covariance[5:-5, k, k].mean())
            assert values[5:-5, k].std() == pytest.approx(expected, rel=0.15)


def test_units_and_files(traces, tmp_path):
    speed, sigma = traces[0].along(0.0, "velocity")
    assert speed == pytest.approx(traces[0].derivative(1)[0][:, 1])
    assert (sigma > 0).all()
    path = traces[0].to_csv(tmp_path / "trace.csv", derivatives=7)
    names = next(line for line in path.read_text().splitlines() if line[0] != "#").split(",")
    assert names[-8:-4] == ["vy (px/s)", "sigma vy (px/s)", "vx (px/s)", "sigma vx (px/s)"]
    assert names[-4] == "ay (px/s^2)"
    table = np.genfromtxt(path, delimiter=",", skip_header=0, comments="#")[1:]
    assert table[:, names.index("ax (px/s^2)")] == pytest.approx(
        traces[0].derivative(2, 7)[0][:, 1]
    )
    with pytest.raises(ValueError, match="window must be an odd number"):
        traces[0].derivative(1, 4)
    with pytest.raises(ValueError, match=r"window must be a whole number .* got '5'"):
        traces[0].derivative(1, "5")
    with pytest.raises(ValueError, match=r"directions must be two angles .* got 0\.5"):
        views.coherence(*traces, directions=0.5)
    with pytest.raises(ValueError, match="order must be 1"):
        traces[0].derivative(3)
    with pytest.raises(ValueError, match="quantity must be one of"):
        traces[0].along(quantity="speed")


def test_the_orbit_is_the_ellipse(traces):
    found = views.orbit(traces[0])
    assert found.frequency == pytest.approx(FREQUENCY, abs=0.01)
    assert found.major == pytest.approx(0.30, abs=4 * found.sigma_major)
    assert found.minor == pytest.approx(0.15, abs=4 * found.sigma_minor)
    assert 0 < found.sigma_major < 0.005
    assert found.direction == pytest.approx(np.pi / 2, abs=0.02)
    # dy = cos, dx = sin: down, then right, then up, which is against the clock
    assert not found.clockwise
    path = found.path()
    assert np.abs(path[:, 0]).max() == pytest.approx(0.30, abs=0.005)
    assert np.abs(path[:, 1]).max() == pytest.approx(0.15, abs=0.005)


def test_errors_of_an_orbit_are_infinite_at_an_edge(traces):
    t = traces[0].times
    slow = np.cos(2 * np.pi * 0.3 / (t[-1] - t[0]) * t + 1.5)
    noise = np.tile(0.25 * np.eye(2), (len(t), 1, 1))
    found = views.orbit(replace(traces[0], dy=slow, dx=0.1 * slow, frame_covariance=noise))
    assert found.oscillation.edge == "zero"
    assert found.sigma_major == found.sigma_minor == np.inf


def test_the_sense_of_rotation_is_that_of_the_picture(texture):
    turn = 2 * np.pi * FREQUENCY * np.arange(60) / FPS
    shifts = 0.2 * np.stack([np.sin(turn), np.cos(turn)], axis=1)  # right, then down
    frames = texture(5, shape=(56, 56)).movie(shifts).astype(np.float32)
    trace = views.displacement_trace(_recorded(frames, 1), LEFT, fps=FPS, axes="TYX")
    assert views.orbit(trace, FREQUENCY).clockwise


def test_two_regions_of_a_wave_are_coherent(traces):
    found = views.coherence(*traces)
    at = found.strongest()
    assert found.frequencies[at] == pytest.approx(FREQUENCY, abs=0.6)
    assert found.coherence[at] > 0.98
    assert found.phase[at] == pytest.approx(-np.radians(70), abs=0.05)
    assert np.abs(found.phase[at] + np.radians(70)) < 4 * max(found.sigma_phase[at], 0.005)
    swapped = views.coherence(*traces[::-1])
    assert swapped.phase[at] == pytest.approx(np.radians(70), abs=0.05)
    elsewhere = np.abs(found.frequencies - FREQUENCY) > 3
    assert (found.coherence[elsewhere] < found.level).mean() > 0.9


@pytest.mark.parametrize("angle", [0, 44, 90, 134, 136])
def test_regions_that_move_together_are_in_phase(trace_of, angle):
    """Whichever of the two senses of an axis noise gives its direction."""
    y, x = np.sin(np.radians(angle)), np.cos(np.radians(angle))
    course = 0.1 * np.cos(2 * np.pi * 4 * np.arange(200) / 50 + 0.5)
    random = np.random.default_rng(0)
    phases = []
    for _ in range(10):
        noise = random.normal(0, 0.02, (2, 2, 200))
        left, right = (replace(trace_of(4), dy=y * course + a, dx=x * course + b) for a, b in noise)
        found = views.coherence(left, right)
        assert found.phase[found.strongest()] == pytest.approx(0, abs=0.2)
        phases += [fit(trace).phase for trace in (left, right) for fit in (_orbit, _spectrum)]
    if angle in (0, 90):
        assert phases == pytest.approx([0.5] * len(phases), abs=0.2)


def _orbit(trace):
    return views.fit_oscillation(trace)


def _spectrum(trace):
    return views.motion_spectrum(trace).peaks()[0]


def test_independent_regions_are_not_coherent(trace_of):
    traces = []
    for seed in range(2):
        noise = np.random.default_rng(seed).normal(size=4096)
        traces.append(replace(trace_of(1.0, n=4096), dy=np.zeros(4096), dx=noise))
    found = views.coherence(*traces, segments=15)
    assert (found.coherence[2:-2] > found.level).mean() == pytest.approx(0.01, abs=0.02)
    assert found.coherence[2:-2].mean() == pytest.approx(1 / found.segments, rel=0.15)
    with pytest.raises(ValueError, match="segments must be at most"):
        views.coherence(*traces, segments=5000)


def test_traces_of_other_frames_are_refused(traces, wave):
    short = views.displacement_trace(wave[:100], LEFT, fps=FPS, axes="TYX")
    with pytest.raises(ValueError, match="the same frames"):
        views.coherence(traces[0], short)


def test_figures_show_what_was_measured(traces):
    figure = Figure(layout="constrained")
    views.draw_orbit(figure, {"left": traces[0]}, {"left": views.orbit(traces[0])})
    (axes,) = figure.axes
    assert axes.yaxis_inverted()
    assert np.array_equal(axes.lines[0].get_xdata(), traces[0].dx)
    figure = Figure(layout="constrained")
    views.draw_coherence(figure, views.coherence(*traces))
    assert figure.axes[0].get_ylabel() == "coherence"
    figure = Figure(layout="constrained")
    views.draw_displacement(figure, {"left": traces[0]}, quantity="acceleration")
    assert figure.axes[0].get_ylabel() == "acceleration (px/s²)"
