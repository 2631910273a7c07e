"""The command ``measure``: tables and maps are those of the functions."""

import re

import numpy as np
import pytest
from half_moving import AMPLITUDE, FPS, FREQUENCY, half_moving

from napari_motionmag import views
from napari_motionmag.cli.main import main
from napari_motionmag.io import save_movie


@pytest.fixture
def film(tmp_path):
    movie = half_moving()
    save_movie(tmp_path / "film.ome.tif", movie, axes="TYX", fps=FPS)
    return str(tmp_path / "film.ome.tif"), movie


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_tables_and_words(film, tmp_path, capsys):
    path, movie = film
    out = [str(tmp_path / f"{name}.csv") for name in ("upper", "lower")]
    regions = [(14, 24, 14, 26), (24, 34, 14, 26)]
    given = [text for region in regions for text in ("--region", *map(str, region))]
    command = ["measure", path, *out, *given, "--derivatives", "7", "--segments", "4"]
    assert main(command) == 0
    words = capsys.readouterr().out
    found = re.search(r"ellipse of ([\d.]+) ± .* at ([\d.]+) ± [\d.]+ Hz", words)
    assert float(found[1]) == pytest.approx(2 * AMPLITUDE, abs=0.01)
    assert float(found[2]) == pytest.approx(FREQUENCY, abs=0.01)
    assert "Coherence" in words
    trace = views.displacement_trace(movie, regions[0], fps=FPS, axes="TYX")
    expected = trace.to_csv(tmp_path / "expected.csv", 7)
    assert (tmp_path / "upper.csv").read_text() == expected.read_text()
    assert main(command) == 2  # they exist
    assert main([*command, "--overwrite"]) == 0


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_without_a_rate_frequencies_are_per_frame(tmp_path, capsys):
    np.save(tmp_path / "film.npy", half_moving())
    paths = [str(tmp_path / name) for name in ("film.npy", "upper.csv", "lower.csv")]
    regions = ["--region", "14", "24", "14", "26", "--region", "24", "34", "14", "26"]
    assert main(["measure", *paths, *regions, "--segments", "4", "--axes", "TYX"]) == 0
    words = capsys.readouterr().out
    assert re.search(r"ellipse of .* at 0\.\d+ ± [\d.]+ cycles/frame", words)
    assert re.search(r"Coherence [\d.]+ at 0\.\d+ cycles/frame", words)
    assert "Hz" not in words
    assert " ms" not in words


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_two_regions_of_a_short_movie(tmp_path, capsys):
    np.save(tmp_path / "film.npy", half_moving()[:32])
    paths = [str(tmp_path / name) for name in ("film.npy", "upper.csv", "lower.csv")]
    regions = ["--region", "14", "24", "14", "26", "--region", "24", "34", "14", "26"]
    assert main(["measure", *paths, *regions, "--axes", "TYX", "--fps", "10"]) == 0
    words = capsys.readouterr()
    assert "Coherence" in words.out or "move independently" in words.err


def test_a_map(film, tmp_path, capsys):
    path, movie = film
    options = ["--map", "frequency", "--window", "16", "--mode", "temporal", "--band", "1", "3"]
    assert main(["measure", path, str(tmp_path / "map.npy"), *options]) == 0
    found = views.motion_map(movie, "temporal", band=(1, 3), fps=FPS, axes="TYX", window=16)
    expected = np.where(found.stands_out, found.dominant, np.nan).astype("f4")
    assert np.array_equal(np.load(tmp_path / "map.npy"), expected, equal_nan=True)
    assert "windows every 8 px, the first at y 7.5" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.csv", "b.csv"], "one .csv for each of 1 regions"),
        (["a.txt"], "must end in .csv"),
        (["a.csv", "--map", "phase"], "one .tif or .npy"),
        (["a.csv", "--derivatives", "4"], "derivatives must be an odd number"),
        (["a.csv", "--mode", "temporal", "--band", "1", "3"], "--mode is only for --map"),
        (["a.tif", "--map", "phase", "--region", "0", "9", "0", "9"], "--region is not for --map"),
        (["a.csv", "a.csv"], "got a.csv twice"),
        (["none/a.csv"], "there is no folder none"),
        (["film.ome.tif", "--map", "phase", "--overwrite"], "the movie is read from"),
        (["a.csv", "--at", "C=0"], "at must be empty for axes 'TYX'"),
    ],
)
def test_wrong_arguments_are_refused(film, tmp_path, capsys, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert main(["measure", film[0], *arguments]) == 2
    assert words in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["film.ome.tif"]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_channel_that_is_measured_is_named(film, tmp_path, capsys):
    movie = film[1]
    path = str(tmp_path / "two.ome.tif")
    save_movie(path, np.stack([movie[::-1], movie], 1), axes="TCYX", fps=FPS)
    region = ("--region", "14", "24", "14", "26")
    for chosen, at in ((movie, ["--at", "C=1"]), (movie[::-1], [])):
        table = tmp_path / "two.csv"
        assert main(["measure", path, str(table), *region, *at, "--overwrite"]) == 0
        assert ("C=0 of 2 is measured; --at C=N" in capsys.readouterr().err) == (not at)
        trace = views.displacement_trace(chosen, (14, 24, 14, 26), fps=FPS, axes="TYX")
        rows = table.read_text().splitlines()
        assert rows[-1] == trace.to_csv(tmp_path / "one.csv").read_text().splitlines()[-1]


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("n", [2, 4])
def test_few_frames(tmp_path, capsys, n):
    np.save(tmp_path / "film.npy", half_moving()[:n])
    paths = [str(tmp_path / name) for name in ("film.npy", "film.csv")]
    assert main(["measure", *paths, "--region", "14", "24", "14", "26"]) == 0
    assert "no oscillation stands out" in capsys.readouterr().out
    assert len((tmp_path / "film.csv").read_text().splitlines()) > n
    assert main(["measure", paths[0], str(tmp_path / "map.npy"), "--map", "amplitude"]) == 0
    assert np.isfinite(np.load(tmp_path / "map.npy")).any()
