"""What an execution is when it is stored: its revision pinned, its run policy turned into what claims look at."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from actium.models.execution import ExecutionStatus
from actium.models.run_policy import RunPolicy
from actium.stores.policies import read_policy
from actium.stores.records import EventRecord, ExecutionRecord

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


class Pattern:
    """What the executions have in common that one trigger leads to at one time, at one depth.

    Attributes:
        target: Their action.
        begins: Whether they are ``running`` at once.
    """

    __slots__ = ("_after_event", "_before_event", "_common", "_is_usual", "begins", "target")

    def __init__(
        self,
        target: Target,
        *,
        now: datetime,
        trigger_id: UUID | None = None,
        depth: int = 0,
        worker: str | None = None,
    ) -> None:
        """Turn a run policy into what claims look at.

        Args:
            target: The action.
            now: When they are stored.
            trigger_id: What asks for it to be run, None for someone by hand.
            depth: How many executions have led to them.
            worker: Who begins with them at once, where nothing is to be waited for.
        """
        self.target = target
        self._common = common = _common(target, trigger_id, now, depth, worker)
        self._before_event, self._after_event = common[1:_EVENT_ID], common[_EVENT_ID + 1 :]
        self._is_usual = common.slots is None and target.problem is None
        self.begins = common.status is ExecutionStatus.RUNNING

    def execution(self, execution_id: UUID, event: EventRecord | None, problem: str | None = None) -> ExecutionRecord:
        """An execution: ``pending``, unless it begins, cannot be run, or is one too many in a chain.

        Args:
            execution_id: Its id.
            event: What led to it.
            problem: Why it cannot be run; None as a rule.
        """
        event_id = None if event is None else event.id
        if problem is None and self._is_usual:  # in a fraction of the time that _replace takes
            return tuple.__new__(ExecutionRecord, (execution_id, *self._before_event, event_id, *self._after_event))
        common, problem = self._common, problem or self.target.problem
        if problem is not None:
            failed = ExecutionStatus.FAILED
            return common._replace(
                id=execution_id, event_id=event_id, status=failed, reason=problem, finished=common.created
            )
        return common._replace(id=execution_id, event_id=event_id, kind=kind_of(self.target, event))


_NO_ID: Final = UUID(int=0)
_EVENT_ID: Final = ExecutionRecord._fields.index("event_id")


def _common(target: Target, trigger_id: UUID | None, now: datetime, depth: int, worker: str | None) -> ExecutionRecord:
    """An execution without the id, the event and the kind, which are its own."""
    policy = target.policy
    slots = policy.concurrency.slots
    is_too_deep = depth >= policy.max_chain
    may_begin = target.can_begin and target.problem is None and slots is None and not is_too_deep
    begins = worker is not None and may_begin
    return ExecutionRecord(
        id=_NO_ID,
        project=target.project,
        action_id=target.id,
        action_name=target.name,
        action_revision=target.revision,
        service_account_id=target.service_account_id,
        trigger_id=trigger_id,
        event_id=None,
        status=_status(is_too_deep=is_too_deep, begins=begins),
        reason=_too_deep(depth, policy.max_chain) if is_too_deep else None,
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


def _too_deep(depth: int, allowed: int) -> str:
    return (
        f"it is number {depth + 1} in a chain of executions that lead to one another, and {allowed} are allowed: "
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
