"""What the database itself refuses, whoever writes to it and however."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from actium import Actium
from actium.errors import ConflictError
from actium.models import ActionResponse
from actium.stores.sqlite.database import Database
from actium.stores.sqlite.migrations import MIGRATIONS
from actium.stores.sqlite.schema import prepare

CreateAction = Callable[..., ActionResponse]


@pytest.fixture
def written(app: Actium, create: CreateAction, tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """A store with one execution that succeeded, one that runs, and one that is pending, as any program opens it."""
    action = create()
    app.actions.run(action.id)
    app.worker().run_until_idle()
    app.actions.run(action.id)
    app.store.exchange(app._leases.name(30.0), limit=1)
    app.actions.run(action.id)
    with closing(sqlite3.connect(tmp_path / "actium.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        yield connection


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE executions SET status = 'pending' WHERE status = 'succeeded'",
        "UPDATE executions SET status = 'running', attempt = attempt + 1, worker = NULL WHERE status = 'pending'",
        "UPDATE executions SET attempt = attempt + 1 WHERE status = 'running'",
        "UPDATE executions SET worker = 'another' WHERE status = 'running'",
        "UPDATE executions SET result = '7' WHERE status = 'succeeded'",
        "UPDATE executions SET finished = '2026-01-01' WHERE status = 'succeeded'",
        "UPDATE executions SET result = '7' WHERE status = 'running'",
        "UPDATE executions SET worker = 'another' WHERE status = 'pending'",
        "UPDATE executions SET status = status",
        "UPDATE executions SET status = 'skipped', finished = '2026-01-01', worker = 'other' WHERE status = 'running'",
        "UPDATE executions SET status = 'succeeded', finished = '2026-01-01', worker = NULL WHERE status = 'running'",
        "UPDATE executions SET status = 'pending', allowance = 9, worker = 'other' WHERE status = 'running'",
        "UPDATE executions SET status = 'pending', allowance = 9, finished = '2026-01-01' WHERE status = 'running'",
        "UPDATE executions SET status = 'pending', allowance = 9, result = '7' WHERE status = 'running'",
        (
            "UPDATE executions SET status = 'running', attempt = 1, worker = 'other', finished = '2026-01-01' "
            "WHERE status = 'pending'"
        ),
        (
            "UPDATE executions SET status = 'cancelled', finished = '2026-01-01', worker = 'other' "
            "WHERE status = 'pending'"
        ),
        "UPDATE executions SET status = 'failed', finished = '2026-01-01', result = '7' WHERE status = 'pending'",
        *(
            f"UPDATE executions SET {changed} WHERE status = '{status}'"
            for changed in (
                "reason = 'another'",
                "event_id = NULL",
                "action_revision = 9",
                "service_account_id = NULL",
                "began = NULL",
                "started = NULL",
                "error = '7'",
            )
            for status in ("succeeded", "running", "pending")
        ),
        (
            "UPDATE OR REPLACE executions SET status = 'succeeded', attempt = NULL, finished = '2026-01-01' "
            "WHERE status = 'running'"
        ),
        "UPDATE executions SET id = 'new', status = 'failed', finished = '2026-01-01' WHERE status = 'running'",
        (
            "UPDATE OR REPLACE executions SET id = (SELECT id FROM executions WHERE status = 'succeeded') "
            "WHERE status = 'pending'"
        ),
        "DELETE FROM executions WHERE status = 'running'",
        (
            "INSERT OR REPLACE INTO executions "
            "(id, project, action_id, action_name, action_revision, status, attempt, created) "
            "SELECT id, project, action_id, action_name, action_revision, 'pending', 0, created FROM executions "
            "WHERE status = 'succeeded'"
        ),
        (
            "INSERT INTO executions "
            "(id, project, action_id, action_name, action_revision, status, attempt, created, finished) "
            "SELECT 'new', project, action_id, action_name, action_revision, 'succeeded', 0, created, created "
            "FROM executions WHERE status = 'succeeded'"
        ),
        (
            "INSERT OR REPLACE INTO executions "
            "(id, project, action_id, action_name, action_revision, status, attempt, worker, created) "
            "SELECT id, project, action_id, action_name, action_revision, 'running', 1, 'another', created "
            "FROM executions WHERE status = 'running'"
        ),
        (
            "INSERT OR REPLACE INTO executions "
            "(id, project, action_id, action_name, action_revision, status, attempt, created) "
            "SELECT 'new', project, action_id, action_name, action_revision, 'pending', NULL, created FROM executions "
            "WHERE status = 'succeeded'"
        ),
        (
            "INSERT INTO executions (id, project, action_id, action_name, action_revision, status, attempt, created) "
            "SELECT 'new', project, action_id, action_name, action_revision, 'running', 1, created FROM executions "
            "WHERE status = 'succeeded'"
        ),
        (
            "INSERT INTO executions (id, project, action_id, action_name, action_revision, status, created) "
            "SELECT NULL, project, action_id, action_name, action_revision, 'pending', created FROM executions LIMIT 1"
        ),
        *(
            f"INSERT OR REPLACE INTO executions ({number}, id, project, action_id, action_name, action_revision, "
            f"status, created) SELECT {of_row}, 'new', project, action_id, action_name, action_revision, 'pending', "
            "created FROM executions WHERE status = 'succeeded'"
            for number, of_row in (("rowid", "rowid"), ("oid", "rowid"), ("_rowid_", "rowid"), ("rowid", -1))
        ),
        *(
            f"UPDATE OR REPLACE executions SET {number} = (SELECT rowid FROM executions WHERE status = 'succeeded') "
            "WHERE status = 'pending'"
            for number in ("rowid", "oid", "_rowid_", "ROWID")
        ),
        "UPDATE executions SET rowid = -1 WHERE status = 'succeeded'",
    ],
)
def test_a_way_that_does_not_exist(written: sqlite3.Connection, statement: str) -> None:
    """No statement leads an execution where it cannot go, nor changes what it came to."""

    def rows() -> list[Any]:
        return written.execute("SELECT * FROM executions ORDER BY rowid").fetchall()

    before = rows()
    with pytest.raises(sqlite3.IntegrityError):
        written.execute(statement)
    assert rows() == before
    assert len(before) == 3


_INSERTED = (
    "INSERT INTO executions (id, project, action_id, action_name, action_revision, created, status, attempt, worker, "
    "finished) SELECT 'new', project, action_id, action_name, action_revision, created, {} "
    "FROM executions WHERE status = 'succeeded'"
)


@pytest.mark.parametrize(
    ("before", "refused", "accepted"),
    [
        pytest.param(
            "UPDATE executions SET held = 1 WHERE status = 'pending'",
            "UPDATE executions SET status = 'running', attempt = 1, worker = 'w', held = 0 WHERE held = 1",
            "UPDATE executions SET held = 0 WHERE held = 1",
            id="claimed before its turn",
        ),
        pytest.param(
            None,
            "UPDATE executions SET status = 'pending' WHERE status = 'running'",
            "UPDATE executions SET status = 'pending', allowance = 2 WHERE status = 'running'",
            id="tried again without an attempt left",
        ),
        *(
            pytest.param(
                None,
                f"UPDATE executions SET status = '{end}' WHERE status = 'running'",
                f"UPDATE executions SET status = '{end}', finished = '2026-01-31' WHERE status = 'running'",
                id=f"{end} at no time",
            )
            for end in ("succeeded", "failed", "cancelled", "skipped")
        ),
        *(
            pytest.param(
                None,
                f"UPDATE executions SET status = '{end}' WHERE status = 'pending'",
                f"UPDATE executions SET status = '{end}', finished = '2026-01-31' WHERE status = 'pending'",
                id=f"given up at no time, {end}",
            )
            for end in ("failed", "cancelled", "skipped")
        ),
        pytest.param(
            "UPDATE executions SET status = 'failed', finished = '2026-01-31' WHERE status = 'running'",
            "UPDATE executions SET status = 'pending', finished = NULL WHERE status = 'failed'",
            "UPDATE executions SET status = 'pending', finished = NULL, allowance = 2 WHERE status = 'failed'",
            id="retried without an attempt left",
        ),
        pytest.param(
            "UPDATE executions SET status = 'failed', finished = '2026-01-31' WHERE status = 'running'",
            "UPDATE executions SET status = 'pending', allowance = 2 WHERE status = 'failed'",
            "UPDATE executions SET status = 'pending', allowance = 2, finished = NULL WHERE status = 'failed'",
            id="retried though it keeps its end",
        ),
        pytest.param(
            None,
            _INSERTED.format("'running', 7, 'w', NULL"),
            _INSERTED.format("'running', 1, 'w', NULL"),
            id="begins with its seventh attempt",
        ),
        *(
            pytest.param(
                None,
                _INSERTED.format(f"'{end}', 0, NULL, NULL"),
                _INSERTED.format(f"'{end}', 0, NULL, created"),
                id=f"{end} from the beginning, at no time",
            )
            for end in ("failed", "skipped")
        ),
    ],
)
def test_a_way_with_something_left_out(
    written: sqlite3.Connection, before: str | None, refused: str, accepted: str
) -> None:
    """A way that exists is refused while what belongs to it is missing, and taken as soon as that is there."""
    if before is not None:
        assert written.execute(before).rowcount == 1
    with pytest.raises(sqlite3.IntegrityError, match="an execution cannot"):
        written.execute(refused)
    assert written.execute(accepted).rowcount == 1


@pytest.mark.parametrize("version", range(1, len(MIGRATIONS)))
def test_what_earlier_versions_stored_is_guarded_too(of_version: Callable[[int], Database], version: int) -> None:
    """In a file that was brought forward, an execution of before cannot be replaced, whatever its row is named by."""
    database = of_version(version)
    prepare(database)
    with database.reading() as connection:
        before = connection.execute("SELECT rowid, * FROM executions").fetchall()
    for number, name in ((1, "new"), (2, "x"), (2, None)):
        with pytest.raises(ConflictError, match="cannot begin this way"), database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO executions (rowid, id, project, action_id, action_name, action_revision, "
                "status, created) VALUES (?, ?, 'default', 'a', 'greet', 1, 'pending', '2026-01-31')",
                (number, name),
            )
    with database.reading() as connection:
        assert connection.execute("SELECT rowid, * FROM executions").fetchall() == before
    database.close()
