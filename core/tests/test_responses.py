"""Responses of every kind of object: what each tells unhydrated and hydrated, and that nothing is fetched in secret."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import actium.models
from actium import Actium, Event
from actium.errors import HydrationError, StoreClosedError
from actium.models import ActionResponse, BaseResponse, TriggerRequest

CreateAction = Callable[..., ActionResponse]
AnyResponse = BaseResponse[Any, Any, Any]

KINDS = {
    "ActionFlavorResponse": lambda app: app.flavors,
    "ActionResponse": lambda app: app.actions,
    "EventResponse": lambda app: app.events,
    "ServiceAccountResponse": lambda app: app.accounts,
    "TriggerExecutionResponse": lambda app: app.executions,
    "TriggerResponse": lambda app: app.triggers,
}


@pytest.fixture
def busy(app: Actium, create: CreateAction) -> Actium:
    """An application with one object of each kind."""
    action = create(description="greets", labels={"team": "a"})
    app.triggers.create(TriggerRequest(name="every", action_id=action.id, match_all=True, description="on all"))
    app.events.publish(Event(type="com.example.arrived", source="/a", id="1", data={"rows": 344}))
    app.worker().run_until_idle()
    return app


def both(app: Actium, kind: str) -> tuple[AnyResponse, AnyResponse]:
    """The one object of a kind, listed without and with hydration."""
    objects: Any = KINDS[kind](app)
    wanted = {"subtype": "test"} if kind == "ActionFlavorResponse" else {}  # others may be installed
    (listed,) = objects.list(**wanted).items
    (hydrated,) = objects.list(**wanted, hydrate=True).items
    return listed, hydrated


def shortcuts(response: AnyResponse) -> list[str]:
    """The properties that a response adds to its parts."""
    own = vars(type(response)).items()
    return [name for name, value in own if isinstance(value, property) and not name.startswith("_")]


def test_every_kind_of_object_is_tested() -> None:
    """No response is left out here, but that of resources, which plugins store."""
    responses = {name for name in dir(actium.models) if issubclass(getattr(actium.models, name), BaseResponse)}
    assert responses - {"BaseResponse", "ResourceResponse"} == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_shortcuts_lead_to_the_parts(busy: Actium, kind: str) -> None:
    """A property is the field of that name in body, metadata or resources; unhydrated, only the body's can be read."""
    listed, hydrated = both(busy, kind)
    assert type(listed).__name__ == kind
    assert shortcuts(listed)
    for name in shortcuts(listed):
        if name == "key":  # the name of a flavor, in the words of its authors
            assert getattr(listed, name) == listed.name
        elif name in type(listed.body).model_fields:
            assert getattr(listed, name) == getattr(listed.body, name)
            assert getattr(hydrated, name) == getattr(hydrated.body, name)
        else:
            assert getattr(hydrated, name) == getattr(hydrated.get_metadata(), name)
            with pytest.raises(HydrationError, match="was read without its metadata"):
                getattr(listed, name)


@pytest.mark.parametrize("kind", KINDS)
def test_hydrating_adds_and_changes_nothing(busy: Actium, kind: str) -> None:
    """What is read hydrated holds all that was listed, and metadata beside it."""
    listed, hydrated = both(busy, kind)
    assert (listed.id, listed.name) == (hydrated.id, hydrated.name)
    assert listed.metadata is None
    assert listed.resources is None
    assert hydrated.metadata is not None
    assert hydrated.body == listed.body


@pytest.mark.parametrize("kind", KINDS)
def test_responses_outlive_the_store(busy: Actium, kind: str) -> None:
    """Whatever was read can be read on after the store is closed: a response never fetches anything."""
    listed, hydrated = both(busy, kind)
    before = hydrated.model_dump_json()
    busy.close()
    with pytest.raises(StoreClosedError):
        busy.actions.list()
    assert hydrated.model_dump_json() == before
    with pytest.raises(HydrationError):
        listed.get_metadata()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "ActionFlavorResponse"])
def test_responses_are_read_back_from_json(busy: Actium, kind: str) -> None:
    """A response's JSON reads back as an equal response, hydrated or not."""
    for response in both(busy, kind):
        assert type(response).model_validate_json(response.model_dump_json()) == response
