"""What an execution is when it is stored: its revision pinned, its run policy turned into what claims look at."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from actium.models.execution import ExecutionStatus
from actium.models.run_policy import RunPolicy
from actium.stores.policies import read_policy
from actium.stores.records import EventRecord, ExecutionDraft, ExecutionRecord

MAX_DEPTH = 8
"""How many executions may lead to one another by the events that they publish."""

_LONGEST_KEY = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What an execution needs to know of its action.

    Attributes:
        run_policy: As it is stored, JSON.
        can_begin: Whether it may be run now: it is not disabled, and nobody deletes it.
    """

    id: UUID
    project: str
    name: str
    revision: int
    service_account_id: UUID
    run_policy: str
    can_begin: bool

    @property
    def policy(self) -> RunPolicy:
        """The run policy; the default one where `problem` says that it cannot be read."""
        return read_policy(self.run_policy).policy

    @property
    def problem(self) -> str | None:
        """Why it cannot be run, None as a rule: another version of Actium may have stored a policy unknown here."""
        return read_policy(self.run_policy).problem


class Drafting:
    """Turns drafts into executions, all of them at one time. Those of one kind are alike but for a few fields."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self._alike: dict[tuple[UUID, UUID | None, int, str | None], ExecutionRecord] = {}

    def execution(
        self, draft: ExecutionDraft, target: Target, event: EventRecord | None, *, depth: int, worker: str | None = None
    ) -> ExecutionRecord:
        """The execution of a draft: ``pending``, unless it cannot be run or is one too many in a chain.

        Args:
            draft: What to run.
            target: Its action.
            event: What led to it.
            depth: How many executions have led to it.
            worker: Who begins with it at once, where nothing is to be waited for; it is ``running`` then.
        """
        key = (target.id, draft.trigger_id, depth, worker)
        alike = self._alike.get(key)
        if alike is None:
            alike = self._alike[key] = self._pending(draft, target, depth, worker)
        event_id = None if event is None else event.id
        problem = draft.problem or target.problem
        if problem is not None:
            failed = ExecutionStatus.FAILED
            return alike._replace(id=draft.id, event_id=event_id, status=failed, reason=problem, finished=self.now)
        if alike.slots is None:
            return alike._replace(id=draft.id, event_id=event_id)
        return alike._replace(id=draft.id, event_id=event_id, kind=kind_of(target, event))

    def _pending(self, draft: ExecutionDraft, target: Target, depth: int, worker: str | None) -> ExecutionRecord:
        policy, now = target.policy, self.now
        slots = policy.concurrency.slots
        is_too_deep = depth >= MAX_DEPTH
        begins = worker is not None and slots is None and not is_too_deep
        return ExecutionRecord(
            id=draft.id,
            project=target.project,
            action_id=target.id,
            action_name=target.name,
            action_revision=target.revision,
            service_account_id=target.service_account_id,
            trigger_id=draft.trigger_id,
            event_id=None,
            status=_status(is_too_deep=is_too_deep, begins=begins),
            reason=_too_deep(depth) if is_too_deep else None,
            result=None,
            error=None,
            progress=[],
            cancel_requested=False,
            attempt=1 if begins else 0,
            allowance=policy.max_attempts,
            losses=0,
            depth=depth,
            kind=None,
            slots=slots,
            held=False,
            available=now,
            expires=None if policy.deadline is None else now + timedelta(seconds=policy.deadline),
            worker=worker if begins else None,
            created=now,
            began=now if begins else None,
            started=now if begins else None,
            finished=now if is_too_deep else None,
        )


def _status(*, is_too_deep: bool, begins: bool) -> ExecutionStatus:
    if is_too_deep:
        return ExecutionStatus.SKIPPED
    return ExecutionStatus.RUNNING if begins else ExecutionStatus.PENDING


def _too_deep(depth: int) -> str:
    return (
        f"it is the {depth + 1}th in a chain of executions that lead to one another, and {MAX_DEPTH} are allowed: "
        "an action publishes what it is triggered by"
    )


def kind_of(target: Target, event: EventRecord | None) -> str | None:
    """Among which executions one waits for its turn; None where all of an action may run at once.

    Args:
        target: The action.
        event: What led to it.
    """
    concurrency = target.policy.concurrency
    if concurrency.slots is None:
        return None
    if concurrency.key is None:
        return str(target.id)
    key = json.dumps(None if event is None else _value(event, concurrency.key), sort_keys=True)
    if len(key) > _LONGEST_KEY:
        key = hashlib.sha256(key.encode()).hexdigest()
    return f"{target.id} {key}"


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
