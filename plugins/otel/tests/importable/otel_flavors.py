"""Flavors that the tests run, here and in child processes."""

from __future__ import annotations

import asyncio
from typing import Any

from opentelemetry import trace
from pydantic import SecretStr

from actium import ActionConfig, action_flavor


def current() -> dict[str, str]:
    """The span that the handler runs in, as it would hand it on."""
    context = trace.get_current_span().get_span_context()
    return {"trace": f"{context.trace_id:032x}", "span": f"{context.span_id:016x}"}


@action_flavor("otel.tell")
def tell() -> dict[str, str]:
    return current()


@action_flavor("otel.tell_later")
async def tell_later() -> dict[str, str]:
    await asyncio.sleep(0)
    return current()


@action_flavor("otel.fail")
def fail() -> None:
    raise ConnectionError("no route")


class Keys(ActionConfig):
    """Takes a secret."""

    key: SecretStr = SecretStr("env:ACTIUM_OTEL_TEST_KEY")


@action_flavor("otel.leak", config=Keys)
def leak(config: Keys) -> None:
    raise ValueError(f"refused the key {config.key.get_secret_value()}")


@action_flavor("otel.second_time")
def second_time(trigger_execution: Any) -> dict[str, str]:
    if trigger_execution.attempt == 1:
        raise ConnectionError("not yet")
    return current()
