"""What keeps an execution from being begun although its time has come."""

from __future__ import annotations

from datetime import datetime

from actium.models.action import ActionStatus
from actium.stores.records import ActionRecord, ExecutionRecord


def obstacle_of(execution: ExecutionRecord, action: ActionRecord | None, now: datetime) -> str | None:
    """Why an execution is not to be begun now; None where nothing is in its way."""
    if action is None:
        return "the action was deleted"
    if action.status is ActionStatus.DELETING:
        return "the action is being deleted"
    if not action.enabled:
        return "the action is disabled"
    if execution.expires is not None and now > execution.expires:
        return f"it was not to begin after its deadline, {execution.expires:%Y-%m-%d %H:%M:%S} UTC"
    return None
