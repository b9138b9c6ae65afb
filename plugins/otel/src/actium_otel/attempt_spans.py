"""The span of each attempt at an execution: from when Actium tells that it runs to when it tells how that ended.

It is the root of a trace of its own, linked to where the event was published, since a publication may lead to many
executions, hours later. What the handler does stands inside it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, StatusCode

from actium import ExecutionStatus
from actium_otel import semantics
from actium_otel.attributes import of_execution, of_run
from actium_otel.creation_context import links_to
from actium_otel.open_attempts import OpenAttempt, OpenAttempts

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer

    from actium import TriggerExecutionResponse
    from actium.models import Attempt
    from actium_otel.instruments import Instruments

NANOSECONDS = 1_000_000_000


class AttemptSpans:
    """The attempts that one plugin is told of."""

    def __init__(self, tracer: Tracer, instruments: Instruments) -> None:
        self._tracer = tracer
        self._instruments = instruments
        self._open = OpenAttempts()

    def begin(self, execution: TriggerExecutionResponse) -> None:
        """An attempt has begun to run in this process."""
        began = time.time_ns()
        attempt = OpenAttempt(execution.attempt, self._started(execution, SpanKind.CONSUMER, began), began)
        for lost in self._open.put(execution.id, attempt):
            lost.span.set_attribute(semantics.ERROR_TYPE, semantics.ERROR_TYPE_OTHER)
            lost.span.set_status(StatusCode.ERROR, "Its worker was not told how it ended; another has taken over.")
            lost.span.end(lost.ended)
        due = execution.body.available or execution.body.created
        self._instruments.begun(execution, max(0.0, (datetime.now(UTC) - due).total_seconds()))

    @contextmanager
    def around_run(self, execution: TriggerExecutionResponse) -> Iterator[None]:
        """Let what the handler does stand inside the span of its attempt."""
        attempt = self._open.find(execution)
        if attempt is None:
            with self._apart(execution):
                yield
            return
        token = context.attach(trace.set_span_in_context(attempt.span))
        try:
            yield
        finally:
            attempt.note_return()
            context.detach(token)

    def end(self, execution: TriggerExecutionResponse) -> None:
        """An attempt has ended, or an execution without one, and that is recorded."""
        if execution.status.is_final:
            self._instruments.ended(execution)
        attempt = self._open.take(execution)
        if attempt is None:
            return
        made = next((each for each in execution.attempts if each.number == attempt.number), None)
        error_type = _error_type(made)
        _tell_ending(attempt.span, execution, made, error_type)
        ended = attempt.ended
        attempt.span.end(ended)
        self._instruments.ran(execution, (ended - attempt.began) / NANOSECONDS, error_type=error_type)

    @contextmanager
    def _apart(self, execution: TriggerExecutionResponse) -> Iterator[None]:
        """A run in a process of its own: the attempt's span is in the worker, this one tells of the same execution."""
        span = self._started(execution, SpanKind.INTERNAL)
        with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            try:
                yield
            except BaseException as error:
                span.set_attribute(semantics.ERROR_TYPE, type(error).__qualname__)
                span.set_status(StatusCode.ERROR)
                raise

    def _started(self, execution: TriggerExecutionResponse, kind: SpanKind, began: int | None = None) -> Span:
        return self._tracer.start_span(
            f"{semantics.RUN} {execution.name}",
            context=Context(),
            kind=kind,
            attributes=of_run(execution)
            | of_execution(execution)
            | {semantics.MESSAGING_OPERATION_TYPE: semantics.OPERATION_TYPE_PROCESS},
            links=links_to(execution.event),
            start_time=began,
        )


def _error_type(attempt: Attempt | None) -> str | None:
    if attempt is None or attempt.status is not ExecutionStatus.FAILED:
        return None
    return semantics.ERROR_TYPE_OTHER if attempt.error is None else attempt.error.type


def _tell_ending(
    span: Span, execution: TriggerExecutionResponse, attempt: Attempt | None, error_type: str | None
) -> None:
    """How an attempt ended, as Actium has recorded it: its secrets are masked there."""
    span.set_attribute(semantics.ACTIUM_EXECUTION_STATUS, execution.status.value)
    if attempt is None:
        return
    if attempt.status is not None:
        span.set_attribute(semantics.ACTIUM_ATTEMPT_STATUS, attempt.status.value)
    if error_type is None:
        return
    span.set_attribute(semantics.ERROR_TYPE, error_type)
    span.set_status(StatusCode.ERROR, attempt.reason)
    if attempt.error is not None:
        told = {
            semantics.EXCEPTION_TYPE: attempt.error.type,
            semantics.EXCEPTION_MESSAGE: attempt.error.message,
        }
        if attempt.error.traceback is not None:
            told[semantics.EXCEPTION_STACKTRACE] = attempt.error.traceback
        span.add_event(semantics.EXCEPTION, told)
