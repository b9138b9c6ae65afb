"""The registry: which plugins there are, and their classes, working objects and relays, each made at its first use.

Listing imports nothing but this module and what it found in metadata. A plugin that is broken is *quarantined*:
using it tells what is wrong with which distribution, and everything else goes on.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, NamedTuple, cast

from actium.errors import FlavorNotFoundError, InvalidQueryError, PluginError, PluginQuarantinedError
from actium.plugins.discovery import DiscoveryProblem
from actium.plugins.enabled_hooks import EnabledHooks, HookCall
from actium.plugins.flavor_check import check_flavor, check_plugin, where
from actium.plugins.installed import (
    ACTION,
    FLAVOR_GROUPS,
    HOOKS,
    OTHER_GROUPS,
    STORES,
    InstalledPlugins,
    PluginStatus,
    claimant,
    duplicate,
    in_words,
    names_in,
    origin_of,
)
from actium.plugins.origin import Origin
from actium.process_copies import ProcessLock
from actium.tracing.application import NOT_TRACED, ApplicationTracing

if TYPE_CHECKING:
    from actium.models import ActionFlavorResponse, Page
    from actium.plugins.base_plugin_flavor import BasePlugin, BasePluginFlavor
    from actium.plugins.hook_plugins import HookPlugin
    from actium.plugins.relay import AnswersHooks, Observers, Relay

logger = logging.getLogger("actium.plugins")


class FlavorKey(NamedTuple):
    """What a flavor is known by."""

    type: str
    subtype: str
    flavor: str

    @property
    def name(self) -> str:
        """``subtype.flavor``, the name of its entry point."""
        return f"{self.subtype}.{self.flavor}"


class PluginFlavorRegistry:
    """The plugins that one application, or one command, sees."""

    def __init__(
        self,
        *,
        hooks: Sequence[object] = (),
        blocked: Sequence[str] = (),
        path: Sequence[str] | None = None,
        attach: Callable[[BasePlugin, Relay], None] | None = None,
        tracing: ApplicationTracing = NOT_TRACED,
    ) -> None:
        """Make a registry; nothing is looked for before it is needed.

        Args:
            hooks: The enabled hook plugins, names of entry points or plugins made in code; what is enabled later is
                called earlier, unless it says otherwise.
            blocked: Names of plugins or of distributions that are not to be used.
            path: Where to look for distributions; None for ``sys.path``.
            attach: Called with each new working object and its relay before it is used. When it raises, the object
                is closed and the exception goes on.
            tracing: What the application has traced.
        """
        self._installed = InstalledPlugins(path=path, blocked=blocked)
        self._hooks = EnabledHooks(self._installed, hooks)
        self._attach = attach
        self._tracing = tracing
        self._lock = ProcessLock()
        self._classes: dict[FlavorKey, type[BasePluginFlavor]] = {}
        self._made_in_code: set[FlavorKey] = set()
        self._relays: dict[FlavorKey, tuple[BasePlugin, Relay]] = {}
        self._observers: Observers | None = None
        self._is_closed = False

    @classmethod
    def from_environment(
        cls,
        *,
        hooks: Sequence[object] = (),
        blocked: Sequence[str] = (),
        attach: Callable[[BasePlugin, Relay], None] | None = None,
        tracing: ApplicationTracing = NOT_TRACED,
    ) -> PluginFlavorRegistry:
        """Make a registry that also heeds ``ACTIUM_HOOKS`` and ``ACTIUM_BLOCK``, names separated by commas."""
        return cls(
            hooks=(*hooks, *(name for name in names_in("ACTIUM_HOOKS") if name not in hooks)),
            blocked=(*blocked, *names_in("ACTIUM_BLOCK")),
            attach=attach,
            tracing=tracing,
        )

    # What there is

    def statuses(self, kind: str | None = None) -> tuple[PluginStatus, ...]:
        """What is known of all plugins, or of one kind, without importing any."""
        kinds = [*FLAVOR_GROUPS, *OTHER_GROUPS] if kind is None else [kind]
        return tuple(status for each in kinds for status in self._statuses(each))

    def check(self) -> tuple[PluginStatus, ...]:
        """Import every flavor, hook plugin and store that is not blocked, and say what is known of all plugins then.

        Commands are the command line's: it imports and checks them.
        """
        from actium.plugins.unawaited import never_awaited, noticed

        for status in self.statuses():
            if status.state != "found":
                continue
            try:
                with noticed() as unawaited:
                    self._load(status)
            except PluginError as error:
                logger.debug("Quarantined while checking: %s", error)
            self._installed.find_fault(status.kind, status.name, map(never_awaited, unawaited))
        self._describe_loaded()
        return self.statuses()

    def hook_calls(self, hook: str, *, installed: bool = False) -> tuple[HookCall, ...]:
        """The hook plugins' implementations of a hook in the order in which they are called, each with its reasons.

        The flavor's handler is called last, inside all wrappers.

        Args:
            hook: The hook's name.
            installed: Whether to load plugins, too, that are installed and not enabled, and to look at them as if they
                were enabled after the others; those that are broken are passed over.

        Raises:
            InvalidInputError: There is no such hook.
            PluginError: As for `hook_plugins`.
        """
        with self._lock.here:
            return self._hooks.calls(hook, installed=installed)

    def hook_contradictions(self) -> tuple[tuple[frozenset[str], str], ...]:
        """What hook plugins that were loaded want of each other and cannot be: their names, and it in words."""
        with self._lock.here:
            return tuple(self._hooks.contradictions())

    def warn_of_unknown_blocks(self) -> None:
        """Log what is to be blocked and is called like nothing that is installed, as a misspelled name is."""
        for problem in self._installed.unknown_blocks():
            logger.warning("%s", problem)

    def discovery_problems(self) -> tuple[DiscoveryProblem, ...]:
        """Distributions whose metadata could not be read."""
        return self._installed.problems()

    def list_flavors(
        self,
        plugin_type: str = ACTION,
        subtype: str | None = None,
        *,
        index: int = 1,
        max_size: int = 20,
        hydrate: bool = False,
    ) -> Page[ActionFlavorResponse]:
        """List flavors as pages of responses. Only hydrating imports plugins.

        Raises:
            InvalidQueryError: There is no such page.
        """
        from actium.models.page import MAX_PAGE_SIZE, Page

        if not 1 <= max_size <= MAX_PAGE_SIZE:
            raise InvalidQueryError(
                f"A page cannot hold {max_size!r} flavors.", hint=f"Ask for 1 to {MAX_PAGE_SIZE:,} at a time."
            )
        statuses = [
            status
            for status in self.statuses(plugin_type)
            if subtype is None or status.name.partition(".")[0] == subtype
        ]
        total_pages = max(1, -(-len(statuses) // max_size))
        if not 1 <= index <= total_pages:
            raise InvalidQueryError(f"There is no page {index}.", hint=f"The last page is {total_pages}.")
        shown = statuses[(index - 1) * max_size : index * max_size]
        return Page(
            index=index,
            max_size=max_size,
            total=len(statuses),
            total_pages=total_pages,
            items=[self._response(status, hydrate=hydrate) for status in shown],
        )

    def flavor_status(self, plugin_type: str, subtype: str, flavor: str) -> PluginStatus | None:
        """What is known of one flavor, without importing it; None where there is none of this name."""
        key = FlavorKey(plugin_type, subtype, flavor)
        if key in self._made_in_code:
            return self._made_in_code_status(key)
        return next(self._installed.statuses_of(plugin_type, key.name), None)

    def flavor_response(self, key: FlavorKey, *, hydrate: bool) -> ActionFlavorResponse:
        """Describe one flavor.

        Raises:
            FlavorNotFoundError: There is no such flavor.
        """
        status = self.flavor_status(*key)
        if status is None:
            raise self._not_found(key)
        return self._response(status, hydrate=hydrate)

    # What is used

    def register_plugin_flavor(self, flavor: type[BasePluginFlavor]) -> None:
        """Register a flavor that was made in code. The same class twice is harmless, also one that is installed.

        Raises:
            PluginError: The class is not a complete flavor.
            DuplicateFlavorError: Another class has this key, or an installed distribution claims it.
        """
        check_flavor(flavor)
        key = FlavorKey(str(flavor.TYPE), flavor.SUBTYPE, flavor.FLAVOR)
        with self._lock.here:
            claims = [*map(claimant, self._installed.claims(key.type, key.name))]
            present = self._classes.get(key) or (self._installed_class(key) if len(claims) == 1 else None)
            if present is flavor:
                return
            if present is not None and not claims:
                claims = [where(present)]
            if claims:
                raise duplicate(key.name, iter([*claims, where(flavor)]))
            self._classes[key] = flavor
            self._made_in_code.add(key)

    def get_flavor_class(self, plugin_type: str, subtype: str, flavor: str) -> type[BasePluginFlavor]:
        """A flavor's class, imported when it is needed for the first time.

        Raises:
            FlavorNotFoundError: No such flavor is registered or installed.
            PluginBlockedError: It, or its distribution, is blocked.
            PluginQuarantinedError: It cannot be imported or is no flavor.
            DuplicateFlavorError: Two distributions claim its key.
        """
        key = FlavorKey(plugin_type, subtype, flavor)
        loaded = self._classes.get(key)
        if loaded is not None:
            return loaded
        with self._lock.here:
            loaded = self._classes.get(key)
            if loaded is None:
                loaded = self._classes[key] = self._load_flavor(key)
            return loaded

    def get_plugin(self, plugin_type: str, subtype: str, flavor: str) -> BasePlugin:
        """A flavor's working object; there is one for each flavor and registry.

        Raises:
            PluginError: As for `get_flavor_class`, and when it cannot be made, or the registry is closed.
        """
        return self._made(FlavorKey(plugin_type, subtype, flavor))[0]

    def get_relay(self, subtype: str, flavor: str) -> Relay:
        """The hooks of an action flavor.

        Raises:
            PluginError: As for `get_plugin`.
        """
        made = self._relays.get(FlavorKey(ACTION, subtype, flavor))
        return self._made(FlavorKey(ACTION, subtype, flavor))[1] if made is None else made[1]

    def hook_plugins(self) -> tuple[HookPlugin, ...]:
        """The enabled hook plugins, as relays register them.

        Raises:
            PluginError: One of them is not installed, broken or blocked. It was enabled on purpose, perhaps to refuse
                what must not happen, so it is never passed over.
        """
        with self._lock.here:
            return self._hooks.in_order()

    def observers(self) -> Observers:
        """What the enabled hook plugins are told by."""
        if self._observers is None:
            from actium.plugins.relay import Observers

            self._observers = Observers(self.hook_plugins(), self._tracing)
        return self._observers

    def close(self) -> None:
        """Close every working object, and make no more. Closing twice is harmless.

        One that fails is logged, and does not keep the others from being closed.
        """
        with self._lock.here:
            self._is_closed = True
            made, self._relays = list(self._relays.values()), {}
        with ExitStack() as closing:
            for plugin, relay in reversed(made):
                closing.callback(_close, plugin, relay.origin)

    # Finding

    def _statuses(self, kind: str) -> Iterator[PluginStatus]:
        for key in sorted(self._made_in_code):
            if key.type == kind:
                yield self._made_in_code_status(key)
        yield from self._installed.statuses(kind)

    def _made_in_code_status(self, key: FlavorKey) -> PluginStatus:
        return PluginStatus(
            kind=key.type, name=key.name, origin=Origin(key.name), value=where(self._classes[key]), state="loaded"
        )

    def _response(self, status: PluginStatus, *, hydrate: bool) -> ActionFlavorResponse:
        from actium.models.flavor import ActionFlavorResponse, FlavorBody, flavor_id
        from actium.models.kinds import PluginType

        subtype, _, flavor = status.name.partition(".")
        response = ActionFlavorResponse(
            id=flavor_id(status.kind, status.name),
            name=status.name,
            body=FlavorBody(
                type=PluginType(status.kind),
                plugin_subtype=subtype,
                flavor=flavor,
                distribution=status.origin.distribution,
                version=status.origin.version,
                state=status.state,
                problem=status.problem,
            ),
        )
        if hydrate and status.state in {"found", "loaded"}:
            try:
                described = self.get_flavor_class(status.kind, subtype, flavor).get_flavor_response_model(True)
                response.metadata = cast("ActionFlavorResponse", described).metadata
                response.body.state = "loaded"
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                response.body.state, response.body.problem = "quarantined", in_words(error)
        return response

    # Loading

    def _load_flavor(self, key: FlavorKey) -> type[BasePluginFlavor]:
        record = self._installed.only_claim(key.type, key.name)
        if record is None:
            raise self._not_found(key)
        flavor = self._installed.imported(key.type, record)
        try:
            check_flavor(flavor)
            loaded = cast("type[BasePluginFlavor]", flavor)
            declared = FlavorKey(str(loaded.TYPE), loaded.SUBTYPE, loaded.FLAVOR)
            if declared != key:
                raise PluginError(f"it calls itself {declared.type} {declared.name}")
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a class may do anything when it is looked at
            raise self._installed.quarantine(key.type, record, in_words(error), error) from error
        return loaded

    def _installed_class(self, key: FlavorKey) -> type[BasePluginFlavor] | None:
        """The class that is installed with a key, imported to be compared with another; None for a broken one."""
        try:
            return self.get_flavor_class(*key)
        except PluginError as error:
            logger.debug("What %s is cannot be seen: %s", key.name, error)
            return None

    def _made(self, key: FlavorKey) -> tuple[BasePlugin, Relay]:
        with self._lock.here:
            made = self._relays.get(key)
            if made is None:
                if self._is_closed:
                    raise PluginError(
                        f"The flavor {key.name} cannot be used any more: its registry is closed.",
                        hint="Open another Actium application, or close this one later.",
                    )
                made = self._relays[key] = self._make(key)
            return made

    def _make(self, key: FlavorKey) -> tuple[BasePlugin, Relay]:
        from actium.plugins.relay import Relay

        flavor = self.get_flavor_class(*key)
        claims = self._installed.claims(key.type, key.name)
        origin = origin_of(claims[0]) if claims else Origin(key.name)
        hook_plugins = self.hook_plugins()
        try:
            plugin = flavor.PLUGIN_CLASS()
            with _closed_on_failure(plugin, origin):
                check_plugin(plugin, flavor)
                relay = Relay(cast("AnswersHooks", plugin), origin, hook_plugins, self._tracing)
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            problem = f"{where(flavor.PLUGIN_CLASS)} cannot be made: {in_words(error)}"
            if claims:
                raise self._installed.quarantine(key.type, claims[0], problem, error) from error
            raise PluginQuarantinedError(f"The plugin {origin} is broken: {problem}.") from error
        if self._attach is not None:
            with _closed_on_failure(plugin, origin):
                self._attach(plugin, relay)
        return plugin, relay

    def _load(self, status: PluginStatus) -> None:
        with self._lock.here:
            if status.kind in FLAVOR_GROUPS:
                subtype, _, flavor = status.name.partition(".")
                self.get_flavor_class(status.kind, subtype, flavor)
            elif status.kind == HOOKS:
                self._hooks.load(status.name)
            elif status.kind == STORES and (record := self._installed.only_claim(STORES, status.name)) is not None:
                opener = self._installed.imported(STORES, record)
                if not callable(opener):
                    problem = f"{record.value} is an object of {type(opener).__name__}, which cannot be called"
                    raise self._installed.quarantine(STORES, record, problem, TypeError(problem))

    def _describe_loaded(self) -> None:
        from actium.plugins.oddities import flavor_oddities

        self._hooks.describe_loaded()
        for key, flavor in self._classes.items():
            self._installed.describe(key.type, key.name, notes=flavor_oddities(flavor))

    def _not_found(self, key: FlavorKey) -> FlavorNotFoundError:
        known = sorted({status.name for status in self._statuses(key.type)})
        near = difflib.get_close_matches(key.name, known, n=1)
        if near:
            hint = f"Did you mean {near[0]!r}?"
        elif known:
            hint = f"Installed are: {', '.join(known[:10])}{', ...' if len(known) > 10 else ''}."
        else:
            hint = "No flavors are installed at all; `pip install` a distribution that provides some."
        return FlavorNotFoundError(f"There is no {key.type} flavor {key.name!r} here.", hint=hint)


@contextmanager
def _closed_on_failure(plugin: BasePlugin, origin: Origin) -> Iterator[None]:
    try:
        yield
    except BaseException:
        _close(plugin, origin)
        raise


def _close(plugin: BasePlugin, origin: Origin) -> None:
    try:
        plugin.close()
    except KeyboardInterrupt:
        raise
    except BaseException:
        logger.exception("The plugin %s failed to close.", origin)
