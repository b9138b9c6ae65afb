"""Hook plugins: what takes part in every action's hooks, checked once and guarded at every call."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Generator, Mapping
from typing import Any

import pluggy

from actium.errors import PluginQuarantinedError
from actium.plugins.hook_implementations import (
    ANSWERED,
    MARK,
    Implementation,
    Rank,
    Unfit,
    check_version,
    implementations_of,
)
from actium.plugins.hookspecs import PROJECT_NAME, ActionHooks, EventHooks, ObserverHooks
from actium.plugins.origin import Origin

logger = logging.getLogger("actium.plugins")

_NEVER_NONE = ANSWERED - {"run_action", "delete_action"}


class HookPlugin:
    """One hook plugin, as it is registered with pluggy: its implementations, each wrapper under guard.

    Attributes:
        origin: Where it comes from.
        implementations: What it implements, by the names of the hooks.
    """

    origin: Origin
    implementations: Mapping[str, Implementation]

    def __init__(self, plugin: object, origin: Origin) -> None:
        """Check a plugin and take its implementations.

        Args:
            plugin: A module, or an instance of a class, with functions marked by ``hookimpl``.
            origin: Where it comes from.

        Raises:
            PluginQuarantinedError: It implements no hook, one that does not exist, or one in a way that cannot work; or
                it was written for newer hooks.
        """
        try:
            check_version(plugin)
            implemented = implementations_of(plugin)
        except Unfit as unfit:
            raise _refusal(origin, unfit) from None
        self._take(origin, {each.hook: each for each in implemented})
        self._register_once()

    def only(self, hook: str, rank: Rank) -> HookPlugin:
        """This plugin with one of its implementations, at the place that a rank gives it."""
        part = object.__new__(HookPlugin)
        implementation = self.implementations[hook]
        part._take(self.origin, {hook: implementation})
        if rank is not implementation.rank:
            placed = (
                _guarded(implementation.function, hook, self.origin)
                if implementation.wrapper
                else _passed_on(implementation.function)
            )
            options = {"tryfirst": rank is Rank.FIRST, "trylast": rank is Rank.LAST}
            setattr(placed, MARK, {**implementation.options, **options})
            setattr(part, hook, placed)
        return part

    def _take(self, origin: Origin, implementations: Mapping[str, Implementation]) -> None:
        self.origin = origin
        self.implementations = implementations
        for hook, each in implementations.items():
            setattr(self, hook, _guarded(each.function, hook, origin) if each.wrapper else each.function)

    def _register_once(self) -> None:
        """Let pluggy have the last word on the arguments, at the door instead of at the first action."""
        trial = pluggy.PluginManager(PROJECT_NAME)
        trial.add_hookspecs(ActionHooks)
        trial.add_hookspecs(EventHooks)
        trial.add_hookspecs(ObserverHooks)
        try:
            trial.register(self)
        except pluggy.PluginValidationError as error:
            unfit = Unfit(f"does not fit the hooks: {error}", "See actium.plugins.hookspecs.")
            raise _refusal(self.origin, unfit) from error


def _refusal(origin: Origin, unfit: Unfit) -> PluginQuarantinedError:
    return PluginQuarantinedError(f"The hook plugin {origin} {unfit.what}.", hint=unfit.hint)


def _passed_on(function: Callable[..., Any]) -> Callable[..., Any]:
    """A plain implementation once more, so that another mark can stand on it."""

    @functools.wraps(function)
    def passed_on(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return passed_on


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


def _finished(resume: Callable[[Any], Any], value: object) -> Any:
    try:
        resume(value)
    except StopIteration as stop:
        return stop.value
    raise RuntimeError("a wrapper yielded more than once; it must yield exactly once")
