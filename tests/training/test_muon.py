import pytest
import torch

from napari_motionmag.training.muon import Muon, is_hidden_kernel, orthogonalized


@pytest.mark.parametrize("shape", [(8, 72), (72, 8), (16, 16)])
def test_directions_move_equally_far(shape):
    torch.manual_seed(0)
    matrix = torch.randn(shape) @ torch.diag(torch.logspace(0, -1, shape[1]))
    made = orthogonalized(matrix)
    values = torch.linalg.svdvals(made)
    assert values.min() > 0.6
    assert values.max() < 1.3
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)  # the same directions
    assert torch.trace(u.T @ made @ v.T) / len(values) > 0.6


def test_which_layers_are_hidden():
    kinds = {
        (16, 3, 7, 7): False,  # the first
        (3, 32, 7, 7): False,  # the last
        (64, 64, 3, 3): True,
        (2, 64, 3, 3): False,
        (32,): False,
    }
    for shape, expected in kinds.items():
        assert is_hidden_kernel(torch.zeros(shape)) is expected


def test_biases_are_left_to_adam():
    torch.manual_seed(0)
    ours = torch.nn.Parameter(torch.randn(7))
    theirs = torch.nn.Parameter(ours.detach().clone())
    muon, adam = Muon([ours], lr=0.01), torch.optim.Adam([theirs], lr=0.01)
    for _ in range(20):
        for parameter, optimiser in ((ours, muon), (theirs, adam)):
            optimiser.zero_grad()
            (parameter - 0.3).square().sum().backward()
            optimiser.step()
    assert torch.allclose(ours, theirs, atol=1e-6)


def test_kernels_move_as_far_as_with_adam():
    torch.manual_seed(0)
    kernel = torch.nn.Parameter(torch.randn(32, 32, 3, 3))
    before = kernel.detach().clone()
    kernel.grad = torch.randn(32, 32, 3, 3)
    Muon([kernel], lr=0.01).step()
    size = (kernel.detach() - before).square().mean().sqrt() / 0.01
    assert 0.14 < size < 0.26


def test_it_learns_what_a_convolution_does():
    torch.manual_seed(0)
    teacher, pupil = (torch.nn.Conv2d(8, 8, 3, bias=False) for _ in range(2))
    optimiser = Muon(pupil.parameters(), lr=0.02)
    errors = []
    for step in range(150):
        for group in optimiser.param_groups:
            group["lr"] = 0.02 * (1 - step / 150)
        x = torch.randn(4, 8, 8, 8)
        error = (pupil(x) - teacher(x).detach()).square().mean()
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
        errors.append(error.item())
    assert errors[-1] < 0.02 * errors[0]
