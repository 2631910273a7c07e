"""The paper's loss, term by term, and what is minimised for each network."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from napari_motionmag.methods.learned.networks.difference import DifferenceNet
from napari_motionmag.methods.learned.networks.oh2018 import Oh2018Net
from napari_motionmag.training.scenes import Batch

REGULARISATION = 0.1
STRUCTURE, MOTION = 0.5, 0.3  # weights of 1 - SSIM and of the displacement's error
FUSED = 4  # blocks of the decoder after which displacements are asked for
# Added to what doing nothing costs, lest still scenes count without bound. A network that draws
# frames anew starts far from doing nothing: still scenes should not count much more than others.
FLOORS = {"difference": 0.02, "oh2018": 0.1}


def difference_losses(network: DifferenceNet, batch: Batch) -> tuple[Tensor, dict]:
    """L1 and structural similarity of the drawn frame, and error of the displacement.

    The first two are relative to the input's, the last to the displacement asked for.

    Parameters
    ----------
    network : DifferenceNet
        Three-channel network.
    batch : Batch
        Training samples.

    Returns
    -------
    total : Tensor
        What to minimise.
    terms : dict of str to Tensor
        The terms by name, detached.
    """
    drawn, motion, moved = network.parts(batch.b, batch.variation, batch.factor - 1)
    floor = FLOORS["difference"]
    relative, image = _image_losses(drawn, batch, floor)
    warped, _ = _image_losses(moved, batch, floor)
    structure = _structure_loss(drawn, batch)
    error = _motion_error(motion, batch)
    total = relative + 0.3 * warped + STRUCTURE * structure + MOTION * error
    terms = {
        "image": image,
        "relative": relative,
        "moved": warped,
        "structure": structure,
        "motion": error,
    }
    return total, {name: value.detach() for name, value in terms.items()}


def _motion_error(motion: Tensor, batch: Batch) -> Tensor:
    """Error of an added displacement (N, 2, H / k, W / k) in px, relative to the one asked for."""
    asked = (batch.factor - 1).view(-1, 1, 1, 1) * batch.motion
    asked = F.avg_pool2d(asked, asked.shape[-1] // motion.shape[-1])
    error = (motion - asked).abs().mean((1, 2, 3))
    return (error / (asked.abs().mean((1, 2, 3)) + 0.1)).clamp(max=5).mean()


def _structure_loss(drawn: Tensor, batch: Batch) -> Tensor:
    """1 - SSIM, relative to that of the input."""
    inside = batch.inside[..., 3:-3, 3:-3]

    def dissimilarity(frame):
        return ((1 - ssim(frame.float(), batch.target)) * inside).mean((1, 2, 3))

    with torch.no_grad():
        nothing = dissimilarity(batch.b)
    return (dissimilarity(drawn) / (nothing + 0.1)).mean()


def ssim(a: Tensor, b: Tensor) -> Tensor:
    """Structural similarity, (N, C, H - 6, W - 6), in windows of 7 x 7 px; black 0, white 1.

    References
    ----------
    Wang et al., "Image quality assessment: from error visibility to structural similarity",
    IEEE Transactions on Image Processing 13, 2004.
    """

    def mean(x):
        return F.avg_pool2d(x, 7, stride=1)

    unbiased = 49 / 48
    mean_a, mean_b = mean(a), mean(b)
    var_a = unbiased * (mean(a * a) - mean_a**2)
    var_b = unbiased * (mean(b * b) - mean_b**2)
    covariance = unbiased * (mean(a * b) - mean_a * mean_b)
    c1, c2 = 0.01**2, 0.03**2
    brightness = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    return brightness * (2 * covariance + c2) / (var_a + var_b + c2)


class MotionHead(nn.Conv2d):
    """What tells the added displacement from features of the decoder, while training.

    Takes (N, 64, H / 2, W / 2) and gives (N, 2, H / 2, W / 2), x and y in px.
    """

    def __init__(self):
        super().__init__(64, 2, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        return 8 * super().forward(features)


def oh2018_losses(
    network: Oh2018Net, batch: Batch, generator: torch.Generator, head: MotionHead
) -> tuple[Tensor, dict]:
    """The paper's loss and two terms more.

    The paper's is L1(Y_hat, Y) + 0.1 (L1(V_a, V_b) + L1(V'_b, V'_Y) + L1(M'_b, M_b)): V is
    texture, M shape; a prime marks frames whose colours were perturbed. The first term is taken
    relative to L1(b, Y), see :func:`_image_losses`. Added are structural similarity, and the error
    of the displacement that `head` reads in the middle of the decoder: half of the layers are to
    find it, the others to move the picture by it.

    Parameters
    ----------
    network : Oh2018Net
        Three-channel network.
    batch : Batch
        Training samples.
    generator : torch.Generator
        Draws the colour perturbation.
    head : MotionHead
        Trained with the network.

    Returns
    -------
    total : Tensor
        What to minimise.
    terms : dict of str to Tensor
        The terms by name, and the first as plain L1 (``image``), detached.

    References
    ----------
    Oh et al., ECCV 2018, Section 3.2, "Loss function".
    """
    count = len(batch.b)
    perturb = _colour_perturbation(batch.b, generator)
    frames = torch.cat([batch.a, batch.b, perturb(batch.b), perturb(batch.target)])
    texture, shape = network.encoder(frames)
    v_a, v_b, v_b_prime, v_y_prime = texture.split(count)
    m_a, m_b, m_b_prime, _ = shape.split(count)
    factor = batch.factor.view(-1, 1, 1, 1)
    halfway: list[Tensor] = []
    watch = network.decoder.fusion[:FUSED][-1].register_forward_hook(
        lambda block, inputs, features: halfway.append(features)
    )
    with watch:
        drawn = network.decoder(v_b, network.manipulator(m_a, m_b - m_a, factor))
    relative, image = _image_losses(drawn, batch, FLOORS["oh2018"])
    structure = _structure_loss(drawn, batch)
    error = _motion_error(head(halfway[0]).float(), batch)
    terms = {
        "texture": F.l1_loss(v_a.float(), v_b.float()),
        "texture_perturbed": F.l1_loss(v_b_prime.float(), v_y_prime.float()),
        "shape_perturbed": F.l1_loss(m_b_prime.float(), m_b.float()),
    }
    total = relative + REGULARISATION * sum(terms.values())
    total = total + STRUCTURE * structure + MOTION * error
    terms = {
        "image": image,
        "relative": relative,
        "structure": structure,
        "motion": error,
        **terms,
    }
    return total, {name: value.detach() for name, value in terms.items()}


def _image_losses(drawn: Tensor, batch: Batch, floor: float) -> tuple[Tensor, Tensor]:
    """L1 relative to what doing nothing would cost, and plain L1; black -1, white 1.

    Plain L1 is decided by strong edges that move far; small motions and faint textures would
    hardly count.
    """
    plain = 2 * ((drawn.float() - batch.target).abs() * batch.inside).mean((1, 2, 3))
    nothing = 2 * ((batch.b - batch.target).abs() * batch.inside).mean((1, 2, 3))
    return (plain / (nothing + floor)).mean(), plain.mean()


def _colour_perturbation(like: Tensor, generator: torch.Generator):
    """Gain and offset of each channel, the same for all frames of a sample; grey stays grey."""
    count = len(like)
    gain = 0.7 + 0.6 * torch.rand(count, 3, 1, 1, generator=generator)
    offset = 0.2 * torch.rand(count, 3, 1, 1, generator=generator) - 0.1
    gain, offset = gain.to(like.device), offset.to(like.device)
    grey = (like == like[:, :1]).flatten(1).all(1).view(-1, 1, 1, 1)
    gain = torch.where(grey, gain[:, :1], gain)
    offset = torch.where(grey, offset[:, :1], offset)
    return lambda frames: frames * gain + offset
