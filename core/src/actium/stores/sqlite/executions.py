"""Executions that are stored: cancelling, trying again, attempts and progress, inside a transaction of the caller."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

from actium.errors import ConflictError, NotReadyError
from actium.models.action import ActionStatus
from actium.models.execution import ExecutionStatus
from actium.stores.drafts import Target, kind_of
from actium.stores.publications import TriggerChanges
from actium.stores.records import ActionRecord, AttemptRecord, ExecutionRecord
from actium.stores.sqlite import turns
from actium.stores.sqlite.rows import read_all, read_one
from actium.stores.sqlite.tables import ACTIONS, ATTEMPTS, EVENTS, EXECUTIONS, TRIGGERS, json_text, time_text
from actium.stores.steps import bounded


def trigger_generation(connection: sqlite3.Connection) -> int:
    """See `BaseStore.trigger_generation`."""
    (generation,) = connection.execute("SELECT max(generation) FROM trigger_changes").fetchone()
    return generation or 0


def trigger_changes(connection: sqlite3.Connection, since: int) -> TriggerChanges:
    """See `BaseStore.trigger_changes`."""
    columns = ", ".join(f"triggers.{column}" for column in TRIGGERS.columns)
    # One statement, so that all is of one moment: a generation newer than the changes would hide what is between.
    rows = connection.execute(
        f"SELECT latest.generation, trigger_id, {columns} FROM "
        "(SELECT ifnull(max(generation), 0) AS generation FROM trigger_changes) AS latest "
        "LEFT JOIN trigger_changes ON trigger_changes.generation > ? LEFT JOIN triggers ON id = trigger_id "
        "ORDER BY trigger_changes.generation",
        (since,),
    ).fetchall()
    changes = [row for row in rows if row[1] is not None]
    return TriggerChanges(
        generation=rows[0][0],
        changed=tuple(TRIGGERS.read(row[2:]) for row in changes if row[2] is not None),
        removed=tuple(UUID(row[1]) for row in changes if row[2] is None),
    )


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
        if execution.kind is not None:
            turns.pass_on(connection, execution.kind)
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
    present = target_of(found[0])
    before = _as_it_was(connection, execution, present)
    if execution.status is ExecutionStatus.FAILED and execution.attempt == 0 and before.problem is None:
        raise ConflictError(
            f"Execution {execution_id} cannot be run again, since nobody knows whether it should: {execution.reason}.",
            hint="Repair the trigger, and replay the event.",
        )
    target = present if latest else before
    if target.problem is not None:
        raise ConflictError(
            f"Execution {execution_id} cannot be run again: {target.problem}",
            hint="Give the action another run policy, and ask for its latest revision.",
        )
    keep_attempt(connection, execution_id)
    events = read_all(connection, EVENTS, "id = ?", (str(execution.event_id),)) if execution.event_id else ()
    kind = kind_of(target, events[0] if events else None)
    of_kind = execution._replace(kind=kind, slots=target.policy.concurrency.slots)
    again = of_kind._replace(
        status=ExecutionStatus.PENDING,
        reason=None,
        action_revision=target.revision,
        service_account_id=target.service_account_id,
        cancel_requested=False,
        allowance=execution.attempt + target.policy.max_attempts,
        losses=0,
        held=must_wait(connection, of_kind),
        available=datetime.now(UTC),
        expires=None,  # whoever asks for it now wants it now
        finished=None,
    )
    connection.execute(
        "UPDATE executions SET status = 'pending', reason = NULL, action_revision = :action_revision, "
        "service_account_id = :service_account_id, cancel_requested = 0, allowance = :allowance, "
        "losses = 0, kind = :kind, slots = :slots, held = :held, available = :available, expires = NULL, "
        "finished = NULL, result = 'null', error = 'null' WHERE id = :id",
        EXECUTIONS.named(again),
    )
    if kind is not None:  # it was stored before those that wait, and may find room where the first of them does not
        turns.pass_on(connection, kind)
    return read_one(connection, EXECUTIONS, execution_id)


def _as_it_was(connection: sqlite3.Connection, execution: ExecutionRecord, target: Target) -> Target:
    """The action as the revision says that an execution runs, with the account that it was stored with."""
    (policy,) = connection.execute(
        "SELECT coalesce(json_extract(fields, '$.run_policy'), '{}') FROM action_revisions "
        "WHERE action_id = ? AND number = ?",
        (str(execution.action_id), execution.action_revision),
    ).fetchone() or ("{}",)
    account = execution.service_account_id or target.service_account_id
    return replace(target, revision=execution.action_revision, service_account_id=account, run_policy=policy)


def keep_attempt(connection: sqlite3.Connection, execution_id: UUID) -> None:
    """Copy an execution's latest attempt, if it had one, to where it stays when the next one begins."""
    connection.execute(
        "INSERT OR IGNORE INTO execution_attempts "
        "(execution_id, number, worker, started, finished, status, reason, result, error) "
        "SELECT id, attempt, worker, began, finished, status, reason, result, error FROM executions "
        "WHERE id = ? AND attempt > 0",
        (str(execution_id),),
    )


def record_progress(
    connection: sqlite3.Connection, execution_id: UUID, progress: Sequence[dict[str, Any]], attempt: int | None
) -> None:
    """See `BaseStore.record_progress`."""
    connection.execute(
        "UPDATE executions SET progress = ? WHERE id = ? AND status = 'running' AND attempt = coalesce(?, attempt)",
        (json_text(bounded(progress)), str(execution_id), attempt),
    )


def attempts(connection: sqlite3.Connection, execution_ids: Collection[UUID]) -> dict[UUID, tuple[AttemptRecord, ...]]:
    """See `BaseStore.attempts`; in one step, see `read_many`."""
    (rows,) = connection.execute(
        "WITH wanted AS MATERIALIZED (SELECT value AS id FROM json_each(?)) "
        "SELECT json_group_array(json_array(execution_id, number, worker, started, finished, status, reason, result, "
        "error)) FROM ("
        "SELECT execution_id, number, worker, started, finished, status, reason, result, error "
        "FROM wanted JOIN execution_attempts ON execution_id = wanted.id UNION ALL "
        "SELECT executions.id, attempt, worker, began, finished, nullif(status, 'running'), reason, result, error "
        "FROM wanted JOIN executions ON executions.id = wanted.id WHERE attempt > 0 AND NOT EXISTS ("
        "SELECT 1 FROM execution_attempts WHERE execution_id = executions.id AND number = attempt))",
        (json_text([str(one) for one in execution_ids]),),
    ).fetchone()
    found: dict[UUID, tuple[AttemptRecord, ...]] = {}
    for attempt in sorted(map(ATTEMPTS.read, json.loads(rows)), key=attrgetter("number")):
        found[attempt.execution_id] = (*found.get(attempt.execution_id, ()), attempt)
    return found


def target_of(action: ActionRecord) -> Target:
    """What executions need to know of an action."""
    return Target(
        id=action.id,
        project=action.project,
        name=action.name,
        revision=action.revision,
        service_account_id=action.service_account_id,
        run_policy=json_text(action.run_policy),
        can_begin=action.enabled and action.status is not ActionStatus.DELETING,
    )


def must_wait(connection: sqlite3.Connection, execution: ExecutionRecord) -> bool:
    """Whether an execution has to wait for its turn among its kind."""
    if execution.kind is None or execution.slots is None:
        return False
    return turns.is_held(connection, execution.kind, execution.slots)
