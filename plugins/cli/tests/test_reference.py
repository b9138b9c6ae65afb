"""The reference of the command line, held against the commands."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer

from actium import Actium
from actium.event_hub.worker import Worker
from actium_cli import options
from actium_cli.command_tree import OWN_COMMANDS
from actium_cli.commands import worker
from actium_cli.root import app

Call = Callable[..., Any]


def leaves() -> list[list[str]]:
    """The names of all commands of Actium's own."""
    tree: Any = typer.main.get_command(app)
    context = tree.make_context("actium", [], resilient_parsing=True)
    found: list[list[str]] = []
    for name in OWN_COMMANDS:
        children = getattr(tree.get_command(context, name), "commands", None)
        found += [[name]] if children is None else [[name, child] for child in children]
    return found


def test_the_reference_tells_every_command_as_it_is() -> None:
    """The page is what `write_reference.py` writes now."""
    script = Path(__file__).with_name("write_reference.py")
    done = subprocess.run([sys.executable, str(script), "--check"], check=False)
    assert done.returncode == 0, f"Run {script.name} to write the page anew."


@pytest.mark.parametrize("names", leaves(), ids=" ".join)
def test_every_command_has_help_and_the_common_options(actium: Call, names: list[str]) -> None:
    """The help of each command says what it does, explains each option, and names the common ones."""
    shown = actium(*names, "--help").stdout
    words = " ".join(shown.split())
    for option in ("--json", "--store", "--project", "--debug"):
        assert option in words
    assert re.search(r"Usage: actium .*? [A-Z][a-z]+.*?[.]", words)


def test_defaults_are_those_of_the_application() -> None:
    """The command line repeats the defaults of the application, so as not to import it; they are the same."""
    from actium.app.application import DEFAULT_STORE
    from actium.models.base import DEFAULT_PROJECT

    assert (options.DEFAULT_STORE, options.DEFAULT_PROJECT) == (DEFAULT_STORE, DEFAULT_PROJECT)


def test_defaults_are_those_of_a_worker() -> None:
    """A worker of the command line works as one in Python, unless told otherwise."""
    taken = inspect.signature(Actium.worker).parameters
    assert taken["concurrency"].default == worker.DEFAULT_CONCURRENCY
    assert taken["poll_interval"].default == worker.DEFAULT_POLL
    assert taken["lease"].default == worker.DEFAULT_LEASE
    assert inspect.signature(Worker.stop).parameters["grace"].default == worker.DEFAULT_GRACE


def test_options_come_from_the_environment(process: Call) -> None:
    """ACTIUM_STORE and ACTIUM_PROJECT stand in for --store and --project, which are stronger."""
    variables = {"ACTIUM_STORE": "sqlite:///one.db", "ACTIUM_PROJECT": "p"}
    process("account", "create", "a", **variables)
    assert process("account", "list", "--store", "sqlite:///one.db", "--project", "p", "--json").json["total"] == 1
    assert process("account", "list", "--project", "q", "--json", **variables).json["total"] == 0


def test_the_version_is_told(actium: Call) -> None:
    """--version tells the version of the distribution."""
    from actium_cli import __version__

    assert actium("--version").stdout == f"actium {__version__}\n"
