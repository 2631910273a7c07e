import json
import sys

import numpy as np
import pytest

from napari_motionmag.cli.main import main
from napari_motionmag.evaluation import protocols, run
from napari_motionmag.evaluation.scenes import Pair, add_noise
from napari_motionmag.methods.classical.phase import PhaseMagnifier
from napari_motionmag.methods.learned.method import LearnedMagnifier

NAMES = [p.name for p in protocols.PROTOCOLS]


class Identity:
    """Does nothing: what every share of the gap is measured from."""

    name = "identity"

    def magnify(self, frames, operator, times, factor):
        return np.stack([frames[t] for t in times])


@pytest.fixture
def with_identity(monkeypatch):
    monkeypatch.setitem(run.METHODS, "identity", lambda *args: Identity())


@pytest.mark.parametrize("protocol", protocols.PROTOCOLS, ids=NAMES)
def test_cases_hold_truth_and_what_the_operator_needs(protocol):
    level = protocol.quick[0]
    case = protocol.make(level, 0)
    again = protocol.make(level, 0)
    indices, _ = case.operator.row(case.time, len(case.frames))
    for t in {*indices.tolist(), case.time}:
        assert case.frames[t].shape == case.truth.shape == (192, 192, 3)
        assert np.array_equal(case.frames[t], again.frames[t])
    assert protocols.similarity(case.truth, case.truth) == pytest.approx(1)
    assert protocols.similarity(case.frames[case.time], case.truth) < 0.97
    assert set(protocol.quick) <= set(protocol.levels)


def test_output_motion_is_what_the_level_says():
    """The truth is the scene with objects moved by m times the input: checked on the factor."""
    for name, level, given in (("subpixel", 0.05, 0.05), ("noise_large", 1.0, 5.0)):
        (protocol,) = (p for p in protocols.PROTOCOLS if p.name == name)
        case = protocol.make(level, 1)
        assert case.factor * given == pytest.approx(10)


def test_doing_nothing_closes_none_of_the_gap(with_identity):
    result = run.evaluate(["identity"], seeds=1, only=["subpixel", "noise_large", "gain"])
    for rows in result["protocols"].values():
        for row in rows:
            assert row["closed"]["identity"][0] == pytest.approx(0, abs=1e-9)
            assert row["ssim"]["identity"][0] == pytest.approx(row["floor"])
    for asked, (measured, _) in result["gain"]["identity"].items():
        moved, delta = (float(x) for x in asked.replace(" px from", "").split())
        assert measured == pytest.approx(delta / moved, abs=0.02)
    assert result["still"]["identity"] == 0
    assert result["colour"]["identity"] < 1e-3
    assert result["redraw"]["identity"] == 0
    assert result["lamp"]["identity"] == [0, 0]


class Brightener:
    """Takes a change of light for motion of half a pixel, and magnifies it."""

    def magnify(self, frames, operator, times, factor):
        from scipy.ndimage import shift

        still, lit = frames
        change = np.sign((lit - still).mean())
        return np.stack([shift(still + factor * (lit - still), (0.3 * change, 0.4), order=5)])


def test_the_lamp_tells_motion_and_light_that_are_not_there():
    motion, light = protocols.lamp(Brightener(), 0)
    assert motion == pytest.approx(0.5, rel=0.15)
    mean = Pair.make(0, gray=True).at(0.0)[..., 0][12:-12, 12:-12].mean()
    assert light == pytest.approx(255 * 0.07 * mean, rel=0.1)


@pytest.mark.parametrize(("moved", "given"), [(0.1, 0.02), (0.1, 0.05), (0.5, 0.1), (2.0, 0.1)])
def test_the_default_network_moves_a_picture_as_far_as_asked(moved, given):
    method = LearnedMagnifier(device="cpu")
    assert 0.95 < protocols.gain(method, moved / given, given, 100) < 1.05


@pytest.mark.parametrize(("given", "least"), [(3.0, 0.86), (7.0, 0.83)])
def test_the_default_network_follows_motion_of_several_pixels(given, least):
    make = next(p.make for p in protocols.PROTOCOLS if p.name == "input_motion")
    case = make(given, 0)
    drawn = LearnedMagnifier(device="cpu").magnify(
        case.frames, case.operator, [case.time], case.factor
    )
    reached, floor = (
        protocols.similarity(x, case.truth) for x in (drawn[0], case.frames[case.time])
    )
    assert (reached - floor) / (1 - floor) > least


def test_gain_of_the_phase_based_method_is_near_one():
    assert 0.8 < protocols.gain(PhaseMagnifier(), 5.0, 0.1, 0) < 1.1


def test_displacement_is_measured_to_a_hundredth_of_a_pixel():
    pair = Pair.make(3, gray=True)
    moved = pair.at(0.0, drift=(0.37, -1.21))[..., 0]
    measured = protocols.displacement(pair.at(0.0)[..., 0], moved, (0.4, -1.0))
    assert np.abs(measured - (0.37, -1.21)).max() < 0.01


def test_noise_is_proportional_to_the_root_of_intensity():
    rng = np.random.default_rng(0)
    for level in (0.2, 0.8):
        noisy = add_noise(np.full((300, 300, 3), level, np.float32), 5.0, rng)
        assert noisy.std() == pytest.approx(5 * np.sqrt(level) / 255, rel=0.02)


def test_command_writes_table_json_and_figure(tmp_path, capsys, with_identity):
    from PIL import Image

    arguments = ["--methods", "identity", "--seeds", "1", "--only", "subpixel", "temporal"]
    assert main(["evaluate", *arguments, "--out", str(tmp_path / "scores")]) == 0
    assert "subpixel" in capsys.readouterr().out
    stored = json.loads((tmp_path / "scores" / "evaluation.json").read_text())
    assert [row["level"] for row in stored["protocols"]["subpixel"]] == [0.01, 0.1, 1.0]
    with Image.open(tmp_path / "scores" / "evaluation.png") as figure:
        assert min(figure.size) > 300


def test_levels_beyond_a_method_are_no_reason_to_warn(recwarn):
    result = run.evaluate(["riesz"], seeds=1, only=["subpixel"])
    assert len(result["protocols"]["subpixel"]) == 3
    assert [str(w.message) for w in recwarn if "bound" in str(w.message)] == []


def test_scores_are_put_beside_earlier_ones(tmp_path, capsys, with_identity, monkeypatch):
    monkeypatch.setattr(run, "GAINS", run.GAINS[-1:])
    argv = ["--only", "subpixel", "gain", "--seeds", "1", "--out", str(tmp_path / "a")]
    assert main(["evaluate", *argv, "--methods", "linear"]) == 0
    earlier = tmp_path / "a" / "evaluation.json"
    alone = json.loads(earlier.read_text())
    argv[-1] = str(tmp_path / "b")
    assert main(["evaluate", *argv, "--methods", "identity", "--beside", str(earlier)]) == 0
    both = json.loads((tmp_path / "b" / "evaluation.json").read_text())
    assert both["methods"] == ["linear", "identity"]
    for old, row in zip(alone["protocols"]["subpixel"], both["protocols"]["subpixel"], strict=True):
        assert row["floor"] == old["floor"]
        assert row["ssim"]["linear"] == old["ssim"]["linear"]
        assert row["closed"]["identity"] == [0, 0]
    assert set(both["gain"]) == {"linear", "identity"}
    assert "linear" in capsys.readouterr().out
    argv[4] = "2"
    assert main(["evaluate", *argv, "--methods", "identity", "--beside", str(earlier)]) == 2
    assert "same protocols, levels and seeds" in capsys.readouterr().err


def test_other_scores_beside_are_refused_before_anything_is_scored(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(run, "scores", lambda *arguments: pytest.fail("scored"))
    path = tmp_path / "earlier.json"
    row = {"level": 1.0, "floor": 0.5, "closed": {}}
    earlier = {"seeds": 10, "methods": [], "protocols": {"blur": [row]}}
    argv = ["evaluate", "--methods", "phase", "--only", "blur", "--beside", str(path)]
    for content, message in (
        (earlier, "it has 10 scenes a level, now there are 2"),
        ({**earlier, "seeds": 2}, "of blur it has the levels [1.0], now there are [1.0, 4.0]"),
        ({**earlier, "protocols": 3}, "earlier.json holds no scores"),
        ([], "earlier.json holds no scores"),
    ):
        path.write_text(json.dumps(content))
        assert main(argv) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert message in line


def test_gains_and_measures_are_reported_and_written_without_curves(
    tmp_path, capsys, with_identity, monkeypatch
):
    monkeypatch.setattr(run, "GAINS", run.GAINS[-1:])
    argv = ["evaluate", "--methods", "identity", "--seeds", "1", "--only", "gain", "texture"]
    argv += ["--out", str(tmp_path)]
    assert main(argv) == 0
    output = capsys.readouterr()
    for line in ("gain          identity", "lamp 1 % x8    identity", "texture       identity"):
        assert line in output.err  # meanwhile
        assert line in output.out
    assert "PSNR" not in output.out
    assert [path.name for path in tmp_path.iterdir()] == ["evaluation.json"]
    stored = (tmp_path / "evaluation.json").read_bytes()
    assert main(argv) == 2
    assert "evaluation.json exists already" in capsys.readouterr().err
    assert main([*argv[:-4], "texture", "--out", str(tmp_path), "--overwrite"]) == 0
    assert (tmp_path / "evaluation.json").read_bytes() != stored


def test_a_method_has_one_color_in_all_curves_and_its_place_when_scored_again():
    def scored(methods, protocol, levels):
        rows = [
            {
                "level": level,
                "floor": 0.5,
                **{key: {name: [0.8, 0.1] for name in methods} for key in run.SCORES},
            }
            for level in levels
        ]
        return {"methods": methods, "seeds": 1, "measures": {}, "protocols": {protocol: rows}}

    before = scored(["a", "b", "c"], "subpixel", (0.01, 0.1, 1.0))
    both = run.merged(before, scored(["b"], "subpixel", (0.01, 0.1, 1.0)))
    assert both["methods"] == ["a", "b", "c"]
    both["protocols"] |= scored(["a", "c"], "rotation", (0.02, 1.0))["protocols"]
    both["protocols"] |= scored(["a", "c"], "blur", (0.5, 4.0))["protocols"]
    colors = [
        {bars.get_label(): bars.lines[0].get_color() for bars in axes.containers}
        for axes in run.curves(both).axes
    ]
    assert len(set(colors[0].values())) == 3
    assert colors[1] == {name: colors[0][name] for name in ("a", "c")}
    ticks = run.curves(both).axes[2].get_xticklabels()
    assert [tick.get_text() for tick in ticks] == ["0.5", "4"]
    long = [f"learned:folder/of/weights/number_{k}.safetensors" for k in range(3)]
    one = scored(long, "blur", (0.5, 4.0))
    one["protocols"] |= scored(["a"], "rotation", (0.02, 1.0))["protocols"]
    for result, names in (
        (scored(long, "blur", (0.5, 4.0)), ["input", *long]),
        ({**one, "methods": [*long, "a"]}, ["input", *long, "a"]),
    ):
        canvas = run.curves(result)
        canvas.draw_without_rendering()
        (legend,) = canvas.legends
        assert {text.get_text() for text in legend.get_texts()} == set(names)
        assert legend.get_window_extent().width <= canvas.bbox.width


def test_where_the_input_is_the_truth_no_gap_is_closed():
    factor = next(p for p in protocols.PROTOCOLS if p.name == "factor")
    method = {"identity": Identity()}
    row = run._level(factor, 1.0, method, 1)
    assert row["closed"] == {"identity": None}
    assert "identity (SSIM 1.000)" in run._line("factor", row)
    assert run._level(factor, 2.0, method, 1)["closed"]["identity"] == [0, 0]


def test_without_matplotlib_nothing_is_begun(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    argv = ["evaluate", "--only", "gain", "--methods", "phase", "--out", str(tmp_path / "scores")]
    assert main(argv) == 2
    assert "napari-motionmag[plots]" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_unknown_methods_are_refused():
    with pytest.raises(ValueError, match=r"methods must be of .*got 'magic'"):
        run.make_method("magic")
    with pytest.raises(ValueError, match="seeds must be a whole number from 1 up; got 0"):
        run.evaluate(["riesz"], seeds=0)
    with pytest.raises(ValueError, match=r"only must be of subpixel, .*got magic"):
        run.evaluate(["phase"], only=["magic"])
