"""Executions that must not run beside too many of their kind: whose turn it is, inside a transaction of the caller.

An execution of a kind either has one of its slots (pending or running, not held), or is held until one is free. Claims
look at what is not held only, so that a long queue of one kind costs the others nothing.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime
from uuid import UUID

from actium.stores.sqlite.tables import time_text


def is_held(connection: sqlite3.Connection, kind: str, slots: int) -> bool:
    """Whether a new execution of a kind has to wait for a slot."""
    return _taken(connection, kind) >= slots


def under_way(connection: sqlite3.Connection, kind: str) -> UUID | None:
    """An execution of a kind that has not ended, if there is one."""
    row = connection.execute(
        "SELECT id FROM executions WHERE kind = ? AND status IN ('pending', 'running') ORDER BY rowid LIMIT 1", (kind,)
    ).fetchone()
    return None if row is None else UUID(row[0])


def make_room(connection: sqlite3.Connection, kind: str, now: datetime) -> None:
    """Cancel what is under way of a kind: what has not begun at once, what runs as soon as its handler heeds it."""
    connection.execute(
        "UPDATE executions SET status = 'cancelled', reason = 'a newer execution took its place', finished = ? "
        "WHERE kind = ? AND status = 'pending'",
        (time_text(now), kind),
    )
    connection.execute("UPDATE executions SET cancel_requested = 1 WHERE kind = ? AND status = 'running'", (kind,))


def pass_on(connection: sqlite3.Connection, kind: str, slots: int) -> None:
    """Give the free slots of a kind to those that have waited longest."""
    free = slots - _taken(connection, kind)
    if free > 0:
        connection.execute(
            "UPDATE executions SET held = 0 WHERE rowid IN ("
            "SELECT rowid FROM executions WHERE kind = ? AND status = 'pending' AND held = 1 ORDER BY rowid LIMIT ?)",
            (kind, free),
        )


def _taken(connection: sqlite3.Connection, kind: str) -> int:
    (taken,) = connection.execute(
        "SELECT count(*) FROM executions WHERE kind = ? AND status IN ('pending', 'running') AND held = 0", (kind,)
    ).fetchone()
    return int(taken)
