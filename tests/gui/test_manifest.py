"""What napari finds of the plugin: every name in the manifest leads to something."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from napari.components import ViewerModel
from npe2 import PluginManifest

import napari_motionmag
from napari_motionmag import samples
from napari_motionmag.io.formats import all_formats, writable

PATH = Path(napari_motionmag.__file__).parent / "napari.yaml"


@pytest.fixture(scope="module")
def manifest():
    return PluginManifest.from_file(PATH)


def test_every_command_is_there(manifest):
    manifest.validate_imports()
    used = {
        contribution.command
        for kind in ("widgets", "sample_data", "readers", "writers")
        for contribution in getattr(manifest.contributions, kind)
    }
    used |= {item.command for items in manifest.contributions.menus.values() for item in items}
    assert used == {command.id for command in manifest.contributions.commands}


def test_every_sample_is_offered_by_its_title(manifest):
    offered = {sample.key: sample.display_name for sample in manifest.contributions.sample_data}
    assert tuple(offered) == samples.NAMES
    for name, title in offered.items():
        assert samples.load(name, size=64, n_frames=2)[1]["title"] == title


def test_every_video_is_offered_to_the_reader(manifest):
    (reader,) = manifest.contributions.readers
    offered = {f"*{ending}" for entry in all_formats() for ending in entry.in_napari}
    assert set(reader.filename_patterns) == offered


def test_every_format_is_offered_to_save_with(manifest):
    (writer,) = manifest.contributions.writers
    assert set(writer.filename_extensions) == set(writable())


@pytest.mark.parametrize("name", ["strings", "drifting_membrane", "pulsing_epithelium"])
def test_samples_open(mock_app_model, monkeypatch, name):
    from napari.plugins import _initialize_plugins

    monkeypatch.setattr(samples, "load", partial(samples.load, n_frames=8))
    _initialize_plugins()
    viewer = ViewerModel()
    (layer,) = viewer.open_sample("napari-motionmag", name)
    data, about = samples.load(name)
    assert np.array_equal(layer.data, data)
    assert layer.name == about["title"]
    assert str(layer.units[0]) == "second"
    assert layer.scale[0] == pytest.approx(1 / about["fps"])


def test_every_dock_is_found_in_a_layers_menu(manifest):
    menus = manifest.contributions.menus
    kinds = ("filter", "measure", "visualize")
    listed = [item.command for kind in kinds for item in menus[f"napari/layers/{kind}"]]
    assert len(listed) == len(set(listed))
    assert {widget.command for widget in manifest.contributions.widgets} <= set(listed)
