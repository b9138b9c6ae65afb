"""What a call is configured with."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from keyword import iskeyword
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, JsonValue, SecretStr, ValidationInfo, field_validator

from actium.actions.base_action import ActionConfig


class Given(StrEnum):
    """What of its execution a function can be given."""

    EVENT = "event"
    """The whole event as CloudEvents JSON, a dict; None where there is none."""
    DATA = "data"
    """The event's data; None where there is no event."""
    EXECUTION_ID = "execution_id"
    """The execution's id, the same in each attempt: the idempotency key."""
    ATTEMPT = "attempt"
    """The number of the attempt, from 1."""
    ACCESS_TOKEN = "access_token"  # noqa: S105 - the name of what is given
    """The token that authenticates work on behalf of the service account."""


def _dotted(text: str) -> str:
    if not all(part.isidentifier() and not iskeyword(part) for part in text.split(".")):
        raise ValueError("must be a name")
    return text


def _reference(text: str) -> str:
    module, colon, attribute = text.partition(":")
    if not colon:
        raise ValueError("must be module:attribute, such as json:dumps")
    _dotted(module)
    _dotted(attribute)
    return text


def _parameter(text: str) -> str:
    if not text.isidentifier() or iskeyword(text):
        raise ValueError("must be the name of a parameter")
    return text


ParameterName = Annotated[str, AfterValidator(_parameter)]


class PythonCallConfig(ActionConfig):
    """Which function to call, and with what."""

    model_config = ConfigDict(extra="forbid")

    callable: Annotated[str, AfterValidator(_reference)] = Field(
        max_length=1_000, description="What to call, as module:attribute, such as shop.reports:write_daily."
    )
    args: list[JsonValue] = Field(default_factory=list, description="Its positional arguments.")
    kwargs: dict[ParameterName, JsonValue] = Field(default_factory=dict, description="Its keyword arguments.")
    secrets: dict[ParameterName, SecretStr] = Field(
        default_factory=dict,
        description="Keyword arguments that are secrets, each a reference such as env:NAME or file:PATH; they arrive "
        "as texts.",
    )
    inject: dict[ParameterName, Given] = Field(
        default_factory=dict,
        description="Keyword arguments that the execution gives: `event`, `data` (the event's), `execution_id`, "
        "`attempt` or `access_token`, by parameter.",
    )

    @field_validator("secrets", "inject")
    @classmethod
    def _give_each_once(cls, given: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        for other in ("kwargs", "secrets"):
            if other != info.field_name:
                _refuse_both(given, info.data.get(other, ()), other)
        return given

    @property
    def module(self) -> str:
        """The module's name."""
        return self.callable.partition(":")[0]

    @property
    def attribute(self) -> str:
        """The attribute's name, dotted where it is within a class."""
        return self.callable.partition(":")[2]

    def keywords(self) -> dict[str, str]:
        """The names of all keyword arguments, with the fields where they stand."""
        fields: dict[str, Iterable[str]] = {"kwargs": self.kwargs, "secrets": self.secrets, "inject": self.inject}
        return {name: f"{field}.{name}" for field, names in fields.items() for name in names}


def _refuse_both(given: Iterable[str], others: Iterable[str], field: str) -> None:
    both = sorted({*given}.intersection(others))
    if both:
        raise ValueError(f"{', '.join(both)} stands under `{field}`, too")
