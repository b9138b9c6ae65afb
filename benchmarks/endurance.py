"""What many executions leave behind: memory while they pass, and how fast a store is that holds a million."""

from __future__ import annotations

import gc
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from measuring import Effort, Row, by_turns, median_of, ratio_of
from workers import event, published_together, wait_until_idle, working

from actium import Actium

SUBJECT = "endurance"
FOLDER = Path(__file__).parent
TENTHS = 10
APART = timedelta(milliseconds=10)
"""Time between two of the executions that have ended: a hundred a second."""


def measure(effort: Effort) -> Iterator[Row]:
    """Memory, throughput and listing."""
    for case in CASES.values():
        yield from case(effort)


def _memory(effort: Effort) -> Iterator[Row]:
    """The most memory after the first tenth, beside that after the first tenth, in a process of its own."""
    code = (
        f"import sys; sys.path.insert(0, {str(FOLDER)!r}); import endurance; endurance.pass_through({effort.passing})"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    first, *later = map(float, told.split())
    yield Row(
        subject=SUBJECT,
        name=f"resident memory while {effort.passing:,} executions pass, the most",
        value=max(later),
        unit="MB",
        beside=f"after {effort.passing // TENTHS:,}",
        beside_value=first,
        ratio=max(later) / first,
        at_most=1.05,
    )


def pass_through(passing: int) -> None:
    """Run so many executions, and print the resident megabytes after each tenth of them."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "actium.db")
        with working(file, "normal", concurrency=4) as app:
            for _ in range(TENTHS):
                app.events.publish_many(event() for _ in range(passing // TENTHS))
                wait_until_idle(file)
                gc.collect()
                print(_resident())


def _resident() -> float:
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * resource.getpagesize() / 1e6
    # The most there ever was, where nothing else is told; in bytes on macOS.
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def _many_have_ended(effort: Effort) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few, many = folder / "few.db", folder / "many.db"
        _fill(few, min(1_000, effort.finished))
        _fill(many, effort.finished)
        yield from _listed(few, many, effort)
        results = by_turns(
            [partial(_rate, many, effort.executions * 10), partial(_rate_when_empty, folder, effort.executions * 10)],
            effort.store_rounds,
        )
        yield Row(
            subject=SUBJECT,
            name=f"publish_many, 4 worker threads, full, {effort.finished:,} have ended",
            value=median_of(results, 0),
            unit="/s",
            beside="an empty store",
            beside_value=median_of(results, 1),
            ratio=ratio_of(results, 0, 1),
            ratio_at_least=0.8,
        )


def _listed(few: Path, many: Path, effort: Effort) -> Iterator[Row]:
    results = by_turns([partial(_first_page, many), partial(_first_page, few)], effort.store_rounds)
    yield Row(
        subject=SUBJECT,
        name=f"executions.list, first page, of {effort.finished:,}",
        value=median_of(results, 0),
        unit="ms",
        beside=f"of {min(1_000, effort.finished):,}",
        beside_value=median_of(results, 1),
        ratio=ratio_of(results, 0, 1),
        at_most=1.3,
    )


CASES: dict[str, Callable[[Effort], Iterator[Row]]] = {"memory": _memory, "million": _many_have_ended}


def _fill(file: Path, finished: int) -> None:
    """Make a store with many executions that have ended: a few are run, and their rows copied with ids and times."""
    with working(file, "normal", concurrency=4):
        pass
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.row_factory = sqlite3.Row
        (guard,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'executions_beginnings'").fetchone()
        connection.execute("DROP TRIGGER executions_beginnings")  # which lets none begin with its end
        one = connection.execute("SELECT * FROM executions WHERE event_id IS NOT NULL LIMIT 1").fetchone()
        of_one = connection.execute("SELECT * FROM events WHERE id = ?", (one["event_id"],)).fetchone()
        (there,) = connection.execute("SELECT count(*) FROM executions").fetchone()
        missing = finished - there
        for start in range(0, missing, 10_000):
            connection.execute("BEGIN IMMEDIATE")
            numbers = range(missing - start, max(0, missing - start - 10_000), -1)
            copies = [_copies(of_one, one, number) for number in numbers]
            _insert(connection, "events", of_one.keys(), [event for event, _ in copies])
            _insert(connection, "executions", one.keys(), [execution for _, execution in copies])
            connection.execute("UPDATE row_counts SET number = number + ?", (len(copies),))
            connection.execute("COMMIT")
        connection.execute(guard)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


def _copies(event: sqlite3.Row, execution: sqlite3.Row, number: int) -> tuple[list[object], list[object]]:
    """An event and its execution as they were some time ago; the greater the number, the longer."""
    earlier = number * APART
    ids = {event["id"]: _id_of(event["received"], earlier), execution["id"]: _id_of(execution["created"], earlier)}
    ids[event["event_id"]] = _id_of(event["time"], earlier)
    times = {"time", "received", "created", "started", "finished", "available", "began"}

    def copied(row: sqlite3.Row) -> list[object]:
        return [
            _shifted(value, earlier).isoformat() if name in times else ids.get(value, value)
            for name, value in zip(row.keys(), row, strict=True)
        ]

    return copied(event), copied(execution)


def _shifted(time_then: str, earlier: timedelta) -> datetime:
    return datetime.fromisoformat(time_then) - earlier


def _id_of(time_then: str, earlier: timedelta) -> str:
    """An id as `new_id` made it then: it begins with the part of a second, for its place in the index."""
    period = int(_shifted(time_then, earlier).timestamp() * 64) % (1 << 16)
    digits = os.urandom(14).hex()
    return f"{period:04x}{digits[:4]}-{digits[4:8]}-8{digits[9:12]}-8{digits[13:16]}-{digits[16:28]}"


def _insert(connection: sqlite3.Connection, table: str, names: Sequence[str], rows: list[list[object]]) -> None:
    values = ", ".join("?" * len(names))
    connection.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({values})", rows)


def _rate(file: Path, times: int) -> float:
    with working(file, "full", concurrency=4) as app:
        return published_together(app, file, times)


def _rate_when_empty(folder: Path, times: int) -> float:
    with tempfile.TemporaryDirectory(dir=folder) as own:
        return _rate(Path(own, "empty.db"), times)


def _first_page(file: Path) -> float:
    with Actium(f"sqlite:///{file}") as app:
        app.executions.list()
        timed = []
        for _ in range(20):
            started = time.perf_counter()
            app.executions.list()
            timed.append((time.perf_counter() - started) * 1e3)
        return statistics.median(timed)
