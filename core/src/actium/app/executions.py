"""Executions, as callers work with them."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Collection, Sequence
from types import MappingProxyType
from typing import Any
from uuid import UUID

from actium.app.awaiting import LOOK_INTERVAL, AwaitedEnds
from actium.app.doors import expect
from actium.app.execution_traces import execution_trace
from actium.app.lookup import find_id, find_record, list_page
from actium.errors import (
    ConflictError,
    ExecutionFailedError,
    ExecutionNotEndedError,
    InvalidInputError,
    InvalidQueryError,
    NotFoundError,
)
from actium.event_hub.endings import Ended, Endings
from actium.models.base import assembled
from actium.models.execution import (
    ExecutionStatus,
    TriggerExecutionFilter,
    TriggerExecutionResources,
    TriggerExecutionResponse,
)
from actium.models.page import MAX_PAGE_SIZE, Page
from actium.stores.base_store import BaseStore
from actium.stores.claims import Claim
from actium.stores.records import ActionRecord, EventRecord, ExecutionRecord, TriggerRecord, latest_attempt
from actium.stores.responses import action_response, execution_response, trigger_response
from actium.tracing.spans import Trace

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
        self._awaited = AwaitedEnds(self._ended_of, endings)

    def get(self, reference: UUID | str, *, hydrate: bool = True) -> TriggerExecutionResponse:
        """Read an execution by its id or a unique beginning of it.

        Raises:
            NotFoundError, AmbiguousReferenceError: None, or several fit.
        """
        execution = find_record(self._store, ExecutionRecord, self._project, reference)
        return self._response(execution) if hydrate else execution_response(execution, hydrate=False)

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
            self._responses if hydrate else lambda found: [execution_response(one, hydrate=False) for one in found],
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
            self._endings.announce({cancelled.id: None})
        self._wake_workers()
        return self._response(cancelled)

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
        return self._response(again)

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
        with contextlib.suppress(InvalidQueryError):  # the last page is gone when others have ended, or were pruned
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
            InvalidInputError: The timeout is no number of seconds.
        """
        if timeout is not None and (type(timeout) not in {int, float} or math.isnan(timeout)):
            raise InvalidInputError(f"{timeout!r} is no time to wait.", hint="Give seconds, or None for no limit.")
        execution_id = reference if isinstance(reference, UUID) else self._id(reference)
        ended, known = threading.Event(), dict[UUID, Claim | None]()

        def listener(claim: Claim | None) -> None:
            known[execution_id] = claim
            ended.set()

        until = None if timeout is None else time.monotonic() + timeout
        left = LOOK_INTERVAL if timeout is None else min(LOOK_INTERVAL, timeout)
        with self._endings.listening(execution_id, listener):
            if self._endings.will_be_announced(execution_id):
                ended.wait(left)
            while True:
                ended.clear()  # it may be told of an attempt that was not the last
                execution = find_record(self._store, ExecutionRecord, self._project, execution_id)
                if execution.status.is_final:
                    return self._responses([execution], known)[0]
                left = LOOK_INTERVAL if until is None else min(LOOK_INTERVAL, until - time.monotonic())
                if left <= 0:
                    raise _not_ended(execution, timeout)
                ended.wait(left)

    async def await_end(self, reference: UUID | str) -> TriggerExecutionResponse:
        """As `wait`, for coroutines: the event loop goes on meanwhile. Bound it with ``asyncio.timeout``.

        Raises:
            NotFoundError, AmbiguousReferenceError: None, or several fit.
        """
        execution_id = reference if isinstance(reference, UUID) else self._id(reference)
        return await self._awaited.end_of(execution_id)

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

    def _response(self, execution: ExecutionRecord) -> TriggerExecutionResponse:
        return self._responses([execution])[0]

    def _responses(
        self, executions: Sequence[ExecutionRecord], known: Ended = MappingProxyType({})
    ) -> Sequence[TriggerExecutionResponse]:
        """Executions, hydrated; what they refer to is read together. An action or trigger may be gone since.

        Args:
            executions: As they are stored.
            known: How some were claimed whose attempt has ended here: their event and attempt need not be read again.
        """
        store = self._store
        claims = {one.id: claim for one in executions if (claim := known.get(one.id)) and _is_all(claim, one)}
        others = [one for one in executions if one.id not in claims]
        events = store.get_many(EventRecord, {one.event_id for one in others if one.event_id is not None})
        events |= {claim.event.id: claim.event for claim in claims.values() if claim.event is not None}
        attempts = store.attempts([one.id for one in others])
        attempts |= {one.id: (latest_attempt(one),) for one in executions if one.id in claims}
        actions = store.get_many(ActionRecord, {one.action_id for one in executions})
        triggers = store.get_many(TriggerRecord, {one.trigger_id for one in executions if one.trigger_id is not None})
        return [
            execution_response(
                one,
                event=None if one.event_id is None else events.get(one.event_id),
                attempts=attempts.get(one.id, ()),
                resources=_resources(
                    actions.get(one.action_id), None if one.trigger_id is None else triggers.get(one.trigger_id)
                ),
            )
            for one in executions
        ]

    def _ended_of(self, execution_ids: Collection[UUID], known: Ended) -> dict[UUID, TriggerExecutionResponse | None]:
        """Of some executions, those that have ended, and None for those that have not."""
        found = self._store.get_many(ExecutionRecord, execution_ids)
        here = [one for one in found.values() if one.project == self._project]
        ended = self._responses([one for one in here if one.status.is_final], known)
        return {**{one.id: None for one in here}, **{one.id: one for one in ended}}

    def _id(self, reference: UUID | str) -> UUID:
        return find_id(self._store, ExecutionRecord, self._project, reference)


def _is_all(claim: Claim, execution: ExecutionRecord) -> bool:
    """Whether an execution has had no attempt but the one that was claimed, and that was its end."""
    is_that_one = (execution.attempt, execution.worker) == (1, claim.execution.worker)
    return is_that_one and claim.execution.attempt == 1 and execution.finished is not None


def _resources(action: ActionRecord | None, trigger: TriggerRecord | None) -> TriggerExecutionResources:
    return assembled(
        TriggerExecutionResources,
        {
            "action": None if action is None else action_response(action, hydrate=False),
            "trigger": None if trigger is None else trigger_response(trigger, hydrate=False),
        },
    )


def _not_ended(execution: ExecutionRecord, timeout: float | None) -> ExecutionNotEndedError:
    return ExecutionNotEndedError(
        f"Execution {execution.id} of {execution.action_name!r} is still {execution.status.value} after {timeout:g} s.",
        hint="It goes on; wait longer, or see whether a worker runs.",
    )
