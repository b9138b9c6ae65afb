"""Listings: which page, in which order, of which objects."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from actium.errors import InvalidQueryError
from actium.models.base import BaseRequest

MAX_PAGE_SIZE = 10_000
DEFAULT_PAGE_SIZE = 20
MAX_VALUES = 1_000
"""How many values a column may be compared with at once."""

_MAX_INDEX = 1_000_000_000_000
"""The highest index that may be asked for. No listing has so many pages; stores can count the items before it."""

ItemT = TypeVar("ItemT")


class Page(BaseModel, Generic[ItemT]):
    """One page of a listing.

    Attributes:
        index: Which page this is; the first is 1.
        max_size: How many items a full page holds.
        total: How many items fit the filter, over all pages.
        total_pages: How many pages there are; at least 1.
        items: The items of this page.
    """

    model_config = ConfigDict(frozen=True)

    index: int
    max_size: int
    total: int
    total_pages: int
    items: list[ItemT]


class Operator(StrEnum):
    """How a column is compared with a value."""

    EQUALS = "equals"
    NOTEQUALS = "notequals"
    CONTAINS = "contains"
    STARTSWITH = "startswith"
    ENDSWITH = "endswith"
    ONEOF = "oneof"
    GT = "gt"
    GTE = "gte"
    LT = "lt"
    LTE = "lte"


_ON_TEXT_ONLY = frozenset({Operator.CONTAINS, Operator.STARTSWITH, Operator.ENDSWITH})
_ON_ORDERED_ONLY = frozenset({Operator.GT, Operator.GTE, Operator.LT, Operator.LTE})


class LogicalOperator(StrEnum):
    """How the conditions of one filter are combined. The project applies in either case."""

    AND = "and"
    OR = "or"


ColumnValue = str | int | bool | datetime | UUID
Columns = dict[str, type[ColumnValue]]


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison.

    Attributes:
        column: The column's name.
        operator: How to compare.
        value: What to compare with, of the column's type; for ``oneof`` a tuple of such.
        key: Which entry of a column that holds several by name, such as labels; None for the column itself.
    """

    column: str
    operator: Operator
    value: ColumnValue | tuple[ColumnValue, ...]
    key: str | None = None


class BaseFilter(BaseRequest):
    """Base of the filters of listings.

    A column is given as a value (``name="nightly"``), as a list (one of them), or as text with an operator before a
    colon (``name="startswith:night"``, ``created="gte:2026-01-31"``, ``flavor="oneof:builtin,webhook"``); a list of
    such texts is several conditions on one column. Text whose part before the colon is no operator is a plain value.

    Attributes:
        index: Which page; the first is 1. A page beyond the last is an error.
        max_size: How many items a page holds, up to 10,000.
        sort_by: A column, or ``desc:`` and a column.
        logical_operator: Whether all conditions must hold or any.
        project: The project that is listed; None for the application's.
    """

    COLUMNS: ClassVar[Columns] = {}
    """Columns that can be compared and sorted by, with their types."""

    index: int = Field(default=1, ge=1, le=_MAX_INDEX)
    max_size: int = Field(default=DEFAULT_PAGE_SIZE, ge=1, le=MAX_PAGE_SIZE)
    sort_by: str = "desc:created"
    logical_operator: LogicalOperator = LogicalOperator.AND
    project: str | None = None

    def conditions(self) -> tuple[Condition, ...]:
        """The conditions that were asked for.

        Raises:
            InvalidQueryError: A value does not fit its column, or an operator does not.
        """
        return tuple(
            condition
            for column in self.COLUMNS
            if (given := getattr(self, column, None)) is not None
            for condition in self._on_column(column, given, self.COLUMNS[column])
        )

    def entries(self, column: str, wanted: Mapping[str, str]) -> Iterator[Condition]:
        """The conditions on entries of a column that holds texts by name.

        Raises:
            InvalidQueryError: An operator does not fit text.
        """
        for key, text in wanted.items():
            for condition in self._on_column(column, text, str):
                yield replace(condition, key=key)

    def order(self) -> tuple[str, bool]:
        """The column to sort by, and whether descending.

        Raises:
            InvalidQueryError: There is no such column.
        """
        direction, colon, column = self.sort_by.partition(":")
        if not colon:
            direction, column = "asc", direction
        if direction not in {"asc", "desc"} or column not in self.COLUMNS:
            raise InvalidQueryError(
                f"Cannot sort by {self.sort_by!r}.",
                hint=f"Sort by one of {', '.join(self.COLUMNS)}, with 'desc:' before it for the reverse.",
            )
        return column, direction == "desc"

    def _on_column(self, column: str, given: object, kind: type) -> Iterator[Condition]:
        if isinstance(given, list) and len(given) > MAX_VALUES:
            raise _too_many(column, len(given))
        if not isinstance(given, list):
            yield self._condition(column, given, kind)
        elif given and all(isinstance(item, str) and _operator_of(item) is not None for item in given):
            yield from (self._condition(column, item, kind) for item in given)
        else:
            yield Condition(column, Operator.ONEOF, tuple(self._value(column, item, kind) for item in given))

    def _condition(self, column: str, given: object, kind: type) -> Condition:
        operator = _operator_of(given) if isinstance(given, str) else None
        if operator is None:
            return Condition(column, Operator.EQUALS, self._value(column, given, kind))
        operand = str(given).partition(":")[2]
        if operator in _ON_TEXT_ONLY:
            if kind is not UUID and not issubclass(kind, str):
                raise self._refusal(column, operator, "text")
            return Condition(column, operator, operand)
        if operator in _ON_ORDERED_ONLY and kind in {bool, UUID}:
            raise self._refusal(column, operator, "ordered values")
        if operator is Operator.ONEOF:
            items = _split(operand)
            if len(items) > MAX_VALUES:
                raise _too_many(column, len(items))
            return Condition(column, operator, tuple(self._value(column, item, kind) for item in items))
        return Condition(column, operator, self._value(column, operand, kind))

    def _value(self, column: str, given: object, kind: type) -> ColumnValue:
        try:
            value: ColumnValue = TypeAdapter(kind).validate_python(given)
        except ValidationError as error:
            raise InvalidQueryError(
                f"{given!r} does not fit the column {column!r}: {error.errors()[0]['msg']}.",
                hint=f"The column holds {_in_words(kind)}.",
            ) from error
        return self._in_utc(column, value) if isinstance(value, datetime) else value

    @staticmethod
    def _in_utc(column: str, value: datetime) -> datetime:
        if value.tzinfo is None:
            return value.replace(tzinfo=UTC)
        try:
            return value.astimezone(UTC)
        except OverflowError as error:
            raise InvalidQueryError(
                f"{value.isoformat()} does not fit the column {column!r}: in UTC it lies outside the years 1 to 9999.",
                hint="Give a time that can be written in UTC.",
            ) from error

    @staticmethod
    def _refusal(column: str, operator: Operator, needs: str) -> InvalidQueryError:
        return InvalidQueryError(
            f"The operator {operator.value!r} does not fit the column {column!r}.", hint=f"It compares {needs} only."
        )


def _operator_of(text: str) -> Operator | None:
    before, colon, _ = text.partition(":")
    return Operator(before) if colon and before in set(Operator) else None


def _split(operand: str) -> Sequence[object]:
    """The items of a ``oneof``: a JSON list where it looks like one, else separated by commas."""
    if not operand.startswith("["):
        return operand.split(",")
    try:
        items: Any = json.loads(operand)
    except ValueError as error:
        raise InvalidQueryError(
            f"{operand!r} is not a JSON list: {error}.", hint='Write oneof:a,b or oneof:["a", "b"].'
        ) from error
    return [str(item) for item in items]


def _too_many(column: str, count: int) -> InvalidQueryError:
    return InvalidQueryError(
        f"The column {column!r} cannot be compared with {count:,} values at once.",
        hint=f"Ask for up to {MAX_VALUES:,} at a time.",
    )


def _in_words(kind: type) -> str:
    if issubclass(kind, StrEnum):
        return f"one of {', '.join(kind)}"
    return {str: "text", int: "whole numbers", bool: "true or false", datetime: "dates and times"}.get(
        kind, kind.__name__
    )
