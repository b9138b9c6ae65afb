"""Records as rows and back: which columns a table has, and how each value is written."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic_core import PydanticSerializationError, to_json

from actium.errors import InvalidInputError
from actium.models.action import ActionStatus
from actium.models.execution import ExecutionStatus
from actium.models.ids import id_text
from actium.models.plain_json import may_hold_no_number
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
    """How a value is written in a column, and read from it.

    Attributes:
        is_json: Whether it is written as JSON, the empty value too, as ``null``; elsewhere that is NULL.
    """

    encode: Encode
    decode: Encode
    is_json: bool = False


def time_text(value: datetime) -> str:
    """A time as text of constant width, so that the order of texts is that of times.

    Raises:
        InvalidInputError: In UTC it is beyond the years that a time can have.
    """
    try:
        since = value.astimezone(UTC) - _BEGINNING
    except OverflowError as error:
        raise InvalidInputError(
            f"The time {value.isoformat()} is not within the years 1 to 9999 in UTC.", hint="Give it another zone."
        ) from error
    return f"{_second_text(since.days, since.seconds)}.{since.microseconds:06}+00:00"


_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=256)  # most times of a moment are of one second, and writing that takes longest
def _second_text(days: int, seconds: int) -> str:
    return (_BEGINNING + timedelta(days, seconds)).isoformat()[:_SECOND_LENGTH]


_SECOND_LENGTH = len("0001-01-01T00:00:00")


def json_text(value: Any) -> str:
    """A JSON value as compact text."""
    return "null" if value is None else _ENCODER.encode(value)


_ENCODER = json.JSONEncoder(separators=(",", ":"), allow_nan=False)
"""Made once: ``json.dumps`` makes one for every call that differs from its defaults."""


def plain_text(value: Any) -> str:
    """As `json_text`, for what is known to be plain JSON, such as an event's data: in a third of the time."""
    try:
        text = to_json(value, inf_nan_mode="constants")
    except PydanticSerializationError:  # unpaired surrogates, which only escapes can write
        return json_text(value)
    return json_text(value) if may_hold_no_number(text) else text.decode()


def _enum(kind: type[StrEnum]) -> Kind:
    members = {member.value: member for member in kind}
    return Kind(str, members.__getitem__)


def json_value(text: str) -> Any:
    """A JSON value from its text. Most columns hold nothing, or an empty list."""
    if text == "null":
        return None
    return [] if text == "[]" else json.loads(text)


ID = Kind(id_text, UUID)
SHARED_ID = Kind(lru_cache(maxsize=4_096)(str), lru_cache(maxsize=4_096)(UUID))
"""An id that many rows have in common."""
TIME = Kind(time_text, datetime.fromisoformat)
JSON = Kind(json_text, json_value, is_json=True)
PLAIN_JSON = Kind(plain_text, json_value, is_json=True)
TRUTH = Kind(int, bool)
PLAIN: Kind | None = None


_MOST_INSERTIONS = 128
_MOST_KEPT = 256
_LONGEST_KEPT = 4_096


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

    def __init__(
        self,
        name: str,
        record: type[RowT],
        columns: Mapping[str, Kind | None],
        *,
        changes_seldom: bool = False,
        unless_there: str | None = None,
    ) -> None:
        """Describe a table.

        Args:
            name: The table.
            record: What a row becomes.
            columns: The columns, named as the record's fields, and how each is written.
            changes_seldom: Whether most rows are read many times for each change.
            unless_there: Columns that tell rows apart; a row is passed over where one with the same is there.
        """
        self.name = name
        self.record = record
        self.columns = columns
        self.selected = ", ".join(columns)
        self._conflict = "" if unless_there is None else f" ON CONFLICT ({unless_there}) DO NOTHING"
        self.insertion = (
            f"INSERT INTO {name} ({self.selected}) VALUES ({', '.join('?' * len(columns))}){self._conflict}"
        )
        changed = ", ".join(f"{column} = :{column}" for column in columns if column not in {"id", "created"})
        self.replacement = f"UPDATE {name} SET {changed} WHERE id = :id AND version = :expected_version"
        self._names = tuple(columns)
        self._values = attrgetter(*columns)
        self._kinds = tuple(columns.values())
        kinds = list(enumerate(self._kinds))
        self._encoders = [(index, kind.encode, kind.is_json) for index, kind in kinds if kind]
        self._decoders = [(index, kind.decode) for index, kind in kinds if kind]
        self._is_tuple = issubclass(record, tuple)
        self._is_row = getattr(record, "_fields", None) == self._names
        self._insertion_of = lru_cache(maxsize=_MOST_INSERTIONS)(self._made_insertion)
        self._json = [index for index, kind in kinds if kind and kind.is_json]
        self._kept = lru_cache(maxsize=_MOST_KEPT)(self.read) if changes_seldom else self.read

    def insertion_of(self, records: Sequence[RowT]) -> tuple[str, list[Any]]:
        """The INSERT of several records, and what it takes.

        Rows that are stored together are alike, an execution's in all but two or three columns. What all of them have
        in common is encoded and bound once. Placeholders have no numbers: Python 3.12 warned of these at first.
        """
        columns = list(zip(*(records if self._is_row else map(self._values, records)), strict=True))
        is_shared = False, *map(_is_shared, columns[1:], self._kinds[1:])  # the first is what tells rows apart
        values: list[Any] = []
        varying = []
        for column, kind, shared in zip(columns, self._kinds, is_shared, strict=True):
            if shared:
                values += _written(column[:1], kind)
            else:
                varying.append(_written(column, kind))
        values += itertools.chain.from_iterable(zip(*varying, strict=True))
        return self._insertion_of(len(records), is_shared), values

    def _made_insertion(self, count: int, is_shared: tuple[bool, ...]) -> str:
        own = itertools.count(1)
        selected = ", ".join("?" if shared else f"own.column{next(own)}" for shared in is_shared)
        row = f"({', '.join('?' * is_shared.count(False))})"
        rows = ", ".join([row] * count)
        return (
            f"INSERT INTO {self.name} ({self.selected}) SELECT {selected} FROM (VALUES {rows}) AS own "
            f"WHERE true{self._conflict}"  # without a WHERE, what follows ON would be taken for that of a join
        )

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
        if self._is_tuple:
            return self.record(*fields)
        return self.record(**dict(zip(self._names, fields, strict=True)))

    def read_again(self, row: tuple[Any, ...]) -> RowT:
        """As `read`. Of a table that changes seldom, the same row gives the same record: nothing in it may be changed.

        Rows with much in them are made anew each time, rather than kept for as long as this process lasts.
        """
        return (self._kept if all(len(row[index]) <= _LONGEST_KEPT for index in self._json) else self.read)(row)


def _is_shared(column: Sequence[Any], kind: Kind | None) -> bool:
    """Whether all of a column is written alike: it is one object, or objects that are equal and plain.

    Equal ones that are written as JSON may differ there, as ``[1]`` and ``[True]`` do.
    """
    first = column[0]
    if first is not column[-1]:
        return False
    if kind is not None and kind.is_json and first is not None:
        return len(set(map(id, column))) == 1
    return column.count(first) == len(column)


def _written(column: Sequence[Any], kind: Kind | None) -> Sequence[Any]:
    if kind is None:
        return column
    encode, is_json = kind.encode, kind.is_json
    return [encode(value) if value is not None or is_json else None for value in column]


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
    changes_seldom=True,
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
    changes_seldom=True,
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
    changes_seldom=True,
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
        "attributes": PLAIN_JSON,
        "data": PLAIN_JSON,
    },
    unless_there="project, event_id, source",
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
