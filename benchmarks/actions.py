"""How many actions a second are created and read by one caller, beside SQLite alone doing the same statements."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from uuid import UUID

from applications import prepare, rate_of, rate_of_sqlite, request, statements_of
from measuring import Effort, Row, by_turns, median_of, ratio_of

from actium import Actium

SUBJECT = "actions"
CREATED_PER_SECOND = 2_000
READ_PER_SECOND = 10_000
SQLITE = "sqlite3 alone, the same statements"


def measure(effort: Effort) -> Iterator[Row]:
    """Measure what survives a power cut (FULL) and what survives the process (NORMAL)."""
    with tempfile.TemporaryDirectory() as folder:
        for synchronous in ("full", "normal"):
            yield _creating(Path(folder), synchronous, effort)
        yield from _reading(Path(folder), effort)


def _creating(folder: Path, synchronous: str, effort: Effort) -> Row:
    prepared = prepare(folder, synchronous)
    times = effort.actions

    def create(app: Actium, number: int) -> object:
        return app.actions.create(request(prepared.account, number))

    statements = statements_of(prepared, times, create)
    ours, theirs = partial(rate_of, prepared, times, create), partial(rate_of_sqlite, prepared, times, statements)
    results = by_turns([ours, theirs], effort.store_rounds)
    return _row(f"actions.create(...), synchronous={synchronous}", results, CREATED_PER_SECOND)


def _reading(folder: Path, effort: Effort) -> Iterator[Row]:
    ids: list[UUID] = []
    times = effort.actions * 5

    def fill(app: Actium, account: UUID) -> None:
        ids.extend(app.actions.create(request(account, number)).id for number in range(effort.actions))

    prepared = prepare(Path(tempfile.mkdtemp(dir=folder)), "normal", fill)
    for hydrate in (True, False):

        def get(app: Actium, number: int, *, hydrate: bool = hydrate) -> object:
            return app.actions.get(ids[number % len(ids)], hydrate=hydrate)

        statements = statements_of(prepared, times, get)
        ours, theirs = partial(rate_of, prepared, times, get), partial(rate_of_sqlite, prepared, times, statements)
        results = by_turns([ours, theirs], effort.store_rounds)
        yield _row(f"actions.get(id, hydrate={hydrate})", results, READ_PER_SECOND if hydrate else None)


def _row(name: str, results: list[tuple[float, ...]], at_least: float | None) -> Row:
    return Row(
        subject=SUBJECT,
        name=name,
        value=median_of(results, 0),
        unit="/s",
        beside=SQLITE,
        beside_value=median_of(results, 1),
        ratio=ratio_of(results, 0, 1),
        at_least=at_least,
    )
