"""What many executions leave behind: memory while they pass, and how fast a store is that holds a million."""

from __future__ import annotations

import gc
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

from measuring import Effort, Row, by_turns, median_of, ratio_of
from workers import event, wait_for_none, working

from actium import Actium
from actium.models import TriggerExecutionFilter

SUBJECT = "endurance"
FOLDER = Path(__file__).parent


def measure(effort: Effort) -> Iterator[Row]:
    """Memory, throughput and listing."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        yield _memory(effort.passing)
        few, many = folder / "few.db", folder / "many.db"
        _fill(few, 1_000)
        _fill(many, effort.finished)
        results = by_turns(
            [partial(_rate, many, effort.executions * 2), partial(_rate, folder / "empty.db", effort.executions * 2)],
            effort.store_rounds,
        )
        yield Row(
            subject=SUBJECT,
            name=f"publish_many to succeeded, with {effort.finished:,} that have ended",
            value=median_of(results, 0),
            unit="/s",
            beside="a store that was empty",
            beside_value=median_of(results, 1),
            ratio=ratio_of(results, 0, 1),
            ratio_at_least=0.8,
        )
        results = by_turns([partial(_first_page, many), partial(_first_page, few)], effort.store_rounds)
        yield Row(
            subject=SUBJECT,
            name=f"executions.list, first page, of {effort.finished:,}",
            value=median_of(results, 0),
            unit="ms",
            beside="of 1,000",
            beside_value=median_of(results, 1),
            ratio=ratio_of(results, 0, 1),
            at_most=1.3,
        )


def _memory(passing: int) -> Row:
    """Resident memory at the end, beside that after a tenth, in a process of its own."""
    code = f"import sys; sys.path.insert(0, {str(FOLDER)!r}); import endurance; endurance.pass_through({passing})"
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    after_a_tenth, at_the_end = map(float, told.split())
    return Row(
        subject=SUBJECT,
        name=f"resident memory after {passing:,} executions",
        value=at_the_end,
        unit="MB",
        beside=f"after {passing // 10:,}",
        beside_value=after_a_tenth,
        ratio=at_the_end / after_a_tenth,
        at_most=1.05,
    )


def pass_through(passing: int) -> None:
    """Run so many executions, and print the resident megabytes after a tenth of them and at the end."""
    with tempfile.TemporaryDirectory() as folder, working(Path(folder, "actium.db"), "normal", concurrency=4) as app:
        for tenth in range(10):
            for _ in range(passing // 1_000):
                app.events.publish_many(event() for _ in range(100))
            wait_for_none(app)
            if tenth in {0, 9}:
                gc.collect()
                print(_resident())


def _resident() -> float:
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * resource.getpagesize() / 1e6
    return (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    )  # the most there ever was, where nothing else is told


def _fill(file: Path, finished: int) -> None:
    """Make a store with many executions that have ended: a few are run, and their rows are copied."""
    with working(file, "normal", concurrency=4) as app:
        wait_for_none(app)
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        copies = max(1, finished // 50 - 1)
        _copy(connection, "events", copies, id=_ID.format("8"), event_id="event_id || '-' || number")
        _copy(connection, "executions", copies, id=_ID.format("9"), event_id=_ID.format("8"))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()


_ID = "printf('%08x-0000-8000-{}000-%012x', number, copied.rowid)"


def _copy(connection: sqlite3.Connection, table: str, copies: int, **changed: str) -> None:
    """Insert each row of a table again and again; events and executions have the same row numbers."""
    columns = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
    connection.execute(
        f"WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < ?) "
        f"INSERT INTO {table} ({', '.join(columns)}) "
        f"SELECT {', '.join(changed.get(name, name) for name in columns)} FROM numbers CROSS JOIN {table} AS copied",
        (copies,),
    )


def _rate(file: Path, times: int) -> float:
    with working(file, "full", concurrency=4) as app:
        before = app.executions.list(TriggerExecutionFilter(status="succeeded", max_size=1)).total
        started = time.perf_counter()
        app.events.publish_many(event() for _ in range(times))
        wait_for_none(app)
        seconds = time.perf_counter() - started
        if app.executions.list(TriggerExecutionFilter(status="succeeded", max_size=1)).total < before + times:
            raise RuntimeError("not every event led to an execution that succeeded")
        return times / seconds


def _first_page(file: Path) -> float:
    with Actium(f"sqlite:///{file}") as app:
        app.executions.list()
        timed = []
        for _ in range(20):
            started = time.perf_counter()
            app.executions.list()
            timed.append((time.perf_counter() - started) * 1e3)
        return statistics.median(timed)
