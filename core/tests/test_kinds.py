"""Whose turn it is: which executions are of one kind, what becomes of the others, and how many processes keep to it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from actium import ActionConfig, Actium, Event, ExecutionStatus, TriggerExecutionResponse, action_flavor
from actium.errors import ExecutionCancelled
from actium.event_hub.worker import Worker
from actium.models import ActionResponse, Concurrency, RunPolicy, TriggerRequest

CreateAction = Callable[..., ActionResponse]
Working = Callable[..., AbstractContextManager[Worker]]
SECONDS = 30.0


def event(**attributes: Any) -> Event:
    return Event(**{"type": "com.example.arrived", "source": "/bucket/raw", **attributes})


def limited(create: CreateAction, **concurrency: Any) -> ActionResponse:
    """An action of which not any number may be under way."""
    return create(run_policy=RunPolicy(concurrency=Concurrency(**concurrency)))


@pytest.mark.parametrize("is_published", [True, False])
@pytest.mark.parametrize(
    ("key", "one", "other"),
    [
        ("subject", {"subject": "a"}, {"subject": "b"}),
        ("subject", {"subject": "a"}, {}),
        ("source", {"source": "/a"}, {"source": "/b"}),
        ("type", {"type": "a"}, {"type": "b"}),
        ("tenant", {"tenant": "a"}, {"tenant": "b"}),
        ("tenant", {"tenant": "a"}, {}),
        ("data.order.number", {"data": {"order": {"number": 1}}}, {"data": {"order": {"number": 2}}}),
        ("data.order.number", {"data": {"order": {"number": 1}}}, {"data": {"order": 1}}),
        ("data.name", {"data": {"name": "x" * 300 + "a"}}, {"data": {"name": "x" * 300 + "b"}}),
    ],
)
def test_single_skips_those_of_the_same_key(
    app: Actium, create: CreateAction, key: str, one: dict[str, Any], other: dict[str, Any], is_published: bool
) -> None:
    """What the key finds in the event tells kinds apart: only what agrees with one that has not ended is skipped."""
    action = limited(create, mode="single", key=key)
    app.triggers.create(TriggerRequest(name="every", action_id=action.id, match_all=True))

    def started(attributes: dict[str, Any]) -> ExecutionStatus:
        if not is_published:
            return app.actions.run(action.id, event=event(**attributes)).status
        (execution,) = app.events.publish(event(**attributes)).executions
        return app.executions.get(execution).status

    statuses = [started(attributes) for attributes in (one, other, one, other)]
    assert [status.value for status in statuses] == ["pending", "pending", "skipped", "skipped"]
    assert app.worker().run_until_idle() == 2
    assert started(one) is ExecutionStatus.PENDING


def test_keys_of_two_actions_have_nothing_in_common(app: Actium, create: CreateAction) -> None:
    """The same key is another kind for another action."""
    policy = RunPolicy(concurrency=Concurrency(mode="single", key="subject"))
    for name in ("one", "other"):
        action = create(name, run_policy=policy)
        assert app.actions.run(action.id, event=event(subject="a")).status is ExecutionStatus.PENDING


def test_restart_cancels_what_waits(app: Actium, create: CreateAction) -> None:
    """What has not begun is cancelled as soon as a newer one comes, also where no worker runs; the newest one runs."""
    action = limited(create, mode="restart")
    first, second, third = (app.actions.run(action.id).id for _ in range(3))
    for replaced in (first, second):
        execution = app.executions.get(replaced)
        assert (execution.status, execution.attempts) == (ExecutionStatus.CANCELLED, ())
        assert "a newer execution took its place" in str(execution.reason)
    assert app.worker().run_until_idle() == 1
    assert app.executions.get(third).status is ExecutionStatus.SUCCEEDED


def test_restart_leaves_other_keys_alone(app: Actium, create: CreateAction, working: Working) -> None:
    """A newer execution cancels what runs and what waits of its own key only."""
    begun = {key: threading.Event() for key in "ab"}
    goes_on = threading.Event()

    def run(config: ActionConfig, trigger_execution: TriggerExecutionResponse, handler: Any) -> str:
        assert trigger_execution.event is not None
        begun[str(trigger_execution.event.subject)].set()
        while not goes_on.wait(0.005):
            if handler.cancel_requested(trigger_execution):
                raise ExecutionCancelled("a newer one came")
        return "done"

    app.flavors.register(action_flavor("test.heeding")(run))
    policy = RunPolicy(concurrency=Concurrency(mode="restart", key="subject"))
    action = create(flavor="test.heeding", run_policy=policy)
    with working(app, concurrency=4):
        former, other = (app.actions.run(action.id, event=event(subject=key)).id for key in "ab")
        for began in begun.values():
            assert began.wait(SECONDS)
        newest = app.actions.run(action.id, event=event(subject="a")).id
        assert app.executions.wait(former, SECONDS).status is ExecutionStatus.CANCELLED
        assert app.executions.get(other).status is ExecutionStatus.RUNNING
        goes_on.set()
        assert [app.executions.wait(each, SECONDS).result for each in (other, newest)] == ["done", "done"]


WORKER = """
    import os, sys, time
    from actium import Actium, action_flavor

    notes = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND)

    def note(what, execution):
        key = execution.event.data["key"]
        os.write(notes, f"{time.monotonic_ns()} {what} {key} {execution.id}\\n".encode())

    @action_flavor("test.noting")
    def noting(trigger_execution):
        note("began", trigger_execution)
        time.sleep(0.01)
        note("ended", trigger_execution)

    with Actium(sys.argv[1]) as app:
        app.flavors.register(noting)
        worker = app.worker(concurrency=2, poll_interval=0.01)
        os.write(notes, f"{time.monotonic_ns()} here {os.getpid()} -\\n".encode())
        worker.run()
"""


@contextmanager
def process_that_works(url: str, notes: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that runs two of the noting flavor at once."""
    command = [sys.executable, "-c", textwrap.dedent(WORKER), url, str(notes)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


def noted(notes: Path, *what: str) -> list[list[str]]:
    """What the processes have noted, in the order of one clock."""
    lines = [line.split()[:4] for line in notes.read_text().splitlines()]
    return sorted((line for line in lines if line[1] in what), key=lambda line: int(line[0]))


def most_at_once(notes: Path) -> int:
    """How many of one key were under way at one time at most."""
    under_way, most = Counter[str](), 0
    for _, what, key, _ in noted(notes, "began", "ended"):
        under_way[key] += 1 if what == "began" else -1
        most = max(most, under_way[key])
    return most


@pytest.mark.skipif(os.name != "posix", reason="appends of several processes to one file")
@pytest.mark.parametrize(
    "concurrency",
    [
        Concurrency(mode="queued", key="data.key"),
        Concurrency(mode="queued", maximum=2, key="data.key"),
        Concurrency(mode="parallel", maximum=2, key="data.key"),
    ],
    ids=["queued", "queued by two", "two in parallel"],
)
def test_several_processes_keep_to_it(
    url: str, app: Actium, create: CreateAction, tmp_path: Path, concurrency: Concurrency
) -> None:
    """However many processes there are, no more of one key overlap than may; all are run, once, by several of them."""
    notes = tmp_path / "notes"
    notes.touch()
    app.flavors.register(action_flavor("test.noting")(lambda: None))
    action = create(flavor="test.noting", run_policy=RunPolicy(concurrency=concurrency))
    app.triggers.create(TriggerRequest(name="every", action_id=action.id, match_all=True))
    with ExitStack() as processes:
        started = [processes.enter_context(process_that_works(url, notes)) for _ in range(3)]
        while len(noted(notes, "here")) < 3:
            assert all(process.poll() is None for process in started)
            threading.Event().wait(0.01)  # until they are there
        executions, workers = list[UUID](), set[str | None]()
        for _ in range(20):  # as a rule one round is enough for several to take part, and to be at work at once
            published = app.events.publish_many(event(data={"key": number % 3}) for number in range(60))
            executions += [one.executions[0] for one in published]
            ended = [app.executions.wait(one, SECONDS) for one in executions[-60:]]
            assert {(one.status, len(one.attempts)) for one in ended} == {(ExecutionStatus.SUCCEEDED, 1)}
            workers |= {one.attempts[0].worker for one in ended}
            if len(workers) > 1 and most_at_once(notes) >= (concurrency.slots or 0):
                break
    assert len(workers) > 1
    assert most_at_once(notes) == concurrency.slots
    order = [execution for _, _, _, execution in noted(notes, "began")]
    assert Counter(order) == Counter(map(str, executions))
    if concurrency.slots == 1:
        for number in range(3):
            of_key = [str(one) for one in executions[number::3]]
            assert [one for one in order if one in of_key] == of_key
