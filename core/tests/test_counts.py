"""How many events and executions a listing says there are: always as many as there are, without counting them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from actium import Actium, Event
from actium.errors import ConflictError
from actium.models import ActionResponse, EventFilter, TriggerExecutionFilter, TriggerRequest
from actium.models.execution import ExecutionStatus
from actium.models.run_policy import Concurrency, RunPolicy
from actium.stores.base_store import StaleTriggersError
from actium.stores.publications import EventDraft
from actium.stores.records import EventRecord
from actium.stores.sqlite.database import Database
from actium.stores.sqlite.migrations import COUNTED, MIGRATIONS
from actium.stores.sqlite.schema import prepare

CreateAction = Callable[..., ActionResponse]
NOW = "2026-01-31T12:00:00.000000+00:00"
COUNTED_BY_WRITERS = 9
"""The version since which those who store rows count them."""


@pytest.fixture
def triggered(app: Actium, create: CreateAction) -> Actium:
    """An application where events of type ``t`` lead to two executions each."""
    for name in ("one", "two"):
        action = create(name)
        app.triggers.create(TriggerRequest(name=name, action_id=action.id, filters=[{"exact": {"type": "t"}}]))
    return app


def totals(app: Actium) -> tuple[int, int]:
    """What a listing tells, which is what SQLite counts where it has to look at every row."""
    told = app.events.list().total, app.executions.list().total
    counted = (
        app.events.list(EventFilter(source=["startswith:"])).total,
        app.executions.list(TriggerExecutionFilter(status=[*ExecutionStatus])).total,
    )
    assert told == counted
    return told


def event(name: str = "") -> Event:
    return Event(id=name or str(uuid4()), source="/s", type="t")


def test_of_events_that_are_published(triggered: Actium) -> None:
    """One, many at once, and one that is known already."""
    assert totals(triggered) == (0, 0)
    triggered.events.publish(event("a"))
    assert totals(triggered) == (1, 2)
    triggered.events.publish_many([event() for _ in range(300)])
    assert totals(triggered) == (301, 602)
    triggered.events.publish_many([event("a"), event("b"), event("b"), Event(type="unheard", source="/s")])
    assert totals(triggered) == (303, 604)


def test_of_each_project(triggered: Actium) -> None:
    """What is published in another project counts there."""
    triggered.events.publish(event())
    triggered.events.publish(event(), project="other")
    assert totals(triggered) == (1, 2)
    with Actium(triggered.store.url, project="other") as other:
        assert totals(other) == (1, 0)


def test_of_executions_that_are_asked_for(triggered: Actium, create: CreateAction) -> None:
    """Run by hand, without an event, with a new one and with a known one; replayed, and run again."""
    triggered.actions.run("one")
    triggered.actions.run("one", event("a"))
    triggered.actions.run("two", event("a"))
    assert totals(triggered) == (1, 3)
    triggered.events.replay(triggered.events.list().items[0].id)
    assert totals(triggered) == (1, 5)
    failing = triggered.actions.run("one")
    triggered.executions.cancel(failing.id)
    triggered.executions.retry(failing.id)
    assert totals(triggered) == (1, 6)


def test_of_executions_that_wait_for_one_another(app: Actium, create: CreateAction) -> None:
    """Those that are skipped because another of their kind is under way count as well."""
    create("one", run_policy=RunPolicy(concurrency=Concurrency(mode="single")))
    for _ in range(3):
        app.actions.run("one")
    assert totals(app) == (0, 3)


def test_of_what_is_refused(triggered: Actium) -> None:
    """A transaction that is undone counts nothing."""
    triggered.actions.run("one", event("a"))
    with pytest.raises(ConflictError):
        triggered.actions.run("one", Event(id="a", source="/s", type="another"))
    stored = triggered.store.get(EventRecord, triggered.events.list().items[0].id)
    drafts = [
        EventDraft(
            event=stored._replace(id=uuid4(), event_id=name), executions=(), execution_ids=(), generation=generation
        )
        for name, generation in (("b", triggered.store.trigger_generation()), ("c", 0))
    ]
    with pytest.raises(StaleTriggersError):
        triggered.store.record_events(drafts)
    assert totals(triggered) == (1, 1)


def test_of_what_is_left_after_pruning(triggered: Actium) -> None:
    """Pruned events and executions count no more; whoever deletes rows, however."""
    triggered.events.publish_many([event() for _ in range(5)])
    triggered.worker().run_until_idle()
    triggered.events.publish_many([event() for _ in range(2)])
    triggered.retention.prune(timedelta(0))
    assert totals(triggered) == (2, 4)
    with closing(sqlite3.connect(triggered.store.url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
        connection.execute("DELETE FROM executions WHERE rowid IN (SELECT rowid FROM executions LIMIT 1)")
    assert totals(triggered) == (2, 3)


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_of_older_files(tmp_path: Path, of_version: Callable[[int], Database], version: int) -> None:
    """What an earlier version has stored is counted once, whichever it was."""
    database = of_version(version)
    with database.writing() as connection:
        connection.execute(
            "INSERT INTO events (id, project, event_id, source, type, time, received, attributes, data) "
            "VALUES ('e', 'default', 'a', '/s', 't', ?, ?, '{}', 'null')",
            (NOW, NOW),
        )
        if version >= COUNTED_BY_WRITERS:
            connection.executemany("INSERT INTO row_counts VALUES (?, 'default', 1)", [(table,) for table in COUNTED])
    database.close()
    database = Database(tmp_path / "actium.db")
    prepare(database)
    with database.reading() as connection:
        counted = connection.execute("SELECT * FROM row_counts ORDER BY counted").fetchall()
    database.close()
    assert counted == [(table, "default", 1) for table in COUNTED]
