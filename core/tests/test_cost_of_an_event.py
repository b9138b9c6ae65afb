"""What one event costs: counted in the steps that SQLite takes, which unlike seconds are the same on every machine."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from actium import Actium, Event, action_flavor
from actium.models import ActionRequest, ServiceAccountRequest, TriggerRequest
from actium.stores.records import WorkerRecord


class Steps:
    """Counts the steps that SQLite's virtual machine takes for one thread, on connections that are opened meanwhile.

    Each connection is counted from its beginning: setting the count up while another thread uses it would wait for that
    thread with the interpreter in hand, which that thread needs to count.
    """

    def __init__(self) -> None:
        self._thread = threading.get_ident()
        self._is_counting = False
        self._count = 0

    def connect(self, *arguments: Any, **options: Any) -> sqlite3.Connection:
        connection = sqlite3.Connection(*arguments, **options)
        connection.set_progress_handler(self._step, 1)
        return connection

    def of(self, work: Callable[[], Any]) -> int:
        """How many steps some work takes."""
        self._count, self._is_counting = 0, True
        work()
        self._is_counting = False
        return self._count

    def _step(self) -> int:
        self._count += self._is_counting and threading.get_ident() == self._thread
        return 0


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    steps = Steps()
    monkeypatch.setattr(sqlite3, "connect", steps.connect)
    return steps


@contextmanager
def application(folder: Path) -> Iterator[Actium]:
    """An application with an action, and a trigger on events of one type."""
    with Actium(f"sqlite:///{folder / 'actium.db'}?synchronous=normal") as app:
        app.flavors.register(action_flavor("test.quick")(lambda: None))
        account = app.accounts.create(ServiceAccountRequest(name="robot"))
        action = app.actions.create(
            ActionRequest(name="quick", plugin_subtype="test", flavor="quick", service_account_id=account.id)
        )
        arrived = [{"exact": {"type": "com.example.arrived"}}]
        app.triggers.create(TriggerRequest(name="arrived", action_id=action.id, filters=arrived))
        yield app


def publish_and_run(app: Actium) -> None:
    app.events.publish(Event(type="com.example.arrived", source="/a", data={"rows": 344}))
    assert app.worker().run_until_idle() == 1


def test_it_does_not_grow_with_what_ran_before(tmp_path: Path, steps: Steps) -> None:
    """Publishing and running costs the same after 500 executions as after the first few."""
    with application(tmp_path) as app:
        for _ in range(5):
            publish_and_run(app)
        before = steps.of(lambda: publish_and_run(app))
        for _ in range(500):
            publish_and_run(app)
        assert steps.of(lambda: publish_and_run(app)) <= before * 1.1


def test_it_does_not_grow_with_what_waits(tmp_path: Path, steps: Steps) -> None:
    """Publishing, and taking the next execution, costs the same with 500 waiting as with a few."""
    with application(tmp_path) as app:

        def publish() -> None:
            app.events.publish(Event(type="com.example.arrived", source="/a"))

        for _ in range(5):
            publish()
        store, worker = app.store, "test:1:1"
        store.register_worker(
            WorkerRecord(name=worker, host="h", process=1, lease=30, beat=0, started=datetime.now(UTC))
        )
        before = steps.of(publish), steps.of(lambda: store.exchange(worker, limit=1))
        for _ in range(500):
            publish()
        after = steps.of(publish), steps.of(lambda: store.exchange(worker, limit=1))
        assert after[0] <= before[0] * 1.1
        assert after[1] <= before[1] * 1.1


def test_it_does_not_grow_with_triggers_that_do_not_match(tmp_path: Path, steps: Steps) -> None:
    """Publishing costs the same beside 500 triggers on other events as beside none, once they are known."""
    with application(tmp_path) as app:
        publish_and_run(app)
        before = steps.of(lambda: publish_and_run(app))
        action = app.actions.get("quick")
        for number in range(500):
            filters = [{"exact": {"type": f"com.example.other.{number}"}}]
            app.triggers.create(TriggerRequest(name=f"other-{number}", action_id=action.id, filters=filters))
        publish_and_run(app)
        assert steps.of(lambda: publish_and_run(app)) <= before * 1.1


def test_it_grows_with_triggers_that_match(tmp_path: Path, steps: Steps) -> None:
    """The count counts: ten more triggers that match cost more."""
    with application(tmp_path) as app:

        def publish() -> None:
            app.events.publish(Event(type="com.example.arrived", source="/a"))

        publish()
        before = steps.of(publish)
        action = app.actions.get("quick")
        for number in range(10):
            app.triggers.create(TriggerRequest(name=f"every-{number}", action_id=action.id, match_all=True))
        publish()
        assert steps.of(publish) > before * 2
