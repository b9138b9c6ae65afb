"""What runs in this process now, so that whatever belongs to an execution finds it from any thread."""

from __future__ import annotations

from uuid import UUID

from actium.logging import ExecutionContext, current_context, logging_for
from actium.models.event import Event


class RunningAttempt(ExecutionContext):
    """An attempt that runs in this process, as log records tell of it, and as what it does finds it.

    Attributes:
        correlation: What the event that led to it is correlated with; None where it says nothing.
        timeout: Seconds that it may take; None for no limit.
        is_isolated: Whether it runs in a process of its own, which ends it when its time is over.
        is_to_end: Whether it should end soon: it was cancelled, its time is over, or its worker stops.
    """

    __slots__ = ("correlation", "is_isolated", "is_to_end", "timeout")

    def __init__(
        self,
        execution_id: UUID,
        *,
        attempt: int = 0,
        action: str = "",
        flavor: str = "",
        correlation: str | None = None,
        is_isolated: bool = False,
    ) -> None:
        super().__init__(execution_id, attempt=attempt, action=action, flavor=flavor)
        self.correlation = correlation
        self.is_isolated = is_isolated
        self.timeout: float | None = None
        self.is_to_end = False


_attempts: dict[UUID, RunningAttempt] = {}
"""By execution: their ids are random, so that applications in one process do not meet here."""

belonging_to = logging_for
"""Let the code inside a ``with`` belong to an attempt, also when that is over and nobody waits for the code."""


def current_attempt() -> RunningAttempt | None:
    """The attempt that the running code belongs to."""
    context = current_context.get()
    return context if isinstance(context, RunningAttempt) else None


def current_execution() -> UUID | None:
    """The execution that the running code belongs to; events that it publishes name it as their cause."""
    context = current_context.get()
    return None if context is None else context.execution_id


def running_attempt(execution_id: UUID) -> RunningAttempt | None:
    """The attempt at an execution that the running code belongs to, or else the one that this process makes, if any."""
    own = current_attempt()
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


def caused(event: Event) -> Event:
    """The event with what has led to it, where an execution publishes it, also where it is a copy that says else."""
    execution_id = current_execution()
    if execution_id is None:
        return event
    attempt = running_attempt(execution_id)
    correlation = None if attempt is None else attempt.correlation
    return event.caused_by(str(execution_id), correlation or str(execution_id))
