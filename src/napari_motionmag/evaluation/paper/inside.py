"""Fig. 9 and A.7 to A.10: what the paper's network has learned."""

from __future__ import annotations

from collections import Counter

import numpy as np

from napari_motionmag.evaluation.paper.discs import SIZE, DiscMovie
from napari_motionmag.evaluation.paper.figure import Figure, Setting, blank, shown
from napari_motionmag.evaluation.scenes import photographs

_COLORS = {
    "red": (0.8, 0.2, 0.2), "green": (0.2, 0.8, 0.2), "blue": (0.2, 0.2, 0.8),
    "yellow": (0.8, 0.8, 0.2), "magenta": (0.8, 0.2, 0.8), "cyan": (0.2, 0.8, 0.8),
    "white": (0.9, 0.9, 0.9), "black": (0.1, 0.1, 0.1),
}  # fmt: skip


def _kernels(setting: Setting, representation: str):
    from napari_motionmag.views import encoder_kernels
    from napari_motionmag.views.figures.networks import draw_kernels

    pictures = list(photographs().values())
    found = encoder_kernels(pictures, setting.oh2018, representation, n=32)
    canvas = blank(8, 4)
    best = found._replace(
        **{k: getattr(found, k)[:8] for k in ("kernels", "errors", "units", "kinds")}
    )
    draw_kernels(canvas, best)
    return {
        "kinds of the eight best": dict(Counter(best.kinds)),
        "kinds of all": dict(Counter(found.kinds)),
        "errors of the eight best": [float(e) for e in best.errors],
    }, canvas


def shape_kernels(setting: Setting):
    """Fig. 9: linear approximations of the encoder's shape."""
    return _kernels(setting, "shape")


def texture_kernels(setting: Setting):
    """Fig. A.7: linear approximations of the encoder's texture."""
    return _kernels(setting, "texture")


def representations(setting: Setting):
    """Fig. A.8: what texture and shape answer to, color or direction.

    Discs of eight colors on gray; the response of each unit along their edges, less that to gray
    alone. Its power is divided into that of its mean over directions, which colors make, and that
    of its mean over colors, which directions make.
    """
    import torch

    from napari_motionmag.methods.learned import weights

    network, _ = weights.load(setting.oh2018)
    inside = np.clip(0.5 + DiscMovie(np.zeros((1, 2))).depth((0, 0)), 0, 1)[..., None]
    discs = np.stack([0.5 + inside * (np.array(c) - 0.5) for c in _COLORS.values()])
    both = np.concatenate([discs, np.full_like(discs[:1], 0.5)]).transpose(0, 3, 1, 2)
    with torch.inference_mode():
        encoded = network.encoder(torch.from_numpy(both.astype(np.float32)))
    numbers, pictures, titles = {}, [], []
    for name, maps in zip(("texture", "shape"), encoded, strict=True):
        maps = (maps[:-1] - maps[-1:]).numpy()
        answers = _around(maps)  # colors, units, directions
        total = answers.var(axis=(0, 2)) + 1e-12
        color = answers.mean(2).var(0) / total
        direction = answers.mean(0).var(1) / total
        numbers[name] = {
            "power by color": float(color.mean()),
            "power by direction": float(direction.mean()),
            "units of color": int((color > direction).sum()),
        }
        for unit in np.argsort(-total)[:8]:
            pictures.append(0.5 + maps[0, unit] / (2 * np.abs(maps[:, unit]).max()))
            titles.append(f"{name} #{unit}, red\n{color[unit]:.0%} color")
    return numbers, shown(pictures, titles)


def _around(maps: np.ndarray, radius: float = 30.0, directions: int = 32) -> np.ndarray:
    """Return values on a circle around the middle, (..., directions)."""
    stride = SIZE // maps.shape[-1]
    angle = 2 * np.pi * np.arange(directions) / directions
    middle = (maps.shape[-1] - 1) / 2
    y = np.rint(middle + radius / stride * np.sin(angle)).astype(int)
    x = np.rint(middle + radius / stride * np.cos(angle)).astype(int)
    return maps[..., y, x]


def _activations(setting: Setting, layer: str, factors: tuple[float, ...], units: int):
    from napari_motionmag.views import unit_activations

    movie = DiscMovie(np.array([[0.0, 0.0], [0.6, 0.8]]))
    return movie, unit_activations(
        np.stack(movie.frames), 1, factors, model=setting.oh2018, layers=[layer], units=units
    )


def manipulated(setting: Setting):
    """Fig. A.9: h(m g(Delta)) at two factors grows and spreads."""
    _, seen = _activations(setting, "manipulator", (2.0, 5.0), 32)
    low, high = np.abs(seen.maps["manipulator"])
    reach = [(m > 0.1 * high.max((1, 2), keepdims=True)).mean() for m in (low, high)]
    numbers = {
        "amplitude at 5x over 2x": float(np.sqrt((high**2).mean() / (low**2).mean())),
        "share of the frame above a tenth of the maximum, 2x": float(reach[0]),
        "the same, 5x": float(reach[1]),
    }
    strongest = np.argsort(-high.var(axis=(1, 2)))[:4]
    top = high.max()
    maps = [m[unit] / top for unit in strongest for m in (low, high)]
    return numbers, shown(maps, [f"#{u}, {f}x" for u in strongest for f in (2, 5)])


def fused(setting: Setting):
    """Fig. A.10: the first block of the decoder answers where motion is, and draws there anew."""
    movie, seen = _activations(setting, "fusion", (1.0, 5.0), 64)
    still, moved = seen.maps["fusion"]
    change = ((moved - still) ** 2).sum(0)
    near = np.abs(movie.depth(movie.positions[1]))[::2, ::2] < 12
    numbers = {
        "share of the change within 12 px of the edge": float(change[near].sum() / change.sum()),
        "share of the frame there": float(near.mean()),
    }
    strongest = np.argsort(-moved.var(axis=(1, 2)))[:3]
    maps = [0.5 + m / (2 * np.abs(m).max()) for m in moved[strongest]]
    return numbers, shown([*maps, seen.decoded[1]], [*(f"#{u}" for u in strongest), "decoded, 5x"])


FIGURES = (
    Figure("9", "Kernels of shape", shape_kernels),
    Figure("A.7", "Kernels of texture", texture_kernels),
    Figure("A.8", "Color and direction in texture and shape", representations),
    Figure("A.9", "The manipulator at two factors", manipulated),
    Figure("A.10", "The fusion layer", fused),
)
