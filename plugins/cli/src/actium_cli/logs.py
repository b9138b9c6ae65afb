"""What Actium logs while a command runs: warnings in a line each, and everything when debugging."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_SHORT = "%(levelname)s: %(message)s"
_LONG = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class _OnStderr(logging.StreamHandler[TextIO]):
    """Writes to what is standard error at the moment, so that lines stand above a progress bar and not in it."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


@contextmanager
def logs_shown(*, debug: bool) -> Iterator[None]:
    """Show on standard error what Actium logs."""
    logger = logging.getLogger("actium")
    handler, level = _OnStderr(), logger.level
    handler.setFormatter(logging.Formatter(_LONG if debug else _SHORT))
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG if debug else logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)


@contextmanager
def without_warnings(name: str) -> Iterator[None]:
    """Leave out warnings that the command itself tells, unless everything is shown."""
    logger = logging.getLogger(name)
    level = logger.level
    if logger.getEffectiveLevel() > logging.DEBUG:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
