"""The SQLite store: `BaseStore` on one database, each method one transaction."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from actium.errors import InUseError, InvalidInputError, NotReadyError
from actium.models.action import ActionStatus
from actium.models.execution import ExecutionStatus
from actium.stores.base_store import BaseStore, Query, RecordPage
from actium.stores.claims import Along, Ending, Exchange
from actium.stores.publications import EventDraft, Recorded, TriggerChanges
from actium.stores.records import (
    AccountRecord,
    ActionRecord,
    AttemptRecord,
    EventRecord,
    ExecutionRecord,
    Record,
    Reference,
    ResourceRecord,
    RevisionRecord,
    TokenRecord,
    TraceRecord,
    TriggerRecord,
    WorkerRecord,
)
from actium.stores.sqlite import actions, counts, executions, listing, publication, retention, traces, work
from actium.stores.sqlite.clock import WallClock, mend_due_times
from actium.stores.sqlite.database import BUSY_SECONDS, Database
from actium.stores.sqlite.rows import insert, not_found, read_all, read_many, read_one, replace_row
from actium.stores.sqlite.schema import prepare
from actium.stores.sqlite.tables import (
    ACCOUNTS,
    ACTIONS,
    RESOURCES,
    REVISIONS,
    TOKENS,
    TRIGGERS,
    WORKERS,
    json_text,
    table_of,
    time_text,
)
from actium.stores.upkeep import Pruned, StoreProblem
from actium.stores.urls import sqlite_url


class SQLiteStore(BaseStore):
    """Everything durable in one SQLite file, or in memory."""

    def __init__(self, path: Path | None, *, synchronous: str = "FULL", busy_seconds: float = BUSY_SECONDS) -> None:
        """Open a store; its file is made where it does not exist.

        Args:
            path: The file; None for a store in memory, which is gone when it is closed.
            synchronous: ``FULL``: what was returned survives a power cut. ``NORMAL``: it survives the process.
            busy_seconds: How long to wait for another process that writes.

        Raises:
            StoreCorruptError: The file is no database, or another program's.
            StoreVersionError: It was written by a newer Actium.
            StoreError: It cannot be opened.
        """
        self._path = None if path is None else path.absolute()
        self._synchronous = synchronous
        self._clock = WallClock()
        self._database = Database(path, synchronous=synchronous, busy_seconds=busy_seconds)
        try:
            prepare(self._database)
        except BaseException:
            self._database.close()
            raise

    @property
    def url(self) -> str:
        """See `BaseStore.url`."""
        return sqlite_url(self._path, self._synchronous)

    @property
    def place(self) -> str | None:
        """See `BaseStore.place`."""
        return None if self._path is None else f"sqlite:{self._path.resolve()}"

    def close(self) -> None:
        """See `BaseStore.close`."""
        self._database.close()

    def check(self) -> tuple[StoreProblem, ...]:
        """See `BaseStore.check`."""
        with self._database.reading() as connection:
            integrity = connection.execute("PRAGMA integrity_check").fetchall()
            if integrity != [("ok",)]:  # looking further would read what is damaged, and perhaps fail
                return tuple(StoreProblem(where="file", problem=text) for (text,) in integrity)
            orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
            miscounts = counts.miscounts(connection)
        problems = (
            StoreProblem(where=table, problem=f"row {row} refers to a row of {parent} that is not there")
            for table, row, parent, _ in orphans
        )
        return (*problems, *miscounts)

    def mend(self) -> None:
        """See `BaseStore.mend`."""
        with self._database.writing() as connection:
            counts.count_again(connection)

    def get(self, kind: type[Record], record_id: UUID) -> Record:
        """See `BaseStore.get`."""
        with self._database.reading() as connection:
            return read_one(connection, table_of(kind), record_id)

    def get_many(self, kind: type[Record], record_ids: Collection[UUID]) -> dict[UUID, Record]:
        """See `BaseStore.get_many`."""
        if not record_ids:
            return {}
        with self._database.reading() as connection:
            return {one.id: one for one in read_many(connection, table_of(kind), record_ids)}

    def find(self, kind: type[Record], project: str, reference: str) -> tuple[Reference, ...]:
        """See `BaseStore.find`."""
        with self._database.reading() as connection:
            return listing.find(connection, table_of(kind), project, reference)

    def page(self, kind: type[Record], query: Query) -> RecordPage[Record]:
        """See `BaseStore.page`."""
        with self._database.reading() as connection:
            return listing.page(connection, table_of(kind), query)

    def insert_account(self, account: AccountRecord) -> None:
        """See `BaseStore.insert_account`."""
        with self._database.writing() as connection:
            insert(connection, ACCOUNTS, account)

    def update_account(self, account: AccountRecord, *, expected_version: int) -> AccountRecord:
        """See `BaseStore.update_account`."""
        stored = replace(account, version=expected_version + 1, updated=datetime.now(UTC))
        with self._database.writing() as connection:
            replace_row(connection, ACCOUNTS, stored, expected_version=expected_version)
        return stored

    def delete_account(self, account_id: UUID) -> None:
        """See `BaseStore.delete_account`."""
        with self._database.writing() as connection:
            account = read_one(connection, ACCOUNTS, account_id)
            rows = connection.execute(
                "SELECT name FROM actions WHERE service_account_id = ? ORDER BY name", (str(account_id),)
            ).fetchall()
            if rows:
                names = [name for (name,) in rows]
                raise InUseError(
                    f"The service account {account.name!r} is used by the actions {', '.join(map(repr, names))}.",
                    users=names,
                    hint="Delete them, or give them another one; or deactivate this one.",
                )
            connection.execute("DELETE FROM service_accounts WHERE id = ?", (str(account_id),))

    def insert_action(self, action: ActionRecord, resources: Sequence[Reference], *, changed_by: str) -> ActionRecord:
        """See `BaseStore.insert_action`."""
        with self._database.writing() as connection:
            return actions.insert_action(connection, action, resources, changed_by)

    def update_action(
        self,
        action: ActionRecord,
        resources: Sequence[Reference] | None,
        *,
        expected_version: int,
        changed_by: str,
    ) -> ActionRecord:
        """See `BaseStore.update_action`."""
        with self._database.writing() as connection:
            return actions.update_action(connection, action, resources, expected_version, changed_by)

    def restore_action(self, action: ActionRecord, *, expected_version: int) -> ActionRecord:
        """See `BaseStore.restore_action`."""
        with self._database.writing() as connection:
            return actions.restore_action(connection, action, expected_version)

    def begin_delete(
        self, action_id: UUID, *, cascade: bool, take_over: bool = False
    ) -> tuple[ActionRecord, ActionRecord]:
        """See `BaseStore.begin_delete`."""
        with self._database.writing() as connection:
            return actions.begin_delete(connection, action_id, cascade=cascade, take_over=take_over)

    def remove_action(
        self, action_id: UUID, *, expected_version: int, changed_by: str, problem: str | None = None
    ) -> None:
        """See `BaseStore.remove_action`."""
        with self._database.writing() as connection:
            actions.remove_action(connection, action_id, expected_version, changed_by, problem)

    def action_resources(self, action_id: UUID) -> tuple[Reference, ...]:
        """See `BaseStore.action_resources`."""
        with self._database.reading() as connection:
            return actions.references(connection, action_id)

    def actions_using(self, resource_type: str, resource_id: UUID) -> tuple[Reference, ...]:
        """See `BaseStore.actions_using`."""
        with self._database.reading() as connection:
            return actions.users(connection, resource_type, resource_id)

    def revisions(self, action_id: UUID) -> tuple[RevisionRecord, ...]:
        """See `BaseStore.revisions`."""
        with self._database.reading() as connection:
            return read_all(connection, REVISIONS, "action_id = ? ORDER BY number", (str(action_id),))

    def revision(self, action_id: UUID, number: int) -> RevisionRecord:
        """See `BaseStore.revision`."""
        with self._database.reading() as connection:
            return actions.revision(connection, action_id, number)

    def provider_of(self, plugin_subtype: str, flavor: str) -> tuple[str, str] | None:
        """See `BaseStore.provider_of`."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT distribution, version FROM providers WHERE plugin_subtype = ? AND flavor = ?",
                (plugin_subtype, flavor),
            ).fetchone()
        return None if row is None else (row[0], row[1])

    def insert_trigger(self, trigger: TriggerRecord) -> None:
        """See `BaseStore.insert_trigger`."""
        with self._database.writing() as connection:
            action = read_one(connection, ACTIONS, trigger.action_id)
            if action.project != trigger.project:
                raise not_found(ACTIONS, trigger.action_id)
            if action.status in {ActionStatus.CREATING, ActionStatus.DELETING}:
                raise NotReadyError(f"The action {action.name!r} is {action.status.value}.", hint="Try again later.")
            insert(connection, TRIGGERS, trigger)

    def update_trigger(self, trigger: TriggerRecord, *, expected_version: int) -> TriggerRecord:
        """See `BaseStore.update_trigger`."""
        stored = replace(trigger, version=expected_version + 1, updated=datetime.now(UTC))
        with self._database.writing() as connection:
            replace_row(connection, TRIGGERS, stored, expected_version=expected_version)
        return stored

    def delete_trigger(self, trigger_id: UUID) -> None:
        """See `BaseStore.delete_trigger`."""
        with self._database.writing() as connection:
            if connection.execute("DELETE FROM triggers WHERE id = ?", (str(trigger_id),)).rowcount == 0:
                raise not_found(TRIGGERS, trigger_id)

    def trigger_generation(self) -> int:
        """See `BaseStore.trigger_generation`."""
        with self._database.reading() as connection:
            return executions.trigger_generation(connection)

    def trigger_changes(self, since: int) -> TriggerChanges:
        """See `BaseStore.trigger_changes`."""
        with self._database.reading() as connection:
            return executions.trigger_changes(connection, since)

    def record_events(
        self,
        drafts: Sequence[EventDraft],
        *,
        worker: str | None = None,
        limit: int = 0,
        along: Along | None = None,
    ) -> Recorded:
        """See `BaseStore.record_events`."""
        with self._database.writing() as connection:
            recorded = publication.record_events(connection, drafts, worker=worker, limit=limit)
            if along is not None and worker is not None:
                work.record_along(connection, worker, along)
            return recorded

    def insert_execution(
        self,
        execution_id: UUID,
        action_id: UUID,
        *,
        project: str,
        event: EventRecord | None,
        cause: UUID | None = None,
    ) -> ExecutionRecord:
        """See `BaseStore.insert_execution`."""
        with self._database.writing() as connection:
            return publication.insert_execution(connection, execution_id, action_id, project, event, cause)

    def executions_of_event(self, event_id: UUID) -> tuple[UUID, ...]:
        """See `BaseStore.executions_of_event`."""
        with self._database.reading() as connection:
            return executions.executions_of(connection, event_id)

    def retry_execution(self, execution_id: UUID, *, latest: bool = False) -> ExecutionRecord:
        """See `BaseStore.retry_execution`."""
        with self._database.writing() as connection:
            return executions.retry(connection, execution_id, latest=latest)

    def prune(self, *, before: datetime, keep: Collection[ExecutionStatus], limit: int) -> Pruned:
        """See `BaseStore.prune`."""
        with self._database.reading() as connection:
            found = retention.find(connection, before, keep, limit)
        if not found:
            return Pruned()
        with self._database.writing() as connection:
            return retention.prune(connection, found, before, keep)

    def register_worker(self, worker: WorkerRecord) -> None:
        """See `BaseStore.register_worker`."""
        with self._database.writing() as connection:
            connection.execute(WORKERS.insertion, WORKERS.written(worker))
            mend_due_times(connection, datetime.now(UTC))

    def beat(self, worker: str) -> None:
        """See `BaseStore.beat`."""
        with self._database.writing() as connection:
            work.beat(connection, worker)

    def workers(self) -> tuple[WorkerRecord, ...]:
        """See `BaseStore.workers`."""
        with self._database.reading() as connection:
            return work.workers(connection)

    def lost_workers(self) -> tuple[str, ...]:
        """See `BaseStore.lost_workers`."""
        with self._database.reading() as connection:
            return work.orphans(connection)

    def remove_worker(self, worker: str, *, reason: str, counts: bool = True, beat: int | None = None) -> int:
        """See `BaseStore.remove_worker`."""
        with self._database.writing() as connection:
            return work.remove_worker(connection, worker, reason, counts=counts, beat=beat)

    def exchange(
        self, worker: str, endings: Sequence[Ending] = (), *, limit: int, execution_id: UUID | None = None
    ) -> Exchange:
        """See `BaseStore.exchange`."""
        with self._database.writing() as connection:
            return work.exchange(connection, worker, endings, limit=limit, execution_id=execution_id)

    def next_due(self) -> datetime | None:
        """See `BaseStore.next_due`."""
        if self._clock.was_set_back():
            with self._database.writing() as connection:
                mend_due_times(connection, datetime.now(UTC))
        with self._database.reading() as connection:
            return work.next_due(connection)

    def executions_of_worker(self, worker: str) -> dict[UUID, int]:
        """See `BaseStore.executions_of_worker`."""
        with self._database.reading() as connection:
            return work.executions_of_worker(connection, worker)

    def cancel_requests(self, worker: str) -> tuple[UUID, ...]:
        """See `BaseStore.cancel_requests`."""
        with self._database.reading() as connection:
            return work.cancel_requests(connection, worker)

    def request_cancel(self, execution_id: UUID) -> ExecutionRecord:
        """See `BaseStore.request_cancel`."""
        with self._database.writing() as connection:
            return executions.request_cancel(connection, execution_id)

    def cancel_requested(self, execution_id: UUID) -> bool:
        """See `BaseStore.cancel_requested`."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT cancel_requested FROM executions WHERE id = ?", (str(execution_id),)
            ).fetchone()
        return row is not None and bool(row[0])

    def record_progress(
        self, execution_id: UUID, progress: Sequence[dict[str, Any]], *, attempt: int | None = None
    ) -> None:
        """See `BaseStore.record_progress`."""
        with self._database.writing() as connection:
            executions.record_progress(connection, execution_id, progress, attempt)

    def attempts(self, execution_ids: Collection[UUID]) -> dict[UUID, tuple[AttemptRecord, ...]]:
        """See `BaseStore.attempts`."""
        if not execution_ids:
            return {}
        with self._database.reading() as connection:
            return executions.attempts(connection, execution_ids)

    def traces(self, execution_id: UUID) -> tuple[TraceRecord, ...]:
        """See `BaseStore.traces`."""
        with self._database.reading() as connection:
            return traces.traces(connection, execution_id)

    def insert_token(self, token: TokenRecord) -> None:
        """See `BaseStore.insert_token`."""
        with self._database.writing() as connection:
            connection.execute(TOKENS.insertion, TOKENS.written(token))

    def get_token(self, digest: str) -> TokenRecord | None:
        """See `BaseStore.get_token`."""
        with self._database.reading() as connection:
            found = read_all(connection, TOKENS, "digest = ?", (digest,))
        return found[0] if found else None

    def revoke_tokens(
        self,
        *,
        when: datetime,
        digest: str | None = None,
        execution_id: UUID | None = None,
        service_account_id: UUID | None = None,
    ) -> int:
        """See `BaseStore.revoke_tokens`."""
        asked = {"digest": digest, "execution_id": execution_id, "service_account_id": service_account_id}
        given = {column: str(value) for column, value in asked.items() if value is not None}
        if not given:
            raise InvalidInputError(
                "It was not said which tokens to revoke.", hint="Give a token, an execution or a service account."
            )
        where = " AND ".join(f"{column} = ?" for column in given)
        with self._database.writing() as connection:
            return connection.execute(
                f"UPDATE tokens SET revoked = ? WHERE {where} AND revoked IS NULL AND (expires IS NULL OR expires > ?)",
                (time_text(when), *given.values(), time_text(when)),
            ).rowcount

    def insert_resource(self, resource: ResourceRecord) -> None:
        """See `BaseStore.insert_resource`."""
        with self._database.writing() as connection:
            insert(connection, RESOURCES, resource)

    def update_resource(self, resource: ResourceRecord, *, expected_version: int | None = None) -> ResourceRecord:
        """See `BaseStore.update_resource`."""
        with self._database.writing() as connection:
            present = read_one(connection, RESOURCES, resource.id)
            version = present.version if expected_version is None else expected_version
            stored = replace(resource, version=version + 1, updated=datetime.now(UTC))
            replace_row(connection, RESOURCES, stored, expected_version=version)
        return stored

    def delete_resource(self, resource_id: UUID) -> None:
        """See `BaseStore.delete_resource`."""
        with self._database.writing() as connection:
            resource = read_one(connection, RESOURCES, resource_id)
            users = actions.users(connection, resource.type, resource_id)
            if users:
                names = [user.name for user in users]
                raise InUseError(
                    f"The {resource.type} {resource.name!r} is used by the actions {', '.join(map(repr, names))}.",
                    users=names,
                    hint="Change or delete these actions first.",
                )
            connection.execute("DELETE FROM resources WHERE id = ?", (str(resource_id),))

    def get_setting(self, name: str) -> Any:
        """See `BaseStore.get_setting`."""
        with self._database.reading() as connection:
            row = connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return None if row is None else json.loads(row[0])

    def put_setting(self, name: str, value: Any) -> None:
        """See `BaseStore.put_setting`."""
        with self._database.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, json_text(value)))
