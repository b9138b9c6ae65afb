"""What Actium's process and a child process say to each other: orders one way, answers the other, as lines of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pydantic import TypeAdapter

from actium.errors import ActiumError, FieldProblem, InvalidInputError, SecretResolutionError
from actium_pipeline_run.errors import (
    PipelineDefinitionError,
    PipelineRunError,
    SourceChangedError,
    SourceNotFoundError,
)
from actium_pipeline_run.graph import ParameterRecord, StepGraph
from actium_pipeline_run.source import Source


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOrder:
    """Run a pipeline.

    Attributes:
        run: Unique for the run.
        source: The pipeline, which must be unchanged.
        steps: The names of its steps, which must be the same.
        parameters: Values for the pipeline's parameters.
        step_parameters: Values for parameters of single steps.
        step_retries: Retries of single steps.
        scheduler: Where steps are called.
    """

    run: str
    source: Source
    steps: tuple[str, ...]
    parameters: dict[str, Any] = field(default_factory=dict)
    step_parameters: dict[str, dict[str, Any]] = field(default_factory=dict)
    step_retries: dict[str, int] = field(default_factory=dict)
    scheduler: str = "threads"


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribeOrder:
    """Say what a pipeline is, for a snapshot.

    Attributes:
        reference: How a person names it.
        directory: Where relative paths begin, and modules are looked for that are not installed.
    """

    reference: str
    directory: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineDescription:
    """What a pipeline is: all that a snapshot keeps.

    Attributes:
        name: The pipeline's name.
        description: The first paragraph of its docstring.
        source: Its Python.
        parameters: What it takes.
        graph: Its steps.
    """

    name: str
    description: str
    source: Source
    parameters: tuple[ParameterRecord, ...]
    graph: StepGraph


Order = RunOrder | DescribeOrder

_ORDERS: dict[str, TypeAdapter[Any]] = {
    "run": TypeAdapter(RunOrder),
    "describe": TypeAdapter(DescribeOrder),
}
_DESCRIPTION = TypeAdapter(PipelineDescription)
_REFUSALS: dict[str, type[ActiumError]] = {
    error.__name__: error
    for error in (
        InvalidInputError,
        PipelineDefinitionError,
        SourceNotFoundError,
        SecretResolutionError,
        PipelineRunError,
    )
}


def write_order(order: Order) -> bytes:
    """Write an order as one line."""
    kind = "run" if isinstance(order, RunOrder) else "describe"
    return json.dumps({"order": kind, **asdict(order)}).encode() + b"\n"


def read_order(line: bytes) -> Order:
    """Read an order."""
    content = json.loads(line)
    order: Order = _ORDERS[content.pop("order")].validate_python(content)
    return order


def write_description(description: PipelineDescription) -> dict[str, Any]:
    """Write a description as JSON values."""
    written: dict[str, Any] = _DESCRIPTION.dump_python(description, mode="json")
    return written


def read_description(content: Mapping[str, Any]) -> PipelineDescription:
    """Read a description."""
    return _DESCRIPTION.validate_python(content)


def write_error(error: ActiumError) -> dict[str, Any]:
    """Write an error as JSON values."""
    if isinstance(error, SourceChangedError):
        return {"class": "SourceChangedError", "path": error.path, "recorded": error.recorded, "found": error.found}
    known = next((base.__name__ for base in type(error).__mro__ if base.__name__ in _REFUSALS), "PipelineRunError")
    problems = [asdict(problem) for problem in error.problems] if isinstance(error, InvalidInputError) else []
    return {"class": known, "message": error.message, "hint": error.hint, "problems": problems}


def read_error(content: Mapping[str, Any]) -> ActiumError:
    """Make an error that was written."""
    if content["class"] == "SourceChangedError":
        return SourceChangedError(path=content["path"], recorded=content["recorded"], found=content["found"])
    error_class = _REFUSALS[content["class"]]
    if issubclass(error_class, InvalidInputError):
        problems = [FieldProblem(**problem) for problem in content["problems"]]
        return error_class(content["message"], problems=problems, hint=content["hint"])
    return error_class(content["message"], hint=content["hint"])
