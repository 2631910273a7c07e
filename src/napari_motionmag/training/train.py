"""The training loop, resumable to the step."""

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from napari_motionmag.compute.atomic import check_folder, written_whole
from napari_motionmag.compute.device import choose_device
from napari_motionmag.methods.learned.networks.difference import DifferenceNet, luma
from napari_motionmag.methods.learned.networks.oh2018 import Oh2018Net
from napari_motionmag.methods.learned.weights import build, load, save
from napari_motionmag.training import losses
from napari_motionmag.training.color_to_texture import move_color_to_texture
from napari_motionmag.training.compression import HAS_VIDEO_CODECS
from napari_motionmag.training.images import PicturePool
from napari_motionmag.training.linear_start import start_as_linear, start_as_pyramid
from napari_motionmag.training.muon import Muon
from napari_motionmag.training.progress_pictures import save_curve, save_panel
from napari_motionmag.training.scenes import Batch, SampleMix, SceneMaker

REGULARIZE_EVERY = 4  # steps of oh2018, whose regularizers need two more encodings
OH2018_SAMPLES = SampleMix(sequences=0.0, filtered=0.25, compressed=0.25, small=0.35)
DIFFERENCE_SAMPLES = SampleMix(compressed=0.15)
MIXES = {"difference": DIFFERENCE_SAMPLES, "oh2018": OH2018_SAMPLES}
FAR_MIXES = {
    "difference": DIFFERENCE_SAMPLES.far(),
    "oh2018": replace(OH2018_SAMPLES.far(), compressed=0.15, small=0.25),
}
# Below, differences of features of oh2018 are no more than rounding in bfloat16.
BFLOAT16_LIMITS = {"smallest": 0.3, "largest_factor": 100.0}
# of new networks
CONFIGS = {"difference": {"finishing_blocks": 1}, "oh2018": {"local_mean": 17, "chroma_doubt": 4}}
STARTS = {"difference": "random", "oh2018": "linear"}
LINEAR_STARTS = {"linear": start_as_linear, "pyramid": start_as_pyramid}  # of oh2018
MOVING_STEPS = 1000  # in which weights that were trained as the linear method become a pyramid

_CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class Settings:
    """Settings of a training, kept in its checkpoint."""

    model: str = "difference"
    config: dict | None = None
    size: int = 128
    batch: int = 8
    rate: float = 8e-4
    warmup: int = 500
    decay: float = 0.999
    steps: int | None = None
    minutes: float | None = None
    seed: int = 0
    refresh_every: int = 4
    curriculum: int = 3000
    noisy: int = 1000  # first steps, with noise in every sample so that drawing does not die out
    pictures: int = 256
    optimiser: str = "muon"
    far: bool = False  # most samples move far, with little noise
    start: str = "random"  # or one of LINEAR_STARTS, or "init"


class Trainer:
    """One training run in a folder: checkpoint, log, weights and pictures.

    A checkpoint that is there is resumed, with its own settings except for the length. `images` are
    those of :class:`PicturePool` (procedural scenes alone when None), `init` names weights to start
    from, `precision` of the convolutions is float32 or bfloat16.
    """

    def __init__(
        self, folder, settings, *, images=None, device="cpu", init=None, precision=torch.float32
    ):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.device, self.precision = torch.device(device), precision
        state = None
        if self.checkpoint.exists():
            state = _stored(self.checkpoint, settings.model)
            kept = {**state["settings"], "steps": settings.steps, "minutes": settings.minutes}
            settings = Settings(**kept)
        if init is not None and state is None:
            network, card = load(init)
            if card["model"] != settings.model:
                raise ValueError(
                    f"init must hold weights of {settings.model!r}, got {card['model']!r}"
                )
            if settings.config:
                tensors = network.state_dict()
                network = build(settings.model, {**card["config"], **settings.config})
                network.load_state_dict(tensors)
            settings = replace(settings, config=network.config.to_dict())
        else:
            torch.manual_seed(settings.seed)
            network = build(settings.model, settings.config)
            if settings.start in LINEAR_STARTS:
                LINEAR_STARTS[settings.start](network)
        self.settings = settings
        self.network = network.to(self.device, memory_format=torch.channels_last).train()
        self.average = build(settings.model, network.config.to_dict()).to(self.device)
        self.average.load_state_dict(self.network.state_dict())
        kind = {"adam": torch.optim.Adam, "muon": Muon}[settings.optimiser]
        self.optimizer = kind(self.network.parameters(), lr=settings.rate)
        self.step, self.elapsed = 0, 0.0
        if state is not None:
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimiser"])
            self.step, self.elapsed = state["step"], state["elapsed"]
        pool = PicturePool(
            images,
            procedural_count=settings.pictures,
            seed=settings.seed,
            refreshes=self.step // settings.refresh_every,
            cache=self.folder / "pictures.npz" if images is not None else None,
        )
        self.pool = pool.to(self.device)
        mix = (FAR_MIXES if settings.far else MIXES)[settings.model]
        if settings.model == "oh2018" and precision == torch.bfloat16:
            mix = replace(mix, **BFLOAT16_LIMITS)
        self.maker = SceneMaker(self.pool, settings.size, mix)
        if init is not None and state is None and settings.start == "pyramid":
            move_color_to_texture(
                self.network, self._frames, MOVING_STEPS, precision, _report_moving
            )
            self.average.load_state_dict(self.network.state_dict())

    def _frames(self, number: int) -> Tensor:
        """Return frames of a step before the first, every third time without color."""
        batch, _ = self.batch(2**41 + number)
        frames = torch.cat([batch.a, batch.b])
        return frames if number % 3 else luma(frames).expand_as(frames)

    @property
    def checkpoint(self) -> Path:
        return self.folder / _CHECKPOINT

    @property
    def weights(self) -> Path:
        return self.folder / f"{self.settings.model}.safetensors"

    @property
    def progress(self) -> float:
        """Share of the run that is done, by steps or by minutes, whichever is further."""
        steps, minutes = self.settings.steps, self.settings.minutes
        return max(
            self.step / steps if steps else 0.0, self.elapsed / (60 * minutes) if minutes else 0.0
        )

    def rate(self) -> float:
        """Return the learning rate of the next step: linear warm-up, then a cosine down to 1 %."""
        warm = min(1.0, (self.step + 1) / max(1, self.settings.warmup))
        cosine = 0.5 * (1 + np.cos(np.pi * min(1.0, self.progress)))
        return float(self.settings.rate * warm * (0.01 + 0.99 * cosine))

    def batch(self, number: int) -> tuple[Batch, torch.Generator]:
        """Return the samples of a step, a function of the seed and the step alone."""
        generator = torch.Generator().manual_seed(self.settings.seed * 1_000_003 + number)
        difficulty = min(1.0, number / max(1, self.settings.curriculum))
        noisy = number < self.settings.noisy and self.settings.model == "difference"
        return self.maker.batch(self.settings.batch, generator, difficulty, noisy), generator

    def train_step(self) -> dict:
        """Take one step and return the terms of the loss."""
        started = time.perf_counter()
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate()
        batch, generator = self.batch(self.step)
        with torch.autocast(
            self.device.type, self.precision, enabled=self.precision != torch.float32
        ):
            if isinstance(self.network, DifferenceNet):
                total, terms = losses.difference_losses(self.network, batch)
            else:
                total, terms = losses.oh2018_losses(
                    self.network, batch, generator, self.step % REGULARIZE_EVERY == 0
                )
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self._update_average()
        self.step += 1
        if self.step % self.settings.refresh_every == 0:
            self.pool.refresh()
        self.elapsed += time.perf_counter() - started
        return {name: value.item() for name, value in terms.items()}

    @torch.no_grad()
    def _update_average(self) -> None:
        decay = min(self.settings.decay, (1 + self.step) / (10 + self.step))
        ours, theirs = list(self.average.parameters()), list(self.network.parameters())
        torch._foreach_lerp_(ours, theirs, 1 - decay)

    def save(self) -> None:
        """Write checkpoint and weights; each file appears whole."""
        state = {
            "settings": asdict(self.settings),
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimizer.state_dict(),
            "step": self.step,
            "elapsed": self.elapsed,
        }
        with written_whole(self.checkpoint) as partial:
            torch.save(state, partial)
        hardware = f"CPU, {torch.get_num_threads()} threads"
        if self.device.type == "cuda":
            hardware = torch.cuda.get_device_name(self.device)
        card = {
            "model": self.settings.model,
            "steps": self.step,
            "batch": self.settings.batch,
            "crop": self.settings.size,
            "training_minutes": round(self.elapsed / 60, 1),
            "hardware": hardware,
        }
        save(self.weights, self.average, card)

    @torch.no_grad()
    def pictures(self) -> None:
        """Write ``panel.png``, of samples that stay the same, and ``curve.png``."""
        batch, _ = self.batch(2**40)
        if isinstance(self.average, Oh2018Net):
            drawn = self.average(batch.a, batch.b, batch.factor.view(-1, 1, 1, 1))
        else:
            drawn = self.average(batch.b, batch.variation, batch.factor - 1)
        save_panel(self.folder / "panel.png", batch, drawn)
        if find_spec("matplotlib"):
            save_curve(self.folder / "curve.png", self.folder / "log.jsonl")


def _stored(path: Path, model: str | None) -> dict:
    """Return the state in a checkpoint, which must be of a training of a network, if given."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        kept = Settings(**state["settings"])
    except Exception:  # damaged files raise errors of any kind
        raise ValueError(
            f"{path} is damaged, or of another program; choose another folder"
        ) from None
    if model not in (None, kept.model):
        raise ValueError(
            f"{path} is of a training of {kept.model}, not {model}; go on with --model "
            f"{kept.model}, or choose another folder"
        )
    return state


def fastest_precision(device: torch.device) -> torch.dtype:
    """Return bfloat16 where a trial finds it faster, float32 elsewhere.

    Processors differ: with matrix units bfloat16 is many times faster, without it is slower.
    """
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float32
    spent = {}
    for dtype in (torch.float32, torch.bfloat16):
        layer = torch.nn.Conv2d(64, 64, 3, padding=1).to(device, dtype)
        x = torch.randn(4, 64, 32, 32, device=device, dtype=dtype)
        x = x.contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            spent[dtype] = min(_seconds(lambda: layer(x), 6)[1:])  # noqa: B023
    return min(spent, key=spent.get)


def fastest_threads(precision: torch.dtype) -> int:
    """Set and return the number of CPU threads that trains a residual block fastest in a trial.

    More threads are slower where other programs use the processor, too: each step waits for the
    thread that has to wait.
    """
    block = Oh2018Net().decoder.fusion[0]
    x = torch.rand(6, 64, 48, 48).contiguous(memory_format=torch.channels_last)

    def train() -> None:
        with torch.autocast("cpu", precision, enabled=precision != torch.float32):
            block(x).sum().backward()

    spent = {}
    for count in (2**k for k in range((os.cpu_count() or 1).bit_length())):
        torch.set_num_threads(count)
        # the first prepares, the longest was disturbed
        spent[count] = sum(sorted(_seconds(train, 6)[1:])[:-1])
    best = min(spent, key=spent.get)
    torch.set_num_threads(best)
    return best


def _seconds(function: Callable[[], object], times: int) -> list[float]:
    """Return how long each of several calls takes."""
    moments = [time.perf_counter()]
    for _ in range(times):
        function()
        moments.append(time.perf_counter())
    return np.diff(moments).tolist()


def parser() -> argparse.ArgumentParser:
    p = argparse.ArgumentParser(
        prog="napari-motionmag train",
        description="Train or fine-tune a network on scenes with exactly known motion.",
    )
    # in one line, as those of the other commands
    p.error = lambda message: p.exit(2, f"{p.prog}: error: {message} (see --help)\n")
    p.set_defaults(**{field.name: field.default for field in fields(Settings)})
    p.add_argument("folder", type=Path, help="folder of the run; a run that is there is resumed")
    of_run = "default: that of the run in the folder, difference for a new one"
    p.add_argument("--model", choices=("difference", "oh2018"), default=None, help=of_run)
    config = "JSON: fields of the network's configuration"
    p.add_argument("--config", type=_json_object, help=config)
    images = "folder of pictures, or a movie to adapt to (default: procedural scenes)"
    p.add_argument("--images", type=Path, help=images)
    p.add_argument("--init", help="weights to start from: a name or a .safetensors file")
    p.add_argument("--steps", type=int, help="length of the run in steps")
    p.add_argument("--minutes", type=float, help="length of the run in minutes of training")
    p.add_argument("--size", type=int, help="crop in px (multiple of 8)")
    p.add_argument("--batch", type=int)
    p.add_argument("--rate", type=float, help="learning rate")
    p.add_argument("--warmup", type=int, help="steps until the rate is reached")
    curriculum = "steps until motion, factors and noise reach their full range"
    p.add_argument("--curriculum", type=int, help=curriculum)
    noisy = "difference: first steps, which have noise in every sample"
    p.add_argument("--noisy", type=int, help=noisy)
    far = "samples most of which move by 6 to 15 px in the output, with little noise"
    p.add_argument("--far", action="store_true", help=far)
    p.add_argument("--optimiser", choices=("muon", "adam"))
    start = (
        "oh2018: begin as the linear Eulerian method (auto), as that of a Laplacian pyramid, or "
    )
    start += "at random; with --init pyramid moves blurred color from shape to texture first"
    starts = ("auto", *LINEAR_STARTS, "random")
    p.add_argument("--start", choices=starts, default="auto", help=start)
    p.add_argument("--seed", type=int)
    p.add_argument("--device", default="auto")
    p.add_argument("--precision", choices=("auto", "float32", "bfloat16"), default="auto")
    p.add_argument("--save-every", type=float, default=60, help="seconds between checkpoints")
    p.add_argument("--pictures", type=int, help="procedural pictures kept at a time")
    threads = "CPU threads (default: the fastest number in a trial)"
    p.add_argument("--threads", type=int, help=threads)
    return p


def _json_object(text: str) -> dict:
    """Read the value of --config."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f"must be like '{{\"quarter\": 48}}', got {text!r}")
    return found


def main(
    argv: list[str] | None = None,
    read_pictures: Callable[[Path], list[np.ndarray]] | None = None,
) -> int:
    """Run ``napari-motionmag train``; `read_pictures` takes pictures from the file of a movie."""
    args = parser().parse_args(argv)
    if not args.steps and not args.minutes:
        raise ValueError("train: give the length of the run as --steps or --minutes")
    for name in ("steps", "minutes", "batch", "rate", "pictures", "threads"):
        value = getattr(args, name)
        if value is not None and not 0 < value < math.inf:
            raise ValueError(f"--{name} must be above 0, got {value}")
    for name in ("seed", "warmup", "curriculum", "noisy", "save_every"):
        if not getattr(args, name) >= 0:
            option = name.replace("_", "-")
            raise ValueError(f"--{option} must be 0 or more, got {getattr(args, name)}")
    if args.size < 32 or args.size % 8:
        raise ValueError(f"--size must be a multiple of 8 px from 32 up, got {args.size}")
    check_folder(args.folder)
    if args.model is None:
        run_there = args.folder / _CHECKPOINT
        kept = _stored(run_there, None)["settings"] if run_there.exists() else {}
        args.model = kept.get("model", Settings.model)
    if not find_spec("matplotlib"):
        print("curve.png needs matplotlib: pip install 'napari-motionmag[plots]'", file=sys.stderr)
    if not HAS_VIDEO_CODECS:
        print(
            "compressed samples are JPEG alone; those of video codecs need PyAV: "
            "pip install 'napari-motionmag[video]'",
            file=sys.stderr,
        )
    if args.threads:
        torch.set_num_threads(args.threads)
    if args.start in LINEAR_STARTS and args.model != "oh2018":
        raise ValueError(f"--start {args.start} is for oh2018, not for {args.model}")
    if args.init and args.start not in ("auto", "pyramid"):
        raise ValueError(f"--start {args.start} begins anew, without --init {args.init}")
    device = choose_device(args.device)
    precision = (
        fastest_precision(device) if args.precision == "auto" else getattr(torch, args.precision)
    )
    if device.type == "cpu" and not args.threads:
        fastest_threads(precision)
    print(
        f"{args.folder}: {args.model} on {device}, {str(precision).removeprefix('torch.')}, "
        f"CPU threads: {torch.get_num_threads()}; preparing pictures",
        file=sys.stderr,
    )
    if not args.init:
        args.config = {**CONFIGS.get(args.model, {}), **(args.config or {})}
    if args.start == "auto":
        args.start = "init" if args.init else STARTS[args.model]
    images = args.images
    if images is not None and images.is_file() and read_pictures is not None:
        images = read_pictures(images)
    names = {field.name for field in fields(Settings)}
    settings = Settings(**{name: value for name, value in vars(args).items() if name in names})
    trainer = Trainer(
        args.folder,
        settings,
        images=images,
        device=device,
        init=args.init,
        precision=precision,
    )
    settings = trainer.settings
    start = f"from weights {args.init}" if args.init else f"from a {settings.start} start"
    print(
        f"{f'resumed at step {trainer.step}' if trainer.step else start}; "
        f"{len(trainer.pool.pictures)} pictures, {settings.pictures} of them procedural; "
        f"{settings.batch} crops of {settings.size} px a step",
        file=sys.stderr,
    )
    run(trainer, save_every=args.save_every)
    print(f"{f'step {trainer.step}: wrote {trainer.weights}':79s}", file=sys.stderr)
    return 0


def run(trainer: Trainer, *, save_every: float = 60, log_every: int = 50) -> None:
    """Train until the run is done, logging a line of JSON every `log_every` steps."""
    recent: list[dict] = []
    start = trainer.step
    saved = time.monotonic()
    with (trainer.folder / "log.jsonl").open("a") as log:
        while trainer.progress < 1:
            recent.append(trainer.train_step())
            if trainer.step % log_every == 0:
                line = {"step": trainer.step, "minutes": round(trainer.elapsed / 60, 3)}
                line["rate"] = trainer.rate()
                for name in dict.fromkeys(name for terms in recent for name in terms):
                    line[name] = float(np.mean([terms[name] for terms in recent if name in terms]))
                recent.clear()
                log.write(json.dumps(line) + "\n")
                log.flush()
                _report(trainer, line)
            elif trainer.step == start + 1:  # the first lines of the log may take minutes
                _report(trainer, {"step": trainer.step, **recent[-1]})
            if time.monotonic() - saved > save_every:
                trainer.save()
                trainer.pictures()
                saved = time.monotonic()
    trainer.save()
    trainer.pictures()


def _report(trainer: Trainer, line: dict) -> None:
    done = trainer.progress
    left = trainer.elapsed * (1 - done) / max(done, 1e-9)
    rate = trainer.step / max(trainer.elapsed, 1e-9)
    _tell(
        f"{100 * done:5.1f} %  step {line['step']}  "
        f"loss {line['image']:.4f}, relative {line['relative']:.3f}  "
        f"{rate:.2f} steps/s  {left / 60:.1f} min left"
    )


def _report_moving(step: int) -> None:
    if step % 50 == 0:
        _tell(f"color moves from shape to texture: step {step} of {MOVING_STEPS}")


def _tell(text: str) -> None:
    """Print over the last line of a terminal, or as a line of its own."""
    print(text, end="\r" if sys.stderr.isatty() else "\n", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
