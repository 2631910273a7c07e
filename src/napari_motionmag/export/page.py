"""An HTML page that needs no other file."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from html import escape

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1b1b; background: #fff;
  max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin-bottom: 0; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; border-bottom: 1px solid #ddd; }
.subtitle { color: #666; margin-top: .2rem; }
video { max-width: 100%; display: block; margin: 1rem auto; background: #000; }
figure { margin: 1.5rem 0; } figure img { max-width: 100%; }
figcaption { color: #444; font-size: .9rem; }
table { border-collapse: collapse; width: 100%; }
td { padding: .25rem .75rem .25rem 0; vertical-align: top; border-bottom: 1px solid #eee; }
td:first-child { color: #555; width: 16rem; } td { overflow-wrap: anywhere; }
pre { background: #f5f5f5; padding: 1rem; overflow-x: auto; font-size: .85rem; }
@media print { video, pre { break-inside: avoid; } }
"""


def embedded(content: bytes, kind: str) -> str:
    """Return content as an address that holds it."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def as_html(
    *,
    title: str,
    subtitle: str,
    film: str,
    tables: Mapping[str, Sequence[tuple[str, str]]],
    figures: Sequence[tuple[str, str]],
    script: str,
) -> str:
    """Return the page: a film, the first table, figures, the other tables, a script."""
    (first, rows), *others = tables.items()
    parts = [
        f"<h1>{escape(title)}</h1>\n<p class='subtitle'>{escape(subtitle)}</p>",
        f"<video src='{film}' controls autoplay loop muted playsinline></video>",
        _table(first, rows),
        *(
            f"<figure><img src='{picture}' alt='{escape(caption, quote=True)}'>"
            f"<figcaption>{escape(caption)}</figcaption></figure>"
            for picture, caption in figures
        ),
        *(_table(name, rows) for name, rows in others),
    ]
    if script:
        parts.append(f"<h2>Script</h2>\n<pre><code>{escape(script)}</code></pre>")
    body = "\n".join(parts)
    return (
        f"<!DOCTYPE html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
        "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _table(title: str, rows: Sequence[tuple[str, str]]) -> str:
    if not rows:
        return ""
    cells = "\n".join(
        f"<tr><td>{escape(key)}</td><td>{escape(text)}</td></tr>" for key, text in rows
    )
    return f"<h2>{escape(title)}</h2>\n<table>\n{cells}\n</table>"
