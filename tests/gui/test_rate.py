"""A frame rate that is typed once holds for the movie and all that is made of it, in every dock."""

import numpy as np
import pytest
from motion import fourier_shift, smooth_texture

from napari_motionmag.movie.layer_traits import layer_arguments, rate_of
from napari_motionmag.widgets.export.dock import ExportWidget
from napari_motionmag.widgets.magnify.dock import MagnifyWidget
from napari_motionmag.widgets.magnify.open_dock import fill_band
from napari_motionmag.widgets.magnify.playing import MOST_FPS
from napari_motionmag.widgets.magnify.repeat import RepeatWidget
from napari_motionmag.widgets.measure.noise_floor import NoiseFloorWidget
from napari_motionmag.widgets.measure.spectrum import SpectrumWidget
from napari_motionmag.widgets.slices.dock import SliceViewWidget

FPS, PITCH = 1000.0, 166.0


@pytest.fixture
def fork(viewer):
    """A texture that moves by 0.05 px at 166 Hz; its layer says 50 frames per second."""
    texture = smooth_texture(32, 0)
    phase = 2 * np.pi * PITCH * np.arange(100) / FPS
    frames = [fourier_shift(texture, 0, 0.05 * np.cos(angle)) for angle in phase]
    return viewer.add_image(
        (60_000 * np.array(frames)).round().astype(np.uint16),
        name="fork",
        scale=(0.02, 1, 1),
        units=("s", "um", "um"),
    )


def dock(viewer, kind):
    widget = kind(viewer)
    viewer.window.add_dock_widget(widget)
    return widget


@pytest.fixture
def magnify(viewer, fork, method):
    widget = dock(viewer, MagnifyWidget)
    widget.mode.value = "temporal"
    widget.factor.value = 3
    return widget


def test_a_rate_typed_in_one_dock_is_that_of_its_results_in_others(viewer, fork, magnify, settled):
    magnify.fps.value = FPS
    magnify.band_low.value, magnify.band_high.value = 120, 210
    layer = magnify()
    spectrum = dock(viewer, SpectrumWidget)
    for movie in (fork, layer):
        spectrum.layer.value = movie
        assert spectrum().peaks()[0].frequency == pytest.approx(PITCH, abs=2)
        assert spectrum.fps.value == FPS
    slices = dock(viewer, SliceViewWidget)
    slices.layers.value = [fork, layer]
    assert slices.fps.value == FPS
    export = dock(viewer, ExportWidget)
    assert export.layers.value == [fork, layer]
    settled(export)
    assert export.fps.value == FPS
    assert magnify._playback.fps == MOST_FPS, "and it is played as fast as can be followed"


def test_a_rate_typed_where_motion_is_measured_is_known_where_it_is_magnified(
    viewer, fork, magnify
):
    layer = magnify()
    spectrum, floor = dock(viewer, SpectrumWidget), dock(viewer, NoiseFloorWidget)
    spectrum.layer.value = layer
    spectrum.fps.value = FPS
    assert magnify.fps.value == FPS
    assert rate_of(fork) == rate_of(layer) == FPS
    assert floor.movie_of(layer).fps == FPS
    assert magnify().metadata["napari_motionmag"]["recipe"]["fps"] == FPS
    spectrum.fps.value = 0
    assert magnify.fps.value == pytest.approx(50)
    assert layer_arguments(fork, {}).get("fps") is None


def test_another_movie_keeps_its_own_rate(viewer, fork, magnify):
    other = viewer.add_image(fork.data, name="other", scale=(0.1, 1, 1), units=fork.units)
    spectrum = dock(viewer, SpectrumWidget)
    spectrum.layer.value = fork
    spectrum.fps.value = FPS
    spectrum.layer.value = other
    assert spectrum.fps.value == 0
    assert spectrum.movie_of(other).fps == pytest.approx(10)
    magnify.layer.value = other
    assert magnify.fps.value == pytest.approx(10)


def test_what_is_repeated_goes_by_the_rate_that_was_typed_for_the_other_movie(
    viewer, fork, magnify
):
    other = viewer.add_image(fork.data, name="other")
    magnify.fps.value = FPS
    magnify.band_low.value, magnify.band_high.value = 120, 210
    magnify()
    repeat = dock(viewer, RepeatWidget)
    repeat.on.value = other
    assert repeat().metadata["napari_motionmag"]["recipe"]["fps"] == FPS
    magnify.layer.value = other
    magnify.fps.value = 2000
    assert repeat().metadata["napari_motionmag"]["recipe"]["fps"] == 2000


def test_a_band_goes_to_the_source_of_a_result_whatever_it_is_called(viewer, fork, magnify):
    layer = magnify()
    fork.name = "renamed"
    viewer.add_image(fork.data[:, ::-1], name="fork")
    assert fill_band(viewer, layer, (5, 10), 50).layer.value is fork
