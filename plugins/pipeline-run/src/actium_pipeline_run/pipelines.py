"""Pipelines: functions that compose steps. Drawing a pipeline runs its body once, with stand-ins for all values."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, update_wrapper
from typing import Any, Generic, overload

from actium.errors import FieldProblem
from actium_pipeline_run.errors import PipelineDefinitionError
from actium_pipeline_run.graph import Edge, ParameterRecord, StepGraph, StepNode
from actium_pipeline_run.signatures import FunctionSignature
from actium_pipeline_run.steps import ParametersT, ResultT, StepFunction, recorder
from actium_pipeline_run.symbols import PipelineParameter, StepOutput, symbols_in

MAX_NAME_CHARACTERS = 200
"""A snapshot's name is its pipeline's with a number, and must itself be a name that the store takes."""


@dataclass(frozen=True, slots=True)
class PlannedStep:
    """A call of a step in a pipeline.

    Attributes:
        name: Unique in the pipeline.
        step: The step.
        arguments: What it is called with, by parameter; symbols stand for what is not known yet.
        waits_for: The steps that must have run before, without their output being used.
    """

    name: str
    step: StepFunction[..., Any]
    arguments: Mapping[str, Any]
    waits_for: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A pipeline's steps as its body called them.

    Attributes:
        parameters: What the pipeline takes.
        steps: The calls, in order.
        result: What the body returned, with symbols in it.
    """

    parameters: FunctionSignature
    steps: tuple[PlannedStep, ...]
    result: Any

    def graph(self) -> StepGraph:
        """The plan without its Python: what a snapshot keeps."""
        edges = [edge for step in self.steps for edge in _edges_to(step)]
        return StepGraph(tuple(_node(step) for step in self.steps), tuple(dict.fromkeys(edges)))

    def parameter_records(self) -> tuple[ParameterRecord, ...]:
        """The pipeline's parameters, for a snapshot."""
        return tuple(self.parameters.record(parameter.name) for parameter in self.parameters.named)


class PipelineFunction(Generic[ParametersT, ResultT]):
    """A function that is a pipeline.

    Called by hand it runs like plain Python, its steps one after the other: good for a debugger and for tests.
    Called within another pipeline, its steps become steps of that one.

    Attributes:
        function: The function.
        name: The pipeline's name.
    """

    def __init__(self, function: Callable[ParametersT, ResultT], *, name: str) -> None:
        _check_function(function)
        if not name.isprintable() or name != name.strip() or not 0 < len(name) <= MAX_NAME_CHARACTERS:
            raise PipelineDefinitionError(
                f"{name!r} cannot be the name of a pipeline.",
                hint=f"Use 1 to {MAX_NAME_CHARACTERS} printable characters: @pipeline(name='...').",
            )
        self.function = function
        self.name = name
        update_wrapper(self, function)

    @cached_property
    def signature(self) -> FunctionSignature:
        """What it takes."""
        signature = FunctionSignature.of(self.function)
        for parameter in signature.signature.parameters.values():
            if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
                raise PipelineDefinitionError(
                    f"The pipeline {self.name!r} takes {parameter}, which a run could not set by its name.",
                    hint="Give a pipeline named parameters only.",
                )
        return signature

    @property
    def description(self) -> str:
        """The first paragraph of its docstring."""
        return _first_paragraph(self.function)

    def __call__(self, *args: ParametersT.args, **kwargs: ParametersT.kwargs) -> ResultT:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<pipeline {self.name!r}>"

    def plan(self) -> Plan:
        """Draw the pipeline: run its body with stand-ins, which calls no step.

        Raises:
            PipelineDefinitionError: The body does with a stand-in what only a step can do, a constant does not fit
                its step, two steps have the same name, or there are no steps.
        """
        for parameter in self.signature.named:
            if parameter.default is not parameter.empty:
                self._check_default(parameter)
        body: Callable[..., Any] = self.function
        drawing = _Drawing()
        reset = recorder.set(drawing)
        try:
            stand_ins: dict[str, Any] = {p.name: PipelineParameter(p.name) for p in self.signature.named}
            result = body(**stand_ins)
        finally:
            recorder.reset(reset)
        if not drawing.steps:
            raise PipelineDefinitionError(
                f"The pipeline {self.name!r} has no steps.", hint="Call functions decorated with @step in its body."
            )
        symbols_in(result)
        return Plan(self.signature, tuple(drawing.steps), result)

    def _check_default(self, parameter: inspect.Parameter) -> None:
        problems = self.signature.problems(parameter.name, parameter.default, path=parameter.name)
        if problems:
            raise PipelineDefinitionError(
                f"The pipeline {self.name!r} has a parameter whose default is not of its own type.", problems=problems
            )


@overload
def pipeline(function: Callable[ParametersT, ResultT], /) -> PipelineFunction[ParametersT, ResultT]: ...


@overload
def pipeline(
    *, name: str | None = None
) -> Callable[[Callable[ParametersT, ResultT]], PipelineFunction[ParametersT, ResultT]]: ...


def pipeline(function: Callable[..., Any] | None = None, /, *, name: str | None = None) -> Any:
    """Make a function a pipeline: ``@pipeline`` or ``@pipeline(name="nightly")``.

    Its body is run once to draw the graph, so it only composes: it calls steps, hands them parameters and outputs
    of other steps, and returns outputs. What depends on values belongs into steps.

    Raises:
        PipelineDefinitionError: It is no plain function.
    """

    def decorate(function: Callable[..., Any]) -> PipelineFunction[..., Any]:
        return PipelineFunction(function, name=name or function.__name__)

    return decorate if function is None else decorate(function)


class _Drawing:
    """The `Recorder` of one plan."""

    def __init__(self) -> None:
        self.steps: list[PlannedStep] = []
        self._calls: Counter[str] = Counter()

    def record(self, step: StepFunction[..., Any], positional: tuple[Any, ...], named: dict[str, Any]) -> StepOutput:
        name = self._free_name(step)
        try:
            bound = step.signature.signature.bind(*positional, **named)
        except TypeError as error:
            raise PipelineDefinitionError(f"The step {name!r} is called wrongly: {error}.") from error
        _check_constants(name, step, bound.arguments)
        waits_for = tuple(dict.fromkeys(_awaited(name, output) for output in step.waits_for))
        self.steps.append(PlannedStep(name, step, bound.arguments, waits_for))
        return StepOutput(name, outputs=step.outputs)

    def _free_name(self, step: StepFunction[..., Any]) -> str:
        taken = {planned.name for planned in self.steps}
        if step.is_renamed and step.name in taken:
            raise PipelineDefinitionError(f"Two steps are named {step.name!r}.", hint="Choose another name for one.")
        name = step.name
        while name in taken:
            self._calls[step.name] += 1
            name = f"{step.name}_{self._calls[step.name] + 1}"
        return name


def _check_function(function: object) -> None:
    if not inspect.isfunction(function) or inspect.iscoroutinefunction(function):
        raise PipelineDefinitionError(f"A pipeline must be a plain function, not {function!r}.")


def _awaited(name: str, output: object) -> str:
    if not isinstance(output, StepOutput):
        raise PipelineDefinitionError(f"The step {name!r} is to run after {output!r}, which is not a step's output.")
    return output.step


def _check_constants(name: str, step: StepFunction[..., Any], arguments: Mapping[str, Any]) -> None:
    problems: list[FieldProblem] = []
    for parameter in step.signature.named:
        given = arguments.get(parameter.name, parameter.default)
        if given is not parameter.empty and not symbols_in(given):
            problems.extend(step.signature.problems(parameter.name, given, path=f"{name}.{parameter.name}"))
    if problems:
        raise PipelineDefinitionError(f"The step {name!r} is given what does not fit its types.", problems=problems)


def _edges_to(planned: PlannedStep) -> list[Edge]:
    uses = [
        Edge(source=symbol.step, target=planned.name, argument=argument)
        for argument, value in planned.arguments.items()
        for symbol in symbols_in(value)
        if isinstance(symbol, StepOutput)
    ]
    return uses + [Edge(source=before, target=planned.name) for before in planned.waits_for]


def _node(planned: PlannedStep) -> StepNode:
    function = planned.step.function
    return StepNode(
        name=planned.name,
        function=f"{function.__module__}:{function.__qualname__}",
        description=_first_paragraph(function),
        retries=planned.step.retries,
        parameters=tuple(
            record
            for parameter in planned.step.signature.named
            if (record := _settable(planned, parameter)) is not None
        ),
    )


def _settable(planned: PlannedStep, parameter: inspect.Parameter) -> ParameterRecord | None:
    """Describe a parameter that a run can set; one that is fed by steps, or made of several parts, is none."""
    value = planned.arguments.get(parameter.name, parameter.default)
    if isinstance(value, PipelineParameter) and not value.path:
        record = planned.step.signature.record(parameter.name)
        return ParameterRecord(name=record.name, json_schema=record.json_schema, required=False, given_by=value.name)
    if symbols_in(value):
        return None
    return planned.step.signature.record(parameter.name, default=value)


def _first_paragraph(function: Callable[..., Any]) -> str:
    return " ".join((inspect.getdoc(function) or "").partition("\n\n")[0].split())
