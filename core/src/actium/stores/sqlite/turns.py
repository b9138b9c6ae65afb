"""Executions that must not run beside too many of their kind: whose turn it is, inside a transaction of the caller.

An execution of a kind either has one of its slots (pending or running, not held), or is held until one is free. How
many slots there are, each says for itself, as those of one kind may have been stored under different run policies. None
overtakes another, so that one with few slots does not wait for ever while others come later with more.

Claims look at what is not held only, so that a long queue of one kind costs the others nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import closing
from datetime import datetime
from itertools import takewhile
from uuid import UUID

from actium.stores.sqlite.tables import json_text, time_text

_OF_KIND = "kind = ? AND status IN ('pending', 'running')"


def is_held(connection: sqlite3.Connection, kind: str, slots: int) -> bool:
    """Whether a new execution of a kind has to wait for a slot, or behind others that do."""
    taken = _taken(connection, kind)
    return taken >= slots or (taken > 0 and next(_queue(connection, kind), None) is not None)


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


def pass_on(connection: sqlite3.Connection, kind: str) -> None:
    """Give the free slots of a kind to those that have waited longest, up to the first that finds none free."""
    with closing(_queue(connection, kind)) as queue:  # it may be long, and few go on
        places = enumerate(queue, start=_taken(connection, kind))
        rows = [row for _, (row, _) in takewhile(lambda place: place[0] < place[1][1], places)]
    if rows:
        connection.execute(
            "UPDATE executions SET held = 0 WHERE rowid IN (SELECT value FROM json_each(?))", (json_text(rows),)
        )


def _queue(connection: sqlite3.Connection, kind: str) -> Generator[tuple[int, int], None, None]:
    """Those of a kind that wait for a slot, as row and number of slots, in the order in which they came."""
    with closing(
        connection.execute(f"SELECT rowid, slots FROM executions WHERE {_OF_KIND} AND held = 1 ORDER BY rowid", (kind,))
    ) as rows:
        yield from rows


def _taken(connection: sqlite3.Connection, kind: str) -> int:
    """How many of a kind have a slot."""
    (taken,) = connection.execute(f"SELECT count(*) FROM executions WHERE {_OF_KIND} AND held = 0", (kind,)).fetchone()
    return int(taken)
