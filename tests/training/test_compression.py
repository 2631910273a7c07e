import io

import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from napari_motionmag.training.compression import jpeg_compressed, video_compressed


def _picture():
    return np.ascontiguousarray(data.astronaut()[:96, 160:272])


def _ours(picture, quality, corner=(0, 0)):
    frames = torch.from_numpy(picture / 255).float().permute(2, 0, 1)[None]
    return 255 * jpeg_compressed(frames, quality, corner)[0].permute(1, 2, 0).numpy()


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
    assert torch.allclose(jpeg_compressed(flat, 50.0), flat, atol=2 / 255)


def _as_video(frames, quantizer, corner=(0, 0)):
    movie = torch.from_numpy(np.stack(frames) / 255).float().permute(0, 3, 1, 2)
    return 255 * video_compressed(movie, quantizer, corner).permute(0, 2, 3, 1).numpy()


def test_of_a_video_only_what_changes_is_coded():
    noise = np.random.default_rng(0)
    still = [_picture() + noise.normal(0, 2, _picture().shape) for _ in range(3)]
    movie = _as_video(np.clip(still, 0, 255), 24)
    assert np.abs(movie[0] - _picture()).mean() > 2
    assert np.abs(np.diff(movie, axis=0)).mean() < 0.2  # of the noise, 2.3
    moved = np.stack([_picture(), np.roll(_picture(), 3, axis=1)]).astype(float)
    movie = _as_video(moved, 24)
    assert np.abs(movie - moved).mean() < 4
    assert np.abs(np.diff(movie, axis=0)).mean() > 0.9 * np.abs(np.diff(moved, axis=0)).mean()


def test_coarser_quantizers_lose_more():
    picture = _picture()
    lost = [np.abs(_as_video([picture], quantizer) - picture).mean() for quantizer in (10, 24, 36)]
    assert lost == sorted(lost)
    assert lost[2] > 2 * lost[0]


def test_frames_of_odd_sizes_keep_their_place():
    picture = _picture()[:91, :107]
    movie = _as_video([picture, picture], 12, corner=(5, 9))
    assert movie.shape == (2, *picture.shape)
    assert np.abs(movie - picture).mean() < 3
