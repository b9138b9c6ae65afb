"""Who is called in which hook, in which order and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from actium.errors import InvalidInputError
from actium.plugins.hook_implementations import ANSWERED, HOOKS
from actium.plugins.hookspecs import ActionHooks
from actium.plugins.installed import ACTION
from actium.plugins.installed import HOOKS as HOOK_PLUGINS
from actium.plugins.origin import Origin
from actium.plugins.registry import PluginFlavorRegistry
from actium_cli.logs import without_warnings

HANDLER = "handler"


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCall:
    """An implementation of a hook.

    Attributes:
        hook: The hook's name.
        plugin: Whose it is.
        distribution: What to ``pip uninstall``; None for what was made in code.
        version: The distribution's version.
        position: ``wrapper``, ``handler``, ``observer``, or ``plain`` where the first answer counts.
        reasons: Why it is called where it is, the strongest first.
        is_enabled: Whether it is called at all.
    """

    hook: str
    plugin: str
    distribution: str | None
    version: str | None
    position: str
    reasons: tuple[str, ...]
    is_enabled: bool


def shown_calls(name: str | None, blocked: Sequence[str], *, installed: bool) -> list[ShownCall]:
    """Who is called in a hook; or in all hooks that a plugin takes part in, or that anyone takes part in.

    Args:
        name: A hook, a hook plugin or a flavor; None for all hooks.
        blocked: Plugins and distributions to leave out.
        installed: Whether to show hook plugins that are not enabled, too.

    Raises:
        InvalidInputError: Nothing is called like this.
        PluginError: An enabled hook plugin is broken.
    """
    with without_warnings("actium.plugins"):  # `plugin check` tells what is broken
        return list(_shown(name, blocked, installed=installed))


def _shown(name: str | None, blocked: Sequence[str], *, installed: bool) -> Iterator[ShownCall]:
    registry = PluginFlavorRegistry.from_environment(blocked=blocked)
    flavors = {status.name: status.origin for status in registry.statuses(ACTION)}
    plugins = {status.name for status in registry.statuses(HOOK_PLUGINS)}
    if name is not None and name not in {*HOOKS, *flavors, *plugins}:
        known = ", ".join([*HOOKS, *sorted(plugins)])
        raise InvalidInputError(
            f"There is no hook, hook plugin or flavor {name!r}.", hint=f"There are {known}, and the flavors."
        )
    handler = flavors.get(name or "")
    if name is not None and name in HOOKS:
        yield from _calls(registry, name, handler, installed=installed)
        return
    for hook in HOOKS:
        called = list(_calls(registry, hook, handler, installed=installed))
        if any(call.plugin == name if name in plugins else call.position != HANDLER for call in called):
            yield from called


def _calls(
    registry: PluginFlavorRegistry, hook: str, handler: Origin | None, *, installed: bool
) -> Iterator[ShownCall]:
    for call in registry.hook_calls(hook, installed=installed):
        yield ShownCall(
            hook=hook,
            plugin=call.origin.name,
            distribution=call.origin.distribution,
            version=call.origin.version,
            position=call.position,
            reasons=call.reasons,
            is_enabled=call.is_enabled,
        )
    if hook in ANSWERED:
        answers = handler or Origin("the flavor")
        if not hasattr(ActionHooks, hook):
            answers = Origin("the event hub")
        yield ShownCall(
            hook=hook,
            plugin=answers.name,
            distribution=answers.distribution,
            version=answers.version,
            position=HANDLER,
            reasons=("inside all wrappers",),
            is_enabled=True,
        )
