"""Deleting what is over and old, a bounded number of rows at a time, inside a transaction of the caller."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from datetime import datetime

from actium.models.execution import ExecutionStatus
from actium.stores.records import Pruned
from actium.stores.sqlite.tables import time_text


def prune(connection: sqlite3.Connection, before: datetime, keep: Collection[ExecutionStatus], limit: int) -> Pruned:
    """See `BaseStore.prune`."""
    written = time_text(before)
    over = sorted(status.value for status in ExecutionStatus if status.is_final and status not in keep)
    places = ", ".join("?" * len(over))
    # Rows lie in the order in which they were stored, so those that are old come first.
    executions = connection.execute(
        "DELETE FROM executions WHERE rowid IN (SELECT rowid FROM executions "
        f"WHERE finished < ? AND status IN ({places}) ORDER BY rowid LIMIT ?)",
        (written, *over, limit),
    ).rowcount
    events = connection.execute(
        "DELETE FROM events WHERE rowid IN (SELECT rowid FROM events WHERE received < ? "
        "AND NOT EXISTS (SELECT 1 FROM executions WHERE event_id = events.id) ORDER BY rowid LIMIT ?)",
        (written, limit),
    ).rowcount
    tokens = connection.execute(
        "DELETE FROM tokens WHERE digest IN (SELECT digest FROM tokens WHERE expires < ? OR revoked < ? LIMIT ?)",
        (written, written, limit),
    ).rowcount
    return Pruned(executions=executions, events=events, tokens=tokens)
