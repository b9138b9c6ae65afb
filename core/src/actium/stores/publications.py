"""What a hub and a store tell each other of events that are published: drafts, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from actium.stores.claims import Claim
from actium.stores.records import EventRecord, TriggerRecord


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


class ExecutionDraft(NamedTuple):
    """An execution to store as ``pending``, but for its id; the store pins the action's revision and service account.

    Attributes:
        problem: Why it cannot be run; such an execution is stored as ``failed`` at once.
    """

    action_id: UUID
    trigger_id: UUID | None = None
    problem: str | None = None


class EventDraft(NamedTuple):
    """An event to store, with what it matched.

    Attributes:
        event: The event; when it is ``received`` is for the store to say.
        executions: One execution a matching trigger. Events that match the same may share it.
        execution_ids: Their ids, in the same order.
        generation: The generation of triggers that it was matched with.
        cause: The execution that it says has caused it, None for none.
        is_replay: Whether the event is stored already, and its executions are to be added to those that it has.
    """

    event: EventRecord
    executions: Sequence[ExecutionDraft]
    execution_ids: tuple[UUID, ...]
    generation: int
    cause: UUID | None = None
    is_replay: bool = False


class RecordedEvent(NamedTuple):
    """What became of an event in the store.

    Attributes:
        id: The stored event.
        execution_ids: Its executions, in the order of the drafts.
        duplicate: Whether the event was known already; nothing was written then.
    """

    id: UUID
    execution_ids: tuple[UUID, ...]
    duplicate: bool


class Recorded(NamedTuple):
    """What became of several events in the store.

    Attributes:
        events: What became of each, in the order of the drafts.
        claims: Those of their new executions that the worker has that was named.
    """

    events: tuple[RecordedEvent, ...]
    claims: Sequence[Claim] = ()
