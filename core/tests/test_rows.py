"""Rows that are written together: each as its record says, whatever they have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium import Actium
from actium.errors import ConflictError, InvalidInputError
from actium.models import ActionResponse
from actium.stores import BaseStore, open_store
from actium.stores.base_store import Query
from actium.stores.publications import EventDraft, ExecutionDraft
from actium.stores.records import ActionRecord, EventRecord
from actium.stores.sqlite.tables import ACTIONS, EVENTS, time_text

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def store() -> Iterator[BaseStore]:
    opened = open_store("sqlite://")
    yield opened
    opened.close()


def event(**fields: Any) -> EventRecord:
    given_fields = {
        "id": uuid4(),
        "project": "default",
        "event_id": str(uuid4()),
        "source": "/a",
        "type": "t",
        "subject": None,
        "time": NOW,
        "received": NOW,
        "attributes": {},
        "data": None,
    }
    return EventRecord(**{**given_fields, **fields})


def stored(store: BaseStore, events: Sequence[EventRecord]) -> list[EventRecord]:
    """Events as they are read after they were stored in one transaction."""
    recorded = store.record_events([EventDraft(one, (), (), 0) for one in events])
    return [store.get(EventRecord, one.id) for one in recorded.events]


@pytest.mark.parametrize("number", [2, 3, 64, 130])
def test_what_is_equal_and_not_the_same_is_kept_as_it_is(store: BaseStore, number: int) -> None:
    """JSON tells apart what Python calls equal, also between rows that begin and end with one object."""
    shared: Any = {"value": [1]}
    events = [event(data=shared, attributes=shared), *(event() for _ in range(number - 2))]
    events += [event(data={"value": [True]}, attributes={"value": [1.0]}), event(data=shared, attributes=shared)]
    kept = stored(store, events)
    assert [repr(one.data) for one in kept] == [repr(one.data) for one in events]
    assert [repr(one.attributes) for one in kept] == [repr(one.attributes) for one in events]


@pytest.mark.parametrize("column", ["source", "type", "subject", "time", "data"])
def test_one_row_among_alike_ones_stays_another(store: BaseStore, column: str) -> None:
    """Among rows that have a value in common, one that has another keeps it, wherever it stands."""
    other = {"time": NOW - timedelta(days=1), "data": {"a": 1}}.get(column, "other")
    for place in range(5):
        events = [event() for _ in range(5)]
        events[place] = event(**{column: other})
        kept = stored(store, events)
        assert [getattr(one, column) for one in kept] == [getattr(one, column) for one in events]


def test_rows_that_have_everything_in_common_are_one_too_many(
    app: Actium, create: Callable[..., ActionResponse]
) -> None:
    """Two executions of one id are a conflict, and nothing of them is stored."""
    twice, ids = [ExecutionDraft(create().id)] * 2, (uuid4(),) * 2
    with pytest.raises(ConflictError, match="refused a change"):
        app.store.record_events([EventDraft(event(), twice, ids, app.store.trigger_generation())])
    assert app.executions.list().total == app.events.list().total == 0


def test_an_event_with_the_id_of_another_is_refused(store: BaseStore) -> None:
    """One that is there already, be it by name too, or comes with the same transaction; nothing is stored then."""
    (first,) = stored(store, [event(event_id="a")])
    same, other = event(id=first.id, event_id="a"), event(id=first.id, event_id="b")
    for events in ([same], [event(), same], [other], [event(), other], [event(id=(made := uuid4())), event(id=made)]):
        with pytest.raises(ConflictError, match="refused a change"):
            stored(store, events)
    assert store.page(EventRecord, Query(sort_by="received")).total == 1


def test_events_are_known_again_among_new_ones(store: BaseStore) -> None:
    """Wherever in a transaction they stand, and where it brings them twice: each gives what was stored first."""
    (first,) = stored(store, [event(event_id="known")])
    events = [event(event_id=name) for name in ("a", "known", "b", "a", "known", "b", "c")]
    recorded = store.record_events([EventDraft(one, (), (), 0) for one in events]).events
    a, _, b, _, _, _, c = (one.id for one in events)
    assert [one.id for one in recorded] == [a, first.id, b, a, first.id, b, c]
    assert [one.duplicate for one in recorded] == [False, True, False, True, True, True, False]
    assert store.page(EventRecord, Query(sort_by="received")).total == 4


FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
zones = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(timezones=st.just(UTC)), zones)
def test_times_are_written_in_utc_with_constant_width(value: datetime, zone: timezone) -> None:
    """A time is written as Python writes it in UTC, always with its microseconds, whatever its zone."""
    if FIRST + timedelta(days=1) < value < LAST - timedelta(days=1):
        value = value.astimezone(zone)
    assert time_text(value) == value.astimezone(UTC).isoformat(timespec="microseconds")


@pytest.mark.parametrize("value, hours", [(FIRST, 1), (LAST, -1)], ids=["first", "last"])
def test_the_first_and_the_last_time_are_written(value: datetime, hours: int) -> None:
    """All times of the years 1 to 9999 in UTC have a text; beyond them there is none."""
    assert time_text(value) == value.isoformat(timespec="microseconds")
    with pytest.raises(InvalidInputError, match="1 to 9999"):
        time_text(value.replace(tzinfo=timezone(timedelta(hours=hours))))


def test_what_is_read_again_is_one_record_unless_much_is_in_it(
    app: Actium, create: Callable[..., ActionResponse]
) -> None:
    """Actions are made anew when their rows have changed; large ones, and events, are kept by nobody."""
    rows = []
    for text in ("short", "long" * 2_000):
        action = app.store.get(ActionRecord, create(text[:5], configuration={"text": text}).id)
        rows.append(tuple(ACTIONS.written(action)))
    small, large = rows
    assert ACTIONS.read_again(small) is ACTIONS.read_again((*small[:3], *small[3:]))
    assert ACTIONS.read_again(large) is not ACTIONS.read_again(large)
    assert ACTIONS.read_again(large) == ACTIONS.read(large)
    version = list(ACTIONS.columns).index("version")
    changed = (*small[:version], small[version] + 1, *small[version + 1 :])
    assert ACTIONS.read_again(changed).version == ACTIONS.read_again(small).version + 1
    row = tuple(EVENTS.written(event()))
    assert EVENTS.read_again(row) is not EVENTS.read_again(row)
