"""Executions that are tried again by hand: what they keep of before, what they begin anew with, and which they are."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from actium import ActionConfig, Actium, ExecutionStatus, TriggerExecutionResponse, action_flavor
from actium.errors import ExecutionCancelled
from actium.event_hub.worker import Worker
from actium.models import (
    ActionResponse,
    ActionUpdate,
    RunPolicy,
    ServiceAccountRequest,
    TriggerExecutionFilter,
)

CreateAction = Callable[..., ActionResponse]
Working = Callable[..., AbstractContextManager[Worker]]
SECONDS = 30.0


def flavor_of(app: Actium, key: str, run: Callable[..., Any]) -> str:
    """Register a flavor made of a function."""
    app.flavors.register(action_flavor(key)(run))
    return key


def test_a_deadline_that_has_passed_holds_no_longer(app: Actium, create: CreateAction) -> None:
    """What was skipped because it was too late runs when someone asks for it again: they want it now."""
    execution = app.actions.run(create(run_policy=RunPolicy(deadline=0.05)).id)
    time.sleep(0.06)
    app.worker().run_until_idle()
    assert app.executions.get(execution.id).status is ExecutionStatus.SKIPPED
    app.executions.retry(execution.id)
    assert app.worker().run_until_idle() == 1
    assert app.executions.get(execution.id).status is ExecutionStatus.SUCCEEDED


@pytest.mark.parametrize(("latest", "named"), [(False, "robot"), (True, "other")])
def test_it_acts_for_the_account_that_it_was_stored_with(
    app: Actium, create: CreateAction, latest: bool, named: str
) -> None:
    """An action that acts for another account since changes that only where its latest revision is asked for."""

    def run(config: ActionConfig, trigger_execution: TriggerExecutionResponse, auth_context: Any) -> str:
        if trigger_execution.attempt == 1:
            raise ValueError("not yet")
        return str(auth_context.service_account.name)

    action = create(flavor=flavor_of(app, "test.account", run))
    execution = app.actions.run(action.id)
    app.worker().run_until_idle()
    other = app.accounts.create(ServiceAccountRequest(name="other"))
    app.actions.update(action.id, ActionUpdate(service_account_id=other.id))
    app.executions.retry(execution.id, latest=latest)
    app.worker().run_until_idle()
    assert app.executions.get(execution.id).result == named


def test_it_is_not_cancelled_for_an_earlier_attempt(app: Actium, create: CreateAction, working: Working) -> None:
    """What was cancelled while it ran, and is asked for again, is not asked to end a second time."""
    begun = threading.Event()

    def run(config: ActionConfig, trigger_execution: TriggerExecutionResponse, handler: Any) -> str:
        for _ in range(50 if trigger_execution.attempt > 1 else 3_000):
            begun.set()
            if handler.cancel_requested(trigger_execution):
                raise ExecutionCancelled("as asked")
            time.sleep(0.01)  # long enough for the worker to look at what is to be cancelled
        return "done"

    action = create(flavor=flavor_of(app, "test.heeding", run))
    with working(app, poll_interval=0.05):
        execution = app.actions.run(action.id)
        assert begun.wait(SECONDS)
        app.executions.cancel(execution.id)
        assert app.executions.wait(execution.id, SECONDS).status is ExecutionStatus.CANCELLED
        app.executions.retry(execution.id)
        assert app.executions.wait(execution.id, SECONDS).result == "done"


def test_all_of_many_pages_are_retried(app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch) -> None:
    """In bulk all that have failed are retried, not only as many as one page holds."""

    def run(config: ActionConfig) -> None:
        raise ValueError("broken")

    action = create(flavor=flavor_of(app, "test.failing", run))
    failed = {app.actions.run(action.id).id for _ in range(11)}
    assert app.worker().run_until_idle() == 11
    monkeypatch.setattr("actium.app.executions.MAX_PAGE_SIZE", 4)
    again = app.executions.retry_all()
    assert {one.id for one in again} == failed
    assert {one.status for one in again} == {ExecutionStatus.PENDING}
    assert app.executions.list(TriggerExecutionFilter(status="failed")).total == 0
