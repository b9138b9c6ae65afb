"""From published events to recorded outcomes: how many a second, with one publisher and one worker in one thread."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import UUID

from applications import Prepared, opened, prepare, request
from measuring import Effort, Row, by_turns, median_of, ratio_of

from actium import Actium, Event
from actium.models import TriggerRequest

SUBJECT = "executions"
PAYLOAD = {"path": "/bucket/raw/" + "x" * 440}
HUEY = "huey on SQLite, enqueue to result"


def measure(effort: Effort) -> Iterator[Row]:
    """Publish events that each run one action, run them all, and compare with a task queue on SQLite."""
    with tempfile.TemporaryDirectory() as folder:
        for synchronous in ("full", "normal"):
            prepared = prepare(Path(folder), synchronous, _one_trigger)
            sides: list[Callable[[], float]] = [partial(_published_and_run, prepared, effort.executions)]
            if find_spec("huey"):
                sides.append(partial(_huey, Path(folder), synchronous, effort.executions))
            results = by_turns(sides, effort.store_rounds)
            yield Row(
                subject=SUBJECT,
                name=f"events.publish to succeeded, synchronous={synchronous}",
                value=median_of(results, 0),
                unit="/s",
                beside=HUEY if len(sides) > 1 else None,
                beside_value=median_of(results, 1) if len(sides) > 1 else None,
                ratio=ratio_of(results, 0, 1) if len(sides) > 1 else None,
            )


def _one_trigger(app: Actium, account: UUID) -> None:
    action = app.actions.create(request(account, 0))
    app.triggers.create(
        TriggerRequest(name="on arrival", action_id=action.id, filters=[{"exact": {"type": "data.arrived"}}])
    )


def _published_and_run(prepared: Prepared, times: int) -> float:
    with opened(prepared.copy("executions.db"), prepared.synchronous) as app:
        worker = app.worker()
        started = time.perf_counter()
        for number in range(times):
            app.events.publish(Event(type="data.arrived", source="/bucket/raw", id=str(number), data=PAYLOAD))
        if worker.run_until_idle() != times:
            raise RuntimeError("not every event led to one execution")
        return times / (time.perf_counter() - started)


def _huey(folder: Path, synchronous: str, times: int) -> float:
    huey: Any = import_module("huey")
    with tempfile.TemporaryDirectory(dir=folder) as own:
        queue = huey.SqliteHuey(filename=str(Path(own, "huey.db")), fsync=synchronous == "full")
        task = queue.task()(lambda payload: {"sent": payload["path"]})
        started = time.perf_counter()
        results = [task(PAYLOAD) for _ in range(times)]
        while (waiting := queue.dequeue()) is not None:
            queue.execute(waiting)
        if any(result.get() is None for result in results):
            raise RuntimeError("not every task has a result")
        return times / (time.perf_counter() - started)
