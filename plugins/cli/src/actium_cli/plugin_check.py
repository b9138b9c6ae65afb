"""Every plugin of an installation, and whether it works: flavors, hook plugins, commands and stores."""

from __future__ import annotations

import sys
import time
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from actium.errors import PluginError
from actium.plugins.registry import PluginFlavorRegistry
from actium_cli.command_tree import load_command
from actium_cli.logs import without_warnings

if TYPE_CHECKING:
    from actium.plugins.installed import PluginStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedPlugin:
    """What is known of a plugin.

    Attributes:
        name: Its name.
        kind: The flavor's type (``action``), ``hooks``, ``commands``, ``stores``, or ``metadata`` of a distribution.
        state: ``found``, ``loaded``, ``blocked`` or ``quarantined``.
        distribution: What to ``pip uninstall``.
        version: The distribution's version.
        problem: What is wrong, None where nothing is known to be.
        import_seconds: How long its import took; None while it was not imported.
    """

    name: str
    kind: str
    state: str
    distribution: str | None
    version: str | None
    problem: str | None = None
    import_seconds: float | None = None

    @property
    def is_broken(self) -> bool:
        """Whether it should work and does not."""
        return self.state == "quarantined"


def found_plugins(blocked: Sequence[str]) -> list[CheckedPlugin]:
    """Every plugin; none is imported."""
    return [_described(status) for status in PluginFlavorRegistry.from_environment(blocked=blocked).statuses()]


def check(blocked: Sequence[str], *, debug: bool) -> list[CheckedPlugin]:
    """Every plugin that is not blocked, imported.

    Args:
        blocked: Plugins and distributions to leave out.
        debug: Whether to print the tracebacks of those that are broken.
    """
    registry = PluginFlavorRegistry.from_environment(blocked=blocked)
    with without_warnings("actium.plugins"):
        statuses = registry.check()
    if debug:
        for status in statuses:
            if status.state == "quarantined" and status.error is not None:
                traceback.print_exception(status.error, file=sys.stderr)
    checked = [_described(status) for status in statuses if status.kind != "commands"]
    checked += _commands([status for status in statuses if status.kind == "commands"], debug=debug)
    return [*checked, *_enabled_hooks(registry, checked), *_unreadable(registry)]


def _commands(statuses: Sequence[PluginStatus], *, debug: bool) -> Iterator[CheckedPlugin]:
    for status in statuses:
        if status.state == "blocked":
            yield _described(status)
            continue
        claims = [other for other in statuses if other.name == status.name]
        state: str
        problem: str | None
        started = time.perf_counter()
        try:
            load_command(status.name, claims)
        except PluginError as error:
            if debug:
                traceback.print_exception(error, file=sys.stderr)
            state, problem = "quarantined", str(error)
        else:
            state, problem = "loaded", None
        seconds = time.perf_counter() - started
        yield replace(_described(status), state=state, problem=problem, import_seconds=seconds)


def _enabled_hooks(registry: PluginFlavorRegistry, checked: Sequence[CheckedPlugin]) -> Iterator[CheckedPlugin]:
    """What keeps the enabled hook plugins from being used, unless it has been told already."""
    try:
        registry.hook_plugins()
    except PluginError as error:
        if str(error) not in {plugin.problem for plugin in checked}:
            yield CheckedPlugin(
                name="ACTIUM_HOOKS",
                kind="hooks",
                state="quarantined",
                distribution=None,
                version=None,
                problem=str(error),
            )


def _unreadable(registry: PluginFlavorRegistry) -> Iterator[CheckedPlugin]:
    for problem in registry.discovery_problems():
        yield CheckedPlugin(
            name=problem.location,
            kind="metadata",
            state="quarantined",
            distribution=problem.distribution,
            version=problem.version,
            problem=f"The metadata of {problem.distribution or 'a distribution'} cannot be read: {problem.error}",
        )


def _described(status: PluginStatus) -> CheckedPlugin:
    return CheckedPlugin(
        name=status.name,
        kind=status.kind,
        state=status.state,
        distribution=status.origin.distribution,
        version=status.origin.version,
        problem=status.problem,
        import_seconds=status.import_seconds,
    )
