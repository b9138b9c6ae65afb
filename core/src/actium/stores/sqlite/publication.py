"""Storing events and the executions that they lead to, inside a transaction of the caller.

An execution that nothing keeps waiting may begin in the transaction that stores it: it then goes to a worker of this
process from memory, and needs no claim.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, NamedTuple, TypeAlias
from uuid import UUID

from actium.errors import ConflictError, NotReadyError
from actium.models.action import ActionStatus
from actium.models.execution import ExecutionStatus
from actium.models.run_policy import ConcurrencyMode
from actium.stores.base_store import StaleTriggersError
from actium.stores.drafts import Pattern, Target
from actium.stores.records import (
    AccountRecord,
    Claim,
    EventDraft,
    EventRecord,
    ExecutionDraft,
    ExecutionRecord,
    Recorded,
    RecordedEvent,
)
from actium.stores.sqlite import counts, turns
from actium.stores.sqlite.executions import must_wait, target_of, trigger_generation
from actium.stores.sqlite.rows import insert_many, not_found, read_many, read_one
from actium.stores.sqlite.tables import ACCOUNTS, ACTIONS, EVENTS, EXECUTIONS, plain_text, time_text

EventName: TypeAlias = tuple[str, str, str]

_RECEIVED: Final = EventRecord._fields.index("received")


def record_events(
    connection: sqlite3.Connection, drafts: Sequence[EventDraft], *, worker: str | None = None, limit: int = 0
) -> Recorded:
    """See `BaseStore.record_events`."""
    generation = trigger_generation(connection)
    publication = _Publication(connection, worker, limit)
    recorded: list[RecordedEvent] = []
    duplicates: list[int] = []
    for draft, event, first in publication.insert_events(drafts):
        published = event
        if first is not None:
            if not _is_only_given(connection, first):
                duplicates.append(len(recorded))
                recorded.append(RecordedEvent(first, (), True))
                continue
            published = publication.published(first)
        if draft.generation != generation:
            raise StaleTriggersError("The triggers have changed since they were matched.", hint="Match again.")
        recorded.append(publication.add(draft, published))
    publication.insert_executions()
    for index in duplicates:
        one = recorded[index]
        recorded[index] = one._replace(execution_ids=_first_executions(connection, one.id))
    return Recorded(tuple(recorded), publication.claims)


def _is_only_given(connection: sqlite3.Connection, event_id: UUID) -> bool:
    """Whether an event is there only since someone gave it to an action by hand."""
    (given,) = connection.execute("SELECT given FROM events WHERE id = ?", (str(event_id),)).fetchone()
    return bool(given)


def _first_executions(connection: sqlite3.Connection, event_id: UUID) -> tuple[UUID, ...]:
    """What an event led to when it was stored: what replays have added since was stored at other times."""
    rows = connection.execute(
        "SELECT executions.id FROM events JOIN executions ON executions.event_id = events.id "
        "AND created = received WHERE events.id = ? ORDER BY executions.rowid",
        (str(event_id),),
    )
    return tuple(UUID(execution_id) for (execution_id,) in rows.fetchall())


def insert_execution(
    connection: sqlite3.Connection,
    execution_id: UUID,
    action_id: UUID,
    project: str,
    event: EventRecord | None,
    cause: UUID | None,
) -> ExecutionRecord:
    """See `BaseStore.insert_execution`."""
    action = read_one(connection, ACTIONS, action_id)
    if action.project != project:
        raise not_found(ACTIONS, action_id)
    if action.revision == 0 or action.status is ActionStatus.DELETING:
        raise NotReadyError(
            f"The action {action.name!r} is {action.status.value}.",
            hint="Wait for that to end; if its process is gone, `actium doctor --mend` finishes or undoes it.",
        )
    now = datetime.now(UTC)
    if event is not None:
        known = _known_events(connection, [_name_of(event)]).get(_name_of(event))
        if known is None:
            event = _received(event, now)
            insert_many(connection, EVENTS, [event])
            connection.execute("UPDATE events SET given = 1 WHERE id = ?", (str(event.id),))
            counts.add(connection, events=[event])
        else:
            stored = read_one(connection, EVENTS, known)
            _check_same(stored, event)
            event = stored
    target = target_of(action)
    depth = _depth_below(connection, cause)
    execution = Pattern(target, now=now, depth=depth).execution(execution_id, event)
    counts.add(connection, executions=[execution])
    return _insert(connection, [execution], {target.id: target})[0]


_CourseKey: TypeAlias = tuple[UUID, UUID | None, str | None, int, str | None]


class _Course(NamedTuple):
    """What a trigger's executions of one transaction have in common.

    Attributes:
        problem: Why they cannot be run; None as a rule.
        account: On whose behalf they act.
    """

    pattern: Pattern
    problem: str | None
    account: AccountRecord | None


class _Publication:
    """The events of one transaction, and what they lead to.

    Attributes:
        claims: What the worker begins with.
    """

    def __init__(self, connection: sqlite3.Connection, worker: str | None, limit: int) -> None:
        self._connection = connection
        self._now = datetime.now(UTC)
        self._events: Sequence[EventRecord] = ()
        self._executions: list[ExecutionRecord] = []
        self._targets: dict[UUID, Target] = {}
        self._accounts: dict[UUID, AccountRecord | None] = {}
        self._courses: dict[_CourseKey, _Course] = {}
        self._latest: tuple[ExecutionDraft, int, bool, _Course] | None = None
        self._worker = worker
        self.claims: list[Claim] = []
        self._room = limit if worker is not None and self._is_next(worker) else 0

    def insert_events(self, drafts: Sequence[EventDraft]) -> Iterable[tuple[EventDraft, EventRecord, UUID | None]]:
        """Store the events that are new.

        Most are, so that they are not looked for before.

        Returns:
            For each draft, the event as it is stored, and which one is there in its place; None where none is.
        """
        events = [draft.event if draft.is_replay else _received(draft.event, self._now) for draft in drafts]
        new = [event for draft, event in zip(drafts, events, strict=True) if not draft.is_replay]
        known: Sequence[UUID | None] = [None] * len(drafts)
        number = insert_many(self._connection, EVENTS, new)
        if number < len(new):
            known = self._known(drafts)
            of_each = zip(drafts, events, known, strict=True)
            new = [event for draft, event, first in of_each if first is None and not draft.is_replay]
            if len(new) != number:
                raise sqlite3.IntegrityError("an event has the id of another one")
        self._events = new
        return zip(drafts, events, known, strict=True)

    def _known(self, drafts: Sequence[EventDraft]) -> list[UUID | None]:
        """For each draft, which event is there in its place; of those that say the same, the first is new."""
        names = [_name_of(draft.event) for draft in drafts]
        there = _known_events(self._connection, names)
        known: list[UUID | None] = []
        for draft, name in zip(drafts, names, strict=True):
            is_new = draft.is_replay or there[name] == draft.event.id
            known.append(None if is_new else there[name])
        return known

    def add(self, draft: EventDraft, event: EventRecord) -> RecordedEvent:
        """Add what an event leads to, to be stored by `insert_executions`."""
        if draft.is_replay:
            read_one(self._connection, EVENTS, event.id)  # it may have been pruned
        depth = 0 if draft.cause is None or not draft.executions else _depth_below(self._connection, draft.cause)
        for wanted, execution_id in zip(draft.executions, draft.execution_ids, strict=True):
            pattern, problem, account = self._course(wanted, depth)
            execution = pattern.execution(execution_id, event, problem)
            self._executions.append(execution)
            if pattern.begins:
                self._room -= 1
                self.claims.append(Claim(execution, event, account))
        return RecordedEvent(event.id, draft.execution_ids, False)

    def published(self, event_id: UUID) -> EventRecord:
        """An event that was only given to an action so far; what it leads to from now on is what it led to at once."""
        event = read_one(self._connection, EVENTS, event_id)
        self._connection.execute(
            "UPDATE events SET received = ?, given = 0 WHERE id = ?", (time_text(self._now), str(event_id))
        )
        return event._replace(received=self._now)

    def insert_executions(self) -> None:
        """Store what was added."""
        _insert(self._connection, self._executions, self._targets)
        counts.add(self._connection, events=self._events, executions=self._executions)

    def _course(self, draft: ExecutionDraft, depth: int) -> _Course:
        begins, latest = self._room > 0 and draft.problem is None, self._latest
        if latest is not None and latest[0] is draft and latest[1] == depth and latest[2] is begins:
            return latest[3]  # as a rule, and to hash ids takes longer
        worker = self._worker if begins else None
        key = draft.action_id, draft.trigger_id, draft.problem, depth, worker
        course = self._courses.get(key)
        if course is None:
            target = self._target(draft.action_id)
            pattern = Pattern(target, trigger_id=draft.trigger_id, now=self._now, depth=depth, worker=worker)
            account = self._account(target.service_account_id) if pattern.begins else None
            course = self._courses[key] = _Course(pattern, draft.problem, account)
        self._latest = draft, depth, begins, course
        return course

    def _target(self, action_id: UUID) -> Target:
        if action_id not in self._targets:
            actions = read_many(self._connection, ACTIONS, [action_id])
            if not actions:
                raise not_found(ACTIONS, action_id)
            self._targets[action_id] = target_of(actions[0])
        return self._targets[action_id]

    def _account(self, account_id: UUID) -> AccountRecord | None:
        if account_id not in self._accounts:
            found = read_many(self._connection, ACCOUNTS, [account_id])
            self._accounts[account_id] = found[0] if found else None
        return self._accounts[account_id]

    def _is_next(self, worker: str) -> bool:
        """Whether a worker is there, and nothing that was stored before waits for one."""
        row = self._connection.execute(
            "SELECT 1 FROM workers WHERE name = ? AND NOT EXISTS ("
            "SELECT 1 FROM executions WHERE status = 'pending' AND held = 0 AND available <= ?)",
            (worker, time_text(self._now)),
        ).fetchone()
        return row is not None


def _received(event: EventRecord, now: datetime) -> EventRecord:
    """The event as it is stored now; made in half the time that ``_replace`` takes."""
    return tuple.__new__(EventRecord, (*event[:_RECEIVED], now, *event[_RECEIVED + 1 :]))


def _name_of(event: EventRecord) -> EventName:
    return event.project, event.event_id, event.source


def _known_events(connection: sqlite3.Connection, names: Sequence[EventName]) -> dict[EventName, UUID]:
    """Which of some events are stored already, by what makes them unique."""
    if len(names) == 1:
        name = names[0]
        row = connection.execute(
            "SELECT id FROM events WHERE project = ? AND event_id = ? AND source = ?", name
        ).fetchone()
        return {} if row is None else {name: UUID(row[0])}
    rows = connection.execute(
        "SELECT project, event_id, source, events.id FROM json_each(?) JOIN events "
        "ON project = json_extract(value, '$[0]') AND event_id = json_extract(value, '$[1]') "
        "AND source = json_extract(value, '$[2]')",
        (plain_text(names),),
    )
    return {(project, event_id, source): UUID(known) for project, event_id, source, known in rows.fetchall()}


def _check_same(known: EventRecord, event: EventRecord) -> None:
    """An event that is known runs as it is stored; one that says something else would not do what its giver expects."""
    differing = [
        name for name in ("type", "subject", "attributes", "data") if getattr(known, name) != getattr(event, name)
    ]
    if differing:
        raise ConflictError(
            f"The event {event.event_id!r} of {event.source!r} is known with another {' and '.join(differing)}.",
            hint="Give it an id of its own, or run the action with the event as it is stored.",
        )


def _depth_below(connection: sqlite3.Connection, cause: UUID | None) -> int:
    """How deep in a chain those are that an execution causes; 0 where nothing has caused them."""
    if cause is None:
        return 0
    row = connection.execute("SELECT depth FROM executions WHERE id = ?", (str(cause),)).fetchone()
    return 0 if row is None else int(row[0]) + 1


def _insert(
    connection: sqlite3.Connection, executions: Sequence[ExecutionRecord], targets: Mapping[UUID, Target]
) -> Sequence[ExecutionRecord]:
    """Store executions, those that depend on others of their kind one after the other."""
    if all(execution.kind is None for execution in executions):
        insert_many(connection, EXECUTIONS, executions)
        return executions
    stored = []
    for execution in executions:
        placed = execution
        if execution.kind is not None and execution.status is ExecutionStatus.PENDING:
            mode = targets[execution.action_id].policy.concurrency.mode
            placed = _in_turn(connection, execution, execution.kind, mode)
        insert_many(connection, EXECUTIONS, [placed])
        stored.append(placed)
    return stored


def _in_turn(
    connection: sqlite3.Connection, execution: ExecutionRecord, kind: str, mode: ConcurrencyMode
) -> ExecutionRecord:
    if mode is ConcurrencyMode.SINGLE:
        other = turns.under_way(connection, kind)
        if other is not None:
            reason = f"execution {other} of the same kind has not ended, and only one may be under way"
            return execution._replace(status=ExecutionStatus.SKIPPED, reason=reason, finished=execution.created)
    if mode is ConcurrencyMode.RESTART:
        turns.make_room(connection, kind, execution.created)
    return execution._replace(held=must_wait(connection, execution))
