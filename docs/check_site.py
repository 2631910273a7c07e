"""Check the built site: every link, anchor and picture within it leads somewhere.

``python docs/check_site.py build/site`` prints what is dead and exits with 1. Links to other sites
are what ``sphinx-build -b linkcheck`` checks, where there is a network.
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The targets of a page: its anchors, and what it points to."""

    def __init__(self, text: str):
        super().__init__()
        self.anchors = {"", "top"}
        self.targets: list[str] = []
        self.bare_pictures: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Collect what this element names and what it points to."""
        found = dict(attributes)
        self.anchors |= {found[key] for key in ("id", "name") if found.get(key)}
        self.targets += [found[key] for key in ("href", "src", "poster") if found.get(key)]
        if tag == "img" and not found.get("alt"):
            self.bare_pictures.append(found.get("src") or "")


def dead(site: Path) -> list[str]:
    """Return a line for each link or picture of the site that leads nowhere."""
    files = [path for path in sorted(site.rglob("*.html")) if "_static" not in path.parts]
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in files}
    lines = []
    for path, page in pages.items():
        name = path.relative_to(site)
        lines += [f"{name}: picture without a description: {one}" for one in page.bare_pictures]
        for target in page.targets:
            link = urlsplit(target)
            if link.scheme or link.netloc:
                continue
            file = (path.parent / unquote(link.path)).resolve() if link.path else path.resolve()
            if not file.is_file():
                lines.append(f"{name}: no such file: {target}")
            elif file in pages and unquote(link.fragment) not in pages[file].anchors:
                lines.append(f"{name}: no such anchor: {target}")
    return lines


if __name__ == "__main__":
    if not (found := Path(sys.argv[1]).resolve()).is_dir():
        sys.exit(f"no site in {found}; build it first: sphinx-build -W docs {found}")
    sys.exit("\n".join(dead(found)) or 0)
