"""Steps and pipelines: what drawing one gives, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field

from actium_pipeline_run import PipelineFunction, pipeline, step
from actium_pipeline_run.errors import PipelineDefinitionError
from actium_pipeline_run.graph import Edge


class Options(BaseModel):
    """A parameter with fields of its own."""

    depth: int = 3


class Table:
    """A class that pydantic knows nothing of."""


@step
def load(path: Path, since: date = date(2026, 1, 1)) -> list[int]:
    """Read the rows.

    From a file.
    """
    return [len(str(path)), since.year]


@step(outputs=2)
def split(rows: list[int], share: Annotated[float, Field(gt=0, lt=1)] = 0.25) -> tuple[list[int], list[int]]:
    return rows[:1], rows[1:]


@step(retries=2)
def fit(rows: list[int], rate: float = 0.1, options: Options | None = None) -> float:
    return rate * sum(rows)


@step
def judge(model: float, rows: list[int], table: Table | None = None) -> dict[str, float]:
    return {"score": model + sum(rows)}


@pipeline
def whole(path: Path, rate: float = 0.5) -> dict[str, float]:
    """Fit and judge."""
    train, test = split(load(path))
    return judge(fit(train, rate), test)


any_load: Any = load
any_fit: Any = fit
"""The same steps for mistakes that a type checker would find before a test does."""


def drawing(body: Callable[..., Any]) -> Any:
    return pipeline(body).plan()


def test_drawing_a_pipeline_calls_no_step_and_gives_its_graph() -> None:
    """The graph has a node a call in the order of the calls, and an edge for each argument that is an output."""
    graph = whole.plan().graph()
    assert graph.names == ("load", "split", "fit", "judge")
    assert graph.edges == (
        Edge(source="load", target="split", argument="rows"),
        Edge(source="split", target="fit", argument="rows"),
        Edge(source="fit", target="judge", argument="model"),
        Edge(source="split", target="judge", argument="rows"),
    )
    assert graph.steps[0].description == "Read the rows."
    assert graph.steps[2].retries == 2


def test_parameters_are_described_with_type_default_and_origin() -> None:
    """A snapshot knows what a run may set, of which type, and where the value comes from otherwise."""
    plan = whole.plan()
    path, rate = plan.parameter_records()
    assert (path.name, path.required, path.json_schema) == ("path", True, {"format": "path", "type": "string"})
    assert (rate.required, rate.default, rate.json_schema) == (False, 0.5, {"type": "number"})
    _, split_, fit_, judge_ = plan.graph().steps
    assert split_.parameter("rows") is None
    share = split_.parameter("share")
    assert share is not None
    assert share.json_schema == {"exclusiveMaximum": 1, "exclusiveMinimum": 0, "type": "number"}
    given = fit_.parameter("rate")
    assert given is not None
    assert (given.given_by, given.default) == ("rate", None)
    table = judge_.parameter("table")
    assert table is not None
    assert table.json_schema == {}


def test_a_default_is_described_in_the_words_of_json() -> None:
    """Dates and paths are written as a configuration would write them."""
    since = whole.plan().graph().steps[0].parameter("since")
    assert since is not None
    assert since.default == "2026-01-01"


def test_called_by_hand_a_pipeline_runs_as_plain_python() -> None:
    """Steps are plain functions outside of a graph, so that a pipeline can be tested and debugged like any code."""
    assert whole(Path("ab"), 1.0) == {"score": 2.0 + 2026}


def test_a_step_called_twice_has_two_names() -> None:
    """Further calls are numbered, also when a numbered name is taken."""

    def body() -> list[float]:
        rows = load(Path("a"))
        return [fit(rows), fit.options(name="fit_2")(rows), fit(rows), fit(rows)]

    assert drawing(body).graph().names == ("load", "fit", "fit_2", "fit_3", "fit_4")


def test_a_chosen_name_must_be_free() -> None:
    """A name that was chosen is what configurations will use, so it is not changed silently."""

    def body() -> list[list[int]]:
        return [load(Path("a")), load.options(name="load")(Path("b"))]

    with pytest.raises(PipelineDefinitionError, match="Two steps are named 'load'"):
        drawing(body)


def test_options_set_order_and_retries_for_one_place() -> None:
    """A step can wait for another without using its output, and be repeated differently from elsewhere."""

    def body() -> float:
        checked = load(Path("a"))
        return fit.options(after=[checked], retries=0)([1])

    graph = drawing(body).graph()
    assert graph.edges == (Edge(source="load", target="fit"),)
    assert graph.steps[1].retries == 0


def test_a_pipeline_within_a_pipeline_gives_its_steps_to_it() -> None:
    """Pipelines compose like functions."""

    def body() -> dict[str, float]:
        return whole(Path("a"))

    assert drawing(body).graph().names == ("load", "split", "fit", "judge")


def test_outputs_travel_within_lists_and_dictionaries() -> None:
    """A step may take many outputs at once."""

    @step
    def gather(tables: dict[str, list[Any]], *more: Any) -> int:
        return len(tables) + len(more)

    def body() -> int:
        rows = load(Path("a"))
        return gather({"a": [rows, 1], "b": [fit(rows)]}, rows)

    graph = drawing(body).graph()
    assert [edge.argument for edge in graph.edges] == ["rows", "tables", "tables", "more"]
    assert graph.steps[2].parameters == ()


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (lambda rate: fit([1], rate) if rate else None, "the pipeline's own body cannot use it with __bool__()"),
        (lambda rate: fit([1], rate * 2), "__mul__"),
        (lambda rate: fit([1], 2 - rate), "__rsub__"),
        (lambda rate: any_load(f"{rate}.csv"), "__format__"),
        (lambda rate: load(Path(rate)), "__fspath__"),
        (lambda rate: fit([1]) if rate == 1 else fit([2]), "__eq__"),
        (lambda rate: [any_fit(rows) for rows in any_load(Path("a"))], "iterate over it"),
        (lambda rate: any_fit(any_load(Path("a")).rows), "read its attribute 'rows'"),
        (lambda rate: len(load(Path("a"))), "__len__"),
        (lambda rate: any_fit({any_load(Path("a"))}), "put it into a set"),
        (lambda rate: sum([1, rate]), "__radd__"),
        (lambda rate: 1 in rate, "__contains__"),
    ],
)
def test_the_body_cannot_decide_on_what_is_not_known(body: Callable[..., Any], said: str) -> None:
    """Anything that would need a value is refused with what stands there; nothing is silently done with a stand-in."""

    def drawn(rate: float) -> Any:
        return body(rate)

    with pytest.raises(PipelineDefinitionError, match="known only when the pipeline runs") as caught:
        drawing(drawn)
    assert said in str(caught.value)


def test_a_constant_that_does_not_fit_is_refused_when_drawn() -> None:
    """A wrong constant is found before anything runs, with the step and the parameter."""

    def body() -> Any:
        return split([1, 2], share=2.0)

    with pytest.raises(PipelineDefinitionError) as caught:
        drawing(body)
    assert [problem.path for problem in caught.value.problems] == ["split.share"]
    assert "less than 1" in caught.value.problems[0].problem


def test_a_default_that_does_not_fit_its_own_type_is_refused() -> None:
    """pydantic does not check defaults by itself; a run would fail with them."""

    def body(rate: float = "fast") -> Any:  # type: ignore[assignment]  # the mistake that is tested
        return fit([1], rate)

    with pytest.raises(PipelineDefinitionError) as caught:
        drawing(body)
    assert [problem.path for problem in caught.value.problems] == ["rate"]


def test_a_wrong_call_of_a_step_is_refused() -> None:
    """Too many arguments are told with the step's name."""

    def body() -> Any:
        return load(Path("a"), date(2026, 1, 1), 3)  # type: ignore[call-arg]  # the mistake that is tested

    with pytest.raises(PipelineDefinitionError, match="step 'load' is called wrongly: too many positional"):
        drawing(body)


def test_a_pipeline_without_steps_is_refused() -> None:
    """There would be nothing to run."""
    with pytest.raises(PipelineDefinitionError, match="has no steps"):
        drawing(lambda: 1)


@pytest.mark.parametrize("name", ["", " a", "a\n", "x" * 201])
def test_a_pipeline_s_name_must_be_one_that_the_store_takes(name: str) -> None:
    """It is refused where it is written."""
    with pytest.raises(PipelineDefinitionError, match="cannot be the name of a pipeline"):
        PipelineFunction(whole.function, name=name)


def test_a_pipeline_with_nameless_parameters_is_refused() -> None:
    """A run sets parameters by name."""

    def body(*paths: str) -> Any:
        return load(Path("a"))

    with pytest.raises(PipelineDefinitionError, match="which a run could not set by its name"):
        drawing(body)


def test_annotations_that_cannot_be_read_are_told() -> None:
    """A type imported for type checkers only cannot be checked at run time."""

    def lost(path: Missing) -> int:  # type: ignore[name-defined]  # noqa: F821  # the mistake that is tested
        return 1

    with pytest.raises(PipelineDefinitionError, match="'Missing' is not defined"):
        drawing(lambda: step(lost)(1))


async def coroutine() -> int:
    return 1


def generator() -> Any:
    yield 1


@pytest.mark.parametrize("function", [coroutine, generator, print, Table])
def test_what_cannot_be_a_step_is_refused(function: Any) -> None:
    """Steps are plain functions: others could not be repeated or would return before they have run."""
    with pytest.raises(PipelineDefinitionError):
        step(function)


@pytest.mark.parametrize("options", [{"retries": -1}, {"retries": 101}, {"outputs": 0}, {"name": "a.b"}, {"name": "1"}])
def test_options_of_steps_are_checked(options: dict[str, Any]) -> None:
    """An impossible option is refused where it is written."""
    with pytest.raises(PipelineDefinitionError):
        step(**options)(load.function)


def test_a_step_can_only_wait_for_steps() -> None:
    """What it is to run after must be an output."""

    def body() -> Any:
        return fit.options(after=["load"])([1])

    with pytest.raises(PipelineDefinitionError, match="is not a step's output"):
        drawing(body)
