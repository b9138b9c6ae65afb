"""Which triggers match an event, without looking at those that cannot.

What a filter names exactly or by prefix are things that an event *must* have for the filter to hold. Each trigger is
kept under all of them together: by the *shape* of what it names (which attributes, and how much of their text) and,
within the shape, by the texts. An event looks up its own texts once a shape. So an event's work grows with the triggers
that fit in everything they name, and with the number of shapes, which is small however many triggers there are; it
does not grow with the triggers that share only a type with the event. What cannot be looked up (``suffix``, ``not``,
dialects unknown here) asks for nothing, and is evaluated among what is left.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple, TypeAlias
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


class Need(NamedTuple):
    """Something that an event must have: an attribute that is a text, or whose first characters are."""

    attribute: str
    text: str
    is_prefix: bool


Needs: TypeAlias = frozenset[Need]
Shape: TypeAlias = tuple[tuple[str, int | None], ...]
Texts: TypeAlias = tuple[str, ...]


class Place(NamedTuple):
    """Where a trigger is kept: attributes with how much of their text counts (None: all of it), and the texts."""

    shape: Shape
    texts: Texts


class Entry(NamedTuple):
    """A trigger: its turn among all, its key, and its filter, None for one that every event matches."""

    turn: int
    key: UUID
    expression: Expression | None


_NOTHING: Final[Needs] = frozenset()
_MOST_PRODUCTS: Final = 64


class MatchIndex:
    """The filters of triggers, indexed by what they name.

    May be used from several threads at once: `match` sees the triggers of one moment, and evaluates their filters
    without holding the others up.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns = itertools.count()
        self._places: dict[UUID, tuple[Place, ...]] = {}
        self._shapes: dict[Shape, dict[Texts, dict[UUID, Entry]]] = {}

    def put(self, key: UUID, expression: Expression | None) -> None:
        """Add a trigger, or replace its filter; None matches every event."""
        alternatives = (_NOTHING,) if expression is None else _alternatives(expression)
        places = tuple(dict.fromkeys(map(_place, alternatives)))
        with self._lock:
            self._remove(key)
            entry = Entry(next(self._turns), key, expression)
            self._places[key] = places
            for shape, texts in places:
                self._shapes.setdefault(shape, {}).setdefault(texts, {})[key] = entry

    def discard(self, key: UUID) -> None:
        """Forget a trigger; harmless when it is not known."""
        with self._lock:
            self._remove(key)

    def match(self, event: EventView) -> list[Match]:
        """The triggers that an event matches, and those whose filter raised, in the order they were put."""
        found: dict[UUID, Entry] = {}
        with self._lock:
            for shape, entries in self._shapes.items():
                texts = _texts(shape, event.attributes)
                if texts is not None:
                    found.update(entries.get(texts, {}))
        return [match for entry in sorted(found.values()) if (match := _evaluated(entry, event)) is not None]

    def _remove(self, key: UUID) -> None:
        """Drop empty places too, so that triggers that come and go do not make the index grow."""
        for shape, texts in self._places.pop(key, ()):
            entries = self._shapes[shape]
            del entries[texts][key]
            if not entries[texts]:
                del entries[texts]
            if not entries:
                del self._shapes[shape]


def _texts(shape: Shape, attributes: Mapping[str, str]) -> Texts | None:
    """An event's texts in a shape; None where it lacks an attribute."""
    texts = []
    for attribute, length in shape:
        text = attributes.get(attribute)
        if text is None:
            return None
        texts.append(text[:length])
    return tuple(texts)


def _evaluated(entry: Entry, event: EventView) -> Match | None:
    try:
        return Match(entry.key) if entry.expression is None or entry.expression.matches(event) else None
    except Exception as error:  # told as that trigger's execution; the other triggers are not concerned
        return Match(entry.key, problem=f"{type(error).__name__}: {error}")


def _alternatives(expression: Expression) -> tuple[Needs, ...]:
    """What events must have for an expression to hold: all of at least one of these.

    It may ask for less than the expression, never for more: what is found is evaluated in full.
    """
    if isinstance(expression, Exact | Prefix):
        is_prefix = isinstance(expression, Prefix)
        return (frozenset(Need(name, text, is_prefix) for name, text in expression.wanted),)
    if isinstance(expression, AllOf):
        return _together([_alternatives(part) for part in expression.parts])
    if isinstance(expression, AnyOf):
        each = tuple(dict.fromkeys(needs for part in expression.parts for needs in _alternatives(part)))
        return (_NOTHING,) if _NOTHING in each else each
    return (_NOTHING,)


def _together(parts: Sequence[tuple[Needs, ...]]) -> tuple[Needs, ...]:
    """The alternatives of parts that must all hold; a part that would multiply them beyond measure is left out."""
    together: tuple[Needs, ...] = (_NOTHING,)
    for part in sorted(parts, key=len):
        if min(len(together), len(part)) == 1 or len(together) * len(part) <= _MOST_PRODUCTS:
            together = tuple(dict.fromkeys(one | other for one in together for other in part))
    return together


def _place(needs: Needs) -> Place:
    """Where a trigger of these needs is kept.

    Prefixes of many lengths make many shapes, but never more than triggers, and a look-up costs less than evaluating.
    """
    ordered = sorted(needs)
    shape = tuple((need.attribute, len(need.text) if need.is_prefix else None) for need in ordered)
    return Place(shape, tuple(need.text for need in ordered))
