"""What an idle worker is woken for by its own process, and how long it lets go on what runs when it is to stop."""

from __future__ import annotations

import asyncio
import queue
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from actium import ActionConfig, Actium, Event, ExecutionStatus, TriggerExecutionResponse, action_flavor
from actium.errors import ExecutionCancelled, Retry
from actium.event_hub.worker import Worker
from actium.models import ActionResponse, Concurrency, ConcurrencyMode, RunPolicy, TriggerRequest

CreateAction = Callable[..., ActionResponse]
Working = Callable[..., AbstractContextManager[Worker]]
SECONDS = 30.0
LONG = 600.0
"""Seconds between looks that a worker which nobody wakes takes of itself, so that none comes during a test."""

QUEUED = RunPolicy(concurrency=Concurrency(mode=ConcurrencyMode.QUEUED))
"""Where it counts whose turn it is, nothing is handed over to a worker: it claims what was stored."""


def event(**fields: Any) -> Event:
    return Event(type="com.example.arrived", source="/bucket/raw", **fields)


def published(app: Actium, known: UUID) -> UUID:
    return app.events.publish(event()).executions[0]


def published_with_others(app: Actium, known: UUID) -> UUID:
    return app.events.publish_many([event()])[0].executions[0]


def published_by_a_coroutine(app: Actium, known: UUID) -> UUID:
    return asyncio.run(app.events.apublish(event())).executions[0]


def published_again(app: Actium, known: UUID) -> UUID:
    first = app.executions.get(known).event
    assert first is not None
    return app.events.replay(first.id).executions[0]


def retried(app: Actium, known: UUID) -> UUID:
    return app.executions.retry(known).id


def retried_with_all(app: Actium, known: UUID) -> UUID:
    (again,) = app.executions.retry_all()
    return again.id


@pytest.mark.parametrize(
    "store",
    [published, published_with_others, published_by_a_coroutine, published_again, retried, retried_with_all],
)
def test_what_is_stored_and_not_handed_over_begins_at_once(
    app: Actium, create: CreateAction, working: Working, store: Callable[[Actium, UUID], UUID]
) -> None:
    """An idle worker begins within 50 ms with what its process stores, though it has to claim it."""
    began = queue.SimpleQueue[float]()

    def run(config: ActionConfig) -> None:
        began.put(time.monotonic())
        if store in {retried, retried_with_all}:
            raise ValueError("so that it can be retried")

    app.flavors.register(action_flavor("test.clock")(run))
    action = create(flavor="test.clock", run_policy=QUEUED)
    app.triggers.create(TriggerRequest(name="every", action_id=action.id, match_all=True))
    delays = list[float]()
    with working(app, poll_interval=LONG, lease=LONG):
        known = latest = app.events.publish(event()).executions[0]
        began.get(timeout=SECONDS)
        for _ in range(9):
            app.executions.wait(latest, SECONDS)
            latest = store(app, known)
            stored = time.monotonic()
            delays.append(began.get(timeout=SECONDS / 6) - stored)
    assert statistics.median(delays) < 0.05


def test_what_it_knows_to_come_wakes_nobody(
    app: Actium, create: CreateAction, working: Working, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While an attempt is made again in an hour, a worker's own thread looks no oftener than without it."""
    looks, look = list[None](), app.store.next_due

    def next_due() -> datetime | None:
        looks.append(None)
        return look()

    def run(config: ActionConfig, trigger_execution: TriggerExecutionResponse) -> None:
        event = trigger_execution.event
        if event is not None and event.subject == "again":
            raise Retry("the other side is busy", after=3600)

    app.flavors.register(action_flavor("test.busy")(run))
    action = create(flavor="test.busy", run_policy=RunPolicy(max_attempts=2))
    app.triggers.create(TriggerRequest(name="every", action_id=action.id, match_all=True))
    monkeypatch.setattr(app.store, "next_due", next_due)
    with working(app, poll_interval=LONG, lease=LONG):
        again = app.events.publish(event(subject="again")).executions[0]
        until = time.monotonic() + SECONDS
        while not any(one.finished for one in app.executions.get(again).attempts) and time.monotonic() < until:
            time.sleep(0.01)
        before = len(looks)
        for _ in range(20):
            app.executions.wait(app.events.publish(event()).executions[0], SECONDS)
    assert len(looks) - before < 10


def test_what_is_cancelled_ends_at_once(app: Actium, create: CreateAction, working: Working) -> None:
    """A worker that waits, while what it runs does, is woken by a cancellation; it does not look at its leisure."""
    began, ended = queue.SimpleQueue[float](), queue.SimpleQueue[float]()

    async def run(config: ActionConfig) -> None:
        began.put(time.monotonic())
        try:
            await asyncio.sleep(SECONDS)
        finally:
            ended.put(time.monotonic())

    app.flavors.register(action_flavor("test.sleeping")(run))
    action = create(flavor="test.sleeping")
    delays = list[float]()
    with working(app, poll_interval=LONG, lease=LONG):
        for _ in range(5):
            execution = app.actions.run(action.id)
            began.get(timeout=SECONDS)
            time.sleep(0.15)  # it has looked after what has begun, and waits
            app.executions.cancel(execution.id)
            cancelled = time.monotonic()
            delays.append(ended.get(timeout=SECONDS / 6) - cancelled)
            assert app.executions.wait(execution.id, SECONDS).status is ExecutionStatus.CANCELLED
    assert statistics.median(delays) < 0.1


@pytest.mark.parametrize("concurrency", [1, 2])
@pytest.mark.parametrize("kind", ["coroutine", "thread", "the worker's own thread"])
def test_what_runs_when_a_worker_stops_has_time_to_end(
    app: Actium, create: CreateAction, kind: str, concurrency: int
) -> None:
    """Within the grace time nothing that runs is asked to end; it is finished and recorded, and the worker ends."""
    workers = list[Worker]()

    async def wait(config: ActionConfig) -> str:
        workers[0].stop(grace=SECONDS)
        await asyncio.sleep(0.3)  # as long as it takes a worker to see that it is to stop, many times
        return "done"

    def look(config: ActionConfig, trigger_execution: TriggerExecutionResponse, handler: Any) -> str:
        workers[0].stop(grace=SECONDS)
        for _ in range(30):
            time.sleep(0.01)
            if handler.cancel_requested(trigger_execution):
                raise ExecutionCancelled("as asked")
        return "done"

    app.flavors.register(action_flavor("test.going_on")(wait if kind == "coroutine" else look))
    execution = app.actions.run(create(flavor="test.going_on").id)
    workers.append(app.worker(concurrency=concurrency))
    began = time.monotonic()
    if kind == "the worker's own thread":
        workers[0].run_until_idle()
    else:
        workers[0].run()
    assert time.monotonic() - began < SECONDS / 3
    ended = app.executions.get(execution.id)
    assert (ended.result, len(ended.attempts)) == ("done", 1)
