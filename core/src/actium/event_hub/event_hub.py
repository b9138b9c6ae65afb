"""The hub on a store: publishing, matching, and executions by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from actium import process_copies
from actium.errors import VersionConflictError
from actium.event_hub.base_event_hub import ActionCallback, BaseEventHub
from actium.event_hub.offers import Offer
from actium.event_hub.trigger_indexes import TriggerIndexes
from actium.models.base import DEFAULT_PROJECT, assembled
from actium.models.event import Event
from actium.models.execution import TriggerExecutionResponse
from actium.models.ids import new_id, new_ids
from actium.models.plain_json import copied
from actium.models.published import PublishedEvent, PublishedEvents
from actium.models.trigger import TriggerResponse
from actium.plugins.publishing import Publishing
from actium.plugins.relay import Observers
from actium.running import caused, current_execution
from actium.stores.base_store import BaseStore, StaleTriggersError
from actium.stores.claims import Along
from actium.stores.publications import EventDraft, Recorded, RecordedEvent
from actium.stores.records import EventRecord, ExecutionRecord, TriggerRecord
from actium.stores.responses import event_of, execution_response, trigger_response

Answer = PublishedEvent | BaseException
"""What the publisher of an event gets: what became of it, or what to raise."""

_USUAL_ATTRIBUTES: Final = {"specversion": "1.0"}
"""The further attributes of most events: one object, for a store writes what a transaction's rows share only once."""


class EventHub(BaseEventHub):
    """Takes events in for one store.

    The triggers are kept in memory, indexed by what they match. Each publication names the generation of triggers
    that it was matched with, and the store refuses an old one, so that a trigger that another process has just
    changed counts from the next event on.
    """

    def __init__(
        self,
        store: BaseStore,
        *,
        observers: Callable[[], Observers],
        find_handler: Callable[[str, str], object] | None = None,
        on_stored: Callable[[], object] = lambda: None,
        offer: Callable[[int], Offer | None] = lambda most: None,
        expect_more: Callable[[], Callable[[], object]] = lambda: lambda: None,
    ) -> None:
        """Make a hub.

        Args:
            store: Where triggers, events and executions are.
            observers: Gives the hook plugins' observers.
            find_handler: Called with subtype and flavor when no handler of that flavor is subscribed yet; makes
                the handler, which subscribes itself.
            on_stored: Called whenever executions were stored that wait for a worker, e.g. to wake one.
            offer: Called with a number of executions that are about to be stored; gives the room that a worker of this
                process has for them.
            expect_more: Called when more events are about to be stored than one transaction takes; gives what is to be
                called when they are.
        """
        super().__init__()
        self._store = store
        self._observers = observers
        self._find_handler = find_handler
        self._on_stored = on_stored
        self._offer = offer
        self.expect_more = expect_more
        self._begin_anew()
        process_copies.begin_with(self, EventHub._begin_anew)

    def _begin_anew(self) -> None:
        self._triggers = TriggerIndexes(self._store)

    def action_callback(self, action_flavor: str, action_subtype: str) -> ActionCallback:
        """The callback of a flavor; its handler is made when it is needed for the first time."""
        callback = self._callbacks.get((action_subtype, action_flavor))
        if callback is not None:
            return callback
        if self._find_handler is not None:
            self._find_handler(action_subtype, action_flavor)
        return super().action_callback(action_flavor, action_subtype)

    def activate_trigger(self, trigger_id: UUID) -> TriggerResponse:
        """See `BaseEventHub.activate_trigger`."""
        return self._set_active(trigger_id, active=True)

    def deactivate_trigger(self, trigger_id: UUID) -> TriggerResponse:
        """See `BaseEventHub.deactivate_trigger`."""
        return self._set_active(trigger_id, active=False)

    def publish_event(self, event: Event, project: str = DEFAULT_PROJECT) -> PublishedEvent:
        """See `BaseEventHub.publish_event`."""
        if self._are_observed:
            return _published_all(self.store_events(self.begin([event]), project))[0]
        return _published(self._store_drafts(self._drafts([caused(event)], project), project)[0])

    def publish_events(self, events: Sequence[Event], project: str = DEFAULT_PROJECT) -> PublishedEvents:
        """See `BaseEventHub.publish_events`."""
        return self.prepare_events(events, project)()

    def prepare_events(self, events: Sequence[Event], project: str) -> Callable[[], PublishedEvents]:
        """As `publish_events`, but for storing them, which another thread may do: it is what is returned.

        Events are let go of by then, unless hook plugins see them, so that of those that wait to be stored less is
        left to keep and to look through.
        """
        if self._are_observed:
            return partial(self._publish_observed, events, project)
        if current_execution() is not None:
            events = list(map(caused, events))
        return partial(self._publish_drafts, self._drafts(events, project), project)

    def begin(self, events: Iterable[Event]) -> list[Publishing]:
        """Begin to publish events, where their publisher calls; all of them have to be stored.

        Raises:
            BaseException: What a hook plugin refuses one of them with; then all of them are given up.
        """
        observers = self._observers()
        hooks, is_observed = observers.publishing, observers.see_events
        begun: list[Publishing] = []
        with _told_of_failure(begun):
            for event in events:
                entered = hooks.enter(caused(event), is_observed=is_observed)
                begun.append(entered)  # at once, for those before one that is refused are told
        return begun

    def store_events(self, begun: Sequence[Publishing], project: str) -> list[Answer]:
        """Store events that were begun with, in one transaction; from any thread.

        Returns:
            What to tell the publisher of each, now that all hook plugins know how their events have ended. It raises
            nothing of what keeps events from being stored, or of what hook plugins raise.
        """
        try:
            events = [one.event for one in begun]
            recorded = self._store_drafts(self._drafts(events, project), project)
        except BaseException as error:
            return [one.fail(error) for one in begun]
        with _closed_at_last(begun):
            answers = [one.end(_published(became)) for one, became in zip(begun, recorded, strict=True)]
            observers = self._observers()
            if observers.see_events:
                answers = [_observed(observers, *each) for each in zip(begun, recorded, answers, strict=True)]
        return answers

    def replay_event(self, event_id: UUID) -> PublishedEvent:
        """See `BaseEventHub.replay_event`."""
        record = self._store.get(EventRecord, event_id)
        drafts = self._matched([record], [event_of(record)], record.project, is_replay=True)
        return _published(self._store_drafts(drafts, record.project)[0])

    def trigger_action(
        self, action_id: UUID, event: Event | None = None, project: str = DEFAULT_PROJECT
    ) -> TriggerExecutionResponse:
        """See `BaseEventHub.trigger_action`."""
        begun = self.begin([] if event is None else [event])
        with _told_of_failure(begun):
            record = event_records([begun[0].event], project)[0] if begun else None
            execution = self._store.insert_execution(
                new_id(),
                action_id,
                project=project,
                event=record,
                cause=current_execution(),
            )
        self._on_stored()
        with _closed_at_last(begun):
            _raise_first([publishing.end(_given(execution, record)) for publishing in begun])
        if record is not None and execution.event_id is not None and execution.event_id != record.id:
            record = self._store.get(EventRecord, execution.event_id)  # known already; that is what the handler gets
        return execution_response(execution, event=record)

    @property
    def _are_observed(self) -> bool:
        """Whether a hook plugin sees or changes events."""
        observers = self._observers()
        return observers.publishing.is_wrapped or observers.see_events

    def _publish_observed(self, events: Sequence[Event], project: str) -> PublishedEvents:
        published = _published_all(self.store_events(self.begin(events), project))
        return PublishedEvents((one.id, one.executions, one.duplicate) for one in published)

    def _publish_drafts(self, drafts: Sequence[EventDraft], project: str) -> PublishedEvents:
        recorded = self._store_drafts(drafts, project)
        return PublishedEvents((one.id, one.execution_ids, one.duplicate) for one in recorded)

    def _drafts(self, events: Sequence[Event], project: str) -> list[EventDraft]:
        """New events, as they are to be stored."""
        return self._matched(event_records(events, project), events, project)

    def _matched(
        self, records: Sequence[EventRecord], events: Sequence[Event], project: str, *, is_replay: bool = False
    ) -> list[EventDraft]:
        process_copies.notice()
        generation, matched = self._triggers.matching(project, events)
        ids, drafts, start = new_ids(sum(map(len, matched))), [], 0
        for record, executions in zip(records, matched, strict=True):
            end = start + len(executions)
            cause = _cause(record, is_replay=is_replay)
            drafts.append(EventDraft(record, executions, tuple(ids[start:end]), generation, cause, is_replay))
            start = end
        return drafts

    def _matched_anew(self, drafts: Sequence[EventDraft], project: str) -> list[EventDraft]:
        """Drafts with what their events match since the triggers have changed."""
        self._triggers.refresh()
        records = [draft.event for draft in drafts]
        is_replay = any(draft.is_replay for draft in drafts)
        return self._matched(records, list(map(event_of, records)), project, is_replay=is_replay)

    def _store_drafts(self, drafts: Sequence[EventDraft], project: str) -> Sequence[RecordedEvent]:
        """Store drafts, and tell the workers if any of their executions waits for one."""
        while True:
            try:
                recorded = self._stored(drafts)
            except StaleTriggersError:
                drafts = self._matched_anew(drafts, project)
            else:
                break
        new = sum([len(one.execution_ids) for one in recorded.events if not one.duplicate])
        if new > len(recorded.claims):
            self._on_stored()
        return recorded.events

    def _stored(self, drafts: Sequence[EventDraft]) -> Recorded:
        """Store, and let a worker of this process begin with what it has room for."""
        number = sum([len(draft.executions) for draft in drafts])
        offer, along = None, Along(tuple)
        try:
            offer = self._offer(number) if number else None
            if offer is None:
                return self._store.record_events(drafts)
            along.take = offer.endings
            recorded = self._store.record_events(drafts, worker=offer.worker, limit=offer.room, along=along)
        except BaseException:
            if offer is not None:
                offer.fail(along)
            raise
        offer.take(recorded.claims, along)
        return recorded

    def _set_active(self, trigger_id: UUID, *, active: bool) -> TriggerResponse:
        while True:
            trigger = self._store.get(TriggerRecord, trigger_id)
            if trigger.is_active is active:
                return trigger_response(trigger)
            try:
                changed = self._store.update_trigger(
                    replace(trigger, is_active=active), expected_version=trigger.version
                )
            except VersionConflictError:
                continue  # someone changed another field in between; that change stays
            return trigger_response(changed)


def _published(recorded: RecordedEvent) -> PublishedEvent:
    fields = {"id": recorded.id, "executions": recorded.execution_ids, "duplicate": recorded.duplicate}
    return assembled(PublishedEvent, fields)


def _given(execution: ExecutionRecord, record: EventRecord | None) -> PublishedEvent:
    """What became of an event that was given to an action by hand."""
    is_known = record is None or execution.event_id != record.id
    fields = {"id": execution.event_id, "executions": (execution.id,), "duplicate": is_known}
    return assembled(PublishedEvent, fields)


def _published_all(answers: Sequence[Answer]) -> list[PublishedEvent]:
    """What became of events that have one publisher.

    Raises:
        BaseException: What that is to be told, first.
    """
    _raise_first(answers)
    return [one for one in answers if not isinstance(one, BaseException)]


def _raise_first(answers: Sequence[Answer]) -> None:
    """Raise what the publisher of them all is to be told; Ctrl-C and the like are not lost behind an `Exception`."""
    raised = [one for one in answers if isinstance(one, BaseException)]
    if raised:
        raise min(raised, key=lambda one: isinstance(one, Exception))


def _observed(observers: Observers, publishing: Publishing, recorded: RecordedEvent, answer: Answer) -> Answer:
    """Tell observers of an event that is stored; what to tell its publisher after that."""
    if recorded.duplicate:
        return answer
    try:
        with publishing.told():
            observers.event_published(publishing.event, recorded.execution_ids)
    except BaseException as error:
        return error
    return answer


@contextmanager
def _told_of_failure(begun: Sequence[Publishing]) -> Iterator[None]:
    """Tell the hooks around events what keeps them from being stored."""
    try:
        yield
    except BaseException as error:
        _raise_first([error, *(publishing.fail(error) for publishing in begun)])
        raise


@contextmanager
def _closed_at_last(begun: Sequence[Publishing]) -> Iterator[None]:
    try:
        yield
    finally:
        for publishing in begun:
            publishing.close()


def _cause(event: EventRecord, *, is_replay: bool) -> UUID | None:
    """The execution that has caused an event to be matched: who replays it, or else the one that the event names.

    None where it names none, or something else.
    """
    if is_replay and (replaying := current_execution()) is not None:
        return replaying
    cause = event.attributes.get("causationid")
    if cause is None:
        return None
    try:
        return UUID(str(cause))
    except ValueError:
        return None


def event_records(events: Sequence[Event], project: str) -> list[EventRecord]:
    """Events as they are stored: their publisher may change what their data holds, and handlers still get this."""
    received = datetime.now(UTC)
    return [
        EventRecord(
            event_id,
            project,
            event.id,
            event.source,
            event.type,
            event.subject,
            event.time,
            received,
            _further_attributes(event),
            copied(event.data),
        )
        for event_id, event in zip(new_ids(len(events)), events, strict=True)
    ]


def _further_attributes(event: Event) -> dict[str, Any]:
    """The attributes that have no column of their own."""
    extensions = event.extensions()
    if not extensions and event.datacontenttype is None and event.dataschema is None:
        return _USUAL_ATTRIBUTES
    attributes = {
        "specversion": event.specversion,
        "datacontenttype": event.datacontenttype,
        "dataschema": event.dataschema,
        **extensions,
    }
    return {name: value for name, value in attributes.items() if value is not None}
