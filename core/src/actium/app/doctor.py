"""What a crash left behind: finding it, and mending what can be mended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from actium.actions import recovery
from actium.actions.base_action import BaseActionHandler
from actium.errors import ActiumError, VersionConflictError
from actium.event_hub.beats import Beats, GoneWorker
from actium.models.action import ActionStatus
from actium.models.execution import ExecutionStatus
from actium.models.kinds import PluginType
from actium.models.page import MAX_PAGE_SIZE, Condition, Operator
from actium.plugins.origin import Origin
from actium.plugins.registry import PluginFlavorRegistry
from actium.stores.base_store import BaseStore, Query
from actium.stores.records import ActionRecord, ExecutionRecord, Record
from actium.stores.upkeep import StoreProblem

DEFAULT_GRACE = timedelta(minutes=10)
"""How long a change of an action may take before it counts as left behind by a crash."""

NO_WATCH = timedelta(0)
"""Wait for no sign of life: whoever asks in the midst of other work does not expect to wait."""

CONTRADICTION = "They stand as they were enabled. Upgrade one of them, or tell their authors."
"""What to do about hook plugins that want to be called before each other."""

FAULT = "It works for now. Upgrade it, or tell its author."
"""What to do about what is wrong with a plugin that works."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        what: What it is about, e.g. ``action 'retrain'``.
        problem: What is wrong.
        remedy: What was done about it, or what to do.
        mended: Whether it is well now.
    """

    what: str
    problem: str
    remedy: str
    mended: bool = False


class Doctor:
    """Examines a store and its plugins."""

    def __init__(self, store: BaseStore, registry: PluginFlavorRegistry, *, beats: Beats | None = None) -> None:
        """Examine nothing yet.

        Args:
            store: What to examine.
            registry: Its plugins.
            beats: Tells which workers are gone; None for an observer of its own.
        """
        self._store = store
        self._registry = registry
        self._beats = beats or Beats(store)

    def examine(
        self, *, mend: bool = False, grace: timedelta = DEFAULT_GRACE, watch: timedelta = NO_WATCH
    ) -> tuple[Finding, ...]:
        """Look for damage, for actions that a crash left half-changed, for executions without their worker, and for
        broken plugins.

        Args:
            mend: Whether to finish or undo half-made changes, to have executions tried again whose worker is gone, and
                to let the store put right what it can.
            grace: How long a change of an action may take before it counts as left behind.
            watch: For how long to wait at most for signs of life of workers on other machines, or in other containers.
                It takes one of their leases to tell that one is gone, and less to tell that none is. Without it, what
                earlier examinations have seen is all that is known of them.
        """
        return (*self.examine_store(mend=mend, grace=grace, watch=watch), *self.examine_plugins())

    def examine_store(
        self,
        *,
        mend: bool = False,
        grace: timedelta = DEFAULT_GRACE,
        watch: timedelta = NO_WATCH,
        on_wait: Callable[[float], None] = lambda seconds: None,
    ) -> tuple[Finding, ...]:
        """Look for all that `examine` looks for, but for broken plugins.

        Args:
            mend: See `examine`.
            grace: See `examine`.
            watch: See `examine`.
            on_wait: Told for how many seconds at most there is something to wait for, before that begins.
        """
        findings = self._damage(mend=mend)
        findings += [self._action(action, mend=mend) for action in self._half_changed(grace)]
        gone = self._beats.watch(watch.total_seconds(), on_wait=on_wait)
        findings += filter(None, [self._worker(worker, mend=mend) for worker in gone])
        return tuple(findings)

    def examine_plugins(self) -> tuple[Finding, ...]:
        """Import every plugin, and look for those that are broken."""
        findings = [
            Finding(what=f"distribution {problem.distribution}", problem=problem.error, remedy="Install it again.")
            for problem in self._registry.discovery_problems()
        ]
        statuses = self._registry.check()
        findings += [
            _plugin(status.kind, status.origin, status.error) for status in statuses if status.state == "quarantined"
        ]
        findings += [
            Finding(what=f"{status.kind} plugin {status.origin}", problem=fault, remedy=FAULT)
            for status in statuses
            for fault in status.faults
        ]
        findings += [
            Finding(what=f"hook plugins {', '.join(sorted(names))}", problem=problem, remedy=CONTRADICTION)
            for names, problem in self._registry.hook_contradictions()
        ]
        return tuple(findings)

    def _damage(self, *, mend: bool) -> list[Finding]:
        problems = self._store.check()
        if mend and any(problem.remedy for problem in problems):
            self._store.mend()
        return [_store(problem, mend=mend) for problem in problems]

    def _half_changed(self, grace: timedelta) -> list[ActionRecord]:
        before = datetime.now(UTC) - grace
        states = (ActionStatus.CREATING, ActionStatus.UPDATING, ActionStatus.DELETING)
        return [action for state in states for action in self._all(ActionRecord, state) if action.updated <= before]

    def _action(self, action: ActionRecord, *, mend: bool) -> Finding:
        what = f"action {action.name!r} ({action.id})"
        problem = f"has been {action.status.value} since {action.updated:%Y-%m-%d %H:%M} UTC"
        if not mend:
            return Finding(what=what, problem=problem, remedy=f"Mending will {recovery.REMEDIES[action.status]}.")
        try:
            plugin = self._registry.get_plugin(str(PluginType.ACTION), action.plugin_subtype, action.flavor)
            if not isinstance(plugin, BaseActionHandler):
                raise TypeError(f"{type(plugin).__name__} is no action handler")
            warnings = recovery.recover(plugin, action)
        except VersionConflictError:
            return Finding(
                what=what, problem=f"{problem}, and was changed while it was examined", remedy="Examine again."
            )
        except Exception as error:
            return Finding(
                what=what,
                problem=f"{problem}; mending failed: {type(error).__name__}: {error}",
                remedy="Mend the cause and try again, or delete the action with force.",
            )
        return Finding(
            what=what,
            problem="; ".join((problem, *warnings)),
            remedy=f"Did {recovery.REMEDIES[action.status]}.",
            mended=True,
        )

    def _worker(self, worker: GoneWorker, *, mend: bool) -> Finding | None:
        left = self._all(ExecutionRecord, ExecutionStatus.RUNNING, Condition("worker", Operator.EQUALS, worker.name))
        taken = self._store.remove_worker(worker.name, reason=worker.reason, beat=worker.beat) if mend else 0
        if not left or (mend and not taken):  # it has shown itself alive, or another has taken them over
            return None
        names = ", ".join(sorted({repr(execution.action_name) for execution in left}))
        return Finding(
            what=f"worker {worker.name}",
            problem=f"{worker.reason}; {len(left):,} execution(s) of {names} still say that it runs them",
            remedy="Gave them back, to be tried again."
            if mend
            else "Mending, or any worker, will have them tried again.",
            mended=mend,
        )

    def _all(self, kind: type[Record], status: ActionStatus | ExecutionStatus, *conditions: Condition) -> list[Record]:
        asked = (Condition("status", Operator.EQUALS, status.value), *conditions)
        page = self._store.page(kind, Query(project=None, conditions=asked, max_size=MAX_PAGE_SIZE))
        return list(page.records)


def _store(problem: StoreProblem, *, mend: bool) -> Finding:
    what = f"store, {problem.where}"
    if problem.remedy is None:
        return Finding(what=what, problem=problem.problem, remedy="Restore it from a backup.")
    remedy = f"{'Did' if mend else 'Mending will'} {problem.remedy}."
    return Finding(what=what, problem=problem.problem, remedy=remedy, mended=mend)


def _plugin(kind: str, origin: Origin, error: BaseException | None) -> Finding:
    remedy = error.hint if isinstance(error, ActiumError) else None
    problem = error.message if isinstance(error, ActiumError) else "It is quarantined."
    return Finding(
        what=f"{kind} plugin {origin}",
        problem=problem,
        remedy=f"{remedy or 'Upgrade it.'} `actium plugin check` shows where it comes from.",
    )
