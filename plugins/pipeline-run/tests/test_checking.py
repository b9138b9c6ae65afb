"""What the snapshot's JSON schema accepts, held against what pydantic accepts when the run begins."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter

from actium_pipeline_run import pipeline, step
from actium_pipeline_run.checking import run_problems
from actium_pipeline_run.configuration import PipelineRunConfiguration
from actium_pipeline_run.snapshot import PipelineSnapshot
from actium_pipeline_run.source import Source, SourceFile, SourceKind

NOBODY = UUID(int=0)


class Colour(Enum):
    """A choice."""

    RED = "red"
    BLUE = "blue"


class Shape(BaseModel):
    """A parameter with fields."""

    depth: int
    width: float | None = None
    colours: list[Colour] = []


@step
def use(values: dict[str, Any]) -> int:
    return len(values)


@pipeline
def flow(
    number: int = 1,
    rate: Annotated[float, Field(ge=0, le=1)] = 0.5,
    name: str = "",
    flag: bool = False,
    day: date = date(2026, 1, 1),
    moment: datetime = datetime(2026, 1, 1),  # noqa: DTZ001 - either kind is a value
    pause: timedelta = timedelta(),
    id: UUID = NOBODY,
    place: Path = Path(),
    mode: Literal["fast", "exact"] = "fast",
    colour: Colour = Colour.RED,
    sizes: tuple[int, ...] = (),
    limits: dict[str, float] | None = None,
    shape: Shape | None = None,
) -> int:
    return use({"all": [number, rate, name, flag, day, moment, pause, id, place, mode, colour, sizes, limits, shape]})


TYPES = flow.signature.annotations
NAMES = [parameter.name for parameter in flow.signature.named]
plan = flow.plan()
SNAPSHOT = PipelineSnapshot(
    pipeline="flow",
    pipeline_id=UUID(int=1),
    number=1,
    description="",
    source=Source(
        kind=SourceKind.FILE,
        module="m",
        attribute="flow",
        directory="/",
        files=(SourceFile(path="flow.py", sha256="0"),),
    ),
    parameters=plan.parameter_records(),
    graph=plan.graph(),
)

numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | st.text() | st.sampled_from(["red", "fast", "2026-01-31", "PT5S"]),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(max_size=5), values, max_size=3),
)


def problems(**parameters: Any) -> dict[str, str]:
    run_config = PipelineRunConfiguration(parameters=parameters)
    return {problem.path: problem.problem for problem in run_problems(SNAPSHOT, run_config)}


@given(name=st.sampled_from(NAMES), value=json_values)
def test_what_the_check_accepts_the_run_accepts(name: str, value: Any) -> None:
    """An action that could be created does not fail because of its values' types."""
    if not problems(**{name: value}):
        TypeAdapter(TYPES[name]).validate_python(value)


@given(data=st.data(), name=st.sampled_from([name for name in NAMES if name != "rate"]))
def test_what_a_type_can_be_is_accepted_by_the_check(data: st.DataObject, name: str) -> None:
    """Every value of a parameter's type, written as JSON, can be configured."""
    make: Callable[[Any], st.SearchStrategy[Any]] = st.from_type
    strategies = {
        "place": st.builds(Path, st.text(st.characters(categories=["L"]), min_size=1)),
        "moment": st.datetimes(timezones=st.none() | st.timezones()),
        "limits": st.none() | st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False)),
        "shape": st.none()
        | st.builds(
            Shape,
            depth=st.integers(),
            width=st.none() | st.floats(allow_nan=False, allow_infinity=False),
            colours=st.lists(st.sampled_from(Colour)),
        ),
    }
    value = data.draw(strategies[name] if name in strategies else make(TYPES[name]))
    written = TypeAdapter(TYPES[name]).dump_python(value, mode="json")
    assert problems(**{name: written}) == {}


@pytest.mark.parametrize(
    ("name", "value", "path", "said"),
    [
        ("number", "many", "number", "should be integer"),
        ("number", True, "number", "should be integer"),
        ("rate", 1.5, "rate", "1.5 is greater than the maximum of 1"),
        ("day", "tomorrow", "day", "should be date"),
        ("id", "x", "id", "should be uuid"),
        ("colour", "green", "colour", "'green' is not one of ['red', 'blue']"),
        ("sizes", [1, "x"], "sizes[1]", "should be integer"),
        ("limits", {"low": "x"}, "limits.low", "should be number"),
        ("limits", 3, "limits", "should be object or null"),
        ("shape", {"width": 1}, "shape.depth", "is required"),
        ("shape", 3, "shape", "should be a structure or null"),
        ("shape", {"depth": 1, "colours": ["red", "green"]}, "shape.colours[1]", "is not one of"),
        ("shap", {}, "shap", "perhaps 'shape' is meant"),
    ],
)
def test_a_misfit_is_told_with_its_path(name: str, value: Any, path: str, said: str) -> None:
    """The path leads into the value, and the words say what is wanted there."""
    found = problems(**{name: value})
    assert list(found) == [f"parameters.{path}"]
    assert said in found[f"parameters.{path}"]


def test_all_misfits_are_told_at_once() -> None:
    """Nobody has to mend a configuration one error at a time."""
    assert set(problems(number="x", rate=7, unknown=1)) == {
        "parameters.number",
        "parameters.rate",
        "parameters.unknown",
    }
