"""Kernels of our own give what PyTorch gives."""

import math
import os
import pickle
import platform
import subprocess
import sys
import time
from contextlib import contextmanager
from copy import deepcopy as copied

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from napari_motionmag.methods.learned import kernels as cpu
from napari_motionmag.methods.learned.networks import inference_conv as fused
from napari_motionmag.methods.learned.networks.difference import (
    DifferenceConfig,
    DifferenceNet,
    _finished,
    _upsampled,
    to_planes,
)
from napari_motionmag.methods.learned.networks.flow_candidates import _products
from napari_motionmag.methods.learned.networks.light import _moments
from napari_motionmag.methods.learned.networks.oh2018 import Oh2018Config, Oh2018Net
from napari_motionmag.methods.learned.networks.oh2018_folded import FoldedOh2018
from napari_motionmag.methods.learned.networks.splatting import (
    _spline_coefficients,
    _without_speckle,
    backward_flow,
)

pytest.importorskip("numba")


@pytest.fixture(scope="module", autouse=True)
def _kernels():
    why = cpu.why_unavailable()
    if why is not None and ("the kernels need" in why or why.startswith(cpu.SWITCH)):
        pytest.skip(why)
    assert why is None, why


@contextmanager
def running(number):
    """As many threads of torch."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.fixture
def without(monkeypatch):
    """Call a function as where there are no kernels."""

    def call(function, *arguments):
        with monkeypatch.context() as patch, torch.inference_mode():
            patch.setattr(cpu, "why_unavailable", lambda: "switched off")
            return function(*arguments)

    return call


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def lanes(number):
    from napari_motionmag.methods.learned.kernels.llvm_vectors import LANES

    return number * LANES


@pytest.mark.parametrize("inputs", [1, 3, 4])
@pytest.mark.parametrize("outputs", [1, 2, 3, 4, 5, 6])
def test_convolution(inputs, outputs):
    from napari_motionmag.methods.learned.kernels.winograd import Winograd

    inputs, outputs = lanes(inputs), lanes(outputs)
    weight, bias = noise(outputs, inputs, 3, 3, seed=1) / (3 * inputs**0.5), noise(outputs)
    for height, width in ((1, 1), (2, 5), (3, 4), (4, 3), (8, 12), (9, 6), (13, 130)):
        x, other = noise(2, inputs, height, width), noise(2, outputs, height, width, seed=2)
        plain = F.conv2d(x.double(), weight.double(), bias.double(), padding=1)
        kernel = Winograd(weight, bias)
        assert (kernel(x) - plain).abs().max() <= 2e-5
        assert (kernel(x, slope=0.1) - F.leaky_relu(plain, 0.1)).abs().max() <= 2e-5
        rectified = (plain + other).relu()
        assert (kernel(x, other, slope=0.0) - rectified).abs().max() <= 2e-5
        into = other.contiguous(memory_format=torch.channels_last).clone()
        assert kernel(x, into, slope=0.0, into=into) is into
        assert (into - rectified).abs().max() <= 2e-5


def test_errors_are_those_of_rounding():
    from napari_motionmag.methods.learned.kernels.winograd import Winograd

    x, weight = noise(1, 64, 40, 40), noise(64, 64, 3, 3, seed=1) / 24
    exact = F.conv2d(x.double(), weight.double(), padding=1)
    ours = (Winograd(weight)(x) - exact).abs().max()
    plain = (F.conv2d(x, weight, padding=1) - exact).abs().max()
    assert ours <= 8 * plain


def test_two_inputs_side_by_side():
    from napari_motionmag.methods.learned.kernels.winograd import Winograd

    layer = layer_of(3, 2, after="relu")
    for first, second in ((1, 2), (2, 1)):
        x, beside = noise(2, lanes(first), 9, 14), noise(2, lanes(second), 9, 14, seed=1)
        joined = torch.cat([x, beside], 1)
        with torch.inference_mode():
            found = layer(x, beside)
            assert torch.equal(found, layer(joined))
            plain = F.conv2d(joined, layer.weight, layer.bias, padding=1).relu()
            assert (found - plain).abs().max() <= 2e-5
            odd = layer(joined[:, :5], joined[:, 5:])
        assert torch.equal(odd, found)
    kernel, x = Winograd(layer.weight), joined[:, : lanes(2)]
    with pytest.raises(ValueError, match="channels, each a multiple of"):
        kernel(x, beside=joined[:, :5])
    for wrong in (joined[:1, lanes(2) :], joined[..., :4][:, lanes(2) :]):
        with pytest.raises(ValueError, match="beside must be float32"):
            kernel(x, beside=wrong)


@pytest.mark.parametrize("outputs", [1, 5, 37])
def test_outputs_of_any_number(outputs):
    from napari_motionmag.methods.learned.kernels.winograd import Winograd

    x, weight = noise(1, lanes(2), 7, 11), noise(outputs, lanes(2), 3, 3, seed=1) / 10
    other = noise(1, outputs, 7, 11, seed=2)
    found = Winograd(weight, None)(x, other)
    assert (found - F.conv2d(x, weight, padding=1) - other).abs().max() <= 2e-5


@pytest.mark.parametrize("network", [False, True])
def test_threads_change_nothing(network):
    from napari_motionmag.methods.learned.kernels.winograd import Winograd

    kernel, given = Winograd(noise(32, 32, 3, 3, seed=1)), (noise(3, 32, 30, 41),)
    if network:
        kernel, given = small_network(1)
    found = []
    for number in (1, 2, 3, 16):
        with running(number), torch.inference_mode():
            found.append(kernel(*given))
    for other in found[1:]:  # PyTorch's own sums depend on the number of threads
        assert (found[0] - other).abs().max() <= (1e-5 if network else 0)


def test_all_parts_are_done_when_one_fails():
    done = []

    def work(picture, first, last):
        if first == 0:
            raise MemoryError
        time.sleep(0.1)
        done.append(first)

    with running(3), pytest.raises(MemoryError):
        cpu.share_rows(work, 1, 3)
    assert sorted(done) == [1, 2]


def test_frames_after_the_end_of_the_main_thread():
    code = (
        "import threading, time, torch\n"
        "from napari_motionmag.methods.learned.kernels import share_rows\n"
        "torch.set_num_threads(2)\n"
        "def late():\n"
        "    threading.main_thread().join()\n"
        "    time.sleep(0.2)\n"
        "    share_rows(lambda *part: print(*part), 1, 4)\n"
        "share_rows(lambda *part: None, 1, 4)\n"
        "threading.Thread(target=late).start()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "0", "2", "0", "2", "4"]


def test_what_does_not_fit_is_refused():
    from napari_motionmag.methods.learned.kernels import (
        gradients,
        layouts,
        sampling,
        splatting,
        upsampling,
    )
    from napari_motionmag.methods.learned.kernels.winograd import Winograd

    kernel, x = Winograd(noise(lanes(1), lanes(2), 3, 3)), noise(1, lanes(2), 8, 8)
    with pytest.raises(ValueError, match="channels, each a multiple of"):
        kernel(noise(1, lanes(1), 8, 8))
    for wrong in (x.double(), x.to(torch.bfloat16), x.to("meta")):
        with pytest.raises(ValueError, match="x must be float32"):
            kernel(wrong)
    fits = noise(1, lanes(1), 8, 8)
    for wrong in (fits[..., :7], fits.double(), fits.to("meta")):
        with pytest.raises(ValueError, match="other must be float32"):
            kernel(x, wrong)
        with pytest.raises(ValueError, match="into must be float32"):
            kernel(x, into=wrong)
    square = Winograd(noise(lanes(1), lanes(1), 3, 3))
    last = fits.contiguous(memory_format=torch.channels_last)
    with pytest.raises(ValueError, match="none of the inputs"):
        square(last, into=last)
    with pytest.raises(ValueError, match="weight must be"):
        Winograd(noise(4, lanes(1) + 1, 3, 3))
    with pytest.raises(ValueError, match="weights must be float32"):
        upsampling.upsampled(noise(1, 3, 8, 8), noise(1, 96, 8, 8))
    with pytest.raises(ValueError, match="variation must be float32"):
        gradients.products(noise(1, 1, 64, 64), noise(1, 1, 8, 8), 4)
    with pytest.raises(ValueError, match="multiple of 4"):
        gradients.products(noise(1, 1, 6, 8), noise(1, 1, 6, 8), 4)
    with pytest.raises(ValueError, match="multiple of 4"):
        splatting.splat(noise(1, 2, 6, 6), noise(1, 1, 6, 6))
    with pytest.raises(ValueError, match="weight must be float32"):
        splatting.splat(noise(1, 2, 8, 8), noise(1, 1, 8, 4))
    with pytest.raises(ValueError, match="source must be float32"):
        sampling.sampled(noise(1, 1, 12, 12), noise(1, 2, 8, 12))
    with pytest.raises(ValueError, match="channels be 8 or more"):
        layouts.squares([(noise(1, 2, 8, 8), 1, 0)], None, 7)
    with pytest.raises(ValueError, match="even sides"):
        layouts.squares([(noise(1, 2, 7, 8), 1, 0)], None, 8)
    with pytest.raises(ValueError, match="beside must be float32"):
        layouts.squares([(noise(1, 2, 8, 8), 1, 0)], noise(1, 2, 8, 8), 16)
    with pytest.raises(ValueError, match="source must be float32"):
        splatting.without_lone(noise(1, 3, 8, 8), 2.0)


def test_from_nowhere_comes_no_number():
    from napari_motionmag.methods.learned.kernels import sampling

    source = torch.zeros(1, 2, 8, 8)
    source[0, 1, 3, 4] = math.nan
    source[0, 0, 5, 6] = math.inf
    found = sampling.sampled(noise(1, 2, 12, 12), source)
    assert found.isnan().sum() == 2
    assert found[0, :, 3, 4].isnan().all()


def test_nothing_to_do():
    with torch.inference_mode():
        assert layer_of(1, 2)(noise(0, lanes(1), 8, 8)).shape == (0, lanes(2), 8, 8)
        source, coverage = backward_flow(noise(0, 2, 8, 8), noise(0, 1, 8, 8))
    assert source.shape == (0, 2, 8, 8)
    assert coverage.shape == (0, 1, 8, 8)


def test_what_is_no_number_comes_out():
    layer = layer_of(1, 1, after="relu")
    layer.weight[:] = 0
    layer.weight[:, 0, 1, 1] = 1
    layer.bias[:] = 0
    x = torch.ones(1, lanes(1), 12, 12)
    x[0, 0, 5, 5] = np.nan
    weights = torch.zeros(1, 144, 4, 4)
    weights[0, 0, 2, 2] = np.nan
    with torch.inference_mode():
        found = layer(x)
        up = _upsampled(torch.ones(1, 3, 4, 4), weights)
    assert found[0, :, 5, 5].isnan().all()
    assert (found.isnan().sum((2, 3)) <= 25).all()
    assert up.isnan().sum() == 3


def layer_of(inputs, outputs, **options):
    torch.manual_seed(0)
    layer = fused.Conv2d(lanes(inputs), lanes(outputs), 3, padding=1, **options)
    return layer.requires_grad_(False)


def used(layer):
    return layer._winograd is not None


def test_layers_notice_new_weights():
    layer, x = layer_of(1, 1), noise(1, lanes(1), 9, 9)
    with torch.inference_mode():
        first = layer(x)
        layer.weight.mul_(2)
        layer.bias.mul_(2)
        assert used(layer)
        assert (layer(x) - 2 * first).abs().max() <= 1e-5
        layer.weight = torch.nn.Parameter(4 * layer.weight.clone(), requires_grad=False)
    layer.weight = torch.nn.Parameter(torch.zeros(layer.weight.shape), requires_grad=False)
    with torch.inference_mode():
        assert (layer(x) - layer.bias.view(1, -1, 1, 1)).abs().max() <= 1e-6


def test_layers_that_are_trained_have_no_kernel():
    layer, x = layer_of(1, 1).requires_grad_(True), noise(1, lanes(1), 9, 9)
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.1)
    for _ in range(2):
        with torch.inference_mode():
            found = layer(x)
        plain = F.conv2d(x, layer.weight, layer.bias, padding=1)
        assert (found - plain).abs().max() <= 1e-5
        plain.square().sum().backward()
        optimiser.step()
    assert not used(layer)


@pytest.mark.parametrize("how", ["gradients", "autocast", "double", "stride", "padding"])
def test_where_no_kernel_will_do(how):
    options = {"stride": {"stride": 2}, "padding": {"padding_mode": "reflect"}}.get(how, {})
    layer, x = layer_of(1, 1, **options), noise(1, lanes(1), 9, 9)
    if how == "double":
        layer, x = layer.double(), x.double()
    plain = layer(x)
    with (
        torch.inference_mode(how != "gradients"),
        torch.autocast("cpu", torch.bfloat16, enabled=how == "autocast"),
    ):
        found = layer(x)
    assert not used(layer)
    assert (found - plain).abs().max() <= (0.1 if how == "autocast" else 1e-5)


def test_copies_make_kernels_of_their_own():
    layer, x = layer_of(1, 1), noise(1, lanes(1), 9, 9)
    with torch.inference_mode():
        found = layer(x)
    assert used(layer)
    for copy in (copied(layer), pickle.loads(pickle.dumps(layer))):
        assert not used(copy)
        with torch.inference_mode():
            assert torch.equal(copy(x), found)
        assert used(copy)


def test_defaults_of_torch_change_nothing():
    layer, x = layer_of(1, 2), noise(1, lanes(1), 9, 9)
    net, given = small_network(1)
    with torch.inference_mode():
        wanted = layer(x), net(*given)
        try:
            for dtype, device in ((torch.bfloat16, "cpu"), (torch.float64, "meta")):
                torch.set_default_dtype(dtype)
                torch.set_default_device(device)
                assert torch.equal(fused.Conv2d.forward(layer, x), wanted[0])
                cpu._why_unavailable.cache_clear()
                assert cpu.available()
                torch.set_default_device(None)
                assert torch.equal(net(*given), wanted[1])
        finally:
            torch.set_default_dtype(torch.float32)
            torch.set_default_device(None)


@pytest.mark.parametrize("size", [(8, 8), (40, 24), (64, 136)])
@pytest.mark.parametrize("window", [4, 2, 1])
def test_products_of_gradients(without, size, window):
    pictures = noise(2, 1, *size), 0.01 * noise(2, 1, *size, seed=1)
    plain = without(_products, *pictures, window)
    with torch.inference_mode():
        found = _products(*pictures, window)
    largest = plain.abs().amax((0, 2, 3), keepdim=True)
    assert ((found - plain).abs() <= 1e-6 * largest).all()


@pytest.mark.parametrize("size", [(8, 8), (40, 136)])
def test_moments(without, size):
    pictures = noise(2, 1, *size), 0.01 * noise(2, 1, *size, seed=1)
    plain = without(_moments, *pictures, 4)
    with torch.inference_mode():
        found = _moments(*pictures, 4)
    largest = plain.abs().amax((0, 2, 3), keepdim=True)
    assert ((found - plain).abs() <= 1e-6 * largest).all()


@pytest.mark.parametrize("number", [1, 3])
def test_lone_displacements(without, number):
    source = 2 * noise(2, 2, 24, 40)
    source[:, :, 8:16] = 0  # many are alone, and some beside what is no number
    source[0, 1, 12, 20], source[1, 0, 3, 4], source[0, 0, 20, 7] = 9, np.nan, np.inf
    plain = without(_without_speckle, source)
    with running(number), torch.inference_mode():
        found = _without_speckle(source)
    torch.testing.assert_close(found, plain, rtol=0, atol=0, equal_nan=True)
    assert not torch.equal(found.nan_to_num(), source.nan_to_num())


@pytest.mark.parametrize("channels", [20, 32])
@pytest.mark.parametrize("beside", [None, 4])
def test_squares(channels, beside):
    from napari_motionmag.methods.learned.kernels import layouts

    parts = [(noise(2, 1, 70, 24), 2, -1), (noise(2, 2, 70, 24, seed=1)[:, :2], 0.5, 3)]
    more = None if beside is None else noise(2, beside, 35, 12, seed=2)
    planes = torch.cat([factor * planes + offset for planes, factor, offset in parts], 1)
    expected = [F.pixel_unshuffle(planes, 2)] + ([] if more is None else [more])
    expected = torch.cat(expected, 1)
    with running(3):
        found = layouts.squares(parts, more, channels)
    assert found.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(found[:, : expected.shape[1]], expected)
    assert (found[:, expected.shape[1] :] == 0).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_finished_frames(without, channels):
    frame, planes, moved = (noise(2, channels, 48, 24, seed=k) for k in range(3))
    source, share = noise(2, 2, 48, 24, seed=3), noise(2, 1, 48, 24, seed=4)
    drawn, cells = noise(2, 4 * channels, 24, 12, seed=5), noise(2, 2, 6, 3, seed=6)
    source[0, :, 5:20] = 0
    moved[0, :, 5:20] = planes[0, :, 5:20]
    given = frame, planes, moved, source, drawn, cells[:, :1], cells[:, 1:], share
    plain = without(_finished, *given)
    moved[0, :, 5:20] += 1e-7  # what rounding does must not be seen
    with running(3), torch.inference_mode():
        found = _finished(*given)
    for one, other in zip(found, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)
    assert torch.equal(found[1][0, :, 5:20], frame[0, :, 5:20])


def test_planes(without):
    frame = noise(2, 3, 16, 24).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        found = to_planes(frame)
    torch.testing.assert_close(found, without(to_planes, frame), rtol=0, atol=1e-6)


def test_upsampling(without):
    x, weights = noise(2, 3, 9, 14), 20 * noise(2, 144, 9, 14, seed=1)
    plain = without(_upsampled, x, weights)
    with torch.inference_mode():
        assert (_upsampled(x, weights) - plain).abs().max() <= 3e-6
        for far in (-1e4, 1e4):  # shares of nothing, and of all
            assert _upsampled(x, far * weights).isfinite().all()


@pytest.mark.parametrize(("height", "width"), [(24, 36), (1024, 8)])
@pytest.mark.parametrize("largest", [5, 60, 700, 1e9])
def test_pull(without, height, width, largest):
    motion, importance = 5 * noise(2, 2, height, width), noise(2, 1, height, width, seed=1)
    motion[0, :, 3, 4] = torch.tensor([largest, -largest])
    if largest == 700:  # all to one row: threads must not meet there
        motion[:, 1] = height / 2 - torch.arange(height).view(-1, 1)
    plain = without(backward_flow, motion, importance)
    found = []
    for number in (1, 3, 3, 3):
        with running(number), torch.inference_mode():
            found.append(backward_flow(motion, importance))
    for one, *more, its in zip(*found, plain, strict=True):
        assert all(torch.equal(one, other) for other in more)
        assert (one - its).abs().max() <= 1e-4 * max(1, its.abs().max())
        assert one.shape == its.shape


def test_motion_that_is_no_number_does_no_harm():
    motion, importance = torch.zeros(1, 2, 16, 16), torch.zeros(1, 1, 16, 16)
    motion[0, 0, 5, 7] = np.nan
    with torch.inference_mode():
        source, coverage = backward_flow(motion, importance)
        nowhere, nothing = backward_flow(torch.full_like(motion, np.nan), importance)
    assert (source.abs() <= 1e-6).all()
    assert coverage.sum() == 16 * 16 - 1
    assert (nowhere == 0).all()
    assert (nothing == 0).all()


def small_network(channels):
    """A network that draws, and what it is given."""
    torch.manual_seed(0)
    net = DifferenceNet(DifferenceConfig(channels=channels)).eval().requires_grad_(False)
    for layer in (net.motion.choose, net.drawing.tail):  # zero in a new network
        torch.nn.init.normal_(layer.weight, 0, 0.05)
    frame = torch.rand(2, channels, 64, 80, generator=torch.Generator().manual_seed(0))
    return net, (frame, 0.01 * noise(2, 1, 64, 80), torch.tensor([3.0, 9.0]))


@pytest.mark.parametrize("channels", [1, 3])
def test_difference_network(without, channels):
    net, given = small_network(channels)
    plain = without(net, *given)
    with torch.inference_mode():
        found = net(*given)
    assert used(net.drawing.fuse)
    assert (found - plain).abs().max() <= 1e-4
    assert (plain - given[0]).abs().max() > 0.01


def test_oh2018_network(without):
    torch.manual_seed(0)
    net = Oh2018Net(Oh2018Config(channels=1)).eval().requires_grad_(False)
    a, b = (torch.rand(1, 1, 32, 48, generator=torch.Generator().manual_seed(k)) for k in (0, 1))

    def draw():
        folded = FoldedOh2018(net)
        texture, shape = folded.encoder(b)
        return folded.decoder(texture, shape + folded.response(shape - folded.shape(a), 9.0))

    plain = without(draw)
    with torch.inference_mode():
        assert (draw() - plain).abs().max() <= 1e-5


@pytest.mark.parametrize(("switch", "expected"), [("0", False), ("1", True)])
def test_switch_in_the_environment(monkeypatch, switch, expected):
    monkeypatch.setenv(cpu.SWITCH, switch)
    cpu._why_unavailable.cache_clear()
    try:
        assert cpu.available() == expected
        assert cpu.why_unavailable() == (None if expected else f"{cpu.SWITCH}=0")
    finally:
        cpu._why_unavailable.cache_clear()


ELSEWHERE = """
from napari_motionmag.methods.learned.kernels import available, llvm_vectors
assert llvm_vectors.LANES == 8
assert available()
import sys, pytest
sys.exit(pytest.main(sys.argv[1:]))
"""
NO_FOLDER = """
from numba.core import caching
kind = getattr(caching, "CacheImpl", None) or caching._CacheImpl
kind._locator_classes = []
from napari_motionmag.methods.learned.kernels import layouts, llvm_vectors
assert not llvm_vectors.CAN_CACHE
assert layouts.self_test()
"""


def _run(code, *arguments, **environment):
    command = [sys.executable, "-c", code, *arguments]
    environment = {**os.environ, **environment}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="registers of x86")
def test_registers_of_other_processors():
    """Compiled as for them, and kept beside what is compiled for this processor."""
    names = "test_convolution or side_by_side or products or upsampling or pull"
    arguments = ("-q", "-p", "no:cacheprovider", "-k", names, __file__)
    features = "+avx2,+fma,+avx,+bmi,+bmi2"
    _run(ELSEWHERE, *arguments, NUMBA_CPU_NAME="haswell", NUMBA_CPU_FEATURES=features)


def test_without_a_folder_for_the_cache():
    _run(NO_FOLDER)


def test_without_a_compiler_that_works(monkeypatch):
    from napari_motionmag.methods.learned.kernels import winograd

    def broken():
        raise RuntimeError("no compiler")

    for right, why in ((broken, "no compiler"), (lambda: False, "wrong results of winograd")):
        monkeypatch.setattr(winograd, "self_test", right)
        cpu._why_unavailable.cache_clear()
        try:
            with pytest.warns(RuntimeWarning, match=why):
                assert not cpu.available()
            assert why in cpu.why_unavailable()
        finally:
            monkeypatch.undo()
            cpu._why_unavailable.cache_clear()
    assert cpu.available()


def test_compiled_kernels_are_kept_by_the_version_of_all_their_sources(monkeypatch, tmp_path):
    """numba looks at a kernel's own file only; filters of another one are compiled in, too."""
    from napari_motionmag.methods.learned import derivative_filters
    from napari_motionmag.methods.learned.kernels import llvm_vectors

    before = llvm_vectors._version()
    changed = tmp_path / "derivative_filters.py"
    changed.write_text("SMOOTH = (0.0, 0.25, 0.5, 0.25, 0.0)\n")
    monkeypatch.setattr(derivative_filters, "__file__", str(changed))
    assert llvm_vectors._version() != before
    monkeypatch.undo()
    assert llvm_vectors._version() == before
    from napari_motionmag.methods.learned.kernels import gradients

    assert before in gradients._average.stats.cache_path


@pytest.mark.parametrize("shape", [(1, 3, 24, 40), (2, 1, 8, 16)])
def test_spline_coefficients(shape):
    from napari_motionmag.methods.learned.kernels import sampling

    x = noise(*shape)
    plain = _spline_coefficients(x)
    with torch.inference_mode():
        found = sampling.spline_coefficients(x)
    assert (found - plain).abs().max() <= 1e-6 * plain.abs().max()


FIRST = """
import sys, threading
import numpy as np
from napari_motionmag.compute.device import INTERACTIVE, priority
from napari_motionmag.magnification.magnification import plan
from napari_motionmag.methods.learned import kernels

kernels._FIRST_FRAME = 3600  # a busy machine may need more than the usual second for it
movie = np.random.default_rng(0).integers(0, 255, (4, 48, 64), np.uint8)
result = plan(movie, 5, axes="TYX", model="difference", device="cpu")
with priority(INTERACTIVE):
    first = result.draw([1])[0]
assert "numba" not in sys.modules
[loading] = [t for t in threading.enumerate() if isinstance(t, threading.Timer)]
loading.cancel()
loading.function()
assert "numba" in sys.modules
with priority(INTERACTIVE):
    assert kernels.available()
again = plan(movie, 5, axes="TYX", model="difference", device="cpu").draw([1])[0]
assert np.abs(again.astype(int) - first).max() <= 1
"""


def test_a_frame_that_somebody_waits_for_waits_for_no_kernels():
    done = subprocess.run([sys.executable, "-c", FIRST], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
