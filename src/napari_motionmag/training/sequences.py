"""Short movies for the temporal mode: motion in a band, drift, motion out of band, and noise."""

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
    """Displacements of the layers of one scene over time, and the filter that looks at them.

    Attributes
    ----------
    background : Tensor
        (FRAMES, 2), displacement y, x in px.
    objects : Tensor
        (FRAMES, K, 2), of each object.
    weights : Tensor
        (FRAMES,), of the frames in the filter's output for the middle frame.
    """

    background: Tensor
    objects: Tensor
    weights: Tensor

    @classmethod
    def random(cls, background: Tensor, objects: Tensor, generator: torch.Generator) -> "Sequence":
        """Layers that vibrate along given displacements on a drift that all share.

        Parameters
        ----------
        background, objects : Tensor
            (1, 2) and (K, 2), displacement y, x in px at the crest of the vibration.
        generator : torch.Generator
            Source of randomness.
        """

        def uniform(low, high, count=1):
            return low + (high - low) * torch.rand(count, 1, generator=generator)

        layers = torch.cat([background, objects])
        count = len(layers)
        length = layers.norm(dim=1, keepdim=True).clamp(min=1e-6)
        layers = layers * (length.clamp(max=_LARGEST) / length)
        centre = uniform(0.15, 0.25).item()  # cycles a frame
        weights = FIR(centre * 2 / 3, centre * 4 / 3, fps=1, taps=FRAMES).row(_NOW, FRAMES)
        frequency = centre * uniform(0.8, 1.2, count)
        elsewhere = torch.rand(count, 1, generator=generator) < 0.25
        slow = torch.rand(count, 1, generator=generator) < 0.5
        frequency = torch.where(
            elsewhere, torch.where(slow, 0.25 * frequency, 0.5 - 0.2 * frequency), frequency
        )
        phase = torch.pi * (0.5 + uniform(-0.3, 0.3, count))
        time = torch.arange(FRAMES) - _NOW
        wave = (2 * torch.pi * frequency * time + phase).sin()  # (layers, frames)
        drift = log_uniform(0.02, 2.0, 1, generator) * torch.randn(2, generator=generator)
        slowness = centre * uniform(0.1, 0.2).item()
        course = (2 * torch.pi * (slowness * time + torch.rand((), generator=generator))).sin()
        moves = wave.T[..., None] * layers + course[:, None, None] * drift
        return cls(moves[:, 0], moves[:, 1:], _dense(*weights))

    def selected(self) -> tuple[Tensor, Tensor]:
        """What the filter lets through of the displacements: (1, 2) and (K, 2)."""
        weights = self.weights.float()
        return (
            torch.einsum("t,tc->c", weights, self.background)[None],
            torch.einsum("t,tkc->kc", weights, self.objects),
        )

    def render(
        self, scene, factor: float, light: Light, sensor: Sensor, pattern: Tensor, generator
    ) -> dict:
        """The middle frame, what the filter makes of the movie, and the truth.

        Parameters
        ----------
        scene : Scene
            One sample.
        factor : float
            m.
        light : Light
            Of the middle frame; it comes and goes at a frequency of its own.
        sensor : Sensor
            One camera.
        pattern : Tensor
            (1, 3, H, W), its fixed pattern.
        generator : torch.Generator
            Source of randomness.

        Returns
        -------
        dict of str to Tensor
            ``b``, ``target``, ``variation``, ``motion``, ``inside`` as in
            :class:`~napari_motionmag.training.scenes.Batch`, of one sample.
        """
        used = torch.nonzero(self.weights)[:, 0]
        movie = scene.only(0, len(used)).render(
            self.background[used], self.objects[used].flatten(0, 1)
        )
        flicker = 0.5 * torch.rand((), generator=generator)  # cycles a frame
        course = (2 * torch.pi * flicker * (used - _NOW)).cos().to(movie.device)
        movie = light.on(movie, course.view(-1, 1, 1, 1))
        noisy = sensor.only(0, len(used)).expose(movie, pattern.expand_as(movie), generator)
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


def _dense(indices, weights) -> Tensor:
    dense = torch.zeros(FRAMES, dtype=torch.float64)
    dense[torch.from_numpy(indices)] = torch.from_numpy(weights)
    return dense
