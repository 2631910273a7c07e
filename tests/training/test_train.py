import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tifffile
import torch

from napari_motionmag.cli.main import main as command
from napari_motionmag.compute.device import choose_device
from napari_motionmag.methods.learned import weights
from napari_motionmag.training import losses
from napari_motionmag.training.images import PicturePool
from napari_motionmag.training.scenes import SceneMaker
from napari_motionmag.training.train import (
    Settings,
    Trainer,
    fastest_threads,
    main,
    run,
)

SMALL = {"half": 8, "quarter": 8, "eighth": 8, "context": 4, "drawing": (8, 8, 8, 8)}


def _settings(**changes):
    values = {
        "config": SMALL,
        "size": 32,
        "batch": 2,
        "steps": 6,
        "seed": 1,
        "warmup": 2,
        "pictures": 4,
    }
    return Settings(**{**values, **changes})


@pytest.mark.parametrize("optimiser", ["adam", "muon"])
@pytest.mark.parametrize(
    ("model", "config"), [("difference", SMALL), ("oh2018", {"decoder_blocks": 1})]
)
def test_interrupted_and_resumed_equals_uninterrupted(tmp_path, model, config, optimiser):
    settings = _settings(model=model, config=config, optimiser=optimiser)
    whole = Trainer(tmp_path / "whole", settings)
    run(whole)
    first = Trainer(tmp_path / "parts", settings)
    for _ in range(3):
        first.train_step()
    first.save()
    first.train_step()  # lost
    second = Trainer(tmp_path / "parts", settings)
    assert second.step == 3
    run(second)
    for a, b in zip(whole.average.parameters(), second.average.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_run_is_resumed_in_another_precision(tmp_path):
    settings = _settings(model="oh2018", config={"decoder_blocks": 1}, optimiser="muon", steps=4)
    first = Trainer(tmp_path, settings, precision=torch.bfloat16)
    assert first.maker.mix.largest_factor == 100
    for _ in range(2):
        first.train_step()
    first.save()
    second = Trainer(tmp_path, settings, precision=torch.float32)
    assert second.step == 2
    assert second.maker.mix.largest_factor == 1000
    for a, b in zip(first.network.parameters(), second.network.parameters(), strict=True):
        assert torch.equal(a, b)
    run(second)
    assert second.step == 4
    network, card = weights.load(second.weights)
    assert card["steps"] == 4
    assert all(torch.isfinite(p).all() for p in network.parameters())


def test_oh2018_starts_as_the_linear_method_when_asked(tmp_path):
    made = {"model": "oh2018", "config": None}
    network = Trainer(tmp_path / "linear", _settings(**made, start="linear")).network
    assert not network.decoder.fusion[0].second.weight.any()
    network = Trainer(tmp_path / "random", _settings(**made)).network
    assert network.decoder.fusion[0].second.weight.any()
    with pytest.raises(ValueError, match="--start linear is for oh2018"):
        main([str(tmp_path), "--model", "difference", "--start", "linear", "--steps", "1"])


@pytest.mark.parametrize("model", ["difference", "oh2018"])
def test_training_learns_a_batch(tmp_path, monkeypatch, model):
    config = {"half": 16, "quarter": 16, "eighth": 16} if model == "difference" else None
    settings = _settings(model=model, config=config, steps=1000, size=32, batch=2, rate=2e-3)
    trainer = Trainer(tmp_path, settings)
    batch = trainer.batch(3)
    monkeypatch.setattr(trainer, "batch", lambda number: batch)
    course = []
    while len(course) < 6 or max(course[-5:]) >= 0.85 * course[0]:
        course.append(trainer.train_step()["relative"])
        assert len(course) < 60


def test_the_fastest_number_of_threads_is_taken():
    before = torch.get_num_threads()
    try:
        count = fastest_threads(torch.float32)
        assert 1 <= count <= os.cpu_count()
        assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(before)


def test_files_of_a_run(tmp_path):
    from PIL import Image

    trainer = Trainer(tmp_path, _settings(steps=4))
    run(trainer, log_every=2)
    network, card = weights.load(tmp_path / "difference.safetensors")
    assert card["steps"] == 4
    assert network.config.quarter == 8
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [2, 4]
    with Image.open(tmp_path / "panel.png") as panel:
        assert panel.size == (2 * 32, 4 * 32)
    with Image.open(tmp_path / "curve.png") as curve:
        assert min(curve.size) > 300


def test_oh2018_loss_has_the_papers_four_terms_structure_and_detail():
    pool = PicturePool(procedural_count=4, seed=0)
    generator = torch.Generator().manual_seed(0)
    batch = SceneMaker(pool, 32).batch(2, generator)
    network = weights.build("oh2018", {"decoder_blocks": 5})
    total, terms = losses.oh2018_losses(network, batch, generator)
    regularisers = {"texture", "texture_perturbed", "texture_blurred", "shape_perturbed"}
    assert set(terms) == {"image", "relative", "structure"} | regularisers
    rest = sum(weight * terms[name] for name, weight in losses.REGULARIZERS.items())
    rest += 0.5 * terms["structure"]
    assert torch.isclose(total, terms["relative"] + rest)
    assert all(value > 0 for value in terms.values())


def test_error_of_the_displacement_is_relative_to_what_was_asked():
    pool = PicturePool(procedural_count=4, seed=0)
    batch = SceneMaker(pool, 32).batch(2, torch.Generator().manual_seed(0))
    batch.factor = torch.full_like(batch.factor, 5.0)
    batch.motion = torch.ones_like(batch.motion)
    asked = torch.full((2, 2, 16, 16), 4.0)
    assert losses._motion_error(asked, batch) == 0
    assert torch.isclose(losses._motion_error(asked / 2, batch), torch.tensor(2 / 4.1))
    assert losses._motion_error(asked * 100, batch) == 5  # no more: one sample must not rule


def test_relative_loss_counts_small_motion_like_large():
    """Doing nothing costs nearly 1 whether edges move or faint textures."""
    pool = PicturePool(procedural_count=4, seed=0)
    batch = SceneMaker(pool, 32).batch(2, torch.Generator().manual_seed(1))
    for contrast in (1.0, 0.3):
        batch.inside = torch.ones_like(batch.inside)
        batch.target = batch.b + contrast * torch.sign(torch.randn(batch.b.shape))
        relative, plain = losses._image_losses(batch.b, batch, 0.02)
        assert torch.isclose(plain, torch.tensor(2 * contrast), rtol=1e-3)
        assert 0.9 < relative < 1


def test_color_perturbation_keeps_grey_grey():
    frames = torch.rand(2, 1, 8, 8).expand(-1, 3, -1, -1)
    perturb = losses._color_perturbation(frames, torch.Generator().manual_seed(0))
    out = perturb(frames)
    assert torch.equal(out, out[:, :1].expand_as(out))
    assert not torch.allclose(out, frames)


def test_init_takes_weights_and_refuses_the_wrong_network(tmp_path):
    network = weights.build("difference", SMALL)
    path = tmp_path / "start.safetensors"
    weights.save(path, network, {"model": "difference"})
    trainer = Trainer(tmp_path / "run", _settings(), init=path)
    for a, b in zip(network.parameters(), trainer.network.parameters(), strict=True):
        assert torch.equal(a, b)
    with pytest.raises(ValueError, match="init must hold weights of 'oh2018'"):
        Trainer(tmp_path / "other", _settings(model="oh2018", config=None), init=path)


def test_weights_to_go_on_from_may_become_a_pyramid_first(tmp_path, monkeypatch):
    path = tmp_path / "start.safetensors"
    weights.save(path, weights.build("oh2018", {"decoder_blocks": 1}), {"model": "oh2018"})
    calls = []
    monkeypatch.setattr(
        "napari_motionmag.training.train.move_color_to_texture",
        lambda network, frames, steps, *_: calls.append((steps, frames(0), frames(1))),
    )
    sizes = ["--size", "32", "--batch", "2", "--pictures", "2", "--threads", "1"]
    begun = ["--model", "oh2018", "--init", str(path), "--start", "pyramid", *sizes]
    for steps in ("1", "2"):  # the second goes on from a checkpoint
        assert main([str(tmp_path / "run"), "--steps", steps, *begun]) == 0
    [(steps, gray, color)] = calls
    assert steps == 1000
    assert gray.shape == color.shape == (4, 3, 32, 32)
    assert torch.equal(gray[:, 0], gray[:, 2])
    assert not torch.equal(color[:, 0], color[:, 2])
    network, _ = weights.load(tmp_path / "run" / "oh2018.safetensors")
    assert network.config.decoder_blocks == 1
    with pytest.raises(ValueError, match="--start linear begins anew, without --init"):
        main([str(tmp_path / "other"), "--steps", "1", *begun, "--start", "linear"])


def test_length_must_be_given(tmp_path):
    with pytest.raises(ValueError, match="--steps or --minutes"):
        main([str(tmp_path)])
    with pytest.raises(ValueError, match="--steps must be above 0, got -5"):
        main([str(tmp_path), "--steps", "-5"])
    with pytest.raises(ValueError, match="--pictures must be above 0, got 0"):
        main([str(tmp_path), "--steps", "5", "--pictures", "0"])


def test_a_wrong_argument_is_refused_in_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main([str(tmp_path), "--steps", "many"])
    assert end.value.code == 2
    assert capsys.readouterr().err == (
        "napari-motionmag train: error: argument --steps: invalid int value: 'many' (see --help)\n"
    )


def test_detail_is_what_texture_loses_by_a_blur():
    frames = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    smooth = torch.linspace(0, 1, 32).expand(2, 3, 32, 32)
    losses_of = [
        losses._detail_loss(x[..., 4:-4, 4:-4], losses._blurred(x)[..., 4:-4, 4:-4])
        for x in (frames, smooth)
    ]
    assert losses_of[0] > 0.5  # noise is nearly gone
    assert losses_of[1] < 1e-4
    stronger = losses._detail_loss(10 * frames, losses._blurred(10 * frames))
    assert torch.isclose(stronger, losses._detail_loss(frames, losses._blurred(frames)), rtol=0.05)


def test_without_warm_up_the_first_step_has_the_whole_rate(tmp_path):
    trainer = Trainer(tmp_path, _settings(warmup=0))
    assert trainer.rate() == trainer.settings.rate


def test_auto_device_exists():
    torch.zeros(1, device=choose_device("auto"))


def test_killed_at_any_moment_it_resumes(tmp_path):
    """kill -9 while it writes checkpoint after checkpoint; the one that is found is whole."""
    arguments = [
        str(tmp_path), "--steps", "12",
        "--size", "32", "--batch", "1", "--threads", "1", "--save-every", "0",
        "--config", json.dumps(SMALL), "--precision", "float32", "--pictures", "4",
    ]  # fmt: skip
    command = [sys.executable, "-m", "napari_motionmag.training.train", *arguments]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 100
    while not (tmp_path / "checkpoint.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.3)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    killed_at = torch.load(tmp_path / "checkpoint.pt", weights_only=True)["step"]
    assert killed_at >= 1
    main(arguments)
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert state["step"] == 12


def test_frames_of_a_movie_are_pictures(tmp_path):
    """The scenes of ``--images MOVIE`` are cut from its frames, at its contrast."""
    random = np.random.default_rng(0)
    frames = random.integers(1000, 3000, (3, 416, 416), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "movie.tif", frames, imagej=True, metadata={"axes": "TYX"})
    arguments = [
        "train", str(tmp_path / "run"), "--images", str(tmp_path / "movie.tif"), "--steps", "1",
        "--size", "32", "--batch", "1", "--threads", "1", "--config", json.dumps(SMALL),
        "--precision", "float32", "--pictures", "4",
    ]  # fmt: skip
    assert command(arguments) == 0
    with np.load(tmp_path / "run" / "pictures.npz") as pool:
        assert pool["pictures"].shape == (3, 3, 416, 416)
        first = pool["pictures"][0].astype(float)
    assert np.ptp(first, axis=0).max() == 0, "gray"
    assert np.corrcoef(first[0].ravel(), frames[0].ravel())[0, 1] > 0.999
    assert first.max() - first.min() > 200


COMMAND = ["--threads", "1", "--size", "32", "--batch", "1", "--pictures", "4"]


def test_the_network_is_that_of_the_run_in_the_folder(tmp_path, capsys):
    folder = tmp_path / "run"
    argv = ["train", str(folder), *COMMAND, "--precision", "float32"]
    assert command([*argv, "--model", "oh2018", "--steps", "1"]) == 0
    assert command([*argv, "--steps", "2"]) == 0
    said = capsys.readouterr().err
    assert said.count(f"{folder}: oh2018 on cpu") == 2
    assert "resumed at step 1" in said


def test_the_command_says_what_it_does(tmp_path, capsys):
    folder = tmp_path / "run"
    argv = ["train", str(folder), *COMMAND, "--config", json.dumps(SMALL)]
    assert command([*argv, "--steps", "2", "--precision", "float32"]) == 0
    lines = [line.strip() for line in capsys.readouterr().err.splitlines()]
    assert lines[0] == (f"{folder}: difference on cpu, float32, CPU threads: 1; preparing pictures")
    assert lines[1] == (
        "from a random start; 4 pictures, 4 of them procedural; 1 crops of 32 px a step"
    )
    assert lines[2].startswith("50.0 %  step 1  loss")
    assert lines[3] == f"step 2: wrote {folder / 'difference.safetensors'}"
    assert command([*argv, "--steps", "3"]) == 0
    assert "\nresumed at step 2; 4 pictures" in capsys.readouterr().err
    assert command([*argv, "--steps", "3", "--model", "oh2018", "--config", "{}"]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.endswith(
        "is of a training of difference, not oh2018; go on with --model difference, or choose "
        "another folder"
    )


@pytest.mark.parametrize("content", [b"no checkpoint", None])
def test_checkpoints_of_other_programs_are_refused(tmp_path, content, capsys):
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(content) if content else torch.save({"epoch": 3}, path)
    before = path.read_bytes()
    assert command(["train", str(tmp_path), *COMMAND, "--steps", "2"]) == 2
    assert (
        capsys.readouterr()
        .err.splitlines()[-1]
        .endswith(f"{path} is damaged, or of another program; choose another folder")
    )
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--seed", "-1"], "--seed must be 0 or more, got -1"),
        (["--rate", "inf"], "--rate must be above 0, got inf"),
        (["--save-every", "-1"], "--save-every must be 0 or more, got -1.0"),
    ],
)
def test_numbers_out_of_range_are_refused(tmp_path, capsys, options, message):
    assert command(["train", str(tmp_path / "run"), *COMMAND, "--steps", "2", *options]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("text", ["[3]", "{", "3"])
def test_a_configuration_that_is_none_is_refused(tmp_path, capsys, text):
    with pytest.raises(SystemExit):
        command(["train", str(tmp_path), "--steps", "2", "--config", text])
    assert f"--config: must be like '{{\"quarter\": 48}}', got '{text}'" in capsys.readouterr().err


def test_pictures_that_cannot_be_read_are_left_out(tmp_path):
    from PIL import Image

    picture = Image.fromarray(np.full((20, 30, 3), 90, np.uint8))
    picture.save(tmp_path / "good.png")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    whole = (tmp_path / "good.png").read_bytes()
    (tmp_path / "short.png").write_bytes(whole[: len(whole) // 2])
    Image.fromarray(np.full((20, 30), np.nan, np.float32)).save(tmp_path / "nan.tif")
    with (
        pytest.warns(UserWarning, match=r"broken\.jpg is left out"),
        pytest.warns(UserWarning, match=r"short\.png is left out"),
        pytest.warns(UserWarning, match=r"nan\.tif is left out.* NaN"),
    ):
        pool = PicturePool(tmp_path, procedural_count=2)
    assert len(pool.pictures) == 3
    (tmp_path / "good.png").unlink()
    with (
        pytest.warns(UserWarning, match="left out"),
        pytest.raises(ValueError, match="images: no pictures found"),
    ):
        PicturePool(tmp_path, procedural_count=2)
