"""What goes wrong around an execution has a defined end: the disk, the file, clocks, and handlers that misbehave."""

from __future__ import annotations

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from actium import ActionConfig, Actium, Event, ExecutionStatus, TriggerExecutionResponse, action_flavor
from actium.errors import StoreClosedError, StoreError
from actium.event_hub.conclusions import Conclusions
from actium.event_hub.leases import Leases
from actium.event_hub.outcomes import MAX_RESULT_BYTES
from actium.event_hub.strays import Strays
from actium.event_hub.worker import Worker
from actium.models import (
    ActionRequest,
    ActionResponse,
    RunPolicy,
    ServiceAccountRequest,
    TriggerExecutionFilter,
    TriggerRequest,
)
from actium.stores.claims import Ending, Outcome
from actium.stores.records import WorkerRecord

CreateAction = Callable[..., ActionResponse]
Working = Callable[..., AbstractContextManager[Worker]]
SECONDS = 30.0
SUCCEEDED = ExecutionStatus.SUCCEEDED
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@contextmanager
def working(app: Actium, **options: Any) -> Iterator[Worker]:
    """A worker that runs in a thread of its own."""
    worker = app.worker(**{"concurrency": 2, "poll_interval": 0.05, **options})
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield worker
    finally:
        worker.stop(grace=0)
        thread.join(SECONDS)
        assert not thread.is_alive()


def flavor_of(app: Actium, key: str, run: Callable[..., Any]) -> str:
    """Register a flavor made of a function."""
    app.flavors.register(action_flavor(key)(run))
    return key


def ended_of(app: Actium, create: CreateAction, run: Callable[..., Any]) -> TriggerExecutionResponse:
    """What one execution of a handler comes to."""
    execution = app.actions.run(create(flavor=flavor_of(app, "test.fault", run)).id)
    with working(app):
        return app.executions.wait(execution.id, SECONDS)


# The disk

FULL_DISK = """
import resource, signal, sys
from actium import Actium, Event, action_flavor
from actium.errors import StoreError
from actium.models import ActionRequest, ServiceAccountRequest, TriggerRequest

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # writing further is an error then, and not the end

with Actium(sys.argv[1]) as app:
    app.flavors.register(action_flavor("test.nothing")(lambda config: None))
    robot = app.accounts.create(ServiceAccountRequest(name="robot"))
    request = ActionRequest(name="a", plugin_subtype="test", flavor="nothing", service_account_id=robot.id)
    action = app.actions.create(request)
    app.triggers.create(TriggerRequest(name="t", action_id=action.id, match_all=True))
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
    acknowledged = []
    for number in range(10_000):
        try:
            published = app.events.publish(Event(id=str(number), type="a", source="/s", data="x" * 1000))
        except StoreError as error:
            refusal = error
            break
        acknowledged += map(str, published.executions)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    again = app.events.publish(Event(id=str(number), type="a", source="/s", data="x" * 1000))
    print(type(refusal).__name__, again.duplicate, *acknowledged, *again.executions, sep="\\n")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of files are POSIX")
def test_a_full_disk_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """When the log cannot grow, publishing is refused in Actium's words, and goes on when there is room again."""
    url = f"sqlite:///{tmp_path}/actium.db"
    done = subprocess.run([sys.executable, "-c", FULL_DISK, url], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    refusal, duplicate, *acknowledged = done.stdout.split()
    assert (refusal, duplicate) == ("StoreError", "False")
    with Actium(url) as app:
        assert app.store.check() == ()
        pending = app.executions.list(TriggerExecutionFilter(status="pending", max_size=10_000)).items
        assert {str(execution.id) for execution in pending} == set(acknowledged)


class FailingConnection(sqlite3.Connection):
    """A connection whose statements of one beginning fail, as on a broken disk, while that is asked for."""

    fails = ""

    def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        if self.fails and sql.startswith(self.fails):
            raise sqlite3.OperationalError("disk I/O error")
        return super().execute(sql, *arguments)


@pytest.mark.parametrize("statement", ["COMMIT", "BEGIN", "UPDATE executions", "INSERT INTO events"])
def test_an_error_of_the_disk_is_told_and_nothing_is_half_done(
    url: str, monkeypatch: pytest.MonkeyPatch, statement: str
) -> None:
    """A publisher is told that nothing is stored; a worker goes on, and records what it ran once the disk is well."""
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *given, **named: connect(*given, factory=FailingConnection, **named))
    ran = threading.Event()

    def run(config: ActionConfig) -> str:
        if not ran.is_set():
            monkeypatch.setattr(FailingConnection, "fails", statement)
            ran.set()
        return "done"

    with Actium(url) as app:
        app.flavors.register(action_flavor("test.fault")(run))
        robot = app.accounts.create(ServiceAccountRequest(name="robot"))
        request = ActionRequest(name="a", plugin_subtype="test", flavor="fault", service_account_id=robot.id)
        app.triggers.create(TriggerRequest(name="t", action_id=app.actions.create(request).id, match_all=True))
        first = app.events.publish(Event(id="1", type="a", source="/s"))
        with working(app):
            assert ran.wait(SECONDS)
            if statement != "UPDATE executions":
                with pytest.raises(StoreError, match="disk I/O error"):
                    app.events.publish(Event(id="2", type="a", source="/s"))
            monkeypatch.setattr(FailingConnection, "fails", "")
            second = app.events.publish(Event(id="2", type="a", source="/s"))
            assert not second.duplicate
            assert app.executions.wait(first.executions[0], SECONDS).result == "done"
            monkeypatch.setattr(FailingConnection, "fails", "")


@pytest.mark.skipif(sys.platform == "win32", reason="an open file cannot be deleted there")
@pytest.mark.parametrize("comes_back", [False, True])
def test_a_file_that_is_deleted(
    app: Actium, create: CreateAction, tmp_path: Path, caplog: pytest.LogCaptureFixture, *, comes_back: bool
) -> None:
    """Nothing is acknowledged that is written to a file which nobody can find; a worker says so until it is stopped."""
    app.actions.run(create().id)
    for file in tmp_path.glob("actium.db*"):
        file.unlink()
    if comes_back:
        Actium(f"sqlite:///{tmp_path}/actium.db").close()  # another process makes a new one
    with pytest.raises(StoreError, match="replaced by another" if comes_back else "deleted"):
        app.events.publish(Event(type="a", source="/s"))
    with pytest.raises(StoreError):
        app.worker().run_until_idle()
    worker = app.worker(poll_interval=0.01)
    thread = threading.Thread(target=worker.run)
    thread.start()
    while "tries again" not in caplog.text and thread.is_alive():
        thread.join(0.01)
    worker.stop(grace=0)
    thread.join(SECONDS)
    assert not thread.is_alive()


def test_a_file_that_becomes_read_only_is_told(app: Actium, create: CreateAction, monkeypatch: Any) -> None:
    """A worker on a store that nobody may write to any more says so and tries again; it ends when it is asked to."""
    execution = app.actions.run(create(flavor=flavor_of(app, "test.fault", lambda config: "done")).id)
    with app.store._database.writing():  # type: ignore[attr-defined]  # there is no public way to break a store
        pass
    connection = app.store._database._writer.connection  # type: ignore[attr-defined]
    connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StoreError):
        app.events.publish(Event(type="a", source="/s"))
    with working(app):
        assert app.executions.get(execution.id).status is ExecutionStatus.PENDING
        connection.execute("PRAGMA query_only = OFF")
        assert app.executions.wait(execution.id, SECONDS).result == "done"


# Clocks


class Clock:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize("jump", ["1970-01-02", "2199-01-01"])
def test_a_wall_clock_that_jumps_takes_no_work_away(app: Actium, jump: str) -> None:
    """Whether a worker on another machine is alive is seen from its beats, whatever year its clock or ours says."""
    clock = Clock()
    strays = Strays(app.store, in_hand=set[UUID])
    looking = Leases(app.store, on_takeover=lambda: None, strays=strays, clock=clock)
    app.store.register_worker(
        WorkerRecord(
            name="far",
            host="elsewhere",
            process=1,
            lease=30.0,
            beat=0,
            started=NOW,
        )
    )
    with closing(sqlite3.connect(app.store.url.removeprefix("sqlite:///"))) as connection:
        connection.execute("UPDATE workers SET started = ?", (f"{jump}T00:00:00.000000+00:00",))
        connection.commit()
    looking.look()
    clock.now += 29
    app.store.beat("far")
    looking.look()
    clock.now += 29
    looking.look()
    assert [worker.name for worker in app.store.workers()] == ["far"]
    clock.now += 2
    looking.look()
    assert app.store.workers() == ()


# Workers that were lost and are not gone


def test_a_late_ending_beside_that_of_the_next_attempt(app: Actium, create: CreateAction) -> None:
    """A worker that was lost records the endings of its old name with those of its new one: only the latter count."""
    execution = app.actions.run(create(run_policy=RunPolicy(max_attempts=3)).id)
    claims = []
    for name in ("old", "new"):
        app.store.register_worker(WorkerRecord(name=name, host="elsewhere", process=1, lease=30.0, beat=0, started=NOW))
        claims += app.store.exchange(name, limit=1).claims
        if name == "old":
            app.store.remove_worker(name, reason="it slept")
    again = Outcome(status=ExecutionStatus.FAILED, reason="late", next_attempt=NOW)
    late, ending = (
        Ending(claimed=claim.execution, outcome=outcome)
        for claim, outcome in zip(claims, (again, Outcome(status=ExecutionStatus.SUCCEEDED, result=2)), strict=True)
    )
    assert app.store.exchange("new", [late, ending, late, ending], limit=0).accepted == (False, True, False, False)
    ended = app.executions.get(execution.id)
    assert (ended.result, [str(attempt.reason)[:8] for attempt in ended.attempts]) == (2, ["it slept", "None"])


def test_a_late_ending_leaves_the_next_attempt_in_its_care(
    app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that runs an execution again, having been lost, waits for that attempt when the first one ends late."""
    next_one_runs, is_late_told = threading.Event(), threading.Event()
    conclude = Conclusions.conclude

    def noted(self: Conclusions, ended: Sequence[Ending], all_accepted: Sequence[bool]) -> None:
        conclude(self, ended, all_accepted)
        if (1, False) in [(one.claimed.attempt, accepted) for one, accepted in zip(ended, all_accepted, strict=True)]:
            is_late_told.set()

    def run(config: ActionConfig, trigger_execution: TriggerExecutionResponse) -> str:
        if trigger_execution.attempt == 1:
            for worker in app.store.workers():
                app.store.remove_worker(worker.name, reason="it slept")
            assert next_one_runs.wait(SECONDS)
            return "the first"
        next_one_runs.set()
        is_late = is_late_told.wait(SECONDS)
        time.sleep(0.2)  # a worker that does not know of this attempt any more ends meanwhile
        return f"the second, as the first was late: {is_late}"

    monkeypatch.setattr(Conclusions, "conclude", noted)
    execution = app.actions.run(create(flavor=flavor_of(app, "test.fault", run)).id)
    app.worker(concurrency=2, poll_interval=0.01).run_until_idle()
    ended = app.executions.get(execution.id)
    assert (ended.status, ended.result) == (ExecutionStatus.SUCCEEDED, "the second, as the first was late: True")


def test_what_a_lost_worker_runs_is_asked_to_end(
    app: Actium, create: CreateAction, working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others run it now; who waits for it here counts on their word, and not on that of a handler that is deaf."""
    run, ends, asked = threading.Barrier(3), threading.Event(), threading.Event()

    def deaf(config: ActionConfig) -> None:
        run.wait(SECONDS)
        ends.wait(SECONDS)

    async def obliging(config: ActionConfig) -> None:
        run.wait(SECONDS)
        try:
            await asyncio.sleep(SECONDS)
        finally:
            asked.set()

    for handler in (deaf, obliging):
        action = create(handler.__name__, flavor=flavor_of(app, f"test.{handler.__name__}", handler))
        app.triggers.create(TriggerRequest(name=handler.__name__, action_id=action.id, match_all=True))
    monkeypatch.setattr("actium.app.executions.LOOK_INTERVAL", SECONDS)  # who is told looks no sooner
    with working(app, concurrency=2, poll_interval=0.01, lease=0.3) as worker:
        former = worker.name
        executions = app.events.publish(Event(type="com.example.arrived", source="/s")).executions
        run.wait(SECONDS)
        with monkeypatch.context() as patched:
            patched.setattr(app.store, "next_due", lambda: None)  # it claims nothing meanwhile
            app.store.remove_worker(former, reason="it slept")
            app.store.register_worker(
                WorkerRecord(name="other", host="elsewhere", process=1, lease=30.0, beat=0, started=NOW)
            )
            claims = app.store.exchange("other", limit=2).claims
        succeeded = [Ending(claimed=claim.execution, outcome=Outcome(status=SUCCEEDED)) for claim in claims]
        app.store.exchange("other", succeeded, limit=0)
        assert asked.wait(SECONDS / 3)
        until = time.monotonic() + SECONDS
        while worker.name in {"", former} and time.monotonic() < until:
            threading.Event().wait(0.001)
        asked_at = time.monotonic()
        assert {app.executions.wait(one, SECONDS).status for one in executions} == {SUCCEEDED}
        assert time.monotonic() - asked_at < SECONDS / 3
        ends.set()


# Handlers


def test_a_result_of_ten_megabytes(app: Actium, create: CreateAction) -> None:
    """It is not kept, and the execution says how large it was and what is kept at most."""
    ended = ended_of(app, create, lambda config: "x" * 10_000_000)
    assert ended.status is ExecutionStatus.FAILED
    assert "10,000,002" in str(ended.reason)
    assert f"{MAX_RESULT_BYTES:,}" in str(ended.reason)


@pytest.mark.parametrize("result", [object(), {1, object()}, float("nan"), b"\xff", {"a": {2: object()}}])
def test_a_result_that_is_not_json(app: Actium, create: CreateAction, result: Any) -> None:
    """The execution has failed, since what was asked for cannot be given; it is not run again."""
    ended = ended_of(app, create, lambda config: result)
    assert (ended.status, ended.attempt) == (ExecutionStatus.FAILED, 1)
    assert "JSON" in str(ended.reason)


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), BaseException("base")])
def test_an_exception_that_is_no_error(app: Actium, create: CreateAction, error: BaseException) -> None:
    """It ends its execution with a reason, and neither its thread nor the worker."""

    def run(config: ActionConfig) -> None:
        raise error

    action = create(flavor=flavor_of(app, "test.fault", run))
    executions = [app.actions.run(action.id) for _ in range(3)]
    with working(app):
        ended = [app.executions.wait(execution.id, SECONDS) for execution in executions]
    assert {one.status for one in ended} == {ExecutionStatus.FAILED}
    assert all(type(error).__name__ in str(one.reason) for one in ended)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_handler_that_forks(app: Actium, create: CreateAction) -> None:
    """What the child does with the store is its own affair: the parent's executions end as they would without it."""

    def run(config: ActionConfig, trigger_execution: TriggerExecutionResponse, handler: Any) -> int:
        child = os.fork()
        if child == 0:
            try:
                handler.store.close()
            finally:
                os._exit(7)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    action = create(flavor=flavor_of(app, "test.fault", run))
    executions = [app.actions.run(action.id) for _ in range(3)]
    with working(app, concurrency=1):
        ended = [app.executions.wait(execution.id, SECONDS) for execution in executions]
    assert [one.result for one in ended] == [7, 7, 7]
    assert app.store.check() == ()


def test_a_handler_that_closes_the_store(url: str) -> None:
    """Its worker ends with an error that says so, and what it ran is tried again by the next one."""

    def run(config: ActionConfig, trigger_execution: TriggerExecutionResponse, handler: Any) -> str:
        if trigger_execution.attempt == 1:
            handler.store.close()
        return "done"

    with Actium(url) as app:
        app.flavors.register(action_flavor("test.fault")(run))
        robot = app.accounts.create(ServiceAccountRequest(name="robot"))
        request = ActionRequest(name="a", plugin_subtype="test", flavor="fault", service_account_id=robot.id)
        execution = app.actions.run(app.actions.create(request).id)
        with pytest.raises(StoreClosedError):
            app.worker().run_until_idle()
    with Actium(url) as app:
        app.flavors.register(action_flavor("test.fault")(run))
        for worker in app.store.workers():
            app.store.remove_worker(worker.name, reason="its store was closed")
        app.worker().run_until_idle()
        ended = app.executions.get(execution.id)
        assert (ended.result, ended.attempt) == ("done", 2)


def test_a_publisher_that_changes_the_event(app: Actium, create: CreateAction) -> None:
    """A handler gets the data that was published, and is stored, whatever its publisher does with it afterwards."""
    action = create(flavor=flavor_of(app, "test.reader", lambda trigger_execution: trigger_execution.event.data))
    app.triggers.create(TriggerRequest(name="every", action_id=action.id, match_all=True))
    go = threading.Event()
    app.flavors.register(action_flavor("test.gate")(lambda config: go.wait(SECONDS)))
    event = Event(type="a.b", source="/s", data={"rows": [1, 2]})
    worker = app.worker(concurrency=1)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        gate = app.actions.run(create("gate", flavor="test.gate").id)
        while app.executions.get(gate.id).status is ExecutionStatus.PENDING:
            time.sleep(0.001)
        published = app.events.publish(event)
        event.data["rows"].clear()
        go.set()
        assert app.executions.wait(published.executions[0], SECONDS).result == {"rows": [1, 2]}
    finally:
        go.set()
        worker.stop()
        thread.join()


def test_a_handler_that_changes_the_event(app: Actium, create: CreateAction) -> None:
    """What a handler does to an event's data concerns that attempt only, not its publisher or another execution."""

    def greedy(config: ActionConfig, trigger_execution: TriggerExecutionResponse) -> Any:
        event = trigger_execution.event
        assert event is not None
        rows = list(event.data["rows"])
        event.data["rows"].clear()
        return rows

    event = Event(type="a.b", source="/s", data={"rows": [1, 2]})
    for name in ("one", "two"):
        action = create(name, flavor=flavor_of(app, f"test.greedy_{name}", greedy))
        app.triggers.create(TriggerRequest(name=name, action_id=action.id, match_all=True))
    worker = app.worker(concurrency=2)
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        waited = [app.executions.wait(one, SECONDS) for one in app.events.publish(event).executions]
    finally:
        worker.stop()
        thread.join()
    assert [one.result for one in waited] == [[1, 2], [1, 2]]
    assert [one.event.data for one in waited if one.event] == [{"rows": [1, 2]}] * 2
    assert event.data == {"rows": [1, 2]}


def test_a_handler_that_changes_the_configuration(app: Actium, create: CreateAction) -> None:
    """Each attempt gets its own copy: neither the next one nor the stored action sees what another did to it."""
    seen: list[dict[str, Any]] = []

    class Nested(ActionConfig):
        """Something to change."""

        places: dict[str, list[int]]
        anything: Any

    def run(config: Nested) -> None:
        seen.append(json.loads(config.model_dump_json()))
        for places in (config.places, config.anything):
            places["a"].append(4)
            places["b"] = []

    app.flavors.register(action_flavor("test.nested", config=Nested)(run))
    configuration = {"places": {"a": [1, 2, 3]}, "anything": {"a": [1, 2, 3]}}
    action = create(flavor="test.nested", configuration=configuration)
    for _ in range(2):
        app.actions.run(action.id)
    app.worker().run_until_idle()
    assert seen == [{"places": {"a": [1, 2, 3]}, "anything": {"a": [1, 2, 3]}}] * 2
    assert app.actions.get(action.id).configuration == seen[0]


def test_an_error_of_any_kind_has_a_status(app: Actium, create: CreateAction) -> None:
    """An exception whose text cannot be made is told by its type."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    def run(config: ActionConfig) -> None:
        raise Mute

    ended = ended_of(app, create, run)
    assert ended.status is ExecutionStatus.FAILED
    assert "Mute" in str(ended.reason)


def test_leases_without_a_thread_at_first(
    app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Where the system has no thread to give for the leases, executions are run, and the next look asks again."""
    start = threading.Thread.start

    def refused(self: threading.Thread) -> None:
        if self.name == "actium-leases":
            raise RuntimeError("can't start new thread")
        start(self)

    execution = app.actions.run(create().id)
    with monkeypatch.context() as while_exhausted:
        while_exhausted.setattr(threading.Thread, "start", refused)
        assert app.worker(lease=0.3).run_until_idle() == 1
        assert "cannot be renewed yet" in caplog.text
    assert app.executions.get(execution.id).status is ExecutionStatus.SUCCEEDED
    app.actions.run(execution.body.action_id)
    assert app.worker(lease=0.3).run_until_idle() == 1
    (worker,) = app.store.workers()
    until = time.monotonic() + SECONDS
    while app.store.workers()[0].beat == worker.beat and time.monotonic() < until:
        time.sleep(0.01)
    assert app.store.workers()[0].beat > worker.beat
