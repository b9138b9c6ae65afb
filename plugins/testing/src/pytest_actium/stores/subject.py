"""The store that a suite is held against, and the records that its tests keep in it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings

from actium.models import ActionStatus
from actium.stores.base_store import BaseStore
from actium.stores.claims import Ending, Outcome
from actium.stores.publications import EventDraft, ExecutionDraft, RecordedEvent
from actium.stores.records import (
    AccountRecord,
    ActionRecord,
    EventRecord,
    ExecutionRecord,
    ResourceRecord,
    TriggerRecord,
    WorkerRecord,
)
from pytest_actium.conformance import Conformance

NOW = datetime(2026, 1, 31, 12, 0, 0, 123456, tzinfo=UTC)
with_store = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    max_examples=40,
    deadline=None,
    database=None,
)


class StoreSubject(Conformance):
    """What an author says of a store: how it is opened."""

    @abstractmethod
    def open_store(self, folder: Path) -> BaseStore:
        """Open the store.

        Args:
            folder: One folder a test. For one folder it is always the same store, for another one an empty one.
        """

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[BaseStore]:
        """An empty store."""
        store = self.open_store(tmp_path)
        yield store
        store.close()

    @pytest.fixture
    def account(self, store: BaseStore) -> AccountRecord:
        """An account in it."""
        account = account_record()
        store.insert_account(account)
        return account

    @pytest.fixture
    def action(self, store: BaseStore, account: AccountRecord) -> ActionRecord:
        """An action in it."""
        return store.insert_action(action_record(account), (), changed_by="ada")


def account_record(name: str = "robot", **fields: Any) -> AccountRecord:
    """A service account."""
    given_fields = {
        "id": uuid4(),
        "project": "default",
        "name": name,
        "description": "",
        "active": True,
        "version": 1,
        "created": NOW,
        "updated": NOW,
    }
    return AccountRecord(**{**given_fields, **fields})


def action_record(account: AccountRecord, name: str = "greet", **fields: Any) -> ActionRecord:
    """An action of an account."""
    given_fields = {
        "id": uuid4(),
        "project": "default",
        "name": name,
        "description": "",
        "plugin_subtype": "test",
        "flavor": "echo",
        "configuration": {},
        "service_account_id": account.id,
        "auth_window": 60,
        "labels": {},
        "enabled": True,
        "run_policy": {},
        "status": ActionStatus.READY,
        "version": 1,
        "revision": 0,
        "distribution": None,
        "distribution_version": None,
        "created": NOW,
        "updated": NOW,
    }
    return ActionRecord(**{**given_fields, **fields})


def trigger_record(action: ActionRecord, name: str = "on-data", **fields: Any) -> TriggerRecord:
    """A trigger of an action."""
    given_fields = {
        "id": uuid4(),
        "project": "default",
        "name": name,
        "description": "",
        "action_id": action.id,
        "filters": [],
        "match_all": True,
        "is_active": True,
        "version": 1,
        "created": NOW,
        "updated": NOW,
    }
    return TriggerRecord(**{**given_fields, **fields})


def event_record(event_id: str = "42", **fields: Any) -> EventRecord:
    """An event."""
    given_fields = {
        "id": uuid4(),
        "project": "default",
        "event_id": event_id,
        "source": "/a",
        "type": "x.y",
        "subject": None,
        "time": NOW,
        "received": NOW,
        "attributes": {},
        "data": None,
    }
    return EventRecord(**{**given_fields, **fields})


def resource_record(name: str = "penguins", **fields: Any) -> ResourceRecord:
    """A resource."""
    given_fields = {
        "id": uuid4(),
        "project": "default",
        "type": "pipeline",
        "name": name,
        "body": {},
        "created": NOW,
        "updated": NOW,
    }
    return ResourceRecord(**{**given_fields, **fields})


def pending(store: BaseStore, action: ActionRecord) -> ExecutionRecord:
    """Store a pending execution."""
    return store.insert_execution(uuid4(), action.id, project="default", event=None)


def record(
    store: BaseStore,
    event: EventRecord,
    executions: Sequence[ExecutionDraft] = (),
    *,
    ids: tuple[UUID, ...] | None = None,
    generation: int = 0,
) -> RecordedEvent:
    """Record one event."""
    ids = tuple(uuid4() for _ in executions) if ids is None else ids
    return store.record_events([EventDraft(event, executions, ids, generation)]).events[0]


def work_as(store: BaseStore, name: str = "w", **fields: Any) -> str:
    """Register a worker."""
    given_fields = {"name": name, "host": "h", "process": 1, "lease": 30.0, "beat": 0, "started": NOW}
    store.register_worker(WorkerRecord(**{**given_fields, **fields}))
    return name


def claim(store: BaseStore, worker: str = "w", execution_id: UUID | None = None) -> ExecutionRecord | None:
    """Claim one execution."""
    claims = store.exchange(worker, limit=1, execution_id=execution_id).claims
    return claims[0].execution if claims else None


def finish(store: BaseStore, claimed: ExecutionRecord, outcome: Outcome) -> bool:
    """Tell how an attempt ended; whether it was accepted."""
    (is_accepted,) = store.exchange(claimed.worker or "w", [Ending(claimed=claimed, outcome=outcome)], limit=0).accepted
    return is_accepted
