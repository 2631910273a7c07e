"""What is run before a release, each in an environment of its own: ``nox -l`` lists it."""

from pathlib import Path

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["tests-3.12", "docs", "package"]
PYTHONS = ("3.11", "3.12", "3.13", "3.14")

# A lower bound that another package raises is never tested, and so not true.
AT_LOWEST = """
import sys
from importlib.metadata import requires, version
from packaging.requirements import Requirement

bounds = [Requirement(line) for line in requires("napari-motionmag")]
bounds = [one for one in bounds if one.specifier and "docs" not in str(one.marker)]
installed = {one: version(one.name) for one in bounds}
sys.exit("\\n".join(
    f"lowest version of {one} is {version}: raise the bound in pyproject.toml"
    for one, version in installed.items()
    if not Requirement(f"x{str(one.specifier).replace('>=', '==')}").specifier.contains(version)
) or 0)
"""


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests with the latest versions of everything."""
    session.install("-e", ".[test]")
    session.run("pytest", *session.posargs)


@nox.session(python="3.11", venv_backend="uv")
def lowest(session: nox.Session) -> None:
    """Run the tests with the lowest versions that pyproject.toml allows."""
    session.install("--resolution", "lowest-direct", "-e", ".[test]")
    session.run("python", "-c", AT_LOWEST)
    session.run("pytest", *session.posargs)


@nox.session
def docs(session: nox.Session) -> None:
    """Build the site; a warning is an error. Check links and pictures within the site."""
    session.install("-e", ".[docs]")
    session.run("sphinx-build", "-W", "--keep-going", "docs", "build/site", *session.posargs)
    session.run("python", "docs/check_site.py", "build/site")


@nox.session
def linkcheck(session: nox.Session) -> None:
    """Check links to other sites, which needs a network."""
    session.install("-e", ".[docs]")
    session.run("sphinx-build", "-b", "linkcheck", "docs", "build/linkcheck", *session.posargs)


@nox.session
def package(session: nox.Session) -> None:
    """Build wheel and source archive, and check them, the metadata and the conda recipe."""
    session.install("build", "twine", "check-wheel-contents", "cffconvert", "py-rattler-build")
    out = session.create_tmp()
    session.run("python", "-m", "build", "--outdir", out)
    files = [str(path) for path in Path(out).iterdir()]
    session.run("twine", "check", "--strict", *files)
    session.run("check-wheel-contents", *[file for file in files if file.endswith(".whl")])
    session.run("cffconvert", "--validate")
    render = "import rattler_build as r; r.Stage0Recipe.from_file('recipe/recipe.yaml').render()"
    session.run("python", "-c", render)
