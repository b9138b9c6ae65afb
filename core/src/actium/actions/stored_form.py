"""The form in which a configuration is stored: JSON that its model reads back, with references in place of secrets."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticSerializationError

from actium.auth.secret_references import check_references, dump_with_references
from actium.errors import ActiumError, FieldProblem, InvalidConfigurationError
from actium.models.base import dotted
from actium.models.leaves import Location, items, leaves, unwrapped

if TYPE_CHECKING:
    from actium.actions.base_action import BaseActionHandler

MAX_CONFIGURATION_BYTES = 262_144
"""How large a configuration may be, written as JSON."""

MAX_CONFIGURATION_DEPTH = 100
"""How many levels deep a configuration may be."""


def check_extent(configuration: Mapping[str, Any]) -> None:
    """Refuse what is too deep or too large to be walked through, such as what holds itself.

    Raises:
        InvalidConfigurationError: With the key below which it is so.
    """
    waiting: list[tuple[object, int, str]] = [(item, 1, str(key)) for key, item in configuration.items()]
    values = 0
    while waiting:
        value, depth, key = waiting.pop()
        values += 1
        if depth > MAX_CONFIGURATION_DEPTH:
            raise too_deep(key)
        if values > MAX_CONFIGURATION_BYTES:  # each is at least a byte
            raise InvalidConfigurationError(
                f"This configuration holds more than {MAX_CONFIGURATION_BYTES:,} values.",
                problems=[FieldProblem(path=key, problem="holds too much, or is repeated too often")],
                hint="Keep large content in a file or an object store, and configure where it is.",
            )
        waiting += [(item, depth + 1, key) for _, item in items(unwrapped(value))]


def too_deep(path: str = "") -> InvalidConfigurationError:
    """The error that a configuration cannot be walked through."""
    return InvalidConfigurationError(
        "This configuration cannot be stored as JSON.",
        problems=[
            FieldProblem(
                path=path, problem=f"is nested more than {MAX_CONFIGURATION_DEPTH} levels deep, or holds itself"
            )
        ],
        hint="Let no value hold itself, and name things that lie deep instead of nesting them.",
    )


def stored_form(handler: BaseActionHandler, config: BaseModel) -> dict[str, Any]:
    """The configuration as it is stored; the flavor may have changed it since it was validated.

    Raises:
        InvalidConfigurationError: It holds literal secrets, is no JSON, is too large or too deep, or does not read back
            as what it is.
    """
    try:
        check_references(config)
        _check_finite(config)
        dumped = dump_with_references(config)
        size = len(json.dumps(dumped, allow_nan=False))
    except RecursionError as error:
        raise too_deep() from error
    except (PydanticSerializationError, ValueError) as error:
        if isinstance(error, ActiumError):
            raise
        raise InvalidConfigurationError(
            f"This {type(config).__name__} cannot be written as JSON: {error}.",
            hint="Use values that JSON can hold; infinity and NaN are none.",
        ) from error
    if size > MAX_CONFIGURATION_BYTES:
        raise InvalidConfigurationError(
            f"This {type(config).__name__} is {size:,} bytes as JSON; the limit is {MAX_CONFIGURATION_BYTES:,}.",
            hint="Keep large content in a file or an object store, and configure where it is.",
        )
    _check_whole(config, _read_back(handler, dumped))
    return dumped


def _read_back(handler: BaseActionHandler, dumped: Mapping[str, Any]) -> BaseModel:
    """Refuse what could be stored but never be run, because its own model does not take it."""
    try:
        return handler.validate_action_configuration(dumped)
    except InvalidConfigurationError as error:
        raise InvalidConfigurationError(
            f"What would be stored of this {handler.config_class.__name__} does not fit {handler.origin} again.",
            problems=error.problems,
            hint="Either the flavor changed it to what it does not take, or its model does not read what it writes.",
        ) from error


def _check_whole(config: BaseModel, read: BaseModel) -> None:
    """Refuse what pydantic would leave out without a word."""
    problems = [
        FieldProblem(path=dotted(location), problem="would be lost when this is stored")
        for location in _lost(config, read, ())
    ]
    if problems:
        raise InvalidConfigurationError(
            f"This {type(config).__name__} holds what its model does not write.",
            problems=problems,
            hint="Annotate the field with the class of its value or a union of classes, and leave nothing out with "
            "`exclude`; what is derived from other fields is kept in a PrivateAttr.",
        )


def _lost(held: object, read: object, location: Location) -> Iterator[Location]:
    """Where something of a value is not in what was read back."""
    held, read = unwrapped(held), unwrapped(read)
    if isinstance(held, dict) and isinstance(read, dict):
        if len(held) == len(read):  # keys are read back in their order, and as texts where nothing says otherwise
            for (key, item), kept in zip(held.items(), read.values(), strict=True):
                yield from _lost(item, kept, (*location, key))
    elif isinstance(held, list | tuple) and isinstance(read, list | tuple):
        for index, (item, kept) in enumerate(zip(held, read, strict=False)):
            yield from _lost(item, kept, (*location, index))
    else:
        there = _fields(read)
        for name, item in _fields(held).items():
            is_left_out = _may_be_left_out(held, name)
            if name not in there:
                if is_left_out or not isinstance(read, dict):
                    yield (*location, name)
            elif is_left_out and there[name] != item:
                yield (*location, name)
            else:
                yield from _lost(item, there[name], (*location, name))


def _fields(value: object) -> dict[str, object]:
    if isinstance(value, BaseModel | dict):
        return {str(name): item for name, item in items(value)}
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    return {}


def _may_be_left_out(value: object, name: str) -> bool:
    field: FieldInfo | None = type(value).model_fields.get(name) if isinstance(value, BaseModel) else None
    return field is not None and bool(field.exclude or getattr(field, "exclude_if", None))


def _check_finite(config: BaseModel) -> None:
    """Refuse what pydantic would silently write as null."""
    problems = [
        FieldProblem(path=dotted(location), problem="cannot be written as JSON", value=str(value))
        for location, value in leaves(config)
        if isinstance(value, float) and not math.isfinite(value)
    ]
    if problems:
        raise InvalidConfigurationError(
            f"This {type(config).__name__} holds numbers that JSON does not have.",
            problems=problems,
            hint="Use finite numbers, or None for no value.",
        )
