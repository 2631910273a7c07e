"""Settings of the documentation: ``sphinx-build -W docs build/site``.

The package has to be installed: ``pip install -e '.[docs]'``.
"""

import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

import reference_pages  # noqa: E402

import napari_motionmag  # noqa: E402

# Public names that are modules elsewhere, documented under their public names.
for _name in ("presets", "recipes", "distributed"):
    sys.modules[f"napari_motionmag.{_name}"] = getattr(napari_motionmag, _name)

project = "napari-motionmag"
author = "The napari-motionmag developers"
copyright = f"2026, {author}"
version = release = napari_motionmag.__version__

extensions = [
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build", "conf.py"]

# Markdown. Pages that begin as notebooks are run; anchors of headings are as on code hosts.
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
copybutton_exclude = ".linenos, .gp, .go"

# Docstrings are numpydoc; names in single backticks become links where they are documented.
default_role = "py:obj"
autodoc_typehints = "none"
autodoc_preserve_defaults = True
autosummary_generate = True
numpydoc_class_members_toctree = False
numpydoc_show_class_members = False

# External addresses cannot be reached from every place that builds this site: `-b linkcheck`
# checks them where there is a network, `-b html -W` checks all links within the site.
linkcheck_timeout = 20
linkcheck_retries = 2
linkcheck_allowed_redirects = {r"https://doi\.org/.*": r"https://.*"}
linkcheck_ignore = [  # publishers who refuse programs
    r"https://doi\.org/10\.(1145|1109|1073)/.*",
]

html_theme = "pydata_sphinx_theme"
html_title = "napari-motionmag"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_theme_options = {
    "header_links_before_dropdown": 7,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "use_edit_page_button": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": ["theme-version"],
}
html_sidebars = {"index": [], "changelog": [], "gallery": []}

# Pages of this repository that lie outside of the folder `docs` -> their place on the site.
OUTSIDE = {
    "](README.md": "](index.md",
    "](CONTRIBUTING.md": "](contribute.md",
    "](../CONTRIBUTING.md": "](contribute.md",
    "](../benchmarks/README.md": "](benchmarks.md",
    "](../README.md": "](index.md",
    "](docs/": "](",
}


def _site_links(app, page: str, source: list[str]) -> None:
    """Point links between files of the repository to pages of the site."""
    for file, place in OUTSIDE.items():
        source[0] = source[0].replace(file, place)


def _other_pages(app, page: str, source: list[str]) -> None:
    """List pages that no other section lists under "How-to", so that a new file is enough."""
    if page == "how-to":
        source[0] = source[0].replace("(other pages)", "\n".join(reference_pages.unlisted(DOCS)))


def setup(app) -> None:
    """Write the generated pages and connect the hooks."""
    reference_pages.write(DOCS / "generated")
    app.connect("env-get-outdated", lambda *_: ["how-to"])  # other pages may have come
    app.connect("source-read", _site_links)
    app.connect("source-read", _other_pages)
    app.connect("include-read", lambda app, path, page, text: _site_links(app, page, text))
