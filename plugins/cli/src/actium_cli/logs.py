"""What is logged while a command runs: warnings in a line each, everything of Actium when debugging, or as JSON."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import typer

from actium_cli.options import current

VARIABLE = "ACTIUM_LOG"

_SHORT = "%(levelname)s: %(message)s"
_LONG = "%(asctime)s %(levelname)s %(name)s%(where)s: %(message)s"


class _OnStderr(logging.StreamHandler[TextIO]):
    """Writes to what is standard error at the moment, so that lines stand above a progress bar and not in it."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


class _WithContext(logging.Formatter):
    """Tells of which execution a record is, where it is of one."""

    def format(self, record: logging.LogRecord) -> str:
        told = record.__dict__
        record.where = (
            f" [{told['action']} {told['execution_id'][:8]} {told['plugin']}]" if told["execution_id"] else ""
        )
        return super().format(record)


def is_json_asked_for() -> bool:
    """Whether the environment asks for JSON.

    Raises:
        typer.BadParameter: It asks for something else.
    """
    asked = os.environ.get(VARIABLE, "").lower()
    if asked not in {"", "text", "json"}:
        raise typer.BadParameter(f"{asked!r} is neither 'text' nor 'json'.", param_hint=VARIABLE)
    return asked == "json"


@contextmanager
def logs_shown(*, debug: bool, as_json: bool) -> Iterator[None]:
    """Show on standard error what is logged: of Actium what is worth it, of others what their levels let through."""
    from actium.logging import ExecutionContextFilter, JSONFormatter

    root, ours = logging.getLogger(), logging.getLogger("actium")
    handler, level = _OnStderr(), ours.level
    handler.addFilter(ExecutionContextFilter())
    handler.setFormatter(JSONFormatter() if as_json else _WithContext(_LONG if debug else _SHORT))
    root.addHandler(handler)
    ours.setLevel(logging.DEBUG if debug else logging.WARNING)
    try:
        yield
    finally:
        ours.setLevel(level)
        root.removeHandler(handler)


@contextmanager
def without_warnings(name: str) -> Iterator[None]:
    """Leave out warnings that the command itself tells, unless everything is shown, or programs read the log."""
    logger = logging.getLogger(name)
    level = logger.level
    if logger.getEffectiveLevel() > logging.DEBUG and not current.get().log_json:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
