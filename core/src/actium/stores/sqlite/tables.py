"""Records as rows and back: which columns a table has, and how each value is written."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
from typing import Any, Generic, TypeVar
from uuid import UUID

from actium.errors import InvalidInputError
from actium.models.action import ActionStatus
from actium.models.execution import ExecutionStatus
from actium.models.tracing import TraceMode
from actium.stores.records import (
    AccountRecord,
    ActionRecord,
    AttemptRecord,
    EventRecord,
    ExecutionRecord,
    Record,
    ResourceRecord,
    RevisionRecord,
    TokenRecord,
    TriggerRecord,
    WorkerRecord,
)

RowT = TypeVar("RowT")
Encode = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """How a value is written in a column, and read from it. Empty values are always NULL."""

    encode: Encode
    decode: Encode


@lru_cache(maxsize=256)  # the rows of one transaction have most of their times in common
def time_text(value: datetime) -> str:
    """A time as text of constant width, so that the order of texts is that of times.

    Raises:
        InvalidInputError: In UTC it is beyond the years that a time can have.
    """
    try:
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    except OverflowError as error:
        raise InvalidInputError(
            f"The time {value.isoformat()} is not within the years 1 to 9999 in UTC.", hint="Give it another zone."
        ) from error


def json_text(value: Any) -> str:
    """A JSON value as compact text."""
    return "null" if value is None else _ENCODER.encode(value)


_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
"""Made once: ``json.dumps`` makes one for every call that differs from its defaults."""


def _enum(kind: type[StrEnum]) -> Kind:
    members = {member.value: member for member in kind}
    return Kind(str, members.__getitem__)


def json_value(text: str) -> Any:
    """A JSON value from its text. Most columns hold nothing, or an empty list."""
    if text == "null":
        return None
    return [] if text == "[]" else json.loads(text)


ID = Kind(str, UUID)
SHARED_ID = Kind(lru_cache(maxsize=4_096)(str), lru_cache(maxsize=4_096)(UUID))
"""An id that many rows have in common."""
TIME = Kind(time_text, datetime.fromisoformat)
JSON = Kind(json_text, json_value)
TRUTH = Kind(int, bool)
PLAIN: Kind | None = None


class Table(Generic[RowT]):
    """A table of records. Its statements are made once: SQLite keeps what it prepared by their text.

    Attributes:
        name: The table.
        record: What a row becomes.
        columns: The columns, named as the record's fields.
        selected: The columns of a SELECT whose rows `read` takes.
        insertion: The INSERT that takes what `written` gives.
        replacement: The UPDATE of one row at ``:expected_version`` to what `named` gives.
    """

    def __init__(self, name: str, record: type[RowT], columns: Mapping[str, Kind | None]) -> None:
        self.name = name
        self.record = record
        self.columns = columns
        self.selected = ", ".join(columns)
        self._insertions: dict[int, str] = {}
        self._places = f"({', '.join('?' * len(columns))})"
        self.insertion = self.insertion_of(1)
        changed = ", ".join(f"{column} = :{column}" for column in columns if column not in {"id", "created"})
        self.replacement = f"UPDATE {name} SET {changed} WHERE id = :id AND version = :expected_version"
        self._names = tuple(columns)
        self._values = attrgetter(*columns)
        kinds = list(enumerate(columns.values()))
        self._encoders = [(index, kind.encode, kind is JSON) for index, kind in kinds if kind]
        self._decoders = [(index, kind.decode) for index, kind in kinds if kind]

    def insertion_of(self, count: int) -> str:
        """The INSERT that takes what `written` gives for so many records, one behind the other."""
        made = self._insertions.get(count)
        if made is None:
            made = f"INSERT INTO {self.name} ({self.selected}) VALUES {', '.join([self._places] * count)}"
            self._insertions[count] = made
        return made

    def written(self, record: RowT) -> list[Any]:
        """A record as a row. What is empty is NULL, but in JSON it is written as ``null``."""
        row = list(self._values(record))
        for index, encode, is_json in self._encoders:
            value = row[index]
            if value is not None or is_json:
                row[index] = encode(value)
        return row

    def named(self, record: RowT) -> dict[str, Any]:
        """A record as a row, by column."""
        return dict(zip(self._names, self.written(record), strict=True))

    def read(self, row: Sequence[Any]) -> RowT:
        """A row as a record."""
        fields = list(row)
        for index, decode in self._decoders:
            value = fields[index]
            if value is not None:
                fields[index] = decode(value)
        return self.record(**dict(zip(self._names, fields, strict=True)))


ACCOUNTS = Table(
    "service_accounts",
    AccountRecord,
    {
        "id": ID,
        "project": PLAIN,
        "name": PLAIN,
        "description": PLAIN,
        "active": TRUTH,
        "version": PLAIN,
        "created": TIME,
        "updated": TIME,
    },
)
ACTIONS = Table(
    "actions",
    ActionRecord,
    {
        "id": ID,
        "project": PLAIN,
        "name": PLAIN,
        "description": PLAIN,
        "plugin_subtype": PLAIN,
        "flavor": PLAIN,
        "configuration": JSON,
        "service_account_id": ID,
        "auth_window": PLAIN,
        "labels": JSON,
        "enabled": TRUTH,
        "run_policy": JSON,
        "trace": _enum(TraceMode),
        "status": _enum(ActionStatus),
        "version": PLAIN,
        "revision": PLAIN,
        "distribution": PLAIN,
        "distribution_version": PLAIN,
        "created": TIME,
        "updated": TIME,
    },
)
REVISIONS = Table(
    "action_revisions",
    RevisionRecord,
    {
        "action_id": ID,
        "number": PLAIN,
        "change": PLAIN,
        "changed": TIME,
        "changed_by": PLAIN,
        "fields": JSON,
        "problem": PLAIN,
    },
)
TRIGGERS = Table(
    "triggers",
    TriggerRecord,
    {
        "id": ID,
        "project": PLAIN,
        "name": PLAIN,
        "description": PLAIN,
        "action_id": ID,
        "filters": JSON,
        "match_all": TRUTH,
        "is_active": TRUTH,
        "version": PLAIN,
        "created": TIME,
        "updated": TIME,
    },
)
EVENTS = Table(
    "events",
    EventRecord,
    {
        "id": ID,
        "project": PLAIN,
        "event_id": PLAIN,
        "source": PLAIN,
        "type": PLAIN,
        "subject": PLAIN,
        "time": TIME,
        "received": TIME,
        "attributes": JSON,
        "data": JSON,
    },
)
EXECUTIONS = Table(
    "executions",
    ExecutionRecord,
    {
        "id": ID,
        "project": PLAIN,
        "action_id": SHARED_ID,
        "action_name": PLAIN,
        "action_revision": PLAIN,
        "service_account_id": SHARED_ID,
        "trigger_id": SHARED_ID,
        "event_id": ID,
        "status": _enum(ExecutionStatus),
        "reason": PLAIN,
        "result": JSON,
        "error": JSON,
        "progress": JSON,
        "cancel_requested": TRUTH,
        "attempt": PLAIN,
        "allowance": PLAIN,
        "losses": PLAIN,
        "depth": PLAIN,
        "kind": PLAIN,
        "slots": PLAIN,
        "held": TRUTH,
        "available": TIME,
        "expires": TIME,
        "worker": PLAIN,
        "created": TIME,
        "began": TIME,
        "started": TIME,
        "finished": TIME,
    },
)
ATTEMPTS = Table(
    "execution_attempts",
    AttemptRecord,
    {
        "execution_id": ID,
        "number": PLAIN,
        "worker": PLAIN,
        "started": TIME,
        "finished": TIME,
        "status": _enum(ExecutionStatus),
        "reason": PLAIN,
        "result": JSON,
        "error": JSON,
    },
)
WORKERS = Table(
    "workers",
    WorkerRecord,
    {"name": PLAIN, "host": PLAIN, "process": PLAIN, "lease": PLAIN, "beat": PLAIN, "started": TIME},
)
TOKENS = Table(
    "tokens",
    TokenRecord,
    {
        "digest": PLAIN,
        "service_account_id": ID,
        "execution_id": ID,
        "created": TIME,
        "expires": TIME,
        "revoked": TIME,
    },
)
RESOURCES = Table(
    "resources",
    ResourceRecord,
    {
        "id": ID,
        "project": PLAIN,
        "type": PLAIN,
        "name": PLAIN,
        "body": JSON,
        "version": PLAIN,
        "created": TIME,
        "updated": TIME,
    },
)

_LISTED: Mapping[type, Table[Any]] = {
    table.record: table for table in (ACCOUNTS, ACTIONS, TRIGGERS, EVENTS, EXECUTIONS, RESOURCES)
}


def table_of(kind: type[Record]) -> Table[Record]:
    """The table of a kind of record."""
    return _LISTED[kind]


def name_column(table: Table[Any]) -> str | None:
    """The column that people know a record by, None where they know its id only."""
    return {"events": "event_id", "executions": None}.get(table.name, "name")
