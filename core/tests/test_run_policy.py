"""Run policies: how often, how long, how many at once, and until when executions are run."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actium import ActionConfig, Actium, Event, ExecutionStatus, TriggerExecutionResponse, action_flavor, hookimpl
from actium.errors import ExecutionCancelled, InvalidInputError, PermanentError, Retry
from actium.event_hub.worker import Worker
from actium.isolation import UnstorableResultError
from actium.models import (
    ActionRequest,
    ActionResponse,
    ActionUpdate,
    Backoff,
    Concurrency,
    RunPolicy,
    ServiceAccountRequest,
    TriggerExecutionFilter,
)
from actium.stores.records import ExecutionRecord

CreateAction = Callable[..., ActionResponse]
Make = Callable[..., ActionResponse]
AT_ONCE = Backoff(base=0.001)
SECONDS = 30.0


class UpstreamError(Exception):
    """As libraries have one for all that they raise."""


class NoAnswerError(UpstreamError):
    """One of them."""


@contextmanager
def working(app: Actium, **options: Any) -> Iterator[Worker]:
    """A worker that runs in a thread of its own."""
    worker = app.worker(**{"concurrency": 4, "poll_interval": 0.05, **options})
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop()
        thread.join()


@pytest.fixture
def make(app: Actium, create: CreateAction) -> Make:
    """Make an action that runs a function under a policy."""

    def make(run: Callable[..., Any], name: str = "made", **policy: Any) -> ActionResponse:
        app.flavors.register(action_flavor(f"test.{name}")(run))
        return create(name, flavor=f"test.{name}", run_policy=RunPolicy(**policy))

    return make


def told(execution: TriggerExecutionResponse) -> list[str]:
    """How the attempts of an execution ended."""
    return [attempt.status.value for attempt in execution.attempts if attempt.status is not None]


class TestBackoff:
    @given(
        backoff=st.builds(
            Backoff,
            kind=st.sampled_from(["fixed", "exponential"]),
            base=st.floats(0.001, 1e6),
            factor=st.floats(1, 100),
            cap=st.floats(0.001, 1e6),
            jitter=st.booleans(),
        ),
        attempt=st.integers(1, 1_000),
        draw=st.floats(0, 1),
    )
    def test_stays_within_its_bounds(self, backoff: Backoff, attempt: int, draw: float) -> None:
        """No wait is negative or longer than the cap; without jitter it never shrinks, with it it is never longer."""
        waits = [backoff.seconds(number, draw=draw) for number in (attempt, attempt + 1)]
        assert all(0 <= wait <= backoff.cap for wait in waits)
        if not backoff.jitter:
            assert waits[0] <= waits[1]
        assert waits[0] <= backoff.model_copy(update={"jitter": False}).seconds(attempt, draw=draw)

    def test_grows_by_its_factor(self) -> None:
        """An exponential wait is multiplied each time, a fixed one stays."""
        growing = Backoff(base=2, factor=3, cap=50, jitter=False)
        assert [growing.seconds(number, draw=0) for number in range(1, 5)] == [2, 6, 18, 50]
        fixed = Backoff(kind="fixed", base=2, jitter=False)
        assert [fixed.seconds(number, draw=0) for number in range(1, 4)] == [2, 2, 2]

    def test_jitter_is_full(self) -> None:
        """With jitter a wait is the drawn part of the whole time, from nothing on; also of a time that has grown."""
        backoff = Backoff(base=8, factor=2, cap=24)
        assert [backoff.seconds(1, draw=draw) for draw in (0, 0.25, 0.5, 1)] == [0, 2, 4, 8]
        assert [backoff.seconds(number, draw=0.25) for number in (2, 3)] == [4, 6]


class TestPolicies:
    @pytest.mark.parametrize(
        "wrong",
        [
            {"max_attempts": 0},
            {"timeout": 0},
            {"timeout": float("inf")},
            {"deadline": -1},
            {"retry_on": ["not a name"]},
            {"concurrency": {"mode": "single", "maximum": 2}},
            {"concurrency": {"key": "data."}},
            {"backoff": {"factor": 0.5}},
            {"max_atempts": 3},
        ],
    )
    def test_that_cannot_be_are_refused(self, wrong: dict[str, Any]) -> None:
        """A number out of range, and a misspelled field, are refused at the door."""
        with pytest.raises(InvalidInputError):
            RunPolicy(**wrong)

    def test_are_kept_changed_and_cleared(self, app: Actium, create: CreateAction) -> None:
        """A policy is stored with its action, replaced whole by an update, and cleared to the default."""
        action = create(run_policy=RunPolicy(max_attempts=3, timeout=2))
        assert app.actions.get(action.id).run_policy == RunPolicy(max_attempts=3, timeout=2)
        app.actions.update(action.id, ActionUpdate(run_policy=RunPolicy(deadline=5)))
        assert app.actions.get(action.id).run_policy == RunPolicy(deadline=5)
        app.actions.update(action.id, ActionUpdate(description="another"))
        assert app.actions.get(action.id).run_policy == RunPolicy(deadline=5)
        app.actions.update(action.id, ActionUpdate(run_policy=None))
        assert app.actions.get(action.id).run_policy == RunPolicy()


class TestAttempts:
    def test_are_made_until_one_succeeds(self, app: Actium, make: Make) -> None:
        """A failing execution is tried again, with every attempt kept."""

        def run(config: ActionConfig, trigger_execution: TriggerExecutionResponse) -> int:
            if trigger_execution.attempt < 3:
                raise ConnectionError("not yet")
            return trigger_execution.attempt

        execution = app.actions.run(make(run, max_attempts=5, backoff=AT_ONCE).id)
        with working(app):
            ended = app.executions.wait(execution.id, SECONDS)
        assert (ended.status, ended.result) == (ExecutionStatus.SUCCEEDED, 3)
        assert [(attempt.number, attempt.error and attempt.error.type) for attempt in ended.attempts] == [
            (1, "ConnectionError"),
            (2, "ConnectionError"),
            (3, None),
        ]

    def test_end_when_they_are_used_up(self, app: Actium, make: Make) -> None:
        """The last attempt's failure is the execution's, and says which attempt it was."""

        def run(config: ActionConfig) -> None:
            raise ConnectionError("never")

        execution = app.actions.run(make(run, max_attempts=2, backoff=AT_ONCE).id)
        with working(app):
            ended = app.executions.wait(execution.id, SECONDS)
        assert (ended.status, ended.reason) == (ExecutionStatus.FAILED, "ConnectionError: never (attempt 2 of 2)")
        assert told(ended) == ["failed", "failed"]

    def test_wait_for_their_time(self, app: Actium, make: Make) -> None:
        """What is to be tried later is pending until then, and a worker that goes until idle leaves it."""

        def run(config: ActionConfig) -> None:
            raise Retry("the other side is not ready", after=3_600)

        execution = app.actions.run(make(run, max_attempts=2).id)
        assert app.worker().run_until_idle() == 1
        waiting = app.executions.get(execution.id)
        assert waiting.status is ExecutionStatus.PENDING
        assert "the next one waits for its time" in str(waiting.reason)
        assert waiting.body.available is not None
        assert 3_590 < (waiting.body.available - waiting.body.created).total_seconds() < 3_700

    def waits(self, app: Actium, executions: Sequence[UUID]) -> list[float]:
        """How many seconds after their latest attempt executions are to be tried again."""
        records = app.store.get_many(ExecutionRecord, executions)
        ends = [app.executions.get(one).attempts[-1].finished for one in executions]
        return [
            (records[one].available - end).total_seconds()
            for one, end in zip(executions, ends, strict=True)
            if end is not None
        ]

    def test_follow_each_other_at_growing_distances(self, app: Actium, make: Make) -> None:
        """Each failure of an execution is followed by a longer pause than the one before, up to the cap."""

        def run(config: ActionConfig) -> None:
            raise ConnectionError("not yet")

        backoff = Backoff(base=100, factor=3, cap=1_000, jitter=False)
        execution = app.actions.run(make(run, max_attempts=9, backoff=backoff).id)
        worker, waits = app.worker(), list[float]()
        for _ in range(4):
            assert worker.run_one(execution.id) is not None
            waits += self.waits(app, [execution.id])
        assert waits == pytest.approx([100, 300, 900, 1_000], abs=5)

    def test_that_failed_together_do_not_come_back_together(self, app: Actium, make: Make) -> None:
        """With jitter the pauses of many executions are drawn, all over the time that there is."""

        def run(config: ActionConfig) -> None:
            raise ConnectionError("overloaded")

        action = make(run, max_attempts=2, backoff=Backoff(base=1_000))
        executions = [app.actions.run(action.id).id for _ in range(40)]
        assert app.worker().run_until_idle() == 40
        waits = self.waits(app, executions)
        assert len(waits) == 40
        assert -5 < min(waits) < 400  # each of these is missed once in a thousand million times
        assert 600 < max(waits) < 1_005

    @pytest.mark.parametrize(
        "error, retry_on, attempts",
        [
            (PermanentError("wrong input"), None, 1),
            (ConnectionResetError("reset"), ["ConnectionError"], 2),
            (ConnectionResetError("reset"), "builtins.OSError", 2),
            (NoAnswerError("down"), "UpstreamError", 2),
            (ValueError("wrong"), ["ConnectionError"], 1),
            (Retry("again"), ["ConnectionError"], 2),
            (SystemExit(3), None, 1),
            (UnstorableResultError("10 MB"), None, 1),
        ],
    )
    def test_depend_on_the_error(
        self, app: Actium, make: Make, error: BaseException, retry_on: Any, attempts: int
    ) -> None:
        """A permanent error is final, a Retry always another attempt, and others are told by name or base class."""

        def run(config: ActionConfig) -> None:
            raise error

        execution = app.actions.run(make(run, max_attempts=2, retry_on=retry_on, backoff=AT_ONCE).id)
        with working(app):
            ended = app.executions.wait(execution.id, SECONDS)
        assert told(ended) == ["failed"] * attempts

    def test_do_not_begin_after_the_deadline(self, app: Actium, make: Make) -> None:
        """An execution that nobody began in time is skipped, and no attempt is made past its deadline."""
        late = app.actions.run(make(lambda config: "too late", "late", deadline=0.05).id)

        def run(config: ActionConfig) -> None:
            raise ConnectionError("down")

        slowly = Backoff(base=3_600, jitter=False)
        failing = app.actions.run(make(run, "failing", deadline=60, max_attempts=3, backoff=slowly).id)
        threading.Event().wait(0.06)  # until its deadline
        app.worker().run_until_idle()
        skipped = app.executions.get(late.id)
        assert (skipped.status, "deadline" in str(skipped.reason)) == (ExecutionStatus.SKIPPED, True)
        ended = app.executions.get(failing.id)
        assert ended.status is ExecutionStatus.FAILED
        assert "the next attempt would begin after the deadline" in str(ended.reason)


class TestTimeouts:
    def test_of_a_coroutine_cancel_it(self, app: Actium, make: Make) -> None:
        """A coroutine that takes too long is cancelled for real, and the attempt has failed."""
        cancelled = threading.Event()

        async def run(config: ActionConfig) -> None:
            try:
                await asyncio.sleep(SECONDS)
            except asyncio.CancelledError:
                cancelled.set()
                raise

        execution = app.actions.run(make(run, timeout=0.05).id)
        with working(app):
            ended = app.executions.wait(execution.id, SECONDS)
        assert cancelled.is_set()
        assert ended.reason == "ExecutionTimeoutError: The attempt took longer than 0.05 s."

    def test_of_a_thread_ask_it_to_end(self, app: Actium, make: Make) -> None:
        """A handler in a thread sees that it is to end, whatever the worker's concurrency is."""

        def run(config: ActionConfig, trigger_execution: TriggerExecutionResponse, handler: Any) -> None:
            while not handler.cancel_requested(trigger_execution):
                time.sleep(0.005)
            raise ExecutionCancelled("ended as asked")

        execution = app.actions.run(make(run, timeout=0.05).id)
        with working(app, concurrency=1):
            ended = app.executions.wait(execution.id, SECONDS)
        assert (ended.status, ended.error and ended.error.type) == (ExecutionStatus.FAILED, "ExecutionTimeoutError")

    def test_of_a_thread_that_does_not_heed_go_on_without_it(self, app: Actium, make: Make) -> None:
        """A handler that never returns loses its attempt and its place; the worker runs what comes next."""
        may_end = threading.Event()

        def run(config: ActionConfig, trigger_execution: TriggerExecutionResponse) -> str:
            if trigger_execution.event is not None:
                may_end.wait(SECONDS)
            return "done"

        action = make(run, timeout=0.05)
        try:
            with working(app, concurrency=1):
                stuck = app.actions.run(action.id, event=Event(type="x", source="/y"))
                assert app.executions.wait(stuck.id, SECONDS).status is ExecutionStatus.FAILED
                following = app.actions.run(action.id)
                assert app.executions.wait(following.id, SECONDS).result == "done"
        finally:
            may_end.set()
        assert app.executions.get(stuck.id).status is ExecutionStatus.FAILED

    @pytest.mark.parametrize("is_coroutine", [True, False])
    @pytest.mark.parametrize("is_cancelled", [True, False])
    def test_hold_while_nobody_watches(self, url: str, is_coroutine: bool, is_cancelled: bool) -> None:
        """An attempt that ends after its time is over has failed, though the thread that watches tells an observer."""
        telling, ended = threading.Event(), threading.Event()

        class Slow:
            @hookimpl
            def execution_changed(self, trigger_execution: TriggerExecutionResponse) -> None:
                if trigger_execution.name == "quick" and trigger_execution.status.is_final:
                    telling.set()
                    ended.wait(SECONDS)

        async def quick(config: ActionConfig) -> None:
            """Its end is told by the worker's own thread, as no thread runs it."""

        def late(config: ActionConfig) -> str:
            assert telling.wait(SECONDS)
            time.sleep(0.4)
            if is_cancelled:
                raise ExecutionCancelled("it has looked at the clock itself")
            return "too late"

        async def late_coroutine(config: ActionConfig) -> str:
            return await asyncio.to_thread(late, config)

        with Actium(url, hooks=[Slow()]) as app:
            account = app.accounts.create(ServiceAccountRequest(name="robot"))
            actions = []
            for name, run in (("late", late_coroutine if is_coroutine else late), ("quick", quick)):
                app.flavors.register(action_flavor(f"test.{name}")(run))
                policy = RunPolicy(timeout=0.3, max_attempts=2, backoff=Backoff(base=3_600)) if name == "late" else {}
                request = ActionRequest(
                    name=name, plugin_subtype="test", flavor=name, service_account_id=account.id, run_policy=policy
                )
                actions.append(app.actions.create(request))
            with working(app):
                execution = app.actions.run(actions[0].id)
                app.actions.run(actions[1].id)
                assert telling.wait(SECONDS)
                threading.Timer(0.6, ended.set).start()
                assert ended.wait(SECONDS)
            (attempt,) = app.executions.get(execution.id).attempts
        assert (attempt.status, attempt.error and attempt.error.type) == (
            ExecutionStatus.FAILED,
            "ExecutionTimeoutError",
        )
        assert "took longer than 0.3 s. (attempt 1 of 2;" in str(attempt.reason)


def running(watched: Any) -> Callable[..., None]:
    """A handler that is watched."""

    def run(config: ActionConfig, trigger_execution: TriggerExecutionResponse) -> None:
        watched.run(trigger_execution)

    return run


class TestConcurrency:
    @pytest.fixture
    def watched(self) -> Any:
        class Watched:
            """Counts how many of it run at once, by key."""

            def __init__(self) -> None:
                self.lock = threading.Lock()
                self.now: dict[Any, int] = {}
                self.most: dict[Any, int] = {}
                self.order: list[Any] = []

            def run(self, trigger_execution: TriggerExecutionResponse) -> None:
                data = trigger_execution.event.data if trigger_execution.event is not None else {}
                key = data.get("key")
                with self.lock:
                    self.order.append(data.get("number"))
                    self.now[key] = self.now.get(key, 0) + 1
                    self.most[key] = max(self.most.get(key, 0), self.now[key])
                time.sleep(0.01)
                with self.lock:
                    self.now[key] -= 1

        return Watched()

    def start(self, app: Actium, action: ActionResponse, count: int, key: str = "a") -> list[Any]:
        return [
            app.actions.run(action.id, event=Event(type="x", source="/y", data={"key": key, "number": number})).id
            for number in range(count)
        ]

    def test_queued_run_one_after_the_other(self, app: Actium, make: Make, watched: Any) -> None:
        """Queued executions run in the order of arrival, one at a time, however many threads there are."""
        action = make(running(watched), concurrency=Concurrency(mode="queued"))
        started = self.start(app, action, 8)
        with working(app, concurrency=8):
            for execution in started:
                assert app.executions.wait(execution, SECONDS).status is ExecutionStatus.SUCCEEDED
        assert watched.most == {"a": 1}
        assert watched.order == list(range(8))

    def test_a_maximum_bounds_each_kind(self, app: Actium, make: Make, watched: Any) -> None:
        """At most so many of one key run at once; keys do not concern each other."""
        action = make(running(watched), concurrency=Concurrency(maximum=2, key="data.key"))
        started = self.start(app, action, 6, "a") + self.start(app, action, 6, "b")
        with working(app, concurrency=8):
            for execution in started:
                app.executions.wait(execution, SECONDS)
        assert watched.most["a"] <= 2
        assert watched.most["b"] <= 2
        assert app.executions.list(TriggerExecutionFilter(status="succeeded")).total == 12

    def test_single_skips_the_others(self, app: Actium, make: Make) -> None:
        """While one has not ended, others are skipped and name it; the next after it runs."""
        action = make(lambda config: None, concurrency=Concurrency(mode="single"))
        first, second = app.actions.run(action.id), app.actions.run(action.id)
        assert (second.status, str(first.id) in str(second.reason)) == (ExecutionStatus.SKIPPED, True)
        app.worker().run_until_idle()
        third = app.actions.run(action.id)
        app.worker().run_until_idle()
        statuses = [app.executions.get(one.id).status for one in (first, second, third)]
        assert statuses == [ExecutionStatus.SUCCEEDED, ExecutionStatus.SKIPPED, ExecutionStatus.SUCCEEDED]

    def test_restart_cancels_the_others(self, app: Actium, make: Make) -> None:
        """A new one cancels what waits and what runs, and begins when that has ended."""
        began = threading.Event()

        def run(config: ActionConfig, trigger_execution: TriggerExecutionResponse, handler: Any) -> str:
            if trigger_execution.event is None:
                return "the newest"
            began.set()
            while not handler.cancel_requested(trigger_execution):
                time.sleep(0.005)
            raise ExecutionCancelled("made room")

        action = make(run, concurrency=Concurrency(mode="restart"))
        with working(app):
            running = app.actions.run(action.id, event=Event(type="x", source="/y"))
            assert began.wait(SECONDS)
            newest = app.actions.run(action.id)
            assert app.executions.wait(newest.id, SECONDS).result == "the newest"
            assert app.executions.get(running.id).status is ExecutionStatus.CANCELLED

    def test_a_cancelled_one_passes_its_turn_on(self, app: Actium, make: Make) -> None:
        """Cancelling what has the turn, or waits for it, leaves no gap in a queue."""
        action = make(lambda config: None, concurrency=Concurrency(mode="queued"))
        first, second, third = (app.actions.run(action.id) for _ in range(3))
        app.executions.cancel(first.id)
        app.executions.cancel(second.id)
        app.worker().run_until_idle()
        assert app.executions.get(third.id).status is ExecutionStatus.SUCCEEDED

    @pytest.mark.parametrize("latest", [False, True])
    def test_what_is_tried_again_takes_its_turn_as_its_revision_says(
        self, app: Actium, make: Make, latest: bool
    ) -> None:
        """A retry with the latest revision waits for its turn where only that says so; one without does not."""
        action = make(lambda config: None)
        for each in (before := [app.actions.run(action.id) for _ in range(3)]):
            app.executions.cancel(each.id)
        app.actions.update(action.id, ActionUpdate(run_policy=RunPolicy(concurrency=Concurrency(mode="queued"))))
        for each in before:
            app.executions.retry(each.id, latest=latest)
        records = app.store.get_many(ExecutionRecord, [each.id for each in before])
        assert [records[each.id].held for each in before] == [False, latest, latest]
        app.worker().run_until_idle()
        assert app.executions.list(TriggerExecutionFilter(status="succeeded")).total == 3
