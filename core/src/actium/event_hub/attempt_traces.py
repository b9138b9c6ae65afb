"""The traces of attempts: recorded while they run, and kept, handed on or dropped at their end."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime

from actium.auth.secret_references import noting_secrets
from actium.errors import NotFoundError, StoreError
from actium.models.execution import ExecutionStatus
from actium.models.tracing import TraceMode
from actium.running import RunningAttempt
from actium.stores.base_store import BaseStore
from actium.stores.claims import Claim, Outcome
from actium.stores.records import EventRecord, ExecutionRecord, TriggerRecord
from actium.tracing.application import ApplicationTracing
from actium.tracing.noted_attempt import NotedAttempt
from actium.tracing.recorder import Entered, OpenSpan, Recording, Unrecorded
from actium.tracing.spans import Span, SpanKind, Trace, joined

logger = logging.getLogger("actium.tracing")


class AttemptTrace(NotedAttempt):
    """What is recorded of one attempt, or only noted where it is kept of failures only.

    Attributes:
        entered: The span of the attempt, or what stands for it until it is recorded; what runs inside is a part of it.
    """

    def __init__(
        self,
        claim: Claim,
        attempt: RunningAttempt,
        *,
        mode: TraceMode,
        tracing: ApplicationTracing,
        store: BaseStore,
    ) -> None:
        """Begin.

        Args:
            claim: What is run.
            attempt: Knows its flavor and its secrets.
            mode: When it is kept.
            tracing: What the application has traced besides.
            store: Knows what its trigger is called.
        """
        super().__init__()
        self._claim = claim
        self._attempt = attempt
        self._mode = mode
        self._is_wanted = tracing.wants(attempt.flavor)
        self._tracing = tracing
        self._store = store
        self._recording: Recording | None = None
        self.entered: OpenSpan | Unrecorded | None = None
        if self._is_wanted or mode is TraceMode.ON:
            self.entered = self.open()
        elif mode is not TraceMode.OFF:
            self.entered = self

    def record(self) -> OpenSpan | None:
        """See `NotedAttempt.record`."""
        attempt = self._attempt
        self._recording = Recording(secrets=lambda: attempt.secrets, flavor=attempt.flavor)
        told = {"worker": self._claim.execution.worker}
        return self._recording.begin(None, SpanKind.ATTEMPT, f"attempt {attempt.attempt}", None, told)

    def end(self, outcome: Outcome) -> str | None:
        """Record nothing more.

        Returns:
            What is to be kept with the execution, as it is stored; None for nothing.
        """
        keeps = self._keeps(outcome)
        root = self.open() and self._root if keeps else self._root
        self.close()
        self.entered = None
        if self._recording is None:
            return None
        if not (keeps or self._is_wanted):
            self._recording.drop()
            return None
        from actium.tracing.taking import taken, written

        try:
            if root is not None:
                _note(root, outcome)
            trace = taken(self._recording, attempt=self._claim.execution.attempt)
            is_shown = self._is_wanted and self._tracing.deliver(self._whole(trace, self._recording))
            return written(trace) if keeps or (is_shown and self._mode is not TraceMode.OFF) else None
        except Exception:  # an execution must not fail because its trace cannot be told
            logger.exception("The trace of execution %s is lost.", self._claim.execution.id)
            return None

    def _keeps(self, outcome: Outcome) -> bool:
        if self._mode is TraceMode.OFF:
            return False
        has_failed = outcome.status is ExecutionStatus.FAILED and not outcome.is_returned
        return has_failed or self._mode is TraceMode.ON

    def _whole(self, trace: Trace, recording: Recording) -> Trace:
        execution = self._claim.execution
        return _below_execution(trace, recording, execution, self._claim.event, trigger_name(self._store, execution))


def _note(root: OpenSpan, outcome: Outcome) -> None:
    from actium.tracing.failures import RawFailure

    root.end()
    root.arguments = {**(root.arguments or {}), "status": outcome.status.value}
    if outcome.error is not None:
        root.failure = RawFailure(outcome.error["type"], outcome.error["message"], None, ())
    elif outcome.reason is not None:
        root.arguments["reason"] = outcome.reason


@contextmanager
def traced_end(
    tracing: ApplicationTracing,
    execution: ExecutionRecord,
    event: EventRecord | None,
    *,
    flavor: str,
    secrets: Sequence[str],
    store: BaseStore,
) -> Iterator[None]:
    """Let what observers do, once an attempt is over and stored, be a trace of its own, below the execution.

    Args:
        tracing: What the application has traced; where that is nothing, nothing is recorded.
        execution: The execution as it is stored.
        event: What led to it.
        flavor: The key of its flavor.
        secrets: What the attempt has resolved.
        store: Knows what its trigger is called.
    """
    if not tracing.wants(flavor):
        yield
        return
    from actium.tracing.taking import taken

    noted = [*secrets]
    recording = Recording(secrets=lambda: noted, flavor=flavor)
    told = {"attempt": execution.attempt, "status": execution.status.value}
    try:
        with noting_secrets(noted), Entered(recording.begin(None, SpanKind.HOOK, "execution_changed", None, told)):
            yield
    finally:
        trace = taken(recording, attempt=execution.attempt)
        if trace.spans:
            tracing.deliver(_below_execution(trace, recording, execution, event, trigger_name(store, execution)))


def _below_execution(
    trace: Trace, recording: Recording, execution: ExecutionRecord, event: EventRecord | None, trigger: str | None
) -> Trace:
    mask = recording.mask()
    above = [
        replace(span, arguments={name: mask.text(str(value)) for name, value in span.arguments.items()})
        for span in spans_above(execution, event, end_ns=max(span.end_ns for span in trace.spans), trigger=trigger)
    ]
    return replace(trace, spans=joined([trace.spans], above))


def spans_above(
    execution: ExecutionRecord, event: EventRecord | None, *, end_ns: int, trigger: str | None = None
) -> Sequence[Span]:
    """What an attempt is a part of: the event and the trigger that led to the execution, and the execution.

    Args:
        execution: The execution.
        event: What led to it; None where it was run by hand.
        end_ns: When the last of its attempts that is known ended.
        trigger: The trigger's name, where that is known.
    """
    created = nanoseconds(execution.created)
    ended = max(end_ns, created)
    spans: list[Span] = []

    def add(kind: SpanKind, name: str, start: int, **arguments: str) -> None:
        number = len(spans) + 1
        spans.append(
            Span(
                id=number,
                parent=number - 1 or None,
                kind=kind,
                name=name,
                start_ns=start,
                nanoseconds=ended - start,
                arguments=arguments,
            )
        )

    if event is not None:
        add(
            SpanKind.EVENT,
            event.type,
            min(nanoseconds(event.received), created),
            id=event.event_id,
            source=event.source,
        )
    if execution.trigger_id is not None:
        add(SpanKind.TRIGGER, trigger or str(execution.trigger_id), created, id=str(execution.trigger_id))
    add(SpanKind.EXECUTION, execution.action_name, created, id=str(execution.id))
    return spans


def trigger_name(store: BaseStore, execution: ExecutionRecord) -> str | None:
    """What the trigger of an execution is called; None where there is none, none any more, or nobody knows."""
    if execution.trigger_id is None:
        return None
    try:
        return store.get(TriggerRecord, execution.trigger_id).name
    except (NotFoundError, StoreError):  # deleted since, for the execution outlives it; or its id has to do
        return None


def nanoseconds(time: datetime) -> int:
    """A time in nanoseconds since 1970."""
    return round(time.timestamp() * 1e6) * 1_000
