"""Compression of frames as JPEG and as H.264: coarse color, blocks with few frequencies."""

import io
import math
from importlib.util import find_spec

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

HAS_VIDEO_CODECS = find_spec("av") is not None
# Tables of JPEG (ITU-T T.81, Annex K) at a quality of 50, in steps of 1/255.
_LUMA = [
    [16, 11, 10, 16, 24, 40, 51, 61],
    [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77],
    [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101],
    [72, 92, 95, 98, 112, 100, 103, 99],
]
_CHROMA = [
    [17, 18, 24, 47, 99, 99, 99, 99],
    [18, 21, 26, 66, 99, 99, 99, 99],
    [24, 26, 56, 99, 99, 99, 99, 99],
    [47, 66, 99, 99, 99, 99, 99, 99],
    *([99] * 8 for _ in range(4)),
]
_TO_YCBCR = [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]


def jpeg_compressed(frames: Tensor, quality: float, corner: tuple[int, int] = (0, 0)) -> Tensor:
    """Compress frames (N, 3, H, W), black 0, white 1, as JPEG; chroma at half the resolution.

    `quality` is from 1 to 100, `corner` the place (y, x) of the first pixel in its block.
    """
    height, width = frames.shape[-2:]
    scale = (5000 / quality if quality < 50 else 200 - 2 * quality) / 100
    matrix = torch.tensor(_TO_YCBCR, device=frames.device)
    top, left = corner
    sides = (left, -(left + width) % 16, top, -(top + height) % 16)
    padded = F.pad(frames, sides, mode="replicate")
    planes = torch.einsum("ij,njhw->nihw", matrix, padded)
    luma, chroma = planes[:, :1], F.avg_pool2d(planes[:, 1:], 2)
    luma = _quantized(luma - 0.5, _LUMA, scale) + 0.5
    chroma = F.interpolate(_quantized(chroma, _CHROMA, scale), scale_factor=2, mode="bilinear")
    planes = torch.cat([luma, chroma], 1)
    rgb = torch.einsum("ij,njhw->nihw", torch.linalg.inv(matrix), planes)
    rgb = (255 * rgb.clamp(0, 1)).round() / 255
    return rgb[..., top : top + height, left : left + width]


def video_compressed(frames: Tensor, quantizer: int, corner: tuple[int, int] = (0, 0)) -> Tensor:
    """Compress successive frames (T, 3, H, W), black 0, white 1, as H.264.

    `quantizer` is from 0 to 51, `corner` the place (y, x) of the first pixel in its block. The
    first frame stands for itself; of the others only what changes is coded.
    """
    import av

    height, width = frames.shape[-2:]
    top, left = corner
    sides = (left, -(left + width) % 2, top, -(top + height) % 2)
    padded = F.pad(255 * frames.clamp(0, 1).cpu(), sides, mode="replicate").round().byte()
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as movie:
        # one thread: frames are small
        options = {"qp": str(quantizer), "bframes": "0", "threads": "1"}
        stream = movie.add_stream("libx264", 25, options=options)
        stream.height, stream.width = padded.shape[-2:]
        stream.pix_fmt = "yuv420p"
        for frame in padded.permute(0, 2, 3, 1).contiguous().numpy():
            movie.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        movie.mux(stream.encode())
    file.seek(0)
    with av.open(file) as movie:
        decoded = [frame.to_ndarray(format="rgb24") for frame in movie.decode(video=0)]
    rgb = torch.from_numpy(np.stack(decoded)).permute(0, 3, 1, 2).to(frames) / 255
    return rgb[..., top : top + height, left : left + width]


def _quantized(planes: Tensor, table: list, scale: float) -> Tensor:
    """Round the cosine transforms of blocks of planes (N, C, H, W) to the steps of a table."""
    count, channels, height, width = planes.shape
    k = torch.arange(8, device=planes.device)
    basis = torch.cos(math.pi / 8 * (k[None] + 0.5) * k[:, None]) / 2
    basis[0] /= math.sqrt(2)
    steps = (torch.tensor(table, device=planes.device) * scale).round().clamp(min=1) / 255
    blocks = planes.reshape(count, channels, height // 8, 8, width // 8, 8).transpose(3, 4)
    transformed = basis @ blocks @ basis.T
    blocks = basis.T @ ((transformed / steps).round() * steps) @ basis
    return blocks.transpose(3, 4).reshape(planes.shape)
