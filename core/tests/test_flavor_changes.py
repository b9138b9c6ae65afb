"""What a flavor may change of an action in its override points, and that nothing else gets into the store."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

import pytest
from pydantic import ConfigDict

from actium import ActionConfig, Actium, BaseActionFlavor, BaseActionHandler, action_flavor
from actium.errors import ActiumError, InvalidConfigurationError, InvalidInputError, PluginError
from actium.models import ActionResponse, ActionUpdate

CreateAction = Callable[..., ActionResponse]


class RoomConfig(ActionConfig):
    """What a room has."""

    seats: int = 1
    door: str | None = None


class RoomHandler(BaseActionHandler):
    """Changes what a test tells it to."""

    change: ClassVar[Callable[[Any, Any], None] | None] = None
    point: ClassVar[str] = ""

    @property
    def config_class(self) -> type[RoomConfig]:
        return RoomConfig

    @property
    def flavor_class(self) -> type[BaseActionFlavor]:
        return RoomFlavor

    def run(self, config: RoomConfig, trigger_execution: Any, auth_context: Any) -> dict[str, Any]:
        return config.model_dump()

    def _at(self, point: str, action: Any, config: Any) -> None:
        if self.change is not None and self.point == point:
            type(self).change(action, config)  # type: ignore[misc]

    def validate_action_request(self, action: Any, config: Any) -> None:
        self._at("validate_request", action, config)

    def process_action_request(self, action: Any, config: Any) -> None:
        self._at("process_request", action, config)

    def validate_action_update(self, action: Any, config: Any, action_update: Any, config_update: Any) -> None:
        self._at("validate_update", action_update, config_update)

    def process_action_update(self, action: Any, config: Any, previous_action: Any, previous_config: Any) -> None:
        self._at("process_update", action, config)


class RoomFlavor(BaseActionFlavor):
    """Keeps rooms."""

    SUBTYPE, FLAVOR = "test", "room"
    PLUGIN_CLASS, ACTION_CONFIG_CLASS = RoomHandler, RoomConfig
    AUTH_WINDOW = 7


Changing = Callable[[str, Callable[[Any, Any], None]], None]


@pytest.fixture
def at(app: Actium, monkeypatch: pytest.MonkeyPatch) -> Changing:
    """Let the flavor make a change at a point of an action's life."""
    app.flavors.register(RoomFlavor)

    def at(point: str, change: Callable[[Any, Any], None]) -> None:
        monkeypatch.setattr(RoomHandler, "point", point)
        monkeypatch.setattr(RoomHandler, "change", staticmethod(change))

    return at


def lived(app: Actium, create: CreateAction) -> ActionResponse:
    """Create a room, update it, and read it again."""
    create("room", flavor="test.room", configuration={"seats": 2})
    app.actions.update("room", ActionUpdate(configuration={"seats": 3}))
    return app.actions.get("room")


def set_in_config(_: Any, config: RoomConfig) -> None:
    config.door = "red"


def set_in_request(action: Any, _: Any) -> None:
    action.configuration["door"] = "red"


def set_in_response(action: ActionResponse, _: Any) -> None:
    action.set_configuration({**action.configuration, "door": "red"})


def changed_in_response(action: ActionResponse, _: Any) -> None:
    action.configuration["door"] = "red"


@pytest.mark.parametrize(
    "point, change",
    [
        ("validate_request", set_in_config),
        ("validate_request", set_in_request),
        ("process_request", set_in_config),
        ("process_request", set_in_response),
        ("process_request", changed_in_response),
    ],
)
def test_a_created_configuration_is_what_the_flavor_made_of_it(
    app: Actium, create: CreateAction, at: Changing, point: str, change: Any
) -> None:
    """Creating stores what the flavor changed, in the config object or in the action beside it."""
    at(point, change)
    created = create("room", flavor="test.room", configuration={"seats": 2})
    assert created.configuration == app.actions.get("room").configuration == {"seats": 2, "door": "red"}


@pytest.mark.parametrize(
    "point, change",
    [
        ("validate_update", set_in_config),
        ("validate_update", set_in_request),
        ("process_update", set_in_config),
        ("process_update", set_in_response),
        ("process_update", changed_in_response),
    ],
)
def test_an_updated_configuration_is_what_the_flavor_made_of_it(
    app: Actium, create: CreateAction, at: Changing, point: str, change: Any
) -> None:
    """So does updating."""
    at(point, change)
    assert lived(app, create).configuration == {"seats": 3, "door": "red"}


@pytest.mark.parametrize("point", ["process_request", "process_update"])
def test_clearing_a_field_is_a_change(app: Actium, create: CreateAction, at: Changing, point: str) -> None:
    """A flavor that sets None clears what can be empty; a window of None is the flavor's default."""

    def clear(action: ActionResponse, _: Any) -> None:
        metadata: Any = action.get_metadata()
        metadata.description = metadata.labels = metadata.auth_window = None

    at(point, clear)
    action = lived(app, create)
    assert (action.description, action.labels, action.auth_window) == ("", {}, 7)


def metadata_of(**fields: Any) -> Callable[[Any, Any], None]:
    def change(action: Any, _: Any) -> None:
        for name, value in fields.items():
            setattr(action.metadata, name, value)

    return change


IMPOSSIBLE = [
    (metadata_of(auth_window=-3), "auth_window"),
    (metadata_of(auth_window="soon"), "auth_window"),
    (metadata_of(labels={"a": 1}), "labels.a"),
    (metadata_of(description="a\x00"), "description"),
    (metadata_of(description=object()), "description"),
    (lambda action, _: setattr(action.body, "enabled", "perhaps"), "enabled"),
    (lambda _, config: setattr(config, "seats", "many"), "seats"),
    (lambda _, config: setattr(config, "seats", object()), "JSON"),
    (lambda action, _: action.set_configuration({"seats": "many"}), "seats"),
]


@pytest.mark.parametrize("change, told", IMPOSSIBLE)
def test_what_an_action_cannot_have_is_never_created(
    app: Actium, create: CreateAction, at: Changing, change: Any, told: str
) -> None:
    """A flavor that leaves something impossible is told of it, and nothing of the action remains."""
    at("process_request", change)
    with pytest.raises(ActiumError, match=told) as caught:
        create("room", flavor="test.room")
    assert isinstance(caught.value, PluginError | InvalidConfigurationError)
    assert app.actions.list(hydrate=True).items == []


@pytest.mark.parametrize("change, told", IMPOSSIBLE)
def test_what_an_action_cannot_have_is_never_put_into_one(
    app: Actium, create: CreateAction, at: Changing, change: Any, told: str
) -> None:
    """An update that leaves something impossible is undone whole."""
    before = create("room", flavor="test.room", description="as it was", labels={"a": "b"})
    at("process_update", change)
    with pytest.raises(ActiumError, match=told):
        app.actions.update("room", ActionUpdate(configuration={"seats": 3}, description="new"))
    after = app.actions.get("room")
    assert after.get_metadata() == before.get_metadata()
    assert (after.status, after.revision, after.problem) == (before.status, 1, None)


class Unreadable(ActionConfig):
    """Does not read what it writes: strict models take no text for an id."""

    model_config = ConfigDict(strict=True)

    room_id: UUID = UUID(int=7)


def test_what_would_not_read_back_is_refused(app: Actium, create: CreateAction) -> None:
    """A model that does not take what it writes is told when the action is created, not when it runs."""
    app.flavors.register(action_flavor("test.unreadable", config=Unreadable)(lambda config: None))
    with pytest.raises(InvalidConfigurationError, match=r"does not fit test\.unreadable again") as caught:
        create("odd", flavor="test.unreadable")
    assert [problem.path for problem in caught.value.problems] == ["room_id"]
    assert app.actions.list().total == 0


@pytest.mark.parametrize("window", [-1, 525_601])
def test_a_flavors_own_window_is_checked_when_it_is_made(window: int) -> None:
    """A window that no action could have is refused where the flavor is defined."""
    with pytest.raises(InvalidInputError, match=f"AUTH_WINDOW of Windowed is {window}"):
        type("Windowed", (RoomFlavor,), {"AUTH_WINDOW": window})
