"""Whatever a handler raises or returns, its execution ends and its worker goes on; an orderly end costs nothing."""

from __future__ import annotations

import asyncio
import gc
import math
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actium import ActionConfig, Actium, Event, ExecutionStatus, TriggerExecutionResponse, action_flavor
from actium.errors import ExecutionCancelled, InvalidInputError, Retry, StoreError
from actium.event_hub.watch import Watch
from actium.event_hub.worker import Worker
from actium.models import ActionResponse, ActionUpdate, RunPolicy, TriggerRequest

CreateAction = Callable[..., ActionResponse]
SECONDS = 30.0


@contextmanager
def working(app: Actium, **options: Any) -> Iterator[Worker]:
    """A worker that runs in a thread of its own, and is there at the end."""
    worker = app.worker(**{"concurrency": 1, "poll_interval": 0.05, **options})
    thread = threading.Thread(target=worker.run)
    thread.start()
    try:
        yield worker
        assert thread.is_alive(), "the worker has died"
    finally:
        worker.stop(grace=0)
        thread.join(SECONDS)


def flavor_of(app: Actium, key: str, run: Callable[..., Any]) -> str:
    app.flavors.register(action_flavor(key)(run))
    return key


def exit_code_of(child: int) -> int | None:
    """How a copy of this process ended; None where it has not in time."""
    until = time.monotonic() + SECONDS / 3
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def forking_in_a_thread(config: ActionConfig) -> str:
    """A handler that forks, and returns in both; the original waits for the copy to end in order."""
    child = os.fork()
    if child == 0:
        return "the copy"
    assert exit_code_of(child) == 0
    return "the original"


class Boom(BaseException):
    """As libraries for timeouts raise it."""


def raising(error: BaseException) -> Callable[[], Any]:
    def run() -> None:
        raise error

    return run


def raising_in_a_coroutine(error: BaseException) -> Callable[[], Any]:
    async def run() -> None:
        raise error

    return run


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("make", [raising, raising_in_a_coroutine])
@pytest.mark.parametrize("error", [Boom("boom"), asyncio.CancelledError(), SystemExit(3), KeyboardInterrupt()])
def test_what_is_raised(
    app: Actium, create: CreateAction, make: Callable[..., Any], error: BaseException, concurrency: int
) -> None:
    """An exception of any kind ends its execution, and neither the worker nor what comes next."""
    bad = create("bad", flavor=flavor_of(app, "test.raising", make(error)))
    with working(app, concurrency=concurrency):
        ended = app.executions.wait(app.actions.run(bad.id).id, SECONDS)
        assert ended.status is ExecutionStatus.FAILED
        assert type(error).__name__ in str(ended.reason)
        after = app.executions.wait(app.actions.run(create("good").id).id, SECONDS)
        assert after.status is ExecutionStatus.SUCCEEDED


def lazily(error: Exception) -> Iterator[int]:
    yield 1
    raise error


def lazy() -> Any:
    return lazily(ZeroDivisionError("not now"))


async def lazy_in_a_coroutine() -> Any:
    return lazily(ZeroDivisionError("not now"))


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("run", [lazy, lazy_in_a_coroutine])
def test_a_result_that_breaks_while_it_is_written_down(
    app: Actium, create: CreateAction, run: Callable[..., Any], concurrency: int
) -> None:
    """A result that raises only when it is read fails its execution."""
    action = create(flavor=flavor_of(app, "test.lazy", run))
    with working(app, concurrency=concurrency):
        ended = app.executions.wait(app.actions.run(action.id).id, SECONDS)
    assert (ended.status, "not now" in str(ended.reason)) == (ExecutionStatus.FAILED, True)


@pytest.mark.parametrize("after", ["3", True, object(), math.inf, -math.inf, math.nan])
def test_a_retry_after_no_time_is_refused(after: Any) -> None:
    """What a handler takes from a header unread is refused where it is given, with the value and what to do."""
    with pytest.raises(InvalidInputError, match=re.escape(f"cannot wait for {after!r}")):
        Retry("later", after=after)


def test_a_retry_after_some_time() -> None:
    """A time may be given in seconds, or as such."""
    assert Retry(after=timedelta(minutes=2)).after == 120
    assert [Retry(after=seconds).after for seconds in (1, 0, 0.5)] == [1, 0, 0.5]


@pytest.mark.parametrize("after", [-0.01, timedelta(days=-1), -(10**400)], ids=["just", "long", "endlessly"])
def test_a_retry_after_a_time_that_is_past_is_made_at_once(app: Actium, create: CreateAction, after: Any) -> None:
    """The clock that a server names a time by may be behind ours."""
    attempts = []

    def run() -> None:
        attempts.append(after)
        if len(attempts) == 1:
            raise Retry("now", after=after)

    execution = app.actions.run(create(flavor=flavor_of(app, "test.now", run), run_policy=RunPolicy(max_attempts=2)).id)
    app.worker().run_until_idle()
    assert (app.executions.get(execution.id).status, len(attempts)) == (ExecutionStatus.SUCCEEDED, 2)


@pytest.mark.parametrize("after", [1e300, 10**400], ids=["float", "int"])
def test_a_retry_after_an_age_waits_for_a_year(app: Actium, create: CreateAction, after: float) -> None:
    """A time beyond all that can be waited for is as long as a run policy can name."""

    def run() -> None:
        raise Retry("later", after=after)

    policy = RunPolicy(max_attempts=2)
    execution = app.actions.run(create(flavor=flavor_of(app, "test.patient", run), run_policy=policy).id)
    app.worker().run_until_idle()
    waiting = app.executions.get(execution.id)
    assert waiting.body.available is not None
    assert timedelta(days=364) < waiting.body.available - waiting.body.created < timedelta(days=366)


@pytest.mark.parametrize("after", [math.inf, math.nan, "soon"])
def test_a_retry_that_is_given_no_time_later_is_a_failure_as_any(app: Actium, create: CreateAction, after: Any) -> None:
    """What is no time does not mean at once: the attempt has failed, says why, and the run policy decides."""
    attempts = []

    def run() -> None:
        attempts.append(after)
        error = Retry("later")
        error.after = after
        raise error

    policy = RunPolicy(max_attempts=50, retry_on=["ConnectionError"])
    execution = app.actions.run(create(flavor=flavor_of(app, "test.endless", run), run_policy=policy).id)
    app.worker().run_until_idle()
    ended = app.executions.get(execution.id)
    assert (ended.status, len(attempts)) == (ExecutionStatus.FAILED, 1)
    assert ended.reason == f"Retry: later (to wait for {after!r}, which is no time)"


def test_what_waits_in_a_worker_heeds_what_came_between(app: Actium, create: CreateAction) -> None:
    """What was claimed and has not begun is not begun when it was cancelled, is too late, or is switched off."""
    begun, goes_on, ran = threading.Event(), threading.Event(), []

    def slow() -> None:
        begun.set()
        goes_on.wait(SECONDS)

    def fast(trigger_execution: TriggerExecutionResponse) -> None:
        ran.append(trigger_execution.name)

    first = create("first", flavor=flavor_of(app, "test.slow", slow))
    flavor = flavor_of(app, "test.fast", fast)
    names = ("cancelled", "late", "off")
    late = {"late": RunPolicy(deadline=0.2)}
    others = {name: create(name, flavor=flavor, run_policy=late.get(name, RunPolicy())) for name in names}
    with working(app):
        for _ in range(40):  # quick ones, so that much is claimed at once
            app.executions.wait(app.actions.run(others["off"].id).id, SECONDS)
        ran.clear()
        app.actions.run(first.id)
        assert begun.wait(SECONDS)
        waiting = {name: app.actions.run(action.id).id for name, action in others.items()}
        app.executions.cancel(waiting["cancelled"])
        app.actions.update(others["off"].id, ActionUpdate(enabled=False))
        time.sleep(0.4)  # the deadline passes
        goes_on.set()
        ended = {name: app.executions.wait(one, SECONDS).status.value for name, one in waiting.items()}
    assert ended == {"cancelled": "cancelled", "late": "skipped", "off": "skipped"}
    assert ran == []


def test_orderly_ends_are_no_losses(app: Actium, create: CreateAction) -> None:
    """What is given back when its worker ends in good order, however often, is not taken for the cause."""
    action = create()
    execution = app.actions.run(action.id)
    for number in range(5):
        worker = app.worker()
        name = app._leases.name(30.0)
        (claim,) = app.store.exchange(name, limit=1).claims
        assert claim.execution.losses == 0
        assert app.store.remove_worker(name, reason="it was stopped", counts=False) == 1
        app._leases.forget(name)
        assert app.executions.get(execution.id).status is ExecutionStatus.PENDING, number
        worker.close()
    assert app.worker().run_until_idle() == 1
    assert app.executions.get(execution.id).status is ExecutionStatus.SUCCEEDED


def test_a_worker_that_shows_itself_alive_keeps_its_work(app: Actium, create: CreateAction) -> None:
    """Who is about to take over finds that the worker has beaten meanwhile, and leaves it alone."""
    app.actions.run(create().id)
    name = app._leases.name(30.0)
    app.store.exchange(name, limit=1)
    (seen,) = app.store.workers()
    app.store.beat(name)
    assert app.store.remove_worker(name, reason="it seemed gone", beat=seen.beat) == 0
    assert [worker.name for worker in app.store.workers()] == [name]


def test_a_cooperative_handler_is_asked_when_the_grace_is_over(app: Actium, create: CreateAction) -> None:
    """Also the handler that runs in the worker's own thread is asked to end, and is tried again by others."""
    begun = threading.Event()

    def run(config: ActionConfig, trigger_execution: TriggerExecutionResponse, handler: Any) -> None:
        begun.set()
        until = time.monotonic() + SECONDS
        while time.monotonic() < until:
            if handler.cancel_requested(trigger_execution):
                raise ExecutionCancelled("as asked")
            time.sleep(0.01)

    execution = app.actions.run(create(flavor=flavor_of(app, "test.heeding", run)).id)
    worker = app.worker(concurrency=1)
    thread = threading.Thread(target=worker.run_until_idle)
    thread.start()
    assert begun.wait(SECONDS)
    worker.stop(grace=0.1)
    thread.join(SECONDS / 2)
    assert not thread.is_alive()
    ended = app.executions.get(execution.id)
    assert (ended.status, ended.reason) == (ExecutionStatus.PENDING, "its worker was stopped")


def test_coroutines_end_beside_a_handler_that_blocks(app: Actium, create: CreateAction) -> None:
    """With one handler at once, one that takes long holds up no coroutine's end."""
    blocks, goes_on = threading.Event(), threading.Event()

    async def waiting() -> str:
        await asyncio.to_thread(blocks.wait, SECONDS)
        return "done"

    def slow() -> None:
        blocks.set()
        goes_on.wait(SECONDS)

    coroutine = create("waiting", flavor=flavor_of(app, "test.waiting", waiting))
    action = create("slow", flavor=flavor_of(app, "test.slow", slow))
    with working(app):
        waits = app.actions.run(coroutine.id).id
        blocking = app.actions.run(action.id).id
        ended = app.executions.wait(waits, SECONDS / 2)
        assert (ended.result, app.executions.get(blocking).status) == ("done", ExecutionStatus.RUNNING)
        goes_on.set()
        app.executions.wait(blocking, SECONDS)


def test_what_a_timed_out_handler_hears(app: Actium, create: CreateAction) -> None:
    """A handler whose time is over hears so whenever it asks, also long after."""
    heard: list[bool] = []
    ended, asked = threading.Event(), threading.Event()

    def run(config: ActionConfig, trigger_execution: TriggerExecutionResponse, handler: Any) -> None:
        ended.wait(SECONDS)
        heard.append(handler.cancel_requested(trigger_execution))
        asked.set()

    action = create(flavor=flavor_of(app, "test.deaf", run), run_policy=RunPolicy(timeout=0.1))
    with working(app):
        execution = app.executions.wait(app.actions.run(action.id).id, SECONDS)
        assert execution.status is ExecutionStatus.FAILED
        ended.set()
        assert asked.wait(SECONDS)
    assert heard == [True]


def test_run_until_idle_takes_over(app: Actium, create: CreateAction) -> None:
    """What a dead worker left is all there is to do: it is done."""
    execution = app.actions.run(create().id)
    dead = app._leases.name(30.0)
    app.store.exchange(dead, limit=1)
    app._leases.forget(dead)
    with app.store._database.writing() as connection:  # type: ignore[attr-defined]  # a process that is gone
        connection.execute("UPDATE workers SET process = 2147483646")
    assert app.worker(lease=29.0).run_until_idle() == 1
    assert app.executions.get(execution.id).status is ExecutionStatus.SUCCEEDED


def test_a_look_for_cancellations_may_fail(app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that fails once where a worker looks for cancellations is asked again."""
    goes_on, failed = threading.Event(), threading.Event()
    real = app.store.cancel_requests

    def failing(worker: str) -> Any:
        if not failed.is_set():
            failed.set()
            raise StoreError("The disk is tired.")
        return real(worker)

    monkeypatch.setattr(app.store, "cancel_requests", failing)
    action = create(flavor=flavor_of(app, "test.slow", lambda: goes_on.wait(SECONDS)))
    with working(app):
        execution = app.actions.run(action.id)
        assert failed.wait(SECONDS)
        goes_on.set()
        assert app.executions.wait(execution.id, SECONDS).status is ExecutionStatus.SUCCEEDED


def test_a_chain_of_copies_is_broken(app: Actium, create: CreateAction) -> None:
    """A handler that passes its own event on, with all that it says, is guarded like any other chain."""
    runs = []

    def run(config: ActionConfig, trigger_execution: TriggerExecutionResponse, handler: Any) -> None:
        runs.append(trigger_execution.id)
        assert len(runs) < 50
        assert trigger_execution.event is not None
        handler.event_hub.publish_event(trigger_execution.event.model_copy(update={"id": str(len(runs))}))

    action = create(flavor=flavor_of(app, "test.copying", run))
    app.triggers.create(TriggerRequest(name="every", action_id=action.id, match_all=True))
    app.events.publish(Event(type="com.example.echo", source="/a"))
    app.worker().run_until_idle()
    assert len(runs) == 8


@pytest.mark.parametrize("name", ["IOError", "asyncio.TimeoutError", "Outer.Inner", "concurrent.futures.TimeoutError"])
def test_errors_are_known_by_each_of_their_names(name: str) -> None:
    """An exception is one to try again after under every name that Python knows it by."""

    class Outer:
        class Inner(Exception):
            pass

    Outer.Inner.__qualname__ = "Outer.Inner"
    raised = {"IOError": OSError(), "Outer.Inner": Outer.Inner()}.get(name, TimeoutError())
    policy = RunPolicy(retry_on=(name,))
    assert policy.retries(raised)
    assert not policy.retries(ValueError())


@pytest.mark.parametrize("timeout", [float("nan"), "3"])
def test_a_wait_for_no_time_is_refused(app: Actium, create: CreateAction, timeout: Any) -> None:
    """A time limit that is no number is refused, instead of never coming."""
    execution = app.actions.run(create().id)
    with pytest.raises(InvalidInputError, match="is no time to wait"):
        app.executions.wait(execution.id, timeout)


@pytest.mark.parametrize(("kind", "concurrency"), [("async", 1), ("async", 2), ("sync", 2)])
@pytest.mark.parametrize("has_stream", [False, True])
def test_what_goes_on_when_its_worker_was_interrupted_is_recorded(
    app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch, kind: str, concurrency: int, has_stream: bool
) -> None:
    """The end of what still ran is recorded without its worker, also where a stream of events should have taken it."""
    begun, goes_on = threading.Event(), threading.Event()

    def run(config: ActionConfig) -> str:
        begun.set()
        assert goes_on.wait(SECONDS)
        return "done"

    async def run_later(config: ActionConfig) -> str:
        return await asyncio.get_running_loop().run_in_executor(None, run, config)

    def look(self: Watch, now: float) -> None:
        if begun.is_set():
            raise KeyboardInterrupt

    action = create(flavor=flavor_of(app, "test.waiting", run if kind == "sync" else run_later))
    execution = app.actions.run(action.id)
    with monkeypatch.context() as interrupted, pytest.raises(KeyboardInterrupt):
        interrupted.setattr(Watch, "look", look)
        app.worker(concurrency=concurrency, poll_interval=0.01, lease=0.6).run_until_idle()
    gc.collect()
    time.sleep(1.2)  # that nobody keeps the worker does not mean that nobody has what it runs
    end_stream = app.hub.expect_more() if has_stream else lambda: None
    goes_on.set()
    time.sleep(0.1)
    end_stream()
    ended = app.executions.wait(execution.id, SECONDS / 3)
    assert (ended.result, len(ended.attempts)) == ("done", 1)
    assert app.worker().run_until_idle() == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_fork_closes_what_it_did_not_open(app: Actium) -> None:
    """In a fork of a process with a running worker, closing the application waits for nobody."""
    with working(app):
        child = os.fork()
        if child == 0:
            try:
                app.close()
                os._exit(0)
            finally:
                os._exit(1)
        assert exit_code_of(child) == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_copy_that_a_handler_forks_off_records_nothing(app: Actium, create: CreateAction) -> None:
    """Of a handler that forks in its worker's thread and returns twice, the original's result counts.

    The copy returns to who wanted the worker to run, which is no worker there.
    """
    original = os.getpid()

    first = app.actions.run(create("first", flavor=flavor_of(app, "test.forking", forking_in_a_thread)).id)
    then = create("then", flavor=flavor_of(app, "test.then", os.getpid))
    others = [app.actions.run(then.id) for _ in range(20)]
    number = -1
    try:
        number = app.worker().run_until_idle()
    finally:
        if os.getpid() != original:
            os._exit(number)
    assert number == 21
    assert app.executions.get(first.id).result == "the original"
    assert {app.executions.get(one.id).result for one in others} == {original}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_copy_that_a_handler_forks_off_in_a_thread_runs_nothing_else(
    app: Actium, create: CreateAction, tmp_path: Path, concurrency: int
) -> None:
    """What waits for a thread of the worker is the parent's, and the copy ends when its handler has returned."""
    ran_by = tmp_path / "ran-by"
    ran_by.touch()

    def noting(config: ActionConfig) -> str:
        with ran_by.open("a") as file:
            file.write(f"{os.getpid()}\n")
        return "noted"

    first = create("first", flavor=flavor_of(app, "test.forking", forking_in_a_thread))
    then = create("then", flavor=flavor_of(app, "test.noting", noting))
    executions = [app.actions.run(action.id) for action in [first, then, then, then] * 3]
    with working(app, concurrency=concurrency):
        ended = [app.executions.wait(execution.id, SECONDS) for execution in executions]
    assert [one.result for one in ended] == ["the original", "noted", "noted", "noted"] * 3
    assert ran_by.read_text().split() == [str(os.getpid())] * 9


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("goes_on", [False, True], ids=["returns", "awaits"])
@pytest.mark.parametrize("is_numbered_alike", [False, True], ids=["its own number", "its parent's number"])
def test_a_copy_that_a_coroutine_forks_off_leaves_the_others_alone(
    app: Actium,
    create: CreateAction,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    goes_on: bool,
    is_numbered_alike: bool,
) -> None:
    """It runs none of the coroutines that wait on the same loop, and does not keep that from waking for them.

    So does one that has the number of its parent, as the first process of a PID namespace may.
    """
    number = os.getpid()
    if is_numbered_alike:
        monkeypatch.setattr(os, "getpid", lambda: number)
    ran_by = tmp_path / "ran-by"
    ran_by.touch()
    children: list[int] = []

    async def forking(config: ActionConfig) -> str:
        passed = asyncio.get_running_loop().create_future()
        child = os.fork()
        if child:
            children.append(child)
            passed.set_result(None)
        if child or goes_on:
            await passed
        return "the original" if child else "the copy"

    async def noting(config: ActionConfig) -> str:
        await asyncio.sleep(0.2)
        with ran_by.open("a") as file:
            file.write(f"{os.getpid()}\n")
        return "noted"

    waiting = create("waiting", flavor=flavor_of(app, "test.noting", noting))
    first = create("first", flavor=flavor_of(app, "test.forking", forking))
    with working(app, concurrency=4):
        executions = [app.actions.run(action.id) for action in [waiting, waiting, first, waiting]]
        ended = [app.executions.wait(execution.id, SECONDS) for execution in executions]
        assert [one.result for one in ended] == ["noted", "noted", "the original", "noted"]
        assert [exit_code_of(child) for child in children] == [0]
        after = app.executions.wait(app.actions.run(waiting.id).id, SECONDS)  # by a wake-up of the loop, no timer of it
        assert after.result == "noted"
    assert ran_by.read_text().split() == [str(os.getpid())] * 4
