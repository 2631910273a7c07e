"""Pictures of a training in progress: samples, and the loss over the steps."""

import json
from pathlib import Path

import numpy as np
import torch

from napari_motionmag.training.scenes import Batch


def save_panel(path: Path, batch: Batch, drawn) -> None:
    """Write reference, frame, drawn and true frame, from top to bottom, a sample per column."""
    from PIL import Image

    rows = [batch.a, batch.b, drawn, batch.target]
    picture = torch.cat([torch.cat(list(r.clamp(0, 1)), 2) for r in rows], 1)
    pixels = (picture.permute(1, 2, 0).cpu().numpy() * 255).astype(np.uint8)
    Image.fromarray(pixels).save(path)


def save_curve(path: Path, log: Path) -> None:
    """Draw every term of the loss, and the learning rate, from the JSON lines of a training."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    if not lines:
        return
    terms = [name for name in lines[-1] if name not in ("step", "minutes", "rate")]
    figure = Figure(figsize=(8, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name in terms:
        points = [(line["step"], line[name]) for line in lines if name in line]
        step, value = np.array(points).T
        color = axes.plot(step, value, alpha=0.25)[0].get_color()
        axes.plot(step, _smooth(value), color=color, label=name)
    axes.set(xlabel="step", ylabel="loss", yscale="log")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper right")
    rate = axes.twinx()
    rate.plot([line["step"] for line in lines], [line["rate"] for line in lines], "k:", alpha=0.5)
    rate.set_ylabel("learning rate (dotted)")
    figure.savefig(path, dpi=100)


def _smooth(values: np.ndarray, share: float = 0.05) -> np.ndarray:
    """Return the running mean over a share of the values."""
    window = np.ones(2 * int(share * len(values) / 2) + 1)
    return np.convolve(values, window, "same") / np.convolve(np.ones(len(values)), window, "same")
