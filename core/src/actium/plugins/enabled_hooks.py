"""The hook plugins of one registry: those that are enabled, in their order, and those that are only looked at."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from actium.errors import InvalidInputError, PluginError
from actium.plugins.installed import HOOKS, InstalledPlugins, in_words, origin_of
from actium.plugins.origin import Origin

if TYPE_CHECKING:
    from actium.plugins.discovery import EntryPointRecord
    from actium.plugins.hook_plugins import HookPlugin

logger = logging.getLogger("actium.plugins")


@dataclass(frozen=True, slots=True, kw_only=True)
class HookCall:
    """An implementation of a hook, where it is called.

    Attributes:
        hook: The hook's name.
        origin: Whose implementation it is.
        position: ``wrapper``, ``plain`` or ``observer``.
        reasons: Why it stands where it stands, in words, the strongest first.
        is_enabled: Whether it is called at all.
    """

    hook: str
    origin: Origin
    position: str
    reasons: tuple[str, ...]
    is_enabled: bool = True


class EnabledHooks:
    """Hook plugins, each made once. Importing this imports none of what they are made with, nor does making one.

    It is not safe in threads by itself: its registry's lock is.
    """

    def __init__(self, installed: InstalledPlugins, enabled: Sequence[object]) -> None:
        """Load nothing yet.

        Args:
            installed: What is installed.
            enabled: Names of entry points, or plugins made in code; what is enabled later is called earlier.
        """
        self._installed = installed
        self._names_and_objects = tuple(enabled)
        self._enabled: tuple[HookPlugin, ...] | None = None
        self._in_order: tuple[HookPlugin, ...] | None = None
        self._loaded: dict[str, HookPlugin] = {}
        self._written: dict[str, object] = {}

    def enabled(self) -> tuple[HookPlugin, ...]:
        """The enabled plugins, in the order in which they were enabled.

        Raises:
            PluginError: One of them is not installed, broken or blocked.
        """
        if self._enabled is None:
            self._enabled = tuple(map(self._made, self._names_and_objects))
        return self._enabled

    def in_order(self) -> tuple[HookPlugin, ...]:
        """What to register with pluggy, one after the other, for hooks to be called in their order.

        Raises:
            PluginError: As for `enabled`.
        """
        if self._in_order is None:
            enabled = self.enabled()
            if not enabled:
                self._in_order = ()
                return ()
            from actium.plugins.hook_order import contradictions, registered_in_order

            for contradiction in contradictions(enabled):
                logger.warning("%s", contradiction)
            self._in_order = registered_in_order(enabled)
        return self._in_order

    def load(self, name: str) -> HookPlugin:
        """An installed plugin, enabled or not.

        Raises:
            PluginError: It is not installed, broken or blocked.
        """
        if name not in self._loaded:
            record = self._installed.only_claim(HOOKS, name)
            if record is None:
                known = ", ".join(self._installed.names(HOOKS)) or "none"
                raise PluginError(
                    f"The hook plugin {name!r} is enabled but not installed.",
                    hint=f"Install it, or disable it. Installed are: {known}.",
                )
            self._loaded[name] = self._load(record)
        return self._loaded[name]

    def calls(self, hook: str, *, installed: bool) -> tuple[HookCall, ...]:
        """The implementations of a hook, the first that is called first.

        Args:
            hook: The hook's name.
            installed: Whether to load what is installed and not enabled, too, and look at it as if it were enabled
                after the others; what is broken is passed over.

        Raises:
            InvalidInputError: There is no such hook.
            PluginError: As for `enabled`.
        """
        from actium.plugins.hook_implementations import HOOKS as ALL_HOOKS
        from actium.plugins.hook_implementations import position
        from actium.plugins.hook_order import call_order

        if hook not in ALL_HOOKS:
            raise InvalidInputError(
                f"There is no hook {hook!r:.100}.", hint=f"The hooks are {', '.join(sorted(ALL_HOOKS))}."
            )
        enabled = self.enabled()
        if installed:
            self._load_all()
        plugins = (*enabled, *(self._others() if installed else ()))
        return tuple(
            HookCall(
                hook=hook,
                origin=placed.plugin.origin,
                position=position(placed.implementation),
                reasons=placed.reasons(len(enabled)),
                is_enabled=placed.number < len(enabled),
            )
            for placed in call_order(hook, plugins)[0]
        )

    def contradictions(self) -> Iterator[tuple[frozenset[str], str]]:
        """What the plugins that were loaded want of each other and cannot be: their names, and it in words."""
        from actium.plugins.hook_order import contradictions

        for each in contradictions((*(self._enabled or ()), *self._others())):
            yield frozenset(each.names), str(each)

    def describe_loaded(self) -> None:
        """Let the statuses of what was loaded tell which hooks it implements, and what is odd about it."""
        from actium.plugins.hook_order import unknown_names
        from actium.plugins.oddities import hook_oddities

        known = {*self._installed.names(HOOKS), *(plugin.origin.name for plugin in self._enabled or ())}
        for name, plugin in self._loaded.items():
            notes = hook_oddities(self._written[name], plugin)
            self._installed.describe(
                HOOKS,
                name,
                hooks=plugin.implementations,
                notes=(*notes, *unknown_names(plugin, known)),
            )

    def _load_all(self) -> None:
        for name in self._installed.names(HOOKS):
            try:
                self.load(name)
            except PluginError as error:
                logger.debug("Passed over: %s", error)

    def _others(self) -> tuple[HookPlugin, ...]:
        enabled = self._enabled or ()
        return tuple(plugin for plugin in self._loaded.values() if plugin not in enabled)

    def _made(self, enabled: object) -> HookPlugin:
        if isinstance(enabled, str):
            return self.load(enabled)
        from actium.plugins.hook_plugins import HookPlugin

        return HookPlugin(enabled, Origin(getattr(enabled, "__name__", type(enabled).__name__)))

    def _load(self, record: EntryPointRecord) -> HookPlugin:
        from actium.plugins.hook_implementations import Unfit, check_version, implementations_of
        from actium.plugins.hook_plugins import HookPlugin

        loaded = self._installed.imported(HOOKS, record)
        try:
            check_version(loaded)  # before a class is called whose constructor may want what there is not yet
            plugin = loaded() if isinstance(loaded, type) else loaded
            implementations_of(plugin)
            self._written[record.name] = plugin
            return HookPlugin(plugin, origin_of(record))
        except Unfit as unfit:
            raise self._installed.quarantine(HOOKS, record, f"it {unfit.what}. {unfit.hint}", unfit) from unfit
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            raise self._installed.quarantine(HOOKS, record, in_words(error), error) from error
