"""The triggers that a hub matches events with, kept in memory as of one generation."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from uuid import UUID

from actium.event_hub.matching import Match, MatchIndex
from actium.filters import parse_filters
from actium.models.event import ContextAttributes, Event
from actium.stores.base_store import BaseStore
from actium.stores.publications import ExecutionDraft
from actium.stores.records import TriggerRecord


class TriggerIndexes:
    """The active triggers of all projects, as of one generation."""

    def __init__(self, store: BaseStore) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._generation = 0
        self._loaded = False
        self._projects: dict[str, MatchIndex] = {}
        self._triggers: dict[UUID, TriggerRecord] = {}
        self._problems: dict[str, dict[UUID, str]] = {}

    def matching(self, project: str, events: Sequence[Event]) -> tuple[int, list[Sequence[ExecutionDraft]]]:
        """A generation, and for each event one execution for each of its triggers that matches.

        Events that match the same get the same object.

        Filters are evaluated without the lock. What is put meanwhile belongs to a newer generation than the one that is
        told, so a store that checks it never takes a mixture.
        """
        if not self._loaded:
            self.refresh()
        with self._lock:
            generation, index = self._generation, self._projects.get(project)
            broken = [Match(key, problem) for key, problem in self._problems.get(project, {}).items()]
        if index is None:
            return generation, [()] * len(events)
        matches = index.match_each(map(ContextAttributes, events), [event.data for event in events])
        if broken:
            matches = [[*found, *broken] for found in matches]
        with self._lock:
            return generation, self._drafts(matches)

    def _drafts(self, matches: Sequence[Sequence[Match]]) -> list[Sequence[ExecutionDraft]]:
        """For each of several events, the executions of what it matches; what is removed meanwhile is passed over."""
        triggers = self._triggers
        drafts: list[Sequence[ExecutionDraft]] = []
        latest: Sequence[Match] | None = None
        wanted: Sequence[ExecutionDraft] = ()
        for found in matches:
            if found is not latest:  # most events of a moment match the same
                there = [match for match in found if match.key in triggers]
                latest, wanted = found, tuple([_draft(triggers[match.key], match.problem) for match in there])
            drafts.append(wanted)
        return drafts

    def refresh(self) -> None:
        """Take in what happened to triggers since the last time."""
        with self._lock:
            changes = self._store.trigger_changes(self._generation)
            if changes.generation < self._generation:  # the store was put back to an earlier state
                self._projects, self._triggers, self._problems = {}, {}, {}
                changes = self._store.trigger_changes(0)
            for trigger_id in changes.removed:
                self._discard(trigger_id)
            for trigger in changes.changed:
                self._discard(trigger.id)
                if trigger.is_active:
                    self._put(trigger)
            self._generation = changes.generation
            self._loaded = True

    def _put(self, trigger: TriggerRecord) -> None:
        self._triggers[trigger.id] = trigger
        index = self._projects.setdefault(trigger.project, MatchIndex())
        if trigger.match_all:
            index.put(trigger.id, None)
            return
        try:
            index.put(trigger.id, parse_filters(trigger.filters))
        except ValueError as error:  # e.g. a dialect of a newer version: told at every event, never passed over
            self._problems.setdefault(trigger.project, {})[trigger.id] = f"its filter cannot be read: {error}"

    def _discard(self, trigger_id: UUID) -> None:
        trigger = self._triggers.pop(trigger_id, None)
        if trigger is not None:
            self._projects[trigger.project].discard(trigger_id)
            self._problems.get(trigger.project, {}).pop(trigger_id, None)


def _draft(trigger: TriggerRecord, problem: str | None) -> ExecutionDraft:
    """What is to be run, which trigger asks for it, and why it cannot be."""
    told = None if problem is None else f"the trigger {trigger.name!r} could not be matched: {problem}"
    return ExecutionDraft(trigger.action_id, trigger.id, told)
