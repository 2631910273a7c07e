"""Means and maxima over windows against PyTorch's pooling."""

import pytest
import torch
import torch.nn.functional as F

from napari_motionmag.methods.learned.networks.windows import windowed_max, windowed_mean


@pytest.mark.parametrize("window", [1, 3, 5, 7, 9, 17, 33])
@pytest.mark.parametrize("shape", [(2, 3, 20, 28), (1, 1, 1, 9)])
def test_windows_pool_what_lies_in_the_picture(window, shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(window))
    half = window // 2
    mean = F.avg_pool2d(x, window, 1, half, count_include_pad=False)
    assert torch.allclose(windowed_mean(x, window), mean, atol=1e-6)
    assert torch.equal(windowed_max(x, window), F.max_pool2d(x, window, 1, half))


def test_a_missing_value_stays_within_its_window():
    x = torch.zeros(1, 1, 9, 9)
    x[0, 0, 4, 4] = torch.nan
    for pooled in (windowed_mean(x, 3), windowed_max(x, 3)):
        assert pooled.isnan().sum() == 9
