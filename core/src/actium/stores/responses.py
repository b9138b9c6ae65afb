"""Records as callers see them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from copy import deepcopy
from operator import attrgetter
from typing import Any
from uuid import UUID

from actium.models.account import ServiceAccountBody, ServiceAccountMetadata, ServiceAccountResponse
from actium.models.action import ActionBody, ActionMetadata, ActionResources, ActionResponse
from actium.models.base import assembled
from actium.models.event import Event, EventBody, EventMetadata, EventResponse
from actium.models.execution import (
    Attempt,
    ExecutionError,
    StepProgress,
    TriggerExecutionBody,
    TriggerExecutionMetadata,
    TriggerExecutionResources,
    TriggerExecutionResponse,
)
from actium.models.kinds import ResourceType
from actium.models.plain_json import copied
from actium.models.resource import ResourceBody, ResourceMetadata, ResourceReference, ResourceResponse
from actium.models.run_policy import RunPolicy
from actium.models.trigger import TriggerBody, TriggerMetadata, TriggerResources, TriggerResponse
from actium.stores.policies import StoredPolicy, read_policy
from actium.stores.records import (
    AccountRecord,
    ActionRecord,
    AttemptRecord,
    EventRecord,
    ExecutionRecord,
    Reference,
    ResourceRecord,
    TriggerRecord,
)


def account_response(account: AccountRecord, *, hydrate: bool = True) -> ServiceAccountResponse:
    """A service account."""
    return ServiceAccountResponse(
        id=account.id,
        name=account.name,
        body=ServiceAccountBody(
            project=account.project,
            active=account.active,
            version=account.version,
            created=account.created,
            updated=account.updated,
        ),
        metadata=ServiceAccountMetadata(description=account.description) if hydrate else None,
    )


def action_response(
    action: ActionRecord,
    *,
    hydrate: bool = True,
    problem: str | None = None,
    warnings: tuple[str, ...] = (),
) -> ActionResponse:
    """An action, without its resources. It shares nothing with the row, so that whoever gets it may change it."""
    body = {
        "project": action.project,
        "plugin_subtype": action.plugin_subtype,
        "flavor": action.flavor,
        "enabled": action.enabled,
        "status": action.status,
        "version": action.version,
        "revision": action.revision,
        "service_account_id": action.service_account_id,
        "created": action.created,
        "updated": action.updated,
        "problem": problem or _policy_of(action).problem,
        "warnings": warnings,
    }
    return assembled(
        ActionResponse,
        {
            "id": action.id,
            "name": action.name,
            "body": assembled(ActionBody, body),
            "metadata": _action_metadata(action) if hydrate else None,
            "resources": None,
        },
    )


def _action_metadata(action: ActionRecord) -> ActionMetadata:
    return assembled(
        ActionMetadata,
        {
            "description": action.description,
            "configuration": deepcopy(action.configuration),
            "auth_window": action.auth_window,
            "labels": dict(action.labels),
            "run_policy": _policy_of(action).policy,
            "trace": action.trace,
            "distribution": action.distribution,
            "distribution_version": action.distribution_version,
        },
    )


def _policy_of(action: ActionRecord) -> StoredPolicy:
    return read_policy(json.dumps(action.run_policy)) if action.run_policy else _DEFAULT_POLICY


_DEFAULT_POLICY = StoredPolicy(RunPolicy())  # frozen, so that all may have the same


def action_resources(account: AccountRecord, references: Sequence[Reference]) -> ActionResources:
    """What an action refers to."""
    return ActionResources(
        service_account=account_response(account),
        referenced={
            reference.type: ResourceReference(type=ResourceType(reference.type), id=reference.id, name=reference.name)
            for reference in references
        },
    )


def trigger_response(
    trigger: TriggerRecord, *, hydrate: bool = True, action: ActionRecord | None = None
) -> TriggerResponse:
    """A trigger; with its action as resource where that is given."""
    body = {
        "project": trigger.project,
        "action_id": trigger.action_id,
        "is_active": trigger.is_active,
        "version": trigger.version,
        "created": trigger.created,
        "updated": trigger.updated,
    }
    metadata = {"description": trigger.description, "filters": trigger.filters, "match_all": trigger.match_all}
    return assembled(
        TriggerResponse,
        {
            "id": trigger.id,
            "name": trigger.name,
            "body": assembled(TriggerBody, body),
            "metadata": assembled(TriggerMetadata, metadata) if hydrate else None,
            "resources": None if action is None else TriggerResources(action=action_response(action, hydrate=False)),
        },
    )


def event_of(record: EventRecord) -> Event:
    """The event as it was published. It was validated then, so it is not validated again.

    It shares nothing with the record, so that whoever gets it may change what it holds.
    """
    attributes = record.attributes
    fields = {
        "id": record.event_id,
        "source": record.source,
        "type": record.type,
        "specversion": attributes.get("specversion", "1.0"),
        "subject": record.subject,
        "time": record.time,
        "datacontenttype": attributes.get("datacontenttype"),
        "dataschema": attributes.get("dataschema"),
        "data": copied(record.data),
    }
    return assembled(Event, fields, extra={name: attributes[name] for name in attributes if name not in fields})


def event_response(record: EventRecord, *, hydrate: bool = True, executions: Sequence[UUID] = ()) -> EventResponse:
    """A stored event."""
    return EventResponse(
        id=record.id,
        name=record.event_id,
        body=EventBody(
            project=record.project,
            event_id=record.event_id,
            source=record.source,
            type=record.type,
            subject=record.subject,
            time=record.time,
            received=record.received,
        ),
        metadata=EventMetadata(event=event_of(record), executions=tuple(executions)) if hydrate else None,
    )


def execution_response(
    execution: ExecutionRecord,
    *,
    hydrate: bool = True,
    event: EventRecord | None = None,
    attempts: Sequence[AttemptRecord] = (),
    resources: TriggerExecutionResources | None = None,
) -> TriggerExecutionResponse:
    """An execution."""
    return assembled(
        TriggerExecutionResponse,
        {
            "id": execution.id,
            "name": execution.action_name,
            "body": assembled(TriggerExecutionBody, dict(zip(_BODY, _body_of(execution), strict=True))),
            "metadata": _execution_metadata(execution, event, attempts) if hydrate else None,
            "resources": resources,
        },
    )


_BODY = tuple(TriggerExecutionBody.model_fields)
_body_of = attrgetter(*_BODY)


def _execution_metadata(
    execution: ExecutionRecord, event: EventRecord | None, attempts: Sequence[AttemptRecord]
) -> TriggerExecutionMetadata:
    return assembled(
        TriggerExecutionMetadata,
        {
            "event": None if event is None else event_of(event),
            "result": execution.result,
            "error": None if execution.error is None else _error(execution.error),
            "progress": tuple(map(StepProgress.model_validate, execution.progress)) if execution.progress else (),
            "attempts": tuple(map(_attempt, attempts)) if attempts else (),
            "cancel_requested": execution.cancel_requested,
        },
    )


def _attempt(attempt: AttemptRecord) -> Attempt:
    fields = {
        "number": attempt.number,
        "worker": attempt.worker,
        "started": attempt.started,
        "finished": attempt.finished,
        "status": attempt.status,
        "reason": attempt.reason,
        "result": attempt.result,
        "error": _error(attempt.error),
    }
    return assembled(Attempt, fields)


def _error(error: dict[str, Any] | None) -> ExecutionError | None:
    return None if error is None else ExecutionError.model_validate(error)


def resource_response(resource: ResourceRecord, *, hydrate: bool = True) -> ResourceResponse:
    """A plugin's resource."""
    return ResourceResponse(
        id=resource.id,
        name=resource.name,
        body=ResourceBody(
            type=ResourceType(resource.type),
            project=resource.project,
            created=resource.created,
            updated=resource.updated,
        ),
        metadata=ResourceMetadata(content=resource.body) if hydrate else None,
    )
