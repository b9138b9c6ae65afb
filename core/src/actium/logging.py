"""What log records tell of executions: a filter that adds it and masks secrets, and a formatter that writes JSON.

Actium logs to loggers below ``actium`` and configures none: importing or using it sets no handler, level or output. A
program that wants its records, and those of everything else that runs inside an execution, to say to which one they
belong puts the filter on its handlers::

    handler = logging.StreamHandler()
    handler.addFilter(ExecutionContextFilter())
    handler.setFormatter(JSONFormatter())
    logging.basicConfig(handlers=[handler])
"""

from __future__ import annotations

import json
import logging
import math
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from actium.tracing.recorder import acting

if TYPE_CHECKING:
    from actium.tracing.masking import TraceMask

__all__ = ["ExecutionContextFilter", "JSONFormatter"]


class ExecutionContext:
    """The attempt that the running code belongs to, as log records tell of it.

    Attributes:
        execution_id: Of which execution.
        attempt: The attempt's number.
        action: The action's name.
        flavor: The key of its flavor.
        secrets: What it has resolved; masked in everything that is recorded of it.
    """

    __slots__ = ("_mask", "action", "attempt", "execution_id", "flavor", "secrets")

    def __init__(self, execution_id: UUID, *, attempt: int = 0, action: str = "", flavor: str = "") -> None:
        self.execution_id = execution_id
        self.attempt = attempt
        self.action = action
        self.flavor = flavor
        self.secrets: list[str] = []
        self._mask: tuple[int, TraceMask] | None = None

    def mask(self) -> TraceMask | None:
        """Masks what is known to be secret by now; None where nothing is."""
        secrets = self.secrets
        if not secrets:
            return None
        if self._mask is None or self._mask[0] != len(secrets):
            from actium.tracing.masking import TraceMask

            self._mask = len(secrets), TraceMask(secrets)
        return self._mask[1]


current_context: ContextVar[ExecutionContext | None] = ContextVar("actium_log_context", default=None)
"""What the records tell that are made now."""


class logging_for:  # noqa: N801  # used as a statement; a generator would cost every execution twice as much
    """Let records that are made inside a ``with`` belong to an execution."""

    __slots__ = ("_before", "_context")

    def __init__(self, context: ExecutionContext) -> None:
        self._context = context

    def __enter__(self) -> None:
        self._before: Token[ExecutionContext | None] = current_context.set(self._context)

    def __exit__(self, *interruption: object) -> None:
        current_context.reset(self._before)


class ExecutionContextFilter(logging.Filter):
    """Adds to every record the execution that it was made in, and masks the secrets of that execution in it.

    The attributes are ``execution_id``, ``attempt``, ``action`` and ``plugin``, e.g. for a format such as
    ``%(levelname)s %(action)s %(execution_id)s %(message)s``. Outside of executions they are empty texts. ``plugin`` is
    the plugin whose hook runs as far as a trace is recorded, which is so unless the action's ``trace`` is ``off``, and
    otherwise the action's flavor.

    It belongs on handlers, not on loggers, because only a handler's filters see the records of all loggers; with a
    ``QueueHandler`` on that one, because it sees them in the thread that made them. It lets every record
    through.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Complete a record."""
        context = current_context.get()
        if context is None:
            for name in _ATTRIBUTES:
                record.__dict__.setdefault(name, "")  # another filter of this kind may have completed it before
            return True
        if record.__dict__.get("execution_id") != str(context.execution_id):  # else it comes from its own process
            record.execution_id = str(context.execution_id)
            record.attempt = context.attempt
            record.action = context.action
            record.plugin = _acting() or context.flavor
        mask = context.mask()
        if mask is not None:
            _mask(record, mask)
        return True


class JSONFormatter(logging.Formatter):
    """Writes a record as one line of JSON.

    The keys are ``time`` (UTC, ISO 8601), ``level``, ``logger``, ``message``, those that `ExecutionContextFilter` adds
    where they say something, whatever was given as ``extra``, and ``exception`` and ``stack`` with their text.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, without an end."""
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        told |= {name: value for name in _ATTRIBUTES if (value := getattr(record, name, "")) != ""}
        told |= {name: _plain(value) for name, value in _extra(record).items() if name not in told}
        if record.exc_text or record.exc_info:
            told["exception"] = record.exc_text or self.formatException(record.exc_info or (None, None, None))
        if record.stack_info:
            told["stack"] = self.formatStack(record.stack_info)
        return json.dumps(told, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()


def _acting() -> str | None:
    actor = acting()
    return None if actor is None else actor.plugin


def _mask(record: logging.LogRecord, mask: TraceMask) -> None:
    """Take the secrets out of a record, for whichever handler gets it next."""
    text = _message(record)
    if (shown := mask.registered(text)) != text:
        record.msg, record.args = shown, ()
    if record.exc_info:
        text = record.exc_text or _FORMATTER.formatException(record.exc_info)  # another handler may have written it
        if (shown := mask.registered(text)) != text:
            record.exc_text, record.exc_info = shown, None
    if record.stack_info:
        record.stack_info = mask.registered(record.stack_info)
    if extra := _extra(record):
        from actium.tracing.limits import FULL
        from actium.tracing.values import Describer

        for name in extra:
            del record.__dict__[name]
        record.__dict__.update(Describer(mask, FULL).arguments(extra))


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception as error:  # logging itself would print the arguments, which may hold a secret
        record.msg, record.args = f"{record.msg} (its arguments do not fit: {type(error).__name__})", ()
        return str(record.msg)


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    return {name: value for name, value in record.__dict__.items() if name not in _KNOWN}


def _plain(value: Any) -> Any:
    """A value that JSON can hold."""
    if type(value) is float and not math.isfinite(value):
        return repr(value)
    if type(value) in _PLAIN:
        return value
    from actium.tracing.limits import FULL
    from actium.tracing.masking import TraceMask
    from actium.tracing.values import Describer

    return Describer(TraceMask(()), FULL).value(value)


_ATTRIBUTES = ("execution_id", "attempt", "action", "plugin")
_KNOWN = frozenset(
    {*logging.makeLogRecord({}).__dict__, *_ATTRIBUTES, "message", "asctime", "taskName"}
)  # what `extra` must not be named
_PLAIN = frozenset({str, int, float, bool, type(None)})
_FORMATTER = logging.Formatter()
