"""Flavors that do next to nothing, for hook plugins to stand around: one of each kind that there is."""

from __future__ import annotations

from typing import Any

from pydantic import Field, SecretStr

from actium import ActionConfig, TriggerExecutionResponse, action_flavor


class PlainConfig(ActionConfig):
    """What the plain flavors take."""

    text: str = Field(default="hello", description="What to return.")
    fails: bool = Field(default=False, description="Whether to fail.")
    token: SecretStr | None = Field(default=None, description="A secret.")


class PlainError(Exception):
    """What a plain flavor fails with."""


def _said(config: PlainConfig, trigger_execution: TriggerExecutionResponse) -> dict[str, Any]:
    if config.fails:
        raise PlainError("it was to fail")
    event = trigger_execution.event
    return {"text": config.text, "data": None if event is None else event.data}


@action_flavor("conformance.plain", config=PlainConfig)
def plain(config: PlainConfig, trigger_execution: TriggerExecutionResponse) -> dict[str, Any]:
    """Returns a text."""
    return _said(config, trigger_execution)


@action_flavor("conformance.coroutine", config=PlainConfig)
async def coroutine(config: PlainConfig, trigger_execution: TriggerExecutionResponse) -> dict[str, Any]:
    """Returns a text, as a coroutine."""
    return _said(config, trigger_execution)


@action_flavor("conformance.isolated", config=PlainConfig, isolation="process")
def isolated(config: PlainConfig, trigger_execution: TriggerExecutionResponse) -> dict[str, Any]:
    """Returns a text, from another process."""
    return _said(config, trigger_execution)
