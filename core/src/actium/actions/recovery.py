"""Finishing or undoing what a crash left half-done."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from actium.actions.lifecycle import adapt, overrides, parsed
from actium.actions.undoing import undone_by
from actium.auth.actor import current_actor
from actium.models.action import ActionStatus
from actium.stores.records import ActionRecord, action_of
from actium.stores.responses import action_response

if TYPE_CHECKING:
    from actium.actions.base_action import BaseActionHandler

REMEDIES = {
    ActionStatus.CREATING: "undo the creation",
    ActionStatus.UPDATING: "put the last usable revision back",
    ActionStatus.DELETING: "finish the deletion",
}


def recover(handler: BaseActionHandler, action: ActionRecord) -> tuple[str, ...]:
    """Bring an action that a crash left behind to an end: one being created is removed, one being updated goes back
    to its last revision, one being deleted is deleted.

    The row is taken first: where its change was still going on after all, just one of the two goes on.

    Returns:
        What was odd about it, such as a configuration that cannot be read any more.

    Raises:
        VersionConflictError, NotFoundError: It is not as it was found any more; nothing was touched.
        Exception: Whatever the flavor raises; the action stays as it is then.
    """
    taken = handler.store.restore_action(replace(action, updated=datetime.now(UTC)), expected_version=action.version)
    with undone_by(
        lambda: handler.store.restore_action(action, expected_version=taken.version), "leave the action as it was"
    ):
        if action.status is ActionStatus.UPDATING:
            return _go_back(handler, taken)
        _give_back(handler, taken)
        return ()


def _give_back(handler: BaseActionHandler, action: ActionRecord) -> None:
    if overrides(handler, "process_action_delete"):
        config = handler.validate_action_configuration(action.configuration)
        handler.process_action_delete(action_response(action), config, force=True)
    handler.store.remove_action(action.id, expected_version=action.version, changed_by=current_actor())


def _go_back(handler: BaseActionHandler, action: ActionRecord) -> tuple[str, ...]:
    last = action_of(handler.store.revision(action.id, action.revision).fields)
    warnings = adapt(handler, last, action_response(action), parsed(handler, action)[0])
    handler.store.restore_action(replace(last, status=ActionStatus.READY), expected_version=action.version)
    return warnings
