"""The parameters of steps and pipelines: read from a function's signature, checked and described with pydantic."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema, PydanticSchemaGenerationError
from pydantic_core import PydanticSerializationError

from actium.errors import FieldProblem
from actium.models.base import field_problems
from actium_pipeline_run.errors import PipelineDefinitionError
from actium_pipeline_run.graph import ParameterRecord
from actium_pipeline_run.secret_values import holds_secrets, literal_secrets, with_references

_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


@dataclass(frozen=True, slots=True)
class FunctionSignature:
    """What a function takes.

    Attributes:
        signature: As Python knows it.
        annotations: The types, with their pydantic constraints; a parameter without one may be anything.
    """

    signature: inspect.Signature
    annotations: Mapping[str, Any]
    _adapters: dict[str, TypeAdapter[Any]] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, function: Callable[..., Any]) -> FunctionSignature:
        """Read a function's signature.

        Raises:
            PipelineDefinitionError: An annotation names something that does not exist.
        """
        try:
            annotations = get_type_hints(function, include_extras=True)
        except (NameError, TypeError, AttributeError) as error:
            raise PipelineDefinitionError(
                f"The annotations of {function.__qualname__}() in {function.__module__} cannot be read: {error}.",
                hint="Import the types it names at the top of the module, outside of TYPE_CHECKING.",
            ) from error
        return cls(inspect.signature(function), annotations)

    @property
    def named(self) -> tuple[inspect.Parameter, ...]:
        """The parameters that have a name of their own: all but ``*args`` and ``**kwargs``."""
        return tuple(p for p in self.signature.parameters.values() if p.kind not in _VARIADIC)

    def check(self, name: str, value: object) -> Any:
        """Convert a value to a parameter's type.

        Raises:
            pydantic.ValidationError: It does not fit.
        """
        return self._adapter(name).validate_python(value)

    def problems(self, name: str, value: object, *, path: str) -> tuple[FieldProblem, ...]:
        """What is wrong with a value for a parameter; empty when it fits. A secret must be a reference."""
        try:
            checked = self.check(name, value)
        except ValidationError as error:
            return tuple(
                FieldProblem(
                    path=path if not problem.path else f"{path}{_joint(problem.path)}{problem.path}",
                    problem=problem.problem,
                    value=problem.value,
                    expected=problem.expected,
                )
                for problem in field_problems(error)
            )
        return literal_secrets(checked, path=path)

    def record(self, name: str, *, default: object = inspect.Parameter.empty) -> ParameterRecord:
        """Describe a parameter for a snapshot, with a default other than its own where one is given."""
        if default is inspect.Parameter.empty:
            default = self.signature.parameters[name].default
        required = default is inspect.Parameter.empty
        return ParameterRecord(
            name=name,
            json_schema=self._json_schema(name),
            required=required,
            default=None if required else self._as_json(name, default),
        )

    def _adapter(self, name: str) -> TypeAdapter[Any]:
        if name not in self._adapters:
            self._adapters[name] = _adapter_for(self.annotations.get(name, Any))
        return self._adapters[name]

    def _json_schema(self, name: str) -> dict[str, Any]:
        try:
            return self._adapter(name).json_schema()
        except PydanticInvalidForJsonSchema:  # a class of its own, which only the function's module can check
            return {}

    def _as_json(self, name: str, value: object) -> Any:
        if holds_secrets(value):
            return with_references(value)
        try:
            return self._adapter(name).dump_python(value, mode="json", warnings=False)
        except PydanticSerializationError:
            return repr(value)


def _adapter_for(annotation: Any) -> TypeAdapter[Any]:
    """Pydantic refuses this setting for its own models, and refuses foreign classes without it."""
    try:
        return TypeAdapter(annotation)
    except PydanticSchemaGenerationError:
        return TypeAdapter(annotation, config=ConfigDict(arbitrary_types_allowed=True))


def _joint(path: str) -> str:
    return "" if path.startswith("[") else "."
