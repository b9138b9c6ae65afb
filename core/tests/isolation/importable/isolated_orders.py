"""Orders of the flavors here, as a worker would make them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import isolated_flavors
from pydantic import SecretStr

from actium import AuthContext, Event, ExecutionStatus, TriggerExecutionResponse
from actium.isolation import FlavorReference, RunOrder
from actium.models.account import ServiceAccountBody, ServiceAccountResponse
from actium.models.execution import TriggerExecutionBody, TriggerExecutionMetadata
from actium.plugins.origin import Origin

NOW = datetime(2024, 2, 29, 12, 30, 15, 123456, tzinfo=UTC)


def order(name: str, **configuration: Any) -> RunOrder:
    """An order of a flavor, by its name in the module."""
    flavor = getattr(isolated_flavors, name)
    execution = TriggerExecutionResponse(
        id=uuid4(),
        name="isolated",
        body=TriggerExecutionBody(
            project="default", status=ExecutionStatus.RUNNING, action_id=uuid4(), action_revision=1, created=NOW
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
            service_account=account,
            access_token=SecretStr("a-token-that-nobody-may-see"),
            expires=NOW + timedelta(hours=1),
        ),
    )
