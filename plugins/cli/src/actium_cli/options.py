"""The options that every command takes, before it or after it: ``--store``, ``--json``, ``--trace`` and others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Annotated, Any

import typer

DEFAULT_STORE = "sqlite:///actium.db"
DEFAULT_PROJECT = "default"
PANEL = "Options of every command"

TRACE_METAVAR = "[=FILE|FILTER]"
TRACE_HELP = "Show what each plugin did, or write it to FILE: .json for Perfetto, .jsonl for a line a span, else trees."


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What holds for the command that runs.

    Attributes:
        store: The URL of the store.
        project: Where names are looked up.
        as_json: Whether to answer in JSON.
        debug: Whether to show tracebacks and what Actium logs.
        trace: What to trace, as ``ACTIUM_TRACE`` has it; None to heed that.
        log_json: Whether to log in JSON.
        blocked: Plugins and distributions that are not used.
    """

    store: str = DEFAULT_STORE
    project: str = DEFAULT_PROJECT
    as_json: bool = False
    debug: bool = False
    trace: str | None = None
    log_json: bool = False
    blocked: tuple[str, ...] = ()

    def overridden(self, given: dict[str, Any]) -> Options:
        """These options, with those that were given after the command's name."""
        return replace(self, **{name: value for name, value in given.items() if value not in {None, False}})


_DEFAULT = Options()
current: ContextVar[Options] = ContextVar("options", default=_DEFAULT)
"""The options of the command that runs."""


@contextmanager
def holding(options: Options) -> Iterator[None]:
    """Let options hold meanwhile."""
    token = current.set(options)
    try:
        yield
    finally:
        current.reset(token)


AFTER_THE_COMMAND: dict[str, Any] = {
    "store": Annotated[
        str | None, typer.Option("--store", metavar="URL", help="The store to use.", rich_help_panel=PANEL)
    ],
    "project": Annotated[
        str | None,
        typer.Option("--project", metavar="NAME", help="The project to work in.", rich_help_panel=PANEL),
    ],
    "as_json": Annotated[
        bool, typer.Option("--json", help="Answer in JSON.", show_default=False, rich_help_panel=PANEL)
    ],
    "debug": Annotated[
        bool,
        typer.Option("--debug", help="Show tracebacks and logs.", show_default=False, rich_help_panel=PANEL),
    ],
    "trace": Annotated[
        str | None,
        typer.Option("--trace", metavar=TRACE_METAVAR, help=TRACE_HELP, show_default=False, rich_help_panel=PANEL),
    ],
    "log_json": Annotated[
        bool,
        typer.Option("--log-json", help="Log in JSON, a line a record.", show_default=False, rich_help_panel=PANEL),
    ],
}
"""The types of the parameters that are added to every command, by the field of `Options` that they override."""
