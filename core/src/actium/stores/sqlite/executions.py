"""Rows of events and executions, from publication until someone runs them, inside a transaction of the caller."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import UUID

from actium.errors import ConflictError, NotReadyError
from actium.models.action import ActionStatus
from actium.models.execution import ExecutionStatus
from actium.models.run_policy import ConcurrencyMode
from actium.stores.base_store import StaleTriggersError
from actium.stores.drafts import Target, drafted
from actium.stores.records import (
    ActionRecord,
    AttemptRecord,
    EventDraft,
    EventRecord,
    ExecutionDraft,
    ExecutionRecord,
    RecordedEvent,
    TriggerChanges,
)
from actium.stores.sqlite import turns
from actium.stores.sqlite.rows import insert_many, not_found, read_all, read_one
from actium.stores.sqlite.tables import ACTIONS, ATTEMPTS, EVENTS, EXECUTIONS, TRIGGERS, json_text, time_text


def trigger_generation(connection: sqlite3.Connection) -> int:
    """See `BaseStore.trigger_generation`."""
    (generation,) = connection.execute("SELECT max(generation) FROM trigger_changes").fetchone()
    return generation or 0


def trigger_changes(connection: sqlite3.Connection, since: int) -> TriggerChanges:
    """See `BaseStore.trigger_changes`."""
    columns = ", ".join(f"triggers.{column}" for column in TRIGGERS.columns)
    rows = connection.execute(
        f"SELECT generation, trigger_id, {columns} FROM trigger_changes LEFT JOIN triggers ON id = trigger_id "
        "WHERE generation > ? ORDER BY generation",
        (since,),
    ).fetchall()  # one statement, so that the changes and the triggers are of one moment
    return TriggerChanges(
        generation=rows[-1][0] if rows else trigger_generation(connection),
        changed=tuple(TRIGGERS.read(row[2:]) for row in rows if row[2] is not None),
        removed=tuple(UUID(row[1]) for row in rows if row[2] is None),
    )


def record_events(connection: sqlite3.Connection, drafts: Sequence[EventDraft]) -> tuple[RecordedEvent, ...]:
    """See `BaseStore.record_events`."""
    known = _known_events(connection, [draft.event for draft in drafts if not draft.is_replay])
    generation = trigger_generation(connection)
    targets: dict[UUID, Target] = {}
    events: list[EventRecord] = []
    executions: list[ExecutionRecord] = []
    recorded: list[RecordedEvent] = []
    now = datetime.now(UTC)
    for draft in drafts:
        event = draft.event
        if not draft.is_replay:
            first = known.setdefault(_name_of(event), event.id)
            if first != event.id:
                recorded.append(RecordedEvent(id=first, execution_ids=(), duplicate=True))
                continue
            events.append(event)
        if draft.generation != generation:
            raise StaleTriggersError("The triggers have changed since they were matched.", hint="Match again.")
        executions += _drafted(connection, draft, targets, now)
        ids = tuple(execution.id for execution in draft.executions)
        recorded.append(RecordedEvent(id=event.id, execution_ids=ids, duplicate=False))
    insert_many(connection, EVENTS, events)
    _insert(connection, executions, targets)
    return tuple(
        replace(one, execution_ids=executions_of(connection, one.id)) if one.duplicate else one for one in recorded
    )


def _drafted(
    connection: sqlite3.Connection, draft: EventDraft, targets: dict[UUID, Target], now: datetime
) -> list[ExecutionRecord]:
    if draft.is_replay:
        read_one(connection, EVENTS, draft.event.id)  # it may have been pruned
    if not draft.executions:
        return []
    depth = _depth_below(connection, draft.cause)
    for execution in draft.executions:
        if execution.action_id not in targets:
            targets[execution.action_id] = _target(read_one(connection, ACTIONS, execution.action_id))
    return [
        drafted(execution, targets[execution.action_id], draft.event, depth=depth, now=now)
        for execution in draft.executions
    ]


def insert_execution(
    connection: sqlite3.Connection, draft: ExecutionDraft, project: str, event: EventRecord | None, cause: UUID | None
) -> ExecutionRecord:
    """See `BaseStore.insert_execution`."""
    action = read_one(connection, ACTIONS, draft.action_id)
    if action.project != project:
        raise not_found(ACTIONS, draft.action_id)
    if action.revision == 0 or action.status is ActionStatus.DELETING:
        raise NotReadyError(
            f"The action {action.name!r} is {action.status.value}.",
            hint="Wait for that to end; if its process is gone, `actium doctor --mend` finishes or undoes it.",
        )
    if event is not None:
        known = _known_events(connection, [event]).get(_name_of(event))
        if known is None:
            insert_many(connection, EVENTS, [event])
        else:
            stored = read_one(connection, EVENTS, known)
            _check_same(stored, event)
            event = stored
    target = _target(action)
    depth = _depth_below(connection, cause)
    execution = drafted(draft, target, event, depth=depth, now=datetime.now(UTC))
    return _insert(connection, [execution], {target.id: target})[0]


def executions_of(connection: sqlite3.Connection, event_id: UUID) -> tuple[UUID, ...]:
    """See `BaseStore.executions_of_event`."""
    rows = connection.execute("SELECT id FROM executions WHERE event_id = ? ORDER BY rowid", (str(event_id),))
    return tuple(UUID(execution_id) for (execution_id,) in rows.fetchall())


def request_cancel(connection: sqlite3.Connection, execution_id: UUID) -> ExecutionRecord:
    """See `BaseStore.request_cancel`."""
    execution = read_one(connection, EXECUTIONS, execution_id)
    if execution.status.is_final:
        raise ConflictError(
            f"Execution {execution_id} has {execution.status.value} already.", hint="There is nothing to cancel."
        )
    if execution.status is ExecutionStatus.PENDING:
        reason = f"it was cancelled before {'its next attempt' if execution.attempt else 'it began'}"
        connection.execute(
            "UPDATE executions SET status = 'cancelled', cancel_requested = 1, finished = ?, reason = ? WHERE id = ?",
            (time_text(datetime.now(UTC)), reason, str(execution_id)),
        )
        if execution.kind is not None and execution.slots is not None:
            turns.pass_on(connection, execution.kind, execution.slots)
    else:
        connection.execute("UPDATE executions SET cancel_requested = 1 WHERE id = ?", (str(execution_id),))
    return read_one(connection, EXECUTIONS, execution_id)


def retry(connection: sqlite3.Connection, execution_id: UUID, *, latest: bool) -> ExecutionRecord:
    """See `BaseStore.retry_execution`."""
    execution = read_one(connection, EXECUTIONS, execution_id)
    if not execution.status.is_final or execution.status is ExecutionStatus.SUCCEEDED:
        raise ConflictError(
            f"Execution {execution_id} is {execution.status.value}; only one that has failed, or was cancelled or "
            "skipped, is run again.",
            hint="Wait for its end." if not execution.status.is_final else "Replay its event, or run the action.",
        )
    found = read_all(connection, ACTIONS, "id = ?", (str(execution.action_id),))
    if not found or found[0].status is ActionStatus.DELETING:
        raise NotReadyError(
            f"The action {execution.action_name!r} of execution {execution_id} is {'being ' if found else ''}deleted.",
            hint="There is nothing left to run.",
        )
    target = _target(found[0])
    keep_attempt(connection, execution_id)
    again = replace(
        execution,
        status=ExecutionStatus.PENDING,
        reason=None,
        action_revision=target.revision if latest else execution.action_revision,
        service_account_id=target.service_account_id if latest else execution.service_account_id,
        cancel_requested=False,
        allowance=execution.attempt + target.policy.max_attempts,
        losses=0,
        held=_must_wait(connection, execution),
        available=datetime.now(UTC),
        expires=None,  # whoever asks for it now wants it now
        finished=None,
    )
    connection.execute(
        "UPDATE executions SET status = 'pending', reason = NULL, action_revision = :action_revision, "
        "service_account_id = :service_account_id, cancel_requested = 0, allowance = :allowance, losses = 0, "
        "held = :held, available = :available, expires = NULL, finished = NULL, result = 'null', error = 'null' "
        "WHERE id = :id",
        EXECUTIONS.named(again),
    )
    return read_one(connection, EXECUTIONS, execution_id)


def keep_attempt(connection: sqlite3.Connection, execution_id: UUID) -> None:
    """Copy an execution's latest attempt, if it had one, to where it stays when the next one begins."""
    connection.execute(
        "INSERT OR IGNORE INTO execution_attempts "
        "(execution_id, number, worker, started, finished, status, reason, result, error) "
        "SELECT id, attempt, worker, began, finished, status, reason, result, error FROM executions "
        "WHERE id = ? AND attempt > 0",
        (str(execution_id),),
    )


def record_progress(connection: sqlite3.Connection, execution_id: UUID, progress: Sequence[dict[str, Any]]) -> None:
    """See `BaseStore.record_progress`."""
    connection.execute(
        "UPDATE executions SET progress = ? WHERE id = ? AND status = 'running'",
        (json_text(list(progress)), str(execution_id)),
    )


def attempts(connection: sqlite3.Connection, execution_id: UUID) -> tuple[AttemptRecord, ...]:
    """See `BaseStore.attempts`."""
    columns = "execution_id, number, worker, started, finished, status, reason, result, error"
    rows = connection.execute(
        f"SELECT {columns} FROM execution_attempts WHERE execution_id = :id UNION ALL "
        "SELECT id, attempt, worker, began, finished, nullif(status, 'running'), reason, result, error "
        "FROM executions WHERE id = :id AND attempt > 0 AND NOT EXISTS ("
        "SELECT 1 FROM execution_attempts WHERE execution_id = :id AND number = attempt) ORDER BY number",
        {"id": str(execution_id)},
    )
    return tuple(map(ATTEMPTS.read, rows.fetchall()))


EventName: TypeAlias = tuple[str, str, str]


def _name_of(event: EventRecord) -> EventName:
    return event.project, event.event_id, event.source


def _known_events(connection: sqlite3.Connection, events: Sequence[EventRecord]) -> dict[EventName, UUID]:
    """Which of some events are stored already, by what makes them unique."""
    wanted = json_text([_name_of(event) for event in events])
    rows = connection.execute(
        "SELECT project, event_id, source, events.id FROM json_each(?) JOIN events "
        "ON project = json_extract(value, '$[0]') AND event_id = json_extract(value, '$[1]') "
        "AND source = json_extract(value, '$[2]')",
        (wanted,),
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


def _target(action: ActionRecord) -> Target:
    return Target(
        id=action.id,
        project=action.project,
        name=action.name,
        revision=action.revision,
        service_account_id=action.service_account_id,
        run_policy=json_text(action.run_policy),
    )


def _must_wait(connection: sqlite3.Connection, execution: ExecutionRecord) -> bool:
    if execution.kind is None or execution.slots is None:
        return False
    return turns.is_held(connection, execution.kind, execution.slots)


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
            return replace(execution, status=ExecutionStatus.SKIPPED, reason=reason, finished=execution.created)
    if mode is ConcurrencyMode.RESTART:
        turns.make_room(connection, kind, execution.created)
    return replace(execution, held=_must_wait(connection, execution))
