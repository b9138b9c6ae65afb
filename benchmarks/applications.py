"""An application to measure, and SQLite alone doing what it made SQLite do."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import UUID

from actium import ActionConfig, Actium, action_flavor
from actium.models import ActionRequest, ServiceAccountRequest

Statement = tuple[int, str, Any]


class NotifyConfig(ActionConfig):
    """A configuration of ordinary size."""

    channel: str
    text: str = "Something happened."
    retries: int = 3
    urgent: bool = False


@action_flavor("bench.notify", config=NotifyConfig)
def notify(config: NotifyConfig) -> dict[str, str]:
    """Do nothing, and tell of it."""
    return {"sent": config.channel}


@dataclass(frozen=True, slots=True)
class Prepared:
    """A store to begin each round from, so that all rounds do the same."""

    file: Path
    account: UUID
    synchronous: str

    def copy(self, name: str) -> Path:
        """A copy of the store's file."""
        target = self.file.with_name(name)
        shutil.copy(self.file, target)
        for suffix in ("-wal", "-shm"):
            target.with_name(target.name + suffix).unlink(missing_ok=True)
        return target


def prepare(folder: Path, synchronous: str, fill: Callable[[Actium, UUID], object] | None = None) -> Prepared:
    """Make a store with a service account and what else is wanted."""
    file = folder / f"prepared-{synchronous}.db"
    with opened(file, synchronous) as app:
        account = app.accounts.create(ServiceAccountRequest(name="bench")).id
        if fill is not None:
            fill(app, account)
    return Prepared(file, account, synchronous)


@contextmanager
def opened(file: Path, synchronous: str) -> Iterator[Actium]:
    """An application with the flavor of these benchmarks."""
    with Actium(f"sqlite:///{file}?synchronous={synchronous}") as app:
        app.flavors.register(notify)
        yield app


def request(account: UUID, number: int) -> ActionRequest:
    """What an ordinary action is asked for with."""
    return ActionRequest(
        name=f"notify {number}",
        flavor="notify",
        plugin_subtype="bench",
        service_account_id=account,
        configuration={"channel": f"#channel-{number}", "retries": 5},
        labels={"team": "bench"},
    )


def rate_of(prepared: Prepared, times: int, work: Callable[[Actium, int], object]) -> float:
    """How often a second an application does something, on a fresh copy of the store."""
    with opened(prepared.copy("timed.db"), prepared.synchronous) as app:
        started = time.perf_counter()
        for number in range(times):
            work(app, number)
        return times / (time.perf_counter() - started)


def statements_of(prepared: Prepared, times: int, work: Callable[[Actium, int], object]) -> list[Statement]:
    """What an application says to SQLite while it does something: on which connection, which SQL, with which values."""
    said: list[Statement] = []
    connections = 0

    class Recorded(sqlite3.Connection):
        """A connection that notes what is executed on it."""

        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            nonlocal connections
            self.number = connections
            connections += 1

        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            said.append((self.number, sql, parameters))
            return super().execute(sql, parameters)

    recording = mock.patch.object(sqlite3, "connect", partial(sqlite3.connect, factory=Recorded))
    with recording, opened(prepared.copy("recorded.db"), prepared.synchronous) as app:
        work(app, times)  # opens the connections; what that takes is nobody's daily work
        said.clear()
        for number in range(times):
            work(app, number)
        return list(said)


def rate_of_sqlite(prepared: Prepared, times: int, statements: list[Statement]) -> float:
    """How often a second SQLite alone does the same, on a fresh copy of the same store."""
    file = prepared.copy("replayed.db")
    connections = {}
    for number, _, _ in statements:
        if number not in connections:
            connections[number] = sqlite3.connect(file, isolation_level=None, cached_statements=256)
            connections[number].execute("PRAGMA journal_mode = WAL").fetchone()
            connections[number].execute(f"PRAGMA synchronous = {prepared.synchronous}")
            connections[number].execute("PRAGMA foreign_keys = ON")
    calls = [(connections[number].execute, sql, parameters) for number, sql, parameters in statements]
    started = time.perf_counter()
    for execute, sql, parameters in calls:
        execute(sql, parameters).fetchall()
    seconds = time.perf_counter() - started
    for connection in connections.values():
        connection.close()
    return times / seconds
