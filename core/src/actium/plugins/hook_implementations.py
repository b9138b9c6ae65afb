"""What a hook plugin implements, read from the marks that ``hookimpl`` leaves; and what is wrong with it."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from actium.plugins.hookspecs import HOOK_VERSION, PLACE, PROJECT_NAME, ActionHooks, EventHooks, ObserverHooks

MARK = f"{PROJECT_NAME}_impl"
"""The attribute of an implementation with what pluggy is to know of it."""


def _hooks_of(specification: type) -> Mapping[str, tuple[str, ...]]:
    return {
        name: tuple(inspect.signature(member).parameters)[1:]
        for name, member in vars(specification).items()
        if hasattr(member, f"{PROJECT_NAME}_spec")
    }


HOOKS: Mapping[str, tuple[str, ...]] = {
    **_hooks_of(ActionHooks),
    **_hooks_of(EventHooks),
    **_hooks_of(ObserverHooks),
}
"""Every hook with its arguments."""
_ONLY_PLAIN = frozenset({"render_configuration"})
_OBSERVED = frozenset(_hooks_of(ObserverHooks))
ANSWERED = frozenset(HOOKS) - _OBSERVED - _ONLY_PLAIN
"""The hooks that a flavor's handler or the event hub answers, and that hook plugins wrap."""


class Rank(IntEnum):
    """Where an implementation wants to stand among all, from the first that is called to the last."""

    FIRST = 0
    PLAIN = 1
    LAST = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Implementation:
    """One implementation of a hook.

    Attributes:
        hook: The hook's name.
        function: What is called.
        options: What pluggy is to know of it.
        before: The names of plugins that it is to be called before.
        after: The names of plugins that it is to be called after.
    """

    hook: str
    function: Callable[..., Any]
    options: Mapping[str, Any]
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()

    @property
    def wrapper(self) -> bool:
        """Whether it stands around the others."""
        return bool(self.options["wrapper"])

    @property
    def rank(self) -> Rank:
        """Where it wants to stand."""
        if self.options["trylast"]:
            return Rank.LAST
        return Rank.FIRST if self.options["tryfirst"] else Rank.PLAIN


class Unfit(Exception):
    """A plugin cannot take part in the hooks.

    Attributes:
        what: What it does, after its name.
        hint: What its author can do.
    """

    def __init__(self, what: str, hint: str) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


def implementations_of(plugin: object) -> tuple[Implementation, ...]:
    """What a plugin implements, each looked at.

    Raises:
        Unfit: It implements nothing, or something that could not work.
    """
    if inspect.isclass(plugin):
        raise Unfit(f"is the class {plugin.__name__}", "Give an instance of it, or a module.")
    found = tuple(_marked(plugin))
    if not found:
        raise Unfit("implements no hook", f"Mark functions named {', '.join(sorted(HOOKS))} with hookimpl.")
    for implementation in found:
        _check(implementation)
    return found


def position(implementation: Implementation) -> str:
    """What an implementation is in its hook: ``wrapper``, ``observer``, or ``plain`` where the first answer counts."""
    if implementation.wrapper:
        return "wrapper"
    return "observer" if implementation.hook in _OBSERVED else "plain"


def check_version(plugin: object) -> None:
    """Look at the version of the hooks that a plugin, or its class, was written for; saying none is fine.

    Raises:
        Unfit: This is not a version, or a newer one than there is here.
    """
    stated = getattr(plugin, "HOOK_VERSION", None)
    if stated is None:
        return
    if not isinstance(stated, int) or isinstance(stated, bool) or stated < 1:
        raise Unfit(
            f"says HOOK_VERSION = {stated!r:.40}, which is no version", f"The hooks here are version {HOOK_VERSION}."
        )
    if stated > HOOK_VERSION:
        raise Unfit(
            f"was written for version {stated} of the hooks, and those of this Actium are version {HOOK_VERSION}",
            "Upgrade actium, or install an older version of the plugin.",
        )


def _marked(plugin: object) -> Iterator[Implementation]:
    for name in dir(plugin):
        function = inspect.getattr_static(plugin, name, None)
        function = getattr(function, "__func__", function)  # static and class methods keep the mark inside
        options = getattr(function, MARK, None)
        if isinstance(options, dict):
            before, after = getattr(function, PLACE, ((), ()))
            yield Implementation(hook=name, function=getattr(plugin, name), options=options, before=before, after=after)


def _check(found: Implementation) -> None:
    if found.hook not in HOOKS:
        near = _nearest(found.hook, HOOKS, "The hooks are")
        raise Unfit(f"implements {found.hook!r}, which is no hook", near)
    _check_kind(found)
    if found.options["tryfirst"] and found.options["trylast"]:
        raise Unfit(f"wants its {found.hook!r} to be called both first and last", "Say tryfirst or trylast.")
    _check_arguments(found)


def _check_kind(found: Implementation) -> None:
    name = found.hook
    if found.options["hookwrapper"]:
        raise Unfit(f"implements {name!r} as an old-style hookwrapper", "Write hookimpl(wrapper=True).")
    if inspect.iscoroutinefunction(found.function) or inspect.isasyncgenfunction(found.function):
        raise Unfit(
            f"implements {name!r} as `async def`, which nobody would await",
            "Write it with `def`; wrappers see the outcome of a handler that is awaited.",
        )
    if found.wrapper and name not in ANSWERED:
        raise Unfit(f"wraps {name!r}, which is not wrapped", "Write hookimpl without wrapper=True.")
    if name in ANSWERED and not found.wrapper:
        raise Unfit(
            f"implements {name!r} without wrapping it, which would keep the flavor from answering",
            "Write hookimpl(wrapper=True), and yield where the flavor runs.",
        )
    if found.wrapper and not inspect.isgeneratorfunction(found.function):
        raise Unfit(f"wraps {name!r} without a yield", "Write `return (yield)` where the flavor runs.")


def _check_arguments(found: Implementation) -> None:
    """What is asked for by name is passed by pluggy in positions; what it cannot pass it does not always tell."""
    known = HOOKS[found.hook]
    for parameter in inspect.signature(found.function).parameters.values():
        name, is_needed = parameter.name, parameter.default is parameter.empty
        if parameter.kind in {parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD}:
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and (is_needed or name in known):
            raise Unfit(
                f"implements {found.hook!r} with {name!r} by keyword only, which a hook never gives",
                "Take the `*` out of its parameters.",
            )
        if name not in known and (is_needed or difflib.get_close_matches(name, known, n=1, cutoff=0.8)):
            raise Unfit(
                f"implements {found.hook!r} with the argument {name!r}, which that hook does not have",
                _nearest(name, known, "Its arguments are"),
            )


def _nearest(name: str, known: Mapping[str, object] | tuple[str, ...], otherwise: str) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"Did you mean {near[0]!r}?" if near else f"{otherwise} {', '.join(sorted(known))}."
