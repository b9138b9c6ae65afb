"""A store is pruned and mended while others work with it: nothing that lives is touched, and nothing is run twice."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actium import ActionConfig, Actium, Event, TriggerExecutionResponse, action_flavor
from actium.app.doctor import Finding
from actium.errors import NotFoundError
from actium.event_hub.worker import Worker
from actium.models import ActionResponse, TriggerExecutionFilter, TriggerRequest
from actium.stores.sqlite import retention
from actium.stores.upkeep import Pruned

CreateAction = Callable[..., ActionResponse]
Working = Callable[..., AbstractContextManager[Worker]]
AT_ONCE = timedelta(0)
SECONDS = 30.0
UNDER_WAY = ("pending", "running")


def event(**fields: Any) -> Event:
    return Event(**{"type": "com.example.arrived", "source": "/bucket/raw", **fields})


@pytest.mark.parametrize("has_ended", [False, True])
def test_what_comes_to_life_while_it_is_pruned_stays(
    url: str, app: Actium, create: CreateAction, monkeypatch: pytest.MonkeyPatch, has_ended: bool
) -> None:
    """What someone retries between the look for what is over and its deletion stays, and its event with it."""

    def run(config: ActionConfig, trigger_execution: TriggerExecutionResponse) -> str:
        if trigger_execution.attempt == 1:
            raise ValueError("not yet")
        return "done"

    app.flavors.register(action_flavor("test.mended")(run))
    action = create(flavor="test.mended")
    app.triggers.create(TriggerRequest(name="every", action_id=action.id, match_all=True))
    events = [app.events.publish(event()) for _ in range(2)]
    assert app.worker().run_until_idle() == 2
    (dead,), (alive,) = (one.executions for one in events)
    find = retention.find

    def find_and_retry(*arguments: Any) -> Any:
        monkeypatch.setattr(retention, "find", find)
        found = find(*arguments)
        with Actium(url) as other:
            other.executions.retry(alive)
            if has_ended:
                other.flavors.register(action_flavor("test.mended")(run))
                other.worker().run_until_idle()
        return found

    monkeypatch.setattr(retention, "find", find_and_retry)
    pruned = app.retention.prune(AT_ONCE)
    assert (pruned.executions, pruned.events) == (1, 1)
    with pytest.raises(NotFoundError):
        app.executions.get(dead)
    app.worker().run_until_idle()
    ended = app.executions.get(alive)
    assert (ended.result, len(ended.attempts)) == ("done", 2)
    assert ended.event is not None
    assert app.store.check() == ()


WORKER = """
    import os, sys
    from actium import Actium, action_flavor

    notes = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND)

    @action_flavor("test.noting")
    def noting(trigger_execution):
        os.write(notes, f"{trigger_execution.event.id} {os.getpid()}\\n".encode())

    with Actium(sys.argv[1]) as app:
        app.flavors.register(noting)
        worker = app.worker(concurrency=2, poll_interval=0.02)
        os.write(notes, b"here\\n")
        worker.run()
"""


@contextmanager
def process_that_works(url: str, notes: Path) -> Iterator[None]:
    """A process that runs the noting flavor."""
    command = [sys.executable, "-c", textwrap.dedent(WORKER), url, str(notes)]
    with subprocess.Popen(command) as process:
        try:
            while "here" not in notes.read_text():
                assert process.poll() is None
                threading.Event().wait(0.01)  # until it is there
            yield
        finally:
            process.kill()


def noted(notes: Path) -> list[list[str]]:
    """Each execution's event, and the process that ran it."""
    return [line.split() for line in notes.read_text().splitlines() if line != "here"]


def processes(notes: Path) -> set[str]:
    """Those that have run something."""
    return {process for _, process in noted(notes)}


def pruned_of(pruned: list[Pruned]) -> int:
    """How many executions were pruned so far."""
    return sum(one.executions for one in pruned)


@pytest.mark.skipif(os.name != "posix", reason="appends of several processes to one file")
def test_pruning_and_mending_beside_workers(
    url: str, app: Actium, create: CreateAction, working: Working, tmp_path: Path
) -> None:
    """While two processes work, what is over is pruned and the store is mended all the time: all is run, once."""
    notes, is_over = tmp_path / "notes", threading.Event()
    notes.touch()

    def noting(config: ActionConfig, trigger_execution: TriggerExecutionResponse) -> None:
        assert trigger_execution.event is not None
        with notes.open("a") as file:
            file.write(f"{trigger_execution.event.id} {os.getpid()}\n")

    app.flavors.register(action_flavor("test.noting")(noting))
    action = create(flavor="test.noting")
    app.triggers.create(TriggerRequest(name="every", action_id=action.id, match_all=True))
    pruned, findings = list[Pruned](), list[Finding]()

    def look_after(url: str) -> None:
        with Actium(url) as other:
            while not is_over.is_set():
                pruned.append(other.retention.prune(AT_ONCE))
                findings.extend(other.doctor.examine_store(mend=True, grace=AT_ONCE))

    names = list[str]()
    with process_that_works(url, notes), working(app), ThreadPoolExecutor(1) as thread:
        looking_after = thread.submit(look_after, url)
        until = time.monotonic() + SECONDS
        try:
            while len(names) < 400 or len(processes(notes)) < 2 or pruned_of(pruned) < 40:
                assert time.monotonic() < until
                names += [f"{len(names) + more}" for more in range(10)]
                app.actions.run(action.id, event=event(id=names[-1]))
                app.events.publish_many(event(id=name) for name in names[-10:-1])
            while any(app.executions.list(TriggerExecutionFilter(status=status)).total for status in UNDER_WAY):
                assert time.monotonic() < until
                time.sleep(0.01)
        finally:
            is_over.set()
        looking_after.result()
    assert Counter(name for name, _ in noted(notes)) == Counter(names)
    assert findings == []
    app.retention.prune(AT_ONCE)
    assert (app.executions.list().total, app.events.list().total) == (0, 0)
    assert app.doctor.examine_store() == ()
