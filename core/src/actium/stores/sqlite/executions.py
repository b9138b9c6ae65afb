"""Rows of events, executions and attempts, inside a transaction of the caller."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from actium.errors import ConflictError, NotReadyError
from actium.models.action import ActionStatus
from actium.models.execution import ExecutionStatus
from actium.stores.base_store import StaleTriggersError
from actium.stores.records import (
    ActionRecord,
    AttemptRecord,
    EventRecord,
    ExecutionDraft,
    ExecutionRecord,
    Outcome,
    RecordedEvent,
    TriggerChanges,
)
from actium.stores.sqlite.rows import not_found, read_all, read_one
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


def record_event(
    connection: sqlite3.Connection, event: EventRecord, drafts: Sequence[ExecutionDraft], generation: int
) -> RecordedEvent:
    """See `BaseStore.record_event`."""
    known = _known_event(connection, event)
    if known is not None:
        return RecordedEvent(id=known, execution_ids=executions_of(connection, known), duplicate=True)
    if trigger_generation(connection) != generation:
        raise StaleTriggersError("The triggers have changed since they were matched.", hint="Match again.")
    connection.execute(EVENTS.insertion, EVENTS.written(event))
    now = datetime.now(UTC)
    for draft in drafts:
        _insert(connection, _from_draft(draft, read_one(connection, ACTIONS, draft.action_id), event.id, now))
    return RecordedEvent(id=event.id, execution_ids=tuple(draft.id for draft in drafts), duplicate=False)


def insert_execution(
    connection: sqlite3.Connection, draft: ExecutionDraft, project: str, event: EventRecord | None
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
    event_id = None
    if event is not None:
        event_id = _known_event(connection, event)
        if event_id is None:
            connection.execute(EVENTS.insertion, EVENTS.written(event))
            event_id = event.id
        else:
            _check_same(read_one(connection, EVENTS, event_id), event)
    execution = _from_draft(draft, action, event_id, datetime.now(UTC))
    _insert(connection, execution)
    return execution


def executions_of(connection: sqlite3.Connection, event_id: UUID) -> tuple[UUID, ...]:
    """See `BaseStore.executions_of_event`."""
    rows = connection.execute("SELECT id FROM executions WHERE event_id = ? ORDER BY rowid", (str(event_id),))
    return tuple(UUID(execution_id) for (execution_id,) in rows.fetchall())


def claim(connection: sqlite3.Connection, worker: str, execution_id: UUID | None) -> ExecutionRecord | None:
    """See `BaseStore.claim_execution`."""
    which, values = ("1", ()) if execution_id is None else ("id = ?", (str(execution_id),))
    found = read_all(connection, EXECUTIONS, f"status = 'pending' AND {which} ORDER BY created, rowid LIMIT 1", values)
    if not found:
        return None
    number, now = found[0].attempt + 1, time_text(datetime.now(UTC))
    connection.execute(
        "UPDATE executions SET status = 'running', attempt = ?, started = coalesce(started, ?) WHERE id = ?",
        (number, now, str(found[0].id)),
    )
    connection.execute(
        "INSERT INTO execution_attempts (execution_id, number, worker, started) VALUES (?, ?, ?, ?)",
        (str(found[0].id), number, worker, now),
    )
    return read_one(connection, EXECUTIONS, found[0].id)


def finish(connection: sqlite3.Connection, execution_id: UUID, attempt: int, outcome: Outcome) -> ExecutionRecord:
    """See `BaseStore.finish_execution`."""
    now, error = time_text(datetime.now(UTC)), json_text(outcome.error)
    cursor = connection.execute(
        "UPDATE executions SET status = ?, reason = ?, result = ?, error = ?, finished = ? "
        "WHERE id = ? AND attempt = ? AND status = 'running'",
        (
            outcome.status.value,
            outcome.reason,
            json_text(outcome.result),
            error,
            now,
            str(execution_id),
            attempt,
        ),
    )
    if cursor.rowcount == 0:
        present = read_one(connection, EXECUTIONS, execution_id)
        raise ConflictError(
            f"Execution {execution_id} is {present.status.value} in attempt {present.attempt}, "
            f"not running attempt {attempt}.",
            hint="Another worker, or a cancellation, was faster; this outcome is not recorded.",
        )
    connection.execute(
        "UPDATE execution_attempts SET status = ?, error = ?, finished = ? WHERE execution_id = ? AND number = ?",
        (outcome.status.value, error, now, str(execution_id), attempt),
    )
    return read_one(connection, EXECUTIONS, execution_id)


def request_cancel(connection: sqlite3.Connection, execution_id: UUID) -> ExecutionRecord:
    """See `BaseStore.request_cancel`."""
    execution = read_one(connection, EXECUTIONS, execution_id)
    if execution.status.is_final:
        raise ConflictError(
            f"Execution {execution_id} has {execution.status.value} already.", hint="There is nothing to cancel."
        )
    if execution.status is ExecutionStatus.PENDING:
        connection.execute(
            "UPDATE executions SET status = 'cancelled', cancel_requested = 1, finished = ?, "
            "reason = 'it was cancelled before it began' WHERE id = ?",
            (time_text(datetime.now(UTC)), str(execution_id)),
        )
    else:
        connection.execute("UPDATE executions SET cancel_requested = 1 WHERE id = ?", (str(execution_id),))
    return read_one(connection, EXECUTIONS, execution_id)


def record_progress(connection: sqlite3.Connection, execution_id: UUID, progress: Sequence[dict[str, Any]]) -> None:
    """See `BaseStore.record_progress`."""
    connection.execute(
        "UPDATE executions SET progress = ? WHERE id = ? AND status = 'running'",
        (json_text(list(progress)), str(execution_id)),
    )


def attempts(connection: sqlite3.Connection, execution_id: UUID) -> tuple[AttemptRecord, ...]:
    """See `BaseStore.attempts`."""
    return read_all(connection, ATTEMPTS, "execution_id = ? ORDER BY number", (str(execution_id),))


def _known_event(connection: sqlite3.Connection, event: EventRecord) -> UUID | None:
    row = connection.execute(
        "SELECT id FROM events WHERE project = ? AND event_id = ? AND source = ?",
        (event.project, event.event_id, event.source),
    ).fetchone()
    return None if row is None else UUID(row[0])


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


def _from_draft(draft: ExecutionDraft, action: ActionRecord, event_id: UUID | None, now: datetime) -> ExecutionRecord:
    failed = draft.problem is not None
    return ExecutionRecord(
        id=draft.id,
        project=action.project,
        action_id=action.id,
        action_name=action.name,
        action_revision=action.revision,
        trigger_id=draft.trigger_id,
        event_id=event_id,
        status=ExecutionStatus.FAILED if failed else ExecutionStatus.PENDING,
        reason=draft.problem,
        result=None,
        error=None,
        progress=[],
        cancel_requested=False,
        attempt=0,
        created=now,
        started=None,
        finished=now if failed else None,
    )


def _insert(connection: sqlite3.Connection, execution: ExecutionRecord) -> None:
    connection.execute(EXECUTIONS.insertion, EXECUTIONS.written(execution))
