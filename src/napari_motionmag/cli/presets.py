"""``napari-motionmag presets``: the presets of ``magnify``, and what one sets and why."""

from __future__ import annotations

from napari_motionmag.magnification import presets


def add_command(commands, common) -> None:
    """Add the command ``presets``."""
    parser = commands.add_parser(
        "presets", parents=[common], help="list the presets of magnify, or explain one"
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="preset to explain")
    parser.set_defaults(run=lambda arguments: print(listing(arguments.name)))


def listing(name: str | None = None) -> str:
    """Return a table of all presets, or what one sets and why."""
    if name is not None:
        preset = presets.get(name)
        return f"{preset.title} ({preset.group})\n{preset.explanation}"
    all_ = [presets.get(name) for name in presets.NAMES]
    widths = [max(len(getattr(p, key)) for p in all_) for key in ("name", "summary")]
    tables = {}
    for p in all_:
        row = f"  {p.name:{widths[0]}}  {p.summary:{widths[1]}}  {p.title}"
        tables.setdefault(p.group, [p.group]).append(row)
    return "\n\n".join("\n".join(table) for table in tables.values())
