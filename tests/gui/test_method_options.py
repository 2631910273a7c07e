"""Fields for the options of the methods' own, and for stabilisation."""

import numpy as np
import pytest
from magicgui.widgets import ComboBox

from napari_motionmag.methods.options import OPTIONS, STABILISE
from napari_motionmag.widgets.magnify.fields import Fields
from napari_motionmag.widgets.magnify.method_options import MethodOptions, OptionFields


@pytest.fixture
def options(qapp):
    return MethodOptions()


@pytest.fixture
def fields(qapp):
    return Fields(lambda _: [], lambda _: [])


@pytest.mark.parametrize("method", list(OPTIONS))
def test_fields_start_at_the_defaults(options, method):
    assert options.values(method) == {}
    for name, field in options.of[method].fields.items():
        described = next(option for option in OPTIONS[method] if option.name == name)
        assert described.help in field.tooltip
        assert described.check(options.of[method].value(name)) == described.default


def test_what_is_changed_is_said(options):
    phase = options.of["phase"].fields
    phase["pyramid"].value = "octave"
    phase["sigma"].value = 0
    assert options.values("phase") == {"pyramid": "octave", "sigma": 0}
    assert options.values("riesz") == {}
    assert options.values("pixels") == {}
    options.show("phase")
    assert options.title.text.endswith("Method options: 2 changed")


def test_nothing_chosen_is_none_and_not_zero(options):
    cut_off = options.of["linear"].fields["lambda_c"]
    assert options.of["linear"].value("lambda_c") is None
    cut_off.value = 0
    assert options.values("linear") == {"lambda_c": 0}
    radius = options.of["lagrangian"].fields["radius"]
    radius.value = 7
    assert options.values("lagrangian") == {"radius": 7}
    assert isinstance(options.values("lagrangian")["radius"], int)


def test_options_without_meaning_are_not_said(options):
    linear = options.of["linear"].fields
    linear["lambda_c"].value, linear["level"].value = 12, 2
    assert options.values("linear") == {"lambda_c": 12}
    linear["what"].value = "color"
    assert options.values("linear") == {"what": "color", "level": 2}


def test_only_the_options_of_the_method_are_shown(options):
    options.opened = True
    options.native.show()
    for method in ("phase", "linear", "riesz", "learned"):
        options.show(method)
        shown = {f.name for f in options.parameters if f.native.isVisible()}
        assert {name.split("_")[0] for name in shown} == {method}
    options.show("linear")
    assert options.of["linear"].fields["lambda_c"].native.isVisible()
    assert not options.of["linear"].fields["level"].native.isVisible()
    options.native.close()


def test_there_and_back(fields):
    said = {"method": "lagrangian", "flow": "tvl1", "radius": 4}
    fields.fill(said)
    assert said.items() <= fields.settings().arguments().items()
    fields.fill({"method": "lagrangian", "flow": "ilk"})
    assert "radius" not in fields.settings().arguments()


def test_stabilisation(fields):
    assert "stabilise" not in fields.settings().arguments()
    fields.fill({"stabilise": "rigid"})
    assert fields.settings().arguments()["stabilise"] == "rigid"
    assert "rigid" in fields.large_motion.title.text
    said = {"model": "affine", "reference": 3, "align_to": "current", "smooth": 2.5}
    fields.fill({"stabilise": said})
    assert fields.settings().arguments()["stabilise"] == said
    fields.fill({"stabilise": {"model": "dense", "smooth": 3.0, "feather": 9.0}})
    assert fields.settings().arguments()["stabilise"] == {"model": "dense", "smooth": 3.0}
    fields.fill({"stabilise": "dense"})
    assert fields.settings().arguments()["stabilise"] == "dense"
    fields.fill({"stabilise": None})
    assert "stabilise" not in fields.settings().arguments()
    models = {value for _, value in fields.stabilise._default_choices}
    assert models - {""} == set(STABILISE[0].choices)


def test_every_option_can_be_a_field(qapp):
    for method, described in OPTIONS.items():
        made = OptionFields(described, method)
        assert made.values() == {}
        for option in described:
            if option.kind == "choice":
                assert isinstance(made.fields[option.name], ComboBox)
                assert tuple(made.fields[option.name].choices) == option.choices


def test_the_result_says_its_options(viewer, movie, method, qtbot):
    from napari_motionmag.widgets.magnify.dock import MagnifyWidget

    painted = np.zeros((20, 24), np.uint8)
    painted[4:12, 5:15] = 1
    mask = viewer.add_labels(painted, name="mask", scale=(0.5, 0.5), units=("um", "um"))
    widget = MagnifyWidget(viewer)
    viewer.window.add_dock_widget(widget)
    widget.layer.value = movie
    widget.method.value = "phase"
    widget.phase_pyramid.value = "octave"
    widget.stabilise.value = "translation"
    assert widget.mask.choices == (None, mask)
    widget.mask.value = mask
    recipe = widget().metadata["napari_motionmag"]["recipe"]
    assert recipe["options"] == {"pyramid": "octave"}
    assert recipe["stabilise"]["model"] == "translation"
    assert recipe["mask"]["shape"] == [20, 24]
    viewer.layers.remove(mask)
    assert widget.mask.value is None
