"""Executions, as callers work with them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from actium.app.doors import expect
from actium.app.execution_traces import execution_trace
from actium.app.lookup import find_id, find_record, list_page
from actium.errors import ConflictError, ExecutionFailedError, ExecutionNotEndedError, NotFoundError
from actium.event_hub.endings import Endings
from actium.models.execution import (
    ExecutionStatus,
    TriggerExecutionFilter,
    TriggerExecutionResources,
    TriggerExecutionResponse,
)
from actium.models.page import MAX_PAGE_SIZE, Page
from actium.stores.base_store import BaseStore
from actium.stores.records import ActionRecord, EventRecord, ExecutionRecord, Record, TriggerRecord
from actium.stores.responses import action_response, execution_response, trigger_response
from actium.tracing.spans import Trace

LOOK_INTERVAL = 0.25
"""Seconds between looks at an execution that is waited for: another process may be what ends it."""

_ENDED = {
    ExecutionStatus.FAILED: "failed",
    ExecutionStatus.CANCELLED: "been cancelled",
    ExecutionStatus.SKIPPED: "been skipped",
}


class Executions:
    """The executions of an application."""

    def __init__(self, store: BaseStore, project: str, *, endings: Endings, wake_workers: Callable[[], object]) -> None:
        self._store = store
        self._project = project
        self._endings = endings
        self._wake_workers = wake_workers

    def get(self, reference: UUID | str, *, hydrate: bool = True) -> TriggerExecutionResponse:
        """Read an execution by its id or a unique beginning of it.

        Raises:
            NotFoundError, AmbiguousReferenceError: None, or several fit.
        """
        return self._response(find_record(self._store, ExecutionRecord, self._project, reference), hydrate=hydrate)

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

    def trace(self, reference: UUID | str) -> Trace:
        """How an execution went: its event, its trigger, itself, its attempts, and what every plugin did in those.

        Of attempts is known what their action's ``trace`` asked to be kept: by default of those that failed.

        Raises:
            NotFoundError, AmbiguousReferenceError: None, or several fit.
        """
        return execution_trace(self._store, find_record(self._store, ExecutionRecord, self._project, reference))

    def cancel(self, reference: UUID | str) -> TriggerExecutionResponse:
        """Cancel an execution: a pending one at once; a running one when its handler heeds the request.

        Raises:
            NotFoundError, AmbiguousReferenceError: None, or several fit.
            ConflictError: It has ended already.
        """
        cancelled = self._store.request_cancel(self._id(reference))
        if cancelled.status.is_final:
            self._endings.announce([cancelled.id])
        self._wake_workers()
        return self._response(cancelled, hydrate=True)

    def retry(self, reference: UUID | str, *, latest: bool = False) -> TriggerExecutionResponse:
        """Make an execution that has failed, or was cancelled or skipped, pending again; its attempts are kept.

        It keeps its id, which handlers pass on as their idempotency key, and gets as many new attempts as its
        action's run policy allows.

        Args:
            reference: Which one.
            latest: Whether it runs the action's present revision and service account, in place of its own.

        Raises:
            NotFoundError, AmbiguousReferenceError: None, or several fit.
            ConflictError: It has not ended, or has succeeded.
            NotReadyError: Its action was deleted.
        """
        again = self._store.retry_execution(self._id(reference), latest=latest)
        self._wake_workers()
        return self._response(again, hydrate=True)

    def retry_all(
        self, asked: TriggerExecutionFilter | None = None, *, latest: bool = False
    ) -> tuple[TriggerExecutionResponse, ...]:
        """Retry every execution that a filter finds and that can be retried.

        Args:
            asked: Which; those that have failed where it names no status. Its page is not heeded.
            latest: See `retry`.

        Returns:
            What is pending again; one that someone else has changed meanwhile, or whose action is gone, is left out.

        Raises:
            InvalidQueryError: The filter asks for something that does not exist.
        """
        asked = (asked or TriggerExecutionFilter()).model_copy(update={"index": 1, "max_size": MAX_PAGE_SIZE})
        if asked.status is None:
            asked = asked.model_copy(update={"status": ExecutionStatus.FAILED})
        page = self.list(asked)
        found = [one.id for one in page.items]
        for index in range(2, page.total_pages + 1):
            found += [one.id for one in self.list(asked.model_copy(update={"index": index})).items]
        retried: list[TriggerExecutionResponse] = []
        for execution_id in found:
            with contextlib.suppress(ConflictError, NotFoundError):
                retried.append(execution_response(self._store.retry_execution(execution_id, latest=latest)))
        self._wake_workers()
        return tuple(retried)

    def wait(self, reference: UUID | str, timeout: float | None = None) -> TriggerExecutionResponse:
        """Wait until an execution has ended.

        Args:
            reference: Which one.
            timeout: Seconds to wait at most; None for as long as it takes.

        Returns:
            It in its final state, hydrated.

        Raises:
            NotFoundError, AmbiguousReferenceError: None, or several fit.
            ExecutionNotEndedError: It has not ended in time; it goes on.
        """
        execution_id, ended = self._id(reference), threading.Event()
        until = None if timeout is None else time.monotonic() + timeout
        with self._endings.listening(execution_id, ended.set):
            while True:
                execution = self._store.get(ExecutionRecord, execution_id)
                if execution.status.is_final:
                    return self._response(execution, hydrate=True)
                left = LOOK_INTERVAL if until is None else min(LOOK_INTERVAL, until - time.monotonic())
                if left <= 0:
                    raise _not_ended(execution, timeout)
                ended.wait(left)

    async def await_end(self, reference: UUID | str) -> TriggerExecutionResponse:
        """As `wait`, for coroutines: the event loop goes on meanwhile. Bound it with ``asyncio.timeout``.

        Raises:
            NotFoundError, AmbiguousReferenceError: None, or several fit.
        """
        execution_id, loop, ended = self._id(reference), asyncio.get_running_loop(), asyncio.Event()
        with self._endings.listening(execution_id, lambda: loop.call_soon_threadsafe(ended.set)):
            while True:
                execution = self._store.get(ExecutionRecord, execution_id)
                if execution.status.is_final:
                    return self._response(execution, hydrate=True)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_INTERVAL):
                        await ended.wait()

    async def await_result(self, reference: UUID | str) -> Any:
        """Wait, in a coroutine, for what an execution's handler returns.

        Raises:
            ExecutionFailedError: It has ended without a result; the error says how.
            NotFoundError, AmbiguousReferenceError: None, or several fit.
        """
        ended = await self.await_end(reference)
        if ended.status is not ExecutionStatus.SUCCEEDED:
            raise ExecutionFailedError(
                f"Execution {ended.id} of {ended.name!r} has {_ENDED[ended.status]}: {ended.reason}.",
                status=ended.status.value,
                hint=f"`actium execution show {ended.id}` tells more.",
            )
        return ended.result

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


def _not_ended(execution: ExecutionRecord, timeout: float | None) -> ExecutionNotEndedError:
    return ExecutionNotEndedError(
        f"Execution {execution.id} of {execution.action_name!r} is still {execution.status.value} after {timeout:g} s.",
        hint="It goes on; wait longer, or see whether a worker runs.",
    )
