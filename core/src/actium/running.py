"""What runs in this process now, so that whatever belongs to an execution finds it from any thread."""

from __future__ import annotations

from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from uuid import UUID

from actium.models.event import Event


@dataclass(slots=True)
class RunningAttempt:
    """An attempt that runs in this process.

    Attributes:
        execution_id: Of which execution.
        correlation: What the event that led to it is correlated with; None where it says nothing.
        secrets: What it has resolved; masked in everything that is recorded of it.
        timeout: Seconds that it may take; None for no limit.
        is_isolated: Whether it runs in a process of its own, which ends it when its time is over.
        is_to_end: Whether it should end soon: it was cancelled, its time is over, or its worker stops.
    """

    execution_id: UUID
    correlation: str | None = None
    secrets: list[str] = field(default_factory=list)
    timeout: float | None = None
    is_isolated: bool = False
    is_to_end: bool = False


current_execution: ContextVar[UUID | None] = ContextVar("actium_current_execution", default=None)
"""The execution that the running code belongs to; events that it publishes name it as their cause."""

current_attempt: ContextVar[RunningAttempt | None] = ContextVar("actium_current_attempt", default=None)
"""The attempt that the running code belongs to, also when it is over and nobody waits for that code any more."""

_attempts: dict[UUID, RunningAttempt] = {}
"""By execution: their ids are random, so that applications in one process do not meet here."""


def running_attempt(execution_id: UUID) -> RunningAttempt | None:
    """The attempt at an execution that the running code belongs to, or else the one that this process makes, if any."""
    own = current_attempt.get()
    if own is not None and own.execution_id == execution_id:
        return own
    return _attempts.get(execution_id)


def note_running(attempt: RunningAttempt) -> None:
    """Let an attempt be found."""
    _attempts[attempt.execution_id] = attempt


def forget_running(attempt: RunningAttempt) -> None:
    """Let an attempt not be found any more; one that has taken its place stays."""
    if _attempts.get(attempt.execution_id) is attempt:
        del _attempts[attempt.execution_id]


class belonging_to:  # noqa: N801  # used as a statement; a generator would cost every execution twice as much
    """Let the code inside a ``with`` belong to an attempt."""

    __slots__ = ("_attempt", "_before", "_execution_before")

    def __init__(self, attempt: RunningAttempt) -> None:
        self._attempt = attempt

    def __enter__(self) -> None:
        self._before: Token[RunningAttempt | None] = current_attempt.set(self._attempt)
        self._execution_before: Token[UUID | None] = current_execution.set(self._attempt.execution_id)

    def __exit__(self, *interruption: object) -> None:
        current_execution.reset(self._execution_before)
        current_attempt.reset(self._before)


def caused(event: Event) -> Event:
    """The event with what has led to it, where an execution publishes it, also where it is a copy that says else."""
    execution_id = current_execution.get()
    if execution_id is None:
        return event
    attempt = running_attempt(execution_id)
    correlation = None if attempt is None else attempt.correlation
    return event.caused_by(str(execution_id), correlation or str(execution_id))
