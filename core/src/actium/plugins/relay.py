"""Relays: the hooks of one flavor, as typed calls.

pluggy calls every plugin that is registered with a manager. Each flavor in use therefore has a small manager of its
own, with its handler and the enabled hook plugins: a flavor only sees its own actions, and a call costs the same
beside one flavor as beside a thousand. See ``docs/explanation/relays.md``.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from copy import deepcopy
from functools import cached_property
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Protocol, cast
from uuid import UUID

import pluggy
from pydantic import BaseModel

from actium.errors import ActiumError, PluginError
from actium.plugins.awaiting_call import call_awaiting
from actium.plugins.hook_plugins import HookPlugin
from actium.plugins.hookspecs import PROJECT_NAME, ActionHooks, ObserverHooks, hookimpl
from actium.plugins.origin import Origin
from actium.plugins.publishing import PublishingHooks
from actium.tracing.application import NOT_TRACED, ApplicationTracing
from actium.tracing.recorder import Actor, LoneHook, active, current, is_recording, unrecorded

if TYPE_CHECKING:
    from actium.auth.context import AuthContext
    from actium.models import (
        ActionRequest,
        ActionResponse,
        ActionUpdate,
        BaseResponse,
        Event,
        ResourceType,
        TriggerExecutionResponse,
    )
    from actium.models.execution import MakesExecution
    from actium.plugins.base_plugin_flavor import BasePluginConfig
    from actium.plugins.traced_hooks import TracedCalls

logger = logging.getLogger("actium.plugins")

Resources = Mapping["ResourceType", "BaseResponse[Any, Any, Any]"]


class AnswersHooks(Protocol):
    """What a relay needs of a flavor's handler."""

    def create_action(self, action: ActionRequest) -> ActionResponse: ...
    def update_action(self, action: ActionResponse, action_update: ActionUpdate) -> ActionResponse: ...
    def delete_action(self, action: ActionResponse, force: bool = ..., cascade: bool = ...) -> None: ...
    def get_action(self, action: ActionResponse, hydrate: bool = ...) -> ActionResponse: ...
    def run(self, config: Any, trigger_execution: TriggerExecutionResponse, auth_context: AuthContext) -> Any: ...
    def extract_resources(self, action_config: Any, hydrate: bool = ...) -> Resources: ...


class HandlerHooks:
    """A handler as pluggy sees it, so that the authors of handlers never meet pluggy."""

    def __init__(self, handler: AnswersHooks, origin: Origin, *, is_async: bool) -> None:
        self.origin = origin
        self._handler = handler
        self._is_async = is_async

    @hookimpl
    def create_action(self, action: ActionRequest) -> ActionResponse:
        return self._handler.create_action(action)

    @hookimpl
    def update_action(self, action: ActionResponse, action_update: ActionUpdate) -> ActionResponse:
        return self._handler.update_action(action, action_update)

    @hookimpl
    def delete_action(self, action: ActionResponse, force: bool, cascade: bool) -> None:
        self._handler.delete_action(action, force, cascade)

    @hookimpl
    def get_action(self, action: ActionResponse, hydrate: bool) -> ActionResponse:
        return self._handler.get_action(action, hydrate)

    @hookimpl
    def run_action(
        self, config: BasePluginConfig, trigger_execution: TriggerExecutionResponse, auth_context: AuthContext
    ) -> Any:
        result = self._handler.run(config, trigger_execution, auth_context)
        if isinstance(result, CoroutineType) and not self._is_async:  # wrappers would see it in place of its outcome
            result.close()
            raise PluginError(
                f"The run of {self.origin} returned a coroutine, but is no coroutine function.",
                hint="Write it as `async def`, also where a decorator wraps it.",
            )
        return result

    @hookimpl
    def extract_resources(self, action_config: BasePluginConfig, hydrate: bool) -> Resources:
        return self._handler.extract_resources(action_config, hydrate)


class Relay:
    """The hooks of one flavor: its handler, wrapped by the enabled hook plugins.

    An exception of a plugin's own that leaves a hook carries a note with the hook, the flavor, its distribution and
    version.

    Attributes:
        origin: Where the flavor comes from.
        is_async: Whether the flavor's handler runs as a coroutine.
        renders: Whether a hook plugin may fill configurations from events.
        takes_execution: Whether the handler, or a hook plugin around it, looks at the execution that is run.
    """

    def __init__(
        self,
        handler: AnswersHooks,
        origin: Origin,
        hook_plugins: Sequence[HookPlugin] = (),
        tracing: ApplicationTracing = NOT_TRACED,
    ) -> None:
        self.origin = origin
        self._tracing = tracing
        self.is_async = inspect.iscoroutinefunction(handler.run)
        self._config_class: type[BaseModel] | None = getattr(handler, "config_class", None)
        manager = pluggy.PluginManager(PROJECT_NAME)
        manager.add_hookspecs(ActionHooks)
        manager.register(HandlerHooks(handler, origin, is_async=self.is_async), name=origin.name)
        for number, plugin in enumerate(hook_plugins):  # two objects made in code may have one name
            manager.register(plugin, name=f"hooks:{number}:{plugin.origin.name}")
        self._manager = manager
        # Around most handlers stands nothing; then pluggy has nothing to order, and the call is all there is.
        alone = manager.hook.run_action.get_hookimpls() if not hook_plugins else ()
        called = cast("Callable[..., Any]", alone[0].function if alone else manager.hook.run_action)
        self._run = called
        self._lone = None if hook_plugins else _lone_hook("run_action", origin)
        self.takes_execution = bool(hook_plugins) or getattr(handler, "takes_execution", True)
        self.renders = bool(manager.hook.render_configuration.get_hookimpls())

    def create_action(self, action: ActionRequest) -> ActionResponse:
        """Create an action, see `ActionHooks.create_action`."""
        return cast("ActionResponse", self._call("create_action", action=action))

    def update_action(self, action: ActionResponse, action_update: ActionUpdate) -> ActionResponse:
        """Update an action, see `ActionHooks.update_action`."""
        return cast("ActionResponse", self._call("update_action", action=action, action_update=action_update))

    def delete_action(self, action: ActionResponse, *, force: bool, cascade: bool) -> None:
        """Delete an action, see `ActionHooks.delete_action`."""
        self._call("delete_action", action=action, force=force, cascade=cascade)

    def get_action(self, action: ActionResponse) -> ActionResponse:
        """Complete an action that is being read, see `ActionHooks.get_action`."""
        return cast("ActionResponse", self._call("get_action", action=action, hydrate=True))

    def extract_resources(self, action_config: BasePluginConfig, *, hydrate: bool) -> Resources:
        """Find what a configuration refers to, see `ActionHooks.extract_resources`."""
        return cast("Resources", self._call("extract_resources", action_config=action_config, hydrate=hydrate))

    def render_configuration(self, configuration: Mapping[str, Any], event: Event | None) -> Mapping[str, Any]:
        """Fill a configuration from an event, see `ActionHooks.render_configuration`."""
        if not self.renders:
            return configuration
        rendered = self._call("render_configuration", configuration=configuration, event=event)
        if rendered is None:
            return configuration
        if isinstance(rendered, Mapping):
            return rendered
        raise PluginError(
            f"A hook plugin rendered the configuration of {self.origin} as {_closed(rendered)!r:.200}.",
            hint="render_configuration must return a dict, or None to leave it to others.",
        )

    def run_action(
        self,
        config: BasePluginConfig,
        trigger_execution: TriggerExecutionResponse | MakesExecution,
        auth_context: AuthContext,
    ) -> Any | Awaitable[Any]:
        """Run an action, see `ActionHooks.run_action`.

        Args:
            config: The configuration.
            trigger_execution: The execution; unless ``takes_execution``, what makes it will do.
            auth_context: On whose behalf.

        Returns:
            What the run gave; where ``is_async``, an awaitable of that.
        """
        if self.is_async:
            return self._run_async(_arguments(config, trigger_execution, auth_context))
        try:
            if active or current.get() is not None:
                return self._run_recorded(_arguments(config, trigger_execution, auth_context))
            return self._run(config=config, trigger_execution=trigger_execution, auth_context=auth_context)
        except BaseException as error:
            self._note(error, "run_action")
            raise

    def _run_recorded(self, arguments: dict[str, Any]) -> Any:
        attempt = unrecorded()
        if self._lone is None or attempt is None or not attempt.notes(self._lone, arguments):
            return self._traced.call("run_action", _all_made(arguments))
        try:
            result = self._run(**arguments)
        except BaseException as error:
            attempt.raised(error)
            raise
        attempt.returned(result)
        return result

    async def _run_async(self, arguments: dict[str, Any]) -> Any:
        try:
            if is_recording():
                return await self._run_async_recorded(arguments)
            return await call_awaiting(self._manager.hook.run_action, arguments)
        except BaseException as error:
            self._note(error, "run_action")
            raise

    async def _run_async_recorded(self, arguments: dict[str, Any]) -> Any:
        attempt = unrecorded()
        if self._lone is None or attempt is None or not attempt.notes(self._lone, arguments):
            return await self._traced.call_awaiting("run_action", _all_made(arguments))
        try:
            result = await call_awaiting(self._manager.hook.run_action, arguments)
        except BaseException as error:
            attempt.raised(error)
            raise
        attempt.returned(result)
        return result

    def _call(self, hook: str, **arguments: object) -> object:
        try:
            if is_recording():
                return cast("object", self._traced.call(hook, arguments))
            return getattr(self._manager.hook, hook)(**arguments)
        except BaseException as error:
            self._note(error, hook)
            raise

    @cached_property
    def _traced(self) -> TracedCalls:
        from actium.plugins.traced_hooks import TracedCalls  # most programs begin to trace with their first execution

        return TracedCalls(
            self._manager,
            ActionHooks,
            self.origin,
            self._tracing,
            awaits=self.is_async,
            config_class=self._config_class,
        )

    def _note(self, error: BaseException, hook: str) -> None:
        if not isinstance(error, ActiumError):  # ours tell all that a caller needs
            error.add_note(f"raised in the hook {hook} of {self.origin}")


def _arguments(
    config: BasePluginConfig, trigger_execution: TriggerExecutionResponse | MakesExecution, auth_context: AuthContext
) -> dict[str, Any]:
    return {"config": config, "trigger_execution": trigger_execution, "auth_context": auth_context}


def _all_made(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    execution = arguments["trigger_execution"]
    return {**arguments, "trigger_execution": execution() if callable(execution) else execution}


def _lone_hook(name: str, origin: Origin) -> LoneHook:
    """A hook that a flavor's handler answers, with no hook plugin around it."""
    flavor, handler = (Actor(origin.name, origin.distribution, origin.version, place) for place in (None, "handler"))
    return LoneHook(name, flavor, handler)


class Observers:
    """What the enabled hook plugins are told. None of them can harm what they observe.

    Attributes:
        publishing: The hooks around publishing, with which they can refuse an event.
    """

    def __init__(self, hook_plugins: Sequence[HookPlugin], tracing: ApplicationTracing = NOT_TRACED) -> None:
        manager = pluggy.PluginManager(PROJECT_NAME)
        manager.add_hookspecs(ObserverHooks)
        for number, plugin in enumerate(hook_plugins):  # two objects made in code may have one name
            manager.register(plugin, name=f"hooks:{number}:{plugin.origin.name}")
        self.publishing = PublishingHooks(hook_plugins, tracing)
        self._published = manager.hook.event_published.get_hookimpls()
        self._changed = manager.hook.execution_changed.get_hookimpls()

    @property
    def see_events(self) -> bool:
        """Whether anyone wants to be told of events."""
        return bool(self._published)

    @property
    def see_executions(self) -> bool:
        """Whether anyone wants to be told of executions."""
        return bool(self._changed)

    def event_published(self, event: Event, executions: Sequence[UUID]) -> None:
        """Tell that an event is durable, see `ObserverHooks.event_published`."""
        self._tell(self._published, {"event": event, "executions": executions})

    def execution_changed(self, trigger_execution: TriggerExecutionResponse) -> None:
        """Tell that an execution has begun or ended, see `ObserverHooks.execution_changed`."""
        self._tell(self._changed, {"trigger_execution": trigger_execution})

    @staticmethod
    def _tell(observers: Sequence[pluggy.HookImpl], arguments: Mapping[str, object]) -> None:
        # Called one by one: in pluggy's own call an observer that raises would silence those behind it.
        for observer in reversed(observers):
            try:
                told = _called(observer)(*(deepcopy(arguments[name]) for name in observer.argnames))
                if isinstance(_closed(told), CoroutineType):
                    raise TypeError("it returned a coroutine, which nobody awaits; write it with `def`")
            except (Exception, SystemExit, GeneratorExit):
                origin = cast("HookPlugin", observer.plugin).origin
                logger.exception("The hook plugin %s raised in %s.", origin, observer.function.__name__)


def _called(observer: pluggy.HookImpl) -> Callable[..., object]:
    if not is_recording():
        return observer.function
    from actium.plugins.traced_hooks import traced_observer

    return traced_observer(observer, cast("HookPlugin", observer.plugin).origin)


def _closed(returned: object) -> object:
    """What was returned; a coroutine that nobody will await is closed, so that only we tell of it."""
    if isinstance(returned, CoroutineType):
        returned.close()
    return returned
