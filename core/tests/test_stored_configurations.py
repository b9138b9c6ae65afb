"""A configuration comes back from the store as it was given, however its model spells and writes it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, Json, RootModel, computed_field
from pydantic.alias_generators import to_camel

from actium import ActionConfig, Actium, ExecutionStatus, action_flavor
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
