"""Which triggers match an event, without looking at those that cannot.

Each trigger is kept under one attribute and text that an event must have for it to match, or under several where any
of them may lead to a match; an event looks up what it has. The work for an event therefore grows with the triggers
that come into question, not with the triggers there are. Filters that name nothing exactly, nor by prefix, such as
``not`` and ``suffix``, are evaluated for every event.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from actium.filters.expressions import AllOf, AnyOf, EventView, Exact, Expression, Prefix


@dataclass(frozen=True, slots=True)
class Match:
    """A trigger that an event matches, or that could not be evaluated.

    Attributes:
        key: The trigger.
        problem: Why it could not be evaluated; None where it matches.
    """

    key: UUID
    problem: str | None = None


class Anchor(NamedTuple):
    """Something that an event must have: an attribute that is a text, or begins with it."""

    attribute: str
    text: str
    is_prefix: bool


_MOST_ANCHORS: Final = 64
_SELECTIVE: Final = {"id": 0, "subject": 1, "type": 2, "source": 3}
_LEAST_SELECTIVE: Final = len(_SELECTIVE)


class MatchIndex:
    """The filters of triggers, indexed by what they name. May be used from several threads at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._expressions: dict[UUID, Expression | None] = {}
        self._anchors: dict[UUID, tuple[Anchor, ...]] = {}
        self._exact: dict[str, dict[str, dict[UUID, None]]] = {}
        self._prefix: dict[str, dict[int, dict[str, dict[UUID, None]]]] = {}
        self._scanned: dict[UUID, None] = {}

    def put(self, key: UUID, expression: Expression | None) -> None:
        """Add a trigger, or replace its filter; None matches every event."""
        with self._lock:
            self._remove(key)
            anchors = () if expression is None else _anchors(expression) or ()
            self._expressions[key] = expression
            self._anchors[key] = anchors
            if not anchors:
                self._scanned[key] = None
            for anchor in anchors:
                self._bucket(anchor)[key] = None

    def discard(self, key: UUID) -> None:
        """Forget a trigger; harmless when it is not known."""
        with self._lock:
            self._remove(key)

    def match(self, event: EventView) -> list[Match]:
        """The triggers that an event matches, and those whose filter raised, in the order they were put."""
        with self._lock:
            candidates = {key: self._expressions[key] for key in self._candidates(event)}
        return [match for key, expression in candidates.items() if (match := _evaluated(key, expression, event))]

    def _candidates(self, event: EventView) -> Iterator[UUID]:
        yield from self._scanned
        for attribute, text in event.attributes.items():
            yield from self._exact.get(attribute, {}).get(text, ())
            for length, buckets in self._prefix.get(attribute, {}).items():
                yield from buckets.get(text[:length], ())

    def _bucket(self, anchor: Anchor) -> dict[UUID, None]:
        if anchor.is_prefix:
            by_length = self._prefix.setdefault(anchor.attribute, {})
            return by_length.setdefault(len(anchor.text), {}).setdefault(anchor.text, {})
        return self._exact.setdefault(anchor.attribute, {}).setdefault(anchor.text, {})

    def _remove(self, key: UUID) -> None:
        self._expressions.pop(key, None)
        self._scanned.pop(key, None)
        for anchor in self._anchors.pop(key, ()):
            self._bucket(anchor).pop(key, None)
            self._prune(anchor)

    def _prune(self, anchor: Anchor) -> None:
        """Drop empty buckets, so that triggers that come and go do not make the index grow."""
        if anchor.is_prefix:
            lengths = self._prefix[anchor.attribute]
            texts = lengths[len(anchor.text)]
            if not texts[anchor.text]:
                del texts[anchor.text]
            if not texts:
                del lengths[len(anchor.text)]
        elif not self._exact[anchor.attribute][anchor.text]:
            del self._exact[anchor.attribute][anchor.text]


def _evaluated(key: UUID, expression: Expression | None, event: EventView) -> Match | None:
    try:
        return Match(key) if expression is None or expression.matches(event) else None
    except Exception as error:  # told as that trigger's execution; the other triggers are not concerned
        return Match(key, problem=f"{type(error).__name__}: {error}")


def _anchors(expression: Expression) -> tuple[Anchor, ...] | None:
    """What an event must have at least one of; None where nothing can be said."""
    if isinstance(expression, Exact | Prefix):
        is_prefix = isinstance(expression, Prefix)
        return (_best(Anchor(name, text, is_prefix) for name, text in expression.wanted),)
    if isinstance(expression, AllOf):
        sets = [anchors for part in expression.parts if (anchors := _anchors(part)) is not None]
        return min(sets, key=_cost, default=None)
    if isinstance(expression, AnyOf):
        each = [_anchors(part) for part in expression.parts]
        known = [anchors for anchors in each if anchors is not None]
        together = tuple(dict.fromkeys(anchor for anchors in known for anchor in anchors))
        return together if len(known) == len(each) and len(together) <= _MOST_ANCHORS else None
    return None


def _best(anchors: Iterable[Anchor]) -> Anchor:
    return min(anchors, key=_rank)


def _rank(anchor: Anchor) -> tuple[bool, int]:
    return anchor.is_prefix, _SELECTIVE.get(anchor.attribute, _LEAST_SELECTIVE)


def _cost(anchors: tuple[Anchor, ...]) -> tuple[int, tuple[bool, int]]:
    return len(anchors), max(map(_rank, anchors))
