"""The tables, as what leads to them from every earlier version. What was released is history: it is only added to."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import TypeAlias

from actium.models.action import ActionStatus
from actium.models.execution import ExecutionStatus
from actium.models.tracing import TraceMode
from actium.stores.sqlite.transitions import ALLOWED, any_of

Migration: TypeAlias = Sequence[str | Callable[[sqlite3.Connection], None]]
"""Statements, and functions for what takes more than one."""


def _one_of(column: str, values: Sequence[str]) -> str:
    return f"CHECK ({column} IN ({', '.join(repr(str(value)) for value in values)}))"


_FIRST: Migration = (
    """
    CREATE TABLE service_accounts (
        id TEXT PRIMARY KEY,
        project TEXT NOT NULL,
        name TEXT NOT NULL,
        description TEXT NOT NULL,
        active INTEGER NOT NULL,
        version INTEGER NOT NULL,
        created TEXT NOT NULL,
        updated TEXT NOT NULL,
        UNIQUE (project, name)
    )
    """,
    f"""
    CREATE TABLE actions (
        id TEXT PRIMARY KEY,
        project TEXT NOT NULL,
        name TEXT NOT NULL,
        description TEXT NOT NULL,
        plugin_subtype TEXT NOT NULL,
        flavor TEXT NOT NULL,
        configuration TEXT NOT NULL,
        service_account_id TEXT NOT NULL REFERENCES service_accounts (id),
        auth_window INTEGER,
        labels TEXT NOT NULL,
        enabled INTEGER NOT NULL,
        status TEXT NOT NULL {_one_of("status", [*ActionStatus])},
        version INTEGER NOT NULL,
        revision INTEGER NOT NULL,
        distribution TEXT,
        distribution_version TEXT,
        created TEXT NOT NULL,
        updated TEXT NOT NULL,
        UNIQUE (project, name)
    )
    """,
    "CREATE INDEX actions_by_account ON actions (service_account_id)",
    """
    CREATE TABLE action_revisions (
        action_id TEXT NOT NULL,
        number INTEGER NOT NULL,
        change TEXT NOT NULL CHECK (change IN ('created', 'updated', 'deleted')),
        changed TEXT NOT NULL,
        changed_by TEXT NOT NULL,
        fields TEXT NOT NULL,
        problem TEXT,
        PRIMARY KEY (action_id, number)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE action_resources (
        action_id TEXT NOT NULL REFERENCES actions (id) ON DELETE CASCADE,
        type TEXT NOT NULL,
        id TEXT NOT NULL,
        name TEXT NOT NULL,
        PRIMARY KEY (action_id, type)
    ) WITHOUT ROWID
    """,
    "CREATE INDEX action_resources_by_resource ON action_resources (type, id)",
    """
    CREATE TABLE providers (
        plugin_subtype TEXT NOT NULL,
        flavor TEXT NOT NULL,
        distribution TEXT NOT NULL,
        version TEXT NOT NULL,
        PRIMARY KEY (plugin_subtype, flavor)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE triggers (
        id TEXT PRIMARY KEY,
        project TEXT NOT NULL,
        name TEXT NOT NULL,
        description TEXT NOT NULL,
        action_id TEXT NOT NULL REFERENCES actions (id),
        filters TEXT NOT NULL,
        match_all INTEGER NOT NULL,
        is_active INTEGER NOT NULL,
        version INTEGER NOT NULL,
        created TEXT NOT NULL,
        updated TEXT NOT NULL,
        UNIQUE (project, name)
    )
    """,
    "CREATE INDEX triggers_by_action ON triggers (action_id)",
    # One row a trigger that ever was; a change moves it to the end, so that readers find what is new to them.
    """
    CREATE TABLE trigger_changes (
        generation INTEGER PRIMARY KEY AUTOINCREMENT,
        trigger_id TEXT NOT NULL UNIQUE
    )
    """,
    *(
        f"""
        CREATE TRIGGER triggers_{event.lower()} AFTER {event} ON triggers BEGIN
            DELETE FROM trigger_changes WHERE trigger_id = {row}.id;
            INSERT INTO trigger_changes (trigger_id) VALUES ({row}.id);
        END
        """
        for event, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD"))
    ),
    """
    CREATE TABLE events (
        id TEXT PRIMARY KEY,
        project TEXT NOT NULL,
        event_id TEXT NOT NULL,
        source TEXT NOT NULL,
        type TEXT NOT NULL,
        subject TEXT,
        time TEXT NOT NULL,
        received TEXT NOT NULL,
        attributes TEXT NOT NULL,
        data TEXT NOT NULL,
        UNIQUE (project, event_id, source)
    )
    """,
    "CREATE INDEX events_by_reception ON events (project, received)",
    f"""
    CREATE TABLE executions (
        id TEXT PRIMARY KEY,
        project TEXT NOT NULL,
        action_id TEXT NOT NULL,
        action_name TEXT NOT NULL,
        action_revision INTEGER NOT NULL,
        trigger_id TEXT,
        event_id TEXT REFERENCES events (id),
        status TEXT NOT NULL {_one_of("status", [*ExecutionStatus])},
        reason TEXT,
        result TEXT NOT NULL DEFAULT 'null',
        error TEXT NOT NULL DEFAULT 'null',
        progress TEXT NOT NULL DEFAULT '[]',
        cancel_requested INTEGER NOT NULL DEFAULT 0,
        attempt INTEGER NOT NULL DEFAULT 0,
        created TEXT NOT NULL,
        started TEXT,
        finished TEXT
    )
    """,
    "CREATE INDEX executions_by_creation ON executions (project, created)",
    "CREATE INDEX executions_of_event ON executions (event_id) WHERE event_id IS NOT NULL",
    "CREATE INDEX executions_pending ON executions (created) WHERE status = 'pending'",
    "CREATE INDEX executions_running ON executions (created) WHERE status = 'running'",
    # What cannot happen must be impossible here, not only in the code above.
    """
    CREATE TRIGGER executions_transitions BEFORE UPDATE OF status ON executions
    WHEN NOT (
        (OLD.status = 'pending' AND NEW.status IN ('running', 'failed', 'cancelled', 'skipped'))
        OR (OLD.status = 'running' AND NEW.status IN ('succeeded', 'failed', 'cancelled', 'skipped'))
    )
    BEGIN
        SELECT RAISE(ABORT, 'an execution cannot go this way');
    END
    """,
    """
    CREATE TABLE execution_attempts (
        execution_id TEXT NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        worker TEXT NOT NULL,
        started TEXT NOT NULL,
        finished TEXT,
        status TEXT,
        error TEXT NOT NULL DEFAULT 'null',
        PRIMARY KEY (execution_id, number)
    ) WITHOUT ROWID
    """,
    """
    CREATE TABLE tokens (
        digest TEXT PRIMARY KEY,
        service_account_id TEXT NOT NULL REFERENCES service_accounts (id) ON DELETE CASCADE,
        execution_id TEXT,
        created TEXT NOT NULL,
        expires TEXT,
        revoked TEXT
    ) WITHOUT ROWID
    """,
    "CREATE INDEX tokens_by_account ON tokens (service_account_id)",
    "CREATE INDEX tokens_by_execution ON tokens (execution_id)",
    """
    CREATE TABLE resources (
        id TEXT PRIMARY KEY,
        project TEXT NOT NULL,
        type TEXT NOT NULL,
        name TEXT NOT NULL,
        body TEXT NOT NULL,
        version INTEGER NOT NULL,
        created TEXT NOT NULL,
        updated TEXT NOT NULL,
        UNIQUE (project, type, name)
    )
    """,
    "CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
)

_DURABLE_EXECUTION: Migration = (
    "ALTER TABLE actions ADD COLUMN run_policy TEXT NOT NULL DEFAULT '{}'",
    """
    CREATE TABLE workers (
        name TEXT PRIMARY KEY,
        host TEXT NOT NULL,
        process INTEGER NOT NULL,
        lease REAL NOT NULL,
        beat INTEGER NOT NULL,
        started TEXT NOT NULL
    ) WITHOUT ROWID
    """,
    "ALTER TABLE executions ADD COLUMN service_account_id TEXT",
    "ALTER TABLE executions ADD COLUMN allowance INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE executions ADD COLUMN losses INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE executions ADD COLUMN depth INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE executions ADD COLUMN kind TEXT",
    "ALTER TABLE executions ADD COLUMN slots INTEGER",
    "ALTER TABLE executions ADD COLUMN held INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE executions ADD COLUMN available TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE executions ADD COLUMN expires TEXT",
    "ALTER TABLE executions ADD COLUMN worker TEXT",
    "ALTER TABLE executions ADD COLUMN began TEXT",
    "ALTER TABLE execution_attempts ADD COLUMN reason TEXT",
    "ALTER TABLE execution_attempts ADD COLUMN result TEXT NOT NULL DEFAULT 'null'",
    """
    UPDATE executions SET available = created,
        service_account_id = (
            SELECT json_extract(fields, '$.service_account_id') FROM action_revisions AS revision
            WHERE revision.action_id = executions.action_id AND revision.number = executions.action_revision
        )
    """,
    # The latest attempt stands in the execution's own row from now on; most executions have no other.
    """
    UPDATE executions SET
        worker = (SELECT worker FROM execution_attempts WHERE execution_id = id AND number = attempt),
        began = (SELECT started FROM execution_attempts WHERE execution_id = id AND number = attempt)
    """,
    """
    DELETE FROM execution_attempts
    WHERE number = (SELECT attempt FROM executions WHERE id = execution_attempts.execution_id)
    """,
    "DROP INDEX executions_pending",
    "DROP INDEX executions_running",
    "CREATE INDEX executions_due ON executions (available) WHERE status = 'pending' AND held = 0",
    "CREATE INDEX executions_running ON executions (worker) WHERE status = 'running'",
    "CREATE INDEX executions_of_kind ON executions (kind) WHERE kind IS NOT NULL AND status IN ('pending', 'running')",
    "DROP TRIGGER executions_transitions",
    f"""
    CREATE TRIGGER executions_transitions BEFORE UPDATE OF status, attempt ON executions
    WHEN NOT ({ALLOWED})
    BEGIN
        SELECT RAISE(ABORT, 'an execution cannot go this way');
    END
    """,
)

_TRACES: Migration = (
    f"ALTER TABLE actions ADD COLUMN trace TEXT NOT NULL DEFAULT 'on_failure' {_one_of('trace', [*TraceMode])}",
    """
    CREATE TABLE execution_traces (
        execution_id TEXT NOT NULL REFERENCES executions (id) ON DELETE CASCADE,
        attempt INTEGER NOT NULL,
        trace TEXT NOT NULL,
        PRIMARY KEY (execution_id, attempt)
    )
    """,
)

COUNTED = ("events", "executions")
"""The tables whose rows are counted as they come and go: a page of a listing tells how many there are in all, and to
count a million takes fifty milliseconds."""

_COUNTS: Migration = (
    """
    CREATE TABLE row_counts (
        counted TEXT NOT NULL,
        project TEXT NOT NULL,
        number INTEGER NOT NULL,
        PRIMARY KEY (counted, project)
    ) WITHOUT ROWID
    """,
    *(
        statement
        for table in COUNTED
        for statement in (
            f"INSERT INTO row_counts SELECT '{table}', project, count(*) FROM {table} GROUP BY project",
            f"""
            CREATE TRIGGER {table}_counted_up AFTER INSERT ON {table} BEGIN
                INSERT INTO row_counts VALUES ('{table}', NEW.project, 1)
                ON CONFLICT DO UPDATE SET number = number + 1;
            END
            """,
            f"""
            CREATE TRIGGER {table}_counted_down AFTER DELETE ON {table} BEGIN
                UPDATE row_counts SET number = number - 1 WHERE counted = '{table}' AND project = OLD.project;
            END
            """,
        )
    ),
)

_FINAL = "('succeeded', 'failed', 'cancelled', 'skipped')"

_SUSPECTS: Migration = (
    # Those that `actium.models.run_policy.MAX_LOSSES` allows one loss more: few, so that to look for them is free.
    "CREATE INDEX executions_suspects ON executions (status, worker) WHERE losses >= 2",
)

_RECEPTIONS: Migration = (
    # What an event led to at once is known by having been stored when it was received; that was two looks at the clock.
    """
    UPDATE events SET received = first.created
    FROM (
        SELECT event_id, min(created) AS created FROM executions WHERE event_id IS NOT NULL GROUP BY event_id
    ) AS first
    WHERE first.event_id = events.id
    """,
)

_GUARDS: Migration = (
    # Before an insertion, since INSERT OR REPLACE deletes the row that is there without asking any other trigger.
    """
    CREATE TRIGGER executions_beginnings BEFORE INSERT ON executions
    WHEN EXISTS (SELECT 1 FROM executions WHERE id = NEW.id) OR NOT (
        (NEW.status = 'pending' AND NEW.attempt = 0)
        OR (NEW.status = 'running' AND NEW.attempt = 1 AND NEW.worker IS NOT NULL)
        OR (NEW.status IN ('failed', 'skipped') AND NEW.attempt = 0 AND NEW.finished IS NOT NULL)
    )
    BEGIN
        SELECT RAISE(ABORT, 'an execution cannot begin this way');
    END
    """,
    f"""
    CREATE TRIGGER executions_outcomes BEFORE UPDATE OF id, worker, result, error, finished ON executions
    WHEN NEW.id IS NOT OLD.id
        OR (OLD.status IN {_FINAL} AND NEW.status = OLD.status)
        OR (OLD.status = 'running' AND NEW.status = 'running' AND NEW.worker IS NOT OLD.worker)
    BEGIN
        SELECT RAISE(ABORT, 'what an execution came to cannot be changed');
    END
    """,
    """
    CREATE TRIGGER executions_ends BEFORE DELETE ON executions WHEN OLD.status = 'running'
    BEGIN
        SELECT RAISE(ABORT, 'an execution that runs cannot be deleted');
    END
    """,
)


def _compare_one_by_one(connection: sqlite3.Connection) -> None:
    """Say the check of an execution's status in other words, for the reason that `any_of` tells.

    What is allowed stays the same, so that no row has to be looked at. SQLite has no statement for this; the way is its
    own (https://www.sqlite.org/lang_altertable.html#otheralter), to be followed by a statement that changes the schema.
    Where SQLite is built to refuse it, as macOS's is, the check stays as it was: as strict, but slower.
    """
    statuses = [*ExecutionStatus]
    compared = f"CHECK {any_of('status', statuses)}"
    try:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute(
            "UPDATE sqlite_master SET sql = replace(sql, ?, ?) WHERE type = 'table' AND name = 'executions'",
            (_one_of("status", statuses), compared),
        )
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorname not in {"SQLITE_ERROR", "SQLITE_AUTH"}:  # such as a disk that is full
            raise
    finally:
        connection.execute("PRAGMA writable_schema = RESET")


_CHEAP_GUARDS: Migration = (
    _compare_one_by_one,
    # What is usual is decided by the first comparisons. A condition that NULL leaves open is not fulfilled.
    "DROP TRIGGER executions_beginnings",
    """
    CREATE TRIGGER executions_beginnings BEFORE INSERT ON executions
    WHEN (
        (NEW.status = 'running' AND NEW.attempt = 1 AND NEW.worker IS NOT NULL)
        OR (NEW.status = 'pending' AND NEW.attempt = 0)
        OR (NEW.status IN ('failed', 'skipped') AND NEW.attempt = 0 AND NEW.finished IS NOT NULL)
    ) IS NOT TRUE OR EXISTS (SELECT 1 FROM executions WHERE id = NEW.id)
    BEGIN
        SELECT RAISE(ABORT, 'an execution cannot begin this way');
    END
    """,
    # One trigger instead of two: what an execution came to, and who runs it, changes with its status only.
    "DROP TRIGGER executions_outcomes",
    "DROP TRIGGER executions_transitions",
    f"""
    CREATE TRIGGER executions_transitions
    BEFORE UPDATE OF id, status, attempt, worker, result, error, finished ON executions
    WHEN NEW.id IS NOT OLD.id OR ({ALLOWED}) IS NOT TRUE
    BEGIN
        SELECT RAISE(ABORT, 'an execution cannot go this way');
    END
    """,
)

# `actium.stores.sqlite.counts` counts what a transaction stores.
_COUNTED_ONCE: Migration = tuple(f"DROP TRIGGER {table}_counted_up" for table in COUNTED)

_GUARDED_ROWS: Migration = (
    # A row has a number besides its id, by which REPLACE deletes what is there as well. Where none is given, it is not
    # known yet before an insertion, where SQLite shows -1; so there is no row with such a number, nor without an id.
    "DROP TRIGGER executions_beginnings",
    """
    CREATE TRIGGER executions_beginnings BEFORE INSERT ON executions
    WHEN (
        (NEW.status = 'running' AND NEW.attempt = 1 AND NEW.worker IS NOT NULL)
        OR (NEW.status = 'pending' AND NEW.attempt = 0)
        OR (NEW.status IN ('failed', 'skipped') AND NEW.attempt = 0 AND NEW.finished IS NOT NULL)
    ) IS NOT TRUE OR NEW.id IS NULL OR EXISTS (SELECT 1 FROM executions WHERE id = NEW.id OR rowid = NEW.rowid)
    BEGIN
        SELECT RAISE(ABORT, 'an execution cannot begin this way');
    END
    """,
    """
    CREATE TRIGGER executions_numbers AFTER INSERT ON executions WHEN NEW.rowid < 1
    BEGIN
        SELECT RAISE(ABORT, 'an execution cannot have this number');
    END
    """,
    "DROP TRIGGER executions_transitions",
    f"""
    CREATE TRIGGER executions_transitions
    BEFORE UPDATE OF id, status, attempt, worker, result, error, finished, rowid, oid, _rowid_ ON executions
    WHEN NEW.id IS NOT OLD.id OR NEW.rowid IS NOT OLD.rowid OR ({ALLOWED}) IS NOT TRUE
    BEGIN
        SELECT RAISE(ABORT, 'an execution cannot go this way');
    END
    """,
)

_GUARDED_REASONS: Migration = (
    # What led to an execution, which revision it ran, for whom and why it is where it is, change with its status only.
    "DROP TRIGGER executions_transitions",
    f"""
    CREATE TRIGGER executions_transitions
    BEFORE UPDATE OF id, status, attempt, worker, result, error, finished, rowid, oid, _rowid_,
        reason, event_id, action_revision, service_account_id, began, started ON executions
    WHEN NEW.id IS NOT OLD.id OR NEW.rowid IS NOT OLD.rowid OR ({ALLOWED}) IS NOT TRUE
    BEGIN
        SELECT RAISE(ABORT, 'an execution cannot go this way');
    END
    """,
)

_LONG_QUEUES: Migration = (
    # Those that have a slot and those that wait apart, so that neither is gone through to count the other.
    "DROP INDEX executions_of_kind",
    """
    CREATE INDEX executions_of_kind ON executions (kind, held)
    WHERE kind IS NOT NULL AND status IN ('pending', 'running')
    """,
)

_GIVEN_EVENTS: Migration = (
    # Those that someone gave to an action by hand, and nobody has published.
    "ALTER TABLE events ADD COLUMN given INTEGER NOT NULL DEFAULT 0 CHECK (given IN (0, 1))",
)

_EVENTS_GIVEN_BEFORE: Migration = (
    # As far as can be told: with those that were stored at the same time as an execution that no trigger asked for. In
    # a file from before `_RECEPTIONS`, which put receptions off to the first execution, that fits others as well, which
    # were published, led to nothing, and were tried later. Published again, they run once more. To take all of them for
    # published would be worse: what was only given would then never run.
    """
    UPDATE events SET given = 1 WHERE given = 0 AND EXISTS (
        SELECT 1 FROM executions WHERE event_id = events.id AND created = received AND trigger_id IS NULL
    )
    """,
)

MIGRATIONS: Sequence[Migration] = (
    _FIRST,
    _DURABLE_EXECUTION,
    _TRACES,
    _COUNTS,
    _GUARDS,
    _SUSPECTS,
    _RECEPTIONS,
    _CHEAP_GUARDS,
    _COUNTED_ONCE,
    _GUARDED_ROWS,
    _GUARDED_REASONS,
    _LONG_QUEUES,
    _GIVEN_EVENTS,
    _EVENTS_GIVEN_BEFORE,
)
"""What leads from version 0 to 1, from 1 to 2, ...; only ever added to."""
