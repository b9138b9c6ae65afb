"""Brings a plan and the values of one run together: every argument of every step, checked by its real Python type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from actium.errors import FieldProblem, InvalidInputError
from actium_pipeline_run.pipelines import Plan, PlannedStep
from actium_pipeline_run.secret_values import resolved
from actium_pipeline_run.symbols import PipelineParameter, Symbol, replace_symbols, symbols_in


@dataclass(frozen=True, slots=True)
class BoundStep:
    """A step with the arguments of this run.

    Attributes:
        planned: The step in its plan.
        arguments: By parameter; only outputs of other steps are still symbols.
        retries: How often a failed call is repeated.
    """

    planned: PlannedStep
    arguments: Mapping[str, Any]
    retries: int


@dataclass(frozen=True, slots=True)
class BoundPlan:
    """A plan with the values of one run.

    Attributes:
        steps: In order.
        result: What the pipeline returns; only outputs of steps are still symbols.
    """

    steps: tuple[BoundStep, ...]
    result: Any


def bind(
    plan: Plan,
    *,
    parameters: Mapping[str, Any],
    step_parameters: Mapping[str, Mapping[str, Any]],
    step_retries: Mapping[str, int],
) -> BoundPlan:
    """Put a run's values in their places.

    Args:
        plan: The pipeline's plan.
        parameters: Values for the pipeline's parameters; others have their defaults.
        step_parameters: Values for parameters of single steps, instead of what the pipeline gives them.
        step_retries: Retries of single steps, instead of what the pipeline says.

    Raises:
        InvalidInputError: A value does not fit its parameter's type, or is missing; each problem has its path.
    """
    problems: list[FieldProblem] = []
    values = _pipeline_values(plan, parameters, problems)
    if problems:
        raise _refusal(problems)

    def known(symbol: Symbol) -> object:
        return _picked(values[symbol.name], symbol) if isinstance(symbol, PipelineParameter) else symbol

    steps = []
    for planned in plan.steps:
        given = {name: replace_symbols(value, known) for name, value in planned.arguments.items()}
        given |= step_parameters.get(planned.name, {})
        arguments = _checked(planned, given, step_parameters.get(planned.name, {}), problems)
        steps.append(BoundStep(planned, arguments, step_retries.get(planned.name, planned.step.retries)))
    if problems:
        raise _refusal(problems)
    return BoundPlan(tuple(steps), replace_symbols(plan.result, known))


def with_secrets(plan: BoundPlan) -> tuple[BoundPlan, tuple[str, ...]]:
    """Put the secrets themselves into the arguments of steps, in the place of references.

    Returns:
        The plan with secrets, and the secrets, which must not appear in anything that is kept.

    Raises:
        SecretResolutionError: A reference leads nowhere.
    """
    arguments, secrets = resolved({step.planned.name: step.arguments for step in plan.steps})
    steps = tuple(replace(step, arguments=arguments[step.planned.name]) for step in plan.steps)
    return replace(plan, steps=steps), secrets


def _pipeline_values(plan: Plan, parameters: Mapping[str, Any], problems: list[FieldProblem]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for parameter in plan.parameters.named:
        path = f"parameters.{parameter.name}"
        given = parameters.get(parameter.name, parameter.default)
        if given is parameter.empty:
            problems.append(FieldProblem(path, "is required"))
        elif found := plan.parameters.problems(parameter.name, given, path=path):
            problems.extend(found)
        else:
            values[parameter.name] = plan.parameters.check(parameter.name, given)
    return values


def _checked(
    planned: PlannedStep, given: Mapping[str, Any], overridden: Mapping[str, Any], problems: list[FieldProblem]
) -> dict[str, Any]:
    """Convert what is a value already; outputs of steps are handed over as they are."""
    arguments = dict(given)
    for parameter in planned.step.signature.named:
        if parameter.name not in given or symbols_in(given[parameter.name]):
            continue
        path = f"steps.{planned.name}.parameters.{parameter.name}"
        source = planned.arguments.get(parameter.name)
        if isinstance(source, PipelineParameter) and parameter.name not in overridden:
            path = f"parameters.{source.name}"
        found = planned.step.signature.problems(parameter.name, given[parameter.name], path=path)
        problems.extend(found)
        if not found:
            arguments[parameter.name] = planned.step.signature.check(parameter.name, given[parameter.name])
    return arguments


def _picked(value: Any, symbol: PipelineParameter) -> Any:
    for key in symbol.path:
        try:
            value = value[key]
        except (LookupError, TypeError) as error:
            problem = FieldProblem(f"parameters.{symbol.name}", f"has no item {key!r}, which the pipeline picks")
            raise _refusal([problem]) from error
    return value


def _refusal(problems: list[FieldProblem]) -> InvalidInputError:
    return InvalidInputError("The parameters of this run do not fit the pipeline.", problems=problems)
