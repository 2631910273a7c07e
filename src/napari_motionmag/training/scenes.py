"""Scenes of moving layers with exactly known sub-pixel motion (paper, Section 3.3).

A layer is a band-limited picture kept as its Fourier transform, so that a shift by any fraction
of a pixel is a phase factor and exact. Objects are layers with premultiplied alpha, composited in
order over the background.
"""

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_motionmag.methods.learned.networks.difference import luma
from napari_motionmag.training.images import PicturePool
from napari_motionmag.training.light import Light
from napari_motionmag.training.sensor import Sensor, log_uniform
from napari_motionmag.training.sequences import Sequence

PARTS = ("objects", "background", "blurred", "static", "still_background")
LIT = {"static": 0.7}  # share of samples of a part in which light changes
LIT_OTHERS = 0.3
_MARGIN = 40  # background beyond the frame: the largest motion, and what fades out at the border


@dataclass
class Scene:
    """Layers of a batch of scenes: backgrounds and objects as spectra."""

    background: Tensor  # complex (N, 3, P, P // 2 + 1), P = size + 2 * 40
    objects: Tensor  # complex (M, 4, S, S // 2 + 1): premultiplied RGB and alpha
    owner: list  # the sample of each object; objects of a sample are in drawing order
    position: Tensor  # (M, 2): center of each object at rest, y and x in px
    gray: Tensor  # bool (N,): samples without color
    size: int  # height and width of the frames in px

    def render(self, background_shift: Tensor, object_shift: Tensor) -> Tensor:
        """Return frames (N, 3, size, size), noise-free, with every layer displaced.

        `background_shift` (N, 2) of up to 36 px and `object_shift` (M, 2) are y and x in px.
        """
        return self.render_with_field(background_shift, object_shift, None)[0]

    def render_with_field(
        self,
        background_shift: Tensor,
        object_shift: Tensor,
        values: tuple[Tensor, Tensor] | None,
    ) -> tuple[Tensor, Tensor | None]:
        """Return frames, and at every pixel (N, C, size, size) the value of the layer it shows.

        `values` (N, C) and (M, C) belong to backgrounds and to objects; an object counts where its
        alpha is above 1/2.
        """
        device = self.background.device
        canvas = shifted(self.background, background_shift.to(device))
        frame = canvas[..., _MARGIN : _MARGIN + self.size, _MARGIN : _MARGIN + self.size].clone()
        field = None
        if values is not None:
            field = values[0].to(device)[..., None, None].repeat(1, 1, self.size, self.size)
        if len(self.owner):
            place = self.position.double() + object_shift.double()
            whole = place.round()
            sprites = shifted(self.objects, (place - whole).float().to(device))
            for k, (y, x) in enumerate(whole.long().tolist()):
                _paste(frame[self.owner[k]], sprites[k], y, x)
                if field is not None:
                    solid = (sprites[k, 3:] > 0.5).to(field.dtype)
                    layer = values[1][k].to(device)[:, None, None] * solid
                    _paste(field[self.owner[k]], torch.cat([layer, solid]), y, x)
        gray = self.gray.to(device).view(-1, 1, 1, 1)
        return torch.where(gray, luma(frame).expand_as(frame), frame), field

    def only(self, sample: int, repeats: int = 1) -> "Scene":
        """Return the scene of one sample, `repeats` times over."""
        mine = [k for k, owner in enumerate(self.owner) if owner == sample]
        return Scene(
            self.background[sample : sample + 1].expand(repeats, -1, -1, -1),
            self.objects[mine].repeat(repeats, 1, 1, 1),
            [k for k in range(repeats) for _ in mine],
            self.position[mine].repeat(repeats, 1),
            self.gray[sample : sample + 1].expand(repeats),
            self.size,
        )

    def inside(self, shift: Tensor) -> Tensor:
        """Return (N, 1, size, size): 1 where a background moved by `shift` covers the frame."""
        at = torch.arange(self.size, dtype=torch.float32) - shift[:, :, None]  # where it was
        y, x = ((at >= 0) & (at <= self.size - 1)).float().unbind(1)
        return (y[:, :, None] * x[:, None, :])[:, None]


@dataclass
class Batch:
    """Training samples; frames (N, 3, H, W), black 0, white 1.

    The variation is T(luma) as a temporal operator gives it: b - a, b minus an average of
    references, or band-passed with much less noise than b. The variation of shape, T(M), is that
    of `later` minus that of `a`; `later` is `b` except for samples that stand for a temporal
    filter, where neither it nor `a` has as much noise as `b`.
    """

    a: Tensor  # reference, with noise
    b: Tensor  # frame with the input motion and noise
    target: Tensor  # noise-free frame with the magnified motion
    variation: Tensor  # (N, 1, H, W)
    factor: Tensor  # (N,)
    two_frame: Tensor  # bool (N,): `variation` is the plain difference
    motion: Tensor  # (N, 2, H, W): selected displacement of what `b` shows, x and y in px
    inside: Tensor  # (N, 1, H, W): 0 where `target` shows background from outside `b`
    later: Tensor
    filtered: Tensor  # bool (N,): samples whose `later` is not `b`
    lit: Tensor  # bool (N,): samples in which light changes

    def to(self, device) -> "Batch":
        return Batch(**{k: v.to(device, non_blocking=True) for k, v in vars(self).items()})


@dataclass(frozen=True)
class SampleMix:
    """Which samples a training sees: shares of them, and ranges in px."""

    parts: tuple[str, ...] = PARTS
    smallest: float = 0.005  # least input motion
    largest_factor: float = 1000.0
    usual_output: tuple[float, float] = (0.0, 14.0)  # uniform; the rest is up to 30 px
    usual: float = 0.35
    small: float = 0.15  # output motion log-uniform from 0.1 px
    strong_noise: float | None = None  # None: by difficulty, as with perfect sensors
    perfect_sensors: float | None = None
    sequences: float = 0.25  # from a short movie
    filtered: float = 0.0  # of the others: `later` as after a temporal filter
    compressed: float = 0.0  # as by JPEG or a video codec

    def far(self) -> "SampleMix":
        """Return a mix in which half of the outputs move by 6 to 15 px, and noise is rare."""
        parts = (*self.parts, "objects", "still_background", "still_background")
        return replace(
            self,
            parts=parts,
            usual_output=(6.0, 15.0),
            usual=0.5,
            strong_noise=0.15,
            perfect_sensors=0.45,
        )

    def sensors(self, difficulty: float) -> dict[str, float]:
        """Return the shares of cameras, as arguments of :meth:`Sensor.random`."""
        strong, perfect = self.strong_noise, self.perfect_sensors
        return {
            "strong": 0.1 + 0.4 * difficulty if strong is None else strong,
            "perfect": 0.9 - 0.8 * difficulty if perfect is None else perfect,
            "compressed": self.compressed,
        }

    def draw_factors(
        self, count: int, generator: torch.Generator, difficulty: float
    ) -> tuple[Tensor, Tensor]:
        """Draw factors, and the largest input motion of each sample in px.

        Input motion is log-uniform up to 10 px, output motion up to 30 px; from 0.3 px and up to
        3 px where `difficulty` is 0.
        """
        u = torch.rand(count, generator=generator)
        wide = 30 * torch.rand(count, generator=generator)
        least, most = self.usual_output
        usual = least + (most - least) * torch.rand(count, generator=generator)
        small = log_uniform(0.1, 30.0, count, generator)
        output = torch.where(
            u < self.usual, usual, torch.where(u < self.usual + self.small, small, wide)
        )
        output = output * (0.1 + 0.9 * difficulty)
        given = log_uniform(0.3 * (self.smallest / 0.3) ** difficulty, 10.0, count, generator)
        factor = (output / given).clamp(max=self.largest_factor)
        # A tenth attenuates, removes or mirrors instead.
        v = torch.rand(count, generator=generator)
        less = 2 * torch.rand(count, generator=generator) - 0.5
        factor = torch.where(v < 0.07, less, factor)
        factor = torch.where((v > 0.07) & (v < 0.12), -factor, factor)
        return factor, given.clamp(max=10.0)


class SceneMaker:
    """Draws scenes of `size` x `size` px from a pool of pictures, on the device of the pool."""

    def __init__(self, pool: PicturePool, size: int = 128, mix: SampleMix | None = None):
        self.pool, self.size, self.mix = pool, size, mix or SampleMix()
        self.sprite = 112 if size <= 192 else 192

    def scene(self, parts: list[str], generator: torch.Generator) -> Scene:
        """Draw one scene for every name in `parts` (see :data:`PARTS`)."""
        count, device = len(parts), self.pool.pictures.device
        padded = self.size + 2 * _MARGIN
        gray = torch.rand(count, generator=generator) < 0.5
        pictures = self.pool.sample_pictures(count, generator)
        zoom = log_uniform(0.6, 1.6, count, generator)
        canvas = _contrast(_resample(pictures, padded, zoom, generator), generator)
        blur = 0.4 + 0.6 * torch.rand(count, generator=generator)
        extra = log_uniform(1.5, 8.0, count, generator)
        blurred = torch.tensor([p == "blurred" for p in parts])
        if "static" in parts:  # half of the still scenes are low in contrast, too
            still = torch.tensor([p == "static" for p in parts])
            blurred |= still & (torch.rand(count, generator=generator) < 0.4)
        blur = torch.where(blurred, extra, blur).to(device)
        background = spectrum(canvas, blur)

        owner = []
        for k, part in enumerate(parts):
            with_objects = part in ("objects", "still_background")
            if with_objects or (part == "static" and torch.rand((), generator=generator) < 0.5):
                share = min(1.0, max(0.4, self.size / 384))
                number = torch.randint(7, 16, (), generator=generator).item() * share
                owner += [k] * max(1, round(number))
        position = (torch.rand(len(owner), 2, generator=generator) * self.size).round()
        objects = self._objects(len(owner), blur.cpu()[owner], generator)
        return Scene(background, objects, owner, position, gray, self.size)

    def _objects(self, count: int, blur: Tensor, generator: torch.Generator) -> Tensor:
        side, device = self.sprite, self.pool.pictures.device
        if count == 0:
            return torch.zeros(0, 4, side, side // 2 + 1, dtype=torch.complex64, device=device)
        cutouts, own = self.pool.sample_cutouts(count, generator)
        zoom = log_uniform(0.9, 4.0, count, generator) * (112 / side)
        sprites = _resample(cutouts, side, zoom, generator, whole=True)
        fill = _resample(
            self.pool.sample_pictures(count, generator, crop=round(1.6 * side)),
            side,
            log_uniform(0.6, 1.6, count, generator),
            generator,
        )
        borrowed = ~own & (torch.rand(count, generator=generator) < 0.8).to(device)
        color = torch.where(borrowed.view(-1, 1, 1, 1), fill, sprites[:, :3])
        flat = torch.rand(count, 3, 1, 1, generator=generator).to(device)
        color = torch.where((own | borrowed).view(-1, 1, 1, 1), color, flat)
        alpha = sprites[:, 3:]
        color = _contrast(color, generator)
        opacity = (0.3 + 0.7 * torch.rand(count, 1, 1, 1, generator=generator)).to(device)
        see_through = (torch.rand(count, 1, 1, 1, generator=generator) < 0.15).to(device)
        alpha = torch.where(see_through, alpha * opacity, alpha)
        premultiplied = torch.cat([color * alpha, alpha], 1)
        return spectrum(premultiplied, blur.clamp(max=1.2).to(device), fade=4)

    def batch(
        self, count: int, generator: torch.Generator, difficulty: float = 1.0, noisy: bool = False
    ) -> Batch:
        """Draw `count` samples of random parts, motions, factors and cameras.

        `difficulty` from 0 to 1 scales how far things move in the output (3 px at 0, 30 px at 1),
        how little in the input, and how often the sensor is noisy, and strongly so; with `noisy`
        it always is.
        """
        mix = self.mix
        order = torch.randint(len(mix.parts), (count,), generator=generator).tolist()
        parts = [mix.parts[k] for k in order]
        scene = self.scene(parts, generator)
        factor, reach = mix.draw_factors(count, generator, difficulty)

        moves = torch.tensor([p not in ("static", "still_background") for p in parts])
        background = _motion(reach, generator) * moves[:, None]
        owner = torch.tensor(scene.owner, dtype=torch.long)
        moving = torch.tensor([parts[k] != "static" for k in scene.owner], dtype=torch.bool)
        objects = _motion(reach[owner], generator) * moving[:, None]
        rest_b = torch.rand(count, 2, generator=generator) - 0.5
        rest_o = torch.rand(len(owner), 2, generator=generator) - 0.5

        def at(gain):
            return scene.render(
                rest_b + gain[:, None] * background, rest_o + gain[owner][:, None] * objects
            )

        clean_a, target = at(torch.zeros(count)), at(factor)
        clean_b, motion = scene.render_with_field(
            rest_b + background, rest_o + objects, (background.flip(1), objects.flip(1))
        )
        inside = scene.inside((factor - 1)[:, None] * background)
        lit = torch.rand(count, generator=generator)
        lit = lit < torch.tensor([LIT.get(part, LIT_OTHERS) for part in parts])
        light = Light.random(lit, factor, scene.gray, self.size, generator)
        clean_b, target = light.on(clean_b), light.on(target)
        cameras = mix.sensors(difficulty)
        sensor = Sensor.random(count, scene.gray, generator, noisy=noisy, **cameras)
        pattern = sensor.fixed_pattern(clean_a, generator)
        a = sensor.expose(clean_a, pattern, generator)
        b = sensor.expose(clean_b, pattern, generator)
        a, b = sensor.compressed(torch.stack([a, b]))
        variation, two_frame = _variation(a, b, clean_a, clean_b, pattern, generator)
        filtered = (torch.rand(count, generator=generator) < mix.filtered).to(a.device)
        weak = _filtered(a - clean_a - pattern, b - clean_b - pattern, generator)
        chosen = filtered.view(-1, 1, 1, 1)
        a = torch.where(chosen, clean_a + pattern, a)
        later = torch.where(chosen, clean_b + pattern + weak, b)
        batch = Batch(
            a, b, target, variation, factor, two_frame, motion, inside, later, filtered, lit
        ).to(a.device)
        in_movie = torch.rand(count, generator=generator) < mix.sequences
        for k in torch.nonzero(in_movie)[:, 0].tolist():
            mine = [i for i, sample in enumerate(scene.owner) if sample == k]
            sequence = Sequence.random(background[k : k + 1], objects[mine], generator)
            alone = scene.only(k), factor[k].item(), light.only(k), sensor.only(k)
            sample = sequence.render(*alone, pattern[k : k + 1], generator)
            for name, value in sample.items():
                getattr(batch, name)[k] = value[0]
            batch.later[k], batch.filtered[k] = batch.b[k], False
            batch.two_frame[k] = False
        return batch


def _motion(reach: Tensor, generator: torch.Generator) -> Tensor:
    """Draw displacements in random directions, of a tenth of the reach to the whole of it."""
    angle = 2 * torch.pi * torch.rand(len(reach), generator=generator)
    length = reach * (0.1 + 0.9 * torch.rand(len(reach), generator=generator))
    return torch.stack([length * angle.sin(), length * angle.cos()], 1)


def _variation(a, b, clean_a, clean_b, pattern, generator) -> tuple[Tensor, Tensor]:
    """Return T(luma) of three kinds of temporal operator, and where it is the plain difference."""
    count, device = len(a), a.device
    noise_a, noise_b = luma(a - clean_a - pattern), luma(b - clean_b - pattern)
    clean = luma(clean_b - clean_a)
    u = torch.rand(count, generator=generator)
    band = clean + _filtered(noise_a, noise_b, generator)
    averaged = log_uniform(2, 50, count, generator).view(-1, 1, 1, 1).to(device)
    mean = clean + noise_b - noise_a / averaged.sqrt()
    plain = clean + noise_b - noise_a
    kind = u.view(-1, 1, 1, 1).to(device)
    variation = torch.where(kind < 0.4, band, torch.where(kind < 0.5, mean, plain))
    return variation, u >= 0.5


def _filtered(noise_a: Tensor, noise_b: Tensor, generator: torch.Generator) -> Tensor:
    """Return what temporal filters leave of the noise of `b`; `noise_a` is independent of it.

    A filter that passes a share r^2 of the noise's power gives noise of r times the frame's,
    correlated with it by r: noise = r^2 n_b + sqrt(r^2 - r^4) n'.
    """
    share = log_uniform(0.01, 0.5, len(noise_b), generator).view(-1, 1, 1, 1).to(noise_b.device)
    return share * noise_b + (share - share**2).sqrt() * noise_a


def _resample(pictures, side: int, zoom, generator, whole: bool = False) -> Tensor:
    """Return turned, mirrored and zoomed views, float (N, C, side, side) within 0..1.

    `zoom` is source pixels per destination pixel. Views stay inside the picture; with `whole` they
    are centered on it.
    """
    count, _, size, _ = pictures.shape
    angle = 2 * torch.pi * torch.rand(count, generator=generator)
    mirror = torch.where(torch.rand(count, generator=generator) < 0.5, 1.0, -1.0)
    center = 2 * torch.rand(count, 2, generator=generator) - 1
    if whole:
        half, offset = zoom * side / size, torch.zeros(count, 2)
    else:  # quarter turns, so that the view can fill the picture
        angle = (angle / (torch.pi / 2)).floor() * (torch.pi / 2)
        half = (zoom * side / size).clamp(max=1.0)
        offset = center * (1 - half)[:, None]
    cos, sin = angle.cos() * half, angle.sin() * half
    theta = torch.stack(
        [
            torch.stack([cos * mirror, -sin, offset[:, 0]], 1),
            torch.stack([sin * mirror, cos, offset[:, 1]], 1),
        ],
        1,
    ).to(pictures.device)
    grid = F.affine_grid(theta, (count, 1, side, side), align_corners=False)
    edge = "zeros" if whole else "reflection"
    return F.grid_sample(
        pictures.float().mul_(1 / 255), grid, padding_mode=edge, align_corners=False
    )


def _contrast(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Change contrast and brightness at random; pictures stay within 0..1."""
    count = len(pictures)
    gain = 1 - 0.85 * torch.rand(count, generator=generator) ** 2.5
    offset = torch.rand(count, generator=generator) * (1 - gain)
    wide = (count, 1, 1, 1)
    return pictures * gain.view(wide).to(pictures.device) + offset.view(wide).to(pictures.device)


def spectrum(pictures: Tensor, blur: Tensor, fade: int = 10) -> Tensor:
    """Return the Fourier transform, blurred by a Gaussian of `blur` px, cut off before Nyquist.

    The borders fade into the mean, so that wrapping around makes no edge.
    """
    side, device = pictures.shape[-1], pictures.device
    ramp = ((torch.arange(side, device=device) + 0.5) / fade).clamp(max=1)
    window = 0.5 - 0.5 * torch.cos(torch.pi * torch.minimum(ramp, ramp.flip(0)))
    window = window[:, None] * window[None, :]
    mean = pictures.mean((-1, -2), keepdim=True) if pictures.shape[1] == 3 else 0.0
    spectrum = torch.fft.rfft2((pictures - mean) * window + mean)
    fy, fx = torch.fft.fftfreq(side, device=device), torch.fft.rfftfreq(side, device=device)

    def axis(f):  # Gaussian, and a raised cosine from 3/4 of Nyquist to Nyquist
        roll = torch.cos(torch.pi / 2 * ((f.abs() - 0.375) / 0.125).clamp(0, 1)) ** 2
        return torch.exp(-2 * (torch.pi * f[None] * blur[:, None]) ** 2) * roll

    return spectrum * (axis(fy)[:, None, :, None] * axis(fx)[:, None, None, :])


def shifted(spectrum: Tensor, shift: Tensor) -> Tensor:
    """Return pictures displaced by `shift` (N, 2), y and x in px, exactly."""
    side, device = spectrum.shape[-2], spectrum.device
    fy, fx = torch.fft.fftfreq(side, device=device), torch.fft.rfftfreq(side, device=device)

    def phase(f, d):
        angle = -2 * torch.pi * f[None] * d[:, None]
        return torch.polar(torch.ones_like(angle), angle)

    ramp = phase(fy, shift[:, 0])[:, None, :, None] * phase(fx, shift[:, 1])[:, None, None, :]
    return torch.fft.irfft2(spectrum * ramp, s=(side, side))


def _paste(frame: Tensor, sprite: Tensor, y: int, x: int) -> None:
    """Draw a premultiplied sprite (C + 1, S, S), alpha last, centered at (y, x) into a frame."""
    side, (height, width) = sprite.shape[-1], frame.shape[-2:]
    top, left = y - side // 2, x - side // 2
    y0, y1 = max(0, top), min(height, top + side)
    x0, x1 = max(0, left), min(width, left + side)
    if y0 >= y1 or x0 >= x1:
        return
    part = sprite[:, y0 - top : y1 - top, x0 - left : x1 - left]
    under = frame[:, y0:y1, x0:x1]
    under.mul_(1 - part[-1:]).add_(part[:-1])
