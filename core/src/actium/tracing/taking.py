"""Taking a recording: its spans in words, within limits, with everything secret masked."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace

from actium.tracing.failures import RawFailure
from actium.tracing.limits import FULL, LEAST, MAX_BYTES, SHORT, Limits
from actium.tracing.masking import TraceMask
from actium.tracing.recorder import OpenSpan, Recording
from actium.tracing.spans import Failure, Span, Trace, trace_json
from actium.tracing.values import Describer

logger = logging.getLogger("actium.tracing")


def taken(recording: Recording, *, attempt: int | None = None) -> Trace:
    """End a recording and tell what was recorded.

    Values are told at less length where the whole would be larger than `MAX_BYTES`, and at last the latest spans are
    left out. What cannot be told at all is logged: tracing harms nothing that is traced.
    """
    spans, left_out = recording.close()
    try:
        return _within_limits(recording, spans, Trace(spans=(), left_out=left_out, attempt=attempt))
    except Exception:
        logger.exception("A trace is lost.")
        return Trace(spans=(), left_out=left_out + len(spans), attempt=attempt)
    finally:
        for span in spans:
            span.release()


def _within_limits(recording: Recording, spans: Sequence[OpenSpan], empty: Trace) -> Trace:
    mask = recording.mask()
    for limits in (FULL, SHORT, LEAST):
        trace = replace(empty, spans=_told(recording, spans, mask, limits))
        if _size(trace) <= MAX_BYTES:
            return trace
    return _cut(trace)


def written(trace: Trace) -> str:
    """A trace as it is stored and sent."""
    return _encoded(trace).decode()


def _size(trace: Trace) -> int:
    return len(_encoded(trace))


def _encoded(trace: Trace) -> bytes:
    text = json.dumps(trace_json(trace), separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace")  # JSON writes unpaired surrogates in the same way


def _cut(trace: Trace) -> Trace:
    """As many of the first spans as there is room for; parents stand before their parts."""
    fits, too_many = 0, len(trace.spans)
    while too_many - fits > 1:
        middle = (fits + too_many) // 2
        if _size(replace(trace, spans=trace.spans[:middle])) <= MAX_BYTES:
            fits = middle
        else:
            too_many = middle
    return replace(trace, spans=trace.spans[:fits], left_out=trace.left_out + len(trace.spans) - fits)


def _told(recording: Recording, spans: Sequence[OpenSpan], mask: TraceMask, limits: Limits) -> tuple[Span, ...]:
    describer = Describer(mask, limits)
    told = [_span(recording, span, describer) for span in spans]
    for below, adopted in recording.adopted:
        offset = max((span.id for span in told), default=0)
        told += [
            replace(span, id=span.id + offset, parent=below if span.parent is None else span.parent + offset)
            for span in adopted
        ]
    return tuple(told)


def _span(recording: Recording, span: OpenSpan, describer: Describer) -> Span:
    actor = span.actor
    return Span(
        id=span.id,
        parent=None if span.above is None else span.above.id,
        kind=span.kind,
        name=describer.text(span.name),
        start_ns=recording.zero + span.began,
        nanoseconds=None if span.ended is None else span.ended - span.began,
        arguments=describer.arguments(span.arguments or {}),
        result=describer.value(span.result),
        failure=None if span.failure is None else _failure(span.failure, describer),
        plugin=None if actor is None else actor.plugin,
        distribution=None if actor is None else actor.distribution,
        version=None if actor is None else actor.version,
        position=None if actor is None else actor.position,
        thread=describer.text(span.thread),
        process=recording.process,
    )


def _failure(failure: RawFailure, describer: Describer) -> Failure:
    return Failure(
        type=failure.type,
        message=describer.text(failure.message),
        where=failure.where,
        notes=tuple(describer.text(note) for note in failure.notes),
    )
