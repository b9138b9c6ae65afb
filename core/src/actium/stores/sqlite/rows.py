"""Reading, inserting and replacing single rows, with refusals in Actium's words."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar
from uuid import UUID

from actium.errors import AlreadyExistsError, NotFoundError, VersionConflictError
from actium.stores.sqlite.tables import Table, json_text

RowT = TypeVar("RowT")

_MOST_ROWS = 64

_WORDS = {
    "service_accounts": "service account",
    "actions": "action",
    "action_revisions": "revision",
    "triggers": "trigger",
    "events": "event",
    "executions": "execution",
    "resources": "resource",
}


def read_one(connection: sqlite3.Connection, table: Table[RowT], record_id: object) -> RowT:
    """One row by its id.

    Raises:
        NotFoundError: There is none.
    """
    row = connection.execute(f"SELECT {table.selected} FROM {table.name} WHERE id = ?", (str(record_id),)).fetchone()
    if row is None:
        raise not_found(table, record_id)
    return table.read(row)


def read_all(connection: sqlite3.Connection, table: Table[RowT], where: str, values: Sequence[Any]) -> tuple[RowT, ...]:
    """The rows that fulfil a condition, which may end with an order."""
    rows = connection.execute(f"SELECT {table.selected} FROM {table.name} WHERE {where}", values)
    return tuple(map(table.read, rows.fetchall()))


def read_many(connection: sqlite3.Connection, table: Table[RowT], ids: Collection[UUID]) -> list[RowT]:
    """The rows with some ids, in one step of one statement: one for each row would give the interpreter away as often.

    See `insert_many`, and for what may be done with the records, `Table.read_again`.
    """
    if len(ids) == 1:
        found = connection.execute(f"SELECT {table.selected} FROM {table.name} WHERE id = ?", [*map(str, ids)])
        return list(map(table.read_again, found.fetchall()))
    (rows,) = connection.execute(
        f"SELECT json_group_array(json_array({table.selected})) FROM {table.name} "
        "WHERE id IN (SELECT value FROM json_each(?))",
        (json_text([str(one) for one in ids]),),
    ).fetchone()
    return [table.read_again(tuple(row)) for row in json.loads(rows)]


def insert(connection: sqlite3.Connection, table: Table[RowT], record: RowT) -> None:
    """Insert a row.

    Raises:
        AlreadyExistsError: Its name is taken.
    """
    with name_is_free(table, record):
        connection.execute(table.insertion, table.written(record))


def insert_many(connection: sqlite3.Connection, table: Table[RowT], records: Sequence[RowT]) -> int:
    """Insert rows with few statements; how many, as a table may pass over what is there.

    Each step of a statement gives the interpreter to other threads, and a busy one keeps it for milliseconds; so many
    rows go into one statement. Statements are made for powers of two, so that SQLite prepares each only once.
    """
    if len(records) == 1:  # has nothing in common with others
        return connection.execute(table.insertion, table.written(records[0])).rowcount
    most = connection.getlimit(sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER) // len(table.columns)
    begin = inserted = 0
    while begin < len(records):
        count = _largest_power(min(len(records) - begin, most, _MOST_ROWS))
        inserted += connection.execute(*table.insertion_of(records[begin : begin + count])).rowcount
        begin += count
    return inserted


def _largest_power(limit: int) -> int:
    """The largest power of two up to a limit of at least 1."""
    return 1 << (limit.bit_length() - 1)


def replace_row(
    connection: sqlite3.Connection, table: Table[RowT], record: RowT, *, expected_version: int | None
) -> None:
    """Replace a row that is at the expected version.

    Raises:
        NotFoundError: There is none.
        AlreadyExistsError: Its new name is taken.
        VersionConflictError: It is at another version.
    """
    row = table.named(record)
    with name_is_free(table, record):
        cursor = connection.execute(table.replacement, {**row, "expected_version": expected_version})
    if cursor.rowcount == 0:
        present = connection.execute(f"SELECT version FROM {table.name} WHERE id = ?", (row["id"],)).fetchone()
        if present is None:
            raise not_found(table, row["id"])
        raise VersionConflictError(
            f"The {_WORDS[table.name]} {row['name']!r} is at version {present[0]}, not {expected_version}: "
            "someone else changed it meanwhile.",
            hint="Read it again and repeat the change.",
        )


@contextmanager
def name_is_free(table: Table[RowT], record: RowT) -> Iterator[None]:
    """Tell a violated uniqueness as what it means to a caller."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        if "UNIQUE" not in str(error):
            raise
        word = _WORDS[table.name]
        name = getattr(record, "name", None)
        project = getattr(record, "project", None)
        raise AlreadyExistsError(
            f"There is a {word} named {name!r} in the project {project!r} already.",
            hint="Choose another name, or change the one that is there.",
        ) from error


def not_found(table: Table[Any], record_id: object) -> NotFoundError:
    """The error that a row is not there."""
    word = _WORDS[table.name]
    return NotFoundError(f"There is no {word} with the id {str(record_id)!r}.", hint=f"List the {word}s there are.")
