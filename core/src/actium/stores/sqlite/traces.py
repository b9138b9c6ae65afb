"""What is kept of how attempts went, inside a transaction of the caller. It goes with its execution."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from uuid import UUID

from actium.stores.claims import Ending
from actium.stores.records import TraceRecord


def keep(connection: sqlite3.Connection, endings: Iterable[Ending]) -> None:
    """Keep the traces of attempts whose ends are recorded."""
    rows = [(str(one.claimed.id), one.claimed.attempt, one.trace) for one in endings if one.trace is not None]
    if rows:
        connection.executemany("INSERT OR REPLACE INTO execution_traces VALUES (?, ?, ?)", rows)


def traces(connection: sqlite3.Connection, execution_id: UUID) -> tuple[TraceRecord, ...]:
    """See `BaseStore.traces`."""
    rows = connection.execute(
        "SELECT attempt, trace FROM execution_traces WHERE execution_id = ? ORDER BY attempt", (str(execution_id),)
    )
    return tuple(TraceRecord(attempt=attempt, trace=json.loads(trace)) for attempt, trace in rows.fetchall())
