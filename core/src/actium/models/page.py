"""Listings: which page, in which order, of which objects."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeVar, get_args
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from actium.errors import InvalidQueryError
from actium.models.base import BaseRequest, Name, shown, storable

MAX_PAGE_SIZE = 10_000
MAX_CONDITIONS = 100
MAX_VALUES = 10_000
DEFAULT_PAGE_SIZE = 20

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
Columns = Mapping[str, type[ColumnValue] | type[dict[str, str]]]
"""The columns of a listing with their types: plain values, or texts by name, of which one is compared at a time."""


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison.

    Attributes:
        column: The column's name.
        operator: How to compare.
        value: What to compare with, of the column's type; for ``oneof`` a tuple of such.
        key: Which of the column's texts to compare, where it holds several by name, as labels do.
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

    A column of several texts by name, such as labels, is given as a dict of such values, or as text with the name
    before an equals sign: ``labels={"team": "data"}``, ``labels="team=startswith:da"``. What has no text of the name
    is like a column that is empty.

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
    project: Name | None = None

    def conditions(self) -> tuple[Condition, ...]:
        """The conditions that were asked for.

        Raises:
            InvalidQueryError: A value does not fit its column, an operator does not, or there are too many.
        """
        conditions = tuple(
            condition
            for column, kind in self.COLUMNS.items()
            if (given := getattr(self, column, None)) is not None
            for condition in (
                self._on_texts(column, given) if issubclass(kind, dict) else self._on_column(column, given)
            )
        )
        _check_size(conditions)
        return conditions

    def order(self) -> tuple[str, bool]:
        """The column to sort by, and whether descending.

        Raises:
            InvalidQueryError: There is no such column.
        """
        direction, colon, column = self.sort_by.partition(":")
        if not colon:
            direction, column = "asc", direction
        sortable = [name for name, kind in self.COLUMNS.items() if not issubclass(kind, dict)]
        if direction not in {"asc", "desc"} or column not in sortable:
            raise InvalidQueryError(
                f"Cannot sort by {shown(self.sort_by)}.",
                hint=f"Sort by one of {', '.join(sortable)}, with 'desc:' before it for the reverse.",
            )
        return column, direction == "desc"

    def _on_texts(self, column: str, given: object) -> Iterator[Condition]:
        if isinstance(given, dict):
            named = list(given.items())
        else:
            named = [_named(column, text) for text in (given if isinstance(given, list) else [given])]
        for name, value in named:
            for condition in self._on_column(column, value):
                yield replace(condition, key=self._value(column, name))

    def _on_column(self, column: str, given: object) -> Iterator[Condition]:
        if not isinstance(given, list):
            yield self._condition(column, given)
        elif given and all(isinstance(item, str) and _operator_of(item) is not None for item in given):
            yield from (self._condition(column, item) for item in given)
        else:
            yield Condition(column, Operator.ONEOF, tuple(self._value(column, item) for item in given))

    def _condition(self, column: str, given: object) -> Condition:
        operator = _operator_of(given) if isinstance(given, str) else None
        if operator is None:
            return Condition(column, Operator.EQUALS, self._value(column, given))
        operand = str(given).partition(":")[2]
        kind = self._kind(column)
        if operator in _ON_TEXT_ONLY:
            if not issubclass(kind, str | UUID):
                raise self._refusal(column, operator, "text")
            return Condition(column, operator, _checked(str, column, operand))
        if operator in _ON_ORDERED_ONLY and kind in {bool, UUID}:
            raise self._refusal(column, operator, "ordered values")
        if operator is Operator.ONEOF:
            return Condition(column, operator, tuple(self._value(column, item) for item in _split(operand)))
        return Condition(column, operator, self._value(column, operand))

    def _value(self, column: str, given: object) -> Any:
        return _checked(self._kind(column), column, given)

    def _kind(self, column: str) -> type[ColumnValue]:
        """What a column's values are; those of an enum where the field takes one."""
        kind = self.COLUMNS[column]
        if issubclass(kind, dict):
            return str
        taken = get_args(type(self).model_fields[column].annotation) if kind is str else ()
        return next((each for each in taken if isinstance(each, type) and issubclass(each, StrEnum)), kind)

    @staticmethod
    def _refusal(column: str, operator: Operator, needs: str) -> InvalidQueryError:
        return InvalidQueryError(
            f"The operator {operator.value!r} does not fit the column {column!r}.", hint=f"It compares {needs} only."
        )


def _check_size(conditions: Sequence[Condition]) -> None:
    values = sum(len(each.value) for each in conditions if isinstance(each.value, tuple))
    for count, most, what in ((len(conditions), MAX_CONDITIONS, "conditions"), (values, MAX_VALUES, "values")):
        if count > most:
            raise InvalidQueryError(
                f"This filter has {count:,} {what}, more than {most:,}.", hint="List in several steps, or list more."
            )


_adapters: dict[type[ColumnValue], TypeAdapter[ColumnValue]] = {}
"""Each made once: a filter may hold thousands of values."""


def _checked(kind: type[ColumnValue], column: str, given: object) -> ColumnValue:
    """A value of a column's type, a time in UTC."""
    try:
        adapter = _adapters.get(kind) or _adapters.setdefault(kind, TypeAdapter(kind))
        value = adapter.validate_python(given)
        if isinstance(value, datetime):
            return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return storable(value) if isinstance(value, str) else value
    except ValidationError as error:
        raise _misfit(kind, column, given, error.errors()[0]["msg"]) from error
    except OverflowError as error:
        raise _misfit(kind, column, given, "in UTC it is not within the years 1 to 9999") from error
    except ValueError as error:
        raise _misfit(kind, column, given, str(error)) from error


def _misfit(kind: type[ColumnValue], column: str, given: object, problem: str) -> InvalidQueryError:
    near: Sequence[str] = ()
    if issubclass(kind, StrEnum):
        near = difflib.get_close_matches(str(given).lower(), [member.value for member in kind], n=1)
    return InvalidQueryError(
        f"{shown(given) or type(given).__name__} does not fit the column {column!r}: {problem}.",
        hint=f"Did you mean {near[0]!r}?" if near else f"The column holds {_in_words(kind)}.",
    )


def _named(column: str, given: object) -> tuple[str, str]:
    name, equals, value = given.partition("=") if isinstance(given, str) else ("", "", "")
    if not equals:
        raise InvalidQueryError(
            f"{shown(given) or type(given).__name__} names no text of the column {column!r}.",
            hint=f"Write {column}='NAME=TEXT'.",
        )
    return name, value


def _operator_of(text: str) -> Operator | None:
    before, colon, _ = text.partition(":")
    return Operator(before) if colon and before in set(Operator) else None


def _split(operand: str) -> Sequence[object]:
    """The items of a ``oneof``: a JSON list where it looks like one, else separated by commas."""
    if not operand.startswith("["):
        return operand.split(",")
    try:
        items: Any = json.loads(operand)
    except (ValueError, RecursionError) as error:
        raise InvalidQueryError(
            f"{shown(operand)} is not a JSON list: {error}.", hint='Write oneof:a,b or oneof:["a", "b"].'
        ) from error
    return [str(item) for item in items]


def _in_words(kind: type) -> str:
    if issubclass(kind, StrEnum):
        return f"one of {', '.join(member.value for member in kind)}"
    words = {str: "text", int: "whole numbers", bool: "true or false", datetime: "dates and times"}
    return words.get(kind, kind.__name__)
