"""Rules of runs: they end, say how, may be repeated, and work wherever they are started."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import pytest

from actium import ExecutionStatus, TriggerExecutionResponse
from actium.errors import ExecutionNotEndedError
from actium.models.run_policy import RunPolicy
from pytest_actium import applications
from pytest_actium.child import in_child, reference_of
from pytest_actium.flavors.subject import Bench, Configuration, FlavorSubject, Life, differences
from pytest_actium.hook_record import REPEAT, RecordedCall
from pytest_actium.verdicts import fail

END_SECONDS = 5.0
"""How long a run may take to end when it has been asked to."""

TIME_LIMIT = 0.3


class RunRules(FlavorSubject):
    """What happens when an action is run."""

    def test_a_run_succeeds(self, life: Life) -> None:
        """A run of the valid configuration succeeds."""
        returned = _left(life.calls, life.execution)
        was_lost = bool(returned) and not returned[-1].is_json
        if life.execution.status is not ExecutionStatus.SUCCEEDED and not was_lost:
            fail(
                f"The run is {life.execution.status.value}: {life.execution.reason}\n{_traceback(life.execution)}",
                mend="correct `run`, VALID, or what the test gives it to work with.",
            )

    def test_its_result_is_json(self, life: Life) -> None:
        """What a run returns is plain JSON, so that what is kept is what was returned."""
        for call in _left(life.calls, life.execution):
            if not call.is_json:
                fail(
                    f"The run returned {call.outcome}, of which JSON does not keep everything. "
                    f"{life.execution.reason or ''}",
                    mend="return None, or dictionaries with text keys, lists, texts, finite numbers and truth values.",
                )

    def test_a_run_may_be_repeated(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        """An execution that is run again under its id, as after a lost worker, does the same and nothing twice."""
        monkeypatch.setenv(REPEAT, "yes")
        (first,) = bench.run(run_policy=RunPolicy(max_attempts=2))
        if [(call.error, call.is_json) for call in _left(bench.calls, first)] != [(None, True)]:
            pytest.skip(f"its run does not succeed: {first.reason}")
        before = self.world(bench)
        thread = applications.working(lambda: bench.app.worker().run_one(first.id))
        thread.join(bench.seconds)
        again = bench.app.executions.get(first.id)
        if again.status is not ExecutionStatus.SUCCEEDED:
            fail(
                f"The second attempt is {again.status.value}: {again.reason}\n{_traceback(again)}",
                mend="let what the first attempt has done not be in the way of the second.",
            )
        results = [self.essence(call.result) for call in _left(bench.calls, first)]
        if results[0] != results[1]:
            fail(
                f"The first attempt returned {results[0]!r:.500}, the second {results[1]!r:.500}.",
                mend="pass on trigger_execution.id as idempotency key; leave out of `essence` what differs by nature.",
            )
        changed = differences(before, self.world(bench))
        if changed:
            fail(
                f"The second attempt did something once more: {changed}.",
                mend="name what a run makes after trigger_execution.id, or look whether it is there.",
            )

    def test_runs_side_by_side(self, bench: Bench, lived: Life) -> None:
        """Three runs of one action at once all succeed: the handler keeps nothing of a run in itself."""
        for execution in bench.run(times=3):
            if execution.status is not ExecutionStatus.SUCCEEDED:
                fail(
                    f"One of three runs at once is {execution.status.value}: {execution.reason}\n"
                    f"{_traceback(execution)}",
                    mend="keep what belongs to a run in local variables, not in the handler or a module.",
                )

    def test_running_leaves_the_action_as_it_is(self, lived: Life) -> None:
        """A run changes nothing of the action that it runs."""
        action, now = lived.created, lived.after
        if now.model_dump() != action.model_dump():
            fail(
                f"The run brought the action from version {action.version} to {now.version}: "
                f"{now.configuration!r:.500}.",
                mend="keep what runs remember in resources or outside, not in the action.",
            )

    def test_it_works_in_another_process(self, bench: Bench, lived: Life, actium_url: str) -> None:
        """A worker in a fresh process runs what was configured in this one, with nothing but the store between them."""
        action = bench.created()
        started = bench.app.actions.run(action.id, bench.event)
        end = in_child("work", url=actium_url, key=bench.key, reference=reference_of(self.FLAVOR))
        there = bench.app.executions.get(started.id)
        if there.status is not ExecutionStatus.SUCCEEDED:
            fail(
                f"In another process the run is {there.status.value}: {there.reason}\n"
                f"{_traceback(there)}{end.output[-1_000:]}",
                mend="keep nothing between configuring and running but the configuration and the store.",
            )

    # How runs end

    def test_failure_is_a_status(self, bench: Bench, failing_configuration: Configuration | None) -> None:
        """A run that fails is `failed` with a reason, and never a success with an error in it."""
        if failing_configuration is None:
            pytest.skip("no FAILING configuration is named")
        (execution,) = bench.run(failing_configuration)
        if execution.status is not ExecutionStatus.FAILED or not (execution.reason or "").strip(" :"):
            fail(
                f"The run that was to fail is {execution.status.value} with {execution.result!r:.300} and the reason "
                f"{execution.reason!r}.",
                mend="raise an exception that says what went wrong.",
            )

    def test_a_run_ends_when_it_is_cancelled(self, bench: Bench, lasting_configuration: Configuration | None) -> None:
        """A run that is cancelled ends within seconds, as `cancelled`."""
        with self._lasting(bench, lasting_configuration, RunPolicy()) as execution:
            bench.app.executions.cancel(execution.id)
            try:
                over = bench.app.executions.wait(execution.id, END_SECONDS)
            except ExecutionNotEndedError:
                fail(
                    f"The run still goes on {END_SECONDS:g} seconds after it was cancelled.",
                    mend="look at self.cancel_requested(trigger_execution) every now and then, and raise "
                    "ExecutionCancelled; or write `async def run`; or set ISOLATION to 'process'.",
                )
            if over.status is not ExecutionStatus.CANCELLED:
                fail(
                    f"The run was cancelled and is {over.status.value}: {over.reason}.",
                    mend="let ExecutionCancelled and asyncio.CancelledError pass.",
                )

    def test_a_run_ends_when_its_time_is_over(self, bench: Bench, lasting_configuration: Configuration | None) -> None:
        """A run that takes longer than its policy allows ends within seconds, as `failed`, and goes on nowhere."""
        with self._lasting(bench, lasting_configuration, RunPolicy(timeout=TIME_LIMIT)) as execution:
            over = bench.app.executions.wait(execution.id, bench.seconds + END_SECONDS)
            if over.error is None or over.error.type != "ExecutionTimeoutError":
                fail(
                    f"The run had {TIME_LIMIT:g} seconds and is {over.status.value}: {over.reason}.",
                    mend="let ExecutionCancelled and asyncio.CancelledError pass.",
                )
            if bench.handler.ISOLATION == "thread" and not _soon(lambda: bool(_left(bench.calls, execution))):
                fail(
                    f"The run goes on {END_SECONDS:g} seconds after its time was over, and nobody hears of it.",
                    mend="look at self.cancel_requested(trigger_execution), which tells that as well; or write "
                    "`async def run`; or set ISOLATION to 'process'.",
                )

    @contextmanager
    def _lasting(
        self, bench: Bench, configuration: Configuration | None, policy: RunPolicy
    ) -> Iterator[TriggerExecutionResponse]:
        """A run that has begun, and lasts until it is asked to end."""
        if configuration is None:
            pytest.skip("no LASTING configuration is named")
        started = bench.app.actions.run(bench.create(configuration, run_policy=policy).id, bench.event)
        worker = bench.app.worker(concurrency=2, poll_interval=0.05)
        thread = applications.working(worker.run)
        try:
            has_begun = _soon(
                lambda: (
                    any(call.hook == "run_action" for call in bench.calls)
                    or bench.app.executions.get(started.id).status.is_final
                ),
                seconds=bench.seconds,
            )
            now = bench.app.executions.get(started.id)
            if not has_begun or (now.status.is_final and policy.timeout is None):
                fail(
                    f"The run that was to last is {now.status.value}: {now.reason}.",
                    mend="name as LASTING a configuration whose run goes on until it is asked to end.",
                )
            yield now
        finally:
            worker.stop(grace=0)
            thread.join(END_SECONDS)

    # Hooks

    def test_hooks_keep_their_order(self, lived: Life) -> None:
        """Every step of an action's life passes the hook plugins: in by the outermost first, out by it last."""
        for hook in ("create_action", "run_action", "get_action", "delete_action"):
            about = (None, str(lived.execution.id))  # a run that an earlier test has given up may still end
            seen = [(call.who, call.moment) for call in lived.calls if call.hook == hook and call.execution_id in about]
            if seen != [("outer", "entered"), ("inner", "entered"), ("inner", "left"), ("outer", "left")]:
                fail(
                    f"The hook plugins saw of {hook}: {seen or 'nothing'}.",
                    mend="override only the points that BaseActionHandler offers; create_action, update_action, "
                    "delete_action, get_action and event_hub_callback are final.",
                )


def _left(calls: Iterable[RecordedCall], execution: TriggerExecutionResponse) -> list[RecordedCall]:
    """What the innermost hook plugin saw the flavor's runs come to."""
    return [
        call
        for call in calls
        if (call.who, call.hook, call.moment, call.execution_id) == ("inner", "run_action", "left", str(execution.id))
    ]


def _traceback(execution: TriggerExecutionResponse) -> str:
    return "" if execution.error is None else execution.error.traceback or ""


def _soon(condition: Callable[[], bool], *, seconds: float = END_SECONDS) -> bool:
    """Whether something comes true in time."""
    end, pause = time.monotonic() + seconds, threading.Event()
    while not condition():
        if time.monotonic() > end:
            return False
        pause.wait(0.02)
    return True
