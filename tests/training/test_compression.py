import io

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from napari_motionmag.training.compression import compressed


def _picture():
    return np.ascontiguousarray(data.astronaut()[:96, 160:272])


def _ours(picture, quality, corner=(0, 0)):
    frames = torch.from_numpy(picture / 255).float().permute(2, 0, 1)[None]
    return 255 * compressed(frames, quality, corner)[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize("quality", [35, 60, 90])
def test_as_a_jpeg_encoder_does_it(quality):
    picture = _picture()
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "jpeg", quality=quality, subsampling="4:2:0")
    theirs = np.asarray(Image.open(file)).astype(float)
    ours = _ours(picture, quality)
    assert np.abs(ours - theirs).mean() < 0.4 * np.abs(theirs - picture).mean()


def test_blocks_begin_where_the_corner_says():
    picture = _picture()
    whole = _ours(picture, 30)
    part = _ours(picture[5:85, 7:103], 30, corner=(5, 7))
    assert np.abs(part[16:-16, 16:-16] - whole[5:85, 7:103][16:-16, 16:-16]).max() <= 1


def test_flat_grey_stays():
    flat = torch.full((1, 3, 16, 16), 100 / 255)
    assert torch.allclose(compressed(flat, 50.0), flat, atol=2 / 255)
