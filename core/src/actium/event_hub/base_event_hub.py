"""The contract of event hubs, and the callbacks that action handlers leave with them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar, cast
from uuid import UUID

from actium.auth.context import AuthContext
from actium.errors import AlreadyExistsError, NotFoundError
from actium.models.base import DEFAULT_PROJECT
from actium.models.event import Event
from actium.models.execution import MakesExecution, TriggerExecutionResponse, made_execution
from actium.models.published import PublishedEvent, PublishedEvents
from actium.models.trigger import TriggerResponse
from actium.process_copies import ProcessLock

CallbackT = TypeVar("CallbackT", bound=Callable[..., Any])


class ActionCallback(Protocol):
    """Runs an execution, see `BaseActionHandler.event_hub_callback`."""

    def __call__(
        self,
        config: Mapping[str, Any],
        trigger_execution: TriggerExecutionResponse,
        auth_context: AuthContext,
    ) -> Any | Awaitable[Any]: ...


def making_executions(callback: CallbackT) -> CallbackT:
    """Let a callback be given what makes the execution, in place of an execution: it makes one where one is taken."""
    callback.makes_executions = True  # type: ignore[attr-defined]  # functions take attributes
    return callback


def given_execution(
    callback: ActionCallback, execution: TriggerExecutionResponse | MakesExecution
) -> TriggerExecutionResponse:
    """What a callback is given: an execution, unless it has asked for what makes it."""
    if getattr(callback, "makes_executions", False):
        return cast("TriggerExecutionResponse", execution)
    return made_execution(execution)


class BaseEventHub(ABC):
    """Takes events in and runs actions; it knows the callbacks of handlers, not the handlers."""

    def __init__(self) -> None:
        self._callbacks: dict[tuple[str, str], ActionCallback] = {}
        self._callbacks_lock = ProcessLock()

    def subscribe_action_handler(self, action_flavor: str, action_subtype: str, callback: ActionCallback) -> None:
        """Let a handler run the executions of its flavor. The same callback twice is harmless.

        Args:
            action_flavor: The second half of the flavor's key.
            action_subtype: The first half.
            callback: What runs an execution.

        Raises:
            AlreadyExistsError: Another callback is subscribed for this flavor.
        """
        with self._callbacks_lock.here:
            present = self._callbacks.setdefault((action_subtype, action_flavor), callback)
        if present != callback:
            raise AlreadyExistsError(
                f"A handler for {action_subtype}.{action_flavor} is subscribed already: {present!r}.",
                hint="Unsubscribe it first; one handler serves all actions of its flavor.",
            )

    def unsubscribe_action_handler(self, action_flavor: str, action_subtype: str) -> None:
        """Forget a flavor's callback; harmless when there is none."""
        with self._callbacks_lock.here:
            self._callbacks.pop((action_subtype, action_flavor), None)

    def action_callback(self, action_flavor: str, action_subtype: str) -> ActionCallback:
        """The callback of a flavor.

        Raises:
            NotFoundError: No handler is subscribed for it.
        """
        callback = self._callbacks.get((action_subtype, action_flavor))
        if callback is None:
            raise NotFoundError(
                f"No handler is subscribed for {action_subtype}.{action_flavor}.",
                hint="Subscribe one with subscribe_action_handler.",
            )
        return callback

    @abstractmethod
    def activate_trigger(self, trigger_id: UUID) -> TriggerResponse:
        """Match a trigger from the next event on; harmless when it is active.

        Raises:
            NotFoundError: There is no such trigger.
        """

    @abstractmethod
    def deactivate_trigger(self, trigger_id: UUID) -> TriggerResponse:
        """Stop matching a trigger from the next event on; harmless when it is not active.

        Raises:
            NotFoundError: There is no such trigger.
        """

    @abstractmethod
    def publish_event(self, event: Event, project: str = DEFAULT_PROJECT) -> PublishedEvent:
        """Take an event in: match it, and store it with one execution a matching trigger, all or nothing.

        Returns:
            The ids, durable; the first publication's where (source, id) is known already.
        """

    @abstractmethod
    def publish_events(self, events: Sequence[Event], project: str = DEFAULT_PROJECT) -> PublishedEvents:
        """Take several events in, all or nothing, in one transaction: much faster than one by one.

        Returns:
            What became of each, in their order.
        """

    @abstractmethod
    def replay_event(self, event_id: UUID) -> PublishedEvent:
        """Match a stored event with the triggers of now, and store new executions for it.

        Raises:
            NotFoundError: There is no such event.
        """

    @abstractmethod
    def trigger_action(
        self, action_id: UUID, event: Event | None = None, project: str = DEFAULT_PROJECT
    ) -> TriggerExecutionResponse:
        """Store an execution by hand; a worker runs it as any other.

        Args:
            action_id: What to run.
            event: What it is given; None for nothing. One that is known, such as a handler's own, is given as
                it is stored.
            project: The action's project.

        Raises:
            NotFoundError: There is no such action in the project.
            NotReadyError: The action has no usable revision yet, or is being deleted.
            ConflictError: The event is known, and says something else; how it came about (``causationid``,
                ``correlationid``, ``traceparent``, ``tracestate``) makes no difference.
        """
