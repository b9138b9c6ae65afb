"""Bringing a plan and the values of a run together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from actium.errors import InvalidInputError
from actium_pipeline_run import pipeline, step
from actium_pipeline_run.binding import BoundPlan, bind
from actium_pipeline_run.symbols import StepOutput


@step
def load(path: Path, limit: int = 10) -> list[int]:
    return [limit]


@step(retries=1)
def fit(rows: list[int], rate: Annotated[float, Field(gt=0)] = 0.1, layers: tuple[int, ...] = ()) -> float:
    return rate


@pipeline
def whole(path: Path, rate: float = 0.5, shape: dict[str, int] | None = None) -> dict[str, Any]:
    rows = load(path)
    return {"model": fit(rows, rate), "path": path}


def bound(
    parameters: dict[str, Any],
    step_parameters: dict[str, dict[str, Any]] | None = None,
    step_retries: dict[str, int] | None = None,
) -> BoundPlan:
    return bind(
        whole.plan(), parameters=parameters, step_parameters=step_parameters or {}, step_retries=step_retries or {}
    )


def paths(caught: pytest.ExceptionInfo[InvalidInputError]) -> list[str]:
    return [problem.path for problem in caught.value.problems]


def test_values_reach_their_steps_in_their_python_types() -> None:
    """Text becomes a path, a list a tuple; the output of a step stays what it is."""
    load_, fit_ = bound({"path": "a.csv"}, {"fit": {"layers": [8, 4]}}).steps
    assert load_.arguments == {"path": Path("a.csv")}
    assert fit_.arguments["layers"] == (8, 4)
    assert fit_.arguments["rate"] == 0.5
    assert isinstance(fit_.arguments["rows"], StepOutput)


def test_a_step_s_own_value_wins_over_the_pipeline_s() -> None:
    """What is set for one step is more exact than what the pipeline gives it; the same holds for retries."""
    plan = bound({"path": "a", "rate": 0.2}, {"fit": {"rate": 0.9}}, {"fit": 7})
    assert plan.steps[1].arguments["rate"] == 0.9
    assert plan.steps[1].retries == 7
    assert bound({"path": "a"}).steps[1].retries == 1


def test_parameters_in_the_result_are_filled_in() -> None:
    """A pipeline may return what it was given."""
    result = bound({"path": "a"}).result
    assert result["path"] == Path("a")
    assert isinstance(result["model"], StepOutput)


def test_a_missing_parameter_is_told_by_its_path() -> None:
    """A required parameter without a value is a problem of its field."""
    with pytest.raises(InvalidInputError) as caught:
        bound({})
    assert paths(caught) == ["parameters.path"]


def test_all_wrong_values_are_told_at_once() -> None:
    """Each has its own path, also within a container."""
    with pytest.raises(InvalidInputError) as caught:
        bound({"path": "a"}, {"load": {"limit": "many"}, "fit": {"layers": [1, "x"], "rate": -1}})
    assert paths(caught) == [
        "steps.load.parameters.limit",
        "steps.fit.parameters.rate",
        "steps.fit.parameters.layers[1]",
    ]


def test_a_value_that_only_the_step_refuses_is_told_where_it_was_given() -> None:
    """The step's type is narrower than the pipeline's; the problem is still in the pipeline's parameter."""
    with pytest.raises(InvalidInputError) as caught:
        bound({"path": "a", "rate": -0.5})
    assert paths(caught) == ["parameters.rate"]


@given(rate=st.floats(min_value=0, exclude_min=True, allow_infinity=False), limit=st.integers())
def test_any_value_of_the_right_type_arrives_as_it_was_given(rate: float, limit: int) -> None:
    """Binding changes no value that has the right type already."""
    load_, fit_ = bound({"path": "a", "rate": rate}, {"load": {"limit": limit}}).steps
    assert fit_.arguments["rate"] == rate
    assert load_.arguments["limit"] == limit
