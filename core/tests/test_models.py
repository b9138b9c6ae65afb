"""What travels: requests, updates, responses, filters and events."""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

import actium
import actium.models
from actium import Event, PluginType, ResourceType
from actium.errors import FieldProblem, HydrationError, InvalidInputError, InvalidQueryError
from actium.filters import parse_filters
from actium.models import ActionFilter, ActionRequest, ActionResponse, TriggerExecutionFilter, TriggerUpdate
from actium.models.action import ActionBody, ActionStatus
from actium.models.attributes import CONTEXT_ATTRIBUTES
from actium.models.base import dotted
from actium.models.event import MAX_EVENT_BYTES, ContextAttributes
from actium.models.page import MAX_CONDITIONS, MAX_PAGE_SIZE, MAX_VALUES, Condition, Operator

names = st.text(st.characters(codec="utf-8", categories=("L", "N", "P")), min_size=1, max_size=255)


def request(**fields: Any) -> ActionRequest:
    given_fields = {"name": "n", "plugin_subtype": "s", "flavor": "f", "service_account_id": uuid4()}
    return ActionRequest(**{**given_fields, **fields})


class TestRequests:
    @given(names)
    def test_names_of_printable_characters_pass(self, name: str) -> None:
        """Any 1 to 255 printable characters are a name."""
        assert request(name=name).name == name

    @pytest.mark.parametrize("name", ["", "x" * 256, "a\x00b", "a\nb", " a", "a ", "\ud800", "\u200b"])
    def test_other_names_are_refused(self, name: str) -> None:
        """Empty, too long, and unprintable names are refused with the field and the value."""
        with pytest.raises(InvalidInputError) as caught:
            request(name=name)
        (problem,) = caught.value.problems
        assert problem.path == "name"

    def test_texts_may_have_lines_but_no_nul(self) -> None:
        """A description may have several lines; NUL bytes and unpaired surrogates are refused."""
        assert request(description="one\ntwo").description == "one\ntwo"
        for wrong in ("a\x00", "\ud800", "x" * 10_001):
            with pytest.raises(InvalidInputError, match="description"):
                request(description=wrong)

    def test_unknown_keys_are_refused(self) -> None:
        """A misspelled key of a request is never ignored."""
        with pytest.raises(InvalidInputError, match="desciption"):
            request(desciption="x")

    def test_every_wrong_field_is_told(self) -> None:
        """All that is wrong is told at once, each with its path and value; what is missing has no value."""
        with pytest.raises(InvalidInputError) as caught:
            ActionRequest(name=7, plugin_subtype="s", auth_window="soon", labels={"a": ["b"]})  # type: ignore[call-arg, arg-type, dict-item]
        told = {problem.path: problem.value for problem in caught.value.problems}
        assert told == {
            "name": "7",
            "flavor": None,
            "service_account_id": None,
            "auth_window": "'soon'",
            "labels.a": None,
        }
        assert str(caught.value).splitlines()[0] == "This ActionRequest is not valid."

    @pytest.mark.parametrize(
        "make",
        [
            lambda fields: ActionRequest(**fields),
            ActionRequest.model_validate,
            lambda fields: ActionRequest.model_validate_json(json.dumps(fields)),
            ActionRequest.model_validate_strings,
        ],
    )
    def test_every_way_to_make_one_refuses_in_the_same_words(self, make: Callable[[Any], ActionRequest]) -> None:
        """The constructor and pydantic's ways raise the same error, with the same problems."""
        fields = {"name": "", "plugin_subtype": "s", "auth_window": "soon", "surplus": "x"}
        with pytest.raises(InvalidInputError) as caught:
            make(fields)
        assert caught.value.message == "This ActionRequest is not valid."
        assert {problem.path for problem in caught.value.problems} == {
            "name",
            "flavor",
            "service_account_id",
            "auth_window",
            "surplus",
        }
        whole = {"name": "n", "plugin_subtype": "s", "flavor": "f", "service_account_id": str(UUID(int=7))}
        assert make(whole).service_account_id == UUID(int=7)

    @pytest.mark.parametrize("broken", ["{", "[1]", "7"])
    def test_what_is_no_object_at_all_is_refused_too(self, broken: str) -> None:
        """JSON that cannot be read, or that holds something else than an object, is the caller's wrong input."""
        with pytest.raises(InvalidInputError, match="This TriggerUpdate is not valid"):
            TriggerUpdate.model_validate_json(broken)

    @pytest.mark.parametrize("make", [lambda fields: ActionRequest(**fields), ActionRequest.model_validate])
    def test_tracebacks_show_no_secret(self, make: Callable[[Any], ActionRequest]) -> None:
        """Whatever stands beside a wrong field, or under a misspelled key, is not in the traceback."""
        secret = "hunter2-hunter2"
        with pytest.raises(InvalidInputError) as caught:
            make({"name": "", "configuration": {"password": secret}, "password": secret})
        assert secret not in "".join(traceback.format_exception(caught.value))

    def test_a_long_value_is_shortened(self) -> None:
        """A value that is shown in an error is cut, with its length told."""
        with pytest.raises(InvalidInputError, match=r"… \(1,002 characters\)"):
            request(service_account_id="x" * 1000)

    def test_a_malformed_id_is_told_as_such(self) -> None:
        """A malformed UUID is refused with its path, value and expected type."""
        with pytest.raises(InvalidInputError) as caught:
            request(service_account_id="not-an-id")
        assert caught.value.problems[0].expected == "uuid"

    def test_updates_tell_absent_from_empty(self) -> None:
        """Absent fields are no change; an explicit None is the value that stands for empty."""
        assert TriggerUpdate().changes() == {}
        assert TriggerUpdate(description=None, is_active=False).changes() == {"description": "", "is_active": False}
        with pytest.raises(InvalidInputError, match="is_active cannot be empty"):
            TriggerUpdate(is_active=None)


class TestResponses:
    def response(self) -> ActionResponse:
        now = datetime.now(UTC)
        body = ActionBody(
            project="default",
            plugin_subtype="s",
            flavor="f",
            enabled=True,
            status=ActionStatus.READY,
            version=1,
            revision=1,
            service_account_id=uuid4(),
            created=now,
            updated=now,
        )
        return ActionResponse(id=uuid4(), name="greet", body=body)

    @pytest.mark.parametrize("field", ["description", "configuration", "auth_window", "labels"])
    def test_metadata_that_did_not_come_is_an_error(self, field: str) -> None:
        """Reading a field that was not hydrated says so, and how to get it."""
        with pytest.raises(HydrationError, match=r"Action 'greet' .* without its metadata.*hydrate=True"):
            getattr(self.response(), field)

    def test_resources_that_did_not_come_are_an_error(self) -> None:
        """So do resources."""
        with pytest.raises(HydrationError, match="without its resources"):
            self.response().get_resources()

    def test_the_body_is_always_there(self) -> None:
        """Body fields are read from the response itself."""
        response = self.response()
        assert (response.project, response.enabled, response.revision) == ("default", True, 1)
        assert response.service_account_id == response.body.service_account_id
        assert (response.plugin_subtype, response.flavor) == ("s", "f")


class TestFilters:
    @pytest.mark.parametrize("operator", list(Operator))
    def test_operators_stand_before_a_colon(self, operator: Operator) -> None:
        """Each operator is understood before a colon."""
        (condition,) = ActionFilter(name=f"{operator.value}:a,b").conditions()
        expected = ("a", "b") if operator is Operator.ONEOF else "a,b"
        assert condition == Condition("name", operator, expected)

    @given(names)
    def test_a_plain_value_means_equals(self, name: str) -> None:
        """Text without an operator before a colon is compared as it is."""
        before, colon, _ = name.partition(":")
        if colon and before in set(Operator):
            return
        assert ActionFilter(name=name).conditions() == (Condition("name", Operator.EQUALS, name),)

    def test_text_with_another_colon_is_plain(self) -> None:
        """A colon after something that is no operator belongs to the value."""
        assert ActionFilter(name="urn:x").conditions()[0].value == "urn:x"
        assert ActionFilter(name="equals:gt:5").conditions() == (Condition("name", Operator.EQUALS, "gt:5"),)

    def test_lists_mean_one_of_or_several_conditions(self) -> None:
        """A list of values is one condition, a list of texts with operators one each."""
        assert ActionFilter(flavor=["a", "b"]).conditions()[0].value == ("a", "b")
        several = ActionFilter(created=["gte:2026-01-01", "lt:2026-02-01T00:00:00+01:00"]).conditions()
        assert several == (
            Condition("created", Operator.GTE, datetime(2026, 1, 1, tzinfo=UTC)),
            Condition("created", Operator.LT, datetime(2026, 2, 1, tzinfo=timezone(timedelta(hours=1)))),
        )
        assert ActionFilter(name='oneof:["a,b", "c"]').conditions()[0].value == ("a,b", "c")

    def test_values_are_of_their_columns_type(self) -> None:
        """Texts become ids, truth values and times where the column holds such."""
        some_id = uuid4()
        found = ActionFilter(service_account_id=f"oneof:{some_id}", enabled="true").conditions()
        assert [condition.value for condition in found] == [(some_id,), True]

    @pytest.mark.parametrize(
        "fields, message",
        [
            ({"created": "gt:soon"}, "column 'created'.*dates and times"),
            ({"service_account_id": "x"}, "column 'service_account_id'"),
            ({"enabled": "contains:t"}, "'contains' does not fit the column 'enabled'"),
            ({"enabled": "gt:true"}, "'gt' does not fit"),
            ({"name": "oneof:[1"}, "not a JSON list"),
            ({"sort_by": "colour"}, "Cannot sort by 'colour'"),
            ({"sort_by": "up:name"}, "Cannot sort by 'up:name'"),
        ],
    )
    def test_what_does_not_fit_is_refused(self, fields: dict[str, Any], message: str) -> None:
        """A value or operator that does not fit its column is refused with what would."""
        asked = ActionFilter(**fields)
        with pytest.raises(InvalidQueryError, match=message):
            asked.conditions()
            asked.order()

    @pytest.mark.parametrize(
        "given_status", ["redy", "oneof:ready,redy", "notequals:Ready", ["ready", "redy"], "gt:redy"]
    )
    def test_a_status_that_does_not_exist_is_refused(self, given_status: Any) -> None:
        """A misspelled status would fit nothing, so it is told with the nearest one; beginnings are free."""
        with pytest.raises(InvalidQueryError, match="column 'status'.*Did you mean 'ready'"):
            ActionFilter(status=given_status).conditions()
        with pytest.raises(InvalidQueryError, match="one of pending, running, succeeded"):
            TriggerExecutionFilter(status="xyz").conditions()
        for fine in ("ready", ActionStatus.READY, "oneof:ready,creating", "startswith:re", ["ready"]):
            assert ActionFilter(status=fine).conditions()

    @pytest.mark.parametrize(
        "fields",
        [
            {"name": ["a"] * (MAX_VALUES + 1)},
            {"name": f"oneof:{','.join('a' * (MAX_VALUES + 1))}"},
            {"name": ["startswith:a"] * (MAX_CONDITIONS + 1)},
            {"name": ["a"] * MAX_VALUES, "flavor": ["a"]},
        ],
    )
    def test_too_many_conditions_and_values_are_refused(self, fields: dict[str, Any]) -> None:
        """A filter that a store could not answer is refused with what it has and what it may have."""
        with pytest.raises(InvalidQueryError, match="This filter has .* more than "):
            ActionFilter(**fields).conditions()

    @pytest.mark.parametrize(
        "fields",
        [
            {"name": "\ud800"},
            {"name": "startswith:\ud800"},
            {"name": ["a", "\ud800"]},
            {"name": 'oneof:["\\ud800"]'},
            {"name": f"oneof:{'[' * 100_000}"},
            {"sort_by": "\ud800"},
            {"project": "\ud800"},
            {"project": "x" * 256},
            {"status": "\ud800"},
            {"id": "startswith:\ud800"},
            {"index": 10**30},
            {"created": f"gt:{10**30}"},
            {"created": "gt:0001-01-01T00:00:00+14:00"},
            {"created": datetime(9999, 12, 31, 23, tzinfo=timezone(timedelta(hours=-14)))},
        ],
    )
    def test_what_no_store_can_compare_is_refused(self, fields: dict[str, Any]) -> None:
        """Surrogates, numbers without end, and times that no calendar has are refused before a store sees them."""
        with pytest.raises(InvalidInputError):
            asked = ActionFilter(**fields)
            asked.conditions()
            asked.order()

    def test_orders(self) -> None:
        """A column sorts upwards, ``desc:`` before it downwards."""
        assert ActionFilter(sort_by="name").order() == ("name", False)
        assert ActionFilter(sort_by="asc:name").order() == ("name", False)
        assert TriggerExecutionFilter().order() == ("created", True)

    @pytest.mark.parametrize("fields", [{"index": 0}, {"max_size": 0}, {"max_size": MAX_PAGE_SIZE + 1}, {"nmae": "x"}])
    def test_impossible_pages_are_refused(self, fields: dict[str, Any]) -> None:
        """Pages begin at 1, have 1 to 10,000 items; a misspelled column is refused, never ignored."""
        with pytest.raises(InvalidInputError, match=next(iter(fields))):
            ActionFilter(**fields)


class Reading(BaseModel):
    celsius: float


class TestEvents:
    def test_defaults_follow_the_specification(self) -> None:
        """Id, time and specversion are made up where they are not given."""
        event = Event(type="t", source="/s")
        assert (event.specversion, event.data, UUID(event.id).version) == ("1.0", None, 8)
        assert event.time.tzinfo is UTC

    def test_attributes_are_in_canonical_form(self) -> None:
        """Filters see attributes as text: times in UTC, truth values in lower case, whole numbers in decimal."""
        event = Event(
            type="t",
            source="/s",
            id="1",
            subject="x",
            time=datetime(2026, 1, 31, 13, 0, tzinfo=timezone(timedelta(hours=1))),
            sequence=7,
            urgent=True,
        )
        assert event.attributes() == {
            "id": "1",
            "source": "/s",
            "type": "t",
            "specversion": "1.0",
            "subject": "x",
            "time": "2026-01-31T12:00:00Z",
            "sequence": "7",
            "urgent": "true",
        }

    def test_what_a_subclass_adds_is_no_attribute(self) -> None:
        """A field of someone's own kind of event is nothing that CloudEvents knows, and filters do not see it."""

        class Arrived(Event):
            rows: int

        event = Arrived(type="t", source="/s", id="1", rows=344)
        assert event.attributes().keys() == {"id", "source", "type", "specversion", "time"}
        assert dict(ContextAttributes(event)) == event.attributes()

    @given(
        subject=st.none() | st.text("ab", min_size=1),
        time=st.datetimes(timezones=st.just(UTC)),
        schema=st.none() | st.just("https://example.com/schema"),
        tenant=st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=3)
        | st.booleans()
        | st.integers(-7, 7),
        data=st.none() | st.just({"rows": 344}),
    )
    def test_attributes_one_by_one_are_those_of_all(self, data: Any, schema: str | None, **given_fields: Any) -> None:
        """What filters are given puts each attribute into the text that it has among all, and has no others."""
        event = Event(type="t", source="/s", dataschema=schema, data=data, **given_fields)
        one_by_one = ContextAttributes(event)
        assert dict(one_by_one) == event.attributes()
        assert len(one_by_one) == len(event.attributes())
        for name in (*CONTEXT_ATTRIBUTES, "tenant", "data", "extensions", "model_fields", "other"):
            assert one_by_one.get(name) == event.attributes().get(name)
            assert (name in one_by_one) is (name in event.attributes())

    def test_a_time_without_zone_is_utc(self) -> None:
        """A naive time is taken as UTC."""
        naive = datetime(2026, 1, 31, tzinfo=UTC).replace(tzinfo=None)
        assert Event(type="t", source="/s", time=naive).time == datetime(2026, 1, 31, tzinfo=UTC)

    @pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "N", "I", "INaNfinity"])
    def test_texts_that_read_like_no_number_are_texts(self, text: str) -> None:
        """A text is kept whatever it says, as a value and as a key."""
        assert Event(type="t", source="/s", data={text: [text]}).data == {text: [text]}

    def test_data_is_in_its_json_form(self) -> None:
        """Dates, UUIDs and models are written in their JSON form."""
        some_id = uuid4()
        event = Event(type="t", source="/s", data={"d": date(2026, 1, 31), "i": some_id, "m": Reading(celsius=1.5)})
        assert event.data == {"d": "2026-01-31", "i": str(some_id), "m": {"celsius": 1.5}}

    @pytest.mark.parametrize(
        "fields, message",
        [
            ({"type": ""}, "type"),
            ({"source": None}, "source"),
            ({"specversion": "0.3"}, "specversion"),
            ({"data": object()}, "something JSON can hold"),
            ({"data": [float("nan")]}, "something JSON can hold"),
            ({"data": {"a": {"b": float("-inf")}}}, "something JSON can hold"),
            ({"data": "x" * 1_048_576}, "pass a reference"),
            ({"partitionKey": "7"}, "lower-case letters and digits"),
            ({"extension": 1.5}, "text, a whole number or a truth value"),
            ({"extension": ["a"]}, "text, a whole number or a truth value"),
            ({"extension": "a\x00"}, "NUL"),
            ({"id": "a\x00"}, "NUL"),
        ],
    )
    def test_what_is_no_event_is_refused(self, fields: dict[str, Any], message: str) -> None:
        """What CloudEvents does not allow is refused with the field."""
        with pytest.raises(InvalidInputError, match=message):
            Event(**{"type": "t", "source": "/s", **fields})

    @pytest.mark.parametrize("name", ["sourc", "tpye", "sujbect", "times", "dataschem"])
    def test_a_misspelled_attribute_is_refused_as_in_filters(self, name: str) -> None:
        """What a filter refuses as a slip of the pen, no event has: both name the attribute that is meant."""
        with pytest.raises(InvalidInputError) as of_event:
            Event(**{"type": "t", "source": "/s", name: "x"})
        with pytest.raises(InvalidInputError) as of_filter:
            parse_filters([{"exact": {name: "x"}}])
        (told,) = re.findall("mean '(.*)'", str(of_filter.value))
        assert f"{name!r} is an unknown attribute; did you mean {told!r}?" in str(of_event.value)

    @pytest.mark.parametrize("letter, size", [("x", 1), ("\u00e9", 2), ("\u20ac", 3), ("\U0001f427", 4), ("\ud800", 3)])
    def test_data_is_measured_in_utf_8(self, letter: str, size: int) -> None:
        """Data may have as many bytes as a UTF-8 file of its JSON, however a store writes it."""
        fits = letter * ((MAX_EVENT_BYTES - 2) // size)
        assert Event(type="t", source="/s", data=fits).data == fits
        with pytest.raises(InvalidInputError, match="at most 1,048,576 bytes of JSON"):
            Event(type="t", source="/s", data=fits + letter * 2)

    @pytest.mark.parametrize(
        "time",
        [
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-00:01",
            datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))),
        ],
    )
    def test_a_time_beyond_the_calendar_is_refused(self, time: Any) -> None:
        """A time that has no date in UTC is refused with the field."""
        with pytest.raises(InvalidInputError, match="time: must be within the years 1 to 9999"):
            Event(type="t", source="/s", time=time)

    def test_a_loop_in_the_data_is_refused(self) -> None:
        """Data that contains itself is refused, not followed for ever."""
        loop: list[Any] = []
        loop.append(loop)
        with pytest.raises(InvalidInputError, match="JSON"):
            Event(type="t", source="/s", data=loop)


class TestOpenNames:
    def test_plugins_add_members(self) -> None:
        """A further type is a word like any other, equal to its text, and usable in models."""

        class Holder(BaseModel):
            kind: ResourceType

        assert ResourceType("pipeline") == "pipeline"
        assert Holder(kind="pipeline").model_dump(mode="json") == {"kind": "pipeline"}  # type: ignore[arg-type]
        assert isinstance(Holder(kind="pipeline").kind, ResourceType)  # type: ignore[arg-type]
        assert repr(PluginType.ACTION) == "PluginType('action')"

    @pytest.mark.parametrize("word", ["", "Pipeline", "1a", "a-b", "a" * 64])
    def test_other_words_are_refused(self, word: str) -> None:
        """A name that is no lower-case word is refused."""
        with pytest.raises(InvalidInputError, match="lower-case"):
            ResourceType(word)


def test_locations_are_written_as_people_write_them() -> None:
    """Keys are joined by dots, indexes stand in brackets."""
    assert dotted(("a", "b", 2, "c")) == "a.b[2].c"
    assert str(FieldProblem(path="", problem="is odd")) == "(whole): is odd"


@pytest.mark.parametrize("package", [actium, actium.models])
def test_lazy_names(package: Any) -> None:
    """Every name that a package lists can be had, is documented, and one that it does not list is an AttributeError."""
    for name in dir(package):
        assert getattr(package, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = package.nonsense
