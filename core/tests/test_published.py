"""What becomes of many events: a sequence that makes its items where they are asked for."""

from __future__ import annotations

import copy
import gc
import pickle
from unittest.mock import ANY
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium import Actium, Event
from actium.models import PublishedEvent, PublishedEvents

Became = tuple[UUID, tuple[UUID, ...], bool]

several = st.lists(st.tuples(st.uuids(), st.lists(st.uuids(), max_size=3).map(tuple), st.booleans()), max_size=8)


def named(name: str) -> Event:
    return Event(type="data.arrived", source="/bucket/raw", id=name)


def made(became: Became) -> PublishedEvent:
    event_id, executions, duplicate = became
    return PublishedEvent(id=event_id, executions=executions, duplicate=duplicate)


@given(became=several, index=st.integers(-10, 10))
def test_is_as_a_tuple_of_them(became: list[Became], index: int) -> None:
    """Its length, order, items, parts, and what is missing are those of a tuple."""
    published, plain = PublishedEvents(became), tuple(map(made, became))
    assert len(published) == len(plain)
    assert tuple(published) == plain == tuple(reversed(tuple(reversed(published))))
    assert tuple(published[:index]) == plain[:index]
    assert tuple(published[::-2]) == plain[::-2]
    if -len(plain) <= index < len(plain):
        assert published[index] == plain[index]
    else:
        with pytest.raises(IndexError):
            _ = published[index]


@given(became=several, other=several)
def test_equals_what_holds_the_same(became: list[Became], other: list[Became]) -> None:
    """It equals another one, a tuple and a list of the same events, and nothing else."""
    published = PublishedEvents(became)
    assert published == PublishedEvents(became) == [*published] == published
    assert published == tuple(map(made, became))
    assert (published == PublishedEvents(other)) is (became == other)
    assert published != "something else"
    assert published == ANY  # whoever else knows what equals what is asked


@given(parts=st.lists(several, max_size=4))
def test_joins_parts_in_their_order(parts: list[list[Became]]) -> None:
    """Parts that are joined are all there, one after the other, and stay what they were."""
    given_parts = [PublishedEvents(part) for part in parts]
    joined = PublishedEvents.joined(given_parts)
    assert joined == PublishedEvents(one for part in parts for one in part)
    assert given_parts == [PublishedEvents(part) for part in parts]


def test_can_be_copied_and_shown() -> None:
    """Copies and pickles hold the same, and it shows what it holds."""
    published = PublishedEvents([(uuid4(), (uuid4(),), False)])
    assert copy.deepcopy(published) == published == pickle.loads(pickle.dumps(published))
    assert repr(published) == f"PublishedEvents({[published[0]]!r})"


def test_items_are_the_callers_own() -> None:
    """Whoever changes an item changes nothing of what is asked for next."""
    published = PublishedEvents([(uuid4(), (), False)])
    published[0].duplicate = True
    assert published[0].duplicate is False


def test_is_what_publishing_many_gives(app: Actium) -> None:
    """Of several transactions, in the order of the events, with duplicates told."""
    first = app.events.publish_many(named(f"e{number}") for number in range(300))
    again = app.events.publish_many([named("e299"), named("e0"), named("new")])
    assert isinstance(first, PublishedEvents)
    assert [one.id for one in again[:2]] == [first[299].id, first[0].id]
    assert [one.duplicate for one in again] == [True, True, False]
    assert [app.events.get(one.id).name for one in first[::50]] == [f"e{number}" for number in range(0, 300, 50)]


def test_leaves_the_garbage_collector_alone() -> None:
    """Ten thousand of them are one object that it looks at."""
    became = [(uuid4(), (uuid4(),), False) for _ in range(10_000)]
    gc.collect()
    before = len(gc.get_objects())
    published = PublishedEvents(became)
    gc.collect()  # finds tuples of plain numbers, which it never looks at again
    assert len(gc.get_objects()) - before < 100
    assert len(published) == 10_000
