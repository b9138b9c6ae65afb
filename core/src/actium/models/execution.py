"""Trigger executions: single runs of an action, by an event or by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, TypeAlias
from uuid import UUID

from actium.models.action import ActionResponse
from actium.models.base import BaseResponse, ResponsePart
from actium.models.event import Event
from actium.models.page import BaseFilter, Columns
from actium.models.trigger import TriggerResponse


class ExecutionStatus(StrEnum):
    """Where an execution is. All but the first two are final, unless someone asks for a retry."""

    PENDING = "pending"
    """Stored; waits for a worker, for its turn, or for the time of its next attempt."""
    RUNNING = "running"
    """A worker has claimed it."""
    SUCCEEDED = "succeeded"
    """The handler returned."""
    FAILED = "failed"
    """The handler raised, or could not be called, and no attempt is left; the reason says why."""
    CANCELLED = "cancelled"
    """Someone asked for its end."""
    SKIPPED = "skipped"
    """It was not run on purpose, e.g. because the action is disabled; the reason says why."""

    @property
    def is_final(self) -> bool:
        """Whether it has ended; only an explicit retry makes one that did not succeed pending again."""
        return self not in {ExecutionStatus.PENDING, ExecutionStatus.RUNNING}


class ExecutionError(ResponsePart):
    """What went wrong in an execution.

    Attributes:
        type: The exception's class, e.g. ``ValueError``.
        message: What it said.
        traceback: Where it came from; None where the reason says it all.
    """

    type: str
    message: str
    traceback: str | None = None


class StepProgress(ResponsePart):
    """How far one step of an execution is, as its handler reported it.

    Of more than 1,000 steps the first and the last are kept, and between them one of status ``unknown`` that says how
    many are left out. Of a text of more than 2,000 characters beginning and end are kept.

    Attributes:
        name: The step.
        status: ``pending``, ``running``, ``succeeded``, ``failed`` or ``skipped``.
        seconds: How long it took, or None while it has not ended.
        error: Why it failed.
    """

    name: str
    status: str
    seconds: float | None = None
    error: str | None = None


class Attempt(ResponsePart):
    """One try at running an execution.

    Attributes:
        number: Counts from 1.
        worker: Who ran it.
        started: When it began.
        finished: When it ended, None while it runs.
        status: How it ended, None while it runs. One that was given back unmade, or was lost with its worker, has
            failed; the reason says so.
        reason: Why it ended so, in a sentence; None where the status says it all.
        result: What the handler returned.
        error: What went wrong.
    """

    number: int
    worker: str
    started: datetime
    finished: datetime | None = None
    status: ExecutionStatus | None = None
    reason: str | None = None
    result: Any = None
    error: ExecutionError | None = None


class TriggerExecutionBody(ResponsePart):
    """The body of an execution.

    Attributes:
        project: The project it belongs to.
        status: Where it is.
        reason: Why it is there, in a sentence; None where the status says it all.
        action_id: The action it runs.
        action_revision: The revision of the action that it runs.
        trigger_id: The trigger that matched, None when it was run by hand.
        event_id: The stored event, None when it was run by hand without one.
        attempt: The number of the latest attempt; 0 before the first.
        available: When it may begin, or be tried again, at the earliest.
        created: When it was stored.
        started: When its first attempt began.
        finished: When it reached its final status.
    """

    project: str
    status: ExecutionStatus
    reason: str | None = None
    action_id: UUID
    action_revision: int
    trigger_id: UUID | None = None
    event_id: UUID | None = None
    attempt: int = 0
    available: datetime | None = None
    created: datetime
    started: datetime | None = None
    finished: datetime | None = None


class TriggerExecutionMetadata(ResponsePart):
    """The metadata of an execution.

    Attributes:
        event: The whole event, None when it was run by hand without one.
        result: What the handler returned.
        error: What went wrong.
        progress: How far its steps are, where the handler reports them.
        attempts: Every try, first to last.
        cancel_requested: Whether someone asked for its end.
    """

    event: Event | None = None
    result: Any = None
    error: ExecutionError | None = None
    progress: tuple[StepProgress, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    cancel_requested: bool = False


class TriggerExecutionResources(ResponsePart):
    """What an execution refers to.

    Attributes:
        action: The action it runs, None when that was deleted.
        trigger: The trigger that matched, None when there was none or it was deleted.
    """

    action: ActionResponse | None = None
    trigger: TriggerResponse | None = None


class TriggerExecutionResponse(BaseResponse[TriggerExecutionBody, TriggerExecutionMetadata, TriggerExecutionResources]):
    """One run of an action; its name is the action's. Its id is the idempotency key of everything it does."""

    @property
    def project(self) -> str:
        """The project it belongs to."""
        return self.body.project

    @property
    def status(self) -> ExecutionStatus:
        """Where it is."""
        return self.body.status

    @property
    def reason(self) -> str | None:
        """Why it is there."""
        return self.body.reason

    @property
    def action_id(self) -> UUID:
        """The action it runs."""
        return self.body.action_id

    @property
    def trigger_id(self) -> UUID | None:
        """The trigger that matched."""
        return self.body.trigger_id

    @property
    def attempt(self) -> int:
        """The number of the latest attempt."""
        return self.body.attempt

    @property
    def event(self) -> Event | None:
        """The whole event (hydrated)."""
        return self.get_metadata().event

    @property
    def result(self) -> Any:
        """What the handler returned (hydrated)."""
        return self.get_metadata().result

    @property
    def error(self) -> ExecutionError | None:
        """What went wrong (hydrated)."""
        return self.get_metadata().error

    @property
    def progress(self) -> tuple[StepProgress, ...]:
        """How far its steps are (hydrated)."""
        return self.get_metadata().progress

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every try, first to last (hydrated)."""
        return self.get_metadata().attempts


MakesExecution: TypeAlias = Callable[[], TriggerExecutionResponse]
"""Makes an execution as handlers see it, where one is needed: to make one takes longer than to call most handlers."""


def made_execution(execution: TriggerExecutionResponse | MakesExecution) -> TriggerExecutionResponse:
    """An execution, made where it was not."""
    return execution if isinstance(execution, TriggerExecutionResponse) else execution()


class TriggerExecutionFilter(BaseFilter):
    """Which executions to list."""

    COLUMNS: ClassVar[Columns] = {
        "id": UUID,
        "status": str,
        "action_id": UUID,
        "trigger_id": UUID,
        "event_id": UUID,
        "created": datetime,
        "started": datetime,
        "finished": datetime,
    }

    id: UUID | str | list[UUID | str] | None = None
    status: ExecutionStatus | str | list[str] | None = None
    action_id: UUID | str | list[UUID | str] | None = None
    trigger_id: UUID | str | list[UUID | str] | None = None
    event_id: UUID | str | list[UUID | str] | None = None
    created: datetime | str | list[datetime | str] | None = None
    started: datetime | str | list[datetime | str] | None = None
    finished: datetime | str | list[datetime | str] | None = None
