"""Ignored keys of configurations: each is told with its place and the nearest right one, and no other is."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict, Field, RootModel

from actium import ActionConfig
from actium.actions.ignored_keys import ignored_key_warnings
from actium.models.base import dotted


class Leaf(BaseModel):
    depth: int = 0


class Anything(BaseModel):
    model_config = ConfigDict(extra="allow")


class Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")

    leaf: Leaf = Leaf()


class Everything(ActionConfig):
    """Every place where a model may stand."""

    leaf: Leaf | None = None
    old_style: Optional[Leaf] = None  # noqa: UP045 - authors write it so, too
    noted: Annotated[Leaf, Field(title="noted")] | None = None
    leaves: list[Leaf] = Field(default_factory=list)
    sequence: Sequence[Leaf | None] = ()
    any_length: tuple[Leaf, ...] = ()
    pair: tuple[Leaf, Anything] | None = None
    named: dict[str, Leaf] = Field(default_factory=dict)
    mapping: Mapping[str, list[Leaf]] = Field(default_factory=dict)
    wrapped: RootModel[dict[str, Leaf]] | None = None
    text_or_leaf: str | Leaf | None = None
    one_or_many: Leaf | list[Leaf] | None = None
    closed: Closed | None = None


class Open(ActionConfig):
    """Places where nothing is known of what may stand there."""

    either: Leaf | Closed | None = None
    model_or_dict: Leaf | dict[str, int] | None = None
    free: dict[str, Any] = Field(default_factory=dict)
    anything: Any = None
    bare: list = Field(default_factory=list)  # type: ignore[type-arg]
    root: RootModel[dict[str, int]] | None = None
    open: Anything | None = None


class Spelled(ActionConfig):
    """Fields of other spellings."""

    run_name: str = Field("", alias="runName")
    rate: float = Field(0, validation_alias=AliasChoices("lr", AliasPath("optimizer", "rate")))


def places(model: type[BaseModel], given_keys: Mapping[str, Any]) -> list[str]:
    return [warning.split("'")[1] for warning in ignored_key_warnings(model, given_keys)]


@pytest.mark.parametrize(
    "configuration, expected",
    [
        ({"leaf": {"x": 1}}, "leaf.x"),
        ({"old_style": {"x": 1}}, "old_style.x"),
        ({"noted": {"x": 1}}, "noted.x"),
        ({"leaves": [{"depth": 1}, {"x": 1}]}, "leaves[1].x"),
        ({"sequence": [None, {"x": 1}]}, "sequence[1].x"),
        ({"any_length": [{"depth": 1}, {"x": 1}]}, "any_length[1].x"),
        ({"pair": [{"x": 1}, {"y": 1}]}, "pair[0].x"),
        ({"named": {"a": {"x": 1}}}, "named.a.x"),
        ({"mapping": {"a": [{"depth": 1}, {"x": 1}]}}, "mapping.a[1].x"),
        ({"wrapped": {"a": {"x": 1}}}, "wrapped.a.x"),
        ({"text_or_leaf": {"x": 1}}, "text_or_leaf.x"),
        ({"one_or_many": {"x": 1}}, "one_or_many.x"),
        ({"one_or_many": [{"x": 1}]}, "one_or_many[0].x"),
        ({"closed": {"leaf": {"x": 1}}}, "closed.leaf.x"),
        ({"x": 1}, "x"),
    ],
)
def test_every_place_is_looked_at(configuration: dict[str, Any], expected: str) -> None:
    """A key that no model takes is told wherever the model stands."""
    assert places(Everything, configuration) == [expected]


@pytest.mark.parametrize(
    "configuration",
    [
        {"either": {"x": 1}},
        {"model_or_dict": {"x": 1}},
        {"free": {"x": {"y": 1}}},
        {"anything": {"x": 1}},
        {"bare": [{"x": 1}]},
        {"root": {"x": 1}},
        {"open": {"x": 1}},
    ],
)
def test_nothing_is_said_where_anything_may_stand(configuration: dict[str, Any]) -> None:
    """A key that was taken, or may have been, is not called ignored."""
    assert places(Open, configuration) == []


@pytest.mark.parametrize("value", [None, 7, "text", [], [[]], {}])
@pytest.mark.parametrize("field", Everything.model_fields)
def test_values_that_do_not_fit_are_left_to_pydantic(field: str, value: Any) -> None:
    """A value of a wrong shape is no reason to raise here."""
    assert places(Everything, {field: value}) == []


@pytest.mark.parametrize("key", ["run_name", "runName", "lr", "rate", "optimizer"])
def test_every_spelling_is_known(key: str) -> None:
    """A field's name, its aliases and the first key of a deeper alias are not ignored."""
    assert places(Spelled, {key: {}}) == []


def test_the_nearest_key_is_told() -> None:
    """A misspelled key is told with the nearest one, any other with all that there are."""
    (near, far) = ignored_key_warnings(Leaf, {"deph": 1, "zzz": 1})
    assert near == "The key 'deph' was ignored: did you mean 'depth'?"
    assert far == "The key 'zzz' was ignored: known are depth."
    assert ignored_key_warnings(BaseModel, {"a": 1}) == ("The key 'a' was ignored: known are none.",)
    assert "did you mean 'runName'?" in ignored_key_warnings(Spelled, {"runNam": 1})[0]


unknown = st.from_regex(r"zz[a-z]{1,4}", fullmatch=True)


@st.composite
def configurations(draw: st.DrawFn) -> tuple[dict[str, Any], dict[str, Any], set[str]]:
    """A configuration that fits, the same with keys that nothing takes, and where those stand."""

    def leaf() -> dict[str, Any]:
        return {"depth": draw(st.integers(0, 9))}

    fitting: dict[str, Any] = {
        "leaf": leaf(),
        "leaves": [leaf() for _ in range(draw(st.integers(0, 3)))],
        "mapping": {name: [leaf()] for name in draw(st.sets(st.sampled_from("abc")))},
        "wrapped": {name: leaf() for name in draw(st.sets(st.sampled_from("abc")))},
        "one_or_many": draw(st.sampled_from([leaf(), [leaf(), leaf()]])),
    }
    given_keys = copy.deepcopy(fitting)
    added: set[str] = set()

    def add(value: Any, location: tuple[str | int, ...]) -> None:
        if isinstance(value, dict):
            for key, item in list(value.items()):
                add(item, (*location, key))
            if "depth" in value or not location:
                for key in draw(st.sets(unknown, max_size=2)):
                    value[key] = draw(st.sampled_from([1, {"depth": 1}, [{"x": 1}]]))
                    added.add(dotted((*location, key)))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                add(item, (*location, index))

    add(given_keys, ())
    return fitting, given_keys, added


@given(configurations())
def test_exactly_the_ignored_keys_are_told(drawn: tuple[dict[str, Any], dict[str, Any], set[str]]) -> None:
    """Whatever keys are added: those that change nothing are told, all of them and no other."""
    fitting, given_keys, added = drawn
    assert Everything.model_validate(given_keys) == Everything.model_validate(fitting)
    assert set(places(Everything, given_keys)) == added
    assert places(Everything, fitting) == []
