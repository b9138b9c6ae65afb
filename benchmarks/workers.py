"""Durable execution with workers in threads, beside huey's SQLite queue and beside SQLite alone.

An event of 500 bytes is published, matched with one trigger, stored, run through the relay of a flavor that does
nothing, and its outcome stored. huey enqueues a task with the same payload, which does nothing, and stores its result.
It is measured with its workers as Actium's are, threads of the caller's process, and in the best of several other ways.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import huey_queue
import sqlite_alone
from huey_queue import SetUp
from measuring import Effort, Row, Side, by_turns, fastest, median_of, ratio_of

from actium import Actium, Event, action_flavor
from actium.models import ActionRequest, ServiceAccountRequest, TriggerExecutionFilter, TriggerRequest

SUBJECT = "workers"
PAYLOAD = {"path": "/bucket/raw/" + "x" * 470}
COROUTINES = 128
LEAST = 100
"""Tasks of huey that each set-up is tried with."""
TOGETHER = SetUp("here", 4), SetUp("process", 4), SetUp("processes", 4), SetUp("here", 1), SetUp("process", 1)
MANY_WAIT = tuple(
    SetUp(place, 4, wait=wait, waiting=waiting)
    for place in ("here", "process")
    for waiting, wait in (("threads", 0.01), ("threads", 0.05), ("coroutines", 0.01), ("coroutines", 0.05))
)
ONE_WAITS = tuple(SetUp(place, 1, look, look) for place in ("here", "process") for look in (0.001, 0.0001, 0.0))


def measure(effort: Effort) -> Iterator[Row]:
    """The four rates of the durable path."""
    for case in CASES.values():
        yield from case(effort)


def _together(effort: Effort, *, synchronous: str, wanted: float, wanted_of_sqlite: float | None) -> Iterator[Row]:
    times, payload = effort.executions * 10, json.dumps(PAYLOAD)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        raw = sqlite_alone.event_and_execution, sqlite_alone.one_row
        sides: dict[str, Side] = {
            "Actium": partial(_published_together, folder, synchronous, times),
            "SQLite alone": partial(raw[0], folder, synchronous, times, payload),
            "SQLite alone, were it one row": partial(raw[1], folder, synchronous, times, payload),
        }
        limits = {"SQLite alone": wanted_of_sqlite}
        if huey_queue.IS_INSTALLED:
            rate = partial(huey_queue.together, folder, synchronous, PAYLOAD)
            _add_huey(sides, limits, rate, TOGETHER, wanted, 4, LEAST, effort)
        yield from _compared(f"publish_many, 4 worker threads, {synchronous}", effort, sides, limits)


def _awaited_by_many(effort: Effort) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sides: dict[str, Side] = {"Actium": partial(_awaited, folder, "full", effort.executions * 4)}
        limits: dict[str, float | None] = {}
        if huey_queue.IS_INSTALLED:
            rate = partial(huey_queue.awaited, folder, "full", PAYLOAD, COROUTINES)
            _add_huey(sides, limits, rate, MANY_WAIT, 12.0, 4, COROUTINES, effort)
        yield from _compared(f"{COROUTINES} coroutines await each its end, full", effort, sides, limits)


def _awaited_by_one(effort: Effort) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sides: dict[str, Side] = {"Actium": partial(_one_by_one, folder, "normal", effort.executions)}
        limits: dict[str, float | None] = {}
        if huey_queue.IS_INSTALLED:
            rate = partial(huey_queue.one_by_one, folder, "normal", PAYLOAD)
            _add_huey(sides, limits, rate, ONE_WAITS, 1.2, 1, LEAST, effort)
        yield from _compared("one caller waits for each end, normal", effort, sides, limits)


def _add_huey(
    sides: dict[str, Side],
    limits: dict[str, float | None],
    rate: Callable[[int, SetUp], float],
    set_ups: Sequence[SetUp],
    wanted: float,
    workers: int,
    least: int,
    effort: Effort,
) -> None:
    """Add huey set up as Actium is, with as many workers as threads of this process, and in the best of other ways."""
    alike = [one for one in set_ups if one.place == "here" and one.workers == workers]
    others = [one for one in set_ups if one not in alike]
    for candidates, wanted_of_it in ((alike, wanted), (others, None)):
        best, side = fastest(candidates, rate, least, effort)
        sides[str(best)], limits[str(best)] = side, wanted_of_it


CASES: dict[str, Callable[[Effort], Iterator[Row]]] = {
    "together-full": partial(_together, synchronous="full", wanted=20.0, wanted_of_sqlite=0.35),
    "together-normal": partial(_together, synchronous="normal", wanted=5.0, wanted_of_sqlite=None),
    "coroutines": _awaited_by_many,
    "one-caller": _awaited_by_one,
}


def _compared(what: str, effort: Effort, sides: dict[str, Side], limits: dict[str, float | None]) -> Iterator[Row]:
    """Actium, which is the first side, beside each of the others."""
    results = by_turns([*sides.values()], effort.store_rounds)
    if len(sides) == 1:
        yield Row(subject=SUBJECT, name=what, value=median_of(results, 0), unit="/s")
    for other, beside in list(enumerate(sides))[1:]:
        yield Row(
            subject=SUBJECT,
            name=what,
            value=median_of(results, 0),
            unit="/s",
            beside=beside,
            beside_value=median_of(results, other),
            ratio=ratio_of(results, 0, other),
            ratio_at_least=limits.get(beside),
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
            wait_until_idle(file)
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


def wait_until_idle(file: Path) -> None:
    """Wait until nothing is pending and nothing runs; asked of the file, so that asking costs nothing of note."""
    pending = "EXISTS (SELECT 1 FROM executions WHERE status = 'pending' AND held = 0)"
    running = "EXISTS (SELECT 1 FROM executions WHERE status = 'running')"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        while connection.execute(f"SELECT {pending} OR {running}").fetchone()[0]:
            time.sleep(0.002)


def published_together(app: Actium, file: Path, times: int) -> float:
    """How many executions a second, from the first event published to the last outcome stored."""
    before = _succeeded(app)
    started = time.perf_counter()
    published = app.events.publish_many(event() for _ in range(times))
    app.executions.wait(published[-1].executions[0], 600)
    wait_until_idle(file)
    seconds = time.perf_counter() - started
    if _succeeded(app) != before + times:
        raise RuntimeError("not every event has led to one execution that succeeded")
    return times / seconds


def _succeeded(app: Actium) -> int:
    return app.executions.list(TriggerExecutionFilter(status="succeeded", max_size=1)).total


def _published_together(folder: Path, synchronous: str, times: int) -> float:
    with tempfile.TemporaryDirectory(dir=folder) as own:
        file = Path(own, "actium.db")
        with working(file, synchronous, concurrency=4) as app:
            return published_together(app, file, times)


def _awaited(folder: Path, synchronous: str, times: int) -> float:
    rounds = max(1, times // COROUTINES)

    async def one(app: Actium) -> None:
        for _ in range(rounds):
            published = await app.events.apublish(event())
            ended = await app.executions.await_end(published.executions[0])
            if ended.status != "succeeded":
                raise RuntimeError("an execution that was awaited has not succeeded")

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
            if app.executions.wait(app.events.publish(event()).executions[0], 60).status != "succeeded":
                raise RuntimeError("an execution that was waited for has not succeeded")
        return times / (time.perf_counter() - started)
