import numpy as np
import torch

from napari_motionmag.training.sensor import Sensor, log_uniform


def _sensor(**changes):
    values = {
        "photons": [torch.inf], "read": [0.0], "pattern": [0.0], "levels": [0.0],
        "clips": [False], "gray": [False],
    }  # fmt: skip
    values.update({k: [v] for k, v in changes.items()})
    return Sensor(**{k: torch.tensor(v) for k, v in values.items()})


def _expose(sensor, level, seed=0):
    clean = torch.full((1, 3, 256, 256), level)
    generator = torch.Generator().manual_seed(seed)
    pattern = sensor.fixed_pattern(clean, generator)
    return sensor.expose(clean, pattern, generator)


def test_a_perfect_sensor_changes_nothing():
    assert torch.equal(_expose(_sensor(), 0.37), torch.full((1, 3, 256, 256), 0.37))


def test_photon_noise_variance_is_proportional_to_intensity():
    for photons in (50.0, 5000.0):  # Poisson, and its normal limit
        for level in (0.1, 0.4, 0.9):
            frame = _expose(_sensor(photons=photons), level).double()
            assert abs(frame.mean().item() - level) < 4 * (level / photons / frame.numel()) ** 0.5
            assert np.isclose(frame.var().item(), level / photons, rtol=0.02)


def test_low_counts_are_whole_photons():
    frame = _expose(_sensor(photons=20.0), 0.3) * 20
    assert torch.allclose(frame, frame.round(), atol=1e-4)


def test_read_noise_and_pattern():
    frame = _expose(_sensor(read=0.02), 0.5)
    assert np.isclose(frame.std().item(), 0.02, rtol=0.02)
    sensor = _sensor(pattern=0.03)
    generator = torch.Generator().manual_seed(0)
    clean = torch.full((1, 3, 64, 64), 0.5)
    pattern = sensor.fixed_pattern(clean, generator)
    one, two = (sensor.expose(clean, pattern, generator) for _ in range(2))
    assert torch.equal(one, two)
    assert np.isclose((one - clean).std().item(), 0.03, rtol=0.1)


def test_quantisation_keeps_sub_level_values_on_average():
    """102.3 becomes 103 three times of ten (paper, Section 3.3)."""
    frame = _expose(_sensor(levels=255.0), 102.3 / 255) * 255
    assert set(frame.round().unique().tolist()) == {102.0, 103.0}
    assert abs((frame.round() == 103).double().mean().item() - 0.3) < 0.01


def test_grey_sensors_give_grey():
    frame = _expose(_sensor(photons=100.0, read=0.01, levels=255.0, gray=True), 0.5)
    assert torch.equal(frame[:, :1].expand_as(frame), frame)


def test_clipping():
    frame = _expose(_sensor(read=0.3, clips=True), 0.9)
    assert frame.max() <= 1
    assert _expose(_sensor(read=0.3), 0.9).max() > 1


def test_random_sensors_span_the_range():
    generator = torch.Generator().manual_seed(0)
    sensor = Sensor.random(4000, torch.zeros(4000, dtype=torch.bool), generator, perfect=0)
    sigma = (0.5 / sensor.photons + sensor.read**2).sqrt() * 255
    assert abs((sigma == 0).double().mean().item() - 0.2) < 0.05
    assert 40 < sigma.max() <= 50.01
    assert set(sensor.levels.unique().tolist()) == {0.0, 255.0, 1023.0, 4095.0, 65535.0}


def test_perfect_sensors_are_as_many_as_asked():
    generator = torch.Generator().manual_seed(0)
    sensor = Sensor.random(4000, torch.zeros(4000, dtype=torch.bool), generator, perfect=0.6)
    clean = sensor.photons.isinf() & (sensor.read + sensor.pattern + sensor.levels == 0)
    assert 0.6 < clean.double().mean() < 0.67


def test_log_uniform():
    values = log_uniform(0.01, 10.0, 20000, torch.Generator().manual_seed(0))
    assert values.min() >= 0.0099
    assert values.max() <= 10.01
    assert abs((values < 10**-0.5).double().mean().item() - 0.5) < 0.02


def test_compressed_cameras():
    generator = torch.Generator().manual_seed(0)
    grey = torch.arange(200) % 2 == 0
    sensor = Sensor.random(200, grey, generator, perfect=1.0, compressed=0.5)
    as_jpeg, as_video = sensor.quality > 0, sensor.quantizer >= 0
    assert 0.15 < as_jpeg.double().mean() < 0.25
    assert 0.25 < as_video.double().mean() < 0.35
    clean = torch.rand(200, 1, 32, 32, generator=generator).expand(-1, 3, -1, -1)
    frames = sensor.expose(clean, torch.zeros_like(clean), generator)
    pair = sensor.compressed(torch.stack([frames, frames]))
    changed = (pair != clean).flatten(2).any(2)
    assert torch.equal(changed[0], as_jpeg | as_video)
    assert torch.equal(changed[1], as_jpeg | as_video)
    assert torch.equal(pair[:, grey][:, :, :1].expand(-1, -1, 3, -1, -1), pair[:, grey])
    one = sensor.only(int(as_jpeg.nonzero()[0]), repeats=2)
    assert one.quality.tolist() == [one.quality[0].item()] * 2
