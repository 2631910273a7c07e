"""The buttons that go on in another dock: slices, displacement, comparison."""

from napari_motionmag.widgets.measure.displacement import DisplacementWidget
from napari_motionmag.widgets.slices.dock import SliceViewWidget


def docks(viewer, kind):
    return [dock for dock in viewer.window.dock_widgets.values() if isinstance(dock, kind)]


def test_a_result_is_looked_at_with_one_click_each(
    viewer, widget, click, magnified, settled, qtbot
):
    steps = widget._fields.next_steps
    assert not steps.visible, "there is no result to look at"
    layer = magnified()
    assert steps.visible
    click(widget, "open_slices")
    (slices,) = docks(viewer, SliceViewWidget)
    settled(slices)
    assert [cut.layer for cut, _ in slices._pictures()] == [widget.layer.value, layer]
    click(widget, "open_displacement")
    (displacement,) = docks(viewer, DisplacementWidget)
    qtbot.waitUntil(lambda: not displacement.working, timeout=20_000)
    assert list(displacement._traces) == ["cell"], "the movie is measured at once"
    click(widget, "open_slices")
    assert docks(viewer, SliceViewWidget) == [slices], "the dock that is open is taken"
    displacement._traces.clear()
    click(slices, "open_displacement")
    qtbot.waitUntil(lambda: not displacement.working, timeout=20_000)
    assert list(displacement._traces) == ["cell"]
    widget._fields.compare_row.choose_methods(["original", "pixels"])
    click(slices, "compare_methods")
    qtbot.waitUntil(lambda: not widget._comparison.drawing, timeout=20_000)
    assert widget._comparison.source is widget.layer.value
