"""Write the pages of the reference that are generated: the command line and the settings."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

TOCTREE = re.compile(r"^```\{toctree\}\n(.*?)^```", re.M | re.S)


def write(folder: Path) -> None:
    """Write the pages into a folder; files that would not change are left alone."""
    folder.mkdir(exist_ok=True)
    for name, lines in {"command-line": command_line(), "settings": settings()}.items():
        path, text = folder / f"{name}.md", "\n".join(lines) + "\n"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def unlisted(docs: Path) -> list[str]:
    """Return the names of the pages that stand in no table of contents."""
    pages = {path.stem: path.read_text() for path in sorted(docs.glob("*.md"))}
    listed = {
        line.split("<")[-1].rstrip("> ")
        for text in pages.values()
        for block in TOCTREE.findall(text)
        for line in block.splitlines()
    }
    return [name for name in pages if name not in listed and name != "index"]


# ---- the command line ----


def command_line() -> Iterator[str]:
    """Describe every command as its parser does."""
    from napari_motionmag.cli import main
    from napari_motionmag.training import train

    parser = main._parser(main._commands().values())
    yield "# Command line\n"
    yield "This page is generated from the parser of `napari-motionmag`.\n"
    yield "`napari-motionmag COMMAND --help` prints the same.\n"
    for name, command, summary in _commands_of(parser):
        if name == "train":
            command = train.parser()
        yield f"## {name}\n"
        yield f"{_capital(summary)}.\n"
        yield from _command(command, name)
        for action, nested, text in _commands_of(command):
            yield f"### {name} {action}\n"
            yield f"{_capital(text)}.\n"
            yield from _command(nested, f"{name} {action}")


def _commands_of(parser) -> Iterator[tuple[str, argparse.ArgumentParser, str]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for choice in action._choices_actions:
                yield choice.dest, action.choices[choice.dest], choice.help or ""


def _command(parser: argparse.ArgumentParser, name: str) -> Iterator[str]:
    parser.prog = f"napari-motionmag {name}"
    yield f"```text\n{parser.format_usage().strip()}\n```\n"
    if parser.description and "\n" not in parser.description:
        yield f"{parser.description.strip()}\n"
    for group in parser._action_groups:
        actions = [a for a in group._group_actions if _is_described(a)]
        if not actions:
            continue
        yield f"**{_capital(group.title or '')}**\n"
        for action in actions:
            yield f"{_signature(parser, action)}\n: {_help(parser, action)}\n"
    if parser.epilog:
        yield f"```text\n{parser.epilog.strip()}\n```\n"


def _is_described(action: argparse.Action) -> bool:
    return not isinstance(action, argparse._HelpAction | argparse._SubParsersAction)


def _signature(parser, action: argparse.Action) -> str:
    values = parser._get_formatter()._format_args(action, action.dest.upper())
    if not action.option_strings:
        return f"`{values}`"
    return ", ".join(
        f"`{option} {values}`" if values else f"`{option}`" for option in action.option_strings
    )


def _help(parser, action: argparse.Action) -> str:
    text = parser._get_formatter()._expand_help(action) if action.help else ""
    return " ".join(_escape(text).split())


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _escape(text: str) -> str:
    return re.sub(r"([|*_<>\[\]`])", r"\\\1", text)


# ---- settings ----


def settings() -> Iterator[str]:
    """List the options of methods, the temporal filters, the presets and the samples."""
    from napari_motionmag import presets, samples, temporal
    from napari_motionmag.methods.option_field import options_of
    from napari_motionmag.methods.options import METHOD_CLASSES, STABILISE

    yield "# Settings\n"
    yield "This page is generated from the declarations in the source."
    yield "The arguments of `magnify` itself are described with the function: [API](../api.md).\n"
    yield "## Options of the methods\n"
    yield 'In a script they are keywords, `magnify(..., method="phase", pyramid="octave")`, on the'
    yield "command line `--option pyramid=octave`, in the dock they stand under *Method options*.\n"
    for name, declared in METHOD_CLASSES.items():
        yield f"### {name}: {declared.label}\n"
        yield from _options(options_of(declared))
    yield "## Large motion\n"
    yield "Fields of `stabilise={...}`, or `--stabilise-option NAME=VALUE`;"
    yield "[what it does](../classical.md#large-motion).\n"
    yield from _options(STABILISE)
    yield "## Temporal filters\n"
    yield 'Of mode `temporal`, with a band in Hz: `filter="..."`, `--filter ...`.\n'
    yield "| name | in the dock | what it passes |\n|---|---|---|"
    for name, operator in temporal.filters().items():
        yield f"| `{name}` | {operator.label} | {_escape(operator.summary)} |"
    yield "\n## Presets\n"
    yield "[What a preset sets, and how to use one](../presets-and-scripts.md).\n"
    yield "| name | sets | for |\n|---|---|---|"
    for name in presets.NAMES:
        preset = presets.get(name)
        yield f"| `{name}` | {_escape(preset.summary)} | {_escape(preset.title)} ({preset.group}) |"
    yield "\n## Samples\n"
    yield "`samples.load(NAME)`, `napari-motionmag demo NAME`, *File > Open Sample*;"
    yield "[the gallery](../gallery.md) shows them.\n"
    yield "| name | title | what moves |\n|---|---|---|"
    for name in samples.NAMES:
        sample = samples.find_sample(name)
        yield f"| `{name}` | {_escape(sample.title)} | {_escape(sample.description)} |"


def _options(options) -> Iterator[str]:
    yield "| option | allowed | default | what it does |\n|---|---|---|---|"
    for one in options:
        default = one.none if one.default is None else f"`{one.default}`"
        yield f"| `{one.name}` | {_escape(one.allowed)} | {default} | {_escape(one.help)} |"
    yield ""
