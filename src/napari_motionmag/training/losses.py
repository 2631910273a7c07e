"""The paper's loss, term by term, and what is minimised for each network."""

import torch
import torch.nn.functional as F
from torch import Tensor

from napari_motionmag.methods.learned.networks.difference import DifferenceNet, luma
from napari_motionmag.methods.learned.networks.oh2018 import Oh2018Net
from napari_motionmag.training.scenes import Batch

# Four times the paper's 0.1, because they are taken in every fourth step only; that of shape is
# relative to the response of shape to motion, that of blurred frames to the spread of texture.
REGULARIZERS = {
    "texture": 0.4,
    "texture_perturbed": 0.4,
    "texture_blurred": 0.4,
    "shape_perturbed": 0.4,
}
STRUCTURE = {"difference": 2.0, "oh2018": 0.5}  # weights of 1 - SSIM
CONTRAST, FAINT = 0.5, 0.01  # weight of the error of local contrast; contrast that counts as none
MOTION = 0.3  # weight of the displacement's error
# Added to the loss of the unchanged input, so that still scenes do not count without bound. The
# smaller, the more small motions count.
FLOORS = {"difference": 0.02, "oh2018": 0.015}


def difference_losses(network: DifferenceNet, batch: Batch) -> tuple[Tensor, dict]:
    """Return the loss of a three-channel network, and its terms by name, detached.

    L1 and structural similarity of the drawn frame, relative to those of the input, its local
    contrast, and the error of the displacement, relative to the one that is wanted.
    """
    drawn, motion, moved = network.parts(batch.b, batch.variation, batch.factor - 1)
    floor = FLOORS["difference"]
    relative, image = _image_losses(drawn, batch, floor)
    warped, _ = _image_losses(moved, batch, floor)
    structure = _structure_loss(drawn, batch)
    error = _motion_error(motion, batch)
    contrast = _contrast_loss(drawn, batch)
    of_frame = relative + STRUCTURE["difference"] * structure + CONTRAST * contrast
    total = of_frame + 0.3 * warped + MOTION * error
    terms = {"image": image, "relative": relative, "moved": warped}
    terms |= {"structure": structure, "motion": error, "contrast": contrast}
    return total, {name: value.detach() for name, value in terms.items()}


def _motion_error(motion: Tensor, batch: Batch) -> Tensor:
    """Return the error of an added displacement (N, 2, H / k, W / k), px, relative to the truth."""
    truth = (batch.factor - 1).view(-1, 1, 1, 1) * batch.motion
    truth = F.avg_pool2d(truth, truth.shape[-1] // motion.shape[-1])
    error = (motion - truth).abs().mean((1, 2, 3))
    return (error / (truth.abs().mean((1, 2, 3)) + 0.1)).clamp(max=5).mean()


def _contrast_loss(drawn: Tensor, batch: Batch) -> Tensor:
    """Return how far local contrast is from that of the truth, mean of abs(log(ratio)).

    L1 and structural similarity are least where what is uncertain fades; it is to stay.
    """

    def contrast(frame):  # root of the mean squared gradient in windows of 8 px
        x = luma(frame.float())
        squares = x.diff(dim=-1)[..., :-1, :] ** 2 + x.diff(dim=-2)[..., :-1] ** 2
        return (F.avg_pool2d(squares, 8) + FAINT**2).sqrt()

    inside = F.avg_pool2d(batch.inside[..., :-1, :-1], 8)
    return ((contrast(drawn) / contrast(batch.target)).log().abs() * inside).mean()


def _structure_loss(drawn: Tensor, batch: Batch) -> Tensor:
    """Return 1 - SSIM, relative to that of the input."""
    inside = batch.inside[..., 3:-3, 3:-3]

    def dissimilarity(frame):
        return ((1 - ssim(frame.float(), batch.target)) * inside).mean((1, 2, 3))

    with torch.no_grad():
        nothing = dissimilarity(batch.b)
    return (dissimilarity(drawn) / (nothing + 0.1)).mean()


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Return the structural similarity in windows of 7 x 7 px, (N, C, H - 6, W - 6).

    References
    ----------
    Wang et al., "Image quality assessment: from error visibility to structural similarity",
    IEEE Transactions on Image Processing 13, 2004.
    """
    sums = torch.cat([a, b, a * a, b * b, a * b])
    for window in ((7, 1), (1, 7)):  # one axis after the other is a third of the work
        sums = F.avg_pool2d(sums, window, stride=1)
    mean_a, mean_b, square_a, square_b, product = sums.chunk(5)
    unbiased = 49 / 48
    var_a = unbiased * (square_a - mean_a**2)
    var_b = unbiased * (square_b - mean_b**2)
    covariance = unbiased * (product - mean_a * mean_b)
    c1, c2 = 0.01**2, 0.03**2
    brightness = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return brightness * (2 * covariance + c2) / (var_a + var_b + c2)


def oh2018_losses(
    network: Oh2018Net, batch: Batch, generator: torch.Generator, regularize: bool = True
) -> tuple[Tensor, dict]:
    """Return the paper's loss with structural similarity, and its terms by name, detached.

    The paper's is L1(Y_hat, Y) + 0.1 (L1(V_a, V_b) + L1(V'_b, V'_Y) + L1(M'_b, M_b)): V is
    texture, M shape; a prime marks frames whose colors were perturbed, for which `generator` is
    used. The first term is relative to L1(b, Y), see :func:`_image_losses`, the last to the
    response of shape to motion. To these comes L1(V_b, V_b''), b'' blurred by 1.4 px: detail is for
    shape.

    References
    ----------
    Oh et al., ECCV 2018, Section 3.2, "Loss function".
    """
    count = len(batch.b)
    perturb = _color_perturbation(batch.b, generator)
    later = batch.b.index_put((batch.filtered,), batch.later[batch.filtered])
    frames = [batch.b, batch.a, later]
    doubt = network.config.chroma_doubt
    if doubt:
        frames += [luma(frame).expand_as(frame) for frame in (batch.a, later)]
    if regularize:
        perturbed = perturb(batch.b)
        frames += [_blurred(batch.b), perturbed, perturb(batch.target)]
    encoded = network.encoder(torch.cat(frames).contiguous(memory_format=torch.channels_last))
    textures, shapes = (features.split(count) for features in encoded)
    v_b, v_a = textures[:2]
    m_b, m_a, m_later = shapes[:3]
    delta = (m_later - m_a).float()
    if doubt:
        delta = torch.cat([(shapes[4] - shapes[3]).float(), delta], 1)
    delta = network.variation(delta)
    factor = batch.factor.view(-1, 1, 1, 1)
    drawn = network.decoder(v_b, network.manipulator(m_b - delta, delta, factor))
    relative, image = _image_losses(drawn, batch, FLOORS["oh2018"])
    structure = _structure_loss(drawn, batch)
    total = relative + STRUCTURE["oh2018"] * structure
    terms = {"image": image, "relative": relative, "structure": structure}
    if regularize:
        answers = [x.float() for x in (m_a, m_b, shapes[-2])]
        v_blurred, v_perturbed, v_target = (x.float() for x in textures[-3:])
        regularizers = {
            "texture": _texture_loss(v_a.float(), v_b.float(), batch),
            "texture_perturbed": F.l1_loss(v_perturbed, v_target),
            "texture_blurred": _detail_loss(v_b.float(), v_blurred),
            "shape_perturbed": _shape_loss([batch.a, batch.b, perturbed], answers),
        }
        total = total + sum(REGULARIZERS[name] * value for name, value in regularizers.items())
        terms |= regularizers
    return total, {name: value.detach() for name, value in terms.items()}


def _texture_loss(v_a: Tensor, v_b: Tensor, batch: Batch) -> Tensor:
    """Return L1(V_a, V_b) of samples with steady light: texture shows light, not motion."""
    return ((v_a - v_b).abs().mean((1, 2, 3)) * ~batch.lit).mean()


def _blurred(frames: Tensor) -> Tensor:
    """Return frames blurred by 1.4 px (standard deviation)."""
    for _ in range(3):
        frames = F.avg_pool2d(frames, 3, 1, padding=1, count_include_pad=False)
    return frames


def _detail_loss(texture: Tensor, of_blurred: Tensor) -> Tensor:
    """Return how much each channel answers to detail, relative to how it differs over the frame."""
    spread = (texture - texture.mean((2, 3), keepdim=True)).abs().mean((2, 3)).detach()
    return ((texture - of_blurred).abs().mean((2, 3)) / (spread + 0.01)).mean()


def _shape_loss(frames: list[Tensor], shapes: list[Tensor]) -> Tensor:
    """Return the response of shape to color over that to motion, each per change of the frames."""
    a, b, b_prime = frames
    m_a, m_b, m_b_prime = shapes

    def size(change):
        return change.abs().mean((1, 2, 3))

    to_color = size(m_b_prime - m_b) / (size(b_prime - b) + 1e-3)
    to_motion = size(m_b - m_a) / (size(b - a) + 1e-3)
    moving = (size(b - a) > 1e-3).float()
    usual = (moving * to_motion).sum() / moving.sum().clamp(min=1)
    return (to_color / (usual.detach() + 1e-3)).clamp(max=5).mean()


def _image_losses(drawn: Tensor, batch: Batch, floor: float) -> tuple[Tensor, Tensor]:
    """Return L1 relative to that of the unchanged input, and plain L1; black -1, white 1.

    Plain L1 is decided by strong edges that move far; small motions and faint textures would
    hardly count.
    """
    plain = 2 * ((drawn.float() - batch.target).abs() * batch.inside).mean((1, 2, 3))
    nothing = 2 * ((batch.b - batch.target).abs() * batch.inside).mean((1, 2, 3))
    return (plain / (nothing + floor)).mean(), plain.mean()


def _color_perturbation(like: Tensor, generator: torch.Generator):
    """Return a function that changes gain and offset of the channels; gray stays gray."""
    count = len(like)
    gain = 0.7 + 0.6 * torch.rand(count, 3, 1, 1, generator=generator)
    offset = 0.2 * torch.rand(count, 3, 1, 1, generator=generator) - 0.1
    gain, offset = gain.to(like.device), offset.to(like.device)
    gray = (like == like[:, :1]).flatten(1).all(1).view(-1, 1, 1, 1)
    gain = torch.where(gray, gain[:, :1], gain)
    offset = torch.where(gray, offset[:, :1], offset)
    return lambda frames: frames * gain + offset
