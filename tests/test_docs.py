"""The code of the README and of the documentation runs, and what they refer to is there.

Notebook pages run when the site is built. Python blocks of other pages run one after the other, in
a folder of small movies. Command lines are parsed by the program's own parser; those that need
nothing but a movie are run, too.
"""

import re
import shlex
import shutil
import subprocess
import sys
import textwrap
import tomllib
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import tifffile

import napari_motionmag
from napari_motionmag import export, io, samples, temporal, views
from napari_motionmag.cli import main as cli

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^ *```", re.M | re.S)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
OTHER_SITE = re.compile(r"https?:[^]\s)>\"'`}\\]+")
# all forms of links to other sites; whether they lead somewhere, only a network can tell
OTHER_SITES = re.compile(
    r"https://(napari\.org|arxiv\.org/abs/\d{4}\.\d{5}|doi\.org/10\.\d{4}/[\w./-]*\w"
    r"|github\.com/[\w-]+/[\w-]+)"
)
FRAMES = 24  # of samples that a block loads without saying how many
# what a block needs and a test machine has not -> what stands for it
STAND_INS = {'device="cuda"': 'device="cpu"', '"/shared/': '"', '"/data/': '"'}
OTHER_PROGRAMS = {"apt-get", "nox", "pre-commit", "pytest", "python3", "ruff", "sphinx-build"}


def blocks(page: Path, *languages: str) -> list[str]:
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [textwrap.dedent(code) for _, language, code in found if language in languages]


def pages_with(*languages: str):
    pages = [p for p in PAGES if not p.read_text(encoding="utf-8").startswith("---")]
    return [pytest.param(p, id=p.stem) for p in pages if blocks(p, *languages)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Go to a folder with the movies that the pages name."""
    monkeypatch.chdir(tmp_path)
    frames, _ = samples.load("beating_cell", size=64, n_frames=12)
    for name in (
        "movie.tif",
        "in.tif",
        "film.ome.tif",
        "cilia.ome.tif",
        "movie.zarr",
        "movies/cell.tif",
    ):
        Path(name).parent.mkdir(exist_ok=True)
        io.save_movie(name, frames, axes="TYX", fps=600)
    tifffile.imwrite("painted.tif", np.pad(np.ones((32, 32), np.uint8), 16))
    return tmp_path


def _short_samples(monkeypatch):
    load = samples.load

    def short(name, **overrides):
        return load(name, **{"n_frames": FRAMES} | overrides)

    monkeypatch.setattr(samples, "load", short)


def _cluster(monkeypatch, request):
    """Let one worker in this process stand for clusters, and for packages that make them."""
    from distributed import Client, LocalCluster

    from napari_motionmag.compute import cluster

    one = LocalCluster(n_workers=1, processes=False, dashboard_address=None)

    @request.addfinalizer
    def close():
        with suppress(TimeoutError):  # the thread of its loop ends late on a busy machine
            one.close()

    @contextmanager
    def stand_in(*_, **__):
        yield one

    @contextmanager
    def connected(*_, **__):
        with Client(one) as client:
            yield client

    monkeypatch.setattr(cluster, "connected", connected)
    monkeypatch.setattr(one, "scale", lambda *_, **__: None)
    for module, name, make in (
        ("dask_jobqueue", "SLURMCluster", lambda *_, **__: one),
        ("dask_cuda", "LocalCUDACluster", stand_in),
    ):
        package = ModuleType(module)
        setattr(package, name, make)
        monkeypatch.setitem(sys.modules, module, package)


def _viewer(make):
    """Return a viewer with the layers that the pages name."""
    from napari_motionmag import magnify_layer

    viewer = make()
    frames, _ = samples.load("beating_cell", size=64, n_frames=12)
    for name in ("film", "control", "cell"):
        viewer.add_image(frames, name=name)
    viewer.add_layer(magnify_layer(viewer.layers["cell"], 10))
    viewer.layers[-1].name = "x10 cell learned static"
    viewer.add_labels(np.ones(frames.shape[1:], int), name="Labels")
    return viewer


@pytest.mark.parametrize("page", pages_with("python"))
def test_python_blocks_run(page, folder, monkeypatch, request):
    import matplotlib
    import napari
    from napari.components import ViewerModel

    matplotlib.use("agg")
    codes = blocks(page, "python")
    words = set(re.findall(r"\w+", " ".join(codes)))
    _short_samples(monkeypatch)
    names = {"__name__": "__main__"}
    if words & {"Viewer", "viewer", "layer"}:
        request.getfixturevalue("plain_napari")
        make = ViewerModel  # without a window, unless a page looks at one
        if words & {"Viewer", "window"}:
            make = request.getfixturevalue("make_napari_viewer")
            monkeypatch.setattr(napari, "Viewer", make)
            monkeypatch.setattr(napari, "run", lambda: None)
        if "Viewer" not in words:
            names["viewer"] = _viewer(make)
            names["layer"] = names["viewer"].layers["cell"]
    if words & {"connected", "SLURMCluster", "LocalCUDACluster"}:
        _cluster(monkeypatch, request)
    if "movie" in words:
        names["movie"] = samples.load("beating_cell", size=64, n_frames=12)[0]
    for code in codes:
        for what, stand_in in STAND_INS.items():
            code = code.replace(what, stand_in)
        before = set(folder.iterdir())
        exec(compile(code, str(page), "exec"), names)
        for output in set(folder.iterdir()) - before:
            shutil.rmtree(output) if output.is_dir() else output.unlink()


def command_lines(page: Path) -> list[list[str]]:
    text = "\n".join(blocks(page, "bash", "console", "shell")).replace("\\\n", " ")
    commands = (part for line in text.splitlines() for part in line.split("&&"))
    return [words for words in (shlex.split(c, comments=True) for c in commands) if words]


@pytest.mark.parametrize("page", pages_with("bash", "console", "shell"))
def test_command_lines_are_understood(page, folder, capsys):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = set(project["optional-dependencies"])
    for words in command_lines(page):
        if words[0] == ".":
            continue
        if words[0] == "pip":
            asked = re.findall(r"(?:napari-motionmag|\.)\[([\w,]+)\]", " ".join(words))
            assert set(",".join(asked).split(",")) - {""} <= extras, words
        elif any(word.endswith(".py") for word in words[1:2]):
            assert (ROOT / words[1]).is_file(), words
        elif words[0] == "napari-motionmag":
            _check_command(words[1:])
        else:
            assert words[0] in OTHER_PROGRAMS, words


def _check_command(words: list[str]) -> None:
    if words[0] == "train":
        from napari_motionmag.training import train

        train.parser().parse_args(words[1:])
        return
    arguments = cli._parser(cli._commands().values()).parse_args(words)
    alone = not {"--workers", "--scheduler", "--model", "--preset"} & set(words)
    movies = [word for word in words[1:] if Path(word).exists()]
    if (words[0] in ("magnify", "info") and movies and alone) or words[0] == "presets":
        if getattr(arguments, "output", None):
            assert not Path(arguments.output).exists()
        assert cli.main([*words, "--overwrite"] if words[0] == "magnify" else words) == 0, words


@pytest.mark.parametrize("page", [pytest.param(p, id=p.stem) for p in PAGES])
def test_links_to_files_lead_somewhere(page):
    for target in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in target or target.startswith("generated/"):
            continue
        assert (page.parent / target).exists(), f"{page.name}: {target}"


ANCHOR = re.compile(r"\]\(([^)#\s]*)#([^)\s]+)\)")


@pytest.mark.parametrize("page", [pytest.param(p, id=p.stem) for p in PAGES])
def test_links_to_headings_lead_somewhere(page):
    for target, anchor in ANCHOR.findall(page.read_text(encoding="utf-8")):
        file = page.parent / target if target else page
        if "://" in target or target.startswith("generated/") or target == "api.md":
            continue
        headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), re.M)
        slugs = {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}
        assert anchor in slugs, f"{page.name}: {target}#{anchor}"


def test_dead_links_of_the_site_are_found(tmp_path):
    done = _check_site(tmp_path, '<h2 id="a">A</h2><a href="#a">A</a><a href="other.html#b">B</a>')
    assert done.returncode == 1
    assert done.stderr.split("\n")[:-1] == ["index.html: no such file: other.html#b"]
    (tmp_path / "other.html").write_text('<img src="c.png"><a href="https://napari.org">n</a>')
    assert sorted(_check_site(tmp_path).stderr.split("\n")[:-1]) == [
        "index.html: no such anchor: other.html#b",
        "other.html: no such file: c.png",
        "other.html: picture without a description: c.png",
    ]
    (tmp_path / "c.png").touch()
    (tmp_path / "other.html").write_text('<p id="b"><img src="c.png" alt="a c"></p>')
    assert _check_site(tmp_path).returncode == 0


def _check_site(site: Path, index: str | None = None) -> subprocess.CompletedProcess:
    if index is not None:
        (site / "index.html").write_text(index)
    command = [sys.executable, ROOT / "docs" / "check_site.py", site]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


FILE = re.compile(r"`((?:src|tests|docs|benchmarks|recipe)/[\w./-]+)`")


def test_files_that_pages_name_are_there():
    pages = [*PAGES, ROOT / "benchmarks" / "README.md"]
    named = {(p.name, f) for p in pages for f in FILE.findall(p.read_text(encoding="utf-8"))}
    assert len(named) > 40
    assert [one for one in sorted(named) if not (ROOT / one[1]).exists()] == []


def test_tests_that_pages_name_are_there():
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    defined = set(re.findall(r"^def (test_\w+)", code, re.M))
    defined |= {path.stem for path in (ROOT / "tests").rglob("test_*.py")}
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    named = set(re.findall(r"`(test_\w+?)(?:\.py)?`", text))
    assert len(named) > 40
    assert named - defined == set()


def test_links_to_other_sites_are_well_formed():
    files = [*PAGES, ROOT / "CITATION.cff", ROOT / "pyproject.toml", ROOT / ".zenodo.json"]
    files += [p for end in ("py", "yaml") for p in (ROOT / "src").rglob(f"*.{end}")]
    found = {u for f in files for u in OTHER_SITE.findall(f.read_text(encoding="utf-8"))}
    assert len(found) > 10
    assert [link for link in sorted(found) if not OTHER_SITES.fullmatch(link)] == []
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    for doi in re.findall(r"doi: (\S+)", citation):  # the page and the file say the same
        assert f"https://doi.org/{doi}" in found


def test_every_public_name_is_in_the_reference():
    page = (ROOT / "docs" / "api.md").read_text()
    public = {f"views.{name}" for name in views.__all__}
    public |= {f"temporal.{name}" for name in temporal.__all__ if name not in ("MODES", "FILTERS")}
    public |= {f"{m.__name__.rsplit('.')[-1]}.{name}" for m in (export, io) for name in m.__all__}
    public |= {"magnify", "magnify_layer", "Movie", "samples.load"}
    listed = set(re.findall(r"^   ([\w.]+)$", page, re.M))
    assert public <= listed
    for name in listed:
        found = napari_motionmag
        for part in name.split("."):
            found = getattr(found, part)
        assert found.__doc__, name


@pytest.mark.parametrize("page", ["README.md", "docs/get-started.md"])
def test_the_gain_of_the_extra_fast_is_the_measured_one(page):
    measured = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    kernels = r"Kernels: oh2018 ([\d.]+), difference ([\d.]+) times as fast"
    gains = sorted(map(float, re.search(kernels, measured).groups()))
    text = " ".join((ROOT / page).read_text(encoding="utf-8").split())
    said = re.search(r"([\d.]+) to ([\d.]+) times as fast", text)
    assert [float(one) for one in said.groups()] == pytest.approx(gains, abs=0.1)


def test_each_page_is_in_one_table_of_contents():
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        import reference_pages
    finally:
        sys.path.pop(0)
    listed = [
        line.strip()
        for page in PAGES
        for table in reference_pages.TOCTREE.findall(page.read_text(encoding="utf-8"))
        for line in table.splitlines()
        if line.strip() and not line.startswith((":", "("))
    ]
    assert len(listed) == len(set(listed))
    assert all((ROOT / "docs" / f"{name}.md").exists() for name in listed if "/" not in name)
    others = reference_pages.unlisted(ROOT / "docs")
    assert not set(others) & set(listed)


@pytest.mark.parametrize(
    ("page", "answer"),
    [
        ("choosing", "up to which factor noise stays below 1 px"),
        ("noise", "what moves in the result is noise"),
        ("movies-for-talks", "--playback-fps"),
        ("scaling", "SLURMCluster"),
        ("cite", "CITATION.cff"),
    ],
)
def test_what_readers_ask_first_is_one_click_from_the_start_page(page, answer):
    assert f":link: {page}\n" in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    assert answer in " ".join(text.split())
