"""What an execution is when it is stored: its revision pinned, its run policy turned into what claims look at."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from actium.models.execution import ExecutionStatus
from actium.models.run_policy import Concurrency, RunPolicy
from actium.stores.records import EventRecord, ExecutionDraft, ExecutionRecord

MAX_DEPTH = 8
"""How many executions may lead to one another by the events that they publish."""

_LONGEST_KEY = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What an execution needs to know of its action.

    Attributes:
        run_policy: As it is stored, JSON.
    """

    id: UUID
    project: str
    name: str
    revision: int
    service_account_id: UUID
    run_policy: str

    @property
    def policy(self) -> RunPolicy:
        """The run policy."""
        return read_policy(self.run_policy)


@lru_cache(maxsize=1_024)
def read_policy(text: str) -> RunPolicy:
    """A stored run policy."""
    return RunPolicy.model_validate_json(text)


def drafted(
    draft: ExecutionDraft, target: Target, event: EventRecord | None, *, depth: int, now: datetime
) -> ExecutionRecord:
    """The execution of a draft: ``pending``, unless it cannot be run or is one too many in a chain."""
    policy = target.policy
    status, reason = ExecutionStatus.PENDING, draft.problem
    if draft.problem is not None:
        status = ExecutionStatus.FAILED
    elif depth > MAX_DEPTH:
        status = ExecutionStatus.SKIPPED
        reason = (
            f"it is the {depth}th in a chain of executions that lead to one another, and {MAX_DEPTH} are allowed: "
            "an action publishes what it is triggered by"
        )
    concurrency = policy.concurrency
    return ExecutionRecord(
        id=draft.id,
        project=target.project,
        action_id=target.id,
        action_name=target.name,
        action_revision=target.revision,
        service_account_id=target.service_account_id,
        trigger_id=draft.trigger_id,
        event_id=None if event is None else event.id,
        status=status,
        reason=reason,
        result=None,
        error=None,
        progress=[],
        cancel_requested=False,
        attempt=0,
        allowance=policy.max_attempts,
        losses=0,
        depth=depth,
        kind=None if concurrency.slots is None else _kind(target.id, concurrency, event),
        slots=concurrency.slots,
        held=False,
        available=now,
        expires=None if policy.deadline is None else now + timedelta(seconds=policy.deadline),
        worker=None,
        created=now,
        began=None,
        started=None,
        finished=None if status is ExecutionStatus.PENDING else now,
    )


def _kind(action_id: UUID, concurrency: Concurrency, event: EventRecord | None) -> str:
    if concurrency.key is None:
        return str(action_id)
    key = json.dumps(None if event is None else _value(event, concurrency.key), sort_keys=True)
    if len(key) > _LONGEST_KEY:
        key = hashlib.sha256(key.encode()).hexdigest()
    return f"{action_id} {key}"


def _value(event: EventRecord, key: str) -> Any:
    attribute, *path = key.split(".")
    if attribute == "data":
        value = event.data
        for part in path:
            value = value.get(part) if isinstance(value, dict) else None
        return value
    if attribute == "id":
        return event.event_id
    if attribute in {"source", "type", "subject"}:
        return getattr(event, attribute)
    return event.attributes.get(attribute)
