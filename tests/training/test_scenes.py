import numpy as np
import pytest
import tifffile
import torch
from motion import measured_shift

from napari_motionmag.methods.learned.networks.difference import luma
from napari_motionmag.training import scenes
from napari_motionmag.training.images import PicturePool
from napari_motionmag.training.light import Light
from napari_motionmag.training.scenes import PARTS, SampleMix, SceneMaker
from napari_motionmag.training.sensor import Sensor


@pytest.fixture(scope="module")
def pool():
    return PicturePool(procedural_count=6, seed=3)


@pytest.fixture(scope="module")
def maker(pool):
    return SceneMaker(pool, size=128)


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("distance", [0.01, 0.05, 0.3, 1.7, 10.0])
def test_rendered_displacement_is_the_asked_one(maker, distance):
    scene = maker.scene(["blurred"], _generator(1))
    move = torch.tensor([[0.6 * distance, -0.8 * distance]])
    still = scene.render(torch.zeros(1, 2), torch.zeros(0, 2))[0, 1].double().numpy()
    moved = scene.render(move, torch.zeros(0, 2))[0, 1].double().numpy()
    measured = measured_shift(still, moved, border=20)
    assert np.abs(measured - move[0].numpy()).max() < 0.002


def test_objects_move_and_the_background_does_not(maker):
    scene = maker.scene(["still_background"], _generator(2))
    none = torch.zeros(1, 2)
    still = scene.render(none, torch.zeros(len(scene.owner), 2))
    moved = scene.render(none, torch.full((len(scene.owner), 2), 1.5))
    change = (moved - still).abs().amax((0, 1))
    near = torch.zeros(128, 128, dtype=torch.bool)
    y, x = torch.meshgrid(torch.arange(128), torch.arange(128), indexing="ij")
    for py, px in scene.position.tolist():
        near |= torch.maximum((y - py).abs(), (x - px).abs()) < 60
    assert change[near].max() > 0.02
    if (~near).any():
        assert change[~near].max() < 1e-5


def test_whole_and_fractional_shifts_agree(maker):
    """A shift by whole pixels must equal moving the array: no resampling in between."""
    scene = maker.scene(["background"], _generator(5))
    still = scene.render(torch.zeros(1, 2), torch.zeros(0, 2))
    moved = scene.render(torch.tensor([[3.0, -2.0]]), torch.zeros(0, 2))
    assert (moved[..., 3:, :-2] - still[..., :-3, 2:]).abs().max() < 1e-4


def test_same_seed_same_bytes(pool):
    one = SceneMaker(pool, 64).batch(3, _generator(7))
    two = SceneMaker(pool, 64).batch(3, _generator(7))
    other = SceneMaker(pool, 64).batch(3, _generator(8))
    for name, value in vars(one).items():
        assert torch.equal(value, getattr(two, name)), name
    assert not torch.equal(one.b, other.b)


def test_batches_hold_what_they_promise(maker):
    batch = maker.batch(24, _generator(11))
    assert batch.a.shape == batch.b.shape == batch.target.shape == (24, 3, 128, 128)
    assert batch.variation.shape == (24, 1, 128, 128)
    assert torch.isfinite(batch.variation).all()
    assert batch.factor.abs().max() <= 1000
    assert (batch.factor < 1).any()
    plain = batch.two_frame
    assert plain.any()
    assert (~plain).any()
    from napari_motionmag.methods.learned.networks.difference import luma

    quantised = luma(batch.b - batch.a)[plain]
    assert (quantised - batch.variation[plain]).abs().max() < 1e-5


def test_grey_samples_are_grey_in_every_frame(maker):
    batch = maker.batch(16, _generator(3))

    def grey(frames):
        return (frames == frames[:, :1]).flatten(1).all(1)

    assert grey(batch.b).any()
    assert not grey(batch.b).all()
    assert torch.equal(grey(batch.a), grey(batch.b))
    assert grey(batch.target)[grey(batch.b)].all()


def test_easy_scenes_move_less(maker):
    def reach(difficulty):
        factor, given = SampleMix().draw_factors(2000, _generator(0), difficulty)
        return (factor.abs() * given).quantile(0.95).item()

    assert reach(0.0) < 5
    assert reach(1.0) > 15


def test_every_part_renders(maker):
    scene = maker.scene(list(PARTS), _generator(4))
    frames = scene.render(torch.zeros(len(PARTS), 2), torch.zeros(len(scene.owner), 2))
    assert frames.shape == (len(PARTS), 3, 128, 128)
    assert frames.min() > -0.3
    assert frames.max() < 1.3
    assert frames.std((1, 2, 3)).min() > 1e-3


def test_pool_resumes_exactly():
    pool = PicturePool(procedural_count=3, seed=5)
    for _ in range(4):
        pool.refresh()
    again = PicturePool(procedural_count=3, seed=5, refreshes=4)
    assert torch.equal(pool.pictures, again.pictures)
    assert torch.equal(pool.cutouts, again.cutouts)


def test_pool_takes_a_folder(tmp_path):
    from PIL import Image

    rng = np.random.default_rng(0)
    (tmp_path / "foregrounds").mkdir()
    (tmp_path / "masks_x").mkdir()
    Image.fromarray(rng.integers(0, 255, (60, 80, 3), dtype=np.uint8)).save(tmp_path / "a.png")
    cut = rng.integers(0, 255, (40, 40, 4), dtype=np.uint8)
    Image.fromarray(cut).save(tmp_path / "foregrounds" / "b.png")
    labels = np.zeros((60, 60), np.uint16)
    labels[10:30, 10:40] = 1
    Image.fromarray(labels).save(tmp_path / "masks_x" / "c.png")
    pool = PicturePool(tmp_path, procedural_count=2)
    assert len(pool.pictures) == 3
    assert len(pool.cutouts) == 4
    assert pool.has_color.tolist() == [False, False, False, True]


def test_the_cache_of_a_run_is_of_the_pictures_that_are_given(tmp_path):
    rng = np.random.default_rng(0)
    first, other = rng.integers(0, 255, (2, 1, 60, 80, 3), dtype=np.uint8)
    folder, cache = tmp_path / "pictures", tmp_path / "pictures.npz"
    folder.mkdir()
    tifffile.imwrite(folder / "a.tif", first[0])
    kept, again, changed, of_folder = (
        PicturePool(images, procedural_count=1, cache=cache).pictures
        for images in (list(first), list(first), list(other), folder)
    )
    assert torch.equal(kept, again)
    assert not torch.equal(kept, changed)
    assert torch.equal(kept, of_folder)
    written = cache.stat().st_mtime_ns
    PicturePool(folder, procedural_count=1, cache=cache)
    assert cache.stat().st_mtime_ns == written
    tifffile.imwrite(folder / "b.tif", other[0])
    assert len(PicturePool(folder, procedural_count=1, cache=cache).pictures) == len(kept) + 1


@pytest.mark.parametrize("dtype", ["uint16", "int32", "float32"])
def test_pictures_of_more_than_eight_bits_are_stretched(tmp_path, dtype):
    levels = np.random.default_rng(0).uniform(500, 3500, (420, 420)).astype(dtype)
    tifffile.imwrite(tmp_path / "a.tif", levels)
    picture = PicturePool(tmp_path, procedural_count=1).pictures[-1].float()
    assert torch.equal(picture[0], picture[2])
    assert picture.mean() == pytest.approx(127.5, abs=3)
    assert picture.std() == pytest.approx(255 / 12**0.5, abs=3)


def test_missing_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match="images must be a folder"):
        PicturePool(tmp_path / "nowhere", procedural_count=1)
    with pytest.raises(ValueError, match="no pictures found"):
        PicturePool(tmp_path, procedural_count=1)


def test_light_changes_are_in_the_frame_and_never_magnified(pool, monkeypatch):
    monkeypatch.setattr(scenes, "LIT", {"static": 1.0})
    maker = SceneMaker(pool, 64, SampleMix(parts=("static",), sequences=0.0))
    monkeypatch.setattr(Sensor, "expose", lambda sensor, clean, pattern, generator: clean)
    batch = maker.batch(16, _generator(3))
    assert torch.equal(batch.target, batch.b)
    change = (batch.b - batch.a).abs().amax((1, 2, 3))
    assert (change > 1e-6).all()
    assert torch.allclose(batch.variation, luma(batch.b - batch.a), atol=1e-6)
    assert not batch.motion.any()


def test_light_moves_nothing(pool, monkeypatch):
    """A moving sample has the magnified motion of its scene in the light of its frame."""
    mix = SampleMix(parts=("background",), sequences=0.0)
    monkeypatch.setattr(scenes, "LIT_OTHERS", 1.0)
    lamp = Light(torch.full((2, 1, 1, 1), 0.9), torch.zeros(2, 3, 1, 1))
    made = {}
    for name, light in (
        ("lit", lamp),
        ("steady", Light(torch.ones(2, 1, 1, 1), torch.zeros(2, 3, 1, 1))),
    ):
        monkeypatch.setattr(Light, "random", lambda *arguments, light=light: light)
        made[name] = SceneMaker(pool, 64, mix).batch(2, _generator(6))
    assert torch.allclose(made["lit"].target, 0.9 * made["steady"].target, atol=1e-6)
    assert torch.equal(made["lit"].motion, made["steady"].motion)


def test_filtered_samples_have_less_noise_in_their_variation(pool):
    mixes = [SampleMix(sequences=0.0, filtered=share) for share in (1.0, 0.0)]
    batch, plain = (SceneMaker(pool, 64, x).batch(12, _generator(2), noisy=True) for x in mixes)
    assert batch.filtered.all()
    assert not plain.filtered.any()
    assert torch.equal(plain.later, plain.b)
    assert torch.equal(batch.b, plain.b)
    for sample in range(12):
        less = (batch.later - batch.a)[sample].std()
        assert less < (plain.later - plain.a)[sample].std()


def test_limits_of_factor_and_motion(pool):
    maker = SceneMaker(pool, 64, SampleMix(sequences=0.0, smallest=0.15, largest_factor=100.0))
    factors = torch.cat([maker.batch(16, _generator(k)).factor for k in range(6)])
    assert factors.abs().max() <= 100


def test_most_samples_move_far_where_that_is_asked_for(pool):
    moved = []
    usual = SampleMix(sequences=0.0)
    for mix in (usual, usual.far()):
        maker = SceneMaker(pool, 48, mix)
        batches = (maker.batch(32, torch.Generator().manual_seed(k)) for k in range(4))
        reach = [
            (batch.factor.abs() * batch.motion.square().sum(1).sqrt().amax((1, 2)))
            for batch in batches
        ]
        moved.append(torch.cat(reach))
    near = [((m > 3) & (m < 15)).float().mean() for m in moved]
    assert near[1] > 1.3 * near[0]
