"""An application, and actions that run commands."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from actium import Actium, Event, TriggerExecutionResponse
from actium.models import ActionResponse


@pytest.fixture
def app(actium_app: Actium) -> Actium:
    return actium_app


@pytest.fixture
def create(create_action: Callable[..., ActionResponse]) -> Callable[..., ActionResponse]:
    def create(*, run_policy: dict[str, Any] | None = None, **configuration: Any) -> ActionResponse:
        return create_action("process.command", configuration, name="command", run_policy=run_policy or {})

    return create


@pytest.fixture
def run(
    create: Callable[..., ActionResponse], run_action: Callable[..., TriggerExecutionResponse]
) -> Callable[..., TriggerExecutionResponse]:
    def run(*, event: Event | None = None, **configuration: Any) -> TriggerExecutionResponse:
        return run_action(create(**configuration), event=event)

    return run
