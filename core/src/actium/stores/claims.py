"""What a worker and a store tell each other of attempts: what is to be run, and how it ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from actium.models.execution import ExecutionStatus
from actium.stores.records import AccountRecord, EventRecord, ExecutionRecord


class Claim(NamedTuple):
    """An execution that a worker is to run, with what it needs for that, all of one moment.

    Attributes:
        execution: It, ``running``.
        event: The event that led to it.
        account: On whose behalf it acts; None where that was deleted.
        obstacle: Why it is not to be run after all, which is no failure; None as a rule.
    """

    execution: ExecutionRecord
    event: EventRecord | None
    account: AccountRecord | None
    obstacle: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How an attempt ended.

    Attributes:
        status: How the attempt ended, a final one.
        reason: Why, in a sentence.
        result: What the handler returned, as JSON.
        error: ``type``, ``message`` and ``traceback``, or None.
        next_attempt: When the execution is to be tried again; None where this is the end of it.
        is_returned: Whether the attempt was given back rather than made, so that it does not count.
    """

    status: ExecutionStatus
    reason: str | None = None
    result: Any = None
    error: dict[str, Any] | None = None
    next_attempt: datetime | None = None
    is_returned: bool = False


class Ending(NamedTuple):
    """The end of an attempt, as its worker tells the store.

    Attributes:
        claimed: The execution as it was claimed. Its worker and attempt are the fencing token: the store refuses what
            another attempt has overtaken.
        trace: What is to be kept of how it went, JSON; None for nothing.
    """

    claimed: ExecutionRecord
    outcome: Outcome
    trace: str | None = None


@dataclass(slots=True)
class Along:
    """Ends of attempts that may be recorded along with new events, in their transaction.

    Attributes:
        take: Gives them; called once at most, in the transaction.
        endings: What was taken.
        accepted: For each of these, whether it was recorded; it was not where another attempt has taken over.
    """

    take: Callable[[], Sequence[Ending]]
    endings: Sequence[Ending] = ()
    accepted: tuple[bool, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What a worker gets for what it has done.

    Attributes:
        accepted: For each ending, whether it was recorded; it was not where another attempt has taken over.
        claims: What to run next.
        next_due: When the next execution that waits for its time may be claimed; None where none waits.
    """

    accepted: tuple[bool, ...]
    claims: tuple[Claim, ...]
    next_due: datetime | None
