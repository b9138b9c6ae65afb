"""The one door through which executions are claimed, run and recorded.

Everything that can go wrong on the way, from a deleted action to a result that is no JSON, ends as a status with a
reason in the store. Only the end of the process itself (``KeyboardInterrupt``) goes on, after it was recorded.
"""

from __future__ import annotations

import inspect
import json
import logging
import traceback
from collections.abc import Callable
from typing import Any
from uuid import UUID

from pydantic_core import PydanticSerializationError, to_jsonable_python

from actium.auth.secret_references import masked, noting_secrets
from actium.auth.tokens import Tokens
from actium.errors import ConflictError, ExecutionCancelled, NotFoundError, StoreBusyError
from actium.event_hub.base_event_hub import BaseEventHub
from actium.event_hub.coroutines import SharedLoop
from actium.models.action import ActionStatus
from actium.models.execution import ExecutionStatus, TriggerExecutionResponse
from actium.plugins.relay import Observers
from actium.stores.base_store import BaseStore
from actium.stores.records import AccountRecord, ActionRecord, EventRecord, ExecutionRecord, Outcome
from actium.stores.responses import execution_response

logger = logging.getLogger("actium.executions")

_TRIES_TO_RECORD = 5


class ExecutionRunner:
    """Claims, runs and records executions, one at a time and in the calling thread."""

    def __init__(
        self,
        store: BaseStore,
        hub: BaseEventHub,
        tokens: Tokens,
        *,
        observers: Callable[[], Observers],
        coroutines: SharedLoop,
    ) -> None:
        self._store = store
        self._hub = hub
        self._tokens = tokens
        self._observers = observers
        self._coroutines = coroutines

    def run_next(self, worker: str, *, execution_id: UUID | None = None) -> TriggerExecutionResponse | None:
        """Claim, run and record the oldest pending execution, or the named one.

        Args:
            worker: Who runs it, as the attempt records it.
            execution_id: Which one; None for the oldest.

        Returns:
            The execution in its final state; None when nothing (or not the named one) was pending.
        """
        claimed = self._store.claim_execution(worker, execution_id=execution_id)
        if claimed is None:
            return None
        with noting_secrets(claimed.id) as secrets:
            try:
                event = None if claimed.event_id is None else self._store.get(EventRecord, claimed.event_id)
                running = execution_response(claimed, event=event)
                self._tell(running)
                outcome = self._outcome(claimed, running, secrets)
            except BaseException as error:
                self._record(claimed, _masked(_interrupted(error), secrets))
                raise
            return self._record(claimed, _masked(outcome, secrets))

    def _outcome(self, claimed: ExecutionRecord, running: TriggerExecutionResponse, secrets: list[str]) -> Outcome:
        obstacle = self._obstacle(claimed)
        if obstacle is not None:
            return Outcome(status=ExecutionStatus.SKIPPED, reason=obstacle)
        try:
            return _succeeded(self._run(claimed, running, secrets))
        except ExecutionCancelled as error:
            return Outcome(status=ExecutionStatus.CANCELLED, reason=_message(error))
        except (Exception, SystemExit, GeneratorExit) as error:
            return _failed(error)

    def _obstacle(self, claimed: ExecutionRecord) -> str | None:
        """Why an execution is not to run now, which is no failure."""
        try:
            action = self._store.get(ActionRecord, claimed.action_id)
        except NotFoundError:
            return "the action was deleted"
        if action.status is ActionStatus.DELETING:
            return "the action is being deleted"
        return None if action.enabled else "the action is disabled"

    def _run(self, claimed: ExecutionRecord, running: TriggerExecutionResponse, secrets: list[str]) -> Any:
        revision = self._store.revision(claimed.action_id, claimed.action_revision).fields
        account = self._store.get(AccountRecord, UUID(revision["service_account_id"]))
        auth_context = self._tokens.issue(account, execution_id=claimed.id, window=revision["auth_window"])
        secrets.append(auth_context.access_token.get_secret_value())
        callback = self._hub.action_callback(revision["flavor"], revision["plugin_subtype"])
        result = callback(revision["configuration"], running, auth_context)
        return self._coroutines.run(result) if inspect.isawaitable(result) else result

    def _record(self, claimed: ExecutionRecord, outcome: Outcome) -> TriggerExecutionResponse:
        if outcome.status is ExecutionStatus.FAILED:
            logger.warning("Execution %s of %r failed: %s", claimed.id, claimed.action_name, outcome.reason)
        try:
            finished = self._finished(claimed, outcome)
        except ConflictError as error:
            logger.warning("The outcome of execution %s came too late: %s", claimed.id, error)
            finished = self._store.get(ExecutionRecord, claimed.id)
        event = None if claimed.event_id is None else self._store.get(EventRecord, claimed.event_id)
        response = execution_response(finished, event=event, attempts=self._store.attempts(claimed.id))
        self._tell(response)
        return response

    def _finished(self, claimed: ExecutionRecord, outcome: Outcome) -> ExecutionRecord:
        """Store an outcome: it is all that is left of the run, so a store that is busy is asked again."""
        for _ in range(_TRIES_TO_RECORD - 1):
            try:
                return self._store.finish_execution(claimed.id, attempt=claimed.attempt, outcome=outcome)
            except StoreBusyError as error:
                logger.warning("The outcome of execution %s waits for the store: %s", claimed.id, error)
        return self._store.finish_execution(claimed.id, attempt=claimed.attempt, outcome=outcome)

    def _tell(self, execution: TriggerExecutionResponse) -> None:
        observers = self._observers()
        if observers.see_executions:
            observers.execution_changed(execution)


def _succeeded(result: Any) -> Outcome:
    try:
        plain = to_jsonable_python(result, inf_nan_mode="constants")
        json.dumps(plain, allow_nan=False)
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        return Outcome(
            status=ExecutionStatus.FAILED,
            reason=f"the action ran, but its result is nothing that JSON can hold: {error}",
            error={"type": type(error).__name__, "message": str(error), "traceback": None},
        )
    return Outcome(status=ExecutionStatus.SUCCEEDED, result=plain)


def _failed(error: BaseException) -> Outcome:
    return Outcome(
        status=ExecutionStatus.FAILED,
        reason=f"{type(error).__name__}: {_message(error)}",
        error={
            "type": type(error).__name__,
            "message": _message(error),
            "traceback": _storable("".join(traceback.format_exception(error))),
        },
    )


def _interrupted(error: BaseException) -> Outcome:
    return Outcome(
        status=ExecutionStatus.FAILED,
        reason=f"the worker was interrupted ({type(error).__name__}); what the action did so far is not known",
        error={"type": type(error).__name__, "message": "not kept: it may hold secrets", "traceback": None},
    )


def _message(error: BaseException) -> str:
    try:
        return _storable(str(error))
    except Exception as broken:
        return f"(its text cannot be shown: {type(broken).__name__})"


def _storable(text: str) -> str:
    """The text with unpaired surrogates, as odd file names bring them, written out: a store cannot keep them."""
    return text.encode("utf-8", "backslashreplace").decode()


def _masked(outcome: Outcome, secrets: list[str]) -> Outcome:
    return Outcome(
        status=outcome.status,
        reason=masked(outcome.reason, secrets),
        result=masked(outcome.result, secrets),
        error=masked(outcome.error, secrets),
    )
