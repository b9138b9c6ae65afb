"""An application, and actions that run commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from actium import Actium, Event, TriggerExecutionResponse
from actium.models import ActionRequest, ActionResponse, ServiceAccountRequest


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Actium]:
    with Actium(f"sqlite:///{tmp_path / 'actium.db'}") as app:
        app.accounts.create(ServiceAccountRequest(name="robot"))
        yield app


@pytest.fixture
def create(app: Actium) -> Callable[..., ActionResponse]:
    def create(*, run_policy: dict[str, Any] | None = None, **configuration: Any) -> ActionResponse:
        return app.actions.create(
            ActionRequest(
                name="command",
                plugin_subtype="process",
                flavor="command",
                service_account_id=app.accounts.get("robot").id,
                configuration=configuration,
                run_policy=run_policy or {},
            )
        )

    return create


@pytest.fixture
def run(app: Actium, create: Callable[..., ActionResponse]) -> Callable[..., TriggerExecutionResponse]:
    def run(*, event: Event | None = None, **configuration: Any) -> TriggerExecutionResponse:
        create(**configuration)
        execution = app.actions.run("command", event)
        app.worker().run_until_idle()
        return app.executions.get(execution.id)

    return run
