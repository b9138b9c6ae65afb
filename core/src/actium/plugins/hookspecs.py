"""The hooks of Actium: where plugins are called, and where hook plugins take part.

A flavor's handler answers the hooks of its own actions; its author never meets this module. A *hook plugin* (entry
point group ``actium.hooks``, once enabled) takes part in every action's hooks, for audit, policy or telemetry. It
wraps the hooks of `ActionHooks`::

    from actium import hookimpl

    @hookimpl(wrapper=True)
    def run_action(config, trigger_execution):
        started = time.perf_counter()
        try:
            return (yield)  # the handler runs here, its result or exception arrives here
        finally:
            print(trigger_execution.id, time.perf_counter() - started)

wraps those of `EventHooks` likewise, and implements those of `ObserverHooks` plainly. An implementation names only the
arguments that it wants. A wrapper sees the real outcome of an ``async def`` handler, never its coroutine. To change a
result, return another one; to refuse, raise. No implementation is ``async def`` itself: nobody would await it.

Who is called earlier stands further out. That is whoever was enabled later, unless an implementation says otherwise:
``tryfirst=True`` is called before all that do not say so, ``trylast=True`` after all. ``before="audit"`` and
``after="audit"`` place it beside another plugin, whatever that plugin says of itself; where that is not enabled they
mean nothing. ``actium plugin hooks`` shows the order, and why it is as it is.

A plugin may say which version of the hooks it was written for, with ``HOOK_VERSION = 1`` in what its entry point names.
These hooks are version 1. A plugin for a newer version is not used by this one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, overload
from uuid import UUID

import pluggy

if TYPE_CHECKING:
    from actium.auth.context import AuthContext
    from actium.models import (
        ActionRequest,
        ActionResponse,
        ActionUpdate,
        BaseResponse,
        Event,
        PublishedEvent,
        ResourceType,
        TriggerExecutionResponse,
    )
    from actium.plugins.base_plugin_flavor import BasePluginConfig

PROJECT_NAME = "actium"

HOOK_VERSION = 1
"""The version of these hooks; it grows when a plugin that was written for them could not work any more."""

PLACE = f"{PROJECT_NAME}_place"
"""The attribute of an implementation with the names that it is to be called before, and those after."""

Function = TypeVar("Function", bound=Callable[..., Any])

hookspec = pluggy.HookspecMarker(PROJECT_NAME)
_mark = pluggy.HookimplMarker(PROJECT_NAME)


@overload
def hookimpl(function: Function) -> Function: ...
@overload
def hookimpl(
    *,
    wrapper: bool = ...,
    tryfirst: bool = ...,
    trylast: bool = ...,
    before: str | Sequence[str] = ...,
    after: str | Sequence[str] = ...,
    optionalhook: bool = ...,
    hookwrapper: bool = ...,
) -> Callable[[Function], Function]: ...
def hookimpl(
    function: Any = None,
    *,
    wrapper: bool = False,
    tryfirst: bool = False,
    trylast: bool = False,
    before: str | Sequence[str] = (),
    after: str | Sequence[str] = (),
    optionalhook: bool = False,
    hookwrapper: bool = False,
) -> Any:
    """Mark a function as the implementation of the hook that it is called like; with or without arguments.

    Args:
        function: The function, where it is marked without arguments.
        wrapper: Whether it stands around the others, with a ``yield`` where they are called.
        tryfirst: Whether it is called before those that do not say so.
        trylast: Whether it is called after those that do not say so.
        before: The plugin, or the plugins, to be called before, by name.
        after: The plugin, or the plugins, to be called after, by name.
        optionalhook: As in pluggy; of no use here.
        hookwrapper: As in pluggy; refused where the plugin is enabled, which tells what to write instead.
    """

    def mark(marked: Function) -> Function:
        setattr(marked, PLACE, (_names(before), _names(after)))
        return _mark(
            wrapper=wrapper, tryfirst=tryfirst, trylast=trylast, optionalhook=optionalhook, hookwrapper=hookwrapper
        )(marked)

    return mark if function is None else mark(function)


def _names(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(dict.fromkeys(given))


class ActionHooks:
    """The hooks that one flavor's handler answers, and that hook plugins wrap."""

    @hookspec(firstresult=True)
    def create_action(self, action: ActionRequest) -> ActionResponse:  # type: ignore[empty-body]
        """An action is to be created. The whole creation happens inside, validation, storing and provisioning.

        A wrapper that raises after its ``yield`` undoes all of it: what the flavor provisioned is given back, the
        action and the triggers that use it by then are removed, and the caller gets the exception.

        Args:
            action: What was asked for; a wrapper may change it before it yields, but not flavor, subtype and project.

        Returns:
            The stored action, hydrated.
        """

    @hookspec(firstresult=True)
    def update_action(  # type: ignore[empty-body]
        self, action: ActionResponse, action_update: ActionUpdate
    ) -> ActionResponse:
        """An action is to be changed. The whole update happens inside.

        A wrapper that raises after its ``yield`` puts every field back, with one more revision, and the flavor adapts
        to that; unless someone else has changed the action by then, which is noted on the exception.

        Args:
            action: The action as it is, hydrated.
            action_update: What to change; a wrapper may change it before it yields.

        Returns:
            The action as it is afterwards, hydrated.
        """

    @hookspec(firstresult=True)
    def delete_action(self, action: ActionResponse, force: bool, cascade: bool) -> None:
        """An action is to be deleted. The whole deletion happens inside.

        Args:
            action: The action as it is, hydrated.
            force: Whether the row goes even if the flavor cannot give back what it provisioned.
            cascade: Whether the triggers that use it go, too; without it they keep it from being deleted.
        """

    @hookspec(firstresult=True)
    def get_action(self, action: ActionResponse, hydrate: bool) -> ActionResponse:  # type: ignore[empty-body]
        """An action is being read, hydrated; reading without hydration calls no hook.

        Args:
            action: The action as it is stored.
            hydrate: Always true; kept for handlers that are called directly.

        Returns:
            The action as the caller will see it.
        """

    @hookspec(firstresult=True)
    def run_action(
        self, config: BasePluginConfig, trigger_execution: TriggerExecutionResponse, auth_context: AuthContext
    ) -> Any:
        """An execution is run by a worker.

        Args:
            config: The configuration of the action's revision that was current when the execution was stored.
            trigger_execution: The execution, hydrated, with the whole event; its id is the idempotency key.
            auth_context: On whose behalf, with a token that lasts for the action's auth window.

        Returns:
            A result that JSON can hold, or None.
        """

    @hookspec(firstresult=True)
    def extract_resources(  # type: ignore[empty-body]
        self, action_config: BasePluginConfig, hydrate: bool
    ) -> Mapping[ResourceType, BaseResponse[Any, Any, Any]]:
        """Which resources a configuration refers to; kept with the action.

        Args:
            action_config: A valid configuration.
            hydrate: Whether the resources are wanted with their metadata.

        Returns:
            One resource a type.
        """

    @hookspec(firstresult=True)
    def render_configuration(self, configuration: Mapping[str, Any], event: Event | None) -> Mapping[str, Any] | None:
        """An execution's configuration can be filled from its event, before it is validated and run.

        A hook plugin implements this plainly, not as a wrapper; the first result that is not None is taken.

        Args:
            configuration: As it is stored in the action's revision. To be left as it is.
            event: What triggered the execution, None when it was run by hand without one.

        Returns:
            The configuration to run, or None to leave it to others.
        """


class EventHooks:
    """The hooks of the event hub, which hook plugins wrap; no flavor answers them."""

    @hookspec(firstresult=True)
    def publish_event(  # type: ignore[empty-body]
        self, event: Event, extensions: dict[str, str | int | bool]
    ) -> PublishedEvent:
        """An event is to be published, or given to an action by hand. Matching and storing happen inside.

        Where several events are stored in one transaction, each is wrapped by itself. The side of a wrapper before its
        ``yield`` runs where the publisher calls, with its context variables; the side after it perhaps in another
        thread, and what happens between the two belongs to all of those events.

        A wrapper that raises before its ``yield`` refuses the event and all that would be stored together with it, and
        the publisher gets the exception. What is durable stays: one that raises after its ``yield`` is logged, and
        what it returns changes nothing. What keeps the event from being stored arrives at the ``yield``. What is no
        ``Exception``, such as Ctrl-C, is raised to the publisher of that event, when the hooks around others are told.

        Args:
            event: The event, with what has caused it. To be left as it is.
            extensions: Extension attributes to add to it, at first none; a wrapper may add to them before it yields.
                What the event says itself stays.

        Returns:
            What became of the event, durable.
        """


class ObserverHooks:
    """What hook plugins are told. An observer that raises is logged with its name; it never harms what it observes.

    Each gets a copy of its own, which nobody else sees.

    Observers are told in a thread that has other work: an event is told of in the thread that stored it, an execution
    in that which runs it or in its worker's own, which claims, and watches timeouts and cancellations. One that takes
    long keeps that waiting; it loses nothing. What takes long belongs in a thread or a queue of the observer's own.
    """

    @hookspec
    def event_published(self, event: Event, executions: Sequence[UUID]) -> None:
        """An event is durable, with the executions that it led to.

        Args:
            event: The event.
            executions: The ids of its executions; empty when no trigger matched.
        """

    @hookspec
    def execution_changed(self, trigger_execution: TriggerExecutionResponse) -> None:
        """An execution has begun to run or has ended, and that is durable.

        Args:
            trigger_execution: The execution, hydrated.
        """
