"""How many events and executions there are in each project, counted as they are stored.

Who stores rows counts them here, once a transaction: a trigger would do it once a row. What is deleted is counted by
triggers, as there are several ways to delete, and nobody waits for them. An older Actium that has a file open while it
is brought forward relies on triggers that are gone, and so leaves counts wrong.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Sequence
from operator import attrgetter

from actium.stores.records import EventRecord, ExecutionRecord
from actium.stores.sqlite.migrations import COUNTED
from actium.stores.upkeep import StoreProblem

_THERE = " UNION ALL ".join(
    f"SELECT '{table}' AS counted, project, count(*) AS number FROM {table} GROUP BY project" for table in COUNTED
)
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


def miscounts(connection: sqlite3.Connection) -> tuple[StoreProblem, ...]:
    """Where there are more or fewer rows than were counted."""
    rows = connection.execute(
        "SELECT counted, project, sum(told), sum(number) FROM ("
        f"SELECT counted, project, 0 AS told, number FROM ({_THERE}) "
        "UNION ALL SELECT counted, project, number, 0 FROM row_counts"
        ") GROUP BY counted, project HAVING sum(told) <> sum(number)"
    )  # one statement, so that the counts and the rows are of one moment
    return tuple(
        StoreProblem(
            where=table,
            problem=f"{told:,} are counted in the project {project!r}, and {there:,} are there",
            remedy="count them again",
        )
        for table, project, told, there in rows.fetchall()
    )


def count_again(connection: sqlite3.Connection) -> None:
    """Count the rows that are there, in place of what was counted."""
    connection.execute("DELETE FROM row_counts")
    connection.execute(f"INSERT INTO row_counts {_THERE}")
