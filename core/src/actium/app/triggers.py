"""Triggers, as callers work with them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

from actium.app.doors import expect
from actium.app.lookup import find_id, find_record, list_page
from actium.errors import InvalidFilterError, VersionConflictError
from actium.event_hub.event_hub import EventHub
from actium.filters import EventView, ExplainedNode, explain, parse_filters
from actium.models.page import Page
from actium.models.trigger import TriggerFilter, TriggerRequest, TriggerResponse, TriggerUpdate
from actium.stores.base_store import BaseStore
from actium.stores.records import ActionRecord, EventRecord, TriggerRecord
from actium.stores.responses import event_of, trigger_response


class Triggers:
    """The triggers of an application."""

    def __init__(self, store: BaseStore, hub: EventHub, project: str) -> None:
        self._store = store
        self._hub = hub
        self._project = project

    def create(self, request: TriggerRequest) -> TriggerResponse:
        """Create a trigger.

        Raises:
            InvalidFilterError: A filter cannot be understood, or there is none and ``match_all`` is not said.
            AlreadyExistsError: The name is taken in its project.
            NotFoundError: There is no such action in the project.
            NotReadyError: The action is being created or deleted.
        """
        expect(request, TriggerRequest)
        _check_filters(request.filters, match_all=request.match_all)
        now = datetime.now(UTC)
        trigger = TriggerRecord(
            id=uuid4(),
            project=request.project or self._project,
            name=request.name,
            description=request.description,
            action_id=request.action_id,
            filters=request.filters,
            match_all=request.match_all,
            is_active=request.is_active,
            version=1,
            created=now,
            updated=now,
        )
        self._store.insert_trigger(trigger)
        return self._response(trigger, hydrate=True)

    def get(self, reference: UUID | str, *, hydrate: bool = True) -> TriggerResponse:
        """Read a trigger by id, name, or a unique beginning of either.

        Raises:
            NotFoundError, AmbiguousReferenceError: None, or several fit.
        """
        return self._response(find_record(self._store, TriggerRecord, self._project, reference), hydrate=hydrate)

    def list(self, asked: TriggerFilter | None = None, *, hydrate: bool = False) -> Page[TriggerResponse]:
        """List triggers.

        Raises:
            InvalidQueryError: The filter asks for something that does not exist.
        """
        return list_page(
            self._store,
            TriggerRecord,
            TriggerFilter() if asked is None else expect(asked, TriggerFilter),
            lambda found: [self._response(trigger, hydrate=hydrate) for trigger in found],
            project=self._project,
        )

    def update(self, reference: UUID | str, update: TriggerUpdate) -> TriggerResponse:
        """Change a trigger; it counts from the next event on.

        Raises:
            NotFoundError, AmbiguousReferenceError: None, or several fit.
            InvalidFilterError: A filter cannot be understood.
            AlreadyExistsError: The new name is taken.
            VersionConflictError: Someone else changed it meanwhile.
        """
        expect(update, TriggerUpdate)
        trigger = find_record(self._store, TriggerRecord, self._project, reference)
        if update.version not in {None, trigger.version}:
            raise VersionConflictError(
                f"The trigger {trigger.name!r} is at version {trigger.version}, not {update.version}.",
                hint="Read it again and repeat the change.",
            )
        changed = replace(trigger, **update.changes())
        if {"filters", "match_all"} & update.model_fields_set:
            _check_filters(changed.filters, match_all=changed.match_all)
        stored = self._store.update_trigger(changed, expected_version=trigger.version)
        return self._response(stored, hydrate=True)

    def enable(self, reference: UUID | str) -> TriggerResponse:
        """Match a trigger from the next event on.

        Raises:
            NotFoundError, AmbiguousReferenceError: None, or several fit.
        """
        return self._hub.activate_trigger(self._id(reference))

    def disable(self, reference: UUID | str) -> TriggerResponse:
        """Stop matching a trigger from the next event on.

        Raises:
            NotFoundError, AmbiguousReferenceError: None, or several fit.
        """
        return self._hub.deactivate_trigger(self._id(reference))

    def delete(self, reference: UUID | str) -> None:
        """Delete a trigger; its executions stay.

        Raises:
            NotFoundError, AmbiguousReferenceError: None, or several fit.
        """
        self._store.delete_trigger(self._id(reference))

    def explain(self, reference: UUID | str, event: UUID | str) -> ExplainedNode | None:
        """Why a trigger matches a stored event or not: its filters as they are now, with the outcome of each part.

        Returns:
            The explained filters, or None for a trigger that matches all events.

        Raises:
            NotFoundError, AmbiguousReferenceError: None, or several fit, of either.
        """
        trigger = find_record(self._store, TriggerRecord, self._project, reference)
        record = find_record(self._store, EventRecord, self._project, event)
        if trigger.match_all:
            return None
        view = EventView(attributes=event_of(record).attributes(), data=record.data)
        return explain(parse_filters(trigger.filters), view)

    def _response(self, trigger: TriggerRecord, *, hydrate: bool) -> TriggerResponse:
        action = self._store.get(ActionRecord, trigger.action_id) if hydrate else None
        return trigger_response(trigger, hydrate=hydrate, action=action)

    def _id(self, reference: UUID | str) -> UUID:
        return find_id(self._store, TriggerRecord, self._project, reference)


def _check_filters(filters: list[dict[str, object]], *, match_all: bool) -> None:
    if match_all:
        if filters:
            raise InvalidFilterError(
                "A trigger cannot have filters and match all events.", hint="Leave one of the two out."
            )
        return
    if not filters:
        raise InvalidFilterError(
            "A trigger without filters would match nothing or everything.",
            hint="Give filters such as [{'exact': {'type': 'com.example.arrived'}}], or match_all=True.",
        )
    parse_filters(filters)
