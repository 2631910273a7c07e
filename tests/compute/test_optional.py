"""Packages that come with an extra: what is said where they are missing or broken."""

import sys

import pytest

from napari_motionmag.compute.optional import optional


def test_a_missing_package_names_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(
        ImportError, match=r"zarr files need the package zarr: pip install .*zarr\]"
    ):
        optional("zarr", "zarr", "zarr files")


@pytest.mark.parametrize(
    "line",
    [
        "raise ImportError('libav.so: cannot open shared object file', name='broken_package')",
        "import no_such_part",
    ],
)
def test_a_broken_package_says_what_fails(monkeypatch, tmp_path, line):
    (tmp_path / "broken_package.py").write_text(line)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match=r"is installed but fails: .*(libav|no_such_part)"):
        optional("broken_package", "video", "video files")
