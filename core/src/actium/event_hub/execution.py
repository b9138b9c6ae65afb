"""How executions are run: what their actions' revisions say, and what is told of their attempts."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from actium.auth.tokens import Tokens
from actium.errors import ActiumError, NotFoundError, StoreError
from actium.event_hub.attempt_traces import AttemptTrace, traced_end
from actium.event_hub.base_event_hub import BaseEventHub
from actium.event_hub.coroutines import SharedLoop
from actium.models.execution import ExecutionStatus, MakesExecution, TriggerExecutionResponse
from actium.models.run_policy import RunPolicy
from actium.models.tracing import TraceMode
from actium.plugins.relay import Observers
from actium.running import RunningAttempt
from actium.stores.base_store import BaseStore
from actium.stores.claims import Claim
from actium.stores.records import EventRecord, ExecutionRecord
from actium.stores.responses import execution_response
from actium.tracing.application import NOT_TRACED, ApplicationTracing

logger = logging.getLogger("actium.executions")

_REVISIONS_KEPT = 1_024


class Work(NamedTuple):
    """What an action's revision says of its runs; shared by all of them, so that none may change it."""

    key: str
    plugin_subtype: str
    flavor: str
    configuration: dict[str, Any]
    auth_window: int
    policy: RunPolicy
    trace: TraceMode


class ExecutionRunner:
    """Knows how to run the executions of one application."""

    def __init__(
        self,
        store: BaseStore,
        hub: BaseEventHub,
        tokens: Tokens,
        *,
        observers: Callable[[], Observers],
        coroutines: SharedLoop,
        tracing: ApplicationTracing = NOT_TRACED,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.store = store
        self.hub = hub
        self.tokens = tokens
        self.coroutines = coroutines
        self.now = now
        self.draw = draw
        self._observers = observers
        self._tracing = tracing
        self.work = lru_cache(maxsize=_REVISIONS_KEPT)(self._work)
        """What a revision of an action says; it never changes, so it is read once."""

    def _work(self, action_id: UUID, revision: int) -> Work:
        fields = self.store.revision(action_id, revision).fields
        return Work(
            key=f"{fields['plugin_subtype']}.{fields['flavor']}",
            plugin_subtype=fields["plugin_subtype"],
            flavor=fields["flavor"],
            configuration=fields["configuration"],
            auth_window=fields["auth_window"],
            policy=RunPolicy.model_validate(fields.get("run_policy", {})),
            trace=TraceMode(fields.get("trace", TraceMode.ON_FAILURE)),
        )

    def known_work(self, execution: ExecutionRecord) -> Work | None:
        """What an execution's revision says; None where it cannot be read, which its attempt tells."""
        try:
            return self.work(execution.action_id, execution.action_revision)
        except ActiumError:
            return None

    def trace(self, claim: Claim, attempt: RunningAttempt, work: Work | None) -> AttemptTrace:
        """Begin to record an attempt, if that is wanted."""
        return AttemptTrace(
            claim,
            attempt,
            mode=TraceMode.ON_FAILURE if work is None else work.trace,
            tracing=self._tracing,
            store=self.store,
        )

    def _flavor(self, execution: ExecutionRecord) -> str:
        work = self.known_work(execution)
        return "" if work is None else work.key

    @property
    def is_observed(self) -> bool:
        """Whether anyone is told when attempts begin and end."""
        return self._observers().see_executions

    def told_begun(self, makes_execution: MakesExecution) -> TriggerExecutionResponse | MakesExecution:
        """Tell the observers, if there are any, that an attempt has begun.

        Returns:
            The execution, if it was made for them, and otherwise what makes it.
        """
        observers = self._observers()
        if not observers.see_executions:
            return makes_execution
        running = makes_execution()
        observers.execution_changed(running)
        return running

    def tell_ended(self, attempts: Iterable[tuple[UUID, int, Sequence[str]]]) -> None:
        """Tell the observers that attempts have ended, and were recorded.

        Args:
            attempts: Of which executions, their numbers, and the secrets that they have resolved.
        """
        observers = self._observers()
        if not observers.see_executions:
            return
        for execution_id, number, secrets in attempts:
            try:
                execution, event = self._stored(execution_id)
                ended = self._response(execution, event)
            except (StoreError, NotFoundError) as error:
                logger.warning("The observers are not told of the end of execution %s: %s", execution_id, error)
                continue
            with traced_end(
                self._tracing,
                execution,
                event,
                flavor=self._flavor(execution),
                secrets=secrets,
                store=self.store,
            ):
                observers.execution_changed(_as_of(number, ended))

    def response(self, execution_id: UUID) -> TriggerExecutionResponse:
        """An execution as it is stored, hydrated."""
        return self._response(*self._stored(execution_id))

    def _stored(self, execution_id: UUID) -> tuple[ExecutionRecord, EventRecord | None]:
        execution = self.store.get(ExecutionRecord, execution_id)
        return execution, None if execution.event_id is None else self.store.get(EventRecord, execution.event_id)

    def _response(self, execution: ExecutionRecord, event: EventRecord | None) -> TriggerExecutionResponse:
        attempts = self.store.attempts([execution.id])
        return execution_response(execution, event=event, attempts=attempts.get(execution.id, ()))


def _as_of(number: int, execution: TriggerExecutionResponse) -> TriggerExecutionResponse:
    """An execution as it was when an attempt had ended: the next one may have been claimed with that ending."""
    if execution.attempt == number:
        return execution
    metadata = execution.get_metadata()
    made = tuple(attempt for attempt in metadata.attempts if attempt.number <= number)
    reason = made[-1].reason if made else None
    waiting = {"status": ExecutionStatus.PENDING, "attempt": number, "reason": reason, "finished": None}
    return execution.model_copy(
        update={
            "body": execution.body.model_copy(update=waiting),
            "metadata": metadata.model_copy(update={"attempts": made, "result": None}),
        }
    )
