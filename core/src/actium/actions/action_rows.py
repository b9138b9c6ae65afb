"""Rows of actions: made of a request, changed by an update, and by what a flavor left in what it processed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from actium.actions.stored_form import stored_form
from actium.auth.context import DEFAULT_AUTH_WINDOW
from actium.errors import InvalidInputError, PluginError
from actium.models.action import ActionRequest, ActionResponse, ActionStatus, ActionUpdate
from actium.models.base import DEFAULT_PROJECT, shown
from actium.models.run_policy import RunPolicy
from actium.stores.records import ActionRecord
from actium.stores.responses import action_response

if TYPE_CHECKING:
    from actium.actions.base_action import ActionConfig, BaseActionHandler

_ABSORBED = frozenset(
    {
        "enabled",
        "service_account_id",
        "warnings",
        "description",
        "configuration",
        "auth_window",
        "labels",
        "run_policy",
        "trace",
    }
)
"""Fields of a response, beside its name, that a flavor may change while it processes an action."""


def check_fixed(handler: BaseActionHandler, asked: ActionRequest, request: ActionRequest, what: str) -> None:
    """Refuse a request that is for another flavor or project than was asked for.

    Args:
        handler: The flavor's handler.
        asked: What was asked for.
        request: What became of it.
        what: Where it did, in words.

    Raises:
        PluginError: Flavor, subtype and project are not what they were.
    """
    flavor = handler.flavor_class
    fixed = {"plugin_subtype": flavor.SUBTYPE, "flavor": flavor.FLAVOR, "project": asked.project}
    told = [
        f"{name} {shown(present)} in place of {value!r}"
        for name, value in fixed.items()
        if (present := getattr(request, name)) != value
    ]
    if told:
        raise PluginError(
            f"{what} has {', '.join(told)}.",
            hint="Flavor, subtype and project of an action never change; create another action instead.",
        )


def new_record(handler: BaseActionHandler, request: ActionRequest, config: ActionConfig) -> ActionRecord:
    """The row of a new action, ready for use."""
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


def with_changes(
    handler: BaseActionHandler, current: ActionRecord, change: ActionUpdate, config: ActionConfig | None
) -> ActionRecord:
    """The row with what an update changes; without a configuration, the old one stays."""
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


def absorbed(
    handler: BaseActionHandler, stored: ActionRecord, response: ActionResponse, config: ActionConfig
) -> tuple[ActionRecord, tuple[str, ...]]:
    """The row with what processing changed in the response or the configuration, ready for use, and the warnings.

    Raises:
        PluginError: Processing left something that an action cannot have, or changed what never changes.
    """
    was, now = _settled(action_response(stored)), _settled(response)
    if was != now:
        names = ", ".join(name for name in was if was[name] != now[name])
        raise PluginError(
            f"{handler.origin} changed of the action {stored.name!r} what cannot be changed: {names}.",
            hint="What a handler may change while it processes an action is what an ActionUpdate may change.",
        )
    metadata = response.get_metadata()
    try:
        kept = ActionUpdate(
            name=response.name,
            description=metadata.description,
            service_account_id=response.service_account_id,
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
    changed = replace(with_changes(handler, stored, kept, config), status=ActionStatus.READY)
    return changed, tuple(map(str, response.warnings))


def _settled(action: ActionResponse) -> dict[str, object]:
    """What of an action its flavor cannot change while it processes it."""
    fields = {"id": action.id, **dict(action.body), **dict(action.get_metadata())}
    return {name: value for name, value in fields.items() if name not in _ABSORBED}


def _written(policy: RunPolicy) -> dict[str, Any]:
    """A run policy as it is stored; what is as by default is left out, as it is with almost all."""
    return policy.model_dump(mode="json", exclude_defaults=True)


def _auth_window(handler: BaseActionHandler, asked: int | None) -> int:
    if asked is not None:
        return asked
    default = handler.flavor_class.AUTH_WINDOW
    return DEFAULT_AUTH_WINDOW if default is None else default
