"""Storing what events lead to, with them, inside a transaction of the caller.

An execution that nothing keeps waiting may begin in the transaction that stores it: it then goes to a worker of this
process from memory, and needs no claim.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias
from uuid import UUID

from actium.errors import NotReadyError
from actium.models.action import ActionStatus
from actium.models.execution import ExecutionStatus
from actium.models.run_policy import ConcurrencyMode
from actium.stores.base_store import StaleTriggersError
from actium.stores.claims import Claim
from actium.stores.drafts import Pattern, Target
from actium.stores.publications import EventDraft, ExecutionDraft, Recorded, RecordedEvent
from actium.stores.records import AccountRecord, EventRecord, ExecutionRecord
from actium.stores.sqlite import counts, turns
from actium.stores.sqlite.events import first_executions, store_events, store_given_event
from actium.stores.sqlite.executions import must_wait, target_of, trigger_generation
from actium.stores.sqlite.rows import insert_many, not_found, read_many, read_one
from actium.stores.sqlite.tables import ACCOUNTS, ACTIONS, EVENTS, EXECUTIONS, time_text


def record_events(
    connection: sqlite3.Connection, drafts: Sequence[EventDraft], *, worker: str | None = None, limit: int = 0
) -> Recorded:
    """See `BaseStore.record_events`."""
    generation = trigger_generation(connection)
    publication = _Publication(connection, worker, limit)
    stored = store_events(connection, drafts, publication.now)
    recorded: list[RecordedEvent] = []
    for place, (draft, event) in enumerate(zip(drafts, stored.events, strict=True)):
        if place in stored.duplicates:
            recorded.append(RecordedEvent(event.id, (), True))
            continue
        if draft.generation != generation:
            raise StaleTriggersError("The triggers have changed since they were matched.", hint="Match again.")
        recorded.append(publication.add(draft, event))
    executions = publication.insert_executions()
    counts.add(connection, events=stored.new, executions=executions)
    if stored.duplicates:
        first = first_executions(connection, {recorded[place].id for place in stored.duplicates})
        for place in stored.duplicates:
            recorded[place] = recorded[place]._replace(execution_ids=first[recorded[place].id])
    return Recorded(tuple(recorded), publication.claims)


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
    new: Sequence[EventRecord] = ()
    if event is not None:
        event, is_new = store_given_event(connection, event, now)
        new = [event] if is_new else []
    target = target_of(action)
    depth = _depth_below(connection, cause)
    execution = Pattern(target, now=now, depth=depth).execution(execution_id, event)
    counts.add(connection, events=new, executions=[execution])
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
        now: When they are stored.
        claims: What the worker begins with.
    """

    def __init__(self, connection: sqlite3.Connection, worker: str | None, limit: int) -> None:
        self._connection = connection
        self.now = datetime.now(UTC)
        self._executions: list[ExecutionRecord] = []
        self._targets: dict[UUID, Target] = {}
        self._accounts: dict[UUID, AccountRecord | None] = {}
        self._courses: dict[_CourseKey, _Course] = {}
        self._latest: tuple[ExecutionDraft, int, bool, _Course] | None = None
        self._worker = worker
        self.claims: list[Claim] = []
        self._room = limit if worker is not None and self._is_next(worker) else 0

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

    def insert_executions(self) -> Sequence[ExecutionRecord]:
        """Store what was added."""
        return _insert(self._connection, self._executions, self._targets)

    def _course(self, draft: ExecutionDraft, depth: int) -> _Course:
        begins, latest = self._room > 0 and draft.problem is None, self._latest
        if latest is not None and latest[0] is draft and latest[1] == depth and latest[2] is begins:
            return latest[3]  # as a rule, and to hash ids takes longer
        worker = self._worker if begins else None
        key = draft.action_id, draft.trigger_id, draft.problem, depth, worker
        course = self._courses.get(key)
        if course is None:
            target = self._target(draft.action_id)
            pattern = Pattern(target, trigger_id=draft.trigger_id, now=self.now, depth=depth, worker=worker)
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
            (worker, time_text(self.now)),
        ).fetchone()
        return row is not None


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
