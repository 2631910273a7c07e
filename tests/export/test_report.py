"""The report: one page that needs no other file, with numbers that are right."""

import base64
import io
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from napari_motionmag import Movie, export, magnify, samples
from napari_motionmag.cli import main as cli
from napari_motionmag.export.measures import measure
from napari_motionmag.io import save_movie
from napari_motionmag.magnification.magnification import magnification_behind

av = pytest.importorskip("av")
SETTINGS = {"method": "riesz", "mode": "temporal", "band": (100, 120), "device": "cpu"}


@pytest.fixture(scope="module")
def strings():
    frames, about = samples.load("strings", n_frames=60, size=(80, 112))
    return Movie(frames, fps=about["fps"], scale=about["scale"], units=about["units"], name="wire")


class Page(HTMLParser):
    """Collects addresses and text."""

    def __init__(self, text):
        super().__init__()
        self.sources, self.words, self.tags = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.sources += [value for name, value in attributes if name in ("src", "href")]

    def handle_data(self, data):
        self.words.append(data)


def test_the_command_writes_one_whole_page(strings, tmp_path, capsys):
    source, target = tmp_path / "wire.ome.tif", tmp_path / "report.html"
    save_movie(source, strings)
    options = "--factor 4 --method linear --device cpu --mode temporal --band 100 120 --zoom 1"
    argv = ["report", source, target, *options.split(), "--speed", "1/20", "--title", "A <wire>"]
    assert cli.main([str(argument) for argument in argv]) == 0
    page = Page(target.read_text(encoding="utf-8"))
    text = "\n".join(page.words)
    assert all(source.startswith("data:") for source in page.sources)  # needs nothing else
    assert "A <wire>" in text
    kinds = [source.partition(";")[0] for source in page.sources]
    assert kinds == ["data:video/mp4"] + ["data:image/svg+xml"] * 3
    contents = [base64.b64decode(source.partition(",")[2]) for source in page.sources]
    with av.open(io.BytesIO(contents[0])) as film:
        assert sum(1 for _ in film.decode(video=0)) == 60
    for picture in contents[1:]:
        assert ElementTree.fromstring(picture).tag.endswith("svg")
    found = re.search(r"([\d.]+) ± ([\d.]+) Hz", text)
    assert abs(float(found[1]) - 110) < 4 * float(found[2])
    for words in ("FIR 100-120 Hz", "0.5, 0.5 µm", "60 x 80 x 112", "linear", "numpy"):
        assert words in text
    code = text[text.index('"""The numbers of the report.') :].strip()
    names: dict = {}
    exec(compile(code, "script", "exec"), names)
    assert names["magnified"].shape == strings.shape
    for name, value in names["measured"].in_words(4):  # to the last digit
        assert name in text
        assert value in text
    assert [item.name for item in tmp_path.iterdir() if item.suffix == ".html"] == ["report.html"]


def test_a_pixel_size_that_is_given_counts_in_all_of_the_page(strings, tmp_path):
    source, target = tmp_path / "wire.npy", tmp_path / "report.html"
    np.save(source, np.asarray(strings.data)[:, 16:64, 16:64])
    options = "--factor 2 --method linear --device cpu --fps 600 --pixel-size 0.3 --frames 0:2"
    assert cli.main(["report", str(source), str(target), *options.split()]) == 0
    text = "\n".join(Page(target.read_text(encoding="utf-8")).words)
    assert "0.3, 0.3 µm" in text
    assert re.search(r"Amplitude\s.* px.* [nµ]m", text)


def test_numbers_are_those_of_the_motion(strings):
    made = magnification_behind(magnify(strings, 4, **SETTINGS))
    truth, _ = samples.load("strings", n_frames=60, size=(80, 112), amplitude=4 * 0.2)
    found = measure(strings, made.operator, strings.replace(data=truth))
    fit = found.oscillation
    assert abs(fit.frequency - 110) < 4 * fit.sigma_frequency
    assert fit.amplitude == pytest.approx(0.18, abs=0.02)  # 0.2 px in the middle of the string
    assert fit.direction == pytest.approx(np.pi / 2, abs=0.25)
    gain, error = found.gain
    assert abs(gain - 4) < 3 * error
    assert 0.02 < error < 0.3
    row = found.row()
    assert row["amplitude (um)"] == pytest.approx(row["amplitude (px)"] / 2)
    assert row["measured gain"] == gain


def test_still_movies_are_said_to_be_still():
    rng = np.random.default_rng(0)
    scene = rng.integers(500, 1500, (12, 12)).repeat(8, 0).repeat(8, 1)
    movie = Movie((scene + rng.normal(0, 20, (40, 96, 96))).astype("u2"), fps=30)
    made = magnification_behind(magnify(movie, 5, method="linear", device="cpu"))
    found = measure(movie, made.operator)
    assert found.oscillation is None
    assert "no motion above the noise" in found.notes
    assert "no oscillation stands out" in found.notes
    assert found.row()["moves above noise (%)"] == 0


def test_what_moves_near_the_border_is_measured():
    frames, about = samples.load("strings", n_frames=40, size=(80, 112))
    movie = Movie(frames[:, 16:64, :64], fps=about["fps"])  # strings run into the border
    made = magnification_behind(magnify(movie, 4, **SETTINGS | {"band": (90, 130)}))
    found = measure(movie, made.operator)
    assert found.trace is not None
    assert not any(note.startswith("displacement") for note in found.notes)


def test_small_movies_say_what_cannot_be_measured():
    movie = Movie(np.random.default_rng(0).integers(0, 99, (6, 20, 20)).astype("u1"))
    made = magnification_behind(magnify(movie, 5, method="linear", device="cpu"))
    found = measure(movie, made.operator)
    assert any(note.startswith("displacement: ") for note in found.notes)
    assert [name for name, _ in found.in_words(5)].count("Note") == len(found.notes)


def test_nothing_is_left_of_what_was_cancelled(strings, tmp_path):
    result = magnify(strings, 4, **SETTINGS)
    for share in (0.1, 0.7):

        def stop(done, total, share=share):
            if done > share * total:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            export.write_report(tmp_path / "r.html", strings, result, zoom=1, progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_bad_arguments_are_one_line(strings, tmp_path, capsys):
    result = magnify(strings, 4, **SETTINGS)
    with pytest.raises(ValueError, match=r"a report is an \.html file"):
        export.write_report(tmp_path / "r.pdf", strings, result)
    with pytest.raises(ValueError, match="result must be a lazy result of magnify"):
        export.write_report(tmp_path / "r.html", strings, strings.data)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        export.write_report(tmp_path / "no" / "r.html", strings, result)
    path = tmp_path / "wire.ome.tif"
    save_movie(path, strings)
    assert cli.main(["report", str(path), str(tmp_path / "r.html")]) == 2
    err = capsys.readouterr().err
    assert "--factor, --preset or --recipe is needed" in err
    assert err.count("\n") == 1
