"""A configuration comes back from the store as it was given, however its model spells and writes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    Json,
    RootModel,
    computed_field,
    model_validator,
)
from pydantic.alias_generators import to_camel

from actium import ActionConfig, Actium, ExecutionStatus, action_flavor
from actium.errors import InvalidConfigurationError
from actium.models import ActionResponse, ActionUpdate

CreateAction = Callable[..., ActionResponse]


class Nested(BaseModel):
    """With names of its own for its keys."""

    model_config = ConfigDict(alias_generator=to_camel, serialize_by_alias=True)

    batch_size: int = 1


class Spelled(ActionConfig):
    """Every way to spell a field."""

    run_name: str = Field("unnamed", alias="runName")
    rate: float = Field(0.0, validation_alias=AliasChoices("lr", AliasPath("optimizer", "rate")))
    depth: int = Field(0, serialization_alias="shownDepth")
    nested: Nested = Nested()

    @computed_field
    def twice(self) -> int:
        """Nothing that can be given."""
        return 2 * self.depth


class Written(ActionConfig):
    """Values that JSON has no form of its own for."""

    text: Json[Any] = None
    wait: timedelta = timedelta(seconds=90)
    price: Decimal = Decimal("1.50")
    folder: Path = Path("a/b")
    day: date = date(2026, 1, 31)
    some_id: UUID = UUID(int=7)
    numbers: RootModel[list[int]] = RootModel[list[int]]([1, 2])


def ran_with(app: Actium, create: CreateAction, config: type[ActionConfig], configuration: dict[str, Any]) -> Any:
    """The configuration that an execution gets, of an action that was created with another one and then updated."""
    seen: list[Any] = []
    app.flavors.register(action_flavor("test.stored", config=config)(lambda config: seen.append(config)))
    create("stored", flavor="test.stored")
    app.actions.update("stored", ActionUpdate(configuration=configuration))
    app.actions.run("stored")
    app.worker().run_until_idle()
    (execution,) = app.executions.list().items
    assert execution.status is ExecutionStatus.SUCCEEDED, execution.reason
    return seen[0]


@pytest.mark.parametrize(
    "configuration",
    [
        {"runName": "nightly", "lr": 0.1, "depth": 3, "nested": {"batchSize": 32}},
        {"run_name": "nightly", "rate": 0.1, "depth": 3, "nested": {"batch_size": 32}},
        {"runName": "nightly", "optimizer": {"rate": 0.1}, "depth": 3, "nested": {"batchSize": 32}},
    ],
)
def test_aliases_lead_to_the_field_and_back(app: Actium, create: CreateAction, configuration: dict[str, Any]) -> None:
    """A field is given by its name or any alias, and an execution gets what was given."""
    config = ran_with(app, create, Spelled, configuration)
    assert (config.run_name, config.rate, config.depth, config.nested.batch_size) == ("nightly", 0.1, 3, 32)
    stored = app.actions.get("stored")
    assert (stored.problem, stored.configuration["run_name"]) == (None, "nightly")


def test_values_come_back_as_what_they_were(app: Actium, create: CreateAction) -> None:
    """Texts of JSON, lengths of time, decimals, paths, dates, ids and wrapped lists are what they were."""
    given_configuration = {"text": '{"a": [1]}', "wait": 7, "price": "2.50", "folder": "c", "numbers": [3]}
    config = ran_with(app, create, Written, given_configuration)
    assert config == Written.model_validate(given_configuration)
    assert config.text == {"a": [1]}


class Node(BaseModel):
    """May hold another one."""

    child: Node | None = None


class Deep(ActionConfig):
    """Takes anything, and nodes."""

    anything: Any = None
    node: Node | None = None


def nested(levels: int, kind: str) -> Any:
    """A value of so many levels."""
    value: Any = None
    for _ in range(levels - 1):
        value = [value] if kind == "list" else {"child": value}
    return value


def holding_itself() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["child"] = value
    return value


def repeated(times: int) -> list[Any]:
    """A list that is written twice as long with each level."""
    value: list[Any] = []
    for _ in range(times):
        value = [value, value]
    return value


def node_that_holds_itself() -> Node:
    node = Node()
    node.child = node
    return node


@pytest.mark.parametrize(
    "configuration",
    [
        {"anything": nested(101, "list")},
        {"anything": nested(100_000, "list")},
        {"anything": nested(100_000, "dict")},
        {"anything": holding_itself()},
        {"anything": repeated(80)},
        {"anything": node_that_holds_itself()},
        {"node": nested(101, "dict")},
        {"node": nested(100_000, "dict")},
        {"node": holding_itself()},
        {"node": node_that_holds_itself()},
        {"unknown": holding_itself()},
    ],
    ids=range(11),
)
def test_what_is_too_deep_is_refused(app: Actium, create: CreateAction, configuration: dict[str, Any]) -> None:
    """A configuration that is nested too deep, holds itself or is repeated without end is refused with its key,
    created or updated; nothing is stored of it."""
    app.flavors.register(action_flavor("test.deep", config=Deep)(lambda: None))
    for attempt in (
        lambda: create("wrong", flavor="test.deep", configuration=configuration),
        lambda: app.actions.update(create("deep", flavor="test.deep").id, ActionUpdate(configuration=configuration)),
    ):
        with pytest.raises(InvalidConfigurationError) as caught:
            attempt()
        assert [problem.path for problem in caught.value.problems] == list(configuration)
        assert "levels deep, or holds itself" in str(caught.value) or "holds more than 262,144" in str(caught.value)
    assert [(action.name, action.version) for action in app.actions.list().items] == [("deep", 1)]


def test_what_a_flavor_makes_too_deep_is_refused(app: Actium, create: CreateAction) -> None:
    """So is what a model's validator makes hold itself."""

    class Looping(ActionConfig):
        node: Node | None = None

        @model_validator(mode="after")
        def _loop(self) -> Looping:
            self.node = node_that_holds_itself()
            return self

    app.flavors.register(action_flavor("test.loop", config=Looping)(lambda: None))
    with pytest.raises(InvalidConfigurationError, match="or holds itself"):
        create(flavor="test.loop")


def test_the_deepest_is_stored(app: Actium, create: CreateAction) -> None:
    """A configuration of just as many levels as are allowed comes back, and runs."""
    values = {"anything": nested(100, "list"), "node": nested(100, "dict")}
    config = ran_with(app, create, Deep, values)
    assert config == Deep.model_validate(values)


class Optimizer(BaseModel):
    """What an optimizer needs."""

    rate: float = 0.1


class Adam(Optimizer):
    """Needs more."""

    beta: float = 0.9


class SecondAdam(Optimizer):
    """Is one in name only."""


@dataclass
class Corner:
    x: int = 0


@dataclass
class HighCorner(Corner):
    z: int = 0


class Passing(BaseModel):
    """Is not written as it is."""

    noted: str = Field("", exclude=True)


class Trainer(ActionConfig):
    """Holds values of other classes."""

    optimizer: Optimizer = Optimizer()
    several: dict[str, list[Optimizer]] = Field(default_factory=dict)
    either: Adam | Optimizer | None = None
    corner: Corner = Field(default_factory=Corner)
    anything: Any = None


@pytest.mark.parametrize(
    "configuration, lost",
    [
        ({"optimizer": Adam(beta=0.5)}, "optimizer.beta"),
        ({"several": {"a": [Optimizer(), Adam()]}}, "several.a[1].beta"),
        ({"corner": HighCorner(z=1)}, "corner.z"),
        ({"anything": Passing(noted="x")}, "anything.noted"),
        ({"anything": [{"deep": Passing(noted="x")}]}, "anything[0].deep.noted"),
    ],
)
def test_what_would_be_lost_is_refused(
    app: Actium, create: CreateAction, configuration: dict[str, Any], lost: str
) -> None:
    """What pydantic leaves out of what it writes, without a word, is refused with its path."""
    app.flavors.register(action_flavor("test.trainer", config=Trainer)(lambda: None))
    with pytest.raises(InvalidConfigurationError) as caught:
        create(flavor="test.trainer", configuration=configuration)
    assert [(problem.path, problem.problem) for problem in caught.value.problems] == [
        (lost, "would be lost when this is stored")
    ]
    assert app.actions.list().total == 0


@pytest.mark.parametrize(
    "configuration",
    [
        {"optimizer": SecondAdam(rate=0.2)},
        {"either": Adam(beta=0.5)},
        {"corner": Corner(x=7)},
        {"anything": {1: Adam(), "b": (Optimizer(),)}},
    ],
)
def test_what_is_not_lost_is_stored(app: Actium, create: CreateAction, configuration: dict[str, Any]) -> None:
    """A value of another class whose fields are all written is taken."""
    app.flavors.register(action_flavor("test.trainer", config=Trainer)(lambda: None))
    assert create(flavor="test.trainer", configuration=configuration).revision == 1


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.text(), inside, max_size=3),
    max_leaves=8,
)


class Anything(ActionConfig):
    """Takes any JSON."""

    model_config = ConfigDict(extra="allow")

    value: Any = None


@given(json_values, st.dictionaries(st.text("abc", min_size=1), json_values, max_size=3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
def test_any_json_comes_back_unchanged(app: Actium, create: CreateAction, value: Any, extra: dict[str, Any]) -> None:
    """Whatever JSON a configuration holds, also under keys that its model does not name, is read as it was given."""
    if "anything" not in {flavor.body.flavor for flavor in app.flavors.list().items}:
        app.flavors.register(action_flavor("test.anything", config=Anything)(lambda: None))
        create("any", flavor="test.anything")
    app.actions.update("any", ActionUpdate(configuration={"value": value, **extra}))
    assert app.actions.get("any").configuration == {"value": value, **extra}
