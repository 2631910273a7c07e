"""The paper's protocols, and ours for temporal filters, gain, still scenes and color.

Each protocol is a generator of cases; a case is frames, an operator, a factor and the truth.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from napari_motionmag.evaluation.scenes import Pair, add_noise, camera_pan, turned
from napari_motionmag.temporal import FIR, Static, TemporalOperator

CROP = 12  # px at the border that are not scored
FPS = 30.0
N_FRAMES = 90


@dataclass
class Case:
    """One scored frame."""

    frames: list[np.ndarray]  # the movie, float32 (H, W, 3)
    operator: TemporalOperator
    time: int  # the frame that is scored
    factor: float
    truth: np.ndarray  # what a perfect method gives, float32 (H, W, 3)


@dataclass(frozen=True)
class Protocol:
    """Levels of a parameter and how a case is made of a level and a seed."""

    name: str
    title: str
    xlabel: str
    levels: tuple
    quick: tuple  # levels of the quick variant
    make: Callable[[object, int], Case]


def _pair_case(seed, given, factor, noise=0.0, background=True) -> Case:
    """Make two frames between which the objects move by `given` px, and perhaps the background."""
    pair = Pair.make(seed)
    still, moved, truth = (
        pair.at(shift, shift if background else 0.0) for shift in (0.0, given, factor * given)
    )
    return _case([still, moved], factor, truth, noise, seed)


_objects = partial(_pair_case, background=False)


def _case(frames, factor, truth, noise, seed) -> Case:
    """Make a case of two frames, with the noise of a seed."""
    if noise:
        rng = np.random.default_rng(1000 + seed)
        frames = [add_noise(frame, noise, rng) for frame in frames]
    return Case(frames, Static(0), 1, factor, truth)


def _to_ten_pixels(level, seed):
    return _pair_case(seed, level, 10 / level)


def _output_motion(level, seed):
    given = min(5.0, level / 4)
    return _pair_case(seed, given, level / given)


def _noise_real(level, seed):
    """Take pictures as they are, moved by whole pixels: nothing was resampled (paper, A.2.4)."""
    before, now, after = camera_pan(seed, 2)
    return _case([before, now], 2.0, after, level, seed)


def temporal_case(level, seed) -> Case:
    """Make 3 Hz motion of the objects on 0.5 Hz drift of 1 px and noise; band 2-4 Hz at 30 fps.

    Scored at a crest of the motion, in the middle of the movie.
    """
    amplitude, factor = level
    pair = Pair.make(seed)
    rng = np.random.default_rng(1000 + seed)
    phase = rng.uniform(0, 2 * np.pi)
    operator = FIR(2, 4, fps=FPS)
    time = min(range(N_FRAMES // 2 - 5, N_FRAMES // 2 + 6), key=lambda t: -vibration(t, 0.3))
    indices, _ = operator.row(time, N_FRAMES)
    frames: list = [None] * N_FRAMES
    for t in sorted({*indices.tolist(), time}):
        clean = pair.at(amplitude * vibration(t, 0.3), drift=common_drift(t, phase))
        frames[t] = add_noise(clean, 1.0, rng)
    out = factor * amplitude * vibration(time, 0.3)
    truth = pair.at(out, drift=common_drift(time, phase))
    return Case(frames, operator, time, factor, truth)


def _rotation(level, seed):
    """Turn a disc of one photograph on another; output 4 degrees."""
    *frames, truth = turned(seed, (0.0, level, 4.0))
    return _case(frames, 4.0 / level, truth, 0.0, seed)


def _blur(level, seed):
    """Blur as out of focus: 0.1 px become 5 px."""
    from scipy.ndimage import gaussian_filter

    sharp = _pair_case(seed, 0.1, 50.0)
    *frames, truth = (gaussian_filter(f, (level, level, 0)) for f in (*sharp.frames, sharp.truth))
    return replace(sharp, frames=frames, truth=truth)


def _white_noise(level, seed):
    """Add noise of equal strength everywhere; 1 px becomes 10 px."""
    case, rng = _objects(seed, 1.0, 10.0), np.random.default_rng(1000 + seed)
    frames = [(f + level * rng.standard_normal(f.shape)).astype(np.float32) for f in case.frames]
    return replace(case, frames=frames)


def vibration(t: int, phase: float) -> float:
    """Return the motion of the protocol ``temporal``: 3 Hz."""
    return float(np.sin(2 * np.pi * 3 * t / FPS + phase))


def common_drift(t: int, phase: float) -> tuple[float, float]:
    """Return the (y, x) px that everything of the protocol ``temporal`` shares: 0.5 Hz."""
    return np.sin(np.pi * t / FPS + phase), np.cos(np.pi * t / FPS + phase)


MOTIONS = ((0.02, 200.0), (0.1, 40.0), (0.5, 8.0), (0.1, 100.0))  # motion in px, factor
# name, title, label of the level; all levels, those of the quick variant, (level, seed) -> Case
PROTOCOLS = (
    Protocol("subpixel", "Sub-pixel motion, output 10 px", "input motion [px]",
             (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0), (0.01, 0.1, 1.0), _to_ten_pixels),
    Protocol("noise_small", "Noise, motion 0.05 px", "noise factor",
             (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0), (1.0, 10.0),
             lambda level, seed: _objects(seed, 0.05, 200.0, noise=level)),
    Protocol("noise_large", "Noise, motion 5 px", "noise factor",
             (0.1, 0.3, 1.0, 3.0, 10.0, 50.0, 100.0), (1.0, 10.0, 50.0),
             lambda level, seed: _objects(seed, 5.0, 2.0, noise=level)),
    Protocol("noise_real", "Noise on real pictures, motion 2 px, factor 2", "noise factor",
             (0.01, 0.1, 1.0, 3.0, 9.0, 30.0, 100.0), (1.0, 9.0), _noise_real),
    Protocol("factor", "Factor", "factor",
             (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 300.0, 1000.0), (10.0, 100.0),
             lambda level, seed: _pair_case(seed, min(5.0, 10 / level), level)),
    Protocol("input_motion", "Input motion, output 10 px", "input motion [px]",
             (1.0, 2.0, 3.0, 5.0, 7.0, 10.0), (5.0,), _to_ten_pixels),
    Protocol("output_motion", "Output motion", "output motion [px]",
             (1.0, 3.0, 5.0, 10.0, 15.0, 20.0, 30.0), (3.0, 20.0), _output_motion),
    Protocol("temporal", "Band 2-4 Hz, drift 1 px at 0.5 Hz, noise", "motion [px] x factor",
             MOTIONS, MOTIONS, temporal_case),
    Protocol("rotation", "Rotation, output 4 degrees", "input rotation [degrees]",
             (0.02, 0.05, 0.2, 1.0), (0.05, 1.0), _rotation),
    Protocol("blur", "Blur, motion 0.1 px, factor 50", "sigma of the blur [px]",
             (0.5, 1.0, 2.0, 4.0), (1.0, 4.0), _blur),
    Protocol("fixed_motion", "Motion 0.1 px", "factor",
             (5.0, 10.0, 20.0, 50.0, 100.0), (10.0, 100.0),
             lambda level, seed: _objects(seed, 0.1, level)),
    Protocol("white_noise", "White noise, motion 1 px, factor 10",
             "deviation of the noise, of white",
             (0.01, 0.02, 0.05, 0.1, 0.2), (0.01, 0.1), _white_noise),
)  # fmt: skip


def similarity(frame: np.ndarray, truth: np.ndarray) -> float:
    """Return SSIM without the border, colors averaged, intensities clipped to [0, 1]."""
    from skimage.metrics import structural_similarity

    return float(structural_similarity(*_inner(frame, truth), channel_axis=-1, data_range=1.0))


def gap_closed(before: np.ndarray, drawn: np.ndarray, truth: np.ndarray) -> float:
    """Return the share of the gap between a frame and the truth that a drawn frame closes."""
    floor = similarity(before, truth)
    return (similarity(drawn, truth) - floor) / (1 - floor)


def rms_error(frame: np.ndarray, truth: np.ndarray) -> float:
    """Return the root mean square of the difference where `similarity` looks, of white."""
    a, b = _inner(frame, truth)
    return float(np.sqrt(((a - b) ** 2).mean()))


def _inner(*frames: np.ndarray) -> list[np.ndarray]:
    return [np.clip(f[CROP:-CROP, CROP:-CROP], 0, 1).astype(np.float64) for f in frames]


def gain(method, factor: float, delta: float, seed: int) -> float:
    """Return measured over requested displacement of a picture that moves as a whole by `delta`."""
    pair = Pair.make(seed, gray=True)
    direction = np.array([0.6, 0.8])
    still, moved = pair.at(0.0), pair.at(0.0, drift=tuple(delta * direction))
    drawn = method.magnify([still, moved], Static(0), [1], factor)[0]
    measured = displacement(still[..., 0], drawn[..., 0], factor * delta * direction)
    return float(measured @ direction / (factor * delta))


def displacement(still: np.ndarray, moved: np.ndarray, start) -> np.ndarray:
    """Return the displacement (y, x) in px that best maps the inner part of a frame to another.

    Least squares on splines of order 5. Correlation under a fixed window would be biased towards
    zero by about a tenth.
    """
    from scipy.ndimage import shift, spline_filter
    from scipy.optimize import least_squares

    inner = (slice(20, -20), slice(20, -20))
    coefficients = spline_filter(still.astype(np.float64), order=5, mode="mirror")

    def misfit(d):
        at = shift(coefficients, d, order=5, mode="mirror", prefilter=False)
        return (at - moved)[inner].ravel()

    # From half-way and from the requested displacement, so as not to take a minimum beside it.
    fits = [
        least_squares(misfit, gain * np.asarray(start), diff_step=1e-3, x_scale=0.1)
        for gain in (0.5, 1.0)
    ]
    return min(fits, key=lambda fit: fit.cost).x


def still_change(method, factor: float, seed: int) -> np.ndarray:
    """Return how much each pixel of a noise-free still scene changes, in 1/255."""
    frame = Pair.make(seed).at(0.0)
    drawn = method.magnify([frame, frame.copy()], Static(0), [1], factor)[0]
    return 255 * np.abs(drawn - frame)


def lamp(method, seed: int) -> tuple[float, float]:
    """Measure what a lamp that changes by 1 % does to a still gray scene, x8.

    Returns the mean displacement of windows in px, and the mean change of brightness beyond that of
    the lamp in 1/255.
    """
    still = Pair.make(seed, gray=True).at(0.0)[..., 0]
    moved, brighter = [], []
    for gain in (1.01, 0.99):
        lit = (gain * still).astype(np.float32)
        drawn = method.magnify([still, lit], Static(0), [1], 8.0)[0]
        moved.append(np.hypot(*window_displacements(lit, drawn).T))
        brighter.append(abs(float((drawn - lit)[CROP:-CROP, CROP:-CROP].mean())))
    return float(np.mean(moved)), 255 * float(np.mean(brighter))


def window_displacements(before: np.ndarray, after: np.ndarray, side: int = 48) -> np.ndarray:
    """Return small displacements (N, 2) in px of windows, whatever the light does."""
    slopes = np.gradient(before)
    found = []
    for y in range(CROP, before.shape[0] - CROP - side + 1, side // 2):
        for x in range(CROP, before.shape[1] - CROP - side + 1, side // 2):
            window = (slice(y, y + side), slice(x, x + side))
            terms = [-slopes[0][window], -slopes[1][window], before[window], np.ones((side, side))]
            columns = np.stack([term.ravel() for term in terms], 1)
            solved = np.linalg.lstsq(columns, (after - before)[window].ravel(), rcond=None)[0]
            found.append(solved[:2])
    return np.array(found)


def spurious_colour(method, seed: int) -> float:
    """Return the largest difference between channels of a magnified gray scene, in 1/255."""
    pair = Pair.make(seed, gray=True)
    drawn = method.magnify([pair.at(0.0), pair.at(0.1)], Static(0), [1], 100.0)[0]
    return float((drawn.max(-1) - drawn.min(-1)).max() * 255)
