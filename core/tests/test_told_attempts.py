"""What observers are told of an execution with several attempts: each begins once and ends once, in that order."""

from __future__ import annotations

from typing import Any

from actium import Actium, Event, TriggerExecutionResponse, action_flavor, hookimpl
from actium.models import ActionRequest, Backoff, RunPolicy, ServiceAccountRequest

Told = list[tuple[str, int, int]]


class Listening:
    """A hook plugin that keeps what it is told."""

    def __init__(self) -> None:
        self.told: Told = []

    @hookimpl
    def execution_changed(self, trigger_execution: TriggerExecutionResponse) -> None:
        ended = [attempt for attempt in trigger_execution.attempts if attempt.finished is not None]
        self.told.append((trigger_execution.status.value, trigger_execution.attempt, len(ended)))


@action_flavor("test.third_time")
def third_time(trigger_execution: Any) -> str:
    """Succeeds at the third attempt."""
    if trigger_execution.attempt < 3:
        raise ConnectionError(f"not at {trigger_execution.attempt}")
    return "done"


def test_each_attempt_begins_and_ends(url: str) -> None:
    """Also where the next attempt is claimed while the end of the one before it is recorded."""
    listening = Listening()
    with Actium(url, hooks=[listening]) as app:
        app.flavors.register(third_time)
        account = app.accounts.create(ServiceAccountRequest(name="robot"))
        policy = RunPolicy(max_attempts=3, backoff=Backoff(kind="fixed", base=0.001, jitter=False))
        action = app.actions.create(
            ActionRequest(
                name="third",
                plugin_subtype="test",
                flavor="third_time",
                service_account_id=account.id,
                run_policy=policy,
            )
        )
        executions = [app.actions.run(action.id, Event(type="t", source="/s", id=str(each))).id for each in range(20)]
        worker = app.worker()
        while not all(app.executions.get(each).status.is_final for each in executions):
            worker.run_until_idle()
    expected = [("running", 1, 0), ("pending", 1, 1), ("running", 2, 0), ("pending", 2, 2), ("running", 3, 0)]
    assert sorted(listening.told) == sorted([*expected, ("succeeded", 3, 3)] * 20)
