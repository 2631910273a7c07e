"""Kernels of our own give what PyTorch gives."""

import os
import platform
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from napari_motionmag.learned import cpu, fused
from napari_motionmag.learned.difference import DifferenceConfig, DifferenceNet, _upsampled
from napari_motionmag.learned.folded import FoldedOh2018
from napari_motionmag.learned.local_motion import _products
from napari_motionmag.learned.network import Oh2018Config, Oh2018Net
from napari_motionmag.learned.warping import pull

pytest.importorskip("numba")


@pytest.fixture(scope="module", autouse=True)
def _kernels():
    if not cpu.available():
        pytest.skip("no kernels for this processor")


@pytest.fixture
def without(monkeypatch):
    """Call a function as where there are no kernels."""

    def call(function, *arguments):
        with monkeypatch.context() as patch, torch.inference_mode():
            patch.setattr(cpu, "available", lambda: False)
            return function(*arguments)

    return call


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def lanes(number):
    from napari_motionmag.learned.cpu.vectors import LANES

    return number * LANES


@pytest.mark.parametrize("inputs", [1, 3, 4])
@pytest.mark.parametrize("outputs", [1, 2, 3, 4, 5, 6])
def test_convolution(inputs, outputs):
    from napari_motionmag.learned.cpu.winograd import Winograd

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
    from napari_motionmag.learned.cpu.winograd import Winograd

    x, weight = noise(1, 64, 40, 40), noise(64, 64, 3, 3, seed=1) / 24
    exact = F.conv2d(x.double(), weight.double(), padding=1)
    ours = (Winograd(weight)(x) - exact).abs().max()
    plain = (F.conv2d(x, weight, padding=1) - exact).abs().max()
    assert ours <= 8 * plain


def test_two_inputs_side_by_side():
    from napari_motionmag.learned.cpu.winograd import Winograd

    layer = fused.Conv2d(lanes(3), lanes(2), 3, padding=1, after="relu")
    for first, second in ((1, 2), (2, 1)):
        x, beside = noise(2, lanes(first), 9, 14), noise(2, lanes(second), 9, 14, seed=1)
        joined = torch.cat([x, beside], 1)
        with torch.inference_mode():
            found = layer.of_both(x, beside)
            assert torch.equal(found, layer(joined))
            plain = F.conv2d(joined, layer.weight, layer.bias, padding=1).relu()
            assert (found - plain).abs().max() <= 2e-5
            odd = layer.of_both(joined[:, :5], joined[:, 5:])
        assert torch.equal(odd, found)
    kernel = Winograd(layer.weight)
    for wrong in (joined[:, :5], joined[:1, lanes(2) :], joined[..., :4][:, lanes(2) :]):
        with pytest.raises(ValueError, match="x must be float32"):
            kernel(joined[:, : lanes(2)], beside=wrong)


@pytest.mark.parametrize("outputs", [1, 5, 37])
def test_outputs_of_any_number(outputs):
    from napari_motionmag.learned.cpu.winograd import Winograd

    x, weight = noise(1, lanes(2), 7, 11), noise(outputs, lanes(2), 3, 3, seed=1) / 10
    other = noise(1, outputs, 7, 11, seed=2)
    found = Winograd(weight, None)(x, other)
    assert (found - F.conv2d(x, weight, padding=1) - other).abs().max() <= 2e-5


@pytest.mark.parametrize("network", ["kernel", "difference"])
def test_threads_change_nothing(network):
    from napari_motionmag.learned.cpu.winograd import Winograd

    kernel, x = Winograd(noise(32, 32, 3, 3, seed=1)), noise(3, 32, 30, 41)
    net, frame = DifferenceNet(DifferenceConfig(channels=1)).eval(), noise(2, 1, 40, 56).sigmoid()
    found = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 3, 16):
            torch.set_num_threads(threads)
            with torch.inference_mode():
                if network == "kernel":
                    found.append(kernel(x))
                else:
                    given = frame, 0.01 * frame, torch.tensor([3.0, 9.0])
                    found.append(torch.cat(net.displacement(*given)[:2], 1))
    finally:
        torch.set_num_threads(before)
    assert all((found[0] - other).abs().max() <= 1e-5 for other in found[1:])
    if network == "kernel":
        assert all(torch.equal(found[0], other) for other in found[1:])


def test_what_does_not_fit_is_refused():
    from napari_motionmag.learned.cpu.winograd import Winograd

    kernel, x = Winograd(noise(lanes(1), lanes(2), 3, 3)), noise(1, lanes(2), 8, 8)
    for wrong in (noise(1, lanes(1), 8, 8), x.double(), x.to(torch.bfloat16)):
        with pytest.raises(ValueError, match="x must be float32"):
            kernel(wrong)
    with pytest.raises(ValueError, match="other must be"):
        kernel(x, noise(1, lanes(1), 8, 7))
    for wrong in (noise(1, lanes(1), 8, 9), noise(1, lanes(1), 8, 8).double()):
        with pytest.raises(ValueError, match="into must be"):
            kernel(x, into=wrong)
    with pytest.raises(ValueError, match="weight must be"):
        Winograd(noise(4, lanes(1) + 1, 3, 3))


def test_layers_notice_new_weights():
    layer, x = fused.Conv2d(lanes(1), lanes(1), 3, padding=1), noise(1, lanes(1), 9, 9)
    with torch.inference_mode():
        first = layer(x)
    with torch.no_grad():
        layer.weight.mul_(2)
        layer.bias.mul_(2)
    with torch.inference_mode():
        assert (layer(x) - 2 * first).abs().max() <= 1e-5


@pytest.mark.parametrize("size", [(8, 8), (40, 24), (64, 136)])
@pytest.mark.parametrize("window", [4, 2, 1])
def test_products_of_gradients(without, size, window):
    pictures = noise(2, 1, *size), 0.01 * noise(2, 1, *size, seed=1)
    plain = without(_products, *pictures, window)
    with torch.inference_mode():
        found = _products(*pictures, window)
    largest = plain.abs().amax((0, 2, 3), keepdim=True)
    assert ((found - plain).abs() <= 1e-6 * largest).all()


def test_upsampling(without):
    x, weights = noise(2, 3, 9, 14), 20 * noise(2, 144, 9, 14, seed=1)
    plain = without(_upsampled, x, weights)
    with torch.inference_mode():
        assert (_upsampled(x, weights) - plain).abs().max() <= 3e-6
        for far in (-1e4, 1e4):  # shares of nothing, and of all
            assert _upsampled(x, far * weights).isfinite().all()


@pytest.mark.parametrize(("height", "width"), [(24, 36), (300, 20)])
@pytest.mark.parametrize("largest", [5, 60, 1e9])
def test_pull(without, height, width, largest):
    motion, importance = 5 * noise(2, 2, height, width), noise(2, 1, height, width, seed=1)
    motion[0, :, 3, 4] = torch.tensor([largest, -largest])
    plain = without(pull, motion, importance)
    found, before = [], torch.get_num_threads()
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            with torch.inference_mode():
                found.append(pull(motion, importance))
    finally:
        torch.set_num_threads(before)
    for one, more, its in zip(*found, plain, strict=True):
        assert torch.equal(one, more)
        assert (one - its).abs().max() <= 1e-4
        assert one.shape == its.shape


def test_motion_that_is_no_number_does_no_harm():
    motion, importance = torch.full((1, 2, 8, 8), np.nan), torch.zeros(1, 1, 8, 8)
    with torch.inference_mode():
        source, coverage = pull(motion, importance)
    assert source.shape == (1, 2, 8, 8)
    assert (coverage == 0).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_difference_network(without, channels):
    torch.manual_seed(0)
    net = DifferenceNet(DifferenceConfig(channels=channels)).eval()
    for layer in (net.motion.choose, net.drawing.tail):  # zero in a new network
        torch.nn.init.normal_(layer.weight, 0, 0.05)
    frame = torch.rand(2, channels, 64, 80, generator=torch.Generator().manual_seed(0))
    given = frame, 0.01 * noise(2, 1, 64, 80), torch.tensor([3.0, 9.0])
    plain = without(net, *given)
    with torch.inference_mode():
        found = net(*given)
    assert (found - plain).abs().max() <= 1e-4
    assert (plain - frame).abs().max() > 0.01


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


def test_switch_in_the_environment():
    code = "from napari_motionmag.learned import cpu; print(cpu.available())"
    for switch, expected in (("0", "False"), ("1", "True")):
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, cpu.SWITCH: switch},
        )
        assert done.stdout.strip() == expected


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="registers of x86")
def test_registers_of_other_processors(tmp_path):
    code = (
        "from napari_motionmag.learned import cpu\n"
        "from napari_motionmag.learned.cpu import vectors\n"
        "print(vectors.LANES, cpu.available())"
    )
    asked = {
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CPU_FEATURES": "+avx2,+fma,+avx,+bmi,+bmi2",
        "NUMBA_CACHE_DIR": str(tmp_path),
    }
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env={**os.environ, **asked}
    )
    assert done.stdout.split() == ["8", "True"]


def test_without_a_compiler_that_works(monkeypatch, caplog):
    from napari_motionmag.learned.cpu import winograd

    def broken():
        raise RuntimeError("no compiler")

    monkeypatch.setattr(winograd, "right", broken)
    cpu._available.cache_clear()
    try:
        with caplog.at_level("INFO"):
            assert not cpu.available()
        assert "no compiler" in caplog.text
    finally:
        monkeypatch.undo()
        cpu._available.cache_clear()
    assert cpu.available()
