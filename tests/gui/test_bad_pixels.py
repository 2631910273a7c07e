"""A movie with NaN borders: the dock offers to fill them or to cut them away, in a real window."""

import numpy as np
import pytest

from napari_motionmag.widgets.magnify.dock import MagnifyWidget


@pytest.fixture
def bordered(viewer, frames):
    """A movie whose left border is NaN, wider in later frames."""
    data = frames.astype(np.float32)
    for t, frame in enumerate(data):
        frame[:, : 1 + t // 4] = np.nan
    return viewer.add_image(
        data, name="registered", scale=(0.1, 0.5, 0.5), units=("s", "um", "um"),
        translate=(0, 2, 4), contrast_limits=(400, 3100),
    )  # fmt: skip


@pytest.fixture
def dock(viewer, bordered, method):
    made = MagnifyWidget(viewer)
    viewer.window.add_dock_widget(made, name="Magnify motion")
    return made


@pytest.mark.parametrize("way", ["fill_pixels", "crop_pixels"])
def test_bad_pixels_are_mended_by_a_button(viewer, bordered, dock, click, qtbot, result, way):
    row = dock._fields.bad_pixels_row
    assert not row.visible
    click(dock, "magnify")
    qtbot.waitUntil(lambda: row.visible, timeout=10_000)
    assert "fill them or crop the movie" in dock.status.value
    click(dock, way)
    qtbot.waitUntil(lambda: dock.layer.value is not bordered, timeout=10_000)
    mended = dock.layer.value
    assert not row.visible
    assert np.isfinite(mended.data).all()
    assert np.allclose(mended.scale, bordered.scale)
    if way == "crop_pixels":
        assert mended.data.shape == (12, 20, 21)
        assert np.array_equal(mended.data, bordered.data[..., 3:])
        assert mended.translate[2] == pytest.approx(4 + 3 * 0.5)
    else:
        good = np.isfinite(bordered.data)
        assert np.array_equal(mended.data[good], bordered.data[good])
    click(dock, "magnify")
    qtbot.waitUntil(lambda: result() is not None and result().visible, timeout=10_000)
