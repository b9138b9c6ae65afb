"""Writes the reference of the command line from the commands themselves: ``python write_reference.py [--check]``."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from actium_cli.command_tree import OWN_COMMANDS
from actium_cli.options import AFTER_THE_COMMAND
from actium_cli.root import app

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "command-line.md"
MARK = "<!-- What follows is written by plugins/cli/tests/write_reference.py from the commands themselves. -->\n"
COMMON = {f"every_command_{field}" for field in AFTER_THE_COMMAND} | {"help"}


def reference() -> str:
    """The part of the page that is written from the commands."""
    tree = typer.main.get_command(app)
    context = tree.make_context("actium", [], resilient_parsing=True)
    lines: list[str] = []
    for name in OWN_COMMANDS:
        lines += section(tree.get_command(context, name), f"actium {name}", 2)
    return "\n".join(lines)


def section(command: Any, name: str, level: int) -> Iterator[str]:
    """The lines about a command, and those of a group about the commands in it."""
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    written = [argument.metavar if argument.required else f"[{argument.metavar}]" for argument in arguments]
    yield from (f"{'#' * level} `{' '.join([name, *written])}`", "")
    yield from (inspect.cleandoc(command.help or "").replace("``", "`"), "")
    rows = [(argument.metavar, argument.help) for argument in arguments]
    rows += [(spelled(option), option.help) for option in options if option.name not in COMMON]
    if rows:
        yield from ("| | |", "|---|---|")
        yield from (f"| `{spelling}` | {meaning} |" for spelling, meaning in rows)
        yield ""
    for child in getattr(command, "commands", {}).values():
        yield from section(child, f"{name} {child.name}", level + 1)


def spelled(option: Any) -> str:
    """How an option is written, e.g. ``-f``, ``--file FILE``."""
    names = "`, `".join([*option.opts, *option.secondary_opts])
    return names if option.metavar is None else f"{names} {option.metavar}"


def main() -> int:
    """Write the page, or with ``--check`` say whether it is as it should be."""
    page = PAGE.read_text(encoding="utf-8")
    head, mark, _ = page.partition(MARK)
    wanted = f"{head}{mark}\n{reference()}"
    if "--check" in sys.argv:
        return int(page != wanted)
    PAGE.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
