"""The ways that an execution can go, as SQLite is told them by `actium.stores.sqlite.migrations`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from actium.models.execution import ExecutionStatus


def any_of(column: str, statuses: Sequence[ExecutionStatus]) -> str:
    """Whether a status is one of several, compared one by one.

    SQLite makes a list of more than two values a table, anew for each row that a check or a trigger looks at: that
    took half the time of recording an outcome.
    """
    return f"({' OR '.join(f'{column} = {str(status)!r}' for status in statuses)})"


_ENDS = (ExecutionStatus.SUCCEEDED, ExecutionStatus.FAILED, ExecutionStatus.CANCELLED, ExecutionStatus.SKIPPED)
_FRUITLESS = (ExecutionStatus.FAILED, ExecutionStatus.CANCELLED, ExecutionStatus.SKIPPED)

TRANSITIONS: Final = {
    "end": f"OLD.status = 'running' AND {any_of('NEW.status', _ENDS)} "
    "AND NEW.attempt = OLD.attempt AND NEW.finished IS NOT NULL AND NEW.worker IS OLD.worker",
    "claim": "OLD.status = 'pending' AND NEW.status = 'running' AND OLD.held = 0 "
    "AND NEW.attempt = OLD.attempt + 1 AND NEW.worker IS NOT NULL AND NEW.finished IS NULL",
    "try again": "OLD.status = 'running' AND NEW.status = 'pending' "
    "AND NEW.attempt = OLD.attempt AND NEW.allowance > NEW.attempt "
    "AND NEW.worker IS OLD.worker AND NEW.result IS OLD.result AND NEW.finished IS NULL",
    "give up": f"OLD.status = 'pending' AND {any_of('NEW.status', _FRUITLESS)} "
    "AND NEW.attempt = OLD.attempt AND NEW.worker IS OLD.worker AND NEW.result IS OLD.result "
    "AND NEW.finished IS NOT NULL",
    "retry": f"{any_of('OLD.status', _FRUITLESS)} AND NEW.status = 'pending' "
    "AND NEW.attempt = OLD.attempt AND NEW.allowance > NEW.attempt AND NEW.worker IS OLD.worker "
    "AND NEW.event_id IS OLD.event_id AND NEW.finished IS NULL",
}
"""Every way that an execution can go, as a condition on its row before and after, the most frequent first.

SQLite refuses all others.
"""

ALLOWED: Final = " OR ".join(f"({condition})" for condition in TRANSITIONS.values())
"""That an execution goes one of them."""
