"""Actions, as callers work with them: each call goes through the hooks of the action's flavor."""

from __future__ import annotations

from uuid import UUID

from actium.actions import lifecycle
from actium.actions.undoing import through_hooks
from actium.app.doors import expect
from actium.app.lookup import find_id, find_record, list_page
from actium.errors import FlavorNotFoundError, NotFoundError, PluginError
from actium.event_hub.event_hub import EventHub
from actium.models.action import (
    ActionFilter,
    ActionRequest,
    ActionResponse,
    ActionRevisionResponse,
    ActionUpdate,
)
from actium.models.event import Event
from actium.models.execution import TriggerExecutionResponse
from actium.models.kinds import PluginType, ResourceType
from actium.models.page import Page
from actium.models.resource import ResourceReference
from actium.plugins.registry import PluginFlavorRegistry
from actium.plugins.relay import Relay
from actium.stores.base_store import BaseStore
from actium.stores.records import AccountRecord, ActionRecord
from actium.stores.responses import action_resources, action_response

_BOOKKEEPING = frozenset({"version", "revision", "updated"})
"""Fields that every change changes."""


class Actions:
    """The actions of an application."""

    def __init__(self, store: BaseStore, registry: PluginFlavorRegistry, hub: EventHub, project: str) -> None:
        self._store = store
        self._registry = registry
        self._hub = hub
        self._project = project

    def create(self, request: ActionRequest) -> ActionResponse:
        """Create an action; nothing is left behind when that fails at any step.

        Raises:
            FlavorNotFoundError: Its flavor is not installed; the distribution that provides it is named where known.
            PluginError: Its flavor is blocked or broken.
            InvalidConfigurationError: The configuration does not fit the flavor.
            AlreadyExistsError: The name is taken in its project.
            NotFoundError, InactiveAccountError: There is no such service account, or it is switched off.
            Exception: Whatever the flavor or a hook plugin raises.
        """
        project = self._project if expect(request, ActionRequest).project is None else request.project
        request = request.model_copy(update={"project": project})
        with through_hooks(request):
            return self._relay(request.plugin_subtype, request.flavor).create_action(request)

    def get(self, reference: UUID | str, *, hydrate: bool = True) -> ActionResponse:
        """Read an action by id, name, or a unique beginning of either. Without hydration no plugin code runs.

        An action whose flavor is missing, or whose configuration does not fit it any more, is shown with its problem.

        Raises:
            NotFoundError, AmbiguousReferenceError: None, or several fit.
        """
        return self._response(self._record(reference), hydrate=hydrate)

    def list(self, asked: ActionFilter | None = None, *, hydrate: bool = False) -> Page[ActionResponse]:
        """List actions, each with its problem where it has one.

        Raises:
            InvalidQueryError: The filter asks for something that does not exist.
        """
        return list_page(
            self._store,
            ActionRecord,
            ActionFilter() if asked is None else expect(asked, ActionFilter),
            lambda found: [self._response(action, hydrate=hydrate) for action in found],
            project=self._project,
        )

    def update(self, reference: UUID | str, update: ActionUpdate) -> ActionResponse:
        """Change an action; every field is as it was when that fails at any step.

        Raises:
            NotFoundError, AmbiguousReferenceError: None, or several fit.
            InvalidConfigurationError: The new configuration does not fit the flavor.
            VersionConflictError: Someone else changed it meanwhile.
            NotReadyError: It is being created, updated or deleted.
            PluginError: Its flavor is missing, blocked or broken.
            Exception: Whatever the flavor or a hook plugin raises.
        """
        update = expect(update, ActionUpdate).model_copy()
        action = self._record(reference)
        with through_hooks(update):
            return self._relay(action.plugin_subtype, action.flavor).update_action(action_response(action), update)

    def delete(self, reference: UUID | str, *, force: bool = False, cascade: bool = False) -> None:
        """Delete an action.

        Args:
            reference: Its id, name, or a unique beginning of either.
            force: Remove it even if its flavor cannot give back what it provisioned, or is not there at all, or if it
                is in the middle of another change, which fails then.
            cascade: Remove the triggers that use it, too.

        Raises:
            NotFoundError, AmbiguousReferenceError: None, or several fit.
            InUseError: Triggers use it; they are named, and nothing was touched.
            NotReadyError: It is being created, updated or deleted.
            VersionConflictError: Someone else took it over meanwhile.
            PluginError: Its flavor is missing, blocked or broken.
            Exception: Whatever the flavor or a hook plugin raises.
        """
        action = self._record(reference)
        try:
            relay = self._relay(action.plugin_subtype, action.flavor)
        except (FlavorNotFoundError, PluginError) as error:
            if not force:
                raise
            lifecycle.remove_without_flavor(self._store, action, cascade=cascade, problem=str(error))
        else:
            relay.delete_action(action_response(action), force=force, cascade=cascade)

    def run(self, reference: UUID | str, event: Event | None = None) -> TriggerExecutionResponse:
        """Store an execution by hand; a worker runs it as any other.

        Args:
            reference: The action's id, name, or a unique beginning of either.
            event: What the handler is to be given as event, if anything; see `BaseEventHub.trigger_action`.

        Raises:
            NotFoundError, AmbiguousReferenceError: None, or several fit.
            NotReadyError: It is being created or deleted.
            ConflictError: The event is known, and says something else.
        """
        if event is not None:
            expect(event, Event)
        action = self._record(reference)
        return self._hub.trigger_action(action.id, event, action.project)

    def history(self, reference: UUID | str) -> tuple[ActionRevisionResponse, ...]:
        """Every usable state that an action was in, first to last: who changed what, and when.

        A deleted action is found by its id.

        Raises:
            NotFoundError, AmbiguousReferenceError: None, or several fit.
        """
        action_id = self._id_even_if_deleted(reference)
        revisions = self._store.revisions(action_id)
        if not revisions:
            self._store.get(ActionRecord, action_id)
        responses: list[ActionRevisionResponse] = []
        previous: dict[str, object] = {}
        for revision in revisions:
            responses.append(
                ActionRevisionResponse(
                    number=revision.number,
                    change=revision.change,
                    changed=revision.changed,
                    changed_by=revision.changed_by,
                    fields=revision.fields,
                    before={
                        name: value
                        for name, value in previous.items()
                        if name not in _BOOKKEEPING and revision.fields.get(name) != value
                    },
                    problem=revision.problem,
                )
            )
            previous = revision.fields
        return tuple(responses)

    def using(self, resource_type: ResourceType | str, resource_id: UUID) -> tuple[ResourceReference, ...]:
        """Which actions refer to a resource."""
        return tuple(
            ResourceReference(type=ResourceType.ACTION, id=user.id, name=user.name)
            for user in self._store.actions_using(str(resource_type), resource_id)
        )

    def _response(self, action: ActionRecord, *, hydrate: bool) -> ActionResponse:
        problem = self._known_problem(action)
        response = action_response(action, hydrate=hydrate, problem=problem)
        if not hydrate:
            return response
        response.resources = action_resources(
            self._store.get(AccountRecord, action.service_account_id), self._store.action_resources(action.id)
        )
        if problem is None:
            try:
                return self._relay(action.plugin_subtype, action.flavor).get_action(response)
            except (Exception, SystemExit) as error:
                response.body.problem = lifecycle.problem_in_words(error)
        return response

    def _known_problem(self, action: ActionRecord) -> str | None:
        status = self._registry.flavor_status(str(PluginType.ACTION), action.plugin_subtype, action.flavor)
        if status is None:
            return str(self._with_provider(action.plugin_subtype, action.flavor, None))
        return status.problem

    def _relay(self, plugin_subtype: str, flavor: str) -> Relay:
        try:
            return self._registry.get_relay(plugin_subtype, flavor)
        except FlavorNotFoundError as error:
            raise self._with_provider(plugin_subtype, flavor, error) from error

    def _with_provider(
        self, plugin_subtype: str, flavor: str, error: FlavorNotFoundError | None
    ) -> FlavorNotFoundError:
        """Name the distribution that provided a flavor when an action of it was stored."""
        provider = self._store.provider_of(plugin_subtype, flavor)
        if provider is None:
            return error or FlavorNotFoundError(f"The flavor {plugin_subtype}.{flavor} is not installed.")
        distribution, version = provider
        return FlavorNotFoundError(
            f"The flavor {plugin_subtype}.{flavor} is not installed; {distribution} {version} provided it.",
            hint=f"Run `pip install {distribution}`.",
        )

    def _record(self, reference: UUID | str) -> ActionRecord:
        return find_record(self._store, ActionRecord, self._project, reference)

    def _id_even_if_deleted(self, reference: UUID | str) -> UUID:
        try:
            return find_id(self._store, ActionRecord, self._project, reference)
        except NotFoundError:
            action_id = _as_uuid(str(reference))
            revisions = () if action_id is None else self._store.revisions(action_id)
            if action_id is None or not revisions or revisions[-1].fields["project"] != self._project:
                raise
            return action_id


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
