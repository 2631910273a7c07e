"""Applications in the dock "Magnify motion": they draw what the function draws."""

import numpy as np
import pytest

from napari_motionmag import magnify
from napari_motionmag.widgets.magnify.dock import MagnifyWidget


@pytest.fixture
def widget(viewer, movie):
    widget = MagnifyWidget(viewer)
    viewer.window.add_dock_widget(widget, area="right")
    widget.live.value = False
    widget.method.value = "riesz"
    return widget


def test_more_bands(widget, movie):
    widget.mode.value = "temporal"
    widget.band_low.value, widget.band_high.value = 1, 2
    widget.factor.value = 4
    widget.more_bands.value = "3-4.5 x 9"
    drawn = np.asarray(widget().data[5])
    fixed = {"mode": "temporal", "band": (1, 2), "fps": 10, "method": "riesz"}
    expected = magnify(movie, 4, more_bands=[(3, 4.5, 9)], **fixed)
    assert np.array_equal(drawn, expected[5].compute())
    widget.more_bands.value = "3 to 4"
    with pytest.raises(ValueError, match="More bands must be like 100-120 x 30"):
        widget()


def test_painted_factors(viewer, widget, movie):
    labels = viewer.add_labels(np.zeros(movie.data.shape[1:], int), scale=movie.scale[1:])
    labels.data[4:16, 4:20] = 1
    widget.factor.value = 5
    widget.painted.value, widget.rest.value, widget.map_feather.value = labels, 0, 3
    drawn = np.asarray(widget().data[5])
    about = {"labels": labels.data, "rest": 0, "feather": 3}
    expected = magnify(movie, 5, method="riesz", factor_map=about)[5].compute()
    assert np.array_equal(drawn, expected)
    assert np.array_equal(drawn[labels.data == 0], movie.data[0][labels.data == 0])
    assert "factor_map=" in widget.script()
