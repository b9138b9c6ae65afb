"""Listing from a real store: large filters, texts by name, and what cannot be compared."""

from __future__ import annotations

from collections import UserDict, UserList
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actium import ActionConfig, Actium, Event, action_flavor
from actium.errors import InvalidFilterError, InvalidInputError, InvalidQueryError, PermanentError
from actium.models import (
    ActionFilter,
    ActionResponse,
    EventFilter,
    ServiceAccountFilter,
    ServiceAccountRequest,
    TriggerExecutionFilter,
    TriggerFilter,
    TriggerRequest,
)
from actium.models.page import MAX_CONDITIONS, MAX_PAGE_SIZE, MAX_VALUES, Condition, Operator
from actium.stores.base_store import Query
from actium.stores.publications import EventDraft
from actium.stores.records import ActionRecord, EventRecord, ExecutionRecord

CreateAction = Callable[..., ActionResponse]


class TestLargeFilters:
    def test_as_many_values_as_are_allowed_are_compared(self, app: Actium) -> None:
        """A list of ten thousand names or ids is answered, whatever it takes for the database."""
        made = [app.accounts.create(ServiceAccountRequest(name=f"robot-{number}")) for number in range(3)]
        names = [f"robot-{number}" for number in range(1, MAX_VALUES + 1)]
        assert app.accounts.list(ServiceAccountFilter(name=names)).total == 2
        ids = [made[0].id, *(uuid4() for _ in range(MAX_VALUES - 1))]
        assert [found.id for found in app.accounts.list(ServiceAccountFilter(id=ids)).items] == [made[0].id]
        assert app.accounts.list(ServiceAccountFilter(name=["é", "robot-0", 'a"b'])).total == 1

    @pytest.mark.parametrize("combine", ["and", "or"])
    def test_as_many_conditions_as_are_allowed_are_compared(self, app: Actium, combine: str) -> None:
        """A hundred conditions on one column are answered, combined in either way."""
        app.accounts.create(ServiceAccountRequest(name="robot"))
        asked = ServiceAccountFilter(name=["startswith:rob"] * MAX_CONDITIONS, logical_operator=combine)
        assert app.accounts.list(asked).total == 1

    def test_truth_and_time_may_be_one_of_several(self, app: Actium) -> None:
        """Values of every type are compared in lists as they are alone."""
        made = app.accounts.create(ServiceAccountRequest(name="robot"))
        for fields in ({"active": "oneof:true"}, {"active": "oneof:true,false"}, {"created": [made.body.created]}):
            assert app.accounts.list(ServiceAccountFilter(**fields)).total == 1
        assert app.accounts.list(ServiceAccountFilter(active="oneof:false")).total == 0

    def test_a_value_with_a_nul_is_compared_to_its_end(self, app: Actium, create: CreateAction) -> None:
        """Of several values, one that holds a NUL finds what is the same after it, and nothing that ends before it."""

        @action_flavor("test.fails")
        def fails(config: ActionConfig) -> None:
            raise PermanentError("a\0b")

        app.flavors.register(fails)
        app.actions.run(create(flavor="test.fails").id)
        app.worker().run_until_idle()
        (failed,) = app.executions.list(TriggerExecutionFilter(status="failed")).items

        def found(*reasons: str) -> int:
            asked = Condition("reason", Operator.ONEOF, reasons)
            return app.store.page(ExecutionRecord, Query(conditions=(asked,), sort_by="created")).total

        until = failed.reason.partition("\0")[0]
        assert (found(failed.reason, "x"), found("x", until + "\0c"), found(until, "x")) == (1, 0, 0)


LABELS = {"team": "data", "a.b": "1", 'quo"ted': "", "größe": "XL"}


class TestTextsByName:
    @pytest.mark.parametrize(
        "key, operator, value, fits",
        [
            ("team", Operator.EQUALS, "data", True),
            ("team", Operator.EQUALS, "dat", False),
            ("team", Operator.NOTEQUALS, "data", False),
            ("nothing", Operator.NOTEQUALS, "data", True),
            ("nothing", Operator.EQUALS, "data", False),
            ("team", Operator.STARTSWITH, "da", True),
            ("team", Operator.STARTSWITH, "", True),
            ("nothing", Operator.STARTSWITH, "", False),
            ("team", Operator.ENDSWITH, "ta", True),
            ("team", Operator.CONTAINS, "at", True),
            ("team", Operator.ONEOF, ("a", "data"), True),
            ("team", Operator.ONEOF, (), False),
            ("team", Operator.GT, "abc", True),
            ("a.b", Operator.EQUALS, "1", True),
            ("a", Operator.EQUALS, "1", False),
            ('quo"ted', Operator.EQUALS, "", True),
            ("größe", Operator.EQUALS, "XL", True),
        ],
    )
    def test_are_compared_one_by_one(
        self, app: Actium, create: CreateAction, key: str, operator: Operator, value: Any, fits: bool
    ) -> None:
        """Of labels, the one of the key is compared as any column; one that is not there is like an empty column."""
        create(labels=LABELS)
        condition = Condition("labels", operator, value, key=key)
        found = app.store.page(ActionRecord, Query(conditions=(condition,)))
        assert (found.total, len(found.records)) == (int(fits), int(fits))


class TestLabels:
    @pytest.mark.parametrize(
        "asked, found",
        [
            ({"team": "data"}, ["a", "b"]),
            ({"team": "data", "tier": "1"}, ["a"]),
            ({"team": ["data", "web"]}, ["a", "b", "c"]),
            ({"team": "startswith:da"}, ["a", "b"]),
            ({"team": "notequals:data"}, ["c", "d"]),
            ("team=data", ["a", "b"]),
            ("team=oneof:web,data", ["a", "b", "c"]),
            (["team=data", "tier=2"], ["b"]),
            ("url=x=y", ["c"]),
            ("nothing=x", []),
        ],
    )
    def test_of_actions_are_filtered_by(self, app: Actium, create: CreateAction, asked: Any, found: list[str]) -> None:
        """Actions are listed by their labels, as a dict or as text; an action without the label has nothing there."""
        labels = {
            "a": {"team": "data", "tier": "1"},
            "b": {"team": "data", "tier": "2"},
            "c": {"team": "web", "url": "x=y"},
            "d": {},
        }
        for name, of_action in labels.items():
            create(name, labels=of_action)
        page = app.actions.list(ActionFilter(labels=asked, sort_by="name"))
        assert [action.name for action in page.items] == found

    def test_are_not_sorted_by_and_need_a_name(self, app: Actium) -> None:
        """There is no order of labels, and a text without a name says of which label it is not."""
        with pytest.raises(InvalidQueryError, match="Cannot sort by 'labels'"):
            app.actions.list(ActionFilter(sort_by="labels"))
        with pytest.raises(InvalidQueryError, match="Write labels='NAME=TEXT'"):
            app.actions.list(ActionFilter(labels="data"))


class TestWhatNoStoreCanCompare:
    def test_a_page_without_end_is_refused(self, app: Actium) -> None:
        """A page that no listing has is refused; the last that may be asked for is simply not there."""
        for kind, door in (
            (ServiceAccountFilter, app.accounts),
            (ActionFilter, app.actions),
            (TriggerFilter, app.triggers),
            (EventFilter, app.events),
            (TriggerExecutionFilter, app.executions),
        ):
            for index in (10**12, 10**18, 10**30):
                with pytest.raises(InvalidInputError):
                    door.list(kind(index=index, max_size=MAX_PAGE_SIZE))

    def test_times_beyond_the_calendar_are_refused(self, app: Actium) -> None:
        """What reaches the store past the doors is refused there, too, and nothing is stored of it."""
        early = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14)))
        with pytest.raises(InvalidInputError, match="years 1 to 9999"):
            app.store.page(EventRecord, Query(conditions=(Condition("time", Operator.GT, early),)))
        event = EventRecord(
            id=uuid4(),
            project="default",
            event_id="1",
            source="/s",
            type="t",
            subject=None,
            time=early,
            received=datetime.now(UTC),
            attributes={},
            data=None,
        )
        draft = EventDraft(event, (), (), app.store.trigger_generation())
        with pytest.raises(InvalidInputError, match="years 1 to 9999"):
            app.store.record_events([draft])
        assert app.events.list().total == 0

    @given(times=st.lists(st.datetimes(timezones=st.timezones()), min_size=1, max_size=4))
    @settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_every_time_that_is_taken_is_found_again(self, app: Actium, times: list[datetime]) -> None:
        """A time of any zone is refused by event and filter alike, or found by the filter of an event that has it."""
        for time in times:
            name = str(uuid4())
            try:
                app.events.publish(Event(type="t", source="/s", id=name, time=time))
            except InvalidInputError:
                with pytest.raises(InvalidInputError):
                    app.events.list(EventFilter(time=time))
            else:
                found = app.events.list(EventFilter(time=time, event_id=name))
                assert [event.body.time for event in found.items] == [time.astimezone(UTC)]


INNER = [{"exact": {"type": "t"}}]


class TestFiltersOfTriggers:
    @pytest.mark.parametrize(
        "given_filter",
        [
            {"any": UserList(INNER)},
            {"any": (each for each in INNER)},
            {"not": UserDict(INNER[0])},
            {"exact": MappingProxyType({"type": "t"})},
            {"all": {"exact": {"type": "t"}}},
        ],
    )
    def test_that_only_behave_like_lists_are_refused(
        self, app: Actium, create: CreateAction, given_filter: dict[str, Any]
    ) -> None:
        """What JSON cannot write is refused with its path, as the store could not keep it."""
        action = create()
        with pytest.raises(InvalidFilterError, match=rf"filters\[0\]\.{next(iter(given_filter))}"):
            app.triggers.create(TriggerRequest(name="a", action_id=action.id, filters=[given_filter]))
        assert app.triggers.list().total == 0

    def test_may_be_tuples(self, app: Actium, create: CreateAction) -> None:
        """A tuple is written as a list, and matched as one."""
        asked = TriggerRequest(name="a", action_id=create().id, filters=[{"any": tuple(INNER)}])
        app.triggers.create(asked)
        assert app.triggers.get("a").filters == [{"any": INNER}]
        assert len(app.events.publish(Event(type="t", source="/s")).executions) == 1
