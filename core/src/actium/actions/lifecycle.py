"""The life of a stored action: create, update, delete, and what happens when a step of it fails.

    create   validate -> validate_action_request -> store (creating) -> process_action_request -> store (ready)
             processing failed: the row is removed, the exception goes on
    update   validate -> validate_action_update -> store (updating) -> process_action_update -> store (ready)
             processing failed: every field goes back, the exception goes on
    delete   mark (deleting; refused while triggers use it or it is in change) -> process_action_delete -> remove
             processing failed: the row is as it was, the exception goes on; with force the row goes all the same

A flavor that does not override a ``process_...`` point has nothing that could be left half-done: its actions are
stored ``ready`` at once, in one transaction. Each step is made for the version that the one before it left, so that of
two who change an action at once one goes on and the other is told. A crash in the middle leaves the status that names
the step; `actium.actions.recovery` finishes or undoes it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from actium.actions.ignored_keys import ignored_key_warnings
from actium.actions.stored_form import stored_form
from actium.auth.actor import current_actor
from actium.auth.context import DEFAULT_AUTH_WINDOW
from actium.errors import InvalidInputError, NotReadyError, PluginError, VersionConflictError
from actium.models.action import ActionRequest, ActionResponse, ActionStatus, ActionUpdate
from actium.models.base import DEFAULT_PROJECT, BaseResponse
from actium.models.run_policy import RunPolicy
from actium.stores.base_store import BaseStore
from actium.stores.records import AccountRecord, ActionRecord, Reference
from actium.stores.responses import action_resources, action_response

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    config = handler.validate_action_configuration(request.configuration)
    warnings = ignored_key_warnings(handler.config_class, request.configuration)
    if overrides(handler, "validate_action_request"):
        given, request = request.configuration, request.model_copy(deep=True)
        handler.validate_action_request(request, config)
        config = _reread(handler, given, request.configuration, config)
        request = ActionRequest(**{**dict(request), "configuration": {}})
    action = _new_record(handler, request, config)
    if not overrides(handler, "process_action_request"):
        references = extract_references(handler, config)
        stored = handler.store.insert_action(action, references, changed_by=current_actor())
        return respond(handler, stored, references, warnings)
    creating = replace(action, status=ActionStatus.CREATING)
    stored = handler.store.insert_action(creating, (), changed_by=current_actor())
    with undone_by(lambda: _remove(handler.store, stored), "remove the action"):
        response = action_response(stored, warnings=warnings)
        handler.process_action_request(response, config)
        config = _reread(handler, stored.configuration, response.configuration, config)
        references = extract_references(handler, config)
        ready = handler.store.update_action(
            absorbed(handler, stored, response, config),
            references,
            expected_version=stored.version,
            changed_by=current_actor(),
        )
    return respond(handler, ready, references, warnings)


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
    current = handler.store.get(ActionRecord, action.id)
    _check_updatable(current, change)
    previous_config, warnings = parsed(handler, current)
    if "configuration" in change.model_fields_set:
        given = change.configuration or {}
        config: ActionConfig | None = handler.validate_action_configuration(given)
        warnings += ignored_key_warnings(handler.config_class, given)
    else:
        config = None if previous_config is None else previous_config.model_copy(deep=True)
    if config is None:  # nothing that the flavor could check or adapt; renaming and disabling must go on working
        stored = _stored_update(handler, current, _changed(handler, current, change, None), None)
        return respond(handler, stored, handler.store.action_resources(current.id), warnings)
    if overrides(handler, "validate_action_update"):
        asked, change = change.configuration, change.model_copy(deep=True)
        handler.validate_action_update(action_response(current), previous_config, change, config)
        config = _reread(handler, asked, change.configuration, config)
        change = ActionUpdate(**{name: getattr(change, name) for name in change.model_fields_set})
    changed = _changed(handler, current, change, config)
    if not overrides(handler, "process_action_update"):
        references = extract_references(handler, config)
        return respond(handler, _stored_update(handler, current, changed, references), references, warnings)
    stored = _stored_update(handler, current, replace(changed, status=ActionStatus.UPDATING), None)
    with undone_by(
        lambda: handler.store.restore_action(current, expected_version=stored.version), "put the action back"
    ):
        response = action_response(stored, warnings=warnings)
        handler.process_action_update(response, config, action_response(current), previous_config)
        config = _reread(handler, stored.configuration, response.configuration, config)
        references = extract_references(handler, config)
        ready = _stored_update(handler, stored, absorbed(handler, stored, response, config), references)
    return respond(handler, ready, references, warnings)


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
    before, marked = handler.store.begin_delete(action.id, cascade=cascade, take_over=force)
    problem: str | None = None
    if overrides(handler, "process_action_delete"):
        try:
            config = handler.validate_action_configuration(marked.configuration)
            handler.process_action_delete(action_response(marked), config, force)
        except BaseException as error:
            if not (force and isinstance(error, Exception)):
                with _noting_failure(error, "take the mark of deletion away"):
                    handler.store.restore_action(before, expected_version=marked.version)
                raise
            logger.exception("Action %r (%s) is deleted by force although its flavor failed.", marked.name, marked.id)
            problem = f"deleted by force although {type(error).__name__}: {error}"
    _remove(handler.store, marked, problem)


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
    except Exception as error:
        logger.warning("Action %r (%s) has a problem.", action.name, action.id, exc_info=error)
        action.body.problem = str(error)
    return action


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


def absorbed(
    handler: BaseActionHandler, stored: ActionRecord, response: ActionResponse, config: ActionConfig
) -> ActionRecord:
    """The row with what processing changed in the response or the configuration, ready for use.

    Raises:
        PluginError: Processing left something that an action cannot have.
    """
    metadata = response.get_metadata()
    try:
        kept = ActionUpdate(
            description=metadata.description,
            labels=metadata.labels,
            auth_window=metadata.auth_window,
            enabled=response.enabled,
            run_policy=metadata.run_policy,
            trace=metadata.trace,
        )
    except InvalidInputError as error:
        told = "; ".join(map(str, error.problems))
        raise PluginError(
            f"{handler.origin} made of the action {stored.name!r} what cannot be stored: {told}."
        ) from error
    return replace(_changed(handler, stored, kept, config), status=ActionStatus.READY)


def respond(
    handler: BaseActionHandler,
    action: ActionRecord,
    references: Sequence[Reference],
    warnings: tuple[str, ...] = (),
) -> ActionResponse:
    """The hydrated response of a stored action."""
    response = action_response(action, warnings=warnings)
    response.resources = action_resources(handler.store.get(AccountRecord, action.service_account_id), references)
    return response


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


def _new_record(handler: BaseActionHandler, request: ActionRequest, config: ActionConfig) -> ActionRecord:
    now = datetime.now(UTC)
    return ActionRecord(
        id=uuid4(),
        project=request.project or DEFAULT_PROJECT,
        name=request.name,
        description=request.description,
        plugin_subtype=request.plugin_subtype,
        flavor=request.flavor,
        configuration=stored_form(handler, config),
        service_account_id=request.service_account_id,
        auth_window=_auth_window(handler, request.auth_window),
        labels=request.labels,
        enabled=request.enabled,
        run_policy=_written(request.run_policy),
        trace=request.trace,
        status=ActionStatus.READY,
        version=1,
        revision=0,
        distribution=handler.origin.distribution,
        distribution_version=handler.origin.version,
        created=now,
        updated=now,
    )


def _written(policy: RunPolicy) -> dict[str, Any]:
    """A run policy as it is stored; what is as by default is left out, as it is with almost all."""
    return policy.model_dump(mode="json", exclude_defaults=True)


def _auth_window(handler: BaseActionHandler, asked: int | None) -> int:
    if asked is not None:
        return asked
    default = handler.flavor_class.AUTH_WINDOW
    return DEFAULT_AUTH_WINDOW if default is None else default


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
    except Exception as error:
        logger.warning("The stored configuration of action %r cannot be read.", action.name, exc_info=error)
        return None, (f"The configuration that was stored before cannot be read: {type(error).__name__}: {error}",)


def _changed(
    handler: BaseActionHandler, current: ActionRecord, change: ActionUpdate, config: ActionConfig | None
) -> ActionRecord:
    fields = change.changes()
    if "auth_window" in fields:
        fields["auth_window"] = _auth_window(handler, fields["auth_window"])
    if "run_policy" in fields:
        fields["run_policy"] = _written(fields["run_policy"])
    if config is not None:
        fields["configuration"] = stored_form(handler, config)
    return replace(
        current,
        **fields,
        distribution=handler.origin.distribution,
        distribution_version=handler.origin.version,
    )


def _stored_update(
    handler: BaseActionHandler, current: ActionRecord, changed: ActionRecord, references: Sequence[Reference] | None
) -> ActionRecord:
    return handler.store.update_action(
        changed, references, expected_version=current.version, changed_by=current_actor()
    )


@contextmanager
def undone_by(undo: Callable[[], object], doing: str) -> Iterator[None]:
    """Undo a step when what follows it fails."""
    try:
        yield
    except BaseException as error:
        with _noting_failure(error, doing):
            undo()
        raise


@contextmanager
def _noting_failure(original: BaseException, doing: str) -> Iterator[None]:
    """Add the failure of a clean-up to the exception that made it necessary, never in its place."""
    try:
        yield
    except Exception as error:
        logger.exception("After a failure, Actium could not %s.", doing)
        original.add_note(f"After this, Actium could not {doing} either: {type(error).__name__}: {error}")
