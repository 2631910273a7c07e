"""Tables appear whole or not at all."""

from dataclasses import replace

import numpy as np
import pytest

from napari_motionmag import views


def test_a_table_that_fails_leaves_nothing_behind_and_the_old_file_alone(tmp_path, trace_of):
    trace = trace_of(8.0)
    spectrum = views.motion_spectrum(trace)
    movie, line = np.ones((200, 20, 30)), [(4, 2), (4, 12)]
    cases = {
        "trace.csv": lambda path, bad: replace(trace, misfit=bad).to_csv(path),
        "spectrum.csv": lambda path, bad: replace(spectrum, amplitude=bad).to_csv(path),
        "slice.tif": lambda path, bad: views.save_slice(path, bad, movie, line),
    }
    for name, write in cases.items():
        path = tmp_path / name
        path.write_text("old")
        view = np.full((200, 11), "text") if name.endswith("tif") else np.array(["text"] * 200)
        with pytest.raises(ValueError, match=r"could not convert|format code"):
            write(path, view)
        assert path.read_text() == "old"
    assert sorted(each.name for each in tmp_path.iterdir()) == sorted(cases)
