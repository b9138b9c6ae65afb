"""The form in which a configuration is stored: JSON that its model reads back, with references in place of secrets."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic_core import PydanticSerializationError

from actium.auth.secret_references import check_references, dump_with_references
from actium.errors import ActiumError, FieldProblem, InvalidConfigurationError
from actium.models.base import dotted
from actium.models.leaves import leaves

if TYPE_CHECKING:
    from actium.actions.base_action import BaseActionHandler

MAX_CONFIGURATION_BYTES = 262_144
"""How large a configuration may be, written as JSON."""


def stored_form(handler: BaseActionHandler, config: BaseModel) -> dict[str, Any]:
    """The configuration as it is stored; the flavor may have changed it since it was validated.

    Raises:
        InvalidConfigurationError: It holds literal secrets, is no JSON, is too large, or does not read back.
    """
    check_references(config)
    _check_finite(config)
    try:
        dumped = dump_with_references(config)
        size = len(json.dumps(dumped, allow_nan=False))
    except (PydanticSerializationError, ValueError, RecursionError) as error:
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
    _check_readable(handler, dumped)
    return dumped


def _check_readable(handler: BaseActionHandler, dumped: Mapping[str, Any]) -> None:
    """Refuse what could be stored but never be run, because its own model does not take it."""
    try:
        handler.validate_action_configuration(dumped)
    except InvalidConfigurationError as error:
        raise InvalidConfigurationError(
            f"What would be stored of this {handler.config_class.__name__} does not fit {handler.origin} again.",
            problems=error.problems,
            hint="Either the flavor changed it to what it does not take, or its model does not read what it writes.",
        ) from error


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
