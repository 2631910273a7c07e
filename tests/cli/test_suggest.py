"""The command that looks at a movie and says how to magnify it."""

import json
import shlex

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, shift

from napari_motionmag.cli import main as cli
from napari_motionmag.io import open_movie, save_movie


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Write a movie of 40 frames a second, of a texture that moves at 5 Hz."""
    path = tmp_path_factory.mktemp("suggest") / "my film.tif"
    random = np.random.default_rng(0)
    picture = gaussian_filter(random.normal(size=(72, 72)), 1.5)
    picture = 2000 + 500 * picture / picture.std()
    course = 0.2 * np.sin(2 * np.pi * 5 * np.arange(48) / 40)
    frames = np.stack([shift(picture, (0, dx), mode="wrap") for dx in course])
    save_movie(path, (frames + random.normal(0, 5, frames.shape)).astype(np.uint16), fps=40)
    return path


def run(capsys, *argv):
    code = cli.main([str(argument) for argument in argv])
    out, err = capsys.readouterr()
    assert code == 0, err
    return out


def test_suggestions_are_printed_as_commands_that_run(capsys, film, monkeypatch):
    text = run(capsys, "suggest", film)
    assert "1. 5 Hz" in text
    assert "times a second" in text
    commands = [line.strip() for line in text.splitlines() if "magnify" in line.split()[1:2]]
    assert len(commands) >= 2
    monkeypatch.chdir(film.parent)
    words = shlex.split(commands[0])[1:]
    run(capsys, *words, "--method", "linear", "--quiet")
    assert open_movie(film.parent / words[2]).n_frames == 48


def test_suggestions_as_json(capsys, film):
    facts = json.loads(run(capsys, "suggest", film, "--json", "--most", 1))
    (one,) = facts["suggestions"]
    assert one["settings"]["mode"] == "temporal"
    assert one["motion"]["frequency"] == pytest.approx(5, rel=0.01)


def test_a_channel_is_chosen_by_its_axis(capsys, film, tmp_path):
    frames = np.asarray(open_movie(film).data)
    path = tmp_path / "two.npy"
    np.save(path, np.stack([np.full_like(frames, 7), frames], axis=1))
    text = run(capsys, "suggest", path, "--axes", "TCYX", "--fps", 40, "--at", "c=1")
    assert "1. 5 Hz" in text
    assert text.count("napari-motionmag magnify") == text.count("--axes TCYX") > 0
    with pytest.raises(SystemExit):
        cli.main(["suggest", str(path), "--axes", "TCYX", "--at", "1"])
    assert "must be like C=0; got '1'" in capsys.readouterr().err
