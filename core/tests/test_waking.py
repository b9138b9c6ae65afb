"""Workers are waked by all in their process that gives them something to do, whoever does it and however often."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from actium import ActionConfig, Actium, Event, ExecutionStatus, action_flavor
from actium.event_hub.worker import Worker
from actium.models import ActionResponse, Concurrency, ConcurrencyMode, RunPolicy, TriggerRequest

CreateAction = Callable[..., ActionResponse]
Working = Callable[..., AbstractContextManager[Worker]]

LONG = 60.0
"""Seconds between looks of a worker that must not need them."""

SOON = 5.0
"""Seconds within which something happens that is waked for: far below what a look would take, on any machine."""


def flavor_of(app: Actium, key: str, run: Callable[..., Any]) -> str:
    """Register a flavor made of a function."""
    app.flavors.register(action_flavor(key)(run))
    return key


def test_several_are_cancelled_one_right_after_the_other(app: Actium, create: CreateAction, working: Working) -> None:
    """Each is asked to end: a request that comes just after a look at requests is seen a moment later."""
    begun = threading.Semaphore(0)

    async def run(config: ActionConfig) -> None:
        begun.release()
        await asyncio.sleep(LONG)

    action = create(flavor=flavor_of(app, "test.slow", run))
    with working(app, poll_interval=LONG, lease=LONG):
        executions = [app.actions.run(action.id) for _ in range(4)]
        assert all(begun.acquire(timeout=LONG) for _ in executions)
        for execution in executions:
            app.executions.cancel(execution.id)
            time.sleep(0.02)
        ended = [app.executions.wait(execution.id, SOON) for execution in executions]
    assert {one.status for one in ended} == {ExecutionStatus.CANCELLED}


def test_several_begin_anew_one_right_after_the_other(app: Actium, create: CreateAction, working: Working) -> None:
    """With ``restart``, each cancels the one before, however soon it comes."""
    begun = threading.Semaphore(0)

    async def run(config: ActionConfig) -> None:
        begun.release()
        await asyncio.sleep(LONG)

    restart = RunPolicy(concurrency=Concurrency(mode=ConcurrencyMode.RESTART))
    action = create(flavor=flavor_of(app, "test.slow", run), run_policy=restart)
    with working(app, poll_interval=LONG, lease=LONG):
        for _ in range(4):
            latest = app.actions.run(action.id)
            assert begun.acquire(timeout=SOON)
        app.executions.cancel(latest.id)
        assert app.executions.wait(latest.id, SOON).status is ExecutionStatus.CANCELLED


@pytest.mark.parametrize("path", ["actium.db", "link.db"])
def test_another_application_of_the_process_wakes_it(
    tmp_path: Path, create: CreateAction, app: Actium, working: Working, path: str
) -> None:
    """What one application stores begins at once in the worker of another that has the same file open."""
    file = Path(app.store.url.removeprefix("sqlite:///"))
    (tmp_path / "link.db").symlink_to(file)
    action = create(flavor=flavor_of(app, "test.quick", lambda config: None))
    app.triggers.create(TriggerRequest(name="all", action_id=action.id, match_all=True))
    place = file if path == "actium.db" else tmp_path / path
    with Actium(f"sqlite:///{place}") as other, working(app, poll_interval=LONG, lease=LONG):
        published = other.events.publish(Event(type="data.arrived", source="/bucket/raw"))
        ended = other.executions.wait(published.executions[0], SOON)
        again = other.executions.wait(other.actions.run(action.id).id, SOON)
    assert ended.status is again.status is ExecutionStatus.SUCCEEDED


def test_stores_in_memory_are_places_of_their_own(app: Actium, tmp_path: Path) -> None:
    """Only stores of one file are at the same place, however its path is written."""
    (tmp_path / "sub").mkdir()
    with (
        Actium("sqlite://") as memory,
        Actium(f"sqlite:///{tmp_path}/other.db") as other,
        Actium(f"sqlite:///{tmp_path}/sub/../other.db?synchronous=normal") as same,
    ):
        assert memory.store.place is None
        assert other.store.place == same.store.place != app.store.place
