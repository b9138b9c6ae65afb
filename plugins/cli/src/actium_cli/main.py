"""The entry point of the command ``actium``."""

from __future__ import annotations

import typer

from actium_cli.root import app
from actium_cli.standard_output import give_up_stdout


def main() -> None:
    """Run the command line; ends the process with 0 (done), 1 (failed) or 2 (a wrong command line)."""
    command = typer.main.get_command(app)
    try:
        command(prog_name="actium")
    finally:
        give_up_stdout()
