"""Which triggers match an event, without looking at those that cannot.

What a filter names exactly or by prefix are things that an event *must* have for the filter to hold. Each trigger is
kept under all of them together: by the *shape* of what it names (which attributes, and how much of their text) and,
within the shape, by the texts. An event looks up its own texts once a shape. So an event's work grows with the triggers
that fit in everything they name, and with the number of shapes, which is small however many triggers there are; it
does not grow with the triggers that share only a type with the event. What cannot be looked up (``suffix``, ``not``,
dialects unknown here) asks for nothing, and is evaluated among what is left. A filter that can be looked up as a whole
is decided by that, and not evaluated.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterable, Mapping, Sequence
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
    """A trigger in its places.

    Attributes:
        turn: Its turn among all.
        match: What is told where an event matches it.
        expression: Its filter; None where every event matches it that is found in one of its places.
    """

    turn: int
    match: Match
    expression: Expression | None


class Undecided(NamedTuple):
    """What an event may match, to be evaluated.

    Attributes:
        entries: The triggers, in the order they were put.
        attributes: The event's context attributes.
    """

    entries: Sequence[Entry]
    attributes: Mapping[str, str]


class Group:
    """The triggers of one place, and what an event that is found there matches, as far as that is always the same.

    Attributes:
        entries: The triggers by their keys, in the order they were put.
    """

    __slots__ = ("_matches", "entries")

    def __init__(self) -> None:
        self.entries: dict[UUID, Entry] = {}
        self._matches: tuple[Match, ...] | None = None

    def put(self, key: UUID, entry: Entry) -> None:
        """Add a trigger."""
        self.entries[key] = entry
        self._matches = None

    def remove(self, key: UUID) -> None:
        """Forget a trigger."""
        del self.entries[key]
        self._matches = None

    def matches(self) -> tuple[Match, ...] | None:
        """What every event matches that is found here; None where a filter has to be evaluated."""
        if self._matches is None:
            entries = self.entries.values()
            if any(entry.expression is not None for entry in entries):
                return None
            self._matches = tuple([entry.match for entry in entries])
        return self._matches


class Lookup(NamedTuple):
    """How the events are found that may match a filter.

    Attributes:
        alternatives: What events must have for the filter to hold: all of at least one of these.
        decides: Whether the filter holds for every event that has that.
    """

    alternatives: tuple[Needs, ...]
    decides: bool


_NOTHING: Final[Needs] = frozenset()
_EVERYTHING: Final = Lookup((_NOTHING,), decides=True)
_ANYTHING: Final = Lookup((_NOTHING,), decides=False)
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
        self._shapes: dict[Shape, dict[Texts, Group]] = {}

    def put(self, key: UUID, expression: Expression | None) -> None:
        """Add a trigger, or replace its filter; None matches every event."""
        lookup = _EVERYTHING if expression is None else _lookup(expression)
        places = tuple(dict.fromkeys(map(_place, lookup.alternatives)))
        with self._lock:
            self._remove(key)
            entry = Entry(next(self._turns), Match(key), None if lookup.decides else expression)
            self._places[key] = places
            for shape, texts in places:
                groups = self._shapes.setdefault(shape, {})
                if texts not in groups:
                    groups[texts] = Group()
                groups[texts].put(key, entry)

    def discard(self, key: UUID) -> None:
        """Forget a trigger; harmless when it is not known."""
        with self._lock:
            self._remove(key)

    def match(self, event: EventView) -> list[Match]:
        """The triggers that an event matches, and those whose filter raised, in the order they were put."""
        return list(self.match_each([event.attributes], [event.data])[0])

    def match_each(self, attributes: Iterable[Mapping[str, str]], data: Sequence[object]) -> list[Sequence[Match]]:
        """As `match`, for several events, all of them with the triggers of one moment.

        Args:
            attributes: The context attributes of each.
            data: The payload of each.

        Returns:
            For each event what it matches; for those that match the same, it may be the same object.
        """
        with self._lock:
            found = list(map(self._found, attributes))
        return [_evaluated(one, data[index]) if isinstance(one, Undecided) else one for index, one in enumerate(found)]

    def _found(self, attributes: Mapping[str, str]) -> Sequence[Match] | Undecided:
        """What an event matches, where one place decides that; else the triggers that it has all of a place for."""
        found: list[Group] = []
        for shape, groups in self._shapes.items():
            texts = _texts(shape, attributes)
            if texts is not None and (group := groups.get(texts)) is not None:
                found.append(group)
        if not found:
            return ()
        if len(found) == 1 and (matches := found[0].matches()) is not None:
            return matches
        entries = {key: entry for group in found for key, entry in group.entries.items()}
        return Undecided(sorted(entries.values()), attributes)

    def _remove(self, key: UUID) -> None:
        """Drop empty places too, so that triggers that come and go do not make the index grow."""
        for shape, texts in self._places.pop(key, ()):
            groups = self._shapes[shape]
            groups[texts].remove(key)
            if not groups[texts].entries:
                del groups[texts]
            if not groups:
                del self._shapes[shape]


def _texts(shape: Shape, attributes: Mapping[str, str]) -> Texts | None:
    """An event's texts in a shape; None where it lacks an attribute."""
    try:
        return tuple([attributes[attribute][:length] for attribute, length in shape])
    except KeyError:
        return None


def _evaluated(undecided: Undecided, data: object) -> list[Match]:
    """What an event matches of what it may match, in the same order."""
    event = EventView(undecided.attributes, data)
    return [match for entry in undecided.entries if (match := _match(entry, event)) is not None]


def _match(entry: Entry, event: EventView) -> Match | None:
    try:
        return entry.match if entry.expression is None or entry.expression.matches(event) else None
    except Exception as error:  # told as that trigger's execution; the other triggers are not concerned
        return Match(entry.match.key, problem=f"{type(error).__name__}: {error}")


def _lookup(expression: Expression) -> Lookup:
    """How to find what may match an expression.

    It may ask for less than the expression, never for more: what it does not decide is evaluated in full.
    """
    if isinstance(expression, Exact | Prefix):
        is_prefix = isinstance(expression, Prefix)
        return Lookup((frozenset(Need(name, text, is_prefix) for name, text in expression.wanted),), decides=True)
    if isinstance(expression, AllOf):
        return _all_of([_lookup(part) for part in expression.parts])
    if isinstance(expression, AnyOf):
        return _any_of([_lookup(part) for part in expression.parts])
    return _ANYTHING


def _any_of(parts: Sequence[Lookup]) -> Lookup:
    each = tuple(dict.fromkeys(needs for part in parts for needs in part.alternatives))
    alternatives = (_NOTHING,) if _NOTHING in each else each
    return Lookup(alternatives, decides=all(part.decides for part in parts))


def _all_of(parts: Sequence[Lookup]) -> Lookup:
    """All parts together; one that would multiply the alternatives beyond measure is left out, and decides nothing."""
    together: tuple[Needs, ...] = (_NOTHING,)
    decides = True
    for part in sorted(parts, key=lambda part: len(part.alternatives)):
        theirs = part.alternatives
        is_taken = min(len(together), len(theirs)) == 1 or len(together) * len(theirs) <= _MOST_PRODUCTS
        decides = decides and part.decides and is_taken
        if is_taken:
            together = tuple(dict.fromkeys(one | other for one in together for other in theirs))
    return Lookup(together, decides)


def _place(needs: Needs) -> Place:
    """Where a trigger of these needs is kept.

    Prefixes of many lengths make many shapes, but never more than triggers, and a look-up costs less than evaluating.
    """
    ordered = sorted(needs)
    shape = tuple((need.attribute, len(need.text) if need.is_prefix else None) for need in ordered)
    return Place(shape, tuple(need.text for need in ordered))
