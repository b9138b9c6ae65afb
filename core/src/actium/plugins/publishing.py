"""Publishing as hook plugins wrap it: entered where the publisher calls, left when the event is stored or cannot be.

In between it waits, for many events may be stored in one transaction, and perhaps by another thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from types import coroutine
from typing import TYPE_CHECKING, Any

import pluggy

from actium.errors import PluginError
from actium.plugins.awaiting_call import call_awaiting
from actium.plugins.hookspecs import PROJECT_NAME, EventHooks, hookimpl
from actium.tracing.application import NOT_TRACED, ApplicationTracing
from actium.tracing.recorder import is_recording

if TYPE_CHECKING:
    from actium.models import Event, PublishedEvent
    from actium.plugins.hook_plugins import HookPlugin
    from actium.plugins.traced_publishing import PublishingTrace

logger = logging.getLogger("actium.plugins")

Call = Coroutine[None, Any, Any]


class PublishingHooks:
    """The hooks around every event that is published.

    Attributes:
        is_wrapped: Whether there are any.
    """

    def __init__(self, hook_plugins: Sequence[HookPlugin], tracing: ApplicationTracing = NOT_TRACED) -> None:
        self._tracing = tracing
        self._hook_plugins = hook_plugins
        manager = _manager(hook_plugins)
        self.is_wrapped = bool(manager.hook.publish_event.get_hookimpls())
        manager.register(_Answering(), name="event hub")
        self._caller = manager.hook.publish_event

    def enter(self, event: Event, *, is_observed: bool = False) -> Publishing:
        """Begin to publish an event.

        Args:
            event: The event.
            is_observed: Whether anyone is told of it afterwards.

        Raises:
            PluginError: A hook plugin adds what no event can have.
            BaseException: What a hook plugin refuses it with.
        """
        trace = self._trace(event) if is_recording() and (self.is_wrapped or is_observed) else None
        if not self.is_wrapped:
            return Publishing(event, trace=trace)
        extensions: dict[str, Any] = {}
        arguments = {"event": event, "extensions": extensions}
        try:
            call = self._entered(event, arguments, trace)
            try:
                return Publishing(_extended(event, extensions), call, trace)
            except PluginError as error:
                told = Publishing(event, call, trace).fail(error)
            raise told
        except BaseException as error:
            if trace is not None:
                trace.end(None, error)
                trace.close()
            raise

    def _entered(self, event: Event, arguments: dict[str, Any], trace: PublishingTrace | None) -> Call:
        """The hooks around an event, up to where it is stored."""
        call = call_awaiting(self._caller if trace is None else self._traced, arguments)
        if trace is not None:
            trace.begin(arguments)
        try:
            with nullcontext() if trace is None else trace.inside_hook():
                call.send(None)
        except StopIteration:
            raise PluginError(
                f"A hook plugin answered publish_event for the event {event.id!r}, which was not stored.",
                hint="A wrapper that catches what another one refuses an event with must raise it again.",
            ) from None
        return call

    def _trace(self, event: Event) -> PublishingTrace | None:
        from actium.plugins.traced_publishing import PublishingTrace

        return PublishingTrace.of(self._tracing, event)

    @cached_property
    def _traced(self) -> pluggy.HookCaller:
        from actium.plugins.traced_publishing import traced_caller

        return traced_caller(_manager(self._hook_plugins), _Answering())


def _manager(hook_plugins: Sequence[HookPlugin]) -> pluggy.PluginManager:
    manager = pluggy.PluginManager(PROJECT_NAME)
    manager.add_hookspecs(EventHooks)
    for number, plugin in enumerate(hook_plugins):  # two objects made in code may have one name
        manager.register(plugin, name=f"hooks:{number}:{plugin.origin.name}")
    return manager


class Publishing:
    """An event that is being published.

    Hook plugins may raise anything when they are told how it ended. An ``Exception`` is logged, and so is what a hook
    ends itself with, ``SystemExit`` or ``GeneratorExit``. Anything else, such as Ctrl-C or ``asyncio.CancelledError``,
    is for its publisher, and is returned, for others are to be told before.

    Attributes:
        event: The event, with what hook plugins have added.
    """

    __slots__ = ("_call", "_trace", "event")

    def __init__(self, event: Event, call: Call | None = None, trace: PublishingTrace | None = None) -> None:
        """Note an event.

        Args:
            event: The event.
            call: The hooks around it, entered; None where there are none.
            trace: What is recorded of it; None for nothing.
        """
        self.event = event
        self._call = call
        self._trace = trace

    def end(self, published: PublishedEvent) -> PublishedEvent | BaseException:
        """Tell the hooks what became of it.

        Returns:
            What its publisher is to be told.
        """
        raised = self._leave(lambda call: call.send(published))
        if self._trace is not None:
            self._trace.end(published)
        return published if raised is None else raised

    def told(self) -> AbstractContextManager[None]:
        """What runs inside tells observers of it."""
        return nullcontext() if self._trace is None else self._trace.inside_event()

    def close(self) -> None:
        """Nothing more is told of it. Saying so twice is harmless."""
        trace, self._trace = self._trace, None
        if trace is not None:
            trace.close()

    def fail(self, error: BaseException) -> BaseException:
        """Tell the hooks what keeps it from being stored; harmless when they know how it ended.

        Returns:
            What its publisher is to be told.
        """
        raised = self._leave(lambda call: call.throw(error), unless=error)
        if self._trace is not None:
            self._trace.end(None, error)
        self.close()
        return error if raised is None else raised

    def _leave(self, resume: Callable[[Call], object], *, unless: BaseException | None = None) -> BaseException | None:
        """Leave the hooks, once; what they raise that is for the publisher."""
        call, self._call = self._call, None
        if call is None:
            return None
        try:
            with nullcontext() if self._trace is None else self._trace.inside_hook():
                resume(call)
        except StopIteration:
            return None
        except (Exception, SystemExit, GeneratorExit) as error:  # what happened stays as it is
            if error is not unless:
                logger.exception("A hook plugin raised in publish_event, after the event %s.", self.event.id)
        except BaseException as error:
            return error
        return None


class _Answering:
    """What stands inside all wrappers: it waits until the event hub tells what became of the event."""

    @hookimpl
    def publish_event(self) -> Any:
        return _answer()


@coroutine
def _answer() -> Generator[None, PublishedEvent, PublishedEvent]:
    return (yield)


def _extended(event: Event, extensions: Mapping[str, Any]) -> Event:
    """The event with further extension attributes; what it says itself stays.

    Raises:
        PluginError: They are nothing that an event can have.
    """
    from actium.models.event import Event

    given = event.extensions()
    added = {name: value for name, value in extensions.items() if name not in given}
    if not added:
        return event
    try:
        checked = Event.model_validate({"source": event.source, "type": event.type} | added).extensions()
    except ValueError as error:
        raise PluginError(
            f"A hook plugin adds {', '.join(map(repr, added))} to an event in publish_event: {error}",
            hint="Extension attributes have lower-case letters and digits in their names, and short plain values.",
        ) from error
    if checked.keys() != added.keys():
        raise PluginError(
            f"A hook plugin changes {', '.join(sorted(added.keys() - checked.keys()))} of an event in publish_event.",
            hint="It may add extension attributes, and change nothing that CloudEvents defines.",
        )
    extended = event.model_copy()
    extended.__pydantic_extra__ = {**given, **checked}
    return extended
