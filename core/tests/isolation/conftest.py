"""What the tests of isolation share: flavors that child processes can import, orders of them, and a pool."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any
from uuid import uuid4

import pytest
from pydantic import SecretStr

from actium import AuthContext, Event, ExecutionStatus, TriggerExecutionResponse
from actium.isolation import FlavorReference, ProcessPool, RunOrder
from actium.models.account import ServiceAccountBody, ServiceAccountResponse
from actium.models.execution import TriggerExecutionBody, TriggerExecutionMetadata
from actium.plugins.origin import Origin

NOW = datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=UTC)
TOKEN = "a-token-that-nobody-may-see"


@pytest.fixture
def flavors(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of flavors, importable here and, because the path is handed over, in child processes."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent / "importable"))
    return importlib.import_module("isolated_flavors")


@pytest.fixture
def order(flavors: ModuleType) -> Callable[..., RunOrder]:
    """Make an order of a flavor, by its name in the module."""

    def order(name: str, **configuration: Any) -> RunOrder:
        flavor = getattr(flavors, name)
        execution = TriggerExecutionResponse(
            id=uuid4(),
            name="isolated",
            body=TriggerExecutionBody(
                project="default",
                status=ExecutionStatus.RUNNING,
                action_id=uuid4(),
                action_revision=1,
                created=NOW,
            ),
            metadata=TriggerExecutionMetadata(event=Event(type="happened", source="/here", data={"größe": [1, None]})),
        )
        account = ServiceAccountResponse(
            id=uuid4(),
            name="robot",
            body=ServiceAccountBody(project="default", active=True, version=1, created=NOW, updated=NOW),
        )
        return RunOrder(
            flavor=FlavorReference.of(flavor, Origin(flavor.key())),
            configuration=configuration,
            trigger_execution=execution,
            auth_context=AuthContext(
                service_account=account, access_token=SecretStr(TOKEN), expires=NOW + timedelta(hours=1)
            ),
        )

    return order


@pytest.fixture
def pool() -> Iterator[ProcessPool]:
    with ProcessPool(size=1, grace=0.5, poll_interval=0.02) as pool:
        yield pool


Run = Callable[..., Any]


@pytest.fixture
def run(pool: ProcessPool, order: Callable[..., RunOrder]) -> Run:
    """Run a flavor in the pool."""

    def run(name: str, **configuration: Any) -> Any:
        return started(pool, order(name, **configuration))

    return run


def started(
    pool: ProcessPool,
    order: RunOrder,
    *,
    timeout: float | None = 60,
    is_cancelled: Callable[[], bool] = lambda: False,
    on_progress: Callable[[Any], None] = lambda steps: None,
) -> Any:
    return pool.run(order, timeout=timeout, is_cancelled=is_cancelled, on_progress=on_progress)
