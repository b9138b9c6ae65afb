"""The life of a stored action: create, update, delete, and what happens when a step of it fails.

    create   validate -> validate_action_request -> store (creating) -> process_action_request -> store (ready)
             processing failed: the row is removed, the exception goes on
    update   validate -> validate_action_update -> store (updating) -> process_action_update -> store (ready)
             processing failed: every field goes back, the exception goes on
    delete   mark (deleting; refused while triggers use it or it is in change) -> process_action_delete -> remove
             processing failed: the row is as it was, the exception goes on; with force the row goes all the same

A failure after the processing, such as a name that is taken, or a hook plugin's refusal of the whole, is undone with
the flavor's help: ``process_action_delete`` gives back what was provisioned, ``process_action_update`` adapts it back.

A flavor that does not override a ``process_...`` point has nothing that could be left half-done: its actions are
stored ``ready`` at once, in one transaction. Each step is made for the version that the one before it left, so that of
two who change an action at once one goes on and the other is told. A crash in the middle leaves the status that names
the step; `actium.actions.recovery` finishes or undoes it.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from actium.actions.action_rows import absorbed, check_fixed, new_record, with_changes
from actium.actions.ignored_keys import ignored_key_warnings
from actium.actions.undoing import as_asked, noting_failure, undone_by, undone_if_hooks_fail
from actium.auth.actor import current_actor
from actium.errors import (
    ActiumError,
    NotFoundError,
    NotReadyError,
    PluginError,
    VersionConflictError,
)
from actium.models.action import ActionRequest, ActionResources, ActionResponse, ActionStatus, ActionUpdate
from actium.models.base import BaseResponse
from actium.plugins.installed import in_words
from actium.stores.base_store import BaseStore
from actium.stores.records import AccountRecord, ActionRecord, Reference
from actium.stores.responses import action_resources, action_response

if TYPE_CHECKING:
    from actium.actions.base_action import ActionConfig, BaseActionHandler

logger = logging.getLogger("actium.actions")


def create(handler: BaseActionHandler, request: ActionRequest) -> ActionResponse:
    """Create an action.

    Args:
        handler: The flavor's handler.
        request: What was asked for; left as it is.

    Returns:
        The action, hydrated.

    Raises:
        InvalidConfigurationError: The configuration does not fit.
        AlreadyExistsError, NotFoundError, InactiveAccountError: See `BaseStore.insert_action`.
        Exception: Whatever the flavor raises; nothing is left behind then.
    """
    given, asked = request, as_asked(request)
    check_fixed(handler, asked, request, f"What reached {handler.origin} through the hooks")
    config = handler.validate_action_configuration(request.configuration)
    warnings = ignored_key_warnings(handler.config_class, request.configuration)
    if overrides(handler, "validate_action_request"):
        request = request.model_copy(deep=True)
        handler.validate_action_request(request, config)
        check_fixed(handler, asked, request, f"What validate_action_request of {handler.origin} left")
        config = _reread(handler, given.configuration, request.configuration, config)
        request = ActionRequest(**{**dict(request), "configuration": {}})
    action = new_record(handler, request, config)
    if overrides(handler, "process_action_request"):
        ready = _provisioned(handler, action, config, warnings)
    else:
        references = extract_references(handler, config)
        resources = _resources(handler, action, references)
        stored = handler.store.insert_action(action, references, changed_by=current_actor())
        ready = _respond(stored, resources, warnings)
    undone_if_hooks_fail(given, lambda: _undo_creation(handler, action.id), "undo the creation")
    return ready


def _provisioned(
    handler: BaseActionHandler, action: ActionRecord, config: ActionConfig, warnings: tuple[str, ...]
) -> ActionResponse:
    """Store a new action, let its flavor provision what it needs, and store what that changed."""
    store = handler.store
    creating = store.insert_action(replace(action, status=ActionStatus.CREATING), (), changed_by=current_actor())
    with undone_by(lambda: _remove(store, creating), "remove the action"):
        response = action_response(creating, warnings=warnings)
        handler.process_action_request(response, config)
        with undone_by(lambda: _give_back(handler, response, config), "give back what was provisioned"):
            config = _reread(handler, creating.configuration, response.configuration, config)
            references = extract_references(handler, config)
            changed, warnings = absorbed(handler, creating, response, config)
            resources = _resources(handler, changed, references)
            ready = _stored_update(handler, creating, changed, references)
    return _respond(ready, resources, warnings)


def update(handler: BaseActionHandler, action: ActionResponse, change: ActionUpdate) -> ActionResponse:
    """Change an action. A configuration that is given replaces the old one whole; absent fields stay.

    Args:
        handler: The flavor's handler.
        action: Which action.
        change: What to change; left as it is.

    Returns:
        The action as it is afterwards, hydrated.

    Raises:
        InvalidConfigurationError: The new configuration does not fit.
        NotReadyError: The action is being created, updated or deleted.
        VersionConflictError: Someone else changed it meanwhile.
        AlreadyExistsError, NotFoundError, InactiveAccountError: See `BaseStore.update_action`.
        Exception: Whatever the flavor raises; every field is then as it was.
    """
    given, current = change, handler.store.get(ActionRecord, action.id)
    _check_updatable(current, change)
    previous_references = handler.store.action_resources(current.id)
    previous_config, warnings = parsed(handler, current)
    if "configuration" in change.model_fields_set:
        asked = change.configuration or {}
        config: ActionConfig | None = handler.validate_action_configuration(asked)
        warnings += ignored_key_warnings(handler.config_class, asked)
    else:
        config = None if previous_config is None else previous_config.model_copy(deep=True)
    if config is not None and overrides(handler, "validate_action_update"):
        change = change.model_copy(deep=True)
        handler.validate_action_update(action_response(current), previous_config, change, config)
        config = _reread(handler, given.configuration, change.configuration, config)
        change = ActionUpdate(**{name: getattr(change, name) for name in change.model_fields_set})
    changed = with_changes(handler, current, change, config)
    if config is not None and overrides(handler, "process_action_update"):
        ready, response = _adapted(handler, current, changed, config, previous_config, warnings)
    else:  # without a configuration there is nothing to adapt; renaming and disabling must go on working
        references = previous_references if config is None else extract_references(handler, config)
        resources = _resources(handler, changed, references)
        ready = _stored_update(handler, current, changed, references)
        response = _respond(ready, resources, warnings)
    undone_if_hooks_fail(
        given, lambda: _undo_update(handler, current, previous_references, ready), "put the action back"
    )
    return response


def _adapted(
    handler: BaseActionHandler,
    current: ActionRecord,
    changed: ActionRecord,
    config: ActionConfig,
    previous_config: ActionConfig | None,
    warnings: tuple[str, ...],
) -> tuple[ActionRecord, ActionResponse]:
    """Store a change, let the flavor adapt what it provisioned, and store what that changed."""
    store = handler.store
    updating = _stored_update(handler, current, replace(changed, status=ActionStatus.UPDATING), None)
    with undone_by(lambda: store.restore_action(current, expected_version=updating.version), "put the action back"):
        response = action_response(updating, warnings=warnings)
        handler.process_action_update(response, config, action_response(current), previous_config)
    with undone_by(lambda: _put_back(handler, current, updating, response, config), "put the action back"):
        config = _reread(handler, updating.configuration, response.configuration, config)
        references = extract_references(handler, config)
        changed, warnings = absorbed(handler, updating, response, config)
        resources = _resources(handler, changed, references)
        ready = _stored_update(handler, updating, changed, references)
    return ready, _respond(ready, resources, warnings)


def delete(handler: BaseActionHandler, action: ActionResponse, *, force: bool, cascade: bool) -> None:
    """Delete an action.

    Args:
        handler: The flavor's handler.
        action: Which action.
        force: Remove it even if the flavor cannot give back what it provisioned, its configuration does not fit, or
            it is in the middle of being created, updated or deleted.
        cascade: Remove the triggers that use it, too.

    Raises:
        NotFoundError: There is none.
        InUseError: Triggers use it; nothing was touched.
        NotReadyError: It is being created, updated or deleted, unless ``force``.
        VersionConflictError: Someone else took it over while the flavor gave back what it provisioned.
        Exception: Whatever the flavor raises, unless ``force``; the action is then as it was.
    """
    _delete(handler, action.id, force=force, cascade=cascade)


def _delete(handler: BaseActionHandler, action_id: UUID, *, force: bool, cascade: bool) -> str | None:
    """Delete an action; says what was overruled by force."""
    before, marked = handler.store.begin_delete(action_id, cascade=cascade, take_over=force)
    problem: str | None = None
    if overrides(handler, "process_action_delete"):
        try:
            config = handler.validate_action_configuration(marked.configuration)
            handler.process_action_delete(action_response(marked), config, force)
        except BaseException as error:
            if not (force and isinstance(error, Exception | SystemExit)):
                with noting_failure(error, "take the mark of deletion away"):
                    handler.store.restore_action(before, expected_version=marked.version)
                raise
            logger.exception("Action %r (%s) is deleted by force although its flavor failed.", marked.name, marked.id)
            problem = f"deleted by force although {in_words(error)}"
    _remove(handler.store, marked, problem)
    return problem


def remove_without_flavor(store: BaseStore, action: ActionRecord, *, cascade: bool, problem: str) -> None:
    """Delete an action whose flavor is not there to give back what it provisioned.

    Raises:
        InUseError: Triggers use it; nothing was touched.
    """
    _, marked = store.begin_delete(action.id, cascade=cascade, take_over=True)
    logger.warning("Action %r (%s) is deleted by force without its flavor: %s", marked.name, marked.id, problem)
    _remove(store, marked, f"deleted by force although {problem}")


def complete(handler: BaseActionHandler, action: ActionResponse) -> ActionResponse:
    """Complete a stored action with its resources and what its flavor adds.

    A configuration that does not fit its flavor any more, or a flavor that fails, is told as the action's problem.
    """
    if action.resources is None:
        action.resources = action_resources(
            handler.store.get(AccountRecord, action.service_account_id), handler.store.action_resources(action.id)
        )
    try:
        config = handler.validate_action_configuration(action.configuration)
        handler.process_action_response(action, config)
    except (Exception, SystemExit) as error:
        logger.warning("Action %r (%s) has a problem.", action.name, action.id, exc_info=error)
        action.body.problem = problem_in_words(error)
    return action


def problem_in_words(error: BaseException) -> str:
    """What an action shows as its problem."""
    return str(error) if isinstance(error, ActiumError) else in_words(error)


def overrides(handler: BaseActionHandler, point: str) -> bool:
    """Whether a handler overrides an override point."""
    from actium.actions.base_action import BaseActionHandler

    return getattr(type(handler), point) is not getattr(BaseActionHandler, point)


def _remove(store: BaseStore, action: ActionRecord, problem: str | None = None) -> None:
    store.remove_action(action.id, expected_version=action.version, changed_by=current_actor(), problem=problem)


def _reread(
    handler: BaseActionHandler, given: Mapping[str, Any] | None, now: Mapping[str, Any] | None, config: ActionConfig
) -> ActionConfig:
    """The config object, unless the flavor changed the plain configuration beside it: that is what counts then."""
    return config if now is None or now == given else handler.validate_action_configuration(now)


def _resources(handler: BaseActionHandler, action: ActionRecord, references: Sequence[Reference]) -> ActionResources:
    """What an action refers to. It is read before the action is stored: a failure afterwards would have to undo it."""
    return action_resources(handler.store.get(AccountRecord, action.service_account_id), references)


def _respond(action: ActionRecord, resources: ActionResources, warnings: tuple[str, ...]) -> ActionResponse:
    response = action_response(action, warnings=warnings)
    response.resources = resources
    return response


def _give_back(handler: BaseActionHandler, action: ActionResponse, config: ActionConfig) -> None:
    if overrides(handler, "process_action_delete"):
        handler.process_action_delete(action, config, True)


def _undo_creation(handler: BaseActionHandler, action_id: UUID) -> None:
    """Take an action back that was complete: what its flavor provisioned is given back, and the row removed."""
    try:
        problem = _delete(handler, action_id, force=True, cascade=True)
    except NotFoundError:
        logger.debug("The action %s is gone already.", action_id)
        return
    if problem is not None:
        raise PluginError(f"The action {action_id} was {problem}.")


def _put_back(
    handler: BaseActionHandler,
    previous: ActionRecord,
    updating: ActionRecord,
    present: ActionResponse,
    present_config: ActionConfig,
) -> None:
    """Put a change back that the flavor has adapted to already."""
    going_back = handler.store.restore_action(
        replace(previous, status=ActionStatus.UPDATING), expected_version=updating.version
    )
    try:
        adapt(handler, previous, present, present_config)
    finally:
        handler.store.restore_action(previous, expected_version=going_back.version)


def _undo_update(
    handler: BaseActionHandler, previous: ActionRecord, references: Sequence[Reference], ready: ActionRecord
) -> None:
    """Put a change back that was complete. Its revision stays, and the old fields become the one after it.

    Raises:
        VersionConflictError: Someone else changed the action meanwhile; it stays as it is then.
    """
    going_back = handler.store.restore_action(
        replace(previous, status=ActionStatus.UPDATING, revision=ready.revision), expected_version=ready.version
    )
    try:
        adapt(handler, previous, action_response(ready), parsed(handler, ready)[0])
    finally:
        _stored_update(handler, going_back, previous, references)


def adapt(
    handler: BaseActionHandler, wanted: ActionRecord, present: ActionResponse, present_config: ActionConfig | None
) -> tuple[str, ...]:
    """Let a flavor adapt what it provisioned to an earlier state of an action, where that can still be read.

    Returns:
        Why it cannot be read.
    """
    if not overrides(handler, "process_action_update"):
        return ()
    config, warnings = parsed(handler, wanted)
    if config is not None:  # otherwise there is nothing to adapt to, until an update mends it
        handler.process_action_update(action_response(wanted), config, present, present_config)
    return warnings


def extract_references(handler: BaseActionHandler, config: ActionConfig) -> tuple[Reference, ...]:
    """What a configuration refers to, as the flavor says.

    Raises:
        PluginError: The flavor does not say it as a mapping of types to responses.
    """
    resources = handler.relay.extract_resources(config, hydrate=False)
    if not _are_resources(resources):
        raise PluginError(
            f"extract_resources of {handler.origin} returned {resources!r:.200}.",
            hint="It must return a dict of ResourceType to responses, such as ResourceResponse.",
        )
    return tuple(Reference(type=str(kind), id=item.id, name=item.name) for kind, item in resources.items())


def _are_resources(given: object) -> bool:
    return isinstance(given, Mapping) and all(isinstance(item, BaseResponse) for item in given.values())


def _check_updatable(current: ActionRecord, change: ActionUpdate) -> None:
    if change.version is not None and change.version != current.version:
        raise VersionConflictError(
            f"The action {current.name!r} is at version {current.version}, not {change.version}.",
            hint="Read it again and repeat the change.",
        )
    if current.status is not ActionStatus.READY:
        raise NotReadyError(
            f"The action {current.name!r} is {current.status.value}.",
            hint="Wait for that to end; if its process is gone, `actium doctor --mend` finishes or undoes it.",
        )


def parsed(handler: BaseActionHandler, action: ActionRecord) -> tuple[ActionConfig | None, tuple[str, ...]]:
    """The stored configuration, or None and why it cannot be read any more.

    A model's validators may raise anything, and must not block the update that mends what they do not like.
    """
    try:
        return handler.validate_action_configuration(action.configuration), ()
    except (Exception, SystemExit) as error:
        logger.warning("The stored configuration of action %r cannot be read.", action.name, exc_info=error)
        return None, (f"The configuration that was stored before cannot be read: {in_words(error)}",)


def _stored_update(
    handler: BaseActionHandler, current: ActionRecord, changed: ActionRecord, references: Sequence[Reference] | None
) -> ActionRecord:
    return handler.store.update_action(
        changed, references, expected_version=current.version, changed_by=current_actor()
    )
