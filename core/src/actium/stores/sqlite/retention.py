"""Deleting what is over and old, a bounded number of rows at a time.

What there is to delete is found while others write, and only then deleted, unless it has come to life meanwhile: a look
through a million rows that stay would otherwise keep every worker waiting.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from actium.models.execution import ExecutionStatus
from actium.stores.sqlite.tables import json_text, time_text
from actium.stores.upkeep import Pruned

_NEEDED = "EXISTS (SELECT 1 FROM executions WHERE event_id = events.id)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prunable:
    """Rows to delete, by their rowids; tokens by their digests."""

    executions: list[int]
    events: list[int]
    tokens: list[str]

    def __bool__(self) -> bool:
        return bool(self.executions or self.events or self.tokens)


def find(connection: sqlite3.Connection, before: datetime, keep: Collection[ExecutionStatus], limit: int) -> Prunable:
    """What is over since before a time; of each sort so many at most.

    Args:
        connection: Inside a transaction that reads.
        before: A time.
        keep: The final states of executions that stay.
        limit: How many.
    """

    def found(statement: str, *values: object) -> list[int]:
        return [row[0] for row in connection.execute(f"{statement} LIMIT ?", (*values, limit)).fetchall()]

    written, over = time_text(before), _over(keep)
    # Rows lie in the order in which they were stored, so those that are old come first.
    executions = found(
        "SELECT rowid FROM executions WHERE finished < ? AND status IN (SELECT value FROM json_each(?)) ORDER BY rowid",
        written,
        over,
    )
    events = found(f"SELECT rowid FROM events WHERE received < ? AND NOT {_NEEDED} ORDER BY rowid", written)
    tokens = connection.execute(
        "SELECT digest FROM tokens WHERE expires < ? OR revoked < ? LIMIT ?", (written, written, limit)
    ).fetchall()
    return Prunable(executions=executions, events=events, tokens=[digest for (digest,) in tokens])


def prune(
    connection: sqlite3.Connection, found: Prunable, before: datetime, keep: Collection[ExecutionStatus]
) -> Pruned:
    """Delete what was found, and is still over; events that were needed by nothing else go as well."""
    written, executions = time_text(before), json_text(found.executions)
    is_over = "finished < ? AND status IN (SELECT value FROM json_each(?))"
    of_events = connection.execute(
        f"SELECT DISTINCT event_id FROM executions WHERE rowid IN (SELECT value FROM json_each(?)) AND {is_over}",
        (executions, written, _over(keep)),
    ).fetchall()
    deleted = connection.execute(
        f"DELETE FROM executions WHERE rowid IN (SELECT value FROM json_each(?)) AND {is_over}",
        (executions, written, _over(keep)),
    ).rowcount
    events = connection.execute(
        "DELETE FROM events WHERE "
        "(rowid IN (SELECT value FROM json_each(?)) OR id IN (SELECT value FROM json_each(?))) "
        f"AND received < ? AND NOT {_NEEDED}",
        (json_text(found.events), json_text([event for (event,) in of_events if event is not None]), written),
    ).rowcount
    tokens = connection.execute(
        "DELETE FROM tokens WHERE digest IN (SELECT value FROM json_each(?)) AND (expires < ? OR revoked < ?)",
        (json_text(found.tokens), written, written),
    ).rowcount
    return Pruned(executions=deleted, events=events, tokens=tokens)


def _over(keep: Collection[ExecutionStatus]) -> str:
    return json_text(sorted(status.value for status in ExecutionStatus if status.is_final and status not in keep))
