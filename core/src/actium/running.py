"""What runs in this process now, so that whatever belongs to an execution finds it from any thread."""

from __future__ import annotations

from contextvars import Token
from uuid import UUID

from actium.auth.secret_references import noted_here
from actium.logging import ExecutionContext, current_context
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


class belonging_to:  # noqa: N801  # used as a statement; a generator would cost every execution twice as much
    """Let the code inside a ``with`` belong to an attempt, and note there the secrets that it resolves."""

    __slots__ = ("_attempt", "_before", "_noted_before")

    def __init__(self, attempt: RunningAttempt) -> None:
        self._attempt = attempt

    def __enter__(self) -> None:
        self._before: Token[ExecutionContext | None] = current_context.set(self._attempt)
        self._noted_before: Token[list[str] | None] = noted_here.set(self._attempt.secrets)

    def __exit__(self, *interruption: object) -> None:
        noted_here.reset(self._noted_before)
        current_context.reset(self._before)


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
