"""The fixtures, as authors use them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from actium import ActionConfig, Actium, ExecutionStatus, TriggerExecutionResponse, action_flavor
from actium.models import ActionResponse, ServiceAccountResponse, TriggerRequest
from actium.models.run_policy import Backoff, RunPolicy
from pytest_actium import Clock, Crash, Moment, NotKilledError

pytest_plugins = "pytester"

RunAction = Callable[..., TriggerExecutionResponse]


class GreetConfig(ActionConfig):
    name: str = "world"
    fails: bool = False


@action_flavor("test.greet", config=GreetConfig)
def greet(config: GreetConfig, trigger_execution: TriggerExecutionResponse) -> dict[str, Any]:
    """Greets."""
    if config.fails and trigger_execution.body.attempt == 1:
        raise ValueError("at first it fails")
    event = trigger_execution.event
    return {"greeting": f"hello {config.name}", "data": None if event is None else event.data}


def test_an_action_is_run(run_action: RunAction) -> None:
    """A flavor that is not installed is run with a configuration and data, and its execution is at its end."""
    execution = run_action(greet, {"name": "Ada"}, data={"rows": 3})
    assert execution.status is ExecutionStatus.SUCCEEDED
    assert execution.result == {"greeting": "hello Ada", "data": {"rows": 3}}
    assert run_action("test.greet").result["greeting"] == "hello world"


def test_an_event_is_published(
    actium_app: Actium, create_action: Callable[..., ActionResponse], publish: Callable[..., Any]
) -> None:
    """What a published event leads to is run."""
    action = create_action(greet)
    actium_app.triggers.create(TriggerRequest(name="every", action_id=action.id, match_all=True))
    (execution,) = publish("com.example.arrived", data={"rows": 4}, subject="a")
    assert execution.result["data"] == {"rows": 4}


def test_hooks_are_recorded(run_action: RunAction, recorded_hooks: Any) -> None:
    """Every hook of an action's creation and run is recorded with its outcome."""
    run_action(greet)
    assert recorded_hooks.names() == [
        "create_action",
        "extract_resources",
        "execution_changed",
        "run_action",
        "execution_changed",
    ]
    ran = [call for call in recorded_hooks.calls if call.hook == "run_action" and call.moment == "left"]
    assert [(call.outcome, call.result) for call in ran] == [("dict", {"greeting": "hello world", "data": None})]


def test_the_clock_brings_the_next_attempt(actium_app: Actium, run_action: RunAction, clock: Clock) -> None:
    """An attempt that waits for an hour is made when the clock was moved by an hour, and not before."""
    policy = RunPolicy(max_attempts=2, backoff=Backoff(kind="fixed", base=3_600, jitter=False))
    waiting = run_action(greet, {"fails": True}, run_policy=policy)
    assert waiting.status is ExecutionStatus.PENDING
    clock.advance(timedelta(minutes=59))
    assert actium_app.worker().run_until_idle() == 0
    clock.advance(61)
    assert actium_app.worker().run_until_idle() == 1
    done = actium_app.executions.get(waiting.id)
    assert done.status is ExecutionStatus.SUCCEEDED
    assert done.body.finished - waiting.body.created > timedelta(hours=1)


def test_the_clock_lets_tokens_expire(
    actium_app: Actium, service_account: ServiceAccountResponse, clock: Clock
) -> None:
    """What is made before the clock was moved is older afterwards, and the clock goes on, never back."""
    before = clock.now()
    assert clock.advance(86_400) - before >= timedelta(days=1)
    renamed = actium_app.accounts.get(service_account.id)
    assert clock.now() - renamed.body.created >= timedelta(days=1)
    with pytest.raises(ValueError, match="forward"):
        clock.advance(-1)


@pytest.mark.parametrize(("moment", "attempts"), [(Moment.BEFORE_RUN, 2), (Moment.AFTER_RUN, 2)])
def test_a_killed_run_is_taken_over(
    actium_app: Actium, create_action: Callable[..., ActionResponse], crash: Crash, moment: Moment, attempts: int
) -> None:
    """A worker that was killed leaves a running execution, which another worker makes a second attempt at."""
    action = create_action("process.command", {"argv": ["true"]})
    execution_id = crash.run(action.id, moment)
    assert actium_app.executions.get(execution_id).status is ExecutionStatus.RUNNING
    actium_app.doctor.examine(mend=True)
    actium_app.worker().run_until_idle()
    done = actium_app.executions.get(execution_id)
    assert (done.status, done.body.attempt) == (ExecutionStatus.SUCCEEDED, attempts)


def test_a_moment_that_does_not_come_is_told(create_action: Callable[..., ActionResponse], crash: Crash) -> None:
    """A flavor that provisions nothing cannot be killed while it does."""
    action = create_action("process.command", {"argv": ["true"]})
    with pytest.raises(NotKilledError, match="does not override process_action_delete"):
        crash.delete(action.id, Moment.BEFORE_PROCESSING)


def test_what_never_ends_is_told(pytester: pytest.Pytester) -> None:
    """A test whose run does not end fails in time, and does not hang."""
    pytester.makepyfile(
        """
        import threading
        import pytest_actium.plugin as plugin
        from actium import action_flavor

        plugin.RUN_SECONDS = 0.3
        over = threading.Event()


        @action_flavor("test.endless")
        def endless():
            over.wait(5)


        def test_it(run_action):
            try:
                run_action(endless)
            finally:
                over.set()
        """
    )
    done = pytester.runpytest_subprocess("-q", "-p", "no:xdist")
    done.assert_outcomes(failed=1)
    done.stdout.fnmatch_lines(["*has not ended within 0.3 seconds*"])


def test_nothing_is_imported_before_it_is_used(pytester: pytest.Pytester) -> None:
    """A test run that uses none of the fixtures does not load Actium."""
    pytester.makepyfile("import sys\n\n\ndef test_it():\n    assert 'actium' not in sys.modules\n")
    pytester.runpytest_subprocess("-q", "-p", "no:xdist").assert_outcomes(passed=1)
