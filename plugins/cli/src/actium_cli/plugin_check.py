"""Every plugin of an installation, and whether it works: flavors, hook plugins, commands and stores."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from actium.errors import ActiumError, PluginError
from actium.plugins.installed import HOOKS, in_words
from actium.plugins.registry import PluginFlavorRegistry
from actium.plugins.unawaited import never_awaited, noticed
from actium_cli.command_tree import load_command
from actium_cli.logs import without_warnings
from actium_cli.own_traceback import own_traceback

if TYPE_CHECKING:
    from actium.plugins.installed import PluginStatus

METADATA = "metadata"
"""The kind of what is no plugin, but a distribution that perhaps has some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """What is wrong with plugins that can be loaded.

    Attributes:
        about: ``requirements`` of their distribution that are not met, the ``order`` of hook plugins, or ``code`` of
            their own.
        problem: What is wrong.
        remedy: What to do about it.
    """

    about: str
    problem: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPlugin:
    """What is known of a plugin.

    Attributes:
        name: Its name.
        kind: The flavor's type (``action``), ``hooks``, ``commands``, ``stores``, or ``metadata`` of a distribution.
        state: ``found``, ``loaded``, ``blocked`` or ``quarantined``.
        distribution: What to ``pip uninstall``.
        version: The distribution's version.
        problem: Why it is blocked or quarantined, None where it is neither.
        hint: What to do about that.
        traceback: Where in the plugin's own code that comes from, None where it does not come from there.
        conflicts: What is wrong although it may be loaded.
        notes: What is odd, and keeps nothing from working.
        hooks: The hooks that a hook plugin implements; empty while it was not imported.
        import_seconds: How long its import took; None while it was not imported.
    """

    name: str
    kind: str
    state: str
    distribution: str | None
    version: str | None
    problem: str | None = None
    hint: str | None = None
    traceback: str | None = None
    conflicts: tuple[Conflict, ...] = ()
    notes: tuple[str, ...] = ()
    hooks: tuple[str, ...] = ()
    import_seconds: float | None = None

    @property
    def is_broken(self) -> bool:
        """Whether it should work and does not, or may not."""
        return self.state == "quarantined" or bool(self.conflicts)


def found_plugins(blocked: Sequence[str]) -> list[CheckedPlugin]:
    """Every plugin; none is imported."""
    registry = PluginFlavorRegistry.from_environment(blocked=blocked)
    registry.warn_of_unknown_blocks()
    return [_described(status) for status in registry.statuses()]


def check(blocked: Sequence[str], *, debug: bool) -> list[CheckedPlugin]:
    """Every plugin that is not blocked, imported.

    Args:
        blocked: Plugins and distributions to leave out.
        debug: Whether to print the whole tracebacks of those that are broken.
    """
    import_module("actium.app")  # so that the first flavor is not said to take as long as all that flavors share
    registry = PluginFlavorRegistry.from_environment(blocked=blocked)
    registry.warn_of_unknown_blocks()
    with without_warnings("actium.plugins"):
        statuses = registry.check()
    if debug:
        for status in statuses:
            if status.state == "quarantined" and status.error is not None:
                traceback.print_exception(status.error, file=sys.stderr)
    checked = [_described(status) for status in statuses if status.kind != "commands"]
    checked += _commands([status for status in statuses if status.kind == "commands"], debug=debug)
    checked += [*_enabled_hooks(registry, checked), *_unreadable(registry)]
    return list(_with_conflicts(checked, registry.hook_contradictions()))


def _commands(statuses: Sequence[PluginStatus], *, debug: bool) -> Iterator[CheckedPlugin]:
    for status in statuses:
        if status.state == "blocked":
            yield _described(status)
            continue
        claims = [other for other in statuses if other.name == status.name]
        started = time.perf_counter()
        found: PluginError | None = None
        try:
            with noticed() as unawaited:
                load_command(status.name, claims)
        except PluginError as error:
            if debug:
                traceback.print_exception(error, file=sys.stderr)
            found = error
        seconds = time.perf_counter() - started
        state = "loaded" if found is None else "quarantined"
        checked = replace(_described(status), state=state, import_seconds=seconds)
        yield _with_error(replace(checked, conflicts=_faults(map(never_awaited, unawaited))), found)


def _enabled_hooks(registry: PluginFlavorRegistry, checked: Sequence[CheckedPlugin]) -> Iterator[CheckedPlugin]:
    """What keeps the enabled hook plugins from being used, unless it has been told already."""
    try:
        with without_warnings("actium.plugins"):
            registry.hook_plugins()
    except PluginError as error:
        if error.message not in {plugin.problem for plugin in checked if plugin.is_broken}:
            yield CheckedPlugin(
                name="ACTIUM_HOOKS",
                kind=HOOKS,
                state="quarantined",
                distribution=None,
                version=None,
                problem=error.message,
                hint=error.hint,
            )


def _unreadable(registry: PluginFlavorRegistry) -> Iterator[CheckedPlugin]:
    for problem in registry.discovery_problems():
        yield CheckedPlugin(
            name=problem.location,
            kind=METADATA,
            state="quarantined",
            distribution=problem.distribution,
            version=problem.version,
            problem=f"The metadata of {problem.distribution or 'a distribution'} cannot be read: {problem.error}",
            hint="Install it again.",
        )


def _with_conflicts(
    plugins: Iterable[CheckedPlugin], contradictions: Sequence[tuple[frozenset[str], str]]
) -> Iterator[CheckedPlugin]:
    from actium.app.doctor import CONTRADICTION
    from actium_cli.requirements import unmet_requirements

    unmet = cache(unmet_requirements)
    for plugin in plugins:
        if plugin.state == "blocked" or plugin.kind == METADATA:
            yield plugin
            continue
        conflicts = [
            Conflict(about="requirements", problem=each.problem, remedy=each.remedy)
            for each in (() if plugin.distribution is None else unmet(plugin.distribution))
        ]
        if plugin.kind == HOOKS:
            conflicts += [
                Conflict(about="order", problem=problem, remedy=CONTRADICTION)
                for names, problem in contradictions
                if plugin.name in names
            ]
        yield replace(plugin, conflicts=(*plugin.conflicts, *conflicts))


def _described(status: PluginStatus) -> CheckedPlugin:
    described = CheckedPlugin(
        conflicts=_faults(status.faults),
        name=status.name,
        kind=status.kind,
        state=status.state,
        distribution=status.origin.distribution,
        version=status.origin.version,
        notes=status.notes,
        hooks=status.hooks,
        import_seconds=status.import_seconds,
    )
    return _with_error(described, status.error)


def _faults(faults: Iterable[str]) -> tuple[Conflict, ...]:
    told = tuple(faults)
    if not told:
        return ()
    from actium.app.doctor import FAULT

    return tuple(Conflict(about="code", problem=fault, remedy=FAULT) for fault in told)


def _with_error(plugin: CheckedPlugin, error: BaseException | None) -> CheckedPlugin:
    if not isinstance(error, ActiumError):
        return replace(plugin, problem=None if error is None else in_words(error))
    cause = error.__cause__
    told = None if cause is None else own_traceback(cause)
    return replace(plugin, problem=error.message, hint=error.hint, traceback=told)
