"""What becomes of events that are published."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import overload
from uuid import UUID

from actium.models.base import ResponsePart, assembled
from actium.models.ids import id_of


class PublishedEvent(ResponsePart):
    """What became of a published event, durable when it is returned.

    Attributes:
        id: The stored event's id.
        executions: One execution a matching trigger.
        duplicate: Whether this (source, id) was known already; then these are the first publication's results,
            without what replays have added.
    """

    id: UUID
    executions: tuple[UUID, ...]
    duplicate: bool = False


class PublishedEvents(Sequence[PublishedEvent]):
    """What became of several events, in their order.

    Each is made when it is asked for. Until then it is a few numbers, which the garbage collector need not look at:
    whoever publishes a hundred thousand events would wait for it longer than for the disk.
    """

    __slots__ = ("_rows",)

    def __init__(self, became: Iterable[tuple[UUID, Sequence[UUID], bool]] = ()) -> None:
        """Keep what became of events.

        Args:
            became: Of each, its id, its executions, and whether it was known already.
        """
        self._rows = [
            (duplicate, event_id.int, *[one.int for one in executions]) for event_id, executions, duplicate in became
        ]

    @classmethod
    def joined(cls, parts: Iterable[PublishedEvents]) -> PublishedEvents:
        """What became of the events of several parts, one part after the other."""
        made = cls()
        for part in parts:
            made._rows += part._rows
        return made

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> PublishedEvent: ...

    @overload
    def __getitem__(self, index: slice) -> PublishedEvents: ...

    def __getitem__(self, index: int | slice) -> PublishedEvent | PublishedEvents:
        if isinstance(index, slice):
            some = PublishedEvents()
            some._rows = self._rows[index]
            return some
        duplicate, event_id, *executions = self._rows[index]
        fields = {"id": id_of(event_id), "executions": tuple(map(id_of, executions)), "duplicate": duplicate}
        return assembled(PublishedEvent, fields)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, PublishedEvents):
            return self._rows == other._rows
        return [*self] == [*other] if isinstance(other, list | tuple) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as of every sequence that is compared by what it holds

    def __repr__(self) -> str:
        return f"{type(self).__name__}({[*self]!r})"
