"""What is distributed: code, two weights and texts; no training picture, nothing fetched."""

import ast
import json
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement

from napari_motionmag.io.formats.czi import read_czi

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
IN_PACKAGE = {".py", ".yaml", ".typed", ".svg"}
WEIGHTS = {"difference.safetensors", "oh2018.safetensors"}
TEXTS = {".py", ".md", ".toml", ".yaml", ".cff", ".txt", ".json", ".css", ".svg"}
PICTURES = {".png", ".webp"}
LARGEST_WHEEL, LARGEST_SOURCE = 8e6, 16e6  # bytes


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """Build wheel and source archive: (names in the wheel, names in the source, their sizes)."""
    out = tmp_path_factory.mktemp("dist")
    code = (
        "import sys; from hatchling import build; "
        "build.build_wheel(sys.argv[1]); build.build_sdist(sys.argv[1])"
    )
    subprocess.run([sys.executable, "-c", code, out], cwd=ROOT, check=True, timeout=120)
    (wheel,), (source,) = out.glob("*.whl"), out.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = archive.namelist()
    with tarfile.open(source) as archive:
        in_source = [m.name.split("/", 1)[1] for m in archive.getmembers() if m.isfile()]
    return in_wheel, in_source, (wheel.stat().st_size, source.stat().st_size)


def test_the_wheel_is_code_and_our_two_weights(archives):
    package = [Path(n) for n in archives[0] if n.startswith("napari_motionmag/")]
    other = [path for path in package if path.suffix not in IN_PACKAGE]
    assert {path.name for path in other} == WEIGHTS
    rest = {n.split("/")[0] for n in archives[0]} - {"napari_motionmag"}
    assert [name.rsplit(".", 1)[1] for name in rest] == ["dist-info"]
    assert any(n.endswith("licenses/LICENSE") for n in archives[0])
    here = {p.relative_to(ROOT / "src") for p in (ROOT / "src").rglob("*.py")}
    assert here == {path for path in package if path.suffix == ".py"}


def test_the_source_has_no_picture_but_those_of_the_documentation(archives):
    files = [Path(name) for name in archives[1]]
    unknown = [
        path
        for path in files
        if path.suffix not in TEXTS
        and path.name not in {"LICENSE", "PKG-INFO", ".gitignore", "py.typed", *WEIGHTS}
        and not (path.suffix in PICTURES and path.parts[:2] == ("docs", "pictures"))
    ]
    assert unknown == []


def test_every_picture_of_the_documentation_is_drawn_by_a_script():
    scripts = " ".join(path.read_text() for path in (ROOT / "docs").glob("make_*.py"))
    for path in (ROOT / "docs" / "pictures").rglob("*.*"):
        assert path.stem == "evaluation" or f'"{path.stem}"' in scripts, path.name


def test_archives_are_small(archives):
    wheel, source = archives[2]
    assert wheel < LARGEST_WHEEL
    assert source < LARGEST_SOURCE


def test_the_version_is_the_same_everywhere():
    from napari_motionmag import __version__

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    recipe = yaml.safe_load((ROOT / "recipe" / "recipe.yaml").read_text(encoding="utf-8"))
    assert citation["version"] == recipe["context"]["version"] == __version__
    assert citation["license"] == recipe["about"]["license"] == PROJECT["license"]
    zenodo = json.loads((ROOT / ".zenodo.json").read_text(encoding="utf-8"))
    assert zenodo["license"] == PROJECT["license"]
    assert [one["name"] for one in zenodo["creators"]] == [
        one["name"] for one in PROJECT["authors"]
    ]


def _requirements(lines) -> dict[str, str]:
    """Return the lowest version of each package."""
    found = (re.match(r"([\w.-]+)(?:\[[\w,-]+\])?\s*(?:>=([\d.]+))?", line) for line in lines)
    return {one[1].lower(): one[2] for one in found}


def test_the_conda_recipe_needs_what_the_package_needs():
    recipe = yaml.safe_load((ROOT / "recipe" / "recipe.yaml").read_text(encoding="utf-8"))
    names = {"torch": "pytorch", "dask": "dask-core"}
    needed = _requirements(PROJECT["dependencies"])
    needed = {names.get(name, name): lowest for name, lowest in needed.items()}
    needed["python"] = PROJECT["requires-python"].removeprefix(">=")
    assert _requirements(recipe["requirements"]["run"]) == needed


def test_third_party_notices_name_every_dependency():
    page = (ROOT / "docs" / "licenses.md").read_text(encoding="utf-8").lower()
    extras = PROJECT["optional-dependencies"]
    ours = [line for name in extras if name not in ("test", "docs") for line in extras[name]]
    for name in _requirements([*PROJECT["dependencies"], *ours]):
        assert name == PROJECT["name"] or f"| {name} |" in page, name


@pytest.mark.parametrize(
    ("python", "system", "machine", "installs"),
    [
        ((3, 11), "Linux", "x86_64", True),
        ((3, 13), "Windows", "AMD64", True),
        ((3, 13), "Darwin", "arm64", True),
        ((3, 13), "Linux", "aarch64", False),
        ((3, 14), "Linux", "x86_64", False),
        ((3, 14), "Windows", "AMD64", False),
    ],
)
def test_no_extra_is_named_where_it_installs_no_library(
    tmp_path, monkeypatch, python, system, machine, installs
):
    lines = PROJECT["optional-dependencies"]["formats"]
    (library,) = (Requirement(line) for line in lines if line.startswith("pylibCZIrw"))
    here = {
        "python_version": ".".join(map(str, python)),
        "platform_system": system,
        "platform_machine": machine,
    }
    assert library.marker.evaluate(here) is installs
    # as the metadata of the wheel have it
    library.marker = Marker(f"({library.marker}) and extra == 'formats'")
    monkeypatch.setattr("napari_motionmag.compute.optional.requires", lambda _: [str(library)])
    for module in ("pylibCZIrw", "pylibCZIrw.czi"):
        monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / "movie.czi").write_bytes(b"something")
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("platform.python_version_tuple", lambda: (*map(str, python), "0"))
    match = "pip install" if installs else rf"no wheel for Python {python[0]}\.{python[1]} on"
    with pytest.raises(ImportError, match=match):
        read_czi(tmp_path / "movie.czi")


def _imported() -> set[str]:
    """Return the top-level modules that the package imports, or names to `optional`."""
    found = set()
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(node.module)
            elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "optional":
                found.add(node.args[0].value)
    return {name.split(".")[0] for name in found} - sys.stdlib_module_names


def test_what_is_imported_is_declared_and_the_other_way_round():
    modules = {"pil": "pillow", "skimage": "scikit-image"}
    within = {"cycler": "matplotlib", "llvmlite": "numba", "napari_builtins": "napari"}
    extras = PROJECT["optional-dependencies"]
    ours = [line for name in extras if name not in ("test", "docs") for line in extras[name]]
    declared = {*_requirements(PROJECT["dependencies"]), *_requirements(ours)} - {PROJECT["name"]}
    imported = {name.lower() for name in _imported()} - {"napari_motionmag"}
    imported = {within.get(name, modules.get(name, name)) for name in imported}
    assert imported == declared - {"npe2"}  # whose version is that of the manifest
