"""What a store keeps, one frozen record a table row.

Times are aware and in UTC. Records hold plain JSON values where a plugin or a caller decides on the shape.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from actium.models.action import ActionStatus
from actium.models.execution import ExecutionStatus
from actium.models.tracing import TraceMode


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRecord:
    """A service account."""

    id: UUID
    project: str
    name: str
    description: str
    active: bool
    version: int
    created: datetime
    updated: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRecord:
    """An action.

    Attributes:
        version: Counts every write of the row.
        revision: The number of the latest usable revision; 0 before the first.
        run_policy: As `actium.models.RunPolicy` writes it; empty for the default.
        trace: When traces of its attempts are kept.
        distribution: Which distribution provided the flavor when the row was written, None for one made in code.
    """

    id: UUID
    project: str
    name: str
    description: str
    plugin_subtype: str
    flavor: str
    configuration: dict[str, Any]
    service_account_id: UUID
    auth_window: int | None
    labels: dict[str, str]
    enabled: bool
    run_policy: dict[str, Any]
    trace: TraceMode = TraceMode.ON_FAILURE
    status: ActionStatus
    version: int
    revision: int
    distribution: str | None
    distribution_version: str | None
    created: datetime
    updated: datetime


def fields_of(action: ActionRecord) -> dict[str, Any]:
    """Every field of an action as JSON, as revisions keep them."""
    values = {field.name: getattr(action, field.name) for field in fields(action)}
    for name in _IDS:
        values[name] = str(values[name])
    for name in _TIMES:
        values[name] = values[name].isoformat()
    values["status"] = action.status.value
    values["trace"] = action.trace.value
    return values


def action_of(values: dict[str, Any]) -> ActionRecord:
    """The action that a revision tells of."""
    return ActionRecord(
        **{
            "run_policy": {},  # revisions of before there were policies do not have it
            **values,
            **{name: UUID(values[name]) for name in _IDS},
            **{name: datetime.fromisoformat(values[name]) for name in _TIMES},
            "status": ActionStatus(values["status"]),
            "trace": TraceMode(values.get("trace", TraceMode.ON_FAILURE)),
        }
    )


_IDS = ("id", "service_account_id")
_TIMES = ("created", "updated")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A resource that an action refers to, or an object that a look-up found."""

    type: str
    id: UUID
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RevisionRecord:
    """One usable state that an action was in.

    Attributes:
        change: ``created``, ``updated`` or ``deleted``.
        fields: Every field of the action after the change, as `fields_of` writes them.
        problem: What was overruled by force, None as a rule.
    """

    action_id: UUID
    number: int
    change: str
    changed: datetime
    changed_by: str
    fields: dict[str, Any]
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerRecord:
    """A trigger."""

    id: UUID
    project: str
    name: str
    description: str
    action_id: UUID
    filters: list[dict[str, Any]]
    match_all: bool
    is_active: bool
    version: int
    created: datetime
    updated: datetime


class EventRecord(NamedTuple):
    """An event. Like executions it passes in great numbers: a tuple is made in a fraction of the time of a dataclass.

    Attributes:
        event_id: The CloudEvents ``id``, unique for its source and project.
        received: When it was stored; the store says so, with the executions that it led to at once.
        attributes: All further context attributes (``specversion``, ``datacontenttype``, extensions, ...).
        data: The payload, as JSON.
    """

    id: UUID
    project: str
    event_id: str
    source: str
    type: str
    subject: str | None
    time: datetime
    received: datetime
    attributes: dict[str, Any]
    data: Any


class ExecutionRecord(NamedTuple):
    """One run of an action.

    Attributes:
        action_name: The action's name, also after the action was deleted.
        service_account_id: On whose behalf it acts.
        error: ``type``, ``message`` and ``traceback``, or None.
        progress: How far its steps are, as `actium.models.StepProgress` writes them.
        attempt: The number of the latest attempt; 0 before the first.
        allowance: The number of the last attempt that it may have.
        losses: How many attempts were lost with their worker since someone last asked for it to be run.
        depth: How many executions led to it, each by an event that it published.
        kind: Which executions it must not run beside more than ``slots`` of; None where that does not matter.
        slots: How many of its kind may run at once; None where that does not matter.
        held: Whether it waits for its turn among its kind.
        available: When it may be claimed at the earliest.
        expires: When it is too late to begin another attempt; None for never.
        worker: Who has, or had, its latest attempt; None before the first.
        began: When its latest attempt began.
    """

    id: UUID
    project: str
    action_id: UUID
    action_name: str
    action_revision: int
    service_account_id: UUID | None
    trigger_id: UUID | None
    event_id: UUID | None
    status: ExecutionStatus
    reason: str | None
    result: Any
    error: dict[str, Any] | None
    progress: list[dict[str, Any]]
    cancel_requested: bool
    attempt: int
    allowance: int
    losses: int
    depth: int
    kind: str | None
    slots: int | None
    held: bool
    available: datetime
    expires: datetime | None
    worker: str | None
    created: datetime
    began: datetime | None
    started: datetime | None
    finished: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One try at running an execution; ``finished``, ``status`` and what follows are None while it runs.

    Attributes:
        status: How it ended; one that is followed by another has ``failed``, or ``cancelled`` where it was given back.
        reason: Why, in a sentence.
    """

    execution_id: UUID
    number: int
    worker: str
    started: datetime
    finished: datetime | None
    status: ExecutionStatus | None
    reason: str | None
    result: Any
    error: dict[str, Any] | None


def latest_attempt(execution: ExecutionRecord) -> AttemptRecord:
    """The latest attempt of an execution that ended with it: it stands in the execution's own row."""
    return AttemptRecord(
        execution_id=execution.id,
        number=execution.attempt,
        worker=execution.worker or "",
        started=execution.began or execution.created,
        finished=execution.finished,
        status=execution.status,
        reason=execution.reason,
        result=execution.result,
        error=execution.error,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRecord:
    """What was kept of how an attempt went.

    Attributes:
        attempt: The attempt's number.
        trace: As `actium.tracing.spans.trace_json` writes it.
    """

    attempt: int
    trace: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRecord:
    """A worker that takes executions.

    Attributes:
        name: Unique; what attempts name it by.
        host: The machine, and the part of it, that knows its process by number.
        process: The number of its process.
        lease: Seconds for which its executions are its own without another beat.
        beat: Grows with each sign of life. Only that it grows matters, so no clocks are compared.
        started: When it began.
    """

    name: str
    host: str
    process: int
    lease: float
    beat: int
    started: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRecord:
    """An access token, known by its hash only.

    Attributes:
        digest: SHA-256 of the token, as hexadecimal text.
        expires: When it stops being valid, None for never.
        revoked: When it was revoked, or None.
    """

    digest: str
    service_account_id: UUID
    execution_id: UUID | None
    created: datetime
    expires: datetime | None
    revoked: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRecord:
    """A thing that a plugin keeps, such as a pipeline's snapshot.

    Attributes:
        type: See `actium.models.ResourceType`.
        name: Unique for its type and project.
        body: What the plugin keeps, as JSON.
    """

    id: UUID
    project: str
    type: str
    name: str
    body: dict[str, Any]
    version: int = 1
    created: datetime
    updated: datetime


Record = TypeVar(
    "Record",
    AccountRecord,
    ActionRecord,
    TriggerRecord,
    EventRecord,
    ExecutionRecord,
    ResourceRecord,
)
"""The records that are looked up and listed by the same verbs."""
