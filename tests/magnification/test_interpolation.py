"""Frames between frames, against the truth, the mean of the neighbors and optical flow."""

from functools import cache

import numpy as np
import pytest
from motion import fourier_shift, measured_shift, smooth_texture
from scipy.ndimage import binary_dilation, binary_erosion
from skimage.registration import optical_flow_tvl1
from skimage.transform import warp

from napari_motionmag import Movie, interpolate, interpolated_movie, magnify, samples
from napari_motionmag.cli.main import main
from napari_motionmag.io import open_movie, save_movie

# of the motion, so that neighbors in every frame rate below differ by one to two pixels
SAMPLES = {"cilia": 8, "vesicles": 8, "strings": 8, "drifting_membrane": 8}


def psnr(found: np.ndarray, truth: np.ndarray, where=slice(None)) -> float:
    return -10 * np.log10(np.mean(np.square(found - truth, dtype=float)[where]))


def flow_blended(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """Both neighbors warped along the optical flow between them, blended by nearness."""
    rows, columns = np.indices(first.shape, dtype=float)

    def moved(frame, other, part):
        v, u = optical_flow_tvl1(frame, other)
        return warp(frame, np.array([rows - part * v, columns - part * u]), mode="edge")

    return (1 - share) * moved(first, second, share) + share * moved(second, first, 1 - share)


def finely_sampled(name: str, times: int) -> np.ndarray:
    """A sample without noise on the unit scale, at `times` its usual rate, (times + 1, Y, X)."""
    about = samples.load(name, n_frames=2, size=64)[1]
    amplitude = np.multiply(SAMPLES[name], about["amplitude"])
    movie, _ = samples.load(
        name,
        n_frames=times + 1,
        size=(96, 128),
        noise=False,
        dtype="float32",
        fps=about["fps"] * times / (1 if name == "strings" else 2),
        amplitude=tuple(amplitude) if amplitude.ndim else float(amplitude),
    )
    movie = movie.mean(-1) if movie.ndim == 4 else movie
    low, high = movie.min(), movie.max()
    return (movie - low) / (high - low)


@pytest.mark.parametrize("times", [2, 4, 8])
@pytest.mark.parametrize("name", SAMPLES)
def test_frames_lie_nearer_to_the_truth_than_blends(name, times):
    truth = finely_sampled(name, times)
    neighbors = truth[::times]
    drawn = interpolate(neighbors, times, intensity_range=(0, 1))
    assert drawn.shape == truth.shape
    for step in {1, times // 2}:
        share, found = step / times, drawn[step].compute()
        mean = (1 - share) * neighbors[0] + share * neighbors[1]
        assert psnr(found, truth[step]) > psnr(mean, truth[step])
        flow = flow_blended(*neighbors.astype(float), share)
        assert psnr(found, truth[step]) > psnr(flow, truth[step])


@pytest.mark.parametrize("method", ["learned", "phase", "riesz", "lagrangian"])
def test_frames_lie_where_they_should(method):
    texture = smooth_texture(96)
    movie = np.stack([texture, fourier_shift(texture, 0.4, -1.0)]).astype("f4")
    drawn = interpolate(movie, 5, method=method, intensity_range=(0, 1))
    for step in range(6):
        moved = measured_shift(texture, drawn[step].compute().astype(float))
        assert moved == pytest.approx(np.array([0.4, -1.0]) * step / 5, abs=0.04)


def test_own_frames_stay_to_the_last_bit():
    movie = samples.load("pulsing_epithelium", n_frames=3, size=64)[0]
    drawn = interpolate(movie, 3, axes="TCYX", method="riesz")
    assert drawn.shape == (7, 2, 64, 64)
    assert drawn.dtype == movie.dtype
    assert drawn.numblocks == (7, 2, 1, 1)
    assert np.array_equal(drawn[::3].compute(), movie)
    assert not np.array_equal(drawn[1].compute(), movie[0])


def test_only_the_neighbors_are_read():
    class Frames:
        shape, dtype = (5, 32, 32), np.dtype("u1")

        def __init__(self):
            self.read = set()

        def __getitem__(self, index):
            self.read.add(index[0])
            return np.full((32, 32), 10 * index[0], "u1")

    frames = Frames()
    drawn = interpolated_movie(Movie(frames, "TYX"), 4, method="linear")
    drawn.read(9)
    assert frames.read == {2, 3}


def test_rate_and_step_follow():
    movie = Movie(np.zeros((3, 32, 32), "u1"), "TYX", 20, scale=(0.05, 0.2, 0.2))
    drawn = interpolated_movie(movie, 4)
    assert drawn.fps == 80
    assert drawn.scale == pytest.approx((0.0125, 0.2, 0.2))
    assert drawn.n_frames == 9


def test_a_magnified_movie_can_be_interpolated():
    texture = 200 * smooth_texture(64)
    movie = np.stack([texture, fourier_shift(texture, 0, 0.1)]).astype("f4")
    slow = interpolate(magnify(movie, 8), 2, axes="TYX")
    half, whole = (measured_shift(texture, slow[t].compute().astype(float)) for t in (1, 2))
    assert whole == pytest.approx([0, 0.8], abs=0.05)
    assert half == pytest.approx(whole / 2, abs=0.02)


fine_texture = cache(smooth_texture)  # of many pixels, and the same for all frames


def passing_discs(share: float, step: float, shape=(96, 128)) -> np.ndarray:
    """Textured discs that move by `step` px over a still texture and over each other."""
    fine = 4
    textures = [fine_texture(fine * max(shape), seed, cutoff=0.06) for seed in range(4)]
    y, x = np.indices((fine * shape[0], fine * shape[1])) / fine
    picture = textures[0][: fine * shape[0], : fine * shape[1]].copy()
    places = ((40, 40, 16), (48, 66, 14), (60, 88, 17))  # y, x, radius
    for k, (row, column, radius) in enumerate(places):
        dy, dx = step * share * np.array([np.sin(2.1 * k), np.cos(2.1 * k)])
        texture = fourier_shift(textures[k + 1], fine * dy, fine * dx)[: y.shape[0], : y.shape[1]]
        inside = np.clip(0.5 - fine * (np.hypot(y - row - dy, x - column - dx) - radius), 0, 1)
        picture += inside * (0.5 * texture + 0.2 * k - picture)
    return picture.reshape(shape[0], fine, shape[1], fine).mean(axis=(1, 3))


@pytest.mark.parametrize("step", [1, 2, 4])
def test_things_that_uncover_each_other(step):
    neighbors = np.stack([passing_discs(share, step) for share in (0, 1)])
    drawn = interpolate(neighbors.astype("f4"), 4, intensity_range=(0, 1), axes="TYX")
    changed = np.abs(np.diff(neighbors, axis=0)[0]) > 1e-9
    rims = binary_dilation(changed, iterations=3) & ~binary_erosion(changed, iterations=6)
    for number in (1, 2, 3):
        share = number / 4
        truth, found = passing_discs(share, step), drawn[number].compute()
        mean = (1 - share) * neighbors[0] + share * neighbors[1]
        flow = flow_blended(*neighbors, share)
        assert psnr(found, truth) > psnr(flow, truth)
        assert psnr(found, truth, rims) > psnr(mean, truth, rims) + 1
        # where things uncover each other alone, it is as good as the flow, or better
        assert psnr(found, truth, rims) > psnr(flow, truth, rims) - (0 if step == 1 else 0.8)


def light_field(views: int, size: int = 128) -> np.ndarray:
    """Views of two planes from a camera that moves to the right: a near disc over a far wall."""
    fine = 4
    wall, disc = (smooth_texture(size * fine, seed, cutoff=0.04) for seed in (0, 1))
    y, x = np.indices(wall.shape) / fine
    pictures = []
    for share in np.linspace(0, 1, views):
        near, far = 3.0 * share, 0.6 * share  # px
        distance = np.hypot(y - size / 2, x - size / 2 + near) - 0.2 * size
        inside = np.clip(0.5 - fine * distance, 0, 1)
        back = 0.7 * fourier_shift(wall, 0, -far * fine)
        front = 0.3 * fourier_shift(disc, 0, -near * fine) + 0.6
        picture = back + inside * (front - back)
        pictures.append(picture.reshape(size, fine, size, fine).mean(axis=(1, 3)))
    return np.stack(pictures).astype("f4")


def test_views_between_the_outermost_of_a_light_field():
    truth = light_field(7)
    drawn = interpolate(truth[[0, -1]], 6, axes="TYX", intensity_range=(0, 1)).compute()
    for view in range(1, 6):
        share = view / 6
        mean = (1 - share) * truth[0] + share * truth[-1]
        flow = flow_blended(truth[0].astype(float), truth[-1].astype(float), share)
        assert psnr(drawn[view], truth[view]) > psnr(mean, truth[view]) + 3
        assert psnr(drawn[view], truth[view]) > psnr(flow, truth[view])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"n": 1}, "n must be a whole number from 2"),
        ({"n": 1001}, "from 2 to 1000"),
        ({"n": 2, "method": "magic"}, "method must be one of"),
        ({"n": 2, "mode": "dynamic"}, "takes no 'mode'"),
    ],
)
def test_wrong_arguments_are_refused(arguments, words):
    with pytest.raises((ValueError, TypeError), match=words):
        interpolate(np.zeros((3, 32, 32), "u1"), **arguments)


def test_the_command_writes_the_same_pixels(tmp_path):
    movie, about = samples.load("cilia", n_frames=3, size=64)
    save_movie(tmp_path / "in.ome.tif", movie, axes="TYX", fps=about["fps"])
    command = ["interpolate", str(tmp_path / "in.ome.tif"), str(tmp_path / "out.ome.tif")]
    assert main([*command, "--times", "3", "--method", "riesz", "--quiet"]) == 0
    written = open_movie(tmp_path / "out.ome.tif")
    assert written.fps == pytest.approx(3 * about["fps"])
    frames = np.stack([written.read(t) for t in range(written.n_frames)])
    assert np.array_equal(frames, interpolate(movie, 3, axes="TYX", method="riesz").compute())
