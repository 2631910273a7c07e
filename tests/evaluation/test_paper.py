"""The figures of the paper: what is measured for them, and that each is drawn once."""

import json
from functools import cached_property

import numpy as np
import pytest

from napari_motionmag.cli.main import main
from napari_motionmag.evaluation.paper import comparisons, curves, inside, motion, run
from napari_motionmag.evaluation.paper.applications import applications
from napari_motionmag.evaluation.paper.discs import DiscMovie, sine
from napari_motionmag.evaluation.paper.figure import Figure, Setting, blank, shown
from napari_motionmag.temporal import FIR, Dynamic, Static


class Nothing:
    """A method that does nothing."""

    def magnify(self, frames, operator, times, factor):
        return np.stack([frames[t] for t in times])


class Doubtful(Setting):
    """A setting whose only method does nothing."""

    @cached_property
    def methods(self):
        return {"learned:nothing": Nothing()}

    @property
    def seeds(self):
        return 1


NOTHING = Doubtful(("learned:nothing",))


def test_all_figures_are_there_in_the_paper_s_order():
    assert list(run.FIGURES) == [
        *("3", "4", "5", "6", "7", "8", "9", "10", "11", "12"),
        *("A.2", "A.2.6", "A.3", "A.4", "A.5", "A.7", "A.8", "A.9", "A.10"),
    ]


def test_a_disc_is_located_and_its_target_follows_the_operator():
    movie = DiscMovie(sine(40, 30.0, 3.0, (0.1, -0.2)))
    assert movie.located(movie.render((0.4, -1.3)), (0.0, -1.0)) == pytest.approx((0.4, -1.3))
    static, dynamic = (movie.target(op, 9, 5.0) for op in (Static(0), Dynamic(1)))
    moved = movie.positions
    assert static == pytest.approx(moved[0] + 5 * (moved[9] - moved[0]))
    assert dynamic == pytest.approx(moved[8] + 5 * (moved[9] - moved[8]))
    band = movie.target(FIR(2, 4, fps=30.0), 20, 5.0)
    assert band == pytest.approx(5 * moved[20], rel=0.05)
    assert movie.errors(movie.render(band), band) == {"edge": 0, "ringing": 0}
    ringing = movie.render(band) + 0.1 * (np.abs(movie.depth(band)) > 10)
    errors = movie.errors(ringing, band)
    assert errors["edge"] == 0
    assert 15 < errors["ringing"] < 25.5


def test_frequencies_are_found_between_those_of_the_fourier_transform():
    t = np.arange(128) / 600
    for frequency in (80.3, 110.0, 196.7):
        course = 0.2 * np.sin(2 * np.pi * frequency * t + 1) + 3
        assert motion._frequency(course, 600.0) == pytest.approx(frequency, rel=1e-3)
        assert motion._amplitude(course, frequency, 600.0) == pytest.approx(0.2, rel=1e-6)


def test_doing_nothing_is_measured_as_that():
    numbers, _ = motion.accuracy(NOTHING)
    assert numbers["learned:nothing"]["gain"] == pytest.approx(0.1, abs=0.01)
    assert numbers["learned:nothing"]["correlation"] > 0.99
    numbers, _ = comparisons.blindness(NOTHING)
    assert list(numbers.values()) == [pytest.approx(1 / 75, abs=0.02)]
    numbers, _ = curves.high_factors(NOTHING)
    assert list(numbers["learned:nothing"].values()) == [0, 0, 0]
    numbers, _ = applications(NOTHING)
    assert numbers["SSIM, learned:nothing"] < numbers["SSIM, nearer frame"]
    left = [numbers[f"loop x{factor}, learned:nothing, rms error [px]"] for factor in (0, 0.5, 2)]
    still = np.sqrt((1.0**2 + 1.5**2) / 2)  # the loop goes on as it was
    assert left == pytest.approx([still, still / 2, still], rel=0.05)
    numbers, _ = comparisons.filter_or_not(NOTHING)
    static, filtered = numbers.values()
    assert static["added motion [px]"] != filtered["added motion [px]"]
    assert min(static["edge"], filtered["edge"]) > 10


def test_strings_that_are_left_alone_keep_their_frequencies():
    numbers, _ = motion.broad(NOTHING)
    assert numbers["learned:nothing"]["largest error"] < 0.01
    gains = motion.bands(NOTHING)[0]["learned:nothing"]
    assert gains["gain of its own string"] == pytest.approx([1] * 4, abs=0.1)


def test_the_network_is_looked_into():
    setting = Setting()
    numbers, _ = inside.manipulated(setting)
    assert numbers["amplitude at 5x over 2x"] == pytest.approx(2.5, rel=0.01)  # no biases
    numbers, _ = inside.fused(setting)
    still = numbers["share of the frame there"]
    assert numbers["share of the change within 12 px of the edge"] > 2 * still
    numbers, _ = inside.representations(setting)
    for name in ("texture", "shape"):
        shares = [numbers[name][f"power by {what}"] for what in ("color", "direction")]
        assert 0 < min(shares) <= sum(shares) < 1 + 1e-6
    with pytest.raises(ValueError, match=r"must have weights of oh2018 .*, got learned.*, phase"):
        _ = Setting(("learned:difference", "phase")).oh2018
    with pytest.raises(ValueError, match="methods must have a learned one, got phase"):
        motion.broad(Setting(("phase",)))


def test_pictures_are_shown_with_their_titles():
    canvas = shown([np.full((8, 8), 0.2), np.full((8, 8, 3), 0.7)], ["dark", "light"], columns=1)
    assert [axes.get_title() for axes in canvas.axes] == ["dark", "light"]
    means = [axes.images[0].get_array().mean() for axes in canvas.axes]
    assert means == pytest.approx([0.2, 0.7])


@pytest.fixture
def two_figures(monkeypatch):
    """Figures that count how often they are drawn."""
    drawn = []

    def draw(setting):
        drawn.append(setting.full)
        return {"share": 0.5, "by method": {"phase": [1.0, 2.0]}}, blank(1, 1)

    figures = {number: Figure(number, f"Title {number}", draw) for number in ("8", "A.5")}
    monkeypatch.setattr(run, "FIGURES", figures)
    return drawn


def test_each_figure_is_drawn_once(tmp_path, two_figures, capsys):
    argv = ["evaluate", "--paper", str(tmp_path / "out"), "--methods", "phase"]
    assert main([*argv, "--only", "8"]) == 0
    assert "Fig. 8: Title 8: 0 s" in capsys.readouterr().err
    assert main(argv) == 0
    assert len(two_figures) == 2
    output = capsys.readouterr()
    assert "[1/2] Fig. 8: Title 8: there already" in output.err
    assert output.out.strip() == str(tmp_path / "out" / "paper.md")
    page = (tmp_path / "out" / "paper.md").read_text()
    assert "- share: 0.5" in page
    assert "- by method, phase: 1, 2" in page
    assert "![Fig. A.5](figure-A.5.png)" in page
    stored = tmp_path / "out" / "figure-8.json"
    assert json.loads(stored.read_text())["numbers"]["share"] == 0.5
    stored.write_text(stored.read_text()[:50])  # cut short
    assert main(argv) == 0
    assert len(two_figures) == 3
    assert main([*argv, "--full"]) == 0  # other scenes
    assert two_figures[3:] == [True, True]


def test_figures_about_other_methods_are_left_out(tmp_path, two_figures, capsys):
    def draw(setting):
        return setting.oh2018, blank(1, 1)

    run.FIGURES["3"] = Figure("3", "Title 3", draw)
    argv = ["evaluate", "--paper", str(tmp_path), "--methods", "phase", "--only"]
    assert main([*argv, "3", "A.5"]) == 0
    output = capsys.readouterr().err
    assert "Fig. 3: Title 3: left out; methods must have weights of oh2018" in output
    assert "Fig. A.5: Title A.5: 0 s" in output
    assert main([*argv, "3"]) == 2
    assert "error: methods must have weights of oh2018" in capsys.readouterr().err


def test_unknown_figures_are_refused(tmp_path, two_figures, capsys):
    assert main(["evaluate", "--paper", str(tmp_path / "out"), "--only", "99"]) == 2
    assert "only must be of 8, A.5, got 99" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_figure_by_the_command(tmp_path):
    assert main(["evaluate", "--paper", str(tmp_path), "--only", "A.2"]) == 0
    power = json.loads((tmp_path / "figure-A.2.json").read_text())["numbers"]["mean power passed"]
    assert power["dynamic"] == pytest.approx(2, rel=0.01)
    assert power["static"] == pytest.approx(1, rel=0.01)
    assert max(power["FIR 5-8 Hz"], power["Butterworth 5-8 Hz"]) < 0.15
    assert (tmp_path / "figure-A.2.png").stat().st_size > 10_000
