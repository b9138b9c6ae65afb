"""huey's SQLite queue, set up in every way that might suit it, of which the fastest is measured.

Its settings leave ``PRAGMA synchronous`` at FULL or turn it OFF; NORMAL, which survives the process and not the power
cut, is set where a connection is opened. Results are kept (``preserve=True``), which spares it a transaction.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

IS_INSTALLED = find_spec("huey") is not None
READY = "ready"


@dataclass(frozen=True, slots=True)
class SetUp:
    """A way to run huey.

    Attributes:
        place: Where the workers are: threads ``here``, threads of another ``process``, or ``processes`` of their own.
        workers: How many there are.
        look: Seconds between a worker's looks for tasks.
        wait: Seconds between a caller's looks for a result.
        waiting: How many callers wait: ``one`` for all, ``threads`` or ``coroutines`` each for its own.
    """

    place: str
    workers: int
    look: float = 0.001
    wait: float = 0.001
    waiting: str = "one"

    def __str__(self) -> str:
        workers = "1 worker" if self.workers == 1 else f"{self.workers} workers"
        place = {"here": "threads", "process": "threads of a second process", "processes": "processes"}[self.place]
        callers = "" if self.waiting == "one" else f", {self.waiting} look every {self.wait * 1e3:g} ms"
        return f"huey, {workers}, {place}, look every {self.look * 1e3:g} ms{callers}"


def together(folder: Path, synchronous: str, payload: object, times: int, set_up: SetUp) -> float:
    """How many tasks a second: enqueued by one caller as fast as it can, until all results are stored."""
    with _consuming(folder, synchronous, payload, set_up) as (queue, task):
        before = queue.result_count()
        started = time.perf_counter()
        for _ in range(times):
            task(payload)
        while queue.result_count() < before + times:
            time.sleep(0.002)
        return times / (time.perf_counter() - started)


def one_by_one(folder: Path, synchronous: str, payload: object, times: int, set_up: SetUp) -> float:
    """How many tasks a second: one caller who waits for each result."""
    with _consuming(folder, synchronous, payload, set_up) as (_, task):
        started = time.perf_counter()
        for _ in range(times):
            task(payload).get(blocking=True, backoff=1, max_delay=set_up.wait, preserve=True)
        return times / (time.perf_counter() - started)


def awaited(folder: Path, synchronous: str, payload: object, callers: int, times: int, set_up: SetUp) -> float:
    """How many tasks a second: many callers at one time, each waiting for its results, one after the other."""
    rounds = max(1, times // callers)
    with _consuming(folder, synchronous, payload, set_up) as (_, task):
        run = {"threads": _in_threads, "coroutines": _in_coroutines}[set_up.waiting]
        started = time.perf_counter()
        run(task, payload, rounds, callers, set_up.wait)
        return rounds * callers / (time.perf_counter() - started)


def _in_threads(task: Any, payload: object, rounds: int, callers: int, wait: float) -> None:
    def call() -> None:
        for _ in range(rounds):
            task(payload).get(blocking=True, backoff=1, max_delay=wait, preserve=True)

    threads = [threading.Thread(target=call) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _in_coroutines(task: Any, payload: object, rounds: int, callers: int, wait: float) -> None:
    async def call() -> None:
        # As huey.contrib.asyncio.aget_result, whose first look but one comes after a tenth of a second.
        for _ in range(rounds):
            result = task(payload)
            while True:
                if result.get(preserve=True) is not None:
                    break
                await asyncio.sleep(wait)

    async def all_of_them() -> None:
        await asyncio.gather(*(call() for _ in range(callers)))

    asyncio.run(all_of_them())


@contextmanager
def _consuming(folder: Path, synchronous: str, payload: object, set_up: SetUp) -> Iterator[tuple[Any, Any]]:
    """A queue whose workers run, and have run a task already."""
    with tempfile.TemporaryDirectory(dir=folder) as own:
        file = Path(own, "huey.db")
        queue, task = _queue(file, synchronous)
        with _here(queue, set_up) if set_up.place == "here" else _elsewhere(file, synchronous, set_up):
            task(payload).get(blocking=True, backoff=1, max_delay=0.001, preserve=True)
            yield queue, task
        queue.storage.close()


def _queue(file: Path, synchronous: str) -> tuple[Any, Any]:
    class Connection(sqlite3.Connection):
        """A connection with the setting that huey leaves out."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            self.execute(f"PRAGMA synchronous = {synchronous}")

    logging.getLogger("huey").setLevel(logging.CRITICAL)
    queue: Any = import_module("huey").SqliteHuey(filename=str(file), factory=Connection)
    return queue, queue.task(name="nothing")(_nothing)


def _nothing(_payload: object) -> int:
    return 1


@contextmanager
def _here(queue: Any, set_up: SetUp) -> Iterator[None]:
    consumer = _consumer(queue, set_up)
    consumer.start()
    try:
        yield
    finally:
        consumer.stop(graceful=True)


@contextmanager
def _elsewhere(file: Path, synchronous: str, set_up: SetUp) -> Iterator[None]:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); from pathlib import Path\n"
        f"import huey_queue; huey_queue.consume(Path({str(file)!r}), {synchronous!r}, "
        f"huey_queue.SetUp({set_up.place!r}, {set_up.workers}, {set_up.look}))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        try:
            if process.stdout is None or process.stdout.readline().strip() != READY:
                raise RuntimeError("huey's consumer did not start")
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()


def consume(file: Path, synchronous: str, set_up: SetUp) -> None:
    """Run a consumer in this process until it is told to end."""
    queue, _ = _queue(file, synchronous)
    print(READY, flush=True)
    _consumer(queue, set_up).run()


def _consumer(queue: Any, set_up: SetUp) -> Any:
    return queue.create_consumer(
        workers=set_up.workers,
        worker_type="process" if set_up.place == "processes" else "thread",
        initial_delay=set_up.look,
        max_delay=set_up.look,
        backoff=1,
        periodic=False,
        check_worker_health=False,
    )
