"""Workers, and what callers do with executions: wait for them, try them again, and forget them."""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any
from uuid import UUID, uuid4

import pytest

from actium import ActionConfig, Actium, Event, ExecutionStatus, TriggerExecutionResponse, action_flavor
from actium.errors import (
    ConflictError,
    ExecutionFailedError,
    ExecutionNotEndedError,
    InvalidInputError,
    NotFoundError,
    NotReadyError,
    StoreBusyError,
)
from actium.event_hub.worker import Worker
from actium.models import (
    ActionResponse,
    ActionUpdate,
    Backoff,
    EventFilter,
    RunPolicy,
    StepProgress,
    TriggerExecutionFilter,
    TriggerRequest,
)
from actium.stores.claims import Ending
from actium.stores.records import ExecutionRecord, WorkerRecord

CreateAction = Callable[..., ActionResponse]
SECONDS = 30.0


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


def flavor_of(app: Actium, key: str, run: Callable[..., Any]) -> str:
    """Register a flavor made of a function."""
    app.flavors.register(action_flavor(key)(run))
    return key


def on_everything(app: Actium, action: ActionResponse) -> None:
    """A trigger that every event matches."""
    app.triggers.create(TriggerRequest(name=f"on-{action.name}", action_id=action.id, match_all=True))


def arrived(**fields: Any) -> Event:
    return Event(type="com.example.arrived", source="/bucket/raw", **fields)


@contextmanager
def disturbances(folder: Path) -> Iterator[Callable[[], float]]:
    """For how many seconds a machine that others use as well may have held up what is timed inside.

    That is how long the threads of this process had to wait for a processor, as Linux counts it; or how long a thread
    that has nothing to do with Actium took at most to commit to a file of its own, if that is more. On a machine that
    nothing disturbs it is a few milliseconds. A wake-up that is lost, or comes late, is in neither.
    """
    waited, is_over, longest = waited_for_processors(), threading.Event(), [0.0]

    def commit() -> None:
        with closing(sqlite3.connect(folder / "beside.db", isolation_level=None)) as beside:
            beside.execute("PRAGMA journal_mode = WAL")
            beside.execute("CREATE TABLE IF NOT EXISTS beside (number INTEGER)")
            while not is_over.wait(0.001):
                began = time.monotonic()
                beside.execute("INSERT INTO beside VALUES (1)")
                longest.append(time.monotonic() - began)

    thread = threading.Thread(target=commit)
    thread.start()
    try:
        yield lambda: max(*longest, sum(waited_for_processors(since=waited).values()))
    finally:
        is_over.set()
        thread.join()


def waited_for_processors(*, since: Mapping[str, float] = MappingProxyType({})) -> dict[str, float]:
    """Seconds that each thread of this process was ready to run and had no processor; empty where nobody counts it."""
    seconds = dict[str, float]()
    for path in Path("/proc/self/task").glob("*/schedstat"):
        with suppress(OSError):  # it has ended meanwhile
            seconds[path.parent.name] = int(path.read_text().split()[1]) / 1e9 - since.get(path.parent.name, 0.0)
    return seconds


class TestRunning:
    def test_as_many_at_once_as_asked_for(self, app: Actium, create: CreateAction) -> None:
        """Four threads run four handlers at once: each waits until all four are there."""
        together = threading.Barrier(4)
        action = create(flavor=flavor_of(app, "test.meeting", lambda config: together.wait(SECONDS)))
        started = [app.actions.run(action.id).id for _ in range(4)]
        with working(app, concurrency=4):
            results = {app.executions.wait(one, SECONDS).result for one in started}
        assert results == {0, 1, 2, 3}

    def test_a_thousand_coroutines_wait_at_once(self, app: Actium, create: CreateAction) -> None:
        """A thousand handlers that wait need no thousand threads: the last one to come lets all of them go."""
        here, go = 0, asyncio.Event()

        async def run(config: ActionConfig) -> int:
            nonlocal here
            here += 1
            if here == 1_000:
                go.set()
            await go.wait()
            return threading.active_count()

        action = create(flavor=flavor_of(app, "test.waiting", run))
        on_everything(app, action)
        published = app.events.publish_many(arrived() for _ in range(1_000))
        with working(app):
            for one in published:
                ended = app.executions.wait(one.executions[0], SECONDS)
                assert ended.status is ExecutionStatus.SUCCEEDED
                assert ended.result < 50

    @pytest.mark.parametrize("way", ["by hand", "by an event"])
    def test_an_idle_worker_begins_at_once(self, app: Actium, create: CreateAction, tmp_path: Path, way: str) -> None:
        """What this process stores wakes its worker: it begins within 50 ms, each time, whatever the poll interval."""
        began: list[float] = []
        action = create(flavor=flavor_of(app, "test.clock", lambda config: began.append(time.monotonic())))
        on_everything(app, action)

        def store() -> UUID:
            return app.actions.run(action.id).id if way == "by hand" else app.events.publish(arrived()).executions[0]

        late = list[float]()
        with working(app, concurrency=1, poll_interval=SECONDS):
            app.executions.wait(store(), SECONDS)  # it works from now on
            for number in range(30):
                time.sleep(0.003 * (number % 3))  # so that it waits already, or is just about to
                with disturbances(tmp_path) as disturbed:
                    execution_id = store()
                    stored = time.monotonic()
                    app.executions.wait(execution_id, SECONDS)
                late.append(began[-1] - stored - disturbed())
        assert max(late) < 0.05

    def test_another_process_is_noticed_within_a_poll_interval(
        self, url: str, app: Actium, create: CreateAction, tmp_path: Path
    ) -> None:
        """What another process stores is begun by the next look, each time."""
        began = queue.SimpleQueue[float]()
        action = create(flavor=flavor_of(app, "test.clock", lambda config: began.put(time.monotonic())))
        other = f"""
            import time
            from actium import Actium
            with Actium({url!r}) as app:
                while input():
                    app.actions.run({str(action.id)!r})
                    print(time.monotonic(), flush=True)  # which all processes have in common
        """
        command = [sys.executable, "-c", textwrap.dedent(other)]
        late = list[float]()
        with (
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process,
            working(app, concurrency=1, poll_interval=0.2),
        ):
            assert process.stdin is not None
            assert process.stdout is not None
            for number in range(12):
                time.sleep(0.03 * (number % 5))  # so that it looks soon, or has just done so
                with disturbances(tmp_path) as disturbed:
                    print("once more", file=process.stdin, flush=True)
                    stored = float(process.stdout.readline())
                    begun = began.get(timeout=SECONDS)
                late.append(begun - stored - disturbed())
            print(file=process.stdin, flush=True)
        assert max(late[1:]) < 0.2 + 0.05  # the first one may come before the worker is there

    @pytest.mark.parametrize("wrong", [{"concurrency": 0}, {"concurrency": 10_000}, {"lease": 0}, {"poll_interval": 0}])
    def test_numbers_that_cannot_be_are_refused(self, app: Actium, wrong: dict[str, Any]) -> None:
        """A worker is not made of numbers that it could not work with."""
        with pytest.raises(InvalidInputError, match="A worker cannot"):
            app.worker(**wrong)

    @pytest.mark.parametrize("concurrency", [1, 4])
    def test_what_was_claimed_and_not_begun_is_given_back(
        self, app: Actium, create: CreateAction, concurrency: int
    ) -> None:
        """A worker that stops ends what runs, gives back the rest, and counts no attempt for that."""
        running: list[Worker] = []
        given_back = threading.Event()

        def run(config: ActionConfig) -> None:
            running[0].stop()
            while not given_back.is_set():
                given_back.wait(0.001)
                if app.executions.list(TriggerExecutionFilter(status="pending")).total:
                    given_back.set()  # what no thread had begun with

        action = create(flavor=flavor_of(app, "test.stopping", run))
        on_everything(app, action)
        app.events.publish_many(arrived() for _ in range(40))
        running.append(app.worker(concurrency=concurrency))
        running[0]._pace._mean_seconds = 0.0  # so that it claims many at once
        running[0].run()
        left = app.executions.list(TriggerExecutionFilter(status="pending", max_size=100)).items
        assert 0 < len(left) < 40
        app.worker().run_until_idle()
        assert app.executions.list(TriggerExecutionFilter(status="succeeded")).total == 40

    def test_what_does_not_end_in_time_is_given_back(self, app: Actium, create: CreateAction) -> None:
        """After the grace time a coroutine is cancelled, and its execution is there for other workers."""
        began = threading.Event()

        async def run(config: ActionConfig, trigger_execution: TriggerExecutionResponse) -> str:
            if trigger_execution.attempt == 1:
                began.set()
                await asyncio.sleep(SECONDS)
            return "done"

        execution = app.actions.run(create(flavor=flavor_of(app, "test.slow", run)).id)
        worker = app.worker()
        thread = threading.Thread(target=worker.run)
        thread.start()
        assert began.wait(SECONDS)
        worker.stop(grace=0)
        thread.join(SECONDS)
        given_back = app.executions.get(execution.id)
        assert (given_back.status, given_back.attempts[0].reason) == (
            ExecutionStatus.PENDING,
            "its worker was stopped",
        )
        app.worker().run_until_idle()
        assert app.executions.get(execution.id).result == "done"

    def test_a_lost_lease_loses_what_runs(self, app: Actium, create: CreateAction) -> None:
        """A worker whose executions others have taken over records nothing of them, and goes on under a new name."""
        names: list[str] = []

        def run(config: ActionConfig, trigger_execution: TriggerExecutionResponse) -> str:
            (worker,) = app.store.workers()
            names.append(worker.name)
            if trigger_execution.attempt == 1:
                app.store.remove_worker(worker.name, reason="it slept")
                return "too late"
            return "in time"

        execution = app.actions.run(create(flavor=flavor_of(app, "test.sleepy", run)).id)
        with working(app, concurrency=1):
            ended = app.executions.wait(execution.id, SECONDS)
        assert ended.result == "in time"
        assert str(ended.attempts[0].reason).startswith("it slept")
        assert len(set(names)) == 2

    def test_a_thread_that_cannot_record_leaves_it_to_its_worker(
        self, app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An end that the store does not take at first is recorded by the worker when it tries again."""
        exchange, refused = app.store.exchange, list[str]()

        def refusing(worker: str, endings: Sequence[Ending] = (), **options: Any) -> Any:
            if endings and len(refused) < 3:
                refused.append(threading.current_thread().name)
                raise StoreBusyError("Others write.", hint="Try again.")
            return exchange(worker, endings, **options)

        monkeypatch.setattr(app.store, "exchange", refusing)
        with working(app, concurrency=1):
            execution = app.actions.run(create().id)
            ended = app.executions.wait(execution.id, SECONDS)
        assert (ended.status, len(ended.attempts)) == (ExecutionStatus.SUCCEEDED, 1)
        assert len(refused) == 3
        assert refused.count(refused[-1]) >= 2  # its own thread tries again, and the other leaves it to that

    def test_an_execution_that_ends_its_workers_is_stopped(self, app: Actium, create: CreateAction) -> None:
        """What was lost with its worker three times has failed, and says that it seems to be the cause."""
        execution = app.actions.run(create().id)
        for name in ("w1", "w2", "w3"):
            app.store.register_worker(
                WorkerRecord(name=name, host="another", process=1, lease=30, beat=0, started=datetime.now(UTC))
            )
            assert app.store.exchange(name, limit=1).claims
            app.store.remove_worker(name, reason="its process died")
        ended = app.executions.get(execution.id)
        assert ended.status is ExecutionStatus.FAILED
        assert "happened 3 times" in str(ended.reason)
        assert len(ended.attempts) == 3


class TestChains:
    def test_an_action_that_triggers_itself_ends(self, app: Actium, create: CreateAction) -> None:
        """A chain of executions that lead to one another ends after eight, with that reason."""

        def run(config: ActionConfig, handler: Any) -> None:
            handler.event_hub.publish_event(arrived())

        on_everything(app, create(flavor=flavor_of(app, "test.echoing", run)))
        app.events.publish(arrived())
        assert app.worker().run_until_idle() == 8
        (skipped,) = app.executions.list(TriggerExecutionFilter(status="skipped")).items
        assert "number 9 in a chain of executions" in str(skipped.reason)

    def test_an_action_that_replays_its_event_ends(self, app: Actium, create: CreateAction) -> None:
        """What a handler replays is one further in its chain, though the event is the same; by hand it is not."""
        runs: list[Any] = []

        def run(config: ActionConfig, trigger_execution: TriggerExecutionResponse, handler: Any) -> None:
            runs.append(trigger_execution.id)
            app.events.replay(published.id)

        on_everything(app, create(flavor=flavor_of(app, "test.loop", run)))
        published = app.events.publish(arrived())
        app.worker().run_until_idle()
        assert len(runs) == 8
        (skipped,) = app.executions.list(TriggerExecutionFilter(status="skipped")).items
        assert "number 9 in a chain of executions" in str(skipped.reason)
        app.events.replay(published.id)
        app.worker().run_until_idle()
        assert len(runs) == 16

    @pytest.mark.parametrize("longest", [1, 3, 12])
    def test_may_be_as_long_as_their_action_says(self, app: Actium, create: CreateAction, longest: int) -> None:
        """The run policy of the action that would make it longer decides; others may go further."""
        flavor = flavor_of(app, "test.loop", lambda config: app.events.publish(arrived()))
        on_everything(app, create("bounded", flavor=flavor, run_policy=RunPolicy(max_chain=longest)))
        app.events.publish(arrived())
        assert app.worker().run_until_idle() == longest
        (skipped,) = app.executions.list(TriggerExecutionFilter(status="skipped")).items
        assert f"number {longest + 1} in a chain" in str(skipped.reason)
        assert f"{longest} are allowed" in str(skipped.reason)

    def test_a_coroutine_that_triggers_itself_ends(self, app: Actium, create: CreateAction) -> None:
        """Events that a handler publishes as a coroutine belong to the chain, whichever thread stores them."""

        async def run(config: ActionConfig) -> None:
            await app.events.apublish(arrived())

        on_everything(app, create(flavor=flavor_of(app, "test.echoing", run)))
        app.events.publish(arrived())
        assert app.worker().run_until_idle() == 8

    def test_events_name_what_led_to_them(self, app: Actium, create: CreateAction) -> None:
        """What an execution publishes is caused by it, and correlated with what began the chain; async ones as well."""

        async def run(config: ActionConfig, trigger_execution: TriggerExecutionResponse, handler: Any) -> None:
            if trigger_execution.event is not None and trigger_execution.event.type == "com.example.arrived":
                await asyncio.sleep(0)
                handler.event_hub.publish_event(Event(type="com.example.stored", source="/here"))

        on_everything(app, create(flavor=flavor_of(app, "test.passing", run)))
        first = app.events.publish(arrived(correlationid="order-7"))
        app.worker().run_until_idle()
        (stored,) = app.events.list(EventFilter(type="com.example.stored"), hydrate=True).items
        assert stored.event.extensions() == {"correlationid": "order-7", "causationid": str(first.executions[0])}

    def test_an_event_that_is_passed_on_stays_in_its_chain(self, app: Actium, create: CreateAction) -> None:
        """In a handler the cause is the execution, whatever an event says; outside of all, an event stays as it is."""

        async def run(config: ActionConfig, trigger_execution: TriggerExecutionResponse, handler: Any) -> None:
            if trigger_execution.event is not None and trigger_execution.event.type == "com.example.arrived":
                copy = {"type": "com.example.copy", "source": "/copies"}
                handler.event_hub.publish_event(trigger_execution.event.model_copy(update=copy))

        on_everything(app, create(flavor=flavor_of(app, "test.passing", run)))
        given = {"correlationid": "order-7", "causationid": "message-3"}
        first = app.events.publish(arrived(**given))
        app.worker().run_until_idle()
        assert app.events.get(first.id).event.extensions() == given
        (copy,) = app.events.list(EventFilter(type="com.example.copy"), hydrate=True).items
        assert copy.event.extensions() == {"correlationid": "order-7", "causationid": str(first.executions[0])}

    def test_an_event_that_is_handed_on_by_hand_is_the_same(self, app: Actium, create: CreateAction) -> None:
        """A handler may run another action with the event that it was run for; what causes that is no part of it."""
        other = create("other")

        def run(config: ActionConfig, trigger_execution: TriggerExecutionResponse, handler: Any) -> str:
            assert trigger_execution.event is not None
            return str(handler.event_hub.trigger_action(other.id, trigger_execution.event).id)

        on_everything(app, create(flavor=flavor_of(app, "test.handing", run)))
        published = app.events.publish(arrived(correlationid="order-7"))
        app.worker().run_until_idle()
        handed = app.executions.get(app.executions.get(published.executions[0]).result)
        assert handed.event == app.events.get(published.id).event
        assert handed.event.extensions() == {"correlationid": "order-7"}


class TestWaiting:
    def test_ends_with_the_execution(self, app: Actium, create: CreateAction) -> None:
        """Waiting gives the execution in its final state; for one that has ended at once."""
        execution = app.actions.run(create().id)
        with working(app):
            assert app.executions.wait(execution.id, SECONDS).status is ExecutionStatus.SUCCEEDED
        assert app.executions.wait(execution.id, 0).status is ExecutionStatus.SUCCEEDED

    def test_has_a_limit(self, app: Actium, create: CreateAction) -> None:
        """What does not end in time is told, and goes on."""
        execution = app.actions.run(create().id)
        with pytest.raises(ExecutionNotEndedError, match=r"is still pending after 0\.01 s"):
            app.executions.wait(execution.id, 0.01)
        cancelled = threading.Timer(0.05, app.executions.cancel, [execution.id])
        cancelled.start()
        assert app.executions.wait(execution.id, SECONDS).status is ExecutionStatus.CANCELLED
        cancelled.join()

    @pytest.mark.parametrize("kind", ["sync", "async"])
    def test_gives_what_reading_gives(self, app: Actium, create: CreateAction, kind: str) -> None:
        """Whoever waits in the worker's process gets what is stored, however the execution ended."""

        def end(config: ActionConfig, trigger_execution: TriggerExecutionResponse, handler: Any) -> Any:
            how = trigger_execution.event.data["how"] if trigger_execution.event else ""
            if how == "fail" or (how == "try again" and trigger_execution.attempt == 1):
                raise ConnectionError("refused")
            if how == "tell":
                handler.report_progress(trigger_execution, [StepProgress(name="half", status="running")])
            return {"how": how}

        async def end_later(config: ActionConfig, trigger_execution: TriggerExecutionResponse, handler: Any) -> Any:
            await asyncio.sleep(0)
            return end(config, trigger_execution, handler)

        run = end if kind == "sync" else end_later
        policy = RunPolicy(max_attempts=2, backoff=Backoff(base=0.001, jitter=False))
        on_everything(app, create(flavor=flavor_of(app, "test.ends", run), run_policy=policy))
        ways = ("return", "fail", "try again", "tell")
        with working(app, concurrency=2):
            published = app.events.publish_many(arrived(data={"how": how}) for how in ways)
            waited = [app.executions.wait(one.executions[0], SECONDS) for one in published]
        assert waited == [app.executions.get(one.id) for one in waited]
        assert [one.attempt for one in waited] == [1, 2, 2, 1]
        assert [one.name for one in waited[3].progress] == ["half"]

    def test_looks_seldom_between_attempts(self, app: Actium, create: CreateAction) -> None:
        """Who waits for an execution that is tried again looks once an attempt and a quarter of a second, no more."""
        tries = iter((ConnectionError("not yet"), None))

        def run(config: ActionConfig, trigger_execution: TriggerExecutionResponse) -> None:
            error = next(tries)
            if error is not None:
                raise error

        policy = {"max_attempts": 2, "backoff": {"base": 0.6, "jitter": False}}
        action = create(flavor=flavor_of(app, "test.tried", run), run_policy=policy)
        execution = app.actions.run(action.id)
        looks, get = [], app.store.get

        def counted(kind: Any, record_id: Any) -> Any:
            looks.append(kind)
            return get(kind, record_id)

        with working(app):
            app.store.get = counted  # type: ignore[method-assign]  # counts, and does what it did
            assert app.executions.wait(execution.id, SECONDS).attempt == 2
        assert len([kind for kind in looks if kind is ExecutionRecord]) < 12

    def test_of_what_its_worker_has_lost(self, app: Actium, create: CreateAction) -> None:
        """Who waits for what a worker of this process has in hand is told of its end by another all the same."""
        begun, goes_on = threading.Event(), threading.Event()

        def run(config: ActionConfig, trigger_execution: TriggerExecutionResponse) -> str:
            begun.set()
            goes_on.wait(SECONDS)
            return "late"

        on_everything(app, create(flavor=flavor_of(app, "test.held", run)))
        with working(app) as worker:
            app.executions.wait(app.actions.run(create(name="first").id).id, SECONDS)  # it works from now on
            execution_id = app.events.publish(arrived()).executions[0]
            assert begun.wait(SECONDS)
            app.store.remove_worker(worker.name, reason="it was taken for dead")
            app.executions.cancel(execution_id)
            try:
                assert app.executions.wait(execution_id, SECONDS).status is ExecutionStatus.CANCELLED
            finally:
                goes_on.set()

    def test_in_coroutines(self, app: Actium, create: CreateAction) -> None:
        """Coroutines publish, wait and get results without holding each other up; failures are raised."""

        def run(config: ActionConfig, trigger_execution: TriggerExecutionResponse) -> Any:
            assert trigger_execution.event is not None
            return 10 / trigger_execution.event.data

        on_everything(app, create(flavor=flavor_of(app, "test.dividing", run)))

        async def result(divisor: int) -> Any:
            published = await app.events.apublish(arrived(data=divisor))
            return await app.executions.await_result(published.executions[0])

        async def results() -> list[Any]:
            async with asyncio.timeout(SECONDS):
                return await asyncio.gather(*map(result, range(20)), return_exceptions=True)

        with working(app):
            failed, *divided = asyncio.run(results())
        assert divided == [10 / divisor for divisor in range(1, 20)]
        assert isinstance(failed, ExecutionFailedError)
        assert "has failed: ZeroDivisionError: division by zero" in str(failed)

    def test_of_a_publication_that_fails_is_told(self, app: Actium) -> None:
        """A store that cannot take an event tells every coroutine that waits for it."""
        app.store.close()

        async def publish() -> list[Any]:
            return await asyncio.gather(*(app.events.apublish(arrived()) for _ in range(3)), return_exceptions=True)

        assert {type(error).__name__ for error in asyncio.run(publish())} == {"StoreClosedError"}


class TestPublishingMany:
    def test_gives_each_its_result(self, app: Actium, create: CreateAction) -> None:
        """Many events are stored as if one by one: known ones are told as such, also within one call."""
        on_everything(app, create())
        app.events.publish(arrived(id="0"))
        published = app.events.publish_many(arrived(id=name) for name in ("0", "1", "1", "2"))
        assert [one.duplicate for one in published] == [True, False, True, False]
        assert published[1].executions == published[2].executions
        assert app.executions.list().total == 3

    def test_is_all_or_nothing(self, app: Actium, create: CreateAction) -> None:
        """When one of the events of a transaction cannot be stored, none of them is."""
        on_everything(app, create())
        broken = arrived().model_copy(update={"source": "half \ud800"})  # past the doors, which would refuse it
        with pytest.raises(InvalidInputError, match="surrogates"):
            app.events.publish_many([arrived(), broken])
        assert app.events.list().total == 0
        assert app.executions.list().total == 0


class TestAgain:
    def failing(self, app: Actium, create: CreateAction) -> tuple[ActionResponse, list[str]]:
        """An action that fails until told otherwise."""
        state = ["broken"]

        def run(config: ActionConfig) -> str:
            if state == ["broken"]:
                raise ValueError("broken")
            return state[0]

        return create(flavor=flavor_of(app, "test.mended", run)), state

    def test_a_failed_execution_is_retried(self, app: Actium, create: CreateAction) -> None:
        """A retry keeps the execution and its attempts, and runs the revision that it had unless told otherwise."""
        action, state = self.failing(app, create)
        execution = app.actions.run(action.id)
        app.worker().run_until_idle()
        app.actions.update(action.id, ActionUpdate(description="newer"))
        again = app.executions.retry(execution.id)
        assert (again.id, again.status, again.body.action_revision) == (execution.id, ExecutionStatus.PENDING, 1)
        app.worker().run_until_idle()
        state[0] = "mended"
        assert app.executions.retry(execution.id, latest=True).body.action_revision == 2
        app.worker().run_until_idle()
        ended = app.executions.get(execution.id)
        assert ended.result == "mended"
        assert [attempt.status.value for attempt in ended.attempts if attempt.status] == [
            "failed",
            "failed",
            "succeeded",
        ]
        with pytest.raises(ConflictError, match="is succeeded"):
            app.executions.retry(execution.id)

    def test_all_failed_ones_are_retried(self, app: Actium, create: CreateAction) -> None:
        """Dead executions are retried in bulk by filter; others stay as they are."""
        action, state = self.failing(app, create)
        failed = [app.actions.run(action.id).id for _ in range(3)]
        app.worker().run_until_idle()
        other = app.actions.run(create("other").id)
        state[0] = "mended"
        assert app.executions.retry_all(TriggerExecutionFilter(action_id=uuid4())) == ()
        assert {one.id for one in app.executions.retry_all()} == set(failed)
        app.worker().run_until_idle()
        assert {app.executions.get(one).result for one in failed} == {"mended"}
        assert app.executions.get(other.id).status is ExecutionStatus.SUCCEEDED

    def test_nothing_is_left_to_run_of_a_deleted_action(self, app: Actium, create: CreateAction) -> None:
        """An execution whose action is gone is not retried, alone or in bulk."""
        action, _ = self.failing(app, create)
        execution = app.actions.run(action.id)
        app.worker().run_until_idle()
        app.actions.delete(action.id)
        with pytest.raises(NotReadyError, match="deleted"):
            app.executions.retry(execution.id)
        assert app.executions.retry_all() == ()

    def test_an_event_is_replayed(self, app: Actium, create: CreateAction) -> None:
        """A stored event is matched with the triggers of now, and leads to new executions beside the old ones."""
        published = app.events.publish(arrived(data=7))
        assert published.executions == ()
        on_everything(app, create())
        replayed = app.events.replay(published.id)
        assert (replayed.id, len(replayed.executions), replayed.duplicate) == (published.id, 1, False)
        again = app.events.replay(published.id)
        app.worker().run_until_idle()
        assert app.executions.get(again.executions[0]).result["data"] == 7
        assert app.events.get(published.id).get_metadata().executions == (*replayed.executions, *again.executions)
        with pytest.raises(NotFoundError):
            app.events.replay(uuid4())


class TestRetention:
    def test_what_is_over_and_old_goes(self, app: Actium, create: CreateAction, tmp_path: Path) -> None:
        """Executions that have ended, events that nothing needs and old tokens go; what waits stays with its event."""
        on_everything(app, create())
        done = app.events.publish(arrived())
        app.worker().run_until_idle()
        waiting = app.events.publish(arrived())
        assert not app.retention.prune(timedelta(days=1))
        seen: list[int] = []
        pruned = app.retention.prune(timedelta(0), on_batch=lambda sum_: seen.append(sum_.executions))
        assert (pruned.executions, pruned.events, seen[-1]) == (1, 1, 1)
        with pytest.raises(NotFoundError):
            app.events.get(done.id)
        assert app.events.get(waiting.id).get_metadata().executions == waiting.executions
        assert app.store.check() == ()

    def test_failed_ones_may_stay(self, app: Actium, create: CreateAction) -> None:
        """With ``keep_failed`` the failures stay, with their attempts."""

        def run(config: ActionConfig) -> None:
            raise ValueError("look at me later")

        policy = RunPolicy(max_attempts=2, backoff={"base": 0.001})
        execution = app.actions.run(create(flavor=flavor_of(app, "test.failing", run), run_policy=policy).id)
        with working(app):
            app.executions.wait(execution.id, SECONDS)
        assert not app.retention.prune(timedelta(0), keep_failed=True)
        assert len(app.executions.get(execution.id).attempts) == 2
        assert app.retention.prune(timedelta(0)).executions == 1

    def test_goes_in_batches(self, app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch) -> None:
        """However much is pruned, each transaction is small."""
        monkeypatch.setattr("actium.app.retention.BATCH", 10)
        app.events.publish_many(arrived() for _ in range(35))
        sums: list[int] = []
        app.retention.prune(timedelta(0), on_batch=lambda sum_: sums.append(sum_.events))
        assert sums == [10, 20, 30, 35]

    @pytest.mark.parametrize("age", [timedelta(days=-1), timedelta.max])
    def test_ages_that_cannot_be_are_refused(self, app: Actium, age: timedelta) -> None:
        """Neither the future nor the time before the calendar is pruned."""
        with pytest.raises(InvalidInputError, match="An age of"):
            app.retention.prune(age)

    def test_totals_follow(self, app: Actium, url: str, create: CreateAction) -> None:
        """Listings tell how many events and executions there are, as they come and go, in each project its own."""
        on_everything(app, create())
        with Actium(url, project="other") as other:
            app.events.publish_many(arrived(id=str(number)) for number in range(5))
            other.events.publish(arrived())
            assert (app.events.list().total, app.executions.list().total) == (5, 5)
            assert (other.events.list().total, other.executions.list().total) == (1, 0)
            app.worker().run_until_idle()
            app.retention.prune(timedelta(0))
            assert (app.events.list().total, app.executions.list().total) == (0, 0)
            assert other.events.list().total == 0


class TestAwaiting:
    """Coroutines that wait for executions to end."""

    def test_many_wait_at_once(self, app: Actium, create: CreateAction) -> None:
        """Each of a hundred coroutines, some for the same execution, gets its own end; they look together."""
        action = create(flavor=flavor_of(app, "test.quick", lambda config, trigger_execution: trigger_execution.name))
        executions = [app.actions.run(action.id) for _ in range(50)]
        looks: list[int] = []
        get_many = app.store.get_many

        def counted(kind: Any, ids: Any) -> Any:
            looks.append(len(ids))
            return get_many(kind, ids)

        app.store.get_many = counted  # type: ignore[method-assign]  # counts, and does what it did

        async def wait_for_all() -> list[TriggerExecutionResponse]:
            return await asyncio.gather(*(app.executions.await_end(one.id) for one in executions * 2))

        with working(app):
            ended = asyncio.run(wait_for_all())
        assert [one.id for one in ended] == [one.id for one in executions * 2]
        assert {one.result for one in ended} == {action.name}
        assert len({id(one) for one in ended}) == 100  # whoever gets one may change it
        assert max(looks) > 1

    def test_one_that_gives_up_disturbs_nobody(self, app: Actium, create: CreateAction) -> None:
        """A coroutine that is cancelled while it waits leaves the others of the same execution waiting."""
        execution = app.actions.run(create().id)

        async def wait() -> TriggerExecutionResponse:
            impatient = asyncio.ensure_future(app.executions.await_end(execution.id))
            patient = asyncio.ensure_future(app.executions.await_end(execution.id))
            await asyncio.sleep(0)
            impatient.cancel()
            await asyncio.get_running_loop().run_in_executor(None, app.worker().run_until_idle)
            return await patient

        assert asyncio.run(wait()).status is ExecutionStatus.SUCCEEDED

    def test_what_another_process_ends(self, app: Actium, create: CreateAction) -> None:
        """An end that nobody in this process announces is seen at the next look."""
        execution = app.actions.run(create().id)

        async def wait() -> TriggerExecutionResponse:
            waiting = asyncio.ensure_future(app.executions.await_end(execution.id))
            await asyncio.sleep(0)
            app.store.request_cancel(execution.id)
            return await waiting

        assert asyncio.run(wait()).status is ExecutionStatus.CANCELLED

    @pytest.mark.parametrize("reference", [uuid4(), "0000"])
    def test_what_is_not_there(self, app: Actium, reference: Any) -> None:
        """Waiting for what does not exist is refused at once."""
        with pytest.raises(NotFoundError):
            asyncio.run(app.executions.await_end(reference))
