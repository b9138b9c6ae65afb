"""What was kept of how an execution went, put together from its rows and the traces of its attempts."""

from __future__ import annotations

from actium.event_hub.attempt_traces import nanoseconds, spans_above, trigger_name
from actium.stores.base_store import BaseStore
from actium.stores.records import AttemptRecord, EventRecord, ExecutionRecord
from actium.tracing.spans import Failure, Plain, Span, SpanKind, Trace, joined, trace_of


def execution_trace(store: BaseStore, execution: ExecutionRecord) -> Trace:
    """The trace of an execution: its event, its trigger, itself and its attempts, with what was kept of each."""
    kept = {record.attempt: trace_of(record.trace) for record in store.traces(execution.id)}
    attempts = [
        kept[attempt.number].spans if attempt.number in kept else (_untraced(attempt),)
        for attempt in store.attempts([execution.id]).get(execution.id, ())
    ]
    above = spans_above(
        execution,
        None if execution.event_id is None else store.get(EventRecord, execution.event_id),
        end_ns=max((span.end_ns for spans in attempts for span in spans), default=0),
        trigger=trigger_name(store, execution),
    )
    return Trace(spans=joined(attempts, above), left_out=sum(trace.left_out for trace in kept.values()))


def _untraced(attempt: AttemptRecord) -> Span:
    started = nanoseconds(attempt.started)
    arguments: dict[str, Plain] = {"worker": attempt.worker, "trace": "none was kept"}
    if attempt.status is not None:
        arguments["status"] = attempt.status.value
    return Span(
        id=1,
        parent=None,
        kind=SpanKind.ATTEMPT,
        name=f"attempt {attempt.number}",
        start_ns=started,
        nanoseconds=None if attempt.finished is None else nanoseconds(attempt.finished) - started,
        arguments=arguments,
        failure=None
        if attempt.error is None
        else Failure(type=attempt.error["type"], message=attempt.error["message"]),
    )
