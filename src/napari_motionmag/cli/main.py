"""The command line: ``napari-motionmag COMMAND``; a file here with `add_command` is a command.

Only what a command needs is imported, when it runs: ``--help`` appears at once.
"""

from __future__ import annotations

import argparse
import dis
import os
import re
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType

from napari_motionmag import cli
from napari_motionmag.compute.validate import error_text
from napari_motionmag.compute.versions import PACKAGE as PROGRAM
from napari_motionmag.compute.versions import version_of

BAD_INPUT, FAILURE, INTERRUPTED = 2, 1, 130
# what users can correct, besides what our own checks refuse
_INPUT_ERRORS = (
    ImportError,
    FileNotFoundError,
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
    PermissionError,
)
_FAILURES = (OSError, RuntimeError, MemoryError)  # of the machine; all others are bugs
_SOURCE = Path(__file__).parents[1]
_IN_OPTIONS = (  # what functions call an argument in their messages, and its option
    (r"\bat must (say|be)\b", r"--at must \1"),
    (r"\bat=\{'(\w)': (\d+)\}; got None", r"--at \1=\2"),
    (r"\bpass axes\b", "pass --axes"),
    (r"\bfps is (missing|needed)\b", r"--fps is \1"),
    (r"\b(give|pass) fps\b", r"\1 --fps"),
    (r"\bplayback_fps\b", "--playback-fps"),
    (r"\btry brightness=True", "try brightness=True in a script"),
)


class _Parser(argparse.ArgumentParser):
    """Reports errors in one line, and takes frames counted from the end for values."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        # as -3: and, in all versions of Python, -1e-3, too
        self._negative_number_matcher = re.compile(r"-(\d+:-?\d*|(\d+\.?|\d*\.\d+)(e[-+]?\d+)?)$")

    def error(self, message: str):
        self.exit(BAD_INPUT, f"{self.prog}: error: {message} (see --help)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line, by default with the arguments of the process; return the exit code.

    That is 0, 1 when something failed, 2 for wrong usage or input, 130 for Ctrl-C.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    run, debug = _command(argv)
    with _one_line_warnings(debug), _termination_as_exit():
        try:
            return int(run() or 0)
        except KeyboardInterrupt:
            return _report("interrupted", INTERRUPTED, debug)
        except BrokenPipeError:
            # the reader of our output is gone, as with head: nothing is wrong
            sys.stderr.close()
            return 0
        except Exception as error:
            if isinstance(error, _INPUT_ERRORS) or _is_refusal(error):
                return _report(f"error: {error_text(error)}", BAD_INPUT, debug)
            trace = debug or not isinstance(error, _FAILURES)
            hint = "" if trace else " (--debug shows where)"
            text = f"error: {type(error).__name__}: {error_text(error)}{hint}"
            return _report(text, FAILURE, trace)


def _is_refusal(error: Exception) -> bool:
    """Whether a ``raise`` statement of this package raised the error: a check, and not a bug."""
    if not isinstance(error, ValueError | TypeError):
        return False
    trace = error.__traceback__
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    ours = Path(code.co_filename).is_relative_to(_SOURCE)
    return ours and dis.opname[code.co_code[trace.tb_lasti]] == "RAISE_VARARGS"


def _report(message: str, code: int, trace: bool) -> int:
    if trace:
        traceback.print_exc()
    print(f"{PROGRAM}: {_one_line(message)}", file=sys.stderr)
    return code


def _one_line(message: str) -> str:
    """Return a message in one line, with arguments of functions named as options."""
    text = " ".join(message.split())
    for argument, option in _IN_OPTIONS:
        text = re.sub(argument, option, text)
    return text


def _command(argv: list[str]) -> tuple[Callable[[], int | None], bool]:
    """Return what to run, and whether tracebacks are wanted."""
    commands = _commands()
    command = commands.get(argv[0]) if argv else None
    if hasattr(command, "main"):  # it has a parser of its own
        rest = [argument for argument in argv[1:] if argument != "--debug"]
        return lambda: command.main(rest), "--debug" in argv
    arguments = _parser(commands.values()).parse_args(argv)
    return lambda: arguments.run(arguments), arguments.debug


def _commands() -> dict[str, ModuleType]:
    """Return the files of this folder that are commands, by name."""
    names = [file.name for file in iter_modules(cli.__path__) if file.name != "main"]
    modules = {name: import_module(f"{cli.__name__}.{name}") for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, "add_command")}


def _parser(modules: Iterable[ModuleType]) -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--debug", action="store_true", help="show the traceback of an error")
    parser = _Parser(
        prog=PROGRAM,
        description="Magnify motions in movies that are too small to see.",
        epilog=f"'{PROGRAM} COMMAND --help' explains a command.",
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {version_of()}")
    commands = parser.add_subparsers(
        title="commands", metavar="COMMAND", required=True, parser_class=_Parser
    )
    for module in modules:
        module.add_command(commands, common)
    return parser


@contextmanager
def _one_line_warnings(debug: bool) -> Iterator[None]:
    shown = set()  # whatever filters are changed meanwhile, which lets Python show them again

    def show(message, category, filename, lineno, file=None, line=None):
        text = _one_line(str(message))
        if text not in shown:
            shown.add(text)
            print(f"{PROGRAM}: warning: {text}", file=sys.stderr)

    with warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter("default", UserWarning)
        if not debug:
            warnings.showwarning = show
        yield


@contextmanager
def _termination_as_exit() -> Iterator[None]:
    """Let the signals that end a program unwind it, so that unfinished files are removed."""

    def leave(number, frame):
        raise SystemExit(128 + number)

    def send_again(unraisable):
        # what a handler raises within a callback of a weak reference or a finalizer is lost there
        error = unraisable.exc_value
        if isinstance(error, KeyboardInterrupt):
            number = signal.SIGINT
        else:
            number = ends.get(getattr(error, "code", None))
        if number is None:
            usual(unraisable)
        else:
            threading.Timer(0.05, os.kill, (os.getpid(), number)).start()

    replaced, ends = {}, {}
    usual = sys.unraisablehook
    if threading.current_thread() is threading.main_thread():
        # a batch system sends SIGTERM, a terminal that is closed SIGHUP, which nohup ignores
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                replaced[number] = signal.signal(number, leave)
                ends[128 + number] = number
        sys.unraisablehook = send_again
    try:
        yield
    finally:
        sys.unraisablehook = usual
        for number, handler in replaced.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    sys.exit(main())
