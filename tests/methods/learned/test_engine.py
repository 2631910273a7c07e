import threading
import warnings

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, shift

from napari_motionmag import Movie, magnify, samples
from napari_motionmag.compute.device import choose_device
from napari_motionmag.methods.learned import engine as engine_module
from napari_motionmag.methods.learned import precision, weights
from napari_motionmag.methods.learned.engine import Engine, Padding, tiles
from napari_motionmag.methods.learned.method import LearnedMagnifier, noise_level
from napari_motionmag.temporal import FIR, Dynamic, Static

RNG = np.random.default_rng(0)


@pytest.fixture(params=["difference", "oh2018", "oh2018 local_mean", "oh2018 chroma_doubt"])
def random_weights(request, tmp_path):
    """Untrained weights that do draw something."""
    torch.manual_seed(0)
    model, _, option = request.param.partition(" ")
    config = {"": None, "local_mean": {"local_mean": 17}, "chroma_doubt": {"chroma_doubt": 4}}
    network = weights.build(model, config[option])
    if request.param == "difference":
        torch.nn.init.normal_(network.drawing.tail.weight, 0, 0.01)
        torch.nn.init.normal_(network.motion.choose.weight, 0, 0.05)
    path = tmp_path / "random.safetensors"
    weights.save(path, network, {"model": model})
    return path


def _movie(n=6, height=90, width=121, channels=None, seed=0):
    rng = np.random.default_rng(seed)
    shape = (height, width) if channels is None else (height, width, channels)
    return [rng.random(shape, dtype=np.float32) for _ in range(n)]


@pytest.mark.parametrize("channels", [None, 3])
def test_tiled_equals_whole(random_weights, channels):
    frames = _movie(2, 60, 205, channels)
    whole = LearnedMagnifier(random_weights).magnify(frames, Static(), [1], 5.0)
    assert whole.shape == (1, *frames[0].shape)
    for tile in (32, 100):
        tiled = LearnedMagnifier(random_weights, tile=tile).magnify(frames, Static(), [1], 5.0)
        assert np.abs(tiled - whole).max() <= 1e-5, tile


def test_oh2018_draws_grey_frames_of_three_channels_as_those_of_one(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "random.safetensors"
    weights.save(path, weights.build("oh2018"), {"model": "oh2018"})
    plain = _movie(3, 40, 48)
    colored = _movie(1, 40, 48, 3)
    magnifier = LearnedMagnifier(path)
    expected = magnifier.magnify(plain, Static(), [1, 2], 5.0)
    replicated = [np.repeat(f[..., None], 3, -1) for f in plain]
    drawn = magnifier.magnify([*replicated, *colored], Static(), [1, 2, 3], 5.0)
    assert np.abs(drawn[:2] - expected[..., None]).max() < 1e-5
    assert (drawn[:2].max(-1) == drawn[:2].min(-1)).all()
    assert (drawn[2].max(-1) != drawn[2].min(-1)).any()


@pytest.mark.parametrize(
    "operator", [Static(), Static([0, 1, 2]), Dynamic(), FIR(2, 4, fps=20)], ids=str
)
def test_every_mode_runs_with_either_network(random_weights, operator):
    frames = _movie(12, 24, 24)
    out = LearnedMagnifier(random_weights).magnify(frames, operator, [3, 4], 4.0)
    assert out.shape == (2, 24, 24)
    assert np.isfinite(out).all()
    assert np.abs(out[0] - out[1]).max() > 0


@pytest.mark.parametrize("config", [{}, {"chroma_doubt": 4, "local_mean": 17}], ids=str)
def test_oh2018_static_equals_the_networks_own_forward(tmp_path, config):
    torch.manual_seed(0)
    network = weights.build("oh2018", config).eval().requires_grad_(False)
    path = tmp_path / "w.safetensors"
    weights.save(path, network, {"model": "oh2018"})
    frames = _movie(2, 64, 64, 3)
    ours = LearnedMagnifier(path).magnify(frames, Static(), [1], 3.0)[0]
    padding = Padding.of(64, 64, 4)
    a, b = (torch.from_numpy(padding.add(f).transpose(2, 0, 1).copy())[None] for f in frames)
    direct = padding.remove(network(a, b, 3.0)[0].numpy().transpose(1, 2, 0))
    assert np.abs(ours - direct).max() < 1e-5


def test_each_frame_is_encoded_once(tmp_path, monkeypatch):
    torch.manual_seed(0)
    path = tmp_path / "w.safetensors"
    weights.save(path, weights.build("oh2018"), {"model": "oh2018"})
    method = LearnedMagnifier(path)
    runner = engine_module.engine(path)
    seen = []
    encode = runner.runner(1).encoder
    monkeypatch.setattr(runner.runner(1), "encoder", lambda x: seen.append(1) or encode(x))

    class Identified(list):
        identity = ("movie", ())

    frames = Identified(_movie(6, 32, 32))
    method.magnify(frames, Static(), [1, 2, 3, 4, 5], 3.0)
    assert len(seen) == 6  # the reference once, not once for each pair


@pytest.mark.parametrize(("height", "width"), [(8, 8), (9, 31), (64, 50)])
def test_padding_is_undone(height, width):
    frame = RNG.random((height, width))
    padding = Padding.of(height, width, 4)
    padded = padding.add(frame)
    assert all(n % 4 == 0 for n in padded.shape)
    assert np.array_equal(padding.remove(padded), frame)


def test_tiles_cover_each_pixel_once():
    covered = np.zeros((100, 132), int)
    for tile in tiles(100, 132, 48, 16):
        covered[tile.out_y, tile.out_x] += 1
        seen = np.zeros((100, 132))[tile.y, tile.x][tile.keep_y, tile.keep_x].shape
        assert seen == covered[tile.out_y, tile.out_x].shape
    assert (covered == 1).all()


def test_threads_get_the_same_numbers(random_weights):
    frames = _movie(8, 24, 24)
    method = LearnedMagnifier(random_weights)
    alone = [method.magnify(frames, Static(), [t], 4.0)[0] for t in range(8)]
    together = [None] * 8

    def work(t):
        together[t] = method.magnify(frames, Static(), [t], 4.0)[0]

    threads = [threading.Thread(target=work, args=(t,)) for t in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_missing_device_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="device 'cuda' is not available"):
        choose_device("cuda")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"device": "toaster"}, "device must be"),
        ({"precision": "float8"}, "precision must be one of"),
        ({"precision": "float16", "device": "cpu"}, "needs a GPU"),
        ({"tile": 8}, "tile must be an integer of at least 32 px, got 8"),
        ({"tile": True}, "tile must be an integer"),
        ({"model": "nonsense"}, "model must be one of"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        LearnedMagnifier(**options)


def test_without_drawing_noise_stays_as_it_was():
    movie, about = samples.load("still")
    frames = Movie(movie, fps=about["fps"])
    drawn, moved = (
        np.asarray(magnify(frames, 10, draw=draw)[5]).astype(float) for draw in (True, False)
    )
    noise = movie[5].astype(float) - movie.mean(axis=0)
    kept = [np.std(x - movie.mean(axis=0)) / noise.std() for x in (drawn, moved)]
    assert kept[0] < 0.8
    assert 0.95 < kept[1] < 1.3


@pytest.mark.parametrize("operator", [Static(0), Static([0, 1, 2, 3]), FIR(2, 4, fps=20)], ids=str)
@pytest.mark.parametrize("sigma", [0.5, 2.0, 10.0])
def test_noise_of_moving_texture_is_found(sigma, operator):
    rng = np.random.default_rng(1)
    texture = gaussian_filter(rng.normal(0, 1, (200, 240)), 2.5, mode="wrap")
    texture = 0.5 + 0.15 * texture / texture.std()
    movie = [
        shift(texture, (0, 0.7 * np.sin(t)), order=5, mode="grid-wrap")
        + rng.normal(0, sigma / 255, texture.shape)
        for t in range(20)
    ]
    indices, weights = operator.row(12, 20)
    variation = sum(w * movie[k] for k, w in zip(indices, weights, strict=True))
    assert 255 * noise_level(variation, weights) == pytest.approx(sigma, rel=0.15)
    assert noise_level(variation[:3, :3], weights) > 0
    assert noise_level(0 * variation, np.zeros(2)) == 0


@pytest.mark.parametrize(("sigma", "least", "most"), [(0.4, 0.97, 1.05), (8.0, 0.0, 0.8)])
def test_noise_is_taken_away_where_there_is_some(sigma, least, most):
    """Texture of a quiet movie stays; a noisy one comes out as if it had been asked to denoise."""
    rng = np.random.default_rng(2)
    still = gaussian_filter(rng.normal(0, 1, (128, 128)), 1.2)
    still = 0.5 + 0.12 * still / still.std()
    noise = rng.normal(0, sigma / 255, (4, 128, 128))
    movie = (still + noise).astype(np.float32)
    (drawn,) = LearnedMagnifier().magnify(list(movie), Static(), [2], 8.0)
    kept = np.std((drawn - still)[16:-16, 16:-16]) / noise[2].std()
    (all_,) = LearnedMagnifier(denoise=1.0).magnify(list(movie), Static(), [2], 8.0)
    (none,) = LearnedMagnifier(denoise=0.0).magnify(list(movie), Static(), [2], 8.0)

    def energy(frame):
        return sum(np.square(g)[16:-16, 16:-16].mean() for g in np.gradient(frame))

    if sigma < 1:
        np.testing.assert_array_equal(drawn, none)
        assert least < energy(drawn) / energy(movie[2]) < most
    else:
        assert kept < most
        assert np.abs(drawn - all_).max() < 0.02


@pytest.mark.parametrize("operator", [Static(0), Dynamic()], ids=str)
def test_a_noisy_reference_does_not_flash(operator):
    """It loses its noise, too, though nothing varies there."""
    rng = np.random.default_rng(3)
    still = gaussian_filter(rng.normal(0, 1, (128, 128)), 2)
    still = (0.5 + 0.12 * still / still.std()).astype(np.float32)
    frames = [still + rng.normal(0, 6 / 255, still.shape).astype(np.float32) for _ in range(4)]
    drawn = LearnedMagnifier().magnify(frames, operator, list(range(4)), 2.0)
    noise = [255 * (frame - still)[16:-16, 16:-16].std() for frame in drawn]
    assert noise[0] < 3.5
    assert max(noise) / min(noise) < 1.3
    kept = LearnedMagnifier(denoise=0).magnify(frames, operator, [0], 2.0)[0]
    assert np.array_equal(kept, frames[0])


def test_motion_beyond_the_longest_displacement_is_said_once():
    texture = gaussian_filter(np.random.default_rng(5).normal(0, 1, (96, 96)), 2, mode="wrap")
    frames = [shift(texture, (0, 0.5 * (t > 0)), order=5, mode="grid-wrap") for t in range(3)]
    movie = (0.5 + 0.12 * np.stack(frames) / texture.std()).astype(np.float32)
    with pytest.warns(UserWarning, match=r"% of a frame would move by more than the 48 px") as said:
        magnify(movie, 200).compute(scheduler="synchronous")
    assert len(said) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        magnify(movie, 20).compute(scheduler="synchronous")


def test_only_the_difference_network_moves_without_drawing(random_weights):
    for option in ({"draw": False}, {"denoise": 0.5}):
        if weights.read_card(random_weights)["model"] == "difference":
            LearnedMagnifier(random_weights, **option)
        else:
            (text,) = (f"{name}={value}" for name, value in option.items())
            with pytest.raises(ValueError, match=f"{text} is for the network 'difference'"):
                LearnedMagnifier(random_weights, **option)


@pytest.mark.filterwarnings("ignore:precision 'bfloat16' changes the picture")
def test_bfloat16_stays_near_float32(random_weights):
    frames = [gaussian_filter(frame, 1) for frame in _movie(2, 64, 64)]
    full = LearnedMagnifier(random_weights, device="cpu").magnify(frames, Static(), [1], 3.0)
    low = Engine(random_weights, "cpu", "bfloat16")
    assert low.dtype == torch.bfloat16
    half = LearnedMagnifier(random_weights, device="cpu", precision="bfloat16").magnify(
        frames, Static(), [1], 3.0
    )
    off = np.abs(full - half)  # of random weights
    assert 0 < off.mean() < 0.01
    assert off.max() < 0.3


def test_the_precision_is_the_fastest_that_draws_the_same_picture(monkeypatch, random_weights):
    drawn = []
    draw = Engine._draw_once

    def counted(self, *frames):
        drawn.append(self.dtype)
        return draw(self, *frames)

    monkeypatch.setattr(precision, "_MEASURED", {})
    monkeypatch.setattr(Engine, "_draw_once", counted)
    assert Engine(random_weights, "cpu").dtype == torch.float32
    assert torch.bfloat16 not in drawn, "on a CPU nothing else is tried"
    monkeypatch.setattr(engine_module, "candidates", lambda device: (torch.bfloat16,))
    monkeypatch.setattr(engine_module, "TOLERANCE", 0.0)
    assert Engine(random_weights, "cpu").dtype == torch.float32
    assert drawn.count(torch.bfloat16) == 1
    monkeypatch.setattr(engine_module, "TOLERANCE", 1.0)
    drawn.clear()
    assert Engine(random_weights, "cpu").dtype == torch.bfloat16
    # not measured again: what is drawn is to learn how much memory the network takes
    assert torch.float32 not in drawn


def test_a_precision_that_changes_the_picture_is_taken_with_a_warning(monkeypatch, random_weights):
    monkeypatch.setattr(engine_module, "TOLERANCE", 1e-9)
    with pytest.warns(UserWarning, match="changes the picture by up to .* gray levels of 255"):
        assert Engine(random_weights, "cpu", "bfloat16").dtype == torch.bfloat16
