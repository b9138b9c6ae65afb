"""Finding and listing rows: conditions as SQL, with every value bound and every column from a known table."""

from __future__ import annotations

import sqlite3
from typing import Any
from uuid import UUID

from actium.errors import InvalidQueryError
from actium.models.page import Condition, LogicalOperator, Operator
from actium.stores.base_store import MOST_FOUND, SHORTEST_ID_PREFIX, Query, RecordPage
from actium.stores.records import Record, Reference
from actium.stores.sqlite.migrations import COUNTED
from actium.stores.sqlite.tables import Table, json_text, name_column

_BEYOND = "\U0010ffff"
"""Sorts behind every character that a name may have; ends the range of texts with a common beginning."""

_COMPARISONS = {
    Operator.EQUALS: "{column} IS ?",
    Operator.NOTEQUALS: "{column} IS NOT ?",
    Operator.GT: "{column} > ?",
    Operator.GTE: "{column} >= ?",
    Operator.LT: "{column} < ?",
    Operator.LTE: "{column} <= ?",
    Operator.CONTAINS: "instr({column}, ?) > 0",
    Operator.STARTSWITH: "substr({column}, 1, length(?)) = ?",
    Operator.ENDSWITH: "substr({column}, -length(?)) = ?",
}


def find(connection: sqlite3.Connection, table: Table[Record], project: str, reference: str) -> tuple[Reference, ...]:
    """See `BaseStore.find`."""
    name = name_column(table)
    shown = name or "action_name"
    select = f"SELECT id, {shown} FROM {table.name} WHERE project = ? AND "
    exact_id = connection.execute(f"{select} id = ?", (project, _as_id(reference))).fetchall()
    if exact_id:
        return _references(table, exact_id)
    if name is not None:
        exact_name = connection.execute(f"{select} {name} = ? LIMIT {MOST_FOUND}", (project, reference)).fetchall()
        if exact_name:
            return _references(table, exact_name)
    if not reference:
        return ()
    ranges = [] if name is None else [(name, reference)]
    if len(reference) >= SHORTEST_ID_PREFIX:
        ranges.append(("id", reference.lower()))
    rows: dict[tuple[str, str], None] = {}
    for column, beginning in ranges:
        found = connection.execute(
            f"{select} {column} >= ? AND {column} < ? ORDER BY {column} LIMIT {MOST_FOUND}",
            (project, beginning, beginning + _BEYOND),
        )
        rows |= dict.fromkeys(found.fetchall())
    return _references(table, list(rows)[:MOST_FOUND])


def page(connection: sqlite3.Connection, table: Table[Record], query: Query) -> RecordPage[Record]:
    """See `BaseStore.page`."""
    where: str
    values: list[Any]
    where, values = _where(table, query)
    (total,) = connection.execute(*_counting(table, query, where, values)).fetchone()
    direction = "DESC" if query.descending else "ASC"
    found = connection.execute(
        f"SELECT {table.selected} FROM {table.name} WHERE {where} "
        f"ORDER BY {_column(table, query.sort_by)} {direction}, rowid {direction} LIMIT ? OFFSET ?",
        [*values, query.max_size, (query.index - 1) * query.max_size],
    )
    return RecordPage(records=tuple(map(table.read, found.fetchall())), total=total)


def _counting(table: Table[Any], query: Query, where: str, values: list[Any]) -> tuple[str, list[Any]]:
    """How to find out how many rows a condition has; of what is counted anyway, without looking at them."""
    if table.name not in COUNTED or query.conditions:
        return f"SELECT count(*) FROM {table.name} WHERE {where}", values
    return f"SELECT coalesce(sum(number), 0) FROM row_counts WHERE counted = ? AND {where}", [table.name, *values]


def _where(table: Table[Any], query: Query) -> tuple[str, list[Any]]:
    values: list[Any] = []
    conditions: list[str] = []
    for condition in query.conditions:
        sql, bound = _condition(table, condition)
        conditions.append(sql)
        values.extend(bound)
    joined = f" {'AND' if query.combine is LogicalOperator.AND else 'OR'} ".join(conditions)
    parts = [f"({joined})"] if joined else []
    if query.project is not None:
        parts.append("project = ?")
        values.append(query.project)
    return " AND ".join(parts) or "1", values


def _condition(table: Table[Any], condition: Condition) -> tuple[str, list[Any]]:
    name = _column(table, condition.column)
    column, named = name, list[Any]()
    if condition.key is not None:
        column, named = f"(SELECT value FROM json_each({name}) WHERE key = ?)", [condition.key]
    if isinstance(condition.value, tuple):
        return _one_of(column, named, [_bound(table, name, value) for value in condition.value])
    value = _bound(table, name, condition.value)
    if condition.operator in {Operator.STARTSWITH, Operator.ENDSWITH} and not value:
        return f"{column} IS NOT NULL", named
    comparison = _COMPARISONS[condition.operator]
    return comparison.format(column=column), [*named, *[value] * comparison.count("?")]


def _one_of(column: str, named: list[Any], values: list[Any]) -> tuple[str, list[Any]]:
    """A column that has one of several values: one JSON value, as SQLite takes only so many bound ones.

    What SQLite reads from JSON ends before a NUL, so values with one are bound by themselves.
    """
    cut, whole = list[Any](), list[Any]()
    for value in values:
        (cut if isinstance(value, str) and "\0" in value else whole).append(value)
    among = f"{column} IN (SELECT value FROM json_each(?))"
    if not cut:
        return among, [*named, json_text(whole)]
    beside = f"{column} IN ({', '.join('?' * len(cut))})"
    return f"({among} OR {beside})", [*named, json_text(whole), *named, *cut]


def _column(table: Table[Any], name: str) -> str:
    if name not in table.columns:
        raise InvalidQueryError(
            f"There is no column {name!r} in {table.name}.", hint=f"The columns are {', '.join(table.columns)}."
        )
    return name


def _bound(table: Table[Any], column: str, value: Any) -> Any:
    kind = table.columns[column]
    if kind is None or isinstance(value, str):
        return value
    return kind.encode(value)


def _as_id(reference: str) -> str:
    try:
        return str(UUID(reference))
    except ValueError:
        return reference


def _references(table: Table[Any], rows: list[tuple[str, str]]) -> tuple[Reference, ...]:
    return tuple(Reference(type=table.name, id=UUID(record_id), name=name) for record_id, name in rows)
