"""A wall clock that is set back keeps nothing from running that would have run without that."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from actium import Actium, ExecutionStatus, action_flavor
from actium.models import ActionResponse, Backoff, Concurrency, RunPolicy
from actium.stores.sqlite.clock import WallClock

CreateAction = Callable[..., ActionResponse]
SECONDS = 30.0


class Clocks:
    """A wall clock and a monotonic one that a test moves."""

    def __init__(self) -> None:
        self.wall, self.monotonic = 1_800_000_000.0, 50.0

    def watched(self) -> WallClock:
        return WallClock(wall=lambda: self.wall, monotonic=lambda: self.monotonic)

    def go_on(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


def set_back(file: Path, *, hours: int, attempts: bool = True) -> None:
    """Make a store as it is found after the clock was set back: what is in it was written later than now."""
    with closing(sqlite3.connect(file)) as connection, connection:
        later = f"strftime('%Y-%m-%dT%H:%M:%f000+00:00', {{}}, '+{hours} hours')"
        connection.execute(f"UPDATE executions SET available = {later.format('available')} WHERE status = 'pending'")
        if attempts:
            connection.execute(f"UPDATE execution_attempts SET finished = {later.format('finished')}")


def test_seen_once() -> None:
    """A clock that is set back is noticed once; one that goes on, is kept right or is set forward is not."""
    clocks = Clocks()
    clock = clocks.watched()
    clocks.go_on(3600)
    clocks.wall -= 0.2
    assert not clock.was_set_back()
    clocks.wall += 7200
    assert not clock.was_set_back()
    clocks.wall -= 3600
    assert [clock.was_set_back(), clock.was_set_back()] == [True, False]


def test_what_waits_is_run_by_the_next_worker(app: Actium, create: CreateAction, tmp_path: Path) -> None:
    """Executions that were stored before the clock was set back are due for a worker that begins after."""
    executions = [app.actions.run(create().id), app.actions.run(create("other").id)]
    set_back(tmp_path / "actium.db", hours=1)
    app.worker().run_until_idle()
    assert [app.executions.get(one.id).status for one in executions] == [ExecutionStatus.SUCCEEDED] * 2


def test_what_waits_is_run_by_a_worker_that_runs(app: Actium, create: CreateAction, tmp_path: Path) -> None:
    """A worker that waits when the clock is set back finds what is due."""
    clocks = Clocks()
    app.store._clock = clocks.watched()
    worker = app.worker(poll_interval=0.02)
    thread = threading.Thread(target=worker.run)
    app.worker().run_until_idle()
    action = create()
    app.hub._offer = lambda most: None
    execution = app.actions.run(action.id)
    set_back(tmp_path / "actium.db", hours=1)
    thread.start()
    try:
        clocks.wall -= 3600
        assert app.executions.wait(execution.id, SECONDS).status is ExecutionStatus.SUCCEEDED
    finally:
        worker.stop()
        thread.join(SECONDS)


def test_a_pause_stays_as_long_as_it_was(app: Actium, create: CreateAction, tmp_path: Path) -> None:
    """What waits for its next attempt waits for its pause, and not for the hours that the clock was set back by."""

    @action_flavor("test.failing")
    def failing() -> None:
        raise ValueError("not yet")

    app.flavors.register(failing)
    policy = RunPolicy(max_attempts=2, backoff=Backoff(kind="fixed", base=600, jitter=False))
    execution = app.actions.run(create("failing", flavor="test.failing", run_policy=policy).id)
    app.worker().run_until_idle()
    set_back(tmp_path / "actium.db", hours=5)
    for _ in range(3):
        with Actium(app.store.url) as other:
            other.worker().run_until_idle()
            due = other.store.next_due()
    assert due is not None
    assert timedelta(seconds=590) < due - datetime.now(UTC) <= timedelta(seconds=601)
    assert app.executions.get(execution.id).attempt == 1


def test_what_waits_for_its_turn_goes_on(app: Actium, create: CreateAction, tmp_path: Path) -> None:
    """A queue that was stored before the clock was set back does not wait for as long as that was, turn by turn."""
    action = create(run_policy=RunPolicy(concurrency=Concurrency(mode="queued")))
    executions = [app.actions.run(action.id) for _ in range(3)]
    set_back(tmp_path / "actium.db", hours=1)
    app.worker().run_until_idle()
    assert [app.executions.get(one.id).status for one in executions] == [ExecutionStatus.SUCCEEDED] * 3


@pytest.mark.parametrize("failed", ["before", "while"])
def test_what_was_asked_for_again_is_due(app: Actium, create: CreateAction, tmp_path: Path, failed: str) -> None:
    """What was retried by hand while the clock was ahead is due after it was set back, whenever it had failed."""
    works = False

    @action_flavor("test.failing")
    def failing() -> None:
        if not works:
            raise ValueError("not yet")

    app.flavors.register(failing)
    execution = app.actions.run(create("failing", flavor="test.failing").id)
    app.worker().run_until_idle()
    works = True
    app.executions.retry(execution.id)
    set_back(tmp_path / "actium.db", hours=2, attempts=failed == "while")
    with Actium(app.store.url) as other:
        other.flavors.register(failing)
        other.worker().run_until_idle()
    assert app.executions.get(execution.id).status is ExecutionStatus.SUCCEEDED
