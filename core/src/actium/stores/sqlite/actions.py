"""Rows of actions, their revisions and references, inside a transaction of the caller."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

from actium.errors import InactiveAccountError, InUseError, NotFoundError, NotReadyError, VersionConflictError
from actium.models.action import ActionStatus
from actium.stores.records import AccountRecord, ActionRecord, Reference, RevisionRecord, fields_of
from actium.stores.sqlite.rows import insert, not_found, read_one, replace_row
from actium.stores.sqlite.tables import ACCOUNTS, ACTIONS, REVISIONS


def insert_action(
    connection: sqlite3.Connection, action: ActionRecord, resources: Sequence[Reference], changed_by: str
) -> ActionRecord:
    """See `BaseStore.insert_action`."""
    _check_account(connection, action)
    is_ready = action.status is ActionStatus.READY
    stored = replace(action, version=1, revision=1 if is_ready else 0)
    insert(connection, ACTIONS, stored)
    _refer(connection, stored, resources)
    if is_ready:
        _add_revision(connection, stored, "created", changed_by)
    return stored


def update_action(
    connection: sqlite3.Connection,
    action: ActionRecord,
    resources: Sequence[Reference] | None,
    expected_version: int,
    changed_by: str,
) -> ActionRecord:
    """See `BaseStore.update_action`."""
    present = read_one(connection, ACTIONS, action.id)
    if action.service_account_id != present.service_account_id:
        _check_account(connection, action)
    is_ready = action.status is ActionStatus.READY
    stored = replace(
        action,
        version=expected_version + 1,
        revision=present.revision + is_ready,
        updated=datetime.now(UTC),
    )
    replace_row(connection, ACTIONS, stored, expected_version=expected_version)
    if resources is not None:
        connection.execute("DELETE FROM action_resources WHERE action_id = ?", (str(action.id),))
        _refer(connection, stored, resources)
    if is_ready:
        _add_revision(connection, stored, "updated" if present.revision else "created", changed_by)
    return stored


def restore_action(connection: sqlite3.Connection, action: ActionRecord, expected_version: int) -> ActionRecord:
    """See `BaseStore.restore_action`."""
    stored = replace(action, version=expected_version + 1)
    replace_row(connection, ACTIONS, stored, expected_version=expected_version)
    return stored


def begin_delete(
    connection: sqlite3.Connection, action_id: UUID, *, cascade: bool, take_over: bool
) -> tuple[ActionRecord, ActionRecord]:
    """See `BaseStore.begin_delete`."""
    action = read_one(connection, ACTIONS, action_id)
    if not cascade:
        _check_unused(connection, action)
    if action.status is not ActionStatus.READY and not take_over:
        raise NotReadyError(
            f"The action {action.name!r} is {action.status.value}.",
            hint="Wait for that to end; if its process is gone, `actium doctor --mend` finishes or undoes it, "
            "and deleting by force removes it.",
        )
    marked = replace(action, status=ActionStatus.DELETING, version=action.version + 1, updated=datetime.now(UTC))
    replace_row(connection, ACTIONS, marked, expected_version=action.version)
    return action, marked


def remove_action(
    connection: sqlite3.Connection, action_id: UUID, expected_version: int, changed_by: str, problem: str | None
) -> None:
    """See `BaseStore.remove_action`."""
    action = read_one(connection, ACTIONS, action_id)
    if action.version != expected_version:
        raise VersionConflictError(
            f"The action {action.name!r} is at version {action.version}, not {expected_version}: "
            "someone else changed it meanwhile.",
            hint="Read it again, and delete it then.",
        )
    connection.execute("DELETE FROM triggers WHERE action_id = ?", (str(action_id),))
    connection.execute("DELETE FROM actions WHERE id = ?", (str(action_id),))
    if action.revision:
        _add_revision(connection, replace(action, revision=action.revision + 1), "deleted", changed_by, problem)


def revision(connection: sqlite3.Connection, action_id: UUID, number: int) -> RevisionRecord:
    """See `BaseStore.revision`."""
    row = connection.execute(
        f"SELECT {REVISIONS.selected} FROM action_revisions WHERE action_id = ? AND number = ?",
        (str(action_id), number),
    ).fetchone()
    if row is None:
        raise NotFoundError(f"The action {action_id} has no revision {number}.", hint="Look at its history.")
    return REVISIONS.read(row)


def references(connection: sqlite3.Connection, action_id: UUID) -> tuple[Reference, ...]:
    """See `BaseStore.action_resources`."""
    rows = connection.execute(
        "SELECT type, id, name FROM action_resources WHERE action_id = ?", (str(action_id),)
    ).fetchall()
    return tuple(Reference(type=kind, id=UUID(resource_id), name=name) for kind, resource_id, name in rows)


def users(connection: sqlite3.Connection, resource_type: str, resource_id: UUID) -> tuple[Reference, ...]:
    """See `BaseStore.actions_using`."""
    rows = connection.execute(
        "SELECT actions.id, actions.name FROM action_resources JOIN actions ON actions.id = action_id "
        "WHERE action_resources.type = ? AND action_resources.id = ? ORDER BY actions.name",
        (resource_type, str(resource_id)),
    ).fetchall()
    return tuple(Reference(type="action", id=UUID(action_id), name=name) for action_id, name in rows)


def _check_account(connection: sqlite3.Connection, action: ActionRecord) -> None:
    account: AccountRecord = read_one(connection, ACCOUNTS, action.service_account_id)
    if account.project != action.project:
        raise not_found(ACCOUNTS, action.service_account_id)
    if not account.active:
        raise InactiveAccountError(
            f"The service account {account.name!r} is inactive.", hint="Activate it, or choose another one."
        )


def _check_unused(connection: sqlite3.Connection, action: ActionRecord) -> None:
    rows = connection.execute("SELECT name FROM triggers WHERE action_id = ? ORDER BY name", (str(action.id),))
    names = [name for (name,) in rows.fetchall()]
    if names:
        raise InUseError(
            f"The action {action.name!r} is used by the triggers {', '.join(map(repr, names))}.",
            users=names,
            hint="Delete them first, or delete the action with cascade.",
        )


def _refer(connection: sqlite3.Connection, action: ActionRecord, resources: Sequence[Reference]) -> None:
    if resources:
        connection.executemany(
            "INSERT INTO action_resources (action_id, type, id, name) VALUES (?, ?, ?, ?)",
            [(str(action.id), resource.type, str(resource.id), resource.name) for resource in resources],
        )


def _add_revision(
    connection: sqlite3.Connection, action: ActionRecord, change: str, changed_by: str, problem: str | None = None
) -> None:
    record = RevisionRecord(
        action_id=action.id,
        number=action.revision,
        change=change,
        changed=datetime.now(UTC),
        changed_by=changed_by,
        fields=fields_of(action),
        problem=problem,
    )
    connection.execute(REVISIONS.insertion, REVISIONS.written(record))
    if action.distribution is not None:
        connection.execute(
            "INSERT OR REPLACE INTO providers (plugin_subtype, flavor, distribution, version) VALUES (?, ?, ?, ?)",
            (action.plugin_subtype, action.flavor, action.distribution, action.distribution_version or ""),
        )
