"""Executions of handlers that ask for a process: what happens to the process is an outcome, and the worker goes on."""

from __future__ import annotations

import importlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from actium import Actium, ExecutionStatus, TriggerExecutionResponse
from actium.event_hub.beats import process_lives
from actium.models import ActionRequest, Backoff, Concurrency, ConcurrencyMode, RunPolicy, ServiceAccountRequest

Run = Callable[..., TriggerExecutionResponse]


@pytest.fixture
def app(tmp_path: Path, flavors: ModuleType) -> Iterator[Actium]:
    rough_flavors = importlib.import_module("rough_flavors")
    with Actium(f"sqlite:///{tmp_path / 'actium.db'}") as app:
        app.flavors.register(rough_flavors.rough)
        app.accounts.create(ServiceAccountRequest(name="robot"))
        worker = threading.Thread(target=app.worker(concurrency=2, poll_interval=0.05).run)
        worker.start()
        yield app
    worker.join()


@pytest.fixture
def start(app: Actium) -> Run:
    def start(manner: str, **policy: object) -> TriggerExecutionResponse:
        action = app.actions.create(
            ActionRequest(
                name=f"{manner}-{time.monotonic_ns()}",
                plugin_subtype="rough",
                flavor="process",
                service_account_id=app.accounts.get("robot").id,
                configuration={"manner": manner},
                run_policy=RunPolicy(**policy),
            )
        )
        return app.actions.run(action.id)

    return start


def process_of(app: Actium, execution: TriggerExecutionResponse) -> int:
    """The process of an execution that hangs, once it has told it."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        progress = app.executions.get(execution.id).progress
        if progress:
            return int(progress[0].name)
        time.sleep(0.01)
    raise AssertionError("it has not begun")


def has_ended(process: int) -> bool:
    until = time.monotonic() + 10
    while process_lives(process) and time.monotonic() < until:
        time.sleep(0.01)
    return not process_lives(process)


def test_run_in_a_warm_process_of_their_own(app: Actium, start: Run) -> None:
    """Two executions one after the other run in one process, which is not the worker's."""
    first = app.executions.wait(start("well").id, 60)
    second = app.executions.wait(start("well").id, 60)
    assert first.status is ExecutionStatus.SUCCEEDED
    assert first.result == second.result != os.getpid()


@pytest.mark.parametrize(("manner", "told"), [("exit", "3"), ("crash", "SIGSEGV")])
def test_a_process_that_dies_is_a_failed_attempt(app: Actium, start: Run, manner: str, told: str) -> None:
    """A process that exits or crashes fails its attempt with what it ended with; the next execution runs."""
    died = app.executions.wait(start(manner).id, 60)
    assert died.status is ExecutionStatus.FAILED
    assert told in str(died.reason)
    assert app.executions.wait(start("well").id, 60).status is ExecutionStatus.SUCCEEDED


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="nobody tells how much memory a process has")
def test_memory_that_is_used_up_is_a_failed_attempt(app: Actium, start: Run) -> None:
    """A handler that takes all the memory that its process may have fails its attempt only; the next one runs."""
    failed = app.executions.wait(start("memory").id, 60)
    assert failed.status is ExecutionStatus.FAILED
    assert failed.error is not None
    assert failed.error.type in {"MemoryError", "ProcessDiedError"}  # there may be none left to tell of it with
    assert app.executions.wait(start("well").id, 60).status is ExecutionStatus.SUCCEEDED


def test_a_death_is_tried_again_as_any_failure(app: Actium, start: Run) -> None:
    """The run policy covers processes that die."""
    ended = app.executions.wait(start("once", max_attempts=2, backoff=Backoff(base=0.01)).id, 60)
    assert ended.status is ExecutionStatus.SUCCEEDED
    assert [attempt.status for attempt in ended.attempts] == [ExecutionStatus.FAILED, ExecutionStatus.SUCCEEDED]


def test_an_error_shows_where_it_came_from(app: Actium, start: Run) -> None:
    """The traceback that is kept is that of the other process."""
    failed = app.executions.wait(start("raise").id, 60)
    assert failed.error is not None
    assert (failed.error.type, failed.error.message) == ("ValueError", "not today")
    assert "in rough" in str(failed.error.traceback)


def test_a_timeout_kills(app: Actium, start: Run) -> None:
    """When its time is over the process is ended, not only left alone."""
    execution = start("hang", timeout=1.5)
    process = process_of(app, execution)
    ended = app.executions.wait(execution.id, 60)
    assert ended.error is not None
    assert (ended.status, ended.error.type) == (ExecutionStatus.FAILED, "ExecutionTimeoutError")
    assert has_ended(process)


def test_cancelling_kills(app: Actium, start: Run) -> None:
    """A handler that does not heed a cancellation loses its process."""
    execution = start("hang")
    process = process_of(app, execution)
    app.executions.cancel(execution.id)
    assert app.executions.wait(execution.id, 60).status is ExecutionStatus.CANCELLED
    assert has_ended(process)


def test_closing_gives_back_what_hangs(tmp_path: Path, app: Actium, start: Run) -> None:
    """A worker that stops without patience ends the process, and the execution is there for others."""
    execution = start("hang")
    process = process_of(app, execution)
    for worker in app._workers:
        worker.stop(grace=0)
        worker.join()
    assert has_ended(process)
    given_back = app.executions.get(execution.id)
    assert given_back.status is ExecutionStatus.PENDING
    assert given_back.attempts[0].reason == "its worker was stopped"


def test_what_it_publishes_belongs_to_the_chain(app: Actium, start: Run) -> None:
    """An event that a handler publishes from its own process names the execution as its cause, as any other does."""
    publishing = app.executions.wait(start("publish").id, 60)
    stored = app.events.get(publishing.result).event
    assert stored.extensions() == {"correlationid": str(publishing.id), "causationid": str(publishing.id)}


def test_a_restart_ends_the_process_of_what_it_replaces(app: Actium, start: Run) -> None:
    """With ``restart`` a newer execution kills the process of one that heeds nothing, and then has one of its own."""
    former = start("hang", concurrency=Concurrency(mode=ConcurrencyMode.RESTART), max_attempts=3)
    process = process_of(app, former)
    between, newest = (app.actions.run(former.body.action_id) for _ in range(2))
    ended = app.executions.wait(former.id, 60)
    assert (ended.status, len(ended.attempts)) == (ExecutionStatus.CANCELLED, 1)
    assert has_ended(process)
    assert app.executions.get(between.id).attempts == ()
    assert app.executions.get(between.id).status is ExecutionStatus.CANCELLED
    assert process_of(app, newest) != process
    app.executions.cancel(newest.id)
    assert app.executions.wait(newest.id, 60).status is ExecutionStatus.CANCELLED
