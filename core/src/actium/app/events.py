"""Events, as callers work with them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from uuid import UUID

from actium.app.doors import expect
from actium.app.lookup import find_id, find_record, list_page
from actium.event_hub.event_hub import EventHub
from actium.event_hub.in_turn import InTurn
from actium.event_hub.publisher import PUBLISHED_TOGETHER, Publisher
from actium.models.event import Event, EventFilter, EventResponse
from actium.models.page import Page
from actium.models.published import PublishedEvent, PublishedEvents
from actium.stores.base_store import BaseStore
from actium.stores.records import EventRecord
from actium.stores.responses import event_response


def _batches(events: Iterable[Event]) -> Iterator[list[Event]]:
    """Events in batches; a generator would keep the last one for as long as it makes the next."""
    remaining = iter(events)
    return iter(lambda: [expect(event, Event) for event in itertools.islice(remaining, PUBLISHED_TOGETHER)], [])


class Events:
    """The events of an application."""

    def __init__(self, store: BaseStore, hub: EventHub, project: str) -> None:
        self._store = store
        self._hub = hub
        self._publisher = Publisher(hub)
        self._project = project

    def publish(self, event: Event, *, project: str | None = None) -> PublishedEvent:
        """Store an event with one execution a matching trigger. When this returns, all of it is durable.

        Args:
            event: The event; one whose (source, id) is known already changes nothing.
            project: Whose triggers are matched; None for the application's project.

        Returns:
            The ids; the first publication's where the event was known already.
        """
        return self._hub.publish_event(expect(event, Event), project or self._project)

    def publish_many(self, events: Iterable[Event], *, project: str | None = None) -> PublishedEvents:
        """Store many events, in transactions of up to 128, each all or nothing.

        While a transaction is written, the next events are taken from the iterable. When this returns, all of it is
        durable; when it raises, the events before the transaction that failed are, and none behind it. Publishing all
        of them again is harmless where they have ids of their own.

        Returns:
            What became of each, in their order; made where it is asked for.
        """
        batches = _batches(events)
        first = next(batches, [])
        if len(first) < PUBLISHED_TOGETHER:
            return self._hub.publish_events(first, project or self._project) if first else PublishedEvents()
        return InTurn(self._hub, project or self._project).store(itertools.chain([first], batches))

    async def apublish(self, event: Event, *, project: str | None = None) -> PublishedEvent:
        """As `publish`, for coroutines; those that wait at one time are stored in one transaction."""
        return await self._publisher.publish(expect(event, Event), project or self._project)

    def close(self) -> None:
        """End the thread that stores what coroutines publish."""
        self._publisher.close()

    def replay(self, reference: UUID | str) -> PublishedEvent:
        """Match a stored event with the triggers of now, and run what it matches, whatever it has led to before.

        Returns:
            The event's id, and the executions that are new.

        Raises:
            NotFoundError, AmbiguousReferenceError: None, or several fit.
        """
        event_id = find_id(self._store, EventRecord, self._project, reference)
        return self._hub.replay_event(event_id)

    def get(self, reference: UUID | str, *, hydrate: bool = True) -> EventResponse:
        """Read an event by its id or its CloudEvents id, or a unique beginning of either.

        Raises:
            NotFoundError, AmbiguousReferenceError: None, or several fit.
        """
        record = find_record(self._store, EventRecord, self._project, reference)
        return self._response(record, hydrate=hydrate)

    def list(self, asked: EventFilter | None = None, *, hydrate: bool = False) -> Page[EventResponse]:
        """List events.

        Raises:
            InvalidQueryError: The filter asks for something that does not exist.
        """
        return list_page(
            self._store,
            EventRecord,
            EventFilter() if asked is None else expect(asked, EventFilter),
            lambda found: [self._response(record, hydrate=hydrate) for record in found],
            project=self._project,
        )

    def _response(self, record: EventRecord, *, hydrate: bool) -> EventResponse:
        executions = self._store.executions_of_event(record.id) if hydrate else ()
        return event_response(record, hydrate=hydrate, executions=executions)
