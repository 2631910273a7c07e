"""Run all benchmarks and write their tables to docs/performance.md.

    python benchmarks/run.py [--quick] [--only NAME ...] [--threads N]

Only the sections of these scripts are replaced; whatever else is in the file stays. With --quick
nothing is written: it shows that everything runs.
"""

from __future__ import annotations

import argparse
import datetime
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from common import machine

HERE = Path(__file__).parent
PAGE = HERE.parent / "docs" / "performance.md"
SECTIONS = {
    "engine": "Against a plain port, on the CPU",
    "kernels": "Kernels on the CPU",
    "scaling": "Size of frames, length of movies",
    "first_frame": "Waiting for a frame",
    "memory": "Memory of exports",
    "measuring": "Measuring",
    "terabyte": "A movie of terabytes",
    "cuda": "CUDA",
}
HEAD = """# Performance

Measured numbers only, by the scripts in [benchmarks](../benchmarks/README.md); `python
benchmarks/run.py` writes its sections anew. Seconds depend on the machine and on what else runs
there; ratios are of works that took turns in one run.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes; writes nothing")
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--date", default=datetime.date.today().isoformat())
    given = parser.parse_args()
    for name in given.only:
        print(f"== {name}: {SECTIONS[name]}", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            found = Path(folder, "rows.json")
            argv = [sys.executable, "-W", "ignore", str(HERE / f"{name}.py"), "--json", str(found)]
            argv += ["--threads", str(given.threads)] + ["--quick"] * given.quick
            subprocess.run(argv, check=True)
            content = json.loads(found.read_text())
        if not given.quick:
            write(name, section(name, content, given.date))


def section(name: str, content: dict, date: str) -> str:
    lines = [f"## {SECTIONS[name]}", "", f"`benchmarks/{name}.py`, {date}. {machine()}.", ""]
    if content["rows"]:
        lines.append("| " + " | ".join(content["columns"]) + " |")
        lines.append("|" + "---|" * len(content["columns"]))
        lines += ["| " + " | ".join(row) + " |" for row in content["rows"]]
        lines.append("")
    lines += [f"- {note}" for note in content["notes"]]
    return "\n".join(lines).rstrip()


def write(name: str, text: str) -> None:
    """Put a section between its marks in the page, or at the end of it."""
    begin, end = f"<!-- {name}: written by benchmarks/run.py -->", f"<!-- end of {name} -->"
    page = PAGE.read_text() if PAGE.is_file() else HEAD
    block = f"{begin}\n{text}\n{end}"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    if pattern.search(page):
        page = pattern.sub(lambda _: block, page)
    else:
        page = f"{page.rstrip()}\n\n{block}\n"
    PAGE.write_text(page)


if __name__ == "__main__":
    main()
