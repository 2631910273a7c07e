"""Short movies for the temporal mode: motion in a band, drift, motion outside it, and noise."""

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_motionmag.methods.learned.networks.difference import luma
from napari_motionmag.temporal import FIR
from napari_motionmag.training.light import Light
from napari_motionmag.training.sensor import Sensor, log_uniform

FRAMES = 21
_NOW = FRAMES // 2
_LARGEST = 2.0  # px: faster motion within a band does not look like motion in a filtered movie


@dataclass
class Sequence:
    """Displacements (y, x), px, of the layers of one scene over time, and a temporal filter."""

    background: Tensor  # (FRAMES, 2)
    objects: Tensor  # (FRAMES, K, 2)
    weights: Tensor  # (FRAMES,), of the frames in the output of the filter for the middle frame

    @classmethod
    def random(cls, background: Tensor, objects: Tensor, generator: torch.Generator) -> "Sequence":
        """Draw layers that vibrate along given displacements on a drift that all share.

        `background` (1, 2) and `objects` (K, 2) are the displacements (y, x), px, at the crest.
        """

        def uniform(low, high, count=1):
            return low + (high - low) * torch.rand(count, 1, generator=generator)

        layers = torch.cat([background, objects])
        count = len(layers)
        length = layers.norm(dim=1, keepdim=True).clamp(min=1e-6)
        layers = layers * (length.clamp(max=_LARGEST) / length)
        center = uniform(0.15, 0.25).item()  # cycles per frame
        indices, row = FIR(center * 2 / 3, center * 4 / 3, fps=1, taps=FRAMES).row(_NOW, FRAMES)
        weights = torch.zeros(FRAMES, dtype=torch.float64)
        weights[torch.from_numpy(indices)] = torch.from_numpy(row)
        frequency = center * uniform(0.8, 1.2, count)
        elsewhere = torch.rand(count, 1, generator=generator) < 0.25
        slow = torch.rand(count, 1, generator=generator) < 0.5
        frequency = torch.where(
            elsewhere, torch.where(slow, 0.25 * frequency, 0.5 - 0.2 * frequency), frequency
        )
        phase = torch.pi * (0.5 + uniform(-0.3, 0.3, count))
        time = torch.arange(FRAMES) - _NOW
        wave = (2 * torch.pi * frequency * time + phase).sin()  # (layers, frames)
        drift = log_uniform(0.02, 2.0, 1, generator) * torch.randn(2, generator=generator)
        slowness = center * uniform(0.1, 0.2).item()
        course = (2 * torch.pi * (slowness * time + torch.rand((), generator=generator))).sin()
        moves = wave.T[..., None] * layers + course[:, None, None] * drift
        return cls(moves[:, 0], moves[:, 1:], weights)

    def selected(self) -> tuple[Tensor, Tensor]:
        """Return the displacements that the filter passes, (1, 2) and (K, 2)."""
        weights = self.weights.float()
        return (
            torch.einsum("t,tc->c", weights, self.background)[None],
            torch.einsum("t,tkc->kc", weights, self.objects),
        )

    def render(
        self, scene, factor: float, light: Light, sensor: Sensor, pattern: Tensor, generator
    ) -> dict:
        """Return `b`, `target`, `variation`, `motion`, `inside` of a `Batch` of one sample.

        Scene, light (of the middle frame; it varies at a frequency of its own), sensor and its
        fixed pattern (1, 3, H, W) are those of the sample.
        """
        used = torch.nonzero(self.weights)[:, 0]
        movie = scene.only(0, len(used)).render(
            self.background[used], self.objects[used].flatten(0, 1)
        )
        flicker = 0.5 * torch.rand((), generator=generator)  # cycles per frame
        course = (2 * torch.pi * flicker * (used - _NOW)).cos().to(movie.device)
        movie = light.on(movie, course.view(-1, 1, 1, 1))
        noisy = sensor.only(0, len(used)).expose(movie, pattern.expand_as(movie), generator)
        noisy = sensor.compressed(noisy[:, None])[:, 0]
        here = int((used == _NOW).nonzero()[0])
        b = noisy[here : here + 1]
        shares = self.weights[used].float().to(b.device).view(-1, 1, 1, 1)
        variation = (shares * luma(noisy - b)).sum(0, keepdim=True)
        background, objects = self.selected()
        _, motion = scene.render_with_field(
            self.background[_NOW][None], self.objects[_NOW], (background.flip(1), objects.flip(1))
        )
        gain = factor - 1
        target = scene.render(
            self.background[_NOW][None] + gain * background, self.objects[_NOW] + gain * objects
        )
        return {
            "b": b,
            "target": light.on(target),
            "variation": variation + self.weights.sum().float() * luma(b),
            "motion": motion,
            "inside": scene.inside(gain * background).to(b.device),
        }
