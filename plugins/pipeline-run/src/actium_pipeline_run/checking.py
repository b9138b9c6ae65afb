"""Checks what an action says about its runs against the snapshot alone, without importing the pipeline."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from pydantic import TypeAdapter

from actium.auth.secret_references import RESOLVERS
from actium.errors import FieldProblem
from actium.models.base import shown
from actium_pipeline_run.configuration import PipelineRunConfiguration
from actium_pipeline_run.graph import ParameterRecord, StepGraph, type_described
from actium_pipeline_run.snapshot import PipelineSnapshot

_SECRET = "password"  # noqa: S105 - the format by which JSON schema marks a secret


def run_problems(snapshot: PipelineSnapshot, run_config: PipelineRunConfiguration) -> Iterator[FieldProblem]:
    """What is wrong with the configuration of a snapshot's runs; nothing when it fits. Paths begin at it."""
    yield from _unknown(run_config.parameters, [parameter.name for parameter in snapshot.parameters], "parameters")
    for parameter in snapshot.parameters:
        path = f"parameters.{parameter.name}"
        if parameter.name in run_config.parameters:
            yield from _value_problems(parameter, run_config.parameters[parameter.name], path)
        elif parameter.required:
            required = f"is required by the pipeline {snapshot.pipeline!r}"
            yield FieldProblem(path, required, expected=parameter.type_described)
    yield from _unknown(run_config.steps, snapshot.graph.names, "steps")
    for name, step_parameters in run_config.step_parameters().items():
        yield from _step_problems(snapshot.graph, name, step_parameters)


def _step_problems(graph: StepGraph, name: str, parameters: Mapping[str, Any]) -> Iterator[FieldProblem]:
    step = graph.step(name)
    if step is None:
        return
    path = f"steps.{name}.parameters"
    fed = {edge.argument: edge.source for edge in graph.edges if edge.target == name}
    settable = [parameter.name for parameter in step.parameters]
    for given in parameters:
        if given in fed and given not in settable:
            yield FieldProblem(f"{path}.{given}", f"is the output of the step {fed[given]!r} and cannot be set")
    yield from _unknown([given for given in parameters if given not in fed], settable, path)
    for parameter in step.parameters:
        if parameter.name in parameters:
            yield from _value_problems(parameter, parameters[parameter.name], f"{path}.{parameter.name}")


def _unknown(given: Collection[str], known: Collection[str], path: str) -> Iterator[FieldProblem]:
    for name in given:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1)
            hint = f"; perhaps {nearest[0]!r} is meant" if nearest else ""
            there_are = f"there are {', '.join(sorted(known))}" if known else "there are none"
            yield FieldProblem(f"{path}.{name}", f"is not known: {there_are}{hint}")


def _value_problems(parameter: ParameterRecord, value: object, path: str) -> Iterator[FieldProblem]:
    validator = Draft202012Validator(parameter.json_schema, format_checker=_FORMATS)
    is_secret = _SECRET in str(parameter.json_schema)
    for error in sorted(validator.iter_errors(value), key=lambda error: list(map(str, error.absolute_path))):
        for cause in _causes(error):
            yield FieldProblem(
                path=path + _dotted([*cause.absolute_path, *_missing(cause)]),
                problem=_told(cause, is_secret=is_secret),
                value=None if is_secret or cause.validator == "required" else shown(cause.instance),
                expected=type_described(cause.schema),
            )


def _causes(error: ValidationError) -> Sequence[ValidationError]:
    """Where no alternative fits but one is of the right type, what is wrong with that one; else the error itself."""
    if error.validator != "anyOf":
        return [error]
    alternatives: dict[object, list[ValidationError]] = {}
    for misfit in error.context:
        alternatives.setdefault(misfit.relative_schema_path[0], []).append(misfit)
    right = [
        misfits
        for misfits in alternatives.values()
        if not any(misfit.validator in {"type", "const"} and not misfit.relative_path for misfit in misfits)
    ]
    return [cause for misfit in right[0] for cause in _causes(misfit)] if len(right) == 1 else [error]


def _missing(error: ValidationError) -> Sequence[str]:
    """The key that is missing, which JSON schema tells of its holder only."""
    if error.validator != "required":
        return ()
    return [name for name in error.validator_value if error.message.startswith(repr(name))]


def _dotted(keys: Sequence[object]) -> str:
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)


def _told(error: ValidationError, *, is_secret: bool) -> str:
    if error.validator == "format" and error.validator_value == _SECRET:
        return "holds a literal secret; give a reference such as env:NAME or file:PATH"
    if error.validator in {"type", "anyOf", "format"}:
        return f"should be {type_described(error.schema) or 'of another type'}"
    if error.validator == "required":
        return "is required"
    return "does not fit its type" if is_secret else str(error.message)


def _format_checker() -> FormatChecker:
    """Formats checked as pydantic reads them; one that JSON schema alone knows is not checked here."""
    checker = FormatChecker(formats=())
    python_types = {"uuid": UUID, "date": date, "date-time": datetime, "time": time, "duration": timedelta}
    for name, python_type in python_types.items():
        checker.checks(name, raises=ValueError)(_read_as(TypeAdapter(python_type)))
    checker.checks(_SECRET)(_is_reference)
    return checker


def _read_as(adapter: TypeAdapter[Any]) -> Any:
    def is_readable(value: object) -> bool:
        if isinstance(value, str):
            adapter.validate_python(value)
        return True

    return is_readable


def _is_reference(value: object) -> bool:
    scheme, _, rest = value.partition(":") if isinstance(value, str) else ("", "", "")
    return not isinstance(value, str) or (bool(rest) and scheme in RESOLVERS)


_FORMATS = _format_checker()
