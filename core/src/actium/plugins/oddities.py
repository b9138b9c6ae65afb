"""What is odd about a plugin and keeps nothing from working; only a check looks for it.

These are names that are nearly those that Actium calls, and functions that only look as if they were not ``async def``.
"""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any

from actium.plugins.flavor_check import MAY_BE_AWAITED, is_own, where
from actium.plugins.hook_implementations import HOOKS, MARK

if TYPE_CHECKING:
    from actium.plugins.base_plugin_flavor import BasePluginFlavor
    from actium.plugins.hook_plugins import HookPlugin

NEAR = 0.8
"""How alike two names are, as `difflib` counts, for one to be taken for a misspelling of the other."""


def flavor_oddities(flavor: type[BasePluginFlavor]) -> Iterator[str]:
    """What is odd about a flavor and its working object's class."""
    plugin = flavor.PLUGIN_CLASS
    for kind, other in ((plugin, flavor), (flavor, plugin)):
        points, elsewhere = _points(kind), _points(other)
        given = _given(kind)
        for name in sorted(given - points):
            if name in elsewhere and name.isupper():
                yield f"{where(kind)} sets {name}, which is read from {where(other)} only."
                continue
            near = _nearest(name, points)
            if near is not None and near not in given:
                yield f"{where(kind)} has {name}, which Actium never uses. Did you mean {near!r}?"
    for name in sorted(_given(plugin) & _points(plugin)):
        if is_async_inside(inspect.getattr_static(plugin, name)):
            yield _looks_sync(f"{where(plugin)} implements {name} with", may_be_awaited=name == MAY_BE_AWAITED)


def hook_oddities(plugin: object, checked: HookPlugin) -> Iterator[str]:
    """What is odd about a hook plugin.

    Args:
        plugin: What its author has written.
        checked: What was made of it.
    """
    implemented = set(checked.implementations)
    for name, function in _functions(plugin):
        if name in implemented:
            continue
        if name in HOOKS:
            yield f"Its function {name} is never called: no hookimpl marks it."
            continue
        near = _nearest(name, HOOKS)
        if near is not None and near not in implemented and function.__module__ == _module(plugin):
            yield f"Its function {name} is never called: no hookimpl marks it. Did you mean the hook {near!r}?"
    for name, each in checked.implementations.items():
        if is_async_inside(each.function):
            yield _looks_sync(f"It implements {name} with", may_be_awaited=False)


def is_async_inside(function: object) -> bool:
    """Whether a plain function is said to wrap one that is ``async def``."""
    function = getattr(function, "__func__", function)
    if not callable(function) or inspect.iscoroutinefunction(function):
        return False
    return inspect.iscoroutinefunction(inspect.unwrap(function))


def _looks_sync(who: str, *, may_be_awaited: bool) -> str:
    told = f"{who} a plain function around an `async def`. Where that returns a coroutine, nobody awaits it"
    return f"{told}: write the decorator's inner function with `{'async def' if may_be_awaited else 'def'}`."


def _points(kind: type[Any]) -> set[str]:
    """What Actium's own classes above a class have, and so may be overridden."""
    return {name for base in kind.__mro__ if is_own(base) for name in _public({**vars(base), **_annotated(base)})}


def _given(kind: type[Any]) -> set[str]:
    """What a class and those above it that are not Actium's define: functions and constants."""
    defined = (item for base in kind.__mro__ if not is_own(base) and base is not object for item in vars(base).items())
    return {name for name, value in defined if name in set(_public((name,))) and (name.isupper() or _is_method(value))}


def _public(names: Iterable[str]) -> Iterator[str]:
    return (name for name in names if not name.startswith("_"))


def _annotated(kind: type[Any]) -> dict[str, Any]:
    return inspect.get_annotations(kind)


def _is_method(value: object) -> bool:
    return isinstance(value, staticmethod | classmethod | property) or inspect.isfunction(value)


def _functions(plugin: object) -> Iterator[tuple[str, Callable[..., Any]]]:
    """The functions of a hook plugin that nothing marks."""
    for name in _public(dir(plugin)):
        function = inspect.getattr_static(plugin, name, None)
        function = getattr(function, "__func__", function)
        if inspect.isfunction(function) and not hasattr(function, MARK):
            yield name, function


def _module(plugin: object) -> str | None:
    named: object = plugin.__name__ if inspect.ismodule(plugin) else type(plugin).__module__
    return named if isinstance(named, str) else None


def _nearest(name: str, known: Iterable[str]) -> str | None:
    return next(iter(difflib.get_close_matches(name, sorted(known), n=1, cutoff=NEAR)), None)
