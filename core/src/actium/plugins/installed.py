"""What is installed: the plugins that distributions claim, their states, and their import, each kept from the others.

A plugin that is broken is *quarantined*: using it tells what is wrong with which distribution, everything else goes on.
"""

from __future__ import annotations

import difflib
import logging
import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from actium.errors import DuplicateFlavorError, PluginBlockedError, PluginError, PluginQuarantinedError
from actium.plugins.discovery import DiscoveryProblem, EntryPointRecord, find_entry_points
from actium.plugins.origin import Origin

logger = logging.getLogger("actium.plugins")

ACTION = "action"
HOOKS = "hooks"
STORES = "stores"
FLAVOR_GROUPS: Mapping[str, str] = {ACTION: "actium.action_flavors"}
"""The entry point group of each type of flavor."""
OTHER_GROUPS: Mapping[str, str] = {HOOKS: "actium.hooks", "commands": "actium.commands", STORES: "actium.stores"}

Claims = dict[str, list[EntryPointRecord]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Quarantine:
    """Why a plugin was set aside. An exception grows with every raise, so each use is told by one of its own."""

    message: str
    hint: str
    cause: BaseException

    def error(self) -> PluginQuarantinedError:
        return PluginQuarantinedError(self.message, hint=self.hint)

    def error_with_cause(self) -> PluginQuarantinedError:
        error = self.error()
        error.__cause__ = self.cause
        return error


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginStatus:
    """What is known of a plugin.

    Attributes:
        kind: The flavor's type (``action``), ``hooks``, ``commands`` or ``stores``.
        name: The flavor's key, or the entry point's name.
        origin: Where it comes from.
        value: What its entry point names, e.g. ``package.module:Class``; where its class is for one made in code.
        state: ``found``, ``loaded``, ``blocked`` or ``quarantined``.
        problem: Why it is blocked or quarantined.
        error: The exception behind that.
        import_seconds: How long its import took; None while it was not imported.
        hooks: The hooks that a hook plugin implements, where it was imported and works.
        notes: What is odd about it, and keeps nothing from working.
        faults: What is wrong with it although it works.
    """

    kind: str
    name: str
    origin: Origin
    value: str
    state: str
    problem: str | None = None
    error: BaseException | None = None
    import_seconds: float | None = None
    hooks: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


class InstalledPlugins:
    """The plugins of installed distributions; metadata is read once, and a plugin imported when it is asked for."""

    def __init__(self, *, path: Sequence[str] | None, blocked: Sequence[str]) -> None:
        """Look for nothing yet.

        Args:
            path: Where to look for distributions; None for ``sys.path``.
            blocked: Names of plugins or of distributions that are not to be used.
        """
        self._path = path
        self._blocked = tuple(dict.fromkeys(map(str.strip, blocked)))
        self._blocked_plugins = frozenset(map(_plugin_key, self._blocked))
        self._blocked_distributions = frozenset(map(_distribution_key, self._blocked))
        self._found: dict[str, Claims] | None = None
        self._problems: tuple[DiscoveryProblem, ...] = ()
        self._quarantined: dict[tuple[str, str], _Quarantine] = {}
        self._import_seconds: dict[tuple[str, str], float] = {}
        self._described: dict[tuple[str, str], tuple[tuple[str, ...], tuple[str, ...]]] = {}
        self._faults: dict[tuple[str, str], tuple[str, ...]] = {}

    def problems(self) -> tuple[DiscoveryProblem, ...]:
        """Distributions whose metadata could not be read."""
        self._kinds()
        return self._problems

    def unknown_blocks(self) -> Iterator[str]:
        """What is to be blocked and is called like nothing that is installed, in words, with the nearest that is."""
        if not self._blocked:
            return
        records = [record for claims in self._kinds().values() for each in claims.values() for record in each]
        plugins = {_plugin_key(record.name): record.name for record in records}
        distributions = {_distribution_key(record.distribution): record.distribution for record in records}
        known = distributions | plugins
        for name in self._blocked:
            if _plugin_key(name) in plugins or _distribution_key(name) in distributions:
                continue
            near = difflib.get_close_matches(_plugin_key(name), known, n=1)
            instead = f" Did you mean {known[near[0]]!r}?" if near else ""
            yield f"{name!r} is to be blocked, but no plugin, and no distribution with plugins, has that name.{instead}"

    def names(self, kind: str) -> list[str]:
        """The names that are claimed, blocked ones included."""
        return sorted(self._kinds().get(kind, {}))

    def statuses(self, kind: str) -> Iterator[PluginStatus]:
        """What is known of all plugins of a kind, without importing any."""
        for name in self.names(kind):
            yield from self.statuses_of(kind, name)

    def statuses_of(self, kind: str, name: str) -> Iterator[PluginStatus]:
        """What is known of each claim to a name."""
        claims = self._kinds().get(kind, {}).get(name, [])
        open_claims = self.claims(kind, name)
        for claim in claims:
            error: PluginError | None
            if claim not in open_claims:
                state, error = "blocked", _blocked(claim)
            elif kind in FLAVOR_GROUPS and not _is_key(name):
                state, error = "quarantined", _misnamed(claim)
            elif len(open_claims) > 1:
                state, error = "quarantined", duplicate(name, map(claimant, open_claims))
            elif (quarantine := self._quarantined.get((kind, name))) is not None:
                state, error = "quarantined", quarantine.error_with_cause()
            else:
                state, error = "loaded" if (kind, name) in self._import_seconds else "found", None
            hooks, notes = self._described.get((kind, name), ((), ())) if state == "loaded" else ((), ())
            yield PluginStatus(
                kind=kind,
                name=name,
                origin=origin_of(claim),
                value=claim.value,
                state=state,
                problem=None if error is None else str(error),
                error=error,
                import_seconds=None if state == "blocked" else self._import_seconds.get((kind, name)),
                hooks=hooks,
                notes=notes,
                faults=self._faults.get((kind, name), ()) if state == "loaded" else (),
            )

    def claims(self, kind: str, name: str) -> list[EntryPointRecord]:
        """The claims to a name that are not blocked."""
        return [claim for claim in self._kinds().get(kind, {}).get(name, []) if not self._is_blocked(claim)]

    def only_claim(self, kind: str, name: str) -> EntryPointRecord | None:
        """The one claim to a name, None where nothing claims it.

        Raises:
            PluginBlockedError: All claims are blocked.
            PluginQuarantinedError: It was found to be broken, or is called what no flavor can be.
            DuplicateFlavorError: Two distributions claim it.
        """
        quarantine = self._quarantined.get((kind, name))
        if quarantine is not None:
            raise quarantine.error()
        claims = self.claims(kind, name)
        if len(claims) > 1:
            raise duplicate(name, map(claimant, claims))
        if not claims:
            blocked = self._kinds().get(kind, {}).get(name)
            if blocked:
                raise _blocked(blocked[0])
            return None
        if kind in FLAVOR_GROUPS and not _is_key(name):
            raise _misnamed(claims[0])
        return claims[0]

    def imported(self, kind: str, record: EntryPointRecord) -> object:
        """Import what a claim names.

        Raises:
            PluginQuarantinedError: Its import failed; it is quarantined from now on.
        """
        started = time.perf_counter()
        try:
            return record.load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # one broken plugin must not end the program, whatever it raises
            raise self.quarantine(
                kind, record, f"importing {record.value} failed with {in_words(error)}", error
            ) from error
        finally:
            self._import_seconds[kind, record.name] = time.perf_counter() - started

    def quarantine(
        self, kind: str, record: EntryPointRecord, problem: str, cause: BaseException
    ) -> PluginQuarantinedError:
        """Set a plugin aside; gives the error that says so.

        Later uses are told the same, without the cause's traceback: that is in this error, the log and the status.
        """
        quarantine = _Quarantine(
            message=f"The plugin {origin_of(record)} is broken: {problem}{'' if problem.endswith(('.', '?')) else '.'}",
            hint=f"Upgrade or `pip uninstall {record.distribution}`, or block it with ACTIUM_BLOCK={record.name}.",
            cause=cause,
        )
        self._quarantined[kind, record.name] = quarantine
        error = quarantine.error_with_cause()
        logger.warning("%s", error)
        logger.debug("The import of %s:", record.value, exc_info=cause)
        return error

    def describe(self, kind: str, name: str, *, notes: Iterable[str], hooks: Iterable[str] = ()) -> None:
        """Let the status of a plugin that works tell more of it."""
        self._described[kind, name] = tuple(hooks), tuple(notes)

    def find_fault(self, kind: str, name: str, faults: Iterable[str]) -> None:
        """Let the status of a plugin that works tell what is wrong with it all the same."""
        self._faults[kind, name] = tuple(faults)

    def _kinds(self) -> dict[str, Claims]:
        if self._found is None:
            kinds = {group: kind for kind, group in {**FLAVOR_GROUPS, **OTHER_GROUPS}.items()}
            found: dict[str, Claims] = {kind: {} for kind in kinds.values()}
            discovered = find_entry_points(tuple(kinds), self._path)
            for record in discovered.entry_points:
                found[kinds[record.group]].setdefault(record.name, []).append(record)
            self._problems = discovered.problems
            self._found = found
        return self._found

    def _is_blocked(self, record: EntryPointRecord) -> bool:
        return (
            _plugin_key(record.name) in self._blocked_plugins
            or _distribution_key(record.distribution) in self._blocked_distributions
        )


def names_in(variable: str) -> tuple[str, ...]:
    """The names in an environment variable, separated by commas."""
    return tuple(name.strip() for name in os.environ.get(variable, "").split(",") if name.strip())


def in_words(error: BaseException) -> str:
    """An exception in words, even one that cannot say what it is."""
    if isinstance(error, PluginError):
        return str(error)
    try:
        return f"{type(error).__name__}: {error}"
    except KeyboardInterrupt:
        raise
    except BaseException:
        return f"{type(error).__name__}, which raised another exception when asked what it is"


def duplicate(name: str, claimants: Iterator[str]) -> DuplicateFlavorError:
    """The error that a name is claimed more than once."""
    return DuplicateFlavorError(
        f"{name!r} is claimed by {' and by '.join(claimants)}.",
        hint="Uninstall one of them, or block it by the name of its distribution (ACTIUM_BLOCK=NAME).",
    )


def claimant(record: EntryPointRecord) -> str:
    """Who claims a name, in words."""
    return f"{record.distribution} {record.version} ({record.value})"


def origin_of(record: EntryPointRecord) -> Origin:
    """Where a plugin comes from."""
    return Origin(record.name, record.distribution, record.version)


def _is_key(name: str) -> bool:
    """Whether an entry point's name is ``subtype.flavor``, each a lower-case word."""
    return re.fullmatch(r"[a-z][a-z0-9_]{0,62}\.[a-z][a-z0-9_]{0,62}", name) is not None


def _misnamed(record: EntryPointRecord) -> PluginQuarantinedError:
    return PluginQuarantinedError(
        f"The plugin {origin_of(record)} is broken: {record.name!r} is no flavor key.",
        hint="Its author has to name the entry point subtype.flavor: lower-case letters, digits and underscores.",
    )


def _blocked(record: EntryPointRecord) -> PluginBlockedError:
    return PluginBlockedError(
        f"The plugin {origin_of(record)} is blocked.", hint="Take its name out of ACTIUM_BLOCK, or of what blocks it."
    )


def _distribution_key(name: str) -> str:
    """What all spellings of a distribution's name have in common, as PEP 503 says."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _plugin_key(name: str) -> str:
    """The same of a plugin's name, but that a dot is the one between the halves of a flavor's key."""
    return re.sub(r"[-_]+", "-", name).lower()
