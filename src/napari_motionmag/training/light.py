"""Light that changes between frames: lamps, shadows, bleaching."""

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_motionmag.training.sensor import log_uniform

LARGEST = 0.1  # change of intensity, as a share of it
MAGNIFIED = 0.02, 0.6  # the same times the factor, where it stays below the largest


@dataclass
class Light:
    """Illumination of a batch of frames relative to that of the reference."""

    gain: Tensor  # (N, 3, H, W), factor of intensity
    offset: Tensor  # (N, 3, 1, 1), stray light that is added; 1 is white

    @classmethod
    def random(
        cls,
        changes: Tensor,
        factor: Tensor,
        gray: Tensor,
        size: int,
        generator: torch.Generator,
    ) -> "Light":
        """Draw changes of light of up to 10 %, less where the factor (N,) is high.

        Lamps (the same everywhere), gradients and vignettes, soft shadows, stray light, alone or
        together; a third of the lamps change their color. `changes` and `gray` (N,), bool, are the
        samples in which light changes and those without color; `size` is the side of frames, px.
        """
        count = len(changes)

        def uniform(*shape):
            return 2 * torch.rand(count, *shape, generator=generator) - 1

        amount = log_uniform(*MAGNIFIED, count, generator) / factor.cpu().abs().clamp(min=1)
        amount = amount.clamp(max=LARGEST).view(-1, 1, 1, 1)
        kind = torch.rand(count, 1, 1, 1, generator=generator)
        everywhere = torch.where(uniform(1, 1, 1) < 0, -1.0, 1.0)
        field = torch.where(kind < 0.5, everywhere, _field(count, size, generator))
        tinted = (torch.rand(count, generator=generator) < 1 / 3) & ~gray.cpu()
        tint = torch.where(tinted.view(-1, 1, 1, 1), 1 + 0.7 * uniform(3, 1, 1), torch.ones(1))
        offset = amount * 0.5 * uniform(1, 1, 1)
        stray = torch.rand(count, 1, 1, 1, generator=generator) < 0.3
        amount = amount * changes.float().view(-1, 1, 1, 1)
        offset = torch.where(stray & (amount > 0), offset, torch.zeros(1))
        return cls(1 + amount * field * tint, offset.expand(-1, 3, -1, -1))

    def only(self, sample: int) -> "Light":
        """Return the light of one sample."""
        return Light(self.gain[sample : sample + 1], self.offset[sample : sample + 1])

    def on(self, clean: Tensor, share: Tensor | float = 1.0) -> Tensor:
        """Return clean frames (N, 3, H, W) in this light, or in `share` of its change."""
        gain, offset = self.gain.to(clean.device), self.offset.to(clean.device)
        return clean * (1 + share * (gain - 1)) + share * offset


def _field(count: int, size: int, generator: torch.Generator) -> Tensor:
    """Draw waves across the frame or edges of shadows, (N, 1, size, size), within about +-1."""
    along = torch.linspace(-1, 1, size)
    angle, phase, shape = torch.rand(3, count, 1, 1, generator=generator)
    angle = 2 * torch.pi * angle
    across = angle.cos() * along[None, :, None] + angle.sin() * along[None, None, :]
    wave = torch.sin(2 * across * (0.3 + shape) + 2 * torch.pi * phase)
    width = 0.05 + 0.5 * torch.rand(count, 1, 1, generator=generator)
    shadow = torch.sigmoid((across - phase + 0.5) / width)
    return torch.where(shape < 0.5, wave, shadow)[:, None]
