"""What the author of an action flavor writes: a configuration, a handler and a flavor that names them.

A handler has to say what it configures and how it runs; everything else has a default that does nothing. Creating,
updating and deleting are final: they bring the stored action through its life (`actium.actions.lifecycle`) and call
the override points, which may be overridden freely.
"""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, ClassVar, Literal, final

from pydantic import ValidationError

from actium.actions import lifecycle
from actium.actions.stored_form import check_extent, too_deep
from actium.auth.context import AuthContext
from actium.auth.secret_references import check_references, masked, resolve_references, secret_fields
from actium.errors import InvalidConfigurationError, InvalidInputError, NotConfiguredError
from actium.event_hub.base_event_hub import BaseEventHub, making_executions
from actium.event_hub.isolated_runs import IsolatedRuns
from actium.isolation.messages import FlavorReference
from actium.models.action import MAX_AUTH_WINDOW, ActionRequest, ActionResponse, ActionUpdate
from actium.models.base import BaseResponse, field_problems
from actium.models.execution import MakesExecution, StepProgress, TriggerExecutionResponse, made_execution
from actium.models.flavor import ActionFlavorMetadata, ActionFlavorResponse, FlavorBody, flavor_id
from actium.models.kinds import PluginType, ResourceType
from actium.plugins.base_plugin_flavor import BasePlugin, BasePluginConfig, BasePluginFlavor
from actium.plugins.relay import Relay
from actium.running import running_attempt


class ActionConfig(BasePluginConfig):
    """Base of action configurations: a pydantic model.

    Unknown keys are ignored, and reported as warnings on the response with the nearest known key; a flavor that would
    rather refuse them sets ``model_config = ConfigDict(extra="forbid")``. A secret is a ``SecretStr`` field, given as
    a reference (``env:NAME``, ``file:PATH``) and resolved when the action runs.
    """


class BaseActionHandler(BasePlugin):
    """Base of the objects that run one flavor's actions. One serves all of them, perhaps in several threads at once.

    Attributes:
        takes_execution: Whether `run` looks at the execution; where it does not, none is made for it.
        ISOLATION: ``thread``: it runs in a thread of the worker, or on its event loop. ``process``: it runs in a warm
            process of its own, so that timeout and cancellation end it for certain, and a crash is a failed attempt.
    """

    ISOLATION: ClassVar[Literal["thread", "process"]] = "thread"

    takes_execution: ClassVar[bool] = True
    _event_hub: BaseEventHub | None = None
    _relay: Relay | None = None
    _isolated_runs: IsolatedRuns | None = None

    def __init__(self, event_hub: BaseEventHub | None = None) -> None:
        """Make a handler.

        Args:
            event_hub: Where to subscribe; None when the application does that later.
        """
        if event_hub is not None:
            self.set_event_hub(event_hub)

    # What a flavor must say

    @property
    @abstractmethod
    def config_class(self) -> type[ActionConfig]:
        """The model of this flavor's configurations."""

    @property
    @abstractmethod
    def flavor_class(self) -> type[BaseActionFlavor]:
        """The flavor that names this handler."""

    @abstractmethod
    def run(
        self, config: Any, trigger_execution: TriggerExecutionResponse, auth_context: AuthContext
    ) -> Any | Awaitable[Any]:
        """Run the action; may be ``async def``.

        Delivery is at least once: pass on ``trigger_execution.id`` as idempotency key to whatever must not happen
        twice. Whatever is raised makes the execution ``failed``, with the exception as its reason.

        Args:
            config: The configuration, an instance of ``config_class`` with its secrets resolved.
            trigger_execution: The execution, with the whole event and the attempt's number.
            auth_context: On whose behalf, with a token that lasts for the action's auth window.

        Returns:
            A result that JSON can hold, kept with the execution; or None.
        """

    # What a flavor may override

    def validate_action_request(self, action: ActionRequest, config: Any) -> None:
        """Check what the model alone cannot, before the action is stored. May change both; has no side effects.

        Flavor, subtype and project never change: where this changes one of them, the action is refused.

        Raises:
            InvalidConfigurationError: The configuration cannot work.
        """

    def process_action_request(self, action: ActionResponse, config: Any) -> None:
        """Provision what the action needs, after it was stored. May change both; that is stored too.

        When this raises, the action is removed again and the caller gets the exception. When something after it fails,
        `process_action_delete` is called before that.

        What an `ActionUpdate` can change may be changed in the action; anything else is refused.
        """

    def validate_action_update(
        self, action: ActionResponse, config: Any, action_update: ActionUpdate, config_update: Any
    ) -> None:
        """Check a change before it is stored. May change the last two; has no side effects.

        Args:
            action: The action as it is.
            config: Its configuration; None where that does not fit the model any more.
            action_update: The change.
            config_update: The configuration as it will be.

        Raises:
            InvalidConfigurationError: The new configuration cannot work.
        """

    def process_action_update(
        self, action: ActionResponse, config: Any, previous_action: ActionResponse, previous_config: Any
    ) -> None:
        """Adapt what was provisioned, after a change was stored. May change the first two; that is stored too.

        When this raises, every field goes back to what it was and the caller gets the exception. When something after
        it fails, this is called again, to adapt to what was before.

        Args:
            action: The action as it is now.
            config: Its configuration now.
            previous_action: The action as it was.
            previous_config: Its configuration then; None where that does not fit the model any more.
        """

    def process_action_delete(self, action: ActionResponse, config: Any, force: bool) -> None:
        """Give back what was provisioned, before the action is removed. May be called again after a failure or a crash.

        When this raises, the action stays, unless ``force``: then the failure is logged and recorded.
        """

    def process_action_response(self, action: ActionResponse, config: Any) -> None:
        """Complete an action that is being read hydrated. May change it."""

    def extract_resources(
        self, action_config: Any, hydrate: bool = False
    ) -> Mapping[ResourceType, BaseResponse[Any, Any, Any]]:
        """Say which resources a configuration refers to, one a type; kept with the action. None by default."""
        return {}

    # What a flavor may call

    @property
    def event_hub(self) -> BaseEventHub:
        """The event hub that this handler is subscribed to.

        Raises:
            NotConfiguredError: None is configured.
        """
        if self._event_hub is None:
            raise NotConfiguredError(
                f"{type(self).__name__} has no event hub.",
                hint="Get the handler from an open Actium application, or call set_event_hub(event_hub) first.",
            )
        return self._event_hub

    def report_progress(self, trigger_execution: TriggerExecutionResponse, steps: Sequence[StepProgress]) -> None:
        """Record how far the steps of a running execution are, for whoever watches it.

        Secrets are masked, and too many steps and too long texts shortened, see `actium.models.StepProgress`.

        Args:
            trigger_execution: The execution, as the handler got it.
            steps: All of them; they take the place of those that were reported before.
        """
        told = [step.model_dump(mode="json") for step in steps]
        running = running_attempt(trigger_execution.id)
        shown = told if running is None else masked(told, running.secrets)
        self.store.record_progress(trigger_execution.id, shown, attempt=trigger_execution.attempt)

    def cancel_requested(self, trigger_execution: TriggerExecutionResponse) -> bool:
        """Whether a running execution is to end: someone cancelled it, its time is over, or its worker stops.

        Then raise `ExecutionCancelled` soon; which of these it was is recorded.
        """
        running = running_attempt(trigger_execution.id)
        return (running is not None and running.is_to_end) or self.store.cancel_requested(trigger_execution.id)

    # What the application calls

    @final
    def set_event_hub(self, event_hub: BaseEventHub) -> None:
        """Subscribe this handler to an event hub."""
        event_hub.subscribe_action_handler(
            action_flavor=self.flavor_class.FLAVOR,
            action_subtype=self.flavor_class.SUBTYPE,
            callback=self.event_hub_callback,
        )
        self._event_hub = event_hub

    @property
    def relay(self) -> Relay:
        """The hooks that stand around this handler; without hook plugins unless the application set others."""
        if self._relay is None:
            self._relay = Relay(self, self.origin)
        return self._relay

    @final
    def set_relay(self, relay: Relay) -> None:
        """Let a relay with hook plugins stand around this handler."""
        self._relay = relay

    @final
    def set_isolated_runs(self, isolated_runs: IsolatedRuns) -> None:
        """Let this handler run in processes of their own, if that is its ``ISOLATION``."""
        self._isolated_runs = isolated_runs

    @final
    @making_executions
    def event_hub_callback(
        self,
        config: Mapping[str, Any],
        trigger_execution: TriggerExecutionResponse | MakesExecution,
        auth_context: AuthContext,
    ) -> Any | Awaitable[Any]:
        """Run an execution through the hooks.

        Args:
            config: The configuration as it is stored.
            trigger_execution: The execution, hydrated; or what makes it, which is called only where it is needed.
            auth_context: On whose behalf.

        Returns:
            What `run` gave, or an awaitable of that where it is a coroutine.
        """
        if self.ISOLATION == "process" and self._isolated_runs is not None:
            flavor = FlavorReference.of(self.flavor_class, self.origin)
            return self._isolated_runs.run(flavor, config, made_execution(trigger_execution), auth_context)
        relay = self.relay
        if relay.takes_execution or relay.renders:
            trigger_execution = made_execution(trigger_execution)
            if relay.renders:
                config = relay.render_configuration(config, trigger_execution.event)
                check_extent(config)
        return relay.run_action(resolve_references(self._validated(config)), trigger_execution, auth_context)

    @final
    def create_action(self, action: ActionRequest) -> ActionResponse:
        """Create an action of this flavor, see `actium.actions.lifecycle.create`."""
        return lifecycle.create(self, action)

    @final
    def update_action(self, action: ActionResponse, action_update: ActionUpdate) -> ActionResponse:
        """Change an action of this flavor, see `actium.actions.lifecycle.update`."""
        return lifecycle.update(self, action, action_update)

    @final
    def delete_action(self, action: ActionResponse, force: bool = False, cascade: bool = False) -> None:
        """Delete an action of this flavor, see `actium.actions.lifecycle.delete`."""
        lifecycle.delete(self, action, force=force, cascade=cascade)

    @final
    def get_action(self, action: ActionResponse, hydrate: bool = False) -> ActionResponse:
        """Complete an action of this flavor that is being read, see `actium.actions.lifecycle.complete`."""
        return lifecycle.complete(self, action) if hydrate else action

    @final
    def validate_action_configuration(self, action_config: Mapping[str, Any]) -> ActionConfig:
        """Make a configuration of what a caller gave.

        Raises:
            InvalidConfigurationError: It does not fit the model, holds a literal secret, or is too deep or too large;
                with the fields' paths.
        """
        check_extent(action_config)
        return self._validated(action_config)

    def _validated(self, action_config: Mapping[str, Any]) -> ActionConfig:
        model = self.config_class
        try:
            config = model.model_validate(dict(action_config), by_alias=True, by_name=True)
            check_references(config)
        except RecursionError as error:
            raise too_deep() from error
        except ValidationError as error:
            raise InvalidConfigurationError(
                f"This configuration does not fit the flavor {self.origin}.",
                problems=field_problems(error, secret_paths=secret_fields(model)),
                hint=f"`actium flavor show {self.flavor_class.key()}` shows what it takes.",
            ) from error
        return config


class BaseActionFlavor(BasePluginFlavor):
    """Base of action flavors.

    Attributes:
        TYPE: Always ``PluginType.ACTION``.
        PLUGIN_CLASS: The handler's class; called without arguments.
        ACTION_CONFIG_CLASS: The model of its configurations.
        AUTH_WINDOW: Minutes that its executions' tokens are valid where an action does not say; 0 means no limit,
            None Actium's default of an hour.
    """

    TYPE: ClassVar[PluginType] = PluginType.ACTION
    PLUGIN_CLASS: ClassVar[type[BaseActionHandler]]
    ACTION_CONFIG_CLASS: ClassVar[type[ActionConfig]]
    AUTH_WINDOW: ClassVar[int | None] = None

    def __init_subclass__(cls, **options: Any) -> None:
        """Check the window when the class is made, where its author sees it.

        Raises:
            InvalidInputError: It is nothing that an action could have.
        """
        super().__init_subclass__(**options)
        if cls.AUTH_WINDOW is not None and not 0 <= cls.AUTH_WINDOW <= MAX_AUTH_WINDOW:
            raise InvalidInputError(
                f"AUTH_WINDOW of {cls.__name__} is {cls.AUTH_WINDOW!r}.",
                hint=f"Give minutes up to {MAX_AUTH_WINDOW:,}; 0 is no limit, None Actium's default.",
            )

    @classmethod
    def get_action_config_schema(cls) -> dict[str, Any]:
        """The JSON schema of this flavor's configurations."""
        return cls.ACTION_CONFIG_CLASS.model_json_schema()

    @classmethod
    def get_flavor_response_model(cls, hydrate: bool) -> ActionFlavorResponse:
        """Describe this flavor; with its schema and description when hydrated."""
        return ActionFlavorResponse(
            id=flavor_id(cls.TYPE, cls.key()),
            name=cls.key(),
            body=FlavorBody(type=cls.TYPE, plugin_subtype=cls.SUBTYPE, flavor=cls.FLAVOR, state="loaded"),
            metadata=ActionFlavorMetadata(
                config_schema=cls.get_action_config_schema(),
                description=(inspect.getdoc(cls) or "").partition("\n\n")[0],
            )
            if hydrate
            else None,
        )
