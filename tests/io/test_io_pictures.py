"""Folders and patterns of numbered pictures, and GIF files, as movies."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_motionmag.io import open_movie

GREY = np.random.default_rng(0).integers(0, 256, (12, 20, 24)).astype("u1")


def pictures(folder, frames=GREY, ending=".png", name="frame_{}"):
    folder.mkdir(exist_ok=True)
    for number, frame in enumerate(frames):
        path = folder / (name.format(number) + ending)
        if ending == ".tif":
            tifffile.imwrite(path, frame)
        else:
            Image.fromarray(frame).save(path)
    return folder


@pytest.mark.parametrize("ending", [".png", ".tif", ".bmp"])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_a_folder_is_a_movie_in_the_order_of_its_numbers(tmp_path, ending, dtype):
    if (ending, dtype) == (".bmp", "u2"):
        return  # it has no deep pictures
    frames = GREY.astype(dtype) * np.array(257 if dtype == "u2" else 1, dtype)
    folder = pictures(tmp_path / "run1", frames, ending)
    (folder / "notes.txt").write_text("frame_3")
    (folder / "overview.png").write_bytes(b"")
    movie = open_movie(folder, fps=100)
    assert (movie.axes, movie.fps, movie.name, movie.dtype) == ("TYX", 100, "run1", dtype)
    for t in (0, 2, 11):
        np.testing.assert_array_equal(movie.read(t), frames[t])


def test_a_pattern_chooses(tmp_path):
    pictures(tmp_path, name="a{}_of_cam1")
    pictures(tmp_path, 255 - GREY[:5], name="b{:04}")
    movie = open_movie(tmp_path / "b*.png")
    np.testing.assert_array_equal(movie.as_dask().compute(), 255 - GREY[:5])
    assert open_movie(tmp_path).n_frames == 12
    pictures(tmp_path / "two", name="cam1_{}")
    pictures(tmp_path / "two", name="cam2_{}")
    with pytest.raises(ValueError, match=r"differ in 2 numbers \(cam1_0.png to cam2_11.png\)"):
        open_movie(tmp_path / "two")
    assert open_movie(tmp_path / "two" / "cam2*").n_frames == 12
    with pytest.raises(ValueError, match="unknown extension"):
        open_movie(tmp_path / "c*.png")


def test_colors_and_palettes(tmp_path):
    colors = np.stack([GREY, 255 - GREY, GREY // 2], -1)
    movie = open_movie(pictures(tmp_path / "colors", colors))
    assert movie.axes == "TYXS"
    np.testing.assert_array_equal(movie.read(3), colors[3])
    for number, frame in enumerate(GREY):
        image = Image.fromarray(frame).convert("P")
        (tmp_path / "grey").mkdir(exist_ok=True)
        image.save(tmp_path / "grey" / f"{number}.png")
    np.testing.assert_array_equal(open_movie(tmp_path / "grey").read(4), GREY[4])


def test_missing_and_odd_pictures_are_named(tmp_path):
    folder = pictures(tmp_path / "run")
    (folder / "frame_5.png").unlink()
    with pytest.warns(UserWarning, match="1 of the pictures 0 to 11 are missing, the first is 5"):
        movie = open_movie(folder)
    assert movie.n_frames == 11
    Image.fromarray(GREY[0][:10]).save(folder / "frame_7.png")
    with pytest.raises(ValueError, match=r"frame_7\.png: is uint8 of shape \(10, 24\)"):
        movie.read(6)
    (folder / "frame_8.png").write_bytes(b"rubbish")
    with pytest.raises(ValueError, match=r"frame_8\.png: not a readable picture"):
        movie.read(7)


def test_a_gif_is_a_movie(tmp_path):
    pytest.importorskip("av")
    frames = [Image.fromarray(frame // 4 * 4) for frame in GREY]
    path = tmp_path / "film.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=50, loop=0)
    movie = open_movie(path)
    assert movie.fps == pytest.approx(20)
    for t in (7, 0, 11, 3):
        found = movie.read(t)
        found = found[..., 0] if movie.is_rgb else found
        np.testing.assert_array_equal(found, GREY[t] // 4 * 4)
