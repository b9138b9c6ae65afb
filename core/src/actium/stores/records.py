"""What a store keeps, one frozen record a table row.

Times are aware and in UTC. Records hold plain JSON values where a plugin or a caller decides on the shape.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from actium.models.action import ActionStatus
from actium.models.execution import ExecutionStatus


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
    return values


def action_of(values: dict[str, Any]) -> ActionRecord:
    """The action that a revision tells of."""
    return ActionRecord(
        **{
            **values,
            **{name: UUID(values[name]) for name in _IDS},
            **{name: datetime.fromisoformat(values[name]) for name in _TIMES},
            "status": ActionStatus(values["status"]),
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


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerChanges:
    """What happened to triggers since a generation.

    Attributes:
        generation: Grows with every change to any trigger.
        changed: Triggers that are new or different, as they are now.
        removed: Triggers that are gone.
    """

    generation: int
    changed: tuple[TriggerRecord, ...]
    removed: tuple[UUID, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """An event.

    Attributes:
        event_id: The CloudEvents ``id``, unique for its source and project.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionDraft:
    """An execution to store as ``pending``; the store pins the action's revision.

    Attributes:
        problem: Why it cannot be run; such an execution is stored as ``failed`` at once.
    """

    id: UUID
    action_id: UUID
    trigger_id: UUID | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedEvent:
    """What became of an event in the store.

    Attributes:
        id: The stored event.
        execution_ids: Its executions, in the order of the drafts.
        duplicate: Whether the event was known already; nothing was written then.
    """

    id: UUID
    execution_ids: tuple[UUID, ...]
    duplicate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionRecord:
    """One run of an action.

    Attributes:
        action_name: The action's name, also after the action was deleted.
        error: ``type``, ``message`` and ``traceback``, or None.
        progress: How far its steps are, as `actium.models.StepProgress` writes them.
        attempt: The number of the latest attempt; 0 before the first.
    """

    id: UUID
    project: str
    action_id: UUID
    action_name: str
    action_revision: int
    trigger_id: UUID | None
    event_id: UUID | None
    status: ExecutionStatus
    reason: str | None
    result: Any
    error: dict[str, Any] | None
    progress: list[dict[str, Any]]
    cancel_requested: bool
    attempt: int
    created: datetime
    started: datetime | None
    finished: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptRecord:
    """One try at running an execution; ``finished``, ``status`` and ``error`` are None while it runs."""

    execution_id: UUID
    number: int
    worker: str
    started: datetime
    finished: datetime | None
    status: ExecutionStatus | None
    error: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attempt ended.

    Attributes:
        status: A final one.
        reason: Why, in a sentence.
        result: What the handler returned, as JSON.
        error: ``type``, ``message`` and ``traceback``, or None.
    """

    status: ExecutionStatus
    reason: str | None = None
    result: Any = None
    error: dict[str, Any] | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreProblem:
    """Something that a store's self-check found.

    Attributes:
        where: A table, or the file.
        problem: What is wrong.
    """

    where: str
    problem: str
