"""Finishing or undoing what a crash left half-done."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from actium.actions.lifecycle import overrides
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


def recover(handler: BaseActionHandler, action: ActionRecord) -> None:
    """Bring an action that a crash left behind to an end: one being created is removed, one being updated goes back
    to its last revision, one being deleted is deleted.

    Raises:
        Exception: Whatever the flavor raises; the action stays as it is then.
    """
    if action.status is ActionStatus.UPDATING:
        _go_back(handler, action)
    else:
        _give_back(handler, action)
        handler.store.remove_action(action.id, changed_by=current_actor())


def _give_back(handler: BaseActionHandler, action: ActionRecord) -> None:
    if overrides(handler, "process_action_delete"):
        config = handler.validate_action_configuration(action.configuration)
        handler.process_action_delete(action_response(action), config, force=True)


def _go_back(handler: BaseActionHandler, action: ActionRecord) -> None:
    last = action_of(handler.store.revision(action.id, action.revision).fields)
    if overrides(handler, "process_action_update"):
        config = handler.validate_action_configuration(last.configuration)
        half_made = handler.validate_action_configuration(action.configuration)
        handler.process_action_update(action_response(last), config, action_response(action), half_made)
    handler.store.restore_action(replace(last, status=ActionStatus.READY), expected_version=action.version)
