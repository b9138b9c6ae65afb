"""Workers, and what they take and give back, inside a transaction of the caller.

A worker owns the executions that it has claimed for as long as its row is there and grows by beats. Whoever sees it
stand still for longer than its lease removes it; its executions are then tried again by others. Each execution's
worker and attempt number are the fencing token: what is told with an older one is refused.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeAlias, TypeVar
from uuid import UUID

from actium.errors import WorkerLostError
from actium.models.execution import ExecutionStatus
from actium.models.ids import id_text
from actium.models.run_policy import MAX_LOSSES, ROOM_WITHIN
from actium.stores.claims import Along, Claim, Ending, Exchange, Outcome
from actium.stores.obstacles import obstacle_of
from actium.stores.records import AccountRecord, ActionRecord, EventRecord, ExecutionRecord, WorkerRecord
from actium.stores.sqlite import traces, turns
from actium.stores.sqlite.rows import read_all, read_many
from actium.stores.sqlite.tables import (
    ACCOUNTS,
    ACTIONS,
    EVENTS,
    EXECUTIONS,
    WORKERS,
    Table,
    json_text,
    time_text,
)

logger = logging.getLogger("actium.stores")

RowT = TypeVar("RowT", AccountRecord, ActionRecord, EventRecord)
Fence: TypeAlias = tuple[str, int, str | None]


def beat(connection: sqlite3.Connection, worker: str) -> None:
    """See `BaseStore.beat`."""
    if connection.execute("UPDATE workers SET beat = beat + 1 WHERE name = ?", (worker,)).rowcount == 0:
        raise _lost(worker)


def workers(connection: sqlite3.Connection) -> tuple[WorkerRecord, ...]:
    """See `BaseStore.workers`."""
    return read_all(connection, WORKERS, "1 ORDER BY started, name", ())


def orphans(connection: sqlite3.Connection) -> tuple[str, ...]:
    """See `BaseStore.lost_workers`."""
    rows = connection.execute(
        "SELECT DISTINCT worker FROM executions WHERE status = 'running' AND worker NOT IN (SELECT name FROM workers)"
    )
    return tuple(name for (name,) in rows.fetchall())


def remove_worker(connection: sqlite3.Connection, worker: str, reason: str, *, counts: bool, beat: int | None) -> int:
    """See `BaseStore.remove_worker`."""
    if beat is not None:
        row = connection.execute("SELECT beat FROM workers WHERE name = ?", (worker,)).fetchone()
        if row is not None and row[0] != beat:
            return 0
    connection.execute("DELETE FROM workers WHERE name = ?", (worker,))
    running = read_all(connection, EXECUTIONS, "status = 'running' AND worker = ?", (worker,))
    now = datetime.now(UTC)
    for execution in running:
        _lose(connection, execution, reason, now, counts=counts)
    return len(running)


def exchange(
    connection: sqlite3.Connection,
    worker: str,
    endings: Sequence[Ending],
    *,
    limit: int,
    execution_id: UUID | None = None,
) -> Exchange:
    """See `BaseStore.exchange`."""
    due = _due_for(connection, worker)
    now = datetime.now(UTC)
    accepted = _recorded(connection, endings, now)
    if limit and execution_id is not None:
        claims = _claim(connection, worker, 1, execution_id, now)
        return Exchange(accepted=accepted, claims=claims, next_due=None)
    if not _are_simple(endings):  # some of them may have made others due
        due = next_due(connection)
    if not limit or due is None or due > now:
        return Exchange(accepted=accepted, claims=(), next_due=due)
    suspect, is_awaited_until = _suspect(connection, worker, now)
    if is_awaited_until is not None:
        return Exchange(accepted=accepted, claims=(), next_due=is_awaited_until)
    claims = _claim(connection, worker, limit if suspect is None else 1, suspect, now)
    return Exchange(accepted=accepted, claims=claims, next_due=None if claims else due)


def record_along(connection: sqlite3.Connection, worker: str, along: Along) -> None:
    """See `BaseStore.record_events`."""
    if connection.execute("SELECT 1 FROM workers WHERE name = ?", (worker,)).fetchone() is None:
        return
    along.endings = along.take()
    connection.execute("SAVEPOINT along")
    try:
        along.accepted = _recorded(connection, along.endings, datetime.now(UTC))
    except Exception:
        if not connection.in_transaction:  # all of it has failed, the events too
            raise
        connection.execute("ROLLBACK TO along")
        logger.warning("What a worker has ended is not recorded along with events.", exc_info=True)
    connection.execute("RELEASE along")


def _recorded(connection: sqlite3.Connection, endings: Sequence[Ending], now: datetime) -> tuple[bool, ...]:
    """Record endings and their traces; for each, whether its attempt was still the latest."""
    accepted = _end_all(connection, endings, now)
    traces.keep(connection, [one for one, is_there in zip(endings, accepted, strict=True) if is_there])
    return accepted


def _suspect(connection: sqlite3.Connection, worker: str, now: datetime) -> tuple[UUID | None, datetime | None]:
    """What a worker is to run alone, and until when it takes nothing, for something else to end before."""
    suspects = "SELECT id, available FROM executions INDEXED BY executions_suspects WHERE losses >= 2 AND "
    if connection.execute(f"{suspects} status = 'running' AND worker = ?", (worker,)).fetchone() is not None:
        return None, now + timedelta(seconds=ROOM_WITHIN)
    found = connection.execute(
        f"{suspects} status = 'pending' AND held = 0 AND available <= ? ORDER BY available, rowid", (time_text(now),)
    ).fetchone()
    if found is None:
        return None, None
    awaited_until = datetime.fromisoformat(found[1]) + timedelta(seconds=ROOM_WITHIN)
    runs = "SELECT 1 FROM executions WHERE status = 'running' AND worker = ?"
    if now < awaited_until and connection.execute(runs, (worker,)).fetchone() is not None:
        return None, awaited_until
    return UUID(found[0]), None


_NEXT_DUE = "SELECT min(available) FROM executions WHERE status = 'pending' AND held = 0"


def next_due(connection: sqlite3.Connection) -> datetime | None:
    """See `BaseStore.next_due`."""
    (due,) = connection.execute(_NEXT_DUE).fetchone()
    return None if due is None else datetime.fromisoformat(due)


def _due_for(connection: sqlite3.Connection, worker: str) -> datetime | None:
    """As `next_due`, for a worker that is not lost; in one statement, as each gives the interpreter away."""
    row = connection.execute(f"SELECT ({_NEXT_DUE}) FROM workers WHERE name = ?", (worker,)).fetchone()
    if row is None:
        raise _lost(worker)
    return None if row[0] is None else datetime.fromisoformat(row[0])


def executions_of_worker(connection: sqlite3.Connection, worker: str) -> dict[UUID, int]:
    """See `BaseStore.executions_of_worker`."""
    rows = connection.execute("SELECT id, attempt FROM executions WHERE status = 'running' AND worker = ?", (worker,))
    return {UUID(execution_id): attempt for execution_id, attempt in rows.fetchall()}


def cancel_requests(connection: sqlite3.Connection, worker: str) -> tuple[UUID, ...]:
    """See `BaseStore.cancel_requests`."""
    rows = connection.execute(
        "SELECT id FROM executions WHERE status = 'running' AND worker = ? AND cancel_requested = 1", (worker,)
    )
    return tuple(UUID(execution_id) for (execution_id,) in rows.fetchall())


def _claim(
    connection: sqlite3.Connection, worker: str, limit: int, execution_id: UUID | None, now: datetime
) -> tuple[Claim, ...]:
    written = time_text(now)
    which, values = "available <= ? ORDER BY available, rowid LIMIT ?", (written, limit)
    if execution_id is not None:
        which, values = "id = ? LIMIT ?", (str(execution_id), 1)
    claimed = _read_as_claimed(connection, which, values, worker, written)
    if not claimed:
        return ()
    connection.execute(
        "UPDATE executions SET status = 'running', attempt = attempt + 1, worker = ?, began = ?, "
        "started = coalesce(started, ?), reason = NULL, error = 'null', progress = '[]' "
        "WHERE id IN (SELECT value FROM json_each(?))",
        (worker, written, written, json_text([str(execution.id) for execution, _ in claimed])),
    )
    accounts = _by_id(connection, ACCOUNTS, (one.service_account_id for one, _ in claimed))
    actions = _by_id(connection, ACTIONS, (one.action_id for one, _ in claimed))
    return tuple(
        Claim(
            execution=one,
            event=event,
            account=None if one.service_account_id is None else accounts.get(one.service_account_id),
            obstacle=obstacle_of(one, actions.get(one.action_id), now),
        )
        for one, event in claimed
    )


_STATUS, _ATTEMPT, _WORKER, _BEGAN, _STARTED, _REASON, _ERROR, _PROGRESS = map(
    list(EXECUTIONS.columns).index,
    ("status", "attempt", "worker", "began", "started", "reason", "error", "progress"),
)
_EXECUTION_AND_EVENT = ", ".join(
    [*(f"execution.{column}" for column in EXECUTIONS.columns), *(f"event.{column}" for column in EVENTS.columns)]
)


def _read_as_claimed(
    connection: sqlite3.Connection, which: str, values: tuple[object, ...], worker: str, now: str
) -> list[tuple[ExecutionRecord, EventRecord | None]]:
    """The pending executions of a condition, as they are once they are claimed, with their events.

    They are read in one step of one statement: a step for each row would give the interpreter to other threads as
    often; see `insert_many`.
    """
    (rows,) = connection.execute(
        f"SELECT json_group_array(json_array({_EXECUTION_AND_EVENT})) FROM ("
        f"SELECT * FROM executions WHERE status = 'pending' AND held = 0 AND {which}) AS execution "
        "LEFT JOIN events AS event ON event.id = execution.event_id",
        values,
    ).fetchone()
    width = len(EXECUTIONS.columns)
    found = []
    for row in json.loads(rows):
        row[_STATUS] = ExecutionStatus.RUNNING.value
        row[_ATTEMPT] += 1
        row[_WORKER], row[_BEGAN], row[_STARTED] = worker, now, row[_STARTED] or now
        row[_REASON], row[_ERROR], row[_PROGRESS] = None, "null", "[]"
        event = None if row[width] is None else EVENTS.read(row[width:])
        found.append((EXECUTIONS.read(row[:width]), event))
    return found


def _by_id(connection: sqlite3.Connection, table: Table[RowT], ids: Iterable[UUID | None]) -> dict[UUID, RowT]:
    return {row.id: row for row in read_many(connection, table, {one for one in ids if one is not None})}


def _end_all(connection: sqlite3.Connection, endings: Sequence[Ending], now: datetime) -> tuple[bool, ...]:
    """Record endings; for each, whether its attempt was still the latest."""
    if _are_simple(endings) and _finish_all(connection, endings, now):
        return (True,) * len(endings)
    valid = _still_running(connection, [ending.claimed for ending in endings])
    accepted = []
    for claimed, outcome, _ in endings:
        fence = _fence(claimed)
        accepted.append(fence in valid)
        if fence in valid:
            valid.remove(fence)
            _end(connection, claimed, outcome, now)
    return tuple(accepted)


def _are_simple(endings: Sequence[Ending]) -> bool:
    """Whether all of them are final, and of executions that no other one of their kind waits for."""
    return all(ending.outcome.next_attempt is None and ending.claimed.kind is None for ending in endings)


def _finish_all(connection: sqlite3.Connection, endings: Sequence[Ending], now: datetime) -> bool:
    """Record final outcomes, all of them or, where an attempt was overtaken, none."""
    if len(endings) <= 1:
        return not endings or _finish(connection, endings, now)
    connection.execute("SAVEPOINT endings")
    try:
        is_done = _finish(connection, endings, now)
        if not is_done:
            connection.execute("ROLLBACK TO endings")
    finally:
        connection.execute("RELEASE endings")
    return is_done


def _fence(claimed: ExecutionRecord) -> Fence:
    return str(claimed.id), claimed.attempt, claimed.worker


def _still_running(connection: sqlite3.Connection, claimed: Sequence[ExecutionRecord]) -> set[Fence]:
    """The fences of attempts that no other has overtaken; one execution may come with a late attempt besides."""
    (rows,) = connection.execute(
        "SELECT json_group_array(json(fence.value)) FROM json_each(?) AS fence "
        "JOIN executions ON executions.id = json_extract(fence.value, '$[0]') WHERE status = 'running' "
        "AND attempt = json_extract(fence.value, '$[1]') AND worker = json_extract(fence.value, '$[2]')",
        (json_text([_fence(one) for one in claimed]),),
    ).fetchone()
    return {(execution_id, attempt, worker) for execution_id, attempt, worker in json.loads(rows)}


def _finish(connection: sqlite3.Connection, endings: Sequence[Ending], now: datetime) -> bool:
    """Record the final outcomes of attempts that no other has overtaken; whether that was so of all."""
    ids = [id_text(ending.claimed.id) for ending in endings]
    rows = [_ended(ending) for ending in endings]
    if len(set(rows)) == 1:
        changed = _finish_alike(connection, ids, rows[0], now)
    elif any("\0" in (ending.outcome.reason or "") for ending in endings):
        changed = sum(_finish_alike(connection, [one], row, now) for one, row in zip(ids, rows, strict=True))
    else:
        changed = _finish_each(connection, ids, rows, now)
    return changed == len(endings)


def _ended(ending: Ending) -> tuple[object, ...]:
    """What an ending changes, and the fence before it; but for their ids, most that are recorded together are alike."""
    claimed, outcome, _ = ending
    return (
        outcome.status.value,
        outcome.reason,
        json_text(outcome.result),
        json_text(outcome.error),
        claimed.attempt,
        claimed.worker,
    )


def _finish_alike(connection: sqlite3.Connection, ids: Sequence[str], row: tuple[object, ...], now: datetime) -> int:
    """Record one outcome of several attempts; how many were still running."""
    which, given = ("= ?", ids[0]) if len(ids) == 1 else ("IN (SELECT value FROM json_each(?))", json_text(ids))
    # The plus keeps SQLite from looking at all that the worker runs instead.
    return connection.execute(
        "UPDATE executions SET status = ?, reason = ?, result = ?, error = ?, finished = ? "
        f"WHERE status = 'running' AND attempt = ? AND +worker = ? AND id {which}",
        (*row[:4], time_text(now), *row[4:], given),
    ).rowcount


def _finish_each(
    connection: sqlite3.Connection, ids: Sequence[str], rows: Sequence[tuple[object, ...]], now: datetime
) -> int:
    """Record outcomes that differ; how many attempts were still running.

    What SQLite reads from JSON ends before a NUL, so that none of their texts may hold one. In results and errors,
    which are JSON themselves, it is written as an escape.
    """
    return connection.execute(
        "UPDATE executions SET status = json_extract(ending.value, '$[1]'), "
        "reason = json_extract(ending.value, '$[2]'), result = json_extract(ending.value, '$[3]'), "
        "error = json_extract(ending.value, '$[4]'), finished = ? "
        "FROM json_each(?) AS ending WHERE executions.id = json_extract(ending.value, '$[0]') "
        "AND executions.status = 'running' AND attempt = json_extract(ending.value, '$[5]') "
        "AND worker = json_extract(ending.value, '$[6]')",
        (time_text(now), json_text([(one, *row) for one, row in zip(ids, rows, strict=True)])),
    ).rowcount


def _end(connection: sqlite3.Connection, claimed: ExecutionRecord, outcome: Outcome, now: datetime) -> None:
    """Record how an attempt ended that no other has overtaken."""
    if outcome.next_attempt is None:
        _finish(connection, [Ending(claimed=claimed, outcome=outcome)], now)
        if claimed.kind is not None:
            turns.pass_on(connection, claimed.kind)
    elif _is_to_be_cancelled(connection, claimed.id):
        reason = f"it was cancelled while it ran; {outcome.reason}"
        ending = replace(outcome, status=ExecutionStatus.CANCELLED, reason=reason, next_attempt=None)
        _end(connection, claimed, ending, now)
    else:
        connection.execute(
            "UPDATE executions SET status = 'pending', reason = ?, error = ?, available = ?, "
            "allowance = allowance + ? WHERE id = ?",
            (
                outcome.reason,
                json_text(outcome.error),
                time_text(outcome.next_attempt),
                outcome.is_returned,
                str(claimed.id),
            ),
        )
        _keep(connection, claimed, outcome, time_text(now))


def _is_to_be_cancelled(connection: sqlite3.Connection, execution_id: UUID) -> bool:
    row = connection.execute("SELECT cancel_requested FROM executions WHERE id = ?", (str(execution_id),)).fetchone()
    return row is not None and bool(row[0])


def _keep(connection: sqlite3.Connection, claimed: ExecutionRecord, outcome: Outcome, finished: str) -> None:
    connection.execute(
        "INSERT INTO execution_attempts (execution_id, number, worker, started, finished, status, reason, error) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            str(claimed.id),
            claimed.attempt,
            claimed.worker,
            time_text(claimed.began or claimed.created),
            finished,
            outcome.status.value,
            outcome.reason,
            json_text(outcome.error),
        ),
    )


def _lose(
    connection: sqlite3.Connection, execution: ExecutionRecord, reason: str, now: datetime, *, counts: bool
) -> None:
    """End an attempt whose worker is gone: another begins, unless this execution seems to be what ends workers."""
    losses = execution.losses + counts
    is_suspect = counts and losses >= MAX_LOSSES
    told = f"{reason}; what the attempt did so far is not known"
    error = {"type": "WorkerLostError", "message": reason, "traceback": None}
    if is_suspect:
        told = f"{reason}; that happened {losses} times, so the execution itself seems to be the cause"
        outcome = Outcome(status=ExecutionStatus.FAILED, reason=told, error=error)
    else:
        outcome = Outcome(status=ExecutionStatus.FAILED, reason=told, error=error, next_attempt=now, is_returned=True)
    connection.execute("UPDATE executions SET losses = ? WHERE id = ?", (losses, str(execution.id)))
    _end(connection, execution, outcome, now)


def _lost(worker: str) -> WorkerLostError:
    return WorkerLostError(
        f"The worker {worker!r} has lost its executions: it gave no sign of life for longer than its lease.",
        hint="It goes on under a new name. Was its process or machine suspended, or the store blocked?",
    )
