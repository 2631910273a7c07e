import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from napari_motionmag.methods.learned.networks.oh2018 import Oh2018Net
from napari_motionmag.training import color_to_texture
from napari_motionmag.training.color_to_texture import move_color_to_texture
from napari_motionmag.training.linear_start import start_as_linear


def _frames(number: int) -> torch.Tensor:
    """Return smooth pictures in color, with some detail."""
    rng = np.random.default_rng(number + 10)
    coarse, fine = (gaussian_filter(rng.random((2, 3, 48, 48)), (0, 0, s, s)) for s in (8, 2))
    mixed = sum(x / np.ptp(x) for x in (coarse, 0.3 * fine))
    return torch.from_numpy(((mixed - mixed.min()) / np.ptp(mixed)).astype(np.float32))


def test_the_decoder_draws_the_same_of_color_and_the_rest():
    torch.manual_seed(0)
    network = Oh2018Net()
    decoder, channels, units = network.decoder, list(range(4, 13)), list(range(9))
    x, share = _frames(0), 0.1 * torch.randn(32, 3)
    with torch.no_grad():
        decoder.texture_up.weight[:, channels] = 0
        for layer in (*(block.first for block in decoder.fusion), decoder.up):
            layer.weight[:, units] = 0
        for block in decoder.fusion:
            block.second.weight[units] = 0
        texture, shape = network.encoder(x)
        before = decoder(texture, shape)
        color_to_texture._read_color(decoder, channels, units, share)
        color = color_to_texture._color(x, 4.0)
        texture[:, channels[:3]] = color
        rest = shape - torch.einsum("kc,nchw->nkhw", share, color_to_texture._as_decoded(color))
        after = decoder(texture, rest)
        without = decoder(texture, shape)
    inner = (..., slice(20, -20), slice(20, -20))
    assert (after - before)[inner].abs().max() < 1e-5
    assert (without - before)[inner].abs().max() > 1e-3


def test_channels_with_least_effect_are_found():
    torch.manual_seed(0)
    decoder, used = Oh2018Net().decoder, [3, 17]
    texture, shape = torch.rand(1, 32, 4, 4), torch.rand(1, 32, 8, 8)
    with torch.no_grad():
        kept = decoder.texture_up.weight[used].clone()
        decoder.texture_up.weight.zero_()
        decoder.texture_up.bias.zero_()
        decoder.texture_up.weight[used] = kept.abs()
        decoder.texture_up.weight[:, 9:] = 0
        channels, units = color_to_texture._least_used(decoder, texture, shape, 23)
    assert set(channels) == set(range(9, 32))
    assert not set(units) & set(used)


def test_texture_learns_color_and_shape_loses_it(monkeypatch):
    # of a network that draws from shape alone all channels do nothing
    monkeypatch.setattr(color_to_texture, "_least_used", lambda *_: (list(range(9)),) * 2)
    x = torch.cat([_frames(1000 + k) for k in range(2)])
    inner = (..., slice(4, -4), slice(4, -4))

    def moved(steps):
        """Return texture, the spread of pixels in shape, and how the picture changes."""
        torch.manual_seed(0)
        network = Oh2018Net()
        start_as_linear(network)
        with torch.no_grad():
            before = network.decoder(*network.encoder(x))
        done = []
        move_color_to_texture(network, _frames, steps, report=done.append)
        assert done == list(range(1, steps + 1))
        with torch.no_grad():
            texture, shape = network.encoder(x)
            off = (network.decoder(texture, shape) - before)[..., 16:-16, 16:-16].abs().mean()
        return texture[inner], shape[inner][:, :12].std((0, 2, 3)).mean(), off

    _, spread_before, off_before = moved(0)
    texture, spread, off = moved(80)
    assert spread < 0.6 * spread_before
    assert off < 0.6 * off_before
    color = color_to_texture._color(x, 4.0)[inner]
    values = [v.transpose(0, 1).flatten(1).numpy() for v in (color, texture)]
    assert (np.corrcoef(*values)[:3, 3:].max(1) > 0.7).all()
