"""What SQLite itself can do: the least that a durable queue writes, a hundred executions in a transaction.

No Python but what binds the values runs meanwhile, and these are made before the clock starts.
"""

from __future__ import annotations

import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path
from uuid import uuid4

TOGETHER = 100
"""Executions in one transaction."""
TIME = "2026-01-01T00:00:00.000000+00:00"


def event_and_execution(folder: Path, synchronous: str, times: int, payload: str) -> float:
    """Executions a second: an event and an execution inserted, begun in that transaction, and ended in a second one."""
    ids = [(str(uuid4()), str(uuid4())) for _ in range(times)]
    with tempfile.TemporaryDirectory(dir=folder) as own, closing(_opened(Path(own, "raw.db"), synchronous)) as database:
        database.execute(
            "CREATE TABLE events (id TEXT PRIMARY KEY, event_id TEXT, source TEXT, type TEXT, time TEXT, data TEXT, "
            "UNIQUE (event_id, source))"
        )
        database.execute(
            "CREATE TABLE executions (id TEXT PRIMARY KEY, event_id TEXT, trigger_id TEXT, status TEXT, created TEXT, "
            "worker TEXT, started TEXT, finished TEXT, result TEXT)"
        )
        database.execute("CREATE INDEX due ON executions (created) WHERE status = 'pending'")
        database.execute("CREATE INDEX running ON executions (worker) WHERE status = 'running'")
        groups = [
            (
                [(event, event, "/bucket/raw", "data.arrived", TIME, payload) for event, _ in some],
                [(execution, event, "on arrival", "pending", TIME) for event, execution in some],
                [("worker", TIME, execution) for _, execution in some],
                [(TIME, "null", execution) for _, execution in some],
            )
            for some in (ids[start : start + TOGETHER] for start in range(0, times, TOGETHER))
        ]
        started = time.perf_counter()
        for events, executions, begun, ended in groups:
            database.execute("BEGIN IMMEDIATE")
            database.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?)", events)
            database.executemany(
                "INSERT INTO executions (id, event_id, trigger_id, status, created) VALUES (?, ?, ?, ?, ?)", executions
            )
            database.executemany(
                "UPDATE executions SET status = 'running', worker = ?, started = ? WHERE id = ?", begun
            )
            database.execute("COMMIT")
            database.execute("BEGIN IMMEDIATE")
            database.executemany(
                "UPDATE executions SET status = 'succeeded', finished = ?, result = ? WHERE id = ?", ended
            )
            database.execute("COMMIT")
        return times / (time.perf_counter() - started)


def one_row(folder: Path, synchronous: str, times: int, payload: str) -> float:
    """Executions a second, were each a single row that is inserted and updated once."""
    groups = [[str(uuid4()) for _ in range(min(TOGETHER, times - start))] for start in range(0, times, TOGETHER)]
    with tempfile.TemporaryDirectory(dir=folder) as own, closing(_opened(Path(own, "raw.db"), synchronous)) as database:
        database.execute("CREATE TABLE runs (id TEXT PRIMARY KEY, status TEXT, payload TEXT, result TEXT)")
        database.execute("CREATE INDEX by_status ON runs (status) WHERE status != 'done'")
        started = time.perf_counter()
        for ids in groups:
            database.execute("BEGIN IMMEDIATE")
            database.executemany("INSERT INTO runs VALUES (?, 'pending', ?, NULL)", [(one, payload) for one in ids])
            database.execute("COMMIT")
            database.execute("BEGIN IMMEDIATE")
            database.executemany(
                "UPDATE runs SET status = 'done', result = 'null' WHERE id = ?", [(one,) for one in ids]
            )
            database.execute("COMMIT")
        return times / (time.perf_counter() - started)


def _opened(file: Path, synchronous: str) -> sqlite3.Connection:
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL").fetchone()
    connection.execute(f"PRAGMA synchronous = {synchronous}")
    return connection
