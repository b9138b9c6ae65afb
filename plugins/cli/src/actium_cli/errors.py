"""Errors as the command line tells them, and the exit codes.

0: done. 1: failed, for whatever reason but a wrong command line. 2: the command line is wrong: an unknown option, a
missing argument, a value that cannot be read. 130: interrupted.
"""

from __future__ import annotations

import sys
import traceback
from typing import TYPE_CHECKING

from actium.errors import ActiumError, FieldProblem, InvalidInputError

if TYPE_CHECKING:
    from rich.console import RenderableType

FAILED = 1
INTERRUPTED = 130


def exit_code_of(error: BaseException) -> int:
    """The exit code that an error ends a command with."""
    return INTERRUPTED if isinstance(error, KeyboardInterrupt) else FAILED


def tell(error: BaseException, *, debug: bool) -> None:
    """Tell an error on standard error, with its traceback only when debugging."""
    from actium_cli.output import show, stderr_console

    if debug:
        traceback.print_exception(error, file=sys.stderr)
    console = stderr_console()
    for part in _parts(error, debug=debug):
        show(console, part)


def _parts(error: BaseException, *, debug: bool) -> list[RenderableType]:
    notes = [_labelled("Note:", note, "dim") for note in getattr(error, "__notes__", ())]
    if isinstance(error, KeyboardInterrupt):
        return [_labelled("Interrupted.", "", "yellow"), *notes]
    parts = [_labelled("Error:", _message(error), "red")]
    if isinstance(error, InvalidInputError):
        parts += [_problem(problem) for problem in error.problems]
    parts += notes
    if (hint := _hint(error, debug=debug)) is not None:
        parts.append(_labelled("Hint:", hint, "cyan"))
    return parts


def _message(error: BaseException) -> str:
    return error.message if isinstance(error, ActiumError) else f"{type(error).__name__}: {_text(error)}"


def _text(error: BaseException) -> str:
    try:
        return str(error) or "(it says nothing)"
    except Exception as broken:
        return f"(its text cannot be shown: {type(broken).__name__})"


def _hint(error: BaseException, *, debug: bool) -> str | None:
    if isinstance(error, ActiumError):
        return error.hint
    return None if debug else "The same command with --debug shows where it comes from."


def _labelled(label: str, text: str, style: str) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1))
    grid.add_row(Text(label, style=f"bold {style}"), Text(text))
    return grid


def _problem(problem: FieldProblem) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    details = [
        f"{word} {value}"
        for word, value in (("got", problem.value), ("expected", problem.expected))
        if value is not None
    ]
    text = Text(problem.path or "(whole)", style="bold")
    text.append(f"  {problem.problem}", style="not bold")
    if details:
        text.append(f" ({', '.join(details)})", style="not bold dim")
    grid = Table.grid(padding=(0, 1))
    grid.add_row("  •", text)
    return grid
