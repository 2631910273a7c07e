"""Cameras: photon and read noise, a fixed pattern, quantization, compression."""

from dataclasses import dataclass

import torch
from torch import Tensor

from napari_motionmag.training.compression import (
    HAS_VIDEO_CODECS,
    jpeg_compressed,
    video_compressed,
)


def log_uniform(low, high, count: int, generator: torch.Generator) -> Tensor:
    """Draw `count` numbers between `low` and `high`, uniform in their logarithm."""
    span = torch.log(torch.tensor([low, high], dtype=torch.float64))
    u = torch.rand(count, generator=generator, dtype=torch.float64)
    return torch.exp(span[0] + u * (span[1] - span[0])).float()


@dataclass
class Sensor:
    """Cameras for a batch, one per sample; all tensors have the shape (N,) and white is 1.

    The photon noise at intensity I has the variance I / photons.
    """

    photons: Tensor  # photo-electrons at white; infinite for none
    read: Tensor  # standard deviation of the read noise
    pattern: Tensor  # standard deviation of the pattern that is the same in every frame
    levels: Tensor  # gray levels up to white, such as 255; 0 for no quantization
    clips: Tensor  # bool: values outside 0..1 are cut off
    gray: Tensor  # bool: one sensor for all channels, so that gray stays gray
    quality: Tensor | None = None  # of JPEG compression, 1 to 100; 0 for none
    quantizer: Tensor | None = None  # int: of H.264 compression, 0 to 51; -1 for none
    corner: Tensor | None = None  # int: where in a block of 16 x 16 px frames begin, 16 y + x

    @classmethod
    def random(
        cls,
        count: int,
        gray: Tensor,
        generator: torch.Generator,
        strong: float = 0.4,
        perfect: float = 0.1,
        noisy: bool = False,
        compressed: float = 0.0,
    ) -> "Sensor":
        """Draw cameras from noise-free to a few photons per pixel.

        A fifth has no noise, a share of `strong` up to 50/255 at mid-gray, the others up to 3/255
        as in the paper. Quantization as in the paper (8 bits), finer, or none. A share of
        `perfect` has neither noise nor quantization nor pattern, whatever the rest. With `noisy`,
        every camera has noise of 3/255 to 50/255 at mid-gray.
        """

        def chance(p):
            return torch.rand(count, generator=generator) < p

        sigma = torch.where(
            chance(strong / 0.8),
            log_uniform(2 / 255, 50 / 255, count, generator),
            log_uniform(0.1 / 255, 3 / 255, count, generator),
        )
        sigma = torch.where(chance(0.2), torch.zeros(count), sigma)
        photon_share = torch.rand(count, generator=generator)
        photon_share = torch.where(chance(0.4), torch.ones(count), photon_share)
        pattern = log_uniform(0.1 / 255, 2 / 255, count, generator)
        choices = torch.tensor([255.0, 255, 255, 1023, 4095, 65535, 0])
        levels = choices[torch.randint(len(choices), (count,), generator=generator)]
        blemished = (~chance(perfect)).float()
        if noisy:
            sigma = log_uniform(3 / 255, 50 / 255, count, generator)
            blemished = torch.ones(count)
        sigma = sigma * blemished
        quality = quantizer = corner = None
        if compressed:
            quality = torch.where(chance(compressed), log_uniform(30, 95, count, generator), 0.0)
            video = (quality > 0) & chance(0.6 if HAS_VIDEO_CODECS else 0.0)
            quality = torch.where(video, 0.0, quality)
            quantizer = torch.randint(12, 32, (count,), generator=generator)
            quantizer = torch.where(video, quantizer, -1)
            corner = torch.randint(256, (count,), generator=generator)
        return cls(
            photons=0.5 / (sigma**2 * photon_share),
            read=sigma * (1 - photon_share).sqrt(),
            pattern=torch.where(chance(0.05), pattern, torch.zeros(count)) * blemished,
            levels=levels * blemished,
            clips=chance(0.5),
            gray=gray.cpu(),
            quality=quality,
            quantizer=quantizer,
            corner=corner,
        )

    def only(self, sample: int, repeats: int = 1) -> "Sensor":
        """Return the camera of one sample, `repeats` times over."""
        known = {name: value for name, value in vars(self).items() if value is not None}
        return Sensor(**{name: v[sample : sample + 1].expand(repeats) for name, v in known.items()})

    def fixed_pattern(self, like: Tensor, generator: torch.Generator) -> Tensor:
        """Draw the pattern that every frame of a sample shares, (N, C, H, W)."""
        return self._gray(_randn(like, generator) * _wide(self.pattern, like))

    def expose(self, clean: Tensor, pattern: Tensor, generator: torch.Generator) -> Tensor:
        """Return clean frames (N, C, H, W), black 0, white 1, as the cameras record them.

        Photon noise is Poisson below 300 electrons and its normal limit above. Quantization is
        floor(x levels + U(0, 1)) (paper, Section 3.3: sub-level motion survives on average).
        """
        signal = clean.clamp(min=0)
        photons = _wide(self.photons, clean)
        spread = torch.where(photons.isinf(), torch.zeros_like(photons), photons.reciprocal())
        noisy = clean + _randn(clean, generator) * (signal * spread).sqrt()
        for k in torch.nonzero(self.photons < 300)[:, 0].tolist():
            counts = torch.poisson((signal[k] * self.photons[k].item()).cpu(), generator=generator)
            noisy[k] = (counts / self.photons[k]).to(clean.device)
        noisy = noisy + _randn(clean, generator) * _wide(self.read, clean)
        noisy = self._gray(noisy + pattern)
        noisy = torch.where(_wide(self.clips, clean), noisy.clamp(0, 1), noisy)
        levels = _wide(self.levels, clean)
        dither = self._gray(torch.rand(clean.shape, generator=generator).to(clean.device))
        quantized = torch.floor(noisy * levels + dither) / levels.clamp(min=1)
        return torch.where(levels > 0, quantized, noisy)

    def compressed(self, movies: Tensor) -> Tensor:
        """Return exposed frames (T, N, C, H, W), T of each sample in succession, as compressed."""
        if self.quality is None:
            return movies
        movies = movies.clone()
        for k in torch.nonzero((self.quality > 0) | (self.quantizer >= 0))[:, 0].tolist():
            corner = divmod(int(self.corner[k]), 16)
            if self.quantizer[k] >= 0:
                seen = video_compressed(movies[:, k], int(self.quantizer[k]), corner)
            else:
                seen = jpeg_compressed(movies[:, k], float(self.quality[k]), corner)
            movies[:, k] = self.only(k)._gray(seen)
        return movies

    def _gray(self, frames: Tensor) -> Tensor:
        gray = _wide(self.gray, frames)
        return torch.where(gray, frames[:, :1].expand_as(frames), frames)


def _wide(values: Tensor, like: Tensor) -> Tensor:
    return values.to(like.device).view(-1, 1, 1, 1)


def _randn(like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(like.shape, generator=generator).to(like.device)
