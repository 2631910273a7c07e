"""Operators on wrapped increments, borders, smoothing: what phase and Riesz stand on."""

import numpy as np
import pytest
import torch
from scipy.ndimage import fourier_gaussian, gaussian_filter

from napari_motionmag.compute.device import choose_device, choose_dtype, device_lock
from napari_motionmag.methods.classical.phase_increments import Accumulator, make_plan, split
from napari_motionmag.methods.classical.phase_smoothing import blur, weighted_mean
from napari_motionmag.methods.classical.planes import PlaneReader
from napari_motionmag.methods.classical.pyramids.padding import Border, fast_size
from napari_motionmag.methods.classical.pyramids.steerable import add_part, take_part
from napari_motionmag.movie.color import RGB_TO_YIQ, add_planes, luma, to_planes


class Matrix:
    """Operator given by a matrix (T, T); zeros are not in its rows."""

    def __init__(self, matrix):
        self.matrix = np.asarray(matrix, float)

    def row(self, t, n):
        indices = np.flatnonzero(self.matrix[t])
        return indices, self.matrix[t, indices]


def operators(n):
    rng = np.random.default_rng(0)
    full = rng.normal(size=(n, n))
    full -= full.mean(1, keepdims=True)
    lag = np.eye(n) - np.eye(n, k=-3)
    lag[:3] = 0
    static = np.eye(n)
    static[:, 2] -= 1
    second = 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)
    second[[0, -1]] = 0
    return {"full": full, "lag": lag, "static": static, "second": second}


N = 11


@pytest.mark.parametrize("name", operators(N))
@pytest.mark.parametrize("block", [1, 3, N])
def test_weighted_increments_are_the_operator(name, block):
    operator = Matrix(operators(N)[name])
    times = [1, 4, 5, 9]
    values = torch.from_numpy(np.random.default_rng(1).normal(size=(N, 2, 5)))
    plan = make_plan(operator, times, N)
    total = Accumulator(plan, lambda a, b: b - a)
    for chunk in plan.chunks(block):
        total.add(chunk, values[chunk])
    expected = torch.einsum("tn,nab->tab", torch.from_numpy(operator.matrix[times]), values)
    torch.testing.assert_close(total.delta, expected, atol=1e-12, rtol=0)


def test_a_constant_does_not_count():
    # rows that do not sum to zero: only differences to the current frame have a meaning
    operator = Matrix(np.full((3, 3), 0.5))
    plan = make_plan(operator, [1], 3)
    total = Accumulator(plan, lambda a, b: b - a)
    total.add(plan.frames, torch.tensor([[1.0], [5.0], [7.0]], dtype=torch.float64) + 100)
    assert total.delta.item() == pytest.approx(0.5 * (1 - 5) + 0.5 * (7 - 5))


def test_plan_reads_no_more_than_it_needs():
    operator = Matrix(operators(N)["static"])
    plan = make_plan(operator, [5, 7], N)
    assert plan.frames.tolist() == [2, 5, 7]
    assert plan.pairs.tolist() == [[2, 5], [2, 7]]
    np.testing.assert_array_equal(plan.weights, np.eye(2))
    plan = make_plan(operator, [2], N)
    assert plan.frames.tolist() == [2]
    assert len(plan.pairs) == 0


def test_runs_are_split_to_fit():
    operator = Matrix(operators(N)["second"])
    plans = split(operator, range(1, 10), N, 5, 100)
    assert [p.times.tolist() for p in plans] == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
    assert max(len(p.frames) for p in plans) == 5
    plans = split(operator, range(1, 10), N, 100, 4)
    assert [len(p.times) for p in plans] == [4, 4, 1]
    # a long past is gone through once
    long = Matrix(operators(N)["full"])
    assert len(split(long, range(N), N, 5, 100)) == 1


def test_only_what_is_needed_later_is_kept():
    operator = Matrix(operators(N)["static"])
    plan = make_plan(operator, list(range(3, N)), N)
    total = Accumulator(plan, lambda a, b: b - a)
    for chunk in plan.chunks(2):
        total.add(chunk, torch.zeros(len(chunk), 4))
        assert set(total._kept) <= {2}
    assert total._kept == {}


@pytest.mark.parametrize("n", [8, 13, 40])
def test_borders_mirror_and_meet_without_a_step(n):
    border = Border((n, n + 1), 6, torch.device("cpu"), torch.float64)
    assert border.padded == (fast_size(n + 12), fast_size(n + 13))
    image = torch.linspace(0, 1, n, dtype=torch.float64)[:, None].repeat(1, n + 1)
    padded = border.pad(image)
    assert padded.shape == border.padded
    torch.testing.assert_close(border.crop(padded), image)
    column = padded[:, 0]
    # from one end to the other around the corner: no step larger than two slopes and the fade
    around = torch.diff(torch.cat([column[n - 1 :], column[:1]])).abs()
    assert around.max() < 0.35
    assert column[n] == pytest.approx(column[n - 2].item(), abs=0.05)
    assert column[-1] == pytest.approx(column[1].item(), abs=0.05)


def test_fast_sizes():
    assert [fast_size(n) for n in (1, 7, 11, 14, 22, 129, 512)] == [2, 8, 12, 16, 24, 144, 512]


@pytest.mark.parametrize("sigma", [1.0, 2.5])
def test_weighted_mean_is_a_quotient_of_gaussians(sigma):
    rng = np.random.default_rng(0)
    values, weight = rng.normal(size=(40, 50)), rng.random((40, 50)) ** 3
    total, mass = (
        np.fft.ifft2(fourier_gaussian(np.fft.fft2(m), sigma)).real
        for m in (values * weight, weight)
    )
    expected = total / mass
    got = weighted_mean(torch.from_numpy(values), torch.from_numpy(weight), sigma)
    np.testing.assert_allclose(got, expected, atol=1e-10)
    same = weighted_mean(torch.from_numpy(values), torch.from_numpy(weight), 0)
    np.testing.assert_array_equal(same, values)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_blur_of_several_maps_ends_at_the_edge(count):
    maps = np.random.default_rng(1).normal(size=(count, 21, 30))
    got = blur([torch.from_numpy(m) for m in maps], 1.5, (32, 40))
    for one, two in zip(got, maps, strict=True):
        expected = gaussian_filter(two, 1.5, mode="constant", truncate=6)
        np.testing.assert_allclose(one, expected, atol=1e-3)


@pytest.mark.parametrize("shape", [(16, 18), (17, 13)])
def test_parts_of_spectra(shape):
    image = torch.from_numpy(np.random.default_rng(2).normal(size=shape))
    reach = tuple((n - 1) // 2 for n in shape)
    part = take_part(torch.fft.rfft2(image), shape, reach)
    full = torch.fft.fft2(image)
    for axis, n in enumerate(shape):
        if n % 2 == 0:  # the Nyquist frequency is out of reach
            full.select(axis, n // 2).zero_()
    torch.testing.assert_close(part, full, atol=1e-12, rtol=0)
    # any part stands for the real part of its image
    turned = part * torch.exp(1j * torch.rand(shape, dtype=torch.float64))
    spectrum = torch.zeros_like(torch.fft.rfft2(image))
    add_part(spectrum, turned, reach, 2.0)
    torch.testing.assert_close(
        torch.fft.irfft2(spectrum, s=shape), 2 * torch.fft.ifft2(turned).real, atol=1e-12, rtol=0
    )


def test_luma_and_chroma():
    rgb = np.random.default_rng(3).random((4, 5, 3))
    np.testing.assert_allclose(luma(rgb), rgb @ [0.299, 0.587, 0.114])
    grey = np.repeat(rgb[..., :1], 3, -1)
    np.testing.assert_allclose(to_planes(grey, "magnify")[1:], 0, atol=1e-6)
    np.testing.assert_allclose(to_planes(grey, "pass"), rgb[..., 0][None])
    change = np.moveaxis(rgb @ RGB_TO_YIQ.T, -1, 0)
    np.testing.assert_allclose(add_planes(rgb, change), 2 * rgb, atol=1e-12)
    assert add_planes(rgb[..., 0], change[:1]).shape == (4, 5)


def test_reader_reads_once_and_lets_go():
    reads = []

    class Frames:
        def __getitem__(self, t):
            reads.append(t)
            return np.full((4, 5), t, np.float32)

    reader = PlaneReader(Frames(), "pass")
    reader.read(2)
    assert reader.planes(2, hold=True).shape == (1, 4, 5)
    reader.planes(3, hold=False)
    np.testing.assert_array_equal(reader.finish(2, np.ones((1, 4, 5))), np.full((4, 5), 3))
    assert reads == [2, 3]
    assert reader._held == {}


def test_devices():
    assert choose_device("cpu") == torch.device("cpu")
    assert choose_device(None).type in ("cpu", "cuda")
    assert choose_dtype("float64") is torch.float64
    assert device_lock(torch.device("cpu")) is device_lock(torch.device("cpu"))
    with pytest.raises(ValueError, match=r"^device must be"):
        choose_device(3.5)
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="is not available on this machine"):
            choose_device("cuda")
