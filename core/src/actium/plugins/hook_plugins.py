"""Hook plugins: what takes part in every action's hooks, checked once and guarded at every call."""

from __future__ import annotations

import difflib
import functools
import inspect
import logging
from collections.abc import Callable, Generator, Iterator
from typing import Any

import pluggy

from actium.errors import PluginQuarantinedError
from actium.plugins.hookspecs import PROJECT_NAME, ActionHooks, ObserverHooks
from actium.plugins.origin import Origin

logger = logging.getLogger("actium.plugins")

_OPTIONS = f"{PROJECT_NAME}_impl"
_ONLY_PLAIN = frozenset({"render_configuration"})


class HookPlugin:
    """One hook plugin, as it is registered with pluggy: its implementations, each wrapper under guard.

    Attributes:
        origin: Where it comes from.
    """

    def __init__(self, plugin: object, origin: Origin) -> None:
        """Check a plugin and take its implementations.

        Args:
            plugin: A module, or an instance of a class, with functions marked by ``hookimpl``.
            origin: Where it comes from.

        Raises:
            PluginQuarantinedError: It implements no hook, one that does not exist, or one in a way that cannot work.
        """
        self.origin = origin
        if inspect.isclass(plugin):
            raise self._refusal(f"is the class {plugin.__name__}", "Give an instance of it, or a module.")
        implemented = dict(_implementations(plugin))
        if not implemented:
            raise self._refusal("implements no hook", f"Mark functions named {_in_words(_HOOKS)} with hookimpl.")
        for name, (function, options) in implemented.items():
            self._check(name, function, options)
            setattr(self, name, _guarded(function, name, origin) if options["wrapper"] else function)
        self._register_once()

    def _check(self, name: str, function: Callable[..., Any], options: dict[str, Any]) -> None:
        if name not in _HOOKS:
            near = difflib.get_close_matches(name, _HOOKS, n=1)
            raise self._refusal(
                f"implements {name!r}, which is no hook",
                f"Did you mean {near[0]!r}?" if near else f"The hooks are {_in_words(_HOOKS)}.",
            )
        if options["hookwrapper"]:
            raise self._refusal(f"implements {name!r} as an old-style hookwrapper", "Write hookimpl(wrapper=True).")
        if _is_async(function):
            raise self._refusal(
                f"implements {name!r} as `async def`, which nobody would await",
                "Write it with `def`; wrappers see the outcome of a handler that is awaited.",
            )
        wrapper, answered = options["wrapper"], name in _ANSWERED
        if wrapper and name in _ONLY_PLAIN | _OBSERVED:
            raise self._refusal(f"wraps {name!r}, which is not wrapped", "Write hookimpl without wrapper=True.")
        if answered and not wrapper:
            raise self._refusal(
                f"implements {name!r} without wrapping it, which would keep the flavor from answering",
                "Write hookimpl(wrapper=True), and yield where the flavor runs.",
            )
        if wrapper and not inspect.isgeneratorfunction(function):
            raise self._refusal(f"wraps {name!r} without a yield", "Write `return (yield)` where the flavor runs.")

    def _register_once(self) -> None:
        """Let pluggy check the arguments, at the door instead of at the first action."""
        trial = pluggy.PluginManager(PROJECT_NAME)
        trial.add_hookspecs(ActionHooks)
        trial.add_hookspecs(ObserverHooks)
        try:
            trial.register(self)
        except pluggy.PluginValidationError as error:
            raise self._refusal(f"does not fit the hooks: {error}", "See actium.plugins.hookspecs.") from error

    def _refusal(self, what: str, hint: str) -> PluginQuarantinedError:
        return PluginQuarantinedError(f"The hook plugin {self.origin} {what}.", hint=hint)


def _implementations(plugin: object) -> Iterator[tuple[str, tuple[Callable[..., Any], dict[str, Any]]]]:
    for name in dir(plugin):
        function = inspect.getattr_static(plugin, name, None)
        function = getattr(function, "__func__", function)  # static and class methods keep the mark inside
        options = getattr(function, _OPTIONS, None)
        if isinstance(options, dict):
            yield name, (getattr(plugin, name), options)


def _guarded(function: Callable[..., Any], hook: str, origin: Origin) -> Callable[..., Any]:
    """Keep a wrapper that forgets ``return`` from turning a result, or a failure, into None without a word."""

    @functools.wraps(function)
    def guard(*args: Any, **kwargs: Any) -> Generator[None, Any, Any]:
        wrapper = function(*args, **kwargs)
        try:
            next(wrapper)
        except StopIteration:
            return  # pluggy and the awaiting call tell that it did not yield
        try:
            result = yield
        except BaseException as error:
            instead = _finished(wrapper.throw, error)
            if instead is None and hook in _NEVER_NONE:
                logger.warning(
                    "The hook plugin %s lost the failure of %s: its wrapper caught it and returned None. It was raised "
                    "again. Raise it, or return what should take the place of the result.",
                    origin,
                    hook,
                )
                raise
            return instead
        changed = _finished(wrapper.send, result)
        if changed is None and result is not None:
            logger.warning(
                "The hook plugin %s lost the result of %s: its wrapper returned None. The result was kept. "
                "Write `return (yield)`, or return what should take its place.",
                origin,
                hook,
            )
            return result
        return changed

    return guard


def _is_async(function: Callable[..., Any]) -> bool:
    """Whether a call gives something to await, or to iterate with ``async for``."""
    return inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)


def _finished(resume: Callable[[Any], Any], value: object) -> Any:
    try:
        resume(value)
    except StopIteration as stop:
        return stop.value
    raise RuntimeError("a wrapper yielded more than once; it must yield exactly once")


def _hooks_of(specification: type) -> frozenset[str]:
    return frozenset(name for name, member in vars(specification).items() if hasattr(member, f"{PROJECT_NAME}_spec"))


_OBSERVED = _hooks_of(ObserverHooks)
_ANSWERED = _hooks_of(ActionHooks) - _ONLY_PLAIN
_NEVER_NONE = _ANSWERED - {"run_action", "delete_action"}
_HOOKS = _OBSERVED | _ANSWERED | _ONLY_PLAIN


def _in_words(names: frozenset[str]) -> str:
    return ", ".join(sorted(names))
