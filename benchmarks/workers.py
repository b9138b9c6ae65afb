"""Durable execution with workers in threads, beside huey's SQLite queue and beside SQLite alone.

An event of 500 bytes is published, matched with one trigger, stored, run through the relay of a flavor that does
nothing, and its outcome stored. huey enqueues a task with the same payload, which does nothing, and stores its result;
it is given what suits it best: workers that look every millisecond, and results that are asked for as often.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

from measuring import Effort, Row, by_turns, median_of, ratio_of

from actium import Actium, Event, action_flavor
from actium.models import ActionRequest, ServiceAccountRequest, TriggerExecutionFilter, TriggerRequest

SUBJECT = "workers"
PAYLOAD = {"path": "/bucket/raw/" + "x" * 470}
COROUTINES = 128
TOGETHER = 100
"""Executions in one transaction of SQLite alone."""


def measure(effort: Effort) -> Iterator[Row]:
    """The four rates of the durable path."""
    logging.getLogger("huey").setLevel(logging.CRITICAL)
    has_huey = find_spec("huey") is not None
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        times = effort.executions * 4
        for synchronous, wanted in (("full", 20.0), ("normal", 5.0)):
            sides: list[Callable[[], float]] = [
                partial(_published_together, folder, synchronous, times),
                partial(_sqlite_alone, folder, synchronous, times),
            ]
            if has_huey:
                sides.append(partial(_huey, folder, synchronous, effort.executions, 4))
            results = by_turns(sides, effort.store_rounds)
            what = f"publish_many, 4 worker threads, synchronous={synchronous}"
            yield from _compared(what, results, has_huey=has_huey, wanted=wanted)
            raw = "SQLite alone, 100 executions a transaction"
            yield _beside(what, results, 1, raw, at_least=0.35 if synchronous == "full" else None)
        sides = [partial(_awaited, folder, "full", effort.executions)]
        if has_huey:
            sides.append(partial(_huey, folder, "full", effort.executions, 4))
        results = by_turns(sides, effort.store_rounds)
        what = f"{COROUTINES} coroutines, each awaiting its end, synchronous=full"
        yield from _compared(what, results, has_huey=has_huey, wanted=12.0, other=1)
        sides = [partial(_one_by_one, folder, "normal", effort.executions)]
        if has_huey:
            sides.append(partial(_huey_one_by_one, folder, "normal", effort.executions))
        results = by_turns(sides, effort.store_rounds)
        what = "one caller, waiting for each end, synchronous=normal"
        yield from _compared(what, results, has_huey=has_huey, wanted=1.2, other=1)


def _compared(
    what: str, results: list[tuple[float, ...]], *, has_huey: bool, wanted: float, other: int = 2
) -> Iterator[Row]:
    if has_huey:
        yield _beside(what, results, other, "huey, the same", at_least=wanted)
    else:
        yield Row(subject=SUBJECT, name=what, value=median_of(results, 0), unit="/s")


def _beside(what: str, results: list[tuple[float, ...]], other: int, beside: str, *, at_least: float | None) -> Row:
    return Row(
        subject=SUBJECT,
        name=what,
        value=median_of(results, 0),
        unit="/s",
        beside=beside,
        beside_value=median_of(results, other),
        ratio=ratio_of(results, 0, other),
        ratio_at_least=at_least,
    )


@contextmanager
def working(file: Path, synchronous: str, *, concurrency: int) -> Iterator[Actium]:
    """An application whose worker runs in threads, and has run something already."""
    with Actium(f"sqlite:///{file}?synchronous={synchronous}") as app:
        app.flavors.register(action_flavor("bench.nothing")(lambda config: None))
        if not app.triggers.list().total:
            _one_trigger(app)
        worker = app.worker(concurrency=concurrency)
        thread = threading.Thread(target=worker.run)
        thread.start()
        try:
            published = app.events.publish_many(event() for _ in range(50))
            app.executions.wait(published[-1].executions[0], 60)
            yield app
        finally:
            worker.stop()
            thread.join()


def _one_trigger(app: Actium) -> None:
    account = app.accounts.create(ServiceAccountRequest(name="bench"))
    request = ActionRequest(name="nothing", plugin_subtype="bench", flavor="nothing", service_account_id=account.id)
    action = app.actions.create(request)
    app.triggers.create(
        TriggerRequest(name="on arrival", action_id=action.id, filters=[{"exact": {"type": "data.arrived"}}])
    )


def event() -> Event:
    """An event that the trigger matches."""
    return Event(type="data.arrived", source="/bucket/raw", data=PAYLOAD)


def wait_for_none(app: Actium) -> None:
    """Wait until nothing is pending and nothing runs."""
    for status in ("pending", "running", "pending", "running"):
        asked = TriggerExecutionFilter(status=status, max_size=1)
        while app.executions.list(asked).total:
            time.sleep(0.005)


def _published_together(folder: Path, synchronous: str, times: int) -> float:
    with (
        tempfile.TemporaryDirectory(dir=folder) as own,
        working(Path(own, "actium.db"), synchronous, concurrency=4) as app,
    ):
        wait_for_none(app)
        started = time.perf_counter()
        published = app.events.publish_many(event() for _ in range(times))
        app.executions.wait(published[-1].executions[0], 600)
        wait_for_none(app)
        return times / (time.perf_counter() - started)


def _awaited(folder: Path, synchronous: str, times: int) -> float:
    rounds = max(1, times // COROUTINES)

    async def one(app: Actium) -> None:
        for _ in range(rounds):
            published = await app.events.apublish(event())
            ended = await app.executions.await_end(published.executions[0])
            if not ended.status.is_final:
                raise RuntimeError("an execution that was awaited has not ended")

    async def all_of_them(app: Actium) -> None:
        await asyncio.gather(*(one(app) for _ in range(COROUTINES)))

    with (
        tempfile.TemporaryDirectory(dir=folder) as own,
        working(Path(own, "actium.db"), synchronous, concurrency=4) as app,
    ):
        started = time.perf_counter()
        asyncio.run(all_of_them(app))
        return rounds * COROUTINES / (time.perf_counter() - started)


def _one_by_one(folder: Path, synchronous: str, times: int) -> float:
    with (
        tempfile.TemporaryDirectory(dir=folder) as own,
        working(Path(own, "actium.db"), synchronous, concurrency=1) as app,
    ):
        started = time.perf_counter()
        for _ in range(times):
            app.executions.wait(app.events.publish(event()).executions[0], 60)
        return times / (time.perf_counter() - started)


@contextmanager
def _consuming(folder: Path, synchronous: str, workers: int) -> Iterator[Callable[[Any], Any]]:
    huey: Any = import_module("huey")
    with tempfile.TemporaryDirectory(dir=folder) as own:
        queue = huey.SqliteHuey(filename=str(Path(own, "huey.db")), fsync=synchronous == "full")
        task = queue.task()(lambda payload: 1)
        consumer = queue.create_consumer(
            workers=workers, initial_delay=0.001, max_delay=0.001, periodic=False, check_worker_health=False
        )
        consumer.start()
        try:
            task(PAYLOAD).get(blocking=True, backoff=1, max_delay=0.001)
            yield task
        finally:
            consumer.stop(graceful=True)


def _huey(folder: Path, synchronous: str, times: int, workers: int) -> float:
    with _consuming(folder, synchronous, workers) as task:
        started = time.perf_counter()
        results = [task(PAYLOAD) for _ in range(times)]
        for result in results:
            result.get(blocking=True, backoff=1, max_delay=0.001)
        return times / (time.perf_counter() - started)


def _huey_one_by_one(folder: Path, synchronous: str, times: int) -> float:
    with _consuming(folder, synchronous, 1) as task:
        started = time.perf_counter()
        for _ in range(times):
            task(PAYLOAD).get(blocking=True, backoff=1, max_delay=0.001)
        return times / (time.perf_counter() - started)


def _sqlite_alone(folder: Path, synchronous: str, times: int) -> float:
    """The least that a durable queue writes: what is to be done, and how it ended, a hundred in a transaction."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        connection = sqlite3.connect(Path(own, "raw.db"), isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        connection.execute("CREATE TABLE runs (id TEXT PRIMARY KEY, status TEXT, payload TEXT, result TEXT)")
        connection.execute("CREATE INDEX by_status ON runs (status) WHERE status != 'done'")
        payload = "x" * 500
        started = time.perf_counter()
        for _ in range(times // TOGETHER):
            ids = [str(uuid4()) for _ in range(TOGETHER)]
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO runs VALUES (?, 'pending', ?, NULL)", [(one, payload) for one in ids])
            connection.execute("COMMIT")
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "UPDATE runs SET status = 'done', result = 'null' WHERE id = ?", [(one,) for one in ids]
            )
            connection.execute("COMMIT")
        seconds = time.perf_counter() - started
        connection.close()
        return times // TOGETHER * TOGETHER / seconds
