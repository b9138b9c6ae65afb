"""Runs of functions as actions, for the tests of tracing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for the helpers beside this file

from actium import ActionConfig, Actium, Event, TriggerExecutionResponse, action_flavor
from actium.models import ActionRequest, ServiceAccountRequest, TriggerRequest

Run = Callable[..., TriggerExecutionResponse]


@pytest.fixture
def run_function() -> Run:
    """Run a function as an action of its own, by an event or by hand."""

    def run(
        app: Actium,
        function: Callable[..., Any],
        *,
        config: type[ActionConfig] = ActionConfig,
        event: Event | None = None,
        **fields: Any,
    ) -> TriggerExecutionResponse:
        number = app.actions.list().total
        app.flavors.register(action_flavor(f"made.{function.__name__.strip('_')}{number}", config=config)(function))
        if not app.accounts.list().total:
            app.accounts.create(ServiceAccountRequest(name="robot"))
        action = app.actions.create(
            ActionRequest(
                name=f"{function.__name__}{number}",
                plugin_subtype="made",
                flavor=f"{function.__name__.strip('_')}{number}",
                service_account_id=app.accounts.get("robot").id,
                **fields,
            )
        )
        if event is None:
            execution = app.actions.run(action.id)
        else:
            app.triggers.create(
                TriggerRequest(name=f"on-{action.name}", action_id=action.id, filters=[{"exact": {"type": event.type}}])
            )
            execution = app.executions.get(app.events.publish(event).executions[0])
        app.worker().run_until_idle()
        return app.executions.get(execution.id)

    return run
