"""How many events and executions there are in each project, counted as they are stored.

Who stores rows counts them here, once a transaction: a trigger would do it once a row. What is deleted is counted by
triggers, as there are several ways to delete, and nobody waits for them.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from operator import attrgetter

from actium.stores.records import EventRecord, ExecutionRecord

_project_of = attrgetter("project")


def add(
    connection: sqlite3.Connection,
    *,
    events: Sequence[EventRecord] = (),
    executions: Sequence[ExecutionRecord] = (),
) -> None:
    """Count what a transaction has stored, in that transaction."""
    values: list[object] = []
    for counted, stored in (("events", events), ("executions", executions)):
        for project, number in Counter(map(_project_of, stored)).items():
            values += counted, project, number
    if values:
        connection.execute(
            f"INSERT INTO row_counts VALUES {', '.join(['(?, ?, ?)'] * (len(values) // 3))} "
            "ON CONFLICT (counted, project) DO UPDATE SET number = number + excluded.number",
            values,
        )
