"""The plugins of a manager once more, each telling the trace what it does; pluggy calls them as it calls the others.

A wrapper has two sides, before and after its yield, and what a plugin does in either is told with that side. The twin
is made when something is traced for the first time: where nothing is, no call passes through it.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Generator, Mapping
from typing import Any, Protocol, cast

import pluggy
from pydantic import BaseModel

from actium.auth.secret_references import literals_at, note_secret, secret_fields
from actium.plugins.awaiting_call import call_awaiting
from actium.plugins.hookspecs import PROJECT_NAME, hookimpl
from actium.plugins.origin import Origin
from actium.tracing.application import ApplicationTracing
from actium.tracing.failures import failure_of
from actium.tracing.recorder import Actor, Entered, OpenSpan, inside, present
from actium.tracing.spans import SpanKind
from actium.tracing.values import held

_CONFIGURING = frozenset({"create_action", "update_action"})
"""The hooks that are given configurations as someone has written them."""


class TracedCalls:
    """The hooks of a flavor, traced."""

    def __init__(
        self,
        manager: pluggy.PluginManager,
        specifications: type,
        origin: Origin,
        tracing: ApplicationTracing,
        *,
        awaits: bool,
        config_class: type[BaseModel] | None = None,
    ) -> None:
        """Make the twin.

        Args:
            manager: The plugins, each with an ``origin``.
            specifications: The hooks.
            origin: Where the flavor comes from.
            tracing: What its application has traced.
            awaits: Whether what ``run_action`` gives is awaited.
            config_class: What the flavor's configurations are; what is given in place of its secrets is masked.
        """
        self._manager = manager
        self._twin = twin_of(manager, specifications, awaits=awaits)
        self._alone = _alone(manager)
        self._actor = _actor(origin, None)
        self._tracing = tracing
        self._config_class = config_class

    def call(self, hook: str, arguments: Mapping[str, Any]) -> Any:
        """Call a hook."""
        with self._tracing.call(hook, self._actor, _held(arguments)) as span:
            if span is not None and hook in _CONFIGURING:
                self._note_literals(arguments)
            if span is not None and hook in self._alone:
                result = self._alone[hook].call(span, arguments)
            else:
                result = getattr(self._hooks(span), hook)(**arguments)
            _end(span, result)
            return result

    async def call_awaiting(self, hook: str, arguments: Mapping[str, Any]) -> Any:
        """Call a hook, and await what is awaitable."""
        with self._tracing.call(hook, self._actor, _held(arguments)) as span:
            result = await call_awaiting(getattr(self._hooks(span), hook), arguments)
            _end(span, result)
            return result

    def _note_literals(self, arguments: Mapping[str, Any]) -> None:
        """Mask secrets that were given as they are, in place of references: they will be refused."""
        if self._config_class is None:
            return
        given = arguments.get("action_update", arguments["action"])
        for literal in literals_at(secret_fields(self._config_class), given.configuration):
            note_secret(literal)

    def _hooks(self, span: OpenSpan | None) -> pluggy.HookRelay:
        return self._manager.hook if span is None else self._twin.hook


class _Alone:
    """The only implementation of a hook: there is nothing to order, and one look at the arguments tells both spans."""

    def __init__(self, implementation: pluggy.HookImpl) -> None:
        self._function = implementation.function
        self._name = implementation.function.__name__
        origin = cast("_Originating", implementation.plugin).origin
        self._actor = _actor(origin, _position(implementation, plain="handler"))

    def call(self, hook: OpenSpan, arguments: Mapping[str, Any]) -> Any:
        recording = hook.recording
        span = recording.begin(hook, SpanKind.IMPLEMENTATION, self._name, self._actor, hook.arguments)
        with Entered(span):
            result = self._function(**arguments)
            _end(span, result)
            return result


def _alone(manager: pluggy.PluginManager) -> Mapping[str, _Alone]:
    """The hooks that one plugin answers alone, and asks for all that there is to know."""
    found = {}
    for caller in manager.hook.__dict__.values():
        implementations = caller.get_hookimpls()
        if len(implementations) == 1 and not implementations[0].wrapper:
            [only] = implementations
            if caller.spec is not None and set(only.argnames) == set(caller.spec.argnames):
                found[caller.name] = _Alone(only)
    return found


def traced_observer(observer: pluggy.HookImpl, origin: Origin) -> Callable[..., Any]:
    """An observer's implementation, traced."""
    return _plain(observer.function, observer.argnames, _actor(origin, _position(observer, plain="observer")))


def twin_of(manager: pluggy.PluginManager, specifications: type, *, awaits: bool) -> pluggy.PluginManager:
    """A manager with the plugins of another, in the same order, that records their calls."""
    twin = pluggy.PluginManager(PROJECT_NAME)
    twin.add_hookspecs(specifications)
    for name, plugin in manager.list_name_plugin():
        twin.register(_Traced(manager, cast("_Originating", plugin), awaits=awaits), name=name)
    return twin


def _position(implementation: pluggy.HookImpl, *, plain: str) -> str:
    """Where an implementation stands, in words."""
    words = ["wrapper" if implementation.wrapper else plain]
    words += [option for option in ("tryfirst", "trylast") if getattr(implementation, option)]
    return " ".join(words)


def _actor(origin: Origin, where: str | None) -> Actor:
    """A plugin as spans tell of it."""
    return Actor(origin.name, origin.distribution, origin.version, where)


class _Originating(Protocol):
    @property
    def origin(self) -> Origin: ...


class _Traced:
    """One plugin."""

    def __init__(self, manager: pluggy.PluginManager, plugin: _Originating, *, awaits: bool) -> None:
        for caller in manager.get_hookcallers(plugin) or ():
            for implementation in caller.get_hookimpls():
                if implementation.plugin is plugin:
                    function = _traced(implementation, plugin.origin, awaits=awaits and caller.name == "run_action")
                    setattr(self, caller.name, hookimpl(**_options(implementation))(function))


def _options(implementation: pluggy.HookImpl) -> dict[str, Any]:
    return {name: getattr(implementation, name) for name in ("wrapper", "tryfirst", "trylast", "optionalhook")}


def _traced(implementation: pluggy.HookImpl, origin: Origin, *, awaits: bool) -> Callable[..., Any]:
    acting = _actor(origin, _position(implementation, plain="handler"))
    if implementation.wrapper:
        return _wrapper(implementation.function, implementation.argnames, acting)
    if awaits:
        return _awaited(implementation.function, implementation.argnames, acting)
    return _plain(implementation.function, implementation.argnames, acting)


def _plain(function: Callable[..., Any], names: tuple[str, ...], acting: Actor) -> Callable[..., Any]:
    name = function.__name__

    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Any:
        with inside(SpanKind.IMPLEMENTATION, name, acting, _arguments(names, args, kwargs)) as span:
            result = function(*args, **kwargs)
            _end(span, result)
            return result

    return traced


def _awaited(function: Callable[..., Any], names: tuple[str, ...], acting: Actor) -> Callable[..., Any]:
    name = function.__name__

    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Awaitable[Any]:
        return _outcome(lambda: function(*args, **kwargs), name, acting, _arguments(names, args, kwargs))

    return traced


async def _outcome(call: Callable[[], Any], name: str, acting: Actor, arguments: dict[str, Any]) -> Any:
    with inside(SpanKind.IMPLEMENTATION, name, acting, arguments) as span:
        result = await call()
        _end(span, result)
        return result


def _wrapper(function: Callable[..., Any], names: tuple[str, ...], acting: Actor) -> Callable[..., Any]:
    name = function.__name__

    @functools.wraps(function)
    def traced(*args: Any, **kwargs: Any) -> Generator[None, Any, Any]:
        wrapper = function(*args, **kwargs)
        with inside(SpanKind.BEFORE, name, acting, _arguments(names, args, kwargs)):
            try:
                next(wrapper)
            except StopIteration:
                return  # the caller tells that it did not yield
        try:
            result = yield
        except BaseException as error:
            resume = functools.partial(wrapper.throw, error)
            return _after(resume, {"exception": failure_of(error)}, error, name, acting)
        return _after(functools.partial(wrapper.send, result), {"result": held(result)}, None, name, acting)

    return traced


def _after(
    resume: Callable[[], Any], got: dict[str, Any], raised: BaseException | None, name: str, acting: Actor
) -> Any:
    """The second side of a wrapper. An exception that it only lets through is told as what it got, not as its own."""
    above = present()
    span = None if above is None else above.recording.begin(above, SpanKind.AFTER, name, acting, got)
    with Entered(span):
        try:
            resume()
        except StopIteration as stop:
            _end(span, stop.value)
            return stop.value
        except BaseException as error:
            if error is raised:
                _end(span)
            raise
    raise RuntimeError("a wrapper yielded more than once; it must yield exactly once")


def _end(span: OpenSpan | None, result: object = None) -> None:
    if span is not None:
        span.end(held(result))


def _held(arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {name: held(value) for name, value in arguments.items()}


def _arguments(names: tuple[str, ...], args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    return _held({**dict(zip(names, args, strict=False)), **kwargs})
