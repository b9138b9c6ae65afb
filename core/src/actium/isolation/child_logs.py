"""The log records of a run in another process: made there, and handled here as if they had been made here.

The child has no handlers of its own. Where loggers are quiet in the parent, they are quiet there too, and what they let
through is sent as text, without secrets, and handed to the parent's logger of the same name.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from actium.logging import ExecutionContext, ExecutionContextFilter, logging_for
from actium.tracing.limits import FULL
from actium.tracing.masking import TraceMask
from actium.tracing.values import Describer

KIND = "log"
"""Which kind of message a record is."""

_AS_THEY_ARE = frozenset(
    {
        "created",
        "exc_text",
        "filename",
        "funcName",
        "levelname",
        "levelno",
        "lineno",
        "module",
        "msecs",
        "name",
        "pathname",
        "process",
        "processName",
        "stack_info",
        "thread",
        "threadName",
    }
)
_OF_THIS_PROCESS = frozenset({"args", "exc_info", "msg", "message", "asctime", "relativeCreated", "taskName"})


class RunsOrders(Protocol):
    """The run that the child is busy with."""

    @property
    def number(self) -> int: ...

    @property
    def log_context(self) -> ExecutionContext | None: ...


class ToParent(logging.Handler):
    """Sends records to the parent; what is logged while nothing runs is left to the last resort of `logging`."""

    def __init__(self, send: Callable[[Mapping[str, Any]], None], present_run: Callable[[], RunsOrders | None]) -> None:
        super().__init__()
        self._send = send
        self._present_run = present_run
        self._formatter = logging.Formatter()
        self._complete = ExecutionContextFilter().filter

    def emit(self, record: logging.LogRecord) -> None:
        """Send a record."""
        run = self._present_run()
        context = None if run is None else run.log_context
        try:
            if run is None or context is None:
                _to_last_resort(record)
                return
            with logging_for(context):  # also in threads that nobody carried it to: there is one run at a time
                self._complete(record)
            self._send({"kind": KIND, "run": run.number, "record": self._packed(record)})
        except OSError:  # the parent is gone, or this is a fork of the child
            _to_last_resort(record)
        except Exception:
            self.handleError(record)

    def _packed(self, record: logging.LogRecord) -> dict[str, Any]:
        if record.exc_info and not record.exc_text:
            record.exc_text = self._formatter.formatException(record.exc_info)
        told = record.__dict__
        extra = {name: value for name, value in told.items() if name not in _AS_THEY_ARE | _OF_THIS_PROCESS}
        return {
            **{name: told[name] for name in _AS_THEY_ARE if name in told},
            **Describer(TraceMask(()), FULL).arguments(extra),
            "msg": record.getMessage(),
        }


def handle(packed: Mapping[str, Any]) -> None:
    """Hand a record that a child has sent to the logger of its name."""
    record = logging.makeLogRecord(dict(packed))
    logger = logging.getLogger(record.name)
    if logger.isEnabledFor(record.levelno):
        logger.handle(record)


def levels() -> dict[str, int]:
    """The levels of this process's loggers, but for those that leave it to the one above; ``""`` is the root."""
    found = {"": logging.root.level}
    for name, logger in logging.root.manager.loggerDict.copy().items():
        if isinstance(logger, logging.Logger) and logger.level:
            found[name] = logger.level
    if logging.root.manager.disable:
        found[_DISABLED] = logging.root.manager.disable
    return found


def default_levels() -> dict[str, int]:
    """What a new process has."""
    return {"": logging.WARNING}


def adopt_levels(changed: Mapping[str, int]) -> None:
    """Give this process's loggers the levels that those of the parent have now."""
    for name, level in changed.items():
        if name == _DISABLED:
            logging.disable(level)
        else:
            logging.getLogger(name or None).setLevel(level)


_DISABLED = "\x00"
"""Stands for `logging.disable`; no logger is called so."""


def _to_last_resort(record: logging.LogRecord) -> None:
    if logging.lastResort is not None and sys.stderr is not None and record.levelno >= logging.lastResort.level:
        logging.lastResort.handle(record)
