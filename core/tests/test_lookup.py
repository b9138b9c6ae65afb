"""Looking up: what is told when several fit, what belongs to others, and what no reference can be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from actium import Actium, Event
from actium.errors import AmbiguousReferenceError, InvalidInputError, InvalidQueryError, NotFoundError
from actium.models import ActionResponse, ServiceAccountRequest, TriggerRequest
from actium.models.page import MAX_PAGE_SIZE
from actium.stores.base_store import MOST_FOUND, Query
from actium.stores.records import AccountRecord

CreateAction = Callable[..., ActionResponse]


@pytest.mark.parametrize(
    "there, told",
    [(2, "fits 2 service accounts"), (MOST_FOUND - 1, "fits 19 "), (MOST_FOUND, "20 or more"), (30, "20 or more")],
)
def test_the_number_that_is_told_is_true(app: Actium, there: int, told: str) -> None:
    """As many objects as a look-up gives at most are told as that many or more, fewer by their number."""
    for number in range(there):
        app.accounts.create(ServiceAccountRequest(name=f"robot-{number}"))
    with pytest.raises(AmbiguousReferenceError, match=told) as caught:
        app.accounts.get("robot-")
    assert len(caught.value.candidates) == min(there, MOST_FOUND)


class TestOfOtherProjects:
    def test_nothing_is_found_by_its_id_either(self, url: str, app: Actium, create: CreateAction) -> None:
        """What belongs to another project is not found, by name or by id, to be read, changed, run or deleted."""
        action = create()
        trigger = app.triggers.create(TriggerRequest(name="always", action_id=action.id, match_all=True))
        published = app.events.publish(Event(type="t", source="/s"))
        ids = {
            "accounts": action.service_account_id,
            "actions": action.id,
            "triggers": trigger.id,
            "events": published.id,
            "executions": published.executions[0],
        }
        with Actium(url, project="elsewhere") as other:
            doors = [(getattr(other, door).get, object_id) for door, object_id in ids.items()]
            doors += [(other.actions.run, action.id), (other.actions.delete, action.id)]
            doors += [(other.actions.history, action.id), (other.accounts.delete, action.service_account_id)]
            doors += [(other.triggers.disable, trigger.id), (other.triggers.delete, trigger.id)]
            doors += [(other.executions.cancel, published.executions[0])]
            for look_up, object_id in doors:
                for reference in (object_id, str(object_id), str(object_id)[:13]):
                    with pytest.raises(NotFoundError, match=f"{reference}.*in the project 'elsewhere'"):
                        look_up(reference)
        for door, object_id in ids.items():
            assert getattr(app, door).get(object_id).id == object_id

    def test_the_history_of_what_was_deleted_is_not_theirs(self, url: str, app: Actium, create: CreateAction) -> None:
        """The history of a deleted action is found by its id in its project only."""
        action = create()
        app.actions.delete(action.id)
        assert [revision.change for revision in app.actions.history(action.id)] == ["created", "deleted"]
        with Actium(url, project="elsewhere") as other, pytest.raises(NotFoundError, match="'elsewhere'"):
            other.actions.history(action.id)


def test_an_id_is_never_taken_for_a_name(app: Actium) -> None:
    """A name may look like an id; as text it is found, but an id is looked for among ids only."""
    looks_like_one = uuid4()
    made = app.accounts.create(ServiceAccountRequest(name=str(looks_like_one)))
    assert app.accounts.get(str(looks_like_one)).id == made.id
    with pytest.raises(NotFoundError):
        app.accounts.get(looks_like_one)


DOORS = ("accounts", "actions", "triggers", "events", "executions", "flavors")


class TestNonsense:
    @pytest.mark.parametrize("door", DOORS)
    @pytest.mark.parametrize("reference", [None, 7, b"robot", ["robot"], "\ud800", "a\udfff"])
    def test_as_a_reference_is_refused(self, app: Actium, door: str, reference: Any) -> None:
        """What is neither an id nor text, or no text that a store can know, is refused with what was given."""
        with pytest.raises(InvalidInputError) as caught:
            getattr(app, door).get(reference)
        assert ascii(reference) in ascii(str(caught.value)).replace("\\\\", "\\")

    @pytest.mark.parametrize("door", DOORS[:-1])
    @pytest.mark.parametrize("asked", [{}, {"name": "x"}, "x", 0])
    def test_as_a_filter_is_refused(self, app: Actium, door: str, asked: Any) -> None:
        """A filter is a filter; what only looks like none, such as an empty dict, is not taken for its absence."""
        with pytest.raises(InvalidInputError, match=f"Filter, got {type(asked).__name__}"):
            getattr(app, door).list(asked)

    def test_as_a_request_is_refused_without_being_shown(self, app: Actium, create: CreateAction) -> None:
        """A request, an update and an event are of their own types; what was given instead may hold secrets."""
        create()
        told = []
        for door in (
            lambda given: app.accounts.create(given),
            lambda given: app.accounts.update("robot", given),
            lambda given: app.actions.create(given),
            lambda given: app.actions.update("greet", given),
            lambda given: app.actions.run("greet", given),
            lambda given: app.triggers.create(given),
            lambda given: app.triggers.update("always", given),
            lambda given: app.events.publish(given),
        ):
            with pytest.raises(InvalidInputError) as caught:
                door({"name": "hunter2"})
            assert "hunter2" not in str(caught.value)
            told.append(str(caught.value).split()[2].rstrip(","))
        assert told == [
            "ServiceAccountRequest",
            "ServiceAccountUpdate",
            "ActionRequest",
            "ActionUpdate",
            "Event",
            "TriggerRequest",
            "TriggerUpdate",
            "Event",
        ]

    @pytest.mark.parametrize("text", ["\ud800", "a\udc80b"])
    def test_the_store_has_the_last_word(self, app: Actium, text: str) -> None:
        """What no door stopped is refused by the store in Actium's words, and nothing is left of it."""
        event = Event(type="t", source="/s", id="1")
        for attempt in (
            lambda: app.events.publish(event, project=text),
            lambda: app.store.find(AccountRecord, "default", text),
            lambda: app.store.put_setting(text, 1),
            lambda: app.store.page(AccountRecord, Query(project=text)),
            lambda: app.store.page(AccountRecord, Query(index=10**30)),
        ):
            with pytest.raises(InvalidInputError, match="cannot keep or compare a value"):
                attempt()
        assert app.events.list().total == 0
        assert app.events.publish(event).duplicate is False


class TestPagesOfFlavors:
    @pytest.mark.parametrize("page", [{"max_size": 0}, {"max_size": -1}, {"index": 0}, {"index": None}, {"index": "1"}])
    def test_that_cannot_be_are_refused(self, app: Actium, page: dict[str, Any]) -> None:
        """A page is counted from 1 and has at least one item; anything else is told with the argument."""
        with pytest.raises(InvalidQueryError, match=f"the {next(iter(page))} "):
            app.flavors.list(**page)

    def test_are_as_large_as_any_page(self, app: Actium) -> None:
        """A page has up to 10,000 items, as in other listings; beyond the last there is none."""
        assert app.flavors.list(max_size=MAX_PAGE_SIZE).total >= 1
        for page in ({"max_size": MAX_PAGE_SIZE + 1}, {"index": 10**30}):
            with pytest.raises(InvalidQueryError):
                app.flavors.list(**page)

    @pytest.mark.parametrize("kind", [None, 7, "Action", "\ud800"])
    def test_of_no_type_are_refused(self, app: Actium, kind: Any) -> None:
        """A plugin's type is a lower-case word."""
        with pytest.raises(InvalidInputError):
            app.flavors.list(type=kind)
        with pytest.raises(InvalidInputError):
            app.flavors.get("test.echo", type=kind)
