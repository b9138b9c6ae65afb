"""Executions, as callers work with them."""

from __future__ import annotations

from uuid import UUID

from actium.app.doors import expect
from actium.app.lookup import find_id, list_page
from actium.errors import NotFoundError
from actium.models.execution import (
    TriggerExecutionFilter,
    TriggerExecutionResources,
    TriggerExecutionResponse,
)
from actium.models.page import Page
from actium.stores.base_store import BaseStore
from actium.stores.records import ActionRecord, EventRecord, ExecutionRecord, Record, TriggerRecord
from actium.stores.responses import action_response, execution_response, trigger_response


class Executions:
    """The executions of an application."""

    def __init__(self, store: BaseStore, project: str) -> None:
        self._store = store
        self._project = project

    def get(self, reference: UUID | str, *, hydrate: bool = True) -> TriggerExecutionResponse:
        """Read an execution by its id or a unique beginning of it.

        Raises:
            NotFoundError, AmbiguousReferenceError: None, or several fit.
        """
        return self._response(self._store.get(ExecutionRecord, self._id(reference)), hydrate=hydrate)

    def list(
        self, asked: TriggerExecutionFilter | None = None, *, hydrate: bool = False
    ) -> Page[TriggerExecutionResponse]:
        """List executions.

        Raises:
            InvalidQueryError: The filter asks for something that does not exist.
        """
        return list_page(
            self._store,
            ExecutionRecord,
            TriggerExecutionFilter() if asked is None else expect(asked, TriggerExecutionFilter),
            lambda execution: self._response(execution, hydrate=hydrate),
            project=self._project,
        )

    def cancel(self, reference: UUID | str) -> TriggerExecutionResponse:
        """Cancel an execution: a pending one at once; a running one when its handler heeds the request.

        Raises:
            NotFoundError, AmbiguousReferenceError: None, or several fit.
            ConflictError: It has ended already.
        """
        return self._response(self._store.request_cancel(self._id(reference)), hydrate=True)

    def _response(self, execution: ExecutionRecord, *, hydrate: bool) -> TriggerExecutionResponse:
        if not hydrate:
            return execution_response(execution, hydrate=False)
        event = None if execution.event_id is None else self._store.get(EventRecord, execution.event_id)
        action = self._if_there(ActionRecord, execution.action_id)
        trigger = None if execution.trigger_id is None else self._if_there(TriggerRecord, execution.trigger_id)
        return execution_response(
            execution,
            event=event,
            attempts=self._store.attempts(execution.id),
            resources=TriggerExecutionResources(
                action=None if action is None else action_response(action, hydrate=False),
                trigger=None if trigger is None else trigger_response(trigger, hydrate=False),
            ),
        )

    def _if_there(self, kind: type[Record], record_id: UUID) -> Record | None:
        try:
            return self._store.get(kind, record_id)
        except NotFoundError:
            return None  # deleted since; the execution outlives it

    def _id(self, reference: UUID | str) -> UUID:
        return find_id(self._store, ExecutionRecord, self._project, reference)
