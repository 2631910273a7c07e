"""The dock "Displacement" in a real window, on regions whose motion is known."""

import numpy as np
import pytest
from motion import fourier_shift, smooth_texture

from napari_motionmag.widgets.measure.displacement import DisplacementWidget

FPS = 50.0


@pytest.fixture(scope="module")
def course():
    return 0.3 * np.cos(2 * np.pi * 5 * np.arange(60) / FPS + 1.0)


@pytest.fixture(scope="module")
def moved(course):
    texture = smooth_texture(48, 3)
    rng = np.random.default_rng(1)
    frames = [4000 * fourier_shift(texture, d, 0) + rng.normal(0, 20, (48, 48)) for d in course]
    return np.array(frames).round().astype(np.uint16)


@pytest.fixture
def viewer(viewer):
    return viewer


@pytest.fixture
def layer(viewer, moved):
    return viewer.add_image(moved, name="cell", scale=(1 / FPS, 0.5, 0.5), units=("s", "um", "um"))


@pytest.fixture
def dock(viewer, layer):
    made = DisplacementWidget(viewer)
    viewer.window.add_dock_widget(made, name="Displacement")
    return made


def square(viewer, first, last):
    corners = 0.5 * np.array([(first, first), (first, last), (last, last), (last, first)])
    return viewer.add_shapes([corners], shape_type="rectangle", units=("um", "um"))


def test_the_course_is_measured_with_its_errors(viewer, dock, click, qtbot, course):
    dock.marks.value = square(viewer, 12, 36)
    click(dock, "measure")
    qtbot.waitUntil(lambda: bool(dock._traces), timeout=60_000)
    (trace,) = dock._traces.values()
    error = trace.dy - (course - course.mean())
    assert np.abs(error).max() < 5 * trace.sigma_dy.max()
    assert trace.sigma_dy.max() < 0.02
    assert dock.status.value.startswith("Along y: 5.0")
    assert "phase 57" in dock.status.value or "phase 58" in dock.status.value
    axes = dock.canvas.figure.axes[0]
    assert axes.get_ylabel() == "displacement (px)"
    assert axes.child_axes[0].get_ylabel() in ("(µm)", "(nm)")
    assert axes.collections, "the band of the errors"


def test_points_polygons_and_several_movies(viewer, dock, layer, moved):
    other = viewer.add_image(moved, name="again", scale=layer.scale, units=layer.units)
    points = viewer.add_points([[12, 12], [11, 13]], size=1, units=("um", "um"), name="points")
    dock.layers.value = [layer, other]
    dock.marks.value = points
    dock.side.value = 15
    traces = dock()
    assert [t.region for t in traces[:2]] == [
        (slice(17, 32), slice(17, 32)),
        (slice(15, 30), slice(19, 34)),
    ]
    assert list(dock._traces) == ["cell (1)", "cell (2)", "again (1)", "again (2)"]
    np.testing.assert_array_equal(traces[0].dy, traces[2].dy)
    points.selected_data = {1}
    assert len(dock()) == 2


def test_a_region_that_is_drawn_is_taken(viewer, dock):
    first = square(viewer, 12, 36)
    assert dock.marks.value is first
    shapes = viewer.add_shapes(ndim=2, name="later", units=("um", "um"))
    assert dock.marks.value is first, "nothing is drawn in it yet"
    shapes.add_lines([np.array([(1, 1), (9, 9)])])
    assert dock.marks.value is first, "a line is no region"
    shapes.add_polygons([0.5 * np.array([(12, 12), (12, 36), (36, 24)])])
    assert dock.marks.value is shapes
    other = DisplacementWidget(viewer)
    assert other.marks.value is shapes, "drawn before the dock was opened"
    other.native.close()
    dock.marks.value = dock.marks.choices[0]
    first.data = [*first.data, 0.5 * np.array([(2, 2), (2, 9), (9, 9), (9, 2)])]
    assert dock.marks.value is first
    viewer.add_points(np.zeros((500, 2)), name="spots of another plugin")
    assert dock.marks.value is first


def test_reference_frame_direction_and_brightness(viewer, dock, course):
    dock.marks.value = square(viewer, 12, 36)
    dock.reference.value = "frame"
    dock.reference_frame.max = 59
    dock.reference_frame.value = 7
    dock.brightness.value = True
    dock.reach.value = 2
    (trace,) = dock()
    assert trace.dy[7] == 0
    np.testing.assert_allclose(trace.dy, course - course[7], atol=0.05)
    dock.direction.value = 0.0
    assert "no oscillation stands out" in dock.status.value
    line = dock.canvas.figure.axes[0].lines[0]
    np.testing.assert_allclose(line.get_ydata(), trace.dx)


def test_messages_name_the_fields_and_not_the_arguments(viewer, dock, moved, click, qtbot):
    growing = moved * np.linspace(1, 2, len(moved))[:, None, None]
    layer = viewer.add_image(growing.astype(np.uint16), name="flicker", scale=(1 / FPS, 1, 1))
    dock.layers.value = [layer]
    dock.marks.value = dock.marks.choices[0]
    click(dock, "measure")
    qtbot.waitUntil(lambda: not dock.working, timeout=60_000)
    assert "“Allow for changes in brightness” of “Displacement”" in dock.status.value
    assert "brightness=True" not in dock.status.value
    assert ". Brightness of the region varies by" in dock.status.value


def test_tables_have_the_calibration(viewer, dock, layer, tmp_path):
    with pytest.raises(ValueError, match="Measure"):
        dock.save_to(tmp_path / "trace.csv")
    dock.marks.value = square(viewer, 12, 36)
    dock()
    (path,) = dock.save_to(tmp_path / "trace.csv")
    text = path.read_text()
    assert "# frames per second: 50" in text
    assert "# pixel size (y, x): [0.5, 0.5]" in text
    assert '# length unit: "um"' in text
    head = next(line for line in text.splitlines() if not line.startswith("#"))
    assert {"dy (px)", "sigma dy (px)", "dy (um)", "time (s)"} <= set(head.split(","))
    with pytest.raises(ValueError, match="csv"):
        dock.save_to(tmp_path / "trace.txt")


def test_script_measures_the_same(viewer, dock):
    corners = 0.5 * np.array([(12, 12), (12, 36), (36, 24)])
    dock.marks.value = viewer.add_shapes([corners], shape_type="polygon", units=("um", "um"))
    (trace,) = dock()
    namespace = {"viewer": viewer}
    exec(dock.script(), namespace)
    np.testing.assert_allclose(namespace["trace"].dy, trace.dy)
    np.testing.assert_allclose(namespace["trace"].sigma_dy, trace.sigma_dy)


def test_what_cannot_be_measured_is_told(viewer, dock, click, qtbot):
    dock.marks.value = viewer.add_shapes(ndim=2, name="empty")
    click(dock, "measure")
    assert "no rectangle, polygon or ellipse yet" in dock.status.value
    far = viewer.add_shapes([np.array([(90, 90), (90, 99), (99, 99), (99, 90)])], name="far")
    dock.marks.value = far
    click(dock, "measure")
    assert "no pixel of the frame" in dock.status.value
    flat = viewer.add_image(np.ones((20, 48, 48)), name="flat")
    dock.layers.value, dock.marks.value = [flat], dock.marks.choices[0]
    click(dock, "measure")
    qtbot.waitUntil(lambda: "flat: region has no structure" in dock.status.value, timeout=20_000)


def test_removing_the_movie_while_measuring(viewer, dock, click, qtbot):
    click(dock, "measure")
    qtbot.waitUntil(lambda: not dock.cancel.native.isHidden(), timeout=5000)
    viewer.layers.clear()
    qtbot.waitUntil(lambda: not dock.working, timeout=30_000)
    viewer.window.remove_dock_widget(dock.native)


def test_leaving_while_measuring(viewer, dock, click, qtbot):
    click(dock, "measure")
    qtbot.waitUntil(lambda: not dock.cancel.native.isHidden(), timeout=5000)
    viewer.window.remove_dock_widget(dock.native)
    qtbot.waitUntil(lambda: not dock.working, timeout=20_000)


def test_velocity_orbit_and_coherence(viewer, dock, course, tmp_path):
    dock.marks.value = square(viewer, 12, 36)
    (trace,) = dock()
    dock.shown.value = "velocity"
    axes = dock.canvas.figure.axes[0]
    assert axes.get_ylabel() == "velocity (px/s)"
    np.testing.assert_allclose(axes.lines[0].get_ydata(), trace.along(None, "velocity")[0])
    (path,) = dock.save_to(tmp_path / "trace.csv")
    assert "vy (px/s)" in path.read_text()
    dock.shown.value = "orbit"
    assert "ellipse of 0.6" in dock.status.value.lower()
    assert "within the errors a line" in dock.status.value
    dock.shown.value = "coherence"
    assert "needs two regions" in dock.status.value
    corners = [[(12, 4), (12, 20), (36, 20), (36, 4)], [(12, 28), (12, 44), (36, 44), (36, 28)]]
    shapes = viewer.add_shapes(0.5 * np.array(corners), shape_type="rectangle", units=("um", "um"))
    dock.marks.value = shapes
    dock.segments.value = 4
    dock()
    assert dock.status.value.startswith("Coherence 1.000 at 4.") or "at 5" in dock.status.value
    assert [axes.get_ylabel() for axes in dock.canvas.figure.axes] == ["coherence", "phase (°)"]
    dock.direction.value = np.pi / 2
    namespace = {"viewer": viewer}
    exec(dock.script(), namespace)
    drawn = dock.canvas.figure.axes[0].lines[0].get_ydata()
    np.testing.assert_allclose(namespace["found"].coherence, drawn)


def test_the_script_measures_what_is_shown(viewer, dock):
    dock.marks.value = square(viewer, 12, 36)
    dock()
    for shown, result in (("acceleration", "acceleration"), ("orbit", "path")):
        dock.shown.value = shown
        namespace = {"viewer": viewer}
        exec(dock.script(), namespace)
        assert result in namespace
    assert namespace["path"].major == pytest.approx(0.3, abs=0.01)
